"""Full disks, as small file systems in memory: the broker's, and that of the spool."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from broker_servers import BrokerServer, Redis, make
from world import World

#: Megabytes.
SIZES = {"redis": 8, "mqtt": 4}


class Disk:
    """A small file system that can be filled."""

    def __init__(self, path: Path, megabytes: int) -> None:
        self.path = path
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)], check=True)

    def fill(self) -> None:
        """Fill it."""
        with open(self.path / "ballast", "wb") as file, contextlib.suppress(OSError):
            while shutil.disk_usage(self.path).free:
                file.write(bytes(64 * 1024))
                file.flush()

    def empty(self) -> None:
        (self.path / "ballast").unlink()

    def close(self) -> None:
        subprocess.run(["umount", "-l", str(self.path)], check=True)


@pytest.fixture
def disks(tmp_path: Path) -> Iterator[list[Disk]]:
    made: list[Disk] = []
    yield made
    for disk in made:
        disk.close()


@pytest.fixture(params=list(SIZES))
def cramped(request: pytest.FixtureRequest, tmp_path: Path, disks: list[Disk]) -> Iterator[BrokerServer]:
    """Each broker in turn, on a disk of its own."""
    disks.append(Disk(tmp_path / "disk", SIZES[request.param]))
    server = make(request.param, disks[0].path / "data")
    server.start()
    yield server
    server.kill()


def test_a_broker_whose_disk_is_full(cramped: BrokerServer, disks: list[Disk], world: World, expect_log: Any) -> None:
    account = world.account(cramped, group="crm")
    world.active(cramped)
    world.say(10)
    world.until(lambda: 10 in account)
    disks[0].fill()
    if cramped.kind != "mqtt":  # which goes on, in memory
        expect_log("WARNING: (forwarder|source).* is gone")
    world.keep_saying(0.02)
    world.run(12.0)
    disks[0].empty()
    if cramped.kind != "mqtt":  # Redis ends when it cannot write down what it would confirm
        cramped.kill()
        cramped.start()
    last = world.be_quiet() + 1
    world.say(1)
    world.until(lambda: last in account)
    account.check()
    assert account.numbers == list(range(1, last + 1))


def test_a_spool_whose_disk_is_full(world: World, tmp_path: Path, disks: list[Disk], expect_log: Any) -> None:
    expect_log("ERROR: spool .*full; keeping messages in memory")
    expect_log("WARNING: spool .* works again")
    expect_log("WARNING: (forwarder|source).* is gone")
    server = Redis(tmp_path / "redis")
    server.start()
    disks.append(Disk(tmp_path / "disk", 2))
    account = world.account(server, group="crm")
    forwarder = world.active(server, spool=disks[0].path / "spool")
    world.say(10)
    world.until(lambda: 10 in account)
    server.kill()
    disks[0].fill()
    world.say(2000)
    world.run(1.0)
    assert forwarder.stats.queued > forwarder.stats.spooled
    disks[0].empty()
    world.say(10)
    world.until(lambda: forwarder.stats.queued == forwarder.stats.spooled)
    server.start()
    last = world.say(10)
    world.until(lambda: last in account)
    assert account.numbers == list(range(1, last + 1))
    forwarder.close()
    server.kill()
