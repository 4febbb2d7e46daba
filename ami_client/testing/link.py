"""The server's sockets: a listener, and a link for each client."""

from __future__ import annotations

import os
import socket
import ssl
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Callable, Optional

from .. import _fork
from .._platform import reuse_address, unix_family
from .network import Place
from .simulation import SimulatedReactor

if TYPE_CHECKING:
    from ..loop import Loop

# Exceptions of non-blocking calls that would block, including TLS handshakes.
_WAIT = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_READ_SIZE = 65536
# With a linger time of 0 seconds, close() sends a reset instead of an end of file.
_RESET = struct.pack("ii", 1, 0)


class Listener:
    """A listening socket on a loop. Calls ``on_accept(sock)`` with each connection, which is non-blocking.

    With ``unix_path`` it is a unix socket, which close removes.
    """

    def __init__(
        self,
        loop: Loop,
        host: str,
        port: int,
        unix_path: Optional[str],
        tls: Optional[ssl.SSLContext],
    ) -> None:
        self.loop = loop
        self.host = host
        self.port = port
        self.unix_path = unix_path
        self.tls = tls
        self._sock: Optional[socket.socket] = None
        self._forks = _fork.forks
        self._place: Optional[Place] = None  # in a simulated reactor's network

    def start(self, on_accept: Callable[[socket.socket], object]) -> None:
        """Start listening. A port that was chosen for 0 is kept, so a server can come back on it."""
        if self._sock is not None or self._place is not None:
            raise RuntimeError("the server is already listening")
        if isinstance(self.loop, SimulatedReactor):
            self._start_simulated(self.loop, on_accept)
            return
        family = unix_family() if self.unix_path else socket.AF_INET6 if ":" in self.host else socket.AF_INET
        sock = socket.socket(family)
        try:
            if self.unix_path is not None:
                sock.bind(self.unix_path)
            else:
                reuse_address(sock)
                sock.bind((self.host, self.port))
                self.port = sock.getsockname()[1]
            sock.setblocking(False)
            sock.listen(socket.SOMAXCONN)
        except OSError:  # most likely the address is in use
            sock.close()
            raise
        self._sock = sock
        self.loop.add_reader(sock.fileno(), self._accept, sock, on_accept)

    def close(self) -> None:
        """Stop listening. Closing again has no effect."""
        if self._place is not None and isinstance(self.loop, SimulatedReactor):
            self.loop.network.unlisten(self._place)
            self._place = None
        if self._sock is None:
            return
        if self._forks != _fork.forks:  # the parent continues to listen
            self._sock.close()
            self._sock = None
            return
        self.loop.remove_reader(self._sock.fileno())
        self._sock.close()
        self._sock = None
        if self.unix_path is not None:
            os.unlink(self.unix_path)

    def _start_simulated(self, loop: SimulatedReactor, on_accept: Callable[[socket.socket], object]) -> None:
        if self.tls is not None:
            raise ValueError("TLS needs real sockets: use a Reactor instead of a SimulatedReactor")
        place = (self.host, self.port) if self.unix_path is None else self.unix_path
        self._place = loop.network.listen(place, on_accept)
        if isinstance(self._place, tuple):
            self.port = self._place[1]

    def _accept(self, listening: socket.socket, on_accept: Callable[[socket.socket], object]) -> None:
        try:
            sock, _ = listening.accept()
        except OSError:  # the client has gone
            return
        sock.setblocking(False)
        if self.unix_path is None:
            with suppress(OSError):  # the client has gone: macOS refuses it then
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls is not None:
            sock = self.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        on_accept(sock)


class Link:
    """One accepted connection. Calls ``on_data(data)`` for incoming data, with ``b""`` at the end.

    ``on_closed()`` is called once when the link is closed, for any reason.
    """

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        on_data: Callable[[bytes], object],
        on_closed: Callable[[], object],
    ) -> None:
        self.loop = loop
        self.closed = False
        self._forks = _fork.forks
        self._sock = sock
        self._on_data = on_data
        self._on_closed = on_closed
        self._out = bytearray()
        self._muted = False
        self._finishing = False
        loop.add_reader(sock.fileno(), self._read)

    @property
    def buffered(self) -> int:
        """Bytes that are not sent yet."""
        return len(self._out)

    def write(self, data: bytes) -> None:
        """Send ``data``, now or as soon as possible."""
        if not self.closed and not self._finishing:
            self._out += data
            self._flush()

    def mute(self, muted: bool) -> None:
        """Hold back everything that is written, or send it."""
        self._muted = muted
        self._flush()

    def finish(self) -> None:
        """Close after everything is sent."""
        self._finishing = True
        self._flush()

    def drop(self, after: bytes = b"", reset: bool = False) -> None:
        """Send ``after``, then close. ``reset`` cuts the connection without a regular end.

        Data that a muted link holds is lost, as when a server is killed.
        """
        if self._muted:
            self._out.clear()
            self._muted = False
        self.write(after)
        if not reset:
            self.finish()
        elif not self.closed and self._forks == _fork.forks:  # the write may have closed it
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.close()

    def _read(self) -> None:
        while not self.closed:
            try:
                data = self._sock.recv(_READ_SIZE)
            except _WAIT:
                break
            except OSError:
                self.close()
                return
            if not data:
                # The end would stay readable forever.
                self.loop.remove_reader(self._sock.fileno())
            self._on_data(data)
            if not data:
                return
        # A TLS handshake continues with the bytes read, and writes its own.
        self._flush()

    def _flush(self) -> None:
        if self.closed or self._muted or self._forks != _fork.forks:
            return
        try:
            while self._out:
                del self._out[: self._sock.send(self._out)]
        except ssl.SSLWantReadError:
            self.loop.remove_writer(self._sock.fileno())
            return
        except _WAIT:
            self.loop.add_writer(self._sock.fileno(), self._flush)
            return
        except OSError:
            self.close()
            return
        self.loop.remove_writer(self._sock.fileno())
        if self._finishing:
            self.close()

    def close(self) -> None:
        """Close at once. Closing again has no effect."""
        if self.closed:
            return
        self.closed = True
        if self._forks != _fork.forks:  # a forked child only closes its copy of the socket; the parent uses it
            self._sock.close()
            self._on_closed()
            return
        self.loop.remove_reader(self._sock.fileno())
        self.loop.remove_writer(self._sock.fileno())
        if isinstance(self._sock, ssl.SSLSocket) and self._finishing:
            with suppress(OSError, ValueError):
                self._sock.unwrap()  # sends close_notify without waiting for the reply
        self._sock.close()
        self._on_closed()
