"""What the runners in Python share: the job they are given, the measures they take, the line they print.

A runner is a program. Its argument is a job in JSON; it prints one line of JSON, see :class:`Result`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import sys
import time
import tracemalloc
from array import array
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Callable, Optional

HOST = "127.0.0.1"
USERNAME = SECRET = "bench"


@dataclass(frozen=True)
class Job:
    """What a runner is to do.

    Attributes:
        kind: the function of the runner: ``events``, ``pings``, ``lists``, ``trickle`` or ``idle``.
        port: the server's.
        count: how many events, pings or lists are measured.
        warm_up: how many come before, unmeasured: a daemon has long been running when its speed matters.
        names: of the events to bind, as the server spells them; empty for one handler of all events.
        calls, warm_up_calls: how many of ``count`` and of ``warm_up`` events have these names.
        depth: pings in flight at a time.
        connections: how many.
        seconds: how long to be idle.
        rate: events a second that the server sends; 0 for half of what the client did in the warm-up.
        burst: how many of them at once.
        traced: count the memory that Python allocates, which is exact and slow, in place of the process's.
    """

    kind: str
    port: int
    count: int = 0
    warm_up: int = 0
    names: tuple[str, ...] = ()
    calls: int = 0
    warm_up_calls: int = 0
    depth: int = 1
    connections: int = 1
    seconds: float = 0
    rate: float = 0
    burst: int = 1
    traced: bool = False


@dataclass
class Result:
    """What a runner did, and what it cost from after the login to the last item.

    Attributes:
        calls: how many events, answers or entries its handlers were given.
        read: the lengths of all their Channel headers, which the handlers look at; -1 for a runner without headers.
        cpu_seconds, wall_seconds: processor time of the process, user and system; time on the clock.
        active_seconds: time on the clock, with the login and the warm-up.
        warm_rss, peak_rss: the most memory in use until the measured part began, and in all; bytes.
        connection_bytes: memory per idle connection.
        latency: microseconds, by what was late and how many are later, as ``event p99``.
    """

    calls: int = 0
    read: int = 0
    cpu_seconds: float = 0
    wall_seconds: float = 0
    active_seconds: float = 0
    warm_rss: int = 0
    peak_rss: int = 0
    connection_bytes: float = 0
    latency: dict[str, float] = field(default_factory=dict)


PERCENTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
PING_EVERY = 0.01  # seconds, beside events whose latency is measured


class Latency:
    """How long after they were sent events reached their handler, and answers to Pings their callback."""

    def __init__(self) -> None:
        self._late: dict[str, array[float]] = {"event": array("d"), "ping": array("d")}
        self.events, self.pings = self._late["event"].append, self._late["ping"].append

    def of_half(self, events: int, began: float) -> float:
        """Half the rate at which so many events were handled since then; events a second."""
        return events / (time.perf_counter() - began) / 2

    def result(self) -> dict[str, float]:
        """As :attr:`Result.latency`."""
        return {
            f"{what} {name}": sorted(late)[int(part * len(late))] * 1e6
            for what, late in self._late.items()
            if late
            for name, part in PERCENTILES.items()
        }


class Meter:
    """Takes the measures. The runner counts ``calls`` and ``read`` in its handlers."""

    def __init__(self) -> None:
        self.calls = 0
        self.read = 0
        self._result = Result()
        self._begun = time.perf_counter()

    def start(self) -> None:
        """The warm-up is over."""
        self.calls = self.read = 0
        self._result.warm_rss = peak_rss()
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def stop(self) -> Result:
        """The last item was handled."""
        cpu, wall = time.process_time(), time.perf_counter()
        result = self._result
        result.cpu_seconds, result.wall_seconds = cpu - self._cpu, wall - self._wall
        result.active_seconds = wall - self._begun
        result.calls, result.read = self.calls, self.read
        result.peak_rss = peak_rss()
        return result


class Memory:
    """What a number of connections takes, bytes."""

    def __init__(self, traced: bool) -> None:
        if traced:
            tracemalloc.start()
        self._traced = traced
        self._before = self._in_use()

    def grown(self) -> int:
        """How much more is in use now."""
        return self._in_use() - self._before

    def _in_use(self) -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0] if self._traced else resident()


def asyncio_loop() -> asyncio.AbstractEventLoop:
    """A new loop of asyncio, or of uvloop if the environment says ``LOOP=uvloop``."""
    if os.environ.get("LOOP") == "uvloop":
        import uvloop

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        return loop
    return asyncio.new_event_loop()


def peak_rss() -> int:
    """The most memory that this process ever had in use, bytes."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            # Not ru_maxrss, which on Linux begins with the size of the process that started this one.
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    except FileNotFoundError:  # not Linux
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def resident() -> int:
    """The memory of this process that is in use, bytes."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:  # not Linux; what grows shows in the peak as well
        return peak_rss()


def run(runner: Mapping[str, Callable[[Job], Result]], argument: Optional[str] = None) -> None:
    """Do the job that the program's argument describes, and print the result."""
    given = json.loads(sys.argv[1] if argument is None else argument)
    known = {one.name for one in fields(Job)}
    job = Job(**{name: value for name, value in given.items() if name in known})
    result = runner[job.kind](job)
    print(json.dumps(asdict(result)), flush=True)
    # Threads of a client that knows no end, and the sockets, end with the process.
    os._exit(0)
