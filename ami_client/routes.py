"""Who listens to which event of a connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

from .events import EventHandlers
from .headers import fold_value

# A name may be whatever the server likes: so many are remembered.
MAX_NAMES = 1000

Chain = tuple[EventHandlers, str, list[Callable[..., object]]]


class Routes:
    """The handlers of each event, of several emitters in turn: looked up once, until somebody binds or unbinds.

    Most events of a busy server have no handler, and the others have one or two: asking each emitter for both names of
    each event would cost more than reading the event.
    """

    def __init__(self, *emitters: EventHandlers) -> None:
        self._emitters = emitters
        self._bindings = -1
        self._chains: dict[str, list[Chain]] = {}
        self._unwanted = _Unwanted(self)

    def chains(self, event_name: str) -> list[Chain]:
        """Emitter, name and handlers, in the order in which they are called; only those that have handlers."""
        self._check()
        found = self._chains.get(event_name)
        if found is None:
            names = (f"event_{event_name}", "event")
            found = [
                (one, name, one.listeners(name)) for name in names for one in self._emitters if one.listeners(name)
            ]
            if len(self._chains) >= MAX_NAMES:
                self._chains.clear()
            self._chains[event_name] = found
        return found

    def unwanted(self) -> Mapping[bytes, bool]:
        """Of an event's name, as it is sent, whether nobody listens; valid until somebody binds."""
        self._check()
        return self._unwanted

    def _check(self) -> None:
        bindings = 0
        for one in self._emitters:
            bindings += one._bindings
        if bindings != self._bindings:
            self._bindings = bindings
            self._chains.clear()
            self._unwanted.clear()


class _Unwanted(dict[bytes, bool]):
    def __init__(self, routes: Routes) -> None:
        super().__init__()
        self._routes = routes

    def __missing__(self, name: bytes) -> bool:
        unwanted = not self._routes.chains(fold_value(name))
        if len(self) >= MAX_NAMES:
            self.clear()
        self[name] = unwanted
        return unwanted
