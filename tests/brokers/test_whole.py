"""Long runs, processes that are killed, and real PBXs."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from broker_servers import BrokerServer
from servers import AsteriskServer
from test_command import Commands, broker_url, commands
from world import World

from ami_client import Pool
from ami_client.forward import ForwardedPacket

__all__ = ["commands"]  # the fixture


def test_a_hundred_thousand_events_through_a_kill_and_a_freeze(
    own_server: BrokerServer, world: World, expect_log: Any
) -> None:
    expect_log("WARNING: (forwarder|source).* is gone")
    account = world.account(own_server, group="crm")
    forwarder = world.active(own_server, limit=20_000)

    def burst(until: int) -> None:
        while world.last < until:
            world.say(200)
            world.reactor.run_once(0.005)

    burst(30_000)
    own_server.kill()
    burst(50_000)
    own_server.start()
    burst(70_000)
    own_server.freeze()
    burst(80_000)
    own_server.thaw()
    burst(100_000)
    world.until(lambda: not forwarder.stats.queued, limit=60)
    last = world.say(1)
    world.until(lambda: last in account, limit=60)
    account.check()
    lost = last - len(account.numbers)
    counted = sum(item.count or 0 for item in account if not isinstance(item, int))
    assert lost == counted


def test_a_reader_that_is_killed_in_the_middle(server: BrokerServer, world: World, commands: Commands) -> None:
    reader = commands.start("events", "--from", broker_url(server, world), "--group", "crm", "--json", "-v")
    world.until(lambda: reader.said("reading"))
    world.active(server)
    world.keep_saying(0.002)
    seen: list[int] = []
    assert reader._process.stdout is not None
    world.run(1.0)
    reader._process.send_signal(signal.SIGKILL)
    world.run(0.5)
    for line in reader.lines():
        if line.endswith("}"):  # the last may be cut
            seen.append(int(json.loads(line)["Number"]))
    account = world.account(server, group="crm")
    last = world.be_quiet() + 1
    world.say(1)
    world.until(lambda: last in account)
    account.check()
    assert seen == list(range(1, len(seen) + 1)) and len(seen) > 50
    # What it had not acknowledged comes again; nothing is left out.
    assert account.numbers[0] <= len(seen) + 1
    assert account.numbers == list(range(account.numbers[0], last + 1))


@pytest.fixture(params=["16", "22"])
def asterisk(request: pytest.FixtureRequest) -> Iterator[AsteriskServer]:
    """A real PBX of each version in turn, the test's own."""
    server = AsteriskServer(request.param)
    server.start()
    yield server
    server.kill()


def test_a_real_pbx_that_restarts(
    server: BrokerServer, world: World, asterisk: AsteriskServer, expect_log: Any
) -> None:
    expect_log("WARNING: .* connecting again")
    source = world.source(server, fold_case=False)
    told: list[Any] = []
    source.on("event_userevent", lambda source, packet: told.append(packet["number"]))
    source.on("event_fullybooted", lambda source, packet: told.append("booted"))
    source.on("gap", lambda source, gap: told.append(gap.reason))
    packets: list[ForwardedPacket] = []
    source.on("event", lambda source, packet: packets.append(packet))
    source.start()
    world.until(lambda: source.is_reading)
    pool = Pool(reactor=world.reactor, server=asterisk.url, reconnect=0.2, reconnect_max=0.5, fold_case=False)
    sent: list[Any] = []
    pool.on("event", lambda conn, packet: sent.append(packet.headers))
    pool.get_connection()
    forwarder = world.forwarder(server, pool, events=["*"])
    world.until(lambda: forwarder.stats.active and pool.stats.connected)

    def say(number: int) -> None:
        pool.get_connection(
            lambda conn, packet: conn.action("UserEvent", None, {"UserEvent": "Number", "Number": number})
        )
        world.until(lambda: str(number) in told)

    say(1)
    asterisk.kill()
    world.until(lambda: "lost" in told)
    asterisk.start()
    world.until(lambda: "back" in told)
    say(2)
    assert [one for one in told if one != "booted"] == ["start", "1", "lost", "back", "2"]
    world.until(lambda: len(packets) == len(sent))
    assert [packet.headers for packet in packets] == sent
    pool.finish()
