"""The words of AGI: arguments as the server unquotes them, environments, replies however they are cut."""

from __future__ import annotations

from typing import Optional

import pytest
from cases import for_each
from hypothesis import given
from hypothesis import strategies as st

from ami_client.agi.errors import CommandFailed, HungUp
from ami_client.agi.protocol import ReplyReader, command_line, encode_line, quote, read_environment, read_reply
from ami_client.errors import ProtocolError
from ami_client.testing.caller import split_command

text = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=30)


@given(st.lists(text, max_size=6))
def test_the_server_unquotes_what_was_quoted(arguments: list[str]) -> None:
    assert split_command(command_line("SET VARIABLE", arguments)) == ["SET", "VARIABLE", *arguments]


def test_numbers_are_sent_as_text() -> None:
    assert command_line("GET DATA", ["beep", 5000, 3]) == 'GET DATA "beep" "5000" "3"'
    assert quote('a "b" \\') == '"a \\"b\\" \\\\"'


@for_each("wrong", ["NOOP\nHANGUP", "NOOP\r", "NO\0OP", "", "  ", "x" * 21])
def test_what_the_server_would_misread_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="AGI command"):
        encode_line(wrong, 20)


def test_the_longest_command_and_any_byte_are_sent() -> None:
    assert encode_line("x" * 20, 20) == b"x" * 20
    assert encode_line("caf\udce9 é", 20) == b"caf\xe9 \xc3\xa9"


REPLIES = [
    ("200 result=0", "0", None),
    ("200 result=1 (a (b) c)", "1", "a (b) c"),
    ("200 result=1 ()", "1", ""),
    ("200 result=1 (x\ny)", "1", "x\ny"),
    ("200 result=12# (timeout)", "12#", "timeout"),
    ("200 result= (timeout)", "", "timeout"),
    ("200 result=0 endpos=3520", "0", None),
    ("200 result=49 (dtmf) endpos=8000", "49", "dtmf"),
    ("200 result=-1 Gosub label not found", "-1", None),
    ("100 result=0 Trying...\n200 result=0 Gosub complete", "0", None),
]


@for_each(("said", "result", "data"), REPLIES)
def test_a_reply_is_read(said: str, result: str, data: Optional[str]) -> None:
    reply = read_reply(said.encode())
    assert (reply.code, reply.result, reply.data, reply.error) == (200, result, data, None)


def test_what_a_reply_says_is_at_hand() -> None:
    assert read_reply(b"200 result=49 endpos=3520").digit == "1"
    assert read_reply(b"200 result=0 endpos=3520").digit == ""
    assert read_reply(b"200 result=49 endpos=3520").endpos == 3520
    assert read_reply(b"200 result=-1").number == -1
    assert read_reply(b"200 result=").number is None
    assert read_reply(b"200 result=-1").digits == ""
    assert read_reply(b"200 result=0042 (timeout)").digits == "0042"
    assert read_reply(b"200 result= (timeout)").timed_out
    assert read_reply(b"200 result=1 (caf\xe9)").data == "caf\udce9"


@for_each(
    ("said", "kind", "code"),
    [
        ("510 Invalid or unknown command", CommandFailed, 510),
        ("511 Command Not Permitted on a dead channel or intercept routine", HungUp, 511),
        ("520-Invalid command syntax.  Proper usage follows:\nUsage\n520 End of proper usage.", CommandFailed, 520),
        ("520 Invalid command syntax.  Proper usage not available.", CommandFailed, 520),
    ],
)
def test_a_refusal_is_an_error(said: str, kind: type, code: int) -> None:
    reply = read_reply(said.encode())
    assert (type(reply.error), reply.code, reply.text) == (kind, code, said)
    assert str(reply.error) == said.partition("\n")[0]


def test_what_is_no_reply_is_an_error_too() -> None:
    assert isinstance(read_reply(b"HTTP/1.1 400 Bad Request").error, ProtocolError)


STREAM = (
    b"200 result=1 (x\n1) of\n2)\n"
    b"HANGUP\n"
    b"520-Invalid command syntax.  Proper usage follows:\nSay 520 things\n520 End of proper usage.\n"
    b"noise\n"
    b"100 result=0 Trying...\n200 result=0 Gosub complete\n"
)
PIECES = [
    b"200 result=1 (x\n1) of\n2)",
    b"HANGUP",
    b"520-Invalid command syntax.  Proper usage follows:\nSay 520 things\n520 End of proper usage.",
    b"200 result=0 Gosub complete",
]


@for_each("size", [1, 2, 3, 7, 50, len(STREAM)])
def test_replies_are_cut_from_the_stream_whatever_the_pieces(size: int) -> None:
    reader = ReplyReader()
    found: list[bytes] = []
    for start in range(0, len(STREAM), size):
        reader.feed(STREAM[start : start + size])
        while (piece := reader.next(returns_value=not found)) is not None:
            found.append(piece)
    assert found == PIECES
    assert len(reader) == 0


def test_what_nobody_asked_for_is_dropped_but_the_hangup_is_told() -> None:
    reader = ReplyReader()
    reader.feed(b"200 result=0\nb)\nHANGUP\n")
    assert reader.drop()
    reader.feed(b"200 result=0\nHAN")
    assert not reader.drop()
    reader.feed(b"GUP\n")
    assert reader.next(False) == b"HANGUP"


def test_an_environment_is_read_with_the_servers_names() -> None:
    env = read_environment(
        b"agi_request: agi://pbx/ivr/de%20lang?x=1&y=a%20b&x=2\nagi_calleridname: Ren\xe9: x\n"
        b"agi_arg_1: one\nagi_arg_2: \nagi_accountcode: \n"
    )
    assert env["agi_calleridname"] == "Ren\udce9: x"
    assert env.path == "/ivr/de lang"
    assert env.query == {"x": "2", "y": "a b"}
    assert env.arguments == ["one", ""]


@for_each(
    ("argument", "path", "query"),
    [("/ivr/de?x=1", "/ivr/de", {"x": "1"}), ("hello", "/", {}), ("", "/", {})],
)
def test_without_a_url_the_first_argument_is_the_path(argument: str, path: str, query: dict[str, str]) -> None:
    env = read_environment(f"agi_request: async\nagi_arg_1: {argument}\n".encode())
    assert (env.path, env.query) == (path, query)
