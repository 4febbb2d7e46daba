"""The reactor on simulated time: order of callbacks and timers, running, stopping, closing."""

from __future__ import annotations

import functools
import gc
import math
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from programs import on_library

from ami_client.reactor import Reactor, TimerHandle
from ami_client.testing import FakeClock, FakeSelector, FakeSocket

ExpectLog = Callable[[str], None]


class WaitRecorder(FakeSelector):
    """Keeps the timeouts that it was asked to wait for."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.waits: list[float | None] = []

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.waits.append(timeout)
        return super().select(timeout)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1000.0)


@pytest.fixture
def selector(clock: FakeClock) -> WaitRecorder:
    return WaitRecorder(clock)


@pytest.fixture
def simulated(selector: WaitRecorder, clock: FakeClock) -> Iterator[Reactor]:
    with Reactor(selector, clock) as reactor:
        yield reactor


# Simulated time


def test_simulation_takes_no_socket(simulated: Reactor, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "socketpair")
    sock = FakeSocket()
    seen: list[object] = []
    sock.connect_ex(("192.0.2.1", 5038))
    simulated.call_soon_threadsafe(seen.append, "thread")
    simulated.call_later(3600, simulated.stop)
    simulated.call_later(60, sock.feed, b"x")
    simulated.add_reader(sock.fileno(), lambda: seen.append(sock.recv(10)))
    simulated.run()
    assert seen == ["thread", b"x"]
    assert clock() == simulated.time() == 1000.0 + 3600


def test_making_one_takes_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "socketpair")
    Reactor().close()


def test_timers_fire_at_their_time_in_order_and_equal_ones_as_scheduled(
    simulated: Reactor, selector: WaitRecorder
) -> None:
    seen: list[tuple[str, float]] = []

    def note(name: str) -> None:
        seen.append((name, simulated.time()))

    simulated.call_later(2.5, note, "late")
    for name in "abcdefghij":
        simulated.call_at(1001.0, note, name)
    simulated.call_later(0.25, note, "early")
    simulated.call_later(2.5, simulated.stop)
    simulated.run()
    assert seen == [("early", 1000.25), *((n, 1001.0) for n in "abcdefghij"), ("late", 1002.5)]
    assert selector.waits == [0.25, 0.75, 1.5]


def test_a_timer_never_fires_early(simulated: Reactor, clock: FakeClock) -> None:
    seen: list[str] = []
    due = simulated.call_later(0.1, seen.append, "x").when()
    clock.now = math.nextafter(due, 0.0)
    simulated.run_once(0)
    assert seen == []
    clock.now = due
    simulated.run_once(0)
    assert seen == ["x"]


def test_inexact_sums_of_times_make_no_endless_waits(selector: WaitRecorder, clock: FakeClock) -> None:
    clock.now = 0.1
    with Reactor(selector, clock) as reactor:
        for number in range(1, 200):
            selector.waits.clear()
            reactor.call_later(number * 1000.3, reactor.stop)
            reactor.run()
            assert len(selector.waits) <= 2 + number * 1000.3 // 86400


def test_a_timer_set_by_a_due_timer_waits_for_the_next_iteration(simulated: Reactor) -> None:
    seen: list[str] = []
    simulated.call_later(0, lambda: simulated.call_later(0, seen.append, "second"))
    simulated.run_once(0)
    assert seen == []
    simulated.run_once(0)
    assert seen == ["second"]


def test_a_cancelled_timer_wakes_nobody(simulated: Reactor, selector: WaitRecorder) -> None:
    simulated.call_later(5, simulated.stop)
    simulated.call_later(1, print).cancel()
    simulated.run()
    assert selector.waits == [5.0]


def test_cancelled_timers_do_not_stay_in_memory(simulated: Reactor) -> None:
    def timers() -> int:
        gc.collect()  # what other tests left behind
        return sum(type(thing) is TimerHandle for thing in gc.get_objects())

    before = timers()
    simulated.call_later(1, print).cancel()
    kept = [simulated.call_later(50 + number, print) for number in range(10)]
    for _ in range(20_000):
        simulated.call_later(60, print).cancel()
    simulated.run_once(0)
    assert timers() - before < 200
    for handle in kept:
        handle.cancel()


def test_the_purge_keeps_what_was_not_cancelled(simulated: Reactor) -> None:
    seen: list[int] = []
    handles = [simulated.call_later(number % 7, seen.append, number) for number in range(1000)]
    for number, handle in enumerate(handles):
        if number % 10:
            handle.cancel()
            handle.cancel()
    simulated.call_later(7, simulated.stop)
    simulated.run()
    assert seen == sorted(range(0, 1000, 10), key=lambda number: number % 7)


def test_a_cancelled_timer_lets_go_of_its_arguments_at_once(simulated: Reactor) -> None:
    class Thing:
        pass

    thing = Thing()
    handle = simulated.call_later(60, print, thing)
    before = sys.getrefcount(thing)
    handle.cancel()
    assert sys.getrefcount(thing) < before


def test_very_long_timers(simulated: Reactor, selector: WaitRecorder) -> None:
    simulated.call_later(math.inf, print)
    simulated.call_later(40 * 86400, simulated.stop)
    simulated.run()
    assert simulated.time() == 1000.0 + 40 * 86400
    assert max(wait or 0 for wait in selector.waits) * 1000 < 2**31


def test_a_time_that_is_no_number_is_refused(simulated: Reactor) -> None:
    with pytest.raises(ValueError, match="not a number"):
        simulated.call_later(math.nan, print)


class Indexed:
    """A whole number that is no int."""

    def __index__(self) -> int:
        return 2


@pytest.mark.parametrize("number", [2, 2.0, Decimal(2), Fraction(2), True + True, Indexed()])
def test_any_number_is_a_time(simulated: Reactor, selector: WaitRecorder, number: float) -> None:
    assert simulated.call_later(number, simulated.stop).when() == 1002.0
    simulated.call_at(number, print).cancel()
    simulated.run()
    assert simulated.time() == 1002.0
    simulated.run_once(number)
    assert simulated.time() == 1004.0
    assert {type(wait) for wait in selector.waits} == {float}


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ("5", TypeError),
        (b"5", TypeError),
        (bytearray(b"5"), TypeError),
        ([5], TypeError),
        (5j, TypeError),
        (object(), TypeError),
        (math.nan, ValueError),
        (Decimal("nan"), ValueError),
        (Decimal("snan"), ValueError),
        pytest.param(10**400, OverflowError, id="huge"),
    ],
)
def test_what_is_no_time_is_refused_at_once(simulated: Reactor, wrong: Any, error: type[Exception]) -> None:
    for use in (simulated.call_later, simulated.call_at):
        with pytest.raises(error):
            use(wrong, print)
    for _ in range(2):  # with something to do it does not look at its limit
        with pytest.raises(error):
            simulated.run_once(wrong)
        simulated.call_soon(int)
    with pytest.raises(TypeError):
        simulated.call_later(None, print)  # type: ignore[arg-type]
    assert simulated.run_once(0)
    assert not simulated.run_once(0)


@pytest.mark.parametrize("wrong", [None, 5, "print"])
def test_what_cannot_be_called_is_refused_at_once(simulated: Reactor, wrong: Any) -> None:
    sock = FakeSocket()
    uses: list[Callable[[], object]] = [
        lambda: simulated.call_soon(wrong),
        lambda: simulated.call_soon_threadsafe(wrong),
        lambda: simulated.call_later(0, wrong),
        lambda: simulated.call_at(0, wrong),
        lambda: simulated.add_reader(sock, wrong),
        lambda: simulated.add_writer(sock, wrong),
        lambda: simulated.add_signal_handler(signal.SIGUSR1, wrong),
        lambda: Reactor(clock=wrong),
    ]
    for use in uses:
        with pytest.raises(TypeError):
            use()
    assert simulated.run_once(0) is False
    assert not simulated.remove_reader(sock) and not simulated.remove_signal_handler(signal.SIGUSR1)


def test_run_once_waits_no_longer_than_told(simulated: Reactor, selector: WaitRecorder) -> None:
    simulated.call_later(5, print)
    assert simulated.run_once(2) is False
    assert simulated.time() == 1002.0
    assert simulated.run_once(-1) is False
    simulated.run_once(10)
    assert simulated.time() == 1005.0
    assert selector.waits == [2, 0, 3.0]


def test_run_once_tells_whether_a_callback_ran(simulated: Reactor) -> None:
    simulated.call_soon(int)
    assert simulated.run_once(0) is True
    assert simulated.run_once(0) is False
    simulated.call_soon(int).cancel()
    assert simulated.run_once(0) is False


# Running and stopping


def test_a_stop_does_not_outlast_its_iteration(simulated: Reactor, selector: WaitRecorder) -> None:
    simulated.stop()
    simulated.run_once(1)
    simulated.run_once(1)
    assert selector.waits == [0, 1]


def test_running_is_not_nested(simulated: Reactor) -> None:
    errors: list[str] = []

    def nested() -> None:
        for call in (simulated.run, simulated.run_once, simulated.close):
            with pytest.raises(RuntimeError) as caught:
                call()
            errors.append(str(caught.value))

    simulated.call_soon(nested)
    assert not simulated.is_running()
    simulated.call_soon(lambda: errors.append(str(simulated.is_running())))
    simulated.run_once()
    assert len(errors) == 4 and errors[-1] == "True"
    assert not simulated.is_running() and not simulated.is_closed()


def test_a_raising_callback_is_logged_with_traceback_and_without_arguments(
    simulated: Reactor, expect_log: ExpectLog, caplog: pytest.LogCaptureFixture
) -> None:
    expect_log("callback builtins.int raised")
    expect_log("callback .*dict.__getitem__ raised")
    simulated.call_soon(
        functools.partial(int, "no number", base=10),
    )
    simulated.call_soon(functools.partial(dict.__getitem__, {"key": "s3cret"}), "other")
    assert simulated.run_once(0)
    first, second = caplog.records
    assert first.exc_info and first.exc_info[0] is ValueError
    assert second.exc_info and second.exc_info[0] is KeyError
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_is_for_the_program_comes_out_and_loses_no_callback(simulated: Reactor, kind: type[BaseException]) -> None:
    seen: list[str] = []

    def leave() -> None:
        raise kind

    simulated.call_soon(leave)
    simulated.call_soon(seen.append, "left for later")
    simulated.call_later(0, seen.append, "timer")
    with pytest.raises(kind):
        simulated.run()
    assert seen == []
    simulated.call_later(0, simulated.stop)
    simulated.run()
    assert seen == ["left for later", "timer"]


def test_the_default_reactor_is_one_and_is_replaced_when_closed() -> None:
    first = Reactor.instance()
    assert Reactor.instance() is first
    first.close()
    second = Reactor.instance()
    assert second is not first and not second.is_closed()
    second.close()


def test_the_default_reactor_leaves_nothing_open_at_the_end_of_the_program() -> None:
    code = (
        "from ami_client.reactor import Reactor\n"
        "reactor = Reactor.instance()\n"
        "reactor.call_soon(reactor.stop)\n"
        "reactor.run()\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", code], capture_output=True, text=True, check=True, **on_library()
    )
    assert done.stderr == ""


def test_closing_closes_the_selector_and_drops_what_is_scheduled(selector: WaitRecorder, clock: FakeClock) -> None:
    sock = FakeSocket()
    with Reactor(selector, clock) as reactor:
        reactor.call_soon(print)
        timer = reactor.call_later(1, print)
        reactor.add_reader(sock, print)
    assert reactor.is_closed()
    assert not selector.get_map()
    assert not sock.closed
    timer.cancel()
    reactor.close()
    assert not reactor.remove_reader(sock)
    assert not reactor.remove_writer(sock)
    for refused in (reactor.run, reactor.run_once, lambda: reactor.call_at(1, print)):
        with pytest.raises(RuntimeError, match="closed"):
            refused()
    with pytest.raises(RuntimeError, match="closed"):
        reactor.add_signal_handler(signal.SIGUSR1, print)


def test_a_descriptor_without_callbacks_is_not_in_the_selector(simulated: Reactor, selector: WaitRecorder) -> None:
    sock = FakeSocket()
    simulated.add_reader(sock.fileno(), print)
    simulated.add_writer(sock.fileno(), print)
    assert len(selector.get_map()) == 1
    simulated.remove_reader(sock.fileno())
    simulated.remove_writer(sock.fileno())
    assert not selector.get_map()
