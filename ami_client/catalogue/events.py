"""The events, one class each, created on first use. Editors read ``events.pyi``."""

from __future__ import annotations

from typing import Any

from ..messages import Event
from . import facts


def __getattr__(name: str) -> type[Event[Any]]:
    message = facts.named(facts.EVENTS, name, __name__)
    made = type(Event)(name, (Event,), {"ami_name": message.name, "__doc__": message.summary, "__module__": __name__})
    globals()[name] = made
    return made


def __dir__() -> list[str]:
    return sorted(facts.EVENTS.by_class)
