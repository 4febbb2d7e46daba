"""Channels, peers and queues: how they are asked for, and as which columns they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional

from .._engine.text import whole_number
from ..catalogue.codes import QueueMemberStatus
from ..errors import AMIError
from ..packet import Packet
from .client import Client
from .explain import explain
from .output import note
from .table import Column
from .text import duration

# What the server sends where there is nothing.
NOTHING = {"<unknown>", "unknown", "(null)", "-none-", "<none>"}

_GOOD = ("up", "ok", "not in use", "reachable")
_BUSY = ("ring", "in use", "busy", "on hold", "lagged", "paused")
_BAD = ("unavail", "unreach", "invalid", "unknown")


def state_style(state: str) -> str:
    """The colour of a state, whatever it is the state of; ``""`` for one that says neither good nor bad."""
    folded = state.lower()
    for style, words in (("red", _BAD), ("green", _GOOD), ("yellow", _BUSY)):
        if folded.startswith(words):
            return style
    return ""


def value(packet: Packet, name: str) -> str:
    """The value of a header; ``""`` where there is nothing."""
    found = packet.get(name, "")
    return "" if found in NOTHING else found


# -- channels


def channels(client: Client) -> list[Packet]:
    """The channels, as CoreShowChannel events."""
    return client.events_of("CoreShowChannels")


def person(number: str, name: str) -> str:
    """A number and a name, as far as they are known."""
    return f"{name} <{number}>" if name and number else number or name


def _party(packet: Packet, kind: str) -> str:
    return person(value(packet, f"{kind}num"), value(packet, f"{kind}name"))


def _place(packet: Packet) -> str:
    exten, context = value(packet, "exten"), value(packet, "context")
    return f"{exten or '-'}@{context}" if context else exten


def _application(packet: Packet) -> str:
    application = value(packet, "application")
    return f"{application}({value(packet, 'applicationdata')})" if application else ""


CHANNELS: Sequence[Column[Packet]] = [
    Column("Channel", lambda one: value(one, "channel"), lambda _: "bold", keep=True),
    Column("State", lambda one: value(one, "channelstatedesc"), state_style, keep=True),
    Column("Duration", lambda one: value(one, "duration"), right=True),
    Column("Caller", lambda one: _party(one, "callerid")),
    Column("Connected", lambda one: _party(one, "connectedline")),
    Column("Extension", _place),
    Column("Application", _application),
]


# -- peers


@dataclass(frozen=True)
class Peer:
    """A peer of some channel driver."""

    technology: str
    packet: Packet

    @property
    def name(self) -> str:
        return value(self.packet, "objectname")

    @property
    def state(self) -> str:
        return value(self.packet, "devicestate") or value(self.packet, "status")

    @property
    def address(self) -> str:
        """Host and port, or the URIs of all contacts."""
        if self.technology == "PJSIP":
            contacts = filter(None, value(self.packet, "contacts").split(","))
            return ", ".join(contact.partition("/")[2] for contact in contacts)
        host, port = value(self.packet, "ipaddress"), value(self.packet, "ipport") or value(self.packet, "port")
        return f"{host}:{port}" if host and port not in ("", "0") else host


# By the channel driver: the action that lists its peers.
PEER_ACTIONS = {"PJSIP": "PJSIPShowEndpoints", "SIP": "SIPpeers", "IAX2": "IAXpeerlist"}

PEERS: Sequence[Column[Peer]] = [
    Column("Technology", lambda one: one.technology),
    Column("Name", lambda one: one.name, lambda _: "bold", keep=True),
    Column("State", lambda one: one.state, state_style, keep=True),
    Column("Address", lambda one: one.address),
]


def peers(client: Client) -> list[Peer]:
    """Return the peers of all channel drivers that the server has. Raises CommandError if it answers about none.

    A driver that the user has no right to ask about is noted on standard error.
    """
    found: list[Peer] = []
    errors: dict[str, AMIError] = {}
    for technology, action in PEER_ACTIONS.items():
        packet = client.action(action)
        if packet.error is None:
            found += [Peer(technology, entry) for entry in packet.events]
        elif "no endpoints" not in str(packet.error).lower():  # an empty list, said as an error
            errors[technology] = packet.error
    if len(errors) == len(PEER_ACTIONS):
        raise explain(next(iter(errors.values())))
    for technology, error in errors.items():
        if "unknown command" not in str(error).lower():  # the driver is not loaded
            note(f"{technology} is missing: {explain(error)}")
    return found


# -- queues


@dataclass
class Queue:
    """A queue with its members and the callers who wait in it."""

    params: Packet
    members: list[Packet] = field(default_factory=list)
    callers: list[Packet] = field(default_factory=list)

    @property
    def name(self) -> str:
        return value(self.params, "queue")

    @property
    def longest_wait(self) -> str:
        waits = [seconds for seconds in map(_waited, self.callers) if seconds is not None]
        return duration(max(waits)) if waits else ""

    @property
    def ready(self) -> int:
        """How many members could take a call now."""
        return sum(one.get("status") == "1" and one.get("paused") != "1" for one in self.members)


def group_queues(entries: Sequence[Packet]) -> list[Queue]:
    """The queues of a QueueStatus."""
    queues: dict[str, Queue] = {}
    for entry in entries:
        name = entry.get("queue", "")
        if entry.event_name == "queueparams":
            queues[name] = Queue(entry)
        elif name in queues:
            queue = queues[name]
            (queue.members if entry.event_name == "queuemember" else queue.callers).append(entry)
    return list(queues.values())


def _member_state(packet: Packet) -> str:
    if packet.get("paused") == "1":
        return f"paused: {value(packet, 'pausedreason')}".rstrip(": ")
    state = QueueMemberStatus.of(packet.get("status"))
    return packet.get("status", "") if state is None else state.words


def waiting_style(text: str) -> str:
    """The colour of how many wait."""
    return "" if text in ("", "0") else "yellow"


def _waited(packet: Packet) -> Optional[int]:
    """Seconds that a caller has waited, None where the server says nothing that is any."""
    seconds = whole_number(packet.get("wait", ""))
    return None if seconds is None or seconds < 0 else seconds


def _wait(packet: Packet) -> str:
    seconds = _waited(packet)
    return value(packet, "wait") if seconds is None else duration(seconds)


QUEUES: Sequence[Column[Queue]] = [
    Column("Queue", lambda one: one.name, lambda _: "bold", keep=True),
    Column("Strategy", lambda one: value(one.params, "strategy")),
    Column("Waiting", lambda one: str(len(one.callers)), waiting_style, right=True, keep=True),
    Column("Longest", lambda one: one.longest_wait, right=True),
    Column("Members", lambda one: str(len(one.members)), right=True),
    Column("Ready", lambda one: str(one.ready), right=True),
    Column("Completed", lambda one: value(one.params, "completed"), right=True),
    Column("Abandoned", lambda one: value(one.params, "abandoned"), right=True),
    Column("In time %", lambda one: value(one.params, "servicelevelperf"), right=True),
]
MEMBERS: Sequence[Column[Packet]] = [
    Column("Member", lambda one: value(one, "name") or value(one, "membername"), lambda _: "bold", keep=True),
    Column("Interface", lambda one: value(one, "location") or value(one, "interface")),
    Column("State", _member_state, state_style, keep=True),
    Column("Penalty", lambda one: value(one, "penalty"), right=True),
    Column("Calls", lambda one: value(one, "callstaken"), right=True),
]
CALLERS: Sequence[Column[Packet]] = [
    Column("#", lambda one: value(one, "position"), right=True),
    Column("Caller", lambda one: _party(one, "callerid"), lambda _: "bold", keep=True),
    Column("Channel", lambda one: value(one, "channel")),
    Column("Waiting for", _wait, right=True, keep=True),
]
