"""Matches packets to the actions in flight. No I/O here.

Asterisk answers strictly in order, and sends no other event inside a list (manager.c, process_message). So position
identifies entries without an ActionID, and a Ping sent after the action identifies raw text.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Optional, Union
from weakref import ref

from ..errors import LimitReached
from .packet import Kind, Packet
from .pending import DEFAULT_MAX_ANSWER, LIST_ENDS, Pending, PendingResult, Result, memory_of
from .text import ascii_lower

# Number of timed-out actions whose late answers are recognised and discarded.
MAX_ABANDONED = 1000

# Number of ended lists that are remembered, to notice one that goes on after its end.
MAX_ENDED = 16


@dataclass
class Done:
    """A complete answer to an action: ``pending.callback(conn, result)`` is due."""

    pending: Pending
    result: Result

    @property
    def packet(self) -> Packet:
        """The Response or the packet in its place. For a failed list of packets, the last one."""
        if isinstance(self.result, Packet):
            return self.result
        return self.result[-1] if self.result[-1].error is not None else self.result[0]

    @property
    def is_list(self) -> bool:
        """Whether the answer had more than one packet."""
        return len(self.result) > 1 if isinstance(self.result, list) else self.result.complete is not None


@dataclass
class Entry:
    """An entry of an incomplete answer: ``pending.on_entry(conn, packet)`` is due."""

    pending: Pending
    packet: Packet


class InFlight:
    """Pending actions by ActionID, case-insensitive. Incomplete answers may take up to ``max_answer`` bytes."""

    def __init__(self, max_answer: int = DEFAULT_MAX_ANSWER) -> None:
        self._max_answer = max_answer
        self._kept = 0  # bytes of all incomplete answers
        self._pending: dict[str, Pending] = {}  # in the order of sending
        self._results: dict[str, PendingResult] = {}
        self._abandoned: OrderedDict[str, Pending] = OrderedDict()
        self._fences: OrderedDict[str, Pending] = (
            OrderedDict()
        )  # id of the Ping after a raw-text action, to that action
        self.collecting: dict[str, Pending] = {}  # actions with an open list, in order, including abandoned ones
        # What comes before the answers: events with an action's id that arrived before its Response, and entries.
        self.early: list[Union[Packet, Entry]] = []
        self._ended: OrderedDict[str, ref[Packet]] = OrderedDict()  # Responses of ended lists

    def __len__(self) -> int:
        return len(self._pending) + len(self._results)

    def __contains__(self, action_id: str) -> bool:
        key = ascii_lower(action_id)
        return key in self._pending or key in self._results or key in self._abandoned or key in self._fences

    @property
    def awaits_something(self) -> bool:
        """Whether any event with an ActionID may be part of an answer."""
        return bool(self._pending or self._results or self._abandoned or self._fences)

    def add(self, pending: Pending) -> None:
        """Add an action, or a wait for an action's OriginateResponse."""
        key = pending.key
        if isinstance(pending, PendingResult):
            self._results[key] = pending
            return
        self._pending[key] = pending
        if pending.fence_id:
            self._fences[ascii_lower(pending.fence_id)] = pending

    def find(self, action_id: str) -> list[Pending]:
        """The action with that ActionID, and the wait for its OriginateResponse, as far as they are open."""
        key = ascii_lower(action_id)
        return [table[key] for table in (self._pending, self._results) if key in table]

    def forget(self, pending: Pending) -> bool:
        """Remove an action. Return False if it was not there any more."""
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
        """Remove the Ping after an action, if there is one. Neither of them was sent."""
        self._fences.pop(ascii_lower(pending.fence_id), None)

    def abandon(self, pending: Pending) -> None:
        """From now on, recognise and discard late packets for an action that was sent and then removed."""
        pending.abandon()
        self._abandoned[pending.key] = pending
        if len(self._abandoned) > MAX_ABANDONED:
            key, oldest = self._abandoned.popitem(last=False)
            self._fences.pop(ascii_lower(oldest.fence_id), None)
            self.collecting.pop(key, None)

    def clear(self) -> list[Pending]:
        """Remove everything. Return the actions that are still owed an answer, in the order of sending."""
        owed = [*self._pending.values(), *self._results.values()]
        for table in (self._pending, self._results, self._abandoned, self._fences, self.collecting, self._ended):
            table.clear()
        self._kept = 0
        return owed

    def take_answer(self, response: Packet) -> Optional[Done]:
        """Fast path of :meth:`receive` for a Response without repeated headers.

        Return the completed action if the Response is its plain answer, as nearly all are. Return None if the Response
        needs :meth:`receive`.
        """
        key = response.get("actionid", "")
        pending = self._pending.get(key)
        if pending is None or not pending.is_answered_by(response) or key in self._results:
            return None
        del self._pending[key]
        return Done(pending, response)

    def take_entry(self, event: Packet, length: int) -> bool:
        """Fast path of :meth:`receive` for an event with an ActionID; not for UserEvents or repeated control headers.

        Add the event, of ``length`` bytes, to its list if it is an ordinary entry. Return whether it was.
        """
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

        Return the answers that it completes, and whether it was only a part of an answer.
        """
        if packet.kind is Kind.TEXT:
            return self._receive_text(packet)
        key = self._key_of(packet)
        if key in self._fences and packet.kind is Kind.RESPONSE:
            return self._receive_fence(key), True
        pending = self._owner(key, packet)
        owned = pending is not None
        done: list[Done] = []
        if pending is not None:
            done += self._deliver(pending, packet)
            owned = packet.event_name != "userevent" and (not pending.quirk.gathers_events or key == pending.key)
        result = self._results.get(key)
        if result is not None and result.wants(packet):
            del self._results[key]
            done.append(Done(result, result.take(packet) or packet))
        return done, owned

    def list_gone_on(self, event: Packet) -> Optional[Packet]:
        """Return the Response of an ended list if this event is another entry of it. Each list is reported once."""
        ended = self._ended.get(ascii_lower(event.first("actionid", "")))
        response = None if ended is None or event.event_name == "userevent" else ended()
        if response is None or response.suspect:
            return None
        response.suspect = True
        return response

    def _key_of(self, packet: Packet) -> str:
        """The ActionID that counts: the first one, or an open list's id if an event has several.

        Status puts variables before the ActionID (manager.c, generate_status), and they may contain forged headers. But
        an event with the list's id is an entry of that list, because nobody else knows the id.
        """
        keys = [ascii_lower(one) for one in packet.getall("actionid")]
        if len(keys) > 1 and packet.kind is Kind.EVENT:
            return next((key for key in keys if key in self.collecting), keys[0])
        return keys[0] if keys else ""

    def _owner(self, key: str, packet: Packet) -> Optional[Pending]:
        """The action that a packet belongs to. UserEvents belong to none: any user may send one with any ActionID."""
        pending = self._pending.get(key) or self._abandoned.get(key)
        if pending is not None and packet.event_name != "userevent":
            return pending if pending.wants(packet) else None
        if packet.kind is Kind.EVENT and self.collecting:
            return self._owner_by_place(key, packet)
        return None

    def _owner_by_place(self, key: str, event: Packet) -> Optional[Pending]:
        """The open list that an event without the list's ActionID belongs to."""
        for pending in self.collecting.values():
            quirk = pending.quirk
            if quirk.gathers_events or (not key and quirk.anonymous_entry == event.event_name != ""):
                return pending
        if key or event.event_name == "userevent" or event.list_marker not in LIST_ENDS:
            return None
        if len(self.collecting) == 1:
            (pending,) = self.collecting.values()
            return pending if pending.is_ended_by(event) else None
        return None

    def _deliver(self, pending: Pending, packet: Packet) -> list[Done]:
        size = pending.size
        self.early += pending.take_early(packet)
        for part in pending.parts_of(packet) if pending.collecting else [packet]:
            result = pending.take(part)
            if result is not None:
                if pending.on_entry is not None:
                    self._hand_on(pending, complete=True)
                self._kept += pending.size - size
                return self._complete(pending, result)
        if pending.on_entry is not None:
            self._hand_on(pending, complete=False)
        if pending.collecting:
            self.collecting[pending.key] = pending
        return self._bound(pending, pending.size - size)

    def _hand_on(self, pending: Pending, *, complete: bool) -> None:
        self.early += [Entry(pending, entry) for entry in pending.take_entries(complete=complete)]

    def _bound(self, pending: Pending, size: int) -> list[Done]:
        """Count the memory of an answer. If it exceeds the limit, the answer fails and its rest is discarded."""
        self._kept += size
        if self._kept <= self._max_answer or not self.forget(pending):
            return []
        error = LimitReached(f"more than {self._max_answer} bytes (max_answer) of list answers", "max_answer")
        failure = pending.fail(error)
        self.abandon(pending)
        return [Done(pending, failure)]

    def _complete(self, pending: Pending, result: Result) -> list[Done]:
        if self.collecting.pop(pending.key, None) is not None and not pending.abandoned:
            self._remember_end(pending.key, result)
        if pending.abandoned:
            self._abandoned.pop(pending.key, None)
            return []
        if not self.forget(pending):
            return []
        if ascii_lower(pending.fence_id) in self._fences:  # an error replaced the text
            self.abandon(pending)
        pending.restart()  # the deadline queue may keep the action for a while; let go of its answer
        return [Done(pending, result)]

    def _remember_end(self, key: str, result: Result) -> None:
        """Remember an ended list by a weak reference, so that its Response can be marked if the list goes on."""
        first, last = (result, result.complete) if isinstance(result, Packet) else (result[0], result[-1])
        if last is not None and last.list_marker in LIST_ENDS:
            self._ended[key] = ref(first)
            if len(self._ended) > MAX_ENDED:
                self._ended.popitem(last=False)

    def _receive_text(self, packet: Packet) -> tuple[list[Done], bool]:
        pending = next(iter(self._fences.values()), None)  # answers arrive in the order of sending
        if pending is None:
            return [], False
        if pending.key not in self._pending:  # answered with an error, or abandoned
            return [], True
        size = pending.size
        pending.keep(pending.packets, packet)
        return self._bound(pending, pending.size - size), True

    def _receive_fence(self, key: str) -> list[Done]:
        pending = self._fences.pop(key)
        text = b"\r\n".join(packet.raw for packet in pending.packets)
        return self._complete(pending, Packet.of_text(text, pending.action_id))
