"""The tutorial's programs, as a reader starts them, with a PBX and a Redis of the test's."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from broker_servers import Redis
from world import World

PROGRAMS = Path(__file__).parents[2] / "docs" / "tutorials" / "broker"


class Program:
    """A program of the tutorial, and what it has printed."""

    def __init__(self, name: str, *args: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAMS / name), *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        self.lines += (line.rstrip() for line in iter(self._process.stdout.readline, ""))

    def said(self, text: str) -> bool:
        return text in "\n".join(self.lines)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    started: list[Program] = []
    yield started
    for program in started:
        program.kill()


def test_three_processes_and_a_broker(world: World, programs: list[Program], tmp_path: Path) -> None:
    server = Redis(tmp_path)
    server.start()
    url = f"redis://127.0.0.1:{server.port}"

    def start(name: str, *args: str) -> Program:
        programs.append(Program(name, *args))
        return programs[-1]

    forwarder = start("forwarder.py", world.url, url)
    world.until(lambda: forwarder.said("forwarder pbx1: active") and forwarder.said("serving pbx1"))
    members = [start("hangups.py", url) for _ in range(2)]

    def hang_up(channel: str) -> None:
        world.pbx.push({"Event": "Hangup", "Channel": channel, "Cause": "16", "Cause-txt": "Normal Clearing"})

    def told() -> list[str]:
        return [line for member in members for line in member.lines if "normal" in line]

    with redis.Redis(port=server.port) as client:
        world.until(lambda: client.zcard("ami:members:source-crm") == 2 and client.xinfo_groups("ami:events.pbx1"))
    hang_up("PJSIP/1-1")
    world.until(told)
    first = next(member for member in members if member.said("PJSIP/1-1"))
    assert first.lines[-1] == "pbx1 PJSIP/1-1 normal clearing"
    first.kill()
    hang_up("PJSIP/1-2")
    world.until(lambda: len(told()) > 1, limit=6)
    assert len(told()) == 2
    asking = start("channels.py", f"{url}/ami#pbx1")
    world.until(lambda: asking.said("channels: "))
    assert asking.lines[0] == "pbx1 answers: Pong"
    for program in programs:
        program.kill()
    server.kill()
