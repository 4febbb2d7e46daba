"""The catalogue against real servers: it has what they have, and its codes are theirs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from driver import Client

from ami_client import Packet
from ami_client.catalogue import actions, events, facts
from ami_client.catalogue.codes import Code, DeviceState, HangupCause, PresenceState, QueueMemberStatus

UNKNOWN_CAUSES = sorted(set(range(128)) - {int(cause) for cause in HangupCause})


def offered(client: Client) -> set[str]:
    answer = client.ask("ListCommands")
    return {name for name, _ in answer.headers if name not in ("Response", "ActionID", "Message")}


def test_every_action_that_a_server_offers_is_in_the_catalogue(client: Client) -> None:
    found = offered(client)
    assert len(found) > 130
    known = {name for name in facts.ACTIONS if client.server.version in facts.ACTIONS[name].servers}
    assert found - known == set()


def test_what_a_user_needs_for_an_action_is_what_the_server_says(client: Client) -> None:
    for name, said in client.ask("ListCommands").headers:
        message = facts.ACTIONS.find(name)
        if message is not None and "(Priv: " in said:
            asked = said.rpartition("(Priv: ")[2].rstrip(" )").split(",")
            assert set(asked) - {"all", "<none>"} <= set(message.privilege), name


def test_objects_and_classes_work(client: Client) -> None:
    heard: list[Packet] = []

    @client.pool.on(events.Hangup)
    def hung_up(conn: object, event: events.Hangup) -> None:
        heard.append(event)

    answer = client.once("Originate")
    call = actions.Originate(
        Channel="Local/100@default/n", Application="Hangup", Data="USER_BUSY", Async=True, Variable={"A": "1,2", "B": 3}
    )
    client.conn.action(call, answer)
    client.until_called(answer)
    client.until(lambda: heard, what="the Hangup")
    assert answer.result.error is None
    assert all(isinstance(event, events.Hangup) for event in heard)
    added = client.once("QueueAdd")
    client.conn.action(actions.QueueAdd(Queue="empty", Interface="Local/1@default", Penalty=2, Paused=True), added)
    client.until_called(added)
    member = client.until_event("QueueMemberAdded")
    assert (member.number("penalty"), member.flag("paused"), member.time("lastcall")) == (2, True, None)
    login = member.time("logintime")
    assert client.server.version == "16" or (login is not None and login.year > 2020)
    removed = client.once("QueueRemove")
    client.conn.action(actions.QueueRemove(Queue="empty", Interface="Local/1@default"), removed)
    client.until_called(removed)


def test_no_view_raises_whatever_the_server_sends(client: Client) -> None:
    client.call("Local/122@default/n")
    client.call(Exten="120")
    client.hang_up_all()
    for name in ("QueueStatus", "CoreShowChannels", "PJSIPShowEndpoints", "IAXpeerlist", "CoreStatus", "Agents"):
        client.events += client.ask(name).events
    unknown: dict[str, set[str]] = {}
    assert len(client.events) > 50
    for event in client.events:
        message = facts.EVENTS.find(event.event_name)
        assert message is None or isinstance(event, getattr(events, message.class_name))
        for header, _ in event.headers:
            event.number(header), event.flag(header), event.seconds(header), event.words(header), event.time(header)
            if message is not None and not message.knows(header):
                unknown.setdefault(message.name, set()).add(header)
    assert unknown == {}


def test_a_cause_is_the_server_s_cause(client: Client) -> None:
    """The dialplan's Hangup takes the names; the server tells the number of each."""
    call = "Local/100@default/n"
    for cause in HangupCause:
        if cause:
            params = {"Channel": call, "Application": "Hangup", "Data": cause.name, "CallerID": f"<{int(cause)}>"}
            client.conn.action("Originate", None, {**params, "Async": "true", "ChannelId": f"cause-{cause.name}"})
    wanted = {f"cause-{cause.name}" for cause in HangupCause if cause}

    def told() -> dict[str, Packet]:
        ended = [event for event in client.events if isinstance(event, events.Hangup)]
        return {str(event.original("Uniqueid")): event for event in ended if event.original("Uniqueid") in wanted}

    client.until(lambda: told().keys() == wanted, what="all hangups")
    found = {name: HangupCause.of(event["cause"]) for name, event in told().items()}
    assert found == {f"cause-{cause.name}": cause for cause in HangupCause if cause}
    assert {event["cause-txt"] for event in told().values()} & {"unknown", ""} == set()


def test_a_number_without_a_name_has_none_at_the_server(client: Client) -> None:
    params = {"Channel": "Local/100@default/n", "Application": "Hangup", "Async": "true"}
    for number in UNKNOWN_CAUSES:
        client.conn.action("Originate", None, {**params, "Data": number, "ChannelId": f"number-{number}"})
    wanted = {f"number-{number}" for number in UNKNOWN_CAUSES}

    def told() -> dict[str, str]:
        ended = [event for event in client.events if isinstance(event, events.Hangup)]
        return {event["uniqueid"]: event["cause-txt"] for event in ended if event["uniqueid"] in wanted}

    client.until(lambda: told().keys() == wanted, what="all hangups")
    assert set(told().values()) == {"unknown"}


def test_describe_shows_the_server_s_words_below_the_facts(client: Client) -> None:
    command = [sys.executable, "-m", "ami_client", "describe", "Hangup", client.server.url]
    said = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    assert said.stderr == ""
    facts_on, _, words = said.stdout.partition("\nThe server on the action Hangup:\n")
    assert "action Hangup\n" in facts_on and "event Hangup\n" in facts_on
    of_action, _, of_event = words.partition("\nThe server on the event Hangup:\n")
    assert "[Synopsis]" in of_action and "Action: Hangup" in of_action
    assert "[Synopsis]" in of_event and "Cause-txt" in of_event


def command(client: Client, text: str) -> Packet:
    return client.ask("Command", {"Command": text})


def test_device_states_are_the_server_s(client: Client) -> None:
    command(client, "queue add member Local/7@default to empty penalty 0 as Seven state_interface Custom:seven")
    try:
        for state in list(DeviceState)[1:]:  # no command says UNKNOWN
            client.events.clear()
            command(client, f"devstate change Custom:seven {state.name}")
            change = client.until_event("DeviceStateChange", Device="Custom:seven")
            assert DeviceState.of(change["state"]) is state
            member = client.until_event("QueueMemberStatus", MemberName="Seven")
            assert QueueMemberStatus.of(member["status"]) is state
    finally:
        command(client, "queue remove member Local/7@default from empty")


@pytest.mark.parametrize("state", [one for one in PresenceState if one is not PresenceState.INVALID])
def test_presence_states_are_the_server_s(client: Client, state: Code) -> None:
    client.ask("Setvar", {"Variable": "PRESENCE_STATE(CustomPresence:dave)", "Value": f"{state.name.lower()},,"})
    answer = client.ask("PresenceState", {"Provider": "CustomPresence:dave"})
    assert PresenceState.of(answer.first("State")) is state
