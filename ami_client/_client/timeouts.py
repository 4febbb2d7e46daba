"""Timeouts of actions, logins and silent links."""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, Callable, Optional

from .._engine.in_flight import Pending
from ..errors import SilenceTimeout

if TYPE_CHECKING:
    from ..loop import Handle, Loop

# Sizes above which answered actions are searched and removed:
_MANY = 1000  # actions with the same limit
_MANY_LIMITS = 32


class _Queue:
    def __init__(self) -> None:
        self.waiting: deque[Pending] = deque()
        self.many = _MANY
        self.timer: Optional[Handle] = None


class Deadlines:
    """Calls ``on_late(pending)`` for each action that is not answered in time.

    Nearly all actions of a connection have the same limit, so they expire in the order of sending. One queue and one
    timer per limit instead of a timer per action save a fifth (benchmark d100).

    Attributes:
        accepted: actions with the ``usual`` limit that will be sent next. See :meth:`begin`.
        accepted_limits: the same for actions with a limit of their own, in seconds, or None.
    """

    def __init__(self, loop: Loop, on_late: Callable[[Pending], object], usual: Optional[float] = None) -> None:
        self.accepted: list[Pending] = []
        self.accepted_limits: list[tuple[Pending, Optional[float]]] = []
        self._usual = usual
        self._loop = loop
        self._on_late = on_late
        self._queues: dict[float, _Queue] = {}
        self._many = _MANY_LIMITS

    def begin(self, sent: bool) -> None:
        """Watch the accepted actions. Their limits begin now. ``sent``: they are being sent, not kept for the login.

        To watch all of them at once, and not each as it is accepted, saves a tenth (benchmark d100).
        """
        if self.accepted:
            self.watch(self.accepted, self._usual, sent)
        for one, own_limit in self.accepted_limits:
            self.watch([one], own_limit, sent)
        self.drop()  # last, so that none is missed after a KeyboardInterrupt

    def drop(self) -> None:
        """Forget the accepted actions."""
        self.accepted.clear()
        self.accepted_limits.clear()

    def watch(self, pending: list[Pending], limit: Optional[float], sent: bool) -> None:
        """Watch actions. Their limit begins now."""
        now = self._loop.time()
        sent_at = now if sent else None
        if limit is None or limit == inf:  # an Originate's own Timeout may have any value
            for one in pending:
                one.sent_at = sent_at
            return
        deadline = now + limit
        for one in pending:
            one.sent_at, one.limit, one.deadline = sent_at, limit, deadline
        self.add_all(pending, limit)

    def add(self, pending: Pending, limit: float) -> None:
        """Watch an action whose ``deadline`` is ``limit`` seconds from now."""
        self.add_all([pending], limit)

    def add_all(self, pending: list[Pending], limit: float) -> None:
        """Like :meth:`add`, for many actions."""
        queue = self._queues.get(limit)
        if queue is None:
            if len(self._queues) >= self._many:
                self._sweep()
            queue = _Queue()
            self._wait(limit, queue, limit)
            self._queues[limit] = queue
        waiting = queue.waiting
        while waiting and waiting[0].callback is None:
            waiting.popleft()
        waiting += pending
        if len(waiting) > queue.many:  # a slow action is first, with many answered ones after it
            queue.waiting = deque(one for one in waiting if one.callback is not None)
            queue.many = max(_MANY, 2 * len(queue.waiting))

    def _sweep(self) -> None:
        """Remove the queues of limits that no action uses any more."""
        for limit, queue in list(self._queues.items()):
            if queue.timer is not None and all(one.callback is None for one in queue.waiting):
                queue.timer.cancel()
                del self._queues[limit]
        self._many = max(_MANY_LIMITS, 2 * len(self._queues))

    def clear(self) -> None:
        """Stop watching all actions."""
        self.drop()
        for queue in self._queues.values():
            queue.waiting.clear()
            if queue.timer is not None:
                queue.timer.cancel()
        self._queues.clear()

    def _wait(self, limit: float, queue: _Queue, delay: float) -> None:
        queue.timer = self._loop.call_later(delay, self._due, limit, queue)

    def _due(self, limit: float, queue: _Queue) -> None:
        now = self._loop.time()
        queue.timer = None
        try:
            while queue.waiting and (queue.waiting[0].callback is None or queue.waiting[0].deadline <= now):
                pending = queue.waiting.popleft()
                if pending.callback is not None:
                    self._on_late(pending)
        finally:  # even on a KeyboardInterrupt
            if queue.waiting:
                self._wait(limit, queue, max(0.0, queue.waiting[0].deadline - now))
            elif self._queues.get(limit) is queue:
                del self._queues[limit]


class Watchdog:
    """Watches one link, from :meth:`start` to :meth:`stop`.

    ``ask()`` sends a Ping, and returns whether it could. It is called after ``timeout / 2`` seconds without a complete
    packet, or if actions time out and none is answered for ``timeout`` seconds. ``on_silence(error)`` is called if no
    byte arrives for another ``timeout / 2`` seconds, or if no action is answered within ``timeout`` seconds after the
    Ping, whatever else arrives. ``on_late_login(login_timeout)`` is called if :meth:`logged_in` is not called within
    ``login_timeout`` seconds. None means no limit.

    Attributes, set by the code that reads from the link:
        last_received: when bytes last arrived, in seconds on the loop's clock; None before :meth:`start`.
        last_packet: the same for bytes that ended a packet.
        answers: the number of answered actions. The server answers in order, so it will also answer a later Ping.
    """

    def __init__(
        self,
        loop: Loop,
        *,
        timeout: Optional[float],
        login_timeout: Optional[float],
        ask: Callable[[], bool],
        on_silence: Callable[[SilenceTimeout], object],
        on_late_login: Callable[[float], object],
    ) -> None:
        self.last_received: Optional[float] = None
        self._loop = loop
        self._timeout = timeout
        self._login_timeout = login_timeout
        self._ask = ask
        self._on_silence = on_silence
        self._on_late_login = on_late_login
        self.last_packet: Optional[float] = None
        self.answers = 0
        self._answers = 0  # at the last check
        self._asked: Optional[float] = None  # when the Ping was sent, until any action is answered
        self._late: Optional[float] = None  # time of the first action timeout since the last answer
        self._silence: Optional[Handle] = None
        self._login: Optional[Handle] = None

    def start(self) -> None:
        """Start the timers for silence and for the login."""
        self.last_received = self.last_packet = self._loop.time()
        if self._timeout is not None:
            self._silence = self._loop.call_later(self._timeout / 2, self._check, self._timeout)
        if self._login_timeout is not None:
            self._login = self._loop.call_later(self._login_timeout, self._on_late_login, self._login_timeout)

    def doubt(self) -> None:
        """Note that an action timed out. If none is answered for ``timeout`` seconds, send a Ping."""
        self._see_answers()
        now = self._loop.time()
        if self._late is None:
            self._late = now
        elif self._timeout is not None and self._asked is None and now >= self._late + self._timeout:
            self._send_ping()

    def logged_in(self) -> None:
        """Note that the login was answered."""
        if self._login is not None:
            self._login.cancel()

    def stop(self) -> None:
        """Stop watching. Nothing is called any more."""
        for timer in (self._silence, self._login):
            if timer is not None:
                timer.cancel()

    def _see_answers(self) -> None:
        if self.answers != self._answers:
            self._answers = self.answers
            self._asked = self._late = None

    def _send_ping(self) -> None:
        now = self._loop.time()
        if self._ask():
            self._asked = now

    def _check(self, timeout: float, looked: Optional[float] = None) -> None:
        # Packets do not restart the timer. When it fires, it checks how long ago the last packet arrived. ``looked`` is
        # the time of the last check that found silence.
        assert self.last_received is not None and self.last_packet is not None
        self._see_answers()
        now = self._loop.time()
        due = self.last_packet + timeout / 2
        if self._asked is not None and now >= self._asked + timeout:
            self._on_silence(SilenceTimeout(f"no answer to a Ping within {timeout:g} s"))
        elif now < due:
            self._check_again(due, timeout)
        elif looked is None or looked <= self.last_packet:
            # Never give up before a Ping. If our own program was busy or stopped, it may have caused the silence.
            self._check_again(now + timeout / 2, timeout, now)
            if self._asked is None:
                self._send_ping()
        elif looked > self.last_received:
            self._on_silence(SilenceTimeout(f"the server was silent for {timeout:g} s"))
        elif self._asked is not None:
            self._check_again(now + timeout / 2, timeout, looked)
        else:  # no Ping could be sent: before the login, or because the server does not read
            self._on_silence(SilenceTimeout(f"the server sent no complete packet for {timeout:g} s"))

    def _check_again(self, when: float, timeout: float, looked: Optional[float] = None) -> None:
        if self._asked is not None:
            when = min(when, self._asked + timeout)
        self._silence = self._loop.call_later(max(0.0, when - self._loop.time()), self._check, timeout, looked)
