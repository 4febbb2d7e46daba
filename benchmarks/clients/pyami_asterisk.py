"""pyami-asterisk at work: asyncio, and a task for each event."""

from __future__ import annotations

import asyncio
from typing import Any

from pyami_asterisk import AMIClient  # type: ignore[import-not-found]

from .common import HOST, SECRET, USERNAME, Job, Meter, Result, run


def events(job: Job) -> Result:
    """One callback for all events, or one for each of the names."""
    meter = Meter()

    async def play() -> Result:
        client = AMIClient(host=HOST, port=job.port, username=USERNAME, secret=SECRET, ping_delay=0)
        to_come, all_came, answered = 0, asyncio.Event(), asyncio.Event()

        def handler(event: Any) -> None:
            meter.calls += 1
            meter.read += len(event.get("Channel", ""))
            if meter.calls == to_come:
                all_came.set()

        client.register_event(list(job.names) or ["*"], handler)
        client._actions_repeat = True  # otherwise it ends when no action is open
        running = asyncio.create_task(client.connect_ami())
        while not client._authenticated:
            await asyncio.sleep(0.01)
        for count, calls in ((job.warm_up, job.warm_up_calls), (job.count, job.calls)):
            to_come = calls
            meter.start()
            all_came.clear()
            answered.clear()
            action = {"Action": "Replay", "Events": str(count)}
            await client._send_action(action, callback=lambda answer: answered.set())
            await answered.wait()
            await all_came.wait()
        running.cancel()
        return meter.stop()

    return asyncio.run(play())


if __name__ == "__main__":
    run({"events": events})
