"""A reactor for blocking callers: a thread of its own runs it, or a caller does while it waits."""

from __future__ import annotations

import threading
from contextlib import suppress
from threading import get_ident
from typing import Any, Callable, Optional, Protocol, TypeVar

from ..reactor import Events, Reactor

# Seconds for which the thread leaves the reactor to callers that have just been answered, and may ask again at once.
REST = 0.005


class Answer(Protocol):
    """What a caller waits for.

    Attributes: ``done``, whether it is there; ``ready``, None or a lock to release when it is.
    """

    done: bool
    ready: Optional[threading.Lock]


AnyAnswer = TypeVar("AnyAnswer", bound=Answer)


class ReactorThread:
    """Runs ``reactor`` in a daemon thread.

    Who holds ``_entered`` may use what belongs to the reactor. Whose turn it is waits for something to happen, without
    the lock, and handles it with the lock. So another thread can send an action by itself without waking the reactor,
    and if it is nobody's turn, take the turn until the answer is there. A blocking Ping that needs no other thread
    costs a third less (benchmark p).

    A signal handler, such as Ctrl-C's, may raise after any call in the main thread. Before Python 3.14 a ``with``
    statement releases its lock even then. Since 3.14 it loses the lock if the handler raises just after the lock was
    acquired, so :func:`give_back` follows. A turn is the number of a thread: :meth:`call` checks whether it still has
    the turn.

    Attributes: ``shares``, whether callers may run the reactor. Handlers of the user's belong to the thread.
    """

    def __init__(self, name: str) -> None:
        self.shares = True
        self._entered = threading.RLock()
        self.reactor = _Reactor()
        self._waits_until: Optional[float] = None  # the reactor's time; None: for ever
        self._turn: Optional[int] = None  # the thread that waits for something to happen
        self._runner: Optional[int] = None  # the thread that runs callbacks now
        self._waiters: list[Answer] = []  # of callers that wait for whose turn it is
        self._answered = False  # a caller was answered, and may ask again at once
        self._name = name
        self._thread: Optional[threading.Thread] = None
        self._stopped = False
        self._rest = threading.Lock()  # released to end the thread's rest
        self._rest.acquire()
        self._rests_long = False  # until the turn that somebody has is over

    def start(self) -> None:
        """Start the thread, unless it runs."""
        try:
            with self._entered:
                if self._thread is None:
                    self.reactor.prepare()
                    thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
                    thread.start()
                    self._thread = thread
        except BaseException:
            give_back(self._entered)
            raise

    def call(self, begin: Callable[..., object], answer: AnyAnswer, *args: object) -> None:
        """Call ``begin(answer, *args)`` while the reactor stands still, and wait until ``answer`` is done.

        Run the reactor meanwhile, unless another thread does. Raises what ``begin`` raises, and RuntimeError in a
        callback of the reactor.
        """
        me = get_ident()
        if self._runner == me:
            self.refuse_callbacks()
        if self._thread is None:
            self.start()
        before, mine = self._turn, False
        try:
            with self._entered:
                begin(answer, *args)
                mine = self.shares and (self._turn is None or self._turn == me)  # a signal's handler may call, too
                if mine:
                    before, self._turn = self._turn, me
                    self._waits_until = self.reactor.next_due()
                else:
                    self._let_wait(answer)
            while not answer.done:
                if not mine:
                    assert answer.ready is not None
                    answer.ready.acquire()
                    continue
                events = self.reactor.wait(self._waits_until)
                with self._entered:
                    self._runner = me
                    try:
                        self.reactor.handle(events)
                    finally:
                        self._runner = None
                    if not answer.done:
                        self._waits_until = self.reactor.next_due()
        except BaseException:
            give_back(self._entered)
            raise
        finally:
            if mine and self._turn == me:
                self._turn = before
                self._answered = True
                if self._waiters or self._rests_long:
                    self._end_rest()

    def refuse_callbacks(self) -> None:
        """Raise RuntimeError if the caller is a callback of the reactor."""
        if self._runner == get_ident():
            raise RuntimeError("a handler runs in the client's thread and must not wait: use its conn, with callbacks")

    def _let_wait(self, answer: Answer) -> None:
        answer.ready = threading.Lock()
        answer.ready.acquire()
        self._waiters.append(answer)
        due, until = self.reactor.next_due(), self._waits_until
        if self._turn is None:
            self._end_rest()
        elif due is not None and (until is None or due < until):
            self._waits_until = due
            self.reactor.call_soon_threadsafe(_nothing)  # to wait less long

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
        me = get_ident()
        while True:
            with self._entered:
                taken = self._take_turn(me)
                if taken and self._stopped:
                    self.reactor.close()
                    return
            if taken:
                self._iterate(me)
            else:
                self._rest.acquire(timeout=-1 if self._rests_long else REST)

    def _iterate(self, me: int) -> None:
        """Run the reactor until it may be a caller's turn."""
        try:
            while True:
                events = self.reactor.wait(self._waits_until)
                with self._entered:
                    self._runner = me
                    try:
                        self.reactor.handle(events)
                    finally:
                        self._runner = None
                    self._waits_until = self.reactor.next_due()
                    if self._stopped or (self._answers_all() and self.shares):
                        return
        finally:
            self._turn = None

    def _take_turn(self, me: int) -> bool:
        """Take the turn, unless somebody has it, or was answered since the last look."""
        answered = self._answers_all() or self._answered
        self._answered = False
        self._rests_long = self._turn is not None and not answered
        if self._turn is not None or (answered and self.shares and not self._waiters and not self._stopped):
            return False
        self._turn, self._waits_until = me, self.reactor.next_due()
        return True

    def _answers_all(self) -> bool:
        """Whether there were callers that waited, and all have been answered."""
        if not self._waiters:
            return False
        self._waiters = [one for one in self._waiters if not one.done]
        self._answered = self._answered or not self._waiters
        return not self._waiters

    def _end_rest(self) -> None:
        with suppress(RuntimeError):  # it is released already
            self._rest.release()


def give_back(lock: Any) -> None:
    """Release a ``threading.RLock`` that this thread still owns, because the handler of a signal has raised."""
    while lock._is_owned():
        lock.release()


class _Reactor(Reactor):
    """A reactor whose wait and whose callbacks are two steps: only the second needs the lock."""

    def prepare(self) -> None:
        """Make it ready to be woken."""
        self._wakeable()

    def wait(self, until: Optional[float]) -> Events:
        """Wait for something to handle, until a time of the reactor's clock; None means no limit."""
        return self._selector.select(None if until is None else until - self._clock())

    def handle(self, events: Events) -> None:
        """Run the callbacks that are due, and those of ``events``."""
        self._running = True
        try:
            self._handle(events, self._timers.next_time())
        finally:
            self._running = False


def _nothing() -> None:
    """Wake the reactor."""
