"""What type checkers must accept of the awaited and the blocking client, and what they must know of the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, Union

from ami_client import AMIError, Connection, Packet, Pool, aio, blocking
from ami_client.catalogue import actions, events

if TYPE_CHECKING:
    from typing_extensions import assert_type

URL = "ami://user:secret@pbx.example.com"
ENDS = {"event": "QueueStatusComplete"}


def on_entry(conn: Connection, packet: Packet) -> None: ...


async def awaited(pbx: aio.Client, pool: Pool) -> None:
    assert_type(await pbx.ping(), Packet)
    assert_type(await pbx.ping(timeout=3, retry=True), Packet)
    assert_type(await pbx.status(), list[Packet])
    assert_type(await pbx.status("SIP/1", on_entry=on_entry), list[Packet])
    assert_type(await pbx.core_show_channels(), list[Packet])
    assert_type(await pbx.get_config("sip.conf"), Packet)
    assert_type(await pbx.set_var(None, "X", 1), Packet)
    assert_type(await pbx.originate({"Channel": "SIP/1"}), Packet)
    assert_type(await pbx.command("core show uptime"), list[str])
    assert_type(await pbx.action("QueueStatus"), Packet)
    assert_type(await pbx.action("QueueStatus", {"Queue": "help"}), Packet)
    assert_type(await pbx.action("QueueStatus", None, ENDS), list[Packet])
    assert_type(await pbx.action("QueueStatus", assertion=ENDS), list[Packet])
    assert_type(await pbx.action(actions.QueueSummary(Queue="help")), Packet)
    assert_type(pbx.ping(), aio.Answer[Packet])
    assert_type(await pbx.wait_connected(3), None)
    assert_type(await pbx.close(graceful=False), None)
    assert_type(pbx.conn, Optional[Connection])
    assert_type(pbx.error, Optional[AMIError])
    async with aio.Client(URL, reconnect=2) as other:
        assert_type(other, aio.Client)
    aio.Client(URL, pool=pool)


async def awaited_streams(pbx: aio.Client) -> None:
    async for item in pbx.events():
        assert_type(item, Union[Packet, aio.Gap])
    async with pbx.events("hangup", "queue*", where={"queue": ["help*", "sales"]}, limit=10) as stream:
        assert_type(stream, aio.Events[Packet])
        assert_type(await stream.__anext__(), Union[Packet, aio.Gap])
    async for hung_up in pbx.events(events.Hangup, where=lambda packet: "queue" in packet):
        assert_type(hung_up, Union[events.Hangup, aio.Gap])
    assert_type(pbx.events(events.Hangup), aio.Events[events.Hangup])


def awaited_handlers(pbx: aio.Client) -> None:
    @pbx.on("event_hang*", where={"cause": "16"}, max_tasks=3)
    async def later(conn: Connection, packet: Packet) -> None: ...

    @pbx.on(events.Hangup)
    def at_once(conn: Connection, event: events.Hangup) -> None: ...

    pbx.off("event_hang*", later)


def plain(pbx: blocking.Client, pool: Pool) -> None:
    assert_type(pbx.ping(), Packet)
    assert_type(pbx.ping(timeout=3, retry=True), Packet)
    assert_type(pbx.status(), list[Packet])
    assert_type(pbx.status("SIP/1", on_entry=on_entry), list[Packet])
    assert_type(pbx.core_show_channels(), list[Packet])
    assert_type(pbx.get_config("sip.conf"), Packet)
    assert_type(pbx.set_var(None, "X", 1), Packet)
    assert_type(pbx.originate({"Channel": "SIP/1"}), Packet)
    assert_type(pbx.command("core show uptime"), list[str])
    assert_type(pbx.action("QueueStatus"), Packet)
    assert_type(pbx.action("QueueStatus", None, ENDS), list[Packet])
    assert_type(pbx.action("QueueStatus", assertion=ENDS), list[Packet])
    assert_type(pbx.action(actions.QueueSummary(Queue="help")), Packet)
    assert_type(pbx.conn, Optional[Connection])
    with blocking.Client(URL, reconnect=2) as other:
        assert_type(other, blocking.Client)
    blocking.Client(URL, pool=pool)


def plain_streams(pbx: blocking.Client) -> None:
    for item in pbx.events(timeout=60):
        assert_type(item, Union[Packet, blocking.Gap])
    with pbx.events("hangup", "queue*", where={"queue": "help*"}, timeout=60, limit=10) as stream:
        assert_type(stream, blocking.Events[Packet])
        assert_type(next(stream), Union[Packet, blocking.Gap])
    for hung_up in pbx.events(events.Hangup):
        assert_type(hung_up, Union[events.Hangup, blocking.Gap])


def plain_handlers(pbx: blocking.Client) -> None:
    @pbx.on("event_hang*", where={"cause": "16"})
    def hung_up(conn: Connection, packet: Packet) -> None: ...

    @pbx.on(events.Hangup)
    def typed(conn: Connection, event: events.Hangup) -> None: ...

    pbx.once("event_hangup", hung_up)
    pbx.off("event_hang*", hung_up)
