"""Actions with ``on_entry``: the entries of a list one by one as they come, and then an answer without them."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from cases import for_each
from engine_client import Client
from fake_network import Calls, Network, Peer, message
from outage import Daemon
from test_lists import SHAPES, Shape, answer

from ami_client import Connection, Packet
from ami_client._engine.in_flight import Entry
from ami_client.errors import ActionFailed, ActionTimeout, ConnectionFinished, ConnectionLost

ExpectLog = Callable[[str], None]

START = "Response: Success|ActionID: {}|EventList: start"
ENTRY = "Event: QueueMember|ActionID: {}|Name: {}"
COMPLETE = "Event: QueueStatusComplete|ActionID: {}|EventList: Complete|ListItems: {}"


class Listing:
    """A list that is asked for, and what its callbacks were given, in order."""

    def __init__(self, peer: Peer, action: str = "QueueStatus", **options: Any) -> None:
        self.peer = peer
        self.log: list[str] = []
        self.entries = Calls()
        self.answers = Calls()
        self.id = peer.conn.action(action, self.answer, on_entry=self.entry, **options)

    def entry(self, conn: Connection, packet: Packet) -> None:
        self.log.append(packet.get("name", packet["event"]))
        self.entries.append(packet)

    def answer(self, conn: Connection, result: Any) -> None:
        self.log.append("answer")
        self.answers.append(result)

    def say(self, *texts: str) -> None:
        self.peer.say(*[text.replace("{}", self.id, 1) for text in texts])

    def start(self, *names: str) -> None:
        """The list begins with entries of these names."""
        self.say(START, *[ENTRY.replace("Name: {}", f"Name: {name}") for name in names])

    def end(self, count: int) -> None:
        self.say(COMPLETE.replace("ListItems: {}", f"ListItems: {count}"))


def test_each_entry_is_handed_on_as_it_comes(peer: Peer) -> None:
    listing = Listing(peer)
    listing.start("a", "b")
    assert listing.log == ["a", "b"]
    listing.say("Event: QueueMember|ActionID: {}|Name: c")
    listing.end(3)
    assert listing.log == ["a", "b", "c", "answer"]
    (packet,) = listing.answers
    assert packet.events == [] and packet.complete["event"] == "queuestatuscomplete"
    assert packet.error is None and not packet.suspect


def test_the_entries_are_whole_packets(peer: Peer) -> None:
    listing = Listing(peer)
    listing.say(START, "Event: QueueMember|ActionID: {}|ChanVariable: A=1|ChanVariable: B=2")
    (entry,) = listing.entries
    assert entry.getall("chanvariable") == ["a=1", "b=2"]


def test_an_end_that_counts_more_entries_than_came_is_suspect(peer: Peer, expect_log: ExpectLog) -> None:
    expect_log("WARNING: .*may have lost parts")
    listing = Listing(peer)
    listing.start("a", "b")
    listing.end(3)
    assert listing.answers[0].suspect and peer.conn.stats.suspects == 1


def test_entries_are_no_events(peer: Peer) -> None:
    peer.conn.on("event", events := Calls())
    listing = Listing(peer)
    listing.start("a")
    listing.end(1)
    assert (events, peer.conn.stats.events) == ([], 0)


@pytest.mark.parametrize("count", [1, 2])
def test_the_documented_lists_leave_the_response_and_the_end(peer: Peer, count: int) -> None:
    conn = peer.conn
    methods: list[tuple[Callable[..., str], str]] = [
        (conn.status, "StatusComplete"),
        (conn.core_show_channels, "CoreShowChannelsComplete"),
        (conn.get_sip_peers, "PeerlistComplete"),
        (conn.get_iax_peers, "PeerlistComplete"),
    ]
    for method, end in methods:
        entries, answers = Calls(), Calls()
        own = method(answers, on_entry=entries)
        peer.say(
            START.format(own),
            *[f"Event: Entry|ActionID: {own}|N: {number}" for number in range(count)],
            f"Event: {end}|ActionID: {own}|EventList: Complete|ListItems: {count}",
        )
        assert [entry["n"] for entry in entries] == [str(number) for number in range(count)]
        ((first, last),) = answers
        assert (first["response"], last["event"]) == ("success", end.lower())
        assert not first.suspect


def test_an_assertion_that_lacks_entries_is_suspect(peer: Peer, expect_log: ExpectLog) -> None:
    expect_log("WARNING: .*may have lost parts")
    listing = Listing(peer, assertion={"Event": "QueueStatusComplete"})
    listing.start("a")
    listing.end(2)
    assert listing.log == ["a", "answer"]
    assert listing.answers[0][0].suspect


def test_events_before_the_response_are_no_entries(peer: Peer) -> None:
    peer.conn.on("event", events := Calls())
    listing = Listing(peer, assertion={"Event": "QueueStatusComplete"})
    listing.say("Event: QueueMember|ActionID: {}|Name: early", "Event: QueueMember|ActionID: {}|Name: too")
    listing.start("a")
    listing.end(1)
    assert (listing.log, [event["name"] for event in events]) == (["a", "answer"], ["early", "too"])


@pytest.mark.parametrize("assertion", [None, {"Event": "QueueStatusComplete"}])
def test_an_answer_without_entries(peer: Peer, assertion: Any) -> None:
    listing = Listing(peer, assertion=assertion)
    listing.say("Response: Error|ActionID: {}|Message: No such queue")
    assert listing.log == ["answer"]
    (result,) = listing.answers
    packet = result[-1] if assertion else result
    assert isinstance(packet.error, ActionFailed)


def test_a_single_response(peer: Peer) -> None:
    listing = Listing(peer, "Ping")
    listing.say("Response: Success|ActionID: {}|Ping: Pong")
    assert listing.log == ["answer"] and listing.answers[0]["ping"] == "pong"


@pytest.mark.parametrize("assertion", [None, {"Event": "QueueStatusComplete"}])
def test_an_error_in_the_middle_ends_it(peer: Peer, assertion: Any) -> None:
    listing = Listing(peer, assertion=assertion)
    listing.start("a")
    listing.say("Response: Error|ActionID: {}|Message: Overload")
    assert listing.log == ["a", "answer"]
    (result,) = listing.answers
    packet = result[-1] if assertion else result
    assert isinstance(packet.error, ActionFailed) and packet.events == []


def test_without_a_callback_the_entries_come_all_the_same(peer: Peer) -> None:
    entries = Calls()
    own = peer.conn.action("QueueStatus", on_entry=entries)
    peer.say(START.format(own), ENTRY.format(own, "a"), COMPLETE.format(own, 1))
    assert [entry["name"] for entry in entries] == ["a"] and peer.conn.stats.pending == 0


# What breaks the rules


@for_each(("version", "action", "shapes"), SHAPES)
def test_every_list_of_the_servers_gives_the_same_entries(version: str, action: str, shapes: list[Shape]) -> None:
    for shape in shapes:
        params = {name: value for name, value in shape["params"].items() if ":" not in name}
        plain, handing = Client.logged_in(), Client.logged_in()
        collected = plain.send(action, params)
        handed = handing.session.send(action, params, callback=print, on_entry=print)
        for client, pending in ((plain, collected), (handing, handed)):
            sent = b"".join(client.sent())
            client.feed(answer(action, shape, pending.action_id))
            fence = re.search(rb"Action: Ping\r\nActionID: (\S+)", sent)
            if fence:
                client.feed(message(f"Response: Success|ActionID: {fence.group(1).decode()}"))
        whole, bare = plain.only(collected), handing.only(handed)
        entries = [one.packet for one in handing.outcomes if isinstance(one, Entry)]
        assert (entries, bare.events) == (whole.events, [])
        assert (bare, bare.complete, bare.suspect, bare.output) == (whole, whole.complete, whole.suspect, whole.output)
        assert handing.events == plain.events


def test_a_quirk_of_ones_own(peer: Peer) -> None:
    listing = Listing(peer, "Odd", quirk="single_event")
    listing.say("Response: Success|ActionID: {}", "Event: Thing|ActionID: {}|Name: it")
    assert listing.log == ["it", "answer"] and listing.answers[0].events == []


def test_entries_in_one_packet_are_handed_on_one_by_one(peer: Peer) -> None:
    listing = Listing(peer, "Odd", quirk="merged_entries")
    listing.say(
        START,
        "Event: Thing|Name: a|Event: Thing|Name: b|ActionID: {}",
        "Event: End|EventList: Complete|ListItems: 2|ActionID: {}",
    )
    assert listing.log == ["a", "b", "answer"] and not listing.answers[0].suspect


def test_what_waits_for_events_hears_them_as_entries_and_handlers_hear_them_too(peer: Peer) -> None:
    peer.conn.on("event", events := Calls())
    listing = Listing(peer, "WaitEvent")
    listing.say("Response: Success|ActionID: {}", "Event: Hangup|Name: x", "Event: WaitEventComplete|ActionID: {}")
    assert listing.log == ["x", "answer"] and [event["name"] for event in events] == ["x"]


# How it ends


@pytest.mark.parametrize("assertion", [None, {"Event": "QueueStatusComplete"}])
def test_entries_after_a_timeout_belong_to_nobody(network: Network, peer: Peer, assertion: Any) -> None:
    peer.conn.on("event", events := Calls())
    listing = Listing(peer, timeout=5, assertion=assertion)
    listing.start("a")
    network.wait(6)
    listing.say("Event: QueueMember|ActionID: {}|Name: late")
    listing.end(2)
    assert (listing.log, events) == (["a", "answer"], [])
    (result,) = listing.answers
    packet = result[-1] if assertion else result
    assert isinstance(packet.error, ActionTimeout) and packet.events == []


def test_a_loss(peer: Peer) -> None:
    listing = Listing(peer)
    listing.start("a")
    peer.sock.eof()
    peer.network.pump()
    assert listing.log == ["a", "answer"]
    assert isinstance(listing.answers[0].error, ConnectionLost) and listing.answers[0].events == []


@pytest.mark.parametrize("quirk", [None, "merged_entries"])
def test_nothing_follows_the_end_of_the_connection(peer: Peer, quirk: str | None) -> None:
    listing = Listing(peer, "Odd", quirk=quirk)
    handed: list[Packet] = []

    def enough(conn: Connection, packet: Packet) -> None:
        handed.append(packet)
        conn.finish()

    listing.entry = enough  # type: ignore[method-assign]
    listing.id = peer.conn.action("Odd", listing.answer, on_entry=enough, quirk=quirk)
    listing.say(START, "Event: Thing|ActionID: {}|Name: a|Event: Thing|ActionID: {}|Name: b".replace("{}", listing.id))
    assert len(handed) == 1
    assert [type(one.error) for one in listing.answers] == [ConnectionFinished] * 2  # of both that were open


def test_an_on_entry_that_raises_is_logged_and_gets_the_next(peer: Peer, expect_log: ExpectLog) -> None:
    expect_log("ERROR: callback .*picky raised")
    handed: list[str] = []

    def picky(conn: Connection, packet: Packet) -> None:
        handed.append(packet["name"])
        if packet["name"] == "a":
            raise ZeroDivisionError

    own = peer.conn.action("QueueStatus", answers := Calls(), on_entry=picky)
    peer.say(START.format(own), ENTRY.format(own, "a"), ENTRY.format(own, "b"), COMPLETE.format(own, 2))
    assert (handed, len(answers), answers[0].error) == (["a", "b"], 1, None)
    assert peer.conn.stats.handler_errors == 1


def test_an_interrupt_costs_no_other_entry(peer: Peer) -> None:
    handed: list[str] = []

    def interrupted(conn: Connection, packet: Packet) -> None:
        handed.append(packet["name"])
        if packet["name"] == "a":
            raise KeyboardInterrupt

    own = peer.conn.action("QueueStatus", answers := Calls(), on_entry=interrupted)
    with pytest.raises(KeyboardInterrupt):
        peer.say(START.format(own), ENTRY.format(own, "a"), ENTRY.format(own, "b"), COMPLETE.format(own, 2))
    peer.network.pump()
    assert (handed, len(answers)) == (["a", "b"], 1)


def test_with_retry_the_entries_come_again(daemon: Daemon, expect_log: ExpectLog) -> None:
    expect_log("WARNING: .*may have lost parts")
    entries, answers = Calls(), Calls()
    own = daemon.conn.action("QueueStatus", answers, retry=True, on_entry=entries)

    def say(*said: str) -> None:
        Peer(daemon.network, daemon.conn, daemon.network.sockets[-1]).say(*said)

    say(START.format(own), ENTRY.format(own, "a"), ENTRY.format(own, "b"))
    daemon.lose()
    daemon.come_back()
    say(START.format(own), ENTRY.format(own, "a"), ENTRY.format(own, "b"), COMPLETE.format(own, 3))
    assert [entry["name"] for entry in entries] == ["a", "b", "a", "b"]
    assert [(answer.error, answer.suspect) for answer in answers] == [(None, True)]  # counted anew


# What it costs


def test_max_answer_does_not_count_the_entries(network: Network) -> None:
    peer = network.log_in(max_answer=4096)
    for assertion in (None, {"Event": "QueueStatusComplete"}):
        listing = Listing(peer, assertion=assertion)
        listing.start(*["x" * 1000] * 100)
        listing.end(100)
        assert len(listing.entries) == 100
        (result,) = listing.answers
        assert (result[0] if assertion else result).error is None


def test_the_entries_take_no_memory(peer: Peer) -> None:
    count = [0]

    def counted(conn: Connection, packet: Packet) -> None:
        count[0] += 1

    own = peer.conn.action("QueueStatus", Calls(), on_entry=counted)
    hundred = message(ENTRY.format(own, "x" * 1000)) * 100
    peer.network.say(message(START.format(own)) + hundred, peer.sock)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(20):
            peer.network.say(hundred, peer.sock)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == [2100] and after - before < 200_000  # two million bytes have come


# A caller's mistake


@pytest.mark.parametrize("wrong", ["no function", lambda conn: None])
def test_what_cannot_be_called_is_refused_at_once(peer: Peer, wrong: Any) -> None:
    with pytest.raises(TypeError, match="on_entry"):
        peer.conn.status(None, on_entry=wrong)
    assert peer.sock.take() == b""
