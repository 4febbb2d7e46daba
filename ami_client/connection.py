"""One connection to an Asterisk server: a session over a stream.

Source: phpDaemon Clients/Asterisk/Connection.php and Network/ClientConnection.php.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Optional

from . import _fork
from .action_ids import RandomIDs
from .callbacks import Guard, StackCallbacks, trim_arguments
from .deadlines import Deadlines
from .encode import printable
from .errors import AMIError, ConnectionFinished, ConnectionLost, LimitReached, LoginTimeout
from .events import EventHandlers, emit_on, overrides
from .facts import Facts
from .inflight import Done
from .intake import Intake
from .link import Link
from .login import Login
from .options import Options
from .owner import ConnectionPool, Owner
from .packet import Packet
from .routes import Routes
from .session import Session
from .state import Move
from .stats import Stats
from .url import ServerURL
from .watchdog import Watchdog

if TYPE_CHECKING:
    from .loop import Loop

AUTHLIMIT_HINT = " Or are there as many logins under way as authlimit in manager.conf allows?"

JUST_NOW = 1.0  # seconds: a list that ended so shortly before the server closed may have been cut


class Connection(Facts, Intake, EventHandlers):
    """A connection, made by :meth:`ami_client.Pool.get_connection`.

    In a forked child all methods that send or end raise RuntimeError: the connection is its parent's.

    Events: ``connected`` and ``disconnect`` call ``handler(conn)``; ``login``, before anybody else hears of the login,
    calls ``handler(conn, packet)`` with the server's answer; ``event_<name>`` (in lower case) and then ``event`` call
    ``handler(conn, packet)`` for every event of the server that is no part of an answer.

    Attributes:
        url: the URL as it was given; the pool's key. It may hold the secret: for showing, use ``str(conn)``.
        pool: the pool, or None.
        error: why the connection ended or never came to be; None while it lives.
    """

    def __init__(
        self,
        url: str,
        server: ServerURL,
        options: Options,
        loop: Loop,
        pool: Optional[ConnectionPool] = None,
        owner: Optional[Owner[Connection]] = None,
        *,
        reconnect: bool = False,
    ) -> None:
        super().__init__()
        self.url = url
        self.pool = pool
        self.options = options
        self.error: Optional[AMIError] = None
        self._server = server
        self._loop = loop
        self._owner = owner
        self._forks = _fork.forks
        self._stats = Stats(reconnects=int(reconnect))
        self.guard = Guard(loop.time, options.slow_handler, self._stats)
        emitters = (self, pool) if isinstance(pool, EventHandlers) else (self,)
        self._routes = Routes(*emitters, overridden=_overridden(self, pool))
        self._session = Session(
            Login(
                options.username if server.username is None else server.username,
                options.secret if server.secret is None else server.secret,
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
            stats=self._stats,
            on_state=self._log_state,
            wanted=self._routes,
        )
        self._link = Link(loop, server, options, on_open=self._opened, on_data=self._received, on_lost=self._lost)
        self._watchdog = Watchdog(
            loop,
            timeout=options.timeout,
            login_timeout=options.login_timeout,
            ask=self._ask,
            on_silence=self.fail,
            on_late_login=self._login_late,
        )
        self._deadlines = Deadlines(loop, self._late)
        self._waiting = StackCallbacks(self.guard)
        self._outcome: Optional[Packet] = None  # of the login, for on_connected
        self._acquired = False
        self._ending = False  # and the owner knows

    def is_busy(self) -> bool:
        """Whether it is acquired."""
        return self._acquired

    def on_connected(self, cb: Callable[..., object]) -> None:
        """Call ``cb(conn, packet)`` once the login has succeeded or failed; at once if it already has.

        ``packet`` is the server's answer to the login, or a failure packet. A callback with room for one argument gets
        ``conn`` alone. Check ``conn.connected``. Source: phpDaemon ClientConnection.php, onConnected.
        """
        self._check_process()
        self.tell(trim_arguments(cb))

    def tell_with_others(self, cb: Callable[..., object]) -> None:
        """As :meth:`tell`, but never at once: the connection is about to tell everybody. Called by the owner."""
        self._waiting.push(cb)

    def tell(self, cb: Callable[..., object]) -> None:
        """As :meth:`on_connected`, for a ``cb(conn, packet)``. Called by the owner."""
        if self._outcome is not None:
            self.guard(cb, self, self._outcome)
        else:
            self._waiting.push(cb)

    def take_back(self, cb: Callable[..., object]) -> bool:
        """Undo :meth:`tell`; returns False if it was called already. Called by the owner."""
        return self._waiting.remove(cb)

    @property
    def turned_away(self) -> bool:
        """Whether the server closed the connection without a word, as Asterisk does above its ``authlimit``."""
        return isinstance(self.error, ConnectionLost) and self._stats.bytes_in == 0

    def acquire(self) -> None:
        """Take the connection out of the pool's hands: nobody else is given it until :meth:`release`."""
        self._check_process()
        self._acquired = True
        if self._owner is not None:
            self._owner.connection_acquired(self)

    def release(self) -> None:
        """Give the connection back to the pool, which may hand it to a waiting callback at once."""
        self._check_process()
        if self._acquired:
            self._acquired = False
            self._offer()

    def connect(self) -> None:
        """Begin to connect. Called by the pool."""
        self._session.move(Move.CONNECT)
        self._link.open()

    def finish(self) -> None:
        """End: what is open fails, ``disconnect`` is emitted; what was written is sent, then the socket closes.

        It is not opened again, with the option ``reconnect`` neither; nor is one that was lost and waits for its delay.
        """
        self._finish(abort=False)

    def close(self) -> None:
        """As :meth:`finish`, but the socket closes at once, and what was not sent yet is lost."""
        self._finish(abort=True)

    def _finish(self, *, abort: bool) -> None:
        self._check_process()
        if self._owner is not None:
            self._owner.connection_given_up(self)
        self._end(
            ConnectionFinished("the connection was closed" if abort else "the connection was finished"), abort=abort
        )

    def graceful_shutdown(self) -> None:
        """Send Logoff, then :meth:`finish`, without waiting for the Goodbye."""
        self._check_process()
        if self.connected:
            with suppress(LimitReached):  # a server that does not read hears no Logoff either
                self.logoff()
        self.finish()

    def _opened(self) -> None:
        self._session.move(Move.OPENED)
        self._watchdog.start()

    def _login_done(self, packet: Packet) -> None:
        self._watchdog.logged_in()
        self._flush()  # actions that waited for the login
        self.error = packet.error
        if packet.error is not None:
            self._tell_ending()
        self._outcome = packet
        steps: list[Callable[[], object]] = [self._waiting_told]
        if packet.error is None:
            steps = [partial(self._announce, "login", packet), self._owner_told, *steps, self._connected]
        self._take(deque(steps))

    def _take(self, steps: deque[Callable[[], object]]) -> None:
        """Tell everybody of the login."""
        complete = False
        try:
            while steps:
                steps.popleft()()
            complete = True
        finally:
            if not complete:  # a KeyboardInterrupt passes; should the loop run on, the others are still told
                self._loop.call_soon(self._take, deque([self._waiting_told, *steps]))
            if self.error is not None:
                self._end(self.error)
            elif complete:
                self._offer()

    def _owner_told(self) -> None:
        if self.connected and self._owner is not None:
            self._owner.connection_logged_in(self)

    def _waiting_told(self) -> None:
        assert self._outcome is not None
        self._waiting.execute_all(self, self._outcome)

    def _connected(self) -> None:
        if self.connected:
            self._announce("connected")

    def _offer(self) -> None:
        if self.connected and self._owner is not None:
            self._owner.connection_ready(self)

    def _call(self, cb: Callable[..., object], *args: object, **kwargs: object) -> object:
        return self.guard(cb, *args, **kwargs)

    def emit(self, event: str, *args: Any, **kwargs: Any) -> bool:
        """Emit on the connection, then on its pool. True if anybody listened.

        When the connection's own handlers end it, the pool hears ``disconnect`` and nothing after it.
        """
        finished = self.finished
        heard = super().emit(event, *args, **kwargs)
        if event == "new_listener" or self.finished is not finished:  # the first is pyee's own, at each binding
            return heard
        if self.pool is not None:
            heard = emit_on(self.pool, self.guard, event, *args, **kwargs) or heard
        return heard

    def _announce(self, event: str, *args: object) -> None:
        if overrides(self, "event", Connection):
            self.guard(self.event, event, *args)
        elif overrides(self, "emit", Connection):
            self.guard(self.emit, event, self, *args)
        else:
            self.event(event, *args)

    def _ask(self) -> bool:
        return self.connected and self._ping_for_life()

    def _login_late(self, limit: float) -> None:
        self.fail(LoginTimeout(f"no answer to the login within {limit:g} s; {self._first_words()}"))

    def _first_words(self) -> str:
        if self.banner is not None:
            odd = "; it ends in CR LF, and the packets behind it in LF alone" if self._session.mixes_line_ends else ""
            return f"the server's first line was {printable(self.banner, 100)!r}{odd}"
        if self._stats.bytes_in:
            return "the server sent no whole line"
        return "the server sent nothing: is it the TLS port, which wants tls://?"

    def fail(self, error: AMIError) -> None:
        """End at once, with ``error`` as the reason. Called by what watches the link, and by the owner."""
        self._end(error, abort=True)

    def _lost(self, error: AMIError) -> None:
        if isinstance(error, ConnectionLost) and not self.connected:
            limit = "" if self._stats.bytes_in else AUTHLIMIT_HINT
            error = ConnectionLost(f"{error} before the login; {self._first_words()}{limit}", error.cause)
        suspect = self._session.last_list
        if isinstance(error, ConnectionLost) and suspect is not None and self._heard_just_now():
            self._suspect_list = suspect
            if not suspect.suspect:
                suspect.suspect = True
                self._count_suspect("the list behind which the server closed the connection")
        self.fail(error)

    def _heard_just_now(self) -> bool:
        return self.last_received is not None and self._loop.time() - self.last_received < JUST_NOW

    def _end(self, error: AMIError, *, abort: bool = False) -> None:
        """The one way to the end: sockets first, then every callback and ``disconnect``, then the owner."""
        if self.finished:
            return
        if self._session.logged_off:
            error = ConnectionFinished("logged off")
        if self.error is None:
            self._stats.count_error(error)
        self.error = self.error or error
        final = self._owner is None or isinstance(error, ConnectionFinished)
        owed = deque(self._session.finish(error, keep_retries=not final))
        self._tell_ending()
        if not abort:
            self._flush()
        self._link.close(abort=abort)
        self._watchdog.stop()
        if self._outcome is None or self._outcome.error is None:
            self._outcome = Packet.failure(error)
        self._tell_end(owed)

    def _tell_ending(self) -> None:
        if self._owner is not None and not self._ending:
            self._ending = True
            self._owner.connection_ending(self)

    def _tell_end(self, owed: deque[Done]) -> None:
        complete = False
        try:
            while owed:
                self._answer(owed.popleft())
            self._waiting_told()
            complete = True
            self._announce("disconnect")
        finally:
            if not complete:  # as above
                self._loop.call_soon(self._tell_end, owed)
            elif not self.has_retries:
                self._deadlines.clear()
            if self._owner is not None:
                self._owner.connection_lost(self)


def _overridden(conn: Connection, pool: Optional[ConnectionPool]) -> bool:
    """Whether events are to go through an ``emit`` or ``event`` that is not ours."""
    ours = [(conn, Connection)] if pool is None else [(conn, Connection), (pool, EventHandlers)]
    return any(overrides(one, name, base) for one, base in ours for name in ("emit", "event") if hasattr(one, name))
