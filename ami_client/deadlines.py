"""The time limits of the actions in flight."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Callable, Optional

from .pending import Pending

if TYPE_CHECKING:
    from .loop import Handle, Loop

# So many are kept before those that were answered meanwhile are looked for:
_MANY = 1000  # actions with one limit
_MANY_LIMITS = 32


class _Queue:
    def __init__(self) -> None:
        self.waiting: deque[Pending] = deque()
        self.many = _MANY
        self.timer: Optional[Handle] = None


class Deadlines:
    """Calls ``on_late(pending)`` for each action that is not answered in time.

    Nearly all actions of a connection have the same limit and so fall due in the order of sending. A queue for each
    limit in use, with one timer, costs a tenth of a timer for each action.
    """

    def __init__(self, loop: Loop, on_late: Callable[[Pending], object]) -> None:
        self._loop = loop
        self._on_late = on_late
        self._queues: dict[float, _Queue] = {}
        self._many = _MANY_LIMITS

    def add(self, pending: Pending, limit: float) -> None:
        """Watch an action whose ``deadline`` is ``limit`` seconds from now."""
        queue = self._queues.get(limit)
        if queue is None:
            if len(self._queues) >= self._many:
                self._sweep()
            queue = _Queue()
            self._wait(limit, queue, limit)
            self._queues[limit] = queue
        waiting = queue.waiting
        while waiting and waiting[0].callback is None:
            waiting.popleft()
        waiting.append(pending)
        if len(waiting) > queue.many:  # one that takes long stands before many that were answered
            queue.waiting = deque(one for one in waiting if one.callback is not None)
            queue.many = max(_MANY, 2 * len(queue.waiting))

    def _sweep(self) -> None:
        """Let go of the limits that nobody waits for any more."""
        for limit, queue in list(self._queues.items()):
            if queue.timer is not None and all(one.callback is None for one in queue.waiting):
                queue.timer.cancel()
                del self._queues[limit]
        self._many = max(_MANY_LIMITS, 2 * len(self._queues))

    def clear(self) -> None:
        """Watch nothing any more."""
        for queue in self._queues.values():
            queue.waiting.clear()
            if queue.timer is not None:
                queue.timer.cancel()
        self._queues.clear()

    def _wait(self, limit: float, queue: _Queue, delay: float) -> None:
        queue.timer = self._loop.call_later(delay, self._due, limit, queue)

    def _due(self, limit: float, queue: _Queue) -> None:
        now = self._loop.time()
        queue.timer = None
        try:
            while queue.waiting and (queue.waiting[0].callback is None or queue.waiting[0].deadline <= now):
                pending = queue.waiting.popleft()
                if pending.callback is not None:
                    self._on_late(pending)
        finally:  # even when a KeyboardInterrupt passes
            if queue.waiting:
                self._wait(limit, queue, max(0.0, queue.waiting[0].deadline - now))
            elif self._queues.get(limit) is queue:
                del self._queues[limit]
