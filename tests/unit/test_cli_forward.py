"""``ami-client forward``, ``gateway`` and ``events --from``, on a broker in memory."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from cli_pbx import Ami, Pbx
from memory_broker import Hub, MemoryBroker

from ami_client.cli import feed, forwarding, origins
from ami_client.forward import Message
from ami_client.forward.asking import Request
from ami_client.forward.envelope import Numbering
from ami_client.packet import Packet


@pytest.fixture(autouse=True)
def log_of_each_command() -> Iterator[None]:
    """A command logs until its process ends; here that is the end of the test."""
    logger = logging.getLogger("ami_client")
    handlers, level = logger.handlers[:], logger.level
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    hub = Hub()
    for module in (forwarding, feed, origins):
        monkeypatch.setattr(module, "open_broker", lambda url: MemoryBroker(hub))
    return hub


def when(holds: Callable[[], object], then: Callable[[], object]) -> None:
    """In a thread: once that is so, do that."""

    def wait() -> None:
        deadline = time.monotonic() + 10
        while not holds() and time.monotonic() < deadline:
            time.sleep(0.01)
        then()

    threading.Thread(target=wait).start()


ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def send(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", ENDING)
def test_forward_until_it_is_told_to_end(number: int, pbx: Pbx, ami: Ami, hub: Hub) -> None:
    pbx.bustle({"Event": "UserEvent", "Number": "1"}, {"Event": "Hangup", "Cause": "16"})
    name = f"events.127-0-0-1-{pbx.server.port}"
    when(lambda: len(hub.channels.get(name, ())) > 2, send(number))
    said = ami("forward", "--to", "redis://bus", "-n", "userevent")
    assert said.status == 128 + number
    bodies = [json.loads(body) for body in hub.channels[name]]
    assert all(["Event", "UserEvent"] in body["headers"] for body in bodies if "headers" in body)
    assert [body["gap"]["reason"] for body in bodies if "gap" in body] == ["start", "lost"]


def test_a_gateway_that_may_place_calls_hears_of_their_results(pbx: Pbx, ami: Ami, hub: Hub) -> None:
    asker = MemoryBroker(hub).fresh()
    asker.open()
    call = [("Channel", "Local/101@office"), ("Application", "Echo"), ("Async", "1")]
    request = Request("one", "me", "pbx1", "Originate", call, time.time(), 10.0, result=True)

    def ask() -> None:
        asker.publish([Message("requests.pbx1", "", request.encode())])
        when(lambda: hub.channels.get("replies.me"), send(signal.SIGTERM))

    when(lambda: ("gateway-pbx1", "requests.pbx1") in hub.acked, ask)
    ami("gateway", f"pbx1={pbx.url}", "--to", "redis://bus", "--allow", "Orig*")
    (reply,) = map(json.loads, hub.channels["replies.me"])
    assert ["Response", "Success"] in reply["packets"][-1]["headers"], reply


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_a_gateway(number: int, pbx: Pbx, ami: Ami, hub: Hub) -> None:
    asker = MemoryBroker(hub).fresh()
    asker.open()
    request = Request("one", "me", "pbx1", "Ping", [], time.time(), 10.0)

    def ask() -> None:
        asker.publish([Message("requests.pbx1", "", request.encode())])
        when(lambda: hub.channels.get("replies.me"), send(number))

    when(lambda: ("gateway-pbx1", "requests.pbx1") in hub.acked, ask)
    said = ami("gateway", f"pbx1={pbx.url}", "--to", "redis://bus", "--allow", "Ping", "-a", "Originate a=b a=c d=")
    assert said.status == 128 + number
    (reply,) = map(json.loads, hub.channels["replies.me"])
    assert ["Ping", "Pong"] in reply["packets"][0]["headers"]


def test_events_of_a_broker(ami: Ami, hub: Hub) -> None:
    publisher = MemoryBroker(hub).fresh()
    publisher.open()
    numbering = Numbering("pbx1", "e1")
    bodies = [
        numbering.event(Packet({"Event": "Hangup", "Cause": "16"}), 1.0),
        numbering.gap(3, "overflow", 1.0),
        numbering.gap(None, "lost", 1.0),
        numbering.event(Packet({"Event": "Hangup", "Cause": "17"}), 1.0),
    ]
    hub.acked["crm", "events.pbx1"] = 0
    publisher.publish([Message("events.pbx1", "", body) for body in bodies])
    said = ami("events", "--from", "redis://bus", "--group", "crm", "--count", "2", "--json")
    assert [(one["@server"], one["Cause"]) for one in said.objects] == [("pbx1", "16"), ("pbx1", "17")]
    assert said.err.splitlines() == [
        "ami-client: pbx1: 3 events missing here (overflow)",
        "ami-client: pbx1: events may be missing here (lost)",
    ]
    hub.acked["crm", "events.pbx1"] = 0
    (line,) = ami("events", "--from", "redis://bus", "--group", "crm", "--count", "1").lines
    assert "Hangup @server=pbx1 Cause=16" in line


def hangup(numbering: Numbering, unique: str) -> bytes:
    return numbering.event(Packet({"Event": "Hangup", "Uniqueid": unique, "Linkedid": unique, "Cause": "16"}), 1.0)


def begins(numbering: Numbering, unique: str) -> bytes:
    headers = {"Event": "Newchannel", "Channel": f"PJSIP/a-{unique}", "ChannelState": "4", "CallerIDNum": unique}
    return numbering.event(Packet({**headers, "Uniqueid": unique, "Linkedid": unique}), 1.0)


def test_a_wallboard_of_a_broker(
    ami: Ami, hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], expect_log: Any
) -> None:
    """It shows calls as they come, is stale while server or broker are lost, and starts empty when they are back."""
    expect_log("<MemoryBroker> is gone")
    monkeypatch.setattr(origins, "CHECK", 0.01)
    publisher = MemoryBroker(hub).fresh()
    publisher.open()
    numbering = Numbering("pbx1", "e1")

    def publish(server: str, *bodies: bytes) -> None:
        publisher.publish([Message(f"events.{server}", "", body) for body in bodies])

    async def watch() -> None:
        forwarded = origins.Forwarded("redis://bus", ["pbx1"])
        (model,) = forwarded.models

        async def until(calls: list[str], state: str = "ready") -> None:
            while [call.id for call in model.calls.values()] != calls or model.servers["pbx1"].state != state:
                await asyncio.sleep(0.001)

        forwarded.start()
        while not forwarded.is_reading:
            await asyncio.sleep(0.001)
        publish("pbx2", begins(Numbering("pbx2", "e1"), "9"))  # nobody asked for it
        publish("pbx1", begins(numbering, "1"), begins(numbering, "2"), hangup(numbering, "1"))
        await until(["2"])
        assert (list(model.servers), forwarded.events()) == (["pbx1"], 3)
        publish("pbx1", numbering.gap(None, "lost", 1.0))
        await until(["2"], "stale")
        again = Numbering("pbx1", "e2")
        publish("pbx1", again.gap(None, "back", 1.0))
        await until([])
        publish("pbx1", begins(again, "3"))
        await until(["3"])
        hub.down = True
        await until(["3"], "stale")
        hub.down = False
        await until([])
        forwarded.close()

    asyncio.run(asyncio.wait_for(watch(), 10))
    assert capsys.readouterr().err.splitlines() == [
        "ami-client: pbx1: events may be missing here (lost)",
        "ami-client: pbx1: events may be missing here (back)",
    ]
    assert ami("wallboard", "--listen", "127.0.0.1:0", "--from", "redis://bus", "--timeout", "0.1").status == 0


@pytest.mark.parametrize(
    ("args", "wrong"),
    [
        (["wallboard", "--from", "redis://bus", "a.b"], "server must have 1 to 64 letters"),
        (["forward", "--to", "http://bus"], "no broker for http"),
        (["forward", "a", "b", "--to", "redis://bus", "--spool", "x"], "a spool is for one server"),
        (["gateway", "--to", "redis://bus", "--allow", "Ping x"], "is not HEADER=GLOB"),
        (["events", "--from", "redis://bus", "--class", "call"], "--class is for a server"),
        (["forward", "--to", "redis://bus", "--spool", "/dev/null/x"], "spool /dev/null/x"),
    ],
)
def test_wrong_usage(args: list[str], wrong: str, ami: Ami, pbx: Pbx) -> None:
    said = ami(*args)
    assert said.status == 2 and wrong in said.err


def test_a_library_that_is_not_there(ami: Ami, pbx: Pbx, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(url: str) -> Any:
        raise ImportError(name="paho")

    monkeypatch.setattr(forwarding, "broker_of", missing)
    said = ami("forward", "--to", "mqtt://joe:hush@bus")
    assert said.status == 2 and "pip install 'ami-client[paho-mqtt]'" in said.err and "hush" not in said.err


def test_a_refused_login_ends_it(ami: Ami, pbx: Pbx, hub: Hub, expect_log: Any) -> None:
    expect_log("ERROR: .* login refused")
    pbx.do(pbx.server.refuse_logins)
    assert ami("forward", "--to", "redis://bus").status == 4


@pytest.mark.parametrize("args", [["forward"], ["gateway", "--allow", "Ping"]])
def test_it_ends_after_a_while(args: list[str], ami: Ami, pbx: Pbx, hub: Hub) -> None:
    assert ami(*args, "--to", "redis://bus", "--timeout", "0.1").status == 0
