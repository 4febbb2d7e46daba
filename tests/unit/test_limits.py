"""Bounds on what the server sends: the error, the counter, memory let go, and the loop goes on."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest
from fake_network import Calls, Life, Network, Peer, message
from outage import Daemon
from server_texts import BANNER

from ami_client import Connection
from ami_client.errors import LimitReached, ProtocolError
from ami_client.packet import Packet

MakeDaemon = Callable[..., Daemon]


def test_the_errors_say_which_option_it_was() -> None:
    assert (LimitReached("x").limit, ProtocolError("x").limit) == ("", "")
    assert (LimitReached("x", "max_pending").limit, ProtocolError("x", "max_lines").limit) == (
        "max_pending",
        "max_lines",
    )


# What the server sends


PACKETS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "max_packet": (b"Event: X\r\n" + b"Y: " + b"z" * 2000, {"max_packet": 1024}),
    "max_packet, no end of a line": (b"x" * 2000, {"max_packet": 1024}),
    "max_packet, with an end": (b"Event: X\r\nY: " + b"z" * 2000 + b"\r\n\r\n", {"max_packet": 1024}),
    "max_lines": (b"Event: X\r\n" + b"Y: 1\r\n" * 20 + b"\r\n", {"max_lines": 10}),
}


@pytest.mark.parametrize("kind", PACKETS)
def test_a_packet_that_is_too_long_ends_the_connection(network: Network, kind: str) -> None:
    data, options = PACKETS[kind]
    (name,) = options
    peer, calls = network.log_in(**options), Calls()
    peer.conn.ping(calls)
    network.say(data, peer.sock)
    error = peer.conn.error
    assert type(error) is ProtocolError and error.limit == name and name in str(error)
    assert peer.sock.closed and [packet.error for packet in calls] == [error]
    assert peer.conn.stats.limits == peer.conn.pool.stats.limits == {name: 1}  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", PACKETS)
def test_before_the_login_too(network: Network, kind: str) -> None:
    data, options = PACKETS[kind]
    life = Life(network, **options)
    network.pump()
    network.say(BANNER + data)
    assert type(life.conn.error) is ProtocolError and life.conn.error.limit in options
    assert life.log == ["callback False", "disconnect"]


def test_a_banner_without_an_end_counts_as_a_packet(network: Network) -> None:
    life = Life(network, max_packet=1024)
    network.pump()
    network.say(b"Asterisk" * 1000)
    assert type(life.conn.error) is ProtocolError and life.conn.error.limit == "max_packet"


def test_what_is_no_ami_is_no_limit(network: Network) -> None:
    life = Life(network, authtype="md5")
    network.pump()
    network.say(BANNER + message("Response: Success"))  # no challenge
    assert type(life.conn.error) is ProtocolError and life.conn.error.limit == ""
    assert life.conn.stats.limits == {}


def test_as_many_lines_and_bytes_as_the_limits_are_taken(network: Network) -> None:
    peer, events = network.log_in(max_lines=10, max_packet=1024), Calls()
    peer.conn.on_event(events)
    network.say(b"Event: X\r\n" + b"Y: 1\r\n" * 9 + b"\r\n", peer.sock)
    network.say(b"Event: X\r\nY: " + b"z" * 1000 + b"\r\n\r\n", peer.sock)
    assert len(events) == 2 and peer.conn.connected


def test_after_such_an_end_it_is_opened_again(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(max_packet=1024).start()
    daemon.network.say(b"x" * 2000)
    daemon.come_back()
    assert daemon.conn.connected and daemon.pool.stats.limits == {"max_packet": 1}


# Answers


def begin(peer: Peer, action_id: str) -> None:
    peer.answer(action_id, "Response: Success|EventList: start")


def entries(peer: Peer, action_id: str, count: int, size: int = 10) -> None:
    for _ in range(count):
        peer.answer(action_id, f"Event: Entry|Text: {'x' * size}")


LISTS: dict[str, Callable[[Connection, Any], str]] = {
    "gathered": lambda conn, cb: conn.action("List", cb),
    "composite": lambda conn, cb: conn.core_show_channels(cb),
}


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize(("size", "most"), [(10, 20), (3000, 7)], ids=["many", "long"])
def test_a_list_that_is_too_long_fails_and_the_rest_is_thrown_away(
    network: Network, kind: str, size: int, most: int
) -> None:
    peer, calls, after, events = network.log_in(max_answer=20 * 1024), Calls(), Calls(), Calls()
    peer.conn.on_event(events)
    action_id = LISTS[kind](peer.conn, calls)
    begin(peer, action_id)
    entries(peer, action_id, most - 2, size)
    assert calls == []
    entries(peer, action_id, 3, size)
    (answer,) = calls
    failure = answer[-1] if kind == "composite" else answer
    assert type(failure.error) is LimitReached and failure.error.limit == "max_answer"
    assert failure["response"] == "error" and "max_answer" in failure["message"]
    kept = len(answer) if kind == "composite" else len(failure.events)
    entries(peer, action_id, 50, size)
    peer.answer(action_id, "Event: CoreShowChannelsComplete|EventList: Complete|ListItems: 1000")
    assert (len(answer) if kind == "composite" else len(failure.events)) == kept
    peer.answer(peer.conn.ping(after))
    assert (len(calls), len(after), events) == (1, 1, [])
    assert peer.conn.stats.limits == {"max_answer": 1}
    assert (peer.conn.dropped, peer.conn.stats.pending, peer.conn.stats.suspects) == (0, 0, 0)


def test_raw_text_that_is_too_long(network: Network) -> None:
    peer, calls, after = network.log_in(max_answer=4096), Calls(), Calls()
    peer.sock.take()
    peer.conn.action("IAXnetstats", calls)
    fence = peer.sock.take().decode().rpartition("ActionID: ")[2].strip()
    for _ in range(10):
        network.say(b"some text\r\n\r\n", peer.sock)
    assert [packet.error.limit for packet in calls] == ["max_answer"]
    peer.answer(fence)
    peer.answer(peer.conn.ping(after))
    assert (len(calls), len(after), peer.conn.dropped) == (1, 1, 0)


def test_the_limit_is_for_all_answers_of_a_connection_together(network: Network) -> None:
    peer = network.log_in(max_answer=24 * 1024)
    calls = [Calls() for _ in range(4)]
    ids = [peer.conn.action("List", one) for one in calls]
    for action_id in ids:
        begin(peer, action_id)
        entries(peer, action_id, 5)
    assert calls == [[], [], [], []]  # 24 packets, 1,024 bytes each at least
    entries(peer, ids[1], 1)
    assert [len(one) for one in calls] == [0, 1, 0, 0]
    entries(peer, ids[0], 5)  # what was let go makes room
    assert [len(one) for one in calls] == [0, 1, 0, 0]
    for action_id in ids:
        peer.answer(action_id, "Event: Done|EventList: Complete")
    assert [len(one) for one in calls] == [1, 1, 1, 1]
    assert [type(one[0].error) for one in calls].count(LimitReached) == 1


@pytest.mark.parametrize("end", ["complete", "timeout", "error"])
def test_room_comes_back_however_a_list_ends(network: Network, end: str) -> None:
    peer = network.log_in(max_answer=10 * 1024)
    for _ in range(20):
        calls = Calls()
        action_id = peer.conn.action("List", calls, timeout=5)
        begin(peer, action_id)
        entries(peer, action_id, 8)
        if end == "complete":
            peer.answer(action_id, "Event: Done|EventList: Complete")
        elif end == "error":
            peer.answer(action_id, "Response: Error")
        else:
            network.wait(6)
            entries(peer, action_id, 8)
        assert len(calls) == 1 and not isinstance(calls[0].error, LimitReached)
    assert peer.conn.stats.limits == {}


def test_room_comes_back_after_a_loss(make_daemon: MakeDaemon) -> None:
    daemon, calls = make_daemon(max_answer=10 * 1024).start(), Calls()
    action_id = daemon.conn.action("List", calls, retry=True, timeout=1000)
    for turn in range(5):
        peer = Peer(daemon.network, daemon.conn, daemon.network.sockets[-1])
        begin(peer, action_id)
        entries(peer, action_id, 8)
        if turn < 4:
            daemon.lose()
            daemon.come_back()
    peer.answer(action_id, "Event: Done|EventList: Complete")
    assert [len(packet.events) for packet in calls] == [8] and calls[0].error is None


@pytest.mark.parametrize("kind", LISTS)
def test_what_was_thrown_away_is_let_go(network: Network, kind: str) -> None:
    peer, told = network.log_in(max_answer=8 * 1024), []

    def calls(conn: Connection, answer: Any) -> None:
        told.append(len(answer))

    action_id = LISTS[kind](peer.conn, calls)
    begin(peer, action_id)
    for _ in range(50):
        peer.answer(action_id, "Event: Entry|Keepsake: 1")
    assert len(told) == 1
    gc.collect()
    assert [one for one in gc.get_objects() if isinstance(one, Packet) and "keepsake" in one] == []
