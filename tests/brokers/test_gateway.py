"""Actions through each real broker, and back."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from broker_servers import BrokerServer
from world import World

from ami_client import ActionFailed, ActionTimeout, ConnectionFinished, Packet
from ami_client.forward import Client, Forwarder, Gap, Gateway, Message, Refused
from ami_client.forward.asking import Request
from ami_client.testing.script import listing

ALLOW: Any = {
    "Ping": {},
    "Status": {},
    "Queue*": {},
    "CoreShowChannels": {},
    "Command": {"command": "core show *"},
    "Originate": {"channel": "Local/*@office", "application": None},
    "Nothing": {},
}


class Office(World):
    """The PBX, forwarder and gateway run in a thread: the tests are on asyncio."""

    def __init__(self, server: BrokerServer, **options: Any) -> None:
        super().__init__()
        self.server = server
        pool = self.pool(server=self.url)
        self.gateway = Gateway(pool, server.broker(self.name), allow=ALLOW, server="pbx1", **options)
        self.gateway.start()
        self._ended.append(self.gateway.close)
        self.forwarder_: Forwarder = self.forwarder(server, pool)
        self.until(lambda: self.gateway.is_reading and self.forwarder_.stats.published)
        self.thread = threading.Thread(target=self.reactor.run)
        self.thread.start()

    def client(self) -> Client:
        return Client(self.server.broker(self.name), "pbx1")

    def soon(self, function: Any, *args: Any) -> None:
        self.reactor.call_soon_threadsafe(function, *args)

    def __exit__(self, *exc_info: object) -> None:
        self.soon(self.reactor.stop)
        self.thread.join()
        super().__exit__(*exc_info)


@pytest.fixture
def office(server: BrokerServer) -> Iterator[Office]:
    with Office(server) as office:
        yield office


def test_an_action_and_its_answer(office: Office) -> None:
    async def main() -> Packet:
        async with office.client() as pbx:
            return await pbx.ping()

    answer = asyncio.run(main())
    assert answer["response"] == "Success" and answer["ping"] == "Pong"


def test_a_list_of_ten_thousand_entries(office: Office) -> None:
    entries = [{"Event": "QueueMember", "Name": f"member {number}"} for number in range(10_000)]

    async def main() -> Packet:
        async with office.client() as pbx:
            return await pbx.action("QueueStatus", timeout=30)

    office.pbx.on("QueueStatus", listing("Queue status will follow", entries, "QueueStatusComplete"))
    answer = asyncio.run(main())
    assert [entry["name"] for entry in answer.events] == [entry["Name"] for entry in entries]
    assert answer.complete is not None and answer.complete["event"] == "QueueStatusComplete"


def test_lists_as_phpdaemon_has_them(office: Office) -> None:
    async def main() -> list[Packet]:
        async with office.client() as pbx:
            return await pbx.core_show_channels()

    packets = asyncio.run(main())
    assert packets[-1].event_name == "coreshowchannelscomplete"


def test_errors_are_what_they_are(office: Office, expect_log: Any) -> None:
    expect_log("WARNING: gateway: refused")

    async def main() -> None:
        async with office.client() as pbx:
            with pytest.raises(ActionFailed, match=r"(?i)invalid"):
                await pbx.action("Nothing")
            with pytest.raises(Refused, match="'reload' is not allowed"):
                await pbx.action("Reload")
            with pytest.raises(Refused, match="not allowed with this channel"):
                await pbx.originate({"Channel": "Local/1@away", "Context": "office", "Exten": "1", "Priority": 1})
            with pytest.raises(Refused, match="not allowed with this application"):
                await pbx.originate({"Channel": "Local/100@office", "Application": "System", "Data": "reboot"})
            with pytest.raises(ValueError):
                await pbx.action("Ping", {"Bad": "line\r\nend"})
            with pytest.raises(ValueError, match="retry"):
                await pbx.ping(retry=True)

    asyncio.run(main())


def test_a_call_and_its_result(office: Office) -> None:
    async def main() -> Packet:
        async with office.client() as pbx:
            call = {"Channel": "Local/100@office", "Context": "office", "Exten": "101", "Priority": 1}
            return await pbx.originate(call)

    result = asyncio.run(main())
    assert result.event_name == "originateresponse" and result["response"] == "Success"


def test_many_actions_at_once_are_more_than_the_gateway_has_room_for(server: BrokerServer) -> None:
    async def main(office: Office) -> list[Packet]:
        async with office.client() as pbx:
            return list(await asyncio.gather(*(pbx.ping() for _ in range(500))))

    with Office(server, limit=7) as office:
        answers = asyncio.run(main(office))
        assert len(answers) == 500
        assert office.gateway.stats.carried_out == 500


def test_a_request_is_carried_out_once_at_most(office: Office, expect_log: Any) -> None:
    expect_log("WARNING: gateway: .* may have been executed before")
    broker = office.server.broker(office.name).fresh()
    broker.open()
    request = Request("one", "somebody", "pbx1", "Ping", [], time.time(), 30.0)
    late = Request("two", "somebody", "pbx1", "Ping", [], time.time() - 60, 30.0)
    broker.subscribe(["replies.somebody"], None, 10)
    broker.publish([Message("requests.pbx1", "", one.encode()) for one in (request, request, late)])
    found: list[Any] = []
    deadline = time.monotonic() + 10
    while len(found) < 2 and time.monotonic() < deadline:
        found += broker.receive(0.5)
    while office.gateway.stats.late < 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    broker.close()
    stats = office.gateway.stats
    assert (stats.carried_out, stats.refused, stats.late) == (1, 1, 1)


def test_an_action_that_nobody_answers(server: BrokerServer, world: World) -> None:
    async def main() -> None:
        async with Client(server.broker(world.name), "pbx1") as pbx:
            with pytest.raises(ActionTimeout):
                await pbx.ping(timeout=0.3)
            task = asyncio.ensure_future(pbx.ping())
            await asyncio.sleep(0.05)
            closing = asyncio.ensure_future(pbx.close())
            with pytest.raises(ConnectionFinished):
                await task
            await closing

    asyncio.run(main())


def test_streams_and_handlers(office: Office, expect_log: Any) -> None:
    expect_log("WARNING: .* connecting again")

    async def main() -> list[Any]:
        pbx = office.client()
        handled: list[str] = []

        @pbx.on("event_userevent")
        async def on_user_event(source: Any, packet: Packet) -> None:
            await asyncio.sleep(0)
            handled.append(packet["number"])

        found: list[Any] = []
        async with pbx, pbx.events("userevent", where={"number": "[13]"}) as events:
            office.soon(office.say, 3)
            while len(handled) < 3:
                await asyncio.sleep(0.01)
            office.soon(office.pbx.drop)
            async for event in events:
                found.append(event["number"] if isinstance(event, Packet) else event)
                if isinstance(event, Gap):
                    break
        assert handled == ["1", "2", "3"]
        return found

    assert asyncio.run(main()) == ["1", "3", Gap(None, "lost", "pbx1")]
