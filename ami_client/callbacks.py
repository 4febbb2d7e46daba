"""Callbacks: checks, guarded calls, handles and queues.

Source: phpDaemon Structures/StackCallbacks.php, PriorityQueueCallbacks.php.
"""

from __future__ import annotations

import functools
import heapq
import logging
import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Coroutine, Generator
from itertools import count
from types import CodeType, FunctionType, MethodType, WrapperDescriptorType
from typing import Callable, Optional

from .php import PHPNames

logger = logging.getLogger("ami_client")
logger.addHandler(logging.NullHandler())

Callback = Callable[..., object]
Arguments = tuple[str, ...]  # argument names, for error messages

CONN: Arguments = ("conn",)
CONN_PACKET: Arguments = ("conn", "packet")

# Flags of code objects: Include/cpython/code.h. They are in inspect too, which is a slow import (benchmark h).
CO_VARARGS, CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR = 0x04, 0x20, 0x80, 0x200

# Flags of functions whose call creates an object instead of running the code, and how errors describe them.
_UNRUN = {
    CO_COROUTINE: "a coroutine function: nobody would await it (a pool on asyncio's loop would run it as a task)",
    CO_GENERATOR: "a generator function: nobody would run it",
    CO_ASYNC_GENERATOR: "an asynchronous generator function: nobody would run it",
}
_UNRUN_FLAGS = CO_COROUTINE | CO_GENERATOR | CO_ASYNC_GENERATOR
_UNUSUAL_FLAGS = _UNRUN_FLAGS | CO_VARARGS


def call_guarded(cb: Callback, *args: object, **kwargs: object) -> object:
    """Call user code. Log an exception with its traceback, and suppress it.

    Returns the result of ``cb``. Returns None after an exception, and if ``cb`` returned a coroutine or a generator,
    which nobody would run. KeyboardInterrupt and SystemExit propagate, because they concern the whole program.
    CancelledError and GeneratorExit do not: they concern a future or generator of the callback, not the loop that calls
    it.
    """
    try:
        result = cb(*args, **kwargs)
        return None if result is not None and is_unrun(cb, result) else result
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        log_raised(cb)
        return None


class CallbackHandle:
    """A scheduled callback, returned by the reactor's ``call_soon``."""

    __slots__ = ("_args", "_callback", "_cancelled")

    def __init__(self, callback: Callable[..., object], args: tuple[object, ...]) -> None:
        if not callable(callback):
            raise TypeError(f"a callback must be callable, not {type(callback).__name__}")
        self._callback: Optional[Callable[..., object]] = callback
        self._args = args
        self._cancelled = False

    def cancel(self) -> None:
        """Cancel the callback. No effect if it was already called."""
        self._cancelled = True
        # A cancelled timer may stay in the heap for a long time. Release what it refers to.
        self._callback, self._args = None, ()

    def cancelled(self) -> bool:
        """Return whether the callback was cancelled."""
        return self._cancelled

    def run(self) -> bool:
        """Call the callback, guarded as by :func:`call_guarded`. Return False if it was cancelled."""
        callback = self._callback
        if callback is None:
            return False
        call_guarded(callback, *self._args)
        return True


def log_raised(cb: Callback) -> None:
    """Log that ``cb`` raised. Call this in the ``except`` clause."""
    logger.exception("callback %s raised", callback_name(cb))


def is_unrun(cb: Callback, result: object) -> bool:
    """Return whether ``result`` is a coroutine or a generator, which nobody runs. Log it, and close a coroutine."""
    if not isinstance(result, (Coroutine, Generator, AsyncGenerator)):
        return False
    kind = "a coroutine" if isinstance(result, Coroutine) else "a generator"
    logger.error("callback %s returned %s, which nobody runs", callback_name(cb), kind)
    if isinstance(result, Coroutine):  # otherwise Python warns that it was never awaited
        call_guarded(result.close)
    return True


def callback_name(cb: Callback) -> str:
    """Return the name of a callback for logs, without argument values that it may carry."""
    while isinstance(cb, (functools.partial, Wrapper)):
        cb = cb.func
    name = getattr(cb, "__qualname__", None)
    return f"{getattr(cb, '__module__', '?')}.{name}" if name else type(cb).__qualname__


def is_plain(cb: object, count: Optional[int]) -> bool:
    """Return whether ``cb`` is a plain function or method with exactly ``count`` arguments, as most callbacks are.

    None means any arguments.

    Short way of :func:`require_callable`. Every action takes it: it saves 5% (benchmark d100).
    """
    bound = 0
    if type(cb) is FunctionType:
        code = cb.__code__
    elif type(cb) is MethodType and type(cb.__func__) is FunctionType:
        code, bound = cb.__func__.__code__, 1
    else:
        return False
    if code.co_flags & _UNUSUAL_FLAGS:
        return False
    return count is None or (code.co_argcount == count + bound and not code.co_kwonlyargcount)


def require_callable(
    cb: object, what: str = "callback", arguments: Optional[Arguments] = None, *, coroutines: bool = False
) -> bool:
    """Raise TypeError now for a callback that would fail later: not callable, or not with these arguments.

    Coroutine and generator functions raise too: calling one only creates a coroutine or a generator, which nobody would
    run. With ``coroutines``, coroutine functions are allowed. Returns whether ``cb`` is a coroutine function.
    """
    if is_plain(cb, None if arguments is None else len(arguments)):
        return False
    if not callable(cb):
        raise TypeError(f"{what} must be callable, not {type(cb).__name__}")
    unrun = _unrun(cb)
    is_coroutine = unrun == _UNRUN[CO_COROUTINE]
    if unrun and not (coroutines and is_coroutine):
        raise TypeError(f"{what} must be a plain function, not {unrun}")
    if arguments is not None and not _takes(cb, len(arguments)):
        raise TypeError(f"{what} must take ({', '.join(arguments)}), and {callback_name(cb)} does not")
    return is_coroutine


def _unrun(cb: object) -> Optional[str]:
    """Describe a callable whose call would create something that nobody runs. None for any other callable."""
    if type(cb) is FunctionType and not cb.__dict__:  # a plain function: its code tells everything
        return _unrun_by(cb.__code__.co_flags) if cb.__code__.co_flags & _UNRUN_FLAGS else None
    if type(cb) in (MethodType, staticmethod, classmethod):
        return _unrun(cb.__func__)  # type: ignore[attr-defined]
    if isinstance(cb, Wrapper) and cb.starts_tasks:
        return None
    if isinstance(cb, (functools.partial, functools.partialmethod, Wrapper)):
        return _unrun(cb.func)
    if isinstance(cb, (type, WrapperDescriptorType)):
        return None
    if isinstance(cb, FunctionType):
        for name in ("_partialmethod", "__partialmethod__"):  # up to Python 3.12; since 3.13
            if isinstance(cb.__dict__.get(name), functools.partialmethod):
                return _unrun(cb.__dict__[name])
    if _is_marked(cb):
        return _UNRUN[CO_COROUTINE]
    flags = getattr(getattr(cb, "__code__", None), "co_flags", None)  # an AsyncMock has such a code object too
    if isinstance(flags, int):
        return _unrun_by(flags)
    return _unrun(type(cb).__call__)  # a callable object


def _unrun_by(flags: int) -> Optional[str]:
    return next((text for flag, text in _UNRUN.items() if flags & flag), None)


def _is_marked(cb: object) -> bool:
    """Return whether ``cb`` is marked as a coroutine function, whatever its code is."""
    import inspect  # slow: see CO_VARARGS

    if not _is_posing(cb) and inspect.iscoroutinefunction(cb):
        return True
    mark = getattr(sys.modules.get("asyncio.coroutines"), "_is_coroutine", None)
    return mark is not None and getattr(cb, "_is_coroutine", None) is mark


def _is_posing(cb: object) -> bool:
    """Return whether ``cb`` is a mock that poses as a function and accepts any arguments: ``Mock(spec=function)``."""
    return isinstance(cb, (FunctionType, MethodType)) and not isinstance(getattr(cb, "__code__", None), CodeType)


def _takes(cb: Callback, count: int) -> bool:
    """Return whether ``cb`` accepts ``count`` positional arguments. True if it has no signature.

    Only the signature of ``cb`` itself counts: a decorated function may take other arguments than the one it wraps.
    """
    while type(cb) is MethodType:
        cb, count = cb.__func__, count + 1
    if type(cb) is FunctionType:
        code = cb.__code__
        optional = len(cb.__defaults__ or ())
        given = cb.__kwdefaults__ or {}
        names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        fits = code.co_argcount - optional <= count and all(name in given for name in names)
        if not fits or not code.co_flags & CO_VARARGS:
            return fits and count <= code.co_argcount
        if not cb.__dict__:  # otherwise its __signature__ may be narrower than *args
            return True
    if _is_posing(cb):
        return True
    import inspect  # slow: see CO_VARARGS

    try:
        signature = inspect.signature(cb, follow_wrapped=False)
    except (TypeError, ValueError):  # some built-ins have none
        return True
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def takes_one_argument(cb: Callback) -> bool:
    """Return whether ``cb`` accepts one positional argument but not two."""
    return not _takes(cb, 2) and _takes(cb, 1)


class Wrapper(ABC):
    """A callback around another one. It equals the other, so unbinding finds it. Logs show the other's name."""

    #: Whether it wraps a coroutine function, and starts each coroutine as a task.
    starts_tasks = False

    def __init__(self, func: Callback) -> None:
        self.func = func

    def __eq__(self, other: object) -> bool:
        return bool(self.func == (other.func if isinstance(other, Wrapper) else other))

    def __hash__(self) -> int:
        return hash(self.func)

    @abstractmethod
    def __call__(self, *args: object, **kwargs: object) -> object: ...


class OneArgument(Wrapper):
    """Adapts a ``cb(conn)`` to the signature ``cb(conn, packet)``."""

    def __call__(self, *args: object, **kwargs: object) -> object:
        return self.func(args[0])


def trim_arguments(cb: Callback, what: str = "callback", *, coroutines: bool = False) -> Callback:
    """Adapt a ``cb(conn)`` to the signature ``cb(conn, packet)``. Return a ``cb(conn, packet)`` unchanged.

    Raises the same TypeError as :func:`require_callable` for any other callback.
    """
    require_callable(cb, what, coroutines=coroutines)
    if takes_one_argument(cb):
        return OneArgument(cb)
    if not _takes(cb, 2):
        raise TypeError(f"{what} must take (conn, packet) or (conn), and {callback_name(cb)} does not")
    return cb


class _Callbacks(ABC, PHPNames):
    """A queue of callbacks. Each one leaves the queue before ``call(cb, *args)`` calls it."""

    def __init__(self, call: Callback = call_guarded) -> None:
        self._call = call

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def pop(self) -> Callback:
        """Remove and return the next callback. Raises IndexError if there is none."""

    def execute_one(self, *args: object) -> bool:
        """Remove and call the next callback. Return False if there is none."""
        if not self:
            return False
        self._call(self.pop(), *args)
        return True

    def execute_all(self, *args: object) -> int:
        """Call callbacks until none is left, including those that they add. Return how many were called."""
        done = 0
        while self.execute_one(*args):
            done += 1
        return done


def _is_real(value: object) -> bool:
    if isinstance(value, (int, float)):
        return True
    from numbers import Real  # others are rare

    return isinstance(value, Real)


class StackCallbacks(_Callbacks):
    """Callbacks that run in the order of arrival."""

    def __init__(self, call: Callback = call_guarded) -> None:
        super().__init__(call)
        self._queue: deque[Callback] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    def push(self, cb: Callback) -> None:
        """Append a callback. Raises TypeError if it cannot be called."""
        require_callable(cb)
        self._queue.append(cb)

    def remove(self, cb: Callback) -> bool:
        """Remove exactly this object. Return whether it was there."""
        left = [one for one in self._queue if one is not cb]
        removed = len(left) < len(self._queue)
        self._queue = deque(left)
        return removed

    def pop(self) -> Callback:
        """Remove and return the oldest callback. Raises IndexError if there is none."""
        return self._queue.popleft()


class PriorityQueueCallbacks(_Callbacks):
    """Callbacks that run by priority, higher first. Callbacks of equal priority run in the order of arrival."""

    def __init__(self, call: Callback = call_guarded) -> None:
        super().__init__(call)
        self._heap: list[tuple[float, int, Callback]] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._heap)

    def insert(self, cb: Callback, pri: float = 0, place: Optional[int] = None) -> int:
        """Add a callback. Return its place among those of equal priority; pass ``place`` later to restore it there.

        Raises TypeError if it cannot be called, or for a priority that is not a number.
        """
        require_callable(cb)
        if not _is_real(pri) or pri != pri:  # a NaN would disorder all others
            raise TypeError(f"pri must be a number, not {pri!r}")
        place = next(self._order) if place is None else place
        heapq.heappush(self._heap, (-pri, place, cb))
        return place

    def remove(self, cb: Callback) -> Optional[Callback]:
        """Remove and return the first callback that equals ``cb``; None if there is none."""
        found = min((one for one in self._heap if one[2] == cb), default=None)
        if found is None:
            return None
        self._heap.remove(found)
        heapq.heapify(self._heap)
        return found[2]

    def pop(self) -> Callback:
        """Remove and return the next callback. Raises IndexError if there is none."""
        return heapq.heappop(self._heap)[2]
