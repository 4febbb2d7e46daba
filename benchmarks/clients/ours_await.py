"""Our client for asyncio at work."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from typing import Callable

from ami_client import Packet
from ami_client.aio import Client

from .common import HOST, SECRET, USERNAME, Job, Meter, Result, asyncio_loop, run


def awaits(job: Job) -> Result:
    """``depth`` pings are sent at once and awaited, over and over."""
    meter = Meter()

    async def ping(count: int, client: Client) -> None:
        for _ in range(count // job.depth):
            for answer in await asyncio.gather(*[client.ping() for _ in range(job.depth)]):
                meter.calls += 1
                meter.read += len(answer["response"]) + len(answer["ping"])

    async def work(client: Client) -> None:
        await ping(job.warm_up, client)
        meter.start()
        await ping(job.count, client)

    return _run(job, meter, work)


def stream(job: Job) -> Result:
    """``async for`` over all events."""
    meter = Meter()

    async def work(client: Client) -> None:
        async with client.events(limit=job.count + job.warm_up) as events:
            for count in (job.warm_up, job.count):
                meter.start()
                asked = client.action("Replay", {"Events": count}, timeout=math.inf)
                while meter.calls < count:
                    packet = await events.__anext__()
                    assert isinstance(packet, Packet)
                    meter.calls += 1
                    meter.read += len(packet.get("channel", ""))
                await asked

    return _run(job, meter, work)


def _run(job: Job, meter: Meter, work: Callable[[Client], Awaitable[None]]) -> Result:
    async def logged_in() -> Result:
        async with Client(f"tcp://{USERNAME}:{SECRET}@{HOST}:{job.port}") as client:
            await work(client)
            return meter.stop()

    return asyncio_loop().run_until_complete(logged_in())


if __name__ == "__main__":
    run({"awaits": awaits, "stream": stream})
