"""ActionIDs that nobody can guess. No I/O here."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Callable, Protocol

_AT_ONCE = 64  # ids for which the system is asked for random bytes
ID_SIZE = 8  # random bytes of an id
START_SIZE = 6  # random bytes that all ids of a connection have in common


class ActionIDs(Protocol):
    """Where a session's ActionIDs come from."""

    #: What each of them begins with: digits, which come back as they were sent; empty for ids without a common start.
    mark: bytes

    @property
    def new(self) -> Callable[[], str]:
        """Make the next one, of letters, digits and hyphens."""


class RandomIDs:
    """Ids with 64 random bits each, behind 48 that a connection's ids have in common.

    Asterisk shows an action's id to other users, in its OriginateResponse or UserEvent. Who has seen some ids must not
    know the next one, or could forge a part of its answer. The common start finds, among bytes, the events that may be
    a part of an answer. ``random_bytes(count)`` returns bytes that nobody can foretell.
    """

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        start = str(int.from_bytes(random_bytes(START_SIZE), "big"))
        self.mark = start.encode()
        self.new = _ids(start, random_bytes).__next__


def _ids(start: str, random_bytes: Callable[[int], bytes]) -> Iterator[str]:
    digits = 2 * ID_SIZE
    while True:  # asking for the bytes of one id at a time would cost as much as half a Ping
        block = random_bytes(ID_SIZE * _AT_ONCE).hex()
        for begin in range(0, len(block), digits):
            yield f"{start}-{block[begin : begin + digits]}"


class NumberedIDs:
    """Ids that count up, so that a dialogue is the same each time. Anybody can guess them: for tests and diagrams."""

    def __init__(self, start: str) -> None:
        self.mark = start.encode() if start.isdecimal() else b""
        numbers = count(1)
        self.new: Callable[[], str] = lambda: f"{start}-{next(numbers)}"
