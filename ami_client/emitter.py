"""Event handlers: pyee's emitter with phpDaemon's verbs and rules.

Source: phpDaemon Traits/EventHandlers.php.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Optional, Protocol, TypedDict, TypeVar, Union, overload

from pyee import EventEmitter

from ._engine.text import ascii_lower
from .callbacks import CONN, CONN_PACKET, Arguments, Wrapper, call_guarded, require_callable
from .filters import USER_EVENT, Condition, Where, compile_glob, condition, is_glob
from .messages import Event, ami_name_of
from .php import PHPNames
from .signatures import EventDecorator, EventHandler, PacketCallback, Result, SomeEvent, TypedHandler
from .tasks import Tasks

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: A name, or a class of the catalogue, which stands for the name ``event_<name>`` of its event.
Name = Union[str, type[Event[Any]]]
# What is not one class: type checkers compare a class with the event that its handler takes.
SomeNames = Union[str, Iterable[Name]]
Names = Union[Name, SomeNames]
Handler = TypeVar("Handler", bound=EventHandler)

# The library's own events, besides event_<name>, and the arguments of their handlers. Users may emit any other name.
ARGUMENTS: dict[str, Arguments] = {
    "connected": CONN,
    "disconnect": CONN,
    "login": CONN_PACKET,
    "event": CONN_PACKET,
    "reconnecting": ("url", "delay", "attempt"),
}


class How(TypedDict, total=False):
    """How a handler is bound: see :meth:`EventHandlers.bind`."""

    where: Optional[Where]
    max_tasks: Optional[int]
    in_order: bool


class _Bindings:
    """Counts binds and unbinds on all emitters. Lookups may be cached for as long as the count is unchanged."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


BINDINGS = _Bindings()


class _Where(Wrapper):
    """A handler of the events for which a condition holds."""

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
    logged and the others run. An event runs the handlers that were bound when it was emitted. A callback is bound at
    most once per name.

    Names of server events may be globs: ``event_queue*``, ``event_*status``. ``event_userevent:<name>`` is a UserEvent
    of that name, which may be a glob too. For each event, the handlers of ``event_userevent:<name>`` run first, then
    those of ``event_<name>``, then those of globs in the order in which they were bound, then those of ``event``.
    """

    _last_event_name: Optional[str] = None
    _handed_on: Optional[str] = None  # name of an event from another emitter that is passing through event()
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
        """Call ``cb(sender, *args)`` for each event of that name or those names, or of names that match a glob.

        A class of :mod:`ami_client.catalogue.events` stands for the name of its event.

        Where the loop is asyncio's or uvloop's, ``cb`` may be a coroutine function. Each call of it runs as a task,
        which is kept until it is done. Its errors are logged. What it returns is ignored.

        Arguments:
            where: which server events ``cb`` wants: a mapping of header to glob, such as ``{"queue": "help*"}``, or to
                a sequence of globs; or a predicate, ``where(packet)``. Without case; all headers must match. Binding
                ``cb`` again to the same name replaces its condition.
            max_tasks: how many tasks of a coroutine function run at once; 1,000 by default. Further calls wait, are
                counted in ``stats.held_calls``, and the first of them is logged.
            in_order: run the tasks of a coroutine function one after the other, in the order of the events.

        Raises TypeError, and binds nothing, if ``cb`` is not callable, is a coroutine function on another loop or a
        generator function, or does not take the arguments of one of the library's own events; ValueError for a glob
        that does not begin with ``event_``.
        """
        checked, handler = self._prepare(names, cb, max_tasks, in_order)
        if where is not None:
            handler = _Where(handler, condition(where))
        for name in checked:
            self._add(name, handler)

    def unbind(self, names: Names, cb: Optional[EventHandler] = None) -> None:
        """Unbind ``cb`` from a name or names; without ``cb``, unbind all handlers. No error if nothing is bound.

        A glob is unbound by the same glob.
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
        """As :meth:`bind`, with its ``where``, ``max_tasks`` and ``in_order``; returns the handler.

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
        """As :meth:`on`, but only for the next event of each name, or the next for which ``where`` holds."""
        if cb is None:
            return partial(self.once, names, where=where)
        checked, handler = self._prepare(names, cb, None, False)
        holds = None if where is None else condition(where)
        for name in checked:
            one = _Once(handler, self, name)
            self._add(name, one if holds is None else _Where(one, holds))
        return cb

    def off(self, names: Names, cb: Optional[EventHandler] = None) -> None:
        """Another name of :meth:`unbind`."""
        self.unbind(names, cb)

    def on_event(self, cb: PacketCallback) -> None:
        """Bind ``cb(conn, packet)`` to every server event. Source: phpDaemon Connection.php, onEvent."""
        self.bind("event", cb)

    def event(self, name: str, *args: object) -> bool:
        """Emit ``name``: call each handler as ``handler(self, *args)``. True if there was any handler."""
        if name == self._handed_on:
            self._handed_on = None
            return self.emit(name, *args)
        return self.emit(name, self, *args)

    def trigger(self, name: str, *args: object) -> bool:
        """Another name of :meth:`event`."""
        return self.event(name, *args)

    def add_listener(self, event: str, f: Handler) -> Handler:
        """pyee's :meth:`bind` for one name; returns the handler."""
        self.bind(event, f)
        return f

    def _prepare(
        self, names: Names, cb: EventHandler, max_tasks: Optional[int], in_order: bool
    ) -> tuple[Sequence[str], EventHandler]:
        """The names as a sequence, and what is to be called. Raises as :meth:`bind`."""
        checked = self._resolve(names)
        for name in checked:
            if isinstance(name, str) and is_glob(name) and not _is_server_event(name):
                raise ValueError(f"a glob is for names of server events, event_...; {name!r} is none")
        require_callable(cb, "handler", coroutines=True)
        is_coroutine = False
        for name in checked:
            arguments = self._arguments_of(name)
            what = "handler" if arguments is None else f"a handler of {name!r}"
            is_coroutine = require_callable(cb, what, arguments, coroutines=self._tasks is not None)
        if max_tasks is not None and (isinstance(max_tasks, bool) or not isinstance(max_tasks, int)):
            raise TypeError(f"max_tasks is a whole number, not {type(max_tasks).__name__}")
        if max_tasks is not None and max_tasks < 1:
            raise ValueError("max_tasks must be at least 1")
        if not is_coroutine:
            if in_order or max_tasks is not None:
                raise TypeError("max_tasks and in_order are for coroutine functions; other handlers run at once anyway")
            return checked, cb
        assert self._tasks is not None
        return checked, self._tasks.check(cb, "handler", max_tasks=1 if in_order else max_tasks)

    def _resolve(self, names: Names) -> Sequence[str]:
        """The names as they are bound."""
        return [_as_name(name) for name in ((names,) if isinstance(names, (str, type)) else names)]

    def _arguments_of(self, name: str) -> Optional[Arguments]:
        """The arguments of a handler of that name; None if it may take any."""
        return CONN_PACKET if _is_server_event(name) else ARGUMENTS.get(name)

    def _add(self, name: str, handler: Callable[..., object]) -> None:
        old = {one: one for one in self.listeners(name)}.get(handler)  # as pyee: by hash
        if old is not None:
            if not (isinstance(old, _Where) or isinstance(handler, _Where)):
                return  # bound already, and keeps its place
            self.remove_listener(name, old)
        BINDINGS.count += 1
        super().add_listener(name, handler)
        if _is_server_event(name) and is_glob(name) and not _is_user_event(name):
            self._globs = (*self._globs, (name, compile_glob(name), handler))

    def listens_to(self, event: str) -> Callable[[Handler], Handler]:
        """pyee's decorator that binds to one name."""
        return partial(self.add_listener, event)

    def remove_listener(self, event: str, f: Callable[..., object]) -> None:
        """pyee's :meth:`unbind` of one handler of one name. No effect if it is not bound, with any version of pyee."""
        BINDINGS.count += 1
        with suppress(KeyError):  # raised up to pyee 15
            super().remove_listener(event, f)
        self._globs = tuple(one for one in self._globs if one[0] != event or one[2] != f)

    def remove_all_listeners(self, event: Optional[str] = None) -> None:
        """pyee's :meth:`unbind` of all handlers, of one name or of all."""
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
        """pyee's emit: call each handler with ``args`` unchanged. True if there was any handler."""
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
        """As :meth:`EventHandlers.emit`."""


def handlers_of(emitter: EventHandlers, name: str) -> list[Callable[..., object]]:
    """All handlers of a name in calling order: those of UserEvents by their names, the name's own, those of globs."""
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
    """Whether a subclass, or a patch on the object, has replaced the base's method."""
    return getattr(getattr(emitter, name), "__func__", None) is not getattr(base, name)


def emit_on(emitter: Emitter, guard: Callable[..., object], event: str, *args: object, **kwargs: object) -> bool:
    """Emit with exactly these arguments, without prepending ``emitter``. Honour a subclass's ``event`` and ``emit``.

    An overridden ``event`` is called as ``event(name, *args)``. An exception from an override is logged. True if there
    was any handler.
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
    # Only classes and texts are looked at: a name of the user's own may be of any type that pyee takes.
    if isinstance(name, type):
        return f"event_{ascii_lower(ami_name_of(name))}"
    return name.lower() if _is_user_event(name) else name


def _is_user_event(name: object) -> bool:
    return isinstance(name, str) and name.startswith(USER_EVENT)


def _is_server_event(name: object) -> bool:
    return isinstance(name, str) and name.startswith("event_")
