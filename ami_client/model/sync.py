"""Keeps the pictures of servers up to date: fetches lists after each login, and forwards events.

The lists of a server and its events come over one connection, in one order. Events between the login and the end of the
last list wait, and are applied after the lists. Applying an event twice, or one that a list already includes, changes
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable, Optional, Protocol

from ..callbacks import logger
from ..connection import Connection
from ..errors import ActionFailed
from ..loop import Handle
from ..packet import Packet
from ..pool import Pool
from .calls import RESUME_AFTER
from .headers import number
from .picture import READY, STALE, SYNCING, Picture

# Seconds. A call without events for this long is checked: its end may have been missed.
CHECK_AFTER = 300.0
# Seconds. A full reload is reported module by module.
RELOAD_PAUSE = 0.5
# Seconds. A server that booted this recently may not have had all modules when it was asked.
YOUNG = 30

OF_CALLS = ("BridgeList", "CoreShowChannels")
OF_QUEUES = ("QueueStatus",)
OF_ENDPOINTS = ("PJSIPShowEndpoints", "PJSIPShowContacts", "SIPpeers", "IAXpeerlist", "DeviceStateList")


Later = Callable[..., Handle]  # call_later() of a loop


class Handlers(Protocol):
    """A pool, or another source of events. Handlers get ``(source, packet)``."""

    def on(self, names: str, cb: Callable[..., object], /) -> object:
        """Call ``cb(source, packet)`` for each event of that name."""

    def unbind(self, names: str, cb: Callable[..., object], /) -> object:
        """Remove that handler."""


class Host(Protocol):
    """The part of the model that a sync needs."""

    def picture(self, server: str) -> Picture:
        """Return the picture of a server. It is created at first use."""

    def tell(self, name: str, *args: object) -> None:
        """Call the model's handlers."""

    def now(self) -> float:
        """Return Unix time."""


class PoolSync:
    """Binds a model to a pool.

    A pool may have several connections to one server, and each gets all events. One of them is followed, the others
    stand by.
    """

    def __init__(self, host: Host, pool: Pool, events: Iterable[str], actions: Iterable[str]) -> None:
        self._host = host
        self._pool = pool
        self._actions = tuple(actions)
        self._followed: dict[str, _Followed] = {}  # by server
        self._others: dict[str, list[Connection]] = {}
        self._by_conn: dict[Connection, _Followed] = {}
        self._bound: list[tuple[str, Callable[..., object]]] = [
            ("login", self._login),
            ("disconnect", self._disconnect),
            ("event_reload", self._reload),
            ("event_fullybooted", self._booted),
            # After a restart the lists say what is left, and they say it better.
            *((f"event_{name}", self._event) for name in events if name != "fullybooted"),
        ]
        for name, cb in self._bound:
            pool.on(name, cb)

    def close(self) -> None:
        """Stop following all connections."""
        for name, cb in self._bound:
            self._pool.unbind(name, cb)
        for followed in self._followed.values():
            followed.end()
        self._followed.clear()
        self._by_conn.clear()

    def follow(self, conn: Connection) -> None:
        """Follow the events of a connection, unless another one to the same server is followed."""
        server = str(conn)
        if server in self._followed:
            if conn not in self._by_conn:
                self._others.setdefault(server, []).append(conn)
            return
        picture = self._host.picture(server)
        followed = _Followed(self._host, conn, picture, self._actions, self._pool.reactor.call_later)
        self._followed[server] = self._by_conn[conn] = followed
        followed.sync(SYNCING)

    def _login(self, conn: Connection, packet: Packet) -> None:
        self.follow(conn)

    def _disconnect(self, conn: Connection) -> None:
        server = str(conn)
        others = [one for one in self._others.pop(server, ()) if one is not conn]
        followed = self._by_conn.pop(conn, None)
        if followed is not None:
            followed.lose()
            del self._followed[server]
            others = [one for one in others if one.connected]
            if others:
                self.follow(others.pop(0))
        if others:
            self._others[server] = others

    def _event(self, conn: Connection, packet: Packet) -> None:
        followed = self._by_conn.get(conn)
        if followed is None:
            if str(conn) in self._followed or not conn.connected:
                return
            self.follow(conn)  # it was logged in before the model was created
            followed = self._by_conn[conn]
        followed.feed(packet)

    def _reload(self, conn: Connection, packet: Packet) -> None:
        if conn in self._by_conn:
            self._by_conn[conn].sync_soon()

    def _booted(self, conn: Connection, packet: Packet) -> None:
        # It comes right after a login, and later if the server was still booting then.
        followed = self._by_conn.get(conn)
        if followed is not None and (not followed.is_syncing or number(packet.get("uptime", ""), YOUNG) < YOUNG):
            followed.sync_soon()


class _Followed:
    """One connection that is followed, and the picture of its server."""

    def __init__(self, host: Host, conn: Connection, picture: Picture, actions: tuple[str, ...], later: Later) -> None:
        self.is_over = False
        self._later = later
        self._host = host
        self._conn = conn
        self._picture = picture
        self._actions = actions
        self._lists: dict[str, Optional[list[Packet]]] = {}
        self._missing: list[str] = []
        self._waiting: Optional[list[tuple[Packet, float]]] = None  # events that wait for the lists
        self._timers: dict[Callable[[], None], Handle] = {}  # by what they call

    @property
    def is_syncing(self) -> bool:
        """Whether lists are being fetched."""
        return self._waiting is not None

    # -- lists

    def sync_soon(self) -> None:
        """Fetch all lists again, in a moment."""
        self._call_in(RELOAD_PAUSE, self._sync_now)

    def _sync_now(self) -> None:
        if self.is_syncing:
            self.sync_soon()
        else:
            self.sync(self._picture.server.state)

    def sync(self, state: str) -> None:
        """Fetch all lists. Until they have arrived, the state is as given."""
        self._waiting = []
        self._picture.set_state(state, self._host.now())
        self._ask_all()

    def _ask_all(self) -> None:
        self._lists, self._missing = {}, []
        for action in self._actions:
            self._ask(action)
        # Answers come in the order of the actions, so this one is the last.
        self._conn.ping(self._synced)

    def _ask(self, action: str) -> None:
        def answered(conn: Connection, packet: Packet) -> None:
            if packet.error is None:
                self._lists[action] = packet.events
            elif _is_empty(packet):
                self._lists[action] = []
            elif not _is_unknown(packet):
                self._missing.append(action)

        self._conn.action(action, answered)

    def _synced(self, conn: Connection, packet: Packet) -> None:
        if self.is_over or not conn.connected:
            return
        if packet.error is not None:  # the server is too busy to answer in time
            self._ask_all()
            return
        lists, waiting = self._lists, self._waiting or []
        self._lists, self._waiting = {}, None
        endpoints = [one for action in OF_ENDPOINTS for one in lists.get(action) or ()]
        picture, now = self._picture, self._host.now()
        was_ready = picture.server.state == READY
        picture.replace(
            now,
            lists.get("BridgeList"),
            lists.get("CoreShowChannels"),
            lists.get("QueueStatus"),
            endpoints or None,
        )
        picture.set_state(READY, now, tuple(self._missing))
        if self._missing:
            logger.warning("the model of %s is incomplete; missing lists: %s", conn, ", ".join(self._missing))
        if not was_ready:
            self._host.tell("ready", picture.server.name)
        for event, when in waiting:
            picture.feed(event, when)
        self._watch()

    # -- events

    def feed(self, packet: Packet) -> None:
        """Apply an event, or keep it until the lists have arrived."""
        if self._waiting is not None:
            self._waiting.append((packet, self._host.now()))
            return
        self._picture.feed(packet, self._host.now())
        self._watch()

    def _watch(self) -> None:
        """While there are calls, check regularly whether the end of one was missed."""
        calls = self._picture.calls
        if calls.calls:
            self._call_in(CHECK_AFTER, self._check)
        if calls.resumed:
            self._call_in(RESUME_AFTER, self._flush)

    def _check(self) -> None:
        if not self.is_syncing and self._picture.calls.has_silent(self._host.now() - CHECK_AFTER):
            self.sync(self._picture.server.state)
        self._watch()

    def _flush(self) -> None:
        self._picture.tick(self._host.now())
        self._watch()

    # -- time

    def _call_in(self, delay: float, work: Callable[[], None]) -> None:
        """Call it after so many seconds, unless that is coming already."""
        if work not in self._timers and not self.is_over:
            self._timers[work] = self._later(delay, self._call, work)

    def _call(self, work: Callable[[], None]) -> None:
        del self._timers[work]
        work()

    def lose(self) -> None:
        """Note that the connection is lost."""
        self.end()
        self._waiting = None
        self._picture.set_state(STALE, self._host.now())
        self._host.tell("stale", self._picture.server.name)

    def end(self) -> None:
        """Follow it no more."""
        self.is_over = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()


def _is_empty(packet: Packet) -> bool:
    """Return whether the server says that a list has no entries: "No endpoints found"."""
    return isinstance(packet.error, ActionFailed) and packet.get("message", "").lower().startswith("no ")


def _is_unknown(packet: Packet) -> bool:
    """Return whether the server does not know the action, because its module is not loaded."""
    return isinstance(packet.error, ActionFailed) and "unknown command" in packet.get("message", "").lower()


class EventSync:
    """Binds a model to a source that has events but no lists. The model knows only what events say."""

    def __init__(self, host: Host, source: Handlers, events: Iterable[str]) -> None:
        self._host = host
        self._source = source
        self._names = [f"event_{name}" for name in events]
        self._known: set[str] = set()
        for name in self._names:
            source.on(name, self._event)

    def close(self) -> None:
        """Stop listening."""
        for name in self._names:
            self._source.unbind(name, self._event)

    def _event(self, source: object, packet: Packet) -> None:
        server = getattr(packet, "server", None) or str(source)
        if server not in self._known:
            self._known.add(server)
            self._host.picture(server)
            self._host.tell("ready", server)
        self._host.picture(server).feed(packet, self._host.now())
