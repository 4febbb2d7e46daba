"""What the model shows: mappings, records, JSON; and how it is used wrongly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest
from calls_recorded import Story, of_kind
from cases import for_each

from ami_client.model import Call, Endpoint, Model, Party, Queue, as_data
from ami_client.model.model import EVENTS

ALICE = {"Channel": "PJSIP/alice-1", "Uniqueid": "1.1", "Linkedid": "1.1", "ChannelState": "4", "CallerIDNum": "101"}
BOB = {"Channel": "PJSIP/bob-2", "Uniqueid": "1.2", "Linkedid": "1.1", "ChannelState": "5", "CallerIDNum": "102"}
BRIDGE = {"BridgeUniqueid": "b-1", "BridgeType": "basic", "BridgeTechnology": "simple_bridge", "BridgeNumChannels": "2"}


def in_a_call(model: Model, server: str = "pbx") -> Model:
    """Alice and Bob talk."""
    for event in (
        {"Event": "Newchannel", **ALICE, "CallerIDName": 'Al\\"ice', "Exten": "102"},
        {"Event": "Newchannel", **BOB},
        {"Event": "Newstate", **BOB, "ChannelState": "6"},
        {"Event": "BridgeEnter", **BRIDGE, **BOB, "ChannelState": "6"},
        {"Event": "BridgeEnter", **BRIDGE, **ALICE, "ChannelState": "6"},
    ):
        model.feed(server, event, when=1000.0)
    return model


def test_a_call_and_all_that_belongs_to_it() -> None:
    model = in_a_call(Model())
    call = model.calls["1.1"]
    alice, bob = Party("PJSIP/alice-1", "PJSIP/alice", "101", 'Al"ice'), Party("PJSIP/bob-2", "PJSIP/bob", "102", "")
    assert call == Call(
        "pbx", "1.1", "up", alice, (alice, bob), (alice, bob), "", 1000.0, 1000.0, None, "",
        ("PJSIP/alice-1", "PJSIP/bob-2"), ("b-1",),
    )  # fmt: skip
    channel = model.channels[call.channels[0]]
    assert (channel.exten, channel.bridge, channel.state, channel.caller) == ("102", "b-1", "up", 'Al"ice')
    assert model.bridges[call.bridges[0]].channels == ("PJSIP/bob-2", "PJSIP/alice-1")
    with pytest.raises(FrozenInstanceError):
        call.state = "ended"  # type: ignore[misc]


def test_a_record_that_was_kept_shows_what_was_true_then() -> None:
    model = in_a_call(Model())
    kept = model.calls["1.1"]
    model.feed("pbx", {"Event": "Hold", **BOB})
    assert (kept.state, model.calls["1.1"].state) == ("up", "held")
    assert model.channels["PJSIP/bob-2"].on_hold


def test_keys_of_one_server_and_of_several() -> None:
    model = in_a_call(Model(), "pbx1")
    assert list(model.channels) == ["PJSIP/alice-1", "PJSIP/bob-2"]
    assert model.channels["pbx1", "PJSIP/alice-1"] == model.channels["PJSIP/alice-1"]
    in_a_call(model, "pbx2")
    assert list(model.calls) == [("pbx1", "1.1"), ("pbx2", "1.1")]
    assert [model.calls[key].server for key in model.calls] == ["pbx1", "pbx2"]
    with pytest.raises(KeyError, match="several servers"):
        model.calls["1.1"]
    assert len(model.calls) == 2
    for missing in ("1.9", ("pbx3", "1.1"), ("pbx1", "1.9"), 1):
        assert missing not in model.calls


def test_mappings_are_views_of_what_is_there_now() -> None:
    model = Model()
    calls: Mapping[Any, Call] = model.calls
    in_a_call(model)
    assert len(calls) == 1
    model.forget("pbx")
    assert dict(calls) == {} == dict(model.servers)


def test_names_compare_without_case() -> None:
    model = in_a_call(Model())
    assert model.channels["pjsip/ALICE-1"].name == "PJSIP/alice-1"


def test_the_snapshot_is_plain_data() -> None:
    model = in_a_call(Model(clock=lambda: 2000.0))
    model.feed("pbx", {"Event": "QueueCallerJoin", **ALICE, "Queue": "support", "Position": "1"}, when=1001.0)
    model.feed("pbx", {"Event": "DeviceStateChange", "Device": "PJSIP/alice", "State": "INUSE"})
    snapshot = model.snapshot()
    assert json.loads(json.dumps(snapshot)) == snapshot
    assert list(snapshot) == ["version", "time", "servers", "calls", "queues", "endpoints", "channels", "bridges"]
    assert (snapshot["version"], snapshot["time"]) == (1, 2000.0)
    assert list(snapshot["calls"][0]) == [one.name for one in fields(Call)]
    assert snapshot["calls"][0]["caller"]["number"] == "101"
    assert snapshot["queues"][0]["callers"][0]["joined"] == 1001.0
    assert snapshot["endpoints"] == [as_data(Endpoint("pbx", "PJSIP/alice", "inuse", "", ""))]
    assert [one["name"] for one in snapshot["channels"]] == ["PJSIP/alice-1", "PJSIP/bob-2"]
    assert snapshot["servers"][0]["name"] == "pbx"


def test_hostile_names_are_just_names() -> None:
    model = Model()
    hostile = ['<script>alert("x")</script>', "\u202egnp.exe", "x" * 10_000, "\udcff", "a\r\nEvent: Hangup"]
    for number, name in enumerate(hostile):
        event = {**ALICE, "Channel": f"PJSIP/{name}-1", "Uniqueid": f"1.{number}", "Linkedid": f"1.{number}"}
        model.feed("pbx", {"Event": "Newchannel", **event, "CallerIDName": name})
    assert [one.caller.name for one in model.calls.values() if one.caller] == hostile
    json.dumps(model.snapshot())


# -- endpoints and members


def test_endpoints_are_told_when_they_change() -> None:
    told: list[Endpoint] = []
    model = Model()
    model.on("endpoint_changed", lambda model, endpoint: told.append(endpoint))
    contact = {"Event": "ContactStatus", "EndpointName": "alice", "URI": "sip:a@192.0.2.2:5062;x=y"}
    for event in (
        {"Event": "DeviceStateChange", "Device": "PJSIP/alice", "State": "RINGING"},
        {"Event": "DeviceStateChange", "Device": "PJSIP/alice", "State": "RINGING"},
        {"Event": "DeviceStateChange", "Device": "Custom:lamp", "State": "INUSE"},
        {"Event": "DeviceStateChange", "Device": "Local/1@x", "State": "INUSE"},
        {"Event": "PeerStatus", "Peer": "SIP/sam", "PeerStatus": "Registered", "Address": "192.0.2.1:5060"},
        {"Event": "PeerStatus", "Peer": "SIP/sam", "PeerStatus": "Lagged"},
        {**contact, "ContactStatus": "Reachable"},
        {**contact, "ContactStatus": "Removed"},
    ):
        model.feed("pbx", event)
    assert [(one.name, one.state, one.status, one.address) for one in told] == [
        ("PJSIP/alice", "ringing", "", ""),
        ("SIP/sam", "unknown", "registered", "192.0.2.1:5060"),
        ("SIP/sam", "unknown", "lagged", "192.0.2.1:5060"),
        ("PJSIP/alice", "ringing", "reachable", "192.0.2.2:5062"),
        ("PJSIP/alice", "ringing", "unregistered", ""),
    ]


def test_strangers_do_not_fill_the_memory() -> None:
    model = Model()
    for number in range(3000):
        model.feed("pbx", {"Event": "DeviceStateChange", "Device": f"SIP/192.0.2.{number}", "State": "INUSE"})
    assert len(model.endpoints) == 2000
    assert "SIP/192.0.2.2999" in model.endpoints


@for_each(
    ("written", "state"),
    [
        ("NOT_INUSE", "not_inuse"), ("Not in use", "not_inuse"), ("1", "not_inuse"), ("INUSE", "inuse"),
        ("8", "onhold"), ("RINGINUSE", "ringinuse"), ("Ring+Inuse", "ringinuse"), ("On Hold", "onhold"),
        ("ONHOLD", "onhold"), ("Unavailable", "unavailable"), ("nonsense", "unknown"), ("", "unknown"),
    ],
)  # fmt: skip
def test_device_states_however_they_are_written(written: str, state: str) -> None:
    model = Model()
    model.feed("pbx", {"Event": "DeviceStateChange", "Device": "PJSIP/x", "State": written})
    assert model.endpoints["PJSIP/x"].state == state


def test_members_of_queues() -> None:
    told: list[tuple[str, bool, int, str]] = []
    model = Model()
    model.on(
        "member_changed",
        lambda model, queue, one: told.append((one.name, one.paused, one.penalty, one.paused_reason)),
    )
    for records in of_kind("queue_members_pause_come_and_go").values():
        told.clear()
        model.play(records)
        # The first event of a member tells of it as it is now.
        assert told == [
            ("Bob", True, 0, "lunch"),
            ("Bob", False, 0, ""),
            ("Bob", False, 5, ""),
            ("Dave", False, 2, ""),
            ("Dave", False, 2, ""),
            ("Bob", False, 0, ""),
        ]
        queue: Queue = model.queues["support"]
        assert [(one.interface, one.state) for one in queue.members] == [("PJSIP/bob", "not_inuse")]
        model.forget("recording")


# -- parts, and mistakes


def test_parts_that_are_not_wanted_stay_empty() -> None:
    (records, *_) = of_kind("queue_answered").values()
    for unwanted in ("calls", "queues", "endpoints"):
        model = Model(calls=unwanted != "calls", queues=unwanted != "queues", endpoints=unwanted != "endpoints")
        seen: list[int] = []
        model.on("call_up", lambda model, call, seen=seen: seen.append(1))
        model.on("queue_left", lambda model, queue, caller, seen=seen: seen.append(2))
        model.play(records)
        assert seen == {"queues": [1], "calls": [2], "endpoints": [2, 1]}[unwanted]
        assert bool(model.queues) is (unwanted != "queues")
        assert bool(model.endpoints) is (unwanted != "endpoints")


def test_handlers_are_checked_when_they_are_bound() -> None:
    model = Model()
    with pytest.raises(ValueError, match="no event 'call_answered'; its events are ready, stale, call_new"):
        model.on("call_answered", print)
    with pytest.raises(TypeError, match=r"a handler of 'call_up' must take \(model, call\)"):
        model.on("call_up", lambda model: None)
    with pytest.raises(TypeError, match=r"'call_transferred' must take \(model, call, how\)"):
        model.once(["call_up", "call_transferred"], lambda model, call: None)
    with pytest.raises(RuntimeError, match="has no pool"):
        model.follow(None)  # type: ignore[arg-type]


def test_names_may_be_globs() -> None:
    told: list[str] = []
    model = Model()
    model.on("call_[en]*", lambda model, call: told.append(call.state))
    with pytest.raises(TypeError, match="'call_transferred'"):
        model.on("call_*", lambda model, call: None)
    for event in ({"Event": "Newchannel", **ALICE}, {"Event": "Hangup", **ALICE}):
        model.feed("pbx", event)
    assert told == ["new", "ended"]


def test_every_event_is_told_with_the_arguments_of_its_table() -> None:
    model = Model()
    told: dict[str, tuple[Any, ...]] = {}
    for name in EVENTS:
        model.on(name, _keep(told, name))
    story = Story(model)
    for kind in ("attended_transfer_to_a_queue", "queue_abandoned", "held"):
        for records in of_kind(kind).values():
            story.play(records)
    model.lose("recording")
    assert set(told) == set(EVENTS) - {"ready"}
    assert all(len(args) == len(EVENTS[name]) and args[0] is model for name, args in told.items())
    assert model.servers["recording"].state == "stale"


def _keep(told: dict[str, tuple[Any, ...]], name: str) -> Any:
    if len(EVENTS[name]) == 2:
        return lambda model, one: told.setdefault(name, (model, one)) and None
    return lambda model, one, two: told.setdefault(name, (model, one, two)) and None
