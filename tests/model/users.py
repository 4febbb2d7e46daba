"""The user of a pool: what it asks for, and what its callbacks do."""

from __future__ import annotations

import weakref
from collections import Counter
from functools import partial
from typing import Any, Callable, Optional

from ami_client import Connection, Packet, Pool
from ami_client.errors import ConnectionFinished, LimitReached

from .answers import Telling, Token, failure
from .links import EPSILON, Link, Server
from .network import Network
from .ways import WAYS

LIMIT = 20.0  # seconds, of each action that names none
CALL_LIMIT = 5 + LIMIT  # seconds, of a call's result
SLOW = 1.5  # seconds that a slow callback takes
# How actions of each kind are sent.
ACTIONS = {"single": "Do", "composite": "Do", "peers": "IAXpeers", "gather": "WaitEvent", "raw": "IAXnetstats"}
KINDS = (*ACTIONS, "call", "silent")


class Callback:
    """What the library holds on to, and must let go of."""

    def __init__(self, user: Users, token: Token) -> None:
        self.user, self.token = user, token

    def __call__(self, conn: Connection, result: Any) -> None:
        self.user.called(self.token, conn, result)


class Early:
    """A ``before_connect``."""

    def __init__(self, user: Users, token: Token, behaviour: str) -> None:
        self.user, self.token, self.behaviour = user, token, behaviour

    def __call__(self, conn: Connection) -> None:
        link = self.user.links[conn]
        link.server.opened_for(link, self.token)
        self.user.behave(self.behaviour, conn)


class Users(Network):
    """The library's users, and what they may be told."""

    way = "callback"  # in which actions are sent
    pool: Pool
    servers: list[Server]
    limits: dict[str, int]

    def __init__(self, timeout: Optional[float], md5: bool) -> None:
        super().__init__(timeout, md5)
        self.tokens: list[Token] = []
        self.callbacks: list[weakref.ref[Any]] = []
        self.plans: dict[str, str] = {}  # what handlers are to do the next time
        self.finished = False  # the pool
        self.interrupted = False  # ever
        # what pool.stats must say
        self.turned_away = 0  # whose callbacks wait on
        self.logins = self.events = self.reconnects = self.slow = 0
        self.reached: Counter[str] = Counter()

    # -- in place of the user

    def called(self, token: Token, conn: Connection, result: Any) -> None:
        """A callback is called."""
        telling = self._telling(token, result)
        self.trace(f"{telling} by {self.links.get(conn, 'none')}: {token.behaviour}")
        if token.told is not None:
            self.fault(f"{token} was told twice: {token.told}, {telling}")
        token.told = telling
        if token.kind == "waiter":
            self._waiter_told(token, conn, telling)
        else:
            self._action_told(token, self.links[conn], telling)
        began = self.clock.now
        try:
            self.behave(token.behaviour, conn)
        finally:
            self.slow += self.clock.now - began >= 1

    def _telling(self, token: Token, result: Any) -> Telling:
        if token.kind == "waiter":
            packets, suspect = [], False
        elif token.kind == "result":
            packets, suspect = [result], False
        elif token.composite:
            packets, suspect = result, result[0].suspect
        else:
            packets, suspect = [result, *result.events, *([result.complete] if result.complete else [])], result.suspect
        last: Packet = result[-1] if token.composite else result
        parts = [packet["n"] for packet in packets if "n" in packet]
        if token.kind == "raw":
            parts += [line.split()[1].decode() for line in last.raw.split(b"\r\n") if line.startswith(b"text ")]
        return Telling(token, "" if last.error is None else type(last.error).__name__, tuple(parts), suspect)

    def _waiter_told(self, token: Token, conn: Connection, telling: Telling) -> None:
        if conn not in self.links:
            server = next((one for one in self.servers if token in one.waiting), None)
            if server is None or server.waiting[0] is not token or not self.finished:
                self.fault(f"{token} was told of a connection that never was")
            if server is not None:
                server.waiting.remove(token)
            if telling.error != "ConnectionFinished":
                self.fault(f"wrong: {telling}")
            return
        link = self.links[conn]
        link.next_tellings()  # some may have been waiting for an attempt that has failed
        if token not in link.server.waiting:
            self._told(link, telling)
        elif link.server.waiting[0] is not token:
            self.fault(f"{token} was served before {link.server.waiting[0]}")
        elif not conn.connected or link.acquired or telling.error:
            self.fault(f"{token} was given {link}, which is not free")
        if token in link.server.waiting:
            link.server.waiting.remove(token)

    def _action_told(self, token: Token, link: Link, telling: Telling) -> None:
        link.notice_end()
        server = link.server
        kept = server.kept.get(link, [])
        late = telling.error == "ActionTimeout"
        if token in kept:
            if late and token.deadline > self.clock.now + EPSILON:
                self.fault(f"{token} was told too early that it is late")
            elif not late and token not in server.given_up:
                if server.coming and not self.finished:
                    self.fault(f"{token} was given up although a connection is still to come")
                server.given_up = {one for tokens in server.kept.values() for one in tokens}
            if not late and kept[0] is not token:
                self.fault(f"{token} was given up before {kept[0]}")
            kept.remove(token)
            if not kept:
                del server.kept[link]
        elif late and token in link.answers.waiting():
            if token.deadline > self.clock.now + EPSILON:
                self.fault(f"{token} was told too early that it is late")
            if telling != failure(token, "ActionTimeout"):
                self.fault(f"not as it should be, {failure(token, 'ActionTimeout')}: {telling}")
            link.answers.give_up(token, sent=link.logged_in)
            link.unsent.discard(token.id)
        else:
            if telling.error == "LimitReached":
                self.reached["max_answer"] += 1
            self._told(link, telling)

    def handled(self, conn: Connection, telling: Telling) -> None:
        """A handler of a connection's event is called."""
        link = self.links[conn]
        self.events += telling.who == "event"
        self.trace(f"handler: {telling} by {link}: {self.plans.get(str(telling.who), 'calm')}")
        self._told(link, telling)
        self.behave(self.plans.pop(str(telling.who), "calm"), conn)

    def _on_login(self, conn: Connection, packet: Packet) -> None:
        self.handled(conn, Telling("login", "", (packet["n"],)))

    def _on_disconnect(self, conn: Connection) -> None:
        self.handled(conn, Telling("disconnect"))

    def _on_reconnecting(self, url: str, delay: float, attempt: int) -> None:
        server = next(server for server in self.servers if server.url == url)
        self.trace(f"handler: reconnecting to {server.host} in {delay:.2f}, attempt {attempt}")
        server.reconnecting(delay, attempt)
        self.behave(self.plans.pop("reconnecting", "calm"), None)

    def _told(self, link: Link, telling: Telling) -> None:
        expected = link.next_tellings()
        if telling not in expected:
            self.fault(f"{link}: expected {' or '.join(map(str, expected)) or 'nothing'}; got {telling}")
            return
        link.was_told(telling)

    def behave(self, behaviour: str, conn: Optional[Connection]) -> None:
        """What a callback or handler does besides."""
        link = None if conn is None else self.links.get(conn)
        if behaviour == "raise":
            raise RuntimeError("the user's bug")
        if behaviour == "interrupt":
            self.interrupted = True
            raise KeyboardInterrupt
        if behaviour == "slow":
            self.clock.advance(SLOW)
        elif behaviour == "get another":
            self.get_connection(0 if link is None else self.servers.index(link.server))
        elif behaviour == "finish the pool":
            self.finish_pool()
        elif link is not None and behaviour == "send more":
            self.send(link, "single")
        elif link is not None and behaviour != "calm":
            self.user_does(link, behaviour)

    def token(self, name: str, kind: str, behaviour: str) -> Token:
        """A callback to be given away."""
        self.tokens.append(Token(f"{name} {len(self.tokens) + 1}", kind, behaviour))
        return self.tokens[-1]

    def _callback(self, token: Token) -> Callback:
        callback = Callback(self, token)
        self.callbacks.append(weakref.ref(callback))
        return callback

    def get_connection(
        self, host: int, behaviour: str = "calm", pri: int = 0, early: str = "calm", connect_timeout: float = 10
    ) -> None:
        """Ask the pool for a connection."""
        server = self.servers[host]
        server.notice_ends()
        token = self.token("waiter", "waiter", behaviour)
        token.pri = pri
        wanted = ""
        if self.finished:
            wanted = "ConnectionFinished"
        elif len(server.waiting) >= self.limits["max_callbacks"]:
            wanted = "LimitReached"
            self.reached["max_callbacks"] += 1
        server.add(token)

        def call() -> None:
            early_callback = Early(self, token, early)
            self.pool.get_connection(
                server.url, self._callback(token), pri, early_callback, connect_timeout=connect_timeout
            )

        if not self._accepted(call, wanted):
            server.waiting.remove(token)
            self.tokens.remove(token)

    def _accepted(self, call: Callable[[], object], wanted: str) -> bool:
        """Call; False if it raised what it must."""
        got = ""
        try:
            call()
        except (ConnectionFinished, LimitReached, ValueError) as error:
            got = type(error).__name__
        if got != wanted:
            self.fault(f"the call raised {got or 'nothing'}, not {wanted or 'nothing'}")
        return not got

    def send(
        self,
        link: Link,
        kind: str,
        behaviour: str = "calm",
        *,
        retry: bool = False,
        limit: Optional[float] = None,
        own_id: str = "",
        result_behaviour: str = "calm",
    ) -> None:
        """Send an action."""
        link.notice_end()
        token = self.token("action", kind, behaviour)
        token.retry = retry
        token.deadline = self.clock.now + (limit or LIMIT)
        cb = None if kind == "silent" else self._callback(token)
        result = self.token("result", "result", result_behaviour) if kind == "call" else None
        sent: list[str] = []

        def call() -> None:
            own = {"ActionID": own_id} if own_id else {}
            if result is not None:
                params = {"Channel": "SIP/1", "Timeout": 5000, **own}
                on_result = self._callback(result)
                sent.append(link.conn.originate(params, cb, on_result=on_result, timeout=limit, retry=retry))
            else:
                assertion = {"event": "done"} if token.composite else None
                action = ACTIONS.get(kind, "Do")
                ask = link.conn.action if cb is None else partial(WAYS[self.way], link.conn)
                sent.append(ask(action, cb, own, assertion, timeout=limit, retry=retry))

        if not self._accepted(call, self._refusal(link, cb is not None, own_id.lower())):
            self.tokens[:] = [one for one in self.tokens if one is not token and one is not result]
            return
        token.id = sent[0].lower()
        if not link.conn.connected:
            link.unsent.add(token.id)
        if cb is None:
            self.tokens.remove(token)
        else:
            link.answers.add(token)
        if result is not None:
            result.id, result.deadline = token.id, self.clock.now + CALL_LIMIT
            link.answers.add(result)
        self.trace(f"{token} ({kind}{', retry' * retry}) is sent to {link}")

    def _refusal(self, link: Link, has_callback: bool, own_id: str) -> str:
        """What sending an action must raise now."""
        stats = link.conn.stats
        if link.conn.finished:
            return "ConnectionFinished"
        full = ""
        if stats.buffered >= self.limits["max_outgoing"]:
            full = "max_outgoing"
        elif has_callback and stats.pending >= self.limits["max_pending"]:
            full = "max_pending"
        elif own_id and (link.answers.knows(own_id) or own_id in link.unsent):
            return "ValueError"
        elif not link.conn.connected and len(link.unsent) >= self.limits["max_waiting"]:
            full = "max_waiting"
        self.reached[full] += bool(full)
        return "LimitReached" if full else ""

    def user_does(self, link: Link, what: str) -> None:
        """Call a method of a connection's."""
        conn, server = link.conn, link.server
        link.notice_end()
        self.trace(f"user: {what} {link}")
        if what in ("finish", "close", "shut down gracefully"):
            server.debts = [debt for debt in server.debts if debt.lost is not link]
            link.finishing |= not conn.finished
            link.asked_to_log_off |= conn.connected
            {"finish": conn.finish, "close": conn.close}.get(what, conn.graceful_shutdown)()
        elif what == "acquire":
            link.acquired = True
            conn.acquire()
        elif what == "release":
            link.acquired = False
            conn.release()
        elif what == "log off":
            if self._accepted(conn.logoff, self._refusal(link, False, "")):
                link.asked_to_log_off = True
                if not conn.connected:
                    link.unsent.add(f"logoff {len(link.unsent)}")
        else:
            raise NotImplementedError(what)

    def wait_for_login(self, link: Link, behaviour: str) -> None:
        """Call ``on_connected``."""
        link.notice_end()
        token = self.token("waiter", "waiter", behaviour)
        if link.over:
            self._at_once(token, link, Telling(token, link.error))
        elif link.logged_in or link.verdict:
            self._at_once(token, link, Telling(token, "LoginRefused" if link.verdict else ""))
        else:
            link.waiters.append(token)
        link.conn.on_connected(self._callback(token))

    def _at_once(self, token: Token, link: Link, telling: Telling) -> None:
        link.due.appendleft(telling)

    def finish_pool(self, graceful: bool = False) -> None:
        """End the pool."""
        for link in self.links.values():
            link.notice_end()
        self.finished = True
        self.trace("user: finish the pool")
        for server in self.servers:
            server.debts.clear()
            for link in server.links:
                if not link.conn.finished:
                    link.finishing = True
                    link.asked_to_log_off |= graceful
        self.pool.finish(graceful)
