"""Sending actions: their time limits, their answers, and sending them again after a loss.

Source: phpDaemon Clients/Asterisk/Connection.php (command, onRead).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Callable, Optional

from . import _fork
from .actions import Actions, Callback
from .callbacks import CONN_PACKET, Guard, logger, require_callable
from .deadlines import Deadlines
from .encode import Params, printable
from .errors import ActionFailed, ActionTimeout, AMIError, ConnectionFinished, LimitReached
from .inflight import Done
from .link import Link
from .options import Options, seconds
from .packet import Packet
from .pending import Assertion, Pending
from .quirks import Quirk
from .session import Session
from .state import State
from .stats import Stats
from .watchdog import Watchdog

if TYPE_CHECKING:
    from .loop import Loop


class Dispatch(Actions):
    """The part of a connection that sends actions and answers their callbacks."""

    options: Options
    guard: Guard
    _link: Link
    _loop: Loop
    _deadlines: Deadlines
    _forks: int  # when it was made
    _session: Session
    _handling = False  # of what has arrived; it ends with a flush
    _stats: Stats
    _watchdog: Watchdog
    _suspect_list: Optional[Packet] = None
    _room = 0  # bytes that may be sent, at least, before it has to be looked how many wait for the server
    _round_trip: Optional[float] = None  # seconds

    def _send(
        self,
        action: str,
        cb: Callback,
        params: Optional[Params],
        assertions: Optional[Sequence[Assertion]],
        timeout: Optional[float],
        retry: bool,
        quirk: Optional[Quirk] = None,
    ) -> str:
        if self._forks != _fork.forks:
            self._check_process()
        if self._session.state is State.FINISHED:
            raise ConnectionFinished(f"{self} is finished; get another connection from the pool")
        if cb is not None:
            require_callable(cb, "callback", CONN_PACKET)
        limit = self.options.action_timeout if timeout is None else seconds("timeout", timeout)
        try:
            if len(self._session.outgoing) >= self._room:
                self._make_room()
            pending = self._session.send(action, params, cb, assertions, quirk=quirk, retry=retry)
        except LimitReached as error:
            self._stats.count_error(error)
            raise
        if cb is not None:
            self._watch(pending, limit)
        if not self._handling:
            self._flush()
        return pending.action_id

    def _check_process(self) -> None:
        """Raise RuntimeError in a forked child: its parent uses the socket."""
        if self._forks != _fork.forks:
            _fork.refuse("connection", "a Pool")

    def _make_room(self) -> None:
        limit = self.options.max_outgoing
        self._room = limit - self._link.buffered
        if len(self._session.outgoing) >= self._room:
            raise LimitReached(f"the server does not read: {limit} bytes (max_outgoing) wait for it", "max_outgoing")

    def _ping_for_life(self) -> bool:
        """Send a Ping that no bound on actions holds back; False when the server does not read."""
        if self._link.buffered >= self.options.max_outgoing:
            return False
        # With a callback, for its answer is not to count as dropped; without a limit, for the watchdog has it.
        self._watch(self._session.send("Ping", None, lambda conn, packet: None, bounded=False), None)
        self._flush()
        return True

    def _expect_result(self, action_id: str, on_result: Callable[..., object], timeout: float) -> None:
        limit = self.options.action_timeout
        self._watch(self._session.expect_result(action_id, on_result), None if limit is None else timeout + limit)

    def _flush(self) -> None:
        data = self._session.take_outgoing()
        self._stats.bytes_out += len(data)
        self._room -= len(data)
        self._link.write(data)

    def _watch(self, pending: Pending, limit: Optional[float]) -> None:
        now = self._loop.time()
        pending.sent_at = now if self._session.state is State.CONNECTED else None
        if limit is not None and limit < inf:  # an Originate's own Timeout may be anything
            pending.limit, pending.deadline = limit, now + limit
            self._deadlines.add(pending, limit)

    def _late(self, pending: Pending) -> None:
        error = ActionTimeout(f"no complete answer to {pending.action} within {pending.limit:g} s")
        self._give_up(pending, error)
        if self._session.state is State.CONNECTED:
            self._watchdog.doubt()
        if self._session.state is State.FINISHED and not self.has_retries:  # it was the last that was to be sent again
            self._deadlines.clear()

    def _give_up(self, pending: Pending, error: AMIError) -> None:
        result = self._session.give_up(pending, error)
        if result is not None:
            self._stats.count_error(error)
            self._answer(Done(pending, result))

    def _answer(self, done: Done) -> None:
        pending, packet = done.pending, done.packet
        if packet.suspect:
            self._count_suspect(pending.action)
        error = packet.error
        if isinstance(error, LimitReached):
            self._stats.count_error(error)
        if error is None and pending.action == "Ping" and pending.sent_at is not None:
            self._round_trip = self._loop.time() - pending.sent_at
        callback, pending.callback, pending.request = pending.callback, None, b""  # its late answer may be awaited yet
        if callback is not None:
            self.guard(callback, self, done.result)

    def _list_gone_on(self, response: Packet) -> None:
        self._suspect_list = response
        self._count_suspect("a list that went on behind its end")

    def _count_suspect(self, what: str) -> None:
        self._stats.suspects += 1
        logger.warning("%s: the answer to %s may have lost parts", self, printable(what))

    # -- after a loss

    @property
    def has_retries(self) -> bool:
        """Whether it is finished, and actions of its are to be sent again."""
        return self._session.state is State.FINISHED and self._session.pending > 0

    def retry(self, lost: Dispatch) -> None:
        """Send what ``lost`` left unanswered. Called by the owner, after the login."""
        owed: deque[Done] = deque()
        sent: set[str] = set()
        for pending in lost.take_retries():
            error = self._send_again(pending, sent)
            if error is None:
                sent.add(pending.action_id)
            else:
                owed.append(Done(pending, pending.fail(error)))
        self._flush()
        self._answer_all(owed)

    def _send_again(self, pending: Pending, sent: set[str]) -> Optional[AMIError]:
        """Returns why it could not be sent. Who waits for the result of a call comes behind the Originate."""
        if not pending.request and pending.action_id not in sent:
            return ActionFailed("the call was not placed again")
        try:
            self._session.send_again(pending)
        except ValueError as error:  # somebody uses the same ActionID here
            return ActionFailed(str(error))
        except LimitReached as error:
            return error
        self._watch_again(pending)
        return None

    def _watch_again(self, pending: Pending) -> None:
        pending.sent_at = self._loop.time()
        if pending.limit is not None:
            self._deadlines.add(pending, max(0.0, pending.deadline - pending.sent_at))

    def take_retries(self) -> list[Pending]:
        """Let go of the actions that are to be sent again: they are no concern of this connection any more."""
        self._deadlines.clear()
        return self._session.take_retries()

    def fail_retries(self, error: AMIError) -> None:
        """Tell the actions that were to be sent again that no connection is coming. Called by the owner."""
        self._answer_all(deque(Done(pending, pending.fail(error)) for pending in self.take_retries()))

    def _answer_all(self, owed: deque[Done]) -> None:
        try:
            while owed:
                self._answer(owed.popleft())
        finally:
            if owed:  # a KeyboardInterrupt passes; should the loop run on, the others are still told
                self._loop.call_soon(self._answer_all, owed)
