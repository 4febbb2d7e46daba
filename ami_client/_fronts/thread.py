"""A reactor for blocking callers: a thread of its own runs it, or a caller does while it waits."""

from __future__ import annotations

import selectors
import threading
from contextlib import suppress
from typing import Callable, Optional

from ..reactor import Reactor

# Seconds for which the thread leaves the reactor to a caller that has just been answered, and may ask again at once.
REST = 0.005


class ReactorThread:
    """Runs ``reactor`` in a daemon thread.

    Two locks order the threads. Who holds ``_turn`` runs the reactor's iterations. Who holds ``_entered`` may use what
    belongs to the reactor; the one whose turn it is does, but not while it waits for something to do. So another thread
    can send an action by itself, without waking the reactor, and then run the reactor itself until the answer is there.
    A blocking Ping that needs no other thread costs half.

    The handler of a signal, Ctrl-C's for one, may raise behind any call in the main thread. A ``with`` statement gives
    its lock back even then. Between acquiring a lock otherwise and the ``try`` behind it, the lock would be lost: that
    is what :meth:`recover` is for. Nor do the standard library's conditions and events give their locks back.

    Attributes: ``shares``, whether callers may run the reactor. Handlers of the user's belong to the thread.
    """

    def __init__(self, name: str) -> None:
        self.shares = True
        self._turn = threading.RLock()  # one that knows its owner
        self._entered = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._waits_until: Optional[float] = 0.0  # the reactor's time; None: for ever
        self.reactor = Reactor(selector=self._selector)
        self._name = name
        self._thread: Optional[threading.Thread] = None
        self._runner: Optional[int] = None  # the thread that runs callbacks now
        self._stopped = False
        self._answered = False  # a caller was answered, and may ask again at once
        self._waiting = 0  # callers that wait for the thread, or for another caller
        self._rest = threading.Lock()  # released to end the thread's rest
        self._rest.acquire()

    @property
    def is_current(self) -> bool:
        """Whether the caller is a callback of the reactor."""
        return self._runner == threading.get_ident()

    def start(self) -> None:
        """Start the thread, unless it runs."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()

    def run_here(self, call: Callable[..., object], *args: object) -> None:
        """Call ``call(*args)`` in the caller's thread, as soon as the reactor waits."""
        with self._entered:
            call(*args)
            due, until = self.reactor.next_due(), self._waits_until
            if due is not None and (until is None or due < until):
                self._waits_until = due
                self.reactor.call_soon_threadsafe(_nothing)  # to wait less long

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
                self._end_rest()

    def recover(self) -> None:
        """Give back what this thread holds, because the handler of a signal has raised in :meth:`wait`."""
        while self._turn._is_owned():  # type: ignore[attr-defined]  # threading.Condition asks so, too
            self._turn.release()
        self._end_rest()

    def stop(self) -> None:
        """End the thread, and close the reactor. Returns when that is done. May be called again."""
        if self._thread is not None:
            with suppress(RuntimeError):  # another caller has closed it
                self.reactor.call_soon_threadsafe(self.stop_soon)
            self._end_rest()
            self._thread.join()

    def stop_soon(self) -> None:
        """End the thread, and close the reactor, after this callback."""
        self._stopped = True

    def _serve(self) -> None:
        while True:
            with self._turn:
                if self._stopped:
                    with self._entered:
                        self.reactor.close()
                    return
                self._iterate()
            if self._answered and self.shares:
                self._answered = False
                self._rest.acquire(timeout=REST)

    def _end_rest(self) -> None:
        with suppress(RuntimeError):  # it is released already
            self._rest.release()

    def _iterate(self) -> None:
        until = self._waits_until
        self._selector.select(None if until is None else max(0.0, until - self.reactor.time()))
        with self._entered:
            self._runner = threading.get_ident()
            try:
                self.reactor.run_once(0)
            finally:
                self._runner = None
                self._waits_until = 0.0
            self._waits_until = self.reactor.next_due()


def _nothing() -> None:
    """Wake the reactor."""
