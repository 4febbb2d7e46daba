"""The machine: what it is, and which processors the benchmarks use.

Where the system lets us (Linux), client and server have a processor each. In the works in which they only ever take
turns they share one: otherwise each turn wakes a sleeping processor, which costs more than the turn itself, is charged
to the client, and depends on where the scheduler happened to put the two. A ping of one and the same client cost
from 14 to 41 us of processor time without any rule, and 14 us with this one, within 2%.
"""

from __future__ import annotations

import os
import platform
import resource
import sys
from contextlib import suppress

DESCRIPTORS = 2048  # a thousand connections and what else is open


class Processors:
    """Who runs where. Attribute: ``pinned``, whether the system lets us say."""

    def __init__(self) -> None:
        usable = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
        self.pinned = len(usable) > 1
        self._usable = usable

    def place(self, server: int, together: bool) -> None:
        """Put the server's process, and those that this one starts from now on, in their places."""
        if self.pinned and sys.platform == "linux":
            os.sched_setaffinity(0, self._usable[:1])
            os.sched_setaffinity(server, self._usable[:1] if together else self._usable[-1:])


def allow_descriptors() -> None:
    """Let the processes that this one starts have as many connections as they need, if that is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < DESCRIPTORS:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))


def facts(processors: Processors) -> dict[str, object]:
    """What one has to know of the machine to compare figures."""
    return {
        "processor": _processor(),
        "processors": os.cpu_count(),
        "pinned": processors.pinned,
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _processor() -> str:
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
