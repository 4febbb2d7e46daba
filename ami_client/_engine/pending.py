"""An action that waits for its answer, and how the answer is assembled. No I/O here.

Sources: Asterisk main/manager.c (astman_send_list_start, astman_send_list_complete); phpDaemon
Clients/Asterisk/Connection.php (onRead, the assertions).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Callable, Optional, Union

from ..errors import ActionFailed, AMIError, call_failed
from .packet import Kind, Packet
from .quirks import REGULAR, Quirk, puts_ids_into_entries, quirk_of
from .text import TRIMMED, ascii_lower, printable, whole_number

Result = Union[Packet, list[Packet]]
Assertion = Mapping[str, object]


# The status of a plain answer, folded and as sent.
SUCCESS = ("success", "Success")

DEFAULT_MAX_ANSWER = 256 * 1024 * 1024  # bytes
# Approximate memory, in bytes, of a packet at least, and of each header.
MIN_PACKET_SIZE = 1024
HEADER_SIZE = 128

# Values of Response for a failed action. jabber_send in res_jabber.c (removed in 12) says Failure.
FAILURES = ("error", "failure", "failed", "fail")
LIST_ENDS = ("complete", "cancelled")  # values of EventList at the end of a list


class Pending:
    """An action that was accepted and not yet answered.

    Without assertions the answer is one Packet, with the entries of a list in its ``events``. With assertions the
    answer is the list of all packets up to the first that satisfies one of them. An assertion is a mapping of header to
    value, compared without case. With ``on_entry`` the answer has no entries: see :meth:`take_entries`.
    """

    __slots__ = (
        "_begun",
        "_response",
        "_single",
        "abandoned",
        "action",
        "action_id",
        "assertions",
        "callback",
        "collecting",
        "deadline",
        "entries",
        "fence_id",
        "key",
        "limit",
        "on_entry",
        "packets",
        "quirk",
        "request",
        "sent_at",
        "size",
        "taken",
    )

    def __init__(
        self,
        action_id: str,
        action: str,
        callback: Optional[Callable[..., object]],
        assertions: Optional[Sequence[Assertion]] = None,
        quirk: Optional[Quirk] = None,
        on_entry: Optional[Callable[..., object]] = None,
    ) -> None:
        self.action_id = action_id
        self.key = ascii_lower(action_id)
        self.action = action.strip(TRIMMED)
        self.callback = callback  # None after the call
        self.on_entry = on_entry
        self.assertions = None if assertions is None else [_folded(one) for one in assertions]
        self.quirk = quirk_of(self.action) if quirk is None else quirk
        self.fence_id = ""  # ActionID of the Ping after a raw-text action
        self.request = b""  # bytes to send again after a loss; empty if there is no retry
        self.abandoned = False  # timed out: late packets are discarded
        # For the owner's use, times on its loop's clock:
        self.sent_at: Optional[float] = None
        self.limit: Optional[float] = None
        self.deadline = 0.0
        self.restart()

    def restart(self) -> None:
        """Discard what has arrived of the answer."""
        self.packets: list[Packet] = []  # of a composite answer, or raw text
        self.size = 0  # bytes kept of the answer
        self.taken = 0  # number of entries that were taken out of the answer
        self._begun = False  # the Response has arrived; nothing before it is a part of the answer
        self.collecting = False  # a list is open
        self._response: Optional[Packet] = None  # the Response that opened it
        self.entries: Optional[list[Packet]] = None  # of the list, if it is an ordinary one

    def is_answered_by(self, response: Packet) -> bool:
        """Fast path of :meth:`take`: whether a Response is plainly the whole answer, a success and not a list.

        The Response has our ActionID and no repeated headers.
        """
        return (
            response.get("response") in SUCCESS
            and "eventlist" not in response
            and "event" not in response
            and not self._begun
            and self.assertions is None
            and self.quirk is REGULAR
        )

    def take(self, packet: Packet) -> Optional[Result]:
        """Take the next packet with our ActionID. Return the answer if it is complete."""
        if self.assertions is not None:
            return self._take_composite(packet)
        if self._response is None:
            return self._take_response(packet)
        return self._take_entry(packet)

    def wants(self, packet: Packet) -> bool:
        """Whether a packet with our ActionID may be part of the answer. Packets before the Response are not.

        But phpDaemon's assertions need no Response, so their early packets are kept until one arrives: see
        :meth:`take_early`. An action with ``on_entry`` needs one: an event before it is no entry.
        """
        if self.on_entry is not None:
            return self._begun or packet.kind is Kind.RESPONSE
        return self._begun or self.assertions is not None or packet.kind is Kind.RESPONSE

    def take_early(self, response: Packet) -> list[Packet]:
        """Remove and return what arrived before this Response: events that are not part of the answer."""
        if self._begun or self.assertions is None or response.kind is not Kind.RESPONSE:
            return []
        self._begun = True
        early, self.packets, self.size = self.packets, [], 0
        return early

    def take_entries(self, complete: bool) -> list[Packet]:
        """Remove and return the entries that have arrived, for ``on_entry``. ``complete``: the answer is complete."""
        if self.assertions is None:
            kept = [] if self._response is None else self._response.events
        else:
            kept = self.packets[1:-1] if complete else self.packets[1:]  # between the Response and the end
            del self.packets[1 : 1 + len(kept)]
        entries = kept[:]
        kept.clear()
        self.taken += len(entries)
        self.size -= sum(memory_of(len(one.raw), len(one)) for one in entries)
        return entries

    def is_ended_by(self, packet: Packet) -> bool:
        """Whether an end of list without an ActionID ends our list."""
        return self.assertions is None or any(_holds(one, packet) for one in self.assertions)

    def parts_of(self, packet: Packet) -> list[Packet]:
        """The entries in a packet. There are several if a server module forgot the blank lines between them.

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
        """Stop waiting: discard what has arrived, and keep nothing that still arrives."""
        self.abandoned = True
        self.packets = []
        self.entries = None
        if self._response is not None:
            self._response = Packet()  # the list is still open

    def keep(self, packets: list[Packet], packet: Packet) -> None:
        """Add a part of the answer to ``packets``, and count its memory."""
        if not self.abandoned:
            packets.append(packet)
            self.size += memory_of(len(packet.raw), len(packet))

    def _take_composite(self, packet: Packet) -> Optional[Result]:
        self.collecting = self.collecting or packet.list_marker == "start"
        self.keep(self.packets, packet)
        if mark_error(packet):
            return self.packets
        for assertion in self.assertions or ():
            if _holds(assertion, packet):
                if not self.abandoned:
                    self.packets[0].suspect = lacks_entries(packet, self.taken + len(self.packets) - 2)
                return self.packets
        return None

    def _take_response(self, packet: Packet) -> Optional[Result]:
        if mark_error(packet):
            return packet
        opens_list = packet.list_marker == "start"
        if not (opens_list or self.quirk.ends_with or self.quirk.single_event):
            return packet
        self._begun = self.collecting = True
        self._response = packet
        self._single = self.quirk.single_event and not opens_list  # exactly one event follows
        if not self.abandoned:
            self.size += memory_of(len(packet.raw), len(packet))
            ordinary = opens_list and not (self.quirk.gathers_events or self.quirk.anonymous_entry)
            self.entries = packet.events if ordinary and self.on_entry is None else None
        return None

    def _take_entry(self, packet: Packet) -> Optional[Result]:
        response = self._response
        assert response is not None
        if packet.kind is Kind.RESPONSE:
            if not mark_error(packet):
                return None  # a second Response changes nothing
            packet.events = response.events
            return packet
        if packet.list_marker in LIST_ENDS or (packet.event_name == self.quirk.ends_with != ""):
            response.complete = packet
            response.suspect = lacks_entries(packet, self.taken + len(response.events))
            return response
        self.keep(response.events, packet)
        return response if self._single else None

    def fail(self, error: AMIError) -> Result:
        """Make the answer for an action that failed with ``error``. It includes what had arrived."""
        failure = Packet.failure(error, self.action_id)
        if self.assertions is not None:
            return [*self.packets, failure]
        if self._response is not None:
            failure.events = self._response.events
        return failure


class PendingResult(Pending):
    """Waits for the OriginateResponse event of an asynchronous Originate, or for the refusal."""

    __slots__ = ()

    def wants(self, packet: Packet) -> bool:
        if packet.kind is Kind.RESPONSE:
            return packet.first("response", "").lower() in FAILURES
        return packet.event_name == "originateresponse"

    def take(self, packet: Packet) -> Optional[Result]:
        if packet.kind is Kind.RESPONSE:
            mark_error(packet)
        elif not first_is(packet, "response", "success"):
            packet.error = call_failed(packet.first("reason", ""))
        return packet


def first_is(packet: Packet, name: str, value: str) -> bool:
    """Whether the first header of that name has this value, compared without case. ``value`` is in lower case."""
    return ascii_lower(packet.first(name, "")) == value


def mark_error(packet: Packet) -> bool:
    """Whether the packet is a Response to a failed action. If so, set its ``error``."""
    if packet.kind is not Kind.RESPONSE or ascii_lower(packet.first("response", "")) not in FAILURES:
        return False
    if packet.error is None:
        packet.error = ActionFailed(server_reason(packet))
    return True


def memory_of(length: int, headers: int) -> int:
    """Approximate memory, in bytes, of a packet with this length in bytes and this number of headers."""
    return max(length, MIN_PACKET_SIZE, HEADER_SIZE * headers)


def lacks_entries(complete: Packet, arrived: int) -> bool:
    """Whether the end of a list counts more entries than arrived.

    Asterisk drops what a slow reader does not take in time. A lower count means nothing: DBGetTree of 16 always says 1.
    """
    claimed = whole_number(complete.first("listitems", ""))
    return claimed is not None and claimed > arrived


def server_reason(packet: Packet) -> str:
    """The server's explanation of an error: the output of a failed Command, else the message."""
    output = (line.strip(TRIMMED) for line in packet.output)
    message = "".join(packet.originals("message")[:1]).strip(TRIMMED)
    return printable(next(filter(None, output), message) or "the server gave no reason")


def _holds(assertion: Mapping[str, str], packet: Packet) -> bool:
    """Whether a packet has the asserted value of each header. For ``Event``, only the first header counts."""
    return all(_asserted(packet, name) == value for name, value in assertion.items())


def _asserted(packet: Packet, name: str) -> str:
    if name == "event":
        return packet.event_name or "\n"
    if name == "eventlist":
        return packet.list_marker or "\n"
    return ascii_lower(packet.first(name, "\n"))


def _folded(assertion: Assertion) -> dict[str, str]:
    if not isinstance(assertion, Mapping):
        raise TypeError(f"an assertion is a mapping of header to value, not {type(assertion).__name__}")
    return {
        ascii_lower(str(name).strip(TRIMMED)): ascii_lower(str(value).strip(TRIMMED))
        for name, value in assertion.items()
    }
