"""Server URLs: ``tcp://user:secret@host:port``, ``tls://...``, ``unix:/path``, ``host:port``."""

from __future__ import annotations

import re
from typing import Optional

from ._record import Record, field

SCHEMES = ("tcp", "tls", "unix")

# Regular expressions, compiled on first use.
_SCHEME = r"([A-Za-z][A-Za-z0-9+.-]*)://|(unix):"
_HOST_PORT = r"(?:\[(?P<v6>[^\[\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>.*))?"

#: Asterisk's default port, unless manager.conf sets another one.
USUAL_PORT, USUAL_TLS_PORT = 5038, 5039


class ServerURL(Record):
    """The parsed address and credentials of a server. Its text form never shows the secret.

    ``username``, ``secret`` and ``port`` are None if the URL has none. For a unix socket, ``host`` is the path and
    there is no port. ``params`` are the pairs of the fragment, as text, in order.
    """

    scheme: str
    host: str
    port: Optional[int] = None
    username: Optional[str] = None
    secret: Optional[str] = field(default=None, repr=False)
    params: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, url: str) -> ServerURL:
        """Parse a URL.

        User and secret come before the last ``@``. They are split at the first ``:``, then percent-decoded. The scheme
        ignores case; the default is ``tcp``. A path or query after the host is ignored. phpDaemon's fragment parameters
        (``#timeout=7#ssl=1``) become ``params``.

        Raises ValueError for a malformed URL. The message never shows the secret.
        """
        if not isinstance(url, str):
            raise TypeError(f"a URL must be a str, not {type(url).__name__}")
        if _has_control(url):
            raise ValueError("a URL must not contain control characters; percent-encode them in the secret")
        scheme, rest = _split_scheme(url.strip())
        username = secret = None
        if "@" in rest and not rest.startswith("/"):  # a unix socket's path may contain an @
            credentials, _, rest = rest.rpartition("@")
            username, secret = _split_credentials(credentials)
        rest, *fragments = rest.split("#")
        params = tuple(_split_param(part) for fragment in fragments for part in fragment.split("&") if part)
        if scheme == "unix":
            host, port = _unix_path(rest), None
        else:
            host, port = _split_host(re.split(r"[/?]", rest, maxsplit=1)[0])
        return cls(scheme, host, port, username, secret, params)

    def __str__(self) -> str:
        if self.scheme == "unix":
            return f"unix:{self.host}"
        user = f"{self.username}@" if self.username is not None else ""
        return f"{self.scheme}://{user}{format_address(self.host, self.port)}"


def format_address(host: str, port: Optional[int]) -> str:
    """Return ``host:port`` for display, with IPv6 in brackets. Without ``:port`` if ``port`` is None."""
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def _has_control(text: str) -> bool:
    """Whether there is a control character, or a lone surrogate that does not stand for a byte that is not UTF-8."""
    return any(
        one < " " or one == "\x7f" or ("\ud800" <= one <= "\udfff" and not "\udc80" <= one <= "\udcff") for one in text
    )


def _split_scheme(url: str) -> tuple[str, str]:
    match = re.match(_SCHEME, url, re.IGNORECASE)
    if match is None:
        return "tcp", url
    scheme = (match.group(1) or match.group(2)).lower()
    if scheme not in SCHEMES:
        raise ValueError(f"unknown URL scheme {scheme!r}: use tcp, tls or unix")
    return scheme, url[match.end() :]


def _split_credentials(text: str) -> tuple[str, Optional[str]]:
    name, colon, secret = text.partition(":")
    decoded = [_decoded(part) if "%" in part else part for part in (name, secret)]
    if any(map(_has_control, decoded)):
        raise ValueError("the user and secret of a URL must not contain control characters")
    return decoded[0], decoded[1] if colon else None


def _decoded(text: str) -> str:
    from urllib.parse import unquote  # few need it, and it takes a twentieth of the import time of this package

    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("the URL's user or secret is not UTF-8 after percent-decoding") from None


def _split_param(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip().lower(), value.strip()


def _unix_path(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError("a unix URL needs an absolute path: unix:/run/asterisk/manager")
    return path


def _split_host(text: str) -> tuple[str, Optional[int]]:
    if text.count(":") > 1 and "[" not in text:
        raise ValueError("write an IPv6 address in a URL in brackets: [::1]:5038")
    match = re.fullmatch(_HOST_PORT, text, re.DOTALL)
    if match is None:
        raise ValueError("malformed host in URL: write host, host:port or [IPv6]:port")
    host = match.group("v6") or match.group("name")
    if not host or " " in host:
        raise ValueError("the URL has no host" if not host else "a host name must not contain spaces")
    port = match.group("port")
    if not port:
        return host, None
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError("the port in a URL must be a number from 1 to 65535")
    return host, int(port)
