"""Header lines and the memo of those that were read: the same result every time, nothing secret kept, bounded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import pytest
from cases import for_each

from ami_client._engine import line_cache as headers
from ami_client._engine.line_cache import FIRST_LINES, KEEP_CASE, MEMOS, BlankLine, FirstLines, FoldingMemo, HeaderMemo
from ami_client._engine.text import TRIMMED, ascii_lower
from ami_client.testing.redact import is_secret

Header = tuple[str, str]


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> Mapping[Any, Any]:
    """The names that were seen, none at first."""
    fresh = type(headers._NAMES)()
    monkeypatch.setattr(headers, "_NAMES", fresh)
    return fresh


def by_the_rules(line: bytes, fold_case: bool) -> Header:
    """What the manual says, written without a thought for speed."""
    text = line.decode("utf-8", "surrogateescape")
    name, separator, value = text.partition(": ")
    if not separator:
        name, _, value = text.partition(":")
    name, value = ascii_lower(name.strip(TRIMMED)), value.strip(TRIMMED)
    keeps = name.startswith(KEEP_CASE) or ascii_lower(value).startswith(KEEP_CASE)
    return name, value if keeps or not fold_case else ascii_lower(value)


NAMES = ["Channel", "CALLERIDnum", " X ", "", "a:b", "DialString", "ÄÖ", "Secret", "\x0bName\0", "connectedlinename"]
SEPARATORS = [": ", ":", "", " : ", ":  "]
VALUES = ["PJSIP/Joe", "CallerID <1>", " x ", "", "Ä\udcff", "a: B", "md5 X", "\tDialStringX", "PassWord=1", "x" * 200]
ODD_LINES = [b"\xff: \xfe", b"Name: \xc3", b": x", b":", b"", b"Event: X\n"]


def lines() -> Iterator[bytes]:
    for parts in product(NAMES, SEPARATORS, VALUES):
        yield "".join(parts).encode("utf-8", "surrogateescape")
    yield from ODD_LINES


@pytest.mark.parametrize("memo", [FoldingMemo, HeaderMemo])
def test_lines_are_read_by_the_rules_and_the_same_the_second_time(memo: type[HeaderMemo]) -> None:
    one = memo()
    for line in lines():
        expected = by_the_rules(line, memo is FoldingMemo)
        assert one[line] == expected, line
        assert one[line] == expected, line


@pytest.mark.parametrize("memo", [FoldingMemo, HeaderMemo])
def test_a_line_that_begins_with_lf_shows_a_blank_line_each_time(memo: type[HeaderMemo]) -> None:
    one = memo()
    for _ in range(2):
        with pytest.raises(BlankLine):
            one[b"\nEvent: X"]
    assert len(one) == 0


@pytest.mark.parametrize("memo", [FoldingMemo, HeaderMemo])
@pytest.mark.parametrize(
    "line",
    [
        b"Secret: joe",
        b"Line-000000-000001: secret = joe",
        b"MD5Secret: joe",
        b"X: md5:joe",
        b"Password: joe",
        b"ChanVariable: SIP_PASSWORD=joe",
        b"secret:joe",
        b"Password=joe",
    ],
)
def test_nothing_secret_is_kept(memo: type[HeaderMemo], line: bytes, names: dict[str, object]) -> None:
    one = memo()
    assert "joe" in "".join(one[line])
    assert line not in one
    assert "joe" not in "".join(names)


NAMES_OF_SECRETS = """Secret Password Passwd PWD VMPass Passphrase Pass-Code MD5Cred PIN UserPIN ConfPin pin_code
    AdminPin Auth AuthKey X-Auth Authorization Token RefreshToken Credential Credentials PrivateKey private_key
    Private-Key Priv_Key ApiKey API-Key Cookie Bearer Challenge ReceivedChallenge ReceivedHash ExpectedResponse"""
HOLDERS = ["Value", "Val", "Output", "JSON", "Line-000001-000002"]  # what they hold may be anything
WORDS = """secret passwd password pass pwd passphrase passcode md5 pin userpin auth authorization token credential
    private_key privatekey api-key apikey"""
SAYINGS = ["{}=4711", "{}: 4711", "SIP_{} = 4711", "X,{} 4711", "my{}4711", "CallerID{}=4711"]


@pytest.mark.parametrize("memo", [FoldingMemo, HeaderMemo])
@for_each(("name", "separator"), product([*NAMES_OF_SECRETS.split(), *HOLDERS], [": ", ":", " : "]))
def test_what_is_called_like_a_secret_is_not_kept(
    memo: type[HeaderMemo], name: str, separator: str, names: dict[str, object]
) -> None:
    names.clear()
    one = memo()
    line = f"{name}{separator}4711".encode()
    assert one[line] == one[line] == (name.lower(), "4711")
    assert len(one) == 0
    assert "4711" not in "".join(names)


@pytest.mark.parametrize("memo", [FoldingMemo, HeaderMemo])
@for_each(("text", "word"), product(SAYINGS, WORDS.split()))
def test_a_line_that_speaks_of_a_secret_is_not_kept(
    memo: type[HeaderMemo], text: str, word: str, names: dict[str, object]
) -> None:
    names.clear()
    one = memo()
    for name in ("X: ", "CallerIDName: ", "AppData: ", "ChanVariable(a): ", "X:", ""):
        for said in (word, word.upper()):
            assert one[(name + text.format(said)).encode()][0]
    assert len(one) == 0
    assert "4711" not in "".join(names)


@pytest.mark.parametrize("memo", [FoldingMemo, HeaderMemo])
@pytest.mark.parametrize(
    "line",
    [
        b"DialString: SIP/joe:hush@192.0.2.1",
        b"ClientUri: sip:joe:hush@example.com",
        b"X: https://joe:hush@example.com/",
        b"AppData: 4711",
        b"AppData: 4711,a",
        b"ApplicationData: /tmp/x,4711",
        b"Auth\xff: 4711",
        b"X: \xffpin=4711",
        b"PIN4711: x",
        b"Channel: SIP/7\nSecret: hush",
        b"Uniqueid: 1\n4711",
        b"secret4711",
    ],
)
def test_nor_what_may_hold_one(memo: type[HeaderMemo], line: bytes, names: dict[str, object]) -> None:
    one = memo()
    assert one[line] and len(one) == 0
    assert not any("4711" in name for name in names)


@pytest.mark.parametrize("memo", [FoldingMemo, HeaderMemo])
@pytest.mark.parametrize(
    "line",
    [
        b"Response: Success",
        b"Ping: Pong",
        b"ping:pong",
        b"X: spinning, pinned, typing, shipping",
        b"Channel: PJSIP/auth-00000001",
        b"Value: ",
        b"Value: 1",
        b"Password: ",
        b"AppData: 100@default,20,tT",
        b"AppData: 0.5",
        b"Dialstring: 100@default",
        b"Uniqueid: 1795401651.84",
        b"CallerIDNum: 4711",
        b"X: bypassed",
    ],
)
def test_what_is_harmless_keeps_its_place(memo: type[HeaderMemo], line: bytes) -> None:
    one = memo()
    assert one[line] is one[line]
    assert line in one


def test_names_of_secrets_are_remembered_as_long_as_they_are_names_alone(names: dict[str, object]) -> None:
    one = FoldingMemo()
    assert one[b"AuthType: userpass"] and one[b"Pin 4711: x"]
    assert list(names) == ["authtype"]


def test_a_first_line_may_hold_the_name_of_a_secret_but_none_itself() -> None:
    first = FirstLines()
    for name in (b"AuthDetail", b"ChallengeSent", b"InvalidPassword"):
        assert first[b"Event: " + name] and b"Event: " + name in first
    assert first[b"Event: x password=4711"] == "x password=4711"
    assert len(first) == 3


def test_recordings_are_cleaned_by_the_same_words() -> None:
    for word in WORDS.split():
        spoken = word not in ("auth", "pass", "userpin")  # AuthMethod and Bypass are no secrets there
        assert is_secret(f"SIP_{word.upper()}") is spoken, word


@pytest.mark.parametrize("memo", [FoldingMemo, HeaderMemo])
def test_memos_are_bounded(memo: type[HeaderMemo], monkeypatch: pytest.MonkeyPatch, names: dict[str, object]) -> None:
    monkeypatch.setattr(headers.Memo, "size", 10)
    one, first = memo(), FirstLines()
    for number in range(35):
        assert one[b"Name%d: x" % number] == (f"name{number}", "x")
        assert first[b"Event: E%d" % number] == f"e{number}"
        assert max(len(one), len(first), len(names)) <= 10
    long = b"x" * 129
    assert one[b"Name: " + long] == ("name", "x" * 129)
    assert one[long + b": x"] == ("x" * 129, "x")
    assert first[b"Event: " + long] == "x" * 129
    assert not any(len(key) > 128 for table in (one, first, names) for key in table)


@pytest.mark.parametrize("memo", [FoldingMemo, HeaderMemo])
@for_each("line", [b"X: %b", b"%b: x", b"X:%b", b"Event: %b", b"Event:%b"])
@for_each("text", [b"/:", b":", b"pin", b"x:", b"0,", b"/a:b"])
def test_a_long_line_is_not_looked_at_for_long(memo: type[HeaderMemo], line: bytes, text: bytes) -> None:
    long = line % (text * 500_000)  # a second look at each of these would take hours
    one, first = memo(), FirstLines()
    assert one[long] and (first[long] or not line.startswith(b"Event: "))
    assert not one and not first


@pytest.mark.parametrize("line", [b"Secret: joe", b"Password: joe", b"secret", b"joe", b"event: joe"])
def test_of_first_lines_only_those_of_packets_are_kept(line: bytes) -> None:
    first = FirstLines()
    assert first[line] is None
    assert line not in first


def test_lines_of_one_name_share_it() -> None:
    one = FoldingMemo()
    assert one[b"Channel: a"][0] is one[b"Channel: b"][0]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"Event: Hangup", "hangup"),
        (b"Event:  Hangup ", "hangup"),
        (b"Response: Success", ""),
        (b"Event: ", None),
        (b"event: Hangup", None),
        (b"Event:Hangup", None),
        (b"ActionID: 1", None),
        (b"", None),
    ],
)
def test_first_lines(line: bytes, name: str | None) -> None:
    assert FirstLines()[line] == name
    assert FIRST_LINES[line] == name


def test_the_shared_memos_are_told_apart_by_case() -> None:
    assert MEMOS[True][b"X: ABC"] == ("x", "abc")
    assert MEMOS[False][b"X: ABC"] == ("x", "ABC")
