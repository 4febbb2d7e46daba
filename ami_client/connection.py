"""One connection to an Asterisk server, as its users know it.

Source: phpDaemon Clients/Asterisk/Connection.php and Network/ClientConnection.php.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Callable, Optional

from .actions import Actions, Callback
from .callbacks import trim_arguments
from .emitter import EventHandlers
from .errors import LimitReached

if TYPE_CHECKING:
    from ._client.driver import ConnectionPool, Driver
    from ._engine.encode import Params
    from ._engine.packet import Packet
    from ._engine.pending import Assertion
    from ._engine.quirks import Quirk
    from ._engine.state import State
    from .errors import AMIError
    from .options import Options
    from .stats import Stats


class Connection(Actions, EventHandlers):
    """A connection, made by :meth:`ami_client.Pool.get_connection`.

    In a forked child all methods that send or end raise RuntimeError: the connection is its parent's.

    Events: ``connected`` and ``disconnect`` call ``handler(conn)``; ``login``, before anybody else hears of the login,
    calls ``handler(conn, packet)`` with the server's answer; ``event_<name>`` (in lower case) and then ``event`` call
    ``handler(conn, packet)`` for every event of the server that is no part of an answer.
    """

    def __init__(self, driver: Driver) -> None:
        super().__init__()
        self._driver = driver
        self._send = driver.send  # type: ignore[method-assign]  # in place of the method: a call less for each action
        driver.attach(self, Connection)

    def __repr__(self) -> str:
        return f"<Connection {self._driver} {self.state.value}>"

    def __str__(self) -> str:
        return str(self._driver)

    # -- what it is

    @property
    def url(self) -> str:
        """The URL as it was given; the pool's key. It may hold the secret: for showing, use ``str(conn)``."""
        return self._driver.url

    @property
    def pool(self) -> Optional[ConnectionPool]:
        """The pool; None for a connection that never was."""
        return self._driver.pool

    @property
    def options(self) -> Options:
        """The pool's options, as the fragment of the URL and the call for it have changed them."""
        return self._driver.options

    @property
    def state(self) -> State:
        """Where the connection is in its life."""
        return self._driver.state

    @property
    def connected(self) -> bool:
        """True from the login to the end."""
        return self._driver.is_connected

    @property
    def finished(self) -> bool:
        """True once it has ended, or if it never began; nothing can be sent any more."""
        return self._driver.is_finished

    @property
    def error(self) -> Optional[AMIError]:
        """Why the connection ended or never came to be; None while it lives."""
        return self._driver.error

    @property
    def host(self) -> str:
        """The host of the URL; the path of a unix socket."""
        return self._driver.address.host

    @property
    def port(self) -> Optional[int]:
        """The port of the URL, or the pool's option; None for a unix socket."""
        return self._driver.transport.port

    @property
    def addr(self) -> str:
        """The peer as ``host:port``; ``""`` before it was reached."""
        return self._driver.transport.addr

    @property
    def username(self) -> str:
        """The user who logs in."""
        return self._driver.session.login.username

    @property
    def timeout(self) -> Optional[float]:
        """Seconds of silence after which the link counts as dead; None for never."""
        return self.options.timeout

    @property
    def last_received(self) -> Optional[float]:
        """The loop's time, in seconds, when bytes came last; None before there was a connection."""
        return self._driver.watchdog.last_received

    @property
    def round_trip(self) -> Optional[float]:
        """Seconds from the last Ping that was answered to its answer; None before there was one."""
        return self._driver.round_trip

    @property
    def suspect(self) -> Optional[Packet]:
        """The last list answer that turned out to be suspect behind its end, else None. Its ``suspect`` is set.

        Nothing came behind it but the end of the connection: Asterisk cuts what a slow reader does not take in time,
        goes on to the list's end and then closes, so that parts of it may be lost. It is set before ``disconnect`` is
        told. Or more entries came behind its end, which was forged then.
        """
        return self._driver.suspect

    @property
    def stats(self) -> Stats:
        """What has been counted so far, as a copy. May be read from any thread."""
        return self._driver.stats

    @property
    def banner(self) -> Optional[str]:
        """The first line that the server sent, None before it came."""
        return self._driver.session.banner

    @property
    def ami_version(self) -> Optional[str]:
        """The protocol's version, as ``5.0.4``; the whole first line if it is no Asterisk's; None before it came."""
        return self._driver.session.ami_version

    @property
    def dropped(self) -> int:
        """How many pieces of the stream were no event and belonged to no action."""
        return self._driver.counts.dropped

    def is_connected(self) -> bool:
        """The same as :attr:`connected`."""
        return self.connected

    def is_finished(self) -> bool:
        """The same as :attr:`finished`."""
        return self.finished

    def is_busy(self) -> bool:
        """Whether it is acquired."""
        return self._driver.acquired

    # -- its life

    def on_connected(self, cb: Callable[..., object]) -> None:
        """Call ``cb(conn, packet)`` once the login has succeeded or failed; at once if it already has.

        ``packet`` is the server's answer to the login, or a failure packet. A callback with room for one argument gets
        ``conn`` alone. Check ``conn.connected``. Source: phpDaemon ClientConnection.php, onConnected.
        """
        self._driver.check_process()
        self._driver.tell(trim_arguments(cb))

    def acquire(self) -> None:
        """Take the connection out of the pool's hands: nobody else is given it until :meth:`release`."""
        self._driver.check_process()
        self._driver.acquire()

    def release(self) -> None:
        """Give the connection back to the pool, which may hand it to a waiting callback at once."""
        self._driver.check_process()
        self._driver.release()

    def finish(self) -> None:
        """End: what is open fails, ``disconnect`` is emitted; what was written is sent, then the socket closes.

        It is not opened again, with the option ``reconnect`` neither; nor is one that was lost and waits for its delay.
        """
        self._driver.check_process()
        self._driver.finish()

    def close(self) -> None:
        """As :meth:`finish`, but the socket closes at once, and what was not sent yet is lost."""
        self._driver.check_process()
        self._driver.finish(abort=True)

    def graceful_shutdown(self) -> None:
        """Send Logoff, then :meth:`finish`, without waiting for the Goodbye."""
        self._driver.check_process()
        if self.connected:
            with suppress(LimitReached):  # a server that does not read hears no Logoff either
                self.logoff()
        self.finish()

    # -- what its bases ask for

    def emit(self, event: str, *args: Any, **kwargs: Any) -> bool:
        """Emit on the connection, then on its pool. True if anybody listened.

        When the connection's own handlers end it, the pool hears ``disconnect`` and nothing after it.
        """
        return self._driver.dispatch.emit(super().emit, self.is_finished, event, *args, **kwargs)

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
    ) -> str:
        return self._driver.send(action, cb, params, assertions, timeout, retry, quirk)

    def _expect_result(self, action_id: str, on_result: Callable[..., object], timeout: float) -> None:
        self._driver.expect_result(action_id, on_result, timeout)
