"""The messages of the forwarder: what they hold, in which form, and that nothing is lost on the way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cases import for_each
from engine_client import message, read_one
from hypothesis import given
from hypothesis import strategies as st

from ami_client import Packet
from ami_client.forward import Gap
from ami_client.forward.envelope import Numbering, check_name, decode, packet_of, route_of, time_of
from ami_client.forward.reading import Reading

HANGUP = message("Event: Hangup", "Privilege: call,all", "Channel: PJSIP/100-0000002A", "Cause: 16")


def envelope_of(packet: Packet, **options: Any) -> Any:
    return decode(Numbering("pbx1", "e1").event(packet, 12.5))


def test_an_event_as_it_travels() -> None:
    body = Numbering("pbx1", "e1").event(read_one(HANGUP), 12.5)
    assert json.loads(body) == {
        "version": 1,
        "server": "pbx1",
        "epoch": "e1",
        "seq": 1,
        "time": 12.5,
        "headers": [
            ["Event", "Hangup"],
            ["Privilege", "call,all"],
            ["Channel", "PJSIP/100-0000002A"],
            ["Cause", "16"],
        ],
    }
    assert time_of(body) == 12.5


def test_a_gap_as_it_travels() -> None:
    numbering = Numbering("pbx1", "e1")
    numbering.event(read_one(HANGUP), 1)
    body = numbering.gap(7, "overflow", 2)
    assert json.loads(body) == {
        "version": 1,
        "server": "pbx1",
        "epoch": "e1",
        "seq": 2,
        "time": 2,
        "gap": {"count": 7, "reason": "overflow"},
    }
    assert decode(body).gap == Gap(7, "overflow", "pbx1")


@for_each(
    "text",
    [
        HANGUP,
        message(
            "Event: UserEvent", "UserEvent: x", "Key: a", "Key: b", "Empty:", "NoColon", "Glued:value", "Blank:  x "
        ),
        message("Event: VarSet", "Value: two\nlines", 'Other: \\r\\n " \x01 é \udcff'),
    ],
)
def test_the_packet_that_arrives_is_the_one_that_was_sent(text: bytes) -> None:
    sent = read_one(text)
    arrived = packet_of(envelope_of(sent), fold_case=True)
    assert (list(arrived.items()), arrived.headers, arrived.kind) == (list(sent.items()), sent.headers, sent.kind)
    assert arrived.event_name == sent.event_name
    assert [arrived.getall(name) for name in sent] == [sent.getall(name) for name in sent]
    assert packet_of(envelope_of(sent), fold_case=False)["event"] == sent.original("event")


def test_packets_of_a_server_that_ends_its_lines_with_a_line_feed_alone() -> None:
    sent = Packet.parse(b"Event: Hangup\nCause: 16", eol=b"\n")
    assert envelope_of(sent).headers == [("Event", "Hangup"), ("Cause", "16")]


@given(st.lists(st.tuples(st.from_regex(r"[A-Za-z-]{1,9}", fullmatch=True), st.binary(max_size=9)), max_size=5))
def test_any_values_arrive(pairs: list[tuple[str, bytes]]) -> None:
    lines = [b"Event: x", *(name.encode() + b": " + value.replace(b"\r", b"") for name, value in pairs)]
    sent = Packet.parse(b"\r\n".join(lines))
    body = Numbering("pbx1", "e1").event(sent, 1)
    body.decode()  # it is UTF-8
    arrived = packet_of(decode(body), fold_case=True)
    assert arrived.headers == sent.headers
    assert list(arrived.items()) == list(sent.items())


def test_an_arrived_packet_knows_its_key() -> None:
    packet = packet_of(envelope_of(read_one(HANGUP)), fold_case=True)
    assert (packet.server, packet.key) == ("pbx1", ("pbx1", "e1", 1))


GOOD = {"version": 1, "server": "a", "epoch": "b", "seq": 1, "time": 0, "headers": []}


@for_each(
    ("change", "complaint"),
    [
        ({"version": 2}, "version 2"),
        ({"server": 1}, "server"),
        ({"seq": 0}, "seq"),
        ({"seq": True}, "seq"),
        ({"time": "x"}, "time"),
        ({"headers": None}, "headers"),
        ({"headers": [["a"]]}, "pair"),
        ({"headers": [["a", 1]]}, "pair"),
        ({"gap": 1}, "gap"),
        ({"gap": {"count": -1, "reason": "lost"}}, "count"),
    ],
)
def test_what_is_no_message_of_ours_is_refused(change: Any, complaint: str) -> None:
    decode(json.dumps(GOOD).encode())
    with pytest.raises(ValueError, match=complaint):
        decode(json.dumps({**GOOD, **change}).encode())


@for_each("body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        decode(body)


@for_each(
    ("headers", "route"),
    [
        (["Event: Hangup", "Privilege: call,all", "Channel: PJSIP/1-1"], "call.hangup.-.pjsip"),
        (
            ["Event: QueueCallerJoin", "Privilege: agent,all", "Queue: Help.Line #1"],
            "agent.queuecallerjoin.help_line_1.-",
        ),
        (["Event: X"], "-.x.-.-"),
        (["Event: X", "Channel: none"], "-.x.-.-"),
    ],
)
def test_the_route_of_an_event(headers: list[str], route: str) -> None:
    assert route_of(read_one(message(*headers))) == route


@for_each("name", ["", "a.b", "a b", "#", None, "x" * 65])
def test_a_name_is_one_word(name: Any) -> None:
    assert check_name("pbx-1_a", "server") == "pbx-1_a"
    with pytest.raises(ValueError, match="server must have 1 to 64"):
        check_name(name, "server")


def told(*keys: str) -> list[Any]:
    """What a reading makes of messages of these keys, ``epoch seq``: a gap's count, "repeat" or "new"."""
    reading = Reading()
    results: list[Any] = []
    for key in keys:
        epoch, seq = key.split()
        gaps = reading.take(decode(json.dumps({**GOOD, "epoch": epoch, "seq": int(seq)}).encode()))
        results.append("repeat" if gaps is None else gaps[0].count if gaps else "new")
    return results


@for_each(
    ("keys", "expected"),
    [
        (["a 1", "a 2", "a 3"], ["new", "new", "new"]),
        (["a 1", "a 1", "a 2", "a 1"], ["new", "repeat", "new", "repeat"]),
        (["a 1", "a 4"], ["new", 2]),
        (["a 7", "a 8"], ["new", "new"]),  # somebody who came later
        (["a 1", "b 1", "a 1", "b 2"], ["new", "new", "repeat", "new"]),
        (["a 1", "b 3"], ["new", 2]),  # the beginning of b is lost
    ],
)
def test_repeats_are_known_and_gaps_are_seen(keys: list[str], expected: list[Any]) -> None:
    assert told(*keys) == expected


def test_a_reading_forgets_old_epochs() -> None:
    assert told("e0 5", *(f"e{n} 1" for n in range(1, 16)), "e0 5")[-1] == "repeat"
    assert told("e0 5", *(f"e{n} 1" for n in range(1, 17)), "e0 5")[-1] == 4
