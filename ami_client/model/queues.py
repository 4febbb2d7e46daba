"""Queues of one server, with their callers and members. No I/O here.

Source: Asterisk apps/app_queue.c.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Optional

from .._engine.packet import Packet
from .calls import Calls, Tell
from .headers import as_sent, decimal, device_state, endpoint_of, number, person, told, truth
from .live import LiveChannel
from .reasons import ABANDONED
from .records import Caller, Member, Queue

WAITING, ANSWERED, LEFT = "waiting", "answered", "left"


class LiveCaller:
    """A caller who waits. ``member`` is the interface that has answered, until the caller leaves the queue."""

    __slots__ = ("call", "channel", "joined", "key", "member", "name", "number", "queue")

    def __init__(self, queue: LiveQueue, key: str, channel: str, call: str, joined: float) -> None:
        self.queue = queue
        self.key = key
        self.channel = channel
        self.call = call
        self.number = self.name = self.member = ""
        self.joined = joined


class LiveQueue:
    """A queue. ``callers`` are in the order of their positions, ``members`` are by interface."""

    __slots__ = (
        "abandoned",
        "callers",
        "completed",
        "in_time",
        "members",
        "name",
        "server",
        "service_level",
        "strategy",
    )

    def __init__(self, server: str, name: str) -> None:
        self.server = server
        self.name = name
        self.strategy = ""
        self.service_level = self.completed = self.in_time = self.abandoned = 0
        self.callers: list[LiveCaller] = []
        self.members: dict[str, Member] = {}

    def caller(self, caller: LiveCaller, position: int, left: Optional[float] = None, outcome: str = WAITING) -> Caller:
        """Return the record of a caller who waits, or waited until now."""
        return Caller(
            self.server,
            self.name,
            caller.channel,
            caller.call,
            caller.number,
            caller.name,
            position,
            caller.joined,
            left,
            outcome,
            caller.member,
        )

    def record(self) -> Queue:
        callers = tuple(self.caller(one, place) for place, one in enumerate(list(self.callers), 1))
        return Queue(
            self.server,
            self.name,
            self.strategy,
            self.service_level,
            self.completed,
            self.in_time,
            self.abandoned,
            callers,
            tuple(self.members.values()),
        )

    def place(self, caller: LiveCaller) -> int:
        """Return the position of a waiting caller."""
        return self.callers.index(caller) + 1


class Queues:
    """All queues of a server. Methods named after events apply them. ``now`` is as in Calls."""

    def __init__(self, server: str, tell: Tell, calls: Optional[Calls]) -> None:
        self.server = server
        self.tell = tell
        self.now = 0.0
        self.queues: dict[str, LiveQueue] = {}  # queues by name; Asterisk ignores their case
        self._calls = calls
        self._waiting: dict[str, LiveCaller] = {}  # callers by Uniqueid

    def _queue(self, packet: Packet) -> LiveQueue:
        name = packet.get("queue", "")
        queue = self.queues.get(name.lower())
        if queue is None:
            queue = self.queues[name.lower()] = LiveQueue(self.server, as_sent(packet).get("queue", name))
        return queue

    def _channel(self, key: str) -> Optional[LiveChannel]:
        return None if self._calls is None else self._calls.channels.get(key)

    # -- callers

    def caller_join(self, packet: Packet) -> None:
        """QueueCallerJoin: a caller begins to wait."""
        if not packet.get("uniqueid"):
            return
        if self._calls is not None and self._calls.learn(packet) is None:
            return  # the caller has hung up
        sent = as_sent(packet)
        self._join(self._queue(packet), sent, self.now, person(sent.get("calleridname", "")))

    def _join(self, queue: LiveQueue, sent: dict[str, str], joined: float, name: str) -> None:
        key = sent["uniqueid"].lower()
        present = self._waiting.get(key)
        if present is not None:
            if present.queue is queue:
                return
            self._leave(present, LEFT)
        channel = self._channel(key)
        call = channel.call.id if channel is not None else sent.get("linkedid") or sent["uniqueid"]
        caller = LiveCaller(queue, key, sent.get("channel", ""), call, joined)
        caller.number, caller.name = told(sent.get("calleridnum", "")), name
        place = number(sent.get("position", ""), len(queue.callers) + 1)
        queue.callers.insert(max(place - 1, 0), caller)
        self._waiting[key] = caller
        self.tell("queue_joined", queue.record(), queue.caller(caller, queue.place(caller)))
        if channel is not None and self._calls is not None:
            self._calls.wait_in(channel, queue.name)

    def dial_end(self, packet: Packet) -> None:
        """DialEnd: a member may have answered. QueueCallerLeave comes next, and does not say why."""
        caller = self._waiting.get(packet.get("uniqueid", "").lower())
        if caller is not None and packet.get("dialstatus", "").upper() == "ANSWER":
            caller.member = self._interface(caller.queue, packet, "dest")

    def pickup(self, packet: Packet) -> None:
        """Pickup: somebody answers instead of a member. Asterisk counts it as that member's call."""
        target = self._channel(packet.get("targetuniqueid", "").lower())
        for caller in self._waiting.values():
            channel = self._channel(caller.key)
            if target is not None and channel is not None and channel.call is target.call:
                caller.member = self._interface(caller.queue, packet, "target")

    def _interface(self, queue: LiveQueue, packet: Packet, prefix: str) -> str:
        """Return the member whose phone an event is about."""
        device = endpoint_of(packet.get(f"{prefix}channel", "")).lower()
        for interface, member in queue.members.items():
            if interface == device or interface.startswith(device + "/"):  # a Local channel's options follow
                return member.interface
        return endpoint_of(as_sent(packet).get(f"{prefix}channel", ""))

    def agent_connect(self, packet: Packet) -> None:
        """AgentConnect: a member talks to a caller, who may still be in the queue."""
        caller = self._waiting.get(packet.get("uniqueid", "").lower())
        if caller is not None:
            caller.member = as_sent(packet).get("interface", caller.member)

    def caller_leave(self, packet: Packet) -> None:
        """QueueCallerLeave: the caller no longer waits, for whatever reason."""
        caller = self._waiting.get(packet.get("uniqueid", "").lower())
        if caller is not None:
            self._leave(caller, ANSWERED if caller.member else LEFT)

    def caller_abandon(self, packet: Packet) -> None:
        """QueueCallerAbandon: the caller hung up."""
        caller = self._waiting.get(packet.get("uniqueid", "").lower())
        if caller is not None:
            caller.queue.abandoned += 1
            self._leave(caller, ABANDONED)

    def hangup(self, packet: Packet) -> None:
        """Hangup of a waiting caller: the events in between were lost."""
        self.caller_abandon(packet)

    def agent_complete(self, packet: Packet) -> None:
        """AgentComplete: a member's call is over. Asterisk counts it only now."""
        queue = self._queue(packet)
        queue.completed += 1
        queue.in_time += number(packet.get("holdtime", "")) <= queue.service_level

    def _leave(self, caller: LiveCaller, outcome: str) -> None:
        queue = caller.queue
        record = queue.caller(caller, queue.place(caller), self.now, outcome)
        queue.callers.remove(caller)
        del self._waiting[caller.key]
        self.tell("queue_abandoned" if outcome == ABANDONED else "queue_left", queue.record(), record)
        channel = self._channel(caller.key)
        if channel is not None and self._calls is not None:
            self._calls.stop_waiting(channel, ABANDONED if outcome == ABANDONED else "")

    def attended_transfer(self, packet: Packet) -> None:
        """AttendedTransfer of a party that waited in a queue for another one, who now waits there."""
        caller = self._waiting.get(packet.get("secondtransfereruniqueid", "").lower())
        key = packet.get("transfereeuniqueid", "").lower()
        if caller is None or not key or key in self._waiting:
            return
        sent = as_sent(packet)
        del self._waiting[caller.key]
        before, channel = self._channel(caller.key), self._channel(key)
        caller.key, caller.channel = key, sent.get("transfereechannel", "")
        caller.number, caller.name = (
            told(sent.get("transfereecalleridnum", "")),
            person(sent.get("transfereecalleridname", "")),
        )
        self._waiting[key] = caller
        if self._calls is not None:
            if before is not None:
                self._calls.stop_waiting(before)
            if channel is not None:
                caller.call = channel.call.id
                self._calls.wait_in(channel, caller.queue.name)

    # -- members

    def member(self, packet: Packet) -> None:
        """QueueMemberStatus, QueueMemberPause and others: the full state of a member."""
        self._set_member(self._queue(packet), packet, "interface", "membername", tell=True)

    def _set_member(self, queue: LiveQueue, packet: Packet, place: str, name: str, tell: bool) -> None:
        key = packet.get(place, "").lower()
        if not key:
            return
        get, old = packet.get, queue.members.get(key)
        if (
            old is None
            or get("pausedreason", "") != old.paused_reason.lower()
            or get(name, "").lower() != old.name.lower()
        ):
            sent = as_sent(packet)
            told_of = Member(
                self.server,
                queue.name,
                sent.get(name, ""),
                sent.get(place, ""),
                sent.get("stateinterface", ""),
                "unknown",
                paused=False,
                paused_reason=sent.get("pausedreason", ""),
                penalty=0,
                calls=0,
                last_call=0.0,
                in_call=False,
            )
        else:
            told_of = old
        member = replace(
            told_of,
            state=device_state(get("status", "")),
            paused=truth(get("paused", "")),
            penalty=number(get("penalty", "")),
            calls=number(get("callstaken", "")),
            last_call=float(number(get("lastcall", ""))),
            in_call=truth(get("incall", "")),
        )
        if member != old:
            queue.members[key] = member
            if tell:
                self.tell("member_changed", queue.record(), member)

    def member_removed(self, packet: Packet) -> None:
        """QueueMemberRemoved."""
        queue = self._queue(packet)
        member = queue.members.pop(packet.get("interface", "").lower(), None)
        if member is not None:
            self.tell("member_changed", queue.record(), member)

    # -- lists

    def list_queues(self, entries: Iterable[Packet]) -> None:
        """QueueStatus: all queues, their members and callers. Missed changes are reported."""
        entries = list(entries)
        known = set(self.queues)
        present = {one.get("queue", "").lower() for one in entries if one.event_name == "queueparams"}
        waiting = {one.get("uniqueid", "").lower() for one in entries if one.event_name == "queueentry"}
        for caller in [one for key, one in self._waiting.items() if key not in waiting]:
            self._leave(caller, LEFT)
        for key in known - present:
            del self.queues[key]
        members = {
            (one.get("queue", "").lower(), one.get("location", "").lower())
            for one in entries
            if one.event_name == "queuemember"
        }
        for key, queue in self.queues.items():
            for interface in [one for one in queue.members if (key, one) not in members]:
                member = queue.members.pop(interface)
                self.tell("member_changed", queue.record(), member)
        for packet in entries:
            if packet.event_name == "queueparams":
                queue = self._queue(packet)
                queue.strategy = packet.get("strategy", "")
                queue.service_level = number(packet.get("servicelevel", ""))
                queue.completed = number(packet.get("completed", ""))
                queue.abandoned = number(packet.get("abandoned", ""))
                queue.in_time = round(queue.completed * decimal(packet.get("servicelevelperf", "")) / 100)
            elif packet.event_name == "queuemember":
                queue = self._queue(packet)
                self._set_member(queue, packet, "location", "name", tell=queue.name.lower() in known)
            elif packet.event_name == "queueentry" and packet.get("uniqueid"):
                sent = as_sent(packet)
                joined = self.now - number(packet.get("wait", ""))
                self._join(self._queue(packet), sent, joined, told(sent.get("calleridname", "")))

    def end_all(self) -> None:
        """End all, because the server is gone for good."""
        for caller in list(self._waiting.values()):
            self._leave(caller, LEFT)
        self.queues.clear()
