"""The parts of the command line that need no server: filters, text, tables, the board, explanations."""

from __future__ import annotations

import ast
import errno
import io
import json
import re
import socket
import ssl
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ami_client import (
    ActionFailed,
    ActionTimeout,
    AMIError,
    ConnectFailed,
    ConnectionLost,
    ConnectTimeout,
    LoginRefused,
    Packet,
    ProtocolError,
    TLSFailed,
)
from ami_client.cli import text, views
from ami_client.cli.board import Board, draw, share, sparkline
from ami_client.cli.explain import explain
from ami_client.cli.failures import Status
from ami_client.cli.filters import Condition, Wanted
from ami_client.cli.output import Output
from ami_client.cli.ping import statistics
from ami_client.cli.table import Column, choose, fit, lay_out
from ami_client.model import Caller, Channel, Member, Queue


def packet(*lines: str) -> Packet:
    return Packet.parse("\r\n".join(lines).encode("utf-8", "surrogateescape"), fold_case=False)


HANGUP = packet("Event: Hangup", "Channel: PJSIP/100-0001", "Cause: 16", "ChanVariable: A=1", "ChanVariable: B=2")


@pytest.mark.parametrize(
    ("names", "conditions", "wanted"),
    [
        ([], [], True),
        (["hangup"], [], True),
        (["HANG*"], [], True),
        (["newchannel"], [], False),
        (["newchannel", "h?ngup"], [], True),
        ([], ["channel=PJSIP/*"], True),
        ([], ["CHANNEL=pjsip/100-*"], True),
        ([], ["channel=PJSIP"], False),
        ([], ["channel!=Local/*"], True),
        ([], ["channel!=PJSIP/*"], False),
        ([], ["channel=SIP/*", "channel=PJSIP/*"], True),
        ([], ["channel=PJSIP/*", "cause=17"], False),
        ([], ["channel=PJSIP/*", "cause=16"], True),
        ([], ["cause!=16", "cause!=17"], False),
        ([], ["chanvariable=a=1"], True),
        ([], ["chanvariable=B=*"], True),
        ([], ["queue=*"], False),
        ([], ["queue!=*"], True),
        (["newchannel"], ["channel=PJSIP/*"], False),
    ],
)
def test_which_events_are_wanted(names: Sequence[str], conditions: Sequence[str], wanted: bool) -> None:
    assert Wanted(names, map(Condition.parse, conditions)).matches(HANGUP) is wanted


def test_only_names_without_globs_spare_the_others() -> None:
    assert Wanted(["Hangup", "hangup", "newchannel"]).bound_names == ["event_hangup", "event_newchannel"]
    assert Wanted(["hangup", "dial*"]).bound_names == ["event"]
    assert Wanted().bound_names == ["event"]


@pytest.mark.parametrize("condition", ["", "channel", "=x", "!=x", "  =x"])
def test_what_is_no_condition(condition: str) -> None:
    with pytest.raises(ValueError, match="HEADER=GLOB"):
        Condition.parse(condition)


def test_nothing_drives_the_terminal() -> None:
    nasty = "\x1b]0;owned\x07 \x9b31m \u202e line\nfeed é漢"
    assert text.clean(nasty) == "\\x1b]0;owned\\x07 \\x9b31m \\u202e line\\nfeed é漢"
    assert text.json_text(nasty).isprintable()
    assert json.loads(text.json_text(nasty)) == nasty
    assert text.quote(nasty).isprintable()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\ta\t b  \\x1b c", "\ta\t b  \\x1b c"),
        ("\x1b[2J\x1b]0;t\x07\x9b1m\x85", "\\x1b[2J\\x1b]0;t\\x07\\x9b1m\\x85"),
        ("a\rb\x00\x08\x0b\x0c\x7f\nc", "a\\rb\\x00\\x08\\x0b\\x0c\\x7f\\nc"),
        ("the end of a line\r", "the end of a line"),
        ("\u2028\u2029\u202e\u2066\u200f", "\\u2028\\u2029\\u202e\\u2066\\u200f"),
        ("caf\udce9 \udc9b1m", "caf\udce9 \\udc9b1m"),
        ("\xa0 \u3000 é漢 \U0001f469\u200d\U0001f52c", "\xa0 \u3000 é漢 \U0001f469\u200d\U0001f52c"),
    ],
)
def test_a_line_in_a_pipe_is_as_it_came_but_for_what_drives_a_terminal(line: str, shown: str) -> None:
    assert text.clean_line(line) == shown


@pytest.mark.parametrize("number", [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, 0x202E, 0xDC80, 0xDC9B, 0xDCFF])
def test_json_has_no_control_character_and_no_byte_that_is_no_utf8(number: int) -> None:
    made = text.json_text({chr(number): [chr(number)]})
    assert made.isprintable()
    assert json.loads(made) == {chr(number): [chr(number)]}


def test_what_the_server_says_does_not_replace_what_we_say() -> None:
    assert list(text.with_own({"@time": "ours"}, {"Event": "X", "@time": ["a", "b"], "@Time": "c"}).items()) == [
        ("@time", "ours"),
        ("Event", "X"),
        ("@Time", "c"),
    ]


def test_values_end_where_they_seem_to() -> None:
    assert [text.quote(one) for one in ("16", "a b", 'a"b', "", "a=b")] == ["16", '"a b"', '"a\\"b"', '""', '"a=b"']


def test_json_keeps_all_values_and_bytes_that_are_no_utf8() -> None:
    made = text.packet_object(packet("Event: X", "ActionID: 1", "V: a", "W: caf\udce9 ", "V: b"))
    assert made == {"Event": "X", "V": ["a", "b"], "W": "caf\udce9"}
    assert '"caf\\udce9"' in text.json_text(made)


def test_the_output_of_a_command_is_always_a_list() -> None:
    assert text.packet_object(packet("Response: Success", "Output: one line")) == {
        "Response": "Success",
        "Output": ["one line"],
    }


def test_durations_and_numbers() -> None:
    assert [text.duration(one) for one in (0, 59.9, 61, 3723)] == ["0:00", "0:59", "1:01", "1:02:03"]
    assert (text.plural(1, "call"), text.plural(0, "call")) == ("1 call", "0 calls")


@pytest.mark.parametrize(
    ("state", "style"),
    [("Up", "green"), ("OK (4 ms)", "green"), ("Not in use", "green"), ("Ringing", "yellow"), ("In use", "yellow"),
     ("UNREACHABLE", "red"), ("Unavailable", "red"), ("paused: lunch", "yellow"), ("Unmonitored", "")],
)  # fmt: skip
def test_states_have_colours(state: str, style: str) -> None:
    assert views.state_style(state) == style


def test_the_statistics_of_pings() -> None:
    assert statistics([0.001, 0.003]) == {"min": 0.001, "avg": 0.002, "max": 0.003, "mdev": 0.001}
    assert set(statistics([]).values()) == {None}


# -- output


class Drip(io.RawIOBase):
    """A stream that takes little at a time, as a pipe does when a signal comes."""

    def __init__(self) -> None:
        self.taken = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.taken += bytes(data[:5])
        return min(len(data), 5)


def test_what_is_taken_in_pieces_comes_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    drip = Drip()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(drip)))
    output = Output()
    for number in range(100):
        output.write(f"line {number}")
    assert drip.taken == b""
    output.flush()
    assert drip.taken.decode().splitlines() == [f"line {number}" for number in range(100)]


# -- tables


COLUMNS = [
    Column[int]("Name", str, keep=True),
    Column[int]("Empty", lambda _: ""),
    Column[int]("Middle", str),
    Column[int]("Last", str),
    Column[int]("State", str, keep=True),
]


@pytest.mark.parametrize(
    ("room", "shown"),
    [(80, [0, 2, 3, 4]), (60, [0, 2, 3, 4]), (59, [0, 2, 4]), (46, [0, 2, 4]), (45, [0, 4]), (5, [0, 4])],
)
def test_columns_are_left_out_from_the_right_where_there_is_no_room(room: int, shown: list[int]) -> None:
    # Least widths: 24, (5), 12, 12, 6; two blanks between.
    assert choose(COLUMNS, [30, 0, 30, 30, 6], room) == shown


@pytest.mark.parametrize(
    ("room", "widths"),
    [
        (200, [30, 30, 30]),
        (94, [30, 30, 30]),
        (93, [30, 29, 30]),
        (70, [30, 18, 18]),
        (58, [30, 12, 12]),
        (55, [27, 12, 12]),
        (52, [24, 12, 12]),
        (50, [24, 11, 11]),
        (10, [4, 1, 1]),
        (1, [1, 1, 1]),
    ],
)
def test_columns_share_the_room(room: int, widths: list[int]) -> None:
    assert fit(COLUMNS, [30, 0, 30, 30, 6], [0, 2, 3], room) == widths


@pytest.mark.parametrize("width", [8, 20, 44, 60, 61, 62, 70, 80, 200])
def test_a_table_fits_the_terminal_and_shows_what_is_cut(width: int) -> None:
    names = {"Channel": "c" * 30, "ChannelStateDesc": "Up", "Application": "a" * 40}
    row = packet("Event: CoreShowChannel", *(f"{name}: {value}" for name, value in names.items()))
    _, line = ("".join(text for text, _ in cells) for cells in lay_out(views.CHANNELS, [row], width))
    assert len(line) <= width
    for cell, value in zip(line.split(), names.values()):
        assert cell in (value, f"{value}()") or (cell.endswith("…") and value.startswith(cell[:-1]))


def test_a_value_of_a_million_characters_costs_what_a_terminal_shows_of_it() -> None:
    row = packet("Event: CoreShowChannel", f"Channel: {'c' * 1_000_000}", f"Application: {chr(27) * 1_000_000}")
    begun = time.process_time()
    for _ in range(10):
        _, line = ("".join(text for text, _ in cells) for cells in lay_out(views.CHANNELS, [row], 80))
    assert time.process_time() - begun < 2  # column by column it would be minutes
    assert len(line) <= 80
    assert line.count("…") == 2


def test_one_long_value_does_not_make_all_lines_of_a_pipe_as_long(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    output.table([Column[str]("A", str), Column[str]("B", lambda _: "b")], ["x" * 10_000, "short"])
    output.flush()
    head, long, short = capsys.readouterr().out.splitlines()
    assert long == "x" * 10_000 + "  b"
    assert max(len(head), len(short)) < 250


# -- numbers of the server's

ODD_NUMBERS = ["\u00b2", "\u0663", "9" * 5000, "-" + "9" * 5000, "", "-", "-5", "1e3", "nan", "\udcb2", ":", "1 2"]


@pytest.mark.parametrize("odd", ODD_NUMBERS)
def test_a_wait_that_is_no_number_is_shown_as_it_is(odd: str) -> None:
    entries = [
        packet("Event: QueueParams", "Queue: q"),
        packet("Event: QueueEntry", "Queue: q", f"Wait: {odd}"),
        packet("Event: QueueEntry", "Queue: q", "Wait: 61"),
        packet("Event: QueueMember", "Queue: q", f"Status: {odd}", f"Penalty: {odd}", f"CallsTaken: {odd}"),
    ]
    (found,) = views.group_queues(entries)
    assert (found.longest_wait, found.ready) == ("1:01", 0)
    assert [views.CALLERS[-1].value(one) for one in found.callers] == [odd, "1:01"]
    assert [[column.value(one) for column in views.MEMBERS][2:] for one in found.members] == [[odd, odd, odd]]


def test_numbers_are_read_in_one_place_alone() -> None:
    """`isdigit`, `int` and `float` each have their own idea of what a number is."""
    trees = {path.name: ast.parse(path.read_text(encoding="utf-8")) for path in Path(text.__file__).parent.glob("*.py")}
    found = {
        (name, node.func.id if isinstance(node.func, ast.Name) else node.func.attr)
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute))
    }
    names = {"int", "float", "isdigit", "isdecimal", "isnumeric"}
    # The user's own --speed, and seconds that are a number already.
    assert {one for one in found if one[1] in names} == {("taping.py", "float"), ("text.py", "int")}


# -- the board of top


NOW = 1000.0


def channel(number: int, seconds: int) -> Channel:
    name, ids = f"PJSIP/{number}", (str(number), "1")
    return Channel("pbx", name, *ids, "up", "101", "Al", "", "", "100", "Echo()", "", False, NOW - seconds)


def queue(name: str, callers: int) -> Queue:
    waiting = [
        Caller("pbx", name, f"PJSIP/{number}", str(number), "", "", number + 1, NOW - 60 - number, None, "waiting", "")
        for number in range(callers)
    ]
    members = [
        Member("pbx", name, "Al", "PJSIP/1", "PJSIP/1", state, paused, "", 0, 0, 0.0, False)
        for state, paused in (("not_inuse", False), ("not_inuse", True), ("inuse", False))
    ]
    return Queue("pbx", name, "ringall", 20, 8, 6, 1, tuple(waiting), tuple(members))


def drawn(board: Board, width: int, height: int) -> list[str]:

    console = Console(width=width, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(draw(board, "12:00:00", width, height))
    return [line.rstrip() for line in capture.get().splitlines()]


@pytest.fixture
def board() -> Board:
    board = Board("tcp://me@pbx", "AMI 11.0.0", trouble="")
    channels = [channel(number, number) for number in range(10)]
    board.show(NOW, 1, channels, [queue("idle", 0), queue("busy", 3)])
    board.rates.extend([0.0, 2.0, 4.0])
    return board


def test_the_board_shows_what_matters_first(board: Board) -> None:
    lines = drawn(board, 100, 30)
    assert lines[0].startswith("tcp://me@pbx  AMI 11.0.0  12:00:00")
    assert lines[1] == "10 channels, 1 call, 4.0 events/s  ▄█"
    names = [line.split()[0] for line in lines[2:] if line]
    assert names[:4] == ["Queue", "busy", "idle", "Channel"]
    assert names[4:-1] == [f"PJSIP/{number}" for number in reversed(range(10))]
    assert lines[4].split() == ["busy", "ringall", "3", "1:02", "3", "1", "8", "1", "75.0"]
    assert lines[8].split() == ["PJSIP/9", "Up", "0:09", "Al", "<101>", "100", "Echo()"]
    assert lines[-1] == "q: end"


@pytest.mark.parametrize("height", [1, 5, 8, 12, 16, 24])
@pytest.mark.parametrize("width", [10, 40, 120])
def test_the_board_fits_any_screen(board: Board, width: int, height: int) -> None:
    lines = drawn(board, width, height)
    assert len(lines) <= max(height, 4)
    assert max(map(len, lines)) <= width


def test_the_board_says_what_it_does_not_show(board: Board) -> None:
    assert drawn(board, 100, 12)[-1] == "q: end  not shown: 2 queues, 4 channels"


def test_how_lines_are_shared() -> None:
    assert share(20, 0, 10) == (0, 10)
    assert share(20, 3, 100) == (3, 13)
    assert share(30, 100, 100) == (8, 18)
    assert share(30, 100, 1) == (25, 1)
    assert share(0, 5, 5) == (0, 0)


def test_trouble_is_told(board: Board) -> None:
    board.trouble = "the server closed the connection"
    assert "the server closed the connection" in drawn(board, 100, 30)[0]


def test_bars() -> None:
    assert sparkline([0, 1, 2, 4]) == " ▂▄█"
    assert sparkline([0.0, 0.0]) == "  "
    assert sparkline([]) == ""


# -- errors


def refused(port: int, number: int = errno.ECONNREFUSED) -> ConnectFailed:
    return ConnectFailed("x", "pbx", port, OSError(number, "said so"))


def certificate(message: str) -> TLSFailed:
    cause = ssl.SSLCertVerificationError(1, message)
    cause.verify_message = message
    return TLSFailed("x", "pbx", 5039, cause)


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (refused(5060), Status.UNREACHABLE, "cannot connect to pbx:5060: said so; check the port: .* 5038"),
        (refused(5038), Status.UNREACHABLE, "check that Asterisk is running, .*manager.conf"),
        (
            ConnectFailed("x", "pbx", 1, socket.gaierror(-2, "not known")),
            Status.UNREACHABLE,
            "the name of the host or profile",
        ),
        (ConnectTimeout("no connection", "pbx", 1), Status.TIMEOUT, "no connection; .*firewall"),
        (certificate("self-signed"), Status.UNREACHABLE, "pbx:5039 failed: self-signed; use --ca-file FILE"),
        (TLSFailed("x", "h", 1, ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] w")), Status.UNREACHABLE, "tcp://"),
        (LoginRefused("login refused: no"), Status.LOGIN, "^login refused: no; .*manager.conf.*permit="),
        (LoginRefused("login refused: no", temporary=True), Status.LOGIN, "try again later"),
        (ActionFailed("Permission denied"), Status.REFUSED, "write= class"),
        (ActionFailed("Invalid/unknown command: X."), Status.REFUSED, "unknown command: X; check the name"),
        (ActionFailed("Queue gone"), Status.REFUSED, "^the server refused: Queue gone$"),
        (ActionTimeout("no answer"), Status.TIMEOUT, "^no answer$"),
        (ConnectionLost("the end"), Status.UNREACHABLE, "^the end$"),
        (ProtocolError("is HTTP"), Status.UNREACHABLE, "is HTTP; check the port: the manager interface"),
    ],
)
def test_each_error_is_one_line_with_what_to_try(error: AMIError, status: Status, says: str) -> None:
    told = explain(error)
    assert told.status == status
    assert re.search(says, str(told)), str(told)
    assert "\n" not in str(told)
