"""Programs in processes of their own, started in a few milliseconds."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

import pytest

import ami_client
from ami_client import Reactor

ROOT = Path(__file__).resolve().parents[2]

# Where the library is that the tests import: the checkout, or where a wheel was installed. Programs are to use that.
LIBRARY = Path(ami_client.__file__).resolve().parents[1]

# Sockets that are still open when a program ends are none of its reader's troubles.
WARNINGS = ("-W", "error", "-W", "ignore::ResourceWarning")

PATIENCE = 20.0  # seconds; for a program that hangs


def on_library(**options: Any) -> dict[str, Any]:
    """Options of ``subprocess``, for a program that is to import what the tests do; its directory comes first, too."""
    return {"cwd": LIBRARY, **options, "env": {**os.environ, "PYTHONPATH": str(LIBRARY), **options.get("env", {})}}


class Launcher:
    """Starts Python programs from a process that has the library imported (launcher.py); threads may share it."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        self._lock = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-u", *WARNINGS, str(Path(__file__).with_name("launcher.py"))],
                stdin=theirs.fileno(),
                env={**os.environ, "PYTHONPATH": str(LIBRARY), "PYTHONIOENCODING": "utf-8"},
            )

    def start(self, path: Path, *args: str, cwd: Path, output: int, errors: int, **environment: str) -> int:
        """Start a program that writes to these file descriptors; returns its process id, which `wait` sets free."""
        request = {"path": str(path), "args": args, "cwd": str(cwd), "environment": environment}
        return self._ask(request, output, errors)

    def start_module(
        self,
        module: str,
        *args: str,
        streams: Mapping[str, int],
        environment: Mapping[str, str],
        cwd: Optional[Path] = None,
        room: int = 0,
    ) -> int:
        """Start ``python -m MODULE`` with these standard streams, the others closed, and so many bytes of addresses."""
        request = {"module": module, "args": args, "cwd": str(cwd or LIBRARY), "environment": dict(environment)}
        return self._ask({**request, "streams": list(streams), "room": room}, *streams.values())

    def wait(self, pid: int) -> int:
        """The exit status of a program that has ended or is about to: all others have to wait, too."""
        return self._ask({"wait": pid})

    def run(self, path: Path, *, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, or kill it."""
        reader, writer = os.pipe()
        with open(reader, encoding="utf-8") as output, tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
            pid = self.start(path, cwd=cwd, output=writer, errors=errors.fileno())
            os.close(writer)
            alarm = threading.Timer(PATIENCE, os.kill, (pid, signal.SIGKILL))
            alarm.start()
            said = output.read()  # up to its end
            alarm.cancel()
            status = self.wait(pid)
            errors.seek(0)
            return subprocess.CompletedProcess([str(path)], status, said, errors.read())

    def close(self) -> None:
        self._control.close()
        self._process.wait()

    def _ask(self, request: Mapping[str, object], *descriptors: int) -> int:
        with self._lock:
            socket.send_fds(self._control, [json.dumps(request).encode() + b"\n"], descriptors)
            answer = self._control.recv(100)
        assert answer, "the launcher has died"
        return int(answer)


class Program:
    """One that is running; the test's loop, with the server in it, runs while the test waits for it."""

    def __init__(
        self, reactor: Reactor, launcher: Launcher, path: Path, *args: str, cwd: Path, **environment: str
    ) -> None:
        self.output = ""
        self._reactor = reactor
        self._launcher = launcher
        self._awaited: Optional[re.Pattern[str]] = None
        self._status: Optional[int] = None
        reader, writer = os.pipe()
        self._pipe = open(reader, "rb", buffering=0)  # noqa: SIM115
        self._pid = launcher.start(path, *args, cwd=cwd, output=writer, errors=writer, **environment)
        os.close(writer)
        reactor.add_reader(self._pipe, self._read)

    def until(self, pattern: str) -> None:
        """Run the loop until what was printed from the beginning matches."""
        self._awaited = re.compile(pattern, re.DOTALL)
        if not self._awaited.search(self.output):
            self._run(f"never printed {pattern!r}")
            assert self._awaited.search(self.output), f"ended without printing {pattern!r}:\n{self.output}"

    def end(self, sig: Optional[signal.Signals] = None) -> int:
        """Send it a signal, if any, and run the loop until it has ended; returns its exit status."""
        self._awaited = None
        if sig is not None:
            os.kill(self._pid, sig)
        if not self._pipe.closed:
            self._run("did not end")
        self._status = self._launcher.wait(self._pid)
        return self._status

    def kill(self) -> None:
        if self._status is None:
            os.kill(self._pid, signal.SIGKILL)
            self._launcher.wait(self._pid)
        self._close()

    def _run(self, complaint: str) -> None:
        late = self._reactor.call_later(PATIENCE, self._reactor.stop)
        self._reactor.run()
        late.cancel()
        assert late.when() > self._reactor.time(), f"{complaint}:\n{self.output}"

    def _read(self) -> None:
        data = self._pipe.read(65536)
        self.output += data.decode()
        if not data:
            self._close()
            self._reactor.stop()
        elif self._awaited is not None and self._awaited.search(self.output):
            self._reactor.stop()

    def _close(self) -> None:
        if not self._pipe.closed:
            self._reactor.remove_reader(self._pipe)
            self._pipe.close()


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    launcher = Launcher()
    yield launcher
    launcher.close()
