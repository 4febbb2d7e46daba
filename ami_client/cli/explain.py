"""Errors of the library as messages in one line, with a hint."""

from __future__ import annotations

import socket

from .._engine.text import printable
from ..errors import (
    ActionFailed,
    AMIError,
    ConnectFailed,
    ConnectTimeout,
    LimitReached,
    LoginRefused,
    LoginTimeout,
    ProtocolError,
    Timeout,
    TLSFailed,
)
from ..url import USUAL_PORT, format_address
from .failures import CommandError, Status


def explain(error: AMIError) -> CommandError:
    """Turn an error of the library into a message for the user, with a hint."""
    text = _text(error)
    hint = _hint(error)
    return CommandError(f"{text}; {hint}" if hint else text, _status(error))


def _status(error: AMIError) -> Status:
    if isinstance(error, LoginRefused):
        return Status.LOGIN
    if isinstance(error, Timeout):
        return Status.TIMEOUT
    if isinstance(error, (ActionFailed, LimitReached)):
        return Status.REFUSED
    return Status.UNREACHABLE


def _text(error: AMIError) -> str:
    if isinstance(error, ActionFailed):
        return f"the server refused: {str(error).rstrip('.')}"
    if isinstance(error, TLSFailed) and error.cause is not None:
        return f"TLS with {format_address(error.host, error.port)} failed: {printable(_reason(error.cause))}"
    if isinstance(error, ConnectFailed) and isinstance(error.cause, OSError):
        reason = error.cause.strerror or str(error.cause)
        return f"cannot connect to {format_address(error.host, error.port)}: {printable(reason)}"
    return printable(str(error))


def _reason(cause: BaseException) -> str:
    verify = getattr(cause, "verify_message", "")
    return verify or getattr(cause, "reason", "") or str(cause)


def _hint(error: AMIError) -> str:
    if isinstance(error, LoginRefused):
        return _login_hint(error)
    if isinstance(error, TLSFailed):
        return _tls_hint(error)
    if isinstance(error, ConnectTimeout):
        return "check the host and the firewalls on the way"
    if isinstance(error, LoginTimeout):
        return ""  # its message says what the server sent
    if isinstance(error, ConnectFailed):
        return _connect_hint(error)
    if isinstance(error, ActionFailed):
        return _action_hint(str(error).lower())
    if isinstance(error, ProtocolError):
        return f"check the port: the manager interface usually listens on {USUAL_PORT}"
    return ""


def _login_hint(error: LoginRefused) -> str:
    if error.temporary:
        return "this is temporary: try again later"
    return "check user and secret in manager.conf, and that permit= allows your address; then run 'manager reload'"


def _tls_hint(error: TLSFailed) -> str:
    cause = error.cause
    if hasattr(cause, "verify_message"):  # SSLCertVerificationError, without importing ssl, which takes 5 ms
        return "use --ca-file FILE for an authority of your own, or --insecure to skip the check"
    if "WRONG_VERSION_NUMBER" in str(cause):
        return "this port does not use TLS: try tcp://"
    return "check the port: TLS usually listens on 5039"


def _connect_hint(error: ConnectFailed) -> str:
    cause = error.cause
    if isinstance(cause, ConnectionRefusedError):
        if error.port is not None and error.port != USUAL_PORT:
            return f"check the port: Asterisk usually listens on {USUAL_PORT}"
        return "check that Asterisk is running, and enabled= and bindaddr= in manager.conf"
    if isinstance(cause, socket.gaierror):
        return "check the name of the host or profile"
    if isinstance(cause, FileNotFoundError):
        return "check the path of the socket"
    if isinstance(cause, PermissionError):
        return "check that you may open the socket"
    return ""


def _action_hint(said: str) -> str:
    if "permission denied" in said:
        return "check the write= classes of the user in manager.conf"
    if "unknown command" in said:
        return "check the name, and that its module is loaded; 'ami-client action ListCommands' lists all actions"
    return ""
