"""Handlers of calls' events: ``start``, ``hangup`` and ``end``."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Callable, ClassVar, Optional, TypeVar, Union, overload

from ..callbacks import Arguments, call_guarded, require_callable

CALL: Arguments = ("call",)

Handler = Callable[..., object]
SomeHandler = TypeVar("SomeHandler", bound=Handler)


class CallEvents:
    """Named events of one call, or of all calls of a server. Handlers run in the order in which they were bound."""

    #: The event names, and the arguments of their handlers.
    events: ClassVar[Mapping[str, Arguments]] = {"hangup": CALL, "end": CALL}

    def __init__(self) -> None:
        self._handlers: dict[str, list[Handler]] = {}

    @overload
    def on(self, name: str, cb: SomeHandler) -> SomeHandler: ...
    @overload
    def on(self, name: str, cb: None = None) -> Callable[[SomeHandler], SomeHandler]: ...
    def on(
        self, name: str, cb: Optional[SomeHandler] = None
    ) -> Union[SomeHandler, Callable[[SomeHandler], SomeHandler]]:
        """Call ``cb`` for each event ``name``. Return ``cb``. Without it this is a decorator.

        Raises ValueError for an unknown name, TypeError for a handler that cannot be called.
        """
        if name not in self.events:
            near = get_close_matches(str(name), self.events, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; the events are {', '.join(self.events)}"
            raise ValueError(f"calls have no event {name!r}{hint}")
        if cb is None:
            return lambda handler: self.on(name, handler)
        self._bind(name, cb)
        return cb

    def _bind(self, name: str, cb: Handler) -> None:
        require_callable(cb, f"a handler of {name!r}", self.events[name])
        self._handlers.setdefault(name, []).append(cb)

    def _emit(self, name: str, *args: object) -> None:
        handlers = self._handlers.get(name)
        if handlers is not None:
            for handler in tuple(handlers):
                call_guarded(handler, *args)
