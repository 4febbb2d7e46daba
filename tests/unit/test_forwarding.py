"""Forwarders, sources, gateways and clients on a broker in memory. tests/brokers has them with real ones."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from cases import for_each
from memory_broker import Hub, MemoryBroker
from prometheus_client import CollectorRegistry, generate_latest

from ami_client import ActionTimeout, ConnectionFinished, ConnectionLost, ConnectTimeout, Packet, Pool, Reactor
from ami_client.forward import Client, Forwarder, Gap, Gateway, Message, Refused, Remote, Source, broker_of
from ami_client.forward import forwarder as forwarder_module
from ami_client.forward import source as source_module
from ami_client.forward.asking import Request
from ami_client.forward.metrics import ForwardCollector
from ami_client.testing import FakeAsterisk


class Office:
    """A PBX and what forwards, on one reactor."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.reactor = Reactor()
        self.pbx = FakeAsterisk(self.reactor, ring_time=0.01, call_length=0.01)
        self.pbx.start()
        self.url = f"tcp://admin:secret@{self.pbx.host}:{self.pbx.port}"
        self.ending: list[Callable[[], object]] = []

    @property
    def broker(self) -> MemoryBroker:
        return MemoryBroker(self.hub)

    def pool(self, **options: Any) -> Pool:
        pool = Pool(reactor=self.reactor, authtype="plain", server=self.url, **options)
        pool.get_connection()
        self.ending.append(pool.finish)
        return pool

    def forwarder(self, pool: Pool | None = None, **options: Any) -> Forwarder:
        forwarder = Forwarder(
            pool or self.pool(), self.broker, **{"server": "pbx1", "events": ["userevent"], **options}
        )
        forwarder.start()
        self.ending.append(lambda: forwarder.close(0.2))
        return forwarder

    def active(self, **options: Any) -> Forwarder:
        forwarder = self.forwarder(**options)
        self.until(lambda: forwarder.stats.active and forwarder.stats.published)
        return forwarder

    def source(self, told: list[Any], **options: Any) -> Source:
        source = Source(self.broker, reactor=self.reactor, **options)
        source.on("event_userevent", lambda source, packet: told.append(int(packet["number"])))
        source.on("gap", lambda source, gap: told.append(gap.reason))
        source.start()
        self.ending.append(lambda: source.close(0.2))
        self.until(lambda: source.is_reading)
        return source

    def say(self, *numbers: int) -> None:
        for number in numbers:
            self.pbx.push({"Event": "UserEvent", "Privilege": "user,all", "Number": str(number)})

    def until(self, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + 10
        while not holds():
            assert time.monotonic() < deadline, "it did not come to that"
            self.reactor.run_once(0.01)

    def close(self) -> None:
        for one in reversed(self.ending):
            one()
        self.pbx.close()
        while self.reactor.run_once(0):
            pass
        self.reactor.close()


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setattr(source_module, "BEAT", 0.02)
    monkeypatch.setattr(forwarder_module, "BEAT", 0.02)
    monkeypatch.setattr(source_module, "_RETRY", 0.01)
    office = Office()
    yield office
    office.close()


def test_events_arrive_once_and_in_order(office: Office) -> None:
    told: list[Any] = []
    source = office.source(told)
    forwarder = office.active()
    office.say(*range(100))
    office.until(lambda: 99 in told)
    assert told == ["start", *range(100)]
    office.until(lambda: forwarder.stats.published == 101)
    assert (source.stats.events, source.stats.gaps) == (100, 1)


def test_what_is_published_twice_arrives_once(office: Office, expect_log: Any) -> None:
    expect_log("WARNING: forwarder pbx1: .* is gone .no confirm.")
    told: list[Any] = []
    source = office.source(told)
    office.active()
    office.hub.confirms = False
    office.say(1, 2)
    office.until(lambda: len(office.hub.channels["events.pbx1"]) > 4)
    office.hub.confirms = True
    office.say(3)
    office.until(lambda: 3 in told)
    assert told == ["start", 1, 2, 3]
    assert source.stats.repeats > 0


def test_what_finds_no_room_is_told(office: Office, expect_log: Any, caplog: Any) -> None:
    expect_log("WARNING: (forwarder pbx1|source): .* is gone .down.")
    told: list[Any] = []
    office.source(told)
    forwarder = office.active(limit=10)
    office.hub.down = True
    office.say(*range(50))
    office.until(lambda: forwarder.stats.overflowed == 40)
    office.until(lambda: "forwarder pbx1: <MemoryBroker> is gone" in caplog.text)
    office.hub.down = False
    office.until(lambda: "overflow" in office_reasons(office))
    gap = office_gaps(office)[-1]
    assert gap == {"count": 40, "reason": "overflow"}


def office_gaps(office: Office) -> list[Any]:
    bodies = map(json.loads, office.hub.channels["events.pbx1"])
    return [body["gap"] for body in bodies if "gap" in body]


def office_reasons(office: Office) -> list[str]:
    return [gap["reason"] for gap in office_gaps(office)]


def test_a_lost_link_and_its_return_are_told(office: Office, expect_log: Any) -> None:
    expect_log("WARNING: .* connecting again")
    pool = office.pool(reconnect=0.01, reconnect_max=0.02)
    office.active(pool=pool)
    office.pbx.drop()
    office.until(lambda: office_reasons(office) == ["start", "lost", "back"])


def test_another_forwarder_stands_by_and_takes_over(office: Office) -> None:
    first = office.active()
    second = office.forwarder()
    office.until(lambda: second.stats.role == "standby")
    told: list[Any] = []
    office.source(told)
    office.say(1)
    office.until(lambda: 1 in told)
    first.close(1.0)
    office.until(lambda: second.stats.active)
    office.say(2)
    office.until(lambda: 2 in told)
    assert told == [1, "lost", "takeover", 2]
    second.close(1.0)
    assert office.hub.leases == {}


def test_one_that_was_replaced_publishes_nothing_more(office: Office) -> None:
    forwarder = office.active()
    with office.hub.changed:
        office.hub.leases["forwarder-pbx1", "pbx1"] = "somebody"
    office.say(1)
    office.until(lambda: forwarder.stats.role == "standby")
    office.say(2)
    office.until(lambda: not forwarder.stats.queued)
    assert office_reasons(office) == ["start"] and len(office.hub.channels["events.pbx1"]) == 1
    with office.hub.changed:
        del office.hub.leases["forwarder-pbx1", "pbx1"]
    office.until(lambda: office_reasons(office) == ["start", "takeover"])


def test_a_forwarder_without_a_server_stands_by_with_what_an_earlier_process_left(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, expect_log: Any
) -> None:
    expect_log("WARNING: forwarder pbx1: .* is gone")
    monkeypatch.setattr(forwarder_module, "_DISCARD", 0.1)
    spool = tmp_path / "spool"
    first = office.active(spool=spool)
    office.hub.down = True
    office.say(1)
    office.until(lambda: first.stats.spooled)
    first.close(0)
    office.hub.down = False
    with office.hub.changed:
        office.hub.leases["forwarder-pbx1", "pbx1"] = "somebody"
    caplog.set_level("INFO")
    caplog.clear()
    refused = Pool(reactor=office.reactor, authtype="plain", server=office.url.replace("secret", "wrong"))
    second = office.forwarder(pool=refused, spool=spool)
    office.until(lambda: second.stats.discarded)
    office.until(lambda: second.stats.role == "unknown")
    assert [text for text in caplog.messages if text.startswith("forwarder pbx1: ")][1:] == [
        "forwarder pbx1: standby",
        "forwarder pbx1: discarded 2 messages, because another forwarder is active",
        "forwarder pbx1: unknown",
    ]


def test_a_broker_that_takes_nothing_for_now_keeps_its_forwarder(office: Office, expect_log: Any) -> None:
    expect_log("WARNING: forwarder.* takes no messages for now .low on disk.; they are kept")
    told: list[Any] = []
    office.source(told)
    forwarder = office.active()
    office.hub.busy = True
    office.say(1, 2)
    office.until(lambda: forwarder.stats.queued == 2 and office.hub.refusals)
    opened = office.hub.opened
    office.hub.busy = False
    office.until(lambda: 2 in told)
    assert told == ["start", 1, 2] and office.hub.opened == opened


def test_a_forwarder_waits_until_the_broker_has_noticed_that_its_connection_was_lost(
    office: Office, expect_log: Any
) -> None:
    expect_log("WARNING: .* is gone")
    told: list[Any] = []
    office.source(told)
    forwarder = office.active()
    lease = "forwarder-pbx1", "pbx1"
    office.hub.down = True
    office.say(1)
    office.until(lambda: lease not in office.hub.leases)
    office.hub.leases[lease] = "its own connection of before"
    office.hub.down = False
    office.until(lambda: office.hub.refusals > 2)
    assert forwarder.stats.active and forwarder.stats.queued == 1
    del office.hub.leases[lease]
    office.until(lambda: 1 in told)
    assert told == ["start", 1]


def test_a_spool_is_published_by_the_next_process(office: Office, tmp_path: Path, expect_log: Any) -> None:
    expect_log("WARNING: forwarder pbx1: .* is gone .down.")
    office.hub.down = True
    forwarder = office.forwarder(spool=tmp_path / "spool")
    office.until(lambda: forwarder.stats.spooled == 1)
    office.say(1)
    office.until(lambda: forwarder.stats.spooled == 2)
    forwarder.close(0.1)
    office.hub.down = False
    told: list[Any] = []
    office.source(told)
    office.forwarder(spool=tmp_path / "spool")
    office.until(lambda: len(told) == 4)
    assert told == ["start", 1, "lost", "start"]
    with pytest.raises(OSError, match="spool"):
        Forwarder(Pool(reactor=office.reactor), office.broker, spool=tmp_path / "no" / "spool").start()


def test_servers_get_names(office: Office, expect_log: Any) -> None:
    expect_log("ERROR: forwarder pbx1: not forwarding .*: another server has the name 'pbx1'")
    pool = office.pool()
    forwarder = office.active(pool=pool)
    pool.get_connection(office.url.replace("127.0.0.1", "localhost"))
    office.until(lambda: pool.stats.connected == 2)
    assert forwarder.name == "pbx1"
    named = Forwarder(pool, office.broker, server={office.url: "a", "tcp://x": "b"})
    assert named.name == "a-b"
    nameless = Forwarder(pool, office.broker)
    nameless.start()
    office.ending.append(lambda: nameless.close(0.2))
    office.say(1)
    office.until(lambda: any(name.startswith("events.127-0-0-1-") for name in office.hub.channels))


@for_each(
    ("options", "error"),
    [
        ({"limit": 1}, ValueError),
        ({"limit": "x"}, TypeError),
        ({"events": "hangup"}, TypeError),
        ({"server": "a.b"}, ValueError),
        ({"name": "a b"}, ValueError),
    ],
)
def test_a_forwarder_refuses_what_makes_no_sense(options: Any, error: Any) -> None:
    with pytest.raises(error):
        Forwarder(Pool(), MemoryBroker(Hub()), **options)


@for_each(
    "options",
    [
        {"on_error": "ignore"},
        {"on_error": "dead-letter"},
        {"limit": 0},
        {"servers": "pbx1"},
        {"servers": []},
        {"group": "a.b"},
    ],
)
def test_a_source_refuses_what_makes_no_sense(options: Any) -> None:
    with pytest.raises(ValueError):
        Source(MemoryBroker(Hub()), **options)


def test_a_broker_is_wanted() -> None:
    with pytest.raises(TypeError, match="broker must be a Broker"):
        Source("redis://bus")  # type: ignore[arg-type]


def test_a_group_goes_on_where_it_was(office: Office) -> None:
    first: list[Any] = []
    source = office.source(first, group="crm")
    standby = Source(office.broker, group="crm", reactor=office.reactor)
    standby.start()
    office.ending.append(lambda: standby.close(0.2))
    office.active()
    office.say(1)
    office.until(lambda: 1 in first)
    office.until(lambda: office.hub.acked["crm", "events.pbx1"] == 2)
    assert not standby.is_reading
    source.close(1.0)
    office.until(lambda: standby.is_reading)
    assert (standby.name, source.is_reading) == ("crm", False)


def test_an_event_is_handled_again_until_it_succeeds(office: Office, expect_log: Any) -> None:
    expect_log("ERROR: callback .* raised")
    told: list[Any] = []
    source = office.source(told, on_error="retry")
    failing: list[str] = []

    def handler(source: Source, packet: Packet) -> None:
        failing.append(packet["number"])
        if len(failing) < 3:
            raise RuntimeError

    source.on("event_userevent", handler)
    office.active()
    office.say(1, 2)
    office.until(lambda: len(failing) == 4)
    assert failing == ["1", "1", "1", "2"] and told == ["start", 1, 2]
    assert source.stats.failed == 2


def test_what_handlers_do_soon_comes_before_the_acknowledgement(office: Office) -> None:
    source = office.source([], group="crm")
    acked: list[int] = []

    def look() -> None:
        with office.hub.changed:
            office.hub.changed.wait_for(lambda: office.hub.acked["crm", "events.pbx1"] == 2, 0.1)
            acked.append(office.hub.acked["crm", "events.pbx1"])

    source.on("event_userevent", lambda source, packet: office.reactor.call_soon(look))
    office.active()
    office.until(lambda: office.hub.acked.get(("crm", "events.pbx1")) == 1)  # the gap of the start
    office.say(1)
    office.until(lambda: office.hub.acked["crm", "events.pbx1"] == 2)
    assert acked == [1]


def test_what_was_handled_is_acknowledged_by_a_source_that_is_closed_at_once(office: Office) -> None:
    told: list[Any] = []
    source = office.source(told, group="crm")
    office.active()
    office.say(1)
    office.until(lambda: 1 in told)
    source.close()
    assert office.hub.acked["crm", "events.pbx1"] == 2


def test_dead_letters(office: Office, expect_log: Any) -> None:
    expect_log("ERROR: callback .* raised")
    source = office.source([], group="crm", on_error="dead-letter")
    source.on("event_userevent", lambda source, packet: 1 / 0)
    office.active()
    office.say(7)
    office.until(lambda: "dead.crm" in office.hub.channels)
    (body,) = office.hub.channels["dead.crm"]
    assert ["Number", "7"] in json.loads(body)["headers"]


def test_dead_letters_outlast_a_loss_of_the_broker(office: Office, expect_log: Any) -> None:
    expect_log("ERROR: callback .* raised")
    expect_log("WARNING: .* is gone")
    source = office.source([], group="crm", on_error="dead-letter")

    def fails(source: Source, packet: Packet) -> None:
        office.hub.down = True
        raise ValueError

    source.on("event_userevent", fails)
    office.active()
    office.say(7)
    office.until(lambda: office.hub.down and not source.is_reading)
    assert "dead.crm" not in office.hub.channels
    office.hub.down = False
    office.until(lambda: "dead.crm" in office.hub.channels)
    (body,) = office.hub.channels["dead.crm"]
    assert ["Number", "7"] in json.loads(body)["headers"]


def test_what_no_forwarder_has_made_is_dropped(office: Office, expect_log: Any) -> None:
    expect_log("WARNING: source: dropped an invalid message")
    told: list[Any] = []
    source = office.source(told)
    broker = office.broker.fresh()
    broker.open()
    broker.publish([Message("events.x", "", b"{}")])
    office.until(lambda: source.stats.malformed)
    office.active()
    office.until(lambda: told)


def test_tasks_are_waited_for(office: Office, expect_log: Any) -> None:
    expect_log("ERROR: callback .* raised")
    office.active()

    async def main() -> None:
        source = Source(office.broker, group="crm", reactor=asyncio.get_running_loop(), on_error="retry")
        started, ended = asyncio.Event(), asyncio.Event()
        calls: list[str] = []

        @source.on("event_userevent")
        async def handler(source: Source, packet: Packet) -> None:
            calls.append(packet["number"])
            started.set()
            await ended.wait()
            if len(calls) == 1:
                raise RuntimeError

        source.start()
        office.say(1)
        while not started.is_set():
            office.reactor.run_once(0)
            await asyncio.sleep(0.005)
        acked = office.hub.acked.get(("crm", "events.pbx1"), 0)
        ended.set()
        while office.hub.acked.get(("crm", "events.pbx1"), 0) <= acked:
            await asyncio.sleep(0.005)
        assert calls == ["1", "1"] and acked < 2
        await asyncio.get_running_loop().run_in_executor(None, source.close)

    asyncio.run(main())


def served(office: Office, **options: Any) -> Gateway:
    gateway = Gateway(office.pool(), office.broker, server="pbx1", **{"allow": ["Ping", "Originate"], **options})
    gateway.start()
    office.ending.append(lambda: gateway.close(0.2))
    office.until(lambda: gateway.is_reading)
    return gateway


def ask(office: Office, coroutine: Callable[[Client], Any]) -> Any:
    """What a client on asyncio gets, while the office goes on."""
    results: list[Any] = []

    async def main() -> None:
        async with Client(office.broker, "pbx1") as client:
            results.append(await coroutine(client))

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    office.until(lambda: not thread.is_alive())
    return results[0]


def test_an_action_and_its_answer(office: Office) -> None:
    gateway = served(office)
    assert ask(office, lambda client: client.ping())["ping"] == "Pong"
    assert gateway.stats.carried_out == 1 and gateway.name == "pbx1"
    office.until(lambda: gateway.stats.replies)


def asked(office: Office, *requests: Request) -> list[Any]:
    """The answers to requests that came as messages."""
    broker = office.broker.fresh()
    broker.open()
    broker.publish([Message("requests.pbx1", "", one.encode()) for one in requests])
    return office.hub.channels.setdefault("replies.me", [])


def request(**changes: Any) -> Request:
    return Request("one", "me", "pbx1", "Ping", [], time.time(), 30.0)._replace(**changes)


def error_of(body: bytes) -> str:
    error = json.loads(body).get("error")
    return f"{error['type']}: {error['message']}" if error else ""


def test_a_request_is_carried_out_once_at_most(office: Office, expect_log: Any) -> None:
    expect_log("WARNING: gateway: refused Ping of me: it may have been executed before")
    gateway = served(office)
    answers = asked(office, request(), request(), request(id="late", time=time.time() - 60))
    office.until(lambda: len(answers) == 2 and gateway.stats.late)
    assert sorted(map(error_of, answers)) == ["", "Refused: it may have been executed before"]
    assert (gateway.stats.carried_out, gateway.stats.refused, gateway.stats.requests) == (1, 1, 3)


def test_requests_that_cannot_be_carried_out(office: Office, expect_log: Any) -> None:
    expect_log("WARNING: gateway: refused Ping of me: server 'elsewhere' is not served here")
    expect_log("WARNING: gateway pbx1: dropped an invalid request")
    served(office, allow=["*"])
    broker = office.broker.fresh()
    broker.open()
    broker.publish([Message("requests.pbx1", "", b"{}")])
    bad = request(id="bad", params=[("Name", "two\r\nlines")])
    answers = asked(office, request(id="far", server="elsewhere"), bad)
    office.until(lambda: len(answers) == 2)
    assert error_of(answers[0]).startswith("Refused: server 'elsewhere'")
    assert error_of(answers[1]).startswith("Refused: ") or error_of(answers[1]).startswith("ValueError: ")


def test_a_server_that_is_not_there(office: Office) -> None:
    pool = Pool(reactor=office.reactor)
    gateway = Gateway(pool, office.broker, server={"tcp://joe:x@127.0.0.1:1": "pbx1"}, allow=["*"])
    gateway.start()
    office.ending += [pool.finish, lambda: gateway.close(0.2)]
    office.until(lambda: gateway.is_reading)
    answers = asked(office, request())
    office.until(lambda: answers)
    assert error_of(answers[0]).startswith("ConnectFailed: ")
    assert gateway.stats.open == 0
    pool.finish()
    asked(office, request(id="two"))
    office.until(lambda: len(answers) == 2)
    assert error_of(answers[1]).startswith("ConnectionFinished: ")


def test_answers_are_sent_again_until_they_are_confirmed(office: Office, expect_log: Any) -> None:
    expect_log("WARNING: answers of pbx1: .* is gone .no confirm.")
    gateway = served(office)
    office.hub.confirms = False
    answers = asked_unconfirmed(office, request())
    office.until(lambda: len(answers) > 1)
    office.hub.confirms = True
    office.until(lambda: gateway.stats.replies)


def asked_unconfirmed(office: Office, one: Request) -> list[Any]:
    with office.hub.changed:
        office.hub.channels.setdefault("requests.pbx1", []).append(one.encode())
        return office.hub.channels.setdefault("replies.me", [])


def test_a_request_whose_publishing_failed_is_not_sent_again(office: Office, expect_log: Any) -> None:
    expect_log("WARNING: requests to pbx1: .* is gone .no confirm.")

    async def fail(client: Client) -> int:
        office.hub.confirms = False
        with pytest.raises(ConnectionLost, match="may have been executed"):
            await client.ping()
        office.hub.confirms = True
        return len(office.hub.channels["requests.pbx1"])

    assert ask(office, fail) == 1


def test_what_a_client_cannot_do_through_a_broker(office: Office) -> None:
    async def refuse(client: Client) -> None:
        with pytest.raises(ValueError, match="retry"):
            await client.ping(retry=True)
        with pytest.raises(ValueError):
            await client.action("Ping", {"Name": "two\r\nlines"})
        assert client.connected and client.source.servers == ("pbx1",)

    ask(office, refuse)
    remote = Remote(office.broker, "pbx1", office.reactor)
    assert not remote.connected and repr(remote) == "<Remote pbx1 <MemoryBroker>>"
    with pytest.raises(ValueError, match="either cb or on_result"):
        remote.originate({"Channel": "x"}, print, on_result=lambda remote, packet: None)
    with pytest.raises(ValueError, match="name the server"):
        Client("redis://bus/ami")


def test_a_client_waits_until_the_broker_is_back(office: Office, expect_log: Any) -> None:
    expect_log("WARNING: .* is gone")

    async def wait(client: Client) -> bool:
        office.hub.down = True
        while client.connected:
            await asyncio.sleep(0.01)
        with pytest.raises(ConnectTimeout, match=r"not reached within 0\.05 s"):
            await client.wait_connected(0.05)
        waiting = asyncio.ensure_future(client.wait_connected())
        await asyncio.sleep(0)
        office.hub.down = False
        await asyncio.wait_for(waiting, 5.0)
        return client.connected

    assert ask(office, wait)


def test_a_call_and_its_result(office: Office) -> None:
    served(office)
    call = {"Channel": "Local/100@office", "Context": "office", "Exten": "101", "Priority": 1}
    assert ask(office, lambda client: client.originate(call)).event_name == "originateresponse"


def test_what_is_not_allowed_is_refused(office: Office, expect_log: Any) -> None:
    expect_log("WARNING: gateway: refused Reload of")
    served(office)

    async def reload(client: Client) -> Any:
        with pytest.raises(Refused):
            await client.action("Reload")
        entries: list[Packet] = []
        await client.action("Ping", on_entry=lambda remote, packet: entries.append(packet))
        return repr(client)

    assert ask(office, reload) == "<Client pbx1 <MemoryBroker>>"


def test_who_cannot_be_answered_hears_of_it(office: Office, expect_log: Any) -> None:
    expect_log("WARNING: .* is gone")

    async def alone(client: Client) -> None:
        with pytest.raises(ActionTimeout):
            await client.ping(timeout=0.05)
        task = asyncio.ensure_future(client.ping())
        await asyncio.sleep(0.01)
        task.cancel()
        closing = asyncio.ensure_future(client.ping())
        await asyncio.sleep(0.01)
        await client.close()
        with pytest.raises(ConnectionFinished):
            await closing
        with pytest.raises(ConnectionFinished):
            await client.ping()

    ask(office, alone)
    office.hub.down = True

    async def away() -> None:
        client = Client(office.broker, "pbx1")
        with pytest.raises(RuntimeError, match="not connected"):
            await client.ping()
        with pytest.raises(ConnectTimeout):
            await client.wait_connected(0.05)
        await client.close()

    asyncio.run(away())


def test_a_stream_of_a_client(office: Office) -> None:
    office.active()

    async def read(client: Client) -> list[Any]:
        async with client.events("userevent") as events:
            office.reactor.call_soon_threadsafe(office.say, 1)
            office.reactor.call_soon_threadsafe(office.reactor.call_later, 0.05, office.pbx.drop)
            return [await events.__anext__(), await events.__anext__()]

    event, gap = ask(office, read)
    assert event["number"] == "1" and gap == Gap(None, "lost", "pbx1")


@for_each("options", [{"limit": 0}, {"timeout": -1}, {"server": {"tcp://x": "a.b"}}])
def test_a_gateway_refuses_what_makes_no_sense(options: Any) -> None:
    with pytest.raises(ValueError):
        Gateway(Pool(server="tcp://x"), MemoryBroker(Hub()), **{"allow": [], **options})


def test_a_gateway_needs_a_server() -> None:
    with pytest.raises(ValueError, match="no server"):
        Gateway(Pool(), MemoryBroker(Hub()), allow=[])
    assert Gateway(Pool(server="tcp://pbx.example.com"), MemoryBroker(Hub()), allow=[]).name == "pbx-example-com-5280"


def test_metrics(office: Office) -> None:
    gateway, forwarder, source = served(office), office.active(), office.source([], group="crm")
    registry = CollectorRegistry()
    registry.register(ForwardCollector(gateway, forwarder, source))
    text = generate_latest(registry).decode()
    for line in (
        'ami_forwarder_active{name="pbx1"} 1.0',
        'ami_source_events_total{name="crm"} 0.0',
        'ami_gateway_open{name="pbx1"} 0.0',
    ):
        assert line in text


@for_each(
    ("url", "shown"),
    [
        ("redis://bus", "<RedisStream ami>"),
        ("redis://bus/0", "<RedisStream ami>"),
        ("rediss://:x@bus:1/3/office", "<RedisStream office>"),
        ("amqp://a:b@bus/office", "<RabbitMQ office>"),
        ("amqps://bus/%2F/office", "<RabbitMQ office>"),
        ("mqtt://bus/office", "<MQTT office>"),
    ],
)
def test_brokers_by_url(url: str, shown: str) -> None:
    assert repr(broker_of(url)) == shown


@for_each("url", ["http://bus", "redis://bus/a.b", "mqtt:///x", "bus"])
def test_urls_of_no_broker(url: str) -> None:
    with pytest.raises(ValueError):
        broker_of(url)
    with pytest.raises(ValueError) as raised:
        broker_of("http://joe:hush@bus")
    assert "hush" not in str(raised.value)
