"""The places of a pool's connections: one enum. One method changes the place, following one table."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Optional

from .._record import Record

if TYPE_CHECKING:
    from ..loop import Handle
    from .driver import Driver
    from .waiter import Waiter


class Place(Enum):
    """The place of a connection in its pool."""

    QUEUED = "queued"  # created; it starts when there is room
    STARTING = "starting"  # just started; only a few at a time
    OPENING = "opening"  # still connecting or logging in after STARTING_TIME
    BUSY = "busy"  # logged in, but acquired, or login callbacks are being called
    FREE = "free"  # logged in, and available to the next caller
    ENDING = "ending"  # finished; callbacks are being called
    WAITING = "waiting"  # lost; a replacement is opened after the back-off delay
    RETRYING = "retrying"  # lost, with actions that another connection will send again
    GONE = "gone"


MOVES: dict[Place, tuple[Place, ...]] = {
    Place.QUEUED: (Place.STARTING, Place.ENDING),
    Place.STARTING: (Place.OPENING, Place.BUSY, Place.ENDING),
    Place.OPENING: (Place.BUSY, Place.ENDING),
    Place.BUSY: (Place.FREE, Place.ENDING),
    Place.FREE: (Place.BUSY, Place.ENDING),
    Place.ENDING: (Place.WAITING, Place.RETRYING, Place.GONE),
    Place.WAITING: (Place.RETRYING, Place.GONE),
    Place.RETRYING: (Place.GONE,),
    Place.GONE: (),
}

ON_ITS_WAY = (Place.QUEUED, Place.STARTING, Place.OPENING)
LIVE = (*ON_ITS_WAY, Place.BUSY, Place.FREE, Place.ENDING)


class Due(Record):
    """When the replacement of a lost connection is opened."""

    delay: float  # seconds
    time: float  # on the loop's clock
    timer: Handle


class Slot:
    """One connection of a pool, by its driver. Only ``Slots.move`` changes ``place``."""

    __slots__ = ("attempt", "buried", "caller", "comes_again", "driver", "due", "place", "ready", "timer")

    def __init__(self, driver: Driver, attempt: int, caller: Optional[Waiter]) -> None:
        self.driver = driver
        self.attempt = attempt  # number of the reconnect attempt; 0 for other connections, and after the login
        self.caller = caller  # the callback for which it is being opened
        self.place = Place.QUEUED
        self.ready = False  # to start: before_connect has run
        self.comes_again = False  # a replacement will be opened after its end
        self.timer: Optional[Handle] = None  # while STARTING
        self.due: Optional[Due] = None  # while WAITING
        self.buried = False  # its counters were added to those of past connections


class Slots:
    """The slots of one URL. Each place keeps its slots in the order of arrival.

    Attributes: ``attempts``, how many reconnect attempts are running.
    """

    def __init__(self) -> None:
        self.attempts = 0
        self._slots: dict[Driver, Slot] = {}
        self._at: dict[Place, dict[Driver, Slot]] = {place: {} for place in Place}

    def add(self, slot: Slot) -> None:
        """Add a new slot."""
        self._slots[slot.driver] = self._at[slot.place][slot.driver] = slot
        self.attempts += slot.attempt > 0

    def move(self, slot: Slot, place: Place) -> None:
        """Change a slot's place, following the table. Raises RuntimeError for any other move: that is our bug."""
        old = slot.place
        if place not in MOVES[old]:
            raise RuntimeError(f"illegal move from {old.value!r} to {place.value!r}")
        del self._at[old][slot.driver]
        slot.place = place
        if slot.attempt and old in ON_ITS_WAY and place not in ON_ITS_WAY:
            self.attempts -= 1
        if place is Place.GONE:
            del self._slots[slot.driver]
        else:
            self._at[place][slot.driver] = slot

    def get(self, driver: Driver) -> Optional[Slot]:
        """Return the slot of a driver, or None if it is gone."""
        return self._slots.get(driver)

    def all(self) -> list[Slot]:
        """Return all slots that are not gone, in the order of their creation."""
        return list(self._slots.values())

    def at(self, *places: Place) -> list[Slot]:
        """Return the slots at these places."""
        return [slot for place in places for slot in self._at[place].values()]

    def count(self, *places: Place) -> int:
        """Return the number of slots at these places."""
        return sum([len(self._at[place]) for place in places])

    def first(self, place: Place) -> Optional[Slot]:
        """Return the slot that has been at this place longest, or None."""
        return next(iter(self._at[place].values()), None)
