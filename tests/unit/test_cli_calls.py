"""``ami-client calls`` and what ``top`` draws from the model, against the embedded server."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from cli_pbx import Ami, ExpectLog, Pbx

CALL = {"Channel": "PJSIP/alice-00000001", "Uniqueid": "1.1", "Linkedid": "1.1", "CallerIDNum": "101"}
NAMED = {**CALL, "CallerIDName": "Al\x1b[31mice"}
NEW = {"Event": "Newchannel", "Privilege": "call,all", "ChannelState": "4", **NAMED}
OTHER = {
    "Event": "Newchannel",
    "Privilege": "call,all",
    "ChannelState": "5",
    "Channel": "PJSIP/bob-00000002",
    "Uniqueid": "1.2",
    "Linkedid": "1.1",
    "CallerIDNum": "102",
}
HANGUPS = [
    {"Event": "Hangup", "Privilege": "call,all", "Cause": "17", **one} for one in (CALL, {**CALL, "Uniqueid": "1.2"})
]


def happens(pbx: Pbx, *steps: dict[str, str] | Callable[[], object]) -> None:
    """Let this happen once the queues were asked for: events, and what else is to be done."""
    left = list(steps)

    def asked(request: Any) -> Any:
        def go_on() -> None:
            if left:
                step = left.pop(0)
                pbx.server.push(step) if isinstance(step, dict) else step()
                pbx.reactor.call_later(0.02, go_on)

        pbx.reactor.call_later(0.02, go_on)
        return NotImplemented  # it is answered as always

    pbx.do(pbx.server.on, "QueueStatus", asked)


def refuse(request: Any) -> dict[str, str]:
    return {"Response": "Error", "Message": "Permission denied"}


def test_calls_that_go_on(pbx: Pbx, ami: Ami) -> None:
    assert ami("calls").out == "0 calls\n"
    ami("originate", "PJSIP/front-desk", "101@office", "--caller-id", "Door <8>")
    said = ami("calls")
    assert (said.status, said.err) == (0, "")
    assert said.lines[0].split() == ["STATE", "DURATION", "CALLER", "WITH", "QUEUE", "CHANNELS"]
    assert re.fullmatch(r"Up +0:0\d +Door <8> .* 1", said.lines[1])
    assert said.lines[-1] == "1 call"
    (call,) = ami("calls", "--json").objects
    assert call["caller"]["number"] == "8"
    assert (call["state"], call["reason"], call["ended"]) == ("up", "", None)


def test_calls_are_followed(pbx: Pbx, ami: Ami) -> None:
    happens(pbx, NEW, OTHER, *HANGUPS)
    said = ami("calls", "--follow", "--json", "--timeout", "1")
    assert (said.status, said.err) == (0, "")
    assert [one["event"] for one in said.objects] == ["call_new", "call_ringing", "call_ended"]
    assert said.objects[-1]["call"]["reason"] == "busy"
    assert all(list(one) == ["event", "time", "call"] for one in said.objects)


def test_calls_are_followed_by_people(pbx: Pbx, ami: Ami) -> None:
    happens(pbx, NEW, OTHER, *HANGUPS)
    said = ami("calls", "--follow", "--timeout", "1")
    caller = r"Al\\x1b\[31mice <101>"  # nobody's name drives the terminal
    patterns = [
        f"new         1.1 {caller}",
        f"ringing     1.1 {caller} -> 102",
        f"ended       1.1 {caller} -> 102 busy",
    ]
    assert len(said.lines) == len(patterns)
    for line, pattern in zip(said.lines, patterns):
        assert re.fullmatch(rf"\d\d:\d\d:\d\d\.\d\d\d {pattern}", line)


def test_calls_whose_end_nobody_saw_are_lost(pbx: Pbx, ami: Ami, expect_log: ExpectLog) -> None:
    expect_log("connecting again")
    happens(pbx, NEW, OTHER, pbx.server.drop)
    said = ami("calls", "--follow", "--json", "--timeout", "2")
    assert said.status == 0
    assert [one["event"] for one in said.objects] == ["call_new", "call_ringing", "call_ended"]
    assert said.objects[2]["call"]["reason"] == "lost"
    assert re.search("the connection is lost; reconnecting", said.err)
    assert re.search("connected again", said.err)


def test_without_the_right_to_ask_it_is_an_error(pbx: Pbx, ami: Ami, expect_log: ExpectLog) -> None:
    expect_log("missing lists: CoreShowChannels")
    pbx.do(pbx.server.on, "CoreShowChannels", refuse)
    for args in (["calls"], ["calls", "--follow"]):
        said = ami(*args)
        assert (said.status, said.out) == (1, "")
        assert said.err == "ami-client: the user may not ask for the channels (CoreShowChannels): Permission denied\n"
