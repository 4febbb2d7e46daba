"""What a connection tells about itself.

Source: phpDaemon Network/ClientConnection.php and IOStream.php.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Optional

from .callbacks import logger
from .encode import printable
from .state import State

if TYPE_CHECKING:
    from .errors import AMIError
    from .link import Link
    from .options import Options
    from .packet import Packet
    from .session import Session
    from .stats import Stats
    from .url import ServerURL
    from .watchdog import Watchdog

# For the log.
STATE_TEXTS = {
    State.CONNECTING: "connecting",
    State.BANNER: "connected",
    State.CHALLENGE: "asked for a challenge",
    State.LOGIN: "logging in",
    State.CONNECTED: "logged in",
    State.REFUSED: "refused",
    State.FINISHED: "finished",
}


class Facts:
    """The read-only side of a connection, gathered from its parts."""

    options: Options
    error: Optional[AMIError]
    _suspect_list: Optional[Packet] = None
    _begun = False
    _round_trip: Optional[float]
    _stats: Stats
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
    def round_trip(self) -> Optional[float]:
        """Seconds from the last Ping that was answered to its answer; None before there was one."""
        return self._round_trip

    @property
    def suspect(self) -> Optional[Packet]:
        """The last list answer that turned out to be suspect behind its end, else None. Its ``suspect`` is set.

        Nothing came behind it but the end of the connection: Asterisk cuts what a slow reader does not take in time,
        goes on to the list's end and then closes, so that parts of it may be lost. It is set before ``disconnect`` is
        told. Or more entries came behind its end, which was forged then.
        """
        return self._suspect_list

    @property
    def stats(self) -> Stats:
        """What has been counted so far, as a copy. May be read from any thread."""
        stats = replace(self._stats, limits=self._stats.limits.copy())
        stats.pending = self._session.pending
        stats.buffered = self._link.buffered
        stats.connections = int(not self.finished)
        stats.connected = int(self.connected)
        return stats

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
        return self._stats.dropped

    def is_connected(self) -> bool:
        """The same as :attr:`connected`."""
        return self.connected

    def is_finished(self) -> bool:
        """The same as :attr:`finished`."""
        return self.finished

    def _log_state(self, state: State) -> None:
        told = {State.CONNECTED: self.banner, State.FINISHED: self.error}.get(state)
        self._begun = self._begun or state is State.CONNECTING
        level = logging.INFO if told and self._begun else logging.DEBUG
        if logger.isEnabledFor(level):
            logger.log(level, "%s: %s%s", self, STATE_TEXTS[state], f": {printable(str(told))}" if told else "")
