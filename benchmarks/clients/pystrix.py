"""pystrix at work: a thread that reads, one that calls handlers, and the one that sends an action waits."""

from __future__ import annotations

import threading
from typing import Any

from pystrix.ami import Manager, core  # type: ignore[import-not-found]
from pystrix.ami.ami import _Request  # type: ignore[import-not-found]

from .common import HOST, SECRET, USERNAME, Job, Meter, Result, run

FOREVER = 1000  # seconds


def logged_in(job: Job) -> Any:
    """A manager."""
    manager = Manager()
    manager.connect(HOST, job.port)
    assert manager.send_action(core.Login(USERNAME, SECRET)).success
    return manager


def events(job: Job) -> Result:
    """One callback for all events, or one for each of the names."""
    meter, manager = Meter(), logged_in(job)
    to_come = 0
    all_came = threading.Event()

    def handler(event: Any, manager: Any) -> None:
        meter.calls += 1
        meter.read += len(event.get("Channel", ""))
        if meter.calls == to_come:
            all_came.set()

    def play(count: int, calls: int) -> None:
        nonlocal to_come
        to_come = calls
        all_came.clear()
        request = _Request("Replay")
        request["Events"] = str(count)
        request.timeout = FOREVER
        manager.send_action(request)
        all_came.wait()  # the answer may be here before the events were handled: they have another queue

    for name in job.names or [""]:
        manager.register_callback(name, handler)
    play(job.warm_up, job.warm_up_calls)
    meter.start()
    play(job.count, job.calls)
    return meter.stop()


def calls(job: Job) -> Result:
    """One Ping after the other."""
    meter, manager = Meter(), logged_in(job)
    for number in range(-job.warm_up, job.count):
        if number == 0:
            meter.start()
        answer = manager.send_action(core.Ping()).response
        meter.calls += 1
        meter.read += len(answer["Response"]) + len(answer["Ping"])
    return meter.stop()


if __name__ == "__main__":
    run({"events": events, "calls": calls})
