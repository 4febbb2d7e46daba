"""The state of one server, built from its lists and events. No I/O here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Callable, Optional

from .._engine.packet import Packet
from .calls import Calls, Tell
from .endpoints import Endpoints
from .queues import Queues
from .records import Server

Apply = Callable[[Packet], object]

SYNCING, READY, STALE = "syncing", "ready", "stale"


class Picture:
    """One server. ``calls``, ``queues`` and ``endpoints`` say which parts to keep."""

    def __init__(self, name: str, tell: Tell, now: float, calls: bool, queues: bool, endpoints: bool) -> None:
        self.server = Server(name, READY, now, ())
        self._tell = tell
        self.calls = Calls(name, tell)
        self.queues = Queues(name, tell, self.calls if calls else None)
        self.endpoints = Endpoints(name, tell)
        self._apply = self._handlers(calls, queues, endpoints)

    def _handlers(self, with_calls: bool, with_queues: bool, with_endpoints: bool) -> Mapping[str, Sequence[Apply]]:
        """Return the methods that apply each event, in order."""
        calls, queues, endpoints = self.calls, self.queues, self.endpoints
        of_calls: dict[str, Apply] = {
            "newchannel": calls.new_channel,
            "newstate": calls.channel,
            "newcallerid": calls.channel,
            "newconnectedline": calls.channel,
            "newexten": calls.new_exten,
            "rename": calls.rename,
            "dialbegin": calls.dial_begin,
            "dialend": calls.dial_end,
            "varset": calls.var_set,
            "hold": calls.hold,
            "unhold": calls.unhold,
            "bridgeenter": calls.bridge_enter,
            "bridgeleave": calls.bridge_leave,
            "bridgedestroy": calls.bridge_destroy,
            "blindtransfer": calls.blind_transfer,
            "attendedtransfer": calls.attended_transfer,
            "parkedcall": calls.parked_call,
            "unparkedcall": calls.parked_call,
            "agentconnect": calls.agent,
            "agentcomplete": calls.agent,
            "localbridge": calls.local_bridge,
            "localoptimizationbegin": calls.local_optimization_begin,
            "localoptimizationend": calls.local_optimization_end,
            "hangup": calls.hangup,
            "fullybooted": calls.fully_booted,
        }
        of_queues: dict[str, Apply] = {
            "queuecallerjoin": queues.caller_join,
            "queuecallerleave": queues.caller_leave,
            "queuecallerabandon": queues.caller_abandon,
            "dialend": queues.dial_end,
            "pickup": queues.pickup,
            "agentconnect": queues.agent_connect,
            "agentcomplete": queues.agent_complete,
            "attendedtransfer": queues.attended_transfer,
            "queuememberadded": queues.member,
            "queuememberstatus": queues.member,
            "queuememberpause": queues.member,
            "queuememberpaused": queues.member,  # up to Asterisk 12
            "queuememberpenalty": queues.member,
            "queuememberringinuse": queues.member,
            "queuememberremoved": queues.member_removed,
        }
        of_endpoints: dict[str, Apply] = {
            "devicestatechange": endpoints.device_state_change,
            "peerstatus": endpoints.peer_status,
            "contactstatus": endpoints.contact_status,
        }
        handlers: dict[str, list[Apply]] = {}
        # A caller who hangs up leaves the queue first, while the channel is still known.
        first: dict[str, Apply] = {"hangup": queues.hangup}
        order = ((with_queues, first), (with_calls, of_calls), (with_queues, of_queues), (with_endpoints, of_endpoints))
        for wanted, applies in order:
            for name, apply in applies.items() if wanted else ():
                handlers.setdefault(name, []).append(apply)
        return handlers

    @property
    def events(self) -> Iterable[str]:
        """The names of the events that change the picture, in lower case."""
        return self._apply.keys()

    def set_state(self, state: str, now: float, missing: tuple[str, ...] = ()) -> None:
        """Set how far the picture can be trusted. ``missing`` are the lists that were refused."""
        self.server = Server(self.server.name, state, now, missing)

    def feed(self, packet: Packet, now: float) -> None:
        """Apply an event."""
        self.tick(now)
        for apply in self._apply.get(packet.event_name, ()):
            apply(packet)

    def tick(self, now: float) -> None:
        """Note that time has passed."""
        self.calls.now = self.queues.now = now
        if self.calls.resumed or self.calls.lingering:
            self.calls.flush()

    def replace(
        self,
        now: float,
        bridges: Optional[Iterable[Packet]],
        channels: Optional[Iterable[Packet]],
        queues: Optional[Iterable[Packet]],
        endpoints: Optional[Iterable[Packet]],
    ) -> None:
        """Replace the state with the entries of lists. None stands for a list that is missing."""
        self.tick(now)
        if endpoints is not None:
            self.endpoints.list_all(endpoints)
        if channels is not None:
            self.calls.begin_list()
            if bridges is not None:
                self.calls.list_bridges(bridges)
            self.calls.list_channels(channels, self.endpoints.on_hold())
            self.calls.end_list()
        if queues is not None:
            self.queues.list_queues(queues)

    def end_all(self, now: float) -> None:
        """End everything, because the server is gone for good."""
        self.tick(now)
        self.queues.end_all()
        self.calls.end_all()
        self.endpoints.endpoints.clear()
