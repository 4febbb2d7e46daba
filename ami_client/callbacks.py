"""Queues of callbacks, and the one place where user code is called.

Source: phpDaemon Structures/StackCallbacks.php, PriorityQueueCallbacks.php.
"""

from __future__ import annotations

import functools
import heapq
import inspect
import logging
import types
from abc import ABC, abstractmethod
from collections import deque
from itertools import count
from numbers import Real
from typing import Callable, Optional

from .php import PHPNames
from .stats import Stats

logger = logging.getLogger("ami_client")
logger.addHandler(logging.NullHandler())

Callback = Callable[..., object]


def call_guarded(cb: Callback, *args: object, **kwargs: object) -> object:
    """Call user code; an exception is logged with its traceback and goes no further.

    Returns what ``cb`` returned, None after an exception. KeyboardInterrupt, SystemExit and all else that is no
    Exception pass: they are for the whole program (or for the test that runs it).
    """
    try:
        return cb(*args, **kwargs)
    except Exception:
        _log_raised(cb)
        return None


class Guard:
    """Calls user code as :func:`call_guarded` does; counts what raised, and counts and logs what was slow.

    ``clock`` is the loop's, ``threshold`` the seconds from which a callback is slow, None for never.

    An event's way to its handlers does the same in its own loop: ``Intake._handle``.
    """

    def __init__(self, clock: Callable[[], float], threshold: Optional[float], stats: Stats) -> None:
        self.clock = clock
        self.threshold = float("inf") if threshold is None else threshold
        self._stats = stats

    def __call__(self, cb: Callback, *args: object, **kwargs: object) -> object:
        began = self.clock()
        try:
            return cb(*args, **kwargs)
        except Exception:
            self.count_raised(cb)
            return None
        finally:
            took = self.clock() - began
            if took >= self.threshold:
                self.count_slow(cb, took)

    def count_raised(self, cb: Callback) -> None:
        """``cb`` has raised."""
        self._stats.handler_errors += 1
        _log_raised(cb)

    def count_slow(self, cb: Callback, took: float) -> None:
        """``cb`` took so many seconds, ``threshold`` or more."""
        self._stats.slow_handlers += 1
        logger.warning("callback %s took %.3f s: nothing else could run meanwhile", callback_name(cb), took)


def _log_raised(cb: Callback) -> None:
    logger.exception("callback %s raised", callback_name(cb))


def callback_name(cb: Callback) -> str:
    """The name under which a callback appears in logs, without the values that it may carry."""
    while isinstance(cb, (functools.partial, Wrapper)):
        cb = cb.func
    name = getattr(cb, "__qualname__", None)
    return f"{getattr(cb, '__module__', '?')}.{name}" if name else type(cb).__qualname__


def require_callable(cb: object, what: str = "callback") -> None:
    """Raise TypeError at once for what could not be called later, or would do nothing: a coroutine function."""
    if not callable(cb):
        raise TypeError(f"{what} must be callable, not {type(cb).__name__}")
    if isinstance(cb, types.FunctionType):  # of a plain function, which most are, its flags tell as much, much sooner
        coroutine = bool(cb.__code__.co_flags & inspect.CO_COROUTINE)
    else:
        coroutine = inspect.iscoroutinefunction(cb)
    if coroutine:
        raise TypeError(f"{what} must be a plain function, not a coroutine function: nobody would await it")


def takes_one_argument(cb: Callback) -> bool:
    """Whether ``cb`` has room for one positional argument and not for two."""
    try:
        signature = inspect.signature(cb)
    except (TypeError, ValueError):  # some built-ins have none
        return False
    try:
        signature.bind(None, None)
    except TypeError:
        return True
    return False


class Wrapper(ABC):
    """A callback around another one: equal to it, so that it can be unbound by it, and called like it in logs."""

    def __init__(self, func: Callback) -> None:
        self.func = func

    def __eq__(self, other: object) -> bool:
        return bool(self.func == (other.func if isinstance(other, Wrapper) else other))

    def __hash__(self) -> int:
        return hash(self.func)

    @abstractmethod
    def __call__(self, *args: object, **kwargs: object) -> object: ...


class OneArgument(Wrapper):
    """A ``cb(conn)`` in the shape ``cb(conn, packet)``."""

    def __call__(self, *args: object, **kwargs: object) -> object:
        return self.func(args[0])


def trim_arguments(cb: Callback) -> Callback:
    """Adapt a ``cb(conn)`` to the shape ``cb(conn, packet)``; any other callback comes back as it is."""
    return OneArgument(cb) if takes_one_argument(cb) else cb


class _Callbacks(ABC, PHPNames):
    """A queue of callbacks; each leaves it before ``call(cb, *args)`` calls it."""

    def __init__(self, call: Callback = call_guarded) -> None:
        self._call = call

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def pop(self) -> Callback:
        """Remove and return the callback that is next. Raises IndexError when there is none."""

    def execute_one(self, *args: object) -> bool:
        """Call and remove the callback that is next; False if there was none."""
        if not self:
            return False
        self._call(self.pop(), *args)
        return True

    def execute_all(self, *args: object) -> int:
        """Call and remove callbacks, those added meanwhile included, until none is left; return how many."""
        done = 0
        while self.execute_one(*args):
            done += 1
        return done


class StackCallbacks(_Callbacks):
    """Callbacks that run first come, first served."""

    def __init__(self, call: Callback = call_guarded) -> None:
        super().__init__(call)
        self._queue: deque[Callback] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    def push(self, cb: Callback) -> None:
        """Put a callback at the end. Raises TypeError if it cannot be called."""
        require_callable(cb)
        self._queue.append(cb)

    def remove(self, cb: Callback) -> bool:
        """Take out this very callback; returns whether it was there."""
        left = [one for one in self._queue if one is not cb]
        removed = len(left) < len(self._queue)
        self._queue = deque(left)
        return removed

    def pop(self) -> Callback:
        """Remove and return the oldest callback. Raises IndexError when there is none."""
        return self._queue.popleft()


class PriorityQueueCallbacks(_Callbacks):
    """Callbacks that run by priority, higher first; equal ones first come, first served."""

    def __init__(self, call: Callback = call_guarded) -> None:
        super().__init__(call)
        self._heap: list[tuple[float, int, Callback]] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._heap)

    def insert(self, cb: Callback, pri: float = 0, place: Optional[int] = None) -> int:
        """Add a callback; returns its place among those of the same priority, with which it can be put back later.

        Raises TypeError if it cannot be called, or for a priority that is not a number.
        """
        require_callable(cb)
        if not isinstance(pri, Real) or pri != pri:  # a NaN would disorder all others
            raise TypeError(f"a priority is a number, not {pri!r}")
        place = next(self._order) if place is None else place
        heapq.heappush(self._heap, (-pri, place, cb))
        return place

    def pop(self) -> Callback:
        """Remove and return the callback that is next. Raises IndexError when there is none."""
        return heapq.heappop(self._heap)[2]
