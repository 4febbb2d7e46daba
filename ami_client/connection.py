"""The public face of one connection to an Asterisk server.

Source: phpDaemon Clients/Asterisk/Connection.php and Network/ClientConnection.php.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Callable, Optional, overload

from .actions import Actions, Callback
from .callbacks import CONN_PACKET, logger, trim_arguments
from .emitter import EventHandlers
from .errors import LimitReached

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._client.driver import ConnectionPool, Driver
    from ._engine.encode import Params
    from ._engine.in_flight import Assertion
    from ._engine.packet import Packet
    from ._engine.quirks import Quirk
    from ._engine.state import State
    from .errors import AMIError
    from .options import Options
    from .signatures import ConnectionCallback, OneArgumentCallback, PacketCallback
    from .stats import Stats
    from .tasks import Tasks


#: A connection that has more handlers than this for one event logs a warning, once.
MANY_HANDLERS = 10


class Connection(Actions, EventHandlers):
    """A connection, made by :meth:`ami_client.Pool.get_connection`.

    In a forked child, every method that sends something or ends the connection raises RuntimeError, because the
    connection belongs to the parent.

    Events:

    * ``connected`` and ``disconnect`` call ``handler(conn)``. In a ``disconnect`` handler, :attr:`lost` tells whether
      the connection was lost or somebody asked for the end, and :attr:`reconnecting` whether the pool tries again.
    * ``login`` calls ``handler(conn, packet)`` with the server's answer, before any callback learns of the login.
    * ``event_<name>`` (in lower case) and then ``event`` call ``handler(conn, packet)`` for every server event that is
      not part of an answer.
    """

    def __init__(self, driver: Driver) -> None:
        super().__init__()
        self._driver = driver
        self._send = driver.send  # type: ignore[method-assign]  # an action's way passes one file fewer
        driver.attach(self, Connection)

    _warned_of_handlers = False

    def _add(self, name: str, handler: Callable[..., object]) -> None:
        super()._add(name, handler)
        if not self._warned_of_handlers and len(self.listeners(name)) > MANY_HANDLERS:
            self._warned_of_handlers = True
            logger.warning(
                "%s has more than %d handlers of %r. The connection is shared and keeps them all. Do not bind a handler"
                " in each get_connection callback: bind it once, on the pool or in before_connect",
                *(self, MANY_HANDLERS, name),
            )

    def __repr__(self) -> str:
        return f"<Connection {self._driver} {self.state.value}>"

    def __str__(self) -> str:
        return str(self._driver)

    # -- properties

    @property
    def url(self) -> str:
        """The URL as given, which the pool uses as its key. It may contain the secret; ``str(conn)`` never does."""
        return self._driver.url

    @property
    def pool(self) -> Optional[ConnectionPool]:
        """The pool. None for a placeholder connection, which is passed to a callback when there is no real one."""
        return self._driver.pool

    @property
    def options(self) -> Options:
        """The pool's options, as changed by the URL's fragment and the arguments of ``get_connection``."""
        return self._driver.options

    @property
    def state(self) -> State:
        """The connection's current state."""
        return self._driver.state

    @property
    def connected(self) -> bool:
        """True from the login until the connection ends."""
        return self._driver.is_connected

    @property
    def finished(self) -> bool:
        """True once the connection has ended, and if it was never made. Nothing can be sent any more."""
        return self._driver.is_finished

    @property
    def error(self) -> Optional[AMIError]:
        """Why the connection ended or was never made. None while it is open."""
        return self._driver.error

    @property
    def lost(self) -> bool:
        """True if the connection ended, or was never made, without anybody asking for it. :attr:`error` says why.

        False while the connection is open, and after :meth:`finish`, :meth:`close`, ``Pool.finish`` or an answered
        Logoff.
        """
        return self._driver.is_lost

    @property
    def reconnecting(self) -> bool:
        """True if the connection has ended and the pool will open it again: the next attempt is scheduled or running.

        False without the option ``reconnect``, and if the login was refused for good. The value is set before the
        callbacks learn of the end. So a connection that is lost and not reconnecting in ``disconnect`` is lost for
        good.
        """
        return self._driver.is_reconnecting

    @property
    def host(self) -> str:
        """The host of the URL, or the path of a unix socket."""
        return self._driver.address.host

    @property
    def port(self) -> Optional[int]:
        """The port of the URL, or the pool's option; None for a unix socket."""
        return self._driver.transport.port

    @property
    def addr(self) -> str:
        """The peer as ``host:port``; ``""`` until it is reached."""
        return self._driver.transport.addr

    @property
    def username(self) -> str:
        """The user name of the login."""
        return self._driver.session.login.username

    @property
    def timeout(self) -> Optional[float]:
        """Seconds of silence after which the link is considered dead; None for never."""
        return self.options.timeout

    @property
    def last_received(self) -> Optional[float]:
        """When bytes last arrived, in seconds on the loop's clock. None until the connection is made."""
        return self._driver.watchdog.last_received

    @property
    def round_trip(self) -> Optional[float]:
        """Round-trip time of the last answered Ping, in seconds; None before the first one."""
        return self._driver.round_trip

    @property
    def suspect(self) -> Optional[Packet]:
        """The last list answer that became suspect after it ended, with its ``suspect`` set. None if there was none.

        There are two cases. In the first, the connection ended right after the list: Asterisk drops what a slow reader
        does not take in time, still sends the end of the list, and then closes the connection, so entries may be
        missing. This case is set before ``disconnect`` is emitted. In the second, more entries followed the end of the
        list, so that end was forged.
        """
        return self._driver.suspect

    @property
    def stats(self) -> Stats:
        """A copy of the current counters. May be read from any thread."""
        return self._driver.stats

    @property
    def banner(self) -> Optional[str]:
        """The first line that the server sent. None until it arrives."""
        return self._driver.session.banner

    @property
    def ami_version(self) -> Optional[str]:
        """The protocol version, such as ``5.0.4``; the whole banner if it is not Asterisk's. None until it arrives."""
        return self._driver.session.ami_version

    @property
    def dropped(self) -> int:
        """How many pieces of the stream were neither an event nor part of the answer to an action."""
        return self._driver.counts.dropped

    def is_connected(self) -> bool:
        """The same as :attr:`connected`."""
        return self.connected

    def is_finished(self) -> bool:
        """The same as :attr:`finished`."""
        return self.finished

    def is_busy(self) -> bool:
        """Return whether the connection is reserved by :meth:`acquire`."""
        return self._driver.acquired

    def cancel(self, action_id: str) -> bool:
        """Give up an action. Its callbacks are called at once, with a failure packet whose ``error`` is
        :class:`~ami_client.errors.Cancelled`. The server may still execute the action; its answer is then ignored.

        Returns False if there is no such action, or it was already answered.
        """
        self._driver.check_process()
        return self._driver.cancel(action_id)

    # -- lifecycle

    @overload
    def on_connected(self, cb: PacketCallback[Self]) -> None: ...
    @overload
    def on_connected(self, cb: OneArgumentCallback[Self]) -> None: ...
    def on_connected(self, cb: ConnectionCallback[Self]) -> None:
        """Call ``cb(conn, packet)`` when the login has succeeded or failed. If it already has, call it at once.

        Check ``conn.connected`` in the callback. ``packet`` is the server's answer to the login, or a failure packet.
        A callback that takes one argument gets only ``conn``. Source: phpDaemon ClientConnection.php, onConnected.
        """
        self._driver.check_process()
        self._driver.tell(self._tasks.check(trim_arguments(cb, coroutines=True)))

    def acquire(self) -> None:
        """Reserve the connection. The pool gives it to nobody else until :meth:`release`."""
        self._driver.check_process()
        self._driver.acquire()

    def release(self) -> None:
        """Return the connection to the pool. The pool may give it to a waiting callback at once."""
        self._driver.check_process()
        self._driver.release()

    def finish(self) -> None:
        """End the connection: fail open actions, emit ``disconnect``, send what is buffered, then close the socket.

        The connection is not opened again, even with the option ``reconnect``. If a lost connection is waiting for its
        back-off delay, that retry is cancelled.
        """
        self._driver.check_process()
        self._driver.finish()

    def close(self) -> None:
        """Like :meth:`finish`, but close the socket at once. Unsent data is lost."""
        self._driver.check_process()
        self._driver.finish(abort=True)

    def graceful_shutdown(self) -> None:
        """Send Logoff, then :meth:`finish` without waiting for the answer."""
        self._driver.check_process()
        if self.connected:
            with suppress(LimitReached):  # the server does not read, so it would not see the Logoff
                self.logoff()
        self.finish()

    # -- required by the base classes

    def emit(self, event: str, *args: Any, **kwargs: Any) -> bool:
        """Emit on the connection, then on its pool. Return whether there was any handler.

        If the connection's own handlers end it, the pool gets ``disconnect`` and nothing after it.
        """
        return self._driver.dispatch.emit(super().emit, self.is_finished, event, *args, **kwargs)

    @property
    def _tasks(self) -> Tasks:  # type: ignore[override]
        return self._driver.tasks

    def _call(self, cb: Callable[..., object], *args: object, **kwargs: object) -> object:
        return self._driver.guard(cb, *args, **kwargs)

    def _send(
        self,
        action: str,
        cb: Callback,
        params: Optional[Params],
        assertions: Optional[Sequence[Assertion]],
        timeout: Optional[float],
        retry: bool,
        quirk: Optional[Quirk] = None,
        on_entry: Optional[Callable[..., object]] = None,
    ) -> str:
        return self._driver.send(action, cb, params, assertions, timeout, retry, quirk, on_entry)

    def _checked(self, cb: PacketCallback[Self], what: str) -> PacketCallback[Self]:
        return self._driver.tasks.check(cb, what, CONN_PACKET)

    def _expect_result(self, action_id: str, on_result: PacketCallback[Self], timeout: float) -> None:
        self._driver.expect_result(action_id, on_result, timeout)
