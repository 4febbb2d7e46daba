"""The model's records: frozen dataclasses, and their JSON form. No I/O here.

A record never changes. After a change the model has a new one, so a record that you keep shows an earlier state. All
times are Unix time in seconds. ``server`` is the URL without the secret.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from typing import Any, Optional

# Ten thousand calls have fifty thousand records. Python 3.9 does not support slots, so it needs the memory.
_SLOTS: dict[str, bool] = {"slots": True} if sys.version_info >= (3, 10) else {}


@dataclass(frozen=True, **_SLOTS)
class Server:
    """A server that the model knows.

    ``state`` is ``syncing`` (logged in, the lists are being fetched), ``ready``, or ``stale`` (the link is lost, so the
    model shows the state at ``since``). ``since`` is when the state began. ``missing`` are the lists that were refused
    or did not come in time. Their content is known only from events.
    """

    name: str
    state: str
    since: float
    missing: tuple[str, ...]


@dataclass(frozen=True, **_SLOTS)
class Channel:
    """A channel, as Asterisk sees it.

    ``state`` is Asterisk's word in lower case: ``down``, ``ring`` (it calls), ``ringing`` (it is called), ``up``, and
    rarer ones. ``number`` and ``caller`` are the channel's own caller id, ``connected_number`` and ``connected`` that
    of the other side. ``exten`` is the extension in which the channel was first seen: the number that a caller dialled.
    ``application`` is the current or last application in the dialplan, with its arguments: ``Dial(PJSIP/alice,20)``.
    ``bridge`` is the id of its bridge, or ``""``.
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
    """A bridge with channels. ``channels`` are their names, in the order in which they entered.

    ``type``, ``technology``, ``creator`` and ``name`` are Asterisk's words. A conference has the creator
    ``ConfBridge``, and its room is the name.
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
    """A participant of a call: a channel that leads to a phone or a trunk.

    ``channel`` is the channel's name, ``endpoint`` the device (``PJSIP/alice``), ``number`` and ``name`` its caller id.
    """

    channel: str
    endpoint: str
    number: str
    name: str


@dataclass(frozen=True, **_SLOTS)
class Call:
    """A call: all channels with the same Linkedid.

    ``caller`` is the first party. It is None while only internal channels are known. ``parties`` are the current
    participants, in the order in which they joined; for an ended call, all that ever took part. ``talking`` are the two
    parties that most recently began to hear each other, the earlier one first. It is None while nobody hears anybody.

    ``state`` is ``new``, ``ringing``, ``queued``, ``up``, ``held`` or ``ended``. ``answered`` is when two parties first
    heard each other. ``queue`` is the current or last queue of the call. ``reason`` says why the call ended; until then
    it is ``""``. ``channels`` are names and ``bridges`` are ids: the keys of the model's mappings.
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

    ``call`` is the call's id. ``position`` counts from 1. ``outcome`` is ``waiting``, ``answered`` (``member`` is the
    interface that answered), ``abandoned`` (hung up), or ``left`` (timeout, a key, no agents, a redirect). ``left`` is
    when the call left the queue.
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

    ``state`` is the device's, as in :class:`Endpoint`. ``calls`` is how many calls the member took. ``last_call`` is
    when the last one ended, or 0.
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
    """A queue. ``callers`` wait, the first one first. ``members`` are in the order in which they were reported.

    ``service_level`` is in seconds: the time within which a caller should be answered. ``completed`` is the number of
    answered calls that are over, ``in_time`` how many of them were answered within the service level, ``abandoned`` how
    many callers hung up. Asterisk counts them from its start, or from the last reset.
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
    """A phone or a trunk. ``name`` is the device: ``PJSIP/alice``.

    ``state`` is the device's, in Asterisk's words: ``unknown``, ``not_inuse``, ``inuse``, ``busy``, ``invalid``,
    ``unavailable``, ``ringing``, ``ringinuse`` or ``onhold``. ``status`` says whether it can be reached:
    ``registered``, ``unregistered``, ``reachable``, ``lagged``, ``unreachable``, or ``""`` if unknown. ``address`` is
    its network address, or ``""``.
    """

    server: str
    name: str
    state: str
    status: str
    address: str


def as_data(record: object) -> Any:
    """Return a record as plain data: dicts, lists, str, int, float, bool and None. Field names are the keys."""
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
