"""The client for asyncio: actions to await, streams of events, handlers that may be coroutines.

::

    async with Client("tcp://user:secret@pbx") as pbx:
        for channel in await pbx.core_show_channels():
            print(channel.get("channel"))

It uses the running loop, asyncio's or uvloop's, and needs no thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Callable, Optional, TypeVar, Union, overload

from . import _fork
from ._fronts.answer import Answer
from ._fronts.awaited import AwaitedActions
from ._fronts.front import Front
from ._fronts.gaps import EventBuffer, Gap
from ._fronts.link import EventSource, fresh
from ._fronts.settings import EventName, event_names
from ._fronts.unclosed import Unclosed
from .errors import AMIError
from .filters import Condition, Where, condition
from .loop import Loop, require_loop
from .packet import Packet
from .pool import Pool
from .signatures import SomeEvent
from .tasks import Tasks

__all__ = ["Answer", "Client", "Events", "Gap"]

AnyEvent = TypeVar("AnyEvent", bound=Packet, covariant=True)


class _Tasks(Tasks):
    """Tasks on a loop that may not be running yet."""

    @property
    def can_run(self) -> bool:
        return True


class _Pool(Pool):
    """A pool that takes the running loop at its first use. So it may be created before the loop runs."""

    _found: Optional[Loop] = None

    def __init__(self, config: Mapping[str, object]) -> None:
        super().__init__(config)
        self._tasks = _Tasks(self._get_reactor, self._guard)

    @property
    def reactor(self) -> Loop:
        """The loop."""
        if self._found is None:
            self._found = require_loop(asyncio.get_running_loop())
        return self._found


class Client(Front, AwaitedActions):
    """One logged-in connection whose actions are awaited.

    ::

        async with Client("tls://user:secret@pbx", reconnect=2) as pbx:
            answer = await pbx.action("QueueStatus")
            print(len(answer.events))

    ``async with`` logs in, or raises LoginRefused, ConnectFailed, ConnectTimeout and so on. At its end it closes the
    connection and waits until the last socket is closed. With the option ``reconnect``, a lost connection is opened
    again. An action during the outage waits for the next login, within its timeout. Without ``reconnect``, an action
    after a loss raises that loss.

    Cancelling an await gives up the action at once. Its late answer is ignored.

    A client belongs to the loop on which it is first used. Use on another loop raises RuntimeError. So does use in a
    forked child, which needs its own client. A client that is garbage-collected without being closed is ended with a
    ResourceWarning. A client with handlers is kept alive.

    Arguments:
        url: the server, as for :meth:`Pool.get_connection`. Here a URL without a port means 5038.
        pool: take the connection from this pool, which must run on the same loop. :meth:`close` returns the connection.
            Handlers are then bound on the pool and serve all its connections. Streams have only this connection's
            events.
        options: options of a :class:`~ami_client.Pool`, if there is no ``pool``. ``fold_case`` is False here, so values
            keep their case.

    Attributes: ``on``, ``once`` and ``off`` bind handlers like :meth:`Pool.on`. Handlers may be coroutine functions.
    They also serve the connections after a reconnect.
    """

    def __init__(self, url: Optional[str] = None, *, pool: Optional[Pool] = None, **options: Any) -> None:
        Front.__init__(self, url, pool, options, _Pool)
        self._closing: Optional[asyncio.Future[None]] = None
        self._forks = _fork.forks
        self.on = self._pool.on
        self.once = self._pool.once
        self.off = self._pool.off
        self._unclosed = Unclosed(self._link, owns_pool=self._owns_pool)

    # -- the connection

    async def connect(self) -> None:
        """Log in. ``async with`` calls this; call it once. Raises the AMIError that says why the login failed."""
        await self._login(None, keep_trying=False)

    async def wait_connected(self, timeout: Optional[float] = None) -> None:
        """Wait until the client is logged in. With ``reconnect``, failed attempts are retried.

        Raises ConnectTimeout after ``timeout`` seconds, or the AMIError of the last attempt if no other attempt
        follows.
        """
        await self._login(timeout, keep_trying=True)

    def _login(self, timeout: Optional[float], *, keep_trying: bool) -> Answer[None]:
        self._check_loop()
        answer: Answer[None] = Answer(self._link)
        self._link.when_connected(answer, timeout, keep_trying)
        return answer

    async def close(self, graceful: bool = True) -> None:
        """End the connection, with a Logoff if ``graceful``. Return when the last socket is closed.

        Open actions raise ConnectionFinished, and streams end. A shared pool keeps running and gets its connection
        back.
        """
        self._check_loop()
        if self._closing is None:
            self._closing = self._close(graceful)
        await asyncio.shield(self._closing)

    def _close(self, graceful: bool) -> asyncio.Future[None]:
        closed = asyncio.get_running_loop().create_future()
        self._link.close(
            graceful=graceful,
            finish_pool=self._owns_pool,
            on_closed=lambda: None if closed.done() else closed.set_result(None),
        )
        return closed

    async def __aenter__(self) -> Client:
        try:
            await self.connect()
        except BaseException:
            self._closing = self._closing or self._close(False)
            raise
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        await self.close()

    def _check_loop(self) -> None:
        if self._forks != _fork.forks:
            _fork.refuse("client", "a Client")
        if asyncio.get_running_loop() is not self._pool.reactor:
            raise RuntimeError("this client belongs to another loop; make one client for each loop")

    # -- actions

    def _ask(self, method: str, **kwargs: Any) -> Answer[Any]:
        self._check_loop()
        answer: Answer[Any] = Answer(self._link)
        self._link.ask(answer, method, kwargs)
        return answer

    # -- events

    @overload
    def events(self, *, where: Optional[Where] = None, limit: int = 10_000) -> Events[Packet]: ...
    @overload
    def events(
        self,
        name: type[SomeEvent],
        /,
        *names: type[SomeEvent],
        where: Optional[Where] = None,
        limit: int = 10_000,
    ) -> Events[SomeEvent]: ...
    @overload
    def events(self, *names: EventName, where: Optional[Where] = None, limit: int = 10_000) -> Events[Packet]: ...
    def events(self, *names: EventName, where: Optional[Where] = None, limit: int = 10_000) -> Events[Any]:
        """Return a stream of the server's events.

        ::

            async with pbx.events("hangup", "queue*", where={"queue": "help*"}) as events:
                async for event in events:
                    print(event)

        ``names`` are event names in any case, globs, ``userevent:<name>``, or classes of the catalogue. Without names,
        all events come. ``where`` is as for :meth:`Pool.bind`. Items are packets. Up to ``limit`` events wait for their
        reader. If more arrive, they are counted and dropped, and a :class:`Gap` takes their place. A Gap also marks an
        outage.

        The stream begins and ends with the ``async with``. Without one, it begins with the first item. It also ends
        when the client is closed, and raises the connection's error if the connection is lost for good.
        """
        holds = None if where is None else condition(where)
        return Events(self._link, event_names(names), holds, limit, check=self._check_loop)


class Events(AsyncIterator[Union[AnyEvent, Gap]]):
    """A stream of events: see :meth:`Client.events`. Only one task may read it."""

    def __init__(
        self,
        source: EventSource,
        names: list[str],
        holds: Optional[Condition],
        limit: int,
        *,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._source = source
        self._check = check  # raises on another loop or in a forked child; keeps the client alive, too
        self._names = names
        self._holds = holds
        self._inbox = _Inbox(limit)
        self._entered = False

    async def __aenter__(self) -> Events[AnyEvent]:
        self._check()
        self._entered = True
        self._source.listen(self._inbox, self._names, self._holds)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """End the stream. Events that have arrived can still be read."""
        self._source.unlisten(self._inbox)
        self._inbox.end(None)

    def __aiter__(self) -> AsyncIterator[Union[AnyEvent, Gap]]:
        return self if self._entered else _Loop(self)

    async def __anext__(self) -> Union[AnyEvent, Gap]:
        if not self._entered:
            await self.__aenter__()
        item: Union[AnyEvent, Gap] = await self._inbox.get(self._check)
        return item


class _Loop(AsyncIterator[Union[AnyEvent, Gap]]):
    """The iterator that ``async for`` uses on a stream without ``async with``. The stream ends with it.

    It is not an asynchronous generator, because a cancelled read would exhaust that.
    """

    def __init__(self, stream: Events[AnyEvent]) -> None:
        self._stream = stream

    def __anext__(self) -> Coroutine[Any, Any, Union[AnyEvent, Gap]]:
        return self._stream.__anext__()

    def __del__(self) -> None:
        # The garbage collector may call this at any time.
        with suppress(RuntimeError):  # the loop is closed, or was never needed
            self._stream._source.reactor.call_soon_threadsafe(self._stream.close)


class _Inbox(EventBuffer):
    """The buffer of a stream."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._reader: Optional[asyncio.Future[None]] = None

    def put(self, item: Union[Packet, Gap]) -> None:
        super().put(item)
        self._wake()

    def put_gap(self, gap: Gap) -> None:
        super().put_gap(gap)
        self._wake()

    def end(self, error: Optional[AMIError]) -> None:
        super().end(error)
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def get(self, check: Callable[[], None]) -> Any:
        while not self:
            if self.error is not None:
                raise fresh(self.error)
            if self.ended:
                raise StopAsyncIteration
            if self._reader is not None:
                raise RuntimeError("another task is already reading this stream; call events() once for each task")
            check()
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self.pop()
