"""What a connection tells about itself.

Source: phpDaemon Network/ClientConnection.php and IOStream.php.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from .state import State

if TYPE_CHECKING:
    from .link import Link
    from .options import Options
    from .session import Session
    from .url import ServerURL
    from .watchdog import Watchdog


class Facts:
    """The read-only side of a connection, gathered from its parts."""

    options: Options
    _server: ServerURL
    _session: Session
    _link: Link
    _watchdog: Watchdog

    def __repr__(self) -> str:
        return f"<Connection {self._server} {self.state.value}>"

    def __str__(self) -> str:
        return str(self._server)

    @property
    def state(self) -> State:
        """Where the connection is in its life."""
        return self._session.state

    @property
    def connected(self) -> bool:
        """True from the login to the end."""
        return self.state is State.CONNECTED

    @property
    def finished(self) -> bool:
        """True once it has ended, or if it never began; nothing can be sent any more."""
        return self.state is State.FINISHED

    @property
    def host(self) -> str:
        """The host of the URL; the path of a unix socket."""
        return self._server.host

    @property
    def port(self) -> Optional[int]:
        """The port of the URL, or the pool's option; None for a unix socket."""
        return self._link.port

    @property
    def addr(self) -> str:
        """The peer as ``host:port``; ``""`` before it was reached."""
        return self._link.addr

    @property
    def username(self) -> str:
        """The user who logs in."""
        return self._session.login.username

    @property
    def timeout(self) -> Optional[float]:
        """Seconds of silence after which the link counts as dead; None for never."""
        return self.options.timeout

    @property
    def last_received(self) -> Optional[float]:
        """The loop's time, in seconds, when bytes came last; None before there was a connection."""
        return self._watchdog.last_received

    @property
    def banner(self) -> Optional[str]:
        """The first line that the server sent, None before it came."""
        return self._session.banner

    @property
    def ami_version(self) -> Optional[str]:
        """The protocol's version, as ``5.0.4``; the whole first line if it is no Asterisk's; None before it came."""
        return self._session.ami_version

    @property
    def dropped(self) -> int:
        """How many pieces of the stream were no event and belonged to no action."""
        return self._session.dropped

    def is_connected(self) -> bool:
        """The same as :attr:`connected`."""
        return self.connected

    def is_finished(self) -> bool:
        """The same as :attr:`finished`."""
        return self.finished
