"""Cases in one test: all of them are tried, and those that fail are told."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases import for_each

tried: list[tuple[int, str]] = []


@for_each("number", [1, 2])
@for_each("letter", "ab")
def test_each_with_each_and_with_fixtures(number: int, letter: str, tmp_path: Path) -> None:
    assert tmp_path.is_dir()
    tried.append((number, letter))


def test_all_were_tried() -> None:
    test_each_with_each_and_with_fixtures(tmp_path=Path("/"))
    assert tried[-4:] == [(1, "a"), (1, "b"), (2, "a"), (2, "b")]


def test_all_that_fail_are_told() -> None:
    @for_each(("given", "expected"), [(1, 1), (2, 3), (4, 4), (5, 6)])
    def compare(given: int, expected: int) -> None:
        if given != expected:
            pytest.fail(f"it is {given}")

    with pytest.raises(AssertionError) as caught:
        compare()
    first, *others = str(caught.value).split("\n")
    assert first == "2 of 4 cases:"
    assert others == [
        "{'given': 2, 'expected': 3}: Failed: it is 2",
        "{'given': 5, 'expected': 6}: Failed: it is 5",
    ]


@pytest.mark.parametrize(("names", "values"), [("a", []), (("a", "b"), [(1,)]), (("a", "b"), [(1, 2, 3)])])
def test_a_table_that_proves_nothing_is_refused(names: str, values: list[tuple[int, ...]]) -> None:
    with pytest.raises(AssertionError):
        for_each(names, values)
