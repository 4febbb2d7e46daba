"""The documented methods, on both servers, with what they answer when all goes well and when not."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from driver import Client, is_event, original

from ami_client import ActionFailed, Packet


def names(packets: list[Packet], header: str = "ObjectName") -> set[str]:
    return {original(packet, header) for packet in packets}


def php(client: Client) -> Any:
    """The connection under its PHP names, which type checkers do not know."""
    return client.conn


def assert_one_error(packets: list[Packet], message: str) -> None:
    """The list form of a refusal is the error packet alone."""
    assert len(packets) == 1
    assert packets[0]["response"] == "error"
    assert isinstance(packets[0].error, ActionFailed)
    assert message in str(packets[0].error)


@pytest.mark.parametrize("method", ["get_sip_peers", "getSipPeers"])
def test_sip_peers(client: Client, method: str) -> None:
    packets = client.answer(getattr(client.conn, method))
    if client.server.version == "22":  # chan_sip is gone
        assert_one_error(packets, "Invalid/unknown command")
        return
    assert packets[0]["eventlist"] == "start"
    assert packets[-1]["event"] == "peerlistcomplete"
    assert packets[-1]["listitems"] == "3"
    assert names(packets[1:-1]) == {"sip-alice", "Bob-Phone", "sip-carol"}
    assert {packet["objectname"] for packet in packets[1:-1]} == {"sip-alice", "bob-phone", "sip-carol"}


@pytest.mark.parametrize("method", ["get_iax_peers", "getIaxPeers"])
def test_iax_peers(client: Client, method: str) -> None:
    packets = client.answer(getattr(client.conn, method))
    assert packets[-1]["event"] == "peerlistcomplete"
    assert names(packets[1:-1]) == {"iax-alice", "iax-bob", "loop"}


def test_config(client: Client) -> None:
    packet = client.answer(lambda cb: client.conn.get_config("agents.conf", cb))
    assert [value for name, value in packet.headers if name.startswith("Category-")] == ["1001", "1002"]
    assert packet.original("Line-000000-000000") == "fullname=Alice Agent"
    assert packet["line-000001-000000"] == "fullname=bob agent"
    missing = client.answer(lambda cb: php(client).getConfig("nosuch.conf", cb))
    assert str(missing.error) == "Config file not found"


def test_config_as_json(client: Client) -> None:
    packet = client.answer(lambda cb: client.conn.get_config_json("agents.conf", cb))
    assert packet.json() == [
        ("1001", [("fullname", "Alice Agent")]),
        ("1002", [("fullname", "Bob Agent")]),
    ]
    # Keys repeat, and none of them is lost.
    queues = client.answer(lambda cb: php(client).getConfigJSON("queues.conf", cb)).json()
    assert [key for key, _ in dict(queues)["support"]].count("member") == 3
    missing = client.answer(lambda cb: client.conn.get_config_json("nosuch.conf", cb))
    assert isinstance(missing.error, ActionFailed)


def test_variables(client: Client) -> None:
    conn = client.conn
    channel = client.call()
    places = [(channel, "COLOUR"), (None, "LIVE_GLOBAL"), (channel, "CALLERID(name)")]
    for place, variable in places:
        for value in ["Bright Green", "a,b=c: \\x 'y' \"z\"", "зелёный"]:
            done = client.answer(partial(conn.set_var, place, variable, value))
            assert done["message"] == "variable set"
            got = client.ask("Getvar", {"Channel": place, "Variable": variable})
            assert got.original("Value") == value
    assert client.ask("Setvar", {"Variable": "LIVE_GLOBAL", "Value": ""})["message"] == "variable set"
    assert client.ask("Getvar", {"Variable": "LIVE_GLOBAL"})["value"] == ""
    refused = client.answer(lambda cb: php(client).setVar("nosuch", "A", "1", cb))
    assert str(refused.error) == "No such channel"


def test_channels(client: Client) -> None:
    assert client.channels() == []
    channel = client.call(Variable={"__CALLNO": "7"})
    packets = client.answer(client.conn.core_show_channels)
    assert packets[0]["eventlist"] == "start"
    assert packets[-1]["event"] == "coreshowchannelscomplete"
    assert packets[-1]["listitems"] == "2"
    assert names(packets[1:-1], "Channel") == {channel, channel.replace(";1", ";2")}
    assert all(packet["channelstatedesc"] == "up" for packet in packets[1:-1])
    again = client.answer(php(client).coreShowChannels)
    assert names(again[1:-1], "Channel") == names(packets[1:-1], "Channel")


def test_status(client: Client) -> None:
    empty = client.answer(client.conn.status)
    assert [packet.get("event") for packet in empty] == [None, "statuscomplete"]
    assert empty[1]["items"] == "0"
    channel = client.call(Variable={"__CALLNO": "7"})
    everything = client.answer(client.conn.status)
    assert names(everything[1:-1], "Channel") == {channel, channel.replace(";1", ";2")}
    assert everything[-1]["items"] == "2"
    one = client.answer(lambda cb: client.conn.status(cb, channel))
    assert names(one[1:-1], "Channel") == {channel}
    assert one[1]["exten"] == "101"
    params = {"Channel": channel, "Variables": "CALLNO,CHANNEL(state)"}
    chosen = client.action("Status", params, {"event": "StatusComplete"})
    assert chosen[1].getall("variable") == ["callno=7", "channel(state)=up"]
    assert_one_error(client.answer(lambda cb: client.conn.status(cb, "nosuch")), "No such channel")


def test_redirect_of_a_living_call(client: Client) -> None:
    channel = client.call(Variable={"CALLNO": "redirected"})
    target = {"Channel": channel, "Context": "elsewhere", "Exten": "201", "Priority": 1}
    packet = client.answer(lambda cb: client.conn.redirect(target, cb))
    assert packet["message"] == "redirect successful"
    event = client.until_event("UserEvent", UserEvent="Arrived")
    assert event["callno"] == "redirected"
    assert event.original("Channel") == channel
    entry = client.answer(lambda cb: client.conn.status(cb, channel))[1]
    assert (entry["context"], entry["exten"]) == ("elsewhere", "201")
    refused = client.answer(lambda cb: client.conn.redirect({**target, "Channel": "nosuch"}, cb))
    assert "does not exist" in str(refused.error)


def test_extension_state(client: Client) -> None:
    def state() -> Packet:
        params = {"Exten": "301", "Context": "default"}
        packet: Packet = client.answer(lambda cb: client.conn.extension_state(params, cb))
        return packet

    def lamp(value: str) -> None:
        client.ask("Setvar", {"Variable": "DEVICE_STATE(Custom:lamp1)", "Value": value})

    lamp("NOT_INUSE")
    client.until(lambda: state()["status"] == "0", what="the lamp being idle")
    client.events.clear()
    lamp("INUSE")
    event = client.until_event("ExtensionStatus", Exten="301", Status="1")
    assert event["statustext"] == "inuse"
    packet = state()
    assert packet["status"] == "1"
    assert packet.original("Hint") == "Custom:lamp1"
    lamp("NOT_INUSE")
    unknown = client.answer(lambda cb: php(client).extensionState({"Exten": "999", "Context": "default"}, cb))
    assert unknown["status"] == "-1"
    nothing = client.answer(lambda cb: client.conn.extension_state({}, cb))
    assert str(nothing.error) == "Extension not specified"


def test_ping(client: Client) -> None:
    packet = client.answer(client.conn.ping)
    assert packet["response"] == "success"
    assert packet["ping"] == "pong"
    assert float(packet["timestamp"]) > 1e9


def test_action_with_an_id_of_ones_own(client: Client) -> None:
    packet = client.action("Ping", {"ActionID": "My-Own 17"})
    assert packet.original("ActionID") == "My-Own 17"
    unknown = client.action("Nonsense")
    assert isinstance(unknown.error, ActionFailed)
    assert "Invalid/unknown command: Nonsense" in str(unknown.error)


def test_events_reach_their_handlers(client: Client) -> None:
    heard: list[tuple[str, str]] = []
    client.conn.on_event(lambda conn, packet: heard.append(("event", packet["event"])))
    client.conn.on(
        "event_userevent",
        lambda conn, packet: heard.append(("event_userevent", packet["userevent"])),
    )
    client.ask("UserEvent", {"UserEvent": "Knock"})
    client.until_event("UserEvent", UserEvent="Knock")
    # Those of logins may have come before and behind.
    place = heard.index(("event_userevent", "knock"))
    assert heard[place : place + 2] == [("event_userevent", "knock"), ("event", "userevent")]
    assert sum(is_event(event, "UserEvent") for event in client.events) == 1
    assert client.conn.dropped == 0
