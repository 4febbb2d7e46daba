"""What the two clients without callbacks agree on."""

from __future__ import annotations

from collections.abc import Sequence

#: The port of a URL without one. A Pool has phpDaemon's, 5280.
PORT = 5038


def event_names(names: Sequence[str]) -> list[str]:
    """The names to bind for a stream of these events; without any, of all events. Raises TypeError for what is none."""
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"an event's name is a str, not {type(name).__name__}")
    return [f"event_{name.lower()}" for name in names] or ["event"]
