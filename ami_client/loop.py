"""The event loop interface that connections need.

Its names are asyncio's, so asyncio and uvloop loops satisfy it unchanged. So does our own
:class:`~ami_client.reactor.Reactor`.
"""

from __future__ import annotations

from types import ModuleType
from typing import Callable, Protocol, Union, cast, runtime_checkable


class Handle(Protocol):
    """A scheduled callback, which can be cancelled."""

    def cancel(self) -> object:
        """Cancel the callback; no effect if it was called already."""


@runtime_checkable
class Loop(Protocol):
    """The part of asyncio's event loop that connections use: eight methods.

    :class:`Reactor`, ``asyncio.AbstractEventLoop`` and uvloop's loops satisfy it unchanged. For another library's loop,
    write an object with these methods. Callbacks run one at a time, in one thread, and never inside the call that
    schedules them. One that raises is logged, and the loop goes on. Only ``call_soon_threadsafe`` may be called from
    other threads.
    """

    def time(self) -> float:
        """Return the time on the loop's clock, in seconds. It never goes back."""

    def call_soon(self, callback: Callable[..., object], /, *args: object) -> Handle:
        """Call ``callback(*args)`` once, in the next iteration. Calls are made in the order of asking."""

    def call_soon_threadsafe(self, callback: Callable[..., object], /, *args: object) -> Handle:
        """As ``call_soon``, from any thread, and wake the loop. Raises RuntimeError if the loop is closed."""

    def call_later(self, delay: float, callback: Callable[..., object], /, *args: object) -> Handle:
        """Call ``callback(*args)`` once, ``delay`` seconds from now. The delay may be 0."""

    def add_reader(self, fd: int, callback: Callable[..., object], /, *args: object) -> object:
        """Call ``callback(*args)`` in each iteration in which ``fd`` is readable, has ended or has failed.

        Replaces an earlier callback. Raises OSError or ValueError if the loop cannot watch ``fd``.
        """

    def remove_reader(self, fd: int, /) -> object:
        """Stop watching ``fd`` for reading. No error if it is not watched. ``fd`` is open still."""

    def add_writer(self, fd: int, callback: Callable[..., object], /, *args: object) -> object:
        """Call ``callback(*args)`` in each iteration in which ``fd`` is writable or has failed.

        Replaces an earlier callback; a reader of the same ``fd`` stays. Raises as ``add_reader``.
        """

    def remove_writer(self, fd: int, /) -> object:
        """Stop watching ``fd`` for writing. No error if it is not watched. ``fd`` is open still."""


METHODS = tuple(name for name in vars(Loop) if not name.startswith("_"))


def require_loop(given: object) -> Loop:
    """Return what was given as a loop. Raise TypeError if it is none: a module, a class, or without our methods."""
    missing = [name for name in METHODS if not callable(getattr(given, name, None))]
    if missing or isinstance(given, type):
        shown = f"module {given.__name__}" if isinstance(given, ModuleType) else repr(given)[:100]
        why = f"it has no {missing[-1]}()" if missing else "it is a class"
        raise TypeError(
            f"reactor={shown} is no event loop ({why}): leave it out for our own, or give asyncio's running loop, "
            "uvloop's, or an object with the methods of ami_client.Loop"
        )
    return cast(Loop, given)


class HasFileno(Protocol):
    """An object with a descriptor, such as a socket or a pipe's file object."""

    def fileno(self) -> int:
        """Return the file descriptor."""


#: An object that a :class:`~ami_client.reactor.Reactor` can watch.
FileDescriptor = Union[int, HasFileno]
