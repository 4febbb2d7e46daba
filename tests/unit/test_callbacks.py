"""Queues of callbacks, and the guarded call of user code."""

from __future__ import annotations

import functools
import inspect
import logging
import math
import types
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock, create_autospec

import pytest
from cases import for_each

from ami_client.callbacks import (
    CONN,
    CONN_PACKET,
    OneArgument,
    PriorityQueueCallbacks,
    StackCallbacks,
    call_guarded,
    callback_name,
    require_callable,
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
    with pytest.raises(TypeError, match="pri must be a number"):
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


def wrapped(function: Callable[..., object], wrapper: Callable[..., object]) -> Callable[..., object]:
    return functools.wraps(function)(wrapper)


class Shapes:
    @functools.singledispatchmethod
    def dispatched(self, conn: object, packet: object) -> None: ...

    @functools.wraps(lambda self, conn: None)
    def decorated(self, conn: object, packet: object) -> None: ...

    @staticmethod
    def static(conn: object) -> None: ...

    @classmethod
    def of_class(cls, conn: object, packet: object) -> None: ...

    def strict(self, conn: object, *, needed: int) -> None: ...

    part = functools.partialmethod(lambda self, one, conn: None, 1)


class Made:
    def __init__(self, conn: object) -> None: ...


class Empty:
    def __call__(self) -> None: ...


def needs(conn: object, packet: object, *, needed: int) -> None: ...


needless = functools.wraps(needs)(lambda conn, packet, *, needed=1: None)
lying = wrapped(print, lambda conn: None)
lying.__signature__ = inspect.signature(needs)  # type: ignore[attr-defined]

# Whether it can be called with (conn), and with (conn, packet).
SHAPES: list[tuple[Any, bool, bool]] = [
    (lambda conn: None, True, False),
    (lambda conn, packet: None, False, True),
    (lambda conn, packet=None: None, True, True),
    (lambda *args: None, True, True),
    (lambda conn, *rest: None, True, True),
    (lambda a, b, *rest: None, False, True),
    (lambda a, b, c, *rest: None, False, False),
    (lambda: None, False, False),
    (lambda **kwargs: None, False, False),
    (lambda a, b, c: None, False, False),
    (lambda a, b, c=1: None, False, True),
    (lambda conn, packet, *, timeout=1: None, False, True),
    (needs, False, False),
    (needless, False, True),
    (lying, True, False),
    (lambda *args, needed: None, False, False),
    (functools.partial(needs, needed=1), False, True),
    (functools.partial(needs, 1, needed=1), True, False),
    (functools.partial(lambda conn, packet: None, packet=1), True, False),
    (functools.partial(lambda: None), False, False),
    (functools.partial(functools.partial(lambda a, b, conn: None, 1), 2), True, False),
    (wrapped(lambda conn: None, lambda conn, packet: None), False, True),
    (wrapped(lambda conn, packet, extra: None, lambda conn, packet: None), False, True),
    (wrapped(lambda conn, packet: None, lambda conn: None), True, False),
    (wrapped(lambda conn: None, lambda *args: None), True, True),
    (functools.partial(wrapped(lambda conn: None, lambda a, conn, packet: None), 1), False, True),
    (Shapes().dispatched, True, True),
    (Shapes().decorated, False, True),
    (Shapes.decorated, False, False),
    (Shapes().static, True, False),
    (Shapes.static, True, False),
    (Shapes().of_class, False, True),
    (Shapes().strict, False, False),
    (Shapes().part, True, False),
    (types.MethodType(functools.partial(lambda a, self, conn: None, 1), 2), True, False),
    (Made, True, False),
    (Empty(), False, False),
    (Handler(), False, True),
    (Handler().method, True, False),
    (Mock(), True, True),
    (MagicMock(), True, True),
    (Mock(spec=["anything"]), True, True),
    *((mock(spec=one), True, True) for mock in (Mock, MagicMock) for one in (needs, Handler().method, Handler(), Made)),
    (create_autospec(lambda conn: None), True, False),
    (create_autospec(lambda conn, packet: None), False, True),
    (create_autospec(lambda a, b, c: None), False, False),
    (OneArgument(lambda conn: None), True, True),
    (print, True, True),
    ([].append, True, False),
    (dict, True, True),
    (functools.lru_cache(lambda conn: None), True, True),  # it does not say what it takes
]


@for_each(("cb", "alone", "both"), SHAPES)
def test_what_counts_is_what_can_be_called(cb: Any, alone: bool, both: bool) -> None:
    for arguments, fits in ((CONN, alone), (CONN_PACKET, both)):
        if fits:
            require_callable(cb, "callback", arguments)
        else:
            with pytest.raises(TypeError, match=rf"^callback must take \({', '.join(arguments)}\), and .* does not$"):
                require_callable(cb, "callback", arguments)
    assert takes_one_argument(cb) is (alone and not both)
    if alone or both:
        assert (trim_arguments(cb) is cb) is both
    else:
        with pytest.raises(TypeError, match=r"^callback must take \(conn, packet\) or \(conn\), and .* does not$"):
            trim_arguments(cb)


def test_an_error_names_the_function_and_not_what_it_carries() -> None:
    with pytest.raises(TypeError, match=r"test_callbacks\.needs does not") as raised:
        require_callable(functools.partial(needs, "hunter2"), "callback", CONN_PACKET)
    assert "hunter2" not in str(raised.value)


def test_arguments_are_trimmed_to_what_the_callback_takes() -> None:
    calls: list[Any] = []
    trim_arguments(lambda conn: calls.append(conn))("conn", "packet")
    trim_arguments(lambda conn, packet: calls.append((conn, packet)))("conn", "packet")
    trim_arguments(lambda *args: calls.append(args))("conn", "packet")
    assert calls == ["conn", ("conn", "packet"), ("conn", "packet")]


# Callables that would do nothing


async def coroutine(conn: object, packet: object = None) -> None: ...


def generator(conn: object, packet: object = None) -> Iterator[None]:
    yield


async def asynchronous(conn: object, packet: object = None) -> AsyncIterator[None]:
    yield


class Later:
    async def __call__(self, conn: object, packet: object = None) -> None: ...

    async def method(self, conn: object, packet: object = None) -> None: ...

    @staticmethod
    async def static(conn: object, packet: object = None) -> None: ...

    @classmethod
    async def of_class(cls, conn: object, packet: object = None) -> None: ...

    part = functools.partialmethod(method, packet=None)


class Yields:
    def __call__(self, conn: object, packet: object = None) -> Iterator[None]:
        yield


class Streams:
    async def __call__(self, conn: object, packet: object = None) -> AsyncIterator[None]:
        yield


class Calls:
    """What is called is an attribute of the class."""

    __call__ = functools.partial(coroutine)


class Nested:
    __call__ = Later()


@types.coroutine
def old_style(conn: object, packet: object = None) -> Iterator[None]:
    yield


AWAIT, RUN = "nobody would await it", "nobody would run it"

UNRUN: list[tuple[Any, str]] = [
    (coroutine, AWAIT),
    (generator, RUN),
    (old_style, RUN),
    (asynchronous, RUN),
    (Later(), AWAIT),
    (Later().method, AWAIT),
    (Later.static, AWAIT),
    (Later().of_class, AWAIT),
    (Later().part, AWAIT),
    (Later().__call__, AWAIT),
    (Yields(), RUN),
    (Streams(), RUN),
    (Calls(), AWAIT),
    (Nested(), AWAIT),
    (AsyncMock(), AWAIT),
    (MagicMock(spec=coroutine), AWAIT),
    (create_autospec(coroutine), AWAIT),
    (AsyncMock().anything, AWAIT),
    (functools.partial(coroutine), AWAIT),
    (functools.partial(generator, packet=1), RUN),
    (functools.partial(functools.partial(Later())), AWAIT),
    (functools.partial(AsyncMock(), 1), AWAIT),
    (OneArgument(coroutine), AWAIT),
    (OneArgument(functools.partial(Yields())), RUN),
    (types.MethodType(coroutine, object()), AWAIT),
    (types.MethodType(Later(), object()), AWAIT),
]

WAYS: dict[str, Callable[[Any], object]] = {
    "require_callable": require_callable,
    "with arguments": lambda cb: require_callable(cb, "callback", CONN_PACKET),
    "trim_arguments": trim_arguments,
    "stack": lambda cb: StackCallbacks().push(cb),
    "queue": lambda cb: PriorityQueueCallbacks().insert(cb),
}


@for_each("way", WAYS)
@for_each(("cb", "why"), UNRUN)
def test_what_would_do_nothing_is_no_callback(cb: Any, why: str, way: str) -> None:
    with pytest.raises(TypeError, match=why):
        WAYS[way](cb)


A_WRAPPER = Later().__init__  # type: ignore[misc]  # nobody calls it: it stands for methods that are written in C


@pytest.mark.parametrize("cb", [Later, A_WRAPPER, type, len, str.upper, Mock(), MagicMock(), Handler()])
def test_what_makes_neither_is_taken(cb: Any) -> None:
    require_callable(cb)


def test_a_decorated_function_is_accepted_without_a_closer_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """The closer look loads ``inspect``, which takes longer than the rest of a small program's start."""

    @functools.wraps(print)
    def decorated(conn: object, packet: object) -> None: ...

    monkeypatch.setattr("ami_client.callbacks._unrun", None)
    assert require_callable(decorated) is False
    assert require_callable(decorated, arguments=CONN_PACKET) is False
