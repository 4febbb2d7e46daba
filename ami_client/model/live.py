"""Channels, bridges and calls as the model stores them: mutable, and linked to each other. No I/O here.

Frozen records are made on request, because far fewer are requested than events come.
"""

from __future__ import annotations

from typing import Optional

from .headers import birth, endpoint_of, is_internal
from .records import Bridge, Call, Channel, Party

# How many parties of a call, and other items of its history, are remembered. A queue may ring hundreds of phones in
# turn, and some calls last for weeks.
MAX_PAST = 100


class LiveChannel:
    """A channel. ``other`` is the other half of a Local channel. ``dialled`` says whether the channel was called."""

    __slots__ = (
        "application",
        "birth",
        "bridge",
        "call",
        "caller",
        "connected",
        "connected_number",
        "dialled",
        "exten",
        "is_internal",
        "key",
        "linkedid",
        "name",
        "number",
        "on_hold",
        "other",
        "paired",
        "party",
        "queue",
        "server",
        "started",
        "state",
        "uniqueid",
    )

    def __init__(self, server: str, key: str, uniqueid: str, name: str, exten: str, started: float) -> None:
        self.server = server
        self.key = key  # key in the model's tables: the Uniqueid in lower case
        self.uniqueid = uniqueid
        self.birth = birth(uniqueid)
        self.rename(name)
        self.linkedid = ""
        self.state = "down"
        self.number = self.caller = self.connected_number = self.connected = ""
        self.exten = exten
        self.application = ""
        self.started = started
        self.bridge: Optional[LiveBridge] = None
        self.call: LiveCall
        self.other: Optional[LiveChannel] = None
        self.on_hold = self.dialled = False
        self.paired = False  # the other half is or was known
        self.queue = ""

    def rename(self, name: str) -> None:
        """Change the name: after a masquerade, or when a Local channel became another channel."""
        self.name = name
        self.is_internal = is_internal(name)
        self.party: Optional[Party] = None

    def as_party(self) -> Party:
        """Return the party at the channel's other end."""
        if self.party is None:
            self.party = Party(self.name, endpoint_of(self.name), self.number, self.caller)
        return self.party

    def record(self) -> Channel:
        return Channel(
            self.server,
            self.name,
            self.uniqueid,
            self.linkedid,
            self.state,
            self.number,
            self.caller,
            self.connected_number,
            self.connected,
            self.exten,
            self.application,
            "" if self.bridge is None else self.bridge.id,
            self.on_hold,
            self.started,
        )


class LiveBridge:
    """A bridge. In a holding bridge nobody hears anybody."""

    __slots__ = ("channels", "creator", "id", "name", "server", "technology", "type")

    def __init__(self, server: str, bridge_id: str) -> None:
        self.server = server
        self.id = bridge_id
        self.type = self.technology = self.creator = self.name = ""
        self.channels: dict[str, LiveChannel] = {}

    @property
    def is_holding(self) -> bool:
        return self.technology == "holding_bridge" or self.type in ("parking", "holding")

    @property
    def speaks(self) -> bool:
        """Whether its channels hear each other and become one call, as far as the bridge's type is known."""
        return not self.is_holding and not self.is_conference

    @property
    def is_conference(self) -> bool:
        """Whether its channels hear each other but remain separate calls."""
        return self.type not in ("", "basic", "stasis") and not self.is_holding

    @property
    def is_parking(self) -> bool:
        return self.type == "parking"

    @property
    def unites(self) -> bool:
        """Whether its channels become one call: Asterisk's smart bridge."""
        return self.type in ("basic", "stasis") and not self.is_holding

    def record(self) -> Bridge:
        names = tuple(one.name for one in self.channels.values())
        return Bridge(self.server, self.id, self.type, self.technology, self.creator, self.name, names)


class LiveCall:
    """A call. ``pairs`` are the keys of channels that hear each other now, ``seen`` are all that took part."""

    __slots__ = (
        "aliases",
        "answered",
        "awaits",
        "caller",
        "cause",
        "causes",
        "channels",
        "dial_status",
        "has_talked",
        "heard",
        "id",
        "is_told",
        "is_whole",
        "key",
        "optimizing",
        "outcome",
        "pairs",
        "queue",
        "rings",
        "seen",
        "server",
        "started",
        "state",
        "talking",
        "touched",
        "was_optimized",
        "was_up",
    )

    def __init__(self, server: str, key: str, call_id: str, started: float) -> None:
        self.server = server
        self.key = key
        self.id = call_id
        self.started = self.touched = started
        self.answered: Optional[float] = None
        self.state = "new"
        self.queue = ""
        self.channels: dict[str, LiveChannel] = {}
        self.aliases: list[str] = []  # Linkedids of calls that were merged into this one
        self.caller: Optional[tuple[tuple[int, int], Party]] = None
        self.seen: dict[str, Party] = {}
        self.talking: Optional[tuple[Party, Party]] = None
        self.pairs: frozenset[tuple[str, str]] = frozenset()
        self.heard: set[str] = set()  # keys of channels that heard somebody
        self.optimizing: set[str] = set()  # keys of Local channels that are being optimised away
        self.rings = self.has_talked = self.was_up = self.was_optimized = self.is_told = False
        self.is_whole = False  # seen from its beginning, or in a list: all its channels are known
        self.awaits = ""  # where unknown channels must be: a bridge's id, or a Local half's name
        self.dial_status = self.outcome = ""
        self.causes: list[int] = []  # why dialled channels ended
        self.cause = 0  # why the last other channel ended

    def parties(self) -> tuple[Party, ...]:
        """Return the current parties, the oldest first. For an ended call: those who heard somebody, else all."""
        if self.state == "ended":
            if self.has_talked:
                first = self.caller[1].channel if self.caller else ""
                return tuple(party for key, party in self.seen.items() if key in self.heard or party.channel == first)
            return tuple(self.seen.values())
        return tuple(one.as_party() for one in self.by_age() if not one.is_internal)

    def by_age(self) -> list[LiveChannel]:
        """Return its channels, the oldest first, whatever the order in which they were seen."""
        channels = list(self.channels.values())
        if len(channels) > 1:
            channels.sort(key=lambda one: one.birth)
        return channels

    def record(self, ended: Optional[float] = None, reason: str = "") -> Call:
        channels = self.by_age()
        bridges = dict.fromkeys(one.bridge.id for one in channels if one.bridge is not None)
        return Call(
            self.server,
            self.id,
            self.state,
            None if self.caller is None else self.caller[1],
            self.parties(),
            self.talking,
            self.queue,
            self.started,
            self.answered,
            ended,
            reason,
            tuple(one.name for one in channels),
            tuple(bridges),
        )
