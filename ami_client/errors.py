"""The exceptions that this library raises or stores in ``conn.error`` and ``packet.error``.

::

    AMIError
    +-- ConnectionFinished      the connection or pool is finished (raised)
    +-- LimitReached            one of our limits: a queue is full (raised), or an answer is too long
    +-- ConnectFailed           no connection was made (also a ConnectionError)
    |   +-- NoServer            no URL was given and none is configured
    |   +-- TLSFailed           the TLS handshake failed, or the certificate was refused
    +-- ConnectionLost          the connection ended (also a ConnectionError)
    +-- LoginRefused            the server answered the login with an error
    +-- ActionFailed            the server answered an action with an error
    +-- Cancelled               the caller gave up an action or a wait for a connection
    +-- ProtocolError           the peer does not speak AMI, or exceeds our limits
    +-- Timeout                 something took too long (also a TimeoutError)
        +-- ConnectTimeout
        +-- LoginTimeout
        +-- ActionTimeout
        +-- SilenceTimeout      nothing was received for ``timeout`` seconds

A caller's mistake (a line feed in a value, an unknown option, a malformed URL) raises ``ValueError`` or ``TypeError``
at once. Failures of the server or the network never raise: callbacks report them.
"""

from __future__ import annotations

from typing import Any, Optional


class AMIError(Exception):
    """Base class of all errors of this library."""


class ConnectionFinished(AMIError):
    """The connection or the pool is finished: nothing more can be sent.

    Source: phpDaemon Clients/Asterisk/ConnectionFinished.php.
    """


class LimitReached(AMIError):
    """One of our limits was reached.

    If it is raised, a queue is full: nothing was sent, and the callback will not be called. If it is a packet's
    ``error``, the answer was longer than ``max_answer``.

    Attributes: ``limit``, the name of the option that sets the limit.
    """

    def __init__(self, message: str, limit: str = "") -> None:
        super().__init__(message)
        self.limit = limit


class ConnectFailed(AMIError, ConnectionError):
    """No connection was made.

    Attributes: ``host`` and ``port`` as tried (``port`` is None for a unix socket); ``cause``, the last real error.
    """

    def __init__(
        self,
        message: str,
        host: str = "",
        port: Optional[int] = None,
        cause: Optional[BaseException] = None,
    ) -> None:
        super().__init__(message)
        self.host = host
        self.port = port
        self.cause = cause


class NoServer(ConnectFailed):
    """No URL was given, and the pool has neither ``server`` nor ``servers``."""


class TLSFailed(ConnectFailed):
    """The TLS handshake failed, or the server's certificate was refused."""


class ConnectionLost(AMIError, ConnectionError):
    """The connection ended before the answer came. ``cause`` is the socket's error; None after an end of file."""

    def __init__(self, message: str, cause: Optional[BaseException] = None) -> None:
        super().__init__(message)
        self.cause = cause


class LoginRefused(AMIError):
    """The server refused the login. The message contains the server's, and a hint.

    Attributes: ``temporary``, True if a later login may succeed: the server is stopping, or the user's earlier session
    is still open.
    """

    def __init__(self, message: str, *, temporary: bool = False) -> None:
        super().__init__(message)
        self.temporary = temporary


class ActionFailed(AMIError):
    """The server answered an action with ``Response: Error``, or a call was not answered. The message is the server's.

    Attributes:
        reason: the number in the OriginateResponse of a call that was not answered, else None: 0 no such extension, or
            not reachable; 1 hangup; 3 ring timeout; 5 busy; 8 congestion. The message says it in words.
        action, action_id: the name of the action and its ActionID.
        packet: the server's answer, a :class:`~ami_client.Packet`, if a method of ``ami_client.aio`` or
            ``ami_client.blocking`` raised this error. Else None, because the callback gets the packet.
    """

    def __init__(self, message: str, *, reason: Optional[int] = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.action = self.action_id = ""
        self.packet: Any = None


# Reason is the control frame that ended the attempt, or 0 if there was none (Asterisk frame.h, ast_control_frame_type;
# pbx.c, ast_pbx_outgoing_exten).
ORIGINATE_REASONS = {
    0: "no such extension, or not reachable",
    1: "hangup",
    3: "ring timeout",
    5: "busy",
    8: "congestion",
}


def call_failed(reason: str) -> ActionFailed:
    """Return the error for a call that was not answered. ``reason``, from its OriginateResponse, may be any text."""
    is_number = reason.isascii() and reason.isdigit() and len(reason) < 10
    number = int(reason) if is_number else None
    if number is None:
        shown = ascii(reason[:20]) if reason else "unknown"  # may be any text, and goes to logs
    else:
        words = ORIGINATE_REASONS.get(number)
        shown = f"{number}: {words}" if words else f"{number}"
    return ActionFailed(f"the call was not answered (reason {shown})", reason=number)


class Cancelled(AMIError):
    """The caller gave up an action, or its wait for a connection. The server may still have executed the action."""


class ProtocolError(AMIError):
    """The peer does not speak AMI, or sent a packet of more than ``max_packet`` bytes or ``max_lines`` lines.

    Attributes: ``limit``, the name of the option that sets the exceeded limit, else ``""``.
    """

    def __init__(self, message: str, limit: str = "") -> None:
        super().__init__(message)
        self.limit = limit


class Timeout(AMIError, TimeoutError):
    """Something took longer than its limit."""


class ConnectTimeout(Timeout, ConnectFailed):
    """No connection within ``connect_timeout``."""


class LoginTimeout(Timeout):
    """No answer to the login within ``login_timeout``."""


class ActionTimeout(Timeout):
    """No complete answer to an action within its timeout."""


class SilenceTimeout(Timeout):
    """The server sent nothing for ``timeout`` seconds, not even an answer to a Ping."""
