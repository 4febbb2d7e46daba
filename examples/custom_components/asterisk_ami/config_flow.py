"""The form that asks for the PBX. What is typed is tried before it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

import voluptuous as vol
from homeassistant.config_entries import ConfigFlow, ConfigFlowResult

from .entity import DOMAIN
from .home_assistant import CannotSetUp, check

ACCOUNT = {vol.Required("username"): str, vol.Required("password"): str}
SERVER = {vol.Required("host"): str, vol.Required("port", default=5038): int, vol.Required("tls", default=False): bool}


async def errors_of(config: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with it, by the field of the form."""
    try:
        await check(config)
    except CannotSetUp as error:
        return {"base": error.key}
    return {}


class AsteriskConfigFlow(ConfigFlow, domain=DOMAIN):
    """Sets a PBX up, and asks again when it refuses the login."""

    async def async_step_user(self, user_input: Optional[dict[str, Any]] = None) -> ConfigFlowResult:
        """Ask for everything."""
        errors: dict[str, str] = {}
        if user_input is not None:
            await self.async_set_unique_id(f"{user_input['host']}:{user_input['port']}")
            self._abort_if_unique_id_configured()
            errors = await errors_of(user_input)
            if not errors:
                return self.async_create_entry(title=user_input["host"], data=user_input)
        return self.async_show_form(step_id="user", data_schema=vol.Schema({**SERVER, **ACCOUNT}), errors=errors)

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """The PBX does not take the login any more."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(self, user_input: Optional[dict[str, Any]] = None) -> ConfigFlowResult:
        """Ask for the user and the secret."""
        errors: dict[str, str] = {}
        if user_input is not None:
            entry = self._get_reauth_entry()
            errors = await errors_of({**entry.data, **user_input})
            if not errors:
                return self.async_update_reload_and_abort(entry, data_updates=user_input)
        return self.async_show_form(step_id="reauth_confirm", data_schema=vol.Schema(ACCOUNT), errors=errors)
