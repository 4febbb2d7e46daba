"""Event handlers: pyee's emitter with phpDaemon's verbs and rules.

Source: phpDaemon Traits/EventHandlers.php.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Optional, Protocol, TypeVar, Union, overload

from pyee import EventEmitter

from ._engine.text import ascii_lower
from .callbacks import CONN, CONN_PACKET, Arguments, Wrapper, call_guarded, logger, require_callable
from .filters import USER_EVENT, Condition, Where, compile_glob, condition, is_glob
from .messages import Event, ami_name_of
from .php import PHPNames
from .signatures import EventDecorator, EventHandler, PacketCallback, Result, SomeEvent, TypedHandler
from .tasks import Tasks

if TYPE_CHECKING:
    from typing import TypedDict

    from typing_extensions import Unpack

    class How(TypedDict, total=False):
        """Keywords that say how a handler is bound: see :meth:`EventHandlers.bind`."""

        where: Optional[Where]
        max_tasks: Optional[int]
        in_order: bool


#: A name, or a class of the catalogue, which means ``event_<name>`` of its event.
Name = Union[str, type[Event[Any]]]
# Names without a single class: type checkers match a class with the event that its handler takes.
SomeNames = Union[str, Iterable[Name]]
Names = Union[Name, SomeNames]
Handler = TypeVar("Handler", bound=EventHandler)

# The library's own events, besides event_<name>, and the arguments of their handlers. Users may emit other names.
ARGUMENTS: dict[str, Arguments] = {
    "connected": CONN,
    "disconnect": CONN,
    "login": CONN_PACKET,
    "event": CONN_PACKET,
    "reconnecting": ("url", "delay", "attempt"),
}


class _Bindings:
    """Counts binds and unbinds on all emitters. A cached lookup is valid as long as the count is unchanged."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


BINDINGS = _Bindings()


class _Where(Wrapper):
    """A handler that is called only for events that meet a condition."""

    def __init__(self, func: Callable[..., object], holds: Condition) -> None:
        super().__init__(func)
        self._holds = holds

    def __call__(self, *args: object, **kwargs: object) -> object:
        return self.func(*args, **kwargs) if self._holds(args[-1]) else None  # type: ignore[arg-type]  # the packet


class _Once(Wrapper):
    """A handler that is unbound before it is called."""

    def __init__(self, func: Callable[..., object], emitter: EventEmitter, name: str) -> None:
        super().__init__(func)
        self._emitter = emitter
        self._name = name

    def __call__(self, *args: object, **kwargs: object) -> object:
        if self not in self._emitter.listeners(self._name):  # a nested event has already called it
            return None
        self._emitter.remove_listener(self._name, self)
        return self.func(*args, **kwargs)


class EventHandlers(EventEmitter, PHPNames):
    """Named events. Handlers run in the order in which they were bound.

    A handler that returns exactly True stops the remaining handlers of that name. If a handler raises, the exception is
    logged and the others still run. An event runs the handlers that were bound when it was emitted. A callback is bound
    at most once per name.

    Names of server events may be globs: ``event_queue*``, ``event_*status``. ``event_userevent:<name>`` is a UserEvent
    of that name, which may be a glob too. For each event, handlers run in this order: those of
    ``event_userevent:<name>``, those of ``event_<name>``, those of globs in the order in which they were bound, and
    those of ``event``.
    """

    _last_event_name: Optional[str] = None
    _handed_on: Optional[str] = None  # event of another emitter that is passing through event()
    _globs: tuple[tuple[str, re.Pattern[str], Callable[..., object]], ...] = ()  # glob, compiled, handler
    _tasks: Optional[Tasks] = None  # runs handlers that are coroutine functions

    def bind(
        self,
        names: Names,
        cb: EventHandler,
        *,
        where: Optional[Where] = None,
        max_tasks: Optional[int] = None,
        in_order: bool = False,
    ) -> None:
        """Call ``cb(sender, *args)`` for each event with one of these names, or with a name that matches a glob.

        A class of :mod:`ami_client.catalogue.events` means the name of its event.

        On asyncio's and uvloop's loops, ``cb`` may be a coroutine function. Each call runs as a task, which is kept
        until it is done. Errors are logged, and the result is ignored.

        Arguments:
            where: which server events ``cb`` wants. A mapping of header to glob, such as ``{"queue": "help*"}``, or to
                a sequence of globs; or a predicate, ``where(packet)``. Case is ignored. All headers must match. Binding
                ``cb`` again to the same name replaces its condition.
            max_tasks: how many tasks of a coroutine function run at once; 1,000 by default. Further calls wait and are
                counted in ``stats.held_calls``. The first one that waits is logged.
            in_order: run the tasks of a coroutine function one after the other, in the order of the events.

        Raises TypeError if ``cb`` is not callable, is a coroutine function on another loop or a generator function, or
        does not take the arguments of one of the library's own events. Raises ValueError for a glob that does not begin
        with ``event_``. After an error nothing is bound.
        """
        checked, handler = self._prepare(names, cb, max_tasks, in_order)
        if where is not None:
            handler = _Where(handler, condition(where))
        for name in checked:
            self._add(name, handler)

    def unbind(self, names: Names, cb: Optional[EventHandler] = None) -> None:
        """Unbind ``cb`` from a name or names. Without ``cb``, unbind all handlers. No error if nothing is bound.

        To unbind from a glob, pass the same glob.
        """
        for name in self._resolve(names):
            for handler in self.listeners(name):
                if cb is None or handler == cb:
                    self.remove_listener(name, handler)

    @overload  # type: ignore[override,unused-ignore]  # names may be a list; else as pyee's
    def on(
        self, names: type[SomeEvent], cb: TypedHandler[SomeEvent, Result], **how: Unpack[How]
    ) -> TypedHandler[SomeEvent, Result]: ...
    @overload
    def on(self, names: type[SomeEvent], cb: None = None, **how: Unpack[How]) -> EventDecorator[SomeEvent]: ...
    @overload
    def on(self, names: SomeNames, cb: Handler, **how: Unpack[How]) -> Handler: ...
    @overload
    def on(self, names: SomeNames, cb: None = None, **how: Unpack[How]) -> Callable[[Handler], Handler]: ...
    def on(self, names: Names, cb: Optional[Callable[..., object]] = None, **how: Unpack[How]) -> Any:
        """Like :meth:`bind`, including ``where``, ``max_tasks`` and ``in_order``. Returns the handler.

        Without ``cb`` it is a decorator::

            @pool.on("event_hangup", where={"cause": "16"})
            def hung_up(conn, packet): ...
        """
        if cb is None:
            return partial(self.on, names, **how)
        self.bind(names, cb, **how)
        return cb

    @overload  # type: ignore[override,unused-ignore]  # as on()
    def once(
        self, names: type[SomeEvent], cb: TypedHandler[SomeEvent, Result], *, where: Optional[Where] = None
    ) -> TypedHandler[SomeEvent, Result]: ...
    @overload
    def once(
        self, names: type[SomeEvent], cb: None = None, *, where: Optional[Where] = None
    ) -> EventDecorator[SomeEvent]: ...
    @overload
    def once(self, names: SomeNames, cb: Handler, *, where: Optional[Where] = None) -> Handler: ...
    @overload
    def once(
        self, names: SomeNames, cb: None = None, *, where: Optional[Where] = None
    ) -> Callable[[Handler], Handler]: ...
    def once(self, names: Names, cb: Optional[Callable[..., object]] = None, *, where: Optional[Where] = None) -> Any:
        """Like :meth:`on`, but only for the next event of each name, or the next for which ``where`` holds."""
        if cb is None:
            return partial(self.once, names, where=where)
        checked, handler = self._prepare(names, cb, None, False)
        holds = None if where is None else condition(where)
        for name in checked:
            one = _Once(handler, self, name)
            self._add(name, one if holds is None else _Where(one, holds))
        return cb

    def off(self, names: Names, cb: Optional[EventHandler] = None) -> None:
        """Alias of :meth:`unbind`."""
        self.unbind(names, cb)

    def on_event(self, cb: PacketCallback) -> None:
        """Bind ``cb(conn, packet)`` to every server event. Source: phpDaemon Connection.php, onEvent."""
        self.bind("event", cb)

    def event(self, name: str, *args: object) -> bool:
        """Emit ``name``: call each handler as ``handler(self, *args)``. Return whether there was any handler."""
        if name == self._handed_on:
            self._handed_on = None
            return self.emit(name, *args)
        return self.emit(name, self, *args)

    def trigger(self, name: str, *args: object) -> bool:
        """Alias of :meth:`event`."""
        return self.event(name, *args)

    def add_listener(self, event: str, f: Handler) -> Handler:
        """pyee's name for :meth:`bind` with one name. Returns the handler."""
        self.bind(event, f)
        return f

    def _prepare(
        self, names: Names, cb: EventHandler, max_tasks: Optional[int], in_order: bool
    ) -> tuple[Sequence[str], EventHandler]:
        """Return the names as a sequence, and the callable to bind. Raises the same errors as :meth:`bind`."""
        checked = self._resolve(names)
        for name in checked:
            if isinstance(name, str) and is_glob(name) and not _is_server_event(name):
                raise ValueError(f"a glob matches server events only, so it must begin with event_, unlike {name!r}")
            if _is_server_event(name) and not is_glob(name) and not _is_user_event(name) and name != ascii_lower(name):
                logger.warning("a handler of %r is never called: write %r in lower case", name, ascii_lower(name))
        require_callable(cb, "handler", coroutines=True)
        is_coroutine = False
        for name in checked:
            arguments = self._arguments_of(name)
            what = "handler" if arguments is None else f"a handler of {name!r}"
            is_coroutine = require_callable(cb, what, arguments, coroutines=self._tasks is not None)
        if max_tasks is not None and (isinstance(max_tasks, bool) or not isinstance(max_tasks, int)):
            raise TypeError(f"max_tasks must be a whole number, not {type(max_tasks).__name__}")
        if max_tasks is not None and max_tasks < 1:
            raise ValueError("max_tasks must be at least 1")
        if not is_coroutine:
            if in_order or max_tasks is not None:
                raise TypeError("max_tasks and in_order apply to coroutine functions only")
            return checked, cb
        assert self._tasks is not None
        return checked, self._tasks.check(cb, "handler", max_tasks=1 if in_order else max_tasks)

    def _resolve(self, names: Names) -> Sequence[str]:
        """Return the names in the form in which they are bound."""
        return [_as_name(name) for name in ((names,) if isinstance(names, (str, type)) else names)]

    def _arguments_of(self, name: str) -> Optional[Arguments]:
        """Return the arguments of a handler of that name; None if it may take any."""
        return CONN_PACKET if _is_server_event(name) else ARGUMENTS.get(name)

    def _add(self, name: str, handler: Callable[..., object]) -> None:
        old = {one: one for one in self.listeners(name)}.get(handler)  # by hash, like pyee
        if old is not None:
            if not (isinstance(old, _Where) or isinstance(handler, _Where)):
                return  # already bound: it keeps its place
            self.remove_listener(name, old)
        BINDINGS.count += 1
        super().add_listener(name, handler)
        if _is_server_event(name) and is_glob(name) and not _is_user_event(name):
            self._globs = (*self._globs, (name, compile_glob(name), handler))

    def listens_to(self, event: str) -> Callable[[Handler], Handler]:
        """pyee's decorator that binds to one name."""
        return partial(self.add_listener, event)

    def remove_listener(self, event: str, f: Callable[..., object]) -> None:
        """pyee's :meth:`unbind` of one handler from one name. No error if it is not bound, whatever pyee's version."""
        BINDINGS.count += 1
        with suppress(KeyError):  # pyee raises it up to 15
            super().remove_listener(event, f)
        self._globs = tuple(one for one in self._globs if one[0] != event or one[2] != f)

    def remove_all_listeners(self, event: Optional[str] = None) -> None:
        """pyee's :meth:`unbind` of all handlers, from one name or from all."""
        BINDINGS.count += 1
        super().remove_all_listeners(event)
        self._globs = tuple(one for one in self._globs if event is not None and one[0] != event)

    def event_names(self) -> set[str]:
        """The names that have handlers."""
        # Up to pyee 13, a name without its handlers stays after remove_all_listeners().
        return {name for name in super().event_names() if self.listeners(name)}

    def get_last_event_name(self) -> Optional[str]:
        """The name of the last emitted event; None before the first one."""
        return self._last_event_name

    def emit(self, event: str, *args: Any, **kwargs: Any) -> bool:
        """pyee's emit: call each handler with ``args`` unchanged. Return whether there was any handler."""
        if event != "new_listener":  # pyee emits it for each binding
            self._last_event_name = event
        handlers = handlers_of(self, event)
        if not handlers:
            return super().emit(event, *args, **kwargs)  # pyee raises for an "error" that nobody handles
        for handler in handlers:
            if self._call(handler, *args, **kwargs) is True:
                break
        return True

    def _call(self, cb: Callable[..., object], *args: object, **kwargs: object) -> object:
        return call_guarded(cb, *args, **kwargs)


class Emitter(Protocol):
    """Anything with an ``emit`` method."""

    def emit(self, event: str, *args: object) -> bool:
        """Like :meth:`EventHandlers.emit`."""


def handlers_of(emitter: EventHandlers, name: str) -> list[Callable[..., object]]:
    """Return all handlers of a name in calling order: those of UserEvents by name, the name's own, those of globs."""
    found = emitter.listeners(name)
    if not _is_server_event(name):
        return found
    if name == USER_EVENT[:-1]:
        for bound in emitter.event_names():
            if _is_user_event(bound):
                holds = condition({"userevent": bound[len(USER_EVENT) :]})
                found[:0] = [_Where(one, holds) for one in emitter.listeners(bound)]
    return found + [one for _, glob, one in emitter._globs if glob.fullmatch(name)]


def overrides(emitter: object, name: str, base: type[object]) -> bool:
    """Return whether a subclass, or a patch on the object, has replaced the base's method."""
    return getattr(getattr(emitter, name), "__func__", None) is not getattr(base, name)


def emit_on(emitter: Emitter, guard: Callable[..., object], event: str, *args: object, **kwargs: object) -> bool:
    """Emit with exactly these arguments, without ``emitter`` in front. Respect a subclass's ``event`` and ``emit``.

    An overridden ``event`` is called as ``event(name, *args)``. An exception from an override is logged. Returns
    whether there was any handler.
    """
    if isinstance(emitter, EventHandlers) and overrides(emitter, "event", EventHandlers) and not kwargs:
        emitter._handed_on = event
        try:
            return bool(guard(emitter.event, event, *args))
        finally:
            emitter._handed_on = None
    if overrides(emitter, "emit", EventHandlers):
        return bool(guard(emitter.emit, event, *args, **kwargs))
    return emitter.emit(event, *args, **kwargs)


def _as_name(name: Name) -> str:
    # Only classes and texts are checked: a user's own name may be of any type that pyee accepts.
    if isinstance(name, type):
        return f"event_{ascii_lower(ami_name_of(name))}"
    return name.lower() if _is_user_event(name) else name


def _is_user_event(name: object) -> bool:
    return isinstance(name, str) and name.startswith(USER_EVENT)


def _is_server_event(name: object) -> bool:
    return isinstance(name, str) and name.startswith("event_")
