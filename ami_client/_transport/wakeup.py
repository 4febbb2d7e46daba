"""Wakes a blocked ``select()`` from other threads and signals.

Private to :mod:`ami_client.reactor`.
"""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from types import FrameType
from typing import Callable, Optional, Union

from .. import _fork

_Previous = Union[Callable[[int, Optional[FrameType]], object], int, None]


#: Wake-up descriptor of a running loop -> the descriptor that it replaced.
_replaced: dict[int, int] = {}


class Waker:
    """A socket pair. The loop watches one end. Anybody may write to the other end to wake it."""

    __slots__ = ("_forks", "_own", "_poked", "_receiver", "_sender")

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        self._own = self._sender.fileno()
        self._poked = False
        self._forks = _fork.forks

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the loop is woken."""
        return self._receiver.fileno()

    def wake(self) -> None:
        """Make the descriptor readable. Never blocks; safe in any thread and in signal handlers.

        Queue the work *before* this call. Only then can a wake-up be skipped while an earlier one is pending, so many
        wake-ups send only one byte.
        """
        if self._poked:
            return
        self._poked = True
        try:
            self._sender.send(b"\0")
        except OSError:  # full (of signal numbers), so the loop wakes anyway; or closed, so there is nothing to wake
            pass
        except BaseException:  # raised by a signal handler: possibly nothing was sent
            self._poked = False
            raise

    def drain(self) -> None:
        """Consume the wake-ups. The loop calls this before it looks at its queue again."""
        try:
            while len(self._receiver.recv(4096)) == 4096:
                pass
        except BlockingIOError:
            pass
        finally:
            # Clear the flag only after reading. If it were cleared first, a byte sent in between would be read here but
            # leave the flag set. Then nobody would ever wake the loop again.
            self._poked = False

    def watch_signals(self) -> None:
        """From now on every signal wakes the loop, until :meth:`leave_signals`. No effect outside the main thread.

        Otherwise a signal that arrives after Python's last check, but before the system call of ``select()``, would
        have no effect until something else happens: Ctrl-C would seem to do nothing.
        """
        own = self._own
        try:
            previous = signal.set_wakeup_fd(own, warn_on_full_buffer=False)
            _replaced[own] = -1 if previous == own else previous  # ours if a signal handler that raised left it there
        except ValueError:  # not the main thread: the interpreter handles signals elsewhere
            return

    def leave_signals(self) -> None:
        """Undo :meth:`watch_signals`. In a child it was undone right after the fork."""
        if self._forks == _fork.forks:
            previous = _replaced.pop(self._own, None)
            if previous is not None:
                signal.set_wakeup_fd(previous)

    def close(self) -> None:
        """Close both ends."""
        self._receiver.close()
        self._sender.close()


class SignalCallbacks:
    """The signals that a loop handles, with the callback and the previous handler of each.

    The interpreter's signal handler only queues the callback, with ``submit(callback, *args)``. The loop calls it
    later, so it may do anything.
    """

    __slots__ = ("_callbacks", "_forks", "_previous", "_submit")

    def __init__(self, submit: Callable[..., object]) -> None:
        self._submit = submit
        self._forks = _fork.forks
        self._callbacks: dict[int, tuple[Callable[..., object], tuple[object, ...]]] = {}
        self._previous: dict[int, _Previous] = {}

    def add(self, sig: int, callback: Callable[..., object], args: tuple[object, ...]) -> None:
        """Queue ``callback(*args)`` on each ``sig``. This replaces an earlier callback."""
        if not callable(callback):
            raise TypeError(f"a callback must be callable, not {type(callback).__name__}")
        if sig not in signal.valid_signals():
            raise ValueError(f"invalid signal number {sig!r}")
        if sig not in self._callbacks:
            self._previous[sig] = _set_handler(sig, self._queue)
        self._callbacks[sig] = (callback, args)

    def remove(self, sig: int) -> bool:
        """Restore the previous handler of ``sig``. Return whether this object handled it."""
        if sig not in self._callbacks:
            return False
        previous = self._previous[sig]
        # None means a handler installed by C code, which Python can neither call nor restore.
        _set_handler(sig, signal.SIG_DFL if previous is None else previous)
        del self._callbacks[sig], self._previous[sig]
        return True

    def clear(self) -> None:
        """Restore the previous handlers of all signals."""
        for sig in list(self._callbacks):
            self.remove(sig)

    def _queue(self, sig: int, frame: Optional[FrameType]) -> None:
        if self._forks == _fork.forks:
            self._submit(self._run, sig)
            return
        # Nobody runs the loop in a forked child, so the previous handler applies there. So a child still ends on
        # SIGTERM.
        self.remove(sig)
        signal.raise_signal(sig)

    def _run(self, sig: int) -> None:
        # Look up the callback only now. It may have been removed since the signal arrived.
        entry = self._callbacks.get(sig)
        if entry is not None:
            callback, args = entry
            callback(*args)


def _set_handler(sig: int, handler: _Previous) -> _Previous:
    try:
        return signal.signal(sig, handler)
    except (ValueError, OSError) as error:  # not the main thread, or a signal that cannot be caught (SIGKILL)
        raise RuntimeError(f"cannot handle signal {sig}: {error}") from error


def _give_wakeup_back() -> None:
    # A signal for a forked child must not wake the parent through the shared socket.
    with suppress(OSError, ValueError):  # the previous descriptor may be closed
        current = signal.set_wakeup_fd(-1)
        while current in _replaced:
            current = _replaced.pop(current)
        signal.set_wakeup_fd(current)
    _replaced.clear()


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=_give_wakeup_back)
