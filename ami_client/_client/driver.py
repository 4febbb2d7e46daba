"""Drives one connection: its session, transport, timeouts, callbacks, retries and end.

Source: phpDaemon Clients/Asterisk/Connection.php (command, onRead) and Network/ClientConnection.php.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Callable, Optional, Protocol, Union, cast

from .. import _fork
from .._engine.action_ids import RandomIDs
from .._engine.encode import Params
from .._engine.in_flight import Assertion, Entry, Pending, verdict
from .._engine.login import Login, LoginDone
from .._engine.packet import Packet
from .._engine.quirks import Quirk
from .._engine.session import ListGoneOn, Outcome, Session
from .._engine.state import CONNECTED, FINISHED, Move, State
from .._engine.text import printable
from .._transport.transport import Transport
from ..callbacks import CONN_PACKET, StackCallbacks, is_plain, logger
from ..emitter import EventHandlers
from ..errors import (
    ActionFailed,
    ActionTimeout,
    AMIError,
    Cancelled,
    ConnectionFinished,
    ConnectionLost,
    LimitReached,
    LoginTimeout,
    ProtocolError,
)
from ..filters import RESULT, Filter
from ..options import Options, seconds
from ..stats import Stats
from ..tasks import Tasks
from .dispatch import Dispatch, Guard
from .resume import resumed
from .timeouts import Deadlines, Watchdog

if TYPE_CHECKING:
    from ..loop import Loop
    from ..url import ServerURL

AUTHLIMIT_HINT = ", and check authlimit in manager.conf if many clients log in at once"

FILTER_CRITERIA = 11  # AMI version (Asterisk 22) from which Filter is sure to know MatchCriteria

JUST_NOW = 1.0  # seconds; a list that ended this shortly before the server closed may have lost parts

# Texts for the log.
STATE_TEXTS = {
    State.CONNECTING: "connecting",
    State.BANNER: "connected",
    State.CHALLENGE: "asked for a challenge",
    State.LOGIN: "logging in",
    State.CONNECTED: "logged in",
    State.REFUSED: "refused",
    State.FINISHED: "finished",
}


class ConnectionPool(Protocol):
    """The pool as seen by users of ``conn.pool``."""

    @property
    def reactor(self) -> Loop:
        """The loop that runs the connections."""

    @property
    def get_connection(self) -> Callable[..., bool]:
        """Like :meth:`ami_client.Pool.get_connection`."""

    def finish(self, graceful: bool = False) -> None:
        """Like :meth:`ami_client.Pool.finish`."""

    def emit(self, event: str, *args: object) -> bool:
        """Emit an event of the connection ``args[0]`` on the pool as well."""


class Owner(Protocol):
    """Gives connections to callers. Drivers report lifecycle changes to it."""

    def acquired(self, driver: Driver) -> None:
        """A caller acquired the connection. Give it to nobody else."""

    def logged_in(self, driver: Driver) -> None:
        """The connection is logged in, and the handlers of ``login`` have run."""

    def ready(self, driver: Driver) -> None:
        """All login callbacks have run, or the connection was released."""

    def ending(self, driver: Driver) -> None:
        """The connection is ending; its callbacks will be called next. Give it to nobody. May be reported twice."""

    def lost(self, driver: Driver) -> None:
        """The connection is finished, and its callbacks have been called."""

    def closed(self, driver: Driver) -> None:
        """The connection is finished, and its socket is closed. May be reported more than once."""

    def reconnects(self, driver: Driver) -> bool:
        """Return whether another connection is scheduled or being opened, after the end of this one."""

    def given_up(self, driver: Driver) -> None:
        """Do not open the connection again, whether it was lost or not."""


class Life(Protocol):
    """The methods that end a connection."""

    def finish(self) -> None:
        """Like :meth:`ami_client.Connection.finish`."""

    def graceful_shutdown(self) -> None:
        """Like :meth:`ami_client.Connection.graceful_shutdown`."""


def _ignore_answer(conn: object, packet: object) -> None:
    """Ignore the answer."""


class Driver:
    """Runs one connection, ``conn``, from start to end. :meth:`attach` sets ``conn``.

    Attributes:
        url, address, options, pool: the parameters of the connection; ``pool`` is None for a placeholder connection.
        error: why the connection ended or was never made; None while it is open.
        session, transport, watchdog: the protocol engine, the byte stream to the server, and the timeouts of the link.
        acquired: whether a caller has acquired it, so that the pool gives it to nobody else.
        suspect: the last list answer that became suspect after it ended.
        round_trip: round-trip time of the last answered Ping, in seconds.
    """

    conn: EventHandlers
    dispatch: Dispatch
    session: Session

    def __init__(
        self,
        url: str,
        address: ServerURL,
        options: Options,
        loop: Loop,
        pool: Optional[ConnectionPool] = None,
        owner: Optional[Owner] = None,
        *,
        reconnect: bool = False,
    ) -> None:
        self.url = url
        self.address = address
        self.options = options
        self.pool = pool
        self.error: Optional[AMIError] = None
        self.acquired = False
        self.suspect: Optional[Packet] = None
        self.round_trip: Optional[float] = None
        self.counts = Stats(reconnects=int(reconnect))
        self.guard = Guard(loop.time, options.slow_handler, self.counts)
        self.tasks = Tasks(lambda: loop, self.guard)
        self.transport = Transport(
            loop,
            address,
            options,
            on_open=self._opened,
            on_data=self.received,
            on_lost=self._lost,
            on_closed=self._closed,
        )
        self.watchdog = Watchdog(
            loop,
            timeout=options.timeout,
            login_timeout=options.login_timeout,
            ask=self._ping_for_life,
            on_silence=self.fail,
            on_late_login=self._login_late,
        )
        self._deadlines = Deadlines(loop, self._late, options.action_timeout)
        self._loop = loop
        self._clock = loop.time
        self._owner = owner
        self._forks = _fork.forks
        self._waiting = StackCallbacks(self.guard)  # callbacks that wait for the outcome of the login
        self._outcome: Optional[Packet] = None
        self._begun = False
        self._handling = False  # received bytes are being handled; a flush follows
        # Tasks that send in the same iteration, one action each, share a system call, except for the first task
        # (benchmark w100: a quarter of the time). A task that sends again before anything has arrived may be one of
        # these. A task that awaits each answer is not, and is spared an iteration (benchmark w1: 7% of instructions).
        self._runs_tasks = self.tasks.can_run
        self._has_sent = False  # since bytes last arrived
        self._batching = False
        # Bytes that can be sent before the transport's buffer must be checked again. This saves 4% (benchmark d100).
        self._room = 0

    def attach(self, conn: EventHandlers, base: type[EventHandlers]) -> None:
        """Drive ``conn``. ``base`` is the class whose methods a subclass may override."""
        address, options = self.address, self.options
        self.conn = conn
        self.dispatch = Dispatch(conn, base, self.pool, self.guard, options.filters)
        self.session = Session(
            Login(
                options.username if address.username is None else address.username,
                options.secret if address.secret is None else address.secret,
                options.authtype,
                str(options.events),
            ),
            ids=RandomIDs(os.urandom),
            fold_case=options.fold_case,
            max_packet=options.max_packet,
            max_lines=options.max_lines,
            max_answer=options.max_answer,
            max_pending=options.max_pending,
            max_waiting=options.max_waiting,
            stats=self.counts,
            on_state=self._log_state,
            wanted=self.dispatch.routes,
        )

    def __str__(self) -> str:
        return str(self.address)

    @property
    def state(self) -> State:
        """The state of the connection."""
        return self.session.state

    @property
    def is_connected(self) -> bool:
        """Whether the connection is logged in."""
        return self.session.state is CONNECTED

    @property
    def is_finished(self) -> bool:
        """Whether the connection has ended."""
        return self.session.state is FINISHED

    @property
    def is_lost(self) -> bool:
        """Whether the connection ended, or was never made, and nobody asked for the end."""
        return self.error is not None and not isinstance(self.error, ConnectionFinished)

    @property
    def is_reconnecting(self) -> bool:
        """Whether the connection has ended and the owner is reconnecting."""
        return self.error is not None and self._owner is not None and self._owner.reconnects(self)

    @property
    def stats(self) -> Stats:
        """A copy of the current counters. May be read from any thread."""
        return self.counts.replace(
            pending=self.session.pending,
            buffered=self.transport.buffered,
            connections=int(not self.is_finished),
            connected=int(self.is_connected),
        )

    @property
    def turned_away(self) -> bool:
        """Whether the server closed the connection without an answer, as Asterisk does above its ``authlimit``."""
        return isinstance(self.error, ConnectionLost) and self.counts.bytes_in == 0

    def check_process(self) -> None:
        """Raise RuntimeError in a forked child, because the parent uses the socket."""
        if self._forks != _fork.forks:
            _fork.refuse("connection", "a Pool")

    def _log_state(self, state: State) -> None:
        told = {CONNECTED: self.session.banner, FINISHED: self.error}.get(state)
        self._begun = self._begun or state is State.CONNECTING
        level = logging.INFO if told and self._begun else logging.DEBUG
        if logger.isEnabledFor(level):
            logger.log(level, "%s: %s%s", self, STATE_TEXTS[state], f": {printable(str(told))}" if told else "")

    # -- outgoing

    def send(
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
        """Send an action and return its ActionID. See :class:`~ami_client.actions.Actions`."""
        session = self.session
        pending: Optional[Pending] = None
        self.check_process()
        if session.state is FINISHED:
            raise ConnectionFinished(f"{self} is finished; get another connection from the pool")
        if cb is not None and not is_plain(cb, 2):
            cb = self.tasks.check(cb, "callback", CONN_PACKET)
        if on_entry is not None:
            on_entry = self.tasks.check(on_entry, "on_entry", CONN_PACKET)
            if cb is None:
                cb = _ignore_answer  # only the answer to an action with a callback is awaited
        limit = None if timeout is None else seconds("timeout", timeout)
        try:
            if len(session.outgoing) >= self._room:
                self._make_room()
            if (
                cb is not None
                and params is None
                and assertions is None
                and quirk is None
                and on_entry is None
                and retry is False
            ):
                pending = session.send_plain(action, cb)
            if pending is None:
                pending = session.send(action, params, cb, assertions, quirk=quirk, retry=retry, on_entry=on_entry)
        except LimitReached as error:
            self.counts.count_error(error)
            raise
        try:
            if cb is not None:
                if timeout is None:
                    self._deadlines.accepted.append(pending)
                else:
                    self._deadlines.accepted_limits.append((pending, limit))
            if not self._handling and not self._batching:
                if self._has_sent and self._runs_tasks:
                    self._batching = True
                    self._loop.call_soon(self._end_batch)
                else:
                    self._has_sent = True
                    self._flush()
        except BaseException:  # usually a KeyboardInterrupt: the caller does not learn the ActionID
            if self.session.give_up(pending, Cancelled(f"{pending.action} was interrupted")):
                pending.callback = None
            raise
        return pending.action_id

    def _end_batch(self) -> None:
        self._batching = False
        self._flush()

    def expect_result(self, action_id: str, on_result: Callable[..., object], timeout: float) -> None:
        """Call ``on_result(conn, packet)`` with the OriginateResponse of an action that was just sent."""
        limit = self.options.action_timeout
        self._watch(self.session.expect_result(action_id, on_result), None if limit is None else timeout + limit)

    def _make_room(self) -> None:
        limit = self.options.max_outgoing
        self._room = limit - self.transport.buffered
        if len(self.session.outgoing) >= self._room:
            raise LimitReached(f"the server is not reading: {limit} bytes (max_outgoing) are unsent", "max_outgoing")

    def _ping_for_life(self) -> bool:
        """Send a Ping, even above ``max_pending``. Return False before the login, or if the server is not reading."""
        if not self.is_connected or self.transport.buffered >= self.options.max_outgoing:
            return False
        # The callback keeps the answer from being counted as dropped. The watchdog limits the wait.
        self._watch(self.session.send("Ping", None, _ignore_answer, bounded=False), None)
        self._flush()
        return True

    def _flush(self) -> None:
        deadlines = self._deadlines
        if deadlines.accepted or deadlines.accepted_limits:
            deadlines.begin(self.is_connected)
        if self.session.outgoing:
            data = self.session.take_outgoing()
            self.counts.bytes_out += len(data)
            self._room -= len(data)
            self.transport.write(data)

    def _watch(self, pending: Pending, limit: Optional[float]) -> None:
        self._deadlines.watch([pending], limit, self.is_connected)

    def _late(self, pending: Pending) -> None:
        error = ActionTimeout(f"no complete answer to {pending.action} within {pending.limit:g} s")
        result = self.session.give_up(pending, error)
        if result is not None:
            self.counts.count_error(error)
            self._answer(pending.done(result))
        if self.is_connected:
            self.watchdog.doubt()
        elif self.is_finished and not self.has_retries:  # no other action is left to be sent again
            self._deadlines.clear()

    def cancel(self, action_id: str) -> bool:
        """Give up an action: call its callbacks with a failure. Return False if it was already answered."""
        owed = [
            pending.done(result)
            for pending in self.session.pending_of(action_id)
            for result in [self.session.give_up(pending, Cancelled(f"{pending.action} was cancelled"))]
            if result is not None
        ]
        self._answer_all(deque(owed))
        return bool(owed)

    # -- incoming

    def received(self, data: bytes) -> None:
        """Receive bytes from the server."""
        session, watchdog, clock = self.session, self.watchdog, self._clock
        watchdog.last_received = clock()
        self.counts.bytes_in += len(data)
        self._has_sent = False
        self._handling = True
        try:
            outcome = self.dispatch.lone_packet(data, session)
            if isinstance(outcome, Pending):
                watchdog.answers += 1
                self._answer(outcome)
        finally:
            self._handling = False
            if session.outgoing:
                self._flush()
        if outcome is None:
            self._handle(session.outcomes(data))
        else:
            watchdog.last_packet = watchdog.last_received

    def _handle(self, outcomes: Iterator[Outcome]) -> None:
        dropped, watchdog, reader = self.counts.dropped, self.watchdog, self.session.reader
        cuts = reader.cuts
        self._handling = True
        try:
            for outcome in self.dispatch.run(outcomes, self.session):
                if isinstance(outcome, Pending):
                    watchdog.answers += 1
                    self._answer(outcome)
                else:
                    self._take(outcome)
        except ProtocolError as error:
            self.fail(error)
        except BaseException:  # like resumed(), which would cost a microsecond per read
            self._loop.call_soon(self._handle, outcomes)
            raise
        finally:
            self._handling = False
            if reader.cuts != cuts:
                watchdog.last_packet = watchdog.last_received
            self._flush()
        if self.counts.dropped > dropped:
            logger.debug("%s: dropped %d packets that belong to no action", self, self.counts.dropped - dropped)

    def _take(self, outcome: Union[Entry, ListGoneOn, LoginDone]) -> None:
        """Handle an outcome that is neither an event nor an answer."""
        if isinstance(outcome, Entry):
            self._deliver_entry(outcome)
        elif isinstance(outcome, ListGoneOn):
            self.suspect = outcome.packet
            self._count_suspect("a list that continued after its end")
        else:
            self._login_done(outcome.packet)

    def _deliver_entry(self, entry: Entry) -> None:
        on_entry = entry.pending.on_entry
        # The callback for an earlier entry of the same packet may have ended the connection.
        if on_entry is not None and not self.is_finished:
            self.guard.call(on_entry, self.conn, entry.packet)

    def _answer(self, pending: Pending) -> None:
        """Call the callback of an answered action."""
        result = pending.result
        packet = result if isinstance(result, Packet) else verdict(result)
        if packet.suspect:
            self._count_suspect(pending.action)
        error = packet.error
        if error is not None:
            self._count_failure(pending, error)
        elif pending.action == "Ping" and pending.sent_at is not None and self.watchdog.last_received is not None:
            self.round_trip = self.watchdog.last_received - pending.sent_at
        callback, pending.callback, pending.request = pending.callback, None, b""  # it may be kept for a late answer
        del pending.result
        if callback is not None:
            self.guard.call(callback, self.conn, result)

    def _count_failure(self, pending: Pending, error: AMIError) -> None:
        if isinstance(error, ActionFailed):
            error.action, error.action_id = pending.action, pending.action_id
        elif isinstance(error, LimitReached):
            self.counts.count_error(error)

    def _answer_all(self, owed: deque[Pending]) -> None:
        with resumed(self._loop, self._answer_all, owed):
            while owed:
                self._answer(owed.popleft())

    def _count_suspect(self, what: str) -> None:
        self.counts.suspects += 1
        logger.warning("%s: the answer to %s may have lost parts", self, printable(what))

    # -- connecting and logging in

    def connect(self) -> None:
        """Start connecting."""
        self.session.move(Move.CONNECT)
        self.transport.open()

    def tell(self, cb: Callable[..., object], *, with_others: bool = False) -> None:
        """Call ``cb(conn, packet)`` when the login has succeeded or failed. If it already has, call it at once.

        With ``with_others`` never at once, because the connection is about to call its waiting callbacks.
        """
        if self._outcome is None or with_others:
            self._waiting.push(cb)
        else:
            self.guard(cb, self.conn, self._outcome)

    def take_back(self, cb: Callable[..., object]) -> bool:
        """Undo :meth:`tell`. Return False if ``cb`` is not waiting any more."""
        return self._waiting.remove(cb)

    def acquire(self) -> None:
        """Reserve the connection, so that the owner gives it to nobody else."""
        self.acquired = True
        if self._owner is not None:
            self._owner.acquired(self)

    def release(self) -> None:
        """Return the connection to its owner."""
        if self.acquired:
            self.acquired = False
            self._offer()

    def _offer(self) -> None:
        if self.is_connected and self._owner is not None:
            self._owner.ready(self)

    def _opened(self) -> None:
        self.session.move(Move.OPENED)
        self.watchdog.start()

    def _login_done(self, packet: Packet) -> None:
        self.watchdog.logged_in()
        self._flush()  # actions that waited for the login
        self.error = packet.error
        if packet.error is not None:
            self._tell_ending()
        filters = [] if packet.error is not None else self._server_filters()
        if filters:
            self._send_filters(filters, packet)
        else:
            self._announce_login(packet)

    def _announce_login(self, packet: Packet) -> None:
        self._outcome = packet
        steps: list[Callable[[], object]] = [self._tell_waiting]
        if packet.error is None:
            announce = partial(self.dispatch.announce, "login", packet)
            steps = [announce, self._tell_owner, *steps, self._tell_connected]
        self._tell_login(deque(steps))

    def _knows_criteria(self) -> bool:
        """Whether the server's Filter action is sure to know MatchCriteria. Older ones ignore it and answer Success."""
        major, _, _ = (self.session.ami_version or "").partition(".")
        return major.isdigit() and int(major) >= FILTER_CRITERIA

    def _server_filters(self) -> list[Filter]:
        """Return the filters for the server to apply. The client applies the others.

        A server with an ``exclude`` filter would also keep back OriginateResponse, which is part of an answer.
        """
        if not self._knows_criteria():
            return []
        filters = [one for one in self.options.filters if one.action == "include" or one.event not in ("", RESULT)]
        if any(one.action == "include" for one in filters):
            filters.append(Filter(event=RESULT))
        return filters

    def _send_filters(self, filters: list[Filter], login: Packet) -> None:
        """Send the filters. When all are answered, announce the login.

        If the server refuses all, because the user may not filter, the client applies them. If it refuses only some, it
        would keep back events that these let pass, so that ends the connection.
        """
        answers: list[Packet] = []

        def answered(conn: object, packet: Packet) -> None:
            answers.append(packet)
            if len(answers) < len(filters) or not self.is_connected:
                return
            refused = [one.error for one in answers if one.error is not None]
            if refused:
                logger.warning("%s: the server refused a filter: %s", self, printable(str(refused[0])))
            if 0 < len(refused) < len(answers):
                self.fail(refused[0])
            else:
                self._announce_login(login)

        for one in filters:
            params = [("Operation", "Add"), ("MatchCriteria", one.criteria), ("Filter", one.value)]
            self._watch(self.session.send("Filter", params, answered, bounded=False), self.options.action_timeout)
        self._flush()

    def _tell_login(self, steps: deque[Callable[[], object]]) -> None:
        try:
            with resumed(self._loop, self._tell_login, steps):
                while steps:
                    steps.popleft()()
        finally:
            if self.error is not None:
                self._end(self.error)
        self._offer()

    def _tell_owner(self) -> None:
        if self.is_connected and self._owner is not None:
            self._owner.logged_in(self)

    def _tell_waiting(self) -> None:
        assert self._outcome is not None
        with resumed(self._loop, self._tell_waiting):
            self._waiting.execute_all(self.conn, self._outcome)

    def _tell_connected(self) -> None:
        if self.is_connected:
            self.dispatch.announce("connected")

    def _login_late(self, limit: float) -> None:
        self.fail(LoginTimeout(f"no answer to the login within {limit:g} s; {self._first_words()}"))

    def _first_words(self) -> str:
        banner = self.session.banner
        if banner is not None:
            odd = "; it ends with CR LF, but the packets end with LF only" if self.session.mixes_line_ends else ""
            return f"the server's first line was {printable(banner, 100)!r}{odd}"
        if self.counts.bytes_in:
            return "the server sent no complete line"
        return "the server sent nothing: it may hang; use tls:// if this is its TLS port"

    # -- the end

    def end(self, graceful: bool) -> None:
        """End for good through the connection's own methods, which a subclass may override."""
        conn = cast(Life, self.conn)
        if graceful:
            conn.graceful_shutdown()
        else:
            conn.finish()

    def finish(self, *, abort: bool = False) -> None:
        """End for good. With ``abort``, unsent data is lost."""
        if self._owner is not None:
            self._owner.given_up(self)
        self._end(
            ConnectionFinished("the connection was closed" if abort else "the connection was finished"), abort=abort
        )

    def fail(self, error: AMIError) -> None:
        """End at once, with ``error`` as the reason."""
        self._end(error, abort=True)

    def _lost(self, error: AMIError) -> None:
        if isinstance(error, ConnectionLost) and not self.is_connected:
            limit = "" if self.counts.bytes_in else AUTHLIMIT_HINT
            error = ConnectionLost(f"{error} before the login; {self._first_words()}{limit}", error.cause)
        suspect = self.session.last_list
        if isinstance(error, ConnectionLost) and suspect is not None and self._heard_just_now():
            self.suspect = suspect
            if not suspect.suspect:
                suspect.suspect = True
                self._count_suspect("a list right before the server closed the connection")
        self.fail(error)

    def _heard_just_now(self) -> bool:
        heard = self.watchdog.last_received
        return heard is not None and self._loop.time() - heard < JUST_NOW

    def _end(self, error: AMIError, *, abort: bool = False) -> None:
        """The only way to end: close the socket, call every callback, emit ``disconnect``, and tell the owner."""
        if self.is_finished:
            return
        if self.session.logged_off:
            error = ConnectionFinished("logged off")
        if self.error is None:
            self.counts.count_error(error)
        self.error = self.error or error
        final = self._owner is None or isinstance(error, ConnectionFinished)
        if final:
            self._deadlines.drop()
        else:
            self._deadlines.begin(False)  # actions to be sent again keep their limits
        owed = deque(self.session.finish(error, keep_retries=not final))
        self._tell_ending()
        if not abort:
            self._flush()
        self.transport.close(abort=abort)
        self.watchdog.stop()
        if self._outcome is None or self._outcome.error is None:
            self._outcome = Packet.failure(error)
        self._tell_end(owed)

    def _tell_ending(self) -> None:
        if self._owner is not None:
            self._owner.ending(self)

    def _tell_end(self, owed: deque[Pending]) -> None:
        try:
            with resumed(self._loop, self._tell_end, owed):
                while owed:
                    self._answer(owed.popleft())
                self._tell_waiting()
            if not self.has_retries:
                self._deadlines.clear()
            self.dispatch.announce("disconnect")
        finally:
            if self._owner is not None:
                self._owner.lost(self)

    def _closed(self) -> None:
        if self._owner is not None:
            self._owner.closed(self)

    # -- after a loss

    @property
    def has_retries(self) -> bool:
        """Whether the connection is finished, and has actions to send again."""
        return self.is_finished and self.session.pending > 0

    def retry(self, lost: Driver) -> None:
        """Send the unanswered actions of ``lost`` again."""
        owed: deque[Pending] = deque()
        sent: set[str] = set()
        for pending in lost.take_retries():
            error = self._send_again(pending, sent)
            if error is None:
                sent.add(pending.action_id)
            else:
                owed.append(pending.done(pending.fail(error)))
        self._flush()
        self._answer_all(owed)

    def take_retries(self) -> list[Pending]:
        """Remove and return the actions to send again. Another connection takes them over."""
        self._deadlines.clear()
        return self.session.take_retries()

    def fail_retries(self, error: AMIError) -> None:
        """Fail the actions that were to be sent again, because no connection will come."""
        self._answer_all(deque(pending.done(pending.fail(error)) for pending in self.take_retries()))

    def _send_again(self, pending: Pending, sent: set[str]) -> Optional[AMIError]:
        """Send an action again. Return why it could not be sent, or None.

        A wait for an OriginateResponse comes after its Originate.
        """
        if not pending.request and pending.action_id not in sent:
            return ActionFailed("the call could not be placed again")
        try:
            self.session.send_again(pending)
        except ValueError as error:  # the ActionID is already in use here
            return ActionFailed(str(error))
        except LimitReached as error:
            return error
        pending.sent_at = self._loop.time()
        if pending.limit is not None:
            self._deadlines.add(pending, max(0.0, pending.deadline - pending.sent_at))
        return None
