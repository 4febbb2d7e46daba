"""The actions, one class each, created on first use. Editors read ``actions.pyi``."""

from __future__ import annotations

from ..messages import Action
from . import facts


def __getattr__(name: str) -> type[Action]:
    message = facts.named(facts.ACTIONS, name, __name__)
    parameters = [one for one in message.headers if one.is_parameter]
    required = tuple(one.name for one in parameters if one.required)
    optional = tuple(one.name for one in parameters if not one.required)
    members = {"ami_name": message.name, "required": required, "optional": optional, "__doc__": message.summary}
    made = type(name, (Action,), {**members, "__module__": __name__})
    globals()[name] = made
    return made


def __dir__() -> list[str]:
    return sorted(facts.ACTIONS.by_class)
