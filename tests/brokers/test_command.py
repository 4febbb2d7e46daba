"""The command line: a forwarder, a gateway and a reader as processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from broker_servers import BrokerServer
from servers import free_ports
from wallboard_page import pages, states
from world import World

from ami_client import Packet
from ami_client.forward import Client


class Command:
    """``ami-client`` in a process."""

    def __init__(self, home: Path, *args: str) -> None:
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "AMI_SECRET": "secret"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ami_client", *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.log: list[str] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        self.log += iter(self._process.stderr.readline, "")

    def said(self, pattern: str) -> bool:
        return re.search(pattern, "".join(self.log)) is not None

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def lines(self) -> list[str]:
        assert self._process.stdout is not None
        return self._process.stdout.read().splitlines()

    def end(self, number: int = signal.SIGTERM) -> int:
        """The exit status."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        status = self._process.wait(20)
        self._thread.join()
        assert self._process.stdout is not None and self._process.stderr is not None
        self._process.stdout.close()
        self._process.stderr.close()
        return status


class Commands(list[Command]):
    def __init__(self, home: Path) -> None:
        self._home = home

    def start(self, *args: str) -> Command:
        self.append(Command(self._home, *args))
        return self[-1]


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    started = Commands(tmp_path)
    yield started
    for one in started:
        one.end(signal.SIGKILL)


def broker_url(server: BrokerServer, world: World) -> str:
    return server.url.rpartition("/")[0] + f"/{world.name}"


def test_events_from_one_process_to_another(server: BrokerServer, world: World, commands: Commands) -> None:
    url = broker_url(server, world)
    pbx = f"pbx1=tcp://admin@{world.pbx.host}:{world.pbx.port}"
    (port,) = free_ports(1)
    forwarder = commands.start("forward", pbx, "--to", url, "-n", "userevent", "--metrics", str(port))
    world.until(lambda: forwarder.said("forwarder pbx1: active"))
    reader = commands.start("events", "--from", url, "--count", "3", "--json", "-n", "userevent", "-v")
    world.until(lambda: reader.said("reading"))
    world.say(3)
    ended: list[str] = []
    thread = threading.Thread(target=lambda: ended.extend(reader.lines()))
    thread.start()
    world.until(lambda: not thread.is_alive())
    found = [json.loads(line) for line in ended]
    assert [(one["@server"], one["Number"]) for one in found] == [("pbx1", "1"), ("pbx1", "2"), ("pbx1", "3")]
    assert reader.end() == 0

    metrics: list[str] = []
    thread = threading.Thread(
        target=lambda: metrics.append(urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode())
    )
    thread.start()
    thread.join(10)
    assert 'ami_forwarder_published_total{name="pbx1"} 4.0' in metrics[0]
    assert 'ami_forwarder_active{name="pbx1"} 1.0' in metrics[0]

    assert forwarder.end() == -signal.SIGTERM
    assert not forwarder.said("secret")
    assert not forwarder.said("Traceback")


def test_actions_from_one_process_to_another(server: BrokerServer, world: World, commands: Commands) -> None:
    url = broker_url(server, world)
    pbx = f"pbx1=tcp://admin@{world.pbx.host}:{world.pbx.port}"
    gateway = commands.start("gateway", pbx, "--to", url, "--allow", "Ping", "-a", "Originate channel=PJSIP/* x=")
    world.until(lambda: gateway.said("gateway pbx1: serving pbx1"))
    answers: list[Any] = []

    async def main() -> Packet:
        async with Client(f"{url}#pbx1") as client:
            return await client.ping()

    thread = threading.Thread(target=lambda: answers.append(asyncio.run(main())))
    thread.start()
    world.until(lambda: not thread.is_alive())
    assert answers[0]["ping"] == "Pong"
    assert gateway.end(signal.SIGINT) == -signal.SIGINT  # as Ctrl-C ends any program


def test_a_wallboard_of_what_is_forwarded(server: BrokerServer, world: World, commands: Commands) -> None:
    url = broker_url(server, world)
    wallboard = commands.start("wallboard", "--listen", "127.0.0.1:0", "--from", url, "-v")
    world.until(lambda: wallboard.said("source: reading"))
    page = pages(wallboard.line())
    forwarder = commands.start("forward", f"pbx1=tcp://admin@{world.pbx.host}:{world.pbx.port}", "--to", url)
    world.until(lambda: forwarder.said("forwarder pbx1: active"))
    seen: list[dict[str, Any]] = []

    def watch() -> None:
        seen.append(next(one for one in page if one["calls"] and states(one) == {"ready"}))
        seen.append(next(one for one in page if states(one) == {"stale"}))

    thread = threading.Thread(target=watch)
    thread.start()
    channel = {"Channel": "PJSIP/100-00000001", "Uniqueid": "1.1", "Linkedid": "1.1", "ChannelState": "4"}
    world.pbx.push({"Event": "Newchannel", "Privilege": "call,all", **channel})
    world.until(lambda: seen)
    forwarder.end()
    world.until(lambda: len(seen) == 2)
    thread.join()
    assert wallboard.end() == -signal.SIGTERM


def test_what_cannot_work_is_said_at_once(commands: Commands) -> None:
    for args, wrong in {
        ("forward", "x=tcp://a@b", "--to", "http://bus"): "no broker for http://bus",
        ("forward", "x=tcp://a@b", "--to", "redis://bus/a.b"): "is not a valid name",
        ("forward", "tcp://a@b", "tcp://a@c", "--to", "redis://bus", "--spool", "f"): "a spool is for one server",
        ("gateway", "x=tcp://a@b", "--to", "redis://bus"): "--allow",
        ("gateway", "x=tcp://a@b", "--to", "redis://bus", "--allow", "Ping x"): "is not HEADER=GLOB",
        ("events", "--from", "redis://bus", "--class", "call"): "--class is for a server",
    }.items():
        command = commands.start(*args)
        command._process.wait(20)
        assert command.end() == 2
        assert command.said(re.escape(wrong)), command.log


def test_a_login_that_is_refused_ends_it(server: BrokerServer, world: World, commands: Commands) -> None:
    world.pbx.refuse_logins()
    url = broker_url(server, world)
    command = commands.start("forward", f"tcp://admin@{world.pbx.host}:{world.pbx.port}", "--to", url)
    world.until(lambda: command._process.poll() is not None)
    assert command.end() == 4
