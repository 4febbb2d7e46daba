"""Calls by AsyncAGI and FastAGI: every command, every end of a call, a thousand at once."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from agi_commands import TARGET, make
from driver import LIMIT, Client, Once, is_event, original
from servers import AsteriskServer

from ami_client import Connection, ConnectionLost, Packet, Pool
from ami_client.agi import AsyncAGI, Call, CallEnded, CommandFailed, FastAGI, HungUp, Reply
from ami_client.agi.commands import Commands
from ami_client.testing import CallRecorder, CallRecording, ReplayingCaller, SimulatedReactor

WAYS = ("async", "fast")
Say = Callable[[Call, Any], Any]


class Desk:
    """A server's calls by one of the ways, each of which is given to ``handler``, and kept."""

    def __init__(self, client: Client, way: str) -> None:
        self.client = client
        self.way = way
        self.calls: list[Call] = []
        self.ends: list[Call] = []
        self.hangups: list[Call] = []
        self.agi: Any = AsyncAGI(client.pool) if way == "async" else FastAGI(port=0, reactor=client.reactor)
        self.agi.on("end", self.ends.append)
        self.agi.on("hangup", self.hangups.append)
        self.handler: Callable[[Call], object] = lambda call: None
        self.agi.on("start", self._started)

    def _started(self, call: Call) -> None:
        self.calls.append(call)
        self.handler(call)

    @property
    def url(self) -> str:
        """What the dialplan calls."""
        return "agi:async" if self.way == "async" else f"agi://127.0.0.1:{self.agi.port}"

    def call(self, data: str = "", channel: str = "Local/101@default/n") -> Call:
        """A call that nobody does anything with."""
        before = len(self.calls)
        answer = self.client.once("Originate")
        params = {"Channel": channel, "Application": "AGI", "Data": self.url + data, "CallerID": '"Re né%41" <77>'}
        self.client.conn.originate(params, answer)
        self.client.until(lambda: len(self.calls) > before, what="the call")
        return self.calls[-1]

    def ask(self, start: Callable[[Callable[[Call, Reply], object]], object], limit: float = LIMIT) -> Reply:
        """The reply to what ``start(callback)`` sends."""
        reply: Reply = self.client.answer(start, limit)
        return reply

    def press(self, call: Call, digits: str) -> None:
        """Press keys. The call has to be one of extension 141."""
        for digit in digits:
            self.client.ask("PlayDTMF", {"Channel": call.channel, "Digit": digit, "Receive": "true"})

    def until_executing(self, call: Call, command: str) -> None:
        """Run until the server has begun with a command of the call."""
        self.client.until(
            lambda: [
                event
                for event in self.client.events
                if is_event(event, "AGIExecStart", {"Channel": call.channel}) and command in original(event, "Command")
            ],
            what=f"the beginning of {command}",
        )

    def close(self) -> None:
        self.agi.close()
        if not self.client.conn.finished:
            self.client.hang_up_all()


@pytest.fixture(params=WAYS)
def desk(request: pytest.FixtureRequest, client: Client) -> Iterator[Desk]:
    assert client.conn.connected
    desk = Desk(client, request.param)
    yield desk
    desk.close()


# -- commands


def test_the_commands_are_those_of_the_servers(asterisk: AsteriskServer) -> None:
    assert ast.dump(ast.parse(make())) == ast.dump(ast.parse(TARGET.read_text(encoding="utf-8")))
    shown = [line[:37].split(None, 1)[1].strip() for line in asterisk.cli("agi show commands").splitlines()[1:] if line]
    assert {name.replace(" ", "_") for name in shown} == {name for name in vars(Commands) if not name.startswith("_")}


# Each command with arguments that do something, and the result that both servers give.
EVERY: list[tuple[str, Callable[[Call, Any], object], str]] = [
    ("noop", lambda call, cb: call.noop(cb), "0"),
    ("answer", lambda call, cb: call.answer(cb), "0"),
    ("verbose", lambda call, cb: call.verbose("hello", cb, level=3), "1"),
    ("channel_status", lambda call, cb: call.channel_status(cb), "6"),
    ("set_variable", lambda call, cb: call.set_variable("A", "a", cb), "1"),
    ("get_variable", lambda call, cb: call.get_variable("A", cb), "1"),
    ("get_full_variable", lambda call, cb: call.get_full_variable("${A}b", cb), "1"),
    ("database_put", lambda call, cb: call.database_put("agi", "key", "value", cb), "1"),
    ("database_get", lambda call, cb: call.database_get("agi", "key", cb), "1"),
    ("database_del", lambda call, cb: call.database_del("agi", "key", cb), "1"),
    ("database_deltree", lambda call, cb: call.database_deltree("agi", cb, keytree="none"), "1"),
    ("exec", lambda call, cb: call.exec("Set", "B=1", cb=cb), "0"),
    ("stream_file", lambda call, cb: call.stream_file("beep", cb, escape_digits="1", sample_offset=100), "0"),
    ("control_stream_file", lambda call, cb: call.control_stream_file("beep", cb, offsetms=10), "0"),
    ("get_option", lambda call, cb: call.get_option("beep", cb, escape_digits="12", timeout=0.1), "0"),
    ("get_data", lambda call, cb: call.get_data("beep", cb, timeout=0.1, maxdigits=3), ""),
    ("wait_for_digit", lambda call, cb: call.wait_for_digit(cb, timeout=0.05), "0"),
    ("record_file", lambda call, cb: call.record_file("/tmp/a", "gsm", cb, escape_digits="#", timeout=0.1), "0"),
    (
        "record_file",
        lambda call, cb: call.record_file("/tmp/a", "gsm", cb, timeout=0.2, offset_samples=0, beep=True, silence=2),
        "0",
    ),
    ("say_digits", lambda call, cb: call.say_digits("1", cb), "0"),
    ("say_number", lambda call, cb: call.say_number(2, cb, gender="f"), "0"),
    ("say_alpha", lambda call, cb: call.say_alpha("a", cb, escape_digits="1"), "0"),
    ("say_phonetic", lambda call, cb: call.say_phonetic("a", cb), "0"),
    ("say_date", lambda call, cb: call.say_date(0, cb), "0"),
    ("say_time", lambda call, cb: call.say_time(0, cb), "0"),
    ("say_datetime", lambda call, cb: call.say_datetime(0, cb, format="A", timezone="UTC"), "0"),
    ("set_callerid", lambda call, cb: call.set_callerid('"Bob" <123>', cb), "1"),
    ("set_context", lambda call, cb: call.set_context("elsewhere", cb), "0"),
    ("set_extension", lambda call, cb: call.set_extension("200", cb), "0"),
    ("set_priority", lambda call, cb: call.set_priority(1, cb), "0"),
    ("set_music", lambda call, cb: call.set_music(True, cb, music_class="default"), "0"),
    ("set_music", lambda call, cb: call.set_music(False, cb), "0"),
    ("set_autohangup", lambda call, cb: call.set_autohangup(0, cb), "0"),
    ("send_text", lambda call, cb: call.send_text("hello there", cb), "0"),
    ("send_image", lambda call, cb: call.send_image("none", cb), "0"),
    ("tdd_mode", lambda call, cb: call.tdd_mode(False, cb), "0"),
    ("speech_create", lambda call, cb: call.speech_create("none", cb), "0"),
    ("speech_set", lambda call, cb: call.speech_set("a", "b", cb), "0"),
    ("speech_load_grammar", lambda call, cb: call.speech_load_grammar("a", "/b", cb), "0"),
    ("speech_activate_grammar", lambda call, cb: call.speech_activate_grammar("a", cb), "0"),
    ("speech_recognize", lambda call, cb: call.speech_recognize("beep", 1, cb), "0"),
    ("speech_deactivate_grammar", lambda call, cb: call.speech_deactivate_grammar("a", cb), "0"),
    ("speech_unload_grammar", lambda call, cb: call.speech_unload_grammar("a", cb), "0"),
    ("speech_destroy", lambda call, cb: call.speech_destroy(cb), "0"),
]
# These end the call, or the session of AsyncAGI when they fail, so each has a call of its own.
LAST: list[tuple[str, Callable[[Call, Any], object], str]] = [
    ("receive_char", lambda call, cb: call.receive_char(cb, timeout=0.05), "-1"),
    ("receive_text", lambda call, cb: call.receive_text(cb, timeout=0.05), "-1"),
    ("gosub", lambda call, cb: call.gosub("default", "110", 1, cb, arguments="a,b"), "0"),
    ("asyncagi_break", lambda call, cb: call.asyncagi_break(cb), "0"),
    ("hangup", lambda call, cb: call.hangup(cb), "1"),
]


def test_every_command(desk: Desk) -> None:
    assert {name for name, _, _ in EVERY + LAST} == {name for name in vars(Commands) if not name.startswith("_")}
    call = desk.call()
    callbacks = [(name, result, desk.client.once(name)) for name, _, result in EVERY]
    for (_, send, _), (_, _, callback) in zip(EVERY, callbacks):
        send(call, callback)
    desk.client.until_called(*[callback for _, _, callback in callbacks], limit=60)
    wrong = [
        (name, callback.result)
        for name, result, callback in callbacks
        if callback.result.error is not None or callback.result.code != 200 or callback.result.result != result
    ]
    assert wrong == []
    assert not call.ended
    for name, send, result in LAST:
        one = desk.call()
        reply = desk.ask(lambda cb, one=one, send=send: send(one, cb))  # type: ignore[misc]
        assert (reply.code, reply.result) == (200, result), name


def test_what_replies_hold(desk: Desk) -> None:
    call = desk.call(channel="Local/141@default/n")
    assert desk.ask(lambda cb: call.stream_file("beep", cb)).endpos == 3520
    assert desk.ask(lambda cb: call.get_data("beep", cb, timeout=0.1)).timed_out
    assert desk.ask(lambda cb: call.exec("Bogus", cb=cb)).number == -2
    assert desk.ask(lambda cb: call.get_variable("NONE", cb)).data is None
    data, digit = desk.client.once("GET DATA"), desk.client.once("WAIT FOR DIGIT")
    call.get_data("beep", data, maxdigits=2)
    call.wait_for_digit(digit, timeout=5)
    for command, pressed in (('"2"', "42"), ("WAIT FOR", "#")):
        desk.until_executing(call, command)
        desk.press(call, pressed)
    desk.client.until_called(data, digit)
    assert data.result.digits == "42"
    assert digit.result.digit == "#"


def test_refusals(desk: Desk) -> None:
    call = desk.call()
    unknown = desk.ask(lambda cb: call.command("BOGUS", cb))
    wrong = desk.ask(lambda cb: call.command("CONTROL STREAM FILE", cb))  # its usage has more than 1,024 bytes
    for reply, code in ((unknown, 510), (wrong, 520)):
        assert isinstance(reply.error, CommandFailed)
        assert reply.error.code == reply.code == code
    assert wrong.text.endswith("\n520 End of proper usage.")
    assert desk.ask(call.noop).result == "0"


HOSTILE = [
    'say "hi" \\ there',
    '"',
    "\\",
    "",
    " a  b ",
    "50% %41 %0A",
    "${CHANNEL}",
    "a,b;c|d&e",
    "tab\tbell\x07",
    "Ren\udce9 é \U0001f600",
    "'; DROP TABLE calls",
    "x" * 900,
]


def test_arguments_arrive_as_they_were_given(desk: Desk) -> None:
    call = desk.call()
    for text in HOSTILE:
        call.set_variable("TEXT", text)
        reply = desk.ask(lambda cb: call.get_variable("TEXT", cb))
        assert reply.data == text
    for text in ("a\nb", "a\r\nHANGUP", "a\0", "x" * 10_000):
        with pytest.raises(ValueError, match="AGI command"):
            call.set_variable("TEXT", text)
    assert desk.ask(call.noop).result == "0"


def test_the_longest_command(desk: Desk) -> None:
    call = desk.call()
    limit = 2046 if desk.way == "fast" else 1013
    text = "y" * (limit - len('SET VARIABLE "TEXT" ""'))
    assert desk.ask(lambda cb: call.set_variable("TEXT", text, cb)).result == "1"
    assert desk.ask(lambda cb: call.get_full_variable("${LEN(${TEXT})}", cb)).data == str(len(text))
    with pytest.raises(ValueError, match=f"reads at most {limit:,}"):
        call.set_variable("TEXT", text + "y")
    assert desk.ask(call.noop).result == "0"


def test_long_values_and_values_of_several_lines(desk: Desk) -> None:
    call = desk.call()
    call.set_variable("A", "a" * 900)
    for count in (1, 2, 3, 5):
        for commands in range(3):
            callback = desk.client.once("the value")
            call.get_full_variable("${A}" * count, callback)
            after = [desk.client.once("a command behind it") for _ in range(commands)]
            for one in after:
                call.get_variable("A", one)
            desk.client.until_called(callback, *after)
            assert callback.result.data == "a" * 900 * count
            assert [one.result.data for one in after] == ["a" * 900] * commands
    assert desk.ask(lambda cb: call.get_full_variable("x${SHELL(seq 3)}y", cb)).data == "x1\n2\n3\ny"


def test_names_with_percent_signs(desk: Desk) -> None:
    call = desk.call(
        ",/ivr/50%25?x=%41,a%41b" if desk.way == "async" else "/ivr/50%25?x=%41,a%41b", "Local/50%41%@default/n"
    )
    assert call.channel.startswith("Local/50%41%@default-")
    assert call.env["agi_calleridname"] == "Re né%41"
    assert (call.path, call.query) == ("/ivr/50%", {"x": "A"})
    assert call.arguments[-1] == "a%41b"
    assert desk.ask(lambda cb: call.channel_status(cb, channel=call.channel)).result == "6"


def test_commands_ahead_are_answered_in_order(desk: Desk) -> None:
    call = desk.call()
    callbacks = [desk.client.once(f"command {number}") for number in range(200)]
    for number, callback in enumerate(callbacks):
        call.set_variable("N", str(number))
        call.get_variable("N", callback)
    desk.client.until_called(*callbacks, limit=60)
    assert [one.result.data for one in callbacks] == [str(number) for number in range(200)]


# -- the end


def test_the_call_is_handed_back_to_the_dialplan(desk: Desk) -> None:
    desk.handler = Call.finish
    params = {"Channel": "Local/140@default/n", "Application": "Wait", "Data": "60", "Variable": {"AGIURL": desk.url}}
    desk.client.conn.originate(params, desk.client.once("Originate"))
    back = desk.client.until_event("UserEvent", UserEvent="Back")
    assert back.original("Status") == "SUCCESS"
    desk.client.until(lambda: desk.ends)
    assert [call.error for call in desk.ends] == [None]
    assert desk.hangups == []


def test_a_call_that_nobody_takes_is_handed_back(client: Client, expect_log: Callable[[str], None]) -> None:
    expect_log("no handler for the call of Local/140@default.*; returning it to the dialplan")
    assert client.conn.connected
    with AsyncAGI(client.pool):
        variables = {"AGIURL": "agi:async,/nowhere"}
        params = {"Channel": "Local/140@default/n", "Application": "Wait", "Data": "60", "Variable": variables}
        client.conn.originate(params, client.once("Originate"))
        client.until_event("UserEvent", UserEvent="Back")


@pytest.mark.parametrize("point", range(7))
def test_hung_up_at_every_point(desk: Desk, point: int) -> None:
    callbacks: list[Once] = []

    def noted(what: str) -> Once:
        callbacks.append(desk.client.once(what))
        return callbacks[-1]

    def hang_up(call: Call) -> None:
        desk.client.conn.action("Hangup", None, {"Channel": call.channel})

    def step(number: int) -> Say:
        def go_on(call: Call, reply: Reply) -> None:
            callbacks[number - 1](call, reply)
            if number == point:
                hang_up(call)
            steps(number, call)

        return go_on

    commands: list[Say] = [
        lambda call, cb: call.answer(cb),
        lambda call, cb: call.get_data("beep", cb, timeout=0.05),
        lambda call, cb: call.wait_for_digit(cb, timeout=0.1),
        lambda call, cb: call.set_variable("A", "a", cb),
        lambda call, cb: call.stream_file("beep", cb),
        lambda call, cb: call.exec("Wait", 60, cb=cb),
    ]

    def steps(number: int, call: Call) -> None:
        if number < len(commands):
            noted(f"command {number + 1}")
            commands[number](call, step(number + 1))
            if number + 1 == len(commands):  # the last one does not end by itself
                desk.client.reactor.call_later(0.1, hang_up, call)

    def start(call: Call) -> None:
        if point == 0:
            hang_up(call)
        steps(0, call)

    desk.handler = start
    call = desk.call()
    desk.client.until(lambda: desk.ends and len(callbacks) == len(commands), what="the end of the call")
    desk.client.until_called(*callbacks)
    assert desk.hangups == desk.ends == [call]
    assert isinstance(call.error, HungUp)
    assert all(one.result.error is None or isinstance(one.result.error, CallEnded) for one in callbacks)
    assert desk.agi.calls == frozenset()


def test_after_the_hangup_fast_agi_still_carries_out_what_needs_no_channel(client: Client) -> None:
    assert client.conn.connected
    desk = Desk(client, "fast")
    call = desk.call()
    replies: list[Reply] = []
    call.on("hangup", lambda call: (call.database_put("agi", "gone", "1", note), call.answer(note)))

    def note(call: Call, reply: Reply) -> None:
        replies.append(reply)

    client.action("Hangup", {"Channel": call.channel})
    client.until(lambda: desk.ends)
    assert [reply.result if reply.error is None else type(reply.error) for reply in replies] == ["1", HungUp]
    desk.close()


def test_hung_up_in_a_menu_and_a_choice_that_is_made(desk: Desk) -> None:
    call = desk.call(channel="Local/141@default/n")
    chosen = desk.client.once("the menu")
    call.menu("beep", {"1": "one", "23": "two-three"}, chosen, timeout=5)
    desk.until_executing(call, "STREAM FILE")
    desk.press(call, "23")
    desk.client.until_called(chosen)
    assert (chosen.result.value, chosen.result.digits) == ("two-three", "23")
    again = desk.client.once("the menu again")
    call.menu(["beep", "beep"], {"1": "one"}, again, timeout=5)
    desk.client.action("Hangup", {"Channel": call.channel})
    desk.client.until_called(again)
    assert isinstance(again.result.error, CallEnded)


@pytest.mark.parametrize("way", WAYS)
def test_the_server_is_killed_in_mid_command(own_asterisk: AsteriskServer, way: str) -> None:
    with Client(own_asterisk) as client:
        assert client.conn.connected
        desk = Desk(client, way)
        call = desk.call()
        callbacks = [client.once(f"command {number}") for number in range(5)]
        for callback in callbacks:
            call.exec("Wait", 60, cb=callback)
        desk.until_executing(call, "Wait")
        own_asterisk.kill()
        client.until_called(*callbacks)
        assert {type(one.result.error) for one in callbacks} == {ConnectionLost}
        assert desk.ends == [call]
        desk.agi.close()


def test_a_call_lost_with_its_link_is_handed_back(
    own_asterisk: AsteriskServer, expect_log: Callable[[str], None]
) -> None:
    expect_log("connecting again")
    expect_log("was lost with its connection; returning it to the dialplan")
    with Client(own_asterisk, reconnect=0.05) as client:
        assert client.conn.connected
        desk = Desk(client, "async")
        variables = {"AGIURL": "agi:async"}
        params = {"Channel": "Local/140@default/n", "Application": "Wait", "Data": "60", "Variable": variables}
        client.conn.originate(params, client.once("Originate"))
        client.until(lambda: desk.calls)
        callback = client.once("the command")
        desk.calls[0].exec("Wait", 0.5, cb=callback)
        desk.until_executing(desk.calls[0], "Wait")
        cut(client)
        client.until_called(callback)
        assert isinstance(callback.result.error, ConnectionLost)
        client.until_event("UserEvent", UserEvent="Back")
        desk.agi.close()


def cut(client: Client) -> None:
    """Lose the link as if the network had done so."""
    client.conn._driver.transport._stream._lose(None)  # type: ignore[union-attr]


# -- many


CALLS = 1000


@pytest.mark.parametrize("way", WAYS)
def test_a_thousand_calls_at_once(own_asterisk: AsteriskServer, way: str) -> None:
    with Client(own_asterisk, maxconnperserv=1, max_pending=100_000) as client:
        assert client.conn.connected
        desk = Desk(client, way)
        replies: list[object] = []
        together: list[int] = []

        def note(call: Call, reply: Reply) -> None:
            replies.append(reply.result if reply.error is None else reply.error)

        def own(call: Call, reply: Reply) -> None:
            replies.append(reply.data == call.channel)

        def start(call: Call) -> None:
            if len(desk.calls) == CALLS:  # all of them are there before one goes on
                together.append(len(desk.agi.calls))
                for one in desk.calls:
                    one.set_variable("A", one.channel, note)
                    one.get_variable("A", own)
                    one.stream_file("beep", note)
                    one.finish()

        desk.handler = start
        for _ in range(CALLS):
            params = {"Channel": "Local/101@default/n", "Application": "AGI", "Data": desk.url}
            client.conn.originate(params, client.once("Originate"))
        client.until(lambda: len(desk.ends) == CALLS, 100, "the end of all calls")
        assert together == [CALLS]
        assert sorted(map(str, replies)) == ["0"] * CALLS + ["1"] * CALLS + ["True"] * CALLS
        assert [call for call in desk.ends if call.error is not None] == []
        assert desk.agi.calls == frozenset()
        desk.agi.close()


# -- with await


@pytest.mark.parametrize("way", WAYS)
def test_coroutines(asterisk: AsteriskServer, way: str) -> None:
    heard: list[object] = []
    ends: list[Call] = []

    async def ivr(call: Call) -> None:
        try:
            await call.answer()
            reply = await call.get_data("beep", timeout=0.1)
            heard.append(reply.timed_out)
            with pytest.raises(CommandFailed):
                await call.command("BOGUS")
            while True:
                await call.exec("Wait", 60)
        except (asyncio.CancelledError, HungUp):
            heard.append("hung up")
            raise

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pool = Pool(reactor=loop)
        agi: Any = AsyncAGI(pool) if way == "async" else FastAGI(port=0, reactor=loop)
        agi.on("start", ivr)
        ended = loop.create_future()
        agi.on("end", ended.set_result)
        logged_in: asyncio.Future[Any] = loop.create_future()
        pool.get_connection(asterisk.url, lambda conn, packet: logged_in.set_result(conn))
        conn = await logged_in
        url = "agi:async" if way == "async" else f"agi://127.0.0.1:{agi.port}"
        conn.originate({"Channel": "Local/101@default/n", "Application": "AGI", "Data": url}, None)

        def waiting(conn: Connection, event: Packet) -> None:
            if "Wait" in original(event, "Command"):
                conn.action("Hangup", None, {"Channel": event.original("Channel")})

        pool.on("event_agiexecstart", waiting)
        ends.append(await asyncio.wait_for(ended, LIMIT))
        while len(heard) < 2:
            await asyncio.sleep(0.01)
        agi.close()
        pool.finish()

    asyncio.run(main())
    assert heard == [True, "hung up"]
    assert isinstance(ends[0].error, HungUp)


def test_threads(asterisk: AsteriskServer) -> None:
    with Client(asterisk) as client:
        assert client.conn.connected
        heard: list[object] = []
        ends: list[Call] = []

        def start(call: Any) -> None:
            call.answer()
            heard.append(call.get_variable("CHANNEL").data == call.channel)
            with pytest.raises(HungUp):
                call.hangup()
                call.answer()

        with FastAGI(port=0, reactor=client.reactor, threads=3) as agi:
            agi.on("start", start)
            agi.on("end", ends.append)
            for _ in range(10):
                url = f"agi://127.0.0.1:{agi.port}"
                params = {"Channel": "Local/101@default/n", "Application": "AGI", "Data": url}
                client.conn.originate(params, client.once("Originate"))
            client.until(lambda: len(ends) == 10)
            assert heard == [True] * 10


@pytest.mark.parametrize("way", WAYS)
def test_a_real_call_is_recorded_and_said_again(client: Client, way: str, tmp_path: Path) -> None:
    assert client.conn.connected

    def dialplan(call: Call) -> None:
        call.answer()
        call.get_full_variable("${LEN(abc)}", lambda call, reply: call.set_variable("A", reply.data or ""))
        call.command("BOGUS")
        call.get_data("beep", lambda call, reply: call.finish(), timeout=0.1)

    desk = Desk(client, way)
    recorder = CallRecorder(desk.agi)
    desk.handler = dialplan
    desk.call()
    client.until(lambda: recorder.recordings)
    recorder.recordings[0].save(tmp_path / "call.json")
    desk.close()
    with SimulatedReactor() as sim:
        agi = FastAGI(None, reactor=sim)
        agi.on("start", dialplan)
        caller = ReplayingCaller(CallRecording.load(tmp_path / "call.json"))
        caller.dial(agi)
        sim.settle()
        caller.verify()
        assert caller.ended
