"""Queues of callbacks, and the one place where user code is called.

Source: phpDaemon Structures/StackCallbacks.php, PriorityQueueCallbacks.php.
"""

from __future__ import annotations

import functools
import heapq
import inspect
import logging
import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Coroutine, Generator
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR, CO_VARARGS
from itertools import count
from numbers import Real
from types import CodeType, FunctionType, MethodType, WrapperDescriptorType
from typing import Callable, Optional

from .php import PHPNames
from .stats import Stats

logger = logging.getLogger("ami_client")
logger.addHandler(logging.NullHandler())

Callback = Callable[..., object]
Arguments = tuple[str, ...]  # their names, for errors

CONN: Arguments = ("conn",)
CONN_PACKET: Arguments = ("conn", "packet")

# What a call makes in place of running the code: the flag of its code, what it is called, and what nobody would do.
_UNRUN = {
    CO_COROUTINE: "a coroutine function: nobody would await it",
    CO_GENERATOR: "a generator function: nobody would run it",
    CO_ASYNC_GENERATOR: "an asynchronous generator function: nobody would run it",
}
_UNRUN_FLAGS = CO_COROUTINE | CO_GENERATOR | CO_ASYNC_GENERATOR
_UNUSUAL_FLAGS = _UNRUN_FLAGS | CO_VARARGS


def call_guarded(cb: Callback, *args: object, **kwargs: object) -> object:
    """Call user code; an exception is logged with its traceback and goes no further.

    Returns what ``cb`` returned, None after an exception and in place of what nobody would run. KeyboardInterrupt and
    SystemExit pass: they are for the whole program. A CancelledError does not, nor a GeneratorExit: they are about a
    future or a generator that the callback has to do with, and the loop that runs the callback is neither.
    """
    try:
        result = cb(*args, **kwargs)
        return None if result is not None and is_unrun(cb, result) else result
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        _log_raised(cb)
        return None


class Guard:
    """Calls user code as :func:`call_guarded` does; counts what failed, and counts and logs what was slow.

    ``clock`` is the loop's, ``threshold`` the seconds from which a callback is slow, None for never.

    An event's way to its handlers does the same in its own loop: ``Dispatch.run``.
    """

    def __init__(self, clock: Callable[[], float], threshold: Optional[float], stats: Stats) -> None:
        self.clock = clock
        self.threshold = float("inf") if threshold is None else threshold
        self._stats = stats

    def __call__(self, cb: Callback, *args: object, **kwargs: object) -> object:
        began = self.clock()
        try:
            result = cb(*args, **kwargs)
            return None if result is not None and self.is_unrun(cb, result) else result
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
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

    def is_unrun(self, cb: Callback, result: object) -> bool:
        """As :func:`is_unrun`; it counts as an error."""
        unrun = is_unrun(cb, result)
        self._stats.handler_errors += unrun
        return unrun

    def count_slow(self, cb: Callback, took: float) -> None:
        """``cb`` took so many seconds, ``threshold`` or more."""
        self._stats.slow_handlers += 1
        logger.warning("callback %s took %.3f s: nothing else could run meanwhile", callback_name(cb), took)


def _log_raised(cb: Callback) -> None:
    logger.exception("callback %s raised", callback_name(cb))


def is_unrun(cb: Callback, result: object) -> bool:
    """Whether ``cb`` has returned a coroutine or a generator, which nobody runs: it is logged, and closed."""
    if not isinstance(result, (Coroutine, Generator, AsyncGenerator)):
        return False
    kind = "a coroutine" if isinstance(result, Coroutine) else "a generator"
    logger.error("callback %s returned %s, which nobody runs", callback_name(cb), kind)
    if isinstance(result, Coroutine):  # else Python warns that it was never awaited
        call_guarded(result.close)
    return True


def callback_name(cb: Callback) -> str:
    """The name under which a callback appears in logs, without the values that it may carry."""
    while isinstance(cb, (functools.partial, Wrapper)):
        cb = cb.func
    name = getattr(cb, "__qualname__", None)
    return f"{getattr(cb, '__module__', '?')}.{name}" if name else type(cb).__qualname__


def require_callable(cb: object, what: str = "callback", arguments: Optional[Arguments] = None) -> None:
    """Raise TypeError at once for what could not be called later, with these arguments, or would do nothing.

    What would do nothing is a function whose call makes a coroutine or a generator, for nobody would run that.
    """
    # Most are plain functions and methods, and each action comes this way: their code tells, much sooner.
    if type(cb) is FunctionType:
        code = cb.__code__
        if not code.co_flags & _UNUSUAL_FLAGS and (
            arguments is None or (code.co_argcount == len(arguments) and not code.co_kwonlyargcount)
        ):
            return
    elif type(cb) is MethodType and type(cb.__func__) is FunctionType:
        code = cb.__func__.__code__
        if not code.co_flags & _UNUSUAL_FLAGS and (
            arguments is None or (code.co_argcount == len(arguments) + 1 and not code.co_kwonlyargcount)
        ):
            return
    if not callable(cb):
        raise TypeError(f"{what} must be callable, not {type(cb).__name__}")
    unrun = _unrun(cb)
    if unrun:
        raise TypeError(f"{what} must be a plain function, not {unrun}")
    if arguments is not None and not _takes(cb, len(arguments)):
        raise TypeError(f"{what} must take ({', '.join(arguments)}), and {callback_name(cb)} does not")


def _unrun(cb: object) -> Optional[str]:
    """What a callable is whose call would make something that nobody runs, else None."""
    if type(cb) is FunctionType and not cb.__dict__:  # nothing more is known of it than its code
        return _unrun_by(cb.__code__.co_flags) if cb.__code__.co_flags & _UNRUN_FLAGS else None
    if type(cb) in (MethodType, staticmethod, classmethod):
        return _unrun(cb.__func__)  # type: ignore[attr-defined]
    if isinstance(cb, (functools.partial, functools.partialmethod, Wrapper)):
        return _unrun(cb.func)
    if isinstance(cb, (type, WrapperDescriptorType)):
        return None
    if isinstance(cb, FunctionType):
        for name in ("_partialmethod", "__partialmethod__"):  # which has made it; the name until Python 3.12, and since
            if isinstance(cb.__dict__.get(name), functools.partialmethod):
                return _unrun(cb.__dict__[name])
    if _is_marked(cb):
        return _UNRUN[CO_COROUTINE]
    flags = getattr(getattr(cb, "__code__", None), "co_flags", None)  # an AsyncMock has such a code as well
    if isinstance(flags, int):
        return _unrun_by(flags)
    return _unrun(type(cb).__call__)  # an object that can be called


def _unrun_by(flags: int) -> Optional[str]:
    return next((text for flag, text in _UNRUN.items() if flags & flag), None)


def _is_marked(cb: object) -> bool:
    """Whether it says that it is a coroutine function; its code need not be one."""
    if not _is_posing(cb) and inspect.iscoroutinefunction(cb):
        return True
    mark = getattr(sys.modules.get("asyncio.coroutines"), "_is_coroutine", None)
    return mark is not None and getattr(cb, "_is_coroutine", None) is mark


def _is_posing(cb: object) -> bool:
    """Whether it is a mock that takes itself for a function, and takes anything: ``Mock(spec=function)``."""
    return isinstance(cb, (FunctionType, MethodType)) and not isinstance(getattr(cb, "__code__", None), CodeType)


def _takes(cb: Callback, count: int) -> bool:
    """Whether ``cb`` can be called with so many positional arguments; True for what does not say what it takes.

    What counts is what is called. That a decorator names a function that it wraps says nothing of its own arguments.
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
        if not cb.__dict__:  # else it may say in which way its *args are less than any number
            return True
    if _is_posing(cb):
        return True
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
    """Whether ``cb`` has room for one positional argument and not for two."""
    return not _takes(cb, 2) and _takes(cb, 1)


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


def trim_arguments(cb: Callback, what: str = "callback") -> Callback:
    """Adapt a ``cb(conn)`` to the shape ``cb(conn, packet)``, which comes back as it is.

    Raises TypeError for what is neither, as :func:`require_callable` does.
    """
    require_callable(cb, what)
    if takes_one_argument(cb):
        return OneArgument(cb)
    if not _takes(cb, 2):
        raise TypeError(f"{what} must take (conn, packet) or (conn), and {callback_name(cb)} does not")
    return cb


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
