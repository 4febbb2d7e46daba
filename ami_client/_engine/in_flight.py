"""Actions in flight: which action a packet belongs to, and how the parts of an answer are assembled. No I/O here.

Asterisk answers strictly in order, and sends no other event inside a list (manager.c, process_message). So position
identifies entries without an ActionID, and a Ping after the action identifies raw text.

Sources: Asterisk main/manager.c (astman_send_list_start, astman_send_list_complete); phpDaemon
Clients/Asterisk/Connection.php (onRead, the assertions).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Callable, Optional, Union
from weakref import ref

from ..errors import AMIError, LimitReached, call_failed
from .encode import fold_name
from .packet import FAILURES, Kind, Packet, first_is, first_number, lowered, mark_error
from .quirks import REGULAR, Quirk, puts_ids_into_entries
from .text import ascii_lower

Result = Union[Packet, list[Packet]]
Assertion = Mapping[str, object]


DEFAULT_MAX_ANSWER = 256 * 1024 * 1024  # bytes
# Approximate memory, in bytes: the minimum for a packet, and for each header.
MIN_PACKET_SIZE = 1024
HEADER_SIZE = 128

# The status of a normal answer, folded and as sent.
SUCCESS = ("success", "Success")
LIST_ENDS = ("complete", "cancelled")  # values of EventList at the end of a list

# Number of timed-out actions whose late answers are recognised and discarded.
MAX_ABANDONED = 1000

# Number of ended lists that are remembered, to notice one that continues after its end.
MAX_ENDED = 16


class _Parts:
    """What has arrived of an answer.

    Attributes:
        begun: whether the Response has arrived; nothing before it is part of the answer.
        collecting: whether a list is open.
        response: the Response that opened it.
        entries: the entries of the list, if it is an ordinary one.
        single: whether exactly one event follows.
        packets: the packets of a composite answer, or raw text.
        size: bytes kept of the answer.
        taken: number of entries that were taken out of the answer.
    """

    __slots__ = ("begun", "collecting", "entries", "packets", "response", "single", "size", "taken")

    def __init__(self) -> None:
        self.begun = False
        self.collecting = False
        self.response: Optional[Packet] = None
        self.entries: Optional[list[Packet]] = None
        self.single = False
        self.packets: list[Packet] = []
        self.size = 0
        self.taken = 0


_NOTHING = _Parts()  # shared by all actions of whose answer nothing has arrived: most answers are one packet


class Pending:
    """An action that was accepted and not yet answered.

    Without assertions the answer is one Packet, with the entries of a list in its ``events``. With assertions the
    answer is the list of all packets up to the first one that satisfies one of them. An assertion is a mapping of
    header to value; case is ignored. With ``on_entry`` the answer has no entries: see :meth:`take_entries`.
    """

    __slots__ = (
        "abandoned",
        "action",
        "action_id",
        "assertions",
        "callback",
        "deadline",
        "fence_id",
        "is_regular",
        "key",
        "limit",
        "on_entry",
        "parts",
        "quirk",
        "request",
        "result",
        "sent_at",
    )

    result: Result  # the complete answer, until the callback is called

    def __init__(
        self,
        action_id: str,
        action: str,
        callback: Optional[Callable[..., object]],
        assertions: Optional[Sequence[Assertion]] = None,
        quirk: Quirk = REGULAR,
        on_entry: Optional[Callable[..., object]] = None,
        *,
        key: str = "",
    ) -> None:
        self.action_id = action_id
        self.key = key or action_id  # the ActionID in lower case, like our own ids
        self.action = action
        self.callback = callback  # None after the call
        self.on_entry = on_entry
        self.assertions = None if assertions is None else [_folded(one) for one in assertions]
        self.quirk = quirk
        #: Whether a Response that succeeds, and opens no list, is the whole answer.
        self.is_regular = assertions is None and quirk is REGULAR
        self.fence_id = ""  # ActionID of the Ping after a raw-text action
        self.request = b""  # bytes to send again after a loss; empty if there is no retry
        self.abandoned = False  # timed out: late packets are discarded
        # For the owner's use, times on its loop's clock:
        self.sent_at: Optional[float] = None
        self.limit: Optional[float] = None
        self.deadline = 0.0
        self.parts = _NOTHING

    def restart(self) -> None:
        """Discard what has arrived of the answer."""
        self.parts = _NOTHING

    @property
    def collecting(self) -> bool:
        """Whether a list is open."""
        return self.parts.collecting

    @property
    def size(self) -> int:
        """Bytes kept of the answer."""
        return self.parts.size

    def own_parts(self) -> _Parts:
        """Return the parts, to be changed."""
        if self.parts is _NOTHING:
            self.parts = _Parts()
        return self.parts

    def take(self, packet: Packet) -> Optional[Result]:
        """Accept the next packet with our ActionID. Return the answer if it is complete."""
        if self.assertions is not None:
            return self._take_composite(packet)
        if self.parts.response is None:
            return self._take_response(packet)
        return self._take_entry(packet)

    def wants(self, packet: Packet) -> bool:
        """Whether a packet with our ActionID may be part of the answer. Packets before the Response are not.

        phpDaemon's assertions need no Response, so their early packets are kept until one arrives: see
        :meth:`take_early`. An action with ``on_entry`` needs one, so an event before it is not an entry.
        """
        if self.on_entry is not None:
            return self.parts.begun or packet.kind is Kind.RESPONSE
        return self.parts.begun or self.assertions is not None or packet.kind is Kind.RESPONSE

    def take_early(self, response: Packet) -> list[Packet]:
        """Remove and return what arrived before this Response: events that are not part of the answer."""
        if self.parts.begun or self.assertions is None or response.kind is not Kind.RESPONSE:
            return []
        parts = self.own_parts()
        parts.begun = True
        early, parts.packets, parts.size = parts.packets, [], 0
        return early

    def take_entries(self, complete: bool) -> list[Packet]:
        """Remove and return the entries that have arrived, for ``on_entry``. ``complete``: the answer is complete."""
        parts = self.own_parts()
        if self.assertions is None:
            kept = [] if parts.response is None else parts.response.events
        else:
            kept = parts.packets[1:-1] if complete else parts.packets[1:]  # between the Response and the end
            del parts.packets[1 : 1 + len(kept)]
        entries = kept[:]
        kept.clear()
        parts.taken += len(entries)
        parts.size -= sum(memory_of(len(one.raw), len(one)) for one in entries)
        return entries

    def is_ended_by(self, packet: Packet) -> bool:
        """Whether an end of a list without an ActionID ends our list."""
        return self.assertions is None or any(_holds(one, packet) for one in self.assertions)

    def parts_of(self, packet: Packet) -> list[Packet]:
        """Return the entries in a packet. There are several if a server module left out the blank lines between them.

        If the ActionID directly follows ``Event``, it does so in every entry, and nobody else can put it there. In a
        list of an unknown module, an event with the first entry's name, or one that ends the list, is an entry too.
        """
        if packet.kind is not Kind.EVENT or not packet.has_repeats():
            return [packet]
        if self.quirk.merged_entries:
            return packet.split_events()
        begins_with_id, may_lack_it = self._begins_with_id(packet), not puts_ids_into_entries(self.action)

        def starts_one(part: Packet) -> bool:
            if begins_with_id and self._begins_with_id(part):
                return True
            return may_lack_it and (part.event_name == packet.event_name or part.list_marker in LIST_ENDS)

        return packet.split_events(starts_one)

    def _begins_with_id(self, event: Packet) -> bool:
        _event, *behind = event.headers[:2]
        return [(ascii_lower(name), ascii_lower(value)) for name, value in behind] == [("actionid", self.key)]

    def abandon(self) -> None:
        """Stop waiting: discard what has arrived, and whatever arrives later."""
        self.abandoned = True
        parts = self.own_parts()
        parts.packets = []
        parts.entries = None
        if parts.response is not None:
            parts.response = Packet()  # the list is still open

    def keep(self, packets: list[Packet], packet: Packet) -> None:
        """Add a part of the answer to ``packets``, and count its memory."""
        if not self.abandoned:
            packets.append(packet)
            self.parts.size += memory_of(len(packet.raw), len(packet))

    def _take_composite(self, packet: Packet) -> Optional[Result]:
        parts = self.own_parts()
        parts.collecting = parts.collecting or packet.list_marker == "start"
        self.keep(parts.packets, packet)
        if mark_error(packet):
            return parts.packets
        for assertion in self.assertions or ():
            if _holds(assertion, packet):
                if not self.abandoned:
                    parts.packets[0].suspect = lacks_entries(packet, parts.taken + len(parts.packets) - 2)
                return parts.packets
        return None

    def _take_response(self, packet: Packet) -> Optional[Result]:
        if mark_error(packet):
            return packet
        opens_list = packet.list_marker == "start"
        if not (opens_list or self.quirk.ends_with or self.quirk.single_event):
            return packet
        parts = self.own_parts()
        parts.begun = parts.collecting = True
        parts.response = packet
        parts.single = self.quirk.single_event and not opens_list  # exactly one event follows
        if not self.abandoned:
            parts.size += memory_of(len(packet.raw), len(packet))
            ordinary = opens_list and not (self.quirk.gathers_events or self.quirk.anonymous_entry)
            parts.entries = packet.events if ordinary and self.on_entry is None else None
        return None

    def _take_entry(self, packet: Packet) -> Optional[Result]:
        parts = self.parts
        response = parts.response
        assert response is not None
        if packet.kind is Kind.RESPONSE:
            if not mark_error(packet):
                return None  # a second Response changes nothing
            packet.events = response.events
            return packet
        if packet.list_marker in LIST_ENDS or (packet.event_name == self.quirk.ends_with != ""):
            response.complete = packet
            response.suspect = lacks_entries(packet, parts.taken + len(response.events))
            return response
        self.keep(response.events, packet)
        return response if parts.single else None

    def done(self, result: Result) -> Pending:
        """Set the result: ``callback(conn, result)`` is due."""
        self.result = result
        return self

    def fail(self, error: AMIError) -> Result:
        """Make the answer of an action that failed with ``error``. It includes what had arrived."""
        failure = Packet.failure(error, self.action_id)
        if self.assertions is not None:
            return [*self.parts.packets, failure]
        if self.parts.response is not None:
            failure.events = self.parts.response.events
        return failure


class PendingResult(Pending):
    """Waits for the OriginateResponse event of an asynchronous Originate, or for its refusal."""

    __slots__ = ()

    def wants(self, packet: Packet) -> bool:
        if packet.kind is Kind.RESPONSE:
            return lowered(packet, "response") in FAILURES
        return packet.event_name == "originateresponse"

    def take(self, packet: Packet) -> Optional[Result]:
        if packet.kind is Kind.RESPONSE:
            mark_error(packet)
        elif not first_is(packet, "response", "success"):
            packet.error = call_failed(packet.first("reason", ""))
        return packet


def verdict(result: Result) -> Packet:
    """Return the Response in an answer, or the packet that replaces it. For a failed list of packets, the last one."""
    if isinstance(result, Packet):
        return result
    return result[-1] if result[-1].error is not None else result[0]


def is_list(result: Result) -> bool:
    """Return whether an answer has more than one packet."""
    return len(result) > 1 if isinstance(result, list) else result.complete is not None


class Entry:
    """An entry of an incomplete answer: ``pending.on_entry(conn, packet)`` is due."""

    __slots__ = ("packet", "pending")

    def __init__(self, pending: Pending, packet: Packet) -> None:
        self.pending = pending
        self.packet = packet


class InFlight:
    """Pending actions by ActionID in lower case. Incomplete answers may take up to ``max_answer`` bytes."""

    def __init__(self, max_answer: int = DEFAULT_MAX_ANSWER) -> None:
        self._max_answer = max_answer
        self._kept = 0  # bytes of all incomplete answers
        #: Open actions, in the order of sending, and waits for an OriginateResponse.
        self.pending: dict[str, Pending] = {}
        self.results: dict[str, PendingResult] = {}
        self._abandoned: OrderedDict[str, Pending] = OrderedDict()
        self._fences: OrderedDict[str, Pending] = OrderedDict()  # raw-text actions by the id of the Ping after them
        #: Tables of the ids that the server may still send.
        self.awaited = (self.pending, self.results, self._abandoned, self._fences)
        self.collecting: dict[str, Pending] = {}  # actions with an open list, in order, including abandoned ones
        # Outcomes before the answers: events with an action's id that arrived before its Response, and entries.
        self.early: list[Union[Packet, Entry]] = []
        self._ended: OrderedDict[str, ref[Packet]] = OrderedDict()  # Responses of ended lists

    def __len__(self) -> int:
        return len(self.pending) + len(self.results)

    def __contains__(self, key: str) -> bool:
        return key in self.pending or key in self.results or key in self._abandoned or key in self._fences

    def knows(self, key: str) -> bool:
        """Whether an event with this ActionID may be part of an answer, or belong to a list that has ended."""
        return key in self or key in self._ended

    def add(self, pending: Pending) -> None:
        """Add an action, or a wait for an action's OriginateResponse."""
        key = pending.key
        if isinstance(pending, PendingResult):
            self.results[key] = pending
            return
        self.pending[key] = pending
        if pending.fence_id:
            self._fences[pending.fence_id] = pending

    def find(self, action_id: str) -> list[Pending]:
        """Return the action with that ActionID, and the wait for its OriginateResponse, if they are open."""
        key = ascii_lower(action_id)
        return [table[key] for table in (self.pending, self.results) if key in table]

    def forget(self, pending: Pending) -> bool:
        """Remove an action. Return False if it was already removed."""
        key = pending.key
        if self.pending.get(key) is pending:
            del self.pending[key]
            self._kept -= pending.size
        elif self.results.get(key) is pending:
            del self.results[key]
        else:
            return False
        return True

    def remove_fence(self, pending: Pending) -> None:
        """Remove the Ping after an action, if there is one. Neither was sent."""
        self._fences.pop(pending.fence_id, None)

    def abandon(self, pending: Pending) -> None:
        """From now on, recognise and discard late packets of an action that was sent and then removed."""
        pending.abandon()
        self._abandoned[pending.key] = pending
        if len(self._abandoned) > MAX_ABANDONED:
            key, oldest = self._abandoned.popitem(last=False)
            self._fences.pop(oldest.fence_id, None)
            self.collecting.pop(key, None)

    def clear(self) -> list[Pending]:
        """Remove everything. Return the actions that are still owed an answer, in the order of sending."""
        owed = [*self.pending.values(), *self.results.values()]
        for table in (*self.awaited, self.collecting, self._ended):
            table.clear()
        self._kept = 0
        return owed

    def take_answer(self, response: Packet) -> Optional[Pending]:
        """Fast path of :meth:`receive` for a Response without repeated headers. It saves two fifths (benchmark d100).

        Return the completed action if the Response is its whole answer, as nearly all are. Return None if the Response
        needs :meth:`receive`.
        """
        key = response.get("actionid", "")
        pending = self.pending.get(key)
        if (
            pending is None
            or not pending.is_regular
            or pending.parts is not _NOTHING
            or response["response"] not in SUCCESS
            or "eventlist" in response
            or "event" in response
            or key in self.results
        ):
            return None
        del self.pending[key]
        pending.result = response
        return pending

    def take_entry(self, event: Packet, length: int) -> bool:
        """Fast path of :meth:`receive` for an event with an ActionID; not for UserEvents or repeated control headers.

        Add the event, of ``length`` bytes, to its list if it is an ordinary entry. Return whether it was. It saves more
        than half (benchmark e).
        """
        key = event["actionid"]
        pending = self.pending.get(key)
        if pending is None:
            return False
        parts = pending.parts
        if parts.entries is None or "eventlist" in event or self._kept >= self._max_answer or key in self.results:
            return False
        parts.entries.append(event)
        size = HEADER_SIZE * len(event)  # memory_of() inlined: saves 5% (benchmark e)
        if size < length or size < MIN_PACKET_SIZE:
            size = max(length, MIN_PACKET_SIZE)
        parts.size += size
        self._kept += size
        return True

    def receive(self, packet: Packet) -> tuple[list[Pending], bool]:
        """Assign a packet to the action that it belongs to.

        Return the answers that it completes, and whether it was only a part of an answer.
        """
        if packet.kind is Kind.TEXT:
            return self._receive_text(packet)
        key = self._key_of(packet)
        if key in self._fences and packet.kind is Kind.RESPONSE:
            return self._receive_fence(key), True
        pending = self._owner(key, packet)
        owned = pending is not None
        done: list[Pending] = []
        if pending is not None:
            done += self._deliver(pending, packet)
            owned = packet.event_name != "userevent" and (not pending.quirk.gathers_events or key == pending.key)
        result = self.results.get(key)
        if result is not None and result.wants(packet):
            del self.results[key]
            done.append(result.done(result.take(packet) or packet))
        return done, owned

    def list_gone_on(self, event: Packet) -> Optional[Packet]:
        """Return the Response of an ended list if this event is another entry of it. Each list is reported once."""
        ended = self._ended.get(lowered(event, "actionid"))
        response = None if ended is None or event.event_name == "userevent" else ended()
        if response is None or response.suspect:
            return None
        response.suspect = True
        return response

    def _key_of(self, packet: Packet) -> str:
        """Return the ActionID that counts: the first one, or an open list's id if an event has several.

        Status puts variables before the ActionID (manager.c, generate_status), and they may contain forged headers. But
        an event with the list's id is an entry of that list, because nobody else knows the id.
        """
        first = lowered(packet, "actionid")
        if packet.kind is not Kind.EVENT or not self.collecting or first in self.collecting:
            return first
        return next((key for key in map(ascii_lower, packet.getall("actionid")) if key in self.collecting), first)

    def _owner(self, key: str, packet: Packet) -> Optional[Pending]:
        """Return the action of a packet. UserEvents belong to none: any user may send one with any ActionID."""
        pending = self.pending.get(key) or self._abandoned.get(key)
        if pending is not None and packet.event_name != "userevent":
            return pending if pending.wants(packet) else None
        if packet.kind is Kind.EVENT and self.collecting:
            return self._owner_by_place(key, packet)
        return None

    def _owner_by_place(self, key: str, event: Packet) -> Optional[Pending]:
        """Return the open list of an event without the list's ActionID."""
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

    def _deliver(self, pending: Pending, packet: Packet) -> list[Pending]:
        size = pending.size
        self.early += pending.take_early(packet)
        for part in pending.parts_of(packet) if pending.collecting else [packet]:
            result = pending.take(part)
            if result is not None:
                if pending.on_entry is not None:
                    self._queue_entries(pending, complete=True)
                self._kept += pending.size - size
                return self._complete(pending, result)
        if pending.on_entry is not None:
            self._queue_entries(pending, complete=False)
        if pending.collecting:
            self.collecting[pending.key] = pending
        return self._bound(pending, pending.size - size)

    def _queue_entries(self, pending: Pending, *, complete: bool) -> None:
        self.early += [Entry(pending, entry) for entry in pending.take_entries(complete=complete)]

    def _bound(self, pending: Pending, size: int) -> list[Pending]:
        """Count the memory of an answer. If it exceeds the limit, the answer fails and its rest is discarded."""
        self._kept += size
        if self._kept <= self._max_answer or not self.forget(pending):
            return []
        error = LimitReached(f"the list answers take more than {self._max_answer} bytes (max_answer)", "max_answer")
        failure = pending.fail(error)
        self.abandon(pending)
        return [pending.done(failure)]

    def _complete(self, pending: Pending, result: Result) -> list[Pending]:
        if self.collecting.pop(pending.key, None) is not None and not pending.abandoned:
            self._remember_end(pending.key, result)
        if pending.abandoned:
            self._abandoned.pop(pending.key, None)
            return []
        if not self.forget(pending):
            return []
        if pending.fence_id in self._fences:  # an error replaced the text
            self.abandon(pending)
        pending.restart()  # release the answer: the deadline queue may keep the action for a while
        return [pending.done(result)]

    def _remember_end(self, key: str, result: Result) -> None:
        """Remember an ended list by a weak reference, to mark its Response if the list continues."""
        first, last = (result, result.complete) if isinstance(result, Packet) else (result[0], result[-1])
        if last is not None and last.list_marker in LIST_ENDS:
            self._ended[key] = ref(first)
            if len(self._ended) > MAX_ENDED:
                self._ended.popitem(last=False)

    def _receive_text(self, packet: Packet) -> tuple[list[Pending], bool]:
        pending = next(iter(self._fences.values()), None)  # answers arrive in the order of sending
        if pending is None:
            return [], False
        if pending.key not in self.pending:  # answered with an error, or abandoned
            return [], True
        size = pending.size
        pending.keep(pending.own_parts().packets, packet)
        return self._bound(pending, pending.size - size), True

    def _receive_fence(self, key: str) -> list[Pending]:
        pending = self._fences.pop(key)
        text = b"\r\n".join(packet.raw for packet in pending.parts.packets)
        return self._complete(pending, Packet.of_text(text, pending.action_id))


def memory_of(length: int, headers: int) -> int:
    """Return the approximate memory, in bytes, of a packet with this length in bytes and this number of headers."""
    return max(length, MIN_PACKET_SIZE, HEADER_SIZE * headers)


def lacks_entries(complete: Packet, arrived: int) -> bool:
    """Return whether the end of a list counts more entries than arrived.

    Asterisk drops what a slow reader does not take in time. A lower count means nothing: DBGetTree of 16 always says 1.
    """
    claimed = first_number(complete, "listitems")
    return claimed is not None and claimed > arrived


def _holds(assertion: Mapping[str, str], packet: Packet) -> bool:
    """Return whether a packet has the asserted value of each header. For ``Event``, only the first header counts."""
    return all(_asserted(packet, name) == value for name, value in assertion.items())


def _asserted(packet: Packet, name: str) -> str:
    if name == "event":
        return packet.event_name or "\n"
    if name == "eventlist":
        return packet.list_marker or "\n"
    return lowered(packet, name, "\n")


def _folded(assertion: Assertion) -> dict[str, str]:
    if not isinstance(assertion, Mapping):
        raise TypeError(f"an assertion must be a mapping of header to value, not {type(assertion).__name__}")
    for name, value in assertion.items():
        if not isinstance(value, (str, bytes, int, float)):
            raise TypeError(f"an assertion's value must be a str; that of {name!r} is {type(value).__name__}")
    return {fold_name(name): fold_name(value) for name, value in assertion.items()}
