"""Sockets that the loop does not take: the end of that one connection, told once, and nobody else's."""

from __future__ import annotations

import errno
import selectors
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest
from fake_network import Calls, Network, stream_on
from high import HighSockets

from ami_client import Connection, Packet, PacketCallback, Pool, Reactor
from ami_client._transport.stream import Unwatchable
from ami_client._transport.transport import Transport
from ami_client.errors import ConnectFailed, ConnectionLost
from ami_client.options import Options
from ami_client.testing import FakeAsterisk
from ami_client.url import ServerURL

FULL = OSError(errno.ENOSPC, "No space left on device")  # as epoll has it when a user watches too much
TOO_HIGH = ValueError("too high")


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    with Reactor(selectors.SelectSelector()) as reactor:
        yield reactor


def run(reactor: Reactor, seconds: float = 10) -> None:
    late = reactor.call_later(seconds, reactor.stop)
    reactor.run()
    late.cancel()


def calls_and_stops(calls: Calls, reactor: Reactor) -> PacketCallback:
    """A callback that keeps what it is given, and stops the loop."""

    def callback(conn: Connection, packet: Packet) -> None:
        calls(conn, packet)
        reactor.stop()

    return callback


@pytest.mark.parametrize("kind", ["tcp", "tls", "unix"])
def test_a_descriptor_too_high_for_select_is_one_connections_failure(
    reactor: Reactor, high_sockets: HighSockets, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    path = str(tmp_path / "ami")
    with FakeAsterisk(reactor, **({"unix_path": path} if kind == "unix" else {})) as server:  # type: ignore[arg-type]
        pool, calls, others = Pool(reactor=reactor), Calls(), []
        ended: list[Connection] = []

        def watch(conn: Connection) -> None:
            conn.bind("disconnect", ended.append)

        def got(conn: Connection) -> None:
            others.append(conn)
            conn.acquire()
            reactor.stop()

        pool.get_connection(server.url, got)
        run(reactor)
        make: Any = socket.socket

        def make_high(*args: int, fileno: Optional[int] = None) -> socket.socket:
            return high_sockets(make(*args)) if fileno is None else make(*args, fileno=fileno)  # accepted ones are low

        with monkeypatch.context() as patch:
            patch.setattr(socket, "socket", make_high)
            url = server.url.replace("tcp://", f"{kind}://")
            pool.get_connection(url, calls_and_stops(calls, reactor), before_connect=watch)
            run(reactor)
        (packet,) = calls
        assert type(packet.error) is ConnectFailed
        assert isinstance(packet.error.cause, Unwatchable) and isinstance(packet.error.cause.__cause__, ValueError)
        assert "cannot be watched with select" in str(packet.error)
        assert (len(ended), len(calls)) == (1, 1)
        answers = Calls()
        others[0].ping(calls_and_stops(answers, reactor))
        run(reactor)
        assert answers[0].error is None
        pool.get_connection(server.url, got)
        run(reactor)
        assert [conn.connected for conn in others] == [True, True]
        pool.finish()


class Refusing:
    """A loop of somebody else's, which takes some descriptors and others not."""

    def __init__(self, network: Network, monkeypatch: pytest.MonkeyPatch, what: str, error: Exception) -> None:
        def add(*args: object) -> None:
            raise error

        monkeypatch.setattr(network.reactor, what, add)


def link_on(network: Network, url: str = "192.0.2.1") -> tuple[Transport, list[Any]]:
    got: list[Any] = []
    link = Transport(
        network.reactor,
        ServerURL.parse(url),
        Options.make(connect_timeout=3),
        on_open=lambda: got.append("open"),
        on_data=got.append,
        on_lost=got.append,
    )
    link.open()
    return link, got


@pytest.mark.parametrize("error", [FULL, TOO_HIGH])
def test_an_attempt_that_cannot_be_watched_fails_from_the_loop_and_once(
    network: Network, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    Refusing(network, monkeypatch, "add_writer", error)
    network.prepare().hold()
    _, got = link_on(network)
    network.wait(10)
    (failure,) = got
    assert type(failure) is ConnectFailed and isinstance(failure.cause, OSError)
    assert failure.cause.__cause__ is error
    assert failure.cause.errno == (errno.ENOSPC if error is FULL else errno.EMFILE)
    assert network.sockets[0].closed


@pytest.mark.parametrize("error", [FULL, TOO_HIGH])
@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_a_socket_that_cannot_be_read_fails_from_the_loop_and_once(
    network: Network, monkeypatch: pytest.MonkeyPatch, error: Exception, scheme: str
) -> None:
    Refusing(network, monkeypatch, "add_reader", error)
    _, got = link_on(network, f"{scheme}://192.0.2.1")
    network.wait(10)
    (failure,) = got
    assert type(failure) is ConnectFailed and failure.cause is not None and failure.cause.__cause__ is error
    assert network.sockets[0].closed and network.sockets[0].sent == b""


def test_nothing_is_told_of_it_after_a_close(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    Refusing(network, monkeypatch, "add_reader", TOO_HIGH)
    link, got = link_on(network)
    while not network.sockets or not network.sockets[0].closed:
        network.reactor.run_once(0)
    link.close()
    network.wait(10)
    assert got == []


@pytest.mark.parametrize("error", [FULL, TOO_HIGH])
def test_a_stream_whose_room_cannot_be_watched_is_lost(
    network: Network, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    stream, sock, log = stream_on(network)
    Refusing(network, monkeypatch, "add_writer", error)
    sock.room = 3
    stream.write(b"abcdef")
    assert log == ["open"] and sock.closed  # told from the loop, not out of a call
    stream.write(b"more")
    network.pump()
    (loss,) = log.losses
    assert isinstance(loss, Unwatchable) and loss.__cause__ is error


def test_a_stream_that_is_closing_and_cannot_be_watched_closes_at_once(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, sock, log = stream_on(network)
    sock.room = 0
    stream.close()

    def answer(data: bytes) -> None:
        stream.write(b"answer")
        stream.close()

    stream, sock, log = stream_on(network, on_data=answer)
    Refusing(network, monkeypatch, "add_writer", TOO_HIGH)
    sock.room = 0
    network.say(b"ask", sock)
    assert (sock.closed, log) == (True, ["open", b"ask"])
    assert network.reactor.run_once(0) is False


def test_a_connection_whose_room_cannot_be_watched_is_lost_with_all_its_callbacks_once(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer, calls, ended = network.log_in(), Calls(), Calls()
    peer.conn.bind("disconnect", ended)
    Refusing(network, monkeypatch, "add_writer", TOO_HIGH)
    peer.sock.room = 3
    for _ in range(3):
        peer.conn.ping(calls)
    network.pump()
    assert [type(packet.error) for packet in calls] == [ConnectionLost] * 3
    assert isinstance(peer.conn.error, ConnectionLost) and isinstance(peer.conn.error.cause, Unwatchable)
    assert len(ended) == 1
