"""What connections need of a loop, asked of ours, asyncio's and uvloop's alike."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import uvloop
from loops import AnyLoop, run

from ami_client.reactor import CallbackHandle, Loop, Reactor

Pair = tuple[socket.socket, socket.socket]

#: Loops keep their time in units of up to a millisecond, and asyncio calls a timer due that soon.
RESOLUTION = 0.002


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def other_pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def run_iterations(loop: AnyLoop, count: int) -> None:
    """Run *count* iterations more: enough for what must not happen to happen."""

    def next_one(left: int) -> None:
        if left:
            loop.call_soon(next_one, left - 1)
        else:
            loop.stop()

    loop.call_soon(next_one, count)
    run(loop)


def test_satisfies_the_protocol(loop: AnyLoop) -> None:
    as_protocol: Loop = loop  # for mypy
    assert isinstance(as_protocol, Loop)


def test_the_type_of_uvloop_satisfies_the_protocol() -> None:
    made = uvloop.new_event_loop()
    as_protocol: Loop = made  # for mypy
    assert isinstance(as_protocol, Loop)
    made.close()


def test_time_goes_on(loop: AnyLoop) -> None:
    seen = [loop.time()]
    loop.call_later(0.01, lambda: seen.append(loop.time()))
    loop.call_later(0.015, loop.stop)
    run(loop)
    assert 0.01 - RESOLUTION <= seen[1] - seen[0] < 5


def test_call_soon_is_first_come_first_served(loop: AnyLoop) -> None:
    seen: list[tuple[object, ...]] = []
    for number in range(5):
        loop.call_soon(lambda *args: seen.append(args), number, "x")
    loop.call_soon(loop.stop)
    run(loop)
    assert seen == [(number, "x") for number in range(5)]


def test_what_a_callback_schedules_waits_for_the_next_iteration(loop: AnyLoop) -> None:
    seen: list[str] = []

    def first() -> None:
        seen.append("first")
        loop.call_soon(seen.append, "next iteration")
        loop.call_soon(loop.stop)

    loop.call_soon(first)
    loop.call_soon(seen.append, "same iteration")
    run(loop)
    assert seen == ["first", "same iteration", "next iteration"]


def test_stop_finishes_the_iteration_and_the_loop_runs_again(loop: AnyLoop) -> None:
    seen: list[str] = []
    loop.call_soon(loop.stop)
    loop.call_soon(seen.append, "same iteration")
    run(loop)
    assert seen == ["same iteration"]
    loop.call_soon(seen.append, "second run")
    loop.call_soon(loop.stop)
    run(loop)
    assert seen == ["same iteration", "second run"]


def test_a_stop_before_the_run_lets_one_iteration_run(loop: AnyLoop) -> None:
    seen: list[str] = []

    def first() -> None:
        seen.append("first")
        loop.call_soon(seen.append, "second")

    loop.call_soon(first)
    loop.stop()
    run(loop)
    assert seen == ["first"]


def test_a_cancelled_callback_does_not_run(loop: AnyLoop) -> None:
    seen: list[str] = []
    loop.call_soon(seen.append, "before").cancel()
    later: list[asyncio.Handle | CallbackHandle] = []
    loop.call_soon(lambda: later.pop().cancel())
    later.append(loop.call_soon(seen.append, "by an earlier callback"))
    done = loop.call_soon(seen.append, "ran")
    loop.call_soon(loop.stop)
    run(loop)
    done.cancel()
    assert seen == ["ran"]


def test_a_handle_says_whether_it_was_cancelled(loop: AnyLoop) -> None:
    for handle in (loop.call_soon(print), loop.call_later(1, print)):
        assert not handle.cancelled()
        handle.cancel()
        handle.cancel()
        assert handle.cancelled()


def test_timers_run_in_order_of_their_times(loop: AnyLoop) -> None:
    seen: list[object] = []
    loop.call_later(0.015, loop.stop)
    loop.call_later(0.01, seen.append, "late")
    loop.call_later(0.005, seen.append, "early")
    loop.call_later(0, seen.append, "at once")
    loop.call_later(-1, seen.append, "overdue")
    run(loop)
    assert sorted(map(str, seen[:2])) == ["at once", "overdue"]
    assert seen[2:] == ["early", "late"]


def test_a_cancelled_timer_does_not_run(loop: AnyLoop) -> None:
    seen: list[str] = []
    loop.call_later(0.001, seen.append, "cancelled").cancel()
    handle = loop.call_later(0.01, seen.append, "cancelled by a timer")
    loop.call_later(0.001, handle.cancel)
    loop.call_later(0.015, loop.stop)
    run(loop)
    assert seen == []


def test_a_timer_tells_its_time(loop: AnyLoop) -> None:
    before = loop.time()
    handle = loop.call_later(5, print)
    assert before + 5 - RESOLUTION <= handle.when() <= loop.time() + 5 + RESOLUTION
    handle.cancel()


def test_a_raising_callback_harms_nothing_else(loop: AnyLoop, pair: Pair, expect_log: Callable[[str], None]) -> None:
    if isinstance(loop, Reactor):
        expect_log(r"ERROR: callback .*(fail|read) raised")
    else:
        loop.set_exception_handler(lambda loop, context: None)
    ours, theirs = pair
    seen: list[str] = []

    def fail(*args: object) -> None:
        raise LookupError("on purpose")

    def read() -> None:
        seen.append("reader")
        ours.recv(10)
        loop.call_later(0.001, fail)
        loop.call_later(0.002, loop.stop)
        fail()

    loop.call_soon(fail)
    loop.call_soon(seen.append, "callback")
    loop.add_reader(ours.fileno(), read)
    theirs.send(b"x")
    run(loop)
    assert sorted(seen) == ["callback", "reader"]
    loop.remove_reader(ours.fileno())


# Descriptors


def test_a_reader_is_called_while_there_is_something_to_read(loop: AnyLoop, pair: Pair) -> None:
    ours, theirs = pair
    seen: list[bytes] = []

    def read(limit: int, end: bytes) -> None:
        seen.append(ours.recv(limit))
        if seen[-1] == end:
            loop.remove_reader(ours.fileno())  # uvloop may call it again in this iteration
            loop.stop()

    loop.add_reader(ours.fileno(), read, 2, b"")
    loop.call_soon(theirs.send, b"abcde")
    loop.call_later(0.01, theirs.close)
    run(loop)
    assert seen == [b"ab", b"cd", b"e", b""]


def test_a_writer_is_called_when_there_is_room_again_and_not_before(loop: AnyLoop, pair: Pair) -> None:
    ours, theirs = pair
    seen: list[str] = []
    sent = 0

    def fill() -> None:
        nonlocal sent
        if sent:
            seen.append("room")
            loop.remove_writer(ours.fileno())
            loop.stop()
            return
        with contextlib.suppress(BlockingIOError):
            while True:
                sent += ours.send(bytes(1 << 16))
        theirs.send(b"x")

    def read() -> None:
        ours.recv(1)
        seen.append("read")
        loop.call_later(0.005, drain)

    def drain() -> None:
        seen.append("drain")
        left = sent
        while left:
            left -= len(theirs.recv(1 << 16))

    loop.add_reader(ours.fileno(), read)
    loop.add_writer(ours.fileno(), fill)
    run(loop)
    loop.remove_reader(ours.fileno())
    assert seen == ["read", "drain", "room"]


def test_adding_again_replaces_the_callback(loop: AnyLoop, pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(b"x")
    seen: list[str] = []
    for name in ("first", "second"):
        loop.add_reader(ours.fileno(), seen.append, f"{name} reader")
        loop.add_writer(ours.fileno(), seen.append, f"{name} writer")
    run_iterations(loop, 3)
    assert set(seen) == {"second reader", "second writer"}
    loop.remove_reader(ours.fileno())
    loop.remove_writer(ours.fileno())


def test_removing_what_is_not_watched_is_harmless(loop: AnyLoop, pair: Pair) -> None:
    fd = pair[0].fileno()
    for _ in range(2):
        loop.remove_reader(fd)
        loop.remove_writer(fd)
        loop.add_reader(fd, loop.stop)
        loop.remove_writer(fd)
        pair[1].send(b"x")
        run(loop)
        loop.remove_reader(fd)
        loop.remove_reader(fd)


@pytest.mark.parametrize("removed", ["reader", "writer"])
def test_the_two_sides_of_a_descriptor_are_separate(loop: AnyLoop, pair: Pair, removed: str) -> None:
    ours, theirs = pair
    theirs.send(b"x")
    seen: list[str] = []
    loop.add_reader(ours.fileno(), seen.append, "reader")
    loop.add_writer(ours.fileno(), seen.append, "writer")
    run_iterations(loop, 3)
    assert set(seen) == {"reader", "writer"}
    seen.clear()
    remove, remove_other = loop.remove_reader, loop.remove_writer
    if removed == "writer":
        remove, remove_other = remove_other, remove
    remove(ours.fileno())
    run_iterations(loop, 3)
    assert set(seen) == {"reader", "writer"} - {removed}
    remove_other(ours.fileno())
    seen.clear()
    run_iterations(loop, 3)
    assert seen == []


def test_a_reader_removed_by_another_in_the_same_iteration_does_not_run(
    loop: AnyLoop, pair: Pair, other_pair: Pair
) -> None:
    seen: list[int] = []

    def read(mine: int, other: int) -> None:
        seen.append(mine)
        loop.remove_reader(mine)
        loop.remove_reader(other)
        loop.call_soon(loop.stop)

    fds = pair[0].fileno(), other_pair[0].fileno()
    loop.add_reader(fds[0], read, fds[0], fds[1])
    loop.add_reader(fds[1], read, fds[1], fds[0])
    pair[1].send(b"x")
    other_pair[1].send(b"x")
    run(loop)
    assert len(seen) == 1


def test_a_descriptor_number_can_be_used_again(loop: AnyLoop) -> None:
    for _ in range(3):  # the same number each time, as a rule
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.send(b"x")
            loop.add_reader(ours.fileno(), loop.stop)
            run(loop)
            loop.remove_reader(ours.fileno())


# Threads


def test_a_thread_wakes_the_waiting_loop_each_time(loop: AnyLoop) -> None:
    rounds = 200
    asked: queue.Queue[int] = queue.Queue()

    def answer() -> None:
        number = 0
        while number < rounds:
            number = asked.get(timeout=10)
            loop.call_soon_threadsafe(answered, number)

    def answered(number: int) -> None:
        if number == rounds:
            loop.stop()
        else:
            asked.put(number + 1)  # nothing is scheduled now: the loop waits

    thread = threading.Thread(target=answer)
    thread.start()
    loop.call_soon(answered, 0)
    run(loop)
    thread.join()


def test_a_storm_of_calls_from_threads_loses_none_and_keeps_their_order(loop: AnyLoop) -> None:
    calls, threads = 3000, 4
    seen: dict[int, list[int]] = {thread: [] for thread in range(threads)}

    def storm(thread: int) -> None:
        for number in range(calls):
            loop.call_soon_threadsafe(got, thread, number)

    def got(thread: int, number: int) -> None:
        seen[thread].append(number)
        if all(len(numbers) == calls for numbers in seen.values()):
            loop.stop()

    started = [threading.Thread(target=storm, args=(thread,)) for thread in range(threads)]
    started[0].start()
    started[0].join()  # before the loop runs: nothing reads the wake-ups, and nothing blocks
    for thread in started[1:]:
        thread.start()
    run(loop)
    for thread in started[1:]:
        thread.join()
    assert all(numbers == list(range(calls)) for numbers in seen.values())


def test_a_call_from_a_thread_can_be_cancelled(loop: AnyLoop) -> None:
    seen: list[str] = []
    loop.call_soon_threadsafe(seen.append, "cancelled").cancel()
    loop.call_soon_threadsafe(loop.stop)
    run(loop)
    assert seen == []


# The end


def test_a_closed_loop_takes_nothing_more(loop: AnyLoop, pair: Pair) -> None:
    assert not loop.is_closed()
    loop.close()
    loop.close()
    assert loop.is_closed()
    fd = pair[0].fileno()
    for refused in (
        lambda: loop.call_soon(print),
        lambda: loop.call_soon_threadsafe(print),
        lambda: loop.call_later(1, print),
        lambda: loop.add_reader(fd, print),
        lambda: loop.add_writer(fd, print),
    ):
        with pytest.raises(RuntimeError, match="closed"):
            refused()
