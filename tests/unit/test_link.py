"""Link: from a URL to a stream of bytes, and what it says when there is none."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Any

import pytest
from fake_network import Network

from ami_client._transport.transport import Transport
from ami_client.errors import ConnectFailed, ConnectionLost, ConnectTimeout, TLSFailed
from ami_client.options import Options
from ami_client.url import ServerURL


class Tried(Transport):
    """A link that keeps what it reports."""

    def __init__(self, network: Network, url: str, **options: Any) -> None:
        self.got: list[Any] = []
        super().__init__(
            network.reactor,
            ServerURL.parse(url),
            Options.make(**options),
            on_open=lambda: self.got.append("open"),
            on_data=self.got.append,
            on_lost=self.got.append,
        )
        self.open()

    @property
    def error(self) -> Any:
        (error,) = self.got
        return error


def test_it_opens_and_carries_bytes(network: Network) -> None:
    link = Tried(network, "192.0.2.1:5038")
    link.write(b"too early")
    assert (link.got, link.addr) == ([], "")
    network.pump()
    assert (link.got, link.addr) == (["open"], "192.0.2.1:5038")
    network.say(b"hello")
    link.write(b"hi")
    assert (link.got, network.sockets[0].sent) == (["open", b"hello"], b"hi")
    link.close()
    assert network.sockets[0].closed
    link.write(b"too late")


@pytest.mark.parametrize(
    ("url", "port", "addr"),
    [
        ("192.0.2.1", 5280, "192.0.2.1:5280"),
        ("192.0.2.1:77", 77, "192.0.2.1:77"),
        ("[2001:db8::1]:77", 77, "[2001:db8::1]:77"),
        ("unix:/run/ami", None, "/run/ami"),
    ],
)
def test_the_port_and_the_peer(network: Network, url: str, port: int | None, addr: str) -> None:
    link = Tried(network, url)
    network.pump()
    assert (link.port, link.addr) == (port, addr)


@pytest.mark.parametrize(
    ("url", "options", "hint"),
    [
        ("192.0.2.1", {}, "192.0.2.1:5038"),
        ("192.0.2.1", {"port": 99}, "192.0.2.1:5038"),
        ("tls://192.0.2.1", {}, "192.0.2.1:5039"),
        ("192.0.2.1", {"ssl": True}, "192.0.2.1:5039"),
        ("192.0.2.1", {"port": 5038}, ""),
        ("tls://192.0.2.1", {"port": 5039}, ""),
        ("192.0.2.1:5280", {}, ""),
        ("unix:/run/ami", {}, ""),
    ],
)
def test_a_refusal_names_the_usual_port_if_the_url_names_none(
    network: Network, url: str, options: dict[str, Any], hint: str
) -> None:
    network.prepare().refuse()
    link = Tried(network, url, **options)
    network.pump()
    assert type(link.error) is ConnectFailed
    assert str(link.error).partition(";")[2][-len("192.0.2.1:5038") :] == hint
    assert (link.error.host, link.error.port) == (ServerURL.parse(url).host, link.port)
    assert isinstance(link.error.cause, ConnectionRefusedError)
    assert isinstance(link.error, ConnectionError)


def test_another_failure_carries_its_cause(network: Network) -> None:
    network.prepare().refuse(errno.EHOSTUNREACH)
    link = Tried(network, "192.0.2.1")
    network.pump()
    assert link.error.cause.errno == errno.EHOSTUNREACH
    assert "192.0.2.1:5280" in str(link.error) and "5038" not in str(link.error)


def test_nobody_answers_within_connect_timeout(network: Network) -> None:
    sock = network.prepare()
    sock.hold()
    link = Tried(network, "192.0.2.1", connect_timeout=3)
    network.wait(2.9)
    assert link.got == []
    network.wait(0.2)
    assert type(link.error) is ConnectTimeout
    assert isinstance(link.error, TimeoutError) and isinstance(link.error, ConnectFailed)
    assert (link.error.host, link.error.port) == ("192.0.2.1", 5280)
    assert sock.closed  # by itself: nothing can come any more


def test_the_limit_ends_with_the_opening(network: Network) -> None:
    link = Tried(network, "192.0.2.1", connect_timeout=3)
    network.wait(10)
    assert link.got == ["open"]


def test_without_a_limit_it_waits(network: Network) -> None:
    network.prepare().hold()
    link = Tried(network, "192.0.2.1", connect_timeout=None)
    network.wait(100_000)
    assert link.got == []


@pytest.mark.parametrize("abort", [False, True])
def test_nothing_comes_after_close(network: Network, abort: bool) -> None:
    network.prepare().hold()
    link = Tried(network, "192.0.2.1", connect_timeout=3)
    network.pump()
    link.close(abort=abort)
    assert network.sockets[0].closed
    network.wait(10)
    assert link.got == []


def test_the_end_of_an_open_link(network: Network) -> None:
    link = Tried(network, "192.0.2.1")
    network.pump()
    network.sockets[0].eof()
    network.pump()
    _, error = link.got
    assert type(error) is ConnectionLost and error.cause is None
    assert "closed" in str(error)


def test_the_reset_of_an_open_link(network: Network) -> None:
    link = Tried(network, "192.0.2.1")
    network.pump()
    network.sockets[0].reset()
    network.pump()
    _, error = link.got
    assert type(error) is ConnectionLost
    assert isinstance(error.cause, ConnectionResetError)


# TLS


def test_a_tls_url_begins_with_a_handshake_and_within_the_time_to_connect(network: Network) -> None:
    link = Tried(network, "tls://192.0.2.1:5039", connect_timeout=3)
    network.pump()
    (sock,) = network.sockets
    assert sock.sent[:2] == b"\x16\x03"
    assert link.got == []
    network.wait(3)
    assert type(link.error) is ConnectTimeout and sock.closed


@pytest.mark.parametrize("wanted", [True, "context"])
def test_the_option_ssl_does_the_same_for_any_url(network: Network, wanted: object) -> None:
    Tried(network, "192.0.2.1", ssl=ssl.create_default_context() if wanted == "context" else True)
    network.pump()
    assert network.sockets[0].sent[:2] == b"\x16\x03"


@pytest.mark.parametrize(
    ("url", "options", "hint"),
    [
        ("tls://192.0.2.1:5039", {}, "use tcp:// if this is the port without TLS"),
        ("tcp://192.0.2.1:5039", {"ssl": True}, "the option ssl encrypts tcp: URLs too, so add #ssl=0 to this one"),
    ],
)
def test_a_server_that_speaks_plainly_is_a_tls_failure(
    network: Network, url: str, options: dict[str, Any], hint: str
) -> None:
    link = Tried(network, url, **options)
    network.pump()
    network.say(b"Asterisk Call Manager/5.0.4\r\n")
    assert type(link.error) is TLSFailed
    assert str(link.error).endswith(hint)
    assert (link.error.host, link.error.port) == ("192.0.2.1", 5039)
    assert isinstance(link.error.cause, ssl.SSLError)
    assert network.sockets[0].closed


def test_an_end_in_the_handshake_is_a_tls_failure(network: Network) -> None:
    link = Tried(network, "tls://192.0.2.1:5039")
    network.pump()
    network.sockets[0].eof()
    network.pump()
    assert type(link.error) is TLSFailed and link.error.cause is None


def test_a_name_that_tls_does_not_take(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, 1, 6, "", ("192.0.2.1", 5039))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
    link = Tried(network, "tls://.pbx.test")
    network.pump()
    assert type(link.error) is TLSFailed
    assert isinstance(link.error.cause, ValueError)
    assert network.sockets[0].closed


def test_tls_on_a_unix_socket_needs_no_name(network: Network) -> None:
    link = Tried(network, "unix:/run/ami", ssl=True)
    network.pump()
    assert (link.got, network.sockets[0].sent[:2]) == ([], b"\x16\x03")
