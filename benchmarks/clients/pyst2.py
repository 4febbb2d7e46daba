"""pyst2 at work: one thread receives, one parses, one calls handlers, and the one that sends an action waits.

Its events come without ChanVariable headers: on Python 3 the first of these ends the thread that parses.
"""

from __future__ import annotations

import threading
from typing import Any

from asterisk.manager import Manager  # type: ignore[import-not-found]

from .common import HOST, SECRET, USERNAME, Job, Meter, Result, run


def logged_in(job: Job) -> Any:
    """A manager."""
    manager = Manager()
    manager.connect(HOST, job.port)
    manager.login(USERNAME, SECRET)
    return manager


def events(job: Job) -> Result:
    """One handler on ``*``, or on each of the names."""
    meter, manager = Meter(), logged_in(job)
    to_come = 0
    all_came = threading.Event()

    def handler(event: Any, manager: Any) -> None:
        meter.calls += 1
        meter.read += len(event.get_header("Channel", ""))
        if meter.calls == to_come:
            all_came.set()

    def play(count: int, calls: int) -> None:
        nonlocal to_come
        to_come = calls
        all_came.clear()
        manager.send_action({"Action": "Replay", "Events": count, "Plain": 1})
        if calls:
            all_came.wait()  # the answer may be here before the events were handled: they have another queue

    for name in job.names or ["*"]:
        manager.register_event(name, handler)
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
        answer = manager.ping()
        meter.calls += 1
        meter.read += len(answer.get_header("Response")) + len(answer.get_header("Ping"))
    return meter.stop()


if __name__ == "__main__":
    run({"events": events, "pings": calls, "calls": calls})
