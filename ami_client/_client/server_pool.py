"""The part of a pool for one URL: its connections, the callbacks that wait for one, and reconnects.

Source: phpDaemon Network/Client.php (getConnection) and ClientConnection.php.
"""

from __future__ import annotations

import logging
from threading import Lock
from typing import Callable, Optional, cast

from .._engine.text import printable
from ..callbacks import PriorityQueueCallbacks, StackCallbacks, logger
from ..emitter import emit_on
from ..errors import AMIError, ConnectionFinished, LimitReached, LoginRefused
from ..loop import Handle
from ..options import Options, read_url
from ..stats import Stats
from .dispatch import Guard
from .driver import ConnectionPool, Driver
from .resume import resumed
from .slots import LIVE, Due, Place, Slot, Slots
from .waiter import Waiter

# Asterisk's listen queue holds ten connections (main/tcptls.c, ast_tcptls_server_start). In a larger burst the kernel
# drops some handshakes, and these clients wait for a banner that never arrives: a third of 32 connections that are
# opened at once. So only this many connections are started at a time. Each counts for this many seconds, or until it
# has logged in.
STARTING_AT_ONCE = 10
STARTING_TIME = 0.1

# Callbacks served in one iteration. A callback that requests a new connection each time it gets one must not starve the
# loop.
SERVED_AT_ONCE = 1000

# Above its authlimit, Asterisk accepts a connection and closes it at once (manager.c, session_do). The callback then
# keeps waiting, for up to this many such attempts in a row without a login in between.
TURNED_AWAY_AT_MOST = 8


def backoff_delay(attempt: int, base: float, longest: float) -> float:
    """Return the seconds before attempt number ``attempt`` (from 1): exponential back-off with full jitter.

    The delay is random, between 0 and a bound. The bound starts at ``base`` and doubles with each attempt, up to
    ``longest``. So a thousand clients that lost the same server at once come back spread over time. Source: M. Brooker,
    "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    import random  # a slow import (benchmark h): only needed after a loss

    doublings = min(attempt - 1, 1000)  # more would overflow a float
    return random.uniform(0.0, min(longest, base * 2.0**doublings))


class Sockets:
    """The connections of a pool whose sockets are not closed yet."""

    def __init__(self) -> None:
        self._open: set[Driver] = set()
        self._on_closed = StackCallbacks()

    def opened(self, driver: Driver) -> None:
        """Add a connection that is about to be opened."""
        self._open.add(driver)

    def closed(self, driver: Driver) -> None:
        """Remove a connection whose socket is closed."""
        self._open.discard(driver)
        if not self._open:
            self._on_closed.execute_all()

    def when_closed(self, cb: Callable[[], object]) -> None:
        """Call ``cb()`` when all are closed. If they already are, call it at once."""
        self._on_closed.push(cb)
        if not self._open:
            self._on_closed.execute_all()


class ServerPool:
    """The connections to one URL, by their drivers. It is their ``Owner``: drivers report lifecycle changes to it.

    ``on_idle(server)`` is called when it has no connections, no waiting callbacks and no reconnects left.
    """

    def __init__(
        self,
        url: str,
        options: Options,
        pool: ConnectionPool,
        on_idle: Callable[[ServerPool], object],
        sockets: Sockets,
        make: Callable[[Driver], object],
    ) -> None:
        self.url = url
        self._sockets = sockets
        self.address, self._options = read_url(url, options)
        self._pool = pool
        self._on_idle = on_idle
        self._make = make
        self._finished = False
        self._slots = Slots()
        self._turned_away = 0  # connections turned away in a row, without a login in between
        self._pause: Optional[Handle] = None  # timer of the pause after that; nothing is opened during it
        self._hastened = float("-inf")  # when an attempt was last moved forward
        self._waiting = PriorityQueueCallbacks()
        self._serving = False
        self._past = Stats()  # of past connections
        self._lock = Lock()  # counts move into _past under it, because other threads read them
        self.guard = Guard(pool.reactor.time, self._options.slow_handler, self._past)

    def __repr__(self) -> str:
        return f"<ServerPool {self.address} {self.size} connections>"

    @property
    def size(self) -> int:
        """The number of connections."""
        return self._slots.count(*LIVE)

    @property
    def stats(self) -> Stats:
        """The sums over all connections, past and present. May be read from any thread."""
        total = Stats(waiting=len(self._waiting))
        with self._lock:
            total.add([self._past])
            present = [slot.driver for slot in self._slots.all() if not slot.buried]
        total.add(driver.stats for driver in present)
        return total

    def add(self, waiter: Waiter) -> None:
        """Queue a callback. Call :meth:`serve` afterwards. Raises LimitReached if too many are waiting."""
        limit = self._options.max_callbacks
        if len(self._waiting) >= limit:
            error = LimitReached(f"{limit} callbacks (max_callbacks) already wait for a connection", "max_callbacks")
            self._past.count_error(error)
            raise error
        waiter.place = self._waiting.insert(waiter, waiter.pri)

    def take_back(self, cb: Callable[..., object]) -> Optional[Waiter]:
        """Remove and return a callback that was not called yet, or None."""
        waiter = cast(Optional[Waiter], self._waiting.remove(cb))
        for slot in self._slots.at(Place.QUEUED, Place.STARTING, Place.OPENING):
            if waiter is None and slot.caller is not None and slot.caller == cb and slot.driver.take_back(slot.caller):
                waiter, slot.caller = slot.caller, None
        return waiter

    def serve(self) -> None:
        """Give the free connections to waiting callbacks, and open new ones for the others as far as allowed."""
        if self._serving or self._finished:
            return
        self._serving = True
        left = SERVED_AT_ONCE
        try:
            with resumed(self._pool.reactor, self.serve):
                while left and self._serve_one():
                    left -= 1
        finally:
            self._serving = False
        if not left:
            self._pool.reactor.call_soon(self.serve)

    def _serve_one(self) -> bool:
        """Serve a waiting callback, or hasten the attempt that will serve it. Return False if none can be served."""
        if not self._waiting:
            return False
        free = self._slots.first(Place.FREE)
        if free is not None:
            free.driver.tell(self._waiting.pop())
        elif self._comes_soon():
            self._hasten()
            return not self._comes_soon()  # check again: callbacks may do anything; an attempt will call them
        elif self._pause is None and self.size < self._options.maxconnperserv:
            self._open(self._next_waiter())
        else:
            return False
        return True

    def stop(self) -> None:
        """Open no more connections, and serve no more callbacks."""
        self._finished = True
        for slot in self._slots.all():
            slot.comes_again = False
            if slot.place is Place.WAITING:
                self._call_off(slot)
        if self._pause is not None:
            self._pause.cancel()

    def finish(self, graceful: bool) -> None:
        """End all connections, and fail all waiting callbacks."""
        self.stop()
        for slot in self._slots.all():
            if slot.place in LIVE:
                slot.driver.end(graceful)
        error = ConnectionFinished("the pool was finished")
        self._fail_retries(error)
        while self._waiting:
            self._next_waiter().fail(error, self._options, self._pool, self._past, self._make)

    # -- opening

    def _next_waiter(self) -> Waiter:
        return cast(Waiter, self._waiting.pop())

    def _open(self, waiter: Optional[Waiter], attempt: int = 0) -> None:
        """Open a connection. ``attempt`` is the number of the reconnect attempt, or 0 for a new connection."""
        options = self._options.replace(**waiter.limits) if waiter and waiter.limits else self._options
        loop = self._pool.reactor
        driver = Driver(self.url, self.address, options, loop, self._pool, self, reconnect=attempt > 0)
        self._sockets.opened(driver)
        self._make(driver)
        slot = Slot(driver, attempt, waiter)
        self._slots.add(slot)
        try:
            if waiter is not None:
                driver.tell(waiter)
                if waiter.before_connect is not None:
                    driver.guard(waiter.before_connect, driver.conn)
        finally:  # even on a KeyboardInterrupt: the slot is in use
            slot.ready = True
            self._start()

    def _start(self) -> None:
        """Start queued connections, but not too many at a time."""
        while self._pause is None and not self._finished and self._slots.count(Place.STARTING) < STARTING_AT_ONCE:
            slot = self._slots.first(Place.QUEUED)
            if slot is None or not slot.ready:
                return
            slot.timer = self._pool.reactor.call_later(STARTING_TIME, self._on_slow_start, slot)
            self._slots.move(slot, Place.STARTING)
            slot.driver.connect()

    def _on_slow_start(self, slot: Slot) -> None:
        self._move(slot, Place.OPENING)
        self._start()

    def _move(self, slot: Slot, place: Place) -> None:
        """Change a slot's place, and cancel its timer of STARTING."""
        if slot.timer is not None:
            slot.timer.cancel()
            slot.timer = None
        self._slots.move(slot, place)

    def _is_turned_away(self, driver: Driver) -> bool:
        """Whether the server closed a connection without an answer but serves others. Its callback keeps waiting."""
        if self._options.reconnect is None or self._finished or not driver.turned_away:
            return False
        if self._turned_away >= TURNED_AWAY_AT_MOST:
            return False
        others = self._slots.at(Place.STARTING, Place.OPENING, Place.BUSY, Place.FREE)
        return any(slot.driver is not driver and not slot.driver.is_finished for slot in others)

    def _begin_pause(self) -> None:
        """Pause: open nothing for a while, because there are too many concurrent logins."""
        if self._pause is None:
            self._turned_away += 1
            delay = self._delay(self._turned_away)
            logger.info("%s: too many concurrent logins; the next one follows within %.2f s", self.address, delay)
            self._pause = self._pool.reactor.call_later(delay, self._end_pause)

    def _end_pause(self) -> None:
        """End the pause. Its time is over, or others have logged in and made room."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
            self._start()
            self.serve()

    # -- what drivers report

    def acquired(self, driver: Driver) -> None:
        slot = self._slots.get(driver)
        if slot is not None and slot.place is Place.FREE:
            self._move(slot, Place.BUSY)

    def logged_in(self, driver: Driver) -> None:
        slot = self._slots.get(driver)
        assert slot is not None
        self._move(slot, Place.BUSY)
        slot.attempt, slot.caller = 0, None
        self._turned_away = 0
        for lost in self._lost_with_retries():
            if not driver.is_connected:  # a callback may have ended it
                break
            try:
                driver.retry(lost.driver)
            finally:
                self._bury(lost)

    def ready(self, driver: Driver) -> None:
        slot = self._slots.get(driver)
        if slot is not None and slot.place is Place.BUSY and not driver.acquired:
            self._move(slot, Place.FREE)  # before anything is opened, so a waiting callback gets it
        self._start()
        if not self._slots.count(Place.STARTING):
            self._end_pause()
        self.serve()

    def ending(self, driver: Driver) -> None:
        slot = self._slots.get(driver)
        assert slot is not None
        if slot.place is Place.ENDING:  # the connection of a refused login ends
            return
        is_attempt, turned_away = slot.attempt > 0, self._is_turned_away(driver)
        self._move(slot, Place.ENDING)
        if is_attempt:  # another attempt may follow
            while self._waiting and not self._slots.attempts and not turned_away:  # they waited for this attempt
                driver.tell(self._waiting.pop(), with_others=True)
        if turned_away:
            self._begin_pause()
        caller = slot.caller
        if turned_away and caller is not None and driver.take_back(caller):
            self._waiting.insert(caller, caller.pri, caller.place)  # at its old place in the queue
            if not is_attempt:
                return
        slot.comes_again = self._comes_again(slot)

    def lost(self, driver: Driver) -> None:
        slot = self._slots.get(driver)
        if slot is None or slot.place is not Place.ENDING:  # reported again, after a KeyboardInterrupt
            return
        slot.attempt += 1
        if slot.comes_again:
            slot.comes_again = False
            self._open_later(slot, self._delay(slot.attempt), Place.WAITING)
        else:
            self._move(slot, Place.RETRYING)
        for one in self._lost_with_retries():
            if not one.driver.has_retries:
                self._bury(one)
        self._start()
        try:
            if slot.due is not None:
                self._announce(slot)
            self.serve()
        finally:  # even on a KeyboardInterrupt
            self._settle(driver)

    def closed(self, driver: Driver) -> None:
        self._sockets.closed(driver)

    def reconnects(self, driver: Driver) -> bool:
        return self._comes_soon() or (self._pause is not None and driver.turned_away)

    def given_up(self, driver: Driver) -> None:
        slot = self._slots.get(driver)
        if slot is None:
            return
        slot.comes_again = False
        if slot.place is Place.WAITING:
            self._call_off(slot)
            self.serve()
            self._settle(driver)

    def _settle(self, driver: Driver) -> None:
        """After the loss of a connection, fail actions that nothing can send again, and report if nothing is left."""
        try:
            lost_for_good = not self._slots.count(Place.WAITING) and self._lost_with_retries()
            if lost_for_good and all(slot.driver.is_connected for slot in self._slots.at(*LIVE)):
                self._fail_retries(driver.error or ConnectionFinished("the connection is finished"))
        finally:  # even on a KeyboardInterrupt
            if not self.size and not self._waiting and not self._slots.count(Place.WAITING):
                self._on_idle(self)

    def _lost_with_retries(self) -> list[Slot]:
        """Return the slots of lost connections with actions to send again."""
        return [slot for slot in self._slots.all() if slot.place not in LIVE and not slot.buried]

    def _bury(self, slot: Slot) -> None:
        """Add a slot's counters to those of past connections. Remove the slot, unless a replacement is scheduled."""
        with self._lock:
            if not slot.buried:  # a callback may have buried it already, by ending the pool
                slot.buried = True
                self._past.add([slot.driver.stats.counters()])
        if slot.place is Place.RETRYING:
            self._move(slot, Place.GONE)

    # -- reconnects

    def _comes_soon(self) -> bool:
        """Whether a reconnect attempt is scheduled or running."""
        ending = self._slots.at(Place.ENDING)
        return bool(
            self._slots.attempts or self._slots.count(Place.WAITING) or any(slot.comes_again for slot in ending)
        )

    def _comes_again(self, slot: Slot) -> bool:
        error = slot.driver.error
        if self._options.reconnect is None or self._finished or isinstance(error, ConnectionFinished):
            return False
        if isinstance(error, LoginRefused) and not (error.temporary or self._options.reconnect_refused):
            logger.error("%s: %s; it is not opened again (unless reconnect_refused is set)", self.address, error)
            return False
        # If several new connections failed before their login, only one of them keeps trying.
        others = self._comes_soon() or any(one.driver.is_connected for one in self._slots.at(*LIVE))
        return not others or slot.attempt > 0 or slot.driver.counts.logins > 0

    def _open_later(self, lost: Slot, delay: float, place: Optional[Place] = None) -> None:
        """Schedule the replacement of a lost connection, after ``delay`` seconds."""
        loop = self._pool.reactor
        if place is not None:
            self._move(lost, place)
        lost.due = Due(delay, loop.time() + delay, loop.call_later(delay, self._open_again, lost))

    def _call_off(self, lost: Slot) -> None:
        """Cancel the replacement of a lost connection."""
        assert lost.due is not None
        lost.due.timer.cancel()
        lost.due = None
        self._move(lost, Place.GONE if lost.buried else Place.RETRYING)

    def _open_again(self, lost: Slot) -> None:
        attempt = lost.attempt
        self._call_off(lost)
        self._open(self._next_waiter() if self._waiting else None, attempt)

    def _delay(self, attempt: int) -> float:
        assert self._options.reconnect is not None
        return backoff_delay(attempt, self._options.reconnect, self._options.reconnect_max)

    def _hasten(self) -> None:
        """Move a reconnect forward, because a callback is waiting.

        A first attempt is made at once. A later attempt gets the delay of a first one.
        """
        waiting = [(slot.attempt > 1, slot.due.time, slot) for slot in self._slots.at(Place.WAITING) if slot.due]
        if self._slots.attempts or not waiting:
            return
        _is_later, when, lost = min(waiting, key=lambda item: item[:2])
        now, base = self._pool.reactor.time(), self._options.reconnect
        assert base is not None and lost.due is not None
        if lost.attempt == 1 and now >= self._hastened + base:
            self._hastened = now  # once only, in case the server accepts logins and then closes
            self._open_again(lost)
        elif when > now + base:
            lost.due.timer.cancel()
            self._open_later(lost, self._delay(1))

    def _announce(self, lost: Slot) -> None:
        assert lost.due is not None
        error, attempt, delay = lost.driver.error, lost.attempt, lost.due.delay
        # A server that is down must not fill the log. A refused login needs attention.
        notable = attempt == 1 or isinstance(error, LoginRefused)
        level = logging.WARNING if notable else logging.INFO
        text = "%s: connecting again in %.2f s, attempt %d (%s)"
        logger.log(level, text, self.address, delay, attempt, printable(str(error)))
        emit_on(self._pool, self.guard, "reconnecting", self.url, delay, attempt)

    def _fail_retries(self, error: AMIError) -> None:
        """Fail the actions that were to be sent again, because no connection will come."""
        with resumed(self._pool.reactor, self._fail_retries, error):
            while lost := self._lost_with_retries():
                try:
                    lost[0].driver.fail_retries(error)
                finally:
                    self._bury(lost[0])
