"""Filters, globs, ``where=`` and UserEvents by name, proved by the events that arrive, not by the server's answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from servers import AsteriskServer

from ami_client import Connection, Filter, Packet
from ami_client.aio import Client

ALPHA, BETA, OTHER = "Probe/Alpha", "Probe/Beta", "Other/alpha"
ALL = {ALPHA, BETA, OTHER}


def named(event: Packet) -> str:
    """The name of an event, and of a UserEvent what tells it from the others."""
    return f"{event['userevent']}/{event['word']}" if event["event"] == "UserEvent" else event["event"]


async def happen(client: Client, other: Client) -> None:
    """Make a call and three UserEvents, and return when their events have had the time to come."""
    result = await client.originate({"Channel": "Local/100@default/n", "Application": "Wait", "Data": "0.1"})
    assert (result["event"], result["response"]) == ("OriginateResponse", "Success")
    refused = await error_of(client.originate({"Channel": "Local/102@default/n", "Application": "Wait", "Data": "60"}))
    assert "OriginateResponse" not in refused
    for name, word, text in (("Probe", "Alpha", "one two"), ("Probe", "Beta", "two"), ("Other", "alpha", "two")):
        await other.action("UserEvent", {"UserEvent": name, "Word": word, "Text": text})
    while len(await other.core_show_channels()) > 2:
        await asyncio.sleep(0.01)


async def error_of(call: Any) -> str:
    with pytest.raises(Exception) as caught:
        await call
    return type(caught.value).__name__


def arrived(server: AsteriskServer, *filters: Filter) -> list[str]:
    """What arrives with these filters, in order."""

    async def run() -> list[str]:
        other = Client(server.url)  # without filters, to know when everything was told
        client = Client(server.url, filters=filters)
        async with other, client, other.events("userevent:end") as end, client.events() as events:
            await happen(client, other)
            await other.action("UserEvent", {"UserEvent": "End", "Word": "end"})
            await end.__anext__()
            await client.ping()
            await client.ping()
            events.close()
            return [named(event) async for event in events if isinstance(event, Packet)]

    return asyncio.run(asyncio.wait_for(run(), 30))


USER = "UserEvent"


@pytest.mark.parametrize(
    ("filters", "users"),
    [
        ([Filter(USER)], {*ALL, "End/end"}),
        ([Filter(USER, "Word", "starts_with", "Al")], {ALPHA}),
        ([Filter(USER, "Word", "ends_with", "eta")], {BETA}),
        ([Filter(USER, "Word", "contains", "lph")], {ALPHA, OTHER}),
        ([Filter(USER, "Word", "exact", "Alpha")], {ALPHA}),
        ([Filter(USER, "Word", "exact", "Alp")], set()),
        ([Filter(header="UserEvent", match="starts_with", value="Pro")], {ALPHA, BETA}),
        ([Filter(header="Text", match="contains", value="e t")], {ALPHA}),
        ([Filter(USER, "Word", value="Alpha"), Filter(USER, "UserEvent", value="Other")], {ALPHA, OTHER}),
        ([Filter(USER), Filter(USER, "Word", "contains", "a", "exclude")], {"End/end"}),
        ([Filter(USER), Filter(USER, "Word", "starts_with", "Al", "exclude")], {BETA, OTHER, "End/end"}),
        # names are compared with case: Asterisk 22 does so, and 16 is to be no other
        ([Filter("userevent")], set()),
        ([Filter(USER, "word", "exact", "Alpha")], set()),
    ],
)
def test_filters_that_include(asterisk: AsteriskServer, filters: list[Filter], users: set[str]) -> None:
    assert sorted(arrived(asterisk, *filters)) == sorted(users)


@pytest.mark.parametrize(
    ("filters", "users"),
    [
        ([Filter(USER, action="exclude")], set()),
        ([Filter(USER, "Word", "starts_with", "Al", "exclude")], {BETA, OTHER, "End/end"}),
        ([Filter(USER, "Word", "ends_with", "a", "exclude")], {"End/end"}),
        ([Filter(header="UserEvent", match="exact", value="Probe", action="exclude")], {OTHER, "End/end"}),
    ],
)
def test_filters_that_exclude(asterisk: AsteriskServer, filters: list[Filter], users: set[str]) -> None:
    came = arrived(asterisk, *filters)
    assert {"Newchannel", "Hangup", "OriginateResponse"} <= set(came)
    assert {one for one in came if "/" in one} == users


@pytest.mark.parametrize(
    "filters",
    [
        [Filter("OriginateResponse", action="exclude")],
        [Filter(header="Channel", match="starts_with", value="Local/", action="exclude")],
        [Filter(USER), Filter(header="Channel", match="contains", value="Local/", action="exclude")],
    ],
)
def test_the_result_of_a_call_comes_through_filters_that_exclude_its_event(
    asterisk: AsteriskServer, filters: list[Filter]
) -> None:
    came = arrived(asterisk, *filters)  # with two calls, whose results are awaited in it
    assert "OriginateResponse" not in came
    assert {one for one in came if "/" in one} == {*ALL, "End/end"}
    if filters[-1].header:
        assert not {"Newchannel", "Hangup"} & set(came)


def test_filters_hold_after_a_reconnect_too(own_asterisk: AsteriskServer, expect_log: Any) -> None:
    expect_log("connecting again")

    async def run() -> list[str]:
        filters = [Filter(USER, "Word", "exact", "Alpha")]
        async with Client(own_asterisk.url, filters=filters, reconnect=0.1) as client, client.events() as events:
            own_asterisk.kill()
            assert str(await events.__anext__()) == "Gap(count=None, reason='lost')"
            own_asterisk.start()
            await client.wait_connected(30)
            for word in ("Beta", "Alpha", "Gamma"):
                await client.action("UserEvent", {"UserEvent": "Probe", "Word": word})
            await client.ping()
            events.close()
            return [named(one) if isinstance(one, Packet) else one.reason async for one in events]

    assert asyncio.run(run()) == ["back", ALPHA]


def test_globs_conditions_and_user_events_by_name(asterisk: AsteriskServer) -> None:
    heard: dict[str, list[str]] = {}

    async def run() -> None:
        async with Client(asterisk.url) as client:

            def note(name: str, **how: Any) -> None:
                def handler(conn: Connection, event: Packet) -> None:
                    heard.setdefault(name, []).append(named(event))

                client.on(name, handler, **how)

            note("event_user*")
            note("event_*event")
            note("event_userevent:Probe")
            note("event_userevent:*th*")
            note("event_userevent", where={"word": "*a"})
            note("event_hang*", where={"channel": ["LOCAL/100@*;1", "SIP/*"]})
            note("event", where=lambda event: event.get("text") == "one two")
            await happen(client, client)
            await client.action("UserEvent", {"UserEvent": "End", "Word": "end"})
            async with client.events("userevent:end") as end:
                await client.action("UserEvent", {"UserEvent": "End", "Word": "end"})
                await end.__anext__()

    asyncio.run(asyncio.wait_for(run(), 30))
    every = [ALPHA, BETA, OTHER, "End/end", "End/end"]
    assert [one for one in heard.pop("event_*event") if "/" in one] == every
    assert heard == {
        "event_user*": every,
        "event_userevent:Probe": [ALPHA, BETA],
        "event_userevent:*th*": [OTHER],
        "event_userevent": [ALPHA, BETA, OTHER],
        "event_hang*": ["Hangup"],
        "event": [ALPHA],
    }
