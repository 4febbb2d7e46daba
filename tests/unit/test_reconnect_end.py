"""Staying connected: what ends it for good, wherever it is called from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_network import URL, Calls, Life, Network, Peer
from outage import Daemon
from server_texts import REFUSAL

from ami_client import Connection
from ami_client.errors import ConnectionFinished, ConnectionLost, LimitReached, SilenceTimeout
from ami_client.testing.fakes import NothingCanHappen

ExpectLog = Callable[[str], None]
MakeDaemon = Callable[..., Daemon]


def assert_nothing_comes(daemon: Daemon) -> None:
    """All sockets are closed, and nothing is left that could open one."""
    sockets = len(daemon.network.sockets)
    daemon.network.pump()
    assert daemon.open_sockets == [] and daemon.pool.stats.connections == 0
    with pytest.raises(NothingCanHappen):
        daemon.network.reactor.run_once()
    assert len(daemon.network.sockets) == sockets


ENDS: dict[str, Callable[[Daemon, Connection], object]] = {
    "finish": lambda daemon, conn: conn.finish(),
    "close": lambda daemon, conn: conn.close(),
    "graceful": lambda daemon, conn: conn.graceful_shutdown(),
    "pool": lambda daemon, conn: daemon.pool.finish(),
    "pool, graceful": lambda daemon, conn: daemon.pool.finish(graceful=True),
}


@pytest.mark.parametrize("end", ENDS)
def test_an_end_that_was_asked_for_is_final(daemon: Daemon, end: str) -> None:
    ENDS[end](daemon, daemon.conn)
    assert_nothing_comes(daemon)
    assert daemon.told == ["disconnect"] and type(daemon.conn.error) is ConnectionFinished


@pytest.mark.parametrize("end", ENDS)
def test_during_the_back_off(daemon: Daemon, end: str) -> None:
    daemon.lose()
    ENDS[end](daemon, daemon.conn)
    assert_nothing_comes(daemon)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("stage", ["connecting", "banner", "login"])
def test_during_the_next_attempt(daemon: Daemon, end: str, stage: str) -> None:
    daemon.lose()
    before: list[Connection] = []
    if stage == "connecting":
        daemon.network.prepare().hold()
    daemon.pool.get_connection(URL, before_connect=before.append)
    daemon.network.pump()
    if stage == "login":
        daemon.network.say(b"Asterisk Call Manager/5.0.4\r\n")
    ENDS[end](daemon, before[0])
    assert_nothing_comes(daemon)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("place", ["disconnect", "action", "reconnecting", "login", "connected", "callback"])
def test_inside_a_handler(make_daemon: MakeDaemon, place: str, end: str) -> None:
    daemon = make_daemon().start()
    lost = daemon.conn

    def final(conn: Any, *args: object) -> None:
        ENDS[end](daemon, conn if isinstance(conn, Connection) else lost)

    if place == "action":
        lost.ping(final)
    elif place != "callback":
        daemon.pool.on(place, final)
    daemon.lose()
    if place in ("login", "connected", "callback"):
        if place == "callback":
            daemon.pool.get_connection(URL, final)
        daemon.network.wait(4)
        daemon.network.answer_login()
    assert_nothing_comes(daemon)


@pytest.mark.parametrize("end", ENDS)
def test_inside_the_callback_of_a_refused_login(make_daemon: MakeDaemon, end: str) -> None:
    daemon = make_daemon(reconnect_refused=True)
    daemon.pool.get_connection(URL, lambda conn: ENDS[end](daemon, conn))
    daemon.network.answer_login(REFUSAL)
    assert_nothing_comes(daemon)
    assert daemon.told == ["disconnect"]


@pytest.mark.parametrize("graceful", [False, True])
def test_the_end_of_the_pool_inside_before_connect(make_daemon: MakeDaemon, graceful: bool) -> None:
    daemon = make_daemon()
    daemon.pool.get_connection(URL, before_connect=lambda conn: daemon.pool.finish(graceful))
    assert_nothing_comes(daemon)


@pytest.mark.parametrize("graceful", [False, True])
def test_a_server_that_does_not_read_hinders_no_end(make_daemon: MakeDaemon, graceful: bool) -> None:
    daemon = make_daemon(max_outgoing=1024).start(2)
    daemon.network.sockets[0].room = 0
    with pytest.raises(LimitReached):
        while True:
            daemon.conns[0].action("Do", None, {"Text": "x" * 40})
    daemon.pool.finish(graceful)
    assert all(conn.finished for conn in daemon.conns)
    daemon.network.wait(5)  # what was written may still go out
    assert_nothing_comes(daemon)


def test_conn_finish_ends_its_own_connection_only(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon().start(2)
    daemon.lose(daemon.network.sockets[0])
    daemon.conns[1].finish()
    daemon.network.wait(4)
    assert len(daemon.open_sockets) == 1  # in the place of the one that was lost
    daemon.network.answer_login()
    assert daemon.pool.stats.connected == 1


def test_the_end_of_the_pool_reaches_every_server(make_daemon: MakeDaemon) -> None:
    daemon, calls = make_daemon().start(), Calls()
    daemon.pool.get_connection("192.0.2.2", calls)
    daemon.lose(daemon.network.sockets[0])
    daemon.pool.finish()
    assert len(calls) == 1
    assert_nothing_comes(daemon)


# Logoff


@pytest.mark.parametrize("how", ["eof", "reset"])
def test_after_a_goodbye_it_is_not_opened_again(daemon: Daemon, how: str) -> None:
    action_id = daemon.conn.logoff()
    peer = Peer(daemon.network, daemon.conn, daemon.network.sockets[0])
    peer.answer(action_id, "Response: Goodbye|Message: Thanks for all the fish.")
    getattr(peer.sock, how)()
    assert_nothing_comes(daemon)
    assert type(daemon.conn.error) is ConnectionFinished and daemon.told == ["disconnect"]


def test_after_a_goodbye_a_server_that_falls_silent_is_no_loss_either(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(timeout=60).start()
    peer = Peer(daemon.network, daemon.conn, daemon.network.sockets[0])
    peer.answer(daemon.conn.logoff(), "Response: Goodbye")
    daemon.network.wait(200)
    assert_nothing_comes(daemon)
    assert type(daemon.conn.error) is ConnectionFinished


def test_a_logoff_that_was_not_answered_was_perhaps_not_heard(daemon: Daemon) -> None:
    daemon.conn.logoff()
    daemon.lose()
    assert type(daemon.conn.error) is ConnectionLost
    daemon.come_back()
    assert daemon.conn.connected


def test_what_is_open_at_the_goodbye_fails_as_finished(network: Network) -> None:
    peer, calls = network.log_in(), Calls()
    peer.conn.ping(calls)
    peer.answer(peer.conn.logoff(), "Response: Goodbye")
    peer.sock.eof()
    network.pump()
    assert [type(packet.error) for packet in calls] == [ConnectionFinished]


@pytest.mark.parametrize("said", ["Response: Goodbye", "Response: Goodbye|ActionID: forged"])
def test_a_goodbye_that_nobody_asked_for_means_nothing(daemon: Daemon, said: str) -> None:
    """A caller's text in an event that Asterisk does not escape may forge one."""
    peer = Peer(daemon.network, daemon.conn, daemon.network.sockets[0])
    peer.say(said)
    daemon.network.wait(10)
    daemon.lose()
    assert type(daemon.conn.error) is ConnectionLost
    daemon.come_back()
    assert daemon.conn.connected


def test_a_goodbye_to_another_action_means_nothing(daemon: Daemon) -> None:
    peer = Peer(daemon.network, daemon.conn, daemon.network.sockets[0])
    peer.answer(daemon.conn.ping(Calls()), "Response: Goodbye")
    daemon.lose()
    assert type(daemon.conn.error) is ConnectionLost


# What is left


def test_a_silent_server_is_dropped_without_a_reconnect_if_it_is_off(network: Network) -> None:
    life = Life(network)
    network.answer_login()
    network.wait(61)
    assert type(life.conn.error) is SilenceTimeout and len(network.sockets) == 1


def test_a_finished_pool_is_not_opened_again_by_an_old_connection(daemon: Daemon) -> None:
    lost = daemon.conn
    daemon.lose()
    daemon.pool.finish()
    lost.finish()
    lost.release()
    assert_nothing_comes(daemon)


def test_who_closes_the_loop_during_the_back_off_has_everybody_told_all_the_same(daemon: Daemon) -> None:
    calls = Calls()
    daemon.conn.ping(calls, retry=True)
    daemon.lose()
    daemon.network.reactor.close()
    daemon.pool.finish()
    assert [type(packet.error) for packet in calls] == [ConnectionFinished]


def test_who_closes_the_loop_before_a_loss(daemon: Daemon) -> None:
    calls = Calls()
    daemon.conn.ping(calls, retry=True)
    daemon.network.reactor.close()
    daemon.pool.finish()
    assert [type(packet.error) for packet in calls] == [ConnectionFinished]
    assert daemon.told == ["disconnect"] and daemon.open_sockets == []
