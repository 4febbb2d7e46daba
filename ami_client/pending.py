"""One action that waits for its answer, and how the answer is put together. No I/O here.

Sources: Asterisk main/manager.c (astman_send_list_start, astman_send_list_complete); phpDaemon
Clients/Asterisk/Connection.php (onRead, the assertions).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Callable, Optional, Union

from .encode import TRIMMED, ascii_lower, printable
from .errors import ActionFailed, AMIError
from .packet import Kind, Packet

Result = Union[Packet, list[Packet]]
Assertion = Mapping[str, object]


@dataclass(frozen=True)
class Oddity:
    """How an action's answer breaks the rule ``EventList: start`` ... ``EventList: Complete``."""

    ends_with: str = ""  # the event that ends a list without markers
    single_event: bool = False  # exactly one event follows the Response
    anonymous_entry: str = ""  # entries of this name carry no ActionID
    gathers_events: bool = False  # any event before the end belongs to the answer, and stays an event
    merged: bool = False  # several events come as one packet, a blank line is missing
    raw_text: bool = False  # no Response at all
    logs_off: bool = False  # the answer is a Goodbye, and the last one


# By action name in lower case. Seen live on 16 and 22, and in their source.
ODDITIES: dict[str, Oddity] = {
    "logoff": Oddity(logs_off=True),  # manager.c, action_logoff
    "iaxpeers": Oddity(anonymous_entry="peerentry"),  # chan_iax2.c, manager_iax2_show_peers
    "waitevent": Oddity(ends_with="waiteventcomplete", gathers_events=True),  # manager.c, action_waitevent
    "faxsession": Oddity(single_event=True),  # res_fax.c, manager_fax_session
    "faxstats": Oddity(single_event=True),  # res_fax.c, manager_fax_stats
    "skinnydevices": Oddity(merged=True),  # chan_skinny.c of 16, manager_skinny_show_devices
    "skinnylines": Oddity(merged=True),  # chan_skinny.c of 16, manager_skinny_show_lines
    "iaxnetstats": Oddity(raw_text=True),  # chan_iax2.c, manager_iax2_show_netstats
    "skinnyshowdevice": Oddity(raw_text=True),  # chan_skinny.c of 16
    "skinnyshowline": Oddity(raw_text=True),  # chan_skinny.c of 16
}
REGULAR = Oddity()


@lru_cache(maxsize=256)
def oddity_of(action: str) -> Oddity:
    """How the answer to an action is odd."""
    return ODDITIES.get(ascii_lower(action), REGULAR)


DEFAULT_MAX_ANSWER = 256 * 1024 * 1024  # bytes
# What packets take of memory, about: each at least, and each header.
MIN_PACKET_SIZE = 1024
HEADER_SIZE = 128


class Pending:
    """An action that was accepted and not yet answered.

    Without assertions the answer is one Packet, a list's entries in its ``events``; with assertions (each a mapping of
    header to value, compared without case) it is the list of all packets up to the first that satisfies one of them.
    """

    __slots__ = (
        "_response",
        "abandoned",
        "action",
        "action_id",
        "assertions",
        "callback",
        "deadline",
        "entries",
        "fence_id",
        "key",
        "limit",
        "oddity",
        "packets",
        "request",
        "sent_at",
        "size",
    )

    def __init__(
        self,
        action_id: str,
        action: str,
        callback: Optional[Callable[..., object]],
        assertions: Optional[Sequence[Assertion]] = None,
    ) -> None:
        self.action_id = action_id
        self.key = ascii_lower(action_id)
        self.action = action.strip(TRIMMED)
        self.callback = callback  # None once it was called
        self.assertions = None if assertions is None else [_folded(one) for one in assertions]
        self.oddity = oddity_of(self.action)
        self.fence_id = ""  # the ActionID of the Ping behind a raw-text action
        self.request = b""  # what to send again after a loss; empty: nothing
        self.abandoned = False  # timed out: what still comes belongs to nobody, and is not kept
        # For the owner's use, times of its loop:
        self.sent_at: Optional[float] = None
        self.limit: Optional[float] = None
        self.deadline = 0.0
        self.restart()

    def restart(self) -> None:
        """Forget what has arrived of the answer."""
        self.packets: list[Packet] = []  # of a composite answer, or raw text
        self.size = 0  # of what is kept of the answer, bytes
        self._response: Optional[Packet] = None  # the Response that opened a list
        self.entries: Optional[list[Packet]] = None  # of the list, if it is an ordinary one

    @property
    def collecting(self) -> bool:
        """Whether a list has begun."""
        return self._response is not None

    def is_answered_by(self, response: Packet) -> bool:
        """Whether a Response with our ActionID is the whole answer, plainly: a success and no list."""
        return (
            response.get("response") == "success"
            and "eventlist" not in response
            and self._response is None
            and self.assertions is None
            and self.oddity is REGULAR
        )

    def take(self, packet: Packet) -> Optional[Result]:
        """Take the next packet with our ActionID; returns the answer when it is complete."""
        if self.assertions is not None:
            return self._take_composite(packet)
        if self._response is None:
            return self._take_response(packet)
        return self._take_entry(packet)

    def wants(self, packet: Packet) -> bool:
        """Whether a packet with our ActionID is part of the answer: an event before the Response is not."""
        return self.assertions is not None or self.collecting or packet.kind is Kind.RESPONSE

    def abandon(self) -> None:
        """Nobody waits any more: what has arrived is let go, and what still comes will not be kept."""
        self.abandoned = True
        self.packets = []
        self.entries = None
        if self._response is not None:
            self._response = Packet()  # the list is still open

    def keep(self, packets: list[Packet], packet: Packet) -> None:
        """Add a part of the answer to those that have arrived."""
        if not self.abandoned:
            packets.append(packet)
            self.size += memory_of(len(packet.raw), len(packet))

    def _take_composite(self, packet: Packet) -> Optional[Result]:
        self.keep(self.packets, packet)
        if mark_error(packet):
            return self.packets
        for assertion in self.assertions or ():
            if all(ascii_lower(packet.get(name, "\n")) == value for name, value in assertion.items()):
                if not self.abandoned:
                    self.packets[0].suspect = lacks_entries(packet, len(self.packets) - 2)
                return self.packets
        return None

    def _take_response(self, packet: Packet) -> Optional[Result]:
        if mark_error(packet):
            return packet
        opens_list = header_is(packet, "eventlist", "start")
        if opens_list or self.oddity.ends_with or self.oddity.single_event:
            self._response = packet
            if not self.abandoned:
                self.size += memory_of(len(packet.raw), len(packet))
                self.entries = packet.events if self.oddity is REGULAR else None
            return None
        return packet

    def _take_entry(self, packet: Packet) -> Optional[Result]:
        response = self._response
        assert response is not None
        if packet.kind is Kind.RESPONSE:
            if not mark_error(packet):
                return None  # a second Response changes nothing
            packet.events = response.events
            return packet
        if self._ends_list(packet):
            response.complete = packet
            response.suspect = lacks_entries(packet, len(response.events))
            return response
        self.keep(response.events, packet)
        return response if self.oddity.single_event else None

    def _ends_list(self, packet: Packet) -> bool:
        marker = ascii_lower(packet.get("eventlist", ""))
        ends_with = self.oddity.ends_with
        return marker in ("complete", "cancelled") or (bool(ends_with) and packet.event_name == ends_with)

    def fail(self, error: AMIError) -> Result:
        """The answer when none can come any more: what had arrived is kept."""
        failure = Packet.failure(error, self.action_id)
        if self.assertions is not None:
            return [*self.packets, failure]
        if self._response is not None:
            failure.events = self._response.events
        return failure


class PendingResult(Pending):
    """Waits for the OriginateResponse event of an asynchronous Originate, or for its refusal."""

    __slots__ = ()

    def wants(self, packet: Packet) -> bool:
        return packet.event_name == "originateresponse" or header_is(packet, "response", "error")

    def take(self, packet: Packet) -> Optional[Result]:
        if packet.kind is Kind.RESPONSE:
            mark_error(packet)
        elif not header_is(packet, "response", "success"):
            reason = packet.get("reason", "unknown")
            packet.error = ActionFailed(f"the call was not answered (reason {reason})")
        return packet


def header_is(packet: Packet, name: str, value: str) -> bool:
    """Compare a header without case; ``value`` is in lower case."""
    return ascii_lower(packet.get(name, "")) == value


def mark_error(packet: Packet) -> bool:
    """Whether the packet is an error Response; if so it gets its ``error``."""
    if packet.kind is not Kind.RESPONSE or not header_is(packet, "response", "error"):
        return False
    if packet.error is None:
        packet.error = ActionFailed(server_reason(packet))
    return True


def memory_of(length: int, headers: int) -> int:
    """What a packet of so many bytes and headers takes of memory, about."""
    return max(length, MIN_PACKET_SIZE, HEADER_SIZE * headers)


def lacks_entries(complete: Packet, arrived: int) -> bool:
    """Whether the end of a list counts more entries than came: Asterisk cuts what a slow reader does not take in time.

    That it counts fewer is no sign: DBGetTree of 16 always says 1.
    """
    claimed = complete.get("listitems", "")
    return claimed.isascii() and claimed.isdigit() and len(claimed) < 10 and int(claimed) > arrived


def server_reason(packet: Packet) -> str:
    """What the server says about its error."""
    return printable((packet.original("message") or "the server gave no reason").strip(TRIMMED))


def _folded(assertion: Assertion) -> dict[str, str]:
    if not isinstance(assertion, Mapping):
        raise TypeError(f"an assertion is a mapping of header to value, not {type(assertion).__name__}")
    return {
        ascii_lower(str(name).strip(TRIMMED)): ascii_lower(str(value).strip(TRIMMED))
        for name, value in assertion.items()
    }
