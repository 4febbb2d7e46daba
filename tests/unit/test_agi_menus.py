"""Menus, numbers and recordings: what the caller presses, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Optional

import pytest
from agi_desk import Desk
from cases import for_each

from ami_client.agi import Entry, HungUp
from ami_client.testing import FakeCaller, SimulatedReactor


@pytest.fixture
def sim() -> Iterator[SimulatedReactor]:
    with SimulatedReactor() as sim:
        yield sim


def ask(digits: str, method: str, *arguments: Any, **options: Any) -> tuple[Entry, FakeCaller]:
    """What a question makes of these keys; a space is a time-out."""
    entries: list[Entry] = []
    with SimulatedReactor() as sim:
        call, caller = Desk("fast", sim).take(FakeCaller(digits=digits))
        getattr(call, method)(*arguments, lambda call, entry: entries.append(entry), **options)
        sim.settle()
    assert len(entries) == 1
    return entries[0], caller


CHOICES = {"1": "one", "2": "two", "22": "two-two", "*": "star"}


@for_each(
    ("pressed", "value", "digits"),
    [
        ("1", "one", "1"),
        ("*", "star", "*"),
        (" 1", "one", "1"),
        ("2 ", "two", "2"),
        ("22", "two-two", "22"),
        ("9", None, ""),
        ("91", "one", "1"),
        ("999", None, "9"),
        ("  9  1", None, "9"),
        ("", None, ""),
    ],
)
def test_a_menu(pressed: str, value: Optional[str], digits: str) -> None:
    entry, _ = ask(pressed, "menu", "welcome", CHOICES, retries=2)
    assert (entry.value, entry.digits, entry.error) == (value, digits, None)


def test_a_menu_is_repeated_behind_what_says_that_it_was_wrong() -> None:
    _, caller = ask("9", "menu", ["hello", "welcome"], {"1": "one"}, retries=1, invalid="wrong", timeout=3)
    files = [words[2] for words in caller.commands if words[0] == "STREAM"]
    assert files == ["hello", "wrong", "hello", "welcome"]
    assert [words[3] for words in caller.commands if words[0] == "WAIT"] == ["3000"]


@for_each("choices", [{}, {"": 1}, {"a": 1}, {"1#x": 1}])
def test_choices_that_cannot_be_pressed_raise(choices: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="choice"):
        ask("", "menu", "welcome", choices)


@for_each(
    ("pressed", "options", "value", "digits"),
    [
        ("0042#", {}, 42, "0042"),
        ("42 ", {}, 42, "42"),
        ("1234", {"max_digits": 4}, 1234, "1234"),
        ("#7#", {}, 7, "7"),
        ("5#50#", {"minimum": 10}, 50, "50"),
        ("50#5#", {"maximum": 10}, 5, "5"),
        ("1*2*", {"terminator": "*", "retries": 0}, 1, "1"),
        ("*#", {"retries": 0}, None, "*#"),
        ("", {"retries": 1}, None, ""),
    ],
)
def test_a_number(pressed: str, options: dict[str, Any], value: Optional[int], digits: str) -> None:
    entry, _ = ask(pressed, "read_number", "number", **options)
    assert (entry.value, entry.digits) == (value, digits)


def test_files_are_played_until_a_key_is_pressed() -> None:
    entry, caller = ask("", "play", ["a", "b"], timeout=2)
    assert entry.digits == ""
    assert [words[0] for words in caller.commands] == ["STREAM", "STREAM", "WAIT"]
    entry, caller = ask("5", "play", ["a", "b"], escape_digits="5")
    assert (entry.digits, entry.value) == ("5", "5")
    assert len(caller.commands) == 1


def test_a_recording(sim: SimulatedReactor) -> None:
    desk = Desk("fast", sim)
    call, caller = desk.take(FakeCaller(digits="#"))
    call.record("message", desk.note, timeout=60, silence=3)
    call.record("message", desk.note, format="gsm", beep=False)
    desk.sim.settle()
    assert caller.commands[0][2:] == ["message", "wav", "#", "60000", "BEEP", "s=3"]
    assert caller.commands[1][2:] == ["message", "gsm", "#", "-1"]
    assert [reply.data for reply in desk.replies] == ["dtmf", "timeout"]
    assert desk.replies[0].endpos == 8000


def hung_up_in_a_menu(way: str, caller: FakeCaller) -> list[Entry]:
    entries: list[Entry] = []
    with SimulatedReactor() as sim:
        call, _ = Desk(way, sim).take(caller)
        call.menu(["a", "b"], {"1": "one"}, lambda call, entry: entries.append(entry), retries=1)
        sim.settle()
    return entries


@for_each("number", range(1, 6))
def test_a_hangup_anywhere_in_a_menu_is_told_once(number: int) -> None:
    for way in ("fast", "async"):
        caller = FakeCaller()
        caller.hang_up_at(number)
        entries = hung_up_in_a_menu(way, caller)
        assert [type(entry.error) for entry in entries] == [HungUp]
        assert entries[0].value is None


def test_a_wait_that_fails_is_the_hangup(sim: SimulatedReactor) -> None:
    entries: list[Entry] = []
    call, caller = Desk("fast", sim).take()
    caller.on("WAIT FOR DIGIT", "200 result=-1")
    call.menu("welcome", {"1": "one"}, lambda call, entry: entries.append(entry))
    sim.settle()
    assert [type(entry.error) for entry in entries] == [HungUp]
    assert len(caller.commands) == 2


def test_a_missing_file_does_not_end_a_menu(sim: SimulatedReactor) -> None:
    entries: list[Entry] = []
    call, caller = Desk("fast", sim).take(FakeCaller(digits="1"))
    caller.on("STREAM FILE", "200 result=-1 endpos=0")
    call.menu("missing", {"1": "one"}, lambda call, entry: entries.append(entry))
    sim.settle()
    assert entries[0].value == "one"


def test_a_menu_takes_its_turn_between_commands(sim: SimulatedReactor) -> None:
    desk = Desk("fast", sim)
    call, caller = desk.take(FakeCaller(digits="1"))
    call.answer()
    call.menu("welcome", {"1": "one"})
    call.noop(desk.note)
    assert desk.results() == ["0"]
    assert [words[0] for words in caller.commands] == ["ANSWER", "STREAM", "NOOP"]


def test_a_wrong_callback_raises_before_anything_is_played(sim: SimulatedReactor) -> None:
    call, caller = Desk("fast", sim).take()
    with pytest.raises(TypeError, match=r"must take \(call, entry\)"):
        call.menu("welcome", {"1": "one"}, lambda call: None)  # type: ignore[misc,arg-type]
    sim.settle()
    assert caller.commands == []
