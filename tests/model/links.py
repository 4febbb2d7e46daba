"""The model of one connection and of one server: what they must tell next, and what may come to be."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from ami_client import Connection
from ami_client._client.server_pool import TURNED_AWAY_AT_MOST
from ami_client.testing import FakeSocket

from .answers import Answers, Telling, Token, failure
from .words import Said

if TYPE_CHECKING:
    from .world import World

EPSILON = 1e-6  # seconds: limits are added up in floats


@dataclass(eq=False)
class Debt:
    """A lost connection that is to be opened again; ``due`` is known from the event ``reconnecting`` on."""

    lost: Link
    attempt: int
    due: Optional[float] = None
    hastened: bool = False  # somebody waited


class Link:
    """A connection, its server's side, and what the library owes for it."""

    def __init__(self, world: World, server: Server, conn: Connection, name: str) -> None:
        self.world, self.server, self.conn, self.name = world, server, conn, name
        self.answers = Answers(world.limits["max_answer"])
        self.sock: Optional[FakeSocket] = None
        # where it is
        self.caller: Optional[Token] = None  # for whom it was opened
        self.attempt: Optional[int] = None  # None: it is not known yet for whom it was opened
        self.set_out: Optional[float] = None
        self.opened: Optional[float] = None
        self.stage = "banner"  # what the server is to say next: banner, challenge, login, nothing
        self.logged_in = False
        self.verdict = ""  # on the login
        self.finishing = False  # by the user
        self.acquired = False
        self.refused = False  # the attempt to connect
        self.cut = False  # by the server
        self.asked_to_log_off = False
        self.logged_off = False
        self.over = False
        self.disconnect_told = False
        # what is owed
        self.inbox: deque[Said] = deque()
        self.due: deque[Telling] = deque()
        self.waiters: list[Token] = []
        self.owed: deque[Telling] = deque()
        self.unsent: set[str] = set()  # ids of actions that wait for the login
        # the server's side
        self.unread = b""
        self.heard = ""  # the last action's first line
        self.actions: list[str] = []  # ids in the order of arrival
        self.fences: dict[str, str] = {}  # by action
        self.asked: list[str] = []  # Pings to be answered
        self.asked_since = 0.0  # the first of them
        self.silent = False
        self.half = b""  # of a message

    def __repr__(self) -> str:
        return self.name

    # -- what the library does

    def next_tellings(self) -> list[Telling]:
        """What may be told next on behalf of this connection, after all that has happened."""
        self.notice_end()
        while True:
            if self.over and not self.disconnect_told:
                waiters = [Telling(token, self.error) for token in self.waiters]
                if self.owed:
                    return [self.owed[0], *(waiters if self.verdict or self.logged_in else [])]
                return waiters or [Telling("disconnect")]
            if self.due:
                if self.due[0].who != "waiters":
                    return [self.due[0]]
                if self.logged_in:  # and the handlers of `login` have run
                    self.attempt = 0
                if self.waiters:
                    return [Telling(token, self.due[0].error) for token in self.waiters[: None if self.verdict else 1]]
                self.due.popleft()
            elif self.inbox and not self.over:
                self.receive(self.inbox.popleft())
            else:
                return []

    def was_told(self, telling: Telling) -> None:
        """One of :meth:`next_tellings` was."""
        if telling.who in self.waiters:
            self.waiters.remove(telling.who)
        elif self.owed and telling == self.owed[0]:
            self.owed.popleft()
        elif telling.who == "disconnect":
            self.disconnect_told = True
        else:
            self.due.popleft()

    def receive(self, said: Said) -> None:
        """Let a whole message arrive."""
        if self.logged_in:
            self.due += self.answers.receive(said)
            self.logged_off |= said.word == "goodbye" and self.asked_to_log_off
        elif said.word == "welcome":
            self.logged_in = True
            self.unsent.clear()
            self.world.logins += 1
            self.due += [Telling("login", "", (said.number,)), Telling("waiters"), Telling("connected")]
        elif said.word.startswith("refusal"):
            self.verdict = said.word
            self.due.append(Telling("waiters", "LoginRefused"))
            self.end_attempt("LoginRefused")

    @property
    def error(self) -> str:
        """The type of its end."""
        return type(self.conn.error).__name__

    def notice_end(self) -> None:
        """Look whether the library has ended it; it must have had a reason."""
        if self.over or not self.conn.finished:
            return
        if not self.finishing:
            while self.inbox:
                self.receive(self.inbox.popleft())
            for telling in self.due:
                if telling.who != "waiters":  # those are told of the end, too
                    self.world.fault(f"{self} was lost before it was handled: {telling}")
        self.over = True
        if not self.has_reason():
            self.world.fault(f"{self} ended with {self.conn.error!r} for no reason")
        self.world.trace(f"{self} ends: {self.error}")
        # What one message tells several is told, even if the first of them ends the connection.
        self.due = deque(one for one in self.due if isinstance(one.who, Token))
        self.inbox.clear()
        final = self.finishing or self.error == "ConnectionFinished"
        error = "ConnectionFinished" if final else self.error
        again = set() if final else {one.id for one in self.answers.open.values() if one.retry}
        waiting = self.answers.waiting()
        self.owed += [failure(one, error) for one in waiting if one.id not in again]
        kept = [one for one in waiting if one.id in again]
        if kept:
            self.server.kept[self] = kept
        self.answers = Answers(self.world.limits["max_answer"])
        if not self.verdict:
            self.end_attempt(error)

    def turned_away(self) -> bool:
        """Whether the server closed it without a word, and who waited for it waits on, for another one."""
        server = self.server
        others = [link for link in server.live if link is not self]
        witness = self.caller if self.caller in self.waiters else None
        if witness is None and self.attempt and not any(link.trying for link in others):
            witness = next(iter(server.waiting), None)
        if witness is None:
            return False  # nobody is there for whom it would make a difference
        may = self.error == "ConnectionLost" and self.stage == "banner" and bool(self.world.reconnect)
        may = may and not self.world.finished and any(link.set_out is not None for link in others)
        did = server.has_back(self.conn, witness)
        if did and not may:
            self.world.fault(f"{witness} is to wait on although nobody has turned {self} away")
        if may and not did and not server.was_patient(self.conn):
            self.world.fault(f"{witness} is not to wait on although the server has turned {self} away")
        if did and witness in self.waiters:
            self.waiters.remove(witness)
            server.put_back(witness)
        return did

    @property
    def trying(self) -> bool:
        """Whether it is an attempt to replace a lost connection, under way."""
        return bool(self.attempt) and not self.verdict

    def end_attempt(self, error: str) -> None:
        """It is ending: who waited for the attempt is told, and it may have to be opened again."""
        server = self.server
        if self.attempt is None:
            server.opened_for(self, None)
        turned_away = self.turned_away()
        if self.attempt and not turned_away and not any(link is not self and link.trying for link in server.live):
            self.waiters += server.waiting
            server.waiting.clear()
        if turned_away and not self.attempt:
            return
        if error != "ConnectionFinished" and self.comes_again(error):
            server.debts.append(Debt(self, (self.attempt or 0) + 1))

    def has_reason(self) -> bool:
        """Whether it may have ended with its error."""
        now, conn, options = self.world.clock.now + EPSILON, self.conn, self.conn.options
        if self.finishing and self.error != "LoginRefused":
            return self.error == "ConnectionFinished"
        return {
            "ConnectionFinished": self.logged_off or self.world.finished,
            "ConnectionLost": self.cut and not self.logged_off,
            "ConnectFailed": self.refused,
            "ConnectTimeout": not self.opened and now >= (self.set_out or 0) + (options.connect_timeout or 0),
            "LoginTimeout": not self.logged_in and now >= (self.opened or now) + (options.login_timeout or 0),
            "SilenceTimeout": now >= (conn.last_received or 0) + (options.timeout or float("inf"))
            or (bool(self.asked) and now >= self.asked_since + (options.timeout or float("inf"))),
            "LoginRefused": self.verdict.startswith("refusal"),
        }.get(self.error, False)

    def comes_again(self, error: str) -> bool:
        """Whether the pool is to open it again."""
        world, server = self.world, self.server
        if not world.reconnect or world.finished:
            return False
        if error == "LoginRefused" and not (world.reconnect_refused or self.verdict == "refusal for now"):
            return False
        others = server.debts or server.connected or any(link is not self and link.trying for link in server.live)
        return not others or bool(self.attempt) or self.logged_in  # of several that never came to be one goes on

    # -- what is so when nothing is left to be done

    def check(self) -> None:
        """Find what should have happened and has not."""
        fault, now = self.world.fault, self.world.clock.now - EPSILON
        tellings = self.next_tellings()
        if tellings:
            fault(f"{self}: never happened: {tellings[0]}")
        if self.over:
            return
        options, conn = self.conn.options, self.conn
        if self.cut or self.refused or self.verdict.startswith("refusal") or self.finishing:
            fault(f"{self} should be over")
        for token in self.answers.waiting():
            if token.deadline <= now:
                fault(f"{token} was not told that its time is over")
        if self.set_out is not None and not self.opened and now >= self.set_out + (options.connect_timeout or 0):
            fault(f"{self} has no time left to connect")
        if self.opened and not self.logged_in and now >= self.opened + (options.login_timeout or 0):
            fault(f"{self} has no time left to log in")
        if self.opened and options.timeout and now >= (conn.last_received or 0) + 2 * options.timeout:
            fault(f"{self} is dead and nobody noticed")
        pending, waiting = conn.stats.pending, len(self.answers.waiting())
        # Pings of the library's own are among them.
        if not waiting <= pending <= waiting + (3 if options.timeout else 0):
            fault(f"{self} counts {pending} actions in flight, not {waiting}")
        if conn.connected is not self.logged_in:
            fault(f"{self} connected: {conn.connected}")


class Server:
    """All that the pool has on one URL."""

    def __init__(self, world: World, host: str) -> None:
        self.world, self.host = world, host
        self.url = f"tcp://joe:secret@{host}:5038"
        self.links: list[Link] = []  # that have not ended and been told so
        self.waiting: list[Token] = []  # best first
        self.debts: list[Debt] = []
        self.kept: dict[Link, list[Token]] = {}  # to be sent again, by the link that was lost
        self.places = 0
        self.paused = 0.0  # until then at most nothing is opened, for the server turned somebody away
        self.given_up: set[Token] = set()  # of those, because no connection was coming

    def add(self, token: Token) -> None:
        """One more waits."""
        self.places += 1
        token.place = self.places
        self._insert(token)

    def _insert(self, token: Token) -> None:
        self.waiting.append(token)
        self.waiting.sort(key=lambda one: (-one.pri, one.place))
        self.hasten()

    def put_back(self, token: Token) -> None:
        """The server has turned away the connection that was opened for it."""
        self._insert(token)
        self.paused = self.world.clock.now + self.world.reconnect_max
        self.world.turned_away += 1

    @staticmethod
    def has_back(conn: Connection, token: Optional[Token]) -> bool:
        """Whether the library has put a callback back among those that wait. Each decides by what it knows."""
        waiting: Any = conn._driver._owner._waiting._heap  # type: ignore[union-attr]
        return any(waiter.func.token is token for _, _, waiter in waiting)

    @staticmethod
    def was_patient(conn: Connection) -> bool:
        """Whether the library has let callbacks wait on for as often as it does."""
        return bool(conn._driver._owner._turned_away >= TURNED_AWAY_AT_MOST)  # type: ignore[union-attr]

    def hasten(self) -> None:
        """Somebody waits: what is to be opened again may come earlier than was said."""
        for debt in self.debts:
            debt.hastened = True

    @property
    def connected(self) -> bool:
        """Whether a connection is logged in."""
        return any(link.conn.connected for link in self.links)

    @property
    def live(self) -> list[Link]:
        """Connections that have not ended."""
        return [link for link in self.links if not link.conn.finished]

    def notice_ends(self) -> None:
        """Let each link look."""
        for link in self.links:
            link.notice_end()

    def opening(self, link: Link) -> None:
        """The library has made a connection."""
        self.notice_ends()
        self.links.append(link)
        if len(self.live) > self.world.maxconnperserv:
            self.world.fault(f"{link} is one too many")
        if self.world.finished and not self.world.interrupted:
            self.world.fault(f"{link} was opened after the end of the pool")

    def opened_for(self, link: Link, waiter: Optional[Token]) -> None:
        """It is known now for whom: a callback that waits, or else in the place of a lost one."""
        again = link.conn.stats.reconnects
        announced = [debt for debt in self.debts if debt.due is not None]
        # A first attempt may be made at once, and so before a later one that was due sooner.
        owner: Any = link.conn._driver._owner
        attempt = owner._slots.get(link.conn._driver).attempt
        announced.sort(key=lambda debt: (debt.attempt != attempt, debt.due or 0))
        taken = [*announced, *self.debts][:again]
        if waiter is not None:
            if waiter is not self.waiting[0]:
                self.world.fault(f"{link} was opened for {waiter}, not for {self.waiting[0]}")
            self.waiting.remove(waiter)
            link.waiters.append(waiter)
            link.caller = waiter
        if len(taken) != again or (not again and waiter is None):
            self.world.fault(f"{link} was opened for nobody")
        if not again and (self.debts or any(one.trying for one in self.live if one is not link)):
            self.world.fault(f"{link} was opened although a lost connection comes again")
        for debt in taken:
            early = EPSILON + 10 * bool(self.world.slow)  # a slow callback may have come between timer and event
            if not debt.hastened and waiter is None and (debt.due or 0) > self.world.clock.now + early:
                self.world.fault(f"{link} was opened too early")
            self.debts.remove(debt)
        link.attempt = taken[0].attempt if taken else 0
        self.world.reconnects += len(taken)

    def reconnecting(self, delay: float, attempt: int) -> None:
        """The pool has told of an attempt to come."""
        self.notice_ends()
        new = [one for one in self.debts if one.due is None]
        debt = next((one for one in new if one.attempt == attempt), new[0] if len(self.links) > 2 and new else None)
        if debt is None:
            self.world.fault(f"{self.host}: nothing to open again as attempt {attempt}: {self.debts}")
            return
        if not 0 <= delay <= min(self.world.reconnect_max, (self.world.reconnect or 0) * 2 ** (attempt - 1)):
            self.world.fault(f"{self.host}: attempt {attempt} after {delay} s")
        debt.due = self.world.clock.now + delay

    @property
    def coming(self) -> bool:
        """Whether a connection is on its way."""
        return bool(self.debts) or any(not link.conn.connected for link in self.live)

    def check(self) -> None:
        """Find what should have happened and has not."""
        fault, now = self.world.fault, self.world.clock.now
        for link in self.links:
            if link.attempt is None:
                self.opened_for(link, None)
            link.check()
        for link in [link for link in self.links if link.over]:
            self.links.remove(link)
        if self.waiting and not self.world.finished:
            free = [link for link in self.live if link.logged_in and not link.acquired]
            if free:
                fault(f"{self.waiting[0]} waits although {free[0]} is free")
            self.hasten()
            coming = self.debts or any(link.trying for link in self.live)
            paused = now <= self.paused + EPSILON
            if len(self.live) < self.world.maxconnperserv and not coming and not paused:
                fault(f"{self.waiting[0]} waits although another connection may be opened")
        for debt in self.debts:
            if debt.due is None and not self.world.interrupted:
                fault(f"nobody was told that {debt.lost} is to be opened again")
            if debt.due is not None and debt.due <= now - EPSILON:
                fault(f"{debt.lost} was not opened again")
        if len(self.live) + len(self.debts) > self.world.maxconnperserv:
            fault(f"{self.host}: more connections than allowed are on their way")
        for token in [token for tokens in self.kept.values() for token in tokens]:
            if not self.coming:
                fault(f"{token} waits for a connection that is not coming")
            if token.deadline <= now - EPSILON:
                fault(f"{token} was not told that its time is over")
