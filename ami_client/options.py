"""The options of a pool and its connections."""

from __future__ import annotations

import math
import socket
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from ._engine.encode import encode_headers
from ._engine.framing import DEFAULT_MAX_PACKET
from ._engine.in_flight import DEFAULT_MAX_ANSWER
from ._engine.packet import DEFAULT_MAX_LINES
from ._record import Field, Record, field, fields
from .callbacks import logger
from .filters import Filter
from .url import ServerURL

if TYPE_CHECKING:
    import ssl as ssl_module

    SSL = Union[bool, ssl_module.SSLContext]


# Accepted values of a flag in a URL's fragment.
TRUE = ("1", "true", "yes", "on")
FALSE = ("0", "false", "no", "off")

# Takes an option's name and value. Returns the value to use. Raises TypeError or ValueError for a bad one.
Check = Callable[[str, object], object]


def seconds(name: str, value: object) -> Optional[float]:
    """Check a time limit: a positive number of seconds. None and infinity mean no limit."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds or None, not {type(value).__name__}")
    if not value > 0:
        raise ValueError(f"{name} must be greater than 0 seconds; None means no limit")
    try:
        limit = float(value)
    except OverflowError:  # an int too large for a float
        return None
    return None if math.isinf(limit) else limit


def _finite(name: str, value: object) -> float:
    limit = seconds(name, value)
    if limit is None:
        raise ValueError(f"{name} must be a number of seconds; None and infinity are not allowed")
    return limit


def _reconnect(name: str, value: object) -> Optional[float]:
    return None if value is None or value is False or value == 0 else _finite(name, value)


def _whole(low: int, high: Optional[int] = None) -> Callable[[str, object], int]:
    def check(name: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} must be a whole number, not {type(value).__name__}")
        if value < low or (high is not None and value > high):
            raise ValueError(f"{name} must be " + (f"{low} to {high}" if high is not None else f"at least {low}"))
        return value

    return check


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    return value


def _header(name: str, value: object) -> str:
    text = _text(name, value)
    encode_headers([(name, text)])  # raises for text that no login could hold
    return text


def _filters(name: str, value: object) -> tuple[Filter, ...]:
    if isinstance(value, (str, Filter)) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be a sequence of Filter objects, not {type(value).__name__}")
    filters = tuple(value)
    for one in filters:
        if not isinstance(one, Filter):
            raise TypeError(f"{name} must be a sequence of Filter objects; {one!r} is not one")
    return filters


def _authtype(name: str, value: object) -> str:
    authtype = _text(name, value).lower()
    if authtype not in ("md5", "plain"):
        raise ValueError(f"authtype must be 'md5' or 'plain', not {value!r}")
    return authtype


def _events(name: str, value: object) -> str:
    mask = _header(name, {True: "on", False: "off"}[value] if isinstance(value, bool) else value)
    return ",".join(part.strip() for part in mask.split(","))  # Asterisk takes a blank for a part of the word


def _server(name: str, value: object) -> Optional[str]:
    return None if value is None or value == "" else _text(name, value)


def _servers(name: str, value: object) -> tuple[str, ...]:
    urls = value.split(",") if isinstance(value, str) else value
    if not isinstance(urls, Iterable):
        raise TypeError("servers must be a sequence of URLs, or one str with commas")
    stripped = (_text(name, url).strip() for url in urls)
    return tuple(url for url in stripped if url)


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {type(value).__name__}")
    return value


def _ssl(name: str, value: object) -> object:
    if value is None or isinstance(value, bool):
        return bool(value)
    import ssl  # a slow import (benchmark h): only needed for TLS

    if not isinstance(value, ssl.SSLContext):
        raise TypeError(f"ssl must be True, False or an ssl.SSLContext, not {type(value).__name__}")
    return value


def _local_addr(name: str, value: object) -> Optional[tuple[str, int]]:
    if value is None:
        return None
    host, port = value if isinstance(value, (tuple, list)) and len(value) == 2 else (value, 0)
    if not isinstance(host, str):
        raise TypeError(f"{name} must be an IP address or a pair of an address and a port, not {type(value).__name__}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.inet_pton(family, host.partition("%")[0] if family == socket.AF_INET6 else host)
    except (OSError, ValueError):
        raise ValueError(f"{name} must be an IP address, such as 192.0.2.9 or 2001:db8::9, not {host!r}") from None
    return host, _whole(0, 65535)(f"the port of {name}", port)


def _option(default: Any, check: Check, *, in_url: bool = False, shown: bool = True) -> Any:
    """Declare an option: its default, its check, whether a URL's fragment may set it, and whether ``repr`` shows it."""
    return field(default=default, repr=shown, metadata={"check": check, "in_url": in_url})


def _check_of(option: Field) -> Check:
    check: Check = option.metadata["check"]
    return check


class Options(Record):
    """All options with their defaults. The first ones have phpDaemon's names and defaults.

    Times are in seconds. None means no limit.
    """

    #: ``md5`` (challenge and response) or ``plain``; case-insensitive.
    authtype: str = _option("md5", _authtype, in_url=True)
    #: Port for URLs without one. 5280 is phpDaemon's default; Asterisk usually listens on 5038.
    port: int = _option(5280, _whole(1, 65535))
    #: URL for ``get_connection`` calls without a URL.
    server: Optional[str] = _option(None, _server, shown=False)
    #: URLs for a random choice when ``server`` is not set: a sequence, or one string separated by commas.
    servers: Union[str, Sequence[str]] = _option((), _servers, shown=False)
    #: Maximum number of connections to one URL; further callbacks wait. At most ten connections are opened at the same
    #: time, because Asterisk's listen queue is short.
    maxconnperserv: int = _option(32, _whole(1))
    #: Silence after which a link is considered dead. If no whole packet arrives for half of this time, a Ping is sent.
    #: If no action is answered within this time after the Ping, the link is also considered dead, whatever else
    #: arrives. Before the login, a silence of this length ends the attempt.
    timeout: Optional[float] = _option(60.0, seconds, in_url=True)

    #: User name for URLs without one.
    username: str = _option("", _header)
    #: Secret for URLs without one.
    secret: str = _option("", _header, shown=False)
    #: The ``Events`` header of the login: ``on``, ``off`` or class names separated by commas.
    events: Union[str, bool] = _option("on", _events, in_url=True)
    #: Which events arrive: see :class:`~ami_client.filters.Filter`. Servers that support filters get them after each
    #: login, before ``login`` is emitted. The client applies them in any case.
    filters: Sequence[Filter] = _option((), _filters)
    #: Timeout for name resolution, TCP and TLS together, over all addresses of the host.
    connect_timeout: Optional[float] = _option(10.0, seconds, in_url=True)
    #: Local address of the connections: an IP address, or a pair of address and port. Only the server's addresses of
    #: the same family are tried. With a fixed port, a pool can have one connection at a time. Unix sockets ignore this
    #: option. In a URL's fragment it is an address without a port.
    local_addr: Union[str, tuple[str, int], None] = _option(None, _local_addr, in_url=True)
    #: Timeout from the start of the connection to the answer to the login.
    login_timeout: Optional[float] = _option(10.0, seconds, in_url=True)
    #: Timeout from the call to the complete answer. Each action may set its own timeout.
    action_timeout: Optional[float] = _option(60.0, seconds, in_url=True)
    #: Upper bound of the first back-off delay before a lost connection is opened again; None means no reconnect. Each
    #: delay is random, between 0 and a bound. The bound doubles with each attempt, up to ``reconnect_max``, until a
    #: login succeeds.
    reconnect: Optional[float] = _option(None, _reconnect, in_url=True)
    #: Maximum back-off delay between two attempts.
    reconnect_max: float = _option(60.0, _finite, in_url=True)
    #: Keep retrying even if the server refused the login.
    reconnect_refused: bool = _option(False, _flag, in_url=True)
    #: Log the name of a callback or handler that takes at least this long. None turns this off.
    slow_handler: Optional[float] = _option(1.0, seconds, in_url=True)
    #: Maximum size of a packet from the server, in bytes. A larger one ends the connection.
    max_packet: int = _option(DEFAULT_MAX_PACKET, _whole(1024), in_url=True)
    #: Maximum number of header lines in a packet from the server. A packet with more ends the connection.
    max_lines: int = _option(DEFAULT_MAX_LINES, _whole(1), in_url=True)
    #: Memory for the list answers that a connection is collecting, in bytes. Each packet counts as the largest of its
    #: length, 128 bytes per header, and 1,024. Entries that go to ``on_entry`` do not count. An answer that exceeds the
    #: limit fails, and the rest of it is discarded.
    max_answer: int = _option(DEFAULT_MAX_ANSWER, _whole(1024), in_url=True)
    #: Maximum number of unsent bytes, per connection. Further actions raise LimitReached.
    max_outgoing: int = _option(16 * 1024 * 1024, _whole(1024), in_url=True)
    #: Maximum number of actions in flight, per connection. Further actions raise LimitReached.
    max_pending: int = _option(100_000, _whole(1), in_url=True)
    #: Maximum number of actions that wait for the login, per connection. Further actions raise LimitReached.
    max_waiting: int = _option(1000, _whole(0), in_url=True)
    #: Maximum number of callbacks that wait for a connection, per URL. Beyond it ``get_connection`` raises
    #: LimitReached.
    max_callbacks: int = _option(100_000, _whole(1), in_url=True)
    #: If False, packets keep the case of all values when they are used as a mapping.
    fold_case: bool = _option(True, _flag, in_url=True)
    #: True for TLS with the system's certificates, or your own SSLContext. ``tls://`` URLs imply True.
    ssl: SSL = _option(False, _ssl, in_url=True)
    #: If False, any certificate is accepted, and each connection logs a warning. For a private certificate authority,
    #: pass an SSLContext as ``ssl`` instead.
    ssl_verify: bool = _option(True, _flag)

    @classmethod
    def make(cls, config: Optional[Mapping[str, object]] = None, **options: object) -> Options:
        """Build options from a mapping and keywords. Keywords take precedence.

        Raises TypeError for an unknown option (the message suggests the nearest known one) or a value of the wrong
        type, ValueError for a value out of range.
        """
        if config is not None and not isinstance(config, Mapping):
            raise TypeError(f"config must be a mapping of options, not {type(config).__name__}; use server= for a URL")
        given: dict[str, object] = {**(config or {}), **options}
        known = {one.name for one in fields(cls)}
        for name in given:
            if name not in known:
                raise TypeError(_unknown(name, known))
        return cls(**given)  # type: ignore[arg-type]  # __post_init__ checks each

    def __post_init__(self) -> None:
        for one in fields(self):
            vars(self)[one.name] = _check_of(one)(one.name, getattr(self, one.name))
        if self.reconnect is not None and self.reconnect > self.reconnect_max:
            raise ValueError(f"reconnect ({self.reconnect:g} s) exceeds reconnect_max ({self.reconnect_max:g} s)")
        if not self.ssl_verify and not isinstance(self.ssl, bool):
            raise ValueError("ssl_verify applies to the default context only; set verify_mode in your own SSLContext")

    def with_params(self, params: Iterable[tuple[str, str]], url: str) -> Options:
        """Return these options with the changes of a URL's fragment. Log unknown parameters.

        Raises ValueError for a value that does not fit its option.
        """
        changed: dict[str, object] = {}
        settable = {one.name: one for one in fields(self) if one.metadata["in_url"]}
        for name, text in params:
            if name in settable:
                changed[name] = _from_text(name, text, _check_of(settable[name]))
            else:
                logger.warning("%s: unknown parameter %r in the URL's fragment", url, name)
        return self.replace(**changed) if changed else self


def _from_text(name: str, text: str, convert: Check) -> object:
    if convert in (_flag, _ssl):
        if text.lower() not in (*TRUE, *FALSE):
            raise ValueError(f"{name} in the URL's fragment must be 1 or 0")
        return text.lower() in TRUE
    if convert in (_authtype, _events, _local_addr):
        return text
    try:
        return float(text) if convert in (seconds, _finite, _reconnect) else int(text)
    except ValueError:
        raise ValueError(f"{name} in the URL's fragment must be a number") from None


def _unknown(name: str, known: Iterable[str]) -> str:
    import difflib  # needed for this message only

    nearest = difflib.get_close_matches(str(name), sorted(known), 1, 0)
    return f"unknown option {name!r}; did you mean {nearest[0]!r}?"


def read_url(url: str, options: Options) -> tuple[ServerURL, Options]:
    """Return the address and the options of a URL. Raises ValueError if it is malformed or cannot be sent."""
    address = ServerURL.parse(url)
    if address.username is None and options.username:
        address = address.replace(username=options.username)
    encode_headers([("Username", address.username or ""), ("Secret", address.secret or "")])
    return address, options.with_params(address.params, str(address))
