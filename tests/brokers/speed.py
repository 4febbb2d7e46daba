"""How fast events go to a broker: ``speed.py WAY KIND BROKER_PORT NAME PBX_URL EVENTS`` prints what it took.

``WAY`` is ``ours``, the forwarder, or ``naive``, a handler that publishes each event by itself and waits for the
confirm, as bridges are written by hand (wazo-amid's way), or ``paced``, the forwarder with 1,000 events a second.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any, Callable

from child import broker_of

from ami_client import Connection, Packet, Pool, Reactor
from ami_client.forward import Forwarder

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
    print(json.dumps({"ours": ours, "naive": naive, "paced": paced}[way](kind, port, name, url, int(total))))
