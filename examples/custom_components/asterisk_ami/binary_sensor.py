"""Whether the PBX is there, and each telephone."""

from __future__ import annotations

from homeassistant.components.binary_sensor import BinarySensorDeviceClass, BinarySensorEntity
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddEntitiesCallback

from .entity import TelephoneEntity, add_telephones
from .home_assistant import Coordinator

GONE = ("unavailable", "invalid", "unknown")  # states of a telephone that cannot be called


async def async_setup_entry(
    hass: HomeAssistant, entry: ConfigEntry[Coordinator], async_add_entities: AddEntitiesCallback
) -> None:
    """Add them."""
    async_add_entities([ConnectedSensor(entry)])
    add_telephones(entry, async_add_entities, lambda device: [RegisteredSensor(entry, device, "registered")])


class ConnectedSensor(BinarySensorEntity):
    """Whether we are logged in at the PBX."""

    _attr_name = "Connected"
    _attr_should_poll = False
    _attr_device_class = BinarySensorDeviceClass.CONNECTIVITY

    def __init__(self, entry: ConfigEntry[Coordinator]) -> None:
        self.coordinator = entry.runtime_data
        self._attr_unique_id = f"{entry.entry_id}_connected"

    @property
    def is_on(self) -> bool:
        """What the coordinator knows."""
        return self.coordinator.last_update_success

    async def async_added_to_hass(self) -> None:
        self.async_on_remove(self.coordinator.async_add_listener(self.async_write_ha_state))


class RegisteredSensor(TelephoneEntity, BinarySensorEntity):
    """Whether a telephone can be called."""

    _attr_name = "Registered"
    _attr_device_class = BinarySensorDeviceClass.CONNECTIVITY

    @property
    def is_on(self) -> bool:
        """By the state of its device."""
        return self.coordinator.data[self.device].state not in GONE
