"""What type checkers must refuse: names and parameters that the catalogue does not have."""

from __future__ import annotations

from ami_client import Connection, Pool
from ami_client.catalogue import actions, events


def newchannel(c: Connection, e: events.Newchannel) -> None: ...


def text(c: Connection, e: str) -> None: ...


def alone(c: Connection) -> None: ...


def sent(conn: Connection) -> None:
    actions.QueueAd  # type: ignore[attr-defined]  # noqa: B018
    actions.QueueAdd(Queue="help")  # type: ignore[call-arg]
    actions.QueueAdd(Queue="help", Interface="PJSIP/1", Penalt=1)  # type: ignore[call-arg]
    actions.QueueAdd(queue="help", Interface="PJSIP/1")  # type: ignore[call-arg]
    actions.QueueAdd("help", "PJSIP/1")  # type: ignore[call-arg, misc, unused-ignore]
    actions.QueueAdd(Queue=None, Interface="PJSIP/1")  # type: ignore[arg-type]
    actions.QueueAdd(Queue="help", Interface=object())  # type: ignore[arg-type]
    actions.QueueAdd(Queue="help", Interface="PJSIP/1", Penalty=[1])  # type: ignore[arg-type]
    conn.action(actions.Ping)  # type: ignore[call-overload]
    conn.action(events.Hangup)  # type: ignore[call-overload]


def heard(pool: Pool) -> None:
    events.HangUp  # type: ignore[attr-defined]  # noqa: B018
    pool.on(events.Hangup, newchannel)  # type: ignore[arg-type]
    pool.on(events.Hangup, text)  # type: ignore[arg-type]
    pool.on(events.Hangup, alone)  # type: ignore[arg-type]
    pool.once(events.Hangup, newchannel)  # type: ignore[arg-type]
    pool.on(actions.Hangup, alone)  # type: ignore[arg-type, type-var]

    @pool.on(events.Hangup)  # type: ignore[arg-type]
    def hung_up(c: Connection, event: events.Newchannel) -> None:
        event[1]  # type: ignore[call-overload]
