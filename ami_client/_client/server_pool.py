"""All that a pool has on one URL: connections, who waits for one, and what is to be opened again.

Source: phpDaemon Network/Client.php (getConnection) and ClientConnection.php.
"""

from __future__ import annotations

import logging
import random
from dataclasses import replace
from threading import Lock
from typing import Callable, Optional, cast

from .._engine.text import printable
from ..callbacks import Guard, PriorityQueueCallbacks, logger
from ..emitter import emit_on
from ..errors import AMIError, ConnectionFinished, LimitReached, LoginRefused
from ..loop import Handle
from ..options import Options, read_url
from ..stats import Stats
from .drain import drain
from .driver import ConnectionPool, Driver
from .slots import LIVE, Due, Place, Slot, Slots
from .waiter import Waiter

# Asterisk's listen queue holds ten connections (main/tcptls.c, ast_tcptls_server_start). Of a larger burst the kernel
# drops some handshakes, and the client waits for a banner that never comes: of 32 connections opened at the same
# instant, a third. So no more than these set out at a time, each for this many seconds or until it has logged in.
STARTING_AT_ONCE = 10
STARTING_TIME = 0.1

# A callback that asks for a connection again whenever it gets one is not to keep everybody else from running.
SERVED_AT_ONCE = 1000

# Above its authlimit Asterisk accepts a connection and closes it at once (manager.c, session_do). The callback it was
# for waits on, for so many tries in a row without a login in between.
TURNED_AWAY_AT_MOST = 8


def backoff_delay(attempt: int, base: float, longest: float) -> float:
    """Seconds before attempt number ``attempt`` (from 1): exponential back-off with full jitter.

    Chosen by chance between 0 and ``base``, doubled for each attempt after the first, ``longest`` at most. So a
    thousand clients that lost the same server at the same instant come back evenly spread. Source: M. Brooker,
    "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    doublings = min(attempt - 1, 1000)  # a float holds no more
    return random.uniform(0.0, min(longest, base * 2.0**doublings))


class ServerPool:
    """The connections to one URL, by their drivers, which report lifecycle changes to it: it is their ``Owner``.

    ``on_idle(server)`` is called when there is nothing left that it would be kept for.
    """

    def __init__(
        self,
        url: str,
        options: Options,
        pool: ConnectionPool,
        on_idle: Callable[[ServerPool], object],
        make: Callable[[Driver], object],
    ) -> None:
        self.url = url
        self.address, self._options = read_url(url, options)
        self._pool = pool
        self._on_idle = on_idle
        self._make = make
        self._finished = False
        self._slots = Slots()
        self._turned_away = 0  # how often in a row, without a login in between
        self._pause: Optional[Handle] = None  # after that, before anything is opened
        self._hastened = float("-inf")  # when the last attempt was made at once
        self._waiting = PriorityQueueCallbacks()
        self._serving = False
        self._past = Stats()  # of connections that are no more
        self._lock = Lock()  # held while a connection's counts move there, for other threads may read them
        self.guard = Guard(pool.reactor.time, self._options.slow_handler, self._past)

    def __repr__(self) -> str:
        return f"<ServerPool {self.address} {self.size} connections>"

    @property
    def size(self) -> int:
        """How many connections there are."""
        return self._slots.count(*LIVE)

    @property
    def stats(self) -> Stats:
        """The sums over all connections so far. May be read from any thread."""
        total = Stats(waiting=len(self._waiting))
        with self._lock:
            total.add([self._past])
            present = [slot.driver for slot in self._slots.all() if not slot.buried]
        total.add(driver.stats for driver in present)
        return total

    def add(self, waiter: Waiter) -> None:
        """Let a callback wait; then :meth:`serve`. Raises LimitReached when too many do already."""
        limit = self._options.max_callbacks
        if len(self._waiting) >= limit:
            error = LimitReached(f"{limit} callbacks (max_callbacks) wait for a connection already", "max_callbacks")
            self._past.count_error(error)
            raise error
        waiter.place = self._waiting.insert(waiter, waiter.pri)

    def serve(self) -> None:
        """Give waiting callbacks the free connections and the free slots."""
        if self._serving or self._finished:
            return
        self._serving = True
        complete = False
        left = SERVED_AT_ONCE
        try:
            while self._waiting and left:
                left -= 1
                free = self._slots.first(Place.FREE)
                if free is not None:
                    free.driver.tell(self._waiting.pop())
                elif self._comes_soon():
                    self._hasten()
                    if self._comes_soon():  # still: callbacks may do anything
                        break  # they are told how the next attempt went
                elif self._pause is None and self.size < self._options.maxconnperserv:
                    self._open(self._next_waiter())
                else:
                    break
            complete = True
        finally:
            self._serving = False
            if not complete or not left:  # a KeyboardInterrupt passes; should the loop run on, the others are served
                self._pool.reactor.call_soon(self.serve)

    def stop(self) -> None:
        """Open nothing more, and serve nobody."""
        self._finished = True
        for slot in self._slots.all():
            slot.comes_again = False
            if slot.place is Place.WAITING:
                self._call_off(slot)
        if self._pause is not None:
            self._pause.cancel()

    def finish(self, graceful: bool) -> None:
        """End everything; all callbacks are told."""
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
        """Open a connection; ``attempt`` is which one in a row it is in the place of a lost connection."""
        options = replace(self._options, **waiter.limits) if waiter and waiter.limits else self._options  # type: ignore[arg-type]
        loop = self._pool.reactor
        driver = Driver(self.url, self.address, options, loop, self._pool, self, reconnect=attempt > 0)
        self._make(driver)
        slot = Slot(driver, attempt, waiter)
        self._slots.add(slot)
        try:
            if waiter is not None:
                driver.tell(waiter)
                if waiter.before_connect is not None:
                    driver.guard(waiter.before_connect, driver.conn)
        finally:  # even when a KeyboardInterrupt passes: the slot is taken
            slot.ready = True
            self._start()

    def _start(self) -> None:
        """Let connections set out, not too many at a time."""
        while self._pause is None and not self._finished and self._slots.count(Place.STARTING) < STARTING_AT_ONCE:
            slot = self._slots.first(Place.QUEUED)
            if slot is None or not slot.ready:
                return
            slot.timer = self._pool.reactor.call_later(STARTING_TIME, self._takes_its_time, slot)
            self._slots.move(slot, Place.STARTING)
            slot.driver.connect()

    def _takes_its_time(self, slot: Slot) -> None:
        self._move(slot, Place.OPENING)
        self._start()

    def _move(self, slot: Slot, place: Place) -> None:
        """Change its place; it does not count as starting any more."""
        if slot.timer is not None:
            slot.timer.cancel()
            slot.timer = None
        self._slots.move(slot, place)

    def _is_turned_away(self, driver: Driver) -> bool:
        """Whether a connection was closed without a word while others were served: it is to wait for its turn."""
        if self._options.reconnect is None or self._finished or not driver.turned_away:
            return False
        if self._turned_away >= TURNED_AWAY_AT_MOST:
            return False
        others = self._slots.at(Place.STARTING, Place.OPENING, Place.BUSY, Place.FREE)
        return any(slot.driver is not driver and not slot.driver.is_finished for slot in others)

    def _hold_back(self) -> None:
        """Open nothing for a while: too many log in."""
        if self._pause is None:
            self._turned_away += 1
            delay = self._delay(self._turned_away)
            logger.info("%s: too many logins at a time, the next in %.2f s at most", self.address, delay)
            self._pause = self._pool.reactor.call_later(delay, self._go_on)

    def _go_on(self) -> None:
        """Open what is to be opened: the pause is over, or others have logged in and so made room."""
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
            if not driver.is_connected:  # a callback may end it
                break
            try:
                driver.retry(lost.driver)
            finally:
                self._bury(lost)

    def ready(self, driver: Driver) -> None:
        slot = self._slots.get(driver)
        if slot is not None and slot.place is Place.BUSY and not driver.acquired:
            self._move(slot, Place.FREE)  # first, for who waits is to get it, not another one
        self._start()
        if not self._slots.count(Place.STARTING):
            self._go_on()
        self.serve()

    def ending(self, driver: Driver) -> None:
        slot = self._slots.get(driver)
        assert slot is not None
        is_attempt, turned_away = slot.attempt > 0, self._is_turned_away(driver)
        self._move(slot, Place.ENDING)
        if is_attempt:  # it is made again
            while self._waiting and not self._slots.attempts and not turned_away:  # for it: they are told how it went
                driver.tell(self._waiting.pop(), with_others=True)
        if turned_away:
            self._hold_back()
        caller = slot.caller
        if turned_away and caller is not None and driver.take_back(caller):
            self._waiting.insert(caller, caller.pri, caller.place)  # where it stood
            if not is_attempt:
                return
        slot.comes_again = self._comes_again(slot)

    def lost(self, driver: Driver) -> None:
        slot = self._slots.get(driver)
        if slot is None or slot.place is not Place.ENDING:  # told again, after a KeyboardInterrupt
            return
        slot.attempt += 1
        if slot.comes_again:
            slot.comes_again = False
            self._open_later(slot, self._delay(slot.attempt), Place.WAITING)
        else:
            self._move(slot, Place.RETRYING)
        for one in self._slots.at(Place.WAITING, Place.RETRYING):
            if not one.driver.has_retries:
                self._bury(one)
        self._start()
        try:
            if slot.due is not None:
                self._announce(slot)
            self.serve()
        finally:  # even when a KeyboardInterrupt passes
            self._settle(driver)

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
        """See what is still to come, now that a connection is gone."""
        try:
            lost_for_good = not self._slots.count(Place.WAITING) and self._lost_with_retries()
            if lost_for_good and all(slot.driver.is_connected for slot in self._slots.at(*LIVE)):
                self._fail_retries(driver.error or ConnectionFinished("the connection is finished"))
        finally:  # even when a KeyboardInterrupt passes
            if not self.size and not self._waiting and not self._slots.count(Place.WAITING):
                self._on_idle(self)

    def _lost_with_retries(self) -> list[Slot]:
        """Those that are no more, and left actions that are to be sent again."""
        return [slot for slot in self._slots.all() if slot.place not in LIVE and not slot.buried]

    def _bury(self, slot: Slot) -> None:
        """Its counts are among those of the past; unless it is to come again, it is forgotten."""
        with self._lock:
            if not slot.buried:  # a callback may have ended the pool, and so buried it
                slot.buried = True
                self._past.add([slot.driver.stats.counters()])
        if slot.place is Place.RETRYING:
            self._move(slot, Place.GONE)

    # -- opening again

    def _comes_soon(self) -> bool:
        """Whether a connection is opened in the place of a lost one, or will be."""
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
        # Of several connections that were asked for and never came to be, one is enough to go on trying.
        others = self._comes_soon() or any(one.driver.is_connected for one in self._slots.at(*LIVE))
        return not others or slot.attempt > 0 or slot.driver.counts.logins > 0

    def _open_later(self, lost: Slot, delay: float, place: Optional[Place] = None) -> None:
        """Open another one in the place of a lost one, after so many seconds."""
        loop = self._pool.reactor
        if place is not None:
            self._move(lost, place)
        lost.due = Due(delay, loop.time() + delay, loop.call_later(delay, self._open_again, lost))

    def _call_off(self, lost: Slot) -> None:
        """Nothing is opened in the place of a lost one any more."""
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
        """Somebody waits: a first attempt is made at once, a later one as soon as a first one would have been."""
        waiting = [(slot.attempt > 1, slot.due.time, slot) for slot in self._slots.at(Place.WAITING) if slot.due]
        if self._slots.attempts or not waiting:
            return
        _is_later, when, lost = min(waiting, key=lambda item: item[:2])
        now, base = self._pool.reactor.time(), self._options.reconnect
        assert base is not None and lost.due is not None
        if lost.attempt == 1 and now >= self._hastened + base:
            self._hastened = now  # not again and again, for a server that accepts logins and closes
            self._open_again(lost)
        elif when > now + base:
            lost.due.timer.cancel()
            self._open_later(lost, self._delay(1))

    def _announce(self, lost: Slot) -> None:
        assert lost.due is not None
        error, attempt, delay = lost.driver.error, lost.attempt, lost.due.delay
        # A server that is down fills no log; one that refuses us wants to be looked at.
        notable = attempt == 1 or isinstance(error, LoginRefused)
        level = logging.WARNING if notable else logging.INFO
        text = "%s: connecting again in %.2f s, attempt %d (%s)"
        logger.log(level, text, self.address, delay, attempt, printable(str(error)))
        emit_on(self._pool, self.guard, "reconnecting", self.url, delay, attempt)

    def _fail_retries(self, error: AMIError) -> None:
        """No connection is coming: tell those that were to be sent again."""

        def fail_one() -> bool:
            lost = next(iter(self._lost_with_retries()), None)
            if lost is None:
                return False
            try:
                lost.driver.fail_retries(error)
            finally:
                self._bury(lost)
            return True

        drain(self._pool.reactor, fail_one)
