"""A server that turns connections away without a word, as Asterisk does above its ``authlimit``; and other hints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_network import URL, Calls, Life, Network
from server_texts import BANNER, WELCOME

from ami_client import Connection, ConnectionFinished, ConnectionLost, Pool
from ami_client.errors import LoginRefused, LoginTimeout

ExpectLog = Callable[[str], None]


class Office:
    """A server that takes ``limit`` sessions that have not logged in, and closes others at once."""

    def __init__(self, network: Network, limit: int) -> None:
        self.network, self.limit = network, limit
        self.accepted = 0
        self.turned_away = 0

    def work(self) -> None:
        """Let those in whom there is room for, close the others, then answer all logins."""
        self.network.pump()
        new = self.network.sockets[self.accepted + self.turned_away :]
        for sock in new[: self.limit]:
            self.accepted += 1
            self.network.say(BANNER, sock)
        for sock in new[self.limit :]:
            self.turned_away += 1
            sock.eof()
        self.network.pump()
        for sock in new[: self.limit]:
            self.network.say(WELCOME, sock)


def call(pool: Pool, count: int, calls: list[Any], **options: Any) -> None:
    for _ in range(count):
        pool.get_connection(URL, lambda conn, packet: calls.append(conn), before_connect=Connection.acquire, **options)


def test_a_burst_above_it_waits_and_is_served(network: Network) -> None:
    pool, office, calls = network.pool(reconnect=2), Office(network, 5), []  # type: ignore[var-annotated]
    call(pool, 32, calls)
    for _ in range(20):
        office.work()
        network.wait(0.5)
    assert [conn.connected for conn in calls] == [True] * 32 and len(set(calls)) == 32
    assert office.turned_away > 0 and pool.stats.connected == 32


def test_who_came_first_is_served_first_and_higher_priorities_before(network: Network) -> None:
    pool, office, told = network.pool(reconnect=2, maxconnperserv=4), Office(network, 1), []
    for number, pri in enumerate([0, 0, 0, 0, 5, 1]):
        pool.get_connection(
            URL, lambda conn, *, number=number: told.append((number, conn.connected)), pri, Connection.acquire
        )
    for _ in range(40):
        office.work()
        for slot in pool._servers[URL]._slots.all():
            slot.driver.release() if len(told) >= 4 else None
        network.wait(1)
    assert sorted(told) == [(number, True) for number in range(6)]
    assert told[0] == (0, True) and told.index((1, True)) < told.index((2, True)) < told.index((3, True))


def test_it_goes_on_as_soon_as_others_have_logged_in(network: Network) -> None:
    pool, office, calls = network.pool(reconnect=50), Office(network, 5), []  # type: ignore[var-annotated]
    call(pool, 32, calls)
    began = network.clock.now
    for _ in range(20):
        office.work()
        network.wait(0.2)
    assert len(calls) == 32 and network.clock.now - began < 5


def test_a_server_that_turns_everybody_away_is_down(network: Network, expect_log: ExpectLog) -> None:
    expect_log("WARNING: .* connecting again")
    pool, office, calls = network.pool(reconnect=2), Office(network, 0), []  # type: ignore[var-annotated]
    call(pool, 3, calls)
    office.work()
    network.wait(3)
    office.work()
    assert [conn.connected for conn in calls] == [False] * 3
    assert all("authlimit" in str(conn.error) for conn in calls)


def test_a_server_that_serves_some_and_never_others_is_not_waited_for_for_ever(network: Network) -> None:
    pool, office, calls = network.pool(reconnect=2, timeout=None), Office(network, 1), []  # type: ignore[var-annotated]
    call(pool, 1, calls)
    office.work()
    office.limit = 0
    call(pool, 3, calls)
    for _ in range(1000):
        office.work()
        network.wait(1)
    assert [conn.connected for conn in calls] == [True, False, False, False]
    assert 3 <= office.turned_away <= 3 * 9


def test_without_reconnect_the_others_are_told_why(network: Network) -> None:
    pool, office, calls = network.pool(), Office(network, 5), []  # type: ignore[var-annotated]
    call(pool, 10, calls)
    office.work()
    assert sum(conn.connected for conn in calls) == 5 and len(calls) == 10
    for conn in calls:
        assert conn.connected or "authlimit" in str(conn.error)


def test_an_end_of_the_pool_tells_those_who_wait(network: Network) -> None:
    pool, office, calls = network.pool(reconnect=50), Office(network, 5), []  # type: ignore[var-annotated]
    call(pool, 32, calls)
    network.pump()
    for sock in network.sockets[:5]:
        network.say(BANNER, sock)
    for sock in network.sockets[5:]:
        sock.eof()
    network.pump()
    assert calls == []
    pool.finish()
    assert [type(conn.error) for conn in calls] == [ConnectionFinished] * 32
    network.wait(200)
    assert len(network.sockets) == 10 and office.accepted == 0


def test_what_else_waits_for_a_connection_that_is_turned_away_is_told(network: Network) -> None:
    pool, office = network.pool(reconnect=2), Office(network, 1)
    calls, connected, pings, gone = Calls(), Calls(), Calls(), Calls()

    def begin(conn: Connection) -> None:
        conn.acquire()
        conn.on_connected(connected)
        conn.ping(pings)
        conn.on("disconnect", gone)

    for _ in range(2):
        pool.get_connection(URL, calls, before_connect=begin)
    office.work()
    network.wait(5)
    office.work()
    assert [packet.error for packet in calls] == [None, None]
    assert sorted(type(packet.error).__name__ for packet in connected) == ["ConnectionLost", "NoneType", "NoneType"]
    assert [type(packet.error) for packet in pings] == [ConnectionLost] and len(gone) == 1


def test_who_waits_gets_a_connection_that_is_given_back_and_none_is_opened_for_it(network: Network) -> None:
    pool = network.pool(reconnect=50, timeout=None)
    first, second = [], []  # type: ignore[var-annotated]
    call(pool, 1, first)
    call(pool, 1, second)
    network.pump()
    for said in (BANNER, WELCOME):
        network.say(said, network.sockets[0])
    network.sockets[1].eof()
    network.pump()
    assert len(first) == 1 and second == []
    first[0].release()
    network.pump()
    assert second == first and len(network.sockets) == 2


def test_who_waits_for_lost_connections_that_come_again_waits_on(network: Network, expect_log: ExpectLog) -> None:
    expect_log("WARNING: .* connecting again")
    pool, office, calls, late = network.pool(reconnect=2, timeout=None), Office(network, 8), [], []  # type: ignore[var-annotated]
    call(pool, 8, calls)
    for _ in range(5):
        office.work()
        network.wait(1)
    assert pool.stats.connected == 8
    for sock in [sock for sock in network.sockets if not sock.closed]:  # the server starts anew
        sock.eof()
    network.pump()
    office.limit = 1
    call(pool, 6, late)
    for _ in range(100):
        office.work()
        network.wait(1)
    assert office.turned_away > 0
    assert [conn.connected for conn in late] == [True] * 6 and pool.stats.connected == 8


# -- hints


def test_a_close_without_a_word_may_be_either(network: Network) -> None:
    life = Life(network)
    network.pump()
    network.sockets[0].eof()
    network.pump()
    assert "use tls:// if this is its TLS port, and check authlimit" in str(life.conn.error)


def test_a_close_behind_the_banner_is_neither(network: Network) -> None:
    life = Life(network)
    network.pump()
    network.say(BANNER)
    network.sockets[0].eof()
    network.pump()
    assert "authlimit" not in str(life.conn.error) and "Asterisk Call Manager" in str(life.conn.error)


@pytest.mark.parametrize("said", [b"Response: Success\nMessage: x\n\n", b"Event: FullyBooted\n\n"])
def test_a_banner_in_crlf_and_packets_in_lf(network: Network, said: bytes) -> None:
    life = Life(network, login_timeout=5)
    network.pump()
    network.say(BANNER + said)
    network.wait(6)
    assert type(life.conn.error) is LoginTimeout
    assert "it ends with CR LF, but the packets end with LF only" in str(life.conn.error)


def test_packets_in_crlf_are_nothing_odd(network: Network) -> None:
    life = Life(network, login_timeout=5)
    network.pump()
    network.say(BANNER + b"Event: FullyBooted\r\nX: a\n\nb\r\n\r\n")
    network.wait(6)
    assert type(life.conn.error) is LoginTimeout and "LF" not in str(life.conn.error)


@pytest.mark.parametrize(
    "answer",
    [
        b"Response: Error\r\nMessage: Invalid/unknown command: Challenge\r\n\r\n",
        b"Response: Error\r\nMessage: Permission denied\r\n\r\n",
        b"Response: Success\r\n\r\n",
    ],
)
def test_a_server_that_knows_no_challenge(network: Network, answer: bytes) -> None:
    life = Life(network, authtype="md5")
    network.pump()
    network.say(BANNER + answer)
    assert "try authtype='plain'" in str(life.conn.error)


def test_a_wrong_secret_and_a_server_that_stops_get_no_such_hint(network: Network) -> None:
    for said in (b"Authentication failed", b"Asterisk is shutting down"):
        life = Life(network, authtype="md5")
        network.pump()
        challenge = b"Response: Success\r\nChallenge: 1\r\n\r\n" if b"failed" in said else b""
        network.say(BANNER + challenge + b"Response: Error\r\nMessage: " + said + b"\r\n\r\n")
        assert type(life.conn.error) is LoginRefused and "plain" not in str(life.conn.error)
