"""What the tests of the command line share: a server in a thread of its own, and the command in this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Callable, NamedTuple, TypeVar

import pytest
from programs import on_library

from ami_client import Reactor
from ami_client.testing import FakeAsterisk

T = TypeVar("T")
ExpectLog = Callable[[str], None]


class Pbx:
    """The embedded server in a thread; what touches it goes through :meth:`do`."""

    def __init__(self, **options: Any) -> None:
        self.reactor = Reactor()
        self.server = FakeAsterisk(self.reactor, ring_time=0.0, **options)
        self.server.start()
        self.url = self.server.url
        self.address = f"{self.server.host}:{self.server.port}"
        self._thread = threading.Thread(target=self.reactor.run)
        self._thread.start()

    def do(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call a function where the server lives, and return its result."""
        future: Future[T] = Future()

        def call() -> None:
            try:
                future.set_result(function(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        self.reactor.call_soon_threadsafe(call)
        return future.result(20)

    def bustle(self, *events: Any, drop_after: int = 0, once_asked: str = "Login") -> None:
        """Send these events in turn to whoever is logged in, for ever; drop the connections once, after so many.

        It begins when the action ``once_asked`` has come, so that the command is ready for events.
        """
        pushed = 0

        def push() -> None:
            nonlocal pushed
            if once_asked in self.server.received_actions and self.server.push(events[pushed % len(events)]):
                pushed += 1
                if pushed == drop_after:
                    self.server.drop()
            self.reactor.call_later(0.002, push)

        self.do(push)

    def close(self) -> None:
        self.do(self.server.close)
        self.reactor.call_soon_threadsafe(self.reactor.stop)
        self._thread.join()
        self.reactor.close()


class Said(NamedTuple):
    """What a command wrote, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The lines of JSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Ami = Callable[..., Said]


@pytest.fixture
def pbx() -> Iterator[Pbx]:
    """A server with calls that last."""
    pbx = Pbx(call_length=None)
    yield pbx
    pbx.close()


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No settings of whoever runs the tests; returns where the config file would be."""
    for name in [name for name in os.environ if name.startswith(("AMI_", "XDG_"))]:
        monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("config")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    path = home / "ami-client" / "config.ini"
    path.parent.mkdir()
    return path


@pytest.fixture
def ami(
    clean_environment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], request: Any
) -> Ami:
    """``ami("ping", "-c", "1")``: the command in this process, against `pbx` if the test has one."""
    if "pbx" in request.fixturenames:
        monkeypatch.setenv("AMI_URL", request.getfixturevalue("pbx").url)

    from ami_client.cli.app import run  # of the extra `cli`; this module is imported by all unit tests

    def call(*args: str) -> Said:
        capsys.readouterr()
        status = run(args)
        return Said(int(status), *capsys.readouterr())

    return call


def command_line(*args: str) -> list[str]:
    """The command as a process of its own."""
    return [sys.executable, "-m", "ami_client", *args]


def start(*args: str, **options: Any) -> subprocess.Popen[str]:
    """Start the command with pipes for its output."""
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command_line(*args), text=True, encoding="utf-8", **on_library(**{**pipes, **options}))
