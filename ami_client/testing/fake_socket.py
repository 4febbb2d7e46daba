"""A simulated socket; see :mod:`ami_client.testing.fakes`."""

from __future__ import annotations

import enum
import errno
import itertools
import selectors
import socket
from typing import ClassVar, Optional, Union
from weakref import WeakValueDictionary

from .._platform import system_error


class NothingCanHappen(AssertionError):
    """A wait that nothing can end. A real program would hang. The simulation fails at once."""


class _State(enum.Enum):
    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    FAILED = "failed"
    CLOSED = "closed"


class FakeSocket:
    """A stream socket. The test acts as its peer.

    The client's side has the methods of ``socket.socket`` and accepts its arguments. So
    ``unittest.mock.patch("socket.socket", FakeSocket)`` works, and so does a patch with a function that returns a
    prepared one. The test's side is :meth:`feed`, :meth:`eof`, :meth:`reset`, :attr:`sent`, :meth:`take` and
    :attr:`closed`. :meth:`refuse`, :meth:`hold` and :meth:`accept` decide on a connection attempt; by default it is
    accepted. These attributes may be set at any time:

    * ``read_size``: maximum number of bytes that one recv returns (None: no limit);
    * ``write_size``: maximum number of bytes that one send accepts;
    * ``room``: how many more bytes sends accept before they would block (None: no limit).
    """

    #: Open sockets by number, because a selector may be called with a number.
    by_fileno: ClassVar[WeakValueDictionary[int, FakeSocket]] = WeakValueDictionary()
    #: The address that the client connected to, or None.
    address: object = None
    #: The address that the client bound the socket to, or None.
    bound: object = None
    read_size: Optional[int] = None
    write_size: Optional[int] = None
    room: Optional[int] = None
    # Far above real descriptors, so a real selector refuses it.
    _numbers = itertools.count(1_000_000)

    def __init__(
        self,
        family: int = socket.AF_INET,
        type: int = socket.SOCK_STREAM,
        proto: int = 0,
        fileno: Optional[int] = None,
    ) -> None:
        self.family, self.type, self.proto = family, type, proto
        #: The options that the client has set, by (level, option).
        self.options: dict[tuple[int, int], object] = {}
        self._state = _State.NEW
        self._verdict: Optional[int] = 0  # result of the attempt: an errno, 0 for success, None while undecided
        self._error = 0
        self._blocking = True
        self._incoming = _Incoming()
        self._outgoing = bytearray()
        self._shut = False
        self._fileno = next(self._numbers) if fileno is None else fileno
        self.by_fileno[self._fileno] = self

    def __repr__(self) -> str:
        return f"<FakeSocket {self._fileno} {self._state.value}>"

    # -- the test's side

    def feed(self, data: bytes) -> None:
        """Make ``data`` arrive."""
        self._incoming.buffer += data

    def eof(self) -> None:
        """Close the other end. recv returns ``b""`` after the data."""
        self._incoming.end = 0

    def reset(self) -> None:
        """Reset the connection from the other end. send raises, and recv after the data."""
        self._incoming.end = errno.ECONNRESET

    def refuse(self, error: int = errno.ECONNREFUSED) -> None:
        """Make the next or current connection attempt fail with ``error`` (an errno)."""
        self._decide(error)

    def hold(self) -> None:
        """Leave the next connection attempt unanswered until accept or refuse."""
        self._decide(None)

    def accept(self) -> None:
        """Make the next or current connection attempt succeed."""
        self._decide(0)

    def be_connected(self, address: object) -> None:
        """Become a connection that a listening socket accepted from ``address``."""
        self.address = address
        self._state = _State.CONNECTED

    @property
    def sent(self) -> bytes:
        """Bytes that the client has sent since the last :meth:`take`."""
        return bytes(self._outgoing)

    def take(self) -> bytes:
        """Return the bytes that the client has sent since the last call."""
        taken = bytes(self._outgoing)
        self._outgoing.clear()
        return taken

    @property
    def closed(self) -> bool:
        """Whether the client has closed the socket."""
        return self._state is _State.CLOSED

    @property
    def shut_down(self) -> bool:
        """Whether the client has shut down its sending side."""
        return self._shut

    def readiness(self) -> int:
        """Return the current readiness, as event bits of ``selectors``."""
        if self._state is _State.CONNECTING:
            self._settle()
        if self._state is _State.FAILED:
            return selectors.EVENT_READ | selectors.EVENT_WRITE
        if self._state is not _State.CONNECTED:
            return 0
        events = selectors.EVENT_READ if self._incoming.ready() else 0
        if self.room != 0 or self._incoming.end == errno.ECONNRESET:
            events |= selectors.EVENT_WRITE
        return events

    def _decide(self, verdict: Optional[int]) -> None:
        if self._state not in (_State.NEW, _State.CONNECTING):
            raise NothingCanHappen(f"{self!r} has no current or future connection attempt")
        self._verdict = verdict

    def _settle(self) -> None:
        """Apply the result of the attempt. Never called inside connect."""
        if self._verdict == 0:
            self._state = _State.CONNECTED
        elif self._verdict is not None:
            self._state, self._error = _State.FAILED, self._verdict

    # -- the client's side: methods of socket.socket

    def fileno(self) -> int:
        """Return the socket's number, or -1 if it is closed."""
        return -1 if self.closed else self._fileno

    def setblocking(self, flag: bool) -> None:
        """Like the real method."""
        self._blocking = bool(flag)

    def settimeout(self, value: Optional[float]) -> None:
        """Like the real method, but accepts only None and 0: other timeouts would need a real clock."""
        if value:
            raise NotImplementedError("a FakeSocket has no timeouts: use setblocking(False)")
        self._blocking = value is None

    def gettimeout(self) -> Optional[float]:
        """Like the real method."""
        return None if self._blocking else 0.0

    def getblocking(self) -> bool:
        """Like the real method."""
        return self._blocking

    def setsockopt(self, level: int, option: int, value: object) -> None:
        """Store the option in ``options``."""
        self._check_open()
        self.options[level, option] = value

    def getsockopt(self, level: int, option: int) -> object:
        """Like the real method. SO_ERROR returns the result of the attempt, once."""
        self._check_open()
        if (level, option) == (socket.SOL_SOCKET, socket.SO_ERROR):
            error, self._error = self._error, 0
            return error
        return self.options.get((level, option), 0)

    def bind(self, address: object) -> None:
        """Store the address in ``bound``."""
        self._check_open()
        self.bound = address

    def connect_ex(self, address: object) -> int:
        """Start to connect. Return EINPROGRESS. The socket becomes writable when the attempt has ended."""
        self._check_open()
        if self._state is _State.CONNECTED:
            return errno.EISCONN
        if self._state is _State.CONNECTING:
            return errno.EALREADY
        self.address = address
        self._state = _State.CONNECTING
        if not self._blocking:
            return errno.EINPROGRESS
        self._settle()
        if self._state is _State.CONNECTING:
            raise NothingCanHappen(f"{self!r} would block in connect forever")
        error, self._error = self._error, 0
        return error

    def connect(self, address: object) -> None:
        """Like connect_ex, but raise its error: BlockingIOError while it is in progress."""
        _raise(self.connect_ex(address))

    def send(self, data: Union[bytes, bytearray, memoryview], flags: int = 0) -> int:
        """Accept ``data`` or its beginning. Return how many bytes. Raises BlockingIOError if there is no room."""
        self._check_connected()
        _raise(self._incoming.end or (errno.EPIPE if self._shut else 0))
        limits = (len(data), self.write_size, self.room)
        size = min(limit for limit in limits if limit is not None)
        if size == 0 and len(data):
            self._would_block("send")
        self._outgoing += data[:size]
        if self.room is not None:
            self.room -= size
        return size

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return up to ``size`` bytes, or ``b""`` at the end. Raises BlockingIOError if there are none."""
        self._check_connected()
        if not self._incoming.ready():
            self._would_block("recv")
        return self._incoming.read(size if self.read_size is None else min(size, self.read_size))

    def recv_into(self, buffer: Union[bytearray, memoryview], nbytes: int = 0, flags: int = 0) -> int:
        """Like recv, but into ``buffer``. Return how many bytes."""
        data = self.recv(nbytes or len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def getpeername(self) -> object:
        """Return the address of the peer."""
        self._check_connected()
        return self.address

    def getsockname(self) -> object:
        """Return an invented address of the same family."""
        return "" if isinstance(self.address, str) else ("192.0.2.1", self._fileno % 65536)

    def shutdown(self, how: int) -> None:
        """Like the real method: no more sending."""
        self._check_connected()
        self._shut = self._shut or how != socket.SHUT_RD

    def close(self) -> None:
        """Close the socket. Closing again has no effect."""
        self._state = _State.CLOSED
        self.by_fileno.pop(self._fileno, None)

    def __enter__(self) -> FakeSocket:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _check_open(self) -> None:
        _raise(errno.EBADF if self.closed else 0)

    def _check_connected(self) -> None:
        self._check_open()
        if self._state is _State.CONNECTING:
            self._settle()
        if self._state is _State.FAILED:
            error, self._error = self._error, 0
            _raise(error)
        _raise(errno.ENOTCONN if self._state is not _State.CONNECTED else 0)

    def _would_block(self, call: str) -> None:
        if self._blocking:
            raise NothingCanHappen(f"{call} would block forever: call setblocking(False) first")
        _raise(errno.EAGAIN)


class _Incoming:
    """Incoming data, and an optional end after it: 0 for EOF, or an errno."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.end: Optional[int] = None

    def ready(self) -> bool:
        return bool(self.buffer) or self.end is not None

    def read(self, size: int) -> bytes:
        if not self.buffer:
            _raise(self.end or 0)
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data


def _raise(error: int) -> None:
    if error:
        raise system_error(error)
