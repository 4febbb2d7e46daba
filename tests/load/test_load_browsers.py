"""Two hundred browsers at a wallboard cost the loop less than the events do that it shows.

``pytest tests/load -k browsers -rP --show-capture stdout`` prints the figures.
"""

from __future__ import annotations

import asyncio
import gc
import time
from typing import NamedTuple

from aiohttp import web
from browsers import Browsers
from replay import ReplayServer

from ami_client import Connection, Pool
from ami_client.model import Model
from ami_client.web import make_app

BROWSERS = 200
RATE = 1000  # events a second: a busy server
TICK = 0.1  # seconds
SECONDS = 5


class Cost(NamedTuple):
    """What a stretch of time cost: processor seconds for each second, and how many events there were in one."""

    load: float
    events: float


async def play(pool: Pool, conn: Connection, rate: int) -> Cost:
    """Have the server send events at this rate for a while; returns what that cost this process."""
    loop = asyncio.get_running_loop()
    count = round(rate * TICK)
    seen, processor, began = pool.stats.events, time.process_time(), loop.time()
    for number in range(round(SECONDS / TICK)):
        conn.action("Replay", None, {"Events": count, "First": number * count})
        await asyncio.sleep(began + (number + 1) * TICK - loop.time())
    wall = loop.time() - began
    return Cost((time.process_time() - processor) / wall, (pool.stats.events - seen) / wall)


async def measure(url: str, rate: int) -> tuple[Cost, Cost, int]:
    """The cost of the events without browsers and with them, and the fewest messages that one of these got."""
    pool = Pool(reactor=asyncio.get_running_loop(), fold_case=False, slow_handler=None, timeout=None)
    model = Model(pool)
    runner = web.AppRunner(make_app(model, events=lambda: pool.stats.events), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=2 * BROWSERS).start()
    connected: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
    pool.get_connection(url, connected.set_result)
    conn = await connected
    await play(pool, conn, rate)  # for the memos
    gc.collect()
    alone = await play(pool, conn, rate)
    with Browsers(runner.addresses[0][1], BROWSERS) as browsers:
        await asyncio.get_running_loop().run_in_executor(None, browsers.wait)
        gc.collect()
        watched = await play(pool, conn, rate)
        fewest, _ = await asyncio.get_running_loop().run_in_executor(None, browsers.messages)
    pool.finish()
    await runner.cleanup()
    return alone, watched, fewest


def test_two_hundred_browsers_cost_less_than_the_events(server: ReplayServer) -> None:
    alone, watched, fewest = asyncio.run(measure(server.url, RATE))
    browsers = watched.load - alone.load
    print(
        f"{alone.events:.0f} events a second {100 * alone.load:.1f} % of a processor, "
        f"{BROWSERS} browsers {100 * browsers:.1f} %: {browsers / alone.load:.2f} of it; {fewest} messages each"
    )
    assert alone.events > RATE / 2 and watched.events > RATE / 2
    assert fewest > SECONDS  # it was not cheap because they got nothing
    assert browsers < alone.load
