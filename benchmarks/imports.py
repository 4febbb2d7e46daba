"""What importing a client costs: the time of a Python that imports it over that of one that does nothing."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

STATEMENTS = {
    "ours": "from ami_client import Pool",  # the package alone imports nothing
    "panoramisk": "import panoramisk",
    "asterisk-ami": "import asterisk.ami",
    "pyst2": "import asterisk.manager",
    "pystrix": "import pystrix.ami",
    "pyami-asterisk": "import pyami_asterisk",
}
TIMES = 21


@dataclass
class ImportTimes:
    """Seconds over a bare Python, one of each per turn: on the clock, and of the processor."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def medians(self) -> tuple[float, float]:
        """Seconds on the clock, seconds of the processor."""
        return statistics.median(self.wall), statistics.median(self.cpu)


def import_times(python: str, clients: Sequence[str], times: int = TIMES) -> Mapping[str, ImportTimes]:
    """Measure the clients that are libraries for Python, by turns. The first turn may compile, and does not count."""
    found = {client: ImportTimes() for client in clients if client in STATEMENTS}
    for number in range(times + 1):
        bare = _start(python, "pass")
        for client, importing in found.items():
            wall, cpu = _start(python, STATEMENTS[client])
            if number:
                importing.wall.append(wall - bare[0])
                importing.cpu.append(cpu - bare[1])
    return found


def _start(python: str, code: str) -> tuple[float, float]:
    begin = time.perf_counter()
    process = subprocess.Popen([python, "-I", "-c", code])
    _, status, usage = os.wait4(process.pid, 0)  # for the usage of this one process
    wall = time.perf_counter() - begin
    process.returncode = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
    if process.returncode:
        raise RuntimeError(f"{code!r} failed in {python}")
    return wall, usage.ru_utime + usage.ru_stime
