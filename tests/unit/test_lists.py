"""Every action of Asterisk 16 and 22, as they answered it: no knowledge of the action is needed to read the answer."""

from __future__ import annotations

import json
import re
from typing import Any

from cases import for_each
from engine_client import Client, data, message

from ami_client.packet import Kind, Packet

Shape = dict[str, Any]

ACTIONS: dict[str, list[Shape]] = json.loads(data("actions.json.xz"))
SAMPLE_SIZE = 400  # bytes; longer answers were cut there

SHAPES = [
    (version, action["action"], [action, *action["variants"]])
    for version, actions in ACTIONS.items()
    for action in actions
]


def answer(action: str, shape: Shape, action_id: str) -> bytes:
    """The server's answer: the sample, and what was cut off it made up by its description."""
    sample = re.sub(r"ActionID: [^\r]*", f"ActionID: {action_id}", shape.get("sample", ""))
    if sample and len(shape["sample"]) < SAMPLE_SIZE:
        return sample.encode() + (b"\r\n" if action == "SKINNYlines" else b"")
    if shape["raw_text"] or action == "SKINNYdevices":  # one block of text
        return sample.encode() + b"\r\n\r\n"
    whole = [part + "\r\n\r\n" for part in sample.split("\r\n\r\n")[:-1]]
    return "".join(whole).encode() + made_up(shape, action_id, len(whole))


def made_up(shape: Shape, action_id: str, have: int) -> bytes:
    """What is missing of an answer of which there are so many messages."""
    mine = [f"ActionID: {action_id}"]
    made = b""
    if not have:
        mark = [f"EventList: {shape['list_start_marker']}"] if shape["list_start_marker"] else []
        made += message(f"Response: {shape['response']}", *mine, *mark, f"Message: {shape['message'] or ''}")
        have = 1
    for number in range(have - 1, shape["entry_count"]):
        names = shape["entry_events"]
        made += message(
            f"Event: {names[min(number, len(names) - 1)]}", *(mine if shape["entries_have_actionid"] else [])
        )
    if shape["complete_event"]:
        mark = ["EventList: Complete"] if shape["complete_has_EventList"] else []
        made += message(f"Event: {shape['complete_event']}", *mine, *mark, f"ListItems: {shape['entry_count']}")
    return made


def event_name(packet: Packet) -> str:
    return packet.headers[0][1] if packet.headers[0][0] == "Event" else packet.original("event") or ""


@for_each(("version", "action", "shapes"), SHAPES)
def test_an_answer_is_put_together(version: str, action: str, shapes: list[Shape]) -> None:
    for shape in shapes:
        play(action, shape)


def play(action: str, shape: Shape) -> None:
    """Ask for what a server was seen to answer, let it, and check what comes out."""
    client = Client.logged_in()
    params = {name: value for name, value in shape["params"].items() if ":" not in name}  # one is no header name
    pending, ping = client.send(action, params), client.send("Ping")
    sent = b"".join(client.sent())
    client.feed(answer(action, shape, pending.action_id))
    if shape["raw_text"]:
        assert not client.done  # nothing tells where it ends, but the Ping behind it
        fence = re.search(rb"Action: Ping\r\nActionID: (\S+)", sent)
        assert fence
        client.feed(message("Response: Success", f"ActionID: {fence.group(1).decode()}", "Ping: Pong"))
    (packet,) = client.results(pending)
    assert len(client.done) == 1
    assert isinstance(packet, Packet)
    check(packet, shape)
    assert client.events == []
    client.feed(message("Response: Success", f"ActionID: {ping.action_id}", "Ping: Pong"))
    assert client.only(ping)["ping"] == "pong"
    assert client.lose() == []


def check(packet: Packet, shape: Shape) -> None:
    """Whether an answer is what the server was seen to send."""
    if shape["raw_text"]:
        assert packet.kind is Kind.TEXT
        if shape.get("sample", "").strip():
            assert packet.output[0] == re.split("\r?\n", shape["sample"])[0]
        return
    assert packet.kind is Kind.RESPONSE
    assert packet.original("response") == shape["response"]
    assert (packet.error is not None) == (shape["response"] == "Error")
    assert len(packet.events) == shape["entry_count"]
    assert {event_name(entry) for entry in packet.events} == set(shape["entry_events"])
    complete = packet.complete
    assert (event_name(complete) if complete is not None else None) == shape["complete_event"]


def test_the_data_hold_every_list() -> None:
    lists = {version: sum(one["is_list"] for one in actions) for version, actions in ACTIONS.items()}
    text = {version: sum(one["raw_text"] for one in actions) for version, actions in ACTIONS.items()}
    assert {version: len(actions) for version, actions in ACTIONS.items()} == {"16": 152, "22": 147}
    assert (lists, text) == ({"16": 46, "22": 44}, {"16": 3, "22": 1})
