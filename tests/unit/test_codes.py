"""Codes in words: enums with the number kept, which never raise for what Asterisk may send."""

from __future__ import annotations

from typing import Any

import pytest
from cases import for_each
from test_catalogue import recorded

from ami_client.catalogue.codes import (
    ChannelState,
    Code,
    DeviceState,
    ExtensionState,
    HangupCause,
    OriginateReason,
    PresenceState,
    QueueMemberStatus,
)

KINDS = [HangupCause, ChannelState, DeviceState, PresenceState, ExtensionState, OriginateReason]


@for_each(
    ("kind", "value", "expected"),
    [
        (HangupCause, "16", HangupCause.NORMAL_CLEARING),
        (HangupCause, 17, HangupCause.USER_BUSY),
        (HangupCause, "USER_BUSY", HangupCause.USER_BUSY),
        (HangupCause, "user busy", HangupCause.USER_BUSY),
        (HangupCause, "4", None),
        (HangupCause, "", None),
        (HangupCause, None, None),
        (HangupCause, "9" * 5000, None),
        (HangupCause, "nothing of the kind", None),
        (ChannelState, "Rsrvd", ChannelState.RSRVD),
        (ChannelState, "Dialing Offhook", ChannelState.DIALING_OFFHOOK),
        (ChannelState, "Pre-ring", ChannelState.PRERING),
        (DeviceState, "not_inuse", DeviceState.NOT_INUSE),
        (DeviceState, "Not in use", DeviceState.NOT_INUSE),
        (QueueMemberStatus, "6", DeviceState.RINGING),
        (PresenceState, "not_set", PresenceState.NOT_SET),
        (ExtensionState, "-2", ExtensionState.REMOVED),
        (OriginateReason, "8", OriginateReason.CONGESTION),
    ],
)
def test_a_code_is_found_by_what_servers_send(kind: type[Code], value: Any, expected: Any) -> None:
    assert kind.of(value) is expected


def test_a_code_is_its_number_and_has_words() -> None:
    assert HangupCause.USER_BUSY == HangupCause(17) == int("17")
    assert int(HangupCause.USER_BUSY) == 17
    assert HangupCause.USER_BUSY.words == "user busy"
    assert DeviceState.RINGINUSE.words == "ringing and in use"


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_names_and_words_are_unique(kind: type[Code]) -> None:
    assert len(kind) == len(kind.__members__) == len({code.words for code in kind})
    for code in kind:
        assert kind.of(code.name) is kind.of(code.words) is kind.of(str(int(code))) is code


def test_recorded_states_have_the_number_and_the_name() -> None:
    pairs = {(event["channelstate"], event["channelstatedesc"]) for event in recorded() if "channelstatedesc" in event}
    assert len(pairs) > 4
    for number, name in pairs:
        assert ChannelState.of(number) is ChannelState.of(name) is not None


@for_each(
    ("event", "header", "kind"),
    [
        ("hangup", "cause", HangupCause),
        ("devicestatechange", "state", DeviceState),
        ("queuememberstatus", "status", QueueMemberStatus),
        ("queuemember", "status", QueueMemberStatus),
        ("extensionstatus", "status", ExtensionState),
        ("presencestatechange", "status", PresenceState),
        ("originateresponse", "reason", OriginateReason),
    ],
)
def test_every_recorded_code_has_a_name(event: str, header: str, kind: type[Code]) -> None:
    values = {packet[header] for packet in recorded() if packet.event_name == event and header in packet}
    assert values
    assert {value for value in values if kind.of(value) is None} == set()
