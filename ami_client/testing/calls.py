"""Simulated calls: one originated call from ringing to hangup, and all calls together."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Callable, Optional

from .channels import BUSY, RING, RINGING, UP, Channel, escape
from .office import Office, Step
from .script import Value

if TYPE_CHECKING:
    from ..loop import Handle, Loop

#: Results of an Originate: values of ``Reason`` in OriginateResponse.
FAILED, HUNG_UP, NOT_ANSWERED, ANSWERED, WAS_BUSY, CONGESTED = 0, 1, 3, 4, 5, 8

# Applications that end at once. A channel stays in any other.
_PASSING = frozenset({"answer", "noop", "set", "ringing", "startmusiconhold", "verbose"})
# By first application of an extension that never answers: DialStatus, state of the far end, cause, reason.
_REFUSALS = {
    "busy": ("BUSY", BUSY, 17, WAS_BUSY),
    "congestion": ("CONGESTION", RING, 34, CONGESTED),
    "hangup": ("CHANUNAVAIL", RING, 16, FAILED),
}
#: Added to readings of the loop's clock, which makes them dates of November 2023.
EPOCH = 1_700_000_000


@dataclass
class Order:
    """The parameters of an Originate. ``timeout`` is in seconds."""

    channel: str
    context: str = ""
    exten: str = ""
    priority: int = 1
    application: str = ""
    data: str = ""
    timeout: float = 30.0
    caller_number: str = ""
    caller_name: str = ""
    account: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


#: Called once with the result: ``on_result(reason, channel)``. ``channel`` may be None.
OnResult = Callable[[int, Optional[Channel]], object]


class Phase(enum.Enum):
    """The phase of a call."""

    DIALLING = "dialling"
    RINGING = "ringing"
    UP = "up"
    OVER = "over"


_MOVES = {
    Phase.DIALLING: {Phase.RINGING, Phase.OVER},
    Phase.RINGING: {Phase.UP, Phase.OVER},
    Phase.UP: {Phase.OVER},
    Phase.OVER: set(),
}


class Call:
    """One originated call. ``legs`` are its channels. The first one runs the dialplan."""

    def __init__(self, exchange: Exchange, order: Order, legs: list[Channel], on_result: OnResult) -> None:
        self.exchange = exchange
        self.order = order
        self.legs = legs
        self.phase = Phase.DIALLING
        self._on_result = on_result
        self._timer: Optional[Handle] = None

    def dial(self, steps: Optional[list[Step]]) -> None:
        """Start dialling. ``steps`` are the dialplan of the called extension; None if it does not exist."""
        main, emit = self.legs[0], self.exchange.emit
        for leg in self.legs:
            emit(leg.event("Newchannel"))
        main.application, main.data = "AppDial2", "(Outgoing Line)"
        emit(main.extension_event())
        if steps is None:
            self._end(0, FAILED)
            return
        self._announce_caller()
        if len(self.legs) > 1:
            emit(self._local_bridge())
        emit(self._dial_event("DialBegin", DialString=self.order.channel.partition("/")[2]))
        application = steps[0][0].lower() if steps else "hangup"
        if application in _REFUSALS:
            status, state, cause, reason = _REFUSALS[application]
            far = self.legs[-1]
            far.state, (far.application, far.data) = state, steps[0] if steps else ("Hangup", "")
            emit(far.extension_event())
            emit(self._dial_event("DialEnd", DialStatus=status))
            self._end(cause, reason)
        else:
            self._ring(answers=application != "ringing", steps=steps)

    def lead(self, channel: Channel, context: str, exten: str, priority: int = 1) -> None:
        """Move ``channel`` to a place in the dialplan, until the call ends."""
        steps = self.exchange.office.extensions.get((context, exten), [])
        channel.context, channel.exten = context, exten
        for channel.priority, step in enumerate(steps[priority - 1 :], priority):
            self._execute(channel, step)
            if step[0].lower() not in _PASSING:
                break
        else:
            step = ("Hangup", "")
        application = step[0].lower()
        if application in _REFUSALS:
            self.hang_up(_REFUSALS[application][2])
        else:
            self._stay()

    def hang_up(self, cause: int) -> None:
        """End the call now, in any phase."""
        if self.phase is Phase.OVER:
            return
        for leg in self.legs:
            self.exchange.emit(leg.event("HangupRequest", Cause=cause))
        self._end(cause, HUNG_UP)

    def forget(self) -> None:
        """Stop the timer without any event, because the server is closing."""
        self.phase = Phase.OVER
        self._cancel_timer()

    def _ring(self, answers: bool, steps: list[Step]) -> None:
        self._move(Phase.RINGING)
        self.legs[0].state = RINGING
        self.exchange.emit(self.legs[0].event("Newstate"))
        self.exchange.emit(self._dial_event("DialState", DialStatus="RINGING"))
        if answers and self.exchange.ring_time <= self.order.timeout:
            self._after(self.exchange.ring_time, lambda: self._answer(steps))
        else:
            self._after(self.order.timeout, lambda: self._end(19, NOT_ANSWERED))

    def _answer(self, steps: list[Step]) -> None:
        self._move(Phase.UP)
        main, order = self.legs[0], self.order
        for leg in reversed(self.legs):
            leg.state = UP
            self.exchange.emit(leg.event("Newstate"))
        self.exchange.emit(self._dial_event("DialEnd", DialStatus="ANSWER"))
        self._on_result(ANSWERED, main)
        for far in self.legs[1:]:
            self.lead(far, far.context, far.exten)
        if self.phase is not Phase.UP:
            return
        if order.application:
            main.application, main.data = order.application, order.data
            self._stay()
        else:
            self.lead(main, order.context, order.exten, order.priority)

    def _execute(self, channel: Channel, step: Step) -> None:
        channel.application, channel.data = step
        self.exchange.emit(channel.extension_event())
        if channel.application.lower() == "set":
            name, _, value = channel.data.partition("=")
            self.exchange.set_variable(channel, name, value)

    def _stay(self) -> None:
        if self.exchange.call_length is not None:
            self._after(self.exchange.call_length, lambda: self.hang_up(16))

    def _end(self, cause: int, reason: int) -> None:
        answered = self.phase is Phase.UP
        self._move(Phase.OVER)
        self._cancel_timer()
        # As on Asterisk, the far end of a failed call is hung up before the result is sent.
        for leg in self.legs if answered else reversed(self.legs):
            if not answered and leg is self.legs[0]:
                self._on_result(reason, None)
            self.exchange.forget(leg)
            self.exchange.emit(leg.hangup_event(cause))

    def _move(self, phase: Phase) -> None:
        if phase not in _MOVES[self.phase]:
            raise RuntimeError(f"a call cannot go from {self.phase.value} to {phase.value}")
        self.phase = phase

    def _after(self, seconds: float, callback: Callable[[], object]) -> None:
        self._cancel_timer()
        self._timer = self.exchange.loop.call_later(seconds, callback)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _announce_caller(self) -> None:
        order = self.order
        if not order.caller_number and not order.caller_name:
            return
        for leg in self.legs:
            leg.caller_number = leg.connected_number = order.caller_number
            leg.caller_name = leg.connected_name = order.caller_name
            self.exchange.emit(caller_event(leg))
            self.exchange.emit(leg.event("NewConnectedLine"))

    def _local_bridge(self) -> dict[str, Value]:
        one, two = self.legs
        place: dict[str, Value] = {"Context": two.context, "Exten": two.exten}
        return {
            "Event": "LocalBridge",
            "Privilege": "call,all",
            **one.snapshot("LocalOne"),
            **two.snapshot("LocalTwo"),
            **place,
            "LocalOptimization": "Yes",
        }

    def _dial_event(self, name: str, **headers: Value) -> dict[str, Value]:
        snapshot = self.legs[0].snapshot("Dest")
        return {"Event": name, "Privilege": "call,all", **snapshot, **headers}


class Exchange:
    """All calls and their channels. Passes their events to ``emit``.

    ``ring_time`` and ``call_length`` are in seconds. If ``call_length`` is None, a call lasts until it is hung up.
    """

    def __init__(
        self,
        loop: Loop,
        office: Office,
        emit: Callable[[Mapping[str, Value]], object],
        *,
        ring_time: float,
        call_length: Optional[float],
    ) -> None:
        self.loop = loop
        self.office = office
        self.emit = emit
        self.ring_time = ring_time
        self.call_length = call_length
        self._calls: dict[str, tuple[Channel, Call]] = {}
        self._channel_numbers = itertools.count()
        self._unique_numbers = itertools.count()

    @property
    def channels(self) -> list[Channel]:
        """The live channels, in the order of their creation."""
        return [channel for channel, _ in self._calls.values()]

    def find(self, name: str) -> Optional[Channel]:
        """Return the live channel of that name, or None. Case is ignored."""
        return next((one for one in self.channels if one.name.lower() == name.lower()), None)

    def now(self) -> float:
        """Return the date in seconds: the loop's clock plus a fixed epoch."""
        return EPOCH + self.loop.time()

    def originate(self, order: Order, on_result: OnResult) -> None:
        """Place a call. ``on_result`` is called once, possibly before this returns."""
        technology, _, target = order.channel.partition("/")
        if technology.lower() == "local":
            exten, _, context = target.partition("/")[0].partition("@")
            context = context or "default"
            number = next(self._channel_numbers)
            names = [f"Local/{exten}@{context}-{number:08x};{half}" for half in (1, 2)]
            steps = self.office.extensions.get((context, exten))
        elif target.partition("/")[0] in self._reachable(technology):
            exten, context = "", "office"
            names = [f"{technology}/{target}-{next(self._channel_numbers):08x}"]
            steps = [("Answer", "")]
        else:
            on_result(FAILED, None)
            return
        legs = self._new_channels(names, context, exten, order)
        call = Call(self, order, legs, on_result)
        self._calls.update((leg.name, (leg, call)) for leg in legs)
        call.dial(steps)

    def redirect(self, channel: Channel, context: str, exten: str, priority: int) -> bool:
        """Move a live channel to another place. Return False if its call is not answered."""
        call = self._calls[channel.name][1]
        if call.phase is not Phase.UP:
            return False
        call.lead(channel, context, exten, priority)
        return True

    def hang_up(self, channel: Channel, cause: int) -> None:
        """Hang up the call of a live channel. ``cause`` is a Q.931 cause; 16 is normal clearing."""
        self._calls[channel.name][1].hang_up(cause)

    def set_variable(self, channel: Optional[Channel], name: str, value: str) -> None:
        """Set a variable, global without ``channel``, and send VarSet."""
        if channel is None:
            self.office.variables[name] = value
            where: Mapping[str, Value] = {"Channel": "none", "Uniqueid": "none"}
        else:
            channel.variables[name] = value
            where = channel.snapshot()
        what: dict[str, Value] = {"Variable": name, "Value": escape(value)}
        self.emit({"Event": "VarSet", "Privilege": "dialplan,all", **where, **what})

    def forget(self, channel: Channel) -> None:
        """Remove an ended channel from the list."""
        self._calls.pop(channel.name, None)

    def close(self) -> None:
        """Stop all timers. The calls end without events."""
        for _, call in self._calls.values():
            call.forget()
        self._calls.clear()

    def _reachable(self, technology: str) -> list[str]:
        office = self.office
        known = {
            "sip": [peer.name for peer in office.sip_peers if peer.address],
            "pjsip": [endpoint.name for endpoint in office.endpoints if endpoint.contact],
            "iax2": [peer.name for peer in office.iax_peers if peer.address],
        }
        return known.get(technology.lower(), [])

    def _new_channels(self, names: list[str], context: str, exten: str, order: Order) -> list[Channel]:
        ids = [f"{int(self.now())}.{next(self._unique_numbers)}" for _ in names]
        channels = [
            Channel(name, unique, ids[0], context, exten, self.loop.time(), account=order.account)
            for name, unique in zip(names, ids)
        ]
        # The second half of a Local channel is an incoming call for the dialplan.
        for half in channels[1:]:
            half.state = RING
        channels[0].variables.update(order.variables)
        return channels


def caller_event(channel: Channel) -> dict[str, Value]:
    """Return NewCallerid for ``channel``."""
    event = channel.event("NewCallerid")
    return {**event, "CID-CallingPres": "0 (Presentation Allowed, Not Screened)"}
