"""The simulated reactor: its time passes by itself, its network reaches whoever listens, and nothing hangs."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest

from ami_client import ConnectFailed, Connection, ConnectionLost, Packet, Pool, Reactor
from ami_client._transport import connector
from ami_client.callbacks import call_guarded
from ami_client.testing import FakeAsterisk, FakeSocket, NothingCanHappen, SimulatedReactor


@pytest.fixture
def sim() -> Iterator[SimulatedReactor]:
    with SimulatedReactor() as sim:
        yield sim


def connect(sim: SimulatedReactor, url: str, **options: object) -> Connection:
    conns: list[Connection] = []
    Pool(reactor=sim, **options).get_connection(url, conns.append)
    sim.run_until(lambda: conns)
    return conns[0]


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, ""),
        ({"host": "pbx.example.com", "port": 5038}, "tcp://admin:secret@PBX.example.com:5038"),
        ({"host": "0.0.0.0", "port": 5038}, "tcp://admin:secret@any.example.net:5038"),
        ({"port": 5038}, "tcp://admin:secret@localhost:5038"),
        ({"host": "2001:db8::1", "port": 5038}, "tcp://admin:secret@[2001:db8::1]:5038"),
        ({"unix_path": "/run/no/such/ami"}, ""),
    ],
)
def test_who_listens_is_reached_under_any_name(sim: SimulatedReactor, options: dict[str, object], url: str) -> None:
    with FakeAsterisk(sim, **options) as server:  # type: ignore[arg-type]
        assert connect(sim, url or server.url).connected


def test_nobody_listens(sim: SimulatedReactor) -> None:
    with FakeAsterisk(sim, host="a", port=1) as server:
        for url in "tcp://a:2", "tcp://b:1", "unix:/a":
            error = connect(sim, url).error
            assert isinstance(error, ConnectFailed)
            assert isinstance(error.cause, ConnectionRefusedError)
        server.close()
        assert isinstance(connect(sim, "tcp://a:1").error, ConnectFailed)
        server.start()
        assert connect(sim, server.url).connected


def test_a_place_is_taken_once(sim: SimulatedReactor) -> None:
    with FakeAsterisk(sim) as one, FakeAsterisk(sim) as two:
        assert one.port != two.port
        with pytest.raises(OSError, match="in use"):
            FakeAsterisk(sim, port=one.port).start()
        with pytest.raises(RuntimeError, match="already"):
            one.start()


@pytest.mark.parametrize(("reset", "cause"), [(False, type(None)), (True, ConnectionResetError)])
def test_ends_and_resets(sim: SimulatedReactor, reset: bool, cause: type) -> None:
    with FakeAsterisk(sim) as server:
        conn = connect(sim, server.url)
        server.drop(reset=reset)
        sim.settle()
        assert isinstance(conn.error, ConnectionLost)
        assert isinstance(conn.error.cause, cause)
        other = connect(sim, server.url)
        other.close()
        sim.settle()
        assert server.clients == 0


def test_time_passes_when_nothing_is_to_be_done(sim: SimulatedReactor, expect_log: Callable[[str], None]) -> None:
    expect_log("connecting again")
    logins: list[float] = []
    with FakeAsterisk(sim) as server:
        pool = Pool(reactor=sim, reconnect=5)
        pool.on_login(lambda conn: logins.append(sim.time()))
        pool.get_connection(server.url, lambda conn: None)
        sim.run_for(3600)
        assert sim.time() == 3600
        server.close()
        sim.run_for(3600)
        server.start()
        sim.run_for(120)
        pool.finish()
    assert logins[0] == 0
    assert len(logins) == 2
    assert 7200 <= logins[1] <= 7260


def test_what_can_never_go_on_fails_at_once(sim: SimulatedReactor) -> None:
    with FakeAsterisk(sim) as server:
        connect(sim, server.url, timeout=None)
        with pytest.raises(NothingCanHappen, match="this would hang"):
            sim.run()
        # Pings go to and fro for ever, and that is all.
        connect(sim, server.url, timeout=3600)
        with pytest.raises(NothingCanHappen, match="86,400 seconds have passed"):
            sim.run()
        assert sim.time() <= 86_400
        assert len(server.received("Ping")) > 40


def test_a_condition_that_does_not_come_true(sim: SimulatedReactor) -> None:
    def there_is_peace() -> bool:
        return False

    with pytest.raises(AssertionError, match="not met within 5 seconds: there_is_peace is still False"):
        sim.run_until(there_is_peace, within=5)
    assert sim.time() == 5
    with FakeAsterisk(sim) as server, pytest.raises(AssertionError, match="is still <no Ping; nothing was received>"):
        sim.run_until(lambda: server.received("Ping"))


def test_a_loop_without_rest(sim: SimulatedReactor, monkeypatch: pytest.MonkeyPatch) -> None:
    def again() -> None:
        sim.call_soon(again)

    monkeypatch.setattr("ami_client.testing.simulation._RESTLESS", 1000)
    again()
    for run in (sim.settle, sim.run, lambda: sim.run_for(1), lambda: sim.run_until(lambda: False)):
        with pytest.raises(NothingCanHappen, match="does not come to rest"):
            run()


def test_what_a_callback_raises_fails_the_test(sim: SimulatedReactor, expect_log: Callable[[str], None]) -> None:
    expect_log("raised")

    def on_ping(conn: Connection, packet: Packet) -> None:
        assert packet["ping"] == "peng", "in a callback"

    with FakeAsterisk(sim) as server:
        conn = connect(sim, server.url)
        for run in (sim.run, sim.settle, lambda: sim.run_for(1), lambda: sim.run_until(lambda: False)):
            conn.ping(on_ping)
            with pytest.raises(AssertionError, match="in a callback"):
                run()
        # Two at once, one after the other; and then all is well again.
        sim.call_soon(int, "one")
        sim.call_soon(int, "two")
        for text in "one", "two":
            with pytest.raises(ValueError, match=text):
                sim.run_for(1)
        sim.run_for(1)
        assert conn.connected


def test_outside_of_its_block_what_is_raised_is_logged_as_ever(expect_log: Callable[[str], None]) -> None:
    expect_log("raised")
    sim = SimulatedReactor()
    sim.call_soon(int, "one")
    sim.settle()
    handlers = list(logging.getLogger("ami_client").handlers)
    with sim:
        pass
    assert logging.getLogger("ami_client").handlers == handlers


def test_each_run_has_its_own_patience() -> None:
    with SimulatedReactor(patience=10) as sim:
        for seconds in (9, 9, 9):
            sim.call_later(seconds, sim.stop)
            sim.run()
        sim.run_for(100)
        with pytest.raises(NothingCanHappen, match="10 seconds have passed"):
            sim.call_later(11, sim.stop)
            sim.run()
        assert sim.time() == 127


def test_a_socket_class_that_a_test_has_patched_goes_before_the_network(sim: SimulatedReactor) -> None:
    sock = FakeSocket()
    conns: list[Connection] = []
    with FakeAsterisk(sim) as server, mock.patch("socket.socket", lambda *args: sock):
        Pool(reactor=sim).get_connection(server.url, conns.append)
        sock.feed(b"Asterisk Call Manager/11.0.0\r\n")
        sim.settle()
        assert sock.sent.startswith(b"Action: Challenge")
        assert not server.received


def test_stop_ends_a_run_early_and_what_is_due_at_the_end_is_done(sim: SimulatedReactor) -> None:
    done: list[str] = []
    sim.call_later(1, sim.stop)
    sim.call_later(5, lambda: sim.call_soon(done.append, "five"))
    sim.run_for(5)
    assert (sim.time(), done) == (1, [])
    sim.run_for(4)
    assert (sim.time(), done) == (5, ["five"])


def test_tls_needs_real_sockets(sim: SimulatedReactor) -> None:
    with pytest.raises(ValueError, match="TLS needs real sockets"):
        FakeAsterisk(sim, tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)).start()


def test_it_wants_a_with_block() -> None:
    with pytest.raises(RuntimeError, match="in a with block"):
        FakeAsterisk(SimulatedReactor()).start()


def test_networks_end_in_any_order() -> None:
    names = vars(connector)
    assert names["socket"] is socket
    with contextlib.ExitStack() as one, contextlib.ExitStack() as two:
        first, second = (stack.enter_context(SimulatedReactor()) for stack in (one, two))
        with FakeAsterisk(second) as server:
            first.close()
            assert connect(second, server.url).connected
        second.close()
    assert names["socket"] is socket


def test_outside_of_it_the_world_is_as_before(sim: SimulatedReactor, expect_log: Callable[[str], None]) -> None:
    with socket.socket() as real:
        assert real.fileno() < 1_000_000
    with SimulatedReactor() as inner, FakeAsterisk(inner) as server:
        assert connect(inner, server.url).connected
    with FakeAsterisk(sim) as server:
        assert connect(sim, server.url).connected
    sim.close()
    with Reactor() as reactor, FakeAsterisk(reactor) as server:
        pool = Pool(reactor=reactor)
        pool.get_connection(server.url, lambda conn: reactor.stop())
        reactor.run()
        assert server.received("Login")
        pool.finish()


@pytest.mark.parametrize("fail", [pytest.fail, pytest.skip], ids=["fail", "skip"])
def test_what_pytest_itself_raises_in_a_callback_comes_out(
    sim: SimulatedReactor, fail: Any, expect_log: Callable[[str], None]
) -> None:
    expect_log("<lambda> raised")
    sim.call_soon(lambda: fail("now"))
    with pytest.raises(fail.Exception, match="now"):
        sim.settle()


def test_what_is_raised_outside_of_a_run_comes_out_of_the_block(expect_log: Callable[[str], None]) -> None:
    expect_log("<lambda> raised")
    with pytest.raises(pytest.fail.Exception, match="now"), SimulatedReactor() as sim:
        call_guarded(lambda: pytest.fail("now"))
        assert not sim.is_closed()
    assert sim.is_closed()
    with pytest.raises(ZeroDivisionError), SimulatedReactor():  # what the block itself raises goes first
        call_guarded(lambda: pytest.fail("now"))
        raise ZeroDivisionError


def test_a_scripted_answer_that_fails_is_answered_and_fails_the_test(
    sim: SimulatedReactor, expect_log: Callable[[str], None]
) -> None:
    expect_log("the answer to .* raised")
    answers: list[str] = []
    with FakeAsterisk(sim) as server:
        server.on("Ping", lambda request: pytest.fail("unexpected"))
        pool = Pool(reactor=sim)
        pool.get_connection(server.url, lambda conn: conn.ping(lambda conn, packet: answers.append(packet["response"])))
        with pytest.raises(pytest.fail.Exception, match="unexpected"):
            sim.run_for(1)
        sim.run_for(1)
        pool.finish()
    assert answers == ["error"]
