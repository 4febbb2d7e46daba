"""The timer queue."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from typing import Callable, Optional, SupportsFloat

from ..callbacks import CallbackHandle

#: Cancelled timers stay in the heap until there are more than this, and they are more than half of the heap.
_MANY_CANCELLED = 100


def seconds(value: SupportsFloat) -> float:
    """Convert a time to a float. A Decimal, for example, cannot be added to a float and would fail in later iterations.

    Raises TypeError if it is not a number (text is not), ValueError for NaN, OverflowError if it is too large.
    """
    if type(value) is not float:
        if not hasattr(value, "__float__") and not hasattr(value, "__index__"):
            raise TypeError(f"a time must be a number of seconds, not {type(value).__name__}")
        value = float(value)
    if math.isnan(value):
        raise ValueError("a timer's time is NaN, which is not a number")  # it would disorder all others
    return value


class TimerHandle(CallbackHandle):
    """A callback scheduled for a time, returned by the reactor's ``call_later``."""

    __slots__ = ("_queue", "_when")

    def __init__(
        self,
        when: float,
        queue: TimerQueue,
        callback: Callable[..., object],
        args: tuple[object, ...],
    ) -> None:
        super().__init__(callback, args)
        self._when = when
        self._queue: Optional[TimerQueue] = queue  # None once it has left the queue or was cancelled

    def when(self) -> float:
        """Return when the timer is due, in seconds on the reactor's clock."""
        return self._when

    def cancel(self) -> None:
        """Cancel the callback. No effect if it was already called."""
        queue, self._queue = self._queue, None
        super().cancel()
        if queue is not None:
            queue._count_cancelled()


class TimerQueue:
    """A queue of timers, ordered by time. Timers for the same time keep the order in which they were added."""

    __slots__ = ("_cancelled", "_heap", "_order")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, TimerHandle]] = []
        self._order = itertools.count()
        self._cancelled = 0  # number of cancelled timers in the heap

    def __len__(self) -> int:
        """Number of timers in the heap, including cancelled ones."""
        return len(self._heap)

    def add(self, when: float, callback: Callable[..., object], args: tuple[object, ...]) -> TimerHandle:
        """Add ``callback(*args)``, due at ``when``. Convert ``when`` with :func:`seconds` first."""
        handle = TimerHandle(when, self, callback, args)
        heapq.heappush(self._heap, (when, next(self._order), handle))
        return handle

    def next_time(self) -> Optional[float]:
        """Return the time of the next timer, or None. Remove cancelled timers that are before it."""
        heap = self._heap
        while heap:
            when, _, handle = heap[0]
            if not handle._cancelled:
                return when
            heapq.heappop(heap)
            self._cancelled -= 1
        return None

    def _count_cancelled(self) -> None:
        heap = self._heap
        self._cancelled += 1
        if _MANY_CANCELLED < self._cancelled > len(heap) // 2:
            heap[:] = [entry for entry in heap if not entry[2]._cancelled]
            heapq.heapify(heap)
            self._cancelled = 0

    def pop_due(self, now: float) -> Iterator[TimerHandle]:
        """Remove the timers that are due at ``now``. Yield them in order, without the cancelled ones."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            handle = heapq.heappop(heap)[2]
            if handle.cancelled():
                self._cancelled -= 1
            else:
                handle._queue = None
                yield handle

    def clear(self) -> None:
        """Remove all timers."""
        self._heap.clear()
        self._cancelled = 0
