"""One connected, non-blocking socket with its buffers, and an optional TLS filter.

Source: phpDaemon Network/IOStream.php.
"""

from __future__ import annotations

import errno
import socket as socket_module
from enum import Enum
from typing import TYPE_CHECKING, Callable, Optional, Union

from .. import _fork

if TYPE_CHECKING:
    from ..loop import Handle, Loop
    from .tls import TLSFilter

RECV_SIZE = 65536  # bytes per read
# Maximum number of reads per wake-up, and seconds after which no further read starts. One busy link must not starve
# timers and other links.
RECV_BUDGET = 4
TIME_BUDGET = 0.01
LINGER = 5.0  # seconds that a closing stream waits for a server that is not reading


class Unwatchable(OSError):
    """The loop cannot watch a socket: its number is too high for ``select()``, the kernel has no room, or it is fake.

    This ends only that connection. ``__cause__`` is the loop's exception.
    """

    def __init__(self, cause: Union[OSError, ValueError]) -> None:
        number = getattr(cause, "errno", None) or errno.EMFILE
        what = "this socket (is it a simulated one?)" if number == errno.EBADF else "more sockets"
        super().__init__(number, f"the event loop cannot watch {what}: {cause}")
        self.__cause__ = cause.with_traceback(None)  # its frames would keep the connection alive


class _Phase(Enum):
    OPEN = "open"
    CLOSING = "closing"  # no more reading; still sends what is buffered
    CLOSED = "closed"


class Stream:
    """Reads and writes one socket.

    ``on_data(data)`` gets what arrives. The loop calls ``on_lost(error)`` once, when the peer closed the connection
    (``error`` is None) or the socket or TLS failed; no method of the stream calls it directly. After :meth:`close` or
    :meth:`abort` neither is called. :meth:`start` calls ``on_open()``; with a ``tls`` filter it is called after the
    handshake. ``on_closed()`` is called once, as soon as the socket is closed.
    """

    def __init__(
        self,
        loop: Loop,
        sock: socket_module.socket,
        *,
        on_open: Callable[[], None],
        on_data: Callable[[bytes], None],
        on_lost: Callable[[Optional[BaseException]], None],
        on_closed: Callable[[], object] = lambda: None,
        tls: Optional[TLSFilter] = None,
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._on_open = on_open
        self._on_data = on_data
        self._on_lost = on_lost
        self._on_closed = on_closed
        self._tls = tls
        self._take = on_data if tls is None else self._received
        self._outgoing = bytearray()
        self._phase = _Phase.OPEN
        self._corked = False  # true while data is handled; all writes go out together afterwards
        self._writing = False  # the loop watches for writability
        self._linger: Optional[Handle] = None  # timer that ends the wait of a closing stream
        self._loss: Optional[Handle] = None  # the scheduled on_lost
        self._forks = _fork.forks  # a forked child must not read or write: it shares the parent's socket

    def start(self) -> None:
        """Start reading. If the loop cannot watch the socket, ``on_lost`` gets :class:`Unwatchable`."""
        try:
            self._loop.add_reader(self._sock.fileno(), self._readable)
        except (OSError, ValueError) as error:
            self._lose(Unwatchable(error))
            return
        if self._tls is None:
            self._on_open()
        else:
            self._handshake(b"")

    @property
    def buffered(self) -> int:
        """Bytes that are not sent yet."""
        return len(self._outgoing)

    def write(self, data: bytes) -> None:
        """Send what the socket accepts now, and the rest when it has room. No effect after a close."""
        if self._phase is not _Phase.OPEN or not data:
            return
        if self._tls is None and not self._outgoing and not self._corked and self._forks == _fork.forks:
            # The same as _flush(), for the usual case that the socket accepts everything: saves 5% (benchmark p).
            try:
                sent = self._sock.send(data)
            except OSError:
                sent = 0
            if sent == len(data):
                return
            data = data[sent:]
        self._outgoing += data if self._tls is None else self._tls.encrypt(data)
        if not self._corked:
            self._flush()

    def close(self) -> None:
        """Stop reading, send what is buffered, then close. A server that is not reading is waited for 5 seconds."""
        if self._phase is not _Phase.OPEN:
            self._keep_silent()
            return
        self._phase = _Phase.CLOSING
        self._unwatch_data()
        if self._tls is not None:
            self._outgoing += self._tls.goodbye()
        try:
            self._flush()
            if self._phase is _Phase.CLOSING:
                self._linger = self._loop.call_later(LINGER, self.abort)
        except RuntimeError:  # the loop is closed and will not report room for the rest
            self.abort()

    def abort(self) -> None:
        """Close at once. Buffered bytes are lost."""
        if self._phase is _Phase.CLOSED:
            self._keep_silent()
            return
        self._phase = _Phase.CLOSED
        if self._linger is not None:
            self._linger.cancel()
        self._unwatch_data()
        self._unwatch_room()
        self._outgoing.clear()
        self._sock.close()
        self._on_closed()

    def _readable(self) -> None:
        self._corked = True
        try:
            data = self._recv()
            if data is not None and len(data) == RECV_SIZE:
                self._take_several(data)
            elif data is not None:
                take = self._take
                take(data)
        finally:
            self._corked = False
            if self._outgoing or self._phase is not _Phase.OPEN:
                self._flush()

    def _take_several(self, data: bytes) -> None:
        """Take the data of a full read, and read on."""
        end = self._loop.time() + TIME_BUDGET
        self._take(data)
        for _ in range(RECV_BUDGET - 1):
            if len(data) < RECV_SIZE or self._phase is not _Phase.OPEN or self._loop.time() >= end:
                return
            more = self._recv()
            if more is None:
                return
            data = more
            self._take(data)

    def _recv(self) -> Optional[bytes]:
        """Read what has arrived. Return None if there is nothing, or the stream has ended."""
        if self._forks != _fork.forks:
            return None
        try:
            data = self._sock.recv(RECV_SIZE)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            self._lose(error)
            return None
        if not data:
            self._lose(None)
        return data or None

    def _received(self, data: bytes) -> None:
        assert self._tls is not None
        if self._tls.established:
            self._decrypt(data)
        else:
            self._handshake(data)

    def _handshake(self, data: bytes) -> None:
        assert self._tls is not None
        error = self._tls.handshake(data)
        self._outgoing += self._tls.take_outgoing()
        self._flush()  # at once: after a failure it contains the alert that tells the server why
        if error is not None:
            self._lose(error)
        elif self._tls.established:
            self._on_open()
            self._decrypt(b"")  # the banner may already have arrived

    def _decrypt(self, data: bytes) -> None:
        assert self._tls is not None
        plain, ended, error = self._tls.decrypt(data)
        self._outgoing += self._tls.take_outgoing()
        if plain and self._phase is _Phase.OPEN:
            self._on_data(plain)
        if ended:
            self._lose(error)

    def _flush(self) -> None:
        if self._forks != _fork.forks:
            return
        while self._outgoing and self._phase is not _Phase.CLOSED:
            try:
                sent = self._sock.send(self._outgoing)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                self._outgoing.clear()
                self._loop.call_soon(self._send_failed, error)
                break
            del self._outgoing[:sent]
        if self._phase is _Phase.CLOSED:
            return
        if self._outgoing and not self._writing:
            self._writing = True
            try:
                self._loop.add_writer(self._sock.fileno(), self._flush)
            except (OSError, ValueError) as error:
                self._lose(Unwatchable(error))
        elif not self._outgoing:
            if self._writing:
                self._unwatch_room()
            if self._phase is _Phase.CLOSING:
                self.abort()

    def _send_failed(self, error: OSError) -> None:
        if self._phase is _Phase.CLOSED:
            return
        data = self._recv()
        if data:  # first deliver what the peer sent before it closed
            self._take(data)
            self._loop.call_soon(self._send_failed, error)
        else:
            self._lose(error)

    def _unwatch_data(self) -> None:
        if self._forks == _fork.forks:  # a forked child shares its parent's selector
            self._loop.remove_reader(self._sock.fileno())

    def _unwatch_room(self) -> None:
        if self._writing and self._forks == _fork.forks:
            self._writing = False
            self._loop.remove_writer(self._sock.fileno())

    def _lose(self, error: Optional[BaseException]) -> None:
        if self._phase is _Phase.CLOSED:
            return
        told = self._phase is _Phase.OPEN
        self.abort()
        if told:
            self._loss = self._loop.call_soon(self._on_lost, error)

    def _keep_silent(self) -> None:
        if self._loss is not None:
            self._loss.cancel()
