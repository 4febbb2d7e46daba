"""How fast events go to a broker: ``speed.py WAY KIND BROKER_PORT NAME PBX_URL EVENTS`` prints what it took.

``WAY`` is ``ours``, the forwarder, or ``naive``, a handler that publishes each event by itself and waits for the
confirm, as bridges are written by hand (wazo-amid's way), or ``paced``, the forwarder with 1,000 events a second, or
``bare``, messages of the broker's library alone at that pace, or ``long``, the forwarder and a source in one process.
"""

from __future__ import annotations

import json
import multiprocessing
import queue
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Callable

from child import broker_of

from ami_client import Connection, Packet, Pool, Reactor
from ami_client.forward import Forwarder, Source

CHUNK = 2_000  # events that the PBX sends at a time


class Playing:
    """Has the PBX send events, as many as are taken from it."""

    def __init__(self, url: str, total: int) -> None:
        self.reactor = Reactor()
        self.pool = Pool(reactor=self.reactor, authtype="plain", slow_handler=None)
        self.total = total
        self.asked = 0
        self.heard = 0
        self.pool.on("event", self._count)
        self.pool.get_connection(url, self._connected)
        self.conn: Connection | None = None

    def _connected(self, conn: Connection, packet: Packet) -> None:
        assert conn.connected
        self.conn = conn

    def _count(self, conn: Connection, packet: Packet) -> None:
        self.heard += 1

    def more(self, count: int = CHUNK) -> None:
        """Ask for the next events."""
        assert self.conn is not None
        count = min(count, self.total - self.asked)
        if count:
            self.asked += count
            self.conn.action("Replay", None, {"Events": count})


def ours(kind: str, port: str, name: str, url: str, total: int) -> Any:
    playing = Playing(url, total)
    reader = broker_of(kind, port, name).fresh()  # a group keeps what comes, as in real life
    reader.open()
    while not reader.share("source-crm", ["*"]):
        pass
    reader.subscribe(["events.*"], "crm", 10)
    reader.close()
    forwarder = Forwarder(playing.pool, broker_of(kind, port, name), server="pbx1")
    forwarder.start()
    while not forwarder.stats.active:
        playing.reactor.run_once(0.1)
    measure = Measure()
    while forwarder.stats.published < total:
        if playing.heard == playing.asked and len(forwarder._outbox) < 4 * CHUNK:
            playing.more()
        if playing.heard * 10 // total > len(measure.memory):
            measure.see()
        playing.reactor.run_once(0.01)
    result = measure.result(total)
    forwarder.close()
    return result


def publisher(kind: str, port: str, name: str) -> Callable[[str, bytes], object]:
    """A function that publishes a message and returns when it is confirmed."""
    if kind == "redis":
        import redis

        client = redis.Redis(port=int(port))
        return lambda topic, body: client.xadd(name, {"body": body})
    if kind == "rabbitmq":
        import pika

        connection = pika.BlockingConnection(pika.URLParameters(f"amqp://guest:guest@127.0.0.1:{port}/%2F"))
        channel = connection.channel()
        channel.exchange_declare(name, "topic", durable=True)
        channel.queue_declare(f"{name}-queue", durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind(f"{name}-queue", name, "#")
        channel.confirm_delivery()
        properties = pika.BasicProperties(delivery_mode=2)
        return lambda topic, body: channel.basic_publish(name, topic, body, properties)
    import paho.mqtt.client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion

    paho = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    paho.connect("127.0.0.1", int(port))
    paho.loop_start()
    return lambda topic, body: paho.publish(f"{name}/{topic}", body, qos=1).wait_for_publish()


def naive(kind: str, port: str, name: str, url: str, total: int) -> Any:
    publish = publisher(kind, port, name)
    playing = Playing(url, total)

    def handler(conn: Connection, packet: Packet) -> None:
        publish(f"ami.{packet.event_name}", json.dumps(dict(packet)).encode())

    playing.pool.on("event", handler)
    while playing.conn is None:
        playing.reactor.run_once(0.1)
    measure = Measure()
    while playing.heard < total:
        if playing.heard == playing.asked:
            playing.more()
        playing.reactor.run_once(0.01)
    return measure.result(total)


def paced(kind: str, port: str, name: str, url: str, total: int) -> Any:
    """A thousand events a second, ten at a time."""
    playing = Playing(url, total)
    forwarder = Forwarder(playing.pool, broker_of(kind, port, name), server="pbx1")
    forwarder.start()
    while not forwarder.stats.active:
        playing.reactor.run_once(0.1)

    def more() -> None:
        playing.more(10)
        playing.reactor.call_later(0.01, more)

    more()
    while playing.asked < total or forwarder.stats.queued:
        playing.reactor.run_once(0.1)
    forwarder.close()
    return {}


def bare(kind: str, port: str, name: str, url: str, total: int) -> Any:
    """How old messages get that the broker's library publishes and receives, without us."""
    reading = bodies(kind, port, name)
    next(reading)
    process = multiprocessing.get_context("spawn").Process(target=publish_times, args=(kind, port, name, total))
    process.start()
    ages = []
    for body in reading:
        if body:
            ages.append(time.time() - float(body.split(maxsplit=1)[0]))
        elif not process.is_alive():
            break
    return percentiles(ages)


def publish_times(kind: str, port: str, name: str, total: int) -> None:
    """A thousand messages a second, ten at a time, each published and confirmed by itself. They begin with the time."""
    publish = publisher(kind, port, name)
    for number in range(total):
        if number % 10 == 0:
            time.sleep(0.01)
        publish("bare", b"%.6f " % time.time() + bytes(650))


def percentiles(ages: Sequence[float]) -> Any:
    """What half of them and 99 of 100 are below, in ms. The first ones do not count."""
    ordered = sorted(ages[500:])
    return {f"p{share}": round(ordered[len(ordered) * share // 100] * 1000, 1) for share in (50, 99)}


def bodies(kind: str, port: str, name: str) -> Iterator[bytes]:
    """What :func:`publisher` has published from now on; nothing each 0.1 seconds in which nothing comes."""
    if kind == "redis":
        import redis

        client: Any = redis.Redis(port=int(port))
        last = "0"
        while True:
            entries = [one for _, some in client.xread({name: last}, block=100) for one in some]
            last = entries[-1][0] if entries else last
            yield from (fields[b"body"] for _, fields in entries or [("", {b"body": b""})])
    elif kind == "rabbitmq":
        import pika

        address = pika.URLParameters(f"amqp://guest:guest@127.0.0.1:{port}/%2F")
        channel: Any = pika.BlockingConnection(address).channel()
        channel.queue_declare(f"{name}-queue", durable=True, arguments={"x-queue-type": "quorum"})
        channel.basic_qos(prefetch_count=500)
        for method, _, body in channel.consume(f"{name}-queue", inactivity_timeout=0.1):
            yield body or b""
            if method is not None:
                channel.basic_ack(method.delivery_tag)
    else:
        import paho.mqtt.client as mqtt
        from paho.mqtt.enums import CallbackAPIVersion

        received: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        paho: Any = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        paho.on_connect = lambda *args: paho.subscribe(f"{name}/#", qos=1)
        paho.on_message = lambda client, data, message: received.put(message.payload)
        paho.connect("127.0.0.1", int(port))
        paho.loop_start()
        while True:
            try:
                yield received.get(timeout=0.1)
            except queue.Empty:
                yield b""


def long(kind: str, port: str, name: str, url: str, total: int) -> Any:
    """What a forwarder and a source take of memory after a tenth, half and all of the events."""
    playing = Playing(url, total)
    source = Source(broker_of(kind, port, name), group="crm", reactor=playing.reactor)
    gaps: list[str] = []
    source.on("gap", lambda source, gap: gaps.append(gap.reason))
    source.start()
    forwarder = Forwarder(playing.pool, broker_of(kind, port, name), server="pbx1")
    forwarder.start()
    while not (forwarder.stats.active and source.is_reading):
        playing.reactor.run_once(0.1)
    measure = Measure()
    for goal in (total // 10, total // 2, total):
        while source.stats.events < goal:
            if playing.heard == playing.asked and playing.heard - source.stats.events < 4 * CHUNK:
                playing.more()
            playing.reactor.run_once(0.01)
        measure.see()
    result = measure.result(total)
    source.close()
    forwarder.close()
    return {**result, "gaps": gaps}


class Measure:
    """Time and memory since it was made."""

    def __init__(self) -> None:
        self.began = time.perf_counter(), time.process_time()
        self.memory: list[int] = []

    def see(self) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.memory.append(pages * resource.getpagesize() // 1024)

    def result(self, total: int) -> Any:
        wall, cpu = time.perf_counter() - self.began[0], time.process_time() - self.began[1]
        return {"per_second": round(total / wall), "per_cpu_second": round(total / cpu), "memory_kib": self.memory}


if __name__ == "__main__":
    way, *rest, total = sys.argv[1:]
    kind, port, name, url = rest
    ways = {"ours": ours, "naive": naive, "paced": paced, "bare": bare, "long": long}
    print(json.dumps(ways[way](kind, port, name, url, int(total))))
