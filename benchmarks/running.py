"""Runs the clients on the works, by turns, and checks that they did them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Optional, Union

from .clients.common import Job, Result
from .expected import Expected
from .machine import Processors
from .server import ROOT, BenchServer
from .works import Work

TIME_LIMIT = 120.0  # seconds, for one run


@dataclass(frozen=True)
class Command:
    """How a client's runner is started: the command, and what it adds to the environment."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """One run of one client.

    Attributes:
        work, client: their keys.
        round: its number, from 0.
        units: how many events, pings or entries were handled.
        result: the runner's own figures.
        server_busy: the part of the time on the clock that the server's processor was at work.
        failure: why it did not do its work; empty if it did.
    """

    work: str
    client: str
    round: int
    units: int = 0
    result: Result = field(default_factory=Result)
    server_busy: float = 0
    failure: str = ""

    @property
    def per_cpu_second(self) -> float:
        """Units per second of the client's processor time."""
        return self.units / self.result.cpu_seconds

    @property
    def per_second(self) -> float:
        """Units per second on the clock."""
        return self.units / self.result.wall_seconds


class RunFailed(Exception):
    """The runner did not do its work; the text says why."""


class Bench:
    """The clients, and a server for them. ``scale`` is how much of the usual work they do."""

    def __init__(
        self,
        server: BenchServer,
        commands: Mapping[str, Command],
        processors: Processors,
        expected: Expected,
        scale: float = 1,
    ) -> None:
        self._server = server
        self._commands = commands
        self._processors = processors
        self._expected = expected
        self._scale = scale

    def rounds(self, works: Sequence[Work], count: int) -> Iterator[Run]:
        """All works so many times. In each round another client begins."""
        for number in range(count):
            for work in works:
                clients = [client for client in self._commands if client in work.counts]
                first = number % max(1, len(clients))
                for client in [*clients[first:], *clients[:first]] if number < work.rounds else ():
                    yield self.run(work, client, number)

    def run(self, work: Work, client: str, number: int) -> Run:
        """Run a client once, and check what it did."""
        self._processors.place(self._server.pid, work.together)
        job = work.job(client, self._server.port, self._scale, self._expected)
        before = self._server.cpu_seconds()
        try:
            result = run_job(self._commands[client], job)
            self._check(result, job, work, client)
        except RunFailed as error:
            return Run(work.key, client, number, failure=str(error))
        busy = (self._server.cpu_seconds() - before) / result.active_seconds
        return Run(work.key, client, number, job.count * work.per_item, result, busy)

    def _check(self, result: Result, job: Job, work: Work, client: str) -> None:
        if result.read < 0:  # it looks at no header, and so at all packets
            wanted = (0 if work.kind == "idle" else job.count * work.per_item), -1
        else:
            wanted = self._expected.of(work.kind, work.names, job.count, client)
        if (result.calls, result.read) != wanted:
            raise RunFailed(f"{result.calls} calls that read {result.read} in place of {wanted[0]} and {wanted[1]}")


def run_job(command: Command, job: Job, time_limit: float = TIME_LIMIT) -> Result:
    """Start a runner, and wait so many seconds for its result. Raises RunFailed."""
    try:
        done = subprocess.run(
            [*command.argv, json.dumps(asdict(job))],
            cwd=ROOT,
            env={**os.environ, **command.env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=time_limit,
            check=True,
        )
        return Result(**json.loads(done.stdout))
    except subprocess.TimeoutExpired as error:
        raise RunFailed(f"not done after {time_limit:g} s{_last_line(error.stderr)}") from None
    except subprocess.CalledProcessError as error:
        raise RunFailed(f"exit status {error.returncode}{_last_line(error.stderr)}") from None
    except (OSError, ValueError, TypeError) as error:
        raise RunFailed(f"no result: {error}") from None


def _last_line(text: Optional[Union[str, bytes]]) -> str:
    lines = (text.decode(errors="replace") if isinstance(text, bytes) else text or "").strip().splitlines()
    return f": {lines[-1]}" if lines else ""
