"""The event names of a stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

from .._engine.text import ascii_lower
from ..messages import Event, ami_name_of

#: An event's name, with or without ``event_``, a glob, ``userevent:<name>``, or a class of the catalogue.
EventName = Union[str, type[Event[Any]]]


def event_names(names: Sequence[EventName]) -> list[str]:
    """Return the names to bind for these events; without any, for all events. Raises TypeError for a bad name."""
    return [f"event_{_name_of(name)}" for name in names] or ["event"]


def _name_of(name: object) -> str:
    if isinstance(name, type):
        return ascii_lower(ami_name_of(name))
    if not isinstance(name, str):
        raise TypeError(f"an event name must be a str or a class of the catalogue, not {type(name).__name__}")
    return name.lower().removeprefix("event_")  # as pools name it
