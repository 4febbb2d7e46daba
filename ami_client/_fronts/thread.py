"""A reactor in a thread of its own, which other threads may enter while it waits."""

from __future__ import annotations

import selectors
import threading
import time
from typing import Callable, Optional

from ..reactor import Reactor

# Seconds. A reactor that has just answered a caller is about to wait again; one with much to do is left alone.
PATIENCE = 0.001


class ReactorThread:
    """Runs ``reactor`` in a daemon thread.

    Whoever holds ``_entered`` may use what belongs to the reactor. Its thread holds it, but not while it waits for
    something to happen. So another thread can send an action by itself, without waking the reactor: this makes a
    blocking Ping twice as fast.
    """

    def __init__(self, name: str) -> None:
        self._entered = threading.Lock()
        self._selector = _Selector(self._entered)
        self.reactor = Reactor(selector=self._selector)
        self._name = name
        self._thread: Optional[threading.Thread] = None

    @property
    def is_current(self) -> bool:
        """Whether the caller is in the reactor's thread."""
        return threading.current_thread() is self._thread

    def start(self) -> None:
        """Start the thread, unless it runs."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()

    def run_here(self, call: Callable[..., object], *args: object) -> bool:
        """Call ``call(*args)`` in the caller's thread if the reactor waits. Return whether it did."""
        if not self._entered.acquire(timeout=PATIENCE):
            return False
        try:
            call(*args)
            due = self.reactor.next_due()
        finally:
            self._entered.release()
        if due is not None and due + PATIENCE < self._selector.waits_until:
            self.reactor.call_soon_threadsafe(_nothing)  # to wait less long
        return True

    def stop(self) -> None:
        """End the thread, and close the reactor."""
        if self._thread is not None:
            self.reactor.call_soon_threadsafe(self.reactor.stop)
            self._thread.join()

    def _serve(self) -> None:
        with self._entered, self.reactor:
            self.reactor.run()


def _nothing() -> None:
    """Wake the reactor."""


class _Selector(selectors.DefaultSelector):
    """Lets other threads in while it waits. ``waits_until`` is the reactor's time at which it ends by itself."""

    def __init__(self, entered: threading.Lock) -> None:
        super().__init__()
        self._entered = entered
        self.waits_until = float("-inf")

    def select(self, timeout: Optional[float] = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.waits_until = float("inf") if timeout is None else time.monotonic() + timeout
        self._entered.release()
        try:
            ready: list[tuple[selectors.SelectorKey, int]] = super().select(timeout)
            return ready
        finally:
            self._entered.acquire()
            self.waits_until = float("-inf")
