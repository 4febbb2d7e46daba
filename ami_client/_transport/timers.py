"""Scheduled callbacks: the handles that stand for them, and the timers in order of their times."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from typing import Callable, Optional, SupportsFloat

from ..callbacks import call_guarded

#: Cancelled timers are left in the heap until there are so many and they are most of it.
_MANY_CANCELLED = 100


def seconds(value: SupportsFloat) -> float:
    """A time as a float: a Decimal, say, cannot be added to one, and would be found out in each later turn.

    Raises TypeError for what is no number (text is none), ValueError for NaN, OverflowError for what no float holds.
    """
    if type(value) is not float:
        if not hasattr(value, "__float__") and not hasattr(value, "__index__"):
            raise TypeError(f"a time is a number of seconds, not {type(value).__name__}")
        value = float(value)
    if math.isnan(value):
        raise ValueError("a timer's time is not a number")  # it would disorder all others
    return value


class CallbackHandle:
    """A scheduled callback, as the reactor's ``call_soon`` returns it."""

    __slots__ = ("_args", "_callback", "_cancelled")

    def __init__(self, callback: Callable[..., object], args: tuple[object, ...]) -> None:
        if not callable(callback):
            raise TypeError(f"a callback must be callable, not {type(callback).__name__}")
        self._callback: Optional[Callable[..., object]] = callback
        self._args = args
        self._cancelled = False

    def cancel(self) -> None:
        """Keep the callback from being called; no effect when it has been."""
        self._cancelled = True
        # A cancelled timer may stay in the heap for long: what it refers to need not.
        self._callback, self._args = None, ()

    def cancelled(self) -> bool:
        """Return whether it was cancelled."""
        return self._cancelled

    def run(self) -> bool:
        """Call it, guarded; returns False when it was cancelled."""
        callback = self._callback
        if callback is None:
            return False
        call_guarded(callback, *self._args)
        return True


class TimerHandle(CallbackHandle):
    """A callback scheduled for a time, as the reactor's ``call_later`` returns it."""

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
        self._queue: Optional[TimerQueue] = queue  # until it leaves it or is cancelled

    def when(self) -> float:
        """Return the time at which it is due, seconds on the reactor's clock."""
        return self._when

    def cancel(self) -> None:
        """Keep the callback from being called; no effect when it has been."""
        queue, self._queue = self._queue, None
        if queue is not None:
            queue._cancelled += 1
        super().cancel()


class TimerQueue:
    """Timers in order of their times, equal ones as they were added."""

    __slots__ = ("_cancelled", "_heap", "_order")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, TimerHandle]] = []
        self._order = itertools.count()
        self._cancelled = 0  # of those in the heap

    def __len__(self) -> int:
        """How many are kept, cancelled ones included."""
        return len(self._heap)

    def add(self, when: float, callback: Callable[..., object], args: tuple[object, ...]) -> TimerHandle:
        """Add ``callback(*args)``, due at ``when``, as :func:`seconds` returns it."""
        handle = TimerHandle(when, self, callback, args)
        heapq.heappush(self._heap, (when, next(self._order), handle))
        return handle

    def next_time(self) -> Optional[float]:
        """Return when the next timer is due, None without any; forgets what was cancelled."""
        heap = self._heap
        if _MANY_CANCELLED < self._cancelled > len(heap) // 2:
            heap[:] = [entry for entry in heap if not entry[2].cancelled()]
            heapq.heapify(heap)
            self._cancelled = 0
        while heap and heap[0][2].cancelled():
            heapq.heappop(heap)
            self._cancelled -= 1
        return heap[0][0] if heap else None

    def pop_due(self, now: float) -> Iterator[TimerHandle]:
        """Remove the timers due at ``now``, and give them in order without the cancelled ones."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            handle = heapq.heappop(heap)[2]
            if handle.cancelled():
                self._cancelled -= 1
            else:
                handle._queue = None
                yield handle

    def clear(self) -> None:
        """Forget all."""
        self._heap.clear()
        self._cancelled = 0
