"""Header lines and the memo of those that were read: the same result every time, nothing secret kept, bounded."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from ami_client import headers
from ami_client.encode import TRIMMED, ascii_lower
from ami_client.headers import FIRST_LINES, KEEP_CASE, MEMOS, FirstLines, FoldingMemo, HeaderMemo

Header = tuple[str, str]


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
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
ODD_LINES = [b"\xff: \xfe", b"Name: \xc3", b": x", b":", b"", b"\nEvent: X", b"Event: X\n"]


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
def test_nothing_secret_is_kept(memo: type[HeaderMemo], line: bytes, names: dict[str, str | None]) -> None:
    one = memo()
    assert "joe" in "".join(one[line])
    assert line not in one
    assert "joe" not in "".join(names)


@pytest.mark.parametrize("memo", [FoldingMemo, HeaderMemo])
def test_memos_are_bounded(
    memo: type[HeaderMemo], monkeypatch: pytest.MonkeyPatch, names: dict[str, str | None]
) -> None:
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
