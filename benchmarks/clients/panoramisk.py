"""panoramisk at work: asyncio, handlers by pattern, futures."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Callable

import panoramisk  # type: ignore[import-not-found]

from .common import HOST, PING_EVERY, SECRET, USERNAME, Job, Latency, Memory, Meter, Result, asyncio_loop, run

HEARTBEAT = 2  # seconds


class Client:
    """Managers on a loop of their own."""

    def __init__(self, job: Job, **options: Any) -> None:
        self.loop = asyncio_loop()
        asyncio.set_event_loop(self.loop)
        self.managers: list[Any] = []
        self._options = {"host": HOST, "port": job.port, "username": USERNAME, "secret": SECRET, **options}

    def connect(self, count: int = 1) -> Any:
        """So many managers more, logged in; returns the last one."""
        wanted = len(self.managers) + count

        def logged_in(manager: Any) -> None:
            self.managers.append(manager)
            if len(self.managers) == wanted:
                self.loop.stop()

        for _ in range(count):
            panoramisk.Manager(loop=self.loop, on_login=logged_in, **self._options).connect()
        self.loop.run_forever()
        return self.managers[-1]

    def ask(self, action: str, events: int, **others: float) -> None:
        """Ask for so many events, and run until the answer says that all are out."""
        self.loop.run_until_complete(self.managers[0].send_action({"Action": action, "Events": events, **others}))

    def wait(self, all_came: Callable[[], bool]) -> None:
        """Run until it holds: the answer may overtake events on other connections."""
        while not all_came():
            self.loop.call_later(0.001, self.loop.stop)
            self.loop.run_forever()


def events(job: Job) -> Result:
    """One handler on ``*``, or on each of the names."""
    client, meter = Client(job), Meter()
    manager = client.connect()

    def handler(manager: Any, message: Any) -> None:
        meter.calls += 1
        meter.read += len(message.channel)

    for name in job.names or ["*"]:
        manager.register_event(name, handler)
    client.ask("Replay", job.warm_up)
    meter.start()
    client.ask("Replay", job.count)
    return meter.stop()


def pings(job: Job) -> Result:
    """The callback of a Ping's future sends the next one; ``depth`` are in flight."""
    client, meter = Client(job), Meter()
    manager = client.connect()
    to_send = to_come = 0

    def ping(count: int) -> None:
        nonlocal to_send, to_come
        to_send, to_come = count - job.depth, count
        for _ in range(job.depth):
            manager.send_action({"Action": "Ping"}).add_done_callback(pong)
        client.loop.run_forever()

    def pong(future: asyncio.Future[Any]) -> None:
        nonlocal to_send, to_come
        answer = future.result()
        meter.calls += 1
        meter.read += len(answer.response) + len(answer.ping)
        to_come -= 1
        if to_send > 0:
            to_send -= 1
            manager.send_action({"Action": "Ping"}).add_done_callback(pong)
        elif not to_come:
            client.loop.stop()

    ping(job.warm_up)
    meter.start()
    ping(job.count)
    return meter.stop()


def awaits(job: Job) -> Result:
    """``depth`` pings are sent at once and awaited, over and over."""
    client, meter = Client(job), Meter()
    manager = client.connect()

    async def ping(count: int) -> None:
        for _ in range(count // job.depth):
            pings = [manager.send_action({"Action": "Ping"}) for _ in range(job.depth)]
            for answer in await asyncio.gather(*pings):
                meter.calls += 1
                meter.read += len(answer.response) + len(answer.ping)

    client.loop.run_until_complete(ping(job.warm_up))
    meter.start()
    client.loop.run_until_complete(ping(job.count))
    return meter.stop()


def stream(job: Job) -> Result:
    """A coroutine as the handler of all events."""
    client, meter = Client(job), Meter()
    manager = client.connect()

    async def handler(manager: Any, message: Any) -> None:
        meter.calls += 1
        meter.read += len(message.channel)

    async def all_handled(count: int) -> None:
        while meter.calls < count:
            await asyncio.sleep(0)

    manager.register_event("*", handler)
    for count in (job.warm_up, job.count):
        meter.start()
        client.ask("Replay", count)
        client.loop.run_until_complete(all_handled(count))
    return meter.stop()


def lists(job: Job) -> Result:
    """Each list is put together by the client, and its entries are read."""
    client, meter = Client(job), Meter()
    manager = client.connect()
    for number in range(-job.warm_up, job.count):
        if number == 0:
            meter.start()
        answer = manager.send_action({"Action": "CoreShowChannels"}, as_list=True)
        for entry in client.loop.run_until_complete(answer)[1:-1]:
            meter.calls += 1
            meter.read += len(entry.channel)
    return meter.stop()


def trickle(job: Job) -> Result:
    """One handler on ``*`` of each manager."""
    client, meter = Client(job), Meter()
    client.connect(job.connections)

    def handler(manager: Any, message: Any) -> None:
        meter.calls += 1
        meter.read += len(message.channel)

    for manager in client.managers:
        manager.register_event("*", handler)
    client.ask("Trickle", job.warm_up)
    client.wait(lambda: meter.calls >= job.warm_up)
    meter.start()
    client.ask("Trickle", job.count)
    client.wait(lambda: meter.calls >= job.count)
    return meter.stop()


def latency(job: Job) -> Result:
    """One handler on ``*``, and a Ping every ten milliseconds."""
    client, meter, late = Client(job), Meter(), Latency()
    manager, now = client.connect(), time.monotonic

    def handler(manager: Any, message: Any) -> None:
        meter.calls += 1
        meter.read += len(message.channel)
        sent = message.sent
        if sent:
            late.events(now() - float(sent))

    def ping() -> None:
        began = now()
        manager.send_action({"Action": "Ping"}).add_done_callback(lambda future: late.pings(now() - began))
        client.loop.call_later(PING_EVERY, ping)

    manager.register_event("*", handler)
    client.ask("Replay", job.warm_up)
    began = time.perf_counter()
    client.ask("Replay", job.warm_up)
    rate = job.rate or late.of_half(job.warm_up, began)
    client.loop.call_later(PING_EVERY, ping)
    meter.start()
    client.ask("Pace", job.count, Rate=rate, Burst=job.burst)
    result = meter.stop()
    result.latency = late.result()
    return result


def idle(job: Job) -> Result:
    """Connections that nobody uses. The first one is there before, with what is loaded and made once."""
    client, meter = Client(job, ping_delay=HEARTBEAT, ping_interval=HEARTBEAT), Meter()
    client.connect()
    memory = Memory(job.traced)
    client.connect(job.connections)
    grown = memory.grown()
    client.loop.call_later(job.seconds, client.loop.stop)
    meter.start()
    client.loop.run_forever()
    result = meter.stop()
    result.connection_bytes = grown / job.connections
    return result


if __name__ == "__main__":
    run(
        {
            "events": events,
            "awaits": awaits,
            "stream": stream,
            "pings": pings,
            "lists": lists,
            "trickle": trickle,
            "latency": latency,
            "idle": idle,
        }
    )
