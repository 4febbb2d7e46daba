"""The signals that end a command, with one rule for all commands: it prints its last line and dies of the signal."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Callable, Protocol

from .streams import mute

DIED = 128  # a shell reports 128 + n for a program that died of signal n
PIPE_CLOSED = DIED + 13  # SIGPIPE, by number: Windows has none

# Ctrl-C; what ``kill`` and a service manager send; the end of the terminal, which Windows does not have.
_ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_arrived: list[int] = []


class Signalled(Exception):
    """A signal ended the command, which has cleaned up."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Loop(Protocol):
    """What a Reactor and asyncio's loops have."""

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any) -> object: ...

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None: ...

    def remove_signal_handler(self, sig: int) -> bool: ...


@contextmanager
def at_once() -> Iterator[None]:
    """In the block a signal kills the program: nothing needs cleaning up.

    No Python code has to notice the signal. So it works in the moment before a blocking system call too, when a
    signal's handler in Python would wait until the call returns.
    """
    with _handled_by(signal.SIG_DFL):
        yield


@contextmanager
def raised() -> Iterator[None]:
    """In the block a signal raises KeyboardInterrupt. After a signal the block always ends with :class:`Signalled`."""
    _arrived.clear()
    with _handled_by(_raise):
        try:
            yield
        except BaseException:
            if not _arrived:
                raise
        if _arrived:  # an error since then is a consequence, such as a write to the terminal that is gone
            raise Signalled(_arrived[0])


@contextmanager
def stopping(loop: _Loop, stop: Callable[[], object]) -> Iterator[None]:
    """In the block the first signal calls ``stop()`` in the loop. The second one raises KeyboardInterrupt.

    For commands that have to end in good order, inside :func:`raised`. The second signal ends a loop that is stuck.
    """
    previous = {number: signal.getsignal(number) for number in _heeded()}

    def arrived(number: int, frame: object) -> None:
        _arrived.append(number)
        restore()
        loop.call_soon_threadsafe(stop)

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    for number in previous:
        with suppress(NotImplementedError):  # asyncio's loops on Windows
            # Without this, no signal wakes an asyncio loop. It also handles a signal that arrives before the next line.
            loop.add_signal_handler(number, arrived, number, None)
        signal.signal(number, arrived)
    try:
        yield
    finally:
        for number in previous:
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)
        restore()


def die_of(number: int) -> None:
    """Write what is buffered, and die of the signal, so that a shell notices."""
    signal.signal(number, signal.SIG_DFL)  # first: another signal ends the wait for a slow reader below
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            mute()
    os.kill(os.getpid(), number)


def _heeded() -> list[int]:
    """All but the ignored ones, which stay ignored: SIGHUP by nohup, SIGINT by a script that uses ``&``."""
    return [number for number in _ENDING if signal.getsignal(number) not in (signal.SIG_IGN, None)]


@contextmanager
def _handled_by(handler: Any) -> Iterator[None]:
    previous = {number: signal.signal(number, handler) for number in _heeded()}
    try:
        yield
    finally:
        for number, one in previous.items():
            signal.signal(number, one)


def _raise(number: int, frame: object) -> None:
    _arrived.append(number)
    raise KeyboardInterrupt
