"""The client for programs that wait: scripts, Django, Celery.

::

    with Client("tcp://user:secret@pbx") as pbx:
        for line in pbx.command("core show uptime"):
            print(line)

A thread of its own runs a reactor, so events are handled and Pings answered while the program does something else.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any, Callable, Optional, TypeVar, Union, overload

from . import _fork
from ._fronts.front import Front
from ._fronts.gaps import EventBuffer, Gap
from ._fronts.link import Request, fresh
from ._fronts.plain import BlockingActions
from ._fronts.settings import EventName, event_names
from ._fronts.thread import ReactorThread
from ._fronts.unclosed import Unclosed
from .emitter import Handler, Names, SomeNames
from .errors import AMIError, ConnectionFinished
from .filters import Condition, Where, condition
from .options import seconds
from .packet import Packet
from .pool import Pool
from .signatures import EventDecorator, SomeEvent, TypedHandler
from .signatures import Result as Returned

__all__ = ["Client", "Events", "Gap"]

Result = TypeVar("Result")
AnyEvent = TypeVar("AnyEvent", bound=Packet, covariant=True)


class Client(Front, BlockingActions):
    """One logged-in connection, for calls that wait for the answer. Any thread may use it.

    ::

        with Client("tls://user:secret@pbx", reconnect=2) as pbx:
            answer = pbx.action("QueueStatus")
            print(len(answer.events))

    ``with`` logs in, or raises LoginRefused, ConnectFailed, ConnectTimeout and so on. It leaves when the last socket is
    closed. With the option ``reconnect`` a lost connection is opened again, and an action waits for the next login
    meanwhile, within its timeout. Without it, an action after a loss raises the loss.

    Ctrl-C ends a wait at once, and the client can still be used and closed. The thread ends with the program. A client
    that nobody refers to any more ends with a ResourceWarning if nobody has closed it, unless it has handlers. A forked
    child needs a client of its own: there each method raises RuntimeError.

    Arguments:
        url: the server, as for :meth:`Pool.get_connection`; a URL without a port means 5038 here.
        pool: take the connection from this pool, whose loop runs in another thread. It is given back by :meth:`close`.
            Handlers and streams are the pool's then; streams still have only this connection's events.
        options: those of a :class:`~ami_client.Pool`, if there is no ``pool``. ``fold_case`` is False here: values
            keep their case.
    """

    def __init__(self, url: Optional[str] = None, *, pool: Optional[Pool] = None, **options: Any) -> None:
        self._host = ReactorThread("ami_client") if pool is None else None
        Front.__init__(self, url, pool, options, self._make_pool)
        self._loop = self._pool.reactor
        self._lock = threading.Lock()  # held while something is handed to the loop, so that nothing is after the end
        self._closed: Optional[threading.Lock] = None  # held until the end is complete
        self._forks = _fork.forks
        if self._host is None:
            self._unclosed = Unclosed(self._link, owns_pool=False)
        else:
            self._unclosed = Unclosed(self._link, owns_pool=True, on_closed=self._host.stop_soon)

    def _make_pool(self, options: Mapping[str, object]) -> Pool:
        assert self._host is not None
        return Pool(options, reactor=self._host.reactor)

    # -- the connection

    def connect(self) -> None:
        """Log in, once. ``with`` calls it. Raises the AMIError that says why the login failed."""
        self._answer(partial(self._link.when_connected, timeout=None, keep_trying=False))

    def wait_connected(self, timeout: Optional[float] = None) -> None:
        """Wait until it is logged in, with ``reconnect`` through failed attempts.

        Raises ConnectTimeout after ``timeout`` seconds, and the AMIError of the last attempt if no other follows.
        """
        self._answer(partial(self._link.when_connected, timeout=timeout, keep_trying=True))

    def close(self, graceful: bool = True) -> None:
        """End the connection, with a Logoff if ``graceful``. Returns when the last socket is closed.

        Calls that wait in other threads raise ConnectionFinished, and streams end. A shared pool goes on, and gets its
        connection back. May be called again, also after a Ctrl-C that ended the wait.
        """
        self._check_caller()
        with self._begin_close(graceful):
            pass
        if self._host is not None:
            self._host.stop()

    def _begin_close(self, graceful: bool) -> threading.Lock:
        with self._lock:
            if self._closed is None:
                closed = threading.Lock()
                closed.acquire()
                if self._host is not None:
                    self._host.start()
                self._loop.call_soon_threadsafe(
                    partial(
                        self._link.close,
                        graceful=graceful,
                        finish_pool=self._host is not None,
                        on_closed=closed.release,
                    )
                )
                self._closed = closed
            return self._closed

    def __enter__(self) -> Client:
        try:
            self.connect()
        except BaseException:
            self.close(graceful=False)
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # -- from the caller's thread to the loop's

    def _ask(self, method: str, **kwargs: Any) -> Any:
        return self._answer(partial(self._link.ask, method=method, kwargs=kwargs))

    def _answer(self, begin: Callable[[Request], object]) -> Any:
        """Call ``begin(request)`` while the loop stands still. Wait for the request's answer; return or raise it."""
        self._check_caller()
        answer = _Answer()
        try:
            self._hand_over(answer.begin, begin)
            if self._host is None:
                answer.ready.acquire()
            else:
                self._host.wait(answer.ready)
        except BaseException:  # Ctrl-C, or the client is closed
            if self._host is not None:
                self._host.recover()
            self._call_soon(self._link.cancel, answer)
            raise
        if answer.error is not None:
            raise answer.error
        return answer.result

    def _run(self, call: Callable[[], Result]) -> Result:
        """Call something while the loop stands still. Return its result, or raise what it raises."""
        result: Result = self._answer(lambda request: request.deliver(call(), None))
        return result

    def _hand_over(self, call: Callable[..., object], *args: object) -> None:
        """Call ``call(*args)`` while the loop stands still: here, or in the loop's thread as soon as it can.

        Raises ConnectionFinished if the client is closed.
        """
        with self._lock:
            if self._closed is not None:
                raise ConnectionFinished("the client is closed")
            if self._host is None:
                self._loop.call_soon_threadsafe(call, *args)
            else:
                self._host.start()
                self._host.run_here(call, *args)

    def _call_soon(self, call: Callable[..., object], *args: object) -> None:
        """Have the loop call ``call(*args)`` if it still runs. Waits for nothing, so anybody may call this anywhere."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(call, *args)

    def _check_caller(self) -> None:
        if self._forks != _fork.forks:
            _fork.refuse("client", "a Client")
        if self._host is not None and self._host.is_current:
            raise RuntimeError("a handler runs in the client's own thread and cannot wait here: use conn and callbacks")

    # -- events

    @overload
    def on(
        self, names: type[SomeEvent], cb: TypedHandler[SomeEvent, Returned], *, where: Optional[Where] = None
    ) -> TypedHandler[SomeEvent, Returned]: ...
    @overload
    def on(
        self, names: type[SomeEvent], cb: None = None, *, where: Optional[Where] = None
    ) -> EventDecorator[SomeEvent]: ...
    @overload
    def on(self, names: SomeNames, cb: Handler, *, where: Optional[Where] = None) -> Handler: ...
    @overload
    def on(
        self, names: SomeNames, cb: None = None, *, where: Optional[Where] = None
    ) -> Callable[[Handler], Handler]: ...
    def on(self, names: Names, cb: Optional[Callable[..., object]] = None, *, where: Optional[Where] = None) -> Any:
        """As :meth:`Pool.on`. The handler runs in the client's own thread, so it is to be quick, and may not wait."""
        if cb is None:
            return partial(self.on, names, where=where)
        self._keep_thread()
        self._run(lambda: self._pool.bind(names, cb, where=where))
        return cb

    def once(self, names: Names, cb: Handler, *, where: Optional[Where] = None) -> Handler:
        """As :meth:`on`, but only for the next event of each name, or the next for which ``where`` holds."""
        self._keep_thread()
        self._run(lambda: self._pool.once(names, cb, where=where))
        return cb

    def _keep_thread(self) -> None:
        """From now on only the client's own thread runs the loop, and so the handlers."""
        if self._host is not None:
            self._host.shares = False

    def off(self, names: Names, cb: Optional[Callable[..., object]] = None) -> None:
        """As :meth:`Pool.off`."""
        self._run(lambda: self._pool.off(names, cb))

    @overload
    def events(
        self, *, where: Optional[Where] = None, timeout: Optional[float] = None, limit: int = 10_000
    ) -> Events[Packet]: ...
    @overload
    def events(
        self,
        name: type[SomeEvent],
        /,
        *names: type[SomeEvent],
        where: Optional[Where] = None,
        timeout: Optional[float] = None,
        limit: int = 10_000,
    ) -> Events[SomeEvent]: ...
    @overload
    def events(
        self,
        *names: EventName,
        where: Optional[Where] = None,
        timeout: Optional[float] = None,
        limit: int = 10_000,
    ) -> Events[Packet]: ...
    def events(
        self,
        *names: EventName,
        where: Optional[Where] = None,
        timeout: Optional[float] = None,
        limit: int = 10_000,
    ) -> Events[Any]:
        """A stream of the server's events.

        ::

            for event in pbx.events("hangup", "queue*", where={"queue": "help*"}, timeout=60):
                print(event)

        ``names`` are events' names without case, globs, ``userevent:<name>``, or classes of the catalogue; without
        any, all events come. ``where`` is as for :meth:`Pool.bind`. Items are packets, or a :class:`Gap` where events
        are missing: up to ``limit`` events wait for their reader, and what does not fit is counted.

        The loop ends when ``timeout`` seconds pass without an event. The stream begins with its ``with``, or with the
        first item if there is none, and ends with it. It ends too when the client is closed, and raises the
        connection's error if that is lost for good.
        """
        holds = None if where is None else condition(where)
        wait = None if timeout is None else seconds("timeout", timeout)
        return Events(self, event_names(names), holds, wait, limit)

    def _listen(self, inbox: _Inbox, names: list[str], holds: Optional[Condition]) -> None:
        self._run(lambda: self._link.listen(inbox, names, holds))

    def _unlisten(self, inbox: _Inbox) -> None:
        # Nobody waits for it: a loop that was left early may be cleaned up in any thread.
        self._call_soon(self._link.unlisten, inbox)


class _Answer(Request):
    """What one caller waits for."""

    def __init__(self) -> None:
        self.ready = threading.Lock()
        self.ready.acquire()
        self.result: Any = None
        self.error: Optional[BaseException] = None

    def begin(self, begin: Callable[[Request], object]) -> None:
        try:
            begin(self)
        except Exception as error:
            self.deliver(None, error)

    def deliver(self, result: Any, error: Optional[BaseException]) -> None:
        self.result, self.error = result, error
        if self.ready.locked():
            self.ready.release()


class Events(Iterator[Union[AnyEvent, Gap]]):
    """A stream of events: see :meth:`Client.events`. One thread may read it."""

    def __init__(
        self, client: Client, names: list[str], holds: Optional[Condition], timeout: Optional[float], limit: int
    ) -> None:
        self._client = client
        self._names = names
        self._holds = holds
        self._timeout = timeout
        self._inbox = _Inbox(limit)
        self._entered = False

    def __enter__(self) -> Events[AnyEvent]:
        self._entered = True
        self._client._listen(self._inbox, self._names, self._holds)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """End the stream. What has arrived can still be read."""
        self._client._unlisten(self._inbox)
        self._inbox.end(None)

    def __iter__(self) -> Iterator[Union[AnyEvent, Gap]]:
        return self if self._entered else self._until_left()

    def __next__(self) -> Union[AnyEvent, Gap]:
        if not self._entered:
            self.__enter__()
        item: Union[AnyEvent, Gap] = self._inbox.get(self._timeout)
        return item

    def _until_left(self) -> Generator[Union[AnyEvent, Gap], None, None]:
        with self:
            while True:
                try:
                    item = self._inbox.get(self._timeout)
                except StopIteration:
                    return
                yield item


class _Inbox(EventBuffer):
    """The listener of a stream. The loop's thread fills it, the reader's empties it."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._lock = threading.Lock()
        self._changed = threading.Lock()  # released when there is something new
        self._changed.acquire()

    def put(self, item: Union[Packet, Gap]) -> None:
        with self._lock:
            super().put(item)
            self._wake()

    def put_gap(self, gap: Gap) -> None:
        with self._lock:
            super().put_gap(gap)
            self._wake()

    def end(self, error: Optional[AMIError]) -> None:
        with self._lock:
            super().end(error)
            self._wake()

    def _wake(self) -> None:
        if self._changed.locked():
            self._changed.release()

    def get(self, timeout: Optional[float]) -> Any:
        deadline = None if timeout is None else monotonic() + timeout
        while True:
            with self._lock:
                if self:
                    return self.pop()
                if self.error is not None:
                    raise fresh(self.error)
                if self.ended:
                    raise StopIteration
            left = -1 if deadline is None else deadline - monotonic()
            if deadline is not None and left <= 0:
                raise StopIteration
            self._changed.acquire(timeout=min(left, threading.TIMEOUT_MAX))
