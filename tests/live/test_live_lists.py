"""Every list that the servers offer, with entries in it, put together with no help from the caller."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from driver import Client, is_event, original
from servers import AsteriskServer

from ami_client import Packet

DATA = Path(__file__).parents[1] / "data"
ACTIONS: dict[str, list[dict[str, Any]]] = json.loads(lzma.decompress((DATA / "actions.json.xz").read_bytes()))

# The parameters that fill a list; a name in braces is something that `busy` made.
PARAMS: dict[str, dict[str, str]] = {
    "bridgeinfo": {"BridgeUniqueid": "{bridge}"},
    "confbridgelist": {"Conference": "room1"},
    "coreshowchannelmap": {"Channel": "{bridged}"},
    "dbget": {"Family": "live", "Key": "one"},
    "faxsession": {"SessionNumber": "{fax}"},
    "hangup": {"Channel": "/^NoSuchChannel/"},
    "pjsipshowendpoint": {"Endpoint": "alice"},
    "pjsipshowmaintenance": {"Endpoint": "alice"},
    "skinnyshowdevice": {"Device": "SEP001122334455"},
    "skinnyshowline": {"Line": "line1"},
    "voicemailboxsummary": {"Mailbox": "1001", "Context": "default"},
    "voicemailuserstatus": {"Mailbox": "1001", "Context": "default"},
    "waitevent": {"Timeout": "1"},
}
# Nothing of the kind exists in the servers.
EMPTY = {
    "hangup",
    "pjsipshowregistrationinboundcontactstatuses",
    "pjsipshowsubscriptionsinbound",
    "pjsipshowsubscriptionsoutbound",
    "voicemailboxsummary",
    "waitevent",
}
# No EventList, no ListItems.
UNCOUNTED = {"faxsession", "faxstats", "waitevent"}
RAW = {"iaxnetstats", "skinnyshowdevice", "skinnyshowline"}
# Would end the session, the calls or the pending events of others.
NOT_FOR_A_ROUND = {"logoff", "reload"}


def lists_of(version: str) -> set[str]:
    """Names of the actions that the catalogue knows as lists or raw text, in lower case."""
    return {
        entry["action"].lower()
        for entry in ACTIONS[version]
        if any(one["is_list"] or one["raw_text"] or one["complete_event"] for one in [entry, *entry["variants"]])
        or entry["action"] in ("FAXSession", "FAXStats")
    }


def offered(client: Client) -> list[str]:
    """The actions that the server offers this user."""
    packet = client.ask("ListCommands")
    return [name for name, _ in packet.headers if name not in ("Response", "ActionID", "Message")]


class Busy:
    """A server with something of everything: calls, a bridge, a conference, a parked call, a fax..."""

    def __init__(self, client: Client) -> None:
        self.client = client
        params = {"Family": "live", "Key": "one", "Val": "1"}
        client.ask("DBPut", params)
        client.ask("DBPut", {**params, "Key": "two"})
        client.ask("Setvar", {"Variable": "PRESENCE_STATE(CustomPresence:alice)", "Value": "away,,lunch"})
        client.call("Local/122@default/n")
        client.call(Exten="122")
        client.call("Local/123@default/n")
        client.call(Exten="120")
        client.call(Exten="121")
        client.call(Exten="125")
        client.call("Local/130@default/n")
        client.call("Local/131@default/n")
        client.call("Local/100@default/n", Application="ReceiveFAX", Data="/tmp/live.tif")
        self.names = {"bridge": "", "bridged": "", "fax": ""}
        client.until(self._all_there, what="everything being there")

    def _all_there(self) -> bool:
        client = self.client
        bridged = [entry for entry in client.channels() if entry["application"] == "appdial"]
        faxes = client.action("FAXSessions").events
        if not bridged or not faxes or not client.action("ParkedCalls").events:
            return False
        if len(client.action("ConfbridgeList", {"Conference": "room1"}).events) < 2:
            return False
        if all(agent["status"] != "agent_idle" for agent in client.action("Agents").events):
            return False
        if not client.action("PJSIPShowRegistrationsOutbound").events:
            return False
        self.names["bridge"] = original(bridged[0], "BridgeID")
        self.names["bridged"] = original(bridged[0], "Channel")
        self.names["fax"] = original(faxes[0], "SessionNumber")
        return True

    def params(self, action: str) -> dict[str, str]:
        """What to ask an action for, so that it has something to say."""
        return {k: v.format(**self.names) for k, v in PARAMS.get(action, {}).items()}

    def ask(self, action: str) -> Packet:
        packet: Packet = self.client.action(action, self.params(action))
        return packet


@pytest.fixture(scope="module", params=["16", "22"])
def busy(request: pytest.FixtureRequest) -> Iterator[Busy]:
    """Each of the two servers in turn, with a lot going on."""
    with Client(request.getfixturevalue(f"asterisk{request.param}"), timeout=None) as client:
        try:
            yield Busy(client)
        finally:
            client.hang_up_all()
            client.ask("DBDelTree", {"Family": "live"})


def check_list(name: str, packet: Packet, version: str) -> None:
    """Assert that this is a whole list of that action."""
    if name == "pjsipshowcontacts" and packet.error is not None:
        # Those of the configuration do not count, and the registration takes seconds.
        assert "No Contacts found" in str(packet.error)
        return
    assert packet["response"] == "success", f"{name}: {packet}"
    assert packet.events or name in EMPTY, f"{name} is empty"
    assert packet.complete is not None or name in ("faxsession", "faxstats"), f"{name} has no end"
    if name not in UNCOUNTED and not (name == "dbgettree" and version == "16"):
        assert packet.complete is not None
        assert packet.complete["listitems"] == str(len(packet.events)), name
    for part in packet.events:
        assert part.get("actionid") == packet["actionid"] or name in ("iaxpeers", "waitevent"), name


def test_every_list_action_by_itself(busy: Busy) -> None:
    client = busy.client
    version = client.server.version
    here = {name.lower() for name in offered(client)}
    lists = sorted((lists_of(version) & here) - RAW)
    assert len(lists) > 35
    for name in lists:
        packet = busy.ask(name)
        check_list(name, packet, version)
    assert client.conn.dropped == 0


def test_all_of_them_pipelined(busy: Busy) -> None:
    client = busy.client
    here = {name.lower() for name in offered(client)}
    lists = sorted(lists_of(client.server.version) & here)
    callbacks = {name: client.once(name) for name in lists}
    for name in lists:
        client.conn.action(name, callbacks[name], busy.params(name))
    client.until_called(*callbacks.values())
    for name, callback in callbacks.items():
        if name in RAW:
            assert callback.result.error is None
        else:
            check_list(name, callback.result, client.server.version)
    assert client.conn.dropped == 0


def test_every_action_is_answered_once_without_parameters(busy: Busy) -> None:
    client = busy.client
    with Client(client.server) as other:
        names = [name for name in offered(other) if name.lower() not in NOT_FOR_A_ROUND]
        assert len(names) > 100
        callbacks = {name: other.once(name) for name in names}
        for name in names:
            params = {"Timeout": "1"} if name == "WaitEvent" else None
            other.conn.action(name, callbacks[name], params)
        other.until_called(*callbacks.values())
        other.ask("Ping")
        known = lists_of(client.server.version)
        for name, callback in callbacks.items():
            packet = callback.result
            assert packet.error is None or packet["response"] == "error", name
            assert packet.complete is None or name.lower() in known, f"{name} is a list, too"
        assert other.conn.connected
        # ModuleLoad without a module answers three times: the first answer counts.
        assert other.conn.dropped == 2


def test_raw_text(busy: Busy) -> None:
    client = busy.client
    # With a call up it says something, see below for the idle server.
    stats = busy.ask("iaxnetstats")
    assert any("IAX2/" in line for line in stats.output)
    if client.server.version == "16":
        assert any("SEP001122334455" in line for line in busy.ask("skinnyshowdevice").output)
        assert any("line1" in line for line in busy.ask("skinnyshowline").output)
    assert client.conn.dropped == 0


def test_raw_text_of_an_idle_server() -> None:
    for version in ("16", "22"):
        with AsteriskServer(version) as server, Client(server) as client:
            assert client.action("IAXnetstats").error is None
            assert client.ask("Ping")["ping"] == "pong"
            assert client.conn.dropped == 0


@pytest.mark.parametrize(
    ("action", "end"),
    [
        ("CoreShowChannels", {"Event": "CoreShowChannelsComplete"}),
        ("Status", {"EventList": "Complete"}),
        ("QueueStatus", {"event": "queuestatuscomplete"}),
        ("PJSIPShowEndpoints", {"event": "EndpointListComplete"}),
        ("ParkedCalls", {"event": "ParkedCallsComplete", "eventlist": "complete"}),
        ("ConfbridgeList", {"event": "ConfbridgeListComplete"}),
        ("BridgeList", {"event": "BridgeListComplete"}),
        ("Agents", {"event": "AgentsComplete"}),
        ("IAXpeerlist", {"event": "PeerlistComplete"}),
    ],
)
def test_with_an_assertion(busy: Busy, action: str, end: dict[str, str]) -> None:
    params = busy.params(action.lower())
    by_itself = busy.client.ask(action, params)
    packets = busy.client.action(action, params, end)
    assert packets[0]["response"] == "success"
    assert packets[-1]["listitems"] == str(len(packets) - 2)
    assert len(packets) - 2 == len(by_itself.events) > 0
    assert {packet["event"] for packet in packets[1:-1]} == {p["event"] for p in by_itself.events}


def test_what_is_in_them(busy: Busy) -> None:
    def values(action: str, header: str, event: str = "") -> set[str | None]:
        events = busy.ask(action).events
        return {packet.original(header) for packet in events if event in ("", packet["event"])}

    assert values("QueueStatus", "Queue", "queueparams") == {"support", "sales", "empty"}
    assert {"Alice Agent", "Bob Agent", "Carol Agent"} <= values("QueueStatus", "Name", "queuemember")
    assert {"support", "empty"} >= values("QueueStatus", "Queue", "queueentry") != set()
    assert {"alice", "bob", "carol", "loop"} <= values("PJSIPShowEndpoints", "ObjectName")
    assert values("Agents", "Agent") == {"1001", "1002"}
    assert "AGENT_IDLE" in values("Agents", "Status")
    assert values("ConfbridgeListRooms", "Conference") == {"room1"}
    assert values("Parkinglots", "Name") == {"default", "second"}
    assert values("IAXpeers", "ObjectName") == {"iax-alice", "iax-bob", "loop"}
    assert values("VoicemailUsersList", "VoiceMailbox") == {"1001", "1002"}
    assert values("DBGetTree", "Key", "dbgettreeresponse") >= {"/live/one", "/live/two"}
    assert busy.names["bridge"] in values("BridgeList", "BridgeUniqueid")


def test_lists_between_events(busy: Busy) -> None:
    """Other events come before or behind a list, and are never taken for its entries."""
    client = busy.client
    callbacks = []
    for number in range(20):
        callbacks.append(client.once(f"QueueStatus {number}"))
        client.conn.action("UserEvent", None, {"UserEvent": "Between", "Number": number})
        client.conn.action("QueueStatus", callbacks[-1])
    client.until_called(*callbacks)
    client.until_event("UserEvent", UserEvent="Between", Number="19")
    sizes = {len(callback.result.events) for callback in callbacks}
    assert len(sizes) == 1
    kinds = {packet["event"] for callback in callbacks for packet in callback.result.events}
    assert kinds == {"queueparams", "queuemember", "queueentry"}
    numbers = [event["number"] for event in client.events if event.get("userevent") == "between"]
    assert numbers == [str(number) for number in range(20)]


def test_wait_event_keeps_the_events_that_it_gathers(own_asterisk: AsteriskServer) -> None:
    # A server of its own: what calls of other tests leave behind may end the wait as well.
    with Client(own_asterisk) as client, Client(own_asterisk) as other:
        client.ask("Ping")
        other.ask("UserEvent", {"UserEvent": "Settled"})
        # The events of the logins have come, too.
        client.until_event("UserEvent", UserEvent="Settled")
        client.events.clear()
        gathered = client.once("WaitEvent")
        client.conn.action("WaitEvent", gathered, {"Timeout": 5})
        other.ask("UserEvent", {"UserEvent": "Gathered"})
        client.until_called(gathered)
        client.ask("Ping")
        packet = gathered.result
        assert packet.complete["event"] == "waiteventcomplete"
        assert [is_event(event, "UserEvent") for event in packet.events].count(True) == 1
        # They are events all the same, each of them once.
        assert [is_event(event, "UserEvent") for event in client.events].count(True) == 1
