"""Where connections stand in their pool: the table, and the lists that follow from it."""

from __future__ import annotations

from typing import Any

import pytest
from cases import for_each

from ami_client._client.slots import LIVE, MOVES, ON_ITS_WAY, Place, Slot, Slots


def slot_at(place: Place, slots: Slots | None = None, attempt: int = 0) -> Slot:
    """A slot that has come to a place by the shortest way."""
    slots = Slots() if slots is None else slots
    driver: Any = object()
    slot = Slot(driver, attempt, None)
    slots.add(slot)
    for step in way_to(place):
        slots.move(slot, step)
    return slot


def way_to(place: Place, here: Place = Place.QUEUED) -> list[Place]:
    ways: list[list[Place]] = [[]]
    for way in ways:
        last = way[-1] if way else here
        if last is place:
            return way
        ways += [[*way, following] for following in MOVES[last] if following not in way]
    raise AssertionError(f"no way leads to {place}")


@for_each(("old", "new"), [(old, new) for old in Place for new in Place])
def test_a_move_that_the_table_does_not_have_is_a_bug(old: Place, new: Place) -> None:
    slots = Slots()
    slot = slot_at(old, slots)
    if new in MOVES[old]:
        slots.move(slot, new)
        assert slot.place is new
    else:
        with pytest.raises(RuntimeError, match="illegal move"):
            slots.move(slot, new)
        assert slot.place is old


def test_every_place_can_be_reached_and_left_for_good() -> None:
    for place in Place:
        assert way_to(place) is not None
        assert place is Place.GONE or way_to(Place.GONE, place)


def test_a_slot_stands_in_one_place_in_the_order_of_coming() -> None:
    slots = Slots()
    first, second, third = (slot_at(Place.BUSY, slots) for _ in range(3))
    for slot in (second, first, third):
        slots.move(slot, Place.FREE)
    assert slots.at(Place.FREE) == [second, first, third] and slots.first(Place.FREE) is second
    slots.move(second, Place.BUSY)
    slots.move(second, Place.FREE)
    assert slots.at(Place.FREE) == [first, third, second]
    assert slots.all() == [first, second, third]
    assert (slots.count(Place.FREE), slots.count(*LIVE), slots.count(Place.BUSY)) == (3, 3, 0)


def test_what_is_gone_is_forgotten() -> None:
    slots = Slots()
    slot = slot_at(Place.GONE, slots)
    assert slots.get(slot.driver) is None and slots.all() == [] and slots.at(*Place) == []


def test_attempts_are_those_on_their_way_in_the_place_of_lost_ones() -> None:
    for place in Place:
        slots = Slots()
        slot_at(place, slots, attempt=2)
        slot_at(place, slots)
        assert slots.attempts == (place in ON_ITS_WAY)
