"""Full disks, as small file systems in memory: the broker's, and that of the spool."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from broker_servers import BrokerServer, Rabbit, Redis, make
from world import World

#: Megabytes. RabbitMQ takes nothing more when fewer than 50 are free.
SIZES = {"redis": 8, "mqtt": 4, "rabbitmq": 300}


class Disk:
    """A small file system that can be filled."""

    def __init__(self, path: Path, megabytes: int) -> None:
        self.path = path
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)], check=True)

    def fill(self, leave: int = 0) -> None:
        """Fill it, but for ``leave`` megabytes."""
        with open(self.path / "ballast", "wb") as file, contextlib.suppress(OSError):
            while shutil.disk_usage(self.path).free > leave * 1024 * 1024:
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
    yield from _on_a_disk(request.param, tmp_path, disks)


@pytest.fixture
def cramped_rabbit(tmp_path: Path, disks: list[Disk]) -> Iterator[BrokerServer]:
    """RabbitMQ on a disk of its own."""
    yield from _on_a_disk(Rabbit.kind, tmp_path, disks)


def _on_a_disk(kind: str, tmp_path: Path, disks: list[Disk]) -> Iterator[BrokerServer]:
    disks.append(Disk(tmp_path / "disk", SIZES[kind]))
    server = make(kind, disks[0].path / "data")
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
        expect_log("WARNING: (forwarder|source).* (is gone|takes no messages)")
    world.keep_saying(0.02)
    world.run(12.0)
    disks[0].empty()
    # Redis ends when it cannot write down what it would confirm. RabbitMQ stays, and refuses everything: the log of its
    # quorum queues has crashed.
    if cramped.kind != "mqtt":
        cramped.kill()
        cramped.start()
    last = world.be_quiet() + 1
    world.say(1)
    world.until(lambda: last in account)
    account.check()
    assert account.numbers == list(range(1, last + 1))


def test_rabbitmq_that_is_low_on_disk(
    cramped_rabbit: BrokerServer, disks: list[Disk], world: World, expect_log: Any
) -> None:
    expect_log("WARNING: forwarder.* takes no messages for now .low on disk.")
    first = world.account(cramped_rabbit, group="crm")
    forwarder = world.active(cramped_rabbit)
    world.say(10)
    world.until(lambda: 10 in first)
    first.source.close()
    world.say(10)
    world.until(lambda: forwarder.stats.published == 21)  # with the gap of the start
    disks[0].fill(leave=20)
    world.keep_saying(0.02)
    world.run(12.0)  # longer than the forwarder would wait for an answer
    assert forwarder.stats.queued > 100 and forwarder.stats.active
    account = world.account(cramped_rabbit, group="crm")
    world.until(lambda: 20 in account)  # who reads makes room
    assert forwarder.stats.queued > 100
    disks[0].empty()
    # RabbitMQ looks at the disk every ten seconds, and needs no restart.
    last = world.be_quiet() + 1
    world.say(1)
    world.until(lambda: last in account)
    assert first.numbers + account.numbers == list(range(1, last + 1))
    assert first.reasons == ["start"] and not account.reasons


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
