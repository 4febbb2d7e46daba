"""Pool: who gets which connection when, until the end of the pool; its events."""

from __future__ import annotations

import socket
from typing import Any, Callable

import pytest
from wire import BANNER, REFUSAL, URL, WELCOME, Calls, Wire

from ami_client import Connection
from ami_client.errors import ConnectFailed, ConnectionFinished, LoginRefused

ExpectLog = Callable[[str], None]


# Reuse, acquire and release


def test_a_free_connection_is_reused_at_once(wire: Wire) -> None:
    pool = wire.pool()
    got: list[Connection] = []
    pool.get_connection(URL, got.append)
    wire.answer_login()
    pool.get_connection(URL, got.append)
    assert got[0] is got[1] and len(wire.sockets) == 1


def test_an_acquired_one_is_not_until_released(wire: Wire) -> None:
    pool = wire.pool()
    got: list[Connection] = []
    pool.get_connection(URL, got.append, before_connect=lambda conn: conn.acquire())
    wire.answer_login()
    assert got[0].is_busy()
    pool.get_connection(URL, got.append)
    wire.answer_login()
    assert got[0] is not got[1]
    got[1].acquire()
    got[0].release()
    got[0].release()
    pool.get_connection(URL, got.append)
    assert got[2] is got[0] and len(wire.sockets) == 2


def test_a_finished_connection_is_never_given_away(wire: Wire) -> None:
    pool = wire.pool()
    got: list[Connection] = []
    pool.get_connection(URL, got.append)
    wire.answer_login()
    conn = got[0]
    conn.bind("disconnect", lambda conn: pool.get_connection(URL, got.append))
    conn.ping(lambda conn, packet: pool.get_connection(URL, got.append))
    conn.acquire()
    conn.finish()
    conn.release()
    wire.answer_login()
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


def test_beyond_maxconnperserv_callbacks_wait_by_priority(wire: Wire) -> None:
    pool, hold = wire.pool(maxconnperserv=2), Hold()
    for name in ("a", "b"):
        pool.get_connection(URL, hold(name))
        wire.answer_login()
    for pri, name in ((0, "low"), (5, "high"), (5, "high too"), (0, "low too"), (-1, "last")):
        pool.get_connection(URL, hold(name), pri)
    wire.pump()
    assert (hold.order, len(wire.sockets)) == (["a", "b"], 2)
    for _ in range(5):
        hold.conns.pop(0).release()
    assert hold.order == ["a", "b", "high", "high too", "low", "low too", "last"]
    assert len(wire.sockets) == 2


def test_connections_set_out_ten_at_a_time(wire: Wire) -> None:
    """Asterisk's listen queue holds ten: of a larger burst some would wait for a banner that never comes."""
    pool, hold = wire.pool(), Hold()
    for name in range(40):
        pool.get_connection(URL, hold(name))
    wire.pump()
    assert len(wire.sockets) == 10
    for number in range(4):  # one that has logged in or failed makes room for the next
        wire.say(BANNER, wire.sockets[number])
        wire.say(WELCOME if number % 2 else REFUSAL, wire.sockets[number])
    assert len(wire.sockets) == 14
    assert hold.order == list(range(4)) and len(hold.conns) == 2
    wire.wait(0.1)  # and so does one that takes its time
    assert len(wire.sockets) == 24
    wire.wait(0.1)
    assert len(wire.sockets) == 32 + 2  # maxconnperserv, and the two that were refused


def test_a_connection_that_was_finished_before_it_set_out_never_does(wire: Wire) -> None:
    pool = wire.pool()
    conns: list[Connection] = []
    for _ in range(12):
        pool.get_connection(URL, Calls(), before_connect=conns.append)
    conns[10].finish()
    wire.wait(0.5)
    assert len(wire.sockets) == 11
    for _ in range(12):
        pool.get_connection(URL, Calls())
    wire.pump()
    pool.finish()
    wire.wait(0.5)
    assert len(wire.sockets) == 11 + 10


def test_the_end_of_the_pool_lets_nothing_set_out(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    ask = socket.getaddrinfo

    def getaddrinfo(*args: Any, **kwargs: Any) -> object:
        asked.append(args)
        return ask(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    pool, calls = wire.pool(), Calls()
    for _ in range(15):
        pool.get_connection(URL, calls)
    assert len(asked) == 10
    pool.finish()
    assert (len(asked), len(calls)) == (10, 15)


def test_a_freed_connection_serves_as_long_as_it_stays_free(wire: Wire) -> None:
    pool, hold, calls = wire.pool(maxconnperserv=1), Hold(), Calls()
    pool.get_connection(URL, hold("a"))
    wire.answer_login()
    for _ in range(3):
        pool.get_connection(URL, calls)
    pool.get_connection(URL, hold("b"))
    pool.get_connection(URL, calls)
    hold.conns[0].release()
    assert (len(calls), hold.order) == (3, ["a", "b"])


def test_a_lost_slot_opens_a_new_connection_for_the_next(wire: Wire) -> None:
    pool, hold = wire.pool(maxconnperserv=1), Hold()
    for name in ("a", "b"):
        pool.get_connection(URL, hold(name))
    wire.answer_login().eof()
    wire.pump()
    assert (hold.order, len(wire.sockets)) == (["a"], 2)
    wire.answer_login()
    assert hold.order == ["a", "b"]


@pytest.mark.parametrize("kind", ["refused login", "refused connection"])
def test_refusals_serve_the_next(wire: Wire, kind: str) -> None:
    pool, calls = wire.pool(maxconnperserv=1), Calls()
    for _ in range(3):
        if kind == "refused connection":
            wire.prepare().refuse()
        pool.get_connection(URL, calls)
    for _ in range(3):
        if kind == "refused login":
            wire.answer_login(REFUSAL)
    wire.pump()
    expected = LoginRefused if kind == "refused login" else ConnectFailed
    assert [type(packet.error) for packet in calls] == [expected] * 3
    assert len(wire.sockets) == 3 and all(sock.closed for sock in wire.sockets)
    assert repr(pool) == "<Pool 0 connections>"


def test_urls_do_not_wait_for_each_other(wire: Wire) -> None:
    pool, hold = wire.pool(maxconnperserv=1), Hold()
    for url in ("192.0.2.1", "192.0.2.2"):
        pool.get_connection(url, hold(url))
        wire.answer_login()
    assert hold.order == ["192.0.2.1", "192.0.2.2"]


def test_asking_again_inside_the_callback(wire: Wire) -> None:
    pool = wire.pool(maxconnperserv=1)
    order: list[str] = []

    def first(conn: Connection) -> None:
        pool.get_connection(URL, lambda conn: order.append("inner"))
        order.append("outer")

    pool.get_connection(URL, first)
    wire.answer_login()
    assert order == ["outer", "inner"]


# The end of the pool


@pytest.mark.parametrize("graceful", [False, True])
def test_finish_ends_everything(wire: Wire, graceful: bool) -> None:
    pool, hold, waiting, gone = wire.pool(maxconnperserv=1), Hold(), Calls(), Calls()
    pool.on("disconnect", gone)
    for url in (URL, "192.0.2.2"):
        pool.get_connection(url, hold(url))
        wire.answer_login()
    pool.get_connection("192.0.2.3", waiting)  # still connecting
    pool.get_connection(URL, waiting)
    pool.finish(graceful)
    wire.pump()
    assert [type(packet.error) for packet in waiting] == [ConnectionFinished] * 2
    assert all(conn.finished for conn in hold.conns) and len(gone) == 3
    sent = [sock.sent.startswith(b"Action: Logoff") for sock in wire.sockets]
    assert sent[:2] == [graceful, graceful]
    assert all(sock.closed for sock in wire.sockets)
    pool.finish()


def test_after_finish_it_takes_no_calls(wire: Wire, expect_log: ExpectLog) -> None:
    expect_log("ERROR: callback .* raised")
    pool, calls = wire.pool(server=URL), Calls()
    pool.get_connection(lambda conn, packet: pool.get_connection(calls))
    pool.finish()
    with pytest.raises(ConnectionFinished):
        pool.get_connection(calls)
    wire.pump()
    assert calls == []


# Events


def test_events_are_the_pools_after_the_connections_own(wire: Wire) -> None:
    pool = wire.pool(server=URL)
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
        sock = wire.answer_login()
        wire.say(b"Event: One\r\n\r\n")
        sock.eof()
        wire.pump()
    steps = [("own", "connected"), ("pool", "connected"), ("own", "one"), ("pool", "one")]
    steps += [("pool", "disconnect")]
    assert log == [(*step, conn) for conn in found for step in steps]


def test_a_pools_handler_that_raises_harms_nothing(wire: Wire, expect_log: ExpectLog) -> None:
    expect_log("ERROR: callback .* raised")
    pool, calls = wire.pool(server=URL), Calls()
    pool.on("connected", lambda conn: conn.no_such_thing)
    pool.on("connected", calls)
    pool.get_connection(Calls())
    wire.answer_login()
    assert len(calls) == 1
