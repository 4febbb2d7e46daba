"""One connection to an Asterisk server: a session over a stream.

Source: phpDaemon Clients/Asterisk/Connection.php and Network/ClientConnection.php.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Callable, Optional, Protocol

from .actions import Actions, Callback
from .callbacks import StackCallbacks, call_guarded, logger, require_callable, trim_arguments
from .encode import Params
from .errors import ActionTimeout, AMIError, ConnectionFinished, LoginTimeout, ProtocolError
from .events import EventHandlers
from .facts import Facts
from .inflight import Done
from .link import Link
from .options import Options, seconds
from .packet import Packet
from .pending import Assertion, Pending
from .session import EventReceived, Login, LoginDone, Outcome, Session
from .state import Move
from .url import ServerURL
from .watchdog import Watchdog

if TYPE_CHECKING:
    from .loop import Loop


class Owner(Protocol):
    """A pool, as its connections know it: what users may ask of ``conn.pool``, and what the connection tells it."""

    @property
    def reactor(self) -> Loop:
        """The loop that the connections live on."""

    @property
    def get_connection(self) -> Callable[..., bool]:
        """As :meth:`ami_client.Pool.get_connection`."""

    def finish(self, graceful: bool = False) -> None:
        """As :meth:`ami_client.Pool.finish`."""

    def emit(self, event: str, *args: object) -> bool:
        """Emit an event of the connection, ``args[0]``, on the pool as well."""

    def connection_busy(self, conn: Connection) -> None:
        """The connection was acquired, or is coming to its end: nobody else is to be given it."""

    def connection_ready(self, conn: Connection) -> None:
        """The connection is logged in, or was given back."""

    def connection_lost(self, conn: Connection) -> None:
        """The connection is finished, and everybody was told."""


class Connection(Facts, Actions, EventHandlers):
    """A connection, made by :meth:`ami_client.Pool.get_connection`.

    Events: ``connected`` and ``disconnect`` call ``handler(conn)``; ``event_<name>`` (in lower case) and then ``event``
    call ``handler(conn, packet)`` for every event of the server that is no part of an answer.

    Attributes:
        url: the URL as it was given; the pool's key. It may hold the secret: for showing, use ``str(conn)``.
        pool: the pool, or None.
        error: why the connection ended or never came to be; None while it lives.
    """

    def __init__(self, url: str, server: ServerURL, options: Options, loop: Loop, pool: Optional[Owner] = None) -> None:
        super().__init__()
        self.url = url
        self.pool = pool
        self.options = options
        self.error: Optional[AMIError] = None
        self._server = server
        self._loop = loop
        self._session = Session(
            Login(
                options.username if server.username is None else server.username,
                options.secret if server.secret is None else server.secret,
                options.authtype,
                str(options.events),
            ),
            id_prefix=os.urandom(6).hex(),
            fold_case=options.fold_case,
            max_packet=options.max_packet,
            max_waiting=options.max_waiting,
        )
        self._link = Link(loop, server, options, on_open=self._opened, on_data=self._received, on_lost=self.fail)
        self._watchdog = Watchdog(
            loop,
            timeout=options.timeout,
            login_timeout=options.login_timeout,
            ask=self._ask,
            on_silence=self.fail,
            on_late_login=self._login_late,
        )
        self._waiting = StackCallbacks()
        self._outcome: Optional[Packet] = None  # of the login, for on_connected
        self._acquired = False

    def is_busy(self) -> bool:
        """Whether it is acquired."""
        return self._acquired

    def on_connected(self, cb: Callable[..., object]) -> None:
        """Call ``cb(conn, packet)`` once the login has succeeded or failed; at once if it already has.

        ``packet`` is the server's answer to the login, or a failure packet. A callback with room for one argument gets
        ``conn`` alone. Check ``conn.connected``. Source: phpDaemon ClientConnection.php, onConnected.
        """
        require_callable(cb)
        cb = trim_arguments(cb)
        if self._outcome is not None:
            call_guarded(cb, self, self._outcome)
        else:
            self._waiting.push(cb)

    def acquire(self) -> None:
        """Take the connection out of the pool's hands: nobody else is given it until :meth:`release`."""
        self._acquired = True
        if self.pool is not None:
            self.pool.connection_busy(self)

    def release(self) -> None:
        """Give the connection back to the pool, which may hand it to a waiting callback at once."""
        if self._acquired:
            self._acquired = False
            self._offer()

    def connect(self) -> None:
        """Begin to connect. Called by the pool."""
        self._session.move(Move.CONNECT)
        self._link.open()

    def finish(self) -> None:
        """End: what is open fails, ``disconnect`` is emitted; what was written is sent, then the socket closes."""
        self._end(ConnectionFinished("the connection was finished"))

    def close(self) -> None:
        """As :meth:`finish`, but the socket closes at once, and what was not sent yet is lost."""
        self._end(ConnectionFinished("the connection was closed"), abort=True)

    def graceful_shutdown(self) -> None:
        """Send Logoff, then :meth:`finish`, without waiting for the Goodbye."""
        if self.connected:
            self.logoff()
        self.finish()

    def _send(
        self,
        action: str,
        cb: Callback,
        params: Optional[Params],
        assertions: Optional[Sequence[Assertion]],
        timeout: Optional[float],
    ) -> str:
        if self.finished:
            raise ConnectionFinished(f"{self} is finished; get another connection from the pool")
        if cb is not None:
            require_callable(cb)
        limit = self.options.action_timeout if timeout is None else seconds("timeout", timeout)
        pending = self._session.send(action, params, cb, assertions)
        if cb is not None:
            self._watch(pending, limit)
        self._flush()
        return pending.action_id

    def _expect_result(self, action_id: str, on_result: Callable[..., object], timeout: float) -> None:
        limit = self.options.action_timeout
        self._watch(self._session.expect_result(action_id, on_result), None if limit is None else timeout + limit)

    def _watch(self, pending: Pending, limit: Optional[float]) -> None:
        if limit is not None:
            pending.timer = self._loop.call_later(limit, self._action_timed_out, pending, limit)

    def _action_timed_out(self, pending: Pending, limit: float) -> None:
        error = ActionTimeout(f"no complete answer to {pending.action} within {limit:g} s")
        result = self._session.give_up(pending, error)
        if result is not None:
            self._answer(Done(pending, result))

    def _answer(self, done: Done) -> None:
        if done.pending.timer is not None:
            done.pending.timer.cancel()
        if done.pending.callback is not None:
            call_guarded(done.pending.callback, self, done.result)

    def _flush(self) -> None:
        self._link.write(self._session.take_outgoing())

    def _opened(self) -> None:
        self._session.move(Move.OPENED)
        self._watchdog.start()

    def _login_done(self, packet: Packet) -> None:
        self._watchdog.logged_in()
        self._outcome = packet
        self._flush()  # actions that waited for the login
        self.error = packet.error
        if packet.error is None:
            logger.info("%s: logged in, %s", self, self.banner)
        self._tell_login(packet)

    def _tell_login(self, packet: Packet) -> None:
        complete = False
        try:
            self._waiting.execute_all(self, packet)
            complete = True
            if self.connected:
                self.event("connected")
        finally:  # even when a KeyboardInterrupt passes
            if packet.error is not None:
                self._end(packet.error)
            self._offer()
            if not complete:  # should the loop run on, the others are still told
                self._loop.call_soon(self._tell_login, packet)

    def _offer(self) -> None:
        if self.connected and self.pool is not None:
            self.pool.connection_ready(self)

    def _received(self, data: bytes) -> None:
        self._watchdog.heard()
        self._session.feed(data)
        self._handle(self._session.outcomes())

    def _handle(self, outcomes: Iterator[Outcome]) -> None:
        dropped = self.dropped
        try:
            for outcome in outcomes:
                if isinstance(outcome, EventReceived):
                    self._emit_event(outcome.packet)
                elif isinstance(outcome, Done):
                    self._answer(outcome)
                elif isinstance(outcome, LoginDone):
                    self._login_done(outcome.packet)
        except ProtocolError as error:
            self.fail(error)
        except BaseException:  # a KeyboardInterrupt passes; should the loop run on, what has arrived is still handled
            self._loop.call_soon(self._handle, outcomes)
            raise
        if self.dropped > dropped:
            logger.debug("%s: dropped %d packets that belong to nobody", self, self.dropped - dropped)
        self._flush()

    def _emit_event(self, packet: Packet) -> None:
        for name in (f"event_{packet.event_name}", "event"):
            if not self.finished:  # looked at again after each callback
                self.event(name, packet)

    def emit(self, event: str, *args: Any, **kwargs: Any) -> bool:
        """Emit on the connection, then on its pool. True if anybody listened.

        When the connection's own handlers end it, the pool hears ``disconnect`` and nothing after it.
        """
        finished = self.finished
        heard = super().emit(event, *args, **kwargs)
        if event == "new_listener" or self.finished is not finished:  # the first is pyee's own, at each binding
            return heard
        if self.pool is not None:
            heard = self.pool.emit(event, *args, **kwargs) or heard
        return heard

    def _ask(self) -> None:
        if self.connected:
            # With a callback, for its answer is not to count as dropped. The silence itself is the limit.
            self.ping(lambda conn, packet: None, timeout=float("inf"))

    def _login_late(self, limit: float) -> None:
        if self.banner is None:
            said = "the server sent nothing: is it the TLS port, which wants tls://?"
        else:
            said = f"the server's first line was {self.banner[:100]!r}"
        self.fail(LoginTimeout(f"no answer to the login within {limit:g} s; {said}"))

    def fail(self, error: AMIError) -> None:
        """End at once, with ``error`` as the reason. Called by what watches the link, and by the pool."""
        self._end(error, abort=True)

    def _end(self, error: AMIError, *, abort: bool = False) -> None:
        """The one way to the end: sockets first, then every callback and ``disconnect``, then the pool."""
        if self.finished:
            return
        logger.info("%s: %s", self, error)
        self.error = self.error or error
        owed = deque(self._session.finish(error))
        if self.pool is not None:
            self.pool.connection_busy(self)  # callbacks that ask the pool now are not to get this one again
        self._link.close(abort=abort)
        self._watchdog.stop()
        if self._outcome is None or self._outcome.error is None:
            self._outcome = Packet.failure(error)
        self._tell_end(owed, self._outcome)

    def _tell_end(self, owed: deque[Done], outcome: Packet) -> None:
        complete = False
        try:
            while owed:
                self._answer(owed.popleft())
            self._waiting.execute_all(self, outcome)
            complete = True
            self.event("disconnect")
        finally:
            if self.pool is not None:
                self.pool.connection_lost(self)
            if not complete:  # a KeyboardInterrupt passes; should the loop run on, the others are still told
                self._loop.call_soon(self._tell_end, owed, outcome)
