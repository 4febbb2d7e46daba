"""Events in orders that the recordings do not have, written out."""

from __future__ import annotations

from calls_recorded import Story

ALICE = {"Channel": "PJSIP/alice-1", "Uniqueid": "1.1", "Linkedid": "1.1", "ChannelState": "6", "CallerIDNum": "101"}
BOB = {"Channel": "PJSIP/bob-2", "Uniqueid": "1.2", "Linkedid": "1.1", "ChannelState": "6", "CallerIDNum": "102"}
CAROL = {"Channel": "PJSIP/carol-3", "Uniqueid": "1.3", "Linkedid": "1.3", "ChannelState": "6", "CallerIDNum": "103"}
HALVES = [
    {"Channel": f"Local/9@x-0;{half}", "Uniqueid": f"1.{half + 3}", "Linkedid": "1.1", "ChannelState": "6"}
    for half in (1, 2)
]
BASIC = {"BridgeUniqueid": "b-1", "BridgeType": "basic", "BridgeTechnology": "simple_bridge"}
ROOM = {"BridgeUniqueid": "b-2", "BridgeType": "base", "BridgeTechnology": "softmix", "BridgeCreator": "ConfBridge"}


def feed(story: Story, *events: tuple[str, dict[str, str]]) -> Story:
    for name, headers in events:
        story.model.feed("pbx", {"Event": name, **headers}, when=1000.0)
    return story


def enter(channel: dict[str, str], bridge: dict[str, str] = BASIC) -> tuple[str, dict[str, str]]:
    return "BridgeEnter", {**bridge, **channel}


def leave(channel: dict[str, str], left: int, bridge: dict[str, str] = BASIC) -> tuple[str, dict[str, str]]:
    return "BridgeLeave", {**bridge, **channel, "BridgeNumChannels": str(left)}


def hangup(channel: dict[str, str], cause: int = 16) -> tuple[str, dict[str, str]]:
    return "Hangup", {**channel, "Cause": str(cause)}


def test_two_calls_that_meet_in_a_bridge_are_one_before_asterisk_says_so() -> None:
    story = feed(Story(), ("Newchannel", CAROL), ("Newchannel", ALICE), enter(CAROL), enter(ALICE))
    assert story.calls == ["103: completed"]
    assert list(story.model.calls) == ["1.1"]
    assert story.pairs == [("101", "103")]
    feed(story, ("Newstate", CAROL))  # it still has the Linkedid of before
    assert list(story.model.calls) == ["1.1"]
    feed(story, hangup(CAROL), hangup(ALICE)).assert_nothing_is_left()


def test_a_conference_does_not_make_one_call_of_all() -> None:
    story = feed(Story(), ("Newchannel", ALICE), ("Newchannel", CAROL), enter(ALICE, ROOM), enter(CAROL, ROOM))
    assert list(story.model.calls) == ["1.1", "1.3"]
    assert [call.state for call in story.model.calls.values()] == ["up", "up"]
    feed(story, leave(CAROL, 1, ROOM))
    assert [call.talking for call in story.model.calls.values()] == [None, None]


def test_somebody_comes_into_a_conference_through_a_local_channel() -> None:
    near, far = ({**half, "Linkedid": "1.3"} for half in HALVES)
    story = feed(
        Story(),
        ("Newchannel", ALICE), enter(ALICE, ROOM),
        ("Newchannel", near), ("Newchannel", far), enter(near, ROOM),
        ("Newchannel", CAROL), enter(CAROL), enter(far),
    )  # fmt: skip
    assert story.pairs == [("101", "103")]


def test_who_is_left_in_a_bridge_ends_the_call_though_nobody_has_told_of_him() -> None:
    """Bob hangs up before Alice is heard of: the count of those in the bridge tells that she is there."""
    story = feed(Story(), leave(BOB, 1), hangup(BOB))
    assert story.ended == []
    assert len(story.model.calls) == 1
    feed(story, leave(ALICE, 0), hangup(ALICE))
    assert story.calls == ["101: completed"]
    assert {party.number for party in story.ended[0].parties} == {"101", "102"}
    story.assert_nothing_is_left()


def test_a_bridge_that_ends_takes_along_those_of_whom_nobody_has_told() -> None:
    story = feed(Story(), leave(BOB, 1), hangup(BOB), ("BridgeDestroy", BASIC))
    assert story.calls == ["102: completed"]
    story.assert_nothing_is_left()


def test_the_other_half_of_a_local_channel_is_waited_for() -> None:
    one, two = HALVES
    story = feed(Story(), ("Newstate", one), hangup(one))
    assert story.ended == []
    feed(story, hangup(two))
    assert len(story.ended) == 1
    story.assert_nothing_is_left()


def test_nobody_is_waited_for_in_a_call_that_was_seen_from_its_beginning() -> None:
    """Something that makes no events may be in the bridge as well: music, or a recorder."""
    story = feed(Story(), ("Newchannel", ALICE), enter(ALICE), leave(ALICE, 1), hangup(ALICE))
    assert story.calls == ["101: completed"]
    story.assert_nothing_is_left()


def test_what_comes_behind_a_hangup_brings_nobody_back() -> None:
    story = feed(Story(), ("Newchannel", ALICE), hangup(ALICE, 17), ("Newstate", ALICE), enter(ALICE), hangup(ALICE))
    assert story.calls == ["101: completed"]
    story.assert_nothing_is_left()


def test_a_recording_through_a_restart() -> None:
    story = feed(
        Story(), ("Newchannel", ALICE), leave({**BOB, "Linkedid": "1.2"}, 1), hangup({**BOB, "Linkedid": "1.2"})
    )
    story.model.feed("pbx", {"Event": "FullyBooted", "Uptime": "500"}, when=1400.0)  # somebody logged in
    assert story.ended == []
    story.model.feed("pbx", {"Event": "FullyBooted", "Uptime": "5"}, when=1500.0)
    assert story.calls == ["101: lost", "102: lost"]
    story.assert_nothing_is_left()


def test_a_name_that_comes_again_says_that_the_one_before_is_gone() -> None:
    story = feed(Story(), ("Newchannel", ALICE), ("Newchannel", {**ALICE, "Uniqueid": "1.9", "Linkedid": "1.9"}))
    assert story.calls == ["101: lost"]
    assert list(story.model.calls) == ["1.9"]


def test_what_a_queue_said_holds_until_somebody_else_is_called() -> None:
    dial = {**ALICE, **{f"Dest{name}": value for name, value in BOB.items()}}
    queue = {**ALICE, "Variable": "QUEUESTATUS", "Value": "JOINEMPTY"}
    story = feed(Story(), ("Newchannel", ALICE), ("VarSet", queue), hangup(ALICE))
    assert story.calls == ["101: unavailable"]
    story = feed(Story(), ("Newchannel", ALICE), ("VarSet", queue), ("DialBegin", dial))
    feed(story, ("DialEnd", {**dial, "DialStatus": "BUSY"}), hangup(BOB, 17), hangup(ALICE, 17))
    assert story.calls == ["101: busy"]


def test_a_channel_is_renamed() -> None:
    story = feed(Story(), ("Newchannel", ALICE), ("Rename", {**ALICE, "Newname": "PJSIP/zoe-9"}))
    assert list(story.model.channels) == ["PJSIP/zoe-9"]
    assert story.model.calls["1.1"].parties[0].endpoint == "PJSIP/zoe"
    feed(story, ("Rename", {**ALICE, "Channel": "PJSIP/zoe-9", "Newname": "AsyncGoto/PJSIP/zoe-9<ZOMBIE>"}))
    assert story.model.calls["1.1"].parties == ()


def test_a_hold_that_ends_because_of_a_transfer_is_no_talk() -> None:
    story = feed(Story(), ("Newchannel", ALICE), ("Newchannel", BOB), enter(ALICE), enter(BOB), ("Hold", BOB))
    feed(story, ("Unhold", BOB), leave(BOB, 1), leave(ALICE, 0))
    story.model.feed("pbx", {"Event": "Nothing"}, when=1001.0)
    assert story.pairs == [("101", "102")]
    feed(story, enter(ALICE), enter(BOB), ("Hold", BOB), ("Unhold", BOB))
    story.model.feed("pbx", {"Event": "Nothing"}, when=1001.0)
    assert story.pairs == [("101", "102")] * 3
