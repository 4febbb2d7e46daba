"""What connections need of an event loop, whoever made it.

It is named after asyncio, so that an asyncio or uvloop loop satisfies it as it is, and so does our
own :class:`~ami_client.reactor.Reactor`.
"""

from __future__ import annotations

from typing import Callable, Protocol, Union, runtime_checkable


class Handle(Protocol):
    """What scheduling a callback returns: the means to cancel it."""

    def cancel(self) -> object:
        """Keep the callback from being called; no effect when it has been."""


@runtime_checkable
class Loop(Protocol):
    """The part of asyncio's event loop that connections use.

    :class:`Reactor`, ``asyncio.AbstractEventLoop`` and uvloop's loops satisfy it as they are.
    Only ``call_soon_threadsafe`` may be called from another thread than the loop's.
    """

    def time(self) -> float:
        """Return the loop's clock, seconds."""

    def call_soon(self, callback: Callable[..., object], /, *args: object) -> Handle:
        """Call ``callback(*args)`` in the next iteration."""

    def call_soon_threadsafe(self, callback: Callable[..., object], /, *args: object) -> Handle:
        """As ``call_soon``, from any thread."""

    def call_later(self, delay: float, callback: Callable[..., object], /, *args: object) -> Handle:
        """Call ``callback(*args)`` after ``delay`` seconds."""

    def add_reader(self, fd: int, callback: Callable[..., object], /, *args: object) -> object:
        """Call ``callback(*args)`` whenever ``fd`` can be read, instead of an earlier callback."""

    def remove_reader(self, fd: int, /) -> object:
        """Stop watching ``fd`` for reading."""

    def add_writer(self, fd: int, callback: Callable[..., object], /, *args: object) -> object:
        """Call ``callback(*args)`` whenever ``fd`` can be written, instead of an earlier callback."""

    def remove_writer(self, fd: int, /) -> object:
        """Stop watching ``fd`` for writing."""


class HasFileno(Protocol):
    """A socket, a pipe's file object: what has a descriptor."""

    def fileno(self) -> int:
        """Return the descriptor."""


#: What a :class:`~ami_client.reactor.Reactor` can watch.
FileDescriptor = Union[int, HasFileno]
