"""asterisk-ami at work: a thread that reads, and calls what listens."""

from __future__ import annotations

import threading
import time
from typing import Any

from asterisk.ami import AMIClient, SimpleAction  # type: ignore[import-not-found]

from .common import HOST, PING_EVERY, SECRET, USERNAME, Job, Latency, Meter, Result, run

# A receive buffer of 1 KiB, 4 KiB or 16 KiB makes it faster or slower; this one was the best of them.
BUFFER_SIZE = 1 << 14


class Client:
    """A client that is logged in."""

    def __init__(self, job: Job) -> None:
        self.ami = AMIClient(HOST, job.port, buffer_size=BUFFER_SIZE)
        assert not self.ami.login(USERNAME, SECRET).response.is_error()

    def play(self, count: int, action: str = "Replay", **others: float) -> None:
        """Ask for so many events, and wait for the answer that says that all are out."""
        answered = threading.Event()
        self.ami.send_action(SimpleAction(action, Events=count, **others), lambda response: answered.set())
        answered.wait()


def events(job: Job) -> Result:
    """One listener for all events, or one with a white list."""
    meter, client = Meter(), Client(job)

    def handler(event: Any, source: Any) -> None:
        meter.calls += 1
        meter.read += len(event.keys.get("Channel", ""))

    if job.names:
        client.ami.add_event_listener(on_event=handler, white_list=list(job.names))
    else:
        client.ami.add_event_listener(on_event=handler)
    client.play(job.warm_up)
    meter.start()
    client.play(job.count)
    return meter.stop()


def pings(job: Job) -> Result:
    """The callback of a Ping sends the next one; ``depth`` are in flight."""
    meter, client = Meter(), Client(job)
    to_send = to_come = 0
    all_came = threading.Event()

    def ping(count: int) -> None:
        nonlocal to_send, to_come
        to_send, to_come = count - job.depth, count
        all_came.clear()
        # The first ones too are sent by the thread that reads: actions of two threads may get the same id.
        client.ami.send_action(SimpleAction("Ping"), first_ones)
        all_came.wait()

    def first_ones(response: Any) -> None:
        for _ in range(job.depth):
            client.ami.send_action(SimpleAction("Ping"), pong)

    def pong(response: Any) -> None:
        nonlocal to_send, to_come
        meter.calls += 1
        meter.read += len(response.status) + len(response.keys["Ping"])
        to_come -= 1
        if to_send > 0:
            to_send -= 1
            client.ami.send_action(SimpleAction("Ping"), pong)
        elif not to_come:
            all_came.set()

    ping(job.warm_up)
    meter.start()
    ping(job.count)
    return meter.stop()


def trickle(job: Job) -> Result:
    """One listener, on one connection."""
    meter, client = Meter(), Client(job)

    def handler(event: Any, source: Any) -> None:
        meter.calls += 1
        meter.read += len(event.keys.get("Channel", ""))

    client.ami.add_event_listener(on_event=handler)
    client.play(job.warm_up, "Trickle")
    meter.start()
    client.play(job.count, "Trickle")
    return meter.stop()


def latency(job: Job) -> Result:
    """One listener for all events, and a thread that sends a Ping every ten milliseconds."""
    meter, client, late, now = Meter(), Client(job), Latency(), time.monotonic

    def handler(event: Any, source: Any) -> None:
        meter.calls += 1
        meter.read += len(event.keys.get("Channel", ""))
        sent = event.keys.get("Sent")
        if sent:
            late.events(now() - float(sent))

    def ping() -> None:
        while True:
            time.sleep(PING_EVERY)
            began = now()
            client.ami.send_action(SimpleAction("Ping"), lambda response, began=began: late.pings(now() - began))

    client.ami.add_event_listener(on_event=handler)
    client.play(job.warm_up)
    began = time.perf_counter()
    client.play(job.warm_up)
    rate = job.rate or late.of_half(job.warm_up, began)
    threading.Thread(target=ping, daemon=True).start()
    meter.start()
    client.play(job.count, "Pace", Rate=rate, Burst=job.burst)
    result = meter.stop()
    result.latency = late.result()
    return result


def calls(job: Job) -> Result:
    """One Ping after the other, by a thread that waits for each answer."""
    meter, client = Meter(), Client(job)
    for number in range(-job.warm_up, job.count):
        if number == 0:
            meter.start()
        answer = client.ami.send_action(SimpleAction("Ping")).response
        meter.calls += 1
        meter.read += len(answer.status) + len(answer.keys["Ping"])
    return meter.stop()


if __name__ == "__main__":
    run({"events": events, "pings": pings, "trickle": trickle, "latency": latency, "calls": calls})
