"""The live model over real servers: right at every quiet moment, whatever calls are made and happens to the link.

How long the random calls go on, in seconds, says AMI_MODEL_SECONDS; a minute by default for both servers together.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from driver import Client, original
from office import KINDS, Office, kinds_of, make, open_office

from ami_client import Packet, Pool
from ami_client.model import Call, Model
from ami_client.model.headers import channel_state, device_state

ExpectLog = Callable[[str], None]

SECONDS = float(os.environ.get("AMI_MODEL_SECONDS", "60")) / 2


class Watched:
    """An office, and a model of it over a pool of its own that connects again."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.reactor = office.client.reactor
        self.pool = Pool(reactor=self.reactor, reconnect=0.2, timeout=2.0, action_timeout=10)
        self.model = Model(self.pool)
        self.told: list[str] = []
        self.new: list[str] = []
        self.ended: list[Call] = []
        for name in ("ready", "stale"):
            self.model.on(name, lambda model, server, name=name: self.told.append(name))
        self.model.on("call_new", lambda model, call: self.new.append(call.id))
        self.model.on("call_ended", lambda model, call: self.ended.append(call))
        self.pool.get_connection(office.server.url, lambda conn: conn.acquire())
        self.compared = 0

    def until_ready(self) -> None:
        self.office.client.until(lambda: self.state == "ready", 30, "ready")

    @property
    def state(self) -> str:
        return next((one.state for one in self.model.servers.values()), "")

    def settle(self) -> None:
        """Let all events come that are on their way."""
        for _ in range(3):
            self.office.client.ask("Ping")
            end = self.reactor.time() + 0.05
            while self.reactor.time() < end:
                self.reactor.run_once(0.05)

    def compare(self) -> None:
        """What the model knows is what the server says now."""
        self.until_ready()
        for _ in range(20):
            self.settle()
            theirs, ours = self.theirs(), self.ours()
            together, calls = theirs.pop("together"), ours.pop("together")
            if theirs["channels"]:  # 22 counts a call that was picked up while it lasts, and all others behind it
                theirs.pop("counts"), ours.pop("counts")
            if theirs == ours:
                break
        assert ours == theirs
        # A transfer to a telephone that still rings makes one call of two for us, and for Asterisk once it is answered.
        assert all(any(channels <= call for call in calls) for channels in together)
        self.compared += 1

    def theirs(self) -> dict[str, Any]:
        client = self.office.client
        channels = client.channels()
        queues = client.ask("QueueStatus").events
        devices = {original(one, "Device"): original(one, "State") for one in client.ask("DeviceStateList").events}
        bridges = {original(one, "BridgeUniqueid"): one for one in client.ask("BridgeList").events}
        in_bridges = [original(one, "BridgeId") for one in channels]
        return {
            "channels": {
                original(one, "Channel"): (
                    channel_state(original(one, "ChannelState")),
                    original(one, "BridgeId"),
                    original(one, "CallerIDNum").replace("<unknown>", ""),
                )
                for one in channels
            },
            "bridges": {key: original(one, "BridgeType") for key, one in bridges.items() if key in in_bridges},
            "together": together((original(one, "Linkedid"), original(one, "Channel")) for one in channels),
            "callers": {
                (original(one, "Queue"), original(one, "Channel"), int(original(one, "Position")))
                for one in of_kind(queues, "queueentry")
            },
            "members": {
                (
                    original(one, "Queue"),
                    original(one, "Location"),
                    device_state(original(one, "Status")),
                    original(one, "Paused") == "1",
                    int(original(one, "Penalty")),
                    int(original(one, "CallsTaken")),
                )
                for one in of_kind(queues, "queuemember")
            },
            "counts": {
                (original(one, "Queue"), int(original(one, "Completed")), int(original(one, "Abandoned")))
                for one in of_kind(queues, "queueparams")
            },
            "endpoints": {name: device_state(state) for name, state in devices.items() if name.startswith("PJSIP/")},
        }

    def ours(self) -> dict[str, Any]:
        model = self.model
        return {
            "channels": {one.name: (one.state, one.bridge, one.number) for one in model.channels.values()},
            "bridges": {one.id: one.type for one in model.bridges.values()},
            "together": together((call.id, name) for call in model.calls.values() for name in call.channels),
            "callers": {
                (queue.name, one.channel, one.position) for queue in model.queues.values() for one in queue.callers
            },
            "members": {
                (queue.name, one.interface, one.state, one.paused, one.penalty, one.calls)
                for queue in model.queues.values()
                for one in queue.members
            },
            "counts": {(queue.name, queue.completed, queue.abandoned) for queue in model.queues.values()},
            "endpoints": {one.name: one.state for one in model.endpoints.values() if one.name.startswith("PJSIP/")},
        }


def together(pairs: Iterator[tuple[str, str]] | Any) -> set[frozenset[str]]:
    """Which channels are one call."""
    calls: dict[str, set[str]] = {}
    for call, channel in pairs:
        calls.setdefault(call, set()).add(channel)
    return {frozenset(channels) for channels in calls.values()}


def of_kind(entries: list[Packet], name: str) -> list[Packet]:
    return [one for one in entries if one.event_name == name]


@pytest.fixture(scope="module", params=["16", "22"])
def watched(request: pytest.FixtureRequest) -> Iterator[Watched]:
    with open_office(request.param) as office:
        watched = Watched(office)
        watched.until_ready()
        office.pause(4)  # until all telephones were asked whether they live
        yield watched
        watched.pool.finish()
        office.client.pool.finish()  # it may be a later one
        while watched.reactor.run_once(0):
            pass


def test_random_calls(watched: Watched) -> None:
    office = watched.office
    office.on_pause = watched.compare
    chance = random.Random(42)
    kinds = kinds_of(office.server.version)
    todo: list[str] = []
    end = watched.reactor.time() + SECONDS
    while watched.reactor.time() < end:
        todo = todo or chance.sample(kinds, len(kinds))
        name = todo.pop()
        make(office, name)
        watched.compare()
        assert list(watched.model.calls) == [], name
        assert sorted(watched.new) == sorted(call.id for call in watched.ended), name
        assert "lost" not in [call.reason for call in watched.ended], name
    office.on_pause = lambda: None
    assert watched.told == ["ready"]
    assert watched.compared > 10


def in_a_call(office: Office) -> None:
    office.bob.answers()
    office.alice.call("132").until("up")
    office.until_bridged("alice", "bob")
    office.dave.call("140").until("up")
    office.carol.until_ringing()


def test_a_reload_in_mid_call(watched: Watched) -> None:
    office = watched.office
    in_a_call(office)
    office.server.cli("core reload")
    office.pause(2)
    watched.compare()
    assert len(watched.model.calls) == 2
    assert watched.state == "ready"
    end(watched)


def test_a_server_that_freezes_in_mid_call(watched: Watched, expect_log: ExpectLog) -> None:
    expect_log("connecting again")
    office = watched.office
    in_a_call(office)
    watched.compare()
    known = set(watched.model.calls)
    watched.told.clear()
    office.server.freeze()
    office.client.until(lambda: "stale" in watched.told, 30)
    assert set(watched.model.calls) == known
    office.server.thaw()
    watched.until_ready()
    watched.compare()
    assert set(watched.model.calls) == known
    end(watched)


def test_a_server_that_is_killed_in_mid_call(watched: Watched, expect_log: ExpectLog) -> None:
    expect_log("connecting again")
    office = watched.office
    in_a_call(office)
    watched.compare()
    watched.told.clear()
    watched.ended.clear()
    calls = set(watched.model.calls)
    watched.settle()  # no list is to be the last that was answered
    office.server.kill()
    office.client.until(lambda: "stale" in watched.told, 30)
    assert set(watched.model.calls) == calls
    office.server.start()
    office.phones.rest()
    office.client.pool.finish()
    office.client = Client(office.server, reactor=watched.reactor)
    office.client.connect()
    watched.until_ready()
    assert {call.id: call.reason for call in watched.ended} == dict.fromkeys(calls, "lost")
    office.pause(5)
    watched.compare()
    in_a_call(office)
    watched.compare()
    end(watched)


def end(watched: Watched) -> None:
    watched.office.phones.rest()
    watched.office.client.hang_up_all()
    watched.compare()
    assert list(watched.model.calls) == []


def states(model: Model) -> dict[str, Any]:
    """What a model knows of calls, but for what was before: a queue, and which pair of a conference was the last."""
    return {
        call.id: (
            call.state,
            call.talking if len(call.parties) > 1 else bool(call.talking),
            call.queue if call.state == "queued" else "",
        )
        for call in model.calls.values()
    }


IN_THE_MIDDLE = ["held", "answered", "queue_answered", "attended_transfer_by_callee", "parked_and_taken", "conference"]


@pytest.mark.parametrize("name", IN_THE_MIDDLE)
def test_a_model_made_in_mid_call(watched: Watched, name: str) -> None:
    """A second model, made at every quiet moment of a call, knows what the first one knows."""
    office = watched.office
    found: list[int] = []

    def look() -> None:
        late = Watched(office)
        late.until_ready()
        late.compare()
        assert late.ours() == watched.ours()
        assert states(late.model) == states(watched.model)
        found.append(len(watched.model.calls))
        late.pool.finish()

    assert name in KINDS
    office.on_pause = look
    make(office, name)
    office.on_pause = lambda: None
    assert max(found) >= 1
