"""What a gateway allows, and actions and answers as messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cases import for_each
from engine_client import Client, complete, event, message, read_one, response, start

from ami_client import ActionFailed, ActionTimeout, Packet
from ami_client.forward import Refused
from ami_client.forward.allow import AllowList
from ami_client.forward.asking import (
    PART,
    Request,
    decode_reply,
    decode_request,
    encode_failure,
    encode_replies,
    error_of,
    params_of,
    result_of,
)

RULES = {
    "Originate": {"Channel": "PJSIP/*", "Context": ["office", "shop*"], "Application": None},
    "queue*": {},
}


@for_each(
    ("action", "params", "reason"),
    [
        ("QueuePause", [("Interface", "x")], None),
        (" qUEUEadd\t", [], None),
        ("Originate", [("Channel", "pjsip/1"), ("context", "Shop2"), ("Variable", "a=b")], None),
        ("Originate", [("Channel", "Local/1"), ("Context", "office")], "with this channel"),
        ("Originate", [("Context", "office")], "without channel"),
        ("Originate", [("Channel", "PJSIP/1"), ("CHANNEL ", "Local/1"), ("Context", "office")], "with this channel"),
        ("Originate", [("Channel", "PJSIP/1"), ("Context", "else")], "with this context"),
        ("Originate", [("Channel", "PJSIP/1"), ("Context", "office"), (" Application", "x")], "this application"),
        ("Reload", [], "'reload' is not allowed"),
        ("Queue\x00Pause", [], None),  # an action that cannot be sent is refused where it is sent
        ("QueuePause", [("ActionID", "1")], "not parameters"),
        ("QueuePause", [("action", "Reload")], "not parameters"),
    ],
)
def test_what_is_allowed(action: str, params: Any, reason: Any) -> None:
    refusal = AllowList(RULES).refusal(action, params)
    assert refusal is None if reason is None else refusal is not None and reason in refusal


def test_a_list_of_names_is_enough() -> None:
    allowed = AllowList(["Ping"])
    assert allowed.refusal("ping", [("anything", "goes")]) is None
    assert allowed.refusal("pingpong", []) is not None
    assert AllowList([]).refusal("ping", []) is not None


@for_each("allow", ["Ping", [1], {"Ping": "x"}, {"Ping": {1: "x"}}, {"Ping": {"x": [2]}}])
def test_what_is_no_list_is_refused(allow: Any) -> None:
    with pytest.raises(TypeError):
        AllowList(allow)


REQUEST = Request("id1", "me", "pbx1", "QueuePause", [("Paused", "true")], 1.5, 30.0, [{"event": "x"}])


def test_a_request_as_it_travels() -> None:
    assert decode_request(REQUEST.encode()) == REQUEST
    plain = REQUEST._replace(assertions=[])
    assert "assertions" not in json.loads(plain.encode()) and "result" not in json.loads(plain.encode())
    assert decode_request(plain.encode()) == plain


def test_params_are_expanded_by_the_one_who_asks() -> None:
    params = {"Variable": {"a": 'x,"y"'}, "Codecs": ["a", "b"], "Async": True, "Nothing": None, " Blank ": " x "}
    assert params_of("Originate", params) == [
        ("Variable", 'a=x\\,\\"y\\"'),
        ("Codecs", "a"),
        ("Codecs", "b"),
        ("Async", "true"),
        ("Blank", "x"),
    ]
    with pytest.raises(ValueError):
        params_of("Ping", {"a": "b\r\nAction: Reload"})


@for_each(
    "change",
    [
        {"version": 2},
        {"id": ""},
        {"id": 1},
        {"action": None},
        {"reply_to": "a.b"},
        {"server": "#"},
        {"time": "now"},
        {"timeout": -1},
        {"params": {}},
        {"assertions": [1]},
        {"result": True},  # of an action that has none: the allow-list would look at the wrong one
    ],
)
def test_what_is_no_request_is_refused(change: Any) -> None:
    with pytest.raises(ValueError):
        decode_request(json.dumps({**json.loads(REQUEST.encode()), **change}).encode())


def travelled(result: Any) -> Any:
    """An answer, sent and put together again."""
    return result_of([decode_reply(body) for body in encode_replies("id1", result)])


def same(one: Packet, other: Packet) -> bool:
    return (one.headers, one.output, str(one.error)) == (other.headers, other.output, str(other.error))


def test_answers_come_whole() -> None:
    client = Client.logged_in(fold_case=False)
    answers: dict[str, Any] = {
        "Ping": lambda pending: response(pending, "Ping: Pong"),
        "Bad": lambda pending: response(pending, "Message: No such thing", status="Error"),
        "Command": lambda pending: response(pending, "Output:  one", "Output: two"),
    }
    for name, answer in answers.items():
        pending = client.send(name)
        client.feed(answer(pending))
        sent = client.only(pending)
        assert same(travelled(sent), sent)
    assert isinstance(travelled(sent), Packet)


def test_a_long_list_comes_in_parts() -> None:
    client = Client.logged_in(fold_case=False)
    pending = client.send("QueueStatus")
    entries = [event("QueueMember", pending, f"Name: {number}", "Fill: " + "x" * 100) for number in range(5000)]
    client.feed(start(pending) + b"".join(entries) + complete("Done", pending))
    sent = client.only(pending)
    bodies = list(encode_replies("id1", sent))
    assert len(bodies) > 5 and max(map(len, bodies)) < 2 * PART
    assert [json.loads(body)["last"] for body in bodies] == [False] * (len(bodies) - 1) + [True]
    arrived = result_of([decode_reply(body) for body in bodies])
    assert isinstance(arrived, Packet) and arrived.complete is not None
    assert same(arrived, sent) and same(arrived.complete, sent.complete)
    assert all(map(same, arrived.events, sent.events)) and len(arrived.events) == 5000


def test_a_list_of_packets_comes_as_such() -> None:
    packets = [read_one(message("Response: Success")), read_one(message("Event: PeerlistComplete"))]
    arrived = travelled(packets)
    assert isinstance(arrived, list) and all(map(same, arrived, packets))


def test_raw_text_comes_as_text() -> None:
    sent = Packet.of_text(b"one\n\n  two", "id1")
    assert travelled(sent).output == sent.output == ["one", "", "  two"]


def test_errors_keep_their_class() -> None:
    failure = Packet.failure(ActionTimeout("no answer within 3 s"))
    assert isinstance(travelled(failure).error, ActionTimeout)
    reply = decode_reply(encode_failure("id1", Refused("not here")))
    answer = result_of([reply])
    assert isinstance(answer, Packet) and isinstance(answer.error, Refused)
    assert isinstance(error_of(("ActionFailed", "x")), ActionFailed)
    assert str(error_of(("SystemExit", "x"))) == "SystemExit: x"
    assert error_of(None) is None


@for_each("body", [b"{}", b'{"version":1,"id":"x"}', b'{"version":1,"id":"x","part":1,"last":true,"packets":[1]}'])
def test_what_is_no_answer_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        decode_reply(body)
