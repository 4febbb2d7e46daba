"""The integration of the examples, in Home Assistant itself. Its harness fails a test that leaves a task or a timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_USER, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import (  # type: ignore[import-untyped]
    MockConfigEntry,
    async_capture_events,
)

from ami_client.testing import FakeAsterisk

DOMAIN = "asterisk_ami"
STATE = "sensor.pjsip_front_desk_state"
REGISTERED = "binary_sensor.pjsip_nomad_registered"


def typed(pbx: FakeAsterisk, **other: object) -> dict[str, Any]:
    """What a user types into the form."""
    server = {"host": pbx.host, "port": pbx.port, "tls": False}
    return {**server, "username": "admin", "password": "secret", **other}


async def add(hass: HomeAssistant, pbx: FakeAsterisk, **other: object) -> MockConfigEntry:
    """The integration, set up without the form."""
    entry = MockConfigEntry(domain=DOMAIN, data=typed(pbx, **other), title="PBX")
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


def shown(hass: HomeAssistant, entity: str) -> str:
    state = hass.states.get(entity)
    return "" if state is None else str(state.state)


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not happened():
            await asyncio.sleep(0.005)


def push_state(pbx: FakeAsterisk, device: str, state: str) -> None:
    pbx.push({"Event": "DeviceStateChange", "Privilege": "call,all", "Device": device, "State": state})


async def test_telephones_are_shown_and_followed(hass: HomeAssistant, pbx: FakeAsterisk) -> None:
    entry = await add(hass, pbx)
    assert entry.state is ConfigEntryState.LOADED
    assert (shown(hass, STATE), shown(hass, REGISTERED)) == ("not_inuse", "off")
    push_state(pbx, "PJSIP/front-desk", "RINGING")
    push_state(pbx, "PJSIP/nomad", "INUSE")
    await until(lambda: (shown(hass, STATE), shown(hass, REGISTERED)) == ("ringing", "on"))
    push_state(pbx, "PJSIP/new", "NOT_INUSE")
    await until(lambda: shown(hass, "sensor.pjsip_new_state") == "not_inuse")
    assert await hass.config_entries.async_unload(entry.entry_id)
    await until(lambda: pbx.received_actions[-1] == "Logoff")
    assert shown(hass, STATE) == "unavailable"


async def test_user_events_are_fired(hass: HomeAssistant, pbx: FakeAsterisk) -> None:
    entry = await add(hass, pbx)
    events = async_capture_events(hass, "asterisk_user_event")
    pbx.push({"Event": "UserEvent", "Privilege": "user,all", "UserEvent": "DoorBell", "Door": "back"})
    await until(lambda: bool(events))
    assert events[0].data == {"entry": entry.entry_id, "name": "DoorBell", "headers": {"Door": "back"}}
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_during_an_outage_all_is_unavailable(hass: HomeAssistant, pbx: FakeAsterisk, expect_log: Any) -> None:
    expect_log("WARNING: .*(may have lost parts|connecting again)")
    entry = await add(hass, pbx)
    connected = "binary_sensor.connected"
    assert shown(hass, connected) == "on"
    pbx.drop()
    await until(lambda: (shown(hass, connected), shown(hass, STATE)) == ("off", "unavailable"))
    await until(lambda: (shown(hass, connected), shown(hass, STATE)) == ("on", "not_inuse"))
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_pbx_that_is_down_is_tried_again(hass: HomeAssistant, pbx: FakeAsterisk, expect_log: Any) -> None:
    expect_log("WARNING: .*connecting again")
    pbx.close()
    entry = await add(hass, pbx)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert "Connection refused" in str(entry.reason)
    pbx.start()
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert shown(hass, STATE) == "not_inuse"
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_wrong_secret_asks_for_another(hass: HomeAssistant, pbx: FakeAsterisk, expect_log: Any) -> None:
    expect_log("ERROR: .*Authentication failed")
    entry = await add(hass, pbx, password="wr0ng")
    assert entry.state is ConfigEntryState.SETUP_ERROR
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["context"]["source"] == SOURCE_REAUTH
    configure = hass.config_entries.flow.async_configure
    again = await configure(flow["flow_id"], {"username": "admin", "password": "wr0ng too"})
    assert again["errors"] == {"base": "invalid_auth"}
    done = await configure(flow["flow_id"], {"username": "admin", "password": "secret"})
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "reauth_successful")
    await until(lambda: entry.state is ConfigEntryState.LOADED)
    assert entry.data["password"] == "secret"
    await hass.async_block_till_done()
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_secret_changed_during_an_outage_asks_for_another(
    hass: HomeAssistant, pbx: FakeAsterisk, expect_log: Any
) -> None:
    expect_log("WARNING: .*(may have lost parts|connecting again)")
    expect_log("ERROR: .*Authentication failed")
    entry = await add(hass, pbx)
    pbx.refuse_logins()
    pbx.drop()
    await until(lambda: bool(hass.config_entries.flow.async_progress()))
    await hass.async_block_till_done()
    assert shown(hass, STATE) == "unavailable"
    assert await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize(
    ("wrong", "error"), [({"password": "wr0ng"}, "invalid_auth"), ({"tls": True}, "cannot_connect")]
)
async def test_the_form_tries_what_is_typed(
    hass: HomeAssistant, pbx: FakeAsterisk, wrong: dict[str, Any], error: str
) -> None:
    form = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert (form["type"], form["errors"]) == (FlowResultType.FORM, {})
    configure = hass.config_entries.flow.async_configure
    again = await configure(form["flow_id"], typed(pbx, **wrong))
    assert again["errors"] == {"base": error}
    done = await configure(form["flow_id"], typed(pbx))
    assert (done["type"], done["title"], done["data"]) == (FlowResultType.CREATE_ENTRY, pbx.host, typed(pbx))
    await hass.async_block_till_done()
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    twice = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER}, data=typed(pbx))
    assert (twice["type"], twice["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert await hass.config_entries.async_unload(entry.entry_id)
