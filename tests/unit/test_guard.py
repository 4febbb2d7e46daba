"""The one call of users' code: what raises is counted, what is slow is counted and logged with its name and time."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any
from unittest.mock import MagicMock

import pytest
from fake_network import URL, Calls, Life, Network, Peer
from server_texts import REFUSAL

from ami_client import Connection, Reactor
from ami_client._client.dispatch import Guard
from ami_client.callbacks import call_guarded
from ami_client.errors import ConnectionFinished
from ami_client.stats import Stats

pytestmark = pytest.mark.usefixtures("either_way")

ExpectLog = Callable[[str], None]


class Slow:
    """Makes functions that take time on the simulated clock."""

    def __init__(self, network: Network, seconds: float = 2.5) -> None:
        self.network, self.seconds = network, seconds

    def work(self, *args: object) -> None:
        self.network.clock.advance(self.seconds)


def busy(network: Network, *args: object) -> None:
    network.clock.advance(2.5)


def slow_function(network: Network) -> Callable[..., None]:
    def dawdle(*args: object) -> None:
        network.clock.advance(2.5)

    return dawdle


NAME = r"WARNING: .*{}.* took 2\.50* s"


# The guard alone


@pytest.mark.parametrize(("took", "slow"), [(0.0, False), (0.99, False), (1.0, True), (5.0, True)])
def test_the_threshold_is_slow_itself(took: float, slow: bool, expect_log: ExpectLog) -> None:
    if slow:
        expect_log(rf"WARNING: callback .*test_the_threshold.*took {took:.3f} s")
    now = [100.0]
    stats = Stats()

    def work(argument: str, *, keyword: str) -> str:
        now[0] += took
        return argument + keyword

    assert Guard(lambda: now[0], 1.0, stats)(work, "a", keyword="b") == "ab"
    assert stats.slow_handlers == int(slow) and stats.handler_errors == 0


def test_without_a_threshold_nothing_is_slow() -> None:
    now, stats = [0.0], Stats()
    Guard(lambda: now[0], None, stats)(lambda: now.__setitem__(0, 1e9))
    assert stats.slow_handlers == 0


def test_one_may_be_slow_and_raise(expect_log: ExpectLog) -> None:
    expect_log("ERROR: callback .*work raised")
    expect_log("WARNING: callback .*work took 2.000 s")
    now, stats = [0.0], Stats()

    def work() -> None:
        now[0] += 2
        raise RuntimeError

    assert Guard(lambda: now[0], 1.0, stats)(work) is None
    assert (stats.handler_errors, stats.slow_handlers) == (1, 1)


@pytest.mark.parametrize("passes", [KeyboardInterrupt, SystemExit])
def test_what_is_for_the_program_passes_and_is_no_error(passes: type[BaseException]) -> None:
    stats = Stats()

    def work() -> None:
        raise passes

    with pytest.raises(passes):
        Guard(lambda: 0.0, 1.0, stats)(work)
    assert stats.handler_errors == 0


class Uncommon(BaseException):
    """What neither an Exception is nor for the program."""


UNCOMMON = [asyncio.CancelledError, GeneratorExit, pytest.fail.Exception, pytest.skip.Exception, Uncommon]


@pytest.mark.parametrize("raised", UNCOMMON)
def test_whatever_else_is_raised_is_logged_and_counted(
    raised: type[BaseException], expect_log: ExpectLog, caplog: pytest.LogCaptureFixture
) -> None:
    expect_log("ERROR: callback .*work raised")
    stats = Stats()

    def work() -> None:
        raise raised

    assert Guard(lambda: 0.0, 1.0, stats)(work) is None
    assert call_guarded(work) is None
    assert stats.handler_errors == 1
    assert [record.exc_info and record.exc_info[0] for record in caplog.records] == [raised] * 2


# In all places


# For what is made here in one expression a checker would want values, and most calls have none: network is Any.
PLACES: dict[str, Callable[[Any, Any], object]] = {
    "before_connect": lambda network, cb: network.pool().get_connection(URL, before_connect=cb),
    "get_connection": lambda network, cb: (network.pool().get_connection(URL, cb), network.answer_login()),
    "get_connection, one argument": lambda network, cb: (
        network.pool().get_connection(URL, lambda conn: cb()),
        network.answer_login(),
    ),
    "refused": lambda network, cb: (network.pool().get_connection(URL, cb), network.answer_login(REFUSAL)),
    "free": lambda network, cb: network.log_in().conn.pool.get_connection(URL, cb),
    "no server": lambda network, cb: network.pool().get_connection(cb),
    "on_connected": lambda network, cb: network.log_in().conn.on_connected(cb),
    "action": lambda network, cb: (peer := network.log_in()).answer(peer.conn.ping(cb)),
    "failure": lambda network, cb: ((peer := network.log_in()).conn.ping(cb), peer.conn.finish()),
    "timeout": lambda network, cb: (network.log_in().conn.ping(cb, timeout=1), network.wait(1)),
    "event": lambda network, cb: ((peer := network.log_in()).conn.on_event(cb), peer.say("Event: X")),
    "event of a name": lambda network, cb: ((peer := network.log_in()).conn.bind("event_x", cb), peer.say("Event: X")),
    "once": lambda network, cb: ((peer := network.log_in()).conn.once("event_x", cb), peer.say("Event: X")),
    "disconnect": lambda network, cb: ((peer := network.log_in()).conn.bind("disconnect", cb), peer.conn.finish()),
    "pool's event": lambda network, cb: ((peer := network.log_in()).conn.pool.on_event(cb), peer.say("Event: X")),
    "on_login": lambda network, cb: (
        (pool := network.pool()).on_login(cb),
        pool.get_connection(URL),
        network.answer_login(),
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_slow_callback_is_logged_with_its_name_and_time(network: Network, place: str, expect_log: ExpectLog) -> None:
    expect_log(NAME.format("<lambda>" if "one argument" in place else "dawdle"))
    PLACES[place](network, slow_function(network))


@pytest.mark.parametrize("place", PLACES)
def test_one_that_raises_is_logged_with_its_name(network: Network, place: str, expect_log: ExpectLog) -> None:
    expect_log("ERROR: callback .*" + ("<lambda>" if "one argument" in place else "explode") + " raised")

    def explode(*args: object) -> None:
        raise RuntimeError("the user's bug")

    PLACES[place](network, explode)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("raised", UNCOMMON)
def test_what_is_no_exception_harms_no_more(
    network: Network, place: str, raised: type[BaseException], expect_log: ExpectLog
) -> None:
    expect_log("ERROR: callback .* raised")
    pool: Any = None
    told: list[str] = []

    def explode(*args: Any) -> None:
        nonlocal pool
        told.append("called")
        pool = args[0].pool if args else None
        raise raised

    PLACES[place](network, explode)
    network.pump()
    assert told == ["called"]
    if pool is not None:
        assert pool.stats.handler_errors == 1
        pool.get_connection("192.0.2.9", lambda conn: told.append("lives"))
        network.answer_login()
        assert told[-1] == "lives"


@pytest.mark.parametrize("kind", ["coroutine", "generator", "asynchronous generator"])
@pytest.mark.parametrize("place", PLACES)
def test_one_that_returns_what_nobody_runs_is_logged_with_its_name(
    network: Network, place: str, kind: str, expect_log: ExpectLog
) -> None:
    name = "<lambda>" if "one argument" in place else "starts_work"
    expect_log(rf"^ERROR: callback .*{name} returned a {kind.split()[-1]}, which nobody runs$")
    made: list[Any] = []

    def starts_work(*args: object) -> object:
        made.append(MAKERS[kind]())
        return made[0]

    PLACES[place](network, starts_work)
    (one,) = made
    if kind == "coroutine":  # and the tests turn a warning that it was never awaited into an error
        assert inspect.getcoroutinestate(one) == inspect.CORO_CLOSED


async def coroutine() -> None: ...


def generator() -> Iterator[None]:
    yield


async def asynchronous_generator() -> AsyncIterator[None]:
    yield


MAKERS: dict[str, Callable[[], Any]] = {
    "coroutine": coroutine,
    "generator": generator,
    "asynchronous generator": asynchronous_generator,
}


def test_what_nobody_runs_is_counted_at_each_call_and_stops_no_chain(network: Network, expect_log: ExpectLog) -> None:
    expect_log("ERROR: callback .*<lambda> returned a coroutine, which nobody runs")
    peer, heard = network.log_in(), Calls()
    peer.conn.on_event(lambda conn, packet: coroutine())
    peer.conn.on_event(heard)
    peer.say("Event: X", "Event: X")
    peer.answer(peer.conn.ping(lambda conn, packet: coroutine()))
    assert len(heard) == 2
    assert peer.conn.stats.handler_errors == 3


def test_a_coroutine_that_will_not_be_closed_harms_nothing(network: Network, expect_log: ExpectLog) -> None:
    expect_log("ERROR: callback .*<lambda> returned a coroutine, which nobody runs")
    expect_log("ERROR: callback .*close raised")

    class Stubborn(Coroutine[Any, Any, Any]):
        def send(self, value: Any) -> Any: ...
        def throw(self, *args: Any) -> Any: ...
        def __await__(self) -> Any: ...
        def close(self) -> None:
            raise asyncio.CancelledError

    peer = network.log_in()
    peer.answer(peer.conn.ping(lambda conn, packet: Stubborn()))
    assert peer.conn.connected


@pytest.mark.parametrize("result", [False, 0, "text", [None], object(), MagicMock()])
def test_what_else_a_callback_returns_means_nothing(network: Network, result: object) -> None:
    peer, heard = network.log_in(), Calls()
    peer.conn.on_event(lambda conn, packet: result)
    peer.conn.on_event(heard)
    peer.say("Event: X")
    peer.answer(peer.conn.ping(lambda conn, packet: result))
    assert len(heard) == 1 and peer.conn.stats.handler_errors == 0


@pytest.mark.parametrize("raised", UNCOMMON)
@pytest.mark.parametrize("way", ["call_soon", "call_later", "call_at", "call_soon_threadsafe"])
def test_on_the_reactor_it_is_logged_and_the_others_run(
    way: str, raised: type[BaseException], expect_log: ExpectLog
) -> None:
    expect_log("ERROR: callback .*explode raised")

    def explode() -> None:
        raise raised

    done: list[int] = []
    with Reactor() as reactor:
        args: Any = (0,) if way in ("call_later", "call_at") else ()
        getattr(reactor, way)(*args, explode)
        getattr(reactor, way)(*args, done.append, 1)
        reactor.call_later(0, reactor.stop)
        reactor.run()
    assert done == [1]


def test_on_the_reactor_what_nobody_runs_is_logged(expect_log: ExpectLog) -> None:
    expect_log("ERROR: callback .*coroutine returned a coroutine, which nobody runs")
    with Reactor() as reactor:
        reactor.call_soon(coroutine)
        reactor.run_once(0)


def test_methods_and_partials_have_names_too(network: Network, expect_log: ExpectLog) -> None:
    expect_log(NAME.format("Slow.work"))
    expect_log(NAME.format("busy"))
    peer = network.log_in()
    peer.answer(peer.conn.ping(Slow(network).work))
    peer.answer(peer.conn.ping(functools.partial(busy, network)))


def test_a_callable_object_is_named_by_its_class(network: Network, expect_log: ExpectLog) -> None:
    class Dawdler:
        def __init__(self, secret: str) -> None:
            self.secret = secret

        def __repr__(self) -> str:
            return self.secret

        def __call__(self, *args: object) -> None:
            network.clock.advance(2.5)

    expect_log(NAME.format("Dawdler") + r"(?!.*hush)")
    peer = network.log_in()
    peer.answer(peer.conn.ping(Dawdler("hush")))


# The option


@pytest.mark.parametrize(("threshold", "slow"), [(None, 0), (5, 0), (2.5, 1), (0.1, 1)])
def test_the_option(network: Network, threshold: Any, slow: int, expect_log: ExpectLog) -> None:
    if slow:
        expect_log(NAME.format("dawdle"))
    peer = network.log_in(slow_handler=threshold)
    peer.answer(peer.conn.ping(slow_function(network)))
    assert peer.conn.stats.slow_handlers == slow


def test_in_the_url_it_is_the_servers(network: Network, expect_log: ExpectLog) -> None:
    expect_log(NAME.format("dawdle"))
    pool = network.pool(slow_handler=100)
    found: list[Connection] = []
    for host in ("192.0.2.1#slow_handler=2", "192.0.2.2"):
        pool.get_connection(host, found.append)
        sock = network.answer_login()
        Peer(network, found[-1], sock).answer(found[-1].ping(slow_function(network)))
    assert [conn.stats.slow_handlers for conn in found] == [1, 0] and pool.stats.slow_handlers == 1


# Counting


def explode(*args: object) -> None:
    raise RuntimeError("the user's bug")


def test_each_that_raises_is_counted_where_it_belongs(network: Network, expect_log: ExpectLog) -> None:
    expect_log("ERROR: callback .*explode raised")
    life = Life(network)
    pool: Any = life.conn.pool
    life.conn.on_connected(explode)
    life.conn.bind(["connected", "event", "event_x", "disconnect"], explode)
    pool.on(["connected", "event", "login"], explode)
    peer = Peer(network, life.conn, network.answer_login())
    assert life.conn.stats.handler_errors == 4  # login, on_connected, connected twice
    peer.say("Event: X")
    peer.answer(peer.conn.ping(explode))
    assert life.conn.stats.handler_errors == 8
    peer.conn.ping(explode)
    peer.sock.eof()
    network.pump()
    assert life.conn.stats.handler_errors == pool.stats.handler_errors == 10


def test_those_of_calls_that_get_no_connection_count_for_the_pool(network: Network, expect_log: ExpectLog) -> None:
    expect_log("ERROR: callback .*explode raised")
    pool = network.pool(maxconnperserv=1)
    pool.get_connection(explode)  # no server
    pool.get_connection(URL, before_connect=lambda conn: conn.acquire())
    pool.get_connection(URL, explode)
    pool.finish()
    assert pool.stats.handler_errors == 2


def test_handlers_of_reconnecting_count_for_the_pool(network: Network, expect_log: ExpectLog) -> None:
    expect_log("ERROR: callback .*explode raised")
    expect_log("connecting again")
    pool = network.pool(reconnect=1)
    pool.on("reconnecting", explode)
    pool.get_connection(URL)
    network.answer_login().eof()
    network.pump()
    assert pool.stats.handler_errors == 1


def test_one_that_is_calm_counts_nothing(network: Network) -> None:
    peer = network.log_in()
    peer.answer(peer.conn.ping(Calls()))
    peer.conn.finish()
    assert (peer.conn.stats.handler_errors, peer.conn.stats.slow_handlers) == (0, 0)
    assert type(peer.conn.error) is ConnectionFinished


def test_a_flood_of_slow_handlers_is_counted_each(network: Network, expect_log: ExpectLog) -> None:
    expect_log(NAME.format("dawdle"))
    peer = network.log_in(timeout=None)
    peer.conn.on_event(slow_function(network))
    peer.say(*["Event: X"] * 5)
    assert peer.conn.stats.slow_handlers == 5 and isinstance(peer.conn, Connection)
