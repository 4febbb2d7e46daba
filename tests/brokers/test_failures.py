"""What fails while events are on their way. Each event arrives once and in order, or a gap stands in its place."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pika
import pytest
from broker_servers import BrokerServer
from detour import Detour, Way
from world import World

HERE = Path(__file__).parent


def test_a_broker_that_is_killed_and_comes_back(own_server: BrokerServer, world: World, expect_log: Any) -> None:
    expect_log("WARNING: (forwarder|source).* is gone")
    account = world.account(own_server, group="crm")
    world.active(own_server)
    world.keep_saying(0.002)
    world.until(lambda: len(account) > 200)
    own_server.kill()
    world.run(1.0)
    own_server.start()
    world.run(0.5)
    last = world.be_quiet() + 1
    world.say(1)
    world.until(lambda: last in account)
    account.check()
    # What the broker had confirmed and forgotten is announced; what it had not confirmed comes.
    lost = last - len(account.numbers)
    assert lost == 0 or "missing" in account.reasons
    assert lost == 0 or own_server.kind == "mqtt", account.reasons


def test_a_broker_that_hangs(own_server: BrokerServer, world: World, expect_log: Any) -> None:
    expect_log("WARNING: (forwarder|source).* is gone")
    account = world.account(own_server, group="crm")
    world.active(own_server)
    world.keep_saying(0.005)
    world.until(lambda: len(account) > 50)
    own_server.freeze()
    world.run(12.0)
    own_server.thaw()
    world.run(1.0)
    last = world.be_quiet() + 1
    world.say(1)
    world.until(lambda: last in account)
    account.check()
    assert account.numbers == list(range(1, last + 1))


def test_what_finds_no_room_while_the_broker_is_away_is_counted(
    own_server: BrokerServer, world: World, expect_log: Any
) -> None:
    expect_log("WARNING: (forwarder|source).* is gone")
    account = world.account(own_server, group="crm")
    forwarder = world.active(own_server, limit=100)
    world.say(1)
    world.until(lambda: 1 in account)
    own_server.save()
    own_server.kill()
    world.say(1000)
    world.until(lambda: forwarder.stats.overflowed)
    world.run(0.3)
    own_server.start()
    world.until(lambda: "overflow" in account.reasons)
    account.check()
    (gap,) = [item for item in account if not isinstance(item, int) and item.reason == "overflow"]
    assert gap.count == 1001 - len(account.numbers) == forwarder.stats.overflowed


def test_the_pools_own_handlers_are_not_slower_while_the_broker_is_away(
    own_server: BrokerServer, world: World, expect_log: Any
) -> None:
    expect_log("WARNING: forwarder.* is gone")
    pool = world.pool()
    heard: list[str] = []
    pool.on("event_userevent", lambda conn, packet: heard.append(packet["number"]))
    world.forwarder(own_server, pool)
    world.until(lambda: pool.stats.connected)

    def took(count: int) -> float:
        heard.clear()
        world.say(count)
        return world.until(lambda: len(heard) == count)

    took(1000)
    with_broker = min(took(3000) for _ in range(5))
    own_server.kill()
    world.run(0.2)
    without = min(took(3000) for _ in range(5))
    assert without < 1.5 * with_broker


def test_a_connection_that_is_cut_in_the_middle_of_a_confirm(
    server: BrokerServer, world: World, expect_log: Any
) -> None:
    expect_log("WARNING: forwarder.* is gone")
    way = Way(server.port)
    account = world.account(server)
    world.active(Detour(server, way))
    for length in (1, 3, 7, 20):
        world.keep_saying(0.001)
        world.run(0.1)
        cuts = way.cuts
        way.cut_after = length
        world.until(partial(way.was_cut_after, cuts))
        last = world.be_quiet() + 1
        world.say(1)
        world.until(partial(account.__contains__, last))
    way.close()
    account.check()
    assert account.numbers == list(range(1, last + 1))


class Child:
    """A forwarder in a process of its own."""

    def __init__(self, server: BrokerServer, world: World, spool: Path | None = None) -> None:
        command = [sys.executable, str(HERE / "child.py"), server.kind, str(server.port), world.name, world.url]
        self._process = subprocess.Popen(
            [*command, str(spool or "")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=HERE
        )
        self.roles: list[str] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.roles.append(line.strip())

    @property
    def role(self) -> str:
        return self.roles[-1] if self.roles else ""

    def signal(self, number: int) -> None:
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        if self._process.poll() is None:
            self.signal(signal.SIGKILL)
        self._process.wait()
        self._thread.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def children() -> Iterator[list[Child]]:
    started: list[Child] = []
    yield started
    for child in started:
        child.kill()


def start(children: list[Child], *args: Any) -> Child:
    children.append(Child(*args))
    return children[-1]


def test_a_spool_survives_a_forwarder_that_is_killed(
    own_server: BrokerServer, world: World, children: list[Child], tmp_path: Path, expect_log: Any
) -> None:
    expect_log("WARNING: source.* is gone")
    account = world.account(own_server, group="crm")
    child = start(children, own_server, world, tmp_path / "spool")
    world.until(lambda: child.role == "active")
    world.say(10)
    world.until(lambda: 10 in account)
    own_server.kill()
    world.say(500)
    world.run(1.5)  # into the spool
    child.kill()
    world.say(1)  # nobody hears it
    own_server.start()
    world.until(lambda: account.source.is_reading)
    child = start(children, own_server, world, tmp_path / "spool")
    world.until(lambda: child.role == "active")
    last = world.say(10)
    world.until(lambda: last in account)
    account.check()
    assert account.numbers == [*range(1, 511), *range(512, 522)]
    assert account.reasons[0] == "start" and account.reasons[-1] in ("start", "takeover")


def test_a_forwarder_that_is_killed_without_a_spool(server: BrokerServer, world: World, children: list[Child]) -> None:
    account = world.account(server)
    child = start(children, server, world)
    world.until(lambda: child.role == "active")
    world.keep_saying(0.001)
    world.until(lambda: len(account) > 300)
    child.kill()
    child = start(children, server, world)
    world.until(lambda: child.role == "active")
    world.run(0.3)
    last = world.be_quiet() + 1
    world.say(1)
    world.until(lambda: last in account)
    account.check()


def test_another_forwarder_takes_over_from_one_that_hangs(
    server: BrokerServer, world: World, children: list[Child]
) -> None:
    account = world.account(server)
    first = start(children, server, world)
    world.until(lambda: first.role == "active")
    second = start(children, server, world)
    world.until(lambda: second.role == "standby")
    world.keep_saying(0.005)
    world.until(lambda: len(account) > 100)
    first.signal(signal.SIGSTOP)
    took = world.until(lambda: "takeover" in account.reasons)
    assert took < 5.0
    seen = len(account)
    world.until(lambda: len(account) > seen + 100)
    first.signal(signal.SIGCONT)
    world.until(lambda: first.role == "standby")
    world.run(1.0)
    last = world.be_quiet() + 1
    world.say(1)
    world.until(lambda: last in account)
    account.check()
    assert account.reasons.count("takeover") == 1
    # The second one has published since: nothing of the first came behind it.
    world.run(1.0)
    assert account[-1] == last


def test_a_forwarder_that_ends_leaves_its_place_at_once(server: BrokerServer, world: World) -> None:
    account = world.account(server)
    first = world.active(server)
    second = world.forwarder(server)
    world.until(lambda: second.stats.role == "standby")
    world.say(10)
    world.until(lambda: 10 in account)
    first.close()
    world.until(lambda: second.stats.role == "active", limit=2.5)
    last = world.say(10)
    world.until(lambda: last in account)
    assert account.numbers == list(range(1, last + 1))
    assert account.reasons == ["start", "lost", "takeover"]


@pytest.mark.parametrize("direction", ["both", "from the broker"])
def test_a_network_that_is_split(server: BrokerServer, world: World, direction: str, expect_log: Any) -> None:
    if server.kind != "redis":  # whose connection outlasts it
        expect_log("WARNING: forwarder.* is gone")
    account = world.account(server)
    epochs: list[str] = []
    account.source.on("event_userevent", lambda source, packet: epochs.append(packet.envelope.epoch))
    way = Way(server.port)
    first = world.active(Detour(server, way))
    second = world.forwarder(server)
    world.until(lambda: second.stats.role == "standby")
    world.keep_saying(0.005)
    world.until(lambda: len(account) > 100)
    way.hold(to_broker=direction == "both")
    took = world.until(lambda: "takeover" in account.reasons)
    assert took < 5.0 or direction != "both"
    world.run(2.0)
    assert first.stats.queued and second.stats.active  # both sides run
    way.release()  # what was on its way arrives, too late
    world.until(lambda: first.stats.role == "standby")
    world.run(1.0)
    last = world.be_quiet() + 1
    world.say(1)
    world.until(lambda: last in account)
    world.run(0.5)
    way.close()
    account.check()
    assert account[-1] == last
    # An epoch that has ended does not go on.
    assert len(set(epochs)) == len(list(itertools.groupby(epochs))) == 2


@pytest.mark.parametrize("server", ["rabbitmq"], indirect=True)
def test_rabbitmq_whose_queues_are_deleted(server: BrokerServer, world: World, expect_log: Any) -> None:
    expect_log("WARNING: forwarder.* is gone .the broker has cancelled a consumer.")
    expect_log("WARNING: source.* is gone .the broker has cancelled a consumer.")
    account = world.account(server, group="crm")
    world.active(server)
    world.say(10)
    world.until(lambda: 10 in account)
    with pika.BlockingConnection(pika.URLParameters(server.url.rpartition("/")[0])) as connection:
        channel = connection.channel()
        for queue in ("lock.forwarder-pbx1.pbx1", "lock.source-crm.*", "crm.events.*"):
            channel.queue_delete(f"{world.name}.{queue}")
    world.until(lambda: not account.source.is_reading)
    world.until(lambda: account.source.is_reading)
    last = world.say(10)
    world.until(lambda: last in account)
    assert account.numbers == list(range(1, 21)) and account.reasons == ["start"]
