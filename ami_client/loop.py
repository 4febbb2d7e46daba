"""The event loop interface that connections need.

The names are asyncio's, so asyncio's and uvloop's loops satisfy it unchanged. So does our own
:class:`~ami_client.reactor.Reactor`.
"""

from __future__ import annotations

from types import ModuleType
from typing import Callable, Protocol, Union, cast, runtime_checkable


class Handle(Protocol):
    """A scheduled callback that can be cancelled."""

    def cancel(self) -> object:
        """Cancel the callback. No effect if it was already called."""


@runtime_checkable
class Loop(Protocol):
    """The eight methods of asyncio's event loop that connections use.

    :class:`Reactor`, ``asyncio.AbstractEventLoop`` and uvloop's loops satisfy it unchanged. For another library's loop,
    write an object with these methods. Callbacks run one at a time, in one thread, and never inside the call that
    schedules them. A callback that raises is logged, and the loop continues. Only ``call_soon_threadsafe`` may be
    called from other threads.
    """

    def time(self) -> float:
        """Return the time on the loop's clock, in seconds. It never goes back."""

    def call_soon(self, callback: Callable[..., object], /, *args: object) -> Handle:
        """Call ``callback(*args)`` once, in the next iteration. Callbacks run in the order of these calls."""

    def call_soon_threadsafe(self, callback: Callable[..., object], /, *args: object) -> Handle:
        """Like ``call_soon``, but safe in any thread. Wakes the loop. Raises RuntimeError if the loop is closed."""

    def call_later(self, delay: float, callback: Callable[..., object], /, *args: object) -> Handle:
        """Call ``callback(*args)`` once, ``delay`` seconds from now. ``delay`` may be 0."""

    def add_reader(self, fd: int, callback: Callable[..., object], /, *args: object) -> object:
        """Call ``callback(*args)`` in each iteration in which ``fd`` is readable, has ended or has failed.

        This replaces an earlier callback. Raises OSError or ValueError if the loop cannot watch ``fd``.
        """

    def remove_reader(self, fd: int, /) -> object:
        """Stop watching ``fd`` for reading. No error if it is not watched. ``fd`` is still open."""

    def add_writer(self, fd: int, callback: Callable[..., object], /, *args: object) -> object:
        """Call ``callback(*args)`` in each iteration in which ``fd`` is writable or has failed.

        This replaces an earlier callback. A reader of the same ``fd`` stays. Raises the same errors as ``add_reader``.
        """

    def remove_writer(self, fd: int, /) -> object:
        """Stop watching ``fd`` for writing. No error if it is not watched. ``fd`` is still open."""


METHODS = tuple(name for name in vars(Loop) if not name.startswith("_"))


def require_loop(given: object) -> Loop:
    """Return ``given`` if it is an event loop. Raise TypeError for a class, or an object without these methods.

    asyncio's ProactorEventLoop is refused too: it has ``add_reader``, but that raises NotImplementedError.
    """
    missing = [name for name in METHODS if not callable(getattr(given, name, None))]
    watching = getattr(type(given), "add_reader", None)
    if getattr(watching, "__qualname__", "") == "AbstractEventLoop.add_reader":
        raise TypeError(
            f"reactor={given!r} cannot watch sockets, as Windows' default loop of asyncio cannot: run yours on a "
            "SelectorEventLoop, asyncio.run(main(), loop_factory=asyncio.SelectorEventLoop); before Python 3.12, first "
            "asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())"
        )
    if missing or isinstance(given, type):
        shown = f"module {given.__name__}" if isinstance(given, ModuleType) else repr(given)[:100]
        why = f"it has no {missing[-1]}()" if missing else "it is a class"
        raise TypeError(
            f"reactor={shown} is not an event loop ({why}): omit it for the default reactor, or pass the running"
            " loop of asyncio or uvloop, or an object with the methods of ami_client.Loop"
        )
    return cast(Loop, given)


class HasFileno(Protocol):
    """An object with a descriptor, such as a socket or a pipe's file object."""

    def fileno(self) -> int:
        """Return the file descriptor."""


#: An object that a :class:`~ami_client.reactor.Reactor` can watch.
FileDescriptor = Union[int, HasFileno]
