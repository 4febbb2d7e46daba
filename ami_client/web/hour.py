"""The results of a queue's callers in the last hour. No I/O here."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Optional

from ..model import Caller

MINUTES = 60


@dataclass
class Counts:
    """Callers who left a queue: ``answered``, of these ``in_time`` within the service level; ``abandoned`` hung up."""

    answered: int = 0
    in_time: int = 0
    abandoned: int = 0

    @property
    def service_level(self) -> Optional[int]:
        """How many of the answered and abandoned callers were answered in time, in percent. None if there were none."""
        callers = self.answered + self.abandoned
        return round(100 * self.in_time / callers) if callers else None


class LastHour:
    """The callers of one queue in the last sixty minutes, counted per minute."""

    def __init__(self) -> None:
        self._minutes: deque[tuple[int, Counts]] = deque()

    def count(self, caller: Caller, service_level: int) -> None:
        """Count a caller who has left by an answer or by hanging up. Ignore others. ``service_level`` is in seconds."""
        left = caller.joined if caller.left is None else caller.left
        minute = int(left // 60)
        if not self._minutes or self._minutes[-1][0] < minute:
            self._minutes.append((minute, Counts()))
        counts = self._minutes[-1][1]
        if caller.outcome == "answered":
            counts.answered += 1
            counts.in_time += left - caller.joined <= service_level
        elif caller.outcome == "abandoned":
            counts.abandoned += 1
        self._forget(minute)

    def _forget(self, minute: int) -> None:
        while self._minutes and self._minutes[0][0] <= minute - MINUTES:
            self._minutes.popleft()

    def total(self, now: float) -> Counts:
        """Return the counts of the last hour."""
        self._forget(int(now // 60))
        minutes = [counts for _, counts in self._minutes]
        return Counts(
            sum(one.answered for one in minutes),
            sum(one.in_time for one in minutes),
            sum(one.abandoned for one in minutes),
        )
