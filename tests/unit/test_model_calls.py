"""Every kind of call, recorded of real servers, and what the model tells of it: who heard whom, and why it ended."""

from __future__ import annotations

import random
from typing import Any

from calls_recorded import Records, Story, of_kind, recorded
from cases import for_each
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ami_client.model import Model
from ami_client.packet import Packet

# By kind: a line for each call, in any order of their ends. 101 is Alice, 102 Bob, 103 Carol, 104 Dave; of chan_sip,
# 201 is Sam and 202 Sue. "rings" is said once, however often a telephone begins to.
STORIES: dict[str, list[str]] = {
    "announcement": ["101: rings completed"],
    "answered": ["101: rings 101-102 completed"],
    "answered_and_callee_hangs_up": ["101: rings 101-102 completed"],
    "answered_elsewhere": ["101: rings answered-elsewhere"],
    "attended_transfer_by_callee": [
        "102: rings 102-103 completed",
        "101: rings 101-102 held 101-103 attended completed",
    ],
    "attended_transfer_by_caller": [
        "101: rings 101-103 completed",
        "101: rings 101-102 held 102-103 attended completed",
    ],
    "attended_transfer_by_feature": ["101: rings 101-102 held rings 102-103 101-103 attended completed"],
    "attended_transfer_given_up": ["102: rings cancelled", "101: rings 101-102 held 101-102 completed"],
    "attended_transfer_to_a_menu": ["102: completed", "101: rings 101-102 held attended completed"],
    "attended_transfer_to_a_queue": [
        "102: in support rings completed",
        "101: rings 101-102 held attended rings in support 101-103 completed",
    ],
    "blind_transfer_by_action": ["101: rings 101-102 blind rings 102-103 completed"],
    "blind_transfer_by_callee": ["101: rings 101-102 blind rings 101-103 completed"],
    "blind_transfer_by_caller": ["101: rings 101-102 blind rings 102-103 completed"],
    "blind_transfer_to_a_busy_one": ["101: rings 101-102 blind rings completed"],
    "blind_transfer_to_a_conference": ["103: completed", "101: rings 101-102 blind 103-101 completed"],
    "blind_transfer_to_a_group": ["101: rings 101-102 blind rings 101-104 completed"],
    "blind_transfer_to_a_queue": ["101: rings 101-102 blind in support rings 101-103 completed"],
    "blonde_transfer": ["102: rings cancelled", "101: rings 101-102 held attended rings 101-103 completed"],
    "blonde_transfer_by_feature": ["101: rings 101-102 held rings attended 101-103 completed"],
    "blonde_transfer_not_answered": ["102: rings cancelled", "101: rings 101-102 held attended rings completed"],
    "both_redirected_to_a_conference": ["101: rings 101-102 101-102 completed"],
    "bridged_by_action": ["103: completed", "101: 101-103 completed"],
    "busy": ["101: rings busy"],
    "call_limit": ["103: busy", "101: rings 101-102 completed"],
    "callback_by_application": ["101: rings 101-102 completed"],
    "cancelled": ["101: rings cancelled"],
    # The caller id that Originate was given is the first telephone's own from then on.
    "click_to_call": ["102: rings 102-102 completed"],
    "click_to_call_and_other_side_is_busy": ["101: rings busy"],
    "click_to_call_busy": ["101: rings busy"],
    "click_to_call_by_local": ["101: rings 101-102 completed"],
    "click_to_call_by_local_kept": ["101: rings 101-102 completed"],
    "click_to_call_not_answered": ["101: rings no-answer"],
    # A pair is told once: of the call that came to it.
    "conference": ["101: completed", "102: 101-102 completed", "103: 101-103 102-103 completed"],
    "conference_that_calls_by_local": ["102: rings completed", "101: 101-102 completed"],
    "congested": ["101: rings congestion"],
    "dialplan_busy": ["101: busy"],
    "dialplan_congestion": ["101: congestion"],
    "dialplan_reject": ["101: rejected"],
    "dialplan_rings_and_caller_gives_up": ["101: cancelled"],
    "dialplan_unallocated": ["101: unavailable"],
    "do_not_disturb": ["103: rings busy"],
    "forwarded": ["101: rings 101-103 completed"],
    "group_answered_by_one": ["101: rings 101-103 completed"],
    "group_where_all_are_busy": ["101: rings busy"],
    "held": ["101: rings 101-102 held 101-102 held completed"],
    "listened_to": ["103: completed", "101: rings 101-102 completed"],
    "local_group": ["101: rings 101-103 completed"],
    "local_kept": ["102: rings 102-101 completed"],
    "local_optimized": ["101: rings 101-102 completed"],
    "menu_that_answers": ["101: completed"],
    "menu_then_not_answered": ["101: rings cancelled"],
    "menu_then_telephone": ["101: rings 101-102 completed"],
    "not_answered": ["101: rings no-answer"],
    "not_found": ["101: rings unavailable"],
    "not_registered": ["101: unavailable"],
    "not_there": ["101: rings no-answer"],
    "one_after_the_other": ["101: rings 101-103 completed"],
    # In the conference that this is, those who are called only listen; the model does not tell that.
    "paged": ["101: rings 102-103 101-102 101-103 completed"],
    "parked_and_hung_up": ["101: held completed"],
    "parked_and_taken": ["103: completed", "101: rings 101-102 held 101-103 completed"],
    "parked_by_transfer": ["101: rings 101-102 blind held completed"],
    "parked_too_long": ["101: rings 101-102 blind held rings 101-102 completed"],
    "picked_up_at_a_number": ["103: completed", "101: rings 101-103 completed"],
    "picked_up_from_a_queue": ["104: completed", "101: in support rings 101-104 completed"],
    "picked_up_in_a_group": ["103: completed", "101: rings 101-103 completed"],
    "queue_abandoned": ["101: in support rings abandoned"],
    "queue_answered": ["101: in support rings 101-103 completed"],
    "queue_by_local_kept_and_optimized": ["101: in sales rings 101-102 completed"],
    "queue_by_local_optimized": ["101: in sales rings 101-103 completed"],
    "queue_member_refuses": ["101: in support rings 101-103 completed"],
    "queue_members_in_turn": ["101: in turns rings 101-103 completed"],
    "queue_members_pause_come_and_go": [],
    "queue_timeout": ["101: in support rings no-answer"],
    "queue_with_three_callers": [
        "104: in support abandoned",
        "101: in support rings 101-102 completed",
        "trunk: in support rings trunk-103 completed",
    ],
    "redirected": ["101: rings 101-102 rings 101-103 completed"],
    "rejected": ["101: rings rejected"],
    "rejected_while_it_rings": ["101: rings rejected"],
    "sip_answered": ["201: rings 201-202 completed"],
    "sip_attended_transfer": [
        "201: rings 201-103 completed",
        "201: rings 201-102 held 102-103 attended completed",
    ],
    "sip_blind_transfer": ["201: rings 201-102 blind rings 102-103 completed"],
    "sip_held": ["201: rings 201-102 held 201-102 completed"],
    "voicemail_after_no_answer": ["101: rings no-answer"],
}

QUEUES = {
    "attended_transfer_to_a_queue": [
        "support: 102 joined at 1, 1 wait",
        "support: 101 left, answered by PJSIP/carol at 1, 0 wait",
    ],
    # Carol's telephone was the one that rang: Asterisk counts it as hers.
    "picked_up_from_a_queue": [
        "support: 101 joined at 1, 1 wait",
        "support: 101 left, answered by PJSIP/carol at 1, 0 wait",
    ],
    "queue_abandoned": ["support: 101 joined at 1, 1 wait", "support: 101 abandoned at 1, 0 wait"],
    "queue_answered": ["support: 101 joined at 1, 1 wait", "support: 101 left, answered by PJSIP/carol at 1, 0 wait"],
    "queue_by_local_kept_and_optimized": [
        "sales: 101 joined at 1, 1 wait",
        "sales: 101 left, answered by Local/102@office/n at 1, 0 wait",
    ],
    "queue_by_local_optimized": [
        "sales: 101 joined at 1, 1 wait",
        "sales: 101 left, answered by Local/103@office at 1, 0 wait",
    ],
    # Asterisk itself calls it so when time runs out while telephones ring.
    "queue_timeout": ["support: 101 joined at 1, 1 wait", "support: 101 abandoned at 1, 0 wait"],
    "queue_with_three_callers": [
        "support: 101 joined at 1, 1 wait",
        "support: 104 joined at 2, 2 wait",
        "support: trunk joined at 3, 3 wait",
        "support: 104 abandoned at 2, 2 wait",
        "support: 101 left, answered by PJSIP/bob at 1, 1 wait",
        "support: trunk left, answered by PJSIP/carol at 1, 0 wait",
    ],
}

RECORDINGS = list(recorded().items())


def test_each_kind_is_recorded_on_both_servers() -> None:
    both = {kind for kind in STORIES if not kind.startswith("sip_")}
    assert {name for name, _ in RECORDINGS if name.endswith(".16")} == {f"{kind}.16" for kind in STORIES}
    assert {name for name, _ in RECORDINGS if name.endswith(".22")} == {f"{kind}.22" for kind in both}


@for_each(("name", "records"), RECORDINGS)
def test_a_call_is_told_as_it_was(name: str, records: Records) -> None:
    story = Story().play(records)
    assert sorted(story.calls) == sorted(STORIES[name.partition(".")[0]])
    story.assert_nothing_is_left()


@for_each(("kind", "told"), QUEUES.items())
def test_what_happens_in_queues(kind: str, told: list[str]) -> None:
    for records in of_kind(kind).values():
        story = Story().play(records)
        assert story.queues == told
        answered, abandoned = (sum(word in one for one in told) for word in ("left, answered", "abandoned"))
        counted = [(queue.completed, queue.abandoned) for queue in story.model.queues.values()]
        assert (answered, abandoned) in counted


def as_pool_folds(data: bytes) -> Packet:
    return Packet.parse(data, fold_case=True)


def as_mapping(data: bytes) -> dict[str, str]:
    return dict(reversed(Packet.parse(data, fold_case=False).headers))


def as_pairs(data: bytes) -> list[tuple[str, str]]:
    return [(name, value) for name, value in as_mapping(data).items()]


@for_each("form", [as_pool_folds, as_mapping, as_pairs])
def test_events_come_in_any_form(form: Any) -> None:
    for kind in ("attended_transfer_by_callee", "queue_by_local_optimized", "picked_up_in_a_group", "local_optimized"):
        for records in of_kind(kind).values():
            story = Story()
            for record in records:
                story.model.feed("recording", form(record.data.rstrip(b"\r\n")), record.time)
            assert sorted(story.calls) == sorted(STORIES[kind])
            assert {party.endpoint for call in story.ended for party in call.parties} <= {
                f"PJSIP/{name}" for name in ("alice", "bob", "carol")
            }
            assert {name for call in story.ended for name in (one.name for one in call.parties)} <= {
                "Alice Adams",
                "Bob Brown",
                "Carol Clark",
            }


@for_each("kind", ["answered", "busy", "not_answered", "cancelled", "local_kept", "local_optimized", "held"])
def test_asterisk_12_has_no_linkedid(kind: str) -> None:
    for records in of_kind(kind).values():
        story = Story()
        for record in records:
            event = {name: value for name, value in as_pairs(record.data) if not name.endswith("inkedid")}
            story.model.feed("recording", event, record.time)
        assert story.pairs == Story().play(records).pairs
        assert STORIES[kind][0] in story.calls  # and others, of which nobody knew that they are no calls
        story.assert_nothing_is_left()


# -- recordings that begin in the middle


def is_part_of(pairs: list[tuple[str, str]], whole: list[tuple[str, str]]) -> bool:
    rest = iter(whole)
    return all(pair in rest for pair in pairs)


@for_each(("name", "records"), RECORDINGS)
def test_a_recording_may_begin_in_the_middle(name: str, records: Records) -> None:
    whole = Story().play(records)
    for part in (0.2, 0.4, 0.6, 0.8):
        story = Story().play(records[int(len(records) * part) :])
        assert is_part_of(story.pairs, whole.pairs), part
        assert {call.id for call in story.ended} <= {call.id for call in whole.ended}
        story.model.feed("recording", {"Event": "Nothing"}, when=10_000.0)
        story.assert_nothing_is_left()


def test_who_talked_before_is_known_when_they_leave() -> None:
    for records in of_kind("answered").values():
        end = next(number for number, one in enumerate(records) if b"Event: BridgeLeave" in one.data)
        story = Story().play(records[end:])
        assert story.calls == ["101: completed"]
        assert {party.number for party in story.ended[0].parties} == {"101", "102"}


def test_a_call_goes_on_while_others_must_be_in_its_bridge() -> None:
    """Bob is the first who is heard of, and hangs up; that Alice is there too only a count says."""
    for records in of_kind("held").values():
        hold = max(number for number, one in enumerate(records) if b"Event: Hold" in one.data)
        story = Story().play(records[hold + 1 :])
        assert story.calls == ["101: completed"]


# -- what is lost, comes twice, or in another order


def is_hangup(record: Any) -> bool:
    return bool(record.data.startswith(b"Event: Hangup\r\n"))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32), st.sampled_from(range(len(RECORDINGS))), st.sampled_from(range(len(RECORDINGS))))
def test_no_call_stays_whatever_is_lost_doubled_or_late(seed: int, one: int, two: int) -> None:
    chance = random.Random(seed)
    records = [*RECORDINGS[one][1], *RECORDINGS[two][1]]
    told = []
    for record in records:
        kept = [record] * chance.choice((0, 1, 1, 1, 1, 2))
        told += kept or [record] * is_hangup(record)  # each end arrives
    for _ in range(chance.randrange(len(told))):
        place = chance.randrange(len(told) - 1)
        told[place], told[place + 1] = told[place + 1], told[place]
    story = Story()
    for number, record in enumerate(told):
        story.model.feed("recording", Packet.parse(record.data.rstrip(b"\r\n")), float(number))
    story.model.feed("recording", {"Event": "Nothing"}, when=1e6)
    assert list(story.model.calls) == list(story.model.channels) == []
    assert sorted(story.new) == sorted(call.id for call in story.ended)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32), st.sampled_from(range(len(RECORDINGS))))
def test_a_fresh_look_ends_what_nobody_saw_ending(seed: int, one: int) -> None:
    chance = random.Random(seed)
    story = Story()
    for record in RECORDINGS[one][1]:
        if chance.random() < 0.7:
            story.model.feed("recording", Packet.parse(record.data.rstrip(b"\r\n")))
    picture = story.model.picture("recording")
    picture.replace(1.0, bridges=[], channels=[], queues=[], endpoints=None)
    story.assert_nothing_is_left()


# Headers that the model reads, and values for them: right, wrong, and of other headers.
HEADERS = """Event Channel Uniqueid Linkedid ChannelState DestChannel DestUniqueid DestLinkedid BridgeUniqueid
BridgeType BridgeNumChannels Queue Interface Position Newname DialStatus Cause Variable Value LocalOneChannel
LocalOneUniqueid LocalTwoChannel LocalTwoUniqueid Device State Peer Result OrigTransfererUniqueid
SecondTransfererUniqueid TransfereeUniqueid EndpointName ContactStatus Uptime"""
VALUES = ["", "1", "2.3", "Local/1@x-0;1", "Local/1@x-0;2", "PJSIP/a-1", "-", "\u00e9", "9" * 400, "basic", "parking"]
EVENT = st.dictionaries(st.sampled_from(HEADERS.split()), st.sampled_from(VALUES))


@settings(max_examples=100, deadline=None)
@given(st.lists(EVENT, max_size=30), st.data())
def test_no_event_raises(events: list[dict[str, str]], data: st.DataObject) -> None:
    model = Model()
    names = list(model.picture("x").events)
    for event in events:
        model.feed("x", {**event, "Event": data.draw(st.sampled_from(names))})
    model.snapshot()
    model.forget("x")
    assert list(model.calls) == []
