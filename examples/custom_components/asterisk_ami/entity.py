"""What all telephones' entities have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from homeassistant.config_entries import ConfigEntry
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddEntitiesCallback

from .home_assistant import Coordinator

DOMAIN = "asterisk_ami"


class TelephoneEntity(Entity):
    """A telephone: it is told of, and never asked."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, entry: ConfigEntry[Coordinator], device: str, kind: str) -> None:
        self.coordinator = entry.runtime_data
        self.device = device
        self._attr_unique_id = f"{entry.entry_id}_{device}_{kind}"
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, f"{entry.entry_id}_{device}")}, name=device, manufacturer="Asterisk"
        )

    @property
    def available(self) -> bool:
        """Whether its state is known."""
        return self.coordinator.last_update_success and self.device in self.coordinator.data

    async def async_added_to_hass(self) -> None:
        self.async_on_remove(self.coordinator.async_add_listener(self.async_write_ha_state))


def add_telephones(
    entry: ConfigEntry[Coordinator],
    add_entities: AddEntitiesCallback,
    make: Callable[[str], Iterable[Entity]],
) -> None:
    """Add the entities of each telephone, and of those that come later."""
    coordinator = entry.runtime_data
    known: set[str] = set()

    def look() -> None:
        new = set(coordinator.data) - known
        known.update(new)
        add_entities(entity for device in sorted(new) for entity in make(device))

    entry.async_on_unload(coordinator.async_add_listener(look))
    look()
