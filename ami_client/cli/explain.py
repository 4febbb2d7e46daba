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
        return "is the host right, and does a firewall let you through?"
    if isinstance(error, LoginTimeout):
        return ""  # its message says what the server sent
    if isinstance(error, ConnectFailed):
        return _connect_hint(error)
    if isinstance(error, ActionFailed):
        return _action_hint(str(error).lower())
    if isinstance(error, ProtocolError):
        return f"is it the port of the manager interface, {USUAL_PORT} as a rule?"
    return ""


def _login_hint(error: LoginRefused) -> str:
    if error.temporary:
        return "this passes: try again in a while"
    return "check user and secret in manager.conf and that its permit= lets your address in, then 'manager reload'"


def _tls_hint(error: TLSFailed) -> str:
    cause = error.cause
    if hasattr(cause, "verify_message"):  # SSLCertVerificationError, without importing ssl, which takes 5 ms
        return "--ca-file FILE for an authority of your own, --insecure to trust whoever answers"
    if "WRONG_VERSION_NUMBER" in str(cause):
        return "it speaks no TLS: is it the plain port, which wants tcp://?"
    return "is it the TLS port, 5039 as a rule?"


def _connect_hint(error: ConnectFailed) -> str:
    cause = error.cause
    if isinstance(cause, ConnectionRefusedError):
        if error.port is not None and error.port != USUAL_PORT:
            return f"Asterisk usually listens on port {USUAL_PORT}: is this port right?"
        return "is Asterisk running there, with enabled=yes and a bindaddr= in manager.conf that you can reach?"
    if isinstance(cause, socket.gaierror):
        return "is the host, or the name of the profile, right?"
    if isinstance(cause, FileNotFoundError):
        return "is the path of the socket right?"
    if isinstance(cause, PermissionError):
        return "may your user open that socket?"
    return ""


def _action_hint(said: str) -> str:
    if "permission denied" in said:
        return "does your user have the right write= class for it in manager.conf?"
    if "unknown command" in said:
        return "is the module that has it loaded? 'ami-client action ListCommands' shows what there is"
    return ""
