"""The event loop interface that connections need.

Its names are asyncio's, so asyncio and uvloop loops satisfy it unchanged. So does our own
:class:`~ami_client.reactor.Reactor`.
"""

from __future__ import annotations

from typing import Callable, Protocol, Union, runtime_checkable


class Handle(Protocol):
    """A scheduled callback, which can be cancelled."""

    def cancel(self) -> object:
        """Cancel the callback; no effect if it was called already."""


@runtime_checkable
class Loop(Protocol):
    """The part of asyncio's event loop that connections use.

    :class:`Reactor`, ``asyncio.AbstractEventLoop`` and uvloop's loops satisfy it unchanged.
    Only ``call_soon_threadsafe`` may be called from other threads than the loop's.
    """

    def time(self) -> float:
        """Return the time on the loop's clock, in seconds."""

    def call_soon(self, callback: Callable[..., object], /, *args: object) -> Handle:
        """Call ``callback(*args)`` in the next iteration."""

    def call_soon_threadsafe(self, callback: Callable[..., object], /, *args: object) -> Handle:
        """As ``call_soon``, from any thread."""

    def call_later(self, delay: float, callback: Callable[..., object], /, *args: object) -> Handle:
        """Call ``callback(*args)`` after ``delay`` seconds."""

    def add_reader(self, fd: int, callback: Callable[..., object], /, *args: object) -> object:
        """Call ``callback(*args)`` whenever ``fd`` is readable. Replaces an earlier callback."""

    def remove_reader(self, fd: int, /) -> object:
        """Stop watching ``fd`` for reading."""

    def add_writer(self, fd: int, callback: Callable[..., object], /, *args: object) -> object:
        """Call ``callback(*args)`` whenever ``fd`` is writable. Replaces an earlier callback."""

    def remove_writer(self, fd: int, /) -> object:
        """Stop watching ``fd`` for writing."""


class HasFileno(Protocol):
    """An object with a descriptor, such as a socket or a pipe's file object."""

    def fileno(self) -> int:
        """Return the file descriptor."""


#: An object that a :class:`~ami_client.reactor.Reactor` can watch.
FileDescriptor = Union[int, HasFileno]
