"""The kit for calls: a caller answers as Asterisk does, sessions are recorded and said again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from agi_desk import WAYS, Desk
from cases import for_each

from ami_client.agi import Call, FastAGI
from ami_client.testing import CallRecorder, CallRecording, FakeCaller, ReplayingCaller, SimulatedReactor
from ami_client.testing.caller import split_command


@pytest.fixture
def sim() -> Iterator[SimulatedReactor]:
    with SimulatedReactor() as sim:
        yield sim


@for_each(
    ("text", "words"),
    [
        ("NOOP", ["NOOP"]),
        ('A  "b c"\t"" d"e f"', ["A", "b c", "", "de f"]),
        ('A \\"b\\\\ "c \\" d"', ["A", '"b\\', 'c " d']),
        ("  A ", ["A"]),
        ("a\\ b", ["a b"]),
    ],
)
def test_a_command_is_split_as_the_server_does(text: str, words: list[str]) -> None:
    assert split_command(text) == words


def test_a_caller_keeps_variables_and_a_database(sim: SimulatedReactor) -> None:
    desk = Desk("fast", sim)
    call, caller = desk.take(FakeCaller(variables={"LANG": "de"}))
    call.get_variable("LANG", desk.note)
    call.get_full_variable("in ${LANG}!", desk.note)
    call.database_put("f", "k", "v")
    call.database_get("f", "k", desk.note)
    call.database_deltree("f", desk.note)
    call.database_get("f", "k", desk.note)
    call.channel_status(desk.note)
    sim.settle()
    assert [reply.data for reply in desk.replies] == ["de", "in de!", "v", None, None, None]
    assert [reply.result for reply in desk.replies] == ["1", "1", "1", "0", "0", "6"]
    assert caller.database == {}


def test_replies_can_be_laid_down(sim: SimulatedReactor) -> None:
    desk = Desk("async", sim)
    call, caller = desk.take()
    caller.on("GET DATA", "200 result=42")
    caller.on("EXEC", lambda arguments: f"200 result={len(arguments)}")
    call.get_data("beep", desk.note)
    call.exec("Dial", "PJSIP/100", 30, cb=desk.note)
    assert desk.results() == ["42", "2"]
    assert caller.commands[1] == ["EXEC", "Dial", "PJSIP/100,30"]


def dialplan(call: Call) -> None:
    call.answer()
    call.menu("welcome", {"1": "a", "2": "b"}, lambda call, entry: call.set_variable("CHOICE", str(entry.value)))


@for_each("way", WAYS)
def test_a_recorded_call_can_be_said_again(way: str) -> None:
    with SimulatedReactor() as sim:
        desk = Desk(way, sim)
        recorder = CallRecorder(desk.agi)
        desk.serve(dialplan)
        caller = desk.dial(FakeCaller(digits="2", path="/ivr", number="77"))
        assert caller.variables["CHOICE"] == "b"
        caller.hang_up()
        sim.settle()
        (recording,) = recorder.recordings
    with SimulatedReactor() as sim:
        desk = Desk(way, sim)
        desk.serve(dialplan)
        replaying = ReplayingCaller(recording)
        desk.dial(replaying)
        sim.settle()
        replaying.verify()
        assert replaying.hung_up
        assert [call.env["agi_callerid"] for call in desk.ends] == ["77"]


def test_a_recording_is_a_file(tmp_path: Path) -> None:
    recording = CallRecording({"agi_channel": "PJSIP/1-1"}, [("NOOP", "200 result=0")], "HungUp")
    recording.save(tmp_path / "call.json")
    assert CallRecording.load(tmp_path / "call.json") == recording
    (tmp_path / "other.json").write_text(json.dumps({"environment": {}}))
    with pytest.raises(ValueError, match="not a recording of a call"):
        CallRecording.load(tmp_path / "other.json")


def test_another_command_than_the_recorded_one_fails(sim: SimulatedReactor) -> None:
    agi = FastAGI(None, reactor=sim)
    agi.on("start", lambda call: (call.answer(), call.verbose("other")))
    replies = [("ANSWER", "200 result=0"), ('VERBOSE "x"', "200 result=1"), ("NOOP", "")]
    caller = ReplayingCaller(CallRecording({"agi_channel": "PJSIP/1-1"}, replies))
    caller.dial(agi)
    sim.settle()
    with pytest.raises(AssertionError, match=r"'VERBOSE \"other\"' instead of .*; 'NOOP' did not come"):
        caller.verify()
