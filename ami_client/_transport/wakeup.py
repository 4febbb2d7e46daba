"""What interrupts a blocked ``select()``: other threads and signals.

Private to :mod:`ami_client.reactor`.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Callable, Optional, Union

from .. import _fork

_Previous = Union[Callable[[int, Optional[FrameType]], object], int, None]


#: What signals wrote to before, by the descriptor that a running loop has put in its place.
_replaced: dict[int, int] = {}


class Waker:
    """A socket pair whose one end is watched by the loop and whose other end anyone may poke."""

    __slots__ = ("_forks", "_poked", "_receiver", "_sender")

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        self._poked = False
        self._forks = _fork.forks

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the loop has to wake."""
        return self._receiver.fileno()

    def wake(self) -> None:
        """Make the descriptor readable; never blocks, safe from threads and signal handlers.

        The work to wake for must be queued *before*: that is what lets a wake-up be left out
        while an earlier one is still on its way, so that a storm of them costs one byte.
        """
        if self._poked:
            return
        self._poked = True
        # Full (of signal numbers): the loop wakes anyway. Closed: there is nobody to wake.
        with suppress(OSError):
            self._sender.send(b"\0")

    def drain(self) -> None:
        """Consume the wake-ups. To be called by the loop before it looks at its queue again."""
        try:
            while len(self._receiver.recv(4096)) == 4096:
                pass
        except BlockingIOError:
            pass
        finally:
            # Only after reading: cleared first, a byte sent in between would be read here with
            # the mark left set, and nobody would ever poke again.
            self._poked = False

    @contextmanager
    def woken_by_signals(self) -> Iterator[None]:
        """Let every signal wake the loop inside the block; no effect outside the main thread.

        Without it a signal that arrives after Python's last check and before the system call
        of ``select()`` would wait until something else happens: a Ctrl-C that does nothing.
        """
        own = self._sender.fileno()
        try:
            previous = _replaced[own] = signal.set_wakeup_fd(own, warn_on_full_buffer=False)
        except ValueError:  # not the main thread: the interpreter handles signals elsewhere
            yield
            return
        try:
            yield
        finally:
            if self._forks == _fork.forks:  # else it was put back right after the fork
                del _replaced[own]
                signal.set_wakeup_fd(previous)

    def close(self) -> None:
        """Close both ends."""
        self._receiver.close()
        self._sender.close()


class SignalCallbacks:
    """The signals that a loop took over, what to call for each, and what handled them before.

    The interpreter's handler only queues: ``submit(callback, *args)`` has the callback run by
    the loop, where it may do anything.
    """

    __slots__ = ("_callbacks", "_forks", "_previous", "_submit")

    def __init__(self, submit: Callable[..., object]) -> None:
        self._submit = submit
        self._forks = _fork.forks
        self._callbacks: dict[int, tuple[Callable[..., object], tuple[object, ...]]] = {}
        self._previous: dict[int, _Previous] = {}

    def add(self, sig: int, callback: Callable[..., object], args: tuple[object, ...]) -> None:
        """Have ``callback(*args)`` queued on each ``sig``, instead of an earlier callback."""
        if not callable(callback):
            raise TypeError(f"a callback must be callable, not {type(callback).__name__}")
        if sig not in signal.valid_signals():
            raise ValueError(f"invalid signal number {sig!r}")
        if sig not in self._callbacks:
            self._previous[sig] = _set_handler(sig, self._queue)
        self._callbacks[sig] = (callback, args)

    def remove(self, sig: int) -> bool:
        """Give ``sig`` back to its previous handler; returns whether it was ours."""
        if sig not in self._callbacks:
            return False
        previous = self._previous[sig]
        # None: installed by C code, which Python can neither call nor put back.
        _set_handler(sig, signal.SIG_DFL if previous is None else previous)
        del self._callbacks[sig], self._previous[sig]
        return True

    def clear(self) -> None:
        """Give all signals back."""
        for sig in list(self._callbacks):
            self.remove(sig)

    def _queue(self, sig: int, frame: Optional[FrameType]) -> None:
        if self._forks == _fork.forks:
            self._submit(self._run, sig)
            return
        # A forked child, in which nobody runs the loop: there the signal does what it did before. So a child ends when
        # it is told to terminate.
        self.remove(sig)
        signal.raise_signal(sig)

    def _run(self, sig: int) -> None:
        # Looked up only now: it may have been removed since the signal came.
        entry = self._callbacks.get(sig)
        if entry is not None:
            callback, args = entry
            callback(*args)


def _set_handler(sig: int, handler: _Previous) -> _Previous:
    try:
        return signal.signal(sig, handler)
    except (ValueError, OSError) as error:  # not the main thread; not to be caught (SIGKILL)
        raise RuntimeError(f"cannot handle signal {sig}: {error}") from error


def _give_wakeup_back() -> None:
    # A signal for a forked child is not to wake its parent, with which it shares the socket.
    with suppress(OSError, ValueError):  # what was there before may be closed
        current = signal.set_wakeup_fd(-1)
        while current in _replaced:
            current = _replaced.pop(current)
        signal.set_wakeup_fd(current)
    _replaced.clear()


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=_give_wakeup_back)
