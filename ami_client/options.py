"""The options of a pool and its connections."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Callable, Optional, Union

from ._engine.encode import encode_headers
from ._engine.framing import DEFAULT_MAX_PACKET
from ._engine.packet import DEFAULT_MAX_LINES
from ._engine.pending import DEFAULT_MAX_ANSWER
from .callbacks import logger
from .url import ServerURL

if TYPE_CHECKING:
    import ssl as ssl_module

    SSL = Union[bool, ssl_module.SSLContext]


@dataclass(frozen=True)
class Options:
    """All options with their defaults. The first block has phpDaemon's names and defaults.

    Times are in seconds; None means no limit.
    """

    #: ``md5`` (challenge and response) or ``plain``; case-insensitive.
    authtype: str = "md5"
    #: Port for URLs without one. This is phpDaemon's default; Asterisk usually listens on 5038.
    port: int = 5280
    #: URL for ``get_connection`` calls without one.
    server: Optional[str] = field(default=None, repr=False)
    #: URLs to choose from at random when there is no ``server``: a sequence, or one string separated by commas.
    servers: Union[str, Sequence[str]] = field(default=(), repr=False)
    #: Maximum number of connections to one URL; further callbacks wait. They set out ten at a time, because Asterisk's
    #: listen queue is short.
    maxconnperserv: int = 32
    #: Silence after which a link is considered dead. If no whole packet arrives for half of this time, a Ping is sent.
    #: If no action is answered for this time after the Ping, the link is considered dead too, whatever else arrives.
    #: Before login, silence of this length ends the attempt.
    timeout: Optional[float] = 60.0

    #: User name for URLs without one.
    username: str = ""
    #: Secret for URLs without one.
    secret: str = field(default="", repr=False)
    #: The ``Events`` header of the login: ``on``, ``off`` or class names separated by commas.
    events: Union[str, bool] = "on"
    #: Timeout for name resolution, TCP and TLS together, over all addresses of the host.
    connect_timeout: Optional[float] = 10.0
    #: Timeout from the connection to the answer to the login.
    login_timeout: Optional[float] = 10.0
    #: Timeout from the call to the complete answer. Each action may set its own.
    action_timeout: Optional[float] = 60.0
    #: Upper bound of the first back-off delay before a lost connection is opened again; None for never. Each delay is
    #: random, between 0 and a bound. The bound doubles with each attempt, up to ``reconnect_max``, until a login
    #: succeeds.
    reconnect: Optional[float] = None
    #: Maximum back-off delay between two attempts.
    reconnect_max: float = 60.0
    #: Keep trying even if the server refused the login.
    reconnect_refused: bool = False
    #: A callback or handler that takes this long is logged with its name; None for never.
    slow_handler: Optional[float] = 1.0
    #: Maximum size of a packet from the server, in bytes. A larger one ends the connection.
    max_packet: int = DEFAULT_MAX_PACKET
    #: Maximum number of header lines in a packet from the server. A longer one ends the connection.
    max_lines: int = DEFAULT_MAX_LINES
    #: Memory for the list answers that a connection is collecting, in bytes. Each packet counts as its length, or
    #: 128 for each of its headers or 1,024, whichever is the most. The answer that exceeds the limit fails, and the
    #: rest of it is discarded.
    max_answer: int = DEFAULT_MAX_ANSWER
    #: Maximum number of bytes that wait for the server to read, per connection. Further actions raise LimitReached.
    max_outgoing: int = 16 * 1024 * 1024
    #: Maximum number of actions in flight, per connection. Further actions raise LimitReached.
    max_pending: int = 100_000
    #: Maximum number of actions that wait for the login, per connection. Further actions raise LimitReached.
    max_waiting: int = 1000
    #: Maximum number of callbacks that wait for a connection, per URL. Beyond it ``get_connection`` raises
    #: LimitReached.
    max_callbacks: int = 100_000
    #: If False, the packets' dict view keeps the case of all values.
    fold_case: bool = True
    #: True for TLS with the system's certificates, or your own SSLContext. ``tls://`` URLs imply True.
    ssl: SSL = False
    #: If False, any certificate is accepted, and each connection logs a warning. For your own certificate authority,
    #: pass an SSLContext as ``ssl`` instead.
    ssl_verify: bool = True

    @classmethod
    def make(cls, config: Optional[Mapping[str, object]] = None, **options: object) -> Options:
        """Build options from a mapping and keywords. Keywords win.

        Raises TypeError for an unknown option (the message suggests the nearest known one) or a value of the wrong
        type, ValueError for a value out of range.
        """
        if config is not None and not isinstance(config, Mapping):
            raise TypeError(f"the config is a mapping of options, not {type(config).__name__}; a URL is server=url")
        given: dict[str, object] = {**(config or {}), **options}
        known = {one.name for one in fields(cls)}
        for name in given:
            if name not in known:
                raise TypeError(_unknown(name, known))
        return cls(**given)  # type: ignore[arg-type]  # __post_init__ checks each

    def __post_init__(self) -> None:
        for name, convert in _CONVERTERS.items():
            object.__setattr__(self, name, convert(name, getattr(self, name)))
        if self.reconnect is not None and self.reconnect > self.reconnect_max:
            raise ValueError(f"reconnect ({self.reconnect:g} s) is more than reconnect_max ({self.reconnect_max:g} s)")
        if not self.ssl_verify and not isinstance(self.ssl, bool):
            raise ValueError("ssl_verify is for the default context; set verify_mode in your own SSLContext")

    def with_params(self, params: Iterable[tuple[str, str]], url: str) -> Options:
        """Return these options with the changes of a URL's fragment. Unknown parameters are logged.

        Raises ValueError for a value that does not fit its option.
        """
        changed: dict[str, object] = {}
        for name, text in params:
            if name in PER_CONNECTION:
                changed[name] = _from_text(name, text)
            else:
                logger.warning("%s: unknown parameter %r in the URL's fragment", url, name)
        return replace(self, **changed) if changed else self  # type: ignore[arg-type]


# Spellings of a flag in a URL's fragment.
TRUE = ("1", "true", "yes", "on")
FALSE = ("0", "false", "no", "off")

#: Options that a URL's fragment may set.
PER_CONNECTION = (
    "authtype",
    "timeout",
    "events",
    "connect_timeout",
    "login_timeout",
    "action_timeout",
    "reconnect",
    "reconnect_max",
    "reconnect_refused",
    "slow_handler",
    "max_packet",
    "max_lines",
    "max_answer",
    "max_outgoing",
    "max_pending",
    "max_waiting",
    "max_callbacks",
    "fold_case",
    "ssl",
)


def seconds(name: str, value: object) -> Optional[float]:
    """Check a time limit: a positive number of seconds; None and infinity mean no limit."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} is a number of seconds or None, not {type(value).__name__}")
    if not value > 0:
        raise ValueError(f"{name} must be more than 0 seconds; None means no limit")
    try:
        limit = float(value)
    except OverflowError:  # an int too large for a float
        return None
    return None if math.isinf(limit) else limit


def _finite(name: str, value: object) -> float:
    limit = seconds(name, value)
    if limit is None:
        raise ValueError(f"{name} must be a number of seconds; it cannot be without a limit")
    return limit


def _reconnect(name: str, value: object) -> Optional[float]:
    return None if value is None or value is False or value == 0 else _finite(name, value)


def _whole(low: int, high: Optional[int] = None) -> Callable[[str, object], int]:
    def check(name: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} is a whole number, not {type(value).__name__}")
        if value < low or (high is not None and value > high):
            raise ValueError(f"{name} must be " + (f"{low} to {high}" if high is not None else f"at least {low}"))
        return value

    return check


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} is a str, not {type(value).__name__}")
    return value


def _header(name: str, value: object) -> str:
    text = _text(name, value)
    encode_headers([(name, text)])  # raises for text that no login could hold
    return text


def _authtype(name: str, value: object) -> str:
    authtype = _text(name, value).lower()
    if authtype not in ("md5", "plain"):
        raise ValueError(f"authtype is 'md5' or 'plain', not {value!r}")
    return authtype


def _events(name: str, value: object) -> str:
    return _header(name, {True: "on", False: "off"}[value] if isinstance(value, bool) else value)


def _server(name: str, value: object) -> Optional[str]:
    return None if value is None or value == "" else _text(name, value)


def _servers(name: str, value: object) -> tuple[str, ...]:
    urls = value.split(",") if isinstance(value, str) else value
    if not isinstance(urls, Iterable):
        raise TypeError("servers is a sequence of URLs, or a text with commas")
    stripped = (_text(name, url).strip() for url in urls)
    return tuple(url for url in stripped if url)


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} is True or False, not {type(value).__name__}")
    return value


def _ssl(name: str, value: object) -> object:
    if value is None or isinstance(value, bool):
        return bool(value)
    import ssl  # a slow import (benchmark h): only for those who use TLS

    if not isinstance(value, ssl.SSLContext):
        raise TypeError(f"ssl is True, False or an ssl.SSLContext, not {type(value).__name__}")
    return value


_CONVERTERS: dict[str, Callable[[str, object], object]] = {
    "authtype": _authtype,
    "port": _whole(1, 65535),
    "server": _server,
    "servers": _servers,
    "maxconnperserv": _whole(1),
    "timeout": seconds,
    "username": _header,
    "secret": _header,
    "events": _events,
    "connect_timeout": seconds,
    "login_timeout": seconds,
    "action_timeout": seconds,
    "reconnect": _reconnect,
    "reconnect_max": _finite,
    "reconnect_refused": _flag,
    "slow_handler": seconds,
    "max_packet": _whole(1024),
    "max_lines": _whole(1),
    "max_answer": _whole(1024),
    "max_outgoing": _whole(1024),
    "max_pending": _whole(1),
    "max_waiting": _whole(0),
    "max_callbacks": _whole(1),
    "fold_case": _flag,
    "ssl": _ssl,
    "ssl_verify": _flag,
}


def _from_text(name: str, text: str) -> object:
    convert = _CONVERTERS[name]
    if convert in (_flag, _ssl):
        if text.lower() not in (*TRUE, *FALSE):
            raise ValueError(f"{name} in the URL's fragment is 1 or 0")
        return text.lower() in TRUE
    if convert in (_authtype, _events):
        return text
    try:
        return float(text) if convert in (seconds, _finite, _reconnect) else int(text)
    except ValueError:
        raise ValueError(f"{name} in the URL's fragment is a number") from None


def _unknown(name: str, known: Iterable[str]) -> str:
    import difflib  # needed for this message only

    nearest = difflib.get_close_matches(str(name), sorted(known), 1, 0)
    return f"unknown option {name!r}; did you mean {nearest[0]!r}?"


def read_url(url: str, options: Options) -> tuple[ServerURL, Options]:
    """The address and the options of a URL. Raises ValueError if it is malformed or has text no login could hold."""
    address = ServerURL.parse(url)
    if address.username is None and options.username:
        address = replace(address, username=options.username)
    encode_headers([("Username", address.username or ""), ("Secret", address.secret or "")])
    return address, options.with_params(address.params, str(address))
