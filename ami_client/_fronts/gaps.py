"""A bounded buffer of events. It marks where events are missing."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Callable, Generic, Optional, TypeVar, Union

from ..errors import AMIError
from ..packet import Packet


@dataclass(frozen=True)
class Gap:
    """Takes the place of missing events in a stream.

    Attributes:
        count: how many events are missing; None if that is unknown.
        reason: ``overflow``: the stream was read too slowly. ``lost``: the connection was lost. ``back``: the client is
            logged in again, and events follow.
    """

    count: Optional[int]
    reason: str


Item = TypeVar("Item")


class BoundedBuffer(Generic[Item]):
    """Up to ``limit`` items that wait for their reader. Further ones are counted and reported as a gap.

    ``make_gap(count)`` makes the item that takes their place.
    """

    def __init__(self, limit: int, make_gap: Callable[[int], Item]) -> None:
        self._limit = limit
        self._make_gap = make_gap
        self._items: deque[Item] = deque()
        self._missed = 0

    def __bool__(self) -> bool:
        return bool(self._items or self._missed)

    def put(self, item: Item) -> None:
        """Append an item. If there is no room, count it."""
        if len(self._items) >= self._limit:
            self._missed += 1
        else:
            self._append(item)

    def pop(self) -> Item:
        """Remove and return the oldest item. Raises IndexError if there is none."""
        if not self._items and self._missed:
            self._tell_missed()
        return self._items.popleft()

    def _append(self, item: Item) -> None:
        if self._missed:
            self._tell_missed()
        self._items.append(item)

    def _tell_missed(self) -> None:
        self._items.append(self._make_gap(self._missed))
        self._missed = 0


class EventBuffer(BoundedBuffer[Union[Packet, Gap]]):
    """The buffer of an event stream. An event that matches several names of the stream arrives once.

    Attributes: ``ended``, whether nothing follows; ``error``, the reason, or None if nothing went wrong.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(limit, lambda count: Gap(count, "overflow"))
        self.ended = False
        self.error: Optional[AMIError] = None
        self._last: Union[Packet, Gap, None] = None

    def put(self, item: Union[Packet, Gap]) -> None:
        """Append an event. If there is no room, count it."""
        if item is not self._last:
            self._last = item
            super().put(item)

    def put_gap(self, gap: Gap) -> None:
        """Append a gap. It always fits, because only losses and reconnects make gaps."""
        self._append(gap)

    def end(self, error: Optional[AMIError]) -> None:
        """End the buffer: with ``error``, or without one if the stream or its client was closed."""
        self.ended, self.error = True, self.error or error
