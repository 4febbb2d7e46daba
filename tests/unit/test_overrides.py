"""Subclasses that override ``emit`` or ``event``, as ported code does: they see every event; ``connection_class``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Optional
from unittest.mock import Mock

import pytest
from fake_network import URL, Calls, Network, Peer
from server_texts import REFUSAL

from ami_client import Connection, Packet, Pool
from ami_client._client.driver import Driver
from ami_client.options import Options
from ami_client.url import ServerURL

pytestmark = pytest.mark.usefixtures("either_way")

ExpectLog = Callable[[str], None]

Seen = list[tuple[Any, ...]]


def overriding(base: type[Any], method: str, seen: Seen, fail: Optional[BaseException] = None) -> type[Any]:
    """A subclass that notes what comes through a method, and raises or hands it on."""

    def override(self: Any, name: str, *args: object) -> bool:
        if name != "new_listener":
            seen.append((name, *args))
            if fail is not None:
                raise fail
        return bool(getattr(super(made, self), method)(name, *args))

    made = type(f"{base.__name__}Of{method}", (base,), {method: override})
    return made


def pool_of(
    network: Network, place: str, method: str, seen: Seen, fail: Optional[BaseException] = None, **options: Any
) -> Pool:
    if place == "pool":
        made = overriding(Pool, method, seen, fail)
    else:
        made = type("Own", (Pool,), {"connection_class": overriding(Connection, method, seen, fail)})
    pool: Pool = made(reactor=network.reactor, authtype="plain", **options)
    return pool


def log_in(network: Network, pool: Pool, told: Optional[Calls] = None) -> Peer:
    found: list[Connection] = []
    pool.get_connection(URL, told, before_connect=found.append)
    return Peer(network, found[0], network.answer_login())


PLACES = [(place, method) for place in ("conn", "pool") for method in ("emit", "event")]


@pytest.mark.parametrize(("place", "method"), PLACES)
def test_an_override_sees_every_event(network: Network, place: str, method: str) -> None:
    seen: Seen = []
    peer = log_in(network, pool_of(network, place, method, seen))
    peer.say("Event: One|X: 1", "Event: Two|X: 2")  # nobody has bound anything
    peer.conn.finish()
    assert [name for name, *_ in seen] == [
        *["login", "connected", "event_one", "event", "event_two", "event", "disconnect"]
    ]
    with_conn = (place, method) != ("conn", "event")  # that one's is itself
    assert all((args[0] is peer.conn) is with_conn for _, *args in seen if args)
    assert [args[-1]["x"] for name, *args in seen if name.startswith("event")] == ["1", "1", "2", "2"]
    assert peer.conn.stats.events == 2


@pytest.mark.parametrize(("place", "method"), PLACES)
def test_handlers_hear_it_in_the_usual_order_and_with_the_usual_arguments(
    network: Network, place: str, method: str
) -> None:
    heard: list[Any] = []

    def note(what: str, stops: bool = False) -> Callable[..., object]:
        def handler(*args: object) -> bool:
            heard.append((what, *args[:1]))
            return stops

        return handler

    pool = pool_of(network, place, method, [])
    peer = log_in(network, pool)
    for name in ("event", "event_one"):
        pool.bind(name, note(f"pool {name}"))
        peer.conn.bind(name, note(f"conn {name}", stops=name == "event"))
        peer.conn.bind(name, note(f"conn {name} again"))
    pool.bind("disconnect", note("pool disconnect"))
    peer.say("Event: One")
    peer.conn.finish()
    order = ["conn event_one", "conn event_one again", "pool event_one", "conn event", "pool event", "pool disconnect"]
    assert heard == [(what, peer.conn) for what in order]


@pytest.mark.parametrize("fail", [RuntimeError(), asyncio.CancelledError(), GeneratorExit()], ids=repr)
@pytest.mark.parametrize(("place", "method"), PLACES)
def test_an_override_that_raises_harms_nothing(
    network: Network, place: str, method: str, fail: BaseException, expect_log: ExpectLog
) -> None:
    expect_log(r"ERROR: callback .*override raised")
    seen: Seen = []
    told, heard = Calls(), Calls()
    pool = pool_of(network, place, method, seen, fail)
    peer = log_in(network, pool, told)
    peer.conn.on_event(heard)
    answers = Calls()
    peer.conn.ping(answers)
    peer.say("Event: One|X: 1", "Response: Success|ActionID: nobody's", "Event: Two|X: 2")
    peer.conn.finish()
    assert len(told) == len(answers) == 1
    assert [name for name, *_ in seen] == [
        *["login", "connected", "event_one", "event", "event_two", "event", "disconnect"]
    ]
    assert len(heard) == (2 if place == "pool" else 0)  # the connection's own are before the pool's
    assert peer.conn.stats.handler_errors == 7
    pool.get_connection("192.0.2.9", told)  # the pool goes on
    network.answer_login()
    assert len(told) == 2


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize(("place", "method"), PLACES)
def test_out_of_an_override_an_interrupt_passes_and_loses_no_later_packet(
    network: Network, place: str, method: str, stop: type[BaseException]
) -> None:
    seen: Seen = []

    pool = pool_of(network, place, method, seen)
    peer = log_in(network, pool)

    def interrupt(conn: Any, packet: Packet) -> None:
        raise stop

    peer.conn.bind("event_one", interrupt)
    answers = Calls()
    action_id = peer.conn.ping(answers)
    with pytest.raises(stop):
        peer.say("Event: One", "Event: Two", f"Response: Success|ActionID: {action_id}")
    network.pump()
    assert [name for name, *_ in seen][-2:] == ["event_two", "event"]
    assert len(answers) == 1


@pytest.mark.parametrize(("place", "method"), PLACES)
def test_an_asynchronous_override_is_logged(network: Network, place: str, method: str, expect_log: ExpectLog) -> None:
    expect_log(r"ERROR: callback .*override returned a coroutine, which nobody runs")

    async def override(self: Any, name: str, *args: object) -> bool:
        return True

    base = Pool if place == "pool" else Connection
    made: Any = type("Async", (base,), {method: override})
    if place == "conn":
        made = type("Own", (Pool,), {"connection_class": made})
    told = Calls()
    peer = log_in(network, made(reactor=network.reactor, authtype="plain"), told)
    peer.say("Event: One")
    assert len(told) == 1 and peer.conn.connected


def test_an_event_that_ends_the_connection_is_the_last(network: Network) -> None:
    seen: Seen = []
    peer = log_in(network, pool_of(network, "conn", "event", seen))
    peer.conn.bind("event_one", lambda conn, packet: conn.finish())
    peer.say("Event: One", "Event: Two")
    assert [name for name, *_ in seen] == ["login", "connected", "event_one", "disconnect"]


def test_answers_and_entries_are_no_events(network: Network) -> None:
    seen: Seen = []
    peer, answers = log_in(network, pool_of(network, "pool", "emit", seen)), Calls()
    listing = peer.conn.action("QueueStatus", answers)
    peer.answer(listing, "Response: Success|EventList: start")
    peer.answer(listing, "Event: QueueParams")
    peer.answer(listing, "Event: QueueStatusComplete|EventList: Complete")
    assert [len(packet.events) for packet in answers] == [1]
    assert [name for name, *_ in seen] == ["login", "connected"]


def test_a_pools_event_sees_reconnecting(network: Network, expect_log: ExpectLog) -> None:
    expect_log("connecting again")
    seen: Seen = []
    heard: list[Any] = []
    for method in ("emit", "event"):
        pool = pool_of(network, "pool", method, seen, reconnect=1)
        pool.on("reconnecting", lambda url, delay, attempt: heard.append((url, attempt)))
        log_in(network, pool).sock.eof()
        network.pump()
        pool.finish()
        assert [args[0] for name, *args in seen if name == "reconnecting"] == [URL]
        seen.clear()
    assert heard == [(URL, 1)] * 2


def test_an_override_that_raises_does_not_keep_a_connection_from_coming_back(
    network: Network, expect_log: ExpectLog
) -> None:
    expect_log("connecting again")
    expect_log("ERROR: callback .*override raised")
    pool = pool_of(network, "pool", "emit", [], RuntimeError(), reconnect=1)
    log_in(network, pool).sock.eof()
    network.wait(2)
    network.answer_login()
    assert pool.stats.logins == 2


def test_a_pools_own_events_have_the_pool_as_their_sender(network: Network) -> None:
    heard: list[Any] = []

    class Own(Pool):
        def event(self, name: str, *args: object) -> bool:
            if name == "event_one":
                self.event("mine", *args)
            return super().event(name, *args)

    pool = Own(reactor=network.reactor, authtype="plain")
    peer = log_in(network, pool)
    pool.bind(["mine", "event_one"], lambda *args: heard.append(args[0]))
    peer.say("Event: One")
    pool.event("event_one", None)
    assert heard == [pool, peer.conn, pool, pool]


def test_handlers_that_are_bound_while_an_override_is_at_work_hear_the_same_packet(network: Network) -> None:
    heard = Calls()
    pool = pool_of(network, "conn", "emit", [])
    peer = log_in(network, pool)
    peer.conn.bind("event_one", lambda conn, packet: pool.bind("event", heard))
    peer.say("Event: One")
    assert len(heard) == 1


def test_what_an_instance_has_in_their_place_is_seen_too(network: Network) -> None:
    pool = network.pool()
    seen = pool.emit = Mock(wraps=pool.emit)  # type: ignore[method-assign]
    peer = log_in(network, pool)
    peer.say("Event: One")
    assert [call.args[0] for call in seen.call_args_list] == ["login", "connected", "event_one", "event"]


def test_a_pool_that_is_none_of_ours_sees_every_event(network: Network) -> None:
    pool = Mock(reactor=network.reactor)
    options = Options.make({"authtype": "plain"})
    driver = Driver(URL, ServerURL.parse(URL), options, network.reactor, pool)
    conn = Connection(driver)
    driver.connect()
    peer = Peer(network, conn, network.answer_login())
    peer.say("Event: One")
    assert [call.args[0] for call in pool.emit.call_args_list] == ["login", "connected", "event_one", "event"]


def test_who_overrides_neither_has_events_passed_over(network: Network) -> None:
    class Plain(Connection):
        def finish(self) -> None:
            super().finish()

    class Own(Pool):
        connection_class = Plain

    peer = log_in(network, Own(reactor=network.reactor, authtype="plain"))
    peer.conn.emit = Mock(side_effect=AssertionError)  # type: ignore[method-assign]  # too late: events go the short way
    heard = Calls()
    assert isinstance(peer.conn.pool, Pool)
    peer.conn.pool.bind("event_one", heard)
    peer.say("Event: One", "Event: Two")
    assert len(heard) == 1


# connection_class


class Own(Connection):
    """A connection of one's own."""


class OwnPool(Pool):
    connection_class = Own


def test_every_connection_of_a_pool_is_of_its_class(network: Network, expect_log: ExpectLog) -> None:
    expect_log("connecting again")
    pool = OwnPool(reactor=network.reactor, authtype="plain", reconnect=1, maxconnperserv=1)
    found: list[Connection] = []
    pool.get_connection(found.append)  # there is no server: it never was
    pool.get_connection(URL, found.append, before_connect=found.append)
    network.answer_login()
    network.sockets[-1].eof()
    network.wait(2)
    pool.on("connected", found.append)
    network.answer_login()
    found[-1].acquire()
    pool.get_connection(URL, found.append)
    pool.finish()
    assert [type(conn) for conn in found] == [Own] * 5
    assert len(set(found)) == 4


def test_without_one_it_is_ours(network: Network) -> None:
    assert Pool.connection_class is Connection
    assert type(network.log_in().conn) is Connection


def test_a_refused_login_is_told_through_an_override(network: Network) -> None:
    seen: Seen = []
    pool = pool_of(network, "conn", "event", seen)
    pool.get_connection(URL)
    network.answer_login(REFUSAL)
    assert [name for name, *_ in seen] == ["disconnect"]
