"""Staying connected, and calls of get_connection meanwhile: nothing is opened twice, nobody waits in vain."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from fake_network import URL, Calls, Network
from outage import Daemon
from server_texts import BANNER, REFUSAL, WELCOME

from ami_client import Connection
from ami_client.errors import (
    ConnectFailed,
    ConnectionFinished,
    ConnectionLost,
    ConnectTimeout,
    LoginRefused,
    LoginTimeout,
)
from ami_client.testing import FakeSocket

ExpectLog = Callable[[str], None]
MakeDaemon = Callable[..., Daemon]


# A call while a reconnect is pending


def test_it_brings_the_reconnect_forward(daemon: Daemon) -> None:
    daemon.lose()
    got: list[Connection] = []
    daemon.pool.get_connection(URL, got.append)
    daemon.network.answer_login()
    assert got == [daemon.conns[1]] and got[0].connected
    daemon.network.wait(100)
    assert len(daemon.network.sockets) == 2  # the delay has nothing left to open


def test_it_is_told_how_that_attempt_went_and_the_next_delay_is_longer(daemon: Daemon) -> None:
    daemon.lose()
    for number in range(3):
        calls = Calls()
        daemon.network.prepare().refuse()
        daemon.pool.get_connection(URL, calls)
        daemon.network.wait(4)
        assert [type(packet.error) for packet in calls] == [ConnectFailed]
        assert daemon.told[-1] == f"reconnecting {number + 2}"
    assert daemon.delays == [4, 8, 16, 32]


def test_a_later_attempt_comes_as_soon_as_a_first_one_would(daemon: Daemon) -> None:
    daemon.lose()
    for _ in range(4):
        daemon.network.prepare().refuse()
        daemon.network.wait(daemon.delays[-1])
    assert daemon.delays[-1] == 60
    daemon.network.wait(10)
    calls = Calls()
    for _ in range(3):  # how many ask, and when, makes no difference
        daemon.pool.get_connection(URL, calls)
        daemon.network.wait(1)
    sockets = len(daemon.network.sockets)
    daemon.network.wait(0.9)
    assert len(daemon.network.sockets) == sockets and calls == []
    daemon.network.prepare().refuse()
    daemon.network.wait(0.1)
    assert len(daemon.network.sockets) == sockets + 1
    assert [type(packet.error) for packet in calls] == [ConnectFailed] * 3
    assert daemon.told[-1] == "reconnecting 6"


def test_an_attempt_that_is_due_soon_stays_where_it_is(daemon: Daemon) -> None:
    daemon.lose()
    daemon.network.prepare().refuse()
    daemon.network.wait(4)
    daemon.network.wait(5)  # of 8
    calls = Calls()
    daemon.pool.get_connection(URL, calls)
    daemon.network.wait(2.9)
    assert calls == []
    daemon.network.wait(0.1)
    daemon.network.answer_login()
    assert len(calls) == 1 and daemon.conn.connected


def test_waiting_callbacks_wait_for_all_attempts_that_are_under_way(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon().start(2)
    for sock in daemon.network.sockets:
        sock.eof()
    daemon.network.wait(4)
    first, second = daemon.open_sockets
    got: list[Connection] = []
    daemon.pool.get_connection(URL, got.append)
    daemon.lose(first)
    assert got == []
    daemon.network.say(BANNER, second)
    daemon.network.say(WELCOME, second)
    assert got == [daemon.conns[-1]] and got[0].connected


def test_before_connect_runs_for_the_attempt_that_it_brings_forward(daemon: Daemon) -> None:
    daemon.lose()
    before: list[Connection] = []
    daemon.pool.get_connection(URL, before_connect=before.append)
    daemon.network.answer_login()
    assert before == [daemon.conns[1]]


def test_it_brings_one_of_several_forward(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon().start(2)
    for sock in daemon.network.sockets:
        sock.eof()
    daemon.network.pump()
    daemon.pool.get_connection(URL)
    daemon.network.answer_login()
    assert len(daemon.open_sockets) == 1
    daemon.network.wait(4)
    assert len(daemon.open_sockets) == 2


def test_a_free_connection_serves_it_and_the_reconnect_stays_where_it_is(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon().start(2)
    got: list[Connection] = []
    daemon.conns[1].release()
    daemon.lose(daemon.network.sockets[0])
    daemon.pool.get_connection(URL, got.append)
    assert got == [daemon.conns[1]]
    daemon.network.wait(4)
    assert len(daemon.open_sockets) == 2


def test_another_url_is_no_concern_of_it(daemon: Daemon) -> None:
    daemon.lose()
    daemon.pool.get_connection("192.0.2.2")
    daemon.network.pump()
    assert [sock.address for sock in daemon.open_sockets] == [("192.0.2.2", 5280)]
    daemon.network.wait(4)
    assert len(daemon.open_sockets) == 2


# A call while an attempt is under way


@pytest.mark.parametrize("by", ["delay", "call"])
def test_it_waits_for_that_attempt_and_opens_no_other(daemon: Daemon, by: str) -> None:
    daemon.lose()
    calls = Calls()
    if by == "delay":
        daemon.network.wait(4)
    for _ in range(5):
        daemon.pool.get_connection(URL, calls)
        daemon.network.pump()
    assert len(daemon.open_sockets) == 1 and calls == []
    daemon.network.answer_login()
    assert [packet["response"] for packet in calls] == ["success"] * 5 and len(daemon.network.sockets) == 2


def test_all_who_wait_for_it_are_told_that_it_came_to_nothing(daemon: Daemon) -> None:
    daemon.lose()
    daemon.network.wait(4)
    calls = Calls()
    for _ in range(5):
        daemon.pool.get_connection(URL, calls)
    daemon.lose()
    assert [type(packet.error) for packet in calls] == [ConnectionLost] * 5
    assert daemon.told[-2:] == ["disconnect", "reconnecting 2"] and daemon.pool.stats.waiting == 0


def test_after_it_who_needs_more_connections_gets_them(daemon: Daemon) -> None:
    daemon.lose()
    conns: list[Connection] = []

    def keep(conn: Connection) -> None:
        conns.append(conn)
        conn.acquire()

    for _ in range(3):
        daemon.pool.get_connection(URL, keep)
    daemon.network.answer_login()
    assert len(daemon.open_sockets) == 3 and len(conns) == 1
    for sock in daemon.open_sockets[1:]:
        daemon.network.say(BANNER + WELCOME, sock)
    assert len(set(conns)) == 3


def test_of_many_that_never_came_to_be_one_goes_on_trying(make_daemon: MakeDaemon) -> None:
    daemon, calls = make_daemon(), Calls()
    for _ in range(8):
        daemon.network.prepare().refuse()
        daemon.pool.get_connection(URL, calls)
    daemon.network.pump()
    assert [type(packet.error) for packet in calls] == [ConnectFailed] * 8
    assert daemon.told.count("reconnecting 1") == 1
    daemon.come_back()
    daemon.network.wait(100)
    assert len(daemon.network.sockets) == 9 and daemon.pool.stats.connected == 1


# A call out of a callback that learns of the loss


@pytest.mark.parametrize("most", [1, 2, 32])
@pytest.mark.parametrize("place", ["disconnect", "reconnecting", "action"])
def test_asking_again_at_each_loss_does_not_double_the_connections(
    make_daemon: MakeDaemon, place: str, most: int
) -> None:
    daemon, got = make_daemon(maxconnperserv=most).start(), Calls()

    def ask(*args: object) -> None:
        daemon.pool.get_connection(URL, got)

    if place != "action":
        daemon.pool.on(place, ask)
    for number in range(10):
        daemon.network.wait(4)  # an attempt at once is made once in so many seconds
        if place == "action":
            daemon.conn.ping(ask)
        daemon.lose()
        assert len(daemon.open_sockets) == 1
        daemon.network.answer_login()
        assert len(got) == number + 1
    daemon.network.wait(100)
    assert len(daemon.open_sockets) == 1 and daemon.pool.stats.connections == 1


def test_a_server_that_accepts_logins_and_closes_is_not_hammered(daemon: Daemon) -> None:
    daemon.pool.on("disconnect", lambda conn: daemon.pool.get_connection(URL))
    daemon.lose()
    daemon.network.answer_login()
    daemon.lose()
    assert daemon.open_sockets == []
    daemon.network.wait(3.9)
    assert daemon.open_sockets == []
    daemon.network.wait(0.1)
    daemon.network.answer_login()
    assert daemon.conn.connected


@pytest.mark.parametrize("callers", [1, 2, 5])
def test_callers_that_ask_again_at_each_failure_from_the_beginning(
    make_daemon: MakeDaemon, callers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon, failures = make_daemon(), Calls()

    def refusing(*args: int) -> FakeSocket:
        daemon.network.prepare().refuse()
        return daemon.network.make_socket(*args)

    def ask(conn: Connection) -> None:
        failures.append(conn.error)
        daemon.pool.get_connection(URL, ask)

    monkeypatch.setattr(socket, "socket", refusing)
    for _ in range(callers):
        daemon.pool.get_connection(URL, ask)
    daemon.network.pump()
    assert len(daemon.network.sockets) == callers + 1  # those that were asked for, and a first attempt
    daemon.network.wait(100)
    assert len(daemon.network.sockets) <= callers + 1 + 25  # one in four seconds, however many ask
    assert len(failures) >= 25 * callers


@pytest.mark.parametrize("said", [REFUSAL, REFUSAL.replace(b"failed", b"Login already in use")])
def test_asking_again_at_each_refusal_does_not_double_the_connections(
    make_daemon: MakeDaemon, said: bytes, expect_log: ExpectLog
) -> None:
    expect_log("WARNING: .*login refused")
    daemon = make_daemon(reconnect_refused=True)

    def ask(conn: Connection) -> None:
        if not conn.connected:
            daemon.pool.get_connection(URL, ask)

    daemon.pool.get_connection(URL, ask)
    for _ in range(10):
        daemon.network.answer_login(said)
        daemon.network.wait(4)
        assert len(daemon.open_sockets) == 1
    daemon.network.answer_login()
    daemon.network.wait(100)
    assert len(daemon.network.sockets) == 11 and daemon.pool.stats.connections == 1


def test_asking_again_when_the_connection_was_refused_keeps_counting(make_daemon: MakeDaemon) -> None:
    daemon, left = make_daemon(), [5]

    def ask(conn: Connection) -> None:
        if not conn.connected and left[0]:
            left[0] -= 1
            daemon.network.prepare().refuse()
            daemon.pool.get_connection(URL, ask)

    daemon.network.prepare().refuse()
    daemon.pool.get_connection(URL, ask)
    daemon.network.pump()
    # The first attempt at once, the others not.
    assert daemon.told == ["disconnect", "reconnecting 1", "disconnect", "reconnecting 2"]
    for _ in range(4):
        daemon.network.wait(4)
    assert daemon.told.count("disconnect") == 6 and daemon.told[-1] == "reconnecting 6"
    daemon.come_back()
    assert len(daemon.open_sockets) == 1


# The number of connections, and who waits for one


def test_maxconnperserv_holds_over_losses(make_daemon: MakeDaemon) -> None:
    daemon, calls = make_daemon(maxconnperserv=3).start(3), Calls()
    for turn in range(6):
        lost = daemon.open_sockets[: 1 + turn % 3]
        for sock in lost:
            sock.eof()
        for _ in range(turn % 2 * 4):  # some of them wait
            daemon.pool.get_connection(URL, calls, before_connect=lambda conn: conn.acquire())
        daemon.network.wait(5)
        assert len(daemon.open_sockets) == 3
        for sock in daemon.open_sockets[-len(lost) :]:
            daemon.network.say(BANNER + WELCOME, sock)
        assert daemon.pool.stats.connections == daemon.pool.stats.connected == 3


def test_who_waits_for_a_connection_does_not_wait_for_the_delay(make_daemon: MakeDaemon) -> None:
    daemon, calls = make_daemon(maxconnperserv=1).start(), Calls()
    daemon.pool.get_connection(URL, calls)
    assert calls == []
    daemon.lose()
    assert daemon.told == ["disconnect", "reconnecting 1"]
    daemon.network.answer_login()
    assert len(calls) == 1 and daemon.conn.connected
    daemon.network.wait(100)
    assert len(daemon.open_sockets) == 1


def test_who_waits_gets_the_connection_that_came_back(make_daemon: MakeDaemon) -> None:
    daemon, calls = make_daemon(maxconnperserv=1).start(), Calls()
    daemon.lose()
    for _ in range(3):
        daemon.pool.get_connection(URL, calls)
    daemon.network.answer_login()
    assert len(calls) == 3 and len(daemon.network.sockets) == 2


def test_a_connection_that_comes_back_by_itself_is_free(daemon: Daemon) -> None:
    daemon.lose()
    daemon.come_back()
    got: list[Connection] = []
    daemon.pool.get_connection(URL, got.append)
    assert got == [daemon.conn] and not daemon.conn.is_busy()


# Time limits of one call


@pytest.mark.parametrize(
    ("limits", "prepared", "error"),
    [
        ({"connect_timeout": 2}, "hold", ConnectTimeout),
        ({"login_timeout": 2}, "", LoginTimeout),
        ({"connect_timeout": 2, "login_timeout": 30}, "hold", ConnectTimeout),
        ({"connect_timeout": 30, "login_timeout": 2}, "", LoginTimeout),
    ],
)
def test_a_call_may_have_its_own_limits(network: Network, limits: dict[str, Any], prepared: str, error: type) -> None:
    calls = Calls()
    if prepared:
        getattr(network.prepare(), prepared)()
    network.pool().get_connection(URL, calls, **limits)
    network.wait(1.9)
    assert calls == []
    network.wait(0.2)
    assert [type(packet.error) for packet in calls] == [error]


@pytest.mark.parametrize("name", ["connect_timeout", "login_timeout"])
def test_infinity_is_no_limit_and_none_is_the_pools(network: Network, name: str) -> None:
    pool = network.pool(timeout=None, **{name: 5})
    told: dict[str, Calls] = {"infinite": Calls(), "pool's": Calls()}
    for kind, limit in (("infinite", float("inf")), ("pool's", None)):
        if name == "connect_timeout":
            network.prepare().hold()
        limits: dict[str, Any] = {name: limit}
        pool.get_connection(URL, told[kind], **limits)
    network.wait(1000)
    assert (len(told["infinite"]), len(told["pool's"])) == (0, 1)


@pytest.mark.parametrize(("limit", "error"), [(0, ValueError), (-1, ValueError), ("1", TypeError), (True, TypeError)])
@pytest.mark.parametrize("name", ["connect_timeout", "login_timeout"])
def test_a_limit_that_is_none_raises_and_opens_nothing(network: Network, name: str, limit: Any, error: type) -> None:
    pool = network.pool()
    with pytest.raises(error, match=name):
        pool.get_connection(URL, Calls(), **{name: limit})
    network.pump()
    assert network.sockets == [] and pool.stats.connections == 0


def test_the_limits_of_a_call_are_those_of_the_one_attempt(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()
    daemon.pool.get_connection(URL, login_timeout=2)
    daemon.network.wait(2)
    assert daemon.told == ["disconnect", "reconnecting 1"]
    daemon.network.wait(4 + 9.9)  # the pool's login_timeout is 10
    assert daemon.told == ["disconnect", "reconnecting 1"] and len(daemon.network.sockets) == 2
    daemon.network.wait(0.2)
    assert daemon.told[-1] == "reconnecting 2"


def test_a_refused_login_is_told_to_who_brought_it_forward(daemon: Daemon, expect_log: ExpectLog) -> None:
    expect_log("ERROR: .*refused")
    daemon.lose()
    calls = Calls()
    daemon.pool.get_connection(URL, calls)
    daemon.network.answer_login(REFUSAL)
    assert [type(packet.error) for packet in calls] == [LoginRefused]
    daemon.network.wait(100)
    assert daemon.open_sockets == []


# What was found by a model of the pool


def test_who_waits_when_the_reconnect_is_called_off(make_daemon: MakeDaemon) -> None:
    daemon, got = make_daemon(maxconnperserv=1).start(), Calls()
    lost = daemon.conn
    daemon.lose()
    daemon.network.prepare().refuse()
    daemon.network.wait(4)
    attempt = daemon.conns[-1]
    assert attempt is lost
    failed: list[Connection] = []
    daemon.pool.on("disconnect", failed.append)
    daemon.network.prepare().refuse()
    daemon.network.wait(8)
    daemon.pool.get_connection(URL, got)
    failed[-1].finish()
    daemon.network.answer_login()
    assert len(got) == 1 and daemon.conn.connected


def test_a_handler_of_the_login_that_ends_what_callers_wait_for(daemon: Daemon) -> None:
    daemon.lose()
    got: list[tuple[Connection, Any]] = []
    for _ in range(2):
        daemon.pool.get_connection(URL, lambda conn, packet: got.append((conn, packet)))
    daemon.pool.on_login(lambda conn: conn.finish())
    daemon.network.answer_login()
    assert [(conn.connected, type(packet.error)) for conn, packet in got] == [(False, ConnectionFinished)] * 2


def test_an_attempt_that_is_over_before_it_began(make_daemon: MakeDaemon) -> None:
    daemon, got = make_daemon(maxconnperserv=1).start(), Calls()
    daemon.conn.ping(lambda conn, packet: daemon.pool.get_connection(URL, got), retry=True)
    daemon.network.sockets[0].eof()
    daemon.pool.on("reconnecting", lambda *args: daemon.pool.get_connection(URL, None, 0, lambda conn: conn.finish()))
    daemon.network.pump()
    daemon.network.answer_login()
    assert len(got) == 1
