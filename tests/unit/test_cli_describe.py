"""``ami-client describe``: the catalogue's facts, and the server's words below them."""

from __future__ import annotations

from typing import Any

from cli_pbx import Ami, Pbx

WORDS = ["[Synopsis]", "Some words.", "", "\x1b[2J"]


def tell(pbx: Pbx, **words: list[str]) -> None:
    """Have the server answer ``manager show KIND NAME`` with these lines; NAME as ``KIND_NAME``."""
    known = {f"manager show {key.replace('_', ' ')}": lines for key, lines in words.items()}

    def answer(request: Any) -> dict[str, object]:
        return {"Response": "Success", "Output": known.get(request.get("Command"), "Could not find it")}

    pbx.do(pbx.server.on, "Command", answer)


def test_facts_need_no_server(ami: Ami) -> None:
    said = ami("describe", "queueadd")
    assert (said.status, said.err) == (0, "")
    assert said.lines[:2] == ["action QueueAdd", "Asterisk 16 and 22; since 1.0.0; module app_queue; class agent."]
    rows = {line.split()[0]: line.split()[1:] for line in said.lines[3:] if line}
    assert rows["Queue"] == ["text", "required"]
    assert rows["Penalty"] == ["number", "-"]
    assert rows["Reason"] == ["text", "Asterisk", "22", "only"]


def test_an_action_and_an_event_of_one_name_are_both_shown(ami: Ami) -> None:
    lines = ami("describe", "Hangup").lines
    assert {"action Hangup", "event Hangup"} <= set(lines)


def test_remarks_tell_what_is_special(ami: Ami) -> None:
    assert "may be repeated" in ami("describe", "Originate").out
    assert "numbered; NewCat, RenameCat" in ami("describe", "UpdateConfig").out
    assert "undocumented" in ami("describe", "QueueParams").out
    assert "Asterisk 16 and 22; undocumented; module app_queue." in ami("describe", "QueueMember").lines
    assert "load, unload, reload" in ami("describe", "ModuleLoad").out


def test_a_name_that_is_nowhere_is_told_with_the_nearest(ami: Ami) -> None:
    said = ami("describe", "Hangupp")
    assert (said.status, said.out) == (1, "")
    assert said.err == "ami-client: no action and no event is called 'Hangupp'; did you mean Hangup?\n"


def test_a_server_is_asked_for_its_own_words(pbx: Pbx, ami: Ami) -> None:
    tell(pbx, command_Hangup=WORDS, event_Hangup=["[Synopsis]", "Other words."])
    said = ami("describe", "hangup")
    assert said.status == 0
    below = said.lines[said.lines.index("The server on the action Hangup:") :]
    assert below[1:5] == ["[Synopsis]", "Some words.", "", "\\x1b[2J"]
    assert below[5:] == ["The server on the event Hangup:", "[Synopsis]", "Other words."]


def test_a_server_that_does_not_know_it_adds_nothing(pbx: Pbx, ami: Ami) -> None:
    tell(pbx)
    said = ami("describe", "QueueAdd")
    assert said.status == 0
    assert said.out == ami("describe", "QueueAdd", "-s", "").out
    pbx.do(pbx.server.off, "Command")  # the embedded server has no such command
    assert ami("describe", "QueueAdd").out == said.out


def test_facts_are_shown_even_if_the_server_is_out_of_reach(ami: Ami) -> None:
    said = ami("describe", "QueueAdd", "tcp://joe:secret@127.0.0.1:1")
    assert said.status == 3
    assert said.lines[0] == "action QueueAdd"
    assert "cannot connect" in said.err


def test_facts_for_programs(pbx: Pbx, ami: Ami) -> None:
    tell(pbx, event_Hangup=WORDS)
    action, event = ami("describe", "Hangup", "--json").objects
    assert (action["Type"], action["Name"], action["Privilege"]) == ("action", "Hangup", ["system", "call"])
    assert "Output" not in action
    assert event["Output"] == WORDS
    assert event["Asterisk"] == ["16", "22"] and event["Modules"] == ["builtin"] and event["Since"] == ["12.0.0"]
    assert {"Name": "TechCause", "Kind": "number", "Asterisk": ["22"]} in event["Headers"]
    assert {"Name": "Channel", "Kind": "text", "Required": True} in action["Headers"]
    (update,) = ami("describe", "UpdateConfig", "--json").objects
    values = next(header for header in update["Headers"] if header["Name"] == "Action-000000")
    assert values["Numbered"] is True and "NewCat" in values["Values"]
