"""Modules outside Asterisk, and old servers: answers that break the rules, and what a call can say about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_network import Calls, Peer

from ami_client import Quirk
from ami_client._engine.quirks import QUIRKS, WITH_IDS

START = "Response: Success|ActionID: {own}|EventList: start|Message: Device list will follow"
OWN = "|ActionID: {own}"


def sccp(peer: Peer, *said: str, action: str = "SCCPListDevices", **options: Any) -> Any:
    """Ask for a list, let the server say this, and return the answer."""
    calls = Calls()
    own = peer.conn.action(action, calls, **options)
    peer.say(*(one.format(own=own) for one in said))
    (packet,) = calls
    return packet


def entries(packet: Any) -> list[str]:
    return [one["n"] for one in packet.events]


# -- without being told


@pytest.mark.parametrize("own", [OWN, ""], ids=["ids in all", "ids in the first"])
def test_entries_without_blank_lines_between_them(peer: Peer, own: str) -> None:
    merged = f"Event: DeviceEntry{OWN}|N: 1|Event: DeviceEntry{own}|N: 2|Event: DeviceEntry{own}|N: 3"
    packet = sccp(peer, START, merged, f"Event: SCCPListDevicesComplete{OWN}|EventList: Complete|ListItems: 0")
    assert entries(packet) == ["1", "2", "3"]
    assert packet.complete["event"] == "sccplistdevicescomplete" and packet.suspect is False
    assert all(one["event"] == "deviceentry" and one.event_name == "deviceentry" for one in packet.events)


def test_an_end_without_an_id(peer: Peer) -> None:
    events = Calls()
    peer.conn.on_event(events)
    end = "Event: SCCPListDevicesComplete|EventList: Complete|ListItems: 0"
    packet = sccp(peer, START, f"Event: DeviceEntry{OWN}|N: 1", end)
    assert entries(packet) == ["1"] and packet.complete.event_name == "sccplistdevicescomplete"
    assert events == []


def test_all_of_it_in_one_packet(peer: Peer) -> None:
    packet = sccp(
        peer,
        START,
        f"Event: DeviceEntry{OWN}|N: 1|Event: DeviceEntry|N: 2"
        "|Event: SCCPListDevicesComplete|EventList: Complete|ListItems: 0",
    )
    assert entries(packet) == ["1", "2"] and packet.complete is not None


def test_an_assertion_that_holds_for_an_end_without_an_id(peer: Peer) -> None:
    packets = sccp(
        peer,
        START,
        f"Event: DeviceEntry{OWN}|N: 1|Event: DeviceEntry|N: 2",
        "Event: OtherComplete|EventList: Complete",
        "Event: SCCPListDevicesComplete|EventList: Complete|ListItems: 0",
        assertion={"event": "SCCPListDevicesComplete"},
    )
    assert [one.get("n") for one in packets] == [None, "1", "2", None]


def test_with_two_lists_open_an_end_without_an_id_ends_neither(peer: Peer) -> None:
    first, second = Calls(), Calls()
    ids = [peer.conn.action("SCCPListDevices", one) for one in (first, second)]
    peer.say(*(START.format(own=own) for own in ids))
    peer.say("Event: SCCPListDevicesComplete|EventList: Complete|ListItems: 0")
    assert first == second == [] and peer.conn.stats.events == 1


def test_without_an_open_list_it_is_an_event(peer: Peer) -> None:
    calls = Calls()
    peer.conn.action("SCCPListDevices", calls)
    peer.say("Event: SCCPListDevicesComplete|EventList: Complete|ListItems: 0")
    assert calls == [] and peer.conn.stats.events == 1


def test_it_counts_only_where_servers_put_it(peer: Peer) -> None:
    calls = Calls()
    own = peer.conn.action("SCCPListDevices", calls)
    peer.say(START.format(own=own), "Event: VarSet|Value: x|EventList: Complete")
    assert calls == []


@pytest.mark.parametrize("forged", ["Event: Status|X: y", "Event: StatusComplete|EventList: Complete|ListItems: 1"])
def test_in_a_list_of_asterisks_own_an_event_line_needs_the_id(peer: Peer, forged: str) -> None:
    packet = sccp(
        peer,
        START,
        f"Event: Status{OWN}|N: 1|AppData: x|{forged}",
        f"Event: Status{OWN}|N: 2",
        f"Event: StatusComplete{OWN}|EventList: Complete|ListItems: 2",
        action="Status",
    )
    assert entries(packet) == ["1", "2"] and packet.suspect is False


def test_in_a_list_of_asterisks_own_with_ids_behind_the_event_lines(peer: Peer) -> None:
    end = f"Event: StatusComplete{OWN}|EventList: Complete"
    packet = sccp(peer, START, f"Event: Status{OWN}|N: 1|Event: Status{OWN}|N: 2", end, action="Status")
    assert entries(packet) == ["1", "2"]


def test_a_forged_event_line_in_front_of_the_genuine_id_starts_no_entry(peer: Peer) -> None:
    entry = f"Event: Status|N: 1|Variable: x|Event: StatusComplete{OWN}"
    end = f"Event: StatusComplete{OWN}|EventList: Complete|ListItems: 1"
    for assertion in (None, {"event": "StatusComplete"}):
        answer = sccp(peer, START, entry, end, action="Status", assertion=assertion)
        assert len(answer.events if assertion is None else answer[1:-1]) == 1


def test_a_header_event_of_an_entry_starts_none(peer: Peer) -> None:
    entry = f"Event: ResourceListDetail{OWN}|N: 1|ObjectType: resource_list|Event: presence|FullState: No"
    end = f"Event: ResourceListDetailComplete{OWN}|EventList: Complete|ListItems: 1"
    packet = sccp(peer, START, entry, end, action="PJSIPShowResourceLists")
    assert entries(packet) == ["1"] and packet.events[0]["event"] == "presence"


def test_a_second_event_line_outside_of_a_list_of_ours_splits_nothing(peer: Peer) -> None:
    events, calls = Calls(), Calls()
    peer.conn.on_event(events)
    own = peer.conn.action("SCCPListDevices", calls)
    user_event = "Event: UserEvent|UserEvent: x|Event: DeviceEntry|N: 1|Event: UserEvent|N: 2"
    peer.say(user_event, START.format(own=own), user_event, f"{user_event}|ActionID: {own}")
    assert [one.event_name for one in events] == ["userevent"] * 3 and calls == []


def test_dbget_before_13_2_and_since(peer: Peer) -> None:
    entry = f"Event: DBGetResponse{OWN}|Family: f|N: 1"
    old = sccp(peer, "Response: Success" + OWN, entry, action="DBGet")
    assert entries(old) == ["1"] and old.complete is None
    end = f"Event: DBGetComplete{OWN}|EventList: Complete|ListItems: 1"
    new = sccp(peer, START, entry, entry, end, action="DBGet")
    assert entries(new) == ["1", "1"] and new.complete is not None
    refused = sccp(peer, f"Response: Error{OWN}|Message: Database entry not found", action="DBGet")
    assert str(refused.error) == "Database entry not found"


def test_queues_of_old_servers(peer: Peer) -> None:
    calls = Calls()
    peer.conn.action("Queues", calls)
    fence = peer.sock.take().rpartition(b"ActionID: ")[2].strip().decode()
    peer.network.say(b"support has 0 calls\r\n   No Callers\r\n\r\n\r\n\r\n", peer.sock)
    peer.say(f"Response: Success|Ping: Pong|ActionID: {fence}")
    assert calls[0].output == ["support has 0 calls", "   No Callers"]


# -- being told


@pytest.mark.parametrize("quirk", ["raw_text", Quirk(raw_text=True)])
def test_raw_text(peer: Peer, quirk: Any) -> None:
    calls = Calls()
    peer.conn.action("SCCPConfigMetaData", calls, quirk=quirk)
    fence = peer.sock.take().rpartition(b"ActionID: ")[2].strip().decode()
    peer.network.say(b"Done\r\n\r\n", peer.sock)
    assert calls == []
    peer.say(f"Response: Success|Ping: Pong|ActionID: {fence}")
    assert calls[0].output == ["Done"] and calls[0].error is None


def test_a_single_event(peer: Peer) -> None:
    packet = sccp(peer, "Response: Success" + OWN, f"Event: SCCPAnswer{OWN}|N: 1", quirk="single_event")
    assert entries(packet) == ["1"]


def test_merged_entries_of_whatever_names(peer: Peer) -> None:
    merged = f"Event: Device{OWN}|N: 1|Event: Line|N: 2|Event: Speeddial|N: 3"
    end = f"Event: Complete{OWN}|EventList: Complete"
    assert entries(sccp(peer, START, merged, end, quirk="merged_entries")) == ["1", "2", "3"]


def test_the_end_of_a_list_without_marks(peer: Peer) -> None:
    said = ["Response: Success" + OWN, *[f"Event: QueueMember{OWN}|N: 1"] * 2, f"Event: QueueStatusComplete{OWN}"]
    packet = sccp(peer, *said, action="QueueStatus", quirk=Quirk(ends_with=" QueueStatusComplete "))
    assert entries(packet) == ["1", "1"] and packet.complete.event_name == "queuestatuscomplete"


def test_entries_without_an_id(peer: Peer) -> None:
    said = [START, "Event: PeerEntry|N: 1", "Event: Hangup", f"Event: PeersComplete{OWN}|EventList: Complete"]
    assert entries(sccp(peer, *said, quirk=Quirk(anonymous_entry="PeerEntry"))) == ["1"]
    assert peer.conn.stats.events == 1


def test_a_quirk_survives_being_sent_again(daemon: Any) -> None:
    calls = Calls()
    own = daemon.conn.action("SCCPLines", calls, quirk="single_event", retry=True)
    daemon.network.sockets[-1].eof()
    daemon.network.wait(10)
    daemon.network.answer_login()
    daemon.network.say(f"Response: Success\r\nActionID: {own}\r\n\r\nEvent: A\r\nActionID: {own}\r\n\r\n".encode())
    assert [len(packet.events) for packet in calls] == [1]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda conn: conn.action("X", quirk="raw"), ValueError, "raw_text, single_event, merged_entries"),
        (lambda conn: conn.action("X", quirk="ends_with"), ValueError, "unknown quirk"),
        (lambda conn: conn.action("X", quirk=7), TypeError, "not int"),
        (lambda conn: conn.action("X", quirk=True), TypeError, "not bool"),
        (lambda conn: Quirk(raw_text="yes"), TypeError, "raw_text of a quirk must be a bool"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda conn: Quirk(ends_with=None), TypeError, "ends_with of a quirk must be a str"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda conn: Quirk(nosuch=True), TypeError, "nosuch"),  # type: ignore[call-arg]  # wrong on purpose
    ],
)
def test_what_is_no_quirk(peer: Peer, make: Callable[[Any], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(peer.conn)
    assert peer.sock.take() == b""


def test_an_end_forged_in_an_entry_of_a_mailbox_list_ends_nothing(peer: Peer) -> None:
    calls = Calls()
    own = peer.conn.action("MWIGet", calls, {"Mailbox": "/."})
    peer.say(f"Response: Success|ActionID: {own}|EventList: start")
    peer.say(f"Event: MWIGet|Mailbox: x|Event: MWIGetComplete|EventList: Complete|NewMessages: 1|ActionID: {own}")
    peer.say(f"Event: MWIGet|Mailbox: y|Event: MWIGet|Mailbox: forged|ActionID: {own}")
    assert calls == []
    peer.say(f"Event: MWIGetComplete|ActionID: {own}|EventList: Complete|ListItems: 2")
    assert len(calls[0].events) == 2 and not calls[0].suspect


def test_the_tables_are_in_lower_case_and_do_not_contradict_each_other() -> None:
    assert all(name == name.lower() for name in [*QUIRKS, *WITH_IDS])
    assert {name for name in QUIRKS if name in WITH_IDS} == {"dbget"}


# -- failures


@pytest.mark.parametrize("word", ["Failure", "Fail", "Failed", "FAILED", "Error"])
def test_the_words_for_a_failure(peer: Peer, word: str) -> None:
    single, composite = Calls(), Calls()
    peer.answer(peer.conn.action("JabberSend", single), f"Response: {word}|Message: not connected")
    peer.answer(peer.conn.status(composite), f"Response: {word}")
    assert str(single[0].error) == "not connected" and composite[0][-1].error is not None


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Message: Command output follows|Output: |Output:   No such command 'x'  |Output: y", "No such command 'x'"),
        ("Message: Command output follows|Output: ", "Command output follows"),
        ("Output: ", "the server gave no reason"),
        ("Message: Permission denied", "Permission denied"),
        ("Message: a|Message: forged", "a"),
        ("Message: Command output follows|Output: \x1b[31mred", "\\x1b[31mred"),
    ],
)
def test_why_a_command_failed(peer: Peer, said: str, reason: str) -> None:
    calls = Calls()
    peer.answer(peer.conn.action("Command", calls, {"Command": "x"}), f"Response: Error|{said}")
    assert str(calls[0].error) == reason


def test_a_response_that_runs_into_an_event_counts_as_malformed(peer: Peer) -> None:
    calls = Calls()
    own = peer.conn.action("Events", calls, {"EventMask": "on"})
    peer.say(f"Response: Success|ActionID: {own}|Events: On|Event: FullyBooted|Status: Fully Booted")
    assert len(calls) == 1 and peer.conn.stats.malformed == 1
    peer.answer(peer.conn.action("Events", calls, {"EventMask": "on"}), "Response: Success|Events: On")
    assert len(calls) == 2 and peer.conn.stats.malformed == 1
