"""The asyncio client for a PBX behind a broker, with the interface of ``ami_client.aio.Client``."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Callable, Optional, Union
from urllib.parse import urlsplit

from .. import aio
from .._engine.encode import Params
from .._engine.in_flight import Assertion
from .._engine.quirks import Quirk
from .._fronts.answer import Answer
from .._fronts.awaited import AwaitedActions
from .._fronts.settings import EventName
from ..actions import Actions
from ..callbacks import CONN_PACKET, call_guarded, require_callable
from ..errors import ActionTimeout, AMIError, ConnectionFinished, ConnectionLost, ConnectTimeout, LimitReached
from ..filters import Where
from ..loop import Handle, Loop
from ..packet import Packet
from .address import broker_of
from .asking import Reply, Request, Result, decode_reply, params_of, result_of
from .broker import BEAT, Broker, Message
from .envelope import check_name
from .link import BrokerThread, Sender
from .source import Source

#: Default timeout of an action, and the maximum, in seconds.
_TIMEOUT, _LONGEST = 60.0, 3600.0
_MOST_OPEN = 10_000  # maximum number of open actions


class _Open:
    """A request that waits for its answer."""

    def __init__(self, cb: Callable[..., object], on_entry: Optional[Callable[..., object]]) -> None:
        self.cb = cb
        self.on_entry = on_entry
        self.request: Optional[Request] = None
        self.timer: Optional[Handle] = None
        self.replies: list[Reply] = []
        self.is_list = False


class Remote(Actions):
    """The documented actions, for a server whose gateway is behind a broker. Callbacks get ``(remote, packet)``.

    ``server`` is the server's name. ``reactor`` is the event loop.
    """

    def __init__(self, broker: Broker, server: str, reactor: Loop) -> None:
        self.server = check_name(server, "server")
        self._reactor = reactor
        self._me = uuid.uuid4().hex
        self._open: dict[str, _Open] = {}
        self._closed = False
        self._on_reading: Callable[[], object] = lambda: None  # called on the loop when connected may have changed
        self._sender = Sender(broker, f"requests to {server}", on_lost=self._lost)
        self._replies = _Replies(self, broker)

    def __repr__(self) -> str:
        return f"<Remote {self.server} {self._sender.broker!r}>"

    @property
    def connected(self) -> bool:
        """Whether answers can arrive."""
        return self._replies.is_reading and not self._closed

    def start(self) -> None:
        """Connect to the broker."""
        self._sender.start()
        self._replies.start()

    def close(self, timeout: float = 1.0) -> None:
        """Close the client. Open actions fail with ConnectionFinished. This may block."""
        self._closed = True
        self._sender.stop(timeout)
        self._replies.stop(timeout)
        for request_id in list(self._open):
            self._fail(request_id, ConnectionFinished("the client is closed"))

    def cancel(self, request_id: str) -> bool:
        """Give up an action. Its answer is ignored. Return whether it was open."""
        found = self._open.pop(request_id, None)
        if found is not None and found.timer is not None:
            found.timer.cancel()
        return found is not None

    # -- required by Actions

    def _send(
        self,
        action: str,
        cb: Optional[Callable[..., object]],
        params: Optional[Params],
        assertions: Optional[Sequence[Assertion]],
        timeout: Optional[float],
        retry: bool,
        quirk: Optional[Quirk] = None,
        on_entry: Optional[Callable[..., object]] = None,
    ) -> str:
        if self._closed:
            raise ConnectionFinished("the client is closed")
        if retry or quirk is not None:
            raise ValueError("retry and quirk do not work through a broker, which executes each request at most once")
        if len(self._open) >= _MOST_OPEN:
            raise LimitReached(f"{_MOST_OPEN} actions are open", limit="limit")
        limit = min(_TIMEOUT if timeout is None else timeout, _LONGEST)
        request_id = uuid.uuid4().hex
        found = _Open(cb or _ignore_answer, on_entry)
        found.is_list = assertions is not None
        found.request = Request(
            *(request_id, self._me, self.server, action, params_of(action, params), time.time(), limit),
            assertions=[dict(one) for one in assertions or ()],
        )
        self._open[request_id] = found
        late = ActionTimeout(f"no answer to {action} within {limit:g} s: does a gateway for {self.server} run?")
        found.timer = self._reactor.call_later(limit, self._fail, request_id, late)
        self._reactor.call_soon(self._publish, request_id)  # originate() may still change the request
        return request_id

    def _checked(self, cb: Any, what: str) -> Any:
        require_callable(cb, what, CONN_PACKET)
        return cb

    def _expect_result(self, action_id: str, on_result: Callable[..., object], timeout: float) -> None:
        found = self._open[action_id]
        assert found.request is not None
        found.request = found.request._replace(result=True)
        answered, found.cb = found.cb, on_result
        if answered is not _ignore_answer and getattr(answered, "__module__", "") != Actions.__module__:
            raise ValueError("through a broker, pass originate() either cb or on_result")

    # -- on the loop

    def _publish(self, request_id: str) -> None:
        found = self._open.get(request_id)
        if found is None:
            return
        assert found.request is not None
        try:
            self._sender.send([Message(f"requests.{self.server}", "", found.request.encode())])
        except LimitReached as error:
            self._fail(request_id, error)

    def _take(self, reply: Reply) -> None:
        found = self._open.get(reply.id)
        if found is None or reply.part != len(found.replies) + 1:
            return  # late, or a duplicate
        found.replies.append(reply)
        if reply.last:
            self.cancel(reply.id)
            self._answer(found, result_of(found.replies))

    def _answer(self, found: _Open, result: Result) -> None:
        if found.on_entry is not None:
            packets = result[1:-1] if isinstance(result, list) else result.events
            for packet in packets:
                call_guarded(found.on_entry, self, packet)
            if isinstance(result, list):
                del result[1:-1]
            else:
                result.events = []
        call_guarded(found.cb, self, result)

    def _fail(self, request_id: str, error: AMIError) -> None:
        found = self._open.get(request_id)
        if found is not None:
            self.cancel(request_id)
            failure = Packet.failure(error, request_id)
            call_guarded(found.cb, self, [failure] if found.is_list else failure)

    # -- in a thread

    def _lost(self, messages: Sequence[Message]) -> None:
        error = ConnectionLost("the broker was lost; the action may have been executed")
        for message in messages:
            request_id = next((one for one in list(self._open) if one.encode() in message.body), "")
            self._on_loop(self._fail, request_id, error)

    def _on_loop(self, cb: Callable[..., object], *args: object) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._reactor.call_soon_threadsafe(cb, *args)


def _ignore_answer(conn: object, packet: object) -> None:
    """Ignore the answer."""


class _Replies(BrokerThread):
    """Receives answers from the broker."""

    def __init__(self, remote: Remote, broker: Broker) -> None:
        super().__init__(broker, f"answers of {remote.server}")
        self._remote = remote
        self.is_reading = False

    def opened(self) -> None:
        self.broker.subscribe([f"replies.{self._remote._me}"], None, 1000)
        self._set_reading(True)

    def lost(self) -> None:
        self._set_reading(False)

    def _set_reading(self, is_reading: bool) -> None:
        self.is_reading = is_reading
        self._remote._on_loop(self._remote._on_reading)

    def turn(self) -> None:
        deliveries = self.broker.receive(BEAT)
        for delivery in deliveries:
            with suppress(ValueError):  # not an answer, so nobody waits for it
                self._remote._on_loop(self._remote._take, decode_reply(delivery.body))
        if deliveries:
            self.broker.ack(deliveries)


class Client(AwaitedActions):
    """A server behind a broker. Await actions through its gateway, and read events from its forwarder.

    ::

        async with Client("redis://bus/ami#pbx1") as pbx:
            answer = await pbx.action("QueueStatus")

    It has the methods of ``ami_client.aio.Client``, so a program can move from a PBX to a broker by changing the URL.
    It has no ``conn`` and ``pool``, and refuses ``retry``, because each request is executed at most once.

    Arguments:
        broker: a :class:`Broker`, or a URL: see :func:`broker_of`. Its fragment is the server's name.
        server: the server's name.
    """

    def __init__(self, broker: Union[str, Broker], server: Optional[str] = None) -> None:
        if isinstance(broker, str):
            server = server or urlsplit(broker).fragment
            broker = broker_of(broker)
        if not server:
            raise ValueError("name the server: server='pbx1', or at the end of the broker's URL, redis://bus/ami#pbx1")
        self._broker = broker
        self.server = check_name(server, "server")
        self._remote: Optional[Remote] = None
        self._ready: Optional[asyncio.Event] = None  # set while the broker is there
        self._source: Source = Source(broker, servers=[self.server], fold_case=False)
        self._source._later_on_asyncio = True
        self.on = self._source.on
        self.once = self._source.once
        self.off = self._source.off

    def __repr__(self) -> str:
        return f"<Client {self.server} {self._broker!r}>"

    @property
    def source(self) -> Source:
        """The source of the client's events."""
        return self._source

    @property
    def connected(self) -> bool:
        """Whether the broker is connected."""
        return self._remote is not None and self._remote.connected and self._source.is_reading

    async def connect(self) -> None:
        """Connect to the broker. ``async with`` calls this; call it once. Raises ConnectTimeout if that fails."""
        await self.wait_connected(10.0)

    async def wait_connected(self, timeout: Optional[float] = None) -> None:
        """Wait until the broker is connected. Raises ConnectTimeout after ``timeout`` seconds."""
        if self._ready is None:
            loop = asyncio.get_running_loop()
            self._ready = asyncio.Event()
            self._source._reactor = loop
            self._remote = Remote(self._broker, self.server, loop)
            self._remote._on_reading = self._source._on_reading = self._look
            self._remote.start()
            self._source.start()
        try:
            await asyncio.wait_for(self._ready.wait(), timeout)
        except asyncio.TimeoutError:
            raise ConnectTimeout(f"{self._broker!r} was not reached within {timeout:g} s") from None

    def _look(self) -> None:
        assert self._ready is not None
        if self.connected:
            self._ready.set()
        else:
            self._ready.clear()

    async def close(self, graceful: bool = True) -> None:
        """Close the client. Open actions raise ConnectionFinished, and streams end."""
        if self._remote is not None:
            remote = self._remote
            remote._closed = True
            await asyncio.get_running_loop().run_in_executor(None, self._source.close, 1.0)
            await asyncio.get_running_loop().run_in_executor(None, remote.close)

    async def __aenter__(self) -> Client:
        try:
            await self.connect()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        await self.close()

    def _ask(self, method: str, **kwargs: Any) -> Answer[Any]:
        if self._remote is None:
            raise RuntimeError("the client is not connected: use it in a with statement, or call connect() first")
        answer: Answer[Any] = Answer(_Asking(self._remote, self._source))
        if method == "originate":
            kwargs["cb"], kwargs["on_result"] = None, answer.answered
        else:
            kwargs["cb"] = answer.answered
        answer.action_id = getattr(self._remote, method)(**kwargs)
        return answer

    def events(self, *names: EventName, where: Optional[Where] = None, limit: int = 10_000) -> aio.Events[Any]:
        """Return a stream of the server's events: see ``ami_client.aio.Client.events``."""
        return self._source.events(*names, where=where, limit=limit)


class _Asking:
    """What an answer needs to cancel its request."""

    def __init__(self, remote: Remote, source: Source) -> None:
        self._remote = remote
        self.reactor = source.reactor

    def cancel(self, answer: Any) -> None:
        self._remote.cancel(answer.action_id)
