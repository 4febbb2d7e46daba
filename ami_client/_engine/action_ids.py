"""Unguessable ActionIDs. No I/O here."""

from __future__ import annotations

from itertools import count
from typing import Callable, Protocol

_AT_ONCE = 64  # ids per request for random bytes
ID_SIZE = 8  # random bytes per id
START_SIZE = 6  # random bytes shared by all ids of a connection


class ActionIDs(Protocol):
    """The source of a session's ActionIDs."""

    #: Common prefix of all ids, in digits, which the server returns unchanged. Empty if there is none.
    mark: bytes

    @property
    def new(self) -> Callable[[], str]:
        """Return a function that returns the next id. Ids have lower-case letters, digits and hyphens."""


class RandomIDs:
    """Ids with 64 random bits each, after 48 random bits that all ids of a connection share.

    Asterisk shows an action's id to other users, in its OriginateResponse or UserEvent. Somebody who has seen some ids
    must not be able to predict the next one: with it they could forge a part of its answer. A search for the shared
    prefix finds the events that may be part of an answer. ``random_bytes(count)`` returns unpredictable bytes.
    """

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        start = str(int.from_bytes(random_bytes(START_SIZE), "big"))
        self.mark = start.encode()
        self.new = map(_Block(start, random_bytes).__getitem__, count()).__next__


class _Block(dict[int, str]):
    """Ids by number. A missing number starts a new block, which replaces the old one.

    Random bytes are fetched in blocks: a system call for each id would add 5% (benchmark d100). This is not a
    generator: a KeyboardInterrupt would exhaust it, and no further id would come.
    """

    def __init__(self, start: str, random_bytes: Callable[[int], bytes]) -> None:
        self._start = start
        self._random_bytes = random_bytes

    def __missing__(self, number: int) -> str:
        start = self._start + "-"
        ids = [start + one for one in self._random_bytes(ID_SIZE * _AT_ONCE).hex("-", ID_SIZE).split("-")]
        self.clear()
        self.update(enumerate(ids, number))
        return ids[0]


class NumberedIDs:
    """Ids that count up, so a dialogue is always the same. They are guessable: use them for tests and diagrams only."""

    def __init__(self, start: str) -> None:
        self.mark = start.encode() if start.isdecimal() else b""
        numbers = count(1)
        self.new: Callable[[], str] = lambda: f"{start}-{next(numbers)}"
