"""A sensor for each telephone: what it does."""

from __future__ import annotations

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddEntitiesCallback

from .entity import TelephoneEntity, add_telephones
from .home_assistant import Coordinator

STATES = ["unknown", "not_inuse", "inuse", "busy", "invalid", "unavailable", "ringing", "ringinuse", "onhold"]


async def async_setup_entry(
    hass: HomeAssistant, entry: ConfigEntry[Coordinator], async_add_entities: AddEntitiesCallback
) -> None:
    """Add them."""
    add_telephones(entry, async_add_entities, lambda device: [StateSensor(entry, device, "state")])


class StateSensor(TelephoneEntity, SensorEntity):
    """The state of the device, in Asterisk's words."""

    _attr_name = "State"
    _attr_icon = "mdi:phone"
    _attr_device_class = SensorDeviceClass.ENUM
    _attr_options = STATES

    @property
    def native_value(self) -> str:
        """One of STATES."""
        return self.coordinator.data[self.device].state

    @property
    def extra_state_attributes(self) -> dict[str, str]:
        """Whether it can be reached, and where it is."""
        telephone = self.coordinator.data[self.device]
        return {"status": telephone.status, "address": telephone.address}
