"""What type checkers must accept: classes of the catalogue in place of names."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, Optional

from ami_client import Connection, Packet, Pool
from ami_client.catalogue import actions, events
from ami_client.messages import Action, Event

if TYPE_CHECKING:
    from typing_extensions import assert_type


class DoorOpened(Event[Literal["door"]]):
    ami_name = "DoorOpened"


def any_event(c: Connection, e: Packet) -> None: ...


def hangup(c: Connection, e: events.Hangup) -> bool:
    return e.flag("x") is True


def door(c: Connection, e: DoorOpened) -> None: ...


async def later(c: Connection, e: events.Hangup) -> None: ...


def sent(conn: Connection) -> None:
    conn.action(actions.Ping())
    conn.action(actions.QueueAdd(Queue="help", Interface="PJSIP/1"), lambda c, p: print(p["response"]))
    conn.action(actions.QueueAdd(Queue="help", Interface="PJSIP/1", Penalty=1, Paused=True, MemberName=None))
    conn.action(actions.UserEvent(UserEvent="x", ActionID="mine"), any_event, {"Who": "Joe"}, timeout=1)
    conn.action(actions.Originate(Channel="SIP/1", Exten=100, Priority="1", Timeout=3000, Async=True))
    conn.action(actions.Originate(Channel="SIP/1", Variable={"A": 1}))
    conn.action(actions.Originate(Channel="SIP/1", Variable=["A=1", "B=2"]))
    conn.action(actions.SIPpeers(), lambda c, them: None, assertion={"event": "peerlistcomplete"})
    assert_type(actions.Ping().params, dict[str, object])
    action: Action = actions.Ping()
    assert_type(action.ami_name, str)


def heard(pool: Pool, conn: Connection, packet: Packet) -> None:
    @pool.on(events.Hangup)
    def hung_up(c: Connection, event: events.Hangup) -> int:
        assert_type(event["channel"], str)
        assert_type(event["no such header"], str)
        assert_type(event.get("cause"), Optional[str])
        assert_type(event.number("cause"), Optional[int])
        assert_type(event.number("no such header"), Optional[int])
        assert_type(event.flag("paused"), Optional[bool])
        assert_type(event.seconds("holdtime"), Optional[float])
        assert_type(event.words("members"), Optional[list[str]])
        assert_type(event.time("timestamp"), Optional[datetime])
        assert_type(event.variables, dict[str, str])
        assert_type(event.variables_of("Dest"), dict[str, str])
        assert_type(event.original("Cause-txt"), Optional[str])
        return 1

    hung_up(conn, events.Hangup({"Cause-txt": "Busy"}, Cause=17))
    pool.on(events.Hangup, hangup)
    pool.on(events.Hangup, any_event)
    pool.on(events.Hangup, lambda c, event: print(event["channel"], event.number("cause")))
    pool.on(events.Hangup, later)
    pool.on(DoorOpened, door)
    pool.once(events.AOC_D, any_event)
    pool.on([events.Hangup, events.Newchannel, "event_newstate"], any_event)
    pool.bind(events.Hangup, hangup)
    pool.bind([events.Hangup], hangup)
    pool.unbind(events.Hangup)
    conn.off(events.Hangup, hangup)
    if isinstance(packet, events.Hangup):
        assert_type(packet, events.Hangup)
        hangup(conn, packet)
    assert_type(events.Hangup(Channel="SIP/1"), events.Hangup)
