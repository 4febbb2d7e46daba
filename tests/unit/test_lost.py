"""``conn.lost`` and ``conn.reconnecting``: what a handler of ``disconnect`` asks, whatever the end was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_network import URL, Calls, Network
from outage import Daemon
from server_texts import BANNER, REFUSAL, WELCOME

from ami_client import Connection, Pool
from ami_client.errors import ConnectionFinished, ConnectionLost

ExpectLog = Callable[[str], None]
Told = list[tuple[bool, bool]]

LOST_FOR_GOOD, COMES_AGAIN, ASKED_FOR = (True, False), (True, True), (False, False)


def watch(pool: Pool) -> Told:
    """What ``disconnect`` finds, of each connection."""
    told: Told = []
    pool.on("disconnect", lambda conn: told.append((conn.lost, conn.reconnecting)))
    return told


def both(conn: Connection) -> tuple[bool, bool]:
    return conn.lost, conn.reconnecting


def test_a_living_connection_is_neither(network: Network) -> None:
    found: list[Connection] = []
    network.pool(reconnect=2).get_connection(URL, before_connect=found.append)
    assert both(found[0]) == ASKED_FOR
    network.pump()
    network.answer_login()
    assert found[0].connected and both(found[0]) == ASKED_FOR


@pytest.mark.parametrize("reconnect", [None, 2])
def test_a_loss(network: Network, reconnect: float | None, expect_log: ExpectLog) -> None:
    if reconnect:
        expect_log("WARNING: .*connecting again")
    peer = network.log_in(reconnect=reconnect)
    pool: Any = peer.conn.pool
    told = watch(pool)
    peer.sock.eof()
    network.pump()
    assert told == [COMES_AGAIN if reconnect else LOST_FOR_GOOD]
    assert both(peer.conn) == told[0]


@pytest.mark.parametrize(
    "end",
    [
        lambda conn: conn.finish(),
        lambda conn: conn.close(),
        lambda conn: conn.graceful_shutdown(),
        lambda conn: conn.pool.finish(),
        lambda conn: conn.pool.finish(graceful=True),
    ],
)
def test_an_end_that_was_asked_for(network: Network, end: Callable[[Any], None]) -> None:
    peer = network.log_in(reconnect=2)
    pool: Any = peer.conn.pool
    told = watch(pool)
    end(peer.conn)
    network.pump()
    assert told == [ASKED_FOR]


def test_a_logoff_that_was_answered(network: Network) -> None:
    peer = network.log_in(reconnect=2)
    pool: Any = peer.conn.pool
    told = watch(pool)
    own = peer.conn.logoff(Calls())
    peer.answer(own, "Response: Goodbye")
    peer.sock.eof()
    network.pump()
    assert told == [ASKED_FOR]


@pytest.mark.parametrize("refused_too", [False, True])
def test_a_refused_login(network: Network, refused_too: bool, expect_log: ExpectLog) -> None:
    expect_log("WARNING: .*connecting again" if refused_too else "ERROR: .*it is not opened again")
    pool = network.pool(reconnect=2, reconnect_refused=refused_too)
    told = watch(pool)
    pool.get_connection(URL)
    network.answer_login(REFUSAL)
    assert told == [COMES_AGAIN if refused_too else LOST_FOR_GOOD]


@pytest.mark.parametrize("reconnect", [None, 2])
def test_a_server_that_cannot_be_reached(network: Network, reconnect: float | None, expect_log: ExpectLog) -> None:
    if reconnect:
        expect_log("WARNING: .*connecting again")
    pool = network.pool(reconnect=reconnect)
    told = watch(pool)
    called: Told = []
    for _ in range(2):
        network.prepare().refuse()
        pool.get_connection(URL, lambda conn: called.append(both(conn)))
    network.pump()
    assert told == called == [COMES_AGAIN if reconnect else LOST_FOR_GOOD] * 2  # one attempt for both, but it comes


def test_a_callback_that_is_turned_away_waits_on(network: Network) -> None:
    pool = network.pool(reconnect=2)
    pool.get_connection(URL)
    pool.get_connection(URL)
    network.pump()
    first, second = network.sockets
    network.say(BANNER, first)
    told = watch(pool)
    second.eof()
    network.pump()
    assert told == [COMES_AGAIN]
    network.say(WELCOME, first)


def test_a_handler_may_call_the_next_attempt_off(daemon: Daemon) -> None:
    told: Told = []

    def give_up(conn: Connection) -> None:
        told.append(both(conn))
        conn.finish()
        told.append(both(conn))

    daemon.pool.on("disconnect", give_up)
    daemon.lose()
    assert told == [COMES_AGAIN, LOST_FOR_GOOD]
    assert isinstance(daemon.conn.error, ConnectionLost)


def test_another_that_lives_is_not_meant(make_daemon: Callable[..., Daemon]) -> None:
    daemon = make_daemon().start(2)
    first, second = daemon.conns
    daemon.lose(daemon.network.sockets[0])
    assert (both(first), both(second)) == (COMES_AGAIN, ASKED_FOR)


def test_it_says_so_until_the_next_login(daemon: Daemon) -> None:
    lost = daemon.conn
    daemon.lose()
    assert lost.reconnecting
    daemon.come_back()
    assert lost.lost and not lost.reconnecting


def test_a_connection_that_was_never_opened(network: Network) -> None:
    found: list[Connection] = []
    assert not network.pool(reconnect=2).get_connection(found.append)
    assert both(found[0]) == LOST_FOR_GOOD


def test_a_callback_that_a_finished_pool_fails(network: Network) -> None:
    found: list[Connection] = []
    pool = network.pool(maxconnperserv=1)
    pool.get_connection(URL)
    pool.get_connection(URL, found.append)
    pool.finish()
    assert isinstance(found[0].error, ConnectionFinished) and both(found[0]) == ASKED_FOR
