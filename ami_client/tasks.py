"""Coroutine functions as callbacks, on loops that can run tasks: asyncio's and uvloop's."""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, Callable, Optional, Protocol

from .callbacks import Arguments, Callback, Wrapper, callback_name, logger, require_callable

#: How many tasks of one callback run at once by default. Further calls wait.
MAX_TASKS = 1000


class Guard(Protocol):
    """Counts failures and delays of callbacks: see :class:`ami_client._client.dispatch.Guard`."""

    clock: Callable[[], float]
    threshold: float

    def count_raised(self, cb: Callback) -> None:
        """Count and log that ``cb`` raised."""

    def count_held(self) -> None:
        """Count a call that waits for earlier calls of the same callback."""

    def count_slow(self, cb: Callback, took: float) -> None:
        """Count and log that ``cb`` took ``took`` seconds."""


class Tasks:
    """Runs coroutine functions as tasks of ``get_loop()``, and keeps the tasks until they are done.

    A task's error is logged with the callback's name. Each step of a task, from one ``await`` to the next, is timed for
    ``slow_handler``, because it blocks the loop.
    """

    def __init__(self, get_loop: Callable[[], object], guard: Guard) -> None:
        self._get_loop = get_loop
        self._guard = guard
        self._kept: set[object] = set()

    @property
    def can_run(self) -> bool:
        """Whether the loop can run tasks."""
        return hasattr(self._get_loop(), "create_task")

    def check(
        self,
        cb: Callback,
        what: str = "callback",
        arguments: Optional[Arguments] = None,
        *,
        max_tasks: Optional[int] = None,
    ) -> Callback:
        """Return ``cb``, or for a coroutine function a callback that runs it as a task.

        Raises the same TypeError as :func:`~ami_client.callbacks.require_callable`, and one for a coroutine function if
        the loop cannot run tasks.
        """
        is_coroutine = require_callable(cb, what, arguments, coroutines=True)
        if not is_coroutine:
            return cb
        if not self.can_run:
            require_callable(cb, what, arguments)  # raises
        return TaskCallback(cb, self, MAX_TASKS if max_tasks is None else max_tasks)

    def start(self, cb: Callback, coro: Coroutine[Any, Any, object], then: Callable[[bool], object]) -> None:
        """Run ``coro``, which ``cb`` returned. Call ``then(cancelled)`` when it ends."""
        loop: Any = self._get_loop()
        task = loop.create_task(self._run(cb, coro), name=callback_name(cb))
        self._kept.add(task)  # the loop itself keeps only weak references

        def done(task: Any) -> None:
            self._kept.discard(task)
            then(task.cancelled())

        task.add_done_callback(done)

    async def _run(self, cb: Callback, coro: Coroutine[Any, Any, object]) -> None:
        try:
            steps: Any = self._steps(cb, coro)  # for Python 3.9, mypy sees a plain generator
            await steps
        except Exception:
            self._guard.count_raised(cb)

    def count_held(self, cb: Callback, limit: int, *, first: bool) -> None:
        """Count a call that waits because ``limit`` tasks of ``cb`` are running. Log it if it is the ``first``."""
        self._guard.count_held()
        if first:
            logger.warning("callback %s has %d running tasks (max_tasks); further calls wait", callback_name(cb), limit)

    @coroutine
    def _steps(self, cb: Callback, coro: Coroutine[Any, Any, object]) -> Generator[Any, Any, None]:
        clock, threshold = self._guard.clock, self._guard.threshold
        value: object = None
        error: Optional[BaseException] = None
        while True:
            began = clock()
            try:
                awaited = coro.send(value) if error is None else coro.throw(error)
            except StopIteration:
                return
            finally:
                took = clock() - began
                if took >= threshold:
                    self._guard.count_slow(cb, took)
            try:
                value, error = (yield awaited), None
            except BaseException as raised:  # the awaited object failed, or the task was cancelled
                value, error = None, raised


class TaskCallback(Wrapper):
    """Calls a coroutine function and runs the coroutine as a task.

    At most ``max_tasks`` run at once. Further calls wait in a queue, in order. The queue is not bounded.
    """

    starts_tasks = True

    def __init__(self, func: Callback, tasks: Tasks, max_tasks: int) -> None:
        super().__init__(func)
        self._tasks = tasks
        self._max_tasks = max_tasks
        self._running = 0
        self._held: deque[tuple[object, ...]] = deque()

    def __call__(self, *args: object, **kwargs: object) -> object:
        if self._running < self._max_tasks:
            self._start(args)
        else:
            self._held.append(args)
            self._tasks.count_held(self.func, self._max_tasks, first=len(self._held) == 1)
        return None

    def _start(self, args: tuple[object, ...]) -> None:
        coro: Any = self.func(*args)
        self._tasks.start(self.func, coro, self._ended)
        self._running += 1

    def _ended(self, cancelled: bool) -> None:
        self._running -= 1
        if cancelled:  # the loop is shutting down: start no more
            self._held.clear()
        elif self._held:
            self._start(self._held.popleft())
