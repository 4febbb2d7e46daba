"""The schemas in the manual describe what is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cases import for_each
from engine_client import data, message, packets_of, read_one
from jsonschema import Draft202012Validator

from ami_client import ActionTimeout, Packet
from ami_client.forward import Refused
from ami_client.forward.asking import Request, encode_failure, encode_replies
from ami_client.forward.envelope import Numbering

SCHEMAS = Path(__file__).parents[2] / "docs" / "forward"


def schema(name: str) -> Draft202012Validator:
    found = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(found)
    return Draft202012Validator(found)


def check(name: str, body: bytes) -> None:
    schema(name).validate(json.loads(body))


def test_events_and_gaps() -> None:
    validator = schema("message")
    numbering = Numbering("pbx1", "19a2-0f")
    packets = packets_of([b"Asterisk Call Manager/11.0.0\r\n", data("events-22.bin.xz")])
    for packet in packets[::20]:
        validator.validate(json.loads(numbering.event(packet, 1.5)))
    assert len(packets) > 5000
    for count, reason in ((None, "start"), (None, "lost"), (None, "back"), (None, "takeover"), (7, "overflow")):
        validator.validate(json.loads(numbering.gap(count, reason, 1.5)))


def test_requests() -> None:
    request = Request("id1", "me", "pbx1", "Originate", [("Channel", "PJSIP/1")], 1.5, 30, [{"event": "x"}], True)
    check("request", request.encode())
    check("request", request._replace(assertions=(), result=False).encode())


def test_answers() -> None:
    response = read_one(message("Response: Success", "Message: x"))
    listed = read_one(message("Response: Success", "EventList: start"))
    listed.events = [read_one(message("Event: Entry"))] * 3000
    listed.complete = read_one(message("Event: Done", "EventList: Complete"))
    text = Packet.of_text(b"one\ntwo", "id1")
    failure = Packet.failure(ActionTimeout("too late"))
    for result in (response, listed, text, failure, [response, listed.complete]):
        for body in encode_replies("id1", result):
            check("reply", body)
    check("reply", encode_failure("id1", Refused("not here")))


GOOD: dict[str, Any] = {"version": 1, "server": "a", "epoch": "b", "seq": 1, "time": 0, "headers": [["Event", "X"]]}


@for_each(
    "change",
    [{"version": 2}, {"gap": {"count": None, "reason": "lost"}}, {"headers": [["x"]]}, {"seq": 0}, {"server": "a.b"}],
)
def test_the_schema_refuses_what_is_wrong(change: Any) -> None:
    assert schema("message").is_valid(GOOD)
    assert not schema("message").is_valid({**GOOD, **change})
