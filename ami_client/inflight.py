"""The actions in flight: which of them a packet answers. No I/O here.

Asterisk answers strictly in order and lets no other event into a list (manager.c, process_message), so entries without
an ActionID can be told by their place, and raw text by a Ping sent behind the action.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Optional

from .encode import ascii_lower
from .errors import LimitReached
from .packet import Kind, Packet
from .pending import DEFAULT_MAX_ANSWER, Pending, PendingResult, Result, memory_of

# Answers that come after their action's timeout are recognised and thrown away, for so many actions at most.
MAX_ABANDONED = 1000


@dataclass
class Done:
    """An action's answer is complete: ``pending.callback(conn, result)`` is due."""

    pending: Pending
    result: Result

    @property
    def packet(self) -> Packet:
        """The Response, or what stands in its place; the last packet of those that the callback gets if it failed."""
        if isinstance(self.result, Packet):
            return self.result
        return self.result[-1] if self.result[-1].error is not None else self.result[0]

    @property
    def is_list(self) -> bool:
        """Whether the answer had more than one packet."""
        return len(self.result) > 1 if isinstance(self.result, list) else self.result.complete is not None


class InFlight:
    """Pending actions by ActionID, compared without case; of answers under way it keeps ``max_answer`` bytes."""

    def __init__(self, max_answer: int = DEFAULT_MAX_ANSWER) -> None:
        self._max_answer = max_answer
        self._kept = 0  # bytes, of all answers under way
        self._pending: dict[str, Pending] = {}  # in the order of sending
        self._results: dict[str, PendingResult] = {}
        self._abandoned: OrderedDict[str, Pending] = OrderedDict()
        self._fences: OrderedDict[str, Pending] = (
            OrderedDict()
        )  # id of the Ping behind a raw-text action, to that action
        self.open_list: Optional[Pending] = None  # a list under way, some of whose events carry no ActionID

    def __len__(self) -> int:
        return len(self._pending) + len(self._results)

    def __contains__(self, action_id: str) -> bool:
        key = ascii_lower(action_id)
        return key in self._pending or key in self._results or key in self._abandoned or key in self._fences

    @property
    def awaits_something(self) -> bool:
        """Whether an event with an ActionID may be part of an answer."""
        return bool(self._pending or self._results or self._abandoned or self._fences)

    def add(self, pending: Pending) -> None:
        """Remember an action, or who waits for the OriginateResponse of one."""
        key = pending.key
        if isinstance(pending, PendingResult):
            self._results[key] = pending
            return
        self._pending[key] = pending
        if pending.fence_id:
            self._fences[ascii_lower(pending.fence_id)] = pending

    def forget(self, pending: Pending) -> bool:
        """Take an action out that will not be answered; False if it was not there any more."""
        key = pending.key
        if self._pending.get(key) is pending:
            del self._pending[key]
            self._kept -= pending.size
        elif self._results.get(key) is pending:
            del self._results[key]
        else:
            return False
        return True

    def remove_fence(self, pending: Pending) -> None:
        """Forget the Ping behind an action, if there is one: neither of them was sent."""
        self._fences.pop(ascii_lower(pending.fence_id), None)

    def abandon(self, pending: Pending) -> None:
        """Recognise what may still come for an action that was sent and then forgotten, and throw it away."""
        pending.abandon()
        self._abandoned[pending.key] = pending
        if len(self._abandoned) > MAX_ABANDONED:
            _, oldest = self._abandoned.popitem(last=False)
            self._fences.pop(ascii_lower(oldest.fence_id), None)

    def clear(self) -> list[Pending]:
        """Forget everything; returns the actions that are still owed an answer, in the order of sending."""
        owed = [*self._pending.values(), *self._results.values()]
        for table in (self._pending, self._results, self._abandoned, self._fences):
            table.clear()
        self.open_list = None
        self._kept = 0
        return owed

    def take_answer(self, response: Packet) -> Optional[Done]:
        """The action of which a Response is the plain answer, as nearly all are; None for what takes a closer look."""
        key = response.get("actionid", "")
        pending = self._pending.get(key)
        if pending is None or not pending.is_answered_by(response) or key in self._results:
            return None
        del self._pending[key]
        return Done(pending, response)

    def take_entry(self, event: Packet, length: int) -> bool:
        """Add an event of so many bytes, with an ActionID, to the list of which it is an ordinary entry, if any."""
        key = event["actionid"]
        pending = self._pending.get(key)
        if pending is None or pending.entries is None or "eventlist" in event:
            return False
        if self._kept >= self._max_answer or key in self._results:
            return False
        pending.entries.append(event)
        size = memory_of(length, len(event))
        pending.size += size
        self._kept += size
        return True

    def receive(self, packet: Packet) -> tuple[list[Done], bool]:
        """Give a packet to the action that it belongs to.

        Returns the answers that it completes, and whether it was a part of an answer and nothing else.
        """
        if packet.kind is Kind.TEXT:
            return self._receive_text(packet)
        key = ascii_lower(packet.get("actionid", ""))
        if key in self._fences and packet.kind is Kind.RESPONSE:
            return self._receive_fence(key), True
        pending = self._owner(key, packet)
        owned = pending is not None
        done: list[Done] = []
        if pending is not None:
            done += self._deliver(pending, packet)
            owned = not pending.oddity.gathers_events or key == pending.key
        result = self._results.get(key)
        if result is not None and result.wants(packet):
            del self._results[key]
            done.append(Done(result, result.take(packet) or packet))
        return done, owned

    def _owner(self, key: str, packet: Packet) -> Optional[Pending]:
        pending = self._pending.get(key) or self._abandoned.get(key)
        if pending is not None:
            return pending if pending.wants(packet) else None
        if self.open_list is not None and packet.kind is Kind.EVENT:
            oddity = self.open_list.oddity
            if oddity.gathers_events or (not key and oddity.anonymous_entry == packet.event_name):
                return self.open_list
        return None

    def _deliver(self, pending: Pending, packet: Packet) -> list[Done]:
        size, had_begun = pending.size, pending.collecting
        for part in packet.split_events() if pending.oddity.merged else [packet]:
            result = pending.take(part)
            if result is not None:
                self._kept += pending.size - size
                return self._complete(pending, result)
        again = had_begun and packet.kind is Kind.RESPONSE  # a second one changes nothing
        if pending.collecting and not again and (pending.oddity.gathers_events or pending.oddity.anonymous_entry):
            self.open_list = pending
        return self._bound(pending, pending.size - size)

    def _bound(self, pending: Pending, size: int) -> list[Done]:
        """Count what was kept of an answer; the one that is too much fails, and the rest of it is thrown away."""
        self._kept += size
        if self._kept <= self._max_answer or not self.forget(pending):
            return []
        error = LimitReached(f"more than {self._max_answer} bytes (max_answer) of list answers", "max_answer")
        failure = pending.fail(error)
        self.abandon(pending)
        return [Done(pending, failure)]

    def _complete(self, pending: Pending, result: Result) -> list[Done]:
        if self.open_list is pending:
            self.open_list = None
        if pending.abandoned:
            self._abandoned.pop(pending.key, None)
            return []
        if not self.forget(pending):
            return []
        if ascii_lower(pending.fence_id) in self._fences:  # an error came in place of the text
            self.abandon(pending)
        pending.restart()  # it may be remembered for a while, with its time limit: its answer need not
        return [Done(pending, result)]

    def _receive_text(self, packet: Packet) -> tuple[list[Done], bool]:
        pending = next(iter(self._fences.values()), None)  # answers come in the order of sending
        if pending is None:
            return [], False
        if pending.key not in self._pending:  # answered by an error, or abandoned
            return [], True
        size = pending.size
        pending.keep(pending.packets, packet)
        return self._bound(pending, pending.size - size), True

    def _receive_fence(self, key: str) -> list[Done]:
        pending = self._fences.pop(key)
        text = b"\r\n".join(packet.raw for packet in pending.packets)
        return self._complete(pending, Packet.of_text(text, pending.action_id))
