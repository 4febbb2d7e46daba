"""A model over a pool: lists after each login, and events behind them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from calls_recorded import Story
from fake_network import URL, Network
from outage import BASE

from ami_client import Connection, EventHandlers, Packet, Pool
from ami_client.model import Call, Model
from ami_client.testing import FakeSocket

SERVER = "tcp://joe@192.0.2.1:5038"
ExpectLog = Callable[[str], None]

ALICE = "Channel: PJSIP/alice-1|ChannelState: 6|CallerIDNum: 101|CallerIDName: Alice|Uniqueid: 1.1|Linkedid: 1.1"
BOB = "Channel: PJSIP/bob-2|ChannelState: 6|CallerIDNum: 102|CallerIDName: Bob|Uniqueid: 1.2|Linkedid: 1.1"
BRIDGE = "BridgeUniqueid: b-1|BridgeType: basic|BridgeTechnology: simple_bridge|BridgeNumChannels: 2"

IN_A_CALL: dict[str, Sequence[str]] = {
    "BridgeList": [f"Event: BridgeListItem|{BRIDGE}"],
    "CoreShowChannels": [
        f"Event: CoreShowChannel|{ALICE}|BridgeId: b-1|Duration: 00:01:40|Application: Dial",
        f"Event: CoreShowChannel|{BOB}|BridgeId: b-1|Duration: 00:01:35|Application: AppDial",
    ],
    "QueueStatus": [
        "Event: QueueParams|Queue: Support|ServiceLevel: 20|Completed: 12|Abandoned: 3|ServicelevelPerf: 33.3",
        "Event: QueueMember|Queue: Support|Name: Bob|Location: PJSIP/bob|Status: 2|Paused: 0",
    ],
    "PJSIPShowEndpoints": [
        "Event: EndpointList|ObjectName: alice|Contacts: alice/sip:a@192.0.2.7:5060,|DeviceState: In use"
    ],
    "DeviceStateList": ["Event: DeviceStateChange|Device: PJSIP/alice|State: INUSE"],
}


class Server:
    """A server that answers a model's questions with ``lists``, and what a model tells of it."""

    def __init__(self, network: Network, **options: Any) -> None:
        self.network = network
        self.pool = network.pool(**{"timeout": None, **options})  # it bears silence
        self.lists: dict[str, Sequence[str]] = {}
        self.refused: set[str] = set()
        self.unknown: set[str] = set()
        self.model = Model(self.pool, clock=lambda: 10_000.0 + network.clock.now)
        self.story = Story(self.model)
        self.told: list[str] = []
        for name in ("ready", "stale"):
            self.model.on(name, lambda model, server, name=name: self.told.append(name))
        self.model.on("call_new", lambda model, call: self.told.append(f"new {call.id} {call.state}"))
        self.model.on("call_ended", lambda model, call: self.told.append(f"ended {call.id} {call.reason}"))

    def log_in(self, answer: bool = True) -> Server:
        """Open a connection, and answer all that the model asks."""
        self.pool.get_connection(URL, lambda conn: None)
        self.sock = self.network.answer_login()
        self.asked = self.questions()
        if answer:
            self.answer()
        return self

    def questions(self, sock: FakeSocket | None = None) -> list[tuple[str, str]]:
        sent = (sock or self.sock).take().decode()
        return re.findall(r"Action: (\w+)\r\nActionID: (\S+)\r\n", sent, re.IGNORECASE)

    def answer(self) -> None:
        """Answer what was asked; what the model asks then comes next."""
        for action, action_id in self.asked:
            entries = self.lists.get(action, ())
            if action in self.refused:
                self.say(f"Response: Error|ActionID: {action_id}|Message: Permission denied")
            elif action in self.unknown:
                self.say(f"Response: Error|ActionID: {action_id}|Message: Invalid/unknown command: {action}.")
            elif action == "Ping":
                self.say(f"Response: Success|ActionID: {action_id}|Ping: Pong")
            else:
                self.say(f"Response: Success|ActionID: {action_id}|EventList: start")
                for entry in entries:
                    self.say(f"{entry}|ActionID: {action_id}")
                self.say(f"Event: {action}Complete|ActionID: {action_id}|EventList: Complete")
        self.asked = self.questions()

    def say(self, text: str) -> None:
        self.network.say(text.replace("|", "\r\n").encode() + b"\r\n\r\n", self.sock)

    def wait_and_answer(self, seconds: float) -> None:
        self.network.wait(seconds)
        self.asked = self.questions()
        self.answer()


@pytest.fixture
def server(network: Network) -> Server:
    return Server(network)


def test_what_goes_on_at_the_login_is_known(server: Server) -> None:
    server.lists = IN_A_CALL
    server.log_in(answer=False)
    assert server.model.servers[SERVER].state == "syncing"
    assert [action for action, _ in server.asked] == [
        "BridgeList", "CoreShowChannels", "QueueStatus",
        "PJSIPShowEndpoints", "PJSIPShowContacts", "SIPpeers", "IAXpeerlist", "DeviceStateList", "Ping",
    ]  # fmt: skip
    server.answer()
    assert server.told == ["new 1.1 up", "ready"]
    call = server.model.calls["1.1"]
    assert (call.state, call.started, call.answered, call.server) == ("up", 10_900.0, 10_905.0, SERVER)
    assert call.talking is not None
    assert [one.number for one in call.talking] == ["101", "102"]
    assert server.model.queues["support"].members[0].state == "inuse"
    queue = server.model.queues["support"]
    assert (queue.service_level, queue.completed, queue.in_time, queue.abandoned) == (20, 12, 4, 3)
    assert server.model.channels["PJSIP/alice-1"].application == "Dial()"
    assert server.model.endpoints["PJSIP/alice"].address == "192.0.2.7:5060"
    server.say(f"Event: Hangup|{ALICE}|Cause: 16")
    server.say(f"Event: Hangup|{BOB}|Cause: 16")
    assert server.told[2:] == ["ended 1.1 completed"]
    assert server.story.pairs == []  # they began before


def test_who_is_on_hold_at_the_login_his_device_says(server: Server) -> None:
    device = "Event: DeviceStateChange|Device: PJSIP/bob|State: ONHOLD"
    listed = [*IN_A_CALL["PJSIPShowEndpoints"], "Event: EndpointList|ObjectName: bob|DeviceState: On Hold"]
    server.lists = {**IN_A_CALL, "PJSIPShowEndpoints": listed, "DeviceStateList": [device]}
    server.log_in()
    assert server.told == ["new 1.1 held", "ready"]
    server.say(f"Event: Unhold|{BOB}")
    assert server.model.calls["1.1"].state == "up"


def test_what_comes_while_lists_are_on_their_way_is_applied_behind_them(server: Server) -> None:
    server.lists = IN_A_CALL
    server.log_in(answer=False)
    server.say(f"Event: BridgeLeave|{BRIDGE}|{ALICE}")
    server.say(f"Event: Hangup|{ALICE}|Cause: 16")
    server.say(f"Event: Hangup|{BOB}|Cause: 16")
    assert server.told == []
    server.answer()
    assert server.told == ["new 1.1 up", "ready", "ended 1.1 completed"]
    assert list(server.model.channels) == []


def test_events_that_the_lists_know_already_change_nothing(server: Server) -> None:
    server.lists = IN_A_CALL
    server.log_in(answer=False)
    for event in (
        f"Event: Newchannel|{ALICE.replace('6', '4', 1)}",
        f"Event: Newstate|{BOB.replace('6', '5', 1)}",
        f"Event: BridgeEnter|{BRIDGE}|{BOB}",
        f"Event: BridgeEnter|{BRIDGE}|{ALICE}",
    ):
        server.say(event)
    server.answer()
    assert server.told == ["new 1.1 up", "ready"]
    assert server.story.pairs == []
    assert server.model.channels["PJSIP/bob-2"].state == "up"


def test_a_lost_link_and_what_happened_meanwhile(network: Network, expect_log: ExpectLog) -> None:
    expect_log("connecting again")
    server = Server(network, reconnect=BASE)
    server.lists = IN_A_CALL
    server.log_in()
    server.sock.eof()
    network.pump()
    assert server.told == ["new 1.1 up", "ready", "stale"]
    assert server.model.servers[SERVER].state == "stale"
    assert server.model.calls["1.1"].state == "up"  # as it was then
    new = "Channel: PJSIP/carol-3|ChannelState: 6|CallerIDNum: 103|Uniqueid: 1.3|Linkedid: 1.3"
    server.lists = {
        "CoreShowChannels": [f"Event: CoreShowChannel|{new}|BridgeId:|Duration: 00:00:01|Application: Wait"]
    }
    network.wait(2 * BASE)
    server.sock = network.answer_login()
    server.asked = server.questions()
    server.answer()
    assert server.told[3:] == ["ended 1.1 lost", "new 1.3 up", "ready"]
    assert list(server.model.channels) == ["PJSIP/carol-3"]
    assert list(server.model.queues) == []


def test_a_call_that_lasts_through_a_lost_link_is_the_same_call(network: Network, expect_log: ExpectLog) -> None:
    expect_log("connecting again")
    server = Server(network, reconnect=BASE)
    server.lists = IN_A_CALL
    server.log_in()
    server.sock.eof()
    network.wait(2 * BASE)
    server.sock = network.answer_login()
    server.asked = server.questions()
    server.answer()
    assert server.told == ["new 1.1 up", "ready", "stale", "ready"]


def test_a_link_that_is_lost_while_lists_are_on_their_way(network: Network, expect_log: ExpectLog) -> None:
    expect_log("connecting again")
    server = Server(network, reconnect=BASE)
    server.lists = IN_A_CALL
    server.log_in(answer=False)
    server.sock.eof()
    network.wait(2 * BASE)
    assert server.told == ["stale"]
    server.sock = network.answer_login()
    server.asked = server.questions()
    server.answer()
    assert server.told == ["stale", "new 1.1 up", "ready"]


def test_a_second_connection_to_a_server_stands_by(server: Server) -> None:
    server.log_in()
    first = server.sock
    server.pool.get_connection(URL, lambda conn: conn.acquire())
    network = server.network
    network.pump()
    conns: list[Connection] = []
    server.pool.get_connection(URL, conns.append)
    second = network.answer_login()
    assert [action for action, _ in server.questions(second)] == []
    for sock in (first, second):
        server.sock = sock
        server.say(f"Event: Newchannel|{ALICE}")
        server.say(f"Event: QueueCallerJoin|{ALICE}|Queue: support|Position: 1|Count: 1")
    assert server.story.new == ["1.1"]
    assert len(server.model.queues["support"].callers) == 1
    server.lists = IN_A_CALL
    first.eof()
    network.pump()
    server.sock = second
    server.asked = server.questions()
    server.answer()
    assert server.told == ["ready", "new 1.1 new", "stale", "ready"]
    assert len(server.model.calls["1.1"].parties) == 2


def test_a_connection_that_was_there_before_the_model(network: Network) -> None:
    peer = network.log_in()
    assert isinstance(peer.conn.pool, Pool)
    model = Model(peer.conn.pool)
    new: list[Call] = []
    model.on("call_new", lambda model, call: new.append(call))
    peer.say(f"Event: Newchannel|{ALICE}")
    assert b"CoreShowChannels" in peer.sock.take()
    assert model.servers[SERVER].state == "syncing"
    assert new == []
    model.follow(peer.conn)  # it is already
    assert peer.sock.take() == b""


def test_a_list_that_is_refused_is_told_and_events_are_believed(server: Server, expect_log: ExpectLog) -> None:
    expect_log("WARNING: the model of .* is incomplete; missing lists: BridgeList, CoreShowChannels, SIPpeers")
    server.refused = {"CoreShowChannels", "BridgeList", "SIPpeers"}
    server.log_in()
    assert server.told == ["ready"]
    assert server.model.servers[SERVER].missing == ("BridgeList", "CoreShowChannels", "SIPpeers")
    server.say(f"Event: Newchannel|{ALICE}")
    assert list(server.model.calls) == ["1.1"]


def test_modules_that_are_not_loaded_are_not_missed(server: Server) -> None:
    server.unknown = {"SIPpeers", "QueueStatus"}
    server.log_in()
    assert server.model.servers[SERVER].missing == ()


def test_a_server_that_is_too_busy_is_asked_again(network: Network) -> None:
    server = Server(network, action_timeout=10)
    server.log_in(answer=False)
    server.say(f"Event: Newchannel|{ALICE}")
    network.wait(11)
    server.asked = server.questions()
    assert server.told == []
    server.answer()
    assert server.told == ["ready", "new 1.1 new"]


def test_a_reload_has_the_lists_asked_for_again(server: Server) -> None:
    server.log_in()
    for module in ("Queue", "PJSIP"):
        server.say(f"Event: Reload|Module: {module}|Status: 0")
    server.lists = IN_A_CALL
    server.wait_and_answer(1)
    assert server.told == ["ready", "new 1.1 up"]
    assert list(server.model.queues) == ["Support"]
    server.network.wait(60)
    assert server.questions() == []  # once, and no more


def test_a_server_that_was_still_booting_is_asked_again_when_it_has(server: Server) -> None:
    server.log_in()
    server.say("Event: FullyBooted|Status: Fully Booted|Uptime: 2")
    server.lists = IN_A_CALL
    server.wait_and_answer(1)
    assert server.told == ["ready", "new 1.1 up"]


def test_a_call_of_which_nobody_hears_is_looked_for(server: Server) -> None:
    server.lists = IN_A_CALL
    server.log_in()
    server.lists = {}
    server.wait_and_answer(310)
    assert server.told == ["new 1.1 up", "ready", "ended 1.1 lost"]


def test_an_idle_model_costs_nothing(server: Server) -> None:
    server.log_in()
    server.say(f"Event: Newchannel|{ALICE}")
    server.say(f"Event: Hangup|{ALICE}|Cause: 16")
    server.network.wait(400)
    assert len(server.network.reactor._timers) == 0  # and nothing was asked
    assert server.questions() == []


def test_a_hold_that_ends_is_told_in_a_moment(server: Server) -> None:
    server.lists = IN_A_CALL
    server.log_in()
    server.say(f"Event: Hold|{BOB}")
    server.say(f"Event: Unhold|{BOB}")
    assert server.story.pairs == []
    server.network.wait(0.2)
    assert server.story.pairs == [("101", "102")]


@pytest.mark.parametrize("end", [lambda server: server.model.close(), lambda server: server.sock.eof()])
def test_no_timer_is_left_when_it_is_closed_or_the_link_is_lost(
    server: Server, end: Callable[[Server], object]
) -> None:
    server.lists = IN_A_CALL
    server.log_in()
    server.network.wait(70)  # the time limits of its questions are over
    server.say(f"Event: Hold|{BOB}")
    server.say(f"Event: Unhold|{BOB}")
    server.say("Event: Reload|Module: All|Status: 0")
    assert len(server.network.reactor._timers) == 3  # for a reload, for calls that are forgotten, for a hold's end
    end(server)
    server.network.pump()
    assert len(server.network.reactor._timers) == 0


def test_a_model_that_is_closed_listens_no_more(server: Server) -> None:
    server.log_in()
    server.model.close()
    server.say(f"Event: Newchannel|{ALICE}")
    server.sock.eof()
    server.network.pump()
    assert server.told == ["ready"]


def test_only_what_is_wanted_is_asked_for_and_listened_to(network: Network) -> None:
    pool = network.pool()
    Model(pool, queues=False, endpoints=False)
    assert pool.listeners("event_queuecallerjoin") == pool.listeners("event_devicestatechange") == []
    pool.get_connection(URL, lambda conn: None)
    sent = network.answer_login().take().decode()
    assert re.findall(r"Action: (\w+)", sent, re.IGNORECASE) == ["BridgeList", "CoreShowChannels", "Ping"]


def test_whatever_has_events_can_be_modelled() -> None:
    class Source(EventHandlers):
        def __str__(self) -> str:
            return "bus"

    source = Source()
    model = Model(source)
    ready: list[str] = []
    model.on("ready", lambda model, server: ready.append(server))
    source.event("event_newchannel", Packet({"event": "Newchannel", "channel": "PJSIP/a-1", "uniqueid": "1.1"}))
    assert list(model.calls) == ["1.1"]
    assert model.servers["bus"].state == "ready"
    assert ready == ["bus"]
    model.close()
    source.event("event_newchannel", Packet({"event": "Newchannel", "channel": "PJSIP/a-2", "uniqueid": "1.2"}))
    assert list(model.calls) == ["1.1"]
