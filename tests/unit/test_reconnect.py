"""Staying connected: when a lost connection is opened again, and when not."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Callable
from typing import Any

import pytest
from fake_network import URL, Calls, Network, message
from outage import Daemon
from server_texts import BANNER, REFUSAL, WELCOME

from ami_client import Connection
from ami_client.errors import (
    ConnectFailed,
    ConnectionLost,
    ConnectTimeout,
    LoginRefused,
    LoginTimeout,
    ProtocolError,
    SilenceTimeout,
)

ExpectLog = Callable[[str], None]
MakeDaemon = Callable[..., Daemon]


# After a loss


@pytest.mark.parametrize("off", [None, False, 0, 0.0])
def test_it_is_off_by_default_as_in_php_and_when_it_is_told_to(make_daemon: MakeDaemon, off: Any) -> None:
    daemon = make_daemon(reconnect=off).start()
    daemon.lose()
    daemon.network.wait(1000)
    assert daemon.told == ["disconnect"] and len(daemon.network.sockets) == 1
    assert daemon.pool.options.reconnect is None


def test_a_lost_connection_is_opened_again_after_the_delay(daemon: Daemon) -> None:
    daemon.lose()
    assert daemon.told == ["disconnect", "reconnecting 1"]
    daemon.network.wait(3.9)
    assert len(daemon.network.sockets) == 1
    daemon.network.wait(0.2)
    assert len(daemon.network.sockets) == 2
    daemon.network.answer_login()
    assert daemon.told == ["disconnect", "reconnecting 1", "connected"]
    assert daemon.conns[1] is not daemon.conns[0] and daemon.conns[1].connected


def losses() -> dict[str, tuple[Callable[[Daemon], object], type]]:
    return {
        "closed": (lambda daemon: daemon.network.sockets[0].eof(), ConnectionLost),
        "reset": (lambda daemon: daemon.network.sockets[0].reset(), ConnectionLost),
        "silent": (lambda daemon: daemon.network.wait(61), SilenceTimeout),
        "no AMI any more": (lambda daemon: daemon.network.sockets[0].feed(b"x" * 5000), ProtocolError),
    }


@pytest.mark.parametrize("kind", losses())
def test_every_kind_of_loss_is_one(make_daemon: MakeDaemon, kind: str) -> None:
    daemon = make_daemon(max_packet=1024, timeout=60).start()
    lose, error = losses()[kind]
    lose(daemon)
    daemon.network.pump()
    assert type(daemon.conns[0].error) is error
    assert daemon.told == ["disconnect", "reconnecting 1"]
    daemon.come_back()
    assert daemon.conn.connected


def beginnings() -> dict[str, tuple[Callable[[Daemon], object], float, type]]:
    """Ways in which a connection never comes to be, and seconds after which that is known."""
    return {
        "refused": (lambda daemon: daemon.network.prepare().refuse(), 0, ConnectFailed),
        "unreachable": (lambda daemon: daemon.network.prepare().refuse(errno.EHOSTUNREACH), 0, ConnectFailed),
        "no answer": (lambda daemon: daemon.network.prepare().hold(), 10, ConnectTimeout),
        "no banner": (lambda daemon: None, 10, LoginTimeout),
        "closed before the banner": (lambda daemon: daemon.network.prepare().eof(), 0, ConnectionLost),
    }


@pytest.mark.parametrize("kind", beginnings())
def test_a_connection_that_never_came_to_be_is_tried_again(make_daemon: MakeDaemon, kind: str) -> None:
    daemon, calls = make_daemon(), Calls()
    prepare, seconds, error = beginnings()[kind]
    prepare(daemon)
    daemon.pool.get_connection(URL, calls)
    daemon.network.wait(seconds)
    assert [type(packet.error) for packet in calls] == [error]
    assert daemon.told == ["disconnect", "reconnecting 1"]
    daemon.come_back()
    assert daemon.conn.connected and len(calls) == 1


def test_a_name_that_nobody_knows_for_a_while(
    network: Network, highest: None, monkeypatch: pytest.MonkeyPatch, expect_log: ExpectLog
) -> None:
    expect_log("WARNING: .*pbx.test.*connecting again")
    known: list[Any] = []

    def look_up(*args: object, **kwargs: object) -> list[Any]:
        if not known:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return known

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    pool, calls = network.pool(reconnect=4), Calls()
    pool.get_connection("pbx.test", calls)
    network.resolve()
    assert [type(packet.error) for packet in calls] == [ConnectFailed]
    known.append((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 5280)))
    network.wait(4)
    network.resolve()
    network.answer_login()
    assert pool.stats.connected == 1 and network.sockets[0].address == ("192.0.2.7", 5280)


# The delay


def test_delays_double_up_to_reconnect_max(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(reconnect=1, reconnect_max=10).start()
    daemon.lose()
    for _ in range(6):
        daemon.network.prepare().refuse()
        daemon.network.wait(daemon.delays[-1])
    assert daemon.delays == [1, 2, 4, 8, 10, 10, 10]
    assert daemon.told[1::2] == [f"reconnecting {attempt}" for attempt in range(1, 8)]


def test_the_delay_is_chosen_by_chance_from_nothing_to_the_bound(
    make_daemon: MakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        bounds.append((low, high))
        return high / 2

    monkeypatch.setattr(random, "uniform", uniform)
    daemon = make_daemon(reconnect=1, reconnect_max=3).start()
    daemon.lose()
    for _ in range(3):
        daemon.network.prepare().refuse()
        daemon.network.wait(daemon.delays[-1])
    assert bounds == [(0, 1), (0, 2), (0, 3), (0, 3)]
    assert daemon.delays == [0.5, 1, 1.5, 1.5]


def test_a_server_that_is_down_for_months_does_not_exhaust_the_arithmetic(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(reconnect=1, reconnect_max=10).start()
    daemon.lose()
    for _ in range(1100):  # 2.0 ** 1024 is more than a float holds
        daemon.network.prepare().refuse()
        daemon.network.wait(daemon.delays[-1])
    assert len(daemon.delays) == 1101 and set(daemon.delays[4:]) == {10}


def test_attempts_count_from_one_again_after_a_login(daemon: Daemon) -> None:
    daemon.lose()
    daemon.network.prepare().refuse()
    daemon.network.wait(daemon.delays[-1])
    assert daemon.delays == [4, 8]
    daemon.come_back()
    daemon.lose()
    assert daemon.told[-1] == "reconnecting 1" and daemon.delays == [4, 8, 4]


@pytest.mark.parametrize("said", [b"", BANNER], ids=["connected", "banner"])
def test_attempts_go_on_counting_after_a_connect_without_a_login(daemon: Daemon, said: bytes) -> None:
    daemon.lose()
    for _ in range(3):
        daemon.network.wait(daemon.delays[-1])
        daemon.network.say(said)
        daemon.lose()
    assert daemon.delays == [4, 8, 16, 32]


def test_each_connection_counts_for_itself(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon().start(2)
    daemon.lose(daemon.network.sockets[0])
    daemon.network.prepare().refuse()
    daemon.network.wait(daemon.delays[-1])
    daemon.lose(daemon.network.sockets[1])
    assert daemon.delays == [4, 8, 4]


def test_several_connections_lost_at_once_all_come_back(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(maxconnperserv=3).start(3)
    for sock in daemon.network.sockets:
        sock.eof()
    daemon.network.pump()
    assert daemon.told.count("reconnecting 1") == 3
    daemon.network.wait(4)
    assert len(daemon.open_sockets) == 3
    for sock in daemon.open_sockets:
        daemon.network.say(BANNER + WELCOME, sock)
    assert len(daemon.conns) == 6 and daemon.pool.stats.connected == 3


def test_a_hundred_losses_later_there_is_one_connection(daemon: Daemon) -> None:
    for _ in range(100):
        daemon.lose()
        daemon.come_back()
    assert len(daemon.open_sockets) == 1 and daemon.pool.stats.connections == 1
    assert set(daemon.delays) == {4}


def test_the_options_may_stand_in_the_url(network: Network, highest: None, expect_log: ExpectLog) -> None:
    expect_log("WARNING: .*connecting again in 2[.0]* s, attempt 1")
    url, delays = URL + "#reconnect=2#reconnect_max=3", []
    pool = network.pool()
    pool.on("reconnecting", lambda url, delay, attempt: delays.append((url, delay, attempt)))
    pool.get_connection(url)
    network.answer_login().eof()
    network.pump()
    network.prepare().refuse()
    network.wait(2)
    assert delays == [(url, 2, 1), (url, 3, 2)]


# A refused login


def test_a_refused_login_stops_it_and_says_so(daemon: Daemon, expect_log: ExpectLog) -> None:
    expect_log("ERROR: .*192.0.2.1.*Authentication failed.*reconnect_refused")
    daemon.lose()
    daemon.come_back(REFUSAL)
    daemon.network.wait(1000)
    assert daemon.told == ["disconnect", "reconnecting 1", "disconnect"]
    assert daemon.open_sockets == [] and repr(daemon.pool) == "<Pool 0 connections>"
    daemon.pool.get_connection(URL)  # who asks again is served
    daemon.network.answer_login()
    assert daemon.conn.connected


def test_a_first_login_that_is_refused_is_not_repeated_either(make_daemon: MakeDaemon, expect_log: ExpectLog) -> None:
    expect_log("ERROR: .*Authentication failed")
    daemon, calls = make_daemon(), Calls()
    daemon.pool.get_connection(URL, calls)
    daemon.network.answer_login(REFUSAL)
    daemon.network.wait(1000)
    assert [type(packet.error) for packet in calls] == [LoginRefused]
    assert daemon.told == ["disconnect"] and len(daemon.network.sockets) == 1


def test_reconnect_refused_goes_on(make_daemon: MakeDaemon, expect_log: ExpectLog) -> None:
    expect_log("WARNING: .*login refused")
    daemon = make_daemon(reconnect_refused=True).start()
    daemon.lose()
    for _ in range(3):
        daemon.come_back(REFUSAL)
    assert daemon.delays == [4, 8, 16, 32]  # a refusal is no login
    daemon.come_back()
    assert daemon.conn.connected


@pytest.mark.parametrize(
    "reason", ["Asterisk is shutting down, refusing manager login", "Login Already In Use", "Login already in use"]
)
def test_a_refusal_for_a_reason_that_passes_does_not_stop_it(
    daemon: Daemon, reason: str, expect_log: ExpectLog
) -> None:
    expect_log(f"WARNING: .*login refused: {reason}")
    daemon.lose()
    daemon.come_back(message(f"Response: Error|Message: {reason}"))
    assert daemon.told[-2:] == ["disconnect", "reconnecting 2"]
    daemon.come_back()
    assert daemon.conn.connected


def test_the_refusal_says_whether_its_reason_passes(network: Network) -> None:
    for said, temporary in (("Authentication failed", False), ("Login already in use", True)):
        calls = Calls()
        network.pool().get_connection(URL, calls)
        network.answer_login(message(f"Response: Error|Message: {said}"))
        error = calls[0].error
        assert type(error) is LoginRefused and error.temporary is temporary


@pytest.mark.parametrize("answer", ["Response: Success", "Response: What", "Response: Success|Challenge:"])
def test_a_login_that_makes_no_sense_is_tried_again(
    make_daemon: MakeDaemon, answer: str, expect_log: ExpectLog
) -> None:
    daemon = make_daemon(authtype="md5")
    daemon.pool.get_connection(URL)
    daemon.network.pump()
    daemon.network.say(BANNER + message(answer))
    assert daemon.told == ["disconnect", "reconnecting 1"]


# Handlers


def test_the_pools_handlers_survive(daemon: Daemon) -> None:
    events = Calls()
    daemon.pool.bind("event_hangup", events)
    for _ in range(3):
        daemon.lose()
        daemon.come_back()
        daemon.network.say(message("Event: Hangup"))
    assert len(events) == 3


def test_the_reason_is_known_when_disconnect_is_told(daemon: Daemon) -> None:
    errors: list[Any] = []
    daemon.pool.on("disconnect", lambda conn: errors.append(conn.error))
    daemon.lose()
    assert [type(error) for error in errors] == [ConnectionLost]


@pytest.mark.parametrize("name", ["connected", "disconnect", "reconnecting", "login"])
def test_a_handler_that_raises_changes_nothing(daemon: Daemon, name: str, expect_log: ExpectLog) -> None:
    expect_log("ERROR: callback .*explode raised")

    def explode(*args: object) -> None:
        raise RuntimeError("the user's bug")

    daemon.pool.on(name, explode)
    for _ in range(3):
        daemon.lose()
        daemon.come_back()
    assert daemon.told == ["disconnect", "reconnecting 1", "connected"] * 3


def test_a_connection_of_its_own_handlers_is_new_each_time(daemon: Daemon) -> None:
    before: list[Connection] = []
    daemon.pool.get_connection(URL, before_connect=before.append)
    daemon.network.answer_login()
    daemon.lose()
    daemon.come_back()
    assert before == [daemon.conns[1]]  # only for the connection that the call opened
