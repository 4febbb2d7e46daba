"""ActionIDs that nobody can guess. No I/O here."""

from __future__ import annotations

from itertools import count
from typing import Callable, Protocol

_AT_ONCE = 64  # ids per request for random bytes
ID_SIZE = 8  # random bytes per id
START_SIZE = 6  # random bytes shared by all ids of a connection


class ActionIDs(Protocol):
    """The source of a session's ActionIDs."""

    #: Common prefix of all ids, in digits, which the server returns unchanged; empty if there is no common prefix.
    mark: bytes

    @property
    def new(self) -> Callable[[], str]:
        """A function that returns the next id, made of lower-case letters, digits and hyphens."""


class RandomIDs:
    """Ids with 64 random bits each, after 48 random bits that all ids of a connection share.

    Asterisk shows an action's id to other users, in its OriginateResponse or UserEvent. Somebody who has seen some ids
    must not be able to predict the next one, or they could forge a part of its answer. A search for the shared prefix
    finds the events that may be a part of an answer. ``random_bytes(count)`` returns unpredictable bytes.
    """

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        start = str(int.from_bytes(random_bytes(START_SIZE), "big"))
        self.mark = start.encode()
        self.new = map(_Block(start, random_bytes).__getitem__, count()).__next__


class _Block(dict[int, str]):
    """Ids by number. A number that is not there begins a block, in the place of the last one.

    In blocks, because a request for each id would cost half as much as a Ping (benchmark d). No generator, because a
    KeyboardInterrupt would exhaust it, and there would never be another id.
    """

    def __init__(self, start: str, random_bytes: Callable[[int], bytes]) -> None:
        self._start = start
        self._random_bytes = random_bytes

    def __missing__(self, number: int) -> str:
        digits = 2 * ID_SIZE
        text = self._random_bytes(ID_SIZE * _AT_ONCE).hex()
        ids = [f"{self._start}-{text[begin : begin + digits]}" for begin in range(0, len(text), digits)]
        self.clear()
        self.update(enumerate(ids, number))
        return ids[0]


class NumberedIDs:
    """Ids that count up, so that a dialogue is always the same. They are guessable: for tests and diagrams only."""

    def __init__(self, start: str) -> None:
        self.mark = start.encode() if start.isdecimal() else b""
        numbers = count(1)
        self.new: Callable[[], str] = lambda: f"{start}-{next(numbers)}"
