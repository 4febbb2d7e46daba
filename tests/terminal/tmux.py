"""A real terminal for the tests of the command line: tmux, with a server of its own for each test."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ami_client import Reactor
from ami_client.testing import FakeAsterisk

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 20.0  # seconds
PROMPT = "ready$ "

# What may stand in the environment of whoever runs the tests, and would change what we look for.
UNWANTED = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TMUX", "TMUX_PANE")


class Terminal:
    """A shell in tmux: ``type`` at it, ``wait`` for what it shows."""

    def __init__(self, home: Path, columns: int = 100, lines: int = 30) -> None:
        if shutil.which("tmux") is None:
            pytest.fail("these tests need a terminal: install the package tmux", pytrace=False)
        self._socket = f"ami_client-{uuid.uuid4().hex[:8]}"
        environment = {name: value for name, value in os.environ.items() if name not in UNWANTED}
        environment = {name: value for name, value in environment.items() if not name.startswith(("AMI_", "XDG_"))}
        environment.update(HOME=str(home), PYTHONPATH=str(ROOT), LC_ALL="C.UTF-8", PS1=PROMPT)
        shell = ["bash", "--norc", "--noprofile", "-i"]
        size = ["-x", str(columns), "-y", str(lines)]
        # Nobody's own settings, and a server that ends with its only session.
        command = ["tmux", "-u", "-L", self._socket, "-f", "/dev/null", "new-session", "-d", *size, *shell]
        subprocess.run(command, env=environment, cwd=home, check=True)

    def start(self) -> None:
        """Wait for the shell, and give it the command."""
        self.prompt()
        self.enter(f"ami-client() {{ '{sys.executable}' -m ami_client \"$@\"; }}; clear")
        self.prompt()

    def tmux(self, *args: str) -> str:
        command = ["tmux", "-u", "-L", self._socket, *args]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
        return done.stdout

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names: ``C-c``, ``Enter``, ``q``."""
        self.tmux("send-keys", *keys)

    def enter(self, text: str) -> None:
        """Type a line."""
        self.tmux("send-keys", "-l", text)
        self.press("Enter")

    def screen(self, *, colours: bool = False) -> str:
        """What is to be seen now; with ``colours`` the escape sequences too."""
        return self.tmux("capture-pane", "-p", *(["-e"] if colours else []))

    def wait(self, pattern: str) -> str:
        """Return what is shown once the regex is found in it; fail when that takes too long."""
        return self.wait_until(lambda text: re.search(pattern, text, re.MULTILINE) is not None, pattern)

    def wait_until(self, holds: Callable[[str], bool], what: str) -> str:
        deadline = time.monotonic() + LIMIT
        while True:
            text = self.screen()
            if holds(text):
                return text
            if time.monotonic() > deadline:
                pytest.fail(f"{what!r} was not shown within {LIMIT:g} s; the terminal shows:\n{text}")
            time.sleep(0.02)  # tmux tells nobody when the screen changes

    def prompt(self) -> str:
        """Wait until the shell has the terminal again: before, what is typed goes to the program that ran."""
        return self.wait_until(lambda text: text.rstrip().endswith(PROMPT.strip()), "the prompt")

    def status(self) -> int:
        """The exit status of what ran last; waits for its end."""
        self.prompt()
        mark = uuid.uuid4().hex[:6]
        self.enter(f"echo status-{mark}=$?")
        text = self.wait(rf"^status-{mark}=\d+$")
        found = re.search(rf"^status-{mark}=(\d+)$", text, re.MULTILINE)
        assert found is not None
        return int(found.group(1))

    def resize(self, columns: int, lines: int) -> None:
        self.tmux("resize-window", "-x", str(columns), "-y", str(lines))

    @property
    def alternate(self) -> bool:
        """Whether a program has the whole screen."""
        return self.tmux("display-message", "-p", "#{alternate_on}").strip() == "1"

    @property
    def cursor_shown(self) -> bool:
        return self.tmux("display-message", "-p", "#{cursor_flag}").strip() == "1"

    @property
    def child(self) -> int:
        """The process id of what the shell runs."""
        shell = self.tmux("display-message", "-p", "#{pane_pid}").strip()
        return int(Path(f"/proc/{shell}/task/{shell}/children").read_text())

    def close(self) -> None:
        self.tmux("kill-server")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal of 100 columns and 30 lines."""
    terminal = Terminal(tmp_path)
    try:
        terminal.start()
        yield terminal
    finally:
        terminal.close()


class Pbx:
    """The embedded server in a thread, with two channels that stay; ``do`` calls what touches it."""

    def __init__(self) -> None:
        self.reactor = Reactor()
        self.server = FakeAsterisk(self.reactor, ring_time=0.0, call_length=None)
        self.server.start()
        self.url = self.server.url
        self.url_without_secret = self.url.replace(":secret@", "@")
        self.address = f"{self.server.host}:{self.server.port}"
        self._thread = threading.Thread(target=self.reactor.run)
        self._thread.start()

    def do(self, function: Callable[..., object], *args: Any) -> None:
        self.reactor.call_soon_threadsafe(function, *args)

    def bustle(self, event: dict[str, str]) -> None:
        """Send an event 20 times a second."""

        def push() -> None:
            self.server.push(event)
            self.reactor.call_later(0.05, push)

        self.do(push)

    def close(self) -> None:
        self.do(self.server.close)
        self.do(self.reactor.stop)
        self._thread.join()
        self.reactor.close()


@pytest.fixture
def pbx() -> Iterator[Pbx]:
    """A server."""
    pbx = Pbx()
    yield pbx
    pbx.close()
