"""Where the connections of a pool stand: one enum, one table, one method that changes it."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Optional

if TYPE_CHECKING:
    from ..loop import Handle
    from .driver import Driver
    from .waiter import Waiter


class Place(Enum):
    """Where a connection stands in its pool."""

    QUEUED = "queued"  # it was made, and sets out when there is room
    STARTING = "starting"  # it has just set out: no more than a few at a time
    OPENING = "opening"  # it takes its time
    BUSY = "busy"  # logged in; acquired, or its login is being told
    FREE = "free"  # logged in, and given to whoever asks
    ENDING = "ending"  # finished; everybody is being told
    WAITING = "waiting"  # lost; another one is opened in its place when its delay has passed
    RETRYING = "retrying"  # lost, with actions that another one is to send again
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


class Due(NamedTuple):
    """When a connection is opened in the place of a lost one."""

    delay: float  # seconds
    time: float  # of the loop
    timer: Handle


class Slot:
    """One connection of a pool, by its driver. ``Slots.move`` alone changes ``place``."""

    __slots__ = ("attempt", "buried", "caller", "comes_again", "driver", "due", "place", "ready", "timer")

    def __init__(self, driver: Driver, attempt: int, caller: Optional[Waiter]) -> None:
        self.driver = driver
        self.attempt = attempt  # which one in a row in the place of a lost connection; 0: none, or logged in
        self.caller = caller  # for whom it was opened, until it is logged in
        self.place = Place.QUEUED
        self.ready = False  # to set out: who waits for it has been told of it
        self.comes_again = False  # it is ending, and another one is to be opened in its place
        self.timer: Optional[Handle] = None  # of STARTING
        self.due: Optional[Due] = None  # of WAITING
        self.buried = False  # its counts are among those of connections that are no more


class Slots:
    """The slots of one URL, those of each place in the order in which they came there.

    Attributes: ``attempts``, how many are on their way in the place of lost ones.
    """

    def __init__(self) -> None:
        self.attempts = 0
        self._slots: dict[Driver, Slot] = {}
        self._at: dict[Place, dict[Driver, Slot]] = {place: {} for place in Place}

    def add(self, slot: Slot) -> None:
        """Take in a new one."""
        self._slots[slot.driver] = self._at[slot.place][slot.driver] = slot
        self.attempts += slot.attempt > 0

    def move(self, slot: Slot, place: Place) -> None:
        """Change a slot's place by the table. Raises RuntimeError for a move that the table does not have: our bug."""
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
        """The slot of a driver; None if it is gone."""
        return self._slots.get(driver)

    def all(self) -> list[Slot]:
        """Those that are not gone, in the order in which they were made."""
        return list(self._slots.values())

    def at(self, *places: Place) -> list[Slot]:
        """Those that stand there."""
        return [slot for place in places for slot in self._at[place].values()]

    def count(self, *places: Place) -> int:
        """How many stand there."""
        return sum([len(self._at[place]) for place in places])

    def first(self, place: Place) -> Optional[Slot]:
        """The one that came there first, if any."""
        return next(iter(self._at[place].values()), None)
