"""An in-memory network with host names. Nothing leaves the process."""

from __future__ import annotations

import errno
import itertools
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Callable, Optional, Union, cast

from .._platform import system_error
from .._transport import connector
from .fake_socket import FakeSocket

if TYPE_CHECKING:
    from ..loop import Loop

#: An address: host and port, or the path of a unix socket.
Place = Union[tuple[str, int], str]
OnAccept = Callable[[socket.socket], object]

_FIRST_PORT = 40_000
_EVERYWHERE = ("0.0.0.0", "::")


class NetworkSocket(FakeSocket):
    """A FakeSocket connected to another one."""

    _network: FakeNetwork
    _peer: Optional[NetworkSocket] = None

    def join(self, peer: NetworkSocket) -> None:
        """Connect this socket to ``peer``."""
        self._peer, peer._peer = peer, self

    def connect_ex(self, address: object) -> int:
        """Like the real method, within this network."""
        if self.address is None and not self.closed:
            self._network.connect(self, address)
        return super().connect_ex(address)

    def send(self, data: Union[bytes, bytearray, memoryview], flags: int = 0) -> int:
        """Like the real method. The data arrives at once."""
        size = super().send(data, flags)
        sent = self.take()
        if self._peer is not None:
            self._peer.feed(sent)
        return size

    def shutdown(self, how: int) -> None:
        """Like the real method."""
        super().shutdown(how)
        if self.shut_down and self._peer is not None:
            self._peer.eof()

    def close(self) -> None:
        """Like the real method, including a linger time of 0 seconds."""
        peer, self._peer = self._peer, None
        if peer is not None:
            resets = (socket.SOL_SOCKET, socket.SO_LINGER) in self.options
            (peer.reset if resets else peer.eof)()
            peer._peer = None
        super().close()


class FakeNetwork:
    """The listeners by address. Any host name can be used; its only address is the name itself."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._listeners: dict[Place, OnAccept] = {}
        self._ports = itertools.count(_FIRST_PORT)
        self._is_installed = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Make the library use this network, in the whole process, until the end of the block."""
        names = vars(connector)
        module = names["socket"] = _SocketModule(self, names["socket"])
        self._is_installed = True
        try:
            yield
        finally:
            self._is_installed = False
            module.is_over = True
            # Nested networks may end in any order.
            while isinstance(names["socket"], _SocketModule) and names["socket"].is_over:
                names["socket"] = names["socket"].beneath

    def listen(self, place: Place, on_accept: OnAccept) -> Place:
        """Call ``on_accept(sock)`` for each connection to a place. Return the place with its port; port 0 means any.

        Raises OSError if the place is taken, RuntimeError if the network is not installed.
        """
        if not self._is_installed:
            raise RuntimeError("use the SimulatedReactor in a with block: its network cannot be reached outside")
        if isinstance(place, tuple):
            host, port = place
            place = (
                _same(host),
                port or next(number for number in self._ports if (host, number) not in self._listeners),
            )
        if place in self._listeners:
            raise system_error(errno.EADDRINUSE)
        self._listeners[place] = on_accept
        return place

    def unlisten(self, place: Place) -> None:
        """Stop listening at a place."""
        del self._listeners[place]

    def connect(self, sock: NetworkSocket, address: object) -> None:
        """Connect ``sock`` to the listener at ``address``, or refuse it."""
        on_accept = self._find(address)
        if on_accept is None:
            sock.refuse()
            return
        peer = self.socket(sock.family)
        peer.setblocking(False)
        sock.join(peer)
        peer.be_connected(sock.getsockname())
        self.loop.call_soon(on_accept, peer)

    def socket(
        self,
        family: int = socket.AF_INET,
        type: int = socket.SOCK_STREAM,
        proto: int = 0,
        fileno: Optional[int] = None,
    ) -> NetworkSocket:
        """Replacement for ``socket.socket``."""
        sock = NetworkSocket(family, type, proto, fileno)
        sock._network = self
        return sock

    def getaddrinfo(
        self, host: str, port: int, *args: object, **options: object
    ) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
        """Replacement for ``socket.getaddrinfo``. The only address of a name is the name."""
        address = (host, port, 0, 0) if ":" in host else (host, port)
        return [(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, 6, "", address)]

    def _find(self, address: object) -> Optional[OnAccept]:
        if isinstance(address, str):
            return self._listeners.get(address)
        host, port = cast("tuple[str, int]", address)[:2]
        places = [(_same(host), port), *((one, port) for one in _EVERYWHERE)]
        return next((self._listeners[place] for place in places if place in self._listeners), None)


class _SocketModule:
    """The module ``socket`` with its functions for connecting replaced."""

    def __init__(self, network: FakeNetwork, beneath: object) -> None:
        self.beneath = beneath
        self.is_over = False
        self._network = network
        self.getaddrinfo = network.getaddrinfo

    @property
    def socket(self) -> Callable[..., object]:
        given = socket.socket
        # A patch by a test takes precedence over this network.
        is_real = isinstance(given, type) and issubclass(given, socket.SocketType)
        return self._network.socket if is_real else given

    def __getattr__(self, name: str) -> object:
        return getattr(socket, name)


def _same(host: str) -> str:
    return "127.0.0.1" if host.lower() in ("localhost", "::1") else host.lower()
