"""Stream with TLS in between: the real ssl module, in memory, on both ends."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Callable

import pytest
from fake_network import Log, Network, stream_on

from ami_client._transport.stream import Stream
from ami_client._transport.tls import TLSFilter
from ami_client.testing import FakeSocket

Handler = Callable[[bytes], object]

TLS = Path(__file__).resolve().parent.parent / "data" / "tls"


class TLSServer:
    """The other end of a TLS stream: ssl's own, in memory."""

    def __init__(self, sock: FakeSocket, network: Network) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(TLS / "cert.pem", TLS / "key.pem")
        self.ended = False
        self.sock, self.network = sock, network
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def turn(self, step: Callable[[], object]) -> object:
        """Take what the client sent, do one step, return what it gave (None: more is needed)."""
        self.incoming.write(self.sock.take())
        try:
            return step()
        except ssl.SSLWantReadError:
            return None

    def shake_hands(self, piece: int = 100_000) -> None:
        """All of it, what the server says cut into pieces of so many bytes."""
        for _ in range(3):
            self.turn(self.tls.do_handshake)
            self.deliver(piece)

    def deliver(self, piece: int = 100_000) -> None:
        data = self.outgoing.read()
        for start in range(0, len(data), piece):
            self.network.say(data[start : start + piece], self.sock)

    def read(self) -> bytes:
        """What the client has said; ``ended`` tells whether it has said goodbye too."""
        parts: list[bytes] = []
        while True:
            part = self.turn(lambda: self.tls.read(100_000))
            if not part:
                self.ended = part == b""
                return b"".join(parts)
            assert isinstance(part, bytes)
            parts.append(part)

    def write(self, data: bytes) -> None:
        self.tls.write(data)
        self.deliver()

    def say_goodbye(self) -> None:
        self.turn(self.tls.unwrap)
        self.deliver()


def client_context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(TLS / "cert.pem"))


def tls_stream(
    network: Network, on_data: Handler | None = None, name: str = "ami.test"
) -> tuple[Stream, FakeSocket, Log, TLSServer]:
    stream, sock, log = stream_on(network, TLSFilter(client_context(), name), on_data)
    return stream, sock, log, TLSServer(sock, network)


@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_tls_opens_after_the_handshake_however_it_is_cut(network: Network, piece: int) -> None:
    stream, _, log, server = tls_stream(network)
    assert log == []
    server.shake_hands(piece)
    assert log == ["open"]
    stream.write(b"hello")
    assert server.read() == b"hello"
    server.write(b"welcome")
    assert log.data == b"welcome"


def test_tls_an_address_may_stand_in_the_certificate(network: Network) -> None:
    *_, log, server = tls_stream(network, name="192.0.2.1")
    server.shake_hands()
    assert log == ["open"]


def test_tls_data_that_comes_with_the_handshake_follows_the_opening(network: Network) -> None:
    *_, log, server = tls_stream(network)
    # In TLS 1.3 the server is done first: tickets, banner and all are in one piece.
    server.turn(server.tls.do_handshake)
    server.deliver()
    server.turn(server.tls.do_handshake)
    server.tls.write(b"banner")
    server.deliver()
    assert log == ["open", b"banner"]


def test_tls_12_banner_in_the_same_bytes_as_the_last_of_the_handshake(network: Network) -> None:
    context = client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    _, sock, log = stream_on(network, TLSFilter(context, "ami.test"))
    server = TLSServer(sock, network)
    server.turn(server.tls.do_handshake)
    server.deliver()
    server.turn(server.tls.do_handshake)
    server.tls.write(b"banner")
    assert log == []
    server.deliver()
    assert log == ["open", b"banner"]


def test_tls_large_data_both_ways_with_short_reads_and_little_room(network: Network) -> None:
    stream, sock, log, server = tls_stream(network)
    server.shake_hands()
    data = bytes(range(256)) * 1000
    sock.room = 1000
    stream.write(data)
    got = server.read()
    sock.room = None
    network.pump()
    assert got + server.read() == data
    sock.read_size = 1009
    server.write(data)
    assert log.data == data


def test_tls_the_peers_goodbye_is_a_plain_end_after_its_data(network: Network) -> None:
    _, sock, log, server = tls_stream(network)
    server.shake_hands()
    server.tls.write(b"last words")
    server.say_goodbye()
    assert log == ["open", b"last words", ("lost", None)]
    assert sock.closed


def test_tls_close_says_goodbye(network: Network) -> None:
    stream, sock, _, server = tls_stream(network)
    server.shake_hands()
    stream.write(b"bye")
    stream.close()
    assert sock.closed
    assert (server.read(), server.ended) == (b"bye", True)


def test_tls_a_wrong_name_is_refused_and_the_server_told(network: Network) -> None:
    _, sock, log, server = tls_stream(network, name="other.test")
    server.turn(server.tls.do_handshake)
    server.deliver()
    assert [type(error) for error in log.losses] == [ssl.SSLCertVerificationError]
    assert "open" not in log and sock.closed
    with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
        server.turn(server.tls.do_handshake)


def test_tls_an_unknown_certificate_is_refused(network: Network) -> None:
    _, sock, log = stream_on(network, TLSFilter(ssl.create_default_context(), "ami.test"))
    server = TLSServer(sock, network)
    server.turn(server.tls.do_handshake)
    server.deliver()
    assert [type(error) for error in log.losses] == [ssl.SSLCertVerificationError]


def test_tls_a_peer_that_speaks_plainly_fails_the_handshake(network: Network) -> None:
    _, sock, log, _ = tls_stream(network)
    network.say(b"Asterisk Call Manager/5.0.4\r\n", sock)
    (error,) = log.losses
    assert isinstance(error, ssl.SSLError) and "open" not in log


def test_tls_an_end_in_the_handshake_is_a_loss_without_opening(network: Network) -> None:
    _, sock, log, _ = tls_stream(network)
    sock.eof()
    network.pump()
    assert log == [("lost", None)]


def test_tls_garbage_later_is_a_loss_with_the_error(network: Network) -> None:
    _, sock, log, server = tls_stream(network)
    server.shake_hands()
    network.say(b"garbage that is no TLS record at all", sock)
    assert [isinstance(error, ssl.SSLError) for error in log.losses] == [True]
    assert sock.closed


def test_tls_nothing_after_the_handler_has_closed(network: Network) -> None:
    stream, sock, log, server = tls_stream(network, on_data=lambda data: stream.abort())
    server.shake_hands()
    server.tls.write(b"one")
    server.deliver()
    assert (log, sock.closed) == (["open", b"one"], True)


def test_tls_nothing_after_an_abort_at_the_opening(network: Network) -> None:
    context = client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # there the banner can come with the last of the handshake
    stream, sock, log = stream_on(network, TLSFilter(context, "ami.test"), on_open=lambda: stream.abort())
    server = TLSServer(sock, network)
    server.turn(server.tls.do_handshake)
    server.deliver()
    server.turn(server.tls.do_handshake)
    server.tls.write(b"banner")
    server.deliver()
    assert (log, sock.closed) == (["open"], True)


def test_tls_the_peers_goodbye_to_a_closing_stream_is_told_to_nobody(network: Network) -> None:
    stream, sock, log, server = tls_stream(network, on_data=lambda data: stream.close())
    server.shake_hands()
    sock.room = 0
    stream.write(b"too much")
    server.tls.write(b"one")
    server.say_goodbye()
    network.pump()
    assert (log, sock.closed) == (["open", b"one"], True)


def test_tls_closing_before_the_handshake_is_silent(network: Network) -> None:
    stream, sock, log, _ = tls_stream(network)
    stream.close()
    network.pump()
    assert (sock.closed, log) == (True, [])
