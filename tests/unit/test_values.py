"""What header values mean: None for all that does not parse, and never an exception."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_client import Packet
from ami_client._engine import values

WEST = timezone(-timedelta(hours=3, minutes=30))


def packet(*lines: str) -> Packet:
    return Packet.parse("\r\n".join(["Event: Some", *lines]).encode())


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=timezone.utc)  # type: ignore[misc,arg-type,unused-ignore]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("16", 16), (" -1 ", -1), ("", None), ("1.5", None), ("1_0", None), ("\u0661", None), ("9" * 5000, None)],
)
def test_numbers(text: str, expected: Optional[int]) -> None:
    assert packet(f"Cause: {text}").number("Cause") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", True),
        ("Yes", True),
        ("on", True),
        ("0", False),
        ("FALSE", False),
        ("2", None),
        ("", None),
        ("maybe", None),
    ],
)
def test_flags(text: str, expected: Optional[bool]) -> None:
    assert packet(f"Paused: {text}").flag("paused") is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", 12.0),
        ("0.25", 0.25),
        ("1:02", 62.0),
        ("00:01:02", 62.0),
        ("100:00:00", 360_000.0),
        ("", None),
        ("-1", None),
        ("nan", None),
        ("1e5", None),
        (":10", None),
        ("never", None),
    ],
)
def test_durations(text: str, expected: Optional[float]) -> None:
    assert packet(f"Holdtime: {text}").seconds("holdtime") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alice, bob,,carol", ["alice", "bob", "carol"]),
        ("alice bob", ["alice", "bob"]),
        ("Joe Doe,Jim", ["joe doe", "jim"]),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert packet(f"Members: {text}").words("members") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1700000000", utc(2023, 11, 14, 22, 13, 20)),
        ("1700000000.5", utc(2023, 11, 14, 22, 13, 20, 500_000)),
        ("2023-11-14T22:13:20.123+0000", utc(2023, 11, 14, 22, 13, 20, 123_000)),
        ("2023-11-14T22:13:20Z", utc(2023, 11, 14, 22, 13, 20)),
        ("2023-11-14T22:13:20-0330", datetime(2023, 11, 14, 22, 13, 20, tzinfo=WEST)),
        ("2023-11-14 22:13:20", datetime(2023, 11, 14, 22, 13, 20)),
        ("0", None),
        ("2023-02-30 00:00:00", None),
        ("2023-02-20T00:00:00+9900", None),
        ("9" * 18, None),
        ("", None),
        ("today", None),
    ],
)
def test_points_in_time(text: str, expected: Optional[datetime]) -> None:
    found = packet(f"LastCall: {text}").time("LastCall")
    assert found == expected
    if found and expected:
        assert found.utcoffset() == expected.utcoffset()


def test_a_header_that_is_not_there_is_none() -> None:
    none = packet()
    found: list[Any] = [none.number("x"), none.flag("x"), none.seconds("x"), none.words("x"), none.time("x")]
    assert found == [None] * 5
    assert none.variables == {}


def test_a_packet_that_keeps_case_means_the_same() -> None:
    kept = Packet.parse(b"Event: Some\r\nPaused: TRUE\r\nEventTV: 2023-11-14T22:13:20Z", fold_case=False)
    assert kept.flag("paused") is True
    assert kept.time("eventtv") == utc(2023, 11, 14, 22, 13, 20)


def test_variables_are_as_sent_whatever_channel_they_are_of() -> None:
    event = packet(
        "Channel: PJSIP/100-1",
        "ChanVariable: Account=Blue",
        "DestChannel: PJSIP/200-1",
        "ChanVariable: url=sip:a@b?x=1",
        "ChanVariable: bare",
        "DestChanVariable: Account=RED",
    )
    assert event.variables == {"Account": "Blue", "url": "sip:a@b?x=1", "bare": ""}
    assert event.variables_of("Dest") == {"Account": "RED"}
    assert event.variables_of("Other") == {}


def test_variables_may_name_their_channel() -> None:
    event = packet("ChanVariable(IAX2/127.0.0.2:4516-4240): CALLNO=5: x", "Channel: IAX2/127.0.0.2:4516-4240")
    assert event.variables == {"CALLNO": "5: x"}


@given(st.text())
def test_no_text_raises(text: str) -> None:
    for parse in (values.flag, values.seconds, values.words, values.time):
        parse(text)


@given(st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.]{8,15}([+-][0-9]{4})?|[0-9.:]{1,40}", fullmatch=True))
def test_nothing_that_looks_like_a_time_raises(text: str) -> None:
    values.seconds(text)
    values.time(text)
