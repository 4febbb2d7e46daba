"""Records: what dataclasses do, for the classes that are made at the start."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from ami_client import Options, Stats
from ami_client._record import Record, field, fields


class Point(Record):
    x: int
    y: int = 0
    secret: str = field(default="", repr=False, metadata={"kept": True})


class Count(Record, frozen=False):
    seen: int = 0


class Positive(Record):
    number: int

    def __post_init__(self) -> None:
        if self.number <= 0:
            raise ValueError("not positive")
        vars(self)["number"] = int(self.number)


def test_values_by_place_and_by_name() -> None:
    point = Point(1, secret="hush")
    assert (point.x, point.y, point.secret) == (1, 0, "hush")
    assert vars(Point(1, 2)) == {"x": 1, "y": 2, "secret": ""}


@pytest.mark.parametrize(
    ("args", "kwargs", "told"),
    [
        ((), {}, "missing, unknown or given twice: x"),
        ((1,), {"x": 2}, "missing, unknown or given twice: x"),
        ((1,), {"z": 2}, "missing, unknown or given twice: z"),
        ((1, 2, "", 4), {}, "has the fields x, y, secret"),
    ],
)
def test_wrong_values(args: tuple[Any, ...], kwargs: dict[str, Any], told: str) -> None:
    with pytest.raises(TypeError, match=f"Point .*{told}"):
        Point(*args, **kwargs)


def test_two_are_equal_if_their_values_are() -> None:
    assert Point(1) == Point(1, 0) and hash(Point(1)) == hash(Point(y=0, x=1))
    assert Point(1) != Point(2) and Point(1) != Count(1)
    assert Point(1) != (1, 0, "")


def test_the_text_form_hides_what_it_should() -> None:
    assert repr(Point(1, secret="hush")) == "Point(x=1, y=0)"


def test_a_frozen_one_does_not_change() -> None:
    point = Point(1)
    with pytest.raises(AttributeError, match="a Point does not change"):
        point.x = 2  # type: ignore[misc]  # wrong on purpose
    with pytest.raises(AttributeError, match="a Point does not change"):
        del point.x
    assert point == Point(1)


def test_another_one_counts_and_has_no_hash() -> None:
    count = Count()
    count.seen += 1
    assert count == Count(1) and Count() == Count(0)
    with pytest.raises(TypeError, match="unhashable"):
        hash(count)


def test_a_copy_with_other_values_is_checked_too() -> None:
    assert Point(1, 2, "hush").replace(y=3) == Point(1, 3, "hush")
    with pytest.raises(ValueError, match="not positive"):
        Positive(1).replace(number=0)
    with pytest.raises(TypeError, match="unknown"):
        Point(1).replace(z=1)


def test_the_class_may_change_what_it_gets() -> None:
    assert Positive(1.5).number == 1  # type: ignore[arg-type]  # wrong on purpose


def test_fields_tell_of_the_class() -> None:
    assert [one.name for one in fields(Point)] == ["x", "y", "secret"]
    assert [one.name for one in fields(Point(1))] == ["x", "y", "secret"]
    assert fields(Point)[2].metadata == {"kept": True} and fields(Point)[1].default == 0
    assert Point.y == 0 and not hasattr(Point, "x")


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies_are_equal(copied: Any) -> None:
    assert copied(Point(1, 2, "hush")) == Point(1, 2, "hush")


def test_a_subclass_has_the_fields_of_its_base() -> None:
    class Same(Point):
        pass

    class Space(Point):
        y: int = 7
        z: int = 0

    assert vars(Same(1)) == vars(Point(1))
    assert vars(Space(1, z=2)) == {"x": 1, "y": 7, "z": 2, "secret": ""}
    assert [one.name for one in fields(Space)] == ["x", "y", "secret", "z"]


# For those who use dataclasses


def test_a_record_is_a_dataclass_for_those_who_ask() -> None:
    point = Point(1, secret="hush")
    assert dataclasses.is_dataclass(Point) and dataclasses.is_dataclass(Count())
    assert [(one.name, one.repr) for one in dataclasses.fields(point)] == [("x", True), ("y", True), ("secret", False)]
    assert dataclasses.asdict(point) == {"x": 1, "y": 0, "secret": "hush"}
    assert dataclasses.replace(point, y=5) == Point(1, 5, "hush")  # type: ignore[call-arg]


def test_the_fields_of_the_public_records() -> None:
    options = dataclasses.replace(Options(), port=5038)
    assert (options.port, Options().port) == (5038, 5280)
    stats = Stats(events=3)
    assert dataclasses.asdict(stats)["events"] == 3
    assert dataclasses.replace(stats, events=4).events == 4
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.port = 1  # type: ignore[misc]


def test_a_dataclass_may_be_made_of_a_record() -> None:
    @dataclasses.dataclass(frozen=True)
    class Place(Point):
        name: str = "here"

    assert Place(1, name="there") == Place(1, 0, "", "there")
