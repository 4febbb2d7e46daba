"""ActionIDs of callers' own beside those that connections make."""

from __future__ import annotations

import pytest
from wire import BANNER, URL, WELCOME, Calls, Peer, Wire, message

from ami_client import Connection


def test_an_id_that_is_in_flight_is_refused_also_if_the_connection_made_it(peer: Peer) -> None:
    first, second = Calls(), Calls()
    made = peer.conn.ping(first)
    with pytest.raises(ValueError, match="already in flight"):
        peer.conn.action("Getvar", second, {"ActionID": made})
    peer.answer(made)
    assert (len(first), len(second)) == (1, 0)


def test_an_id_that_the_connection_would_make_later(peer: Peer) -> None:
    pings, own = [Calls() for _ in range(20)], Calls()
    number = int(peer.conn.ping(pings[0]).rpartition("-")[2])
    prefix = peer.conn.ping(pings[1]).rpartition("-")[0]
    later = peer.conn.action("Getvar", own, {"ActionID": f"{prefix}-{number + 7}"})
    refused = 0
    for calls in pings[2:]:
        try:
            peer.answer(peer.conn.ping(calls))
        except ValueError:
            refused += 1
    peer.answer(later)
    assert (refused, len(own), sum(map(len, pings[2:]))) == (1, 1, 17)


@pytest.mark.parametrize("whole", [True, False])
def test_an_answer_that_comes_along_with_the_login(wire: Wire, whole: bool) -> None:
    # As when a recording is played: nobody waits for what a client says.
    answers = Calls()

    def begin(conn: Connection) -> None:
        conn.bind("event_hangup", Calls())
        conn.action("QueueStatus", answers, {"ActionID": "own"})

    pool = wire.pool()
    pool.get_connection(URL, Calls(), before_connect=begin)
    wire.pump()
    parts = [BANNER, WELCOME, message("Response: Success|ActionID: own|EventList: start")]
    parts += [message(f"Event: QueueMember|ActionID: own|Number: {number}") for number in range(3)]
    parts += [message("Event: QueueStatusComplete|ActionID: own|EventList: Complete")]
    for data in [b"".join(parts)] if whole else parts:
        wire.say(data, wire.sockets[-1])
    assert [[entry["number"] for entry in packet.events] for packet in answers] == [["0", "1", "2"]]
