"""The start of a session: the server's banner, the login and its answer. No I/O here.

Sources: Asterisk main/manager.c (authenticate, process_message); phpDaemon Clients/Asterisk/Connection.php.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable, Optional

from .._record import Record, field
from ..errors import LoginRefused, ProtocolError
from ..stats import Stats
from .encode import encode_headers
from .framing import DEFAULT_MAX_PACKET
from .packet import DEFAULT_MAX_LINES, Kind, Packet, PacketReader, first_is, mark_error, server_reason
from .state import BANNER, CONNECTED, FINISHED, Move, State, StateMachine
from .text import ENCODING, ENCODING_ERRORS, TRIMMED, ascii_lower

# Asterisk's refusals while it stops, and while it still holds the lost session open (manager.c, process_message and
# authenticate). The next attempt may succeed.
TEMPORARY_REFUSALS = ("shutting down", "already in use")

# Hint for a server that does not know the action Challenge.
PLAIN_HINT = "if the server does not support md5 logins, try authtype='plain', which sends the secret itself"


class Login(Record):
    """Credentials and login method. ``authtype`` is ``md5`` or ``plain``."""

    username: str
    secret: str = field(repr=False)
    authtype: str = "md5"
    events: str = "on"

    def ask_challenge(self) -> bytes:
        """Return the first message of the md5 login."""
        return encode_headers([("Action", "Challenge"), ("AuthType", "MD5")])

    def md5(self, challenge: str) -> bytes:
        """Return the second message of the md5 login, with a digest instead of the secret."""
        key = _md5((challenge + self.secret).encode(ENCODING, ENCODING_ERRORS))
        who = [("Username", self.username), ("Key", key), ("Events", self.events)]
        return encode_headers([("Action", "Login"), ("AuthType", "MD5"), *who])

    def plain(self) -> bytes:
        """Return the only message of the plain login."""
        who = [("Username", self.username), ("Secret", self.secret), ("Events", self.events)]
        return encode_headers([("Action", "login"), *who])


def _md5(data: bytes) -> str:
    try:
        # Python's own. hashlib prefers OpenSSL, and takes 4 MB of memory to load it.
        from _md5 import md5  # type: ignore[import-not-found]  # typeshed has only what is public
    except ImportError:  # a Python that was built without
        from hashlib import md5
    digest: str = md5(data, usedforsecurity=False).hexdigest()
    return digest


class LoginDone(Record):
    """The login is over. ``packet.error`` says why it failed, or is None."""

    packet: Packet


class Greeting(StateMachine):
    """A session until the end of its login.

    Attributes:
        state, banner: the current :class:`State`; the server's first line, None until it arrives.
        stats: its counters: events, responses, logins, malformed, dropped.
        outgoing: bytes to send to the server.
        reader: makes packets from the server's bytes.
    """

    def __init__(
        self,
        login: Login,
        *,
        fold_case: bool = True,
        max_packet: int = DEFAULT_MAX_PACKET,
        max_lines: int = DEFAULT_MAX_LINES,
        stats: Optional[Stats] = None,
        on_state: Optional[Callable[[State], object]] = None,
    ) -> None:
        super().__init__(on_state)
        self.login = login
        self.stats = Stats() if stats is None else stats
        self.reader = PacketReader(fold_case=fold_case, max_packet=max_packet, max_lines=max_lines)
        self.outgoing = bytearray()
        self._waiting: dict[str, bytes] = {}  # actions that wait for the login, by folded ActionID

    @property
    def banner(self) -> Optional[str]:
        """The server's first line, trimmed. None until it arrives."""
        return self.reader.banner

    @property
    def mixes_line_ends(self) -> bool:
        """Whether the banner ended with CR LF but a later packet ends with LF only, so its end is not found."""
        return self.reader.mixes_line_ends

    @property
    def ami_version(self) -> Optional[str]:
        """The version in the banner, or the whole banner if it is not Asterisk's. None until it arrives."""
        return None if self.banner is None else self.banner.removeprefix("Asterisk Call Manager/")

    def _log_in(self) -> Iterator[LoginDone]:
        while self.state not in (CONNECTED, FINISHED):
            packet = self.reader.next_packet()
            if self.state is BANNER and self.banner is not None:
                self._start_login()
            if packet is None:
                return
            yield from self._receive_before_login(packet)

    def _start_login(self) -> None:
        if self.login.authtype == "md5":
            self.move(Move.ASK_CHALLENGE)
            self.outgoing += self.login.ask_challenge()
        else:
            self.move(Move.SEND_LOGIN)
            self.outgoing += self.login.plain()

    def _receive_before_login(self, packet: Packet) -> Iterator[LoginDone]:
        self.stats.responses += packet.kind is Kind.RESPONSE
        if packet.kind is Kind.RESPONSE and self.state is State.CHALLENGE:
            yield from self._receive_challenge(packet)
        elif packet.kind is Kind.RESPONSE and self.state is State.LOGIN:
            yield self._end_login(packet)
        else:
            self._drop(packet)  # before the login nothing else is for us, after a refusal nothing at all

    def _receive_challenge(self, packet: Packet) -> Iterator[LoginDone]:
        challenge = "".join(packet.originals("challenge")[:1]).strip(TRIMMED)
        if mark_error(packet) or not challenge:
            packet.error = packet.error or ProtocolError(
                f"the server sent no challenge for the md5 login; {PLAIN_HINT}"
            )
            yield self._end_login(packet)
            return
        self.move(Move.SEND_LOGIN)
        self.outgoing += self.login.md5(challenge)

    def _end_login(self, packet: Packet) -> LoginDone:
        if packet.error is None and first_is(packet, "response", "success"):
            self.stats.logins += 1
            self.move(Move.ACCEPTED)
            self.outgoing += b"".join(self._waiting.values())
            self._waiting.clear()
        else:
            if not isinstance(packet.error, ProtocolError):
                reason = server_reason(packet)
                temporary = any(sign in ascii_lower(reason) for sign in TEMPORARY_REFUSALS)
                hint = f"; {PLAIN_HINT}" if self.state is State.CHALLENGE and not temporary else ""
                if not self.login.secret and not temporary:
                    hint = "; there was no secret: put it into the URL, or pass the option secret"
                packet.error = LoginRefused(f"login refused: {reason}{hint}", temporary=temporary)
            self.move(Move.REFUSED)
        return LoginDone(packet)

    def _drop(self, packet: Packet) -> None:
        self.stats.dropped += 1
        if packet.kind is Kind.TEXT:
            self.stats.malformed += packet.raw.count(b"\n") + 1
