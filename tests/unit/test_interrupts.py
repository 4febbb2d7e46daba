"""KeyboardInterrupt out of a user's callback: it passes, and when the loop runs on nothing is lost or told twice."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from fake_network import URL, Calls, Network
from outage import Daemon
from server_texts import REFUSAL

from ami_client import Connection

ExpectLog = Callable[[str], None]
MakeDaemon = Callable[..., Daemon]


class Interrupt:
    """A callback that raises KeyboardInterrupt the first ``times`` times, and counts its calls."""

    def __init__(self, times: int = 1) -> None:
        self.calls = 0
        self.times = times

    def __call__(self, *args: object) -> None:
        self.calls += 1
        if self.calls <= self.times:
            raise KeyboardInterrupt


def run_on(daemon: Daemon, interrupts: int = 1) -> None:
    """Run the loop until nothing is to be done now; so many interrupts come out of it."""
    for _ in range(interrupts):
        with pytest.raises(KeyboardInterrupt):
            daemon.network.pump()
    daemon.network.pump()


@pytest.mark.parametrize("place", ["login", "callback", "connected"])
def test_out_of_a_login(make_daemon: MakeDaemon, place: str) -> None:
    daemon = make_daemon(maxconnperserv=1).start()
    interrupt, callback, retried = Interrupt(), Calls(), Calls()
    action_id = daemon.conn.ping(retried, retry=True)
    daemon.lose()
    daemon.pool.get_connection(URL, interrupt if place == "callback" else callback)
    if place == "callback":
        daemon.pool.get_connection(URL, callback)
    else:
        daemon.pool.on(place, interrupt)
    daemon.network.pump()
    with pytest.raises(KeyboardInterrupt):
        daemon.network.answer_login()
    daemon.network.pump()
    assert daemon.conns[-1].connected and daemon.told.count("connected") == 1
    daemon.network.say(f"Response: Success\r\nActionID: {action_id}\r\n\r\n".encode(), daemon.network.sockets[1])
    assert [packet["response"] for packet in retried] == ["success"]
    got = Calls()
    daemon.pool.get_connection(URL, got)
    assert len(got) == 1  # the connection is free


@pytest.mark.parametrize("place", ["action", "disconnect", "reconnecting"])
def test_out_of_a_loss(daemon: Daemon, place: str) -> None:
    interrupt, others = Interrupt(), Calls()
    if place == "action":
        daemon.conn.ping(interrupt)
    else:
        daemon.pool.on(place, interrupt)
    daemon.conn.ping(others)
    daemon.network.sockets[0].eof()
    run_on(daemon)
    assert len(others) == 1 and interrupt.calls == 1
    assert sorted(daemon.told) == ["disconnect", "reconnecting 1"]
    daemon.come_back()
    assert daemon.conn.connected and len(daemon.open_sockets) == 1


def test_out_of_several_callbacks_of_one_loss(daemon: Daemon) -> None:
    interrupts, others = [Interrupt(), Interrupt(), Interrupt()], Calls()
    for interrupt in interrupts:
        daemon.conn.ping(interrupt)
        daemon.conn.ping(others)
    daemon.network.sockets[0].eof()
    run_on(daemon, 3)
    assert [one.calls for one in interrupts] == [1, 1, 1] and len(others) == 3
    assert daemon.told.count("disconnect") == 1
    daemon.network.wait(4)
    assert len(daemon.open_sockets) == 1


def test_what_was_counted_is_counted_once(daemon: Daemon) -> None:
    daemon.conn.ping(Interrupt())
    before = daemon.pool.stats
    daemon.network.sockets[0].eof()
    run_on(daemon)
    after = daemon.pool.stats
    assert (after.bytes_in, after.logins) == (before.bytes_in, before.logins)


def test_out_of_a_loss_a_server_that_was_asked_for_again_is_not_forgotten(network: Network) -> None:
    pool = network.pool()
    found: list[Connection] = []
    pool.get_connection(URL, found.append)
    sock = network.answer_login()
    found[0].ping(Interrupt())
    sock.eof()
    with pytest.raises(KeyboardInterrupt):
        network.pump()
    pool.get_connection(URL, found.append)  # between the two runs of the loop
    network.answer_login()
    assert found[1].connected and repr(pool) == "<Pool 1 connections>"
    pool.finish()
    assert found[1].finished and network.sockets[1].closed


def test_out_of_an_action_that_no_connection_is_coming_for(make_daemon: MakeDaemon) -> None:
    daemon, others = make_daemon(reconnect=None).start(), Calls()
    interrupt = Interrupt()
    for cb in (others, interrupt, others, others):
        daemon.conn.ping(cb, retry=True)
    daemon.network.sockets[0].eof()
    run_on(daemon)
    assert (len(others), interrupt.calls) == (3, 1)
    assert daemon.pool.stats.pending == 0 and daemon.pool.stats.logins == 1


def test_out_of_such_actions_of_two_connections(make_daemon: MakeDaemon, expect_log: ExpectLog) -> None:
    expect_log("ERROR: .*refused")
    daemon, others, interrupt = make_daemon().start(2), Calls(), Interrupt()
    for conn in daemon.conns:
        for cb in (interrupt, others):
            conn.ping(cb, retry=True, timeout=1000)
    for sock in daemon.network.sockets:
        sock.eof()
    daemon.network.wait(4)
    first, second = daemon.open_sockets
    daemon.network.say(b"Asterisk Call Manager/5.0.4\r\n" + REFUSAL, first)
    with pytest.raises(KeyboardInterrupt):
        daemon.network.say(b"Asterisk Call Manager/5.0.4\r\n" + REFUSAL, second)
    daemon.network.pump()
    assert (len(others), interrupt.calls) == (2, 2)
    assert daemon.pool.stats.logins == 2


def test_out_of_a_callback_that_waited_in_the_pool(make_daemon: MakeDaemon) -> None:
    daemon, others = make_daemon(maxconnperserv=1).start(), Calls()
    daemon.pool.get_connection(URL, Interrupt())
    daemon.pool.get_connection(URL, others)
    with pytest.raises(KeyboardInterrupt):
        daemon.conn.release()
    daemon.network.pump()
    assert len(others) == 1


def test_out_of_before_connect_the_attempt_goes_on(make_daemon: MakeDaemon) -> None:
    daemon, calls = make_daemon(), Calls()
    with pytest.raises(KeyboardInterrupt):
        daemon.pool.get_connection(URL, calls, before_connect=Interrupt())
    daemon.network.answer_login()
    assert len(calls) == 1 and daemon.conn.connected


def test_out_of_the_end_of_the_pool(make_daemon: MakeDaemon) -> None:
    daemon, waiting, others = make_daemon(maxconnperserv=2).start(2), Calls(), Calls()
    daemon.conns[0].ping(Interrupt())
    daemon.conns[0].ping(others)
    daemon.conns[1].ping(others)
    daemon.pool.get_connection(URL, Interrupt())
    daemon.pool.get_connection(URL, waiting)
    elsewhere = Calls()
    daemon.pool.get_connection("192.0.2.2", elsewhere)
    with pytest.raises(KeyboardInterrupt):
        daemon.pool.finish()
    for _ in range(2):
        try:
            daemon.network.pump()
        except KeyboardInterrupt:
            continue
    assert (len(others), len(waiting), len(elsewhere)) == (2, 1, 1)
    assert daemon.open_sockets == [] and daemon.pool.stats.connections == 0


def test_out_of_the_end_of_the_pool_it_can_be_ended_again(make_daemon: MakeDaemon) -> None:
    daemon, others = make_daemon().start(2), Calls()
    daemon.conns[0].ping(Interrupt())
    daemon.conns[1].ping(others)
    with pytest.raises(KeyboardInterrupt):
        daemon.pool.finish()
    daemon.pool.finish()
    daemon.network.pump()
    assert len(others) == 1 and daemon.open_sockets == [] and daemon.pool.stats.connections == 0


def test_two_interrupts_at_one_login(network: Network) -> None:
    pool, told = network.pool(maxconnperserv=1), []

    def note(conn: Connection) -> None:
        told.append(conn.connected)

    interrupt: Any = Interrupt(2)
    pool.get_connection(URL, interrupt, before_connect=lambda conn: conn.on_connected(note))
    pool.get_connection(URL, interrupt)
    pool.get_connection(URL, note)
    with pytest.raises(KeyboardInterrupt):
        network.answer_login()
    for _ in range(3):
        try:
            network.pump()
        except KeyboardInterrupt:
            continue
    assert told == [True, True]


def test_out_of_the_end_of_the_pool_nothing_is_opened_any_more(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon().start()
    daemon.pool.get_connection("192.0.2.2", Interrupt())  # on its way, and ended by the pool

    def final(conn: Connection) -> None:
        daemon.pool.off("disconnect", final)
        daemon.pool.finish()

    daemon.pool.on("disconnect", final)
    daemon.network.sockets[0].eof()
    run_on(daemon)
    assert "reconnecting 1" not in daemon.told
    assert daemon.open_sockets == [] and daemon.pool.stats.connections == 0


def test_an_action_whose_sending_is_interrupted_is_given_up(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller does not learn its ActionID, so its callback is not called, and nothing waits for it."""
    peer, calls, forgotten, others = network.log_in(action_timeout=5), Calls(), Calls(), Calls()

    def interrupted(data: bytes) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(peer.sock, "send", interrupted)
        for limit in (None, 3):
            with pytest.raises(KeyboardInterrupt):
                peer.conn.ping(calls, timeout=limit)
        let_go = weakref.ref(forgotten)
        with suppress(KeyboardInterrupt):
            peer.conn.ping(forgotten)
        del forgotten
        assert let_go() is None
    assert peer.conn.stats.pending == 0
    action_id = peer.conn.ping(others)
    peer.answer(action_id)
    network.wait(6)
    assert len(others) == 1 and calls == [] and peer.conn.stats.timeouts == 0
