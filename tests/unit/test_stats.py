"""What is counted, on connections and in sum; what says how many there are now goes back to nothing."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from fake_network import SECRET, URL, Calls, Life, Network, Peer
from outage import Daemon
from server_texts import BANNER, REFUSAL, WELCOME

from ami_client import Connection, Pool, stats
from ami_client.stats import GAUGES, PastStats, Stats

ExpectLog = Callable[[str], None]
MakeDaemon = Callable[..., Daemon]
COUNTERS = [one.name for one in fields(Stats) if one.name not in (*GAUGES, "limits")]


def test_the_fields() -> None:
    assert {one.name for one in fields(Stats)} == {
        *("events", "responses", "bytes_in", "bytes_out", "pending", "buffered", "timeouts", "reconnects", "logins"),
        *("malformed", "dropped", "handler_errors", "slow_handlers", "suspects", "connections", "connected", "waiting"),
        *("held_calls", "limits"),
    }
    assert set(GAUGES) == {"pending", "buffered", "connections", "connected", "waiting"}


def test_a_new_connection_has_counted_nothing(network: Network) -> None:
    assert Life(network).conn.stats == Stats(connections=1)


# Each field


def test_events_that_are_no_part_of_an_answer(peer: Peer) -> None:
    peer.say("Event: One", "Event: Two|ActionID: somebody's")
    action_id = peer.conn.action("List", Calls())
    peer.say(*(f"{one}|ActionID: {action_id}" for one in ("Response: Success|EventList: start", "Event: Entry")))
    assert peer.conn.stats.events == 2


def test_responses_whoever_they_were_for(peer: Peer) -> None:
    before = peer.conn.stats.responses
    peer.answer(peer.conn.ping(Calls()))
    peer.answer(peer.conn.ping(None))
    peer.say("Response: Success|ActionID: nobody's", "Response: Error|Message: Missing action in request")
    assert peer.conn.stats.responses - before == 4


def test_bytes(network: Network) -> None:
    life = Life(network)
    network.pump()
    said = BANNER + WELCOME + b"Event: Half a packet"
    network.say(said, network.sockets[0])
    life.conn.ping(None)
    assert life.conn.stats.bytes_in == len(said)
    assert life.conn.stats.bytes_out == len(network.sockets[0].sent) > 0


def test_pending_and_buffered(network: Network) -> None:
    life = Life(network)
    life.conn.ping(Calls())
    life.conn.ping(None)
    assert life.conn.stats.pending == 1
    sock = network.answer_login()
    sock.room = 0
    life.conn.originate({"Channel": "SIP/1"}, Calls(), on_result=Calls())
    stats = life.conn.stats
    assert stats.pending == 3 and stats.buffered > 0
    sock.room = None
    network.pump()
    assert life.conn.stats.buffered == 0
    life.conn.finish()
    assert life.conn.stats.pending == 0


def timeouts() -> dict[str, Callable[[Network], Connection]]:
    def action(network: Network) -> Connection:
        conn = network.log_in(timeout=None).conn
        conn.ping(Calls(), timeout=1)
        return conn

    def connect(network: Network) -> Connection:
        network.prepare().hold()
        return Life(network).conn

    return {
        "action": action,
        "connect": connect,
        "login": lambda network: Life(network, timeout=None).conn,
        "silence": lambda network: network.log_in(timeout=20, action_timeout=None).conn,
    }


@pytest.mark.parametrize("kind", timeouts())
def test_timeouts(network: Network, kind: str) -> None:
    conn = timeouts()[kind](network)
    network.wait(40)
    pool: Any = conn.pool
    assert conn.stats.timeouts == pool.stats.timeouts == 1


def test_an_action_that_the_silence_ends_is_no_timeout_of_its_own(network: Network) -> None:
    peer = network.log_in(timeout=20)
    for _ in range(3):
        peer.conn.ping(Calls(), timeout=1000)
    network.wait(30)
    assert peer.conn.finished and peer.conn.stats.timeouts == 1


def test_logins_and_reconnects(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon().start()
    assert (daemon.pool.stats.logins, daemon.pool.stats.reconnects) == (1, 0)
    daemon.lose()
    daemon.network.prepare().refuse()
    daemon.network.wait(4)
    assert (daemon.pool.stats.logins, daemon.pool.stats.reconnects) == (1, 1)
    daemon.come_back()
    assert (daemon.pool.stats.logins, daemon.pool.stats.reconnects) == (2, 2)
    assert (daemon.conn.stats.logins, daemon.conn.stats.reconnects) == (1, 1)


def test_a_refused_login_is_none(network: Network) -> None:
    life = Life(network)
    network.answer_login(REFUSAL)
    assert life.conn.stats.logins == 0


def test_malformed_lines_and_dropped_pieces(peer: Peer) -> None:
    peer.say("rubbish|more rubbish", "Response: Success|ActionID: nobody's")
    stats = peer.conn.stats
    assert (stats.malformed, stats.dropped) == (2, 2) and peer.conn.dropped == 2


def test_connections_connected_waiting(network: Network) -> None:
    pool = network.pool(maxconnperserv=2)
    assert pool.stats == Stats()
    for _ in range(5):
        pool.get_connection(URL, before_connect=lambda conn: conn.acquire())
    stats = pool.stats
    assert (stats.connections, stats.connected, stats.waiting) == (2, 0, 3)
    network.pump()
    network.say(BANNER + WELCOME, network.sockets[0])
    stats = pool.stats
    assert (stats.connections, stats.connected, stats.waiting) == (2, 1, 3)
    pool.finish()
    assert [getattr(pool.stats, name) for name in GAUGES] == [0] * 5


def test_a_snapshot_changes_no_more_and_changes_nothing(peer: Peer) -> None:
    for source in (peer.conn, peer.conn.pool):
        before: Stats = source.stats  # type: ignore[union-attr]
        before.limits["max_pending"] += 7
        events, limits = before.events, dict(before.limits)
        peer.say("Event: X")
        assert (before.events, dict(before.limits)) == (events, limits)
        before.events += 100
        after: Stats = source.stats  # type: ignore[union-attr]
        assert after.events == events + 1 and after.limits == {}


# Sums


def test_a_pools_are_the_sums_over_all_that_it_has_had(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(max_pending=1)
    snapshots: list[Stats] = []
    daemon.pool.on("disconnect", lambda conn: snapshots.append(conn.stats))
    daemon.start(2)
    for turn in range(4):
        peer = Peer(daemon.network, daemon.conn, daemon.network.sockets[-1])
        peer.say(*["Event: X"] * turn, "rubbish")
        peer.conn.ping(Calls())
        with pytest.raises(Exception, match="max_pending"):
            peer.conn.ping(Calls())
        daemon.lose()
        daemon.come_back()
    total = daemon.pool.stats
    parts = [*snapshots, *(conn.stats for conn in daemon.conns if conn.connected)]
    assert len(parts) == 6
    for name in COUNTERS:
        assert getattr(total, name) == sum(getattr(one, name) for one in parts), name
    assert total.events == 6 and total.limits == {"max_pending": 4}
    assert (total.connections, total.connected, total.pending) == (2, 2, 0)


def test_counters_never_go_down_whenever_they_are_read(daemon: Daemon, expect_log: ExpectLog) -> None:
    expect_log("ERROR: .*refused")
    seen: list[Stats] = []

    def look(*args: object) -> None:
        seen.append(daemon.pool.stats)

    look()
    daemon.pool.on(["disconnect", "reconnecting", "login", "connected"], look)
    daemon.conn.ping(look)
    daemon.conn.ping(look, retry=True)
    daemon.conn.action("Do", look, {"ActionID": "x"}, retry=True)
    daemon.lose()
    daemon.pool.on_login(lambda conn: conn.action("Other", look, {"ActionID": "x"}))
    daemon.come_back()
    daemon.conn.ping(look, retry=True)
    daemon.lose()
    daemon.come_back(REFUSAL)  # now those fail that were to be sent again
    look()
    assert len(seen) > 10
    for before, after in zip(seen, seen[1:]):
        for name in COUNTERS:
            assert getattr(after, name) >= getattr(before, name), name


def test_by_server_without_the_secret(network: Network) -> None:
    pool = network.pool(username="joe", secret=SECRET)
    urls = {URL: "tcp://joe@192.0.2.1:5038", "192.0.2.2": None}
    for url in urls:
        pool.get_connection(url)
        network.answer_login()
    network.say(b"Event: X\r\n\r\n")
    by_server = pool.stats_by_server()
    assert len(by_server) == 2 and SECRET not in repr(by_server)
    assert sorted(one.events for one in by_server.values()) == [0, 1]
    assert "tcp://joe@192.0.2.1:5038" in by_server


def test_by_server_what_is_gone_is_kept_and_the_sum_is_the_pools(network: Network) -> None:
    pool = network.pool()
    for url in (URL, "192.0.2.2", URL, URL.replace(SECRET, "another")):
        pool.get_connection(url)
        network.answer_login().eof()
        network.pump()
    by_server = pool.stats_by_server()
    assert [one.logins for one in by_server.values()] == [3, 1]  # two URLs that differ in the secret look the same
    total = Stats()
    total.add(by_server.values())
    assert total == pool.stats
    pool.finish()
    assert pool.stats_by_server() == by_server


def test_what_is_kept_of_a_server_does_not_grow_with_its_connections(network: Network) -> None:
    pool = network.pool()
    for _ in range(50):
        pool.get_connection(URL)
        network.answer_login().eof()
        network.pump()
    assert len(pool.stats_by_server()) == 1 and pool.stats.logins == 50


def pass_by(network: Network, pool: Pool, url: str) -> None:
    """One connection, which the server ends."""
    pool.get_connection(url)
    network.answer_login().eof()
    network.pump()


def test_a_thousand_servers_that_are_gone_keep_an_entry_and_the_others_share_one(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stats.MAX_PAST == 1000
    monkeypatch.setattr(stats, "MAX_PAST", 3)
    pool = network.pool()
    for number in range(10):
        pass_by(network, pool, f"192.0.2.{number}")
        pass_by(network, pool, "192.0.2.200")  # it comes back, and so keeps its place
        pool.get_connection("192.0.2.100")  # one that is there all the time
        by_server = pool.stats_by_server()
        total = Stats()
        total.add(by_server.values())
        assert total == pool.stats
        assert pool.stats.logins == 2 * number + 2
    gone = [f"tcp://192.0.2.{number}" for number in (200, 8, 9)]
    assert {name: one.logins for name, one in by_server.items()} == {
        **dict(zip(gone, (10, 1, 1))),
        "others": 8,
        "tcp://192.0.2.100": 0,
    }
    pool.finish()
    assert pool.stats_by_server()["others"].logins == 9
    assert pool.stats.logins == 20 and pool.stats.connections == 0


def test_what_is_kept_of_servers_does_not_grow_with_their_number() -> None:
    past = PastStats()
    for number in range(2500):
        past.add(f"tcp://192.0.2.1:{number}", Stats(events=1, pending=5))
    kept = dict(past.items())
    assert list(kept) == [*(f"tcp://192.0.2.1:{number}" for number in range(1500, 2500)), "others"]
    assert kept["others"] == Stats(events=1500) and kept["tcp://192.0.2.1:1500"] == Stats(events=1)


# Threads


def test_another_thread_may_read_while_the_loop_runs(network: Network) -> None:
    pool = network.pool(max_pending=1)
    failures: list[BaseException] = []
    read: list[int] = []
    stop = threading.Event()

    def reader() -> None:
        try:
            while not stop.is_set():
                read.append(pool.stats.logins + len(pool.stats_by_server()))
        except BaseException as error:
            failures.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread = threading.Thread(target=reader)
    thread.start()
    try:
        for number in range(60):
            pool.get_connection(f"192.0.2.{number % 20}", lambda conn: conn.connected and conn.ping(Calls()))
            network.answer_login().eof()
            network.pump()
    finally:
        stop.set()
        thread.join(10)
        sys.setswitchinterval(interval)
    assert failures == [] and read and pool.stats.logins == 60


# The other figures


def test_round_trip_and_last_received(network: Network) -> None:
    peer = network.log_in(timeout=60)
    assert peer.conn.round_trip is None and peer.conn.last_received == network.clock.now
    action_id = peer.conn.ping(Calls())
    network.wait(0.25)
    peer.answer(action_id)
    assert peer.conn.round_trip == pytest.approx(0.25) and peer.conn.last_received == network.clock.now
    action_id = peer.conn.ping(Calls())
    peer.answer(action_id, "Response: Error")
    peer.answer(peer.conn.action("Do", Calls()))
    assert peer.conn.round_trip == pytest.approx(0.25)
    peer.sock.take()
    network.wait(30)  # the keepalive is a ping as well
    keepalive = peer.sock.take().decode().rpartition("ActionID: ")[2].strip()
    network.wait(0.5)
    peer.answer(keepalive)
    assert peer.conn.round_trip == pytest.approx(0.5)


def test_round_trip_leaves_out_the_time_that_handlers_take(network: Network) -> None:
    peer = network.log_in(slow_handler=None)
    sent = []

    def busy(conn: Connection, packet: Any) -> None:
        sent.append(conn.ping(Calls()))  # goes out with the next flush
        network.clock.advance(3)

    peer.conn.on("event_busy", busy)
    peer.say("Event: Busy")
    network.wait(0.25)
    peer.say("Event: Busy", f"Response: Success|ActionID: {sent[0]}")
    assert peer.conn.round_trip == pytest.approx(0.25)


def test_a_ping_that_waited_for_the_login_measures_nothing(network: Network) -> None:
    life = Life(network)
    action_id = life.conn.ping(Calls())
    network.wait(3)
    Peer(network, life.conn, network.answer_login()).answer(action_id)
    assert life.conn.round_trip is None
