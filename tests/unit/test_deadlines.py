"""Time limits: who is late is told, in order, whatever was answered before, behind or in between."""

from __future__ import annotations

from typing import Any

import pytest

from ami_client import Reactor
from ami_client import deadlines as deadlines_module
from ami_client.deadlines import Deadlines
from ami_client.pending import Pending
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
