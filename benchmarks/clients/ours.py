"""Our client at work."""

from __future__ import annotations

import math
import os
import time
from typing import Any, Callable, Optional

from ami_client import Connection, Packet, Pool, Reactor

from .common import HOST, PING_EVERY, SECRET, USERNAME, Job, Latency, Memory, Meter, Result, asyncio_loop, run

HEARTBEAT = 2  # a Ping is sent at half of `timeout`


class Client:
    """A pool on a loop of its own: our reactor, or the one of asyncio that the environment names."""

    def __init__(self, job: Job, timeout: Optional[float] = 60.0) -> None:
        self.reactor: Any
        self.run: Callable[[], None]
        if "LOOP" in os.environ:
            self.reactor = loop = asyncio_loop()
            self.run = loop.run_forever
        else:
            self.reactor = reactor = Reactor()
            self.run = reactor.run
        self.connections: list[Connection] = []
        self._url = f"tcp://{USERNAME}:{SECRET}@{HOST}:{job.port}"
        self.pool = Pool(reactor=self.reactor, maxconnperserv=job.connections + 1, timeout=timeout)

    def connect(self, count: int = 1) -> Connection:
        """So many connections more, logged in; returns the last one."""
        wanted = len(self.connections) + count

        def keep(conn: Connection) -> None:
            assert conn.connected, conn.error
            conn.acquire()
            self.connections.append(conn)
            if len(self.connections) == wanted:
                self.reactor.stop()

        for _ in range(count):
            self.pool.get_connection(self._url, keep)
        self.run()
        return self.connections[-1]

    def ask(self, action: str, events: int, **others: float) -> None:
        """Ask for so many events, and run until the answer says that all are out."""
        answered: Callable[[Connection, Packet], None] = lambda conn, packet: self.reactor.stop()  # noqa: E731
        self.connections[0].action(action, answered, {"Events": events, **others}, timeout=math.inf)
        self.run()

    def wait(self, all_came: Callable[[], bool]) -> None:
        """Run until it holds: the answer may overtake events on other connections."""
        while not all_came():
            self.reactor.call_later(0.001, self.reactor.stop)
            self.run()


def events(job: Job) -> Result:
    """One handler on ``event``, or on each of the names."""
    client, meter = Client(job), Meter()
    conn = client.connect()

    def handler(conn: Connection, packet: Packet) -> None:
        meter.calls += 1
        meter.read += len(packet.get("channel", ""))

    conn.on([f"event_{name.lower()}" for name in job.names] or "event", handler)
    client.ask("Replay", job.warm_up)
    meter.start()
    client.ask("Replay", job.count)
    return meter.stop()


def pings(job: Job) -> Result:
    """The callback of a Ping sends the next one; ``depth`` are in flight."""
    client, meter = Client(job), Meter()
    conn = client.connect()
    to_send = to_come = 0

    def ping(count: int) -> None:
        nonlocal to_send, to_come
        to_send, to_come = count - job.depth, count
        for _ in range(job.depth):
            conn.ping(pong)
        client.run()

    def pong(conn: Connection, packet: Packet) -> None:
        nonlocal to_send, to_come
        meter.calls += 1
        meter.read += len(packet["response"]) + len(packet["ping"])
        to_come -= 1
        if to_send > 0:
            to_send -= 1
            conn.ping(pong)
        elif not to_come:
            client.reactor.stop()

    ping(job.warm_up)
    meter.start()
    ping(job.count)
    return meter.stop()


def lists(job: Job) -> Result:
    """Each list is put together by the client, and its entries are read in the callback."""
    client, meter = Client(job), Meter()
    conn = client.connect()

    def complete(conn: Connection, packet: Packet) -> None:
        for entry in packet.events:
            meter.calls += 1
            meter.read += len(entry.get("channel", ""))
        client.reactor.stop()

    for number in range(-job.warm_up, job.count):
        if number == 0:
            meter.start()
        conn.action("CoreShowChannels", complete)
        client.run()
    return meter.stop()


def trickle(job: Job) -> Result:
    """One handler on the pool's ``event``, for all connections."""
    client, meter = Client(job), Meter()
    client.connect(job.connections)

    def handler(conn: Connection, packet: Packet) -> None:
        meter.calls += 1
        meter.read += len(packet.get("channel", ""))

    client.pool.on("event", handler)
    client.ask("Trickle", job.warm_up)
    client.wait(lambda: meter.calls >= job.warm_up)
    meter.start()
    client.ask("Trickle", job.count)
    client.wait(lambda: meter.calls >= job.count)
    return meter.stop()


def latency(job: Job) -> Result:
    """One handler on ``event``, and a Ping every ten milliseconds."""
    client, meter, late = Client(job), Meter(), Latency()
    conn, now = client.connect(), time.monotonic

    def handler(conn: Connection, packet: Packet) -> None:
        meter.calls += 1
        meter.read += len(packet.get("channel", ""))
        sent = packet.get("sent")
        if sent:
            late.events(now() - float(sent))

    def ping() -> None:
        began = now()
        conn.ping(lambda conn, packet: late.pings(now() - began))
        client.reactor.call_later(PING_EVERY, ping)

    conn.on("event", handler)
    client.ask("Replay", job.warm_up)
    began = time.perf_counter()
    client.ask("Replay", job.warm_up)
    rate = job.rate or late.of_half(job.warm_up, began)
    client.reactor.call_later(PING_EVERY, ping)
    meter.start()
    client.ask("Pace", job.count, Rate=rate, Burst=job.burst)
    result = meter.stop()
    result.latency = late.result()
    return result


def idle(job: Job) -> Result:
    """Connections that nobody uses. The first one is there before, with what is loaded and made once."""
    client, meter = Client(job, timeout=2 * HEARTBEAT), Meter()
    client.connect()
    memory = Memory(job.traced)
    client.connect(job.connections)
    grown = memory.grown()
    client.reactor.call_later(job.seconds, client.reactor.stop)
    meter.start()
    client.run()
    result = meter.stop()
    result.connection_bytes = grown / job.connections
    return result


if __name__ == "__main__":
    run({"events": events, "pings": pings, "lists": lists, "trickle": trickle, "latency": latency, "idle": idle})
