"""Who listens to which event of a connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable, Optional

from .events import BINDINGS, EventHandlers
from .headers import FIRST_LINES, Memo

# A name may be whatever the server likes: so many are remembered.
MAX_NAMES = 1000

Chain = tuple[EventHandlers, str, list[Callable[..., object]]]


class Routes(Memo[str, list[Chain]]):
    """Of an event's name the handlers, of several emitters in turn: looked up once, until somebody binds or unbinds.

    Each chain has emitter, name and handlers, in the order in which they are called; only those that have handlers.
    Most events of a busy server have no handler, and the others have one or two: asking each emitter for both names of
    each event would cost more than reading the event.
    """

    size = MAX_NAMES

    def __init__(self, *emitters: EventHandlers, overridden: bool = False) -> None:
        super().__init__()
        #: Whether somebody overrides ``emit`` or ``event``, and so is to see all events.
        self.overridden = overridden
        self._emitters = emitters
        self._first_lines = _Unwanted(self)
        self.seen = -1  # of BINDINGS.count
        #: Of an event's first line whether nobody listens; None when somebody listens to all events.
        self.unwanted: Optional[_Unwanted] = None
        self.refresh()

    def __missing__(self, event_name: str) -> list[Chain]:
        found = [(one, name, one.listeners(name)) for one, name in self._turns(event_name) if one.listeners(name)]
        self.keep(event_name, found)
        return found

    def _turns(self, event_name: str) -> list[tuple[EventHandlers, str]]:
        return [(one, name) for name in (f"event_{event_name}", "event") for one in self._emitters]

    def after(self, event_name: str, emitter: EventHandlers, name: str) -> Iterator[tuple[EventHandlers, str]]:
        """Emitters and names behind these, looked up when their turn comes: for handlers that bind and unbind."""
        turns = self._turns(event_name)
        for one, following in turns[turns.index((emitter, name)) + 1 :]:
            if one.listeners(following):
                yield one, following

    def refresh(self) -> None:
        """Forget what was looked up if anybody has bound or unbound since; to be called after each user code."""
        if self.seen != BINDINGS.count:
            self.seen = BINDINGS.count
            self.clear()
            self._first_lines.clear()
            everything = self.overridden or any(one.listeners("event") for one in self._emitters)
            self.unwanted = None if everything else self._first_lines


class _Unwanted(Memo[bytes, bool]):
    size = MAX_NAMES

    def __init__(self, routes: Routes) -> None:
        super().__init__()
        self._routes = routes

    def __missing__(self, first_line: bytes) -> bool:
        name = FIRST_LINES[first_line]
        unwanted = name is not None and name != "" and not self._routes[name]
        if name is not None:
            self.keep(first_line, unwanted)
        return unwanted
