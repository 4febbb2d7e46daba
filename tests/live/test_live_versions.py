"""What the page about versions says of Asterisk 16 and 22, asked of both."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from driver import Client
from servers import AsteriskServer

PAGE = (Path(__file__).parents[2] / "docs" / "versions.rst").read_text(encoding="utf-8")

GONE = (
    *("SIPpeers", "SIPshowpeer", "SIPpeerstatus", "SIPqualifypeer", "SIPshowregistry", "SIPnotify"),
    *("Monitor", "StopMonitor", "ChangeMonitor", "PauseMonitor", "UnpauseMonitor"),
)
COME = (
    *("CoreShowChannelMap", "SendFlash", "PJSIPHangup", "PJSIPSetMaintenance", "PJSIPShowMaintenance"),
    *("VoicemailBoxSummary", "VoicemailMove", "VoicemailRemove", "VoicemailForward"),
)
IN_BOTH = (
    *("PJSIPShowAors", "PJSIPShowAuths", "PJSIPShowContacts", "PJSIPShowEndpoints", "PJSIPQualify"),
    *("VoicemailUserStatus", "QueueWithdrawCaller", "MixMonitor", "StopMixMonitor", "MixMonitorMute"),
)


@pytest.mark.parametrize("name", [*GONE, *COME, *IN_BOTH])
def test_the_page_names_it(name: str) -> None:
    assert f"``{name}``" in PAGE


def test_actions_that_went_and_came(client: Client, asterisk: AsteriskServer) -> None:
    known = client.action("ListCommands")
    there = {name for name in (*GONE, *COME, *IN_BOTH) if name.lower() in known}
    assert there == {*IN_BOTH, *(GONE if asterisk.version == "16" else COME)}


def test_an_action_that_went_is_unknown(asterisk22: AsteriskServer) -> None:
    with Client(asterisk22) as client:
        message = client.action("SIPpeers").original("Message")
        assert re.match("Invalid/unknown command: SIPpeers", message or "")


def test_how_the_output_of_a_command_comes(client: Client) -> None:
    answer = client.action("Command", {"Command": "core show uptime"})
    assert answer["response"] == "success" and answer.getall("output")
    failed = client.action("Command", {"Command": "no such command"})
    assert failed.error is not None


def test_a_pause_has_its_reason_under_one_name_or_two(client: Client, asterisk: AsteriskServer) -> None:
    member = {"Queue": "empty", "Interface": "Local/100@default"}
    assert client.action("QueueAdd", member).error is None
    assert client.action("QueuePause", {**member, "Paused": True, "Reason": "lunch"}).error is None
    event = client.until_event("QueueMemberPause")
    names = {name: event.get(name) for name in ("pausedreason", "reason")}
    assert names == {"pausedreason": "lunch", "reason": "lunch" if asterisk.version == "16" else None}
    assert {"membername", "interface"} <= set(event)
    entry = client.action("QueueStatus", {"Queue": "empty", "Member": "Local/100@default"}).events[1]
    assert {"name", "location"} <= set(entry)
    assert client.action("QueueRemove", member).error is None


def test_a_call_that_was_refused_has_the_status_of_sip(client: Client, asterisk: AsteriskServer) -> None:
    client.originate("PJSIP/nosuch@loop", Application="Wait", Data="1")
    event = client.until_event("Hangup", Context="default")
    assert event.number("techcause") == (404 if asterisk.version == "22" else None)
    assert event["linkedid"] == event["uniqueid"]


def test_a_call_that_nobody_answers(client: Client, asterisk: AsteriskServer) -> None:
    _, result = client.originate("PJSIP/alice", Application="Wait", Data="1", Timeout=500)
    assert result["reason"] == "3"
    assert client.until_event("Hangup")["cause"] == ("19" if asterisk.version == "22" else "0")
