"""Pool: who gets which connection when, until the end of the pool; its events."""

from __future__ import annotations

import socket
from typing import Any, Callable

import pytest
from fake_network import URL, Calls, Network
from server_texts import BANNER, REFUSAL, WELCOME

from ami_client import Connection, Packet
from ami_client.errors import ConnectFailed, ConnectionFinished, LoginRefused

ExpectLog = Callable[[str], None]


# Reuse, acquire and release


def test_a_free_connection_is_reused_at_once(network: Network) -> None:
    pool = network.pool()
    got: list[Connection] = []
    pool.get_connection(URL, got.append)
    network.answer_login()
    pool.get_connection(URL, got.append)
    assert got[0] is got[1] and len(network.sockets) == 1


def test_an_acquired_one_is_not_until_released(network: Network) -> None:
    pool = network.pool()
    got: list[Connection] = []
    pool.get_connection(URL, got.append, before_connect=lambda conn: conn.acquire())
    network.answer_login()
    assert got[0].is_busy()
    pool.get_connection(URL, got.append)
    network.answer_login()
    assert got[0] is not got[1]
    got[1].acquire()
    got[0].release()
    got[0].release()
    pool.get_connection(URL, got.append)
    assert got[2] is got[0] and len(network.sockets) == 2


def test_a_finished_connection_is_never_given_away(network: Network) -> None:
    pool = network.pool()
    got: list[Connection] = []
    pool.get_connection(URL, got.append)
    network.answer_login()
    conn = got[0]
    conn.bind("disconnect", lambda conn: pool.get_connection(URL, got.append))
    conn.ping(lambda conn, packet: pool.get_connection(URL, got.append))
    conn.acquire()
    conn.finish()
    conn.release()
    network.answer_login()
    assert len(got) >= 2 and conn not in got[1:]


class Hold:
    """Callbacks that acquire what they get, and tell in which order they got it."""

    def __init__(self) -> None:
        self.order: list[object] = []
        self.conns: list[Connection] = []

    def __call__(self, name: object) -> Callable[[Connection], None]:
        def got(conn: Connection) -> None:
            self.order.append(name)
            if conn.connected:
                conn.acquire()
                self.conns.append(conn)

        return got


def test_beyond_maxconnperserv_callbacks_wait_by_priority(network: Network) -> None:
    pool, hold = network.pool(maxconnperserv=2), Hold()
    for name in ("a", "b"):
        pool.get_connection(URL, hold(name))
        network.answer_login()
    for pri, name in ((0, "low"), (5, "high"), (5, "high too"), (0, "low too"), (-1, "last")):
        pool.get_connection(URL, hold(name), pri)
    network.pump()
    assert (hold.order, len(network.sockets)) == (["a", "b"], 2)
    for _ in range(5):
        hold.conns.pop(0).release()
    assert hold.order == ["a", "b", "high", "high too", "low", "low too", "last"]
    assert len(network.sockets) == 2


def test_connections_set_out_ten_at_a_time(network: Network) -> None:
    """Asterisk's listen queue holds ten: of a larger burst some would wait for a banner that never comes."""
    pool, hold = network.pool(), Hold()
    for name in range(40):
        pool.get_connection(URL, hold(name))
    network.pump()
    assert len(network.sockets) == 10
    for number in range(4):  # one that has logged in or failed makes room for the next
        network.say(BANNER, network.sockets[number])
        network.say(WELCOME if number % 2 else REFUSAL, network.sockets[number])
    assert len(network.sockets) == 14
    assert hold.order == list(range(4)) and len(hold.conns) == 2
    network.wait(0.1)  # and so does one that takes its time
    assert len(network.sockets) == 24
    network.wait(0.1)
    assert len(network.sockets) == 32 + 2  # maxconnperserv, and the two that were refused


def test_a_connection_that_was_finished_before_it_set_out_never_does(network: Network) -> None:
    pool = network.pool()
    conns: list[Connection] = []
    for _ in range(12):
        pool.get_connection(URL, Calls(), before_connect=conns.append)
    conns[10].finish()
    network.wait(0.5)
    assert len(network.sockets) == 11
    for _ in range(12):
        pool.get_connection(URL, Calls())
    network.pump()
    pool.finish()
    network.wait(0.5)
    assert len(network.sockets) == 11 + 10


def test_the_end_of_the_pool_lets_nothing_set_out(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    ask = socket.getaddrinfo

    def getaddrinfo(*args: Any, **kwargs: Any) -> object:
        asked.append(args)
        return ask(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    pool, calls = network.pool(), Calls()
    for _ in range(15):
        pool.get_connection(URL, calls)
    assert len(asked) == 10
    pool.finish()
    assert (len(asked), len(calls)) == (10, 15)


def test_a_freed_connection_serves_as_long_as_it_stays_free(network: Network) -> None:
    pool, hold, calls = network.pool(maxconnperserv=1), Hold(), Calls()
    pool.get_connection(URL, hold("a"))
    network.answer_login()
    for _ in range(3):
        pool.get_connection(URL, calls)
    pool.get_connection(URL, hold("b"))
    pool.get_connection(URL, calls)
    hold.conns[0].release()
    assert (len(calls), hold.order) == (3, ["a", "b"])


def test_a_lost_slot_opens_a_new_connection_for_the_next(network: Network) -> None:
    pool, hold = network.pool(maxconnperserv=1), Hold()
    for name in ("a", "b"):
        pool.get_connection(URL, hold(name))
    network.answer_login().eof()
    network.pump()
    assert (hold.order, len(network.sockets)) == (["a"], 2)
    network.answer_login()
    assert hold.order == ["a", "b"]


@pytest.mark.parametrize("kind", ["refused login", "refused connection"])
def test_refusals_serve_the_next(network: Network, kind: str) -> None:
    pool, calls = network.pool(maxconnperserv=1), Calls()
    for _ in range(3):
        if kind == "refused connection":
            network.prepare().refuse()
        pool.get_connection(URL, calls)
    for _ in range(3):
        if kind == "refused login":
            network.answer_login(REFUSAL)
    network.pump()
    expected = LoginRefused if kind == "refused login" else ConnectFailed
    assert [type(packet.error) for packet in calls] == [expected] * 3
    assert len(network.sockets) == 3 and all(sock.closed for sock in network.sockets)
    assert repr(pool) == "<Pool 0 connections>"


def test_urls_do_not_wait_for_each_other(network: Network) -> None:
    pool, hold = network.pool(maxconnperserv=1), Hold()
    for url in ("192.0.2.1", "192.0.2.2"):
        pool.get_connection(url, hold(url))
        network.answer_login()
    assert hold.order == ["192.0.2.1", "192.0.2.2"]


def test_asking_again_inside_the_callback(network: Network) -> None:
    pool = network.pool(maxconnperserv=1)
    order: list[str] = []

    def first(conn: Connection) -> None:
        pool.get_connection(URL, lambda conn: order.append("inner"))
        order.append("outer")

    pool.get_connection(URL, first)
    network.answer_login()
    assert order == ["outer", "inner"]


# The end of the pool


@pytest.mark.parametrize("graceful", [False, True])
def test_finish_ends_everything(network: Network, graceful: bool) -> None:
    pool, hold, waiting, gone = network.pool(maxconnperserv=1), Hold(), Calls(), Calls()
    pool.on("disconnect", gone)
    for url in (URL, "192.0.2.2"):
        pool.get_connection(url, hold(url))
        network.answer_login()
    pool.get_connection("192.0.2.3", waiting)  # still connecting
    pool.get_connection(URL, waiting)
    pool.finish(graceful)
    network.pump()
    assert [type(packet.error) for packet in waiting] == [ConnectionFinished] * 2
    assert all(conn.finished for conn in hold.conns) and len(gone) == 3
    sent = [sock.sent.startswith(b"Action: Logoff") for sock in network.sockets]
    assert sent[:2] == [graceful, graceful]
    assert all(sock.closed for sock in network.sockets)
    pool.finish()


def test_after_finish_it_takes_no_calls(network: Network, expect_log: ExpectLog) -> None:
    expect_log("ERROR: callback .* raised")
    pool, calls = network.pool(server=URL), Calls()
    pool.get_connection(lambda conn, packet: pool.get_connection(calls))
    pool.finish()
    with pytest.raises(ConnectionFinished):
        pool.get_connection(calls)
    network.pump()
    assert calls == []


# Events


def test_events_are_the_pools_after_the_connections_own(network: Network) -> None:
    pool = network.pool(server=URL)
    log: list[tuple[object, ...]] = []
    for name in ("connected", "disconnect"):
        pool.on(name, lambda conn, name=name: log.append(("pool", name, conn)))
    pool.bind("event_one", lambda conn, packet: log.append(("pool", packet["event"], conn)))

    def own(conn: Connection) -> None:
        conn.bind("event_one", lambda conn, packet: log.append(("own", packet["event"], conn)))
        conn.bind("connected", lambda conn: log.append(("own", "connected", conn)))

    found: list[Connection] = []
    for _ in range(2):  # handlers of the pool survive the connection
        pool.get_connection(found.append, before_connect=own)
        sock = network.answer_login()
        network.say(b"Event: One\r\n\r\n")
        sock.eof()
        network.pump()
    steps = [("own", "connected"), ("pool", "connected"), ("own", "one"), ("pool", "one")]
    steps += [("pool", "disconnect")]
    assert log == [(*step, conn) for conn in found for step in steps]


def test_a_pools_handler_that_raises_harms_nothing(network: Network, expect_log: ExpectLog) -> None:
    expect_log("ERROR: callback .* raised")
    pool, calls = network.pool(server=URL), Calls()
    pool.on("connected", lambda conn: conn.no_such_thing)
    pool.on("connected", calls)
    pool.get_connection(Calls())
    network.answer_login()
    assert len(calls) == 1


# Handlers that stack up on a shared connection


def test_handlers_that_stack_up_are_logged_once(
    network: Network, caplog: pytest.LogCaptureFixture, expect_log: ExpectLog
) -> None:
    expect_log("WARNING: .* more than 10 handlers")
    pool = network.pool()

    def on_connection(conn: Connection) -> None:  # as phpDaemon's examples do
        conn.bind("event_hangup", lambda conn, packet: None)

    pool.get_connection(URL, on_connection)
    network.answer_login()
    for _ in range(9):
        pool.get_connection(URL, on_connection)
    assert caplog.messages == []
    for _ in range(20):
        pool.get_connection(URL, on_connection)
    (told,) = caplog.messages
    assert "more than 10 handlers of 'event_hangup'" in told and "before_connect" in told


def test_handlers_bound_on_the_pool_or_once_do_not_stack_up(network: Network) -> None:
    pool = network.pool()

    def on_hangup(conn: Connection, packet: Packet) -> None: ...

    for _ in range(30):
        pool.bind("event_hangup", lambda conn, packet: None)
        pool.get_connection(URL, lambda conn: conn.bind("event_hangup", on_hangup))
    network.answer_login()
    assert pool.stats.connected == 1
