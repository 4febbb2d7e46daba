"""A call's life, by both ways: commands in order, each answered exactly once, whatever happens to the call."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Callable

import pytest
from agi_desk import WAYS, Desk
from cases import for_each

from ami_client.agi import Call, CallEnded, CommandFailed, CommandTimeout, HungUp, Reply
from ami_client.testing import FakeCaller, SimulatedReactor

ExpectLog = Callable[[str], None]


@pytest.fixture
def sim() -> Iterator[SimulatedReactor]:
    with SimulatedReactor() as sim:
        yield sim


@pytest.fixture(params=WAYS)
def desk(request: pytest.FixtureRequest, sim: SimulatedReactor) -> Desk:
    return Desk(request.param, sim)


def test_the_example_of_the_manual(desk: Desk) -> None:
    heard: list[str] = []

    def start(call: Call) -> None:
        call.answer(lambda call, reply: call.get_data("beep", digits, timeout=5))

    def digits(call: Call, reply: Reply) -> None:
        heard.append(reply.digits)
        call.finish()

    desk.serve(start)
    caller = desk.dial(FakeCaller(digits="123#"))
    assert heard == ["123"]
    assert caller.ended
    expected = [["ANSWER"], ["GET", "DATA", "beep", "5000"]]
    assert caller.commands[:2] == expected
    assert [call.error for call in desk.ends] == [None]
    assert desk.agi.calls == frozenset()


def test_what_the_server_told_is_at_hand(desk: Desk) -> None:
    call, caller = desk.take(FakeCaller(channel="PJSIP/a%41-1", number="77", path="/ivr?x=1", arguments=["a b"]))
    assert (call.channel, call.uniqueid, call.path, call.query) == (caller.channel, caller.uniqueid, "/ivr", {"x": "1"})
    assert call.arguments[-1] == "a b"
    assert call.env["agi_callerid"] == "77"
    assert not call.hung_up
    assert not call.ended
    assert desk.agi.calls == {call}


def test_commands_sent_ahead_are_answered_in_order(desk: Desk) -> None:
    call, caller = desk.take()
    for number in range(20):
        call.set_variable("N", str(number), desk.note)
        call.get_variable("N", desk.note)
    desk.results()
    assert [reply.data for reply in desk.replies[1::2]] == [str(number) for number in range(20)]
    assert len(caller.commands) == len(desk.replies) == 40


def test_a_command_given_in_a_callback_waits_behind_those_given_before(desk: Desk) -> None:
    call, caller = desk.take()
    call.noop(lambda call, reply: call.verbose("third"))
    call.verbose("second")
    desk.results()
    assert [words[-1] for words in caller.commands] == ["NOOP", "second", "third"]


def test_without_a_callback_the_reply_is_ignored(desk: Desk) -> None:
    call, _ = desk.take()
    call.answer()
    call.command("BOGUS")
    call.noop(desk.note)
    assert desk.results() == ["0"]


def test_refusals_are_told_and_the_call_goes_on(desk: Desk) -> None:
    call, _ = desk.take()
    call.command("BOGUS", desk.note)
    call.command("STREAM FILE", desk.note)
    call.noop(desk.note)
    assert desk.results() == ["CommandFailed", "CommandFailed", "0"]
    errors = [reply.error for reply in desk.replies[:2]]
    assert [error.code for error in errors if isinstance(error, CommandFailed)] == [510, 520]


@for_each("wrong", ["a\nHANGUP", "a\rb", "a\0b", "x" * 3000])
def test_hostile_arguments_raise_at_once_and_nothing_is_sent(wrong: str) -> None:
    for way in WAYS:
        with SimulatedReactor() as sim:
            call, caller = Desk(way, sim).take()
            with pytest.raises(ValueError, match="AGI command"):
                call.set_variable("A", wrong)
            sim.settle()
            assert caller.commands == []


def test_arguments_arrive_as_they_were_given(desk: Desk) -> None:
    call, caller = desk.take()
    value = 'say "hi" \\ to 50% é \t caf\udce9 '
    call.set_variable("A", value)
    call.get_variable("A", desk.note)
    desk.results()
    assert caller.variables["A"] == desk.replies[0].data == value


@for_each(("cb", "said"), [(3, "callable"), (lambda call: None, "must take"), (print, None)])
def test_a_callback_is_checked_at_once(cb: object, said: object) -> None:
    with SimulatedReactor() as sim:
        call, _ = Desk("fast", sim).take()
        if said is None:
            call.noop(cb)  # type: ignore[arg-type]
        else:
            with pytest.raises(TypeError, match=str(said)):
                call.noop(cb)  # type: ignore[arg-type]


def test_a_callback_that_raises_harms_nothing_else(desk: Desk, expect_log: ExpectLog) -> None:
    expect_log("raises raised")
    call, _ = desk.take()
    call.noop(raises)
    call.noop(desk.note)
    with pytest.raises(ZeroDivisionError):
        desk.sim.settle()
    assert desk.results() == ["0"]


def raises(call: Call, reply: Reply) -> None:
    raise ZeroDivisionError


# -- the end


@for_each("number", range(1, 5))
def test_hung_up_at_every_command_each_is_answered_exactly_once(number: int) -> None:
    for way in WAYS:
        with SimulatedReactor() as sim:
            desk = Desk(way, sim)
            caller = FakeCaller()
            caller.hang_up_at(number)
            call, _ = desk.take(caller)
            for name in ("a", "b", "c", "d"):
                call.stream_file(name, desk.note)
            results = desk.results()
            assert results == ["0"] * (number - 1) + ["-1"] + ["HungUp"] * (4 - number)
            assert desk.hangups == desk.ends == [call]
            assert call.hung_up
            assert call.ended
            assert caller.ended
            assert isinstance(call.error, HungUp)


def test_what_is_not_sent_when_the_call_hangs_up_is_not_carried_out(desk: Desk) -> None:
    caller = FakeCaller()
    caller.hang_up_at(1)
    call, _ = desk.take(caller)
    call.stream_file("a", desk.note)
    call.set_variable("A", "a", desk.note)
    assert desk.results() == ["-1", "HungUp"]
    assert caller.variables == {}


def test_hung_up_while_nothing_is_asked(desk: Desk) -> None:
    call, caller = desk.take()
    caller.hang_up()
    desk.sim.settle()
    assert desk.hangups == desk.ends == [call]
    call.noop(desk.note)
    call.noop(desk.note)
    assert desk.results() == ["HungUp", "HungUp"]
    assert caller.commands == []


def test_hung_up_before_the_handler_does_anything(sim: SimulatedReactor) -> None:
    for way in WAYS:
        desk = Desk(way, sim)
        desk.serve()
        caller = FakeCaller()
        caller.hang_up_at(1)
        desk.dial(caller)
        caller.hang_up()
        desk.sim.settle()
        assert desk.ends == desk.calls


def test_a_command_that_is_never_answered_fails_at_the_hangup(sim: SimulatedReactor) -> None:
    desk = Desk("async", sim)
    call, caller = desk.take()
    caller.on("EXEC", None)
    call.exec("Wait", 600, cb=desk.note)
    call.noop(desk.note)
    assert desk.results() == []
    caller.hang_up()
    assert desk.results() == ["HungUp", "HungUp"]


def test_after_the_hangup_fast_agi_still_carries_out_what_needs_no_channel(sim: SimulatedReactor) -> None:
    desk = Desk("fast", sim)
    call, caller = desk.take()

    @call.on("hangup")
    def write_down(call: Call) -> None:
        call.database_put("calls", "last", "me", desk.note)
        call.stream_file("bye", desk.note)

    caller.hang_up()
    assert desk.results() == ["1", "HungUp"]
    assert caller.database == {("calls", "last"): "me"}
    assert caller.ended


def test_the_link_lost_in_mid_command(sim: SimulatedReactor) -> None:
    for way in WAYS:
        desk = Desk(way, sim)
        call, caller = desk.take()
        caller.on("EXEC", None)
        call.exec("Wait", 600, cb=desk.note)
        call.noop(desk.note)
        sim.settle()
        if way == "async":
            desk.pbx.drop()
        else:
            caller.drop()
        assert desk.results() == ["ConnectionLost", "ConnectionLost"]
        assert desk.ends == [call]
        assert not call.hung_up
        assert type(call.error).__name__ == "ConnectionLost"


def test_a_time_limit_fails_its_command_alone(desk: Desk) -> None:
    call, caller = desk.take()
    caller.on("EXEC", None)
    call.exec("Wait", 600, cb=desk.note, time_limit=5)
    desk.sim.run_for(4.9)
    assert desk.replies == []
    desk.sim.run_for(0.2)
    assert desk.results() == ["CommandTimeout"]
    assert isinstance(desk.replies[0].error, CommandTimeout)
    caller.hang_up()
    assert desk.results() == ["CommandTimeout"]


@for_each("way", WAYS)
def test_the_servers_time_limit_holds_for_commands_without_their_own(way: str) -> None:
    with SimulatedReactor() as sim:
        desk = Desk(way, sim, command_timeout=2)
        call, caller = desk.take()
        caller.on("NOOP", None)
        call.noop(desk.note)
        sim.run_for(2.1)
        assert desk.results() == ["CommandTimeout"]


def test_finish_hands_the_call_back_behind_its_commands(desk: Desk) -> None:
    call, caller = desk.take()
    call.verbose("one", desk.note)
    call.verbose("two", desk.note)
    call.finish()
    call.finish()
    call.verbose("three", desk.note)
    assert desk.results()[:2] == ["1", "1"] or desk.results()[1:] == ["1", "1"]
    assert sorted(desk.results()) == ["1", "1", "CallEnded"]
    assert caller.ended
    assert desk.ends == [call]
    assert desk.hangups == []
    assert call.error is None


def test_close_hands_it_back_at_once(desk: Desk) -> None:
    call, caller = desk.take()
    caller.on("EXEC", None)
    call.exec("Wait", 600, cb=desk.note)
    call.noop(desk.note)
    call.close()
    call.close()
    assert [type(reply.error) for reply in desk.replies] == [CallEnded, CallEnded]
    assert desk.ends == [call]
    assert desk.agi.calls == frozenset()


def test_closing_the_server_hands_all_calls_back(desk: Desk) -> None:
    callers = [desk.take()[1] for _ in range(3)]
    desk.agi.close()
    desk.agi.close()
    desk.sim.settle()
    assert all(caller.ended for caller in callers)
    assert len(desk.ends) == 3


# -- who takes it


def test_a_call_that_nobody_takes_is_handed_back_and_logged(desk: Desk, expect_log: ExpectLog) -> None:
    expect_log(r"no handler for the call of PJSIP/\\x1b\[1-1, path /no\\nwhere; returning it to the dialplan")
    caller = desk.dial(FakeCaller(channel="PJSIP/\x1b[1-1", path="/no%0Awhere"))
    assert caller.ended
    assert desk.agi.calls == frozenset()


def test_routes_go_by_the_path(desk: Desk) -> None:
    found: list[tuple[str, dict[str, str]]] = []
    desk.agi.route("/ivr/<lang>", lambda call: found.append(("ivr", call.params)))

    @desk.agi.route("/ivr/<lang>/<part>")
    def part(call: Call) -> None:
        found.append(("part", call.params))

    desk.serve(lambda call: found.append(("start", call.params)))
    for path in ("/ivr/de", "/ivr/de/2?x=1", "/ivr", "/ivr/a%2Fb"):
        desk.dial(FakeCaller(path=path))
    expected = [("ivr", {"lang": "de"}), ("part", {"lang": "de", "part": "2"}), ("start", {})]
    assert found[:3] == expected


@for_each("path", ["ivr", "/<>", "/<a b>", "/<a>/<a>"])
def test_a_malformed_path_raises(path: str) -> None:
    with SimulatedReactor() as sim, pytest.raises(ValueError, match=r"path|part"):
        Desk("fast", sim).agi.route(path, print)


@for_each(
    ("name", "handler", "kind"),
    [("begin", print, ValueError), ("start", 3, TypeError), ("hangup", lambda: None, TypeError)],
)
def test_a_wrong_handler_raises_at_once(name: str, handler: object, kind: type[Exception]) -> None:
    with SimulatedReactor() as sim, pytest.raises(kind):
        Desk("fast", sim).agi.on(name, handler)  # type: ignore[call-overload]


def test_a_call_has_one_handler(desk: Desk) -> None:
    desk.serve()
    with pytest.raises(ValueError, match="already has a handler"):
        desk.serve()


def test_a_handler_that_raises_is_logged_and_the_call_handed_back(desk: Desk, expect_log: ExpectLog) -> None:
    expect_log("handler .*broken raised; returning the call of PJSIP/100-.* to the dialplan")

    def broken(call: Call) -> None:
        call.answer()
        raise ZeroDivisionError

    desk.serve(broken)
    with pytest.raises(ZeroDivisionError):
        desk.dial(caller := FakeCaller())
    desk.sim.settle()
    assert caller.ended


def test_a_coroutine_function_is_refused_where_nobody_could_run_it(desk: Desk) -> None:
    async def start(call: Call) -> None: ...

    with pytest.raises(TypeError, match="asyncio"):
        desk.serve(start)


def test_every_reply_is_told_to_those_who_ask(desk: Desk) -> None:
    told: list[tuple[str, str]] = []
    desk.agi.on("reply", lambda call, command, reply: told.append((command, reply.text)))
    call, _ = desk.take()
    call.answer()
    call.set_variable("A", "1")
    desk.sim.settle()
    assert told == [("ANSWER", "200 result=0"), ('SET VARIABLE "A" "1"', "200 result=1")]


def test_a_call_that_was_forgotten_is_handed_back(sim: SimulatedReactor, expect_log: ExpectLog) -> None:
    expect_log("no command for 60 s; returning the call to the dialplan")
    for way in WAYS:
        desk = Desk(way, sim, idle_timeout=60)
        call, caller = desk.take()
        call.answer()
        sim.run_for(59)
        call.noop()
        sim.run_for(59)
        assert not call.ended
        sim.run_for(60)
        assert call.ended
        assert caller.ended


def test_a_command_that_lasts_does_not_make_a_call_idle(sim: SimulatedReactor) -> None:
    desk = Desk("fast", sim, idle_timeout=60)
    call, caller = desk.take()
    caller.on("EXEC", None)
    call.exec("Queue", "support")
    sim.run_for(3600)
    assert not call.ended


def test_a_dead_channel_is_a_hangup_even_if_the_dialplan_does_not_tell(sim: SimulatedReactor) -> None:
    desk = Desk("fast", sim)
    call, caller = desk.take()
    caller.on("ANSWER", "511 Command Not Permitted on a dead channel or intercept routine")
    call.answer(desk.note)
    assert desk.results() == ["HungUp"]
    assert desk.hangups == desk.ends == [call]


def test_an_interrupt_in_a_callback_loses_no_other(desk: Desk) -> None:
    call, caller = desk.take()
    caller.on("EXEC", None)

    def interrupted(call: Call, reply: Reply) -> None:
        raise KeyboardInterrupt

    call.exec("Wait", 600, cb=desk.note)
    call.noop(interrupted)
    call.noop(desk.note)
    desk.sim.settle()
    with pytest.raises(KeyboardInterrupt):
        call.close()
    assert desk.results() == ["CallEnded", "CallEnded"]
    assert desk.ends == [call]


def test_nothing_is_left_of_calls_that_are_over(desk: Desk) -> None:
    found: list[weakref.ref[Call]] = []

    def start(call: Call) -> None:
        found.append(weakref.ref(call))
        call.menu("welcome", {"1": "one"}, retries=0)
        call.noop(time_limit=3600)
        call.finish()

    desk.serve(start)
    for number in range(10):
        caller = FakeCaller()
        if number % 2:
            caller.hang_up_at(1)
        desk.dial(caller)
    desk.sim.run_for(2)
    assert len(desk.ends) == len(found) == 10
    desk.ends.clear()
    desk.hangups.clear()
    gc.collect()
    assert [one() for one in found if one() is not None] == []
