"""Connector: names to addresses, addresses in turn, each with its share of the time."""

from __future__ import annotations

import errno
import socket
import threading
from typing import Any

import pytest
from fake_network import Network

from ami_client._transport.connector import Connector

V4, V6 = socket.AF_INET, socket.AF_INET6
REFUSED = errno.ECONNREFUSED


class Attempt(Connector):
    """A connector that keeps what it reports."""

    def __init__(self, network: Network, host: str, port: int | None = 5038, timeout: float | None = 10) -> None:
        self.got: list[Any] = []
        super().__init__(
            network.reactor,
            host,
            port,
            timeout=timeout,
            on_connected=lambda *args: self.got.append(args),
            on_failed=self.got.append,
        )
        self.start()

    @property
    def code(self) -> int | None:
        (error,) = self.got
        assert isinstance(error, OSError)
        return error.errno


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What names resolve to: addresses or an exception. Literal addresses go to the system."""
    table: dict[str, Any] = {}
    ask: Any = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *args: Any, flags: int = 0, **kwargs: Any) -> Any:
        if flags & socket.AI_NUMERICHOST:
            return ask(host, port, *args, flags=flags, **kwargs)
        found = table[host]
        if isinstance(found, Exception):
            raise found
        return [(V6 if ":" in one else V4, 1, 6, "", (one, port)) for one in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return table


@pytest.mark.parametrize(
    ("host", "family", "address"),
    [
        ("192.0.2.1", V4, ("192.0.2.1", 5038)),
        ("2001:db8::1", V6, ("2001:db8::1", 5038, 0, 0)),
    ],
)
def test_a_literal_address_needs_no_resolver(network: Network, host: str, family: int, address: Any) -> None:
    attempt = Attempt(network, host)
    assert (attempt.got, network.sockets) == ([], [])  # nothing before the loop runs
    network.pump()
    (sock,) = network.sockets
    assert (sock.family, sock.address) == (family, address)
    assert attempt.got == [(sock, host, 5038)]
    assert not sock.getblocking()
    assert sock.options[socket.IPPROTO_TCP, socket.TCP_NODELAY] == 1


def test_a_name_is_resolved_in_a_thread(network: Network, names: dict[str, Any]) -> None:
    names["pbx.test"] = ["192.0.2.7"]
    attempt = Attempt(network, "pbx.test")
    assert attempt.got == []
    network.resolve()
    assert attempt.got == [(network.sockets[0], "192.0.2.7", 5038)]


@pytest.mark.parametrize(
    "problem",
    [socket.gaierror(socket.EAI_NONAME, "Name or service not known"), UnicodeError("label")],
)
def test_a_name_that_is_none_fails(network: Network, names: dict[str, Any], problem: Exception) -> None:
    names["nowhere.test"] = problem
    attempt = Attempt(network, "nowhere.test")
    assert attempt.got == []
    network.resolve()
    (error,) = attempt.got
    assert isinstance(error, OSError)
    assert network.sockets == []


def test_a_name_without_any_address_fails(network: Network, names: dict[str, Any]) -> None:
    names["empty.test"] = []
    attempt = Attempt(network, "empty.test")
    network.resolve()
    assert attempt.code == errno.EADDRNOTAVAIL


def test_a_refusal_leads_to_the_next_address(network: Network, names: dict[str, Any]) -> None:
    names["pbx.test"] = ["2001:db8::1", "192.0.2.1"]
    network.prepare().refuse()
    attempt = Attempt(network, "pbx.test")
    network.resolve()
    first, second = network.sockets
    assert attempt.got == [(second, "192.0.2.1", 5038)]
    assert (first.closed, second.closed) == (True, False)


def test_an_address_that_never_answers_gets_its_share_of_the_time(network: Network, names: dict[str, Any]) -> None:
    names["pbx.test"] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    network.prepare().hold()
    network.prepare().hold()
    attempt = Attempt(network, "pbx.test", timeout=9)
    network.resolve()
    network.wait(2.9)
    assert len(network.sockets) == 1
    network.wait(0.2)
    assert [sock.closed for sock in network.sockets] == [True, False]
    network.wait(2.8)
    assert len(network.sockets) == 2
    network.wait(0.2)
    assert [sock.closed for sock in network.sockets] == [True, True, False]
    assert attempt.got == [(network.sockets[2], "192.0.2.3", 5038)]


def test_time_that_a_refusal_saved_goes_to_the_others(network: Network, names: dict[str, Any]) -> None:
    names["pbx.test"] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    network.prepare().refuse()
    network.prepare().hold()
    Attempt(network, "pbx.test", timeout=10)
    network.resolve()
    network.wait(4.9)
    assert len(network.sockets) == 2
    network.wait(0.2)
    assert len(network.sockets) == 3


def test_when_all_fail_the_last_error_is_told(network: Network, names: dict[str, Any]) -> None:
    names["pbx.test"] = ["192.0.2.1", "192.0.2.2"]
    network.prepare().refuse(errno.EHOSTUNREACH)
    network.prepare().refuse()
    attempt = Attempt(network, "pbx.test")
    network.resolve()
    assert attempt.code == REFUSED
    assert all(sock.closed for sock in network.sockets)


def test_without_a_limit_it_waits(network: Network, names: dict[str, Any]) -> None:
    names["pbx.test"] = ["192.0.2.1", "192.0.2.2"]
    sock = network.prepare()
    sock.hold()
    attempt = Attempt(network, "pbx.test", timeout=None)
    network.resolve()
    network.wait(100_000)
    assert attempt.got == []
    sock.accept()
    network.pump()
    assert attempt.got == [(sock, "192.0.2.1", 5038)]


def test_the_last_address_has_no_limit_here(network: Network) -> None:
    network.prepare().hold()
    attempt = Attempt(network, "192.0.2.1", timeout=5)
    network.wait(6)
    assert attempt.got == []  # the caller watches over the whole


@pytest.mark.parametrize("runs_before", [0, 1, 2])
def test_nothing_comes_after_cancel(network: Network, runs_before: int) -> None:
    attempt = Attempt(network, "192.0.2.1")
    for _ in range(runs_before):
        network.reactor.run_once(0)
    told = len(attempt.got)
    attempt.cancel()
    network.pump()
    assert len(attempt.got) == told
    if not told:
        assert all(sock.closed for sock in network.sockets)


def test_cancel_while_the_name_is_resolved(network: Network, names: dict[str, Any]) -> None:
    names["pbx.test"] = ["192.0.2.7"]
    attempt = Attempt(network, "pbx.test")
    attempt.cancel()
    network.resolve()
    assert (attempt.got, network.sockets) == ([], [])


def test_a_loop_that_was_closed_meanwhile_is_no_matter(network: Network, names: dict[str, Any]) -> None:
    names["pbx.test"] = ["192.0.2.7"]
    attempt = Attempt(network, "pbx.test")
    network.reactor.close()
    for thread in [one for one in threading.enumerate() if "ami_client" in one.name]:
        thread.join(5)
    assert attempt.got == []  # and an exception in the thread would be a warning, so a failure


def test_a_unix_path(network: Network) -> None:
    attempt = Attempt(network, "/run/asterisk/ami", None)
    network.pump()
    (sock,) = network.sockets
    assert (sock.family, sock.address) == (socket.AF_UNIX, "/run/asterisk/ami")
    assert attempt.got == [(sock, "/run/asterisk/ami", None)]
    assert sock.options == {}


def test_an_error_at_once_leads_on(network: Network, names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    names["pbx.test"] = ["2001:db8::1", "192.0.2.1"]

    def make_socket(family: int, *args: int) -> Any:
        if family == V6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported")
        return network.make_socket(family, *args)

    monkeypatch.setattr(socket, "socket", make_socket)
    attempt = Attempt(network, "pbx.test")
    network.resolve()
    assert attempt.got == [(network.sockets[0], "192.0.2.1", 5038)]


def test_without_a_thread_to_be_had_a_name_fails(
    network: Network, names: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    attempt = Attempt(network, "pbx.test")
    network.pump()
    assert attempt.code == errno.EAGAIN
