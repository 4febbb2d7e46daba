"""What type checkers must refuse of the awaited and the blocking client."""

from __future__ import annotations

from ami_client import Packet, aio, blocking
from ami_client.catalogue import actions, events


def on_entry(packet: Packet) -> None: ...


def takes_text(text: str) -> None: ...


def takes_one(packet: Packet) -> None: ...


async def awaited(pbx: aio.Client) -> None:
    await pbx.ping(3)  # type: ignore
    await pbx.ping(limit=3)  # type: ignore[call-arg]
    await pbx.status(1)  # type: ignore[arg-type]
    await pbx.status(on_entry=on_entry)  # type: ignore[arg-type]
    await pbx.get_config()  # type: ignore[call-arg]
    await pbx.set_var("SIP/1", "X")  # type: ignore[call-arg]
    await pbx.originate("SIP/1")  # type: ignore[arg-type]
    await pbx.command(["core", "show"])  # type: ignore[arg-type]
    await pbx.action()  # type: ignore[call-overload]
    await pbx.action("Ping", print)  # type: ignore[call-overload]
    await pbx.action("Ping", timeout="3")  # type: ignore[call-overload]
    await pbx.action(actions.QueueSummary(Quue="help"))  # type: ignore[call-arg]
    await pbx.close(True, 2)  # type: ignore[call-arg]
    takes_text(await pbx.ping())  # type: ignore[arg-type]
    takes_one(await pbx.status())  # type: ignore[arg-type]
    takes_one(await pbx.command("x"))  # type: ignore[arg-type]
    pbx.ping()["ping"]  # type: ignore[index]
    with pbx:  # type: ignore[attr-defined]
        pass
    for _ in pbx.events("hangup"):  # type: ignore[attr-defined]
        pass
    pbx.events(1)  # type: ignore[call-overload]
    pbx.events("hangup", timeout=3)  # type: ignore[call-overload]
    pbx.events("hangup", where=3)  # type: ignore[call-overload]
    async for event in pbx.events(events.Hangup):
        event["channel"]  # type: ignore[index]
    pbx.connected = True  # type: ignore[misc]


def plain(pbx: blocking.Client) -> None:
    pbx.ping(3)  # type: ignore
    pbx.ping(limit=3)  # type: ignore[call-arg]
    pbx.status(1)  # type: ignore[arg-type]
    pbx.status(on_entry=on_entry)  # type: ignore[arg-type]
    pbx.get_config()  # type: ignore[call-arg]
    pbx.originate("SIP/1")  # type: ignore[arg-type]
    pbx.action("Ping", print)  # type: ignore[call-overload]
    takes_text(pbx.ping())  # type: ignore[arg-type]
    takes_one(pbx.status())  # type: ignore[arg-type]
    pbx.events(1)  # type: ignore[call-overload]
    pbx.events("hangup", timeout="3")  # type: ignore[call-overload]
    for event in pbx.events(events.Hangup):
        event["channel"]  # type: ignore[index]
    pbx.on("event_hangup", "me")  # type: ignore[call-overload]
    pbx.on("event_hangup", print, max_tasks=3)  # type: ignore[call-overload]
    pbx.connected = True  # type: ignore[misc]
