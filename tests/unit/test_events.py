"""EventHandlers: phpDaemon's rules on pyee's emitter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pyee import PyeeError

from ami_client.emitter import EventHandlers

Log = list[Any]


@pytest.fixture
def emitter() -> EventHandlers:
    return EventHandlers()


@pytest.fixture
def log() -> Log:
    return []


def noting(log: Log, name: str, result: object = None) -> Callable[..., object]:
    def handler(*args: object) -> object:
        log.append(name)
        return result

    return handler


def test_handlers_get_the_sender_and_the_arguments(emitter: EventHandlers, log: Log) -> None:
    emitter.bind("x", lambda *args: log.append(args))
    assert emitter.event("x", 1, "two") is True
    assert emitter.trigger("x") is True
    assert log == [(emitter, 1, "two"), (emitter,)]


def test_an_event_that_nobody_bound_is_no_event(emitter: EventHandlers) -> None:
    assert emitter.event("x") is False
    assert emitter.trigger("x") is False


def test_handlers_run_in_order_of_binding(emitter: EventHandlers, log: Log) -> None:
    for name in "abc":
        emitter.bind("x", noting(log, name))
    emitter.event("x")
    assert log == ["a", "b", "c"]


@pytest.mark.parametrize("value", [1, "yes", [0], object()])
def test_only_true_itself_stops_the_chain(emitter: EventHandlers, log: Log, value: object) -> None:
    emitter.bind("x", noting(log, "a", value))
    emitter.bind("x", noting(log, "b", True))
    emitter.bind("x", noting(log, "c"))
    emitter.bind("y", noting(log, "other"))
    assert emitter.event("x") is True
    assert log == ["a", "b"]
    emitter.event("y")
    emitter.event("x")
    assert log == ["a", "b", "other", "a", "b"]


def test_a_handler_that_raises_harms_no_other(
    emitter: EventHandlers, log: Log, expect_log: Callable[[str], None]
) -> None:
    expect_log("ERROR: callback .* raised")
    emitter.bind("x", lambda *args: log.append(1 / 0))
    emitter.bind("x", noting(log, "next"))
    assert emitter.event("x") is True
    assert log == ["next"]


def test_the_same_callback_is_bound_once_per_name(emitter: EventHandlers, log: Log) -> None:
    first = noting(log, "first")
    emitter.bind("x", first)
    emitter.bind("x", noting(log, "second"))
    emitter.bind(["x", "y"], first)
    emitter.event("x")
    emitter.event("y")
    assert log == ["first", "second", "first"]


def test_equal_bound_methods_are_the_same_callback(emitter: EventHandlers) -> None:
    class Seen:
        count = 0

        def handler(self, sender: object) -> None:
            self.count += 1

    seen = Seen()
    emitter.bind("x", seen.handler)
    emitter.bind("x", seen.handler)
    emitter.event("x")
    assert seen.count == 1
    emitter.unbind("x", seen.handler)
    assert emitter.event("x") is False


@pytest.mark.parametrize("bind", ["bind", "on"])
@pytest.mark.parametrize("unbind", ["unbind", "off"])
def test_names_may_be_a_list(emitter: EventHandlers, log: Log, bind: str, unbind: str) -> None:
    handler = noting(log, "h")
    getattr(emitter, bind)(["x", "y", "z"], handler)
    getattr(emitter, unbind)(("x", "y"), handler)
    assert [emitter.event(name) for name in "xyz"] == [False, False, True]


def test_unbind_one_all_and_none(emitter: EventHandlers, log: Log) -> None:
    a, b = noting(log, "a"), noting(log, "b")
    emitter.bind("x", a)
    emitter.bind("x", b)
    emitter.unbind("x", noting(log, "never bound"))
    emitter.unbind("nosuch")
    emitter.unbind("x", a)
    emitter.event("x")
    assert log == ["b"]
    emitter.bind("x", a)
    emitter.unbind("x")
    assert emitter.event("x") is False


def test_handlers_are_a_snapshot_while_emitting(emitter: EventHandlers, log: Log) -> None:
    late = noting(log, "late")

    def first(sender: object) -> None:
        log.append("first")
        emitter.bind("x", late)
        emitter.unbind("x", second)

    second = noting(log, "second")
    emitter.bind("x", first)
    emitter.bind("x", second)
    emitter.event("x")
    assert log == ["first", "second"]
    log.clear()
    emitter.event("x")
    assert log == ["first", "late"]


def test_on_is_a_decorator_too(emitter: EventHandlers, log: Log) -> None:
    @emitter.on(["x", "y"])
    def handler(sender: object) -> None:
        log.append(sender)

    assert callable(handler)
    emitter.event("x")
    emitter.event("y")
    emitter.off("x", handler)
    emitter.event("x")
    assert log == [emitter, emitter]


def test_on_returns_its_handler(emitter: EventHandlers) -> None:
    assert emitter.on("x", print) is print


def test_once_means_once(emitter: EventHandlers, log: Log) -> None:
    emitter.once("x", noting(log, "once"))
    emitter.event("x")
    emitter.event("x")
    assert log == ["once"]


def test_once_takes_a_list_of_names_and_decorates(emitter: EventHandlers, log: Log) -> None:
    assert emitter.once(["x", "y"], print) is print
    emitter.off(["x", "y"], print)

    @emitter.once(["x", "y"])
    def handler(sender: object) -> None:
        log.append(sender)

    assert [emitter.event(name) for name in "xyxy"] == [True, True, False, False]
    assert log == [emitter, emitter]


def test_a_once_handler_may_stop_the_chain(emitter: EventHandlers, log: Log) -> None:
    emitter.once("x", noting(log, "once", True))
    emitter.bind("x", noting(log, "always"))
    emitter.event("x")
    emitter.event("x")
    assert log == ["once", "always"]


def test_a_once_handler_runs_once_though_events_nest(emitter: EventHandlers, log: Log) -> None:
    def nests(sender: object) -> None:
        log.append("nests")
        if len(log) == 1:
            emitter.event("x")

    emitter.bind("x", nests)
    emitter.once("x", noting(log, "once"))
    emitter.event("x")
    assert log == ["nests", "nests", "once"]


def test_a_once_handler_can_be_unbound(emitter: EventHandlers, log: Log) -> None:
    handler = noting(log, "once")
    emitter.once("x", handler)
    emitter.unbind("x", handler)
    assert emitter.event("x") is False
    assert log == []


def test_on_event_binds_to_every_event_of_the_server(emitter: EventHandlers, log: Log) -> None:
    emitter.on_event(lambda sender, packet: log.append(packet))
    emitter.event("event", "packet")
    assert log == ["packet"]


def test_the_last_event_name(emitter: EventHandlers, log: Log) -> None:
    assert emitter.get_last_event_name() is None
    emitter.bind("x", lambda sender: log.append(emitter.get_last_event_name()))
    assert emitter.get_last_event_name() is None
    emitter.event("x")
    emitter.event("nobody")
    emitter.bind("z", noting(log, "z"))
    assert (log, emitter.get_last_event_name()) == (["x"], "nobody")


@pytest.mark.parametrize("wrong", [5, "name", [print]])
def test_only_what_can_be_called_is_bound(emitter: EventHandlers, wrong: Any) -> None:
    for bind in (emitter.bind, emitter.on, emitter.once):
        with pytest.raises(TypeError, match="handler must be callable"):
            bind("x", wrong)
    with pytest.raises(TypeError, match="handler must be callable"):
        emitter.on_event(wrong)
    assert emitter.event("x") is False


def test_two_emitters_share_nothing(log: Log) -> None:
    one, other = EventHandlers(), EventHandlers()
    one.bind("x", noting(log, "one"))
    assert other.event("x") is False


def test_a_name_that_no_server_event_has_is_told(emitter: EventHandlers, expect_log: Any) -> None:
    expect_log("a handler of 'event_HangUp' is never called: write 'event_hangup' in lower case")
    emitter.bind("event_HangUp", print)
    emitter.bind(["event_H*", "event_userevent:Door"], print)


@pytest.mark.parametrize("name", ["event_x y", "", "event_Ünicode", "event_new_listener"])
def test_any_name_will_do(emitter: EventHandlers, log: Log, name: str) -> None:
    emitter.bind(name, noting(log, name))
    emitter.event(name)
    assert log == [name]


# The same on each version of pyee


@pytest.mark.parametrize("others", [0, 1])
def test_to_remove_what_is_not_bound_has_no_effect(emitter: EventHandlers, log: Log, others: int) -> None:
    for _ in range(others):
        emitter.bind("x", noting(log, "other"))
    emitter.remove_listener("x", noting(log, "never bound"))
    getattr(emitter, "removeListener")("x", print)  # noqa: B009  (a name of PHP's)
    assert emitter.event("x") is bool(others)
    assert log == ["other"] * others


@pytest.mark.parametrize("name", ["x", None])
def test_a_name_without_handlers_is_no_name(emitter: EventHandlers, name: str | None) -> None:
    emitter.bind("x", print)
    assert emitter.event_names() == {"x"}
    emitter.remove_all_listeners(name)
    assert emitter.event_names() == set() == set(emitter.listeners("x"))
    emitter.remove_all_listeners("x")
    assert emitter.event_names() == set()


def test_an_error_that_nobody_handles_raises(emitter: EventHandlers) -> None:
    with pytest.raises(ZeroDivisionError):
        emitter.emit("error", ZeroDivisionError())
    with pytest.raises(PyeeError):
        emitter.emit("error", "no exception")
    emitter.bind("error", print)
    assert emitter.emit("error", "handled")


# What handlers of the library's own events take

WRONG: list[tuple[str, Callable[..., object], str]] = [
    ("event", lambda conn: None, "conn, packet"),
    ("event_hangup", lambda conn: None, "conn, packet"),
    ("event_", lambda: None, "conn, packet"),
    ("event_hangup", lambda conn, packet, more: None, "conn, packet"),
    ("event_hangup", lambda conn, packet, *, more: None, "conn, packet"),
    ("event_hangup", [].append, "conn, packet"),
    ("login", lambda conn: None, "conn, packet"),
    ("connected", lambda conn, packet: None, "conn"),
    ("disconnect", lambda: None, "conn"),
    ("reconnecting", lambda url, delay: None, "url, delay, attempt"),
]


def bind_by(way: str, emitter: EventHandlers, name: str, cb: Callable[..., object]) -> None:
    if way == "listens_to":
        emitter.listens_to(name)(cb)
    elif way.startswith("@"):
        getattr(emitter, way[1:])(name)(cb)
    else:
        getattr(emitter, way)(name, cb)


WAYS = ["bind", "on", "@on", "once", "@once", "add_listener", "listens_to", "addEventHandler"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("name", "cb", "arguments"), WRONG)
def test_a_handler_that_does_not_take_what_it_gets_is_refused(
    emitter: EventHandlers, way: str, name: str, cb: Callable[..., object], arguments: str
) -> None:
    with pytest.raises(TypeError, match=rf"^a handler of '{name}' must take \({arguments}\), and .* does not$"):
        bind_by(way, emitter, name, cb)
    assert emitter.listeners(name) == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["event", "event_hangup", "login", "connected", "disconnect", "mine"])
def test_a_handler_that_would_do_nothing_is_refused(emitter: EventHandlers, way: str, name: str) -> None:
    async def later(*args: object) -> None: ...

    with pytest.raises(TypeError, match=r"^a?\s?handler.* must be a plain function, not a coroutine function"):
        bind_by(way, emitter, name, later)
    assert emitter.listeners(name) == []


@pytest.mark.parametrize("way", ["bind", "once"])
def test_of_names_of_which_one_does_not_fit_none_is_bound(emitter: EventHandlers, way: str) -> None:
    with pytest.raises(TypeError, match="a handler of 'event_hangup' must take"):
        getattr(emitter, way)(["connected", "event_hangup"], lambda conn: None)
    assert emitter.event_names() == set()


def test_on_event_takes_connection_and_packet(emitter: EventHandlers) -> None:
    with pytest.raises(TypeError, match="a handler of 'event' must take"):
        emitter.on_event(lambda conn: None)  # type: ignore[arg-type]  # what the test is about


@pytest.mark.parametrize("name", ["mine", "events", "Event", "new_listener", "reconnected", ""])
def test_other_names_are_the_users_own(emitter: EventHandlers, name: str) -> None:
    for cb in (lambda: None, lambda a, b, c, d: None):
        emitter.bind(name, cb)
        emitter.unbind(name, cb)


@pytest.mark.parametrize(
    ("name", "cb"),
    [
        ("event", lambda conn, packet, name="x": None),
        ("connected", lambda conn, name="x": None),
        ("reconnecting", lambda *args: None),
        ("event_x", print),
        ("event_x", dict),
    ],
)
def test_what_has_room_is_taken(emitter: EventHandlers, name: str, cb: Callable[..., object]) -> None:
    emitter.bind(name, cb)
    assert emitter.listeners(name) == [cb]
