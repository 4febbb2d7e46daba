"""What would grow over months, if it were let: nothing does."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from engine_client import Client, message
from fake_network import URL, Calls, Network
from outage import Daemon

from ami_client import Pool, Reactor
from ami_client.errors import ActionTimeout, LimitReached
from ami_client.testing import FakeAsterisk, Recording

MakeDaemon = Callable[..., Daemon]


class Thing:
    """Something that a callback holds."""


def test_the_response_that_opens_a_list_counts_too() -> None:
    client = Client.logged_in(max_answer=10_000)
    pending = client.send("List")
    client.feed(
        message("Response: Success", f"ActionID: {pending.action_id}", "EventList: start", "X: " + "x" * 10_000)
    )
    assert isinstance(client.only(pending).error, LimitReached)


def test_what_arrived_for_an_action_that_is_given_up_is_let_go() -> None:
    client = Client.logged_in()
    pending = client.send("List")
    client.feed(message("Response: Success", f"ActionID: {pending.action_id}", "EventList: start"))
    assert pending.collecting
    failure = client.session.give_up(pending, ActionTimeout("late"))
    client.feed(message("Event: Entry", f"ActionID: {pending.action_id}"))
    client.feed(message("Event: Done", f"ActionID: {pending.action_id}", "EventList: Complete"))
    assert failure is not None and failure.events == [] and client.done == []  # type: ignore[union-attr]
    assert client.session.stats.dropped == 0  # late, and recognised


def test_the_callback_of_an_action_that_timed_out_is_let_go(network: Network) -> None:
    peer = network.log_in(timeout=None)
    thing = Thing()
    gone = weakref.ref(thing)
    peer.conn.action("Getvar", lambda conn, packet, thing=thing: None, {"Variable": "x"}, timeout=1)
    del thing
    network.wait(2)
    gc.collect()
    assert gone() is None


def test_raw_text_actions_that_are_refused_leave_no_fence_behind() -> None:
    client = Client.logged_in()
    pings = []
    for _ in range(3000):
        pending = client.send("IAXnetstats")
        pings.append(pending.fence_id)
        client.feed(message("Response: Error", f"ActionID: {pending.action_id}"))
    assert len(client.done) == 3000
    for ping in pings:
        client.feed(message("Response: Success", f"ActionID: {ping}"))
    assert client.session.stats.dropped >= 1900, "of the first, nobody remembers"
    assert len(client.done) == 3000


def test_connections_whose_retries_have_timed_out_are_let_go(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(connect_timeout=2)
    gone: list[weakref.ref[Any]] = []

    def before(conn: Any) -> None:
        gone.append(weakref.ref(conn))
        conn.ping(Calls(), retry=True, timeout=1)

    for _ in range(5):
        daemon.network.prepare().hold()
        daemon.pool.get_connection(URL, before_connect=before)
        daemon.network.wait(10)
    gc.collect()
    assert len(gone) >= 4 and sum(ref() is not None for ref in gone) <= 2  # the last one, and the one under way


def test_a_logoff_is_not_sent_again(daemon: Daemon) -> None:
    calls = Calls()
    daemon.conn.action("Logoff", calls, retry=True)
    daemon.lose()
    assert len(calls) == 1
    daemon.come_back()
    assert b"Logoff" not in daemon.network.sockets[-1].take()


def test_what_is_sent_again_is_bounded_too(make_daemon: MakeDaemon) -> None:
    daemon, calls = make_daemon(max_pending=2).start(3), Calls()
    for conn in daemon.conns:
        for _ in range(2):
            conn.ping(calls, retry=True)
    for sock in daemon.network.sockets:
        sock.eof()
    daemon.network.wait(4)
    daemon.network.answer_login()
    assert [type(packet.error) for packet in calls] == [LimitReached] * 4
    assert daemon.conn.stats.pending == 2


def test_lists_that_are_late_take_no_room_from_others() -> None:
    client = Client.logged_in(max_answer=10_000)
    for _ in range(50):
        late = client.send("List")
        client.session.give_up(late, ActionTimeout("late"))
        client.feed(message("Response: Success", f"ActionID: {late.action_id}", "EventList: start"))
        client.feed(message("Event: Entry", f"ActionID: {late.action_id}"))
        client.feed(message("Event: Done", f"ActionID: {late.action_id}", "EventList: Complete"))
    pending = client.send("List")
    client.feed(message("Response: Success", f"ActionID: {pending.action_id}", "EventList: start"))
    client.feed(message("Event: Entry", f"ActionID: {pending.action_id}"))
    client.feed(message("Event: Done", f"ActionID: {pending.action_id}", "EventList: Complete"))
    assert client.only(pending).error is None


def alive() -> Counter[str]:
    """How many objects of ours there are, by their kinds, and how many lists."""
    gc.collect()
    kinds = [type(thing) for thing in gc.get_objects()]
    return Counter(kind.__qualname__ for kind in kinds if kind is list or kind.__module__.startswith("ami_client"))


@pytest.mark.parametrize("replayed", [False, True])
def test_connections_that_ended_leave_nothing_behind_on_either_side(replayed: bool) -> None:
    with Reactor() as reactor, FakeAsterisk(reactor, max_received=10) as server:
        pool = Pool(reactor=reactor)
        server.expect("Ping", times=None)
        if replayed:
            server.replay(Recording([]), speed=None)
        left = [0]

        def got(conn: Any, packet: Any) -> None:
            assert conn.connected
            conn.ping(answered)

        def answered(conn: Any, packet: Any) -> None:
            conn.finish()
            left[0] -= 1
            if left[0]:
                pool.get_connection(server.url, got)
            else:
                reactor.stop()

        def connect(count: int) -> Counter[str]:
            left[0] = count
            pool.get_connection(server.url, got)
            reactor.run()
            while server.clients:
                reactor.run_once()
            while reactor.run_once(0):
                pass
            return alive()

        before = connect(150)
        after = connect(150)
        assert sum((after - before).values()) < 15  # a timer or two may have come or gone


def test_what_was_played_leaves_nothing_behind(network: Network) -> None:
    server = FakeAsterisk(network.reactor)
    happened: list[int] = []
    before = alive()
    for number in range(300):
        server.play([(0.0, partial(happened.append, number))])
        network.pump()
    assert happened == list(range(300))
    assert sum((alive() - before).values()) < 15
