"""The command line as processes that the launcher forks: all but the start of an interpreter is real."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Optional

import pytest
from programs import PATIENCE, Launcher


class Command:
    """One that runs, with pipes for its output; as far as tests need it, a subprocess.Popen. It may not hang."""

    def __init__(self, launcher: Launcher, args: Collection[str], streams: Mapping[str, int], **options: Any) -> None:
        self.args = list(args)
        self.returncode: Optional[int] = None
        self._launcher = launcher
        pipes = {name: os.pipe() for name in ("stdout", "stderr")}
        self.stdout, self.stderr = (open(reader, encoding="utf-8") for reader, _ in pipes.values())  # noqa: SIM115
        with open(os.devnull) as nothing:
            mine = {"stdin": nothing.fileno(), **{name: writer for name, (_, writer) in pipes.items()}}
            environment = {**os.environ, **options.pop("env", {})}
            self.pid = launcher.start_module(
                "ami_client", *args, streams={**mine, **streams}, environment=environment, **options
            )
        for _, writer in pipes.values():
            os.close(writer)
        self._alarm = threading.Timer(PATIENCE, self.send_signal, (signal.SIGKILL,))
        self._alarm.start()

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self, timeout: float = PATIENCE) -> int:
        """Its exit status, once it has ended. ``timeout`` is here for who writes it: PATIENCE holds."""
        if self.returncode is None:
            self.returncode = self._launcher.wait(self.pid)
            self._alarm.cancel()
        return self.returncode

    def communicate(self, timeout: float = PATIENCE) -> tuple[str, str]:
        """What it has still to say, up to its end."""
        said = [stream.read() if not stream.closed else "" for stream in (self.stdout, self.stderr)]
        self.wait()
        return said[0], said[1]

    def close(self) -> None:
        if self.returncode is None:
            self.send_signal(signal.SIGKILL)
            self.wait()
        self.stdout.close()
        self.stderr.close()


class Commands:
    """Starts and runs ``ami-client`` with the environment of the test's own process."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._started: list[Command] = []

    def start(self, *args: str, stdout: Optional[Any] = None, **options: Any) -> Command:
        """Start one, which ends with the test at the latest."""
        streams = {} if stdout is None else {"stdout": stdout.fileno()}
        self._started.append(Command(self._launcher, args, streams, **options))
        return self._started[-1]

    def run(
        self, *args: str, input: bytes = b"", closed: Collection[str] = (), **options: Any
    ) -> subprocess.CompletedProcess[bytes]:
        """Run one to its end; what is ``closed`` are standard streams, as with ``>&-`` in a shell."""
        reader, writer = os.pipe()
        with open(reader, "rb") as output, tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as given:
            given.write(input)
            given.seek(0)
            streams = {"stdin": given.fileno(), "stdout": writer, "stderr": errors.fileno()}
            pid = self._launcher.start_module(
                "ami_client",
                *args,
                streams={name: number for name, number in streams.items() if name not in closed},
                environment={**os.environ, **options.pop("env", {})},
                **options,
            )
            os.close(writer)
            alarm = threading.Timer(PATIENCE, os.kill, (pid, signal.SIGKILL))
            alarm.start()
            said = output.read()
            status = self._launcher.wait(pid)
            alarm.cancel()
            errors.seek(0)
            return subprocess.CompletedProcess(list(args), status, said, errors.read())

    def close(self) -> None:
        for command in self._started:
            command.close()


@pytest.fixture
def commands(launcher: Launcher) -> Iterator[Commands]:
    commands = Commands(launcher)
    yield commands
    commands.close()
