"""All that a pool has on one URL: connections, who waits for one, and what is to be opened again.

Source: phpDaemon Network/Client.php (getConnection) and ClientConnection.php.
"""

from __future__ import annotations

import logging
import random
from collections import deque
from dataclasses import replace
from threading import Lock
from typing import Callable, NamedTuple, Optional, Union, cast

from .._engine.state import State
from .._engine.text import printable
from ..callbacks import Guard, PriorityQueueCallbacks, Wrapper, logger
from ..emitter import emit_on
from ..errors import AMIError, ConnectionFinished, LimitReached, LoginRefused, NoServer
from ..loop import Handle
from ..options import Options, read_url
from ..stats import Stats
from ..url import ServerURL
from .driver import ConnectionPool, Driver

OnConnection = Callable[..., object]
BeforeConnect = Callable[..., object]

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


def _nobody(conn: object, packet: object) -> None:
    """The callback of a caller who wants none."""


class Waiter(Wrapper):
    """A ``cb(conn, packet)`` that waits for a connection.

    Attributes: ``limits``, options of the connection that it may open; ``pri`` and ``place``, where it stands in the
    queue, and stands again if the server turns its connection away.
    """

    def __init__(
        self,
        cb: Optional[OnConnection],
        before_connect: Optional[BeforeConnect],
        limits: dict[str, Optional[float]],
        pri: float = 0,
    ) -> None:
        super().__init__(_nobody if cb is None else cb)
        self.before_connect = before_connect
        self.limits = limits
        self.pri = pri
        self.place: Optional[int] = None

    def __call__(self, *args: object, **kwargs: object) -> object:
        return self.func(*args, **kwargs)

    def fail(
        self,
        error: Union[NoServer, ConnectionFinished],
        options: Options,
        pool: ConnectionPool,
        stats: Stats,
        make: Callable[[Driver], object],
    ) -> None:
        """Call it with a connection that never was; what happens meanwhile is counted in ``stats``."""
        driver = Driver("", ServerURL("tcp", ""), options, pool.reactor)
        make(driver)
        driver.fail(error)
        try:
            driver.tell(self)
        finally:
            stats.add([driver.stats.counters()])


class _Reconnect(NamedTuple):
    """The attempt to open a lost connection again that is due."""

    attempt: int
    delay: float
    time: float
    timer: Handle


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
        self._connections: dict[Driver, int] = {}  # in order; with the attempts before it that came to nothing
        self._free: dict[Driver, None] = {}  # an ordered set, as those below
        self._to_start: deque[Driver] = deque()
        self._starting: dict[Driver, Handle] = {}
        self._attempts: dict[Driver, None] = {}  # opened in the place of lost ones, and not logged in yet
        self._to_replace: dict[Driver, None] = {}  # ending, and to be opened again
        self._reconnects: dict[Driver, _Reconnect] = {}  # by what was lost
        self._retrying: dict[Driver, None] = {}  # ended, with actions that are to be sent again
        self._callers: dict[Driver, Waiter] = {}  # for whom each was opened, until it is logged in
        self._turned_away = 0  # how often in a row, without a login in between
        self._pause: Optional[Handle] = None  # after that, before anything is opened
        self._hastened = float("-inf")  # when the last attempt was made at once
        self._waiting = PriorityQueueCallbacks()
        self._serving = False
        self._past = Stats()  # of connections that are no more
        self._lock = Lock()  # held while a connection's counts move there, for other threads may read them
        self.guard = Guard(pool.reactor.time, self._options.slow_handler, self._past)

    def __repr__(self) -> str:
        return f"<ServerPool {self.address} {len(self._connections)} connections>"

    @property
    def size(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    @property
    def stats(self) -> Stats:
        """The sums over all connections so far. May be read from any thread."""
        total = Stats(waiting=len(self._waiting))
        with self._lock:
            total.add([self._past])
            present = (*self._connections, *self._retrying)
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
                if self._free:
                    driver = next(iter(self._free))
                    driver.tell(self._waiting.pop())
                elif self._attempts or self._reconnects or self._to_replace:
                    self._hasten()
                    if self._attempts or self._reconnects or self._to_replace:  # still: callbacks may do anything
                        break  # they are told how the next attempt went
                elif self._pause is None and len(self._connections) < self._options.maxconnperserv:
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
        for reconnect in self._reconnects.values():
            reconnect.timer.cancel()
        self._reconnects.clear()
        self._to_replace.clear()
        self._to_start.clear()
        if self._pause is not None:
            self._pause.cancel()

    def finish(self, graceful: bool) -> None:
        """End everything; all callbacks are told."""
        self.stop()
        for driver in list(self._connections):
            driver.end(graceful)
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
        self._connections[driver] = attempt
        if attempt:
            self._attempts[driver] = None
        try:
            if waiter is not None:
                self._callers[driver] = waiter
                driver.tell(waiter)
                if waiter.before_connect is not None:
                    driver.guard(waiter.before_connect, driver.conn)
        finally:  # even when a KeyboardInterrupt passes: the slot is taken
            self._to_start.append(driver)
            self._start()

    def _start(self) -> None:
        """Let connections set out, not too many at a time."""
        while self._to_start and self._pause is None and len(self._starting) < STARTING_AT_ONCE:
            driver = self._to_start.popleft()
            if not driver.is_finished:
                self._starting[driver] = self._pool.reactor.call_later(STARTING_TIME, self._started, driver)
                driver.connect()

    def _started(self, driver: Driver) -> None:
        """A connection has logged in, was lost or takes its time: the next one may set out."""
        timer = self._starting.pop(driver, None)
        if timer is not None:
            timer.cancel()
            self._start()

    def _is_turned_away(self, driver: Driver) -> bool:
        """Whether a connection was closed without a word while others were served: it is to wait for its turn."""
        if self._options.reconnect is None or self._finished or not driver.turned_away:
            return False
        others = (one for one in self._connections if one is not driver and one.state is not State.NEW)
        return self._turned_away < TURNED_AWAY_AT_MOST and not all(one.is_finished for one in others)

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

    # -- what connections tell

    def acquired(self, driver: Driver) -> None:
        self._free.pop(driver, None)

    def logged_in(self, driver: Driver) -> None:
        self._connections[driver] = 0
        self._attempts.pop(driver, None)
        self._callers.pop(driver, None)
        self._turned_away = 0
        while self._retrying and driver.is_connected:  # a callback may end it
            lost = next(iter(self._retrying))
            try:
                driver.retry(lost)
            finally:
                self._bury(lost)

    def ready(self, driver: Driver) -> None:
        if not driver.acquired:
            self._free[driver] = None  # first, for who waits is to get it, not another one
        self._started(driver)
        if not self._starting:
            self._go_on()
        self.serve()

    def ending(self, driver: Driver) -> None:
        self._free.pop(driver, None)
        waiter = self._callers.pop(driver, None)
        turned_away = self._is_turned_away(driver)
        is_attempt = driver in self._attempts
        if is_attempt:  # it is made again
            del self._attempts[driver]
            while self._waiting and not self._attempts and not turned_away:  # for it: they are told how it went
                driver.tell(self._waiting.pop(), with_others=True)
        if turned_away:
            self._hold_back()
        if turned_away and waiter is not None and driver.take_back(waiter):
            self._waiting.insert(waiter, waiter.pri, waiter.place)  # where it stood
            if not is_attempt:
                return
        if self._comes_again(driver):
            self._to_replace[driver] = None

    def lost(self, driver: Driver) -> None:
        if driver not in self._connections:  # told again, after a KeyboardInterrupt
            return
        with self._lock:
            attempt = self._connections.pop(driver) + 1
            self._retrying[driver] = None
        self._started(driver)
        for one in [one for one in self._retrying if not one.has_retries]:
            self._bury(one)
        try:
            if driver in self._to_replace:
                del self._to_replace[driver]
                self._reconnect_later(driver, attempt, self._delay(attempt))
                self._announce(driver)
            self.serve()
        finally:  # even when a KeyboardInterrupt passes
            self._settle(driver)

    def given_up(self, driver: Driver) -> None:
        self._to_replace.pop(driver, None)
        reconnect = self._reconnects.pop(driver, None)
        if reconnect is not None:
            reconnect.timer.cancel()
            self.serve()
            self._settle(driver)

    def _settle(self, driver: Driver) -> None:
        """See what is still to come, now that a connection is gone."""
        try:
            if self._retrying and not self._reconnects and all(one.is_connected for one in self._connections):
                self._fail_retries(driver.error or ConnectionFinished("the connection is finished"))
        finally:  # even when a KeyboardInterrupt passes
            if not self._connections and not self._waiting and not self._reconnects:
                self._on_idle(self)

    def _bury(self, driver: Driver) -> None:
        with self._lock:
            if driver in self._retrying:  # a callback may have ended the pool, and so buried it
                del self._retrying[driver]
                self._past.add([driver.stats.counters()])

    # -- opening again

    def _comes_again(self, driver: Driver) -> bool:
        error = driver.error
        if self._options.reconnect is None or self._finished or isinstance(error, ConnectionFinished):
            return False
        if isinstance(error, LoginRefused) and not (error.temporary or self._options.reconnect_refused):
            logger.error("%s: %s; it is not opened again (unless reconnect_refused is set)", self.address, error)
            return False
        # Of several connections that were asked for and never came to be, one is enough to go on trying.
        others = (
            self._reconnects or self._to_replace or self._attempts or any(one.is_connected for one in self._connections)
        )
        return not others or self._connections[driver] > 0 or driver.counts.logins > 0

    def _reconnect_later(self, lost: Driver, attempt: int, delay: float) -> None:
        loop = self._pool.reactor
        self._reconnects[lost] = _Reconnect(
            attempt, delay, loop.time() + delay, loop.call_later(delay, self._reconnect, lost)
        )

    def _delay(self, attempt: int) -> float:
        assert self._options.reconnect is not None
        return backoff_delay(attempt, self._options.reconnect, self._options.reconnect_max)

    def _hasten(self) -> None:
        """Somebody waits: a first attempt is made at once, a later one as soon as a first one would have been."""
        if self._attempts or not self._reconnects:
            return
        lost, due = min(self._reconnects.items(), key=lambda item: (item[1].attempt > 1, item[1].time))
        now, base = self._pool.reactor.time(), self._options.reconnect
        assert base is not None
        if due.attempt == 1 and now >= self._hastened + base:
            self._hastened = now  # not again and again, for a server that accepts logins and closes
            due.timer.cancel()
            self._reconnect(lost)
        elif due.time > now + base:
            due.timer.cancel()
            self._reconnect_later(lost, due.attempt, self._delay(1))

    def _announce(self, lost: Driver) -> None:
        due = self._reconnects[lost]
        # A server that is down fills no log; one that refuses us wants to be looked at.
        notable = due.attempt == 1 or isinstance(lost.error, LoginRefused)
        level = logging.WARNING if notable else logging.INFO
        text = "%s: connecting again in %.2f s, attempt %d (%s)"
        logger.log(level, text, self.address, due.delay, due.attempt, printable(str(lost.error)))
        emit_on(self._pool, self.guard, "reconnecting", self.url, due.delay, due.attempt)

    def _reconnect(self, lost: Driver) -> None:
        attempt = self._reconnects.pop(lost).attempt
        self._open(self._next_waiter() if self._waiting else None, attempt)

    def _fail_retries(self, error: AMIError) -> None:
        """No connection is coming: tell those that were to be sent again."""
        try:
            while self._retrying:
                driver = next(iter(self._retrying))
                try:
                    driver.fail_retries(error)
                finally:
                    self._bury(driver)
        finally:
            if self._retrying:  # a KeyboardInterrupt passes; should the loop run on, the others are still told
                self._pool.reactor.call_soon(self._fail_retries, error)
