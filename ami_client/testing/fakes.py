"""A simulated clock, selector and sockets: bytes in, bytes out.

They make tests exact. Nothing listens, nothing sleeps, and a hang raises an error::

    clock = FakeClock()
    reactor = Reactor(selector=FakeSelector(clock), clock=clock)
    sock = FakeSocket()
    with unittest.mock.patch("socket.socket", lambda *args: sock):
        ...                              # the client connects and writes
    sock.feed(b"Asterisk Call Manager/11.0.0\\r\\n")
    reactor.run_once(0)
    assert sock.take() == b"Action: Challenge\\r\\n..."
"""

from __future__ import annotations

import selectors
from collections.abc import Mapping
from typing import Optional

from ..loop import FileDescriptor
from .fake_socket import FakeSocket, NothingCanHappen

__all__ = ["FakeClock", "FakeSelector", "FakeSocket", "NothingCanHappen"]


class FakeClock:
    """A clock that only :meth:`advance` moves. Calling it returns the time in seconds.

    ``start`` is its first reading, in seconds.
    """

    def __init__(self, start: float = 0.0) -> None:
        self.now = start

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Advance by ``seconds``. Raises ValueError for a negative number."""
        if seconds < 0:
            raise ValueError("a clock cannot go backwards")
        self.now += seconds


class FakeSelector(selectors.BaseSelector):
    """A selector over :class:`FakeSocket` objects (or their numbers) that never sleeps.

    If nothing is ready, ``select(timeout)`` advances ``clock`` by the timeout, as a real wait would. Without a timeout,
    or after ``patience`` seconds (None means no limit), it raises :class:`NothingCanHappen`. The idea comes from
    tornado 4's FakeTimeSelect.
    """

    def __init__(self, clock: Optional[FakeClock] = None, *, patience: Optional[float] = 365 * 86_400.0) -> None:
        self.clock = FakeClock() if clock is None else clock
        self.patience = patience
        #: Seconds that have passed.
        self.slept = 0.0
        self._keys: dict[int, selectors.SelectorKey] = {}

    def register(self, fileobj: FileDescriptor, events: int, data: object = None) -> selectors.SelectorKey:
        """Like ``BaseSelector.register``. Raises ValueError for anything but a FakeSocket."""
        if not events or events & ~(selectors.EVENT_READ | selectors.EVENT_WRITE):
            raise ValueError(f"Invalid events: {events!r}")
        fd = _fileno(fileobj)
        if fd not in FakeSocket.by_fileno:
            raise ValueError(f"{fileobj!r} is not an open FakeSocket")
        if fd in self._keys:
            raise KeyError(f"{fileobj!r} (FD {fd}) is already registered")
        key = selectors.SelectorKey(fileobj, fd, events, data)
        self._keys[fd] = key
        return key

    def unregister(self, fileobj: FileDescriptor) -> selectors.SelectorKey:
        """Like ``BaseSelector.unregister``. Raises KeyError if it is not registered."""
        for fd, key in self._keys.items():
            # A closed socket has the number -1, so it is found by identity.
            if key.fileobj is fileobj or fd == fileobj:
                return self._keys.pop(fd)
        return self._keys.pop(_fileno(fileobj))

    def select(self, timeout: Optional[float] = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return the ready keys with their events. If there are none, let ``timeout`` seconds pass."""
        ready = self._ready()
        if not ready:
            if timeout is None:
                raise NothingCanHappen("nothing is ready and no timer is set: this would hang")
            self._sleep(max(timeout, 0.0))
        return ready

    def _sleep(self, seconds: float) -> None:
        if self.patience is not None and self.slept + seconds > self.patience:
            raise NothingCanHappen(f"{self.patience:,.0f} seconds have passed, and the awaited event did not come")
        self.slept += seconds
        self.clock.advance(seconds)

    def _ready(self) -> list[tuple[selectors.SelectorKey, int]]:
        ready = []
        for key in self._keys.values():
            sock = FakeSocket.by_fileno.get(key.fd)
            events = key.events & sock.readiness() if sock is not None else 0
            if events:
                ready.append((key, events))
        return ready

    def get_map(self) -> Mapping[FileDescriptor, selectors.SelectorKey]:
        """Return the registered keys by their numbers."""
        return {key.fd: key for key in self._keys.values()}

    def get_key(self, fileobj: FileDescriptor) -> selectors.SelectorKey:
        """Like ``BaseSelector.get_key``. Raises KeyError if it is not registered."""
        return self._keys[_fileno(fileobj)]

    def close(self) -> None:
        """Remove all keys."""
        self._keys.clear()


def _fileno(fileobj: FileDescriptor) -> int:
    return fileobj if isinstance(fileobj, int) else fileobj.fileno()
