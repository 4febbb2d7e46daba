"""From a PBX through each real broker to handlers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from broker_servers import BrokerServer
from world import World

from ami_client.forward import Delivery, ForwardedPacket, Source


def test_events_arrive_once_and_in_order(server: BrokerServer, world: World) -> None:
    account = world.account(server)
    forwarder = world.active(server)
    last = world.say(500)
    world.until(lambda: last in account)
    assert account.numbers == list(range(1, last + 1))
    assert account.reasons == ["start"]
    world.until(lambda: (forwarder.stats.queued, forwarder.stats.published) == (0, last + 1))


def test_what_is_published_is_confirmed_by_the_broker_before_it_counts(server: BrokerServer, world: World) -> None:
    forwarder = world.active(server)
    before = forwarder.stats.published
    last = world.say(50)
    world.until(lambda: forwarder.stats.published == before + last)
    account = world.account(server)
    world.say(1)
    world.until(lambda: account)
    assert account == [last + 1]  # a source that came later hears what is new


def test_a_group_keeps_what_happens_while_nobody_is_there(server: BrokerServer, world: World) -> None:
    first = world.account(server, group="crm")
    world.active(server)
    world.until(lambda: first)
    world.say(10)
    world.until(lambda: 10 in first)
    first.source.close()
    world.say(10)
    world.run(0.2)
    second = world.account(server, group="crm")
    world.say(10)
    world.until(lambda: 30 in second)
    assert second == list(range(11, 31))


def test_everybody_gets_all_without_a_group(server: BrokerServer, world: World) -> None:
    accounts = [world.account(server) for _ in range(3)]
    world.active(server)
    world.say(20)
    world.until(lambda: all(20 in account for account in accounts))
    assert [account.numbers for account in accounts] == [list(range(1, 21))] * 3


def test_one_member_of_a_group_works_and_another_takes_over(server: BrokerServer, world: World) -> None:
    first = world.account(server, group="crm")
    second = world.account(server, group="crm", starts_idle=True)
    world.active(server)
    world.say(10)
    world.until(lambda: 10 in first)
    assert second == []
    first.source.close()
    world.say(10)
    world.until(lambda: 20 in second, limit=6)
    assert second == list(range(11, 21))


def test_a_source_that_dies_before_it_acknowledges_leaves_the_events_to_the_next(
    server: BrokerServer, world: World
) -> None:
    first = world.source(server, group="crm", limit=5)
    stuck: list[ForwardedPacket] = []
    first.on("event_userevent", lambda source, packet: stuck.append(packet))
    first.start()
    world.until(lambda: first.is_reading)
    world.active(server)
    first._end_call = lambda work: None  # type: ignore[method-assign]  # its handlers never end
    world.say(10)
    world.until(lambda: stuck)
    first._reader._end = 0.0  # as a process that is killed: nothing is acknowledged, the connection closes
    first._reader._thread.join()
    second = world.account(server, group="crm")
    world.until(lambda: 10 in second, limit=6)
    assert second.numbers == list(range(1, 11))


def test_an_event_whose_handler_raises_is_handled_again(server: BrokerServer, world: World, expect_log: Any) -> None:
    expect_log("ERROR: callback .* raised")
    source = world.source(server, on_error="retry")
    calls: list[int] = []

    def handler(source: Source, packet: ForwardedPacket) -> None:
        calls.append(int(packet["number"]))
        if calls == [1]:
            raise RuntimeError("not now")

    source.on("event_userevent", handler)
    source.start()
    world.until(lambda: source.is_reading)
    world.active(server)
    world.say(3)
    world.until(lambda: len(calls) == 4)
    assert calls == [1, 1, 2, 3]


def test_dead_letters_are_kept(server: BrokerServer, world: World, expect_log: Any) -> None:
    expect_log("ERROR: callback .* raised")
    source = world.source(server, group="crm", on_error="dead-letter")
    undertaker = server.broker(world.name).fresh()
    if server.kind == "mqtt":  # it keeps what somebody has subscribed to
        undertaker.open()
        undertaker.subscribe(["dead.crm"], None, 10)
    calls: list[int] = []

    def handler(source: Source, packet: ForwardedPacket) -> None:
        calls.append(int(packet["number"]))
        assert packet["number"] != "2"

    source.on("event_userevent", handler)
    source.start()
    world.until(lambda: source.is_reading)
    world.active(server)
    world.say(3)
    world.until(lambda: len(calls) == 3 and source.stats.dead)
    if server.kind != "mqtt":
        undertaker.open()
        undertaker.subscribe(["dead.crm"], "crm", 10)
    found: list[Delivery] = []
    world.until(lambda: found.extend(undertaker.receive(0.1)) or found)  # type: ignore[func-returns-value]
    undertaker.close()
    assert [dict(json.loads(one.body)["headers"])["Number"] for one in found] == ["2"]


def test_coroutine_functions_are_handlers_and_their_tasks_are_waited_for(
    server: BrokerServer, world: World, expect_log: Any
) -> None:
    expect_log("ERROR: callback .* raised")
    world.active(server)

    async def main() -> list[int]:
        source = Source(server.broker(world.name), group="crm", reactor=asyncio.get_running_loop(), on_error="retry")
        handled: list[int] = []
        failed: list[int] = []

        @source.on("event_userevent")
        async def handler(source: Source, packet: ForwardedPacket) -> None:
            await asyncio.sleep(0.001)
            number = int(packet["number"])
            if number == 5 and not failed:
                failed.append(number)
                raise RuntimeError("not now")
            handled.append(number)

        source.start()
        while not source.is_reading:
            await asyncio.sleep(0.01)
        world.say(10)
        for _ in range(1000):
            world.reactor.run_once(0)
            await asyncio.sleep(0.005)
            if len(handled) >= 10 and failed:
                break
        await asyncio.get_running_loop().run_in_executor(None, source.close)
        return handled

    assert sorted(asyncio.run(main())) == list(range(1, 11))


# MQTT has one member at work in a group.
@pytest.mark.parametrize("server", ["redis", "rabbitmq"], indirect=True)
def test_work_is_shared_by_server(server: BrokerServer, world: World) -> None:
    servers = ["pbx1", "pbx2", "pbx3", "pbx4"]
    sources = [world.source(server, group="crm", servers=servers) for _ in range(2)]
    heard: list[set[str]] = [set(), set()]
    for place, source in enumerate(sources):
        source.on("event_userevent", lambda source, packet, place=place: heard[place].add(packet.server))
        source.start()
    world.until(lambda: all(len(source._reader._held) == 2 for source in sources), limit=15)
    for name in servers:
        world.forwarder(server, world.pool(), server=name, name=name)
    world.keep_saying(0.02)
    world.until(lambda: all(len(one) == 2 for one in heard), limit=15)
    world.run(0.5)
    assert heard[0] | heard[1] == set(servers) and not heard[0] & heard[1]
