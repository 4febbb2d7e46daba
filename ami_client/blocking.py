"""The client for blocking programs: scripts, Django, Celery.

::

    with Client("tcp://user:secret@pbx") as pbx:
        for line in pbx.command("core show uptime"):
            print(line)

A background thread runs a reactor. So events are handled and Pings are answered while the program does something else.
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
from ._fronts.thread import ReactorThread, give_back
from ._fronts.unclosed import Unclosed
from .emitter import Handler, Names, SomeNames
from .errors import ActionTimeout, AMIError, ConnectionFinished
from .filters import Condition, Where, condition
from .options import seconds
from .packet import Packet
from .pool import Pool
from .signatures import EventDecorator, SomeEvent, TypedHandler
from .signatures import Result as Returned

__all__ = ["Client", "Events", "Gap"]

# Seconds between two looks whether somebody runs the loop of another one's pool, and the number of looks in a row after
# which it is told that nobody does.
LOOK = 1.0
LOOKS = 3

Result = TypeVar("Result")
AnyEvent = TypeVar("AnyEvent", bound=Packet, covariant=True)


class Client(Front, BlockingActions):
    """One logged-in connection whose methods wait for the answer. Any thread may use it.

    ::

        with Client("tls://user:secret@pbx", reconnect=2) as pbx:
            answer = pbx.action("QueueStatus")
            print(len(answer.events))

    ``with`` logs in, or raises LoginRefused, ConnectFailed, ConnectTimeout and so on. At its end it closes the
    connection and waits until the last socket is closed. With the option ``reconnect``, a lost connection is opened
    again. An action during the outage waits for the next login, within its timeout. Without ``reconnect``, an action
    after a loss raises that loss.

    Ctrl-C ends a wait at once; the client can still be used and closed. The thread ends with the program. A client that
    is garbage-collected without being closed is ended with a ResourceWarning. A client with handlers is kept alive. In
    a forked child every method raises RuntimeError: the child needs its own client.

    Arguments:
        url: the server, as for :meth:`Pool.get_connection`. Here a URL without a port means 5038.
        pool: take the connection from this pool, whose loop runs in another thread. :meth:`close` returns the
            connection. Handlers are then bound on the pool and serve all its connections. Streams have only this
            connection's events.
        options: options of a :class:`~ami_client.Pool`, if there is no ``pool``. ``fold_case`` is False here, so values
            keep their case.
    """

    def __init__(self, url: Optional[str] = None, *, pool: Optional[Pool] = None, **options: Any) -> None:
        self._host = ReactorThread("ami_client") if pool is None else None
        Front.__init__(self, url, pool, options, self._make_pool)
        self._loop = self._pool.reactor
        self._lock = threading.RLock()  # held while the end begins, so that it begins once
        self._closed: Optional[threading.Lock] = None  # held until the end is complete
        self._is_over = False  # the end is complete
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
        """Log in. ``with`` calls this; call it once. Raises the AMIError that says why the login failed."""
        self._answer(self._link.when_connected, None, False)

    def wait_connected(self, timeout: Optional[float] = None) -> None:
        """Wait until the client is logged in. With ``reconnect``, failed attempts are retried.

        Raises ConnectTimeout after ``timeout`` seconds, or the AMIError of the last attempt if no other attempt
        follows.
        """
        self._answer(self._link.when_connected, timeout, True)

    def close(self, graceful: bool = True) -> None:
        """End the connection, with a Logoff if ``graceful``. Return when the last socket is closed.

        Calls that wait in other threads raise ConnectionFinished, and streams end. A shared pool keeps running and gets
        its connection back. It may be called again, also after a Ctrl-C that ended the wait.
        """
        self._check_process()
        if self._host is not None:
            self._host.refuse_callbacks()
        try:
            closed = self._begin_close(graceful)
        except BaseException:
            give_back(self._lock)
            raise
        for _ in self._looks(lambda: self._is_over, closed):
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
                        on_closed=partial(self._end_is_complete, closed),
                    )
                )
                self._closed = closed
            return self._closed

    def _end_is_complete(self, closed: threading.Lock) -> None:
        self._is_over = True
        closed.release()

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
        return self._answer(self._link.ask, method, kwargs)

    def _answer(self, begin: Callable[..., object], *args: object) -> Any:
        """Call ``begin(request, *args)`` while the loop is paused. Wait for the answer, and return or raise it.

        Raises ConnectionFinished if the client is closed.
        """
        if self._forks != _fork.forks:
            self._check_process()
        if self._closed is not None:
            raise ConnectionFinished("the client is closed")
        answer = _Answer()
        try:
            if self._host is None:
                self._answer_elsewhere(answer, begin, args)
            else:
                self._host.call(begin, answer, *args)
        except BaseException:  # Ctrl-C, or begin's
            answer.done = True
            self._call_soon(self._link.cancel, answer)
            raise
        if answer.error is not None:
            raise answer.error
        return answer.result

    def _answer_elsewhere(self, answer: _Answer, begin: Callable[..., object], args: tuple[object, ...]) -> None:
        """The same on the loop of another one's pool."""
        answer.ready = threading.Lock()
        answer.ready.acquire()
        self._loop.call_soon_threadsafe(answer.begin, begin, *args)
        limit, began = self._pool.options.action_timeout, monotonic()
        for _ in self._looks(lambda: answer.done, answer.ready):
            if not answer.begun and limit is not None and monotonic() - began >= limit:
                raise ActionTimeout(f"the pool's loop does not come to it: a callback has blocked it for {limit:g} s")

    def _looks(self, is_done: Callable[[], bool], released: threading.Lock) -> Iterator[None]:
        """Wait until something is done on the loop, which then releases a lock. Yield after each second of waiting.

        Raises RuntimeError if nobody runs the loop of another one's pool.
        """
        idle = 0
        while not is_done():
            if released.acquire(timeout=LOOK):
                released.release()  # for others who wait
                return
            idle = 0 if self._loop_runs() else idle + 1
            if idle == LOOKS:
                raise RuntimeError("nobody runs the pool's loop: run it in a thread, or make the client without pool=")
            yield

    def _loop_runs(self) -> bool:
        if self._host is not None:
            return True
        is_running = getattr(self._loop, "is_running", None)  # not every Loop can tell
        return is_running is None or bool(is_running())

    def _run(self, call: Callable[[], Result]) -> Result:
        """Call ``call()`` while the loop is paused. Return its result, or raise its exception."""
        result: Result = self._answer(lambda request: request.deliver(call(), None))
        return result

    def _call_soon(self, call: Callable[..., object], *args: object) -> None:
        """Schedule ``call(*args)`` on the loop if it still runs. Never waits. Any thread may call this at any time."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(call, *args)

    def _check_process(self) -> None:
        if self._forks != _fork.forks:
            _fork.refuse("client", "a Client")

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
        """Like :meth:`Pool.on`. The handler runs in the client's thread, so it must be quick and must not wait."""
        if cb is None:
            return partial(self.on, names, where=where)
        self._keep_thread()
        self._run(lambda: self._pool.bind(names, cb, where=where))
        return cb

    def once(self, names: Names, cb: Handler, *, where: Optional[Where] = None) -> Handler:
        """Like :meth:`on`, but only for the next event of each name, or the next for which ``where`` holds."""
        self._keep_thread()
        self._run(lambda: self._pool.once(names, cb, where=where))
        return cb

    def _keep_thread(self) -> None:
        """From now on, only the client's own thread runs the loop, and so the handlers."""
        if self._host is not None:
            self._host.shares = False

    def off(self, names: Names, cb: Optional[Callable[..., object]] = None) -> None:
        """Like :meth:`Pool.off`."""
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
        """Return a stream of the server's events.

        ::

            for event in pbx.events("hangup", "queue*", where={"queue": "help*"}, timeout=60):
                print(event)

        ``names`` are event names in any case, globs, ``userevent:<name>``, or classes of the catalogue. Without names,
        all events come. ``where`` is as for :meth:`Pool.bind`. Items are packets. Up to ``limit`` events wait for their
        reader. If more arrive, they are counted and dropped, and a :class:`Gap` takes their place. A Gap also marks an
        outage.

        The loop ends when ``timeout`` seconds pass without an event. The stream begins and ends with its ``with``.
        Without one, it begins with the first item. It also ends when the client is closed, and raises the connection's
        error if the connection is lost for good.
        """
        holds = None if where is None else condition(where)
        wait = None if timeout is None else seconds("timeout", timeout)
        return Events(self, event_names(names), holds, wait, limit)

    def _listen(self, inbox: _Inbox, names: list[str], holds: Optional[Condition]) -> None:
        self._run(lambda: self._link.listen(inbox, names, holds))

    def _unlisten(self, inbox: _Inbox) -> None:
        # Waits for nothing: the garbage collector may end an abandoned stream in any thread.
        self._call_soon(self._link.unlisten, inbox)


class _Answer(Request):
    """The answer that one caller waits for."""

    begun = False
    done = False
    ready: Optional[threading.Lock] = None  # to release when it is done
    result: Any = None
    error: Optional[BaseException] = None

    def begin(self, begin: Callable[..., object], *args: object) -> None:
        """Call ``begin(self, *args)``, unless the caller has gone. What it raises is the answer."""
        self.begun = True
        try:
            if not self.done:
                begin(self, *args)
        except Exception as error:
            self.deliver(None, error)

    def deliver(self, result: Any, error: Optional[BaseException]) -> None:
        if not self.done:
            self.result, self.error, self.done = result, error, True
            if self.ready is not None:
                self.ready.release()


class Events(Iterator[Union[AnyEvent, Gap]]):
    """A stream of events: see :meth:`Client.events`. Only one thread may read it."""

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
        """End the stream. Events that have arrived can still be read."""
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
    """The buffer of a stream. The loop's thread fills it, the reader's thread empties it."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._lock = threading.RLock()
        self._changed = threading.Lock()  # released when there is a new item
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
        try:
            return self._get(timeout)
        except BaseException:
            give_back(self._lock)
            raise

    def _get(self, timeout: Optional[float]) -> Any:
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
