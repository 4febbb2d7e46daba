"""Asterisk for Home Assistant: the glue around ``home_assistant.py``, which is to be copied into this folder."""

from __future__ import annotations

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryAuthFailed, ConfigEntryNotReady

from .home_assistant import CannotSetUp, Coordinator, InvalidAuth, client_for

PLATFORMS = [Platform.BINARY_SENSOR, Platform.SENSOR]
USER_EVENT = "asterisk_user_event"


async def async_setup_entry(hass: HomeAssistant, entry: ConfigEntry[Coordinator]) -> bool:
    """Log in, and show the telephones. Home Assistant tries again if the PBX is not there yet."""

    def on_user_event(name: str, headers: dict[str, str]) -> None:
        hass.bus.async_fire(USER_EVENT, {"entry": entry.entry_id, "name": name, "headers": headers})

    def on_refused() -> None:
        entry.async_start_reauth(hass)

    coordinator = Coordinator(client_for(entry.data), on_user_event, on_refused)
    try:
        await coordinator.async_first_refresh()
    except InvalidAuth as error:
        raise ConfigEntryAuthFailed(str(error)) from error
    except CannotSetUp as error:
        raise ConfigEntryNotReady(str(error)) from error
    entry.runtime_data = coordinator
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: ConfigEntry[Coordinator]) -> bool:
    """Take the telephones away, and log off."""
    unloaded = await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
    if unloaded:
        await entry.runtime_data.async_shutdown()
    return unloaded
