"""The loop of ``examples/twisted_pbx.py``: what connections need of a loop, asked of Twisted's reactor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from loops import AnyLoop, run
from test_loops import (  # noqa: F401  (these tests run here once more, with the fixture below)
    other_pair,
    pair,
    test_a_call_from_a_thread_can_be_cancelled,
    test_a_cancelled_callback_does_not_run,
    test_a_cancelled_timer_does_not_run,
    test_a_descriptor_number_can_be_used_again,
    test_a_reader_is_called_while_there_is_something_to_read,
    test_a_reader_removed_by_another_in_the_same_iteration_does_not_run,
    test_a_storm_of_calls_from_threads_loses_none_and_keeps_their_order,
    test_a_thread_wakes_the_waiting_loop_each_time,
    test_a_writer_is_called_when_there_is_room_again_and_not_before,
    test_adding_again_replaces_the_callback,
    test_call_soon_is_first_come_first_served,
    test_removing_what_is_not_watched_is_harmless,
    test_satisfies_the_protocol,
    test_the_two_sides_of_a_descriptor_are_separate,
    test_time_goes_on,
    test_timers_run_in_order_of_their_times,
    test_what_a_callback_schedules_waits_for_the_next_iteration,
)
from test_pool_on_loops import (  # noqa: F401
    test_a_lost_connection_comes_again,
    test_a_server_that_is_down_for_a_while,
)
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.pollreactor import PollReactor
from twisted.internet.selectreactor import SelectReactor

from ami_client import ConnectFailed, Connection, Packet, Pool
from ami_client.testing import FakeAsterisk

EXAMPLE = Path(__file__).parents[2] / "examples/twisted_pbx.py"


def example() -> Any:
    """The example as a module."""
    spec = spec_from_file_location("twisted_pbx", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=[EPollReactor, PollReactor, SelectReactor])
def loop(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The example's loop on a reactor of its own, with asyncio's way to run and to stop, which tests need besides."""
    reactor = request.param()

    class RunnableLoop(example().TwistedLoop):  # type: ignore[misc]  # of any type
        def run_forever(self) -> None:
            reactor.run(installSignalHandlers=False)

        def stop(self) -> None:
            self.call_soon(reactor.crash)  # a reactor that was stopped could not run again

    yield RunnableLoop(reactor)
    reactor.removeAll()
    for descriptor in reactor._internalReaders:
        descriptor.connectionLost(None)


def test_a_raising_callback_harms_nothing_else(loop: AnyLoop) -> None:
    seen: list[str] = []

    def fail() -> None:
        raise ZeroDivisionError

    loop.call_soon(fail)
    loop.call_soon(seen.append, "soon")
    loop.call_later(0.001, fail)
    loop.call_later(0.002, seen.append, "later")
    loop.call_later(0.003, loop.stop)
    run(loop)
    assert seen == ["soon", "later"]


def test_a_whole_session(loop: AnyLoop) -> None:
    told: list[Any] = []
    with FakeAsterisk(loop) as server:
        pool = Pool(reactor=loop)

        def on_connection(conn: Connection, packet: Packet) -> None:
            told.append(conn.connected)
            conn.action("QueueStatus", lambda conn, packet: told.append(len(packet.events)))
            conn.ping(lambda conn, packet: conn.graceful_shutdown())

        pool.on("disconnect", lambda conn: loop.call_later(0.01, loop.stop))
        pool.get_connection(server.url.replace("127.0.0.1", "localhost"), on_connection)  # a thread looks it up
        run(loop)
    assert told == [True, 4]


def test_a_refusal_is_told(loop: AnyLoop) -> None:
    told: list[Any] = []
    with FakeAsterisk(loop) as server:
        url = server.url  # where nobody listens any more

    def on_connection(conn: Connection) -> None:
        told.append(conn.error)
        loop.stop()

    Pool(reactor=loop).get_connection(url, on_connection)
    run(loop)
    (error,) = told
    assert isinstance(error, ConnectFailed) and isinstance(error.cause, ConnectionRefusedError)


def test_the_example(loop: AnyLoop, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeAsterisk(loop) as server:
        main: Callable[..., None] = example().main
        main(server.url, loop, lambda: loop.call_later(0.01, loop.stop))
        run(loop)
    assert capsys.readouterr().out == "queues: 2\n"
