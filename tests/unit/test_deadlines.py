"""Time limits: who is late is told, in order, whatever else was answered, of which nothing is kept."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from fake_network import Peer

from ami_client import Packet, Reactor
from ami_client._client import timeouts as deadlines_module
from ami_client._client.timeouts import Deadlines
from ami_client._engine.in_flight import Pending
from ami_client.testing import FakeClock, FakeSelector

Late = list[str]


class Watch:
    """Deadlines on a loop whose time is told."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.reactor = Reactor(selector=FakeSelector(self.clock), clock=self.clock)
        self.late: Late = []
        self.deadlines = Deadlines(self.reactor, self.note)

    def note(self, pending: Pending) -> None:
        pending.callback = None
        self.late.append(pending.action_id)

    def add(self, action_id: str, limit: float) -> Pending:
        pending = Pending(action_id, "Ping", print)
        pending.deadline = self.reactor.time() + limit
        self.deadlines.add(pending, limit)
        return pending

    def wait(self, seconds: float) -> Late:
        """Who was late within so many seconds."""
        self.late.clear()
        self.reactor.call_later(seconds, self.reactor.stop)
        self.reactor.run()
        return list(self.late)

    @property
    def is_idle(self) -> bool:
        """Whether no timer is left."""
        return self.reactor._timers.next_time() is None


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_late_ones_are_told_in_order_each_at_its_time(watch: Watch) -> None:
    watch.add("one", 10)
    watch.wait(4)
    watch.add("two", 10)
    watch.add("short", 3)
    assert watch.wait(4) == ["short"]
    assert watch.wait(3) == ["one"]
    assert watch.wait(4) == ["two"]


def test_what_was_answered_is_not_late(watch: Watch) -> None:
    first, _second, third = (watch.add(name, 10) for name in ("first", "second", "third"))
    first.callback = third.callback = None
    assert watch.wait(11) == ["second"]


def test_one_timer_does_for_many(watch: Watch) -> None:
    for number in range(500):
        watch.add(str(number), 10)
    assert len(watch.reactor._timers) == 1
    assert len(watch.wait(10)) == 500
    assert watch.is_idle


def test_what_was_answered_is_let_go_also_behind_one_that_takes_long(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines_module, "_MANY", 100)
    watch.add("slow", 10)
    for number in range(1000):
        watch.add(str(number), 10).callback = None
    kept = sum(len(queue.waiting) for queue in watch.deadlines._queues.values())
    assert kept <= 101
    assert watch.wait(10) == ["slow"]


def test_limits_that_nobody_waits_for_are_let_go(watch: Watch) -> None:
    kept = watch.add("kept", 500.5)
    for number in range(1000):
        watch.add(str(number), 3600 - number / 10).callback = None
    assert len(watch.deadlines._queues) < 100
    assert not watch.is_idle and len(watch.reactor._timers) < 300  # cancelled ones are forgotten now and then
    assert watch.wait(501) == [kept.action_id]


def test_a_limit_whose_timer_could_not_be_set_is_tried_again(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(watch.reactor, "call_later", interrupted)
        with pytest.raises(KeyboardInterrupt):
            watch.add("one", 10)
    watch.add("two", 10)
    assert watch.wait(11) == ["two"]


def packets_alive() -> int:
    gc.collect()
    return sum(type(one) is Packet for one in gc.get_objects())


def list_answered(peer: Peer, entries: int = 200) -> None:
    """A list that nobody keeps."""
    action_id = peer.conn.action("QueueStatus", lambda conn, packet: None)
    peer.answer(action_id, "Response: Success|EventList: start")
    peer.say(*[f"Event: QueueMember|ActionID: {action_id}|X: {number}" for number in range(entries)])
    peer.answer(action_id, "Event: QueueStatusComplete|EventList: Complete")


def test_behind_one_that_takes_long_answers_are_let_go(peer: Peer) -> None:
    peer.conn.ping(lambda conn, packet: None)
    before = packets_alive()
    list_answered(peer)
    list_answered(peer)
    peer.say("Event: One")
    peer.say("Event: Two")
    assert packets_alive() < before + 20


def test_a_list_is_let_go_when_something_comes_behind_it(peer: Peer) -> None:
    before = packets_alive()
    list_answered(peer)
    peer.say("Event: One")
    peer.say("Event: Two")
    assert packets_alive() < before + 20


def test_an_action_sent_by_the_one_that_is_late_is_watched_too(watch: Watch) -> None:
    note = watch.note

    def note_and_send(pending: Pending) -> None:
        note(pending)
        if len(watch.late) < 3:
            watch.add(f"after {pending.action_id}", 10)

    watch.deadlines = Deadlines(watch.reactor, note_and_send)
    watch.add("one", 10)
    assert watch.wait(31) == ["one", "after one", "after after one"]


def test_nothing_is_watched_after_clear(watch: Watch) -> None:
    watch.add("one", 10)
    watch.add("two", 20)
    watch.deadlines.clear()
    assert watch.is_idle
    assert watch.wait(30) == []


def test_cleared_by_the_one_that_is_late(watch: Watch) -> None:
    def note_and_clear(pending: Pending) -> None:
        watch.note(pending)
        watch.deadlines.clear()

    watch.deadlines = Deadlines(watch.reactor, note_and_clear)
    watch.add("one", 10)
    watch.add("two", 10)
    assert watch.wait(30) == ["one"]
    assert watch.is_idle


def test_an_interrupt_keeps_nobody_from_being_told(watch: Watch) -> None:
    def interrupted(pending: Pending) -> Any:
        watch.note(pending)
        if pending.action_id == "one":
            raise KeyboardInterrupt

    watch.deadlines = Deadlines(watch.reactor, interrupted)
    watch.add("one", 10)
    watch.add("two", 10)
    with pytest.raises(KeyboardInterrupt):
        watch.wait(11)
    watch.reactor.run()
    assert watch.late == ["one", "two"]
