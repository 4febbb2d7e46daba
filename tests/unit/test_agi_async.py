"""AsyncAGI: what only it has to cope with. Replies that the server cuts, links that come and go, other clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable, Optional
from urllib.parse import quote

import pytest
from cases import for_each

from ami_client import ActionFailed, ConnectionLost, Pool, ProtocolError
from ami_client.agi import AsyncAGI, Call, HungUp, Reply
from ami_client.testing import FakeAsterisk, FakeCaller, SimulatedReactor
from ami_client.testing.requests import Request

ExpectLog = Callable[[str], None]


@pytest.fixture
def sim() -> Iterator[SimulatedReactor]:
    with SimulatedReactor() as sim:
        yield sim


class Switch:
    """A server whose AGI commands the test answers itself, event by event."""

    def __init__(self, sim: SimulatedReactor, **options: object) -> None:
        self.sim = sim
        self.pbx = FakeAsterisk(sim, host="pbx.example.com", port=5038)
        self.pbx.start()
        self.pool = Pool(reactor=sim, **options)
        self.agi = AsyncAGI(self.pool)
        self.calls: list[Call] = []
        self.ends: list[Call] = []
        self.replies: list[Reply] = []
        self.agi.on("start", self.calls.append)
        self.agi.on("end", self.ends.append)
        self.connect()

    def connect(self) -> None:
        before = self.pool.stats.connected
        self.pool.get_connection(self.pbx.url, lambda conn: conn.acquire())
        self.sim.run_until(lambda: self.pool.stats.connected > before)

    def start(self, caller: Optional[FakeCaller] = None) -> Call:
        self.caller = self.pbx.start_agi(caller or FakeCaller())
        self.sim.settle()
        return self.calls[-1]

    def by_hand(self) -> None:
        """From now on no command is answered but by :meth:`execute`."""
        self.pbx.on("AGI", {"Response": "Success", "Message": "Added AGI command to queue"})

    def sent(self) -> list[Request]:
        self.sim.settle()
        return self.pbx.requests("AGI")

    def execute(self, request: Request, result: bytes, uniqueid: str = "") -> None:
        """Tell of a command that was carried out, cut as the server does."""
        encoded = quote(result, safe="")[:2047]
        encoded = encoded[: encoded.rindex("%")] if "%" in encoded[-2:] else encoded
        self.event("AsyncAGIExec", Result=encoded, CommandId=request.get("CommandID"))

    def event(self, name: str, **headers: str) -> None:
        about = {"Channel": self.caller.channel, "Uniqueid": self.caller.uniqueid}
        self.pbx.push({"Event": name, "Privilege": "agi,all", **about, **headers})
        self.sim.settle()

    def note(self, call: Call, reply: Reply) -> None:
        self.replies.append(reply)


@pytest.fixture
def switch(sim: SimulatedReactor) -> Switch:
    return Switch(sim)


def serve(switch: Switch, stream: bytes) -> None:
    """Play the server: each command puts its reply into a pipe, out of which one read of 1,024 bytes is told."""
    pipe = stream
    answered = 0
    while len(sent := switch.sent()) > answered:
        request = sent[answered]
        answered += 1
        if request.get("Command") == "NOOP":
            pipe += b"200 result=0\n"
        switch.execute(request, pipe[:1024])
        pipe = pipe[1024:]
    assert pipe == b""


@for_each("size", [0, 10, 1008, 1009, 1010, 1023, 1024, 2030, 5000])
def test_a_long_value_is_put_together(size: int) -> None:
    with SimulatedReactor() as sim:
        switch = Switch(sim)
        call = switch.start()
        switch.by_hand()
        call.get_variable("X", switch.note)
        serve(switch, b"200 result=1 (" + b"x" * size + b")\n")
        assert [reply.data for reply in switch.replies] == ["x" * size]
        call.noop(switch.note)
        switch.execute(switch.sent()[-1], b"200 result=7\n")
        assert switch.replies[-1].result == "7"


def test_commands_behind_a_long_value_get_their_own_replies(switch: Switch) -> None:
    call = switch.start()
    switch.by_hand()
    for name in ("A", "B", "C"):
        call.get_variable(name, switch.note)
    sent = switch.sent()
    pipe = b"200 result=1 (" + b"a" * 1500 + b")\n"
    switch.execute(sent[0], pipe[:1024])
    pipe = pipe[1024:] + b"200 result=1 (b)\n"
    switch.execute(sent[1], pipe[:1024])
    assert [reply.data for reply in switch.replies] == ["a" * 1500, "b"]
    switch.execute(sent[2], b"200 result=0\n")
    filler = switch.sent()[3]
    assert filler.get("Command") == "NOOP"
    switch.execute(filler, b"200 result=0\n")
    assert len(switch.replies) == 3


def test_what_the_server_has_lost_is_an_error_and_the_next_reply_is_whole(switch: Switch) -> None:
    call = switch.start()
    switch.by_hand()
    for name in ("A", "B", "C"):
        call.get_variable(name, switch.note)
    sent = switch.sent()
    switch.execute(sent[0], b"200 result=1 (" + b"\xe9" * 900 + b")\n")
    switch.execute(sent[1], b"200 result=1 (" + b"\xe9" * 1010)
    switch.execute(sent[2], b"\xe9" * 90 + b")\n200 result=1 (c)\n")
    assert [type(reply.error) for reply in switch.replies[:2]] == [ProtocolError, ProtocolError]
    assert switch.replies[2].data == "c"


def test_a_value_with_lines_that_look_like_replies_stays_whole(switch: Switch) -> None:
    call = switch.start()
    switch.by_hand()
    call.get_variable("A", switch.note)
    call.get_variable("B", switch.note)
    sent = switch.sent()
    switch.execute(sent[0], b"200 result=1 (a)\n200 result=1 (forged))\n")
    switch.execute(sent[1], b"200 result=0\n")
    assert [reply.data for reply in switch.replies] == ["a)\n200 result=1 (forged)", None]


def test_commands_of_others_are_not_ours(switch: Switch) -> None:
    call = switch.start()
    switch.by_hand()
    call.noop(switch.note)
    switch.sent()
    for command_id in ("", "1", "other-1"):
        switch.event("AsyncAGIExec", Result="200%20result%3D9%0A", CommandId=command_id)
    assert switch.replies == []
    switch.execute(switch.sent()[0], b"200 result=0\n")
    switch.execute(switch.sent()[0], b"200 result=1\n")
    assert [reply.result for reply in switch.replies] == ["0"]


def test_what_the_server_refuses_to_queue_fails(switch: Switch) -> None:
    call = switch.start()
    switch.pbx.on("AGI", {"Response": "Error", "Message": "Permission denied"})
    call.noop(switch.note)
    switch.sim.run_for(1.1)
    assert [str(reply.error) for reply in switch.replies] == ["Permission denied"]
    assert isinstance(switch.replies[0].error, ActionFailed)
    assert not call.ended


def test_what_the_server_refuses_because_the_call_is_gone_fails_by_its_hangup(switch: Switch) -> None:
    call = switch.start()
    switch.pbx.on("AGI", {"Response": "Error", "Message": "Channel does not exist."})
    call.noop(switch.note)
    switch.sim.run_for(0.1)
    switch.event("AsyncAGIEnd")
    switch.sim.run_for(10)
    assert [type(reply.error) for reply in switch.replies] == [HungUp]


def test_a_call_that_is_gone_when_it_is_handed_back_has_ended(switch: Switch) -> None:
    call = switch.start()
    switch.pbx.on("AGI", {"Response": "Error", "Message": "Channel does not exist."})
    call.finish()
    switch.sim.settle()
    assert switch.ends == [call]


def test_the_hangup_of_the_channel_ends_the_session_too(switch: Switch) -> None:
    call = switch.start()
    switch.event("Hangup", Cause="16")
    switch.event("AsyncAGIEnd")
    assert switch.ends == [call]
    assert isinstance(call.error, HungUp)


def test_it_is_the_unique_id_that_counts_when_a_channel_is_renamed(switch: Switch) -> None:
    call = switch.start()
    switch.event("Rename", Newname="PJSIP/new-1")
    assert call.channel == "PJSIP/new-1"
    call.noop(switch.note)
    switch.sim.settle()
    assert [reply.result for reply in switch.replies] == ["0"]
    assert switch.sent()[0].get("Channel") == call.uniqueid


def test_a_channel_name_with_percent_signs(switch: Switch) -> None:
    call = switch.start(FakeCaller(channel="SIP/100%-1%41", arguments=["50%25"]))
    assert call.channel == "SIP/100%-1%41"
    assert call.arguments == ["50%25"]


def test_two_connections_to_a_server_make_one_call(switch: Switch) -> None:
    switch.connect()
    call = switch.start()
    call.noop(switch.note)
    switch.sim.settle()
    assert switch.calls == [call]
    assert [reply.result for reply in switch.replies] == ["0"]
    switch.caller.hang_up()
    switch.sim.settle()
    assert switch.ends == [call]


def test_a_call_that_is_lost_with_its_link_is_handed_back_after_the_next_login(
    sim: SimulatedReactor, expect_log: ExpectLog
) -> None:
    expect_log("connecting again")
    expect_log("call .* was lost with its connection; returning it to the dialplan")
    switch = Switch(sim, reconnect=1)
    call = switch.start()
    switch.caller.on("EXEC", None)
    call.exec("Wait", 600, cb=switch.note)
    sim.settle()
    switch.pbx.drop()
    sim.settle()
    assert [type(reply.error) for reply in switch.replies] == [ConnectionLost]
    assert switch.ends == [call]
    assert not switch.caller.ended
    sim.run_for(3)
    assert switch.sent()[-1].get("Command") == "ASYNCAGI BREAK"
    assert switch.sent()[-1].get("Channel") == call.uniqueid


def test_a_server_that_was_closed_takes_no_more_calls(switch: Switch) -> None:
    switch.agi.close()
    switch.pbx.start_agi(FakeCaller())
    switch.sim.settle()
    assert switch.calls == []


def test_a_command_after_the_connection_was_finished_fails(switch: Switch) -> None:
    call = switch.start()
    switch.pool.finish()
    call.noop(switch.note)
    switch.sim.settle()
    assert len(switch.replies) == 1
    assert switch.replies[0].error is not None
    assert switch.ends == [call]


def test_too_many_commands_for_the_link_fail_alone(sim: SimulatedReactor) -> None:
    switch = Switch(sim, max_pending=3)
    call = switch.start()
    switch.pbx.on("AGI", None)
    for _ in range(5):
        call.noop(switch.note)
    sim.settle()
    assert [type(reply.error).__name__ for reply in switch.replies] == ["LimitReached"] * 2
