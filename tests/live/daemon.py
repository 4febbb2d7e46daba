"""A daemon that is to stay connected whatever happens, and that keeps count of all it was told."""

from __future__ import annotations

import itertools
import os
import time
from typing import Any, Callable

from driver import LIMIT, Client, Once
from servers import AsteriskServer

from ami_client import ActionFailed, Connection, ConnectionFinished, Packet, Reactor

# Seconds. Reconnecting is quicker than a server boots, so that it is asked in vain a few times. The machine may be too
# busy to tell slow callbacks from others.
OPTIONS = {"reconnect": 0.02, "reconnect_max": 0.1, "slow_handler": 30.0}
# What may then be in the log: where a server ended directly behind a list, nobody can tell whether that was whole.
RECONNECTS = "^WARNING: .*(connecting again in|may have lost parts)"
RETRYING = 3
DAY = 86400.0
CALL = {"Channel": "Local/110@default", "Application": "Wait", "Data": "1"}


class Clock:
    """The time in seconds, which can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


class Strand:
    """A callback of the load: it hands on what it was given. There are many, so none is kept once it was called."""

    def __init__(self, what: str, still_open: set[Strand], hand_on: Callable[[Connection, Any], object]) -> None:
        self._what = what
        self._open = still_open
        self._hand_on = hand_on
        still_open.add(self)

    def __call__(self, conn: Connection, result: Any) -> None:
        assert self in self._open, f"{self} was called again"
        self._open.remove(self)
        self._hand_on(conn, result)

    def __repr__(self) -> str:
        return self._what


Start = Callable[[Strand], object]


class Daemon(Client):
    """A client that reconnects, resynchronises after each login, and can keep its connection busy.

    Its end insists, besides, that what the pool counted is what it was told, and that the pool leaves neither timers
    nor descriptors behind. `conn` is the connection of the last login.
    """

    def __init__(self, server: AsteriskServer, url: str = "", **options: Any) -> None:
        self._descriptors = _open_descriptors()
        self._clock = Clock()
        super().__init__(server, url, Reactor(clock=self._clock), **{**OPTIONS, **options})
        self.logins: list[Connection] = []
        self.resyncs: list[Once] = []
        self.attempts: list[int] = []
        self.tokens: set[str] = set()
        self.boots = 0
        self._loaded = False
        self._open: set[Strand] = set()
        self._numbers = itertools.count(1)
        self.pool.on_login(self._resync)
        self.pool.on("reconnecting", self._reconnecting)
        self.pool.on("event_userevent", self._userevent)
        self.pool.on("event_fullybooted", self._booted)

    @property
    def conn(self) -> Connection:
        return self.logins[-1]

    # What the pool tells

    def _resync(self, conn: Connection) -> None:
        self.logins.append(conn)
        self.events.clear()  # or there would be too many
        self.resyncs.append(self.once("the resync"))
        conn.core_show_channels(self.resyncs[-1])
        if self._loaded:
            self._load(conn)

    def _reconnecting(self, url: str, delay: float, attempt: int) -> None:
        assert url == self.url
        assert 0 <= delay <= min(OPTIONS["reconnect_max"], OPTIONS["reconnect"] * 2 ** (attempt - 1))
        # From 1 again after each login.
        assert attempt == 1 or attempt == self.attempts[-1] + 1
        self.attempts.append(attempt)

    def _userevent(self, conn: Connection, packet: Packet) -> None:
        self.tokens.add(packet.get("token", ""))

    def _booted(self, conn: Connection, packet: Packet) -> None:
        self.boots += 1

    # Load

    def load(self) -> None:
        """Keep this connection busy, and each that follows it, until `unload()`."""
        self._loaded = True
        self._load(self.conn)
        for _ in range(RETRYING):
            self._retry(self.conn)

    def unload(self) -> None:
        """Send no more; what is open stays open."""
        self._loaded = False

    def _load(self, conn: Connection) -> None:
        starters: list[Start] = [
            conn.ping,
            conn.core_show_channels,
            lambda cb: conn.action("ShowDialPlan", cb),
            lambda cb: conn.action("UserEvent", cb, {"UserEvent": "Load"}),
            lambda cb: conn.originate(CALL, self._strand("Originate"), on_result=cb),
        ]
        for start in starters:
            self._go_on(conn, start)

    def _go_on(self, conn: Connection, start: Start) -> None:
        if self._loaded and conn.connected:
            start(self._strand("the load", lambda conn_, result: self._go_on(conn, start)))

    def _retry(self, conn: Connection) -> None:
        if self._loaded:
            conn.ping(self._strand("an action sent again", self._retried), retry=True)

    def _retried(self, conn: Connection, packet: Packet) -> None:
        # A server that is going down refuses; no loss of a connection may be told of.
        assert packet.error is None or isinstance(packet.error, (ActionFailed, ConnectionFinished)), packet.error
        self._retry(conn)

    def _strand(self, what: str, hand_on: Callable[[Connection, Any], object] = lambda conn, result: None) -> Strand:
        return Strand(what, self._open, hand_on)

    # Faults

    def until_lost(self, limit: float = LIMIT) -> Connection:
        """Run until the connection of the last login has ended; returns it."""
        conn = self.conn
        self.until(lambda: conn in self.disconnects, limit, "the loss being noticed")
        assert conn.finished
        return conn

    def until_back(self, lost: Connection, limit: float = LIMIT) -> None:
        """Run until there is another connection; then all has to go on as before."""
        self.until(lambda: self.conn is not lost and self.conn.connected, limit, "another login")
        self.check()

    def check(self) -> None:
        """Assert that the connection works: the resynchronisation is done, and an event comes."""
        resync = self.resyncs[-1]
        self.until_called(resync)
        assert resync.result[-1].error is None
        assert resync.calls[0][0] is self.conn
        token = f"token-{next(self._numbers)}"
        packet = self.answer(lambda cb: self.conn.action("UserEvent", cb, {"UserEvent": "Here", "Token": token}))
        assert packet.error is None
        self.until(lambda: token in self.tokens, what="an event after the fault")

    def until_booted(self, times: int) -> None:
        """Run until servers have said so often that they have fully booted, to this daemon."""
        self.until(lambda: self.boots >= times, what=f"boot {times}")

    def is_idle(self) -> bool:
        """Whether nothing is scheduled, not even for a distant time."""
        while self.reactor.run_once(0):
            pass
        self._clock.ahead += DAY
        return not self.reactor.run_once(0)

    # The end

    def __enter__(self) -> Daemon:
        return self

    def settle(self) -> None:
        """End the load, wait for all that is open, and compare the counts."""
        self.unload()
        self.until(lambda: not self.pool.stats.pending, what="no action being open")
        stats = self.pool.stats
        assert (stats.pending, stats.waiting, stats.buffered) == (0, 0, 0)
        assert (stats.connections, stats.connected) == (1, 1)
        assert stats.logins == len(self.logins) == len(self.resyncs)
        assert stats.reconnects == len(self.attempts)
        assert (stats.handler_errors, stats.malformed, dict(stats.limits)) == (0, 0, {})
        by_server = self.pool.stats_by_server()
        assert [one.logins for one in by_server.values()] == [stats.logins]
        assert f":{self.server.secret}@" not in str(by_server)

    def __exit__(self, kind: object, *rest: object) -> None:
        self.unload()
        self.pool.finish()
        if kind is None:
            assert self.is_idle(), "something was still scheduled behind the end of the pool"
        super().__exit__(kind, *rest)
        if kind is None:
            assert not self._open, f"callbacks never called: {self._open}"
            assert _open_descriptors() == self._descriptors


def _open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
