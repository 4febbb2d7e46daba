"""What the model tells: frozen dataclasses, and their form in JSON. No I/O here.

A record does not change. When something has happened the model has a new one in its place, so one that was kept shows
what was true then. All times are Unix time in seconds. ``server`` is the URL without the secret.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from typing import Any, Optional

# Ten thousand calls have fifty thousand records. Python 3.9 knows no slots, and takes the memory.
_SLOTS: dict[str, bool] = {"slots": True} if sys.version_info >= (3, 10) else {}


@dataclass(frozen=True, **_SLOTS)
class Server:
    """A server that the model has heard of.

    ``state`` is ``syncing`` (logged in, the lists are on their way), ``ready``, or ``stale`` (the link is lost: what
    the model has of this server is what was true at ``since``). ``since`` is when the state began. ``missing`` are the
    lists that were refused, or did not come in time: what they would tell is known only as far as events tell it.
    """

    name: str
    state: str
    since: float
    missing: tuple[str, ...]


@dataclass(frozen=True, **_SLOTS)
class Channel:
    """A channel, as Asterisk has it.

    ``state`` is Asterisk's word in lower case: ``down``, ``ring`` (it calls), ``ringing`` (it is called), ``up``, and
    the rarer ones. ``number`` and ``caller`` are its own caller id, ``connected_number`` and ``connected`` that of the
    other side. ``exten`` is the extension it was in when it was first heard of: the number that a caller dialled.
    ``application`` is what it does in the dialplan now, or did last, with its arguments: ``Dial(PJSIP/alice,20)``.
    ``bridge`` is the id of the bridge it is in, or ``""``.
    """

    server: str
    name: str
    uniqueid: str
    linkedid: str
    state: str
    number: str
    caller: str
    connected_number: str
    connected: str
    exten: str
    application: str
    bridge: str
    on_hold: bool
    started: float


@dataclass(frozen=True, **_SLOTS)
class Bridge:
    """A bridge with somebody in it. ``channels`` are the names of those, in the order in which they came.

    ``type``, ``technology``, ``creator`` and ``name`` are Asterisk's words: a conference has the creator ``ConfBridge``
    and the room as its name.
    """

    server: str
    id: str
    type: str
    technology: str
    creator: str
    name: str
    channels: tuple[str, ...]


@dataclass(frozen=True, **_SLOTS)
class Party:
    """Who takes part in a call: a channel that leads to a telephone or a trunk.

    ``channel`` is its name, ``endpoint`` the device (``PJSIP/alice``), ``number`` and ``name`` its caller id.
    """

    channel: str
    endpoint: str
    number: str
    name: str


@dataclass(frozen=True, **_SLOTS)
class Call:
    """A call: all channels with the same Linkedid.

    ``caller`` is the party that came first; None as long as only internal channels are known. ``parties`` are those
    that take part now, in the order in which they came; of an ended call, all that ever did. ``talking`` are the two
    that began to hear each other last, the one who came first in front; None while nobody hears anybody.

    ``state`` is ``new``, ``ringing``, ``queued``, ``up``, ``held`` or ``ended``. ``answered`` is when two parties first
    heard each other. ``queue`` is the queue that the call is in or was in last. ``reason``
    says why it ended, ``""`` until then. ``channels`` are names, ``bridges`` ids: the keys of the model's mappings.
    """

    server: str
    id: str
    state: str
    caller: Optional[Party]
    parties: tuple[Party, ...]
    talking: Optional[tuple[Party, Party]]
    queue: str
    started: float
    answered: Optional[float]
    ended: Optional[float]
    reason: str
    channels: tuple[str, ...]
    bridges: tuple[str, ...]


@dataclass(frozen=True, **_SLOTS)
class Caller:
    """A call that waits in a queue, or that has left it.

    ``call`` is the id of the call, ``position`` counts from 1. ``outcome`` is ``waiting``, ``answered`` (``member`` is
    the interface that took it), ``abandoned`` (hung up), or ``left`` (timeout, a key, no agents, a redirect). ``left``
    is when that was.
    """

    server: str
    queue: str
    channel: str
    call: str
    number: str
    name: str
    position: int
    joined: float
    left: Optional[float]
    outcome: str
    member: str


@dataclass(frozen=True, **_SLOTS)
class Member:
    """A member of a queue.

    ``state`` is that of its device, as of :class:`Endpoint`. ``calls`` is how many calls it took, ``last_call`` when
    the last one ended, 0 for never.
    """

    server: str
    queue: str
    name: str
    interface: str
    state_interface: str
    state: str
    paused: bool
    paused_reason: str
    penalty: int
    calls: int
    last_call: float
    in_call: bool


@dataclass(frozen=True, **_SLOTS)
class Queue:
    """A queue. ``callers`` wait, the first in front. ``members`` are in the order in which they were told.

    ``service_level`` is in seconds: within so many a caller ought to be answered. ``completed`` calls had an answer and
    are over, ``in_time`` of them within the service level; ``abandoned`` is how many callers hung up. Asterisk counts
    them from its start, or from the last reset.
    """

    server: str
    name: str
    strategy: str
    service_level: int
    completed: int
    in_time: int
    abandoned: int
    callers: tuple[Caller, ...]
    members: tuple[Member, ...]


@dataclass(frozen=True, **_SLOTS)
class Endpoint:
    """A telephone or a trunk. ``name`` is the device: ``PJSIP/alice``.

    ``state`` is the device's, in Asterisk's words: ``unknown``, ``not_inuse``, ``inuse``, ``busy``, ``invalid``,
    ``unavailable``, ``ringing``, ``ringinuse`` or ``onhold``. ``status`` says whether it can be reached:
    ``registered``, ``unregistered``, ``reachable``, ``lagged``, ``unreachable``, or ``""`` if nobody has said.
    ``address`` is where it is, or ``""``.
    """

    server: str
    name: str
    state: str
    status: str
    address: str


def as_data(record: object) -> Any:
    """A record as plain data: dicts, lists, str, int, float, bool and None, with the names of its fields as keys."""
    if isinstance(record, tuple):
        return [as_data(one) for one in record]
    names = _NAMES.get(type(record))
    if names is None:
        return record
    return {name: as_data(getattr(record, name)) for name in names}


_NAMES: dict[type, list[str]] = {
    kind: [one.name for one in fields(kind)]
    for kind in (Server, Channel, Bridge, Party, Call, Caller, Member, Queue, Endpoint)
}
