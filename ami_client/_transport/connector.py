"""Connects a socket to a host name, without blocking the loop.

Names are resolved in threads: see :mod:`.resolver`. Addresses are tried in turn, each with its share of the timeout.

Source: phpDaemon Network/IOStream.php and ClientConnection.php (connect).
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Callable, Optional

from .. import _fork
from .._platform import IN_PROGRESS, reuse_address, system_error, unix_family
from ..url import format_address
from .resolver import Found, Query, resolver
from .stream import Unwatchable

if TYPE_CHECKING:
    from ..loop import Handle, Loop

# (family, address for connect())
Address = tuple[int, object]


class Connector:
    """One attempt to connect.

    The loop calls either ``on_connected(sock, host, port)`` or ``on_failed(error)``, once. ``error`` is the OSError of
    the last address. After :meth:`cancel` it calls neither. If ``port`` is None, ``host`` is the path of a unix socket.
    ``timeout`` (seconds, None for no limit) is divided among the addresses; the caller enforces the total. ``local`` is
    the IP address and port (0 for any) to connect from, over TCP. Only addresses of its family are tried.
    """

    def __init__(
        self,
        loop: Loop,
        host: str,
        port: Optional[int],
        *,
        timeout: Optional[float],
        local: Optional[tuple[str, int]] = None,
        on_connected: Callable[[socket.socket, str, Optional[int]], None],
        on_failed: Callable[[OSError], None],
    ) -> None:
        self._loop = loop
        self._host = host
        self._port = port
        self._deadline = None if timeout is None else loop.time() + timeout
        self._local = local
        self._on_connected = on_connected
        self._on_failed = on_failed
        self._addresses: list[Address] = []
        self._query: Optional[Query] = None  # the lookup of the host's addresses
        self._sock: Optional[socket.socket] = None
        self._timer: Optional[Handle] = None
        self._cancelled = False
        self._forks = _fork.forks

    def start(self) -> None:
        """Start connecting. Callbacks are called only while the loop runs."""
        if self._port is None:
            try:
                self._loop.call_soon(self._resolved, [(unix_family(), self._host)], None)
            except OSError as error:
                self._loop.call_soon(self._resolved, [], error)
            return
        addresses = literal(self._host, self._port)
        if addresses:
            self._loop.call_soon(self._resolved, addresses, None)
        else:
            self._ask(self._port)

    def cancel(self) -> None:
        """Give up without calling a callback."""
        self._cancelled = True
        if self._query is not None:
            self._query.cancel()
        self._drop_attempt()

    def _ask(self, port: int) -> None:
        def answered(found: Found, error: Optional[OSError]) -> None:
            self._resolved([(family, (address[0], port, *address[2:])) for family, address in found], error)

        try:
            self._query = resolver.ask(self._loop, self._host, answered)
        except RuntimeError as error:  # the system has no more threads
            self._loop.call_soon(self._resolved, [], OSError(errno.EAGAIN, str(error)))

    def _resolved(self, addresses: list[Address], error: Optional[OSError]) -> None:
        self._query = None
        if self._cancelled:
            return
        error = error or OSError(errno.EADDRNOTAVAIL, "the host has no address")
        if addresses and self._local is not None and self._port is not None:
            family = socket.AF_INET6 if ":" in self._local[0] else socket.AF_INET
            addresses = [address for address in addresses if address[0] == family]
            error = OSError(errno.EADDRNOTAVAIL, f"the host has no address in the family of {self._local_text()}")
        self._addresses = list(addresses)
        self._try_next(error)

    def _try_next(self, error: OSError) -> None:
        self._drop_attempt()
        if not self._addresses:
            self._on_failed(error)
            return
        family, address = self._addresses.pop(0)
        try:
            sock = self._sock = socket.socket(family, socket.SOCK_STREAM)
            sock.setblocking(False)
            if self._port is not None:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._bind(sock)
            code = sock.connect_ex(address)  # type: ignore[arg-type]  # str or tuple by family
        except OSError as failed:
            self._loop.call_soon(self._attempt_failed, self._sock, failed)
            return
        if code in IN_PROGRESS:
            try:
                self._watch(sock, address)
            except (OSError, ValueError) as refused:
                self._loop.call_soon(self._attempt_failed, sock, Unwatchable(refused))
        else:
            self._loop.call_soon(self._attempt_ended, sock, address, code)

    def _bind(self, sock: socket.socket) -> None:
        if self._local is None:
            return
        if self._local[1]:  # a connection that has just ended may still use the port
            reuse_address(sock)
        found = literal(*self._local)
        if not found:  # the interface in fe80::1%eth0
            raise OSError(errno.ENODEV, f"{self._local_text()}: no such interface")
        _family, address = found[0]
        try:
            sock.bind(address)  # type: ignore[arg-type]  # a tuple
        except OSError as error:
            raise OSError(error.errno, f"{self._local_text()}: {error.strerror}") from None

    def _local_text(self) -> str:
        assert self._local is not None
        host, port = self._local
        return f"local_addr {format_address(host, port or None)}"

    def _watch(self, sock: socket.socket, address: object) -> None:
        self._loop.add_writer(sock.fileno(), self._writable, sock, address)
        if self._deadline is not None and self._addresses:
            share = max(0.0, self._deadline - self._loop.time()) / (len(self._addresses) + 1)
            self._timer = self._loop.call_later(share, self._attempt_failed, sock, system_error(errno.ETIMEDOUT))

    def _writable(self, sock: socket.socket, address: object) -> None:
        self._attempt_ended(sock, address, sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _attempt_ended(self, sock: socket.socket, address: object, code: int) -> None:
        if code:
            self._attempt_failed(sock, system_error(code))
        elif sock is self._sock:
            self._stop_watching(sock)
            self._sock = None
            host, port = (address[0], address[1]) if isinstance(address, tuple) else (self._host, None)
            self._on_connected(sock, host, port)

    def _attempt_failed(self, sock: Optional[socket.socket], error: OSError) -> None:
        if sock is self._sock and not self._cancelled:
            self._try_next(error)

    def _stop_watching(self, sock: socket.socket) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._forks == _fork.forks:  # a forked child shares its parent's selector
            self._loop.remove_writer(sock.fileno())

    def _drop_attempt(self) -> None:
        sock, self._sock = self._sock, None
        if sock is not None:
            self._stop_watching(sock)
            sock.close()


def literal(host: str, port: int) -> list[Address]:
    """Return the address if ``host`` is one. Empty for a name, which needs a lookup."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, ValueError):  # a name, or an invalid one: the lookup will report it
        return []
    return [(family, address) for family, _, _, _, address in found]
