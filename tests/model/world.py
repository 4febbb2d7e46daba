"""A pool on a simulated loop, its users and its servers, and the model that watches all of them."""

from __future__ import annotations

import gc
from contextlib import ExitStack
from typing import Any, Optional, cast
from unittest import mock

from ami_client import Connection, Pool
from ami_client._client.driver import Driver
from ami_client.testing.fakes import NothingCanHappen

from .answers import Telling
from .links import Link, Server
from .users import KINDS, LIMIT, Users

__all__ = ["KINDS", "Fault", "World"]

HOSTS = ("192.0.2.1", "192.0.2.2")
GENEROUS = {
    "max_pending": 1000,
    "max_waiting": 1000,
    "max_callbacks": 1000,
    "max_answer": 2**20,
    "max_outgoing": 2**20,
}
SMALL = {"max_pending": 4, "max_waiting": 2, "max_callbacks": 2, "max_answer": 3 * 1024, "max_outgoing": 1024}


class Fault(AssertionError):
    """The library has broken the contract."""


class World(Users):
    """Users, servers and the pool between them."""

    def __init__(
        self,
        *,
        reconnect: Optional[float] = None,
        reconnect_refused: bool = False,
        maxconnperserv: int = 2,
        small: bool = False,
        timeout: Optional[float] = None,
        md5: bool = False,
        at_once: int = 10,
        way: str = "callback",
    ) -> None:
        super().__init__(timeout, md5)
        self.way = way
        self.reconnect, self.reconnect_max, self.reconnect_refused = reconnect, 8.0, reconnect_refused
        self.maxconnperserv = maxconnperserv
        self.limits = SMALL if small else GENEROUS
        self._patches = ExitStack()
        gc.disable()  # so that all that is made from now on is of the youngest generation, which is quick to search
        self._patches.callback(gc.enable)
        self._patches.enter_context(mock.patch("socket.socket", self._make_socket))
        self._patches.enter_context(mock.patch("socket.getaddrinfo", self._resolve))
        self._patches.enter_context(mock.patch("ami_client._client.server_pool.STARTING_AT_ONCE", at_once))
        driver = self._watched_driver()
        self._patches.enter_context(mock.patch("ami_client._client.server_pool.Driver", driver))
        self.pool: Pool = Pool(
            reactor=self.reactor,
            authtype="md5" if md5 else "plain",
            timeout=timeout,
            action_timeout=LIMIT,
            maxconnperserv=maxconnperserv,
            reconnect=reconnect,
            reconnect_max=self.reconnect_max,
            reconnect_refused=reconnect_refused,
            **self.limits,
        )
        self.servers = [Server(self, host) for host in HOSTS]
        self.pool.bind("login", self._on_login)
        self.pool.bind("connected", lambda conn: self.handled(conn, Telling("connected")))
        self.pool.bind("disconnect", self._on_disconnect)
        self.pool.bind("event", lambda conn, packet: self.handled(conn, Telling("event", "", (packet["n"],))))
        self.pool.bind("reconnecting", self._on_reconnecting)

    def close(self) -> None:
        """Give the patched names back."""
        self._patches.close()

    def _watched_driver(self) -> type[Driver]:
        world = self

        class Watched(Driver):
            def attach(self, conn: Any, base: Any) -> None:
                super().attach(conn, base)
                if self.url:  # else it never was
                    world._made(conn)

            def connect(self) -> None:
                world._sets_out(cast(Connection, self.conn))
                super().connect()

            def retry(self, lost: Driver) -> None:
                world._retries(cast(Connection, self.conn), cast(Connection, lost.conn))
                super().retry(lost)

        return Watched

    def _made(self, conn: Connection) -> None:
        server = next(server for server in self.servers if server.url == conn.url)
        link = self.links[conn] = Link(self, server, conn, f"conn {len(self.links) + 1}")
        self.trace(f"{link} is made")
        server.opening(link)

    def _sets_out(self, conn: Connection) -> None:
        link = self.setting_out = self.links[conn]
        if link.attempt is None:
            link.server.opened_for(link, None)
        link.set_out = self.clock.now

    def _retries(self, conn: Connection, lost: Connection) -> None:
        link, old = self.links[conn], self.links[lost]
        again: list[Telling] = []
        taken = {id for table in (link.answers.open, link.answers.results, link.answers.abandoned) for id in table}
        pending = conn.stats.pending
        for token in link.server.kept.pop(old, []):
            if token.id in taken or (token.kind == "result" and token.id not in link.answers.open):
                again.append(Telling(token, "ActionFailed"))
            elif pending >= self.limits["max_pending"]:
                again.append(Telling(token, "LimitReached"))
                self.reached["max_pending"] += 1
                self.reached["max_answer"] -= 1  # for which it is going to be taken
            else:
                pending += 1
                token.restart()
                link.answers.add(token)
                self.trace(f"{token} is sent again by {link}")
        link.due.extendleft(reversed(again))

    # -- what is so when nothing is left to be done

    def check(self) -> None:
        """Raise Fault if something is not as it should be."""
        if not self.faults:
            for server in self.servers:
                server.check()
            self._check_stats()
        if self.faults:
            raise Fault(self.faults[0])

    def _check_stats(self) -> None:
        stats = self.pool.stats
        live = [link for server in self.servers for link in server.live]
        for name, wanted in (
            ("connections", len(live)),
            ("connected", sum(link.logged_in for link in live)),
            ("logins", self.logins),
            ("events", self.events),
            ("reconnects", self.reconnects),
            ("waiting", sum(len(server.waiting) for server in self.servers)),
        ):
            if getattr(stats, name) != wanted:
                self.fault(f"the pool counts {getattr(stats, name)} {name}, not {wanted}")
        limits = +stats.limits
        if self.timeout is None and limits != +self.reached:
            self.fault(f"the pool counts {dict(limits)}, not {dict(+self.reached)}")
        watched = len(self.selector.get_map())
        if watched > len(self.sockets):
            self.fault(f"{watched} descriptors are watched, of {len(self.sockets)} open ones")

    def wind_up(self) -> None:
        """End the pool; nothing may be left, and nobody may have been forgotten."""
        for _ in range(len(self.tokens) + 2):  # each of them may interrupt
            try:
                self.finish_pool()
                break
            except KeyboardInterrupt:
                self.pump()
        self.pump()
        self.check()
        self.wait(6)  # for servers that do not read
        for token in self.tokens:
            if token.told is None:
                self.fault(f"{token} ({token.kind}) was never told")
        if [sock for sock in self.sockets if not sock.closed] or self.selector.get_map():
            self.fault("sockets are left open")
        try:
            self.reactor.run_once()
        except NothingCanHappen:
            pass
        else:
            self.fault("the loop has something left to do")
        stats = self.pool.stats
        if any((stats.pending, stats.buffered, stats.connections, stats.connected, stats.waiting)):
            self.fault(f"something is left: {stats}")
        self.plans.clear()
        gc.collect(0)
        if any(callback() is not None for callback in self.callbacks):
            kept = [callback() for callback in self.callbacks if callback() is not None]
            self.fault(f"callbacks are kept: {[one.token for one in kept if one is not None]}")
        if self.faults:
            raise Fault(self.faults[0])
