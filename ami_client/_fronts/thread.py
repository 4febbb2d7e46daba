"""A reactor for blocking callers. Its own thread runs it, or a caller while it waits."""

from __future__ import annotations

import selectors
import threading
from contextlib import suppress
from typing import Callable, Optional

from ..reactor import Reactor

# Seconds that the thread leaves the reactor to a caller that just got an answer and may send again at once.
REST = 0.005


class ReactorThread:
    """Runs ``reactor`` in a daemon thread.

    Two locks coordinate the threads. The holder of ``_turn`` runs the reactor's iterations. The holder of ``_entered``
    may use the objects that belong to the reactor. The thread that runs the reactor holds both, but releases
    ``_entered`` while it waits for something to do. So another thread can send an action without waking the reactor,
    and then run the reactor itself until the answer arrives. A blocking Ping that needs no other thread costs half.

    A signal handler, such as Ctrl-C's, may raise after any call in the main thread. A ``with`` statement releases its
    lock even then. A lock that is acquired in another way can be lost before the ``try`` that follows. :meth:`recover`
    exists for this case. The standard library's conditions and events have the same problem, so they are not used.

    Attributes: ``shares``, whether callers may run the reactor. Once users bind handlers, only the thread may.
    """

    def __init__(self, name: str) -> None:
        self.shares = True
        self._turn = threading.RLock()  # an RLock knows its owner
        self._entered = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._waits_until: Optional[float] = 0.0  # on the reactor's clock; None: forever
        self.reactor = Reactor(selector=self._selector)
        self._name = name
        self._thread: Optional[threading.Thread] = None
        self._runner: Optional[int] = None  # the thread that runs callbacks now
        self._stopped = False
        self._answered = False  # a caller just got an answer, and may send again at once
        self._waiting = 0  # callers that wait for the thread, or for another caller
        self._rest = threading.Lock()  # release it to end the thread's rest
        self._rest.acquire()

    @property
    def is_current(self) -> bool:
        """Whether the caller runs in a callback of the reactor."""
        return self._runner == threading.get_ident()

    def start(self) -> None:
        """Start the thread, unless it is running."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()

    def run_here(self, call: Callable[..., object], *args: object) -> None:
        """Call ``call(*args)`` in the caller's thread, as soon as the reactor is waiting."""
        with self._entered:
            call(*args)
            due, until = self.reactor.next_due(), self._waits_until
            if due is not None and (until is None or due < until):
                self._waits_until = due
                self.reactor.call_soon_threadsafe(_nothing)  # shorten its wait

    def wait(self, answered: threading.Lock) -> None:
        """Wait until a callback releases ``answered``. Run the reactor during the wait, unless another thread does."""
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
            if self._waiting:  # others waited for this thread
                self._end_rest()

    def recover(self) -> None:
        """Release what this thread holds, after a signal handler raised in :meth:`wait`."""
        while self._turn._is_owned():  # type: ignore[attr-defined]  # threading.Condition does the same
            self._turn.release()
        self._end_rest()

    def stop(self) -> None:
        """End the thread, and close the reactor. Return when that is done. May be called again."""
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
        with suppress(RuntimeError):  # it is already released
            self._rest.release()

    def _iterate(self) -> None:
        until = self._waits_until
        if until != 0.0:  # the first iteration makes what wakes the others, and Windows refuses to wait for nothing
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
