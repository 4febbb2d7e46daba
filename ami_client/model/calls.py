"""Channels, bridges and calls of one server, and the changes of them. No I/O here.

Sources: Asterisk main/manager_channels.c, main/manager_bridges.c, main/bridge.c, main/core_local.c, apps/app_dial.c.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Optional, Protocol

from .._engine.packet import Packet
from .headers import as_sent, birth, channel_state, endpoint_of, number, person, seconds, told
from .live import MAX_PAST, LiveBridge, LiveCall, LiveChannel
from .reasons import BY_QUEUE_STATUS, LOST, reason_of, reason_of_merged

# Events about a channel may come after its Hangup. They must not bring it back.
MAX_GONE = 2000

# Maximum number of characters of an application's arguments that are kept.
MAX_DATA = 100

# Seconds. A call that began before anybody listened may have channels that no event has mentioned yet. It stays this
# long after all known channels have ended. Both halves of a Local channel end at the same time.
LINGER, LINGER_LOCAL = 3600.0, 10.0

# Seconds. A phone that transfers takes the other side off hold for a moment. Only a longer change is reported.
RESUME_AFTER = 0.1


class Tell(Protocol):
    """Reports a change: the name of the model's event, and the arguments of its handlers after the model."""

    def __call__(self, name: str, *args: object) -> None: ...


class Calls:
    """All calls of a server. Methods named after events apply them.

    ``now`` is the time of the event that is being applied, as Unix time in seconds.
    """

    def __init__(self, server: str, tell: Tell) -> None:
        self.server = server
        self.tell = tell
        self.now = 0.0
        self.channels: dict[str, LiveChannel] = {}  # channels by Uniqueid
        self.names: dict[str, LiveChannel] = {}  # channels by name
        self.bridges: dict[str, LiveBridge] = {}
        self.calls: dict[str, LiveCall] = {}  # calls by Linkedid
        self.resumed: dict[str, float] = {}  # calls whose hold has just ended -> when
        self.lingering: dict[str, LiveCall] = {}  # calls without known channels that must have others
        self._aliases: dict[str, LiveCall] = {}  # Linkedids of calls that were merged into another
        self._gone: dict[str, None] = {}  # Uniqueids of ended channels, the latest last
        self._found: Optional[dict[str, LiveCall]] = None  # unknown calls that a list shows

    # -- channels

    def channel(self, packet: Packet) -> None:
        """Newstate, NewCallerid, NewConnectedLine: a channel has changed."""
        channel = self.learn(packet)
        if channel is not None:
            self.refresh(channel.call)

    def new_channel(self, packet: Packet) -> None:
        """Newchannel: a channel begins. The first channel also begins a call."""
        self.channel(packet)
        channel = self.find(packet)
        if channel is not None and channel.key == channel.call.key:
            channel.call.is_whole = True

    def new_exten(self, packet: Packet) -> None:
        """Newexten: a channel continues in the dialplan."""
        channel = self.learn(packet)
        if channel is not None:
            sent = as_sent(packet)
            channel.application = _with_data(sent.get("application", ""), sent.get("appdata", ""))

    def find(self, packet: Packet, prefix: str = "") -> Optional[LiveChannel]:
        """Return the channel of an event, if it is known."""
        return self.channels.get(packet.get(prefix + "uniqueid", "").lower())

    def learn(self, packet: Packet, prefix: str = "") -> Optional[LiveChannel]:
        """Return the channel of an event, updated from the event. None if it has ended, or has no name.

        ``prefix`` precedes the headers' names: ``dest`` and the like.
        """
        key = packet.get(prefix + "uniqueid", "").lower()
        channel = self.channels.get(key)
        if channel is None:
            if not key or key in self._gone or not packet.get(prefix + "channel"):
                return None
            return self._add(key, as_sent(packet), prefix)
        state = packet.get(prefix + "channelstate")
        if state is not None and channel.state != "up":  # after up, only the end can follow
            channel.state = channel_state(state)
        if not prefix:  # with a prefix, such as DestCallerIDName, the case is lost
            self._set_caller(channel, packet)
        linkedid = packet.get(prefix + "linkedid")
        if linkedid and linkedid != channel.linkedid:
            self._move(channel, linkedid)
        return channel

    def _add(self, key: str, sent: dict[str, str], prefix: str) -> LiveChannel:
        name = sent[prefix + "channel"]
        namesake = self.names.get(name.lower())
        if namesake is not None:  # names are unique, so its end was missed
            self._remove(namesake, LOST)
        uniqueid = sent[prefix + "uniqueid"]
        channel = LiveChannel(self.server, key, uniqueid, name, told(sent.get(prefix + "exten", "")), self.now)
        channel.state = channel_state(sent.get(prefix + "channelstate", ""))
        self.channels[key] = channel
        self._name(channel)
        call_id = sent.get(prefix + "linkedid") or uniqueid
        channel.linkedid = call_id
        call = self._call(call_id)
        self._set_caller(channel, sent, prefix)
        self._join(channel, call)
        if call.awaits == name:
            call.awaits, channel.paired = "", True
        self._tell_new(call)
        return channel

    def _tell_new(self, call: LiveCall) -> None:
        if not call.is_told:
            call.is_told = True
            if self._found is None:
                self.tell("call_new", call.record())
            else:
                self._found[call.key] = call
                call.is_whole = True

    def _name(self, channel: LiveChannel) -> None:
        """Register the channel's name, and find the other half of a Local channel."""
        name = channel.name.lower()
        self.names[name] = channel
        if name.endswith((";1", ";2")):
            other = self.names.get(_other_half(name))
            if other is not None:
                _pair(channel, other)

    def _set_caller(self, channel: LiveChannel, headers: dict[str, str], prefix: str = "") -> None:
        own, name = headers.get(prefix + "calleridnum"), headers.get(prefix + "calleridname")
        if own is not None and told(own) != channel.number:
            channel.number = told(own)
            self._renamed(channel)
        if name is not None and person(name) != channel.caller:
            channel.caller = person(name)
            self._renamed(channel)
        own, name = headers.get(prefix + "connectedlinenum"), headers.get(prefix + "connectedlinename")
        if own is not None:
            channel.connected_number = told(own)
        if name is not None:
            channel.connected = person(name)

    def _renamed(self, channel: LiveChannel) -> None:
        """Update the party's name or number wherever it is stored."""
        channel.party = None
        call = getattr(channel, "call", None)
        if call is not None and not channel.is_internal:
            self._see(channel, call)

    def _see(self, channel: LiveChannel, call: LiveCall) -> None:
        party = channel.as_party()
        if channel.key in call.seen or len(call.seen) < MAX_PAST:
            call.seen[channel.key] = party
        if call.caller is None or channel.birth <= call.caller[0]:
            call.caller = (channel.birth, party)

    def rename(self, packet: Packet) -> None:
        """Rename: a masquerade gives a channel the name of another one."""
        channel = self.find(packet)
        new = as_sent(packet).get("newname")
        if channel is None or not new:
            return
        if self.names.get(channel.name.lower()) is channel:
            del self.names[channel.name.lower()]
        channel.rename(new)
        channel.other = None
        self._name(channel)
        self._renamed(channel)
        self.refresh(channel.call)

    def hangup(self, packet: Packet) -> None:
        """Hangup: the end of a channel."""
        channel = self.find(packet)
        if channel is None and self.call_of(packet) is not None:
            channel = self.learn(packet)  # it was part of a known call
        if channel is None:
            self._bury(packet.get("uniqueid", "").lower())
            return
        linkedid = packet.get("linkedid")
        if linkedid and linkedid != channel.linkedid:
            self._move(channel, linkedid)
        cause = number(packet.get("cause", ""))
        if channel.dialled:
            channel.call.causes.append(cause)
            del channel.call.causes[:-MAX_PAST]
        elif cause:
            channel.call.cause = cause
        self._remove(channel)

    def _remove(self, channel: LiveChannel, reason: str = "") -> None:
        call = channel.call
        del self.channels[channel.key]
        if self.names.get(channel.name.lower()) is channel:
            del self.names[channel.name.lower()]
        self._bury(channel.key)
        other = channel.other
        if other is not None:
            other.other = None
            call.optimizing.discard(other.key)
        elif not channel.paired and channel.name.endswith((";1", ";2")):
            call.awaits = _other_half(channel.name)
        call.optimizing.discard(channel.key)
        self._take_out(channel)
        del call.channels[channel.key]
        if call.channels:
            self.refresh(call)
        elif not reason and not call.is_whole and (call.awaits or (call.was_optimized and not call.seen)):
            self.lingering[call.key] = call
        else:
            self._end(call, reason or reason_of(call))

    def _bury(self, key: str) -> None:
        if key:
            self._gone[key] = None
            if len(self._gone) > MAX_GONE:
                del self._gone[next(iter(self._gone))]

    # -- calls

    def _call(self, linkedid: str) -> LiveCall:
        key = linkedid.lower()
        call = self.calls.get(key) or self._aliases.get(key)
        if call is None:
            call = self.calls[key] = LiveCall(self.server, key, linkedid, self.now)
        return call

    def call_of(self, packet: Packet, prefix: str = "") -> Optional[LiveCall]:
        """Return the call of an event, if it is known."""
        channel = self.find(packet, prefix)
        if channel is not None:
            return channel.call
        key = packet.get(prefix + "linkedid", "").lower()
        return self.calls.get(key) or self._aliases.get(key)

    def _join(self, channel: LiveChannel, call: LiveCall) -> None:
        channel.call = call
        call.channels[channel.key] = channel
        self.lingering.pop(call.key, None)
        if not channel.is_internal:
            self._see(channel, call)
        if channel.queue:
            call.queue = channel.queue

    def _move(self, channel: LiveChannel, linkedid: str) -> None:
        """Move a channel to another call, because Asterisk says so.

        It moves only to an older call. An event that names a younger one was created before, and came late.
        """
        if birth(linkedid) > birth(channel.linkedid):
            return
        old, new = channel.call, self._call(linkedid)
        channel.linkedid = linkedid
        if new is old:
            return
        del old.channels[channel.key]
        self._join(channel, new)
        self._tell_new(new)
        if old.channels:
            self.refresh(old)
        else:
            self._end(old, reason_of_merged(old))

    def _merge(self, one: LiveCall, other: LiveCall) -> LiveCall:
        """Merge two calls into the older one, as Asterisk does. Return it."""
        elder, younger = sorted((one, other), key=lambda call: birth(call.id))
        for channel in younger.channels.values():
            self._join(channel, elder)
        younger.channels.clear()
        elder.optimizing |= younger.optimizing
        for key in (younger.key, *younger.aliases):
            self._aliases[key] = elder
            elder.aliases.append(key)
        for key in elder.aliases[:-MAX_PAST]:
            self._aliases.pop(key, None)
        del elder.aliases[:-MAX_PAST]
        self._end(younger, reason_of_merged(younger))
        return elder

    def _relate(self, packet: Packet, one: LiveChannel, two: LiveChannel) -> None:
        """Put two channels into one call. Asterisk 12 does not say which belong together: it has no Linkedid."""
        if one.call is not two.call and not any(name.endswith("linkedid") for name in packet):
            self._merge(one.call, two.call)

    def _end(self, call: LiveCall, reason: str) -> None:
        self.calls.pop(call.key, None)
        self.resumed.pop(call.key, None)
        self.lingering.pop(call.key, None)
        for key in call.aliases:
            if self._aliases.get(key) is call:
                del self._aliases[key]
        call.state, call.talking = "ended", None
        if self._found is None or self._found.pop(call.key, None) is None:
            self.tell("call_ended", call.record(self.now, reason))

    def refresh(self, call: LiveCall) -> None:
        """Compute the current state of a call, and report what has changed."""
        call.touched = self.now
        if call.optimizing or not call.channels:
            return
        pairs = self._pairs(call)
        begun, call.pairs = pairs - call.pairs, pairs
        old, call.state = call.state, self._state(call, pairs)
        if self._found is not None and call.key in self._found:
            self._talk(call, pairs)
            call.rings = _rings(call)
            return
        rings = _rings(call)
        if rings and not call.rings:
            self.tell("call_ringing", call.record())
        call.rings = rings
        if begun or not pairs or call.state != old:
            self.resumed.pop(call.key, None)
        if call.state == "held" != old:
            self.tell("call_held", call.record())
        elif old == "held" and call.state == "up" and pairs and not begun:
            self.resumed[call.key] = self.now
        if begun:
            self._talk(call, begun, tell=True)
        elif not pairs:
            if not _in_conference(call):
                call.talking = None
        elif call.talking is not None and len(pairs) == 1:
            self._talk(call, pairs)

    def _talk(self, call: LiveCall, pairs: Iterable[tuple[str, str]], tell: bool = False) -> None:
        for one, two in sorted(pairs, key=lambda pair: [self.channels[key].birth for key in pair]):
            self._begin_to_talk(call, self.channels[one], self.channels[two])
            if tell and call.state == "up":
                self.tell("call_up", call.record())

    def _begin_to_talk(self, call: LiveCall, one: LiveChannel, two: LiveChannel) -> None:
        call.talking = (one.as_party(), two.as_party())
        if len(call.heard) < MAX_PAST:
            call.heard.update((one.key, two.key))
        call.has_talked = True
        if call.answered is None:  # unknown for a call from a list; not before both were there
            call.answered = self.now if self._found is None else max(one.started, two.started)

    def _pairs(self, call: LiveCall) -> frozenset[tuple[str, str]]:
        """Return the pairs of channels that hear each other, except in conferences. The older one is first."""
        pairs: set[tuple[str, str]] = set()
        for channel in call.channels.values():
            if channel.bridge is not None and not channel.is_internal:
                for other in self._heard_by(channel):
                    if other.birth > channel.birth or (other.birth == channel.birth and other.key > channel.key):
                        pairs.add((channel.key, other.key))
        return frozenset(pairs) if pairs else _NOBODY

    def _heard_by(self, channel: LiveChannel) -> Sequence[LiveChannel]:
        """Return the channels at the other ends: in its bridge, and in bridges that Local channels lead to."""
        bridge = channel.bridge
        if bridge is None or not bridge.speaks:
            return ()
        heard: list[LiveChannel] = []
        seen = [bridge]
        for place in seen:  # grows during the loop
            for one in place.channels.values():
                if not one.is_internal:
                    if one is not channel:
                        heard.append(one)
                elif one.other is not None:
                    beyond = one.other.bridge
                    if beyond is not None and beyond.speaks and beyond not in seen:
                        seen.append(beyond)
        return heard

    def _state(self, call: LiveCall, pairs: frozenset[tuple[str, str]]) -> str:
        channels = self.channels
        if pairs:
            return "held" if all(channels[a].on_hold or channels[b].on_hold for a, b in pairs) else "up"
        if _in_conference(call):
            return "up"
        state = "new"
        for channel in call.channels.values():
            if channel.bridge is not None and channel.bridge.is_parking:
                return "held"
            if channel.queue:
                return "queued"
            if channel.state == "ringing":
                state = "ringing"
            elif channel.state == "up":
                call.was_up = True
                if state == "new":
                    state = "up"
        return state

    def has_silent(self, since: float) -> bool:
        """Return whether there is a call without an event since then."""
        return any(call.touched <= since for call in self.calls.values())

    def flush(self) -> None:
        """Report calls whose hold ended some time ago without a transfer. End calls that linger too long."""
        for call in list(self.lingering.values()):
            if self.now - call.touched >= (LINGER_LOCAL if call.awaits.endswith((";1", ";2")) else LINGER):
                self._end(call, LOST)
        for key, since in list(self.resumed.items()):
            if self.now - since >= RESUME_AFTER:
                del self.resumed[key]
                self.tell("call_up", self.calls[key].record())

    # -- who calls whom

    def dial_begin(self, packet: Packet) -> None:
        """DialBegin: another channel or Originate dials a channel."""
        caller = self.learn(packet) if "uniqueid" in packet else None
        dialled = self.learn(packet, "dest")
        if dialled is None:
            return
        dialled.dialled = True
        if caller is not None:
            self._relate(packet, caller, dialled)
        call = dialled.call
        call.outcome = ""
        if call.dial_status:  # the next attempt
            call.dial_status = ""
            call.causes.clear()
        if caller is not None and caller.call is not call:
            self.refresh(caller.call)
        self.refresh(call)

    def dial_end(self, packet: Packet) -> None:
        """DialEnd: the result of a dial attempt."""
        if "uniqueid" in packet:
            self.learn(packet)
        dialled = self.learn(packet, "dest")
        if dialled is None:
            return
        dialled.dialled = True
        status = packet.get("dialstatus", "").upper()
        if dialled.call.dial_status != "ANSWER":
            dialled.call.dial_status = status
        self.refresh(dialled.call)

    def var_set(self, packet: Packet) -> None:
        """VarSet of the results of Dial and Queue. They cover several phones, and those that were never reached."""
        variable = packet.get("variable", "").lower()
        if variable not in ("dialstatus", "queuestatus"):
            return
        channel, value = self.find(packet), packet.get("value", "").upper()
        if channel is None or not value:
            return
        if variable == "dialstatus":
            channel.call.dial_status = value
        elif value in BY_QUEUE_STATUS:
            channel.call.outcome = BY_QUEUE_STATUS[value]

    def hold(self, packet: Packet) -> None:
        """Hold: this phone has put the others on hold."""
        self._hold(packet, True)

    def unhold(self, packet: Packet) -> None:
        """Unhold."""
        self._hold(packet, False)

    def _hold(self, packet: Packet, on_hold: bool) -> None:
        channel = self.learn(packet)
        if channel is not None:
            channel.on_hold = on_hold
            self.refresh(channel.call)

    # -- bridges

    def _bridge(self, packet: Packet) -> Optional[LiveBridge]:
        """Return the bridge of an event, updated from the event."""
        bridge_id = packet.get("bridgeuniqueid", "")
        if not bridge_id:
            return None
        bridge = self.bridges.get(bridge_id.lower())
        if bridge is None:
            sent = as_sent(packet)
            bridge = self.bridges[bridge_id.lower()] = LiveBridge(self.server, sent["bridgeuniqueid"])
            bridge.creator, bridge.name = told(sent.get("bridgecreator", "")), told(sent.get("bridgename", ""))
        bridge.type = packet.get("bridgetype", bridge.type)
        bridge.technology = packet.get("bridgetechnology", bridge.technology)
        return bridge

    def bridge_enter(self, packet: Packet) -> None:
        """BridgeEnter: a channel has entered a bridge."""
        channel = self.learn(packet)
        bridge = None if channel is None else self._bridge(packet)
        if channel is None or bridge is None:
            return
        self._put_in(channel, bridge)
        if bridge.unites:
            for other in list(bridge.channels.values()):
                if other.call is not channel.call:
                    self._merge(other.call, channel.call)
        self._confer_by_local(bridge)
        self.refresh(channel.call)

    def _confer_by_local(self, bridge: LiveBridge) -> None:
        """Add to a conference who meets, in a bridge, a Local channel whose other half is in it."""
        if bridge.speaks and len(bridge.channels) == 2:
            for half in bridge.channels.values():
                beyond = half.other.bridge if half.is_internal and half.other is not None else None
                if half.other is not None and beyond is not None and beyond.is_conference:
                    self._confer(half.other, beyond)

    def _put_in(self, channel: LiveChannel, bridge: LiveBridge) -> None:
        if channel.bridge is bridge:
            return
        self._take_out(channel)
        channel.bridge = bridge
        bridge.channels[channel.key] = channel
        if bridge.is_conference:
            self._confer(channel, bridge)

    def _take_out(self, channel: LiveChannel) -> None:
        bridge, channel.bridge = channel.bridge, None
        if bridge is None:
            return
        channel.on_hold = False
        bridge.channels.pop(channel.key, None)
        self._drop_if_empty(bridge)
        if bridge.is_conference and len(bridge.channels) == 1:
            (last,) = bridge.channels.values()
            last.call.talking = None
            self.refresh(last.call)

    def _drop_if_empty(self, bridge: LiveBridge) -> None:
        # Nobody needs an empty bridge, and its BridgeDestroy may be lost. If channels enter it again, events describe
        # it fully.
        if not bridge.channels:
            self.bridges.pop(bridge.id.lower(), None)

    def _confer(self, channel: LiveChannel, bridge: LiveBridge) -> None:
        """Add a channel to a conference. It forms a pair with each of the others. They remain separate calls."""
        newcomer = self._end_of(channel)
        if newcomer is None:
            return
        for one in list(bridge.channels.values()):
            other = self._end_of(one)
            if other is None or other is newcomer:
                continue
            elder, younger = sorted((other, newcomer), key=lambda channel: channel.birth)
            for call in (other.call, newcomer.call):
                self._begin_to_talk(call, elder, younger)
                call.state = "up"
            if self._found is None:
                self.tell("call_up", newcomer.call.record())

    def _end_of(self, channel: LiveChannel) -> Optional[LiveChannel]:
        """Return the phone at the end of a channel: the channel itself, or the first one beyond a Local channel."""
        if not channel.is_internal:
            return channel
        beyond = channel.other.bridge if channel.other is not None else None
        channels = () if beyond is None or not beyond.speaks else beyond.channels.values()
        return next((one for one in channels if not one.is_internal), None)

    def bridge_leave(self, packet: Packet) -> None:
        """BridgeLeave: a channel has left a bridge."""
        was_known = self.find(packet) is not None
        channel = self.learn(packet)
        bridge = None if channel is None else self._bridge(packet)
        if channel is None or bridge is None:
            return
        if channel.bridge is bridge:
            self._take_out(channel)
        elif not was_known and bridge.speaks:  # they talked before the model knew of it
            channel.call.heard.add(channel.key)
            channel.call.has_talked |= number(packet.get("bridgenumchannels", "")) > 0
        self._await_others(channel.call, bridge, number(packet.get("bridgenumchannels", "")))
        self._drop_if_empty(bridge)
        self.refresh(channel.call)

    def _await_others(self, call: LiveCall, bridge: LiveBridge, count: int) -> None:
        """Note that ``count`` channels remain. If some are unknown, the call outlives all known ones."""
        if count > len(bridge.channels) and bridge.unites:
            call.awaits = bridge.id
        elif call.awaits == bridge.id:
            call.awaits = ""

    def bridge_destroy(self, packet: Packet) -> None:
        """BridgeDestroy."""
        bridge_id = packet.get("bridgeuniqueid", "")
        bridge = self.bridges.pop(bridge_id.lower(), None)
        if bridge is not None:
            for channel in list(bridge.channels.values()):
                self._take_out(channel)
                self.refresh(channel.call)
        for call in list(self.lingering.values()):
            if call.awaits.lower() == bridge_id.lower():
                self._end(call, reason_of(call))

    # -- transfers, Local channels

    def _mention(self, packet: Packet, *prefixes: str) -> None:
        """Learn the channels that an event names. Some may have begun before anybody listened."""
        for prefix in prefixes:
            channel = self.learn(packet, prefix)
            if channel is not None:
                self.refresh(channel.call)

    def parked_call(self, packet: Packet) -> None:
        """ParkedCall and UnParkedCall. Bridge events report the effects."""
        self._mention(packet, "parkee", "retriever")

    def agent(self, packet: Packet) -> None:
        """AgentConnect and AgentComplete. Bridge events report the effects."""
        self._mention(packet, "", "dest")

    def blind_transfer(self, packet: Packet) -> None:
        """BlindTransfer."""
        self._mention(packet, "transferer", "transferee")
        call = self.call_of(packet, "transferee") or self.call_of(packet, "transferer")
        if call is not None and _succeeded(packet):
            self.resumed.pop(call.key, None)
            self.tell("call_transferred", call.record(), "blind")

    def attended_transfer(self, packet: Packet) -> None:
        """AttendedTransfer: both calls of the transferring party become one."""
        self._mention(packet, "origtransferer", "secondtransferer", "transferee", "transfertarget")
        first, second = self.call_of(packet, "origtransferer"), self.call_of(packet, "secondtransferer")
        call = first or second or self.call_of(packet, "transferee")
        if call is None or not _succeeded(packet):
            return
        if first is not None and second is not None and first is not second:
            call = self._merge(first, second)
        self.resumed.pop(call.key, None)
        self.tell("call_transferred", call.record(), "attended")
        self.refresh(call)

    def local_bridge(self, packet: Packet) -> None:
        """LocalBridge: links the halves of a Local channel."""
        one, two = self.learn(packet, "localone"), self.learn(packet, "localtwo")
        if one is not None and two is not None and one is not two:
            _pair(one, two)
            self._relate(packet, one, two)

    def local_optimization_begin(self, packet: Packet) -> None:
        """LocalOptimizationBegin: until its end, channels that leave a bridge have not left each other."""
        self.local_bridge(packet)
        one = self.find(packet, "localone")
        if one is not None:
            one.call.optimizing.add(one.key)

    def local_optimization_end(self, packet: Packet) -> None:
        """LocalOptimizationEnd."""
        one = self.find(packet, "localone")
        if one is not None:
            one.call.was_optimized = True
            one.call.optimizing.discard(one.key)
            self.refresh(one.call)

    # -- queues

    def wait_in(self, channel: LiveChannel, queue: str) -> None:
        """Note that a channel waits in a queue."""
        channel.queue = channel.call.queue = queue
        self.refresh(channel.call)
        if self._found is None or channel.call.key not in self._found:
            self.tell("call_queued", channel.call.record())

    def stop_waiting(self, channel: LiveChannel, outcome: str = "") -> None:
        """Note that a channel no longer waits. ``outcome`` is why its call ends if nothing else happens to it."""
        channel.queue = ""
        if outcome:
            channel.call.outcome = outcome
        self.refresh(channel.call)

    # -- lists

    def begin_list(self) -> None:
        """From now until :meth:`end_list`, lists report what exists. Unknown calls are reported at the end."""
        self._found = {}

    def list_bridges(self, entries: Iterable[Packet]) -> None:
        """BridgeList: the existing bridges."""
        present = {bridge.id.lower() for bridge in map(self._bridge, entries) if bridge is not None}
        for key in [key for key in self.bridges if key not in present]:
            del self.bridges[key]

    def list_channels(self, entries: Iterable[Packet], on_hold: Container[str]) -> None:
        """CoreShowChannels: the existing channels. Missing ones have ended, for unknown reasons.

        ``on_hold`` are the endpoints, in lower case, whose calls are on hold. Lists of channels do not say that.
        """
        entries = list(entries)
        present = {packet.get("uniqueid", "").lower() for packet in entries}
        for missing in [one for key, one in self.channels.items() if key not in present]:
            self._remove(missing, LOST)
        for packet in entries:
            was_known = self.find(packet) is not None
            self._gone.pop(packet.get("uniqueid", "").lower(), None)
            channel = self.learn(packet)
            if channel is None:
                continue
            if not was_known:
                channel.started = self.now - seconds(packet.get("duration", ""))
                channel.call.started = min(channel.call.started, channel.started)
                channel.dialled = packet.get("application", "").lower() in ("appdial", "appqueue", "appdial2")
            sent = as_sent(packet)
            channel.application = _with_data(sent.get("application", ""), sent.get("applicationdata", ""))
            bridge_id = packet.get("bridgeid", "")
            if not bridge_id:
                self._take_out(channel)
            else:
                bridge = self.bridges.get(bridge_id.lower())
                if bridge is None:
                    bridge = self.bridges[bridge_id.lower()] = LiveBridge(self.server, bridge_id)
                self._put_in(channel, bridge)
                channel.on_hold |= endpoint_of(channel.name).lower() in on_hold

    def end_list(self) -> None:
        """Note that the lists are complete."""
        for bridge in list(self.bridges.values()):
            self._drop_if_empty(bridge)
        found = self._found or {}
        for call in list(self.calls.values()):
            if call.channels:
                self.refresh(call)
            else:
                self._end(call, LOST)
        self._found = None
        for call in found.values():
            self.tell("call_new", call.record())

    def fully_booted(self, packet: Packet) -> None:
        """FullyBooted, at each login and at the end of the boot: calls from before the server's start are lost."""
        uptime = packet.get("uptime")
        if uptime is not None:
            self.end_all(before=self.now - number(uptime) - 1)

    def end_all(self, before: float = float("inf")) -> None:
        """End all calls that began before that time, because the server is gone."""
        for channel in [one for one in self.channels.values() if one.started < before]:
            self._remove(channel, LOST)
        for call in [one for one in self.lingering.values() if one.started < before]:
            self._end(call, LOST)


def _with_data(application: str, data: str) -> str:
    return f"{application}({data[:MAX_DATA]})" if application else ""


def _other_half(name: str) -> str:
    """Return the name of the other half of a Local channel."""
    return name[:-1] + ("2" if name[-1] == "1" else "1")


_NOBODY: frozenset[tuple[str, str]] = frozenset()


def _pair(one: LiveChannel, two: LiveChannel) -> None:
    """Link the halves of a Local channel."""
    one.other, two.other = two, one
    one.paired = two.paired = True


def _rings(call: LiveCall) -> bool:
    """Return whether a phone rings for the call."""
    return any(one.state == "ringing" and not one.is_internal for one in call.channels.values())


def _in_conference(call: LiveCall) -> bool:
    """Return whether one of the call's channels is in a conference with others."""
    return any(
        one.bridge is not None and one.bridge.is_conference and len(one.bridge.channels) > 1
        for one in call.channels.values()
    )


def _succeeded(packet: Packet) -> bool:
    return packet.get("result", "success").lower() == "success"
