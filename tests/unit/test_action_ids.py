"""ActionIDs of callers' own beside those that connections make."""

from __future__ import annotations

import pytest
from fake_network import URL, Calls, Network, Peer, message
from server_texts import BANNER, WELCOME

from ami_client import Connection
from ami_client._engine.action_ids import RandomIDs


def test_an_id_that_is_in_flight_is_refused_also_if_the_connection_made_it(peer: Peer) -> None:
    first, second = Calls(), Calls()
    made = peer.conn.ping(first)
    with pytest.raises(ValueError, match="already in flight"):
        peer.conn.action("Getvar", second, {"ActionID": made})
    peer.answer(made)
    assert (len(first), len(second)) == (1, 0)


def test_no_id_tells_the_next_one(peer: Peer) -> None:
    ids = [peer.conn.ping(None) for _ in range(1000)]
    starts, random_parts = zip(*(one.split("-") for one in ids))
    assert len(set(ids)) == 1000 and len(set(starts)) == 1
    assert {len(part) for part in random_parts} == {16}
    # Of 1,000 random numbers in order of making, half are greater than the one before; of numbers that count, all.
    greater = sum(int(one, 16) < int(other, 16) for one, other in zip(random_parts, random_parts[1:]))
    assert 400 < greater < 600


def test_ids_are_made_of_the_random_bytes_alone() -> None:
    ids = RandomIDs(lambda count: bytes(number % 256 for number in range(count)))
    assert ids.mark == b"4328719365"
    assert [ids.new(), ids.new()] == ["4328719365-0001020304050607", "4328719365-08090a0b0c0d0e0f"]


def test_an_interrupt_while_an_id_is_made_is_not_the_end_of_ids() -> None:
    plans: list[object] = []

    def random_bytes(count: int) -> bytes:
        if plans:
            plans.clear()
            raise KeyboardInterrupt
        return bytes(count)

    ids = RandomIDs(random_bytes)
    plans.append("interrupt")
    with pytest.raises(KeyboardInterrupt):
        ids.new()
    assert ids.new() == "0-0000000000000000"


def test_the_ids_of_two_connections_have_nothing_in_common(network: Network) -> None:
    one, other = (network.log_in().conn.ping(None) for _ in range(2))
    assert one.split("-")[0] != other.split("-")[0]


@pytest.mark.parametrize("whole", [True, False])
def test_an_answer_that_comes_along_with_the_login(network: Network, whole: bool) -> None:
    # As when a recording is played: nobody waits for what a client says.
    answers = Calls()

    def begin(conn: Connection) -> None:
        conn.bind("event_hangup", Calls())
        conn.action("QueueStatus", answers, {"ActionID": "own"})

    pool = network.pool()
    pool.get_connection(URL, Calls(), before_connect=begin)
    network.pump()
    parts = [BANNER, WELCOME, message("Response: Success|ActionID: own|EventList: start")]
    parts += [message(f"Event: QueueMember|ActionID: own|Number: {number}") for number in range(3)]
    parts += [message("Event: QueueStatusComplete|ActionID: own|EventList: Complete")]
    for data in [b"".join(parts)] if whole else parts:
        network.say(data, network.sockets[-1])
    assert [[entry["number"] for entry in packet.events] for packet in answers] == [["0", "1", "2"]]
