"""Queues of callbacks, and the guarded call of user code."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable
from typing import Any

import pytest

from ami_client.callbacks import (
    PriorityQueueCallbacks,
    StackCallbacks,
    call_guarded,
    callback_name,
    takes_one_argument,
    trim_arguments,
)

Queue = Any  # either kind, given something to add with


@pytest.fixture(params=[StackCallbacks, PriorityQueueCallbacks])
def queue(request: pytest.FixtureRequest) -> Queue:
    made = request.param()
    made.add = made.push if isinstance(made, StackCallbacks) else made.insert
    return made


def add(queue: Queue, calls: list[Any], *names: str) -> None:
    for name in names:
        queue.add(lambda *args, name=name: calls.append((name, *args)))


def test_callbacks_run_first_come_first_served(queue: Queue) -> None:
    calls: list[Any] = []
    add(queue, calls, "a", "b", "c")
    assert len(queue) == 3
    assert queue.execute_one("x", 1) is True
    assert calls == [("a", "x", 1)]
    assert queue.execute_all("y") == 2
    assert calls == [("a", "x", 1), ("b", "y"), ("c", "y")]
    assert len(queue) == 0


def test_an_empty_queue_runs_nothing(queue: Queue) -> None:
    assert queue.execute_one() is False
    assert queue.execute_all() == 0


def test_a_callback_leaves_the_queue_before_it_is_called(queue: Queue) -> None:
    lengths: list[int] = []
    queue.add(lambda: lengths.append(len(queue)))
    queue.add(lambda: lengths.append(len(queue)))
    queue.execute_all()
    assert lengths == [1, 0]


def test_callbacks_added_meanwhile_run_too(queue: Queue) -> None:
    calls: list[Any] = []
    queue.add(lambda: add(queue, calls, "added"))
    assert queue.execute_all() == 2
    assert calls == [("added",)]


def test_one_that_raises_stops_no_other_and_is_not_called_again(
    queue: Queue, expect_log: Callable[[str], None]
) -> None:
    calls: list[Any] = []
    expect_log("ERROR: callback .*raises raised")

    def raises() -> None:
        calls.append("raised")
        raise RuntimeError("boom")

    queue.add(raises)
    add(queue, calls, "next")
    assert queue.execute_all() == 2
    assert calls == ["raised", ("next",)]


def test_only_what_can_be_called_is_taken(queue: Queue) -> None:
    for wrong in (None, "name", 5):
        with pytest.raises(TypeError, match="callable"):
            queue.add(wrong)
    assert len(queue) == 0


def test_the_same_callback_may_wait_twice(queue: Queue) -> None:
    calls: list[int] = []
    cb = functools.partial(calls.append, 1)
    queue.add(cb)
    queue.add(cb)
    assert queue.execute_all() == 2
    assert calls == [1, 1]


def test_higher_priorities_run_first_and_equal_ones_in_order() -> None:
    queue = PriorityQueueCallbacks()
    calls: list[Any] = []
    for name, priority in [("a", 0), ("b", 5), ("c", -1), ("d", 5), ("e", 0.5), ("f", 0), ("g", 5)]:
        queue.insert(functools.partial(calls.append, name), priority)
    queue.execute_all()
    assert calls == ["b", "d", "g", "e", "a", "f", "c"]


def test_a_thousand_equal_ones_keep_their_order() -> None:
    queue = PriorityQueueCallbacks()
    calls: list[Any] = []
    for number in range(1000):
        queue.insert(functools.partial(calls.append, number))
    queue.execute_all()
    assert calls == list(range(1000))


def test_pop_gives_the_next_one_uncalled() -> None:
    queue, low, high = PriorityQueueCallbacks(), lambda: None, lambda: None
    queue.insert(low, 1)
    queue.insert(high, 2)
    assert queue.pop() is high
    assert queue.pop() is low
    with pytest.raises(IndexError):
        queue.pop()


# The guarded call


def test_a_guarded_call_returns_what_the_callback_returned() -> None:
    assert call_guarded(lambda a, b=0: (a, b), 1, b=2) == (1, 2)


def test_an_exception_is_logged_with_its_traceback(
    expect_log: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    expect_log("ERROR: callback .*fails raised")

    def fails(secret: str) -> None:
        raise KeyError("the cause")

    with caplog.at_level(logging.ERROR, logger="ami_client"):
        assert call_guarded(fails, "hunter2") is None
    (record,) = caplog.records
    assert record.name == "ami_client"
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError
    assert "hunter2" not in record.getMessage()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_is_for_the_whole_program_passes(stop: type[BaseException]) -> None:
    def stops() -> None:
        raise stop

    with pytest.raises(stop):
        call_guarded(stops)


class Handler:
    def __call__(self, conn: object, packet: object) -> None: ...

    def method(self, conn: object) -> None: ...


def test_names_for_logs_show_no_arguments() -> None:
    assert callback_name(Handler.method).endswith("Handler.method")
    assert callback_name(Handler().method).endswith("Handler.method")
    assert callback_name(Handler()).endswith("Handler")
    assert "hunter2" not in callback_name(functools.partial(print, "hunter2"))


@pytest.mark.parametrize("priority", [math.nan, "5", None])
def test_a_priority_that_is_no_number_is_refused(priority: Any) -> None:
    queue = PriorityQueueCallbacks()
    with pytest.raises(TypeError, match="priority"):
        queue.insert(print, priority)
    assert len(queue) == 0


# Callbacks that take the connection alone


@pytest.mark.parametrize(
    ("cb", "one"),
    [
        (lambda conn: None, True),
        (lambda conn, *, timeout=1: None, True),
        (lambda conn, packet: None, False),
        (lambda conn, packet=None: None, False),
        (lambda *args: None, False),
        (Handler().method, True),
        (Handler(), False),
        (functools.partial(lambda a, conn: None, 1), True),
        (print, False),
        ([].append, True),
        (type, False),
    ],
)
def test_whether_a_callback_takes_one_argument(cb: Callable[..., object], one: bool) -> None:
    assert takes_one_argument(cb) is one


def test_arguments_are_trimmed_to_what_the_callback_takes() -> None:
    calls: list[Any] = []
    trim_arguments(lambda conn: calls.append(conn))("conn", "packet")
    trim_arguments(lambda conn, packet: calls.append((conn, packet)))("conn", "packet")
    trim_arguments(lambda *args: calls.append(args))("conn", "packet")
    assert calls == ["conn", ("conn", "packet"), ("conn", "packet")]


def test_a_coroutine_function_is_no_callback() -> None:
    async def later(conn: object, packet: object) -> None: ...

    with pytest.raises(TypeError, match="nobody would await it"):
        StackCallbacks().push(later)
