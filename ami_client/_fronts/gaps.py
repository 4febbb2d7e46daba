"""A bounded buffer of events that says where some are missing. No I/O here."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Optional, Union

from ..packet import Packet


@dataclass(frozen=True)
class Gap:
    """Stands in a stream for events that are missing.

    Attributes:
        count: how many events are missing; None if nobody can know.
        reason: ``overflow``, the stream was read too slowly; ``lost``, the connection was lost; ``back``, it is logged
            in again, and events follow.
    """

    count: Optional[int]
    reason: str


Item = Union[Packet, Gap]


class EventBuffer:
    """Up to ``limit`` events that wait for their reader. Those that do not fit are counted, and told as a gap."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: deque[Item] = deque()
        self._missed = 0
        self._last: Optional[Packet] = None

    def __bool__(self) -> bool:
        return bool(self._items or self._missed)

    def put(self, event: Packet) -> None:
        """Append an event, or count it. One that several names of the stream match arrives once."""
        if event is self._last:
            return
        self._last = event
        if len(self._items) >= self._limit:
            self._missed += 1
            return
        if self._missed:
            self._tell_missed()
        self._items.append(event)

    def put_gap(self, gap: Gap) -> None:
        """Append a gap, which always fits: only connections make them."""
        if self._missed:
            self._tell_missed()
        self._items.append(gap)

    def pop(self) -> Item:
        """Remove and return the oldest item. Raises IndexError when there is none."""
        if not self._items and self._missed:
            self._tell_missed()
        return self._items.popleft()

    def _tell_missed(self) -> None:
        self._items.append(Gap(self._missed, "overflow"))
        self._missed = 0
