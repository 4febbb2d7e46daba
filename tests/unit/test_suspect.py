"""Lists that may have lost parts: Asterisk cuts what a slow reader does not take in time, and says so nowhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_network import Calls, Network, Peer, message
from outage import Daemon

from ami_client import Connection
from ami_client.errors import LimitReached

ExpectLog = Callable[[str], None]
WARNING = r"WARNING: tcp://joe@192\.0\.2\.1:5038: .*may have lost parts"


class Listing:
    """A list answer that is asked for, and sent in parts."""

    def __init__(self, peer: Peer, kind: str = "gathered") -> None:
        self.peer, self.kind, self.calls = peer, kind, Calls()
        conn = peer.conn
        self.action_id = conn.action("List", self.calls) if kind == "gathered" else conn.core_show_channels(self.calls)

    def send(self, count: int, claimed: object = None, marker: str = "Complete") -> Listing:
        """All of it, in one piece: so many entries, and how many the end counts."""
        items = "" if claimed is None else f"|ListItems: {claimed}"
        parts = ["Response: Success|EventList: start", *["Event: Entry"] * count]
        parts.append(f"Event: CoreShowChannelsComplete|EventList: {marker}{items}")
        self.peer.say(*(f"{part}|ActionID: {self.action_id}" for part in parts))
        return self

    @property
    def response(self) -> Any:
        (answer,) = self.calls
        return answer[0] if self.kind == "composite" else answer


KINDS = pytest.mark.parametrize("kind", ["gathered", "composite"])


# By the number of entries


@KINDS
def test_a_list_whose_end_counts_more_entries_than_came(peer: Peer, kind: str, expect_log: ExpectLog) -> None:
    expect_log(WARNING)
    listing = Listing(peer, kind).send(2, 3)
    assert listing.response.suspect is True and listing.response.error is None
    assert peer.conn.stats.suspects == 1
    assert peer.conn.suspect is None  # that is about the end of the connection


@KINDS
@pytest.mark.parametrize("claimed", [None, 0, 1, 2, "", "many", "-1", "³", "9" * 5000])
def test_a_list_that_is_whole_or_does_not_say(peer: Peer, kind: str, claimed: object) -> None:
    listing = Listing(peer, kind).send(2, claimed)
    assert listing.response.suspect is False and peer.conn.stats.suspects == 0


def test_a_list_that_was_cancelled_counts_too(peer: Peer, expect_log: ExpectLog) -> None:
    expect_log(WARNING)
    assert Listing(peer).send(2, 3, "cancelled").response.suspect


def test_it_is_known_when_the_callback_is_called(peer: Peer, expect_log: ExpectLog) -> None:
    expect_log(WARNING)
    seen: list[bool] = []
    listing = Listing(peer)
    listing.calls = Calls()
    action_id = peer.conn.action("List", lambda conn, packet: seen.append(packet.suspect))
    listing.action_id = action_id
    listing.send(0, 1)
    assert seen == [True]


def test_an_answer_of_one_packet_is_none(peer: Peer) -> None:
    calls = Calls()
    peer.answer(peer.conn.ping(calls), "Response: Success|ListItems: 7")
    assert calls[0].suspect is False


def test_a_failure_is_none(network: Network) -> None:
    peer = network.log_in(max_answer=2048)
    listing = Listing(peer).send(5, 9)
    assert type(listing.response.error) is LimitReached and not listing.response.suspect
    assert peer.conn.stats.suspects == 0


# By the end of the connection


@KINDS
@pytest.mark.parametrize("how", ["eof", "reset"])
def test_a_list_directly_before_the_end(peer: Peer, kind: str, how: str, expect_log: ExpectLog) -> None:
    expect_log(WARNING)
    told: list[Any] = []
    peer.conn.bind("disconnect", lambda conn: told.append((conn.suspect, conn.suspect.suspect)))
    listing = Listing(peer, kind).send(2, 2)
    assert listing.response.suspect is False and peer.conn.suspect is None
    getattr(peer.sock, how)()
    peer.network.pump()
    assert told == [(listing.response, True)] and peer.conn.suspect is listing.response
    assert peer.conn.stats.suspects == 1


def test_both_in_the_same_bytes(peer: Peer, expect_log: ExpectLog) -> None:
    expect_log(WARNING)
    peer.sock.eof()
    listing = Listing(peer).send(2, 2)
    assert listing.response.suspect and peer.conn.suspect is listing.response


def test_both_signs_are_one_suspect(peer: Peer, expect_log: ExpectLog) -> None:
    """What Asterisk does to a slow reader: entries are cut, the list ends, and then the connection."""
    expect_log(WARNING)
    listing = Listing(peer).send(2, 3)
    peer.sock.eof()
    peer.network.pump()
    assert peer.conn.suspect is listing.response and peer.conn.stats.suspects == 1


@pytest.mark.parametrize("behind", ["Event: Hangup", "Response: Success", "rubbish"])
def test_anything_behind_the_list_clears_it(peer: Peer, behind: str) -> None:
    listing = Listing(peer).send(2, 2)
    peer.say(behind)
    peer.sock.eof()
    peer.network.pump()
    assert listing.response.suspect is False and peer.conn.suspect is None


@pytest.mark.parametrize(("seconds", "suspect"), [(0.9, True), (1.1, False), (30, False)])
def test_a_second_later_it_has_nothing_to_do_with_it(
    network: Network, seconds: float, suspect: bool, expect_log: ExpectLog
) -> None:
    if suspect:
        expect_log(WARNING)
    peer = network.log_in(timeout=None)
    listing = Listing(peer).send(2, 2)
    network.wait(seconds)
    peer.sock.eof()
    network.pump()
    assert listing.response.suspect is suspect and (peer.conn.suspect is not None) is suspect


@pytest.mark.parametrize("end", ["finish", "close", "graceful_shutdown"])
def test_an_end_of_ours_says_nothing_about_it(peer: Peer, end: str) -> None:
    listing = Listing(peer).send(2, 2)
    getattr(peer.conn, end)()
    assert listing.response.suspect is False and peer.conn.suspect is None


def test_after_a_logoff_neither(peer: Peer) -> None:
    listing = Listing(peer)
    logoff = peer.conn.logoff()
    listing.send(2, 2)
    peer.answer(logoff, "Response: Goodbye")
    peer.sock.eof()
    peer.network.pump()
    assert listing.response.suspect is False and peer.conn.suspect is None


def test_a_single_answer_before_the_end_neither(peer: Peer) -> None:
    calls = Calls()
    peer.answer(peer.conn.ping(calls))
    peer.sock.eof()
    peer.network.pump()
    assert calls[0].suspect is False and peer.conn.suspect is None


def test_a_list_that_was_not_complete_fails_as_it_always_did(peer: Peer) -> None:
    listing = Listing(peer)
    peer.answer(listing.action_id, "Response: Success|EventList: start")
    peer.sock.eof()
    peer.network.pump()
    assert listing.response.error is peer.conn.error and peer.conn.suspect is None


@KINDS
def test_a_list_that_was_too_long_is_no_suspect_at_the_end(network: Network, kind: str) -> None:
    peer = network.log_in(max_answer=2048)
    listing = Listing(peer, kind)
    peer.answer(listing.action_id, "Response: Success|EventList: start")
    peer.say(*[f"Event: Entry|ActionID: {listing.action_id}"] * 2)
    if kind == "gathered":
        peer.say(f"Event: Entry|ActionID: {listing.action_id}")
    assert len(listing.calls) == 1
    peer.sock.eof()
    network.pump()
    assert peer.conn.suspect is None and peer.conn.stats.suspects == 0


def test_a_list_that_was_cut_in_the_middle_of_a_message(peer: Peer, expect_log: ExpectLog) -> None:
    """``Event: LEvent: ListDialplan``, as live (T68): a write was cut off, and the next message follows at once."""
    expect_log(WARNING)
    listing = Listing(peer)
    suffix = f"|ActionID: {listing.action_id}"
    data = [
        message(f"Response: Success|EventList: start{suffix}"),
        message(f"Event: ListDialplan{suffix}|N: 1"),
        b"Event: L" + message(f"Event: ListDialplan{suffix}|N: 3"),
        message(f"Event: ShowDialPlanComplete|EventList: Complete|ListItems: 3{suffix}"),
    ]
    peer.sock.eof()
    peer.network.say(b"".join(data), peer.sock)
    assert listing.response.suspect and peer.conn.suspect is listing.response


def test_the_daemon_comes_back_and_asks_again(daemon: Daemon, expect_log: ExpectLog) -> None:
    expect_log(WARNING)
    lists: list[bool] = []

    def fetch(conn: Connection) -> None:
        Listing(Peer(daemon.network, conn, daemon.network.sockets[-1]))

    daemon.pool.on_login(fetch)
    daemon.pool.on("disconnect", lambda conn: lists.append(conn.suspect is not None))
    Listing(Peer(daemon.network, daemon.conn, daemon.network.sockets[0])).send(1, 1)
    daemon.lose()
    daemon.come_back()
    assert lists == [True] and daemon.conn.suspect is None
    assert daemon.pool.stats.suspects == 1
