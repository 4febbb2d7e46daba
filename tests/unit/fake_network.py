"""What the tests of the modules with I/O share: a simulated loop, sockets in the tests' hands."""

from __future__ import annotations

import socket
import threading
from collections import deque
from typing import Any, Callable

import pytest
from server_texts import BANNER, WELCOME

from ami_client import Connection, Pool, Reactor
from ami_client._client.dispatch import Dispatch
from ami_client._transport.stream import Stream
from ami_client._transport.tls import TLSFilter
from ami_client.testing import FakeClock, FakeSelector, FakeSocket

SECRET = "s3cr3t-Hush"
URL = f"tcp://joe:{SECRET}@192.0.2.1:5038"


class Network:
    """A simulated reactor, and every socket that was made on it, in order."""

    def __init__(self) -> None:
        self.clock = FakeClock(1000.0)
        self.reactor = Reactor(selector=FakeSelector(self.clock), clock=self.clock)
        self.sockets: list[FakeSocket] = []
        self.coming: deque[FakeSocket] = deque()

    def make_socket(self, *args: int) -> FakeSocket:
        """In place of ``socket.socket``: those of ``coming`` first."""
        sock = self.coming.popleft() if self.coming else FakeSocket(*args)
        self.sockets.append(sock)
        return sock

    def prepare(self) -> FakeSocket:
        """The socket that will be made next, to be told beforehand how it behaves."""
        sock = FakeSocket()
        self.coming.append(sock)
        return sock

    def pump(self, limit: int = 1000) -> None:
        """Run until nothing is left to be done now."""
        for _ in range(limit):
            if not self.reactor.run_once(0):
                return
        raise AssertionError("the loop is busy without an end")

    def wait(self, seconds: float) -> None:
        """Run for so long on the simulated clock, all timers in their order."""
        end = self.clock.now + seconds
        self.pump()
        while self.clock.now < end:
            self.reactor.run_once(end - self.clock.now)
        self.pump()

    def resolve(self) -> None:
        """Wait for the threads that look names up, then run."""
        for thread in threading.enumerate():
            if thread.name == "ami_client-resolver":
                thread.join(5)
                assert not thread.is_alive()
        self.pump()

    def say(self, data: bytes, sock: FakeSocket | None = None) -> None:
        """Let the server send to the last socket, or this one, and run."""
        (sock or self.sockets[-1]).feed(data)
        self.pump()

    def pool(self, **options: Any) -> Pool:
        """A pool with the short way to log in."""
        return Pool(reactor=self.reactor, **{"authtype": "plain", **options})

    def log_in(self, **options: Any) -> Peer:
        """A connection that is logged in."""
        pool = self.pool(**options)
        found: list[Connection] = []
        pool.get_connection(URL, found.append, before_connect=found.append)
        peer = self.answer_login()
        assert found[0].connected and found[0] is found[1]
        return Peer(self, found[0], peer)

    def answer_login(self, answer: bytes = WELCOME) -> FakeSocket:
        """Play the server of the last socket until the answer to a plain login."""
        self.pump()
        sock = self.sockets[-1]
        self.say(BANNER, sock)
        assert b"Action: login\r\n" in sock.take()
        self.say(answer, sock)
        return sock


class Peer:
    """The server's end of one connection."""

    def __init__(self, network: Network, conn: Connection, sock: FakeSocket) -> None:
        self.network = network
        self.conn = conn
        self.sock = sock

    def say(self, *messages: str) -> None:
        """Send messages written as ``"Event: X|Header: value"``, and run."""
        self.network.say(b"".join(message(one) for one in messages), self.sock)

    def answer(self, action_id: str, headers: str = "Response: Success") -> None:
        """Answer an action."""
        self.say(f"{headers}|ActionID: {action_id}")


def message(text: str) -> bytes:
    """One message; ``|`` stands for the line's end."""
    return text.replace("|", "\r\n").encode() + b"\r\n\r\n"


class Calls(list):  # type: ignore[type-arg]
    """Keeps what a callback ``cb(conn, result)`` was given, in order."""

    __hash__ = object.__hash__  # type: ignore[assignment]  # pyee keeps handlers in a dict

    def __call__(self, conn: Connection, result: Any = None) -> None:
        self.append(result)


class Life:
    """A connection that is watched from before its beginning."""

    def __init__(self, network: Network, url: str = URL, **options: Any) -> None:
        self.network = network
        self.log: list[str] = []
        self.packet: Any = None
        network.pool(**options).get_connection(url, self._got, before_connect=self._watch)

    def _watch(self, conn: Connection) -> None:
        self.conn = conn
        for name in ("connected", "disconnect"):
            conn.bind(name, lambda conn, name=name: self.log.append(name))
        conn.on_event(lambda conn, packet: self.log.append(packet["event"]))

    def _got(self, conn: Connection, packet: Any) -> None:
        assert conn is self.conn
        self.log.append(f"callback {conn.connected}")
        self.packet = packet


class Log(list):  # type: ignore[type-arg]
    """What a stream has told, in order."""

    @property
    def data(self) -> bytes:
        return b"".join(item for item in self if isinstance(item, bytes))

    @property
    def losses(self) -> list[object]:
        return [item[1] for item in self if isinstance(item, tuple)]


def stream_on(
    network: Network,
    tls: TLSFilter | None = None,
    on_data: Callable[[bytes], object] | None = None,
    on_open: Callable[[], object] | None = None,
) -> tuple[Stream, FakeSocket, Log]:
    """A started stream on a connected socket."""
    log = Log()

    def opened() -> None:
        log.append("open")
        if on_open is not None:
            on_open()

    def received(data: bytes) -> None:
        log.append(data)
        if on_data is not None:
            on_data(data)

    sock = FakeSocket()
    sock.setblocking(False)
    sock.connect_ex(("192.0.2.1", 5038))
    stream = Stream(
        network.reactor,
        sock,  # type: ignore[arg-type]
        on_open=opened,
        on_data=received,
        on_lost=lambda error: log.append(("lost", error)),
        tls=tls,
    )
    stream.start()
    return stream, sock, log


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    network = Network()
    monkeypatch.setattr(socket, "socket", network.make_socket)
    return network


@pytest.fixture
def peer(network: Network) -> Peer:
    return network.log_in()


@pytest.fixture(params=["short", "long"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test twice: packets that come alone go the short way, and then the long one, as in a block."""
    if request.param == "long":
        monkeypatch.setattr(Dispatch, "lone_packet", lambda *args: None)
