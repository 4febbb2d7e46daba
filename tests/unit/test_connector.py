"""Connector: names to addresses, addresses in turn, each with its share of the time."""

from __future__ import annotations

import errno
import socket
import threading
from typing import Any

import pytest
from wire import Wire

from ami_client._transport.connector import Connector

V4, V6 = socket.AF_INET, socket.AF_INET6
REFUSED = errno.ECONNREFUSED


class Attempt(Connector):
    """A connector that keeps what it reports."""

    def __init__(self, wire: Wire, host: str, port: int | None = 5038, timeout: float | None = 10) -> None:
        self.got: list[Any] = []
        super().__init__(
            wire.reactor,
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
def test_a_literal_address_needs_no_resolver(wire: Wire, host: str, family: int, address: Any) -> None:
    attempt = Attempt(wire, host)
    assert (attempt.got, wire.sockets) == ([], [])  # nothing before the loop runs
    wire.pump()
    (sock,) = wire.sockets
    assert (sock.family, sock.address) == (family, address)
    assert attempt.got == [(sock, host, 5038)]
    assert not sock.getblocking()
    assert sock.options[socket.IPPROTO_TCP, socket.TCP_NODELAY] == 1


def test_a_name_is_resolved_in_a_thread(wire: Wire, names: dict[str, Any]) -> None:
    names["pbx.test"] = ["192.0.2.7"]
    attempt = Attempt(wire, "pbx.test")
    assert attempt.got == []
    wire.resolve()
    assert attempt.got == [(wire.sockets[0], "192.0.2.7", 5038)]


@pytest.mark.parametrize(
    "problem",
    [socket.gaierror(socket.EAI_NONAME, "Name or service not known"), UnicodeError("label")],
)
def test_a_name_that_is_none_fails(wire: Wire, names: dict[str, Any], problem: Exception) -> None:
    names["nowhere.test"] = problem
    attempt = Attempt(wire, "nowhere.test")
    assert attempt.got == []
    wire.resolve()
    (error,) = attempt.got
    assert isinstance(error, OSError)
    assert wire.sockets == []


def test_a_name_without_any_address_fails(wire: Wire, names: dict[str, Any]) -> None:
    names["empty.test"] = []
    attempt = Attempt(wire, "empty.test")
    wire.resolve()
    assert attempt.code == errno.EADDRNOTAVAIL


def test_a_refusal_leads_to_the_next_address(wire: Wire, names: dict[str, Any]) -> None:
    names["pbx.test"] = ["2001:db8::1", "192.0.2.1"]
    wire.prepare().refuse()
    attempt = Attempt(wire, "pbx.test")
    wire.resolve()
    first, second = wire.sockets
    assert attempt.got == [(second, "192.0.2.1", 5038)]
    assert (first.closed, second.closed) == (True, False)


def test_an_address_that_never_answers_gets_its_share_of_the_time(wire: Wire, names: dict[str, Any]) -> None:
    names["pbx.test"] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    wire.prepare().hold()
    wire.prepare().hold()
    attempt = Attempt(wire, "pbx.test", timeout=9)
    wire.resolve()
    wire.wait(2.9)
    assert len(wire.sockets) == 1
    wire.wait(0.2)
    assert [sock.closed for sock in wire.sockets] == [True, False]
    wire.wait(2.8)
    assert len(wire.sockets) == 2
    wire.wait(0.2)
    assert [sock.closed for sock in wire.sockets] == [True, True, False]
    assert attempt.got == [(wire.sockets[2], "192.0.2.3", 5038)]


def test_time_that_a_refusal_saved_goes_to_the_others(wire: Wire, names: dict[str, Any]) -> None:
    names["pbx.test"] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    wire.prepare().refuse()
    wire.prepare().hold()
    Attempt(wire, "pbx.test", timeout=10)
    wire.resolve()
    wire.wait(4.9)
    assert len(wire.sockets) == 2
    wire.wait(0.2)
    assert len(wire.sockets) == 3


def test_when_all_fail_the_last_error_is_told(wire: Wire, names: dict[str, Any]) -> None:
    names["pbx.test"] = ["192.0.2.1", "192.0.2.2"]
    wire.prepare().refuse(errno.EHOSTUNREACH)
    wire.prepare().refuse()
    attempt = Attempt(wire, "pbx.test")
    wire.resolve()
    assert attempt.code == REFUSED
    assert all(sock.closed for sock in wire.sockets)


def test_without_a_limit_it_waits(wire: Wire, names: dict[str, Any]) -> None:
    names["pbx.test"] = ["192.0.2.1", "192.0.2.2"]
    sock = wire.prepare()
    sock.hold()
    attempt = Attempt(wire, "pbx.test", timeout=None)
    wire.resolve()
    wire.wait(100_000)
    assert attempt.got == []
    sock.accept()
    wire.pump()
    assert attempt.got == [(sock, "192.0.2.1", 5038)]


def test_the_last_address_has_no_limit_here(wire: Wire) -> None:
    wire.prepare().hold()
    attempt = Attempt(wire, "192.0.2.1", timeout=5)
    wire.wait(6)
    assert attempt.got == []  # the caller watches over the whole


@pytest.mark.parametrize("runs_before", [0, 1, 2])
def test_nothing_comes_after_cancel(wire: Wire, runs_before: int) -> None:
    attempt = Attempt(wire, "192.0.2.1")
    for _ in range(runs_before):
        wire.reactor.run_once(0)
    told = len(attempt.got)
    attempt.cancel()
    wire.pump()
    assert len(attempt.got) == told
    if not told:
        assert all(sock.closed for sock in wire.sockets)


def test_cancel_while_the_name_is_resolved(wire: Wire, names: dict[str, Any]) -> None:
    names["pbx.test"] = ["192.0.2.7"]
    attempt = Attempt(wire, "pbx.test")
    attempt.cancel()
    wire.resolve()
    assert (attempt.got, wire.sockets) == ([], [])


def test_a_loop_that_was_closed_meanwhile_is_no_matter(wire: Wire, names: dict[str, Any]) -> None:
    names["pbx.test"] = ["192.0.2.7"]
    attempt = Attempt(wire, "pbx.test")
    wire.reactor.close()
    for thread in [one for one in threading.enumerate() if "ami_client" in one.name]:
        thread.join(5)
    assert attempt.got == []  # and an exception in the thread would be a warning, so a failure


def test_a_unix_path(wire: Wire) -> None:
    attempt = Attempt(wire, "/run/asterisk/ami", None)
    wire.pump()
    (sock,) = wire.sockets
    assert (sock.family, sock.address) == (socket.AF_UNIX, "/run/asterisk/ami")
    assert attempt.got == [(sock, "/run/asterisk/ami", None)]
    assert sock.options == {}


def test_an_error_at_once_leads_on(wire: Wire, names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    names["pbx.test"] = ["2001:db8::1", "192.0.2.1"]

    def make_socket(family: int, *args: int) -> Any:
        if family == V6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported")
        return wire.make_socket(family, *args)

    monkeypatch.setattr(socket, "socket", make_socket)
    attempt = Attempt(wire, "pbx.test")
    wire.resolve()
    assert attempt.got == [(wire.sockets[0], "192.0.2.1", 5038)]


def test_without_a_thread_to_be_had_a_name_fails(
    wire: Wire, names: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    attempt = Attempt(wire, "pbx.test")
    wire.pump()
    assert attempt.code == errno.EAGAIN
