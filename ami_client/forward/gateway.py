"""The gateway: executes actions that arrive as messages on the pool's servers."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Union

from ..callbacks import logger
from ..connection import Connection
from ..options import read_url
from ..packet import Packet
from ..pool import Pool
from .allow import Allow, AllowList
from .asking import Refused, Request, Result, decode_request, encode_failure, encode_replies
from .broker import BEAT, Broker, Delivery, Message
from .envelope import check_name, default_name
from .link import BrokerThread, Sender

#: Maximum number of remembered request ids. Far fewer arrive within the longest timeout.
_REMEMBERED = 100_000


@dataclass
class GatewayStats:
    """Counters of a gateway.

    Attributes:
        requests: requests that arrived.
        carried_out: actions that were sent to a server.
        refused: requests that were not allowed, repeated or invalid.
        late: requests that arrived after their timeout.
        open: actions that are open now.
        replies: messages of answers that the broker has confirmed.
    """

    requests: int = 0
    carried_out: int = 0
    refused: int = 0
    late: int = 0
    open: int = 0
    replies: int = 0


class Gateway:
    """Executes actions that arrive as messages, and sends the answers.

    ::

        gateway = Gateway(pool, RedisStream("redis://bus"), server="pbx1", allow=["QueueStatus", "QueuePause"])
        gateway.start()

    Each request is executed at most once. If it may have been executed before, because its reader died or its id was
    used, the answer is :class:`Refused`. If there are several gateways for one server, one is active.

    Arguments:
        broker: where requests come from.
        allow: names of actions, or globs, or a mapping of them to headers. ``{"Originate": {"channel": "PJSIP/*",
            "application": None}}`` allows only calls that begin at such channels and have no application. Each value of
            a header must match. A header with None must be absent. Other headers are not checked. Case is ignored.
        server: the server's name, or a mapping of URL to name. The default is the pool's server, named by host and
            port.
        limit: how many actions may be open at a time. The broker keeps further ones.
        timeout: the maximum timeout of a request, in seconds.

    Raises ValueError or TypeError for invalid arguments.
    """

    def __init__(
        self,
        pool: Pool,
        broker: Broker,
        *,
        allow: Allow,
        server: Union[str, Mapping[str, str], None] = None,
        limit: int = 100,
        timeout: float = 60.0,
    ) -> None:
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise ValueError("limit must be a whole number of at least 1")
        if not isinstance(timeout, (int, float)) or not 0 < timeout < float("inf"):
            raise ValueError("timeout must be a number of seconds")
        self._pool = pool
        self._allowed = AllowList(allow)
        if pool.options.events == "off" and self._allowed.names("Originate"):
            logger.warning("the gateway allows Originate, but its pool has events='off': no call's result arrives")
        self._limit = limit
        self._timeout = timeout
        self._urls = {check_name(name, "server"): url for url, name in _servers(pool, server).items()}
        self._counts = GatewayStats()
        self._seen: OrderedDict[str, float] = OrderedDict()  # request id -> when the request is too late
        self._sender = Sender(broker, f"answers of {'-'.join(self._urls)}")
        self._reader = _Requests(self, broker, list(self._urls), limit)

    @property
    def stats(self) -> GatewayStats:
        """A copy of the current counters. May be read from any thread."""
        return replace(self._counts, replies=self._sender.sent)

    @property
    def name(self) -> str:
        """The names of its servers, for logs and metrics."""
        return "-".join(self._urls)

    @property
    def is_reading(self) -> bool:
        """Whether this gateway receives requests."""
        return self._reader.is_reading

    @property
    def has_room(self) -> bool:
        """Whether another action may be opened."""
        return self._counts.open < self._limit

    def start(self) -> None:
        """Start to accept requests."""
        self._sender.start()
        self._reader.start()

    def close(self, timeout: float = 5.0) -> None:
        """Stop: accept no more requests, and send the answers that are ready. This may block."""
        self._reader.stop(timeout)
        self._sender.stop(timeout)

    # -- on the loop

    def _take(self, request: Request, *, again: bool) -> None:
        counts = self._counts
        counts.requests += 1
        now = time.time()
        end = request.time + min(request.timeout, self._timeout)
        if now >= end:
            counts.late += 1
            return
        reason = self._allowed.refusal(request.action, request.params)
        if again or request.id in self._seen:
            reason = "it may have been executed before"
        elif request.server not in self._urls:
            reason = f"server {request.server!r} is not served here"
        if reason is not None:
            counts.refused += 1
            logger.warning("gateway: refused %s of %s: %s", request.action, request.reply_to, reason)
            self._fail(request, Refused(reason))
            return
        self._remember(request.id, now, end)
        counts.open += 1
        self._carry_out(request, _Once(self, request), end - now)

    def _remember(self, request_id: str, now: float, end: float) -> None:
        self._seen[request_id] = end
        while len(self._seen) > _REMEMBERED or next(iter(self._seen.values())) < now:
            self._seen.popitem(last=False)

    def _carry_out(self, request: Request, answered: _Once, left: float) -> None:
        def send(conn: Connection, packet: Packet) -> None:
            if not conn.connected:
                answered(conn, packet)
                return
            params: Any = request.params
            try:
                if request.result:
                    conn.originate(params, None, on_result=answered, timeout=left)
                else:
                    conn._send(request.action, answered, params, request.assertions or None, left, False)
                self._counts.carried_out += 1
            except Exception as error:  # cannot be sent: the sender's mistake, or a limit
                answered.fail(error)

        try:
            self._pool.get_connection(self._urls[request.server], send, connect_timeout=left, login_timeout=left)
        except Exception as error:
            answered.fail(error)

    def _answer(self, request: Request, result: Result) -> None:
        channel = f"replies.{request.reply_to}"
        self._sender.send([Message(channel, "", body) for body in encode_replies(request.id, result)])

    def _fail(self, request: Request, error: BaseException) -> None:
        self._sender.send([Message(f"replies.{request.reply_to}", "", encode_failure(request.id, error))])


class _Once:
    """The callback of a request."""

    def __init__(self, gateway: Gateway, request: Request) -> None:
        self._gateway = gateway
        self._request = request

    def __call__(self, conn: object, result: Result) -> None:
        self._gateway._counts.open -= 1
        self._gateway._answer(self._request, result)

    def fail(self, error: BaseException) -> None:
        self._gateway._counts.open -= 1
        self._gateway._fail(self._request, error)


def _servers(pool: Pool, server: Union[str, Mapping[str, str], None]) -> dict[str, str]:
    """Return the mapping of URL to name."""
    if isinstance(server, Mapping):
        return dict(server)
    urls = [pool.options.server] if pool.options.server else list(pool.options.servers)
    if not urls or (server and len(urls) != 1):
        raise ValueError("no server: pass server={url: name}, or set the pool's option server")
    named = {}
    for url in urls:
        address, options = read_url(url, pool.options)
        named[url] = server or default_name(address.host, address.port or options.port)
    return named


class _Requests(BrokerThread):
    """Receives requests from the broker, as many as the gateway has room for."""

    def __init__(self, gateway: Gateway, broker: Broker, servers: list[str], limit: int) -> None:
        super().__init__(broker, f"gateway {'-'.join(servers)}")
        self._gateway = gateway
        self._servers = servers
        self._group = f"gateway-{'-'.join(servers)}"[:64]
        self._limit = limit
        self._held: set[str] = set()
        self._next_share = 0.0

    @property
    def is_reading(self) -> bool:
        return bool(self._held)

    def opened(self) -> None:
        self._next_share = 0.0

    def lost(self) -> None:
        self._held = set()

    def turn(self) -> None:
        if time.monotonic() >= self._next_share:
            self._next_share = time.monotonic() + BEAT
            mine = self.broker.share(self._group, self._servers)
            if mine != self._held:
                self.broker.subscribe([f"requests.{one}" for one in sorted(mine)], self._group, self._limit)
                self._held = mine
                logger.info("%s: serving %s", self._what, ", ".join(sorted(mine)) or "no server (standby)")
        if not self._held or not self._gateway.has_room:
            self.pause(0.02 if self._held else BEAT)
            return
        deliveries = self.broker.receive(BEAT)
        if deliveries:
            # Acknowledge first: after a crash from here on, it is not executed again.
            self.broker.ack(deliveries)
            for delivery in deliveries:
                self._hand_over(delivery)

    def _hand_over(self, delivery: Delivery) -> None:
        try:
            request = decode_request(delivery.body)
        except ValueError as error:
            self._gateway._counts.refused += 1
            logger.warning("%s: dropped an invalid request: %s", self._what, error)
            return
        take: Callable[[], object] = lambda: self._gateway._take(request, again=delivery.again)  # noqa: E731
        with suppress(RuntimeError):  # the loop is closed
            self._gateway._pool.reactor.call_soon_threadsafe(take)
