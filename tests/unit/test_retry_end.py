"""Actions with ``retry=True`` that are not answered: each callback is told once, with the reason, and let go."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from fake_network import URL, Calls, Peer
from outage import Daemon
from server_texts import REFUSAL

from ami_client import Connection
from ami_client.errors import (
    ActionFailed,
    ActionTimeout,
    ConnectFailed,
    ConnectionFinished,
    ConnectionLost,
    LimitReached,
    LoginRefused,
)
from ami_client.testing.fakes import NothingCanHappen

ExpectLog = Callable[[str], None]
MakeDaemon = Callable[..., Daemon]


def errors(calls: Calls) -> list[type]:
    return [type(packet.error) for packet in calls]


# The time limit


def test_the_time_limit_goes_on_over_the_loss(daemon: Daemon) -> None:
    calls = Calls()
    daemon.conn.ping(calls, retry=True, timeout=10)
    daemon.network.wait(3)
    daemon.lose()
    daemon.come_back()  # at 7
    daemon.network.wait(2.9)
    assert calls == []
    daemon.network.wait(0.2)
    assert errors(calls) == [ActionTimeout] and "10 s" in str(calls[0].error)
    daemon.network.wait(100)
    assert len(calls) == 1 and daemon.pool.stats.timeouts == 1


def test_of_a_calls_result_too(daemon: Daemon) -> None:
    results = Calls()
    daemon.conn.originate({"Channel": "SIP/1", "Timeout": 5000}, Calls(), on_result=results, retry=True)
    daemon.lose()
    daemon.come_back()
    daemon.network.wait(60.9)  # action_timeout and the 5 s, less the 4 s of the delay
    assert results == []
    daemon.network.wait(0.2)
    assert errors(results) == [ActionTimeout]


def test_the_options_limit_goes_on_too(make_daemon: MakeDaemon) -> None:
    daemon, calls = make_daemon(action_timeout=6).start(), Calls()
    daemon.conn.ping(calls, retry=True)
    daemon.lose()
    daemon.come_back()
    daemon.network.wait(1.9)
    assert calls == []
    daemon.network.wait(0.2)
    assert errors(calls) == [ActionTimeout]


def test_without_a_limit_it_waits_for_ever(make_daemon: MakeDaemon) -> None:
    daemon, calls = make_daemon(action_timeout=None).start(), Calls()
    daemon.conn.ping(calls, retry=True)
    daemon.lose()
    daemon.come_back()
    daemon.network.wait(1e6)
    assert calls == []


def test_time_runs_out_while_nobody_is_connected(daemon: Daemon) -> None:
    calls, half = Calls(), Calls()
    daemon.conn.ping(calls, retry=True, timeout=3)
    action_id = daemon.conn.core_show_channels(half, retry=True, timeout=3)
    peer = Peer(daemon.network, daemon.conn, daemon.network.sockets[0])
    peer.answer(action_id, "Response: Success|EventList: start")
    daemon.lose()
    assert daemon.pool.stats.pending == 2
    daemon.network.wait(3.1)
    assert errors(calls) == [ActionTimeout]
    assert [type(packet.error) for packet in half[0]] == [type(None), ActionTimeout]  # what had arrived is kept
    assert daemon.pool.stats.pending == 0 and daemon.pool.stats.timeouts == 2
    daemon.network.wait(0.9)
    sock = daemon.network.answer_login()
    assert sock.take() == b"" and len(calls) == 1


def test_when_time_ran_out_for_the_last_one_no_timer_is_left(daemon: Daemon) -> None:
    daemon.conn.ping(Calls())
    answers = Calls()
    daemon.conn.ping(answers, timeout=3, retry=True)
    daemon.lose()
    daemon.network.wait(3.5)
    assert len(answers) == 1
    daemon.network.wait(1)  # the next attempt
    daemon.network.sockets[-1].eof()
    daemon.network.pump()
    daemon.pool.finish()
    with pytest.raises(NothingCanHappen):
        daemon.network.reactor.run_once()


def test_a_late_answer_on_the_new_connection_belongs_to_nobody(daemon: Daemon) -> None:
    calls, events = Calls(), Calls()
    action_id = daemon.conn.ping(calls, retry=True, timeout=5)
    daemon.lose()
    sock = daemon.come_back()
    daemon.network.wait(2)
    daemon.conn.on_event(events)
    Peer(daemon.network, daemon.conn, sock).answer(action_id)
    assert errors(calls) == [ActionTimeout] and events == []


# No connection is coming


def test_without_reconnect_it_fails_at_once_with_the_reason(make_daemon: MakeDaemon) -> None:
    daemon, calls = make_daemon(reconnect=None).start(), Calls()
    daemon.conn.ping(calls, retry=True)
    daemon.lose()
    assert errors(calls) == [ConnectionLost] and calls[0].error is daemon.conn.error


def test_a_connection_that_is_there_already_is_none_that_is_coming(make_daemon: MakeDaemon) -> None:
    daemon, calls = make_daemon(reconnect=None).start(2), Calls()
    daemon.conns[0].ping(calls, retry=True)
    daemon.lose(daemon.network.sockets[0])
    assert errors(calls) == [ConnectionLost]


def test_a_connection_on_its_way_that_fails_fails_it(make_daemon: MakeDaemon) -> None:
    daemon, calls = make_daemon(reconnect=None).start(), Calls()
    daemon.network.prepare().hold()
    daemon.pool.get_connection(URL)
    daemon.network.pump()
    daemon.conn.ping(calls, retry=True, timeout=1000)
    daemon.lose(daemon.network.sockets[0])
    assert calls == []
    daemon.network.sockets[1].refuse()
    daemon.network.pump()
    assert errors(calls) == [ConnectFailed]


def test_a_refused_login_fails_it(daemon: Daemon, expect_log: ExpectLog) -> None:
    expect_log("ERROR: .*refused")
    calls = Calls()
    daemon.conn.ping(calls, retry=True)
    daemon.lose()
    daemon.come_back(REFUSAL)
    assert errors(calls) == [LoginRefused]


def test_a_refused_login_of_one_connection_does_not_while_another_is_coming(
    make_daemon: MakeDaemon, expect_log: ExpectLog
) -> None:
    expect_log("ERROR: .*refused")
    daemon, calls = make_daemon().start(2), Calls()
    daemon.conns[0].ping(calls, retry=True, timeout=1000)
    daemon.lose(daemon.network.sockets[0])
    daemon.network.wait(1)
    daemon.lose(daemon.network.sockets[1])
    daemon.network.wait(3)
    daemon.network.answer_login(REFUSAL)
    assert calls == []
    daemon.network.wait(1)
    assert daemon.network.answer_login().take().startswith(b"Action: Ping")


@pytest.mark.parametrize("end", ["finish", "close", "graceful_shutdown", "pool"])
@pytest.mark.parametrize("when", ["connected", "back-off"])
def test_an_end_that_was_asked_for_fails_it(daemon: Daemon, end: str, when: str) -> None:
    calls = Calls()
    conn = daemon.conn
    conn.ping(calls, retry=True)
    if when == "back-off":
        daemon.lose()
        assert calls == []
    daemon.pool.finish() if end == "pool" else getattr(conn, end)()
    daemon.network.pump()
    assert len(calls) == 1 and daemon.pool.stats.pending == 0
    expected = ConnectionLost if when == "back-off" and end != "pool" else ConnectionFinished
    assert errors(calls) == [expected]


def test_such_an_end_fails_it_although_another_connection_is_coming(make_daemon: MakeDaemon) -> None:
    daemon, calls = make_daemon().start(2), Calls()
    daemon.lose(daemon.network.sockets[0])
    daemon.conns[1].ping(calls, retry=True)
    daemon.conns[1].finish()
    assert errors(calls) == [ConnectionFinished]
    assert daemon.come_back().take() == b""


def test_a_goodbye_fails_it(daemon: Daemon) -> None:
    calls = Calls()
    daemon.conn.ping(calls, retry=True)
    peer = Peer(daemon.network, daemon.conn, daemon.network.sockets[0])
    peer.answer(daemon.conn.logoff(), "Response: Goodbye")
    daemon.lose()
    assert errors(calls) == [ConnectionFinished]


def test_the_others_fail_before_it_and_in_order(make_daemon: MakeDaemon) -> None:
    daemon, order = make_daemon(reconnect=None).start(), []
    for number in range(6):
        daemon.conn.ping(lambda conn, packet, n=number: order.append(n), retry=number % 2 == 1)
    daemon.lose()
    assert order == [0, 2, 4, 1, 3, 5]


# What was begun inside its callbacks


def test_a_callback_that_asks_again_with_retry(make_daemon: MakeDaemon) -> None:
    daemon, calls = make_daemon(reconnect=None).start(), Calls()

    def again(conn: Connection, packet: Any) -> None:
        daemon.pool.get_connection(URL, lambda conn, packet: conn.connected and conn.ping(calls, retry=True))

    daemon.conn.ping(again, retry=True)
    daemon.conn.ping(calls, retry=True)
    daemon.lose()
    daemon.network.answer_login()
    daemon.lose()
    assert errors(calls) == [ConnectionLost] * 2


@pytest.mark.parametrize("end", ["conn", "pool"])
def test_a_callback_that_ends_the_connection_while_others_are_sent_again(make_daemon: MakeDaemon, end: str) -> None:
    """One fails because its ActionID is in use; its callback ends what the others were to go out on."""
    daemon, others = make_daemon().start(2), Calls()

    def final(conn: Connection, packet: Any) -> None:
        assert type(packet.error) is ActionFailed
        daemon.pool.finish() if end == "pool" else conn.finish()

    daemon.conns[0].action("Do", final, {"ActionID": "x"}, retry=True, timeout=float("inf"))
    for conn in daemon.conns:
        conn.ping(others, retry=True, timeout=float("inf"))
    for sock in daemon.network.sockets:
        sock.eof()
    daemon.network.pump()
    daemon.pool.on_login(lambda conn: conn.action("Other", Calls(), {"ActionID": "x"}))
    daemon.network.wait(4)
    daemon.network.answer_login()
    daemon.pool.finish()
    daemon.network.pump()
    assert errors(others) == [ConnectionFinished] * 2


def test_a_callback_that_ends_the_pool_because_no_connection_is_coming(make_daemon: MakeDaemon) -> None:
    daemon, calls = make_daemon(reconnect=None).start(2), Calls()
    daemon.conns[0].ping(lambda conn, packet: daemon.pool.finish(), retry=True)
    for conn in daemon.conns:
        conn.ping(calls, retry=True)
    daemon.lose(daemon.network.sockets[0])
    assert len(calls) == 2 and daemon.pool.stats.pending == 0 and daemon.pool.stats.logins == 2
    daemon.network.pump()
    assert daemon.open_sockets == []


def test_one_that_fails_for_its_length_is_not_sent_again(make_daemon: MakeDaemon) -> None:
    daemon, calls = make_daemon(max_answer=4096).start(), Calls()
    action_id = daemon.conn.action("List", calls, retry=True)
    peer = Peer(daemon.network, daemon.conn, daemon.network.sockets[0])
    peer.answer(action_id, "Response: Success|EventList: start")
    for _ in range(6):
        peer.answer(action_id, "Event: Entry")
    daemon.lose()
    sock = daemon.come_back()
    assert errors(calls) == [LimitReached] and sock.take() == b""


def test_a_callback_that_raises_is_logged_and_the_others_are_told(
    make_daemon: MakeDaemon, expect_log: ExpectLog
) -> None:
    expect_log("ERROR: callback .*explode raised")

    def explode(conn: Connection, packet: Any) -> None:
        raise RuntimeError("the user's bug")

    daemon, calls = make_daemon(reconnect=None).start(), Calls()
    for cb in (explode, calls, explode, calls):
        daemon.conn.ping(cb, retry=True)
    daemon.lose()
    assert errors(calls) == [ConnectionLost] * 2
    assert daemon.pool.stats.handler_errors == 2


# Nothing is kept


@pytest.mark.parametrize("how", ["answered", "timeout", "refused", "finished"])
def test_nothing_is_kept_of_it(daemon: Daemon, how: str, expect_log: ExpectLog) -> None:
    calls = [Calls() for _ in range(3)]
    refs = [weakref.ref(one) for one in calls]
    ids = [daemon.conn.ping(one, retry=True, timeout=30) for one in calls]
    lost = weakref.ref(daemon.conns.pop())
    del calls
    daemon.lose()
    if how == "refused":
        expect_log("ERROR: .*refused")
        daemon.come_back(REFUSAL)
    elif how == "finished":
        daemon.pool.finish()
    else:
        sock = daemon.come_back()
        if how == "timeout":
            daemon.network.wait(31)
        for action_id in ids:
            Peer(daemon.network, daemon.conn, sock).answer(action_id)
    gc.collect()
    kept: list[weakref.ref[Any]] = [*refs, lost]
    assert [ref() for ref in kept] == [None] * 4


def test_no_timer_is_left(daemon: Daemon) -> None:
    daemon.conn.ping(Calls(), retry=True, timeout=1000)
    daemon.lose()
    daemon.pool.finish()
    with pytest.raises(NothingCanHappen):
        daemon.network.reactor.run_once()
