"""Coroutine functions as callbacks on asyncio's loop."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import AsyncMock

import pytest

from ami_client import Connection, Pool, Reactor
from ami_client.model import Model
from ami_client.testing import FakeAsterisk

Test = Callable[[FakeAsterisk, Pool, Connection], Awaitable[None]]


def run(test: Test, **options: Any) -> Pool:
    """Run a test on asyncio's loop, with a connection to a fake server."""

    async def main() -> Pool:
        loop = asyncio.get_running_loop()
        with FakeAsterisk(loop) as pbx:
            pool = Pool(reactor=loop, **options)
            found = loop.create_future()
            pool.get_connection(pbx.url, lambda conn, packet: found.set_result(conn))
            await test(pbx, pool, await found)
            pool.finish()
        return pool

    return asyncio.run(asyncio.wait_for(main(), 10))


async def until(done: Callable[[], object]) -> None:
    while not done():
        await asyncio.sleep(0.001)


def test_each_event_runs_a_task_that_is_kept(expect_log: Any) -> None:
    heard: list[str] = []

    async def test(pbx: FakeAsterisk, pool: Pool, conn: Connection) -> None:
        @pool.on("event_hangup")
        async def hung_up(conn: Connection, packet: Any) -> None:
            await asyncio.sleep(0)
            gc.collect()
            await asyncio.sleep(0)
            heard.append(packet["cause"])

        pbx.push({"Event": "Hangup", "Cause": "16"})
        pbx.push({"Event": "Hangup", "Cause": "17"})
        await until(lambda: len(heard) == 2)

    run(test)
    assert heard == ["16", "17"]


@pytest.mark.parametrize("where", ["get_connection", "action", "on_connected", "on_login", "once", "where", "method"])
def test_everywhere_a_callback_may_be_one(where: str) -> None:
    calls: list[tuple[Any, ...]] = []

    class Thing:
        async def method(self, conn: Connection, packet: Any) -> None:
            await cb(conn, packet)

    async def cb(conn: Connection, packet: Any) -> None:
        await asyncio.sleep(0)
        calls.append((conn, packet))

    async def test(pbx: FakeAsterisk, pool: Pool, conn: Connection) -> None:
        if where == "get_connection":
            pool.get_connection(pbx.url, cb)
        elif where == "action":
            conn.ping(cb)
        elif where == "on_connected":
            conn.on_connected(cb)
        elif where == "on_login":
            pool.on_login(cb)
            conn.acquire()
            pool.get_connection(pbx.url)
        else:
            how: dict[str, Any] = {"where": {"cause": "16"}} if where == "where" else {}
            bind = conn.once if where == "once" else conn.bind
            bind("event_hangup", Thing().method if where == "method" else cb, **how)
            pbx.push({"Event": "Hangup", "Cause": "16"})
        await until(lambda: calls)
        assert isinstance(calls[0][0], Connection)

    run(test)
    assert len(calls) == 1


def test_an_error_is_logged_with_the_handler_s_name_and_counted(expect_log: Any) -> None:
    expect_log("ERROR: callback .*fails raised")

    async def fails(conn: Connection, packet: Any) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("x")

    async def test(pbx: FakeAsterisk, pool: Pool, conn: Connection) -> None:
        pool.on("event_hangup", fails)
        pbx.push({"Event": "Hangup"})
        await until(lambda: pool.stats.handler_errors)

    run(test)


def test_slow_is_what_holds_the_loop_not_what_waits(expect_log: Any) -> None:
    expect_log("WARNING: callback .*holds took")
    done: list[str] = []

    async def waits(conn: Connection, packet: Any) -> None:
        await asyncio.sleep(0.03)
        done.append("waits")

    async def holds(conn: Connection, packet: Any) -> None:
        await asyncio.sleep(0)
        time.sleep(0.03)
        done.append("holds")

    async def test(pbx: FakeAsterisk, pool: Pool, conn: Connection) -> None:
        pool.on("event_hangup", waits)
        pbx.push({"Event": "Hangup"})
        await until(lambda: done)
        assert pool.stats.slow_handlers == 0
        pool.unbind("event_hangup")
        pool.on("event_hangup", holds)
        pbx.push({"Event": "Hangup"})
        await until(lambda: len(done) == 2)
        assert pool.stats.slow_handlers == 1

    run(test, slow_handler=0.02)


@pytest.mark.parametrize(("how", "most"), [({"max_tasks": 3}, 3), ({"in_order": True}, 1), ({"max_tasks": 1}, 1)])
def test_so_many_run_at_once_and_the_others_wait_in_order(how: dict[str, Any], most: int, expect_log: Any) -> None:
    expect_log(rf"WARNING: callback .*handler has {most} running tasks \(max_tasks\); further calls wait")
    running = peak = 0
    begun: list[str] = []
    ended: list[str] = []

    async def handler(conn: Connection, packet: Any) -> None:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        begun.append(packet["number"])
        await asyncio.sleep(0.002 if packet["number"] == "0" else 0)
        running -= 1
        ended.append(packet["number"])

    async def test(pbx: FakeAsterisk, pool: Pool, conn: Connection) -> None:
        pool.on("event_hangup", handler, **how)
        for number in range(9):
            pbx.push({"Event": "Hangup", "Number": str(number)})
        await until(lambda: len(ended) == 9)
        assert pool.stats.held_calls == 9 - most

    run(test)
    assert peak == most
    assert begun == [str(number) for number in range(9)]
    assert most > 1 or ended == begun


@pytest.mark.parametrize("how", [{"max_tasks": 0}, {"max_tasks": -1}])
def test_a_bound_below_one_is_refused(how: dict[str, Any]) -> None:
    async def handler(conn: Connection, packet: Any) -> None: ...

    async def test(pbx: FakeAsterisk, pool: Pool, conn: Connection) -> None:
        with pytest.raises(ValueError, match="max_tasks"):
            pool.on("event_hangup", handler, **how)

    run(test)


@pytest.mark.parametrize("how", [{"max_tasks": 2}, {"in_order": True}, {"max_tasks": "2"}])
def test_a_plain_function_takes_no_bound(how: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="max_tasks"):
        Pool(reactor=Reactor()).on("event_hangup", lambda conn, packet: None, **how)


def test_tasks_that_wait_are_not_started_when_the_loop_ends(expect_log: Any) -> None:
    expect_log("further calls wait")
    begun: list[str] = []

    async def handler(conn: Connection, packet: Any) -> None:
        begun.append(packet["number"])
        await asyncio.get_running_loop().create_future()

    async def test(pbx: FakeAsterisk, pool: Pool, conn: Connection) -> None:
        pool.on("event_hangup", handler, in_order=True)
        pbx.push({"Event": "Hangup", "Number": "1"})
        pbx.push({"Event": "Hangup", "Number": "2"})
        await until(lambda: pool.stats.held_calls)

    run(test)
    gc.collect()
    assert begun == ["1"]


def test_a_task_that_is_unbound_is_found_by_its_function() -> None:
    async def handler(conn: Connection, packet: Any) -> None: ...

    async def test(pbx: FakeAsterisk, pool: Pool, conn: Connection) -> None:
        pool.on(["event_hangup", "event_x*"], handler, where={"a": "b"})
        pool.unbind(["event_hangup", "event_x*"], handler)
        assert not pool.listeners("event_hangup") and not pool.listeners("event_x*")

    run(test)


def test_on_a_reactor_it_stays_a_type_error() -> None:
    async def handler(conn: Connection, packet: Any) -> None: ...

    with pytest.raises(TypeError, match="asyncio"):
        Pool(reactor=Reactor()).on("event_hangup", handler)


def test_a_model_s_handlers_may_be_coroutine_functions_where_its_pool_s_may() -> None:
    heard: list[str] = []

    async def test(pbx: FakeAsterisk, pool: Pool, conn: Connection) -> None:
        pool.finish()
        pool = Pool(reactor=asyncio.get_running_loop())
        model = Model(pool)
        found = asyncio.get_running_loop().create_future()
        pool.get_connection(pbx.url, lambda conn, packet: found.set_result(conn))
        conn = await found

        @model.on("call_new")
        async def call_new(model: Model, call: Any) -> None:
            await asyncio.sleep(0)
            heard.append(call.id)

        await until(lambda: [one.state for one in model.servers.values()] == ["ready"])
        conn.originate({"Channel": "Local/101@office", "Application": "Echo", "CallerID": "Zoe <300>"}, None)
        await until(lambda: heard)
        model.close()
        pool.finish()

    run(test)
    with pytest.raises(TypeError, match="asyncio"):
        Model(Pool(reactor=Reactor())).on("ready", AsyncMock())
