"""Bounds on what we send, and on who waits: the error, the counter, nothing sent or queued, and the loop goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_network import URL, Calls, Life, Network, Peer
from server_texts import BANNER, WELCOME

from ami_client import Connection
from ami_client.errors import AMIError, LimitReached, SilenceTimeout


def raised(call: Callable[[], object]) -> LimitReached:
    with pytest.raises(LimitReached) as caught:
        call()
    assert isinstance(caught.value, AMIError) and caught.value.limit in str(caught.value)
    return caught.value


# The server does not read


def fill(peer: Peer) -> LimitReached:
    """Send until the outgoing buffer takes no more."""
    peer.sock.room = 0

    def endlessly() -> None:
        while True:
            peer.conn.action("Do", None, {"Text": "x" * 900})

    return raised(endlessly)


def test_a_server_that_does_not_read_fills_no_more_than_max_outgoing(network: Network) -> None:
    peer, calls = network.log_in(max_outgoing=10_000), Calls()
    error = fill(peer)
    assert error.limit == "max_outgoing"
    before = peer.conn.stats
    assert 10_000 <= before.buffered < 11_200
    assert raised(lambda: peer.conn.ping(calls)).limit == "max_outgoing"
    after = peer.conn.stats
    assert (after.buffered, after.pending, after.bytes_out) == (before.buffered, 0, before.bytes_out)
    assert after.limits == {"max_outgoing": 2}
    peer.sock.room = None
    network.pump()
    assert peer.conn.stats.buffered == 0
    peer.answer(peer.conn.ping(calls))
    assert len(calls) == 1


def test_meanwhile_it_is_read_from_all_the_same(network: Network) -> None:
    peer, events = network.log_in(max_outgoing=2000), Calls()
    peer.conn.on_event(events)
    fill(peer)
    peer.say("Event: One", "Event: Two")
    assert len(events) == 2


def test_the_keepalive_meets_a_full_buffer_and_finds_the_silence_out(network: Network) -> None:
    peer = network.log_in(max_outgoing=2000, timeout=60)
    fill(peer)
    buffered = peer.conn.stats.buffered
    network.wait(31)
    assert peer.conn.connected and peer.conn.stats.buffered == buffered
    peer.say("Event: One")
    network.wait(59)
    assert peer.conn.connected
    network.wait(2)
    assert type(peer.conn.error) is SilenceTimeout


def test_an_on_result_is_not_kept_for_a_call_that_was_not_sent(network: Network) -> None:
    peer, calls = network.log_in(max_outgoing=2000), Calls()
    fill(peer)
    raised(lambda: peer.conn.originate({"Channel": "SIP/1"}, calls, on_result=calls))
    assert peer.conn.stats.pending == 0
    peer.conn.finish()
    assert calls == []


# Actions


def test_actions_in_flight(network: Network) -> None:
    peer, calls = network.log_in(max_pending=3), Calls()
    peer.sock.take()
    ids = [peer.conn.ping(calls) for _ in range(3)]
    peer.sock.take()
    assert raised(lambda: peer.conn.ping(calls)).limit == "max_pending"
    assert raised(lambda: peer.conn.originate({"Channel": "SIP/1"}, calls, on_result=calls)).limit == "max_pending"
    assert peer.sock.take() == b"" and peer.conn.stats.pending == 3
    assert peer.conn.stats.limits == {"max_pending": 2}
    peer.answer(ids[0])
    peer.conn.ping(calls)
    peer.conn.finish()
    assert len(calls) == 4


def test_what_nobody_waits_for_is_not_in_flight(network: Network) -> None:
    peer = network.log_in(max_pending=1)
    peer.conn.ping(Calls())
    for _ in range(10):
        peer.conn.ping(None)
    assert peer.conn.stats.limits == {}


def test_the_keepalive_of_a_connection_with_all_in_flight(network: Network) -> None:
    peer = network.log_in(max_pending=1, timeout=60)
    peer.conn.ping(Calls(), timeout=1e6)
    peer.sock.take()
    network.wait(31)
    assert b"Action: Ping" in peer.sock.take()  # no bound holds it back: a live link is not given up unasked
    peer.say("Event: Life")
    network.wait(31)
    assert peer.conn.connected
    network.wait(60)
    assert type(peer.conn.error) is SilenceTimeout


@pytest.mark.parametrize("with_callback", [True, False])
def test_actions_that_wait_for_the_login(network: Network, with_callback: bool) -> None:
    calls = Calls()
    cb = calls if with_callback else None
    life = Life(network, max_waiting=2)
    for _ in range(2):
        life.conn.ping(cb)
    assert raised(lambda: life.conn.ping(cb)).limit == "max_waiting"
    assert life.conn.stats.pending == (2 if with_callback else 0)
    assert life.conn.stats.limits == {"max_waiting": 1}
    network.pump()
    network.say(BANNER + WELCOME)
    assert network.sockets[0].take().count(b"Action: Ping") == 2
    life.conn.ping(cb)  # nothing waits any more
    life.conn.finish()
    assert len(calls) == (3 if with_callback else 0)


def test_none_may_wait(network: Network) -> None:
    life = Life(network, max_waiting=0)
    raised(lambda: life.conn.ping(Calls()))
    network.answer_login()
    life.conn.ping(Calls())


def test_callbacks_that_wait_in_the_pool(network: Network) -> None:
    pool, waiting, refused = network.pool(maxconnperserv=1, max_callbacks=3), Calls(), Calls()
    pool.get_connection(URL, before_connect=lambda conn: conn.acquire())
    for _ in range(3):
        assert pool.get_connection(URL, waiting)
    error = raised(lambda: pool.get_connection(URL, refused, before_connect=refused))
    assert error.limit == "max_callbacks"
    assert (pool.stats.waiting, pool.stats.limits) == (3, {"max_callbacks": 1})
    pool.get_connection("192.0.2.2", waiting)  # it is for each URL
    pool.finish()
    assert (len(waiting), len(refused)) == (4, 0) and pool.stats.waiting == 0


def test_each_may_stand_in_the_url(network: Network) -> None:
    found: list[Connection] = []
    names = ("max_packet", "max_lines", "max_answer", "max_outgoing", "max_pending", "max_waiting", "max_callbacks")
    network.pool().get_connection(URL + "".join(f"#{name}=2000" for name in names), before_connect=found.append)
    assert [getattr(found[0].options, name) for name in names] == [2000] * len(names)


@pytest.mark.parametrize("call", ["action", "pool"])
def test_inside_a_callback_it_is_an_error_of_the_callbacks(
    network: Network, call: str, expect_log: Callable[[str], None]
) -> None:
    expect_log("ERROR: callback .* raised")
    peer, after = network.log_in(max_pending=2, max_callbacks=1, maxconnperserv=1), Calls()
    peer.conn.acquire()

    def greedy(conn: Connection, packet: Any) -> None:
        for _ in range(5):
            if call == "action":
                conn.ping(Calls())
            else:
                conn.pool.get_connection(URL, Calls())  # type: ignore[union-attr]

    first, second = peer.conn.ping(greedy), peer.conn.ping(after)
    peer.answer(first)
    peer.answer(second)
    assert len(after) == 1 and peer.conn.connected
