"""A reactor for blocking callers: a thread of its own runs it, or a caller does while it waits."""

from __future__ import annotations

import selectors
import threading
import time
from typing import Callable, Optional, Protocol

from ..reactor import Reactor

# Seconds. A reactor that has just answered a caller is about to wait again; one with much to do is left alone.
PATIENCE = 0.001
# Seconds for which the thread leaves the reactor to a caller that has just been answered, and may ask again at once.
REST = 0.005


class Answer(Protocol):
    """What a caller waits for."""

    done: bool


class ReactorThread:
    """Runs ``reactor`` in a daemon thread.

    Two locks order the threads. Who holds ``_turn`` runs the reactor's iterations. Who holds ``_entered`` may use what
    belongs to the reactor; the one whose turn it is does, but not while the reactor waits. So another thread can send
    an action by itself, without waking the reactor, and then run the reactor itself until the answer is there. A
    blocking Ping that needs no other thread costs half.

    Attributes: ``shares``, whether callers may run the reactor. Handlers of the user's belong to the thread.
    """

    def __init__(self, name: str) -> None:
        self.shares = True
        self._turn = threading.Lock()
        self._entered = threading.Lock()
        self._selector = _Selector(self._entered)
        self.reactor = Reactor(selector=self._selector)
        self._name = name
        self._thread: Optional[threading.Thread] = None
        self._runner: Optional[int] = None  # the thread that runs callbacks now
        self._stopped = False
        self._answered = False  # a caller was answered, and may ask again at once
        self._waiting = 0  # callers that wait for the thread, or for another caller
        self._wanted = threading.Event()  # ends the thread's rest

    @property
    def is_current(self) -> bool:
        """Whether the caller is a callback of the reactor."""
        return self._runner == threading.get_ident()

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

    def run_until_done(self, answer: Answer, call: Callable[..., object]) -> bool:
        """Call ``call(answer)`` here, and run the reactor until a callback has made ``answer.done`` true.

        Return False if another thread runs the reactor, and nothing was called. The careful twin, for all cases, is
        :meth:`run_here` and then :meth:`wait`: it costs a third more (benchmark calls).
        """
        if self._thread is None or not (self.shares and self._turn.acquire(blocking=False)):
            return False
        try:
            with self._entered:
                call(answer)
                self._runner = threading.get_ident()
                while not answer.done:
                    self.reactor.run_once()
        finally:
            self._runner = None
            self._turn.release()
            if self._waiting:  # for this thread, until now
                self._wanted.set()
            else:
                self._answered = True
        return True

    def wait(self, answered: threading.Lock) -> None:
        """Wait until a callback releases ``answered``. Run the reactor meanwhile, unless another thread does."""
        if not (self.shares and self._turn.acquire(blocking=False)):
            self._waiting += 1
            try:
                answered.acquire()
            finally:
                self._waiting -= 1
            self._answered = True
            return
        try:
            while answered.locked():
                self._iterate()
        finally:
            self._turn.release()
            if self._waiting:  # for this thread, until now
                self._wanted.set()

    def stop(self) -> None:
        """End the thread, and close the reactor."""
        if self._thread is not None:
            self._stopped = True
            self._wanted.set()
            self.reactor.call_soon_threadsafe(_nothing)
            self._thread.join()

    def _serve(self) -> None:
        while not self._stopped:
            with self._turn:
                self._iterate()
            while self._answered and self.shares:
                self._answered = False
                self._wanted.wait(REST)
                self._wanted.clear()
        with self._turn, self._entered:
            self.reactor.close()

    def _iterate(self) -> None:
        with self._entered:
            self._runner = threading.get_ident()
            try:
                self.reactor.run_once()
            finally:
                self._runner = None


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
