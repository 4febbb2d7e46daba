"""The Home Assistant example at real servers: telephones, an outage, user events, what the form says."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Callable

import pytest
from example_modules import load
from servers import AsteriskServer

LIMIT = 60.0


example = load("home_assistant")


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, LIMIT))


async def until(coordinator: Any, holds: Callable[[], bool]) -> None:
    """Wait until a listener finds that true."""
    found = asyncio.Event()

    def look() -> None:
        if holds():
            found.set()

    remove = coordinator.async_add_listener(look)
    look()
    await found.wait()
    remove()


def config_of(server: AsteriskServer, **other: object) -> dict[str, Any]:
    return {"host": server.host, "port": server.port, "username": "bench", "password": "secret", **other}


def test_it_shows_every_telephone_and_a_call_and_logs_off(asterisk: AsteriskServer) -> None:
    async def work() -> None:
        told: list[str] = []
        client = example.client_for(config_of(asterisk))
        coordinator = example.Coordinator(client, lambda name, headers: told.append(name))
        await coordinator.async_first_refresh()
        telephones = {"PJSIP/alice", "PJSIP/bob", "PJSIP/carol"}
        telephones |= {"SIP/sip-alice", "SIP/Bob-Phone", "SIP/sip-carol"} if asterisk.version == "16" else set()
        assert telephones <= set(coordinator.data)
        loop = "PJSIP/loop"
        assert coordinator.data[loop].state == "not_inuse"
        asterisk.cli("channel originate Local/131@default application Wait 1")
        await until(coordinator, lambda: coordinator.data[loop].state == "inuse")
        await until(coordinator, lambda: coordinator.data[loop].state == "not_inuse")
        asterisk.cli("channel originate Local/110@default application Wait 1")
        while "Quick" not in told:
            await client.ping()
        await coordinator.async_shutdown()
        while "bench" in asterisk.cli("manager show connected"):
            await asyncio.sleep(0.02)

    run(work())


def test_it_comes_back_after_a_restart(own_asterisk: AsteriskServer, expect_log: Any) -> None:
    expect_log("WARNING: .*connecting again")

    async def work() -> None:
        coordinator = example.Coordinator(example.client_for(config_of(own_asterisk), reconnect=0.2))
        await coordinator.async_first_refresh()
        own_asterisk.terminate()
        await until(coordinator, lambda: not coordinator.last_update_success)
        while own_asterisk.pid is not None:
            await asyncio.sleep(0.02)
        own_asterisk.launch()
        await until(coordinator, lambda: bool(coordinator.last_update_success))
        await until(coordinator, lambda: coordinator.data["PJSIP/loop"].state == "not_inuse")
        await coordinator.async_shutdown()

    run(work())


@pytest.mark.parametrize(
    ("other", "key"),
    [
        ({}, ""),
        ({"username": "readonly", "password": "readonly"}, ""),
        ({"password": "wr0ng"}, "invalid_auth"),
        ({"username": "denied", "password": "denied"}, "invalid_auth"),
        ({"tls": True}, "cannot_connect"),
    ],
)
def test_what_the_form_says(asterisk: AsteriskServer, other: dict[str, Any], key: str) -> None:
    async def work() -> None:
        found = ""
        try:
            await example.check(config_of(asterisk, **other))
        except example.CannotSetUp as error:
            found = error.key
        assert found == key

    run(work())


def test_the_form_names_missing_rights(own_asterisk: AsteriskServer) -> None:
    async def work() -> None:
        own_asterisk.configure("manager.conf", "write = reporting", "write = user")
        own_asterisk.cli("manager reload")
        with pytest.raises(example.MissingRights, match="Permission denied"):
            await example.check(config_of(own_asterisk, username="readonly", password="readonly"))

    run(work())
