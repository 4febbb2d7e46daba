"""Event handlers: pyee's emitter with phpDaemon's verbs and rules.

Source: phpDaemon Traits/EventHandlers.php.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, Callable, Optional, Protocol, TypeVar, Union, overload

from pyee import EventEmitter

from .callbacks import CONN, CONN_PACKET, Arguments, Wrapper, call_guarded, require_callable
from .php import PHPNames

Names = Union[str, Iterable[str]]
Handler = TypeVar("Handler", bound=Callable[..., object])

# What the library emits, besides event_<name>, and what handlers get. Other names are the users' own.
ARGUMENTS: dict[str, Arguments] = {
    "connected": CONN,
    "disconnect": CONN,
    "login": CONN_PACKET,
    "event": CONN_PACKET,
    "reconnecting": ("url", "delay", "attempt"),
}


class _Bindings:
    """How often anybody has bound or unbound anywhere: while it stands, what was looked up in emitters holds."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


BINDINGS = _Bindings()


class _ChainStopped(Exception):
    """A handler returned True: the rest of this event name's handlers do not run."""


class _Once(Wrapper):
    """A handler that is unbound before it is called."""

    def __init__(self, func: Callable[..., object], emitter: EventEmitter, name: str) -> None:
        super().__init__(func)
        self._emitter = emitter
        self._name = name

    def __call__(self, *args: object, **kwargs: object) -> object:
        if self not in self._emitter.listeners(self._name):  # it was called, by an event inside of this one
            return None
        self._emitter.remove_listener(self._name, self)
        return self.func(*args, **kwargs)


class EventHandlers(EventEmitter, PHPNames):
    """Named events with handlers in order of binding.

    A handler that returns True (the very value) stops the others of that name. One that raises is logged and harms
    nothing else. Handlers are a snapshot while an event is emitted. The same callback is bound once per name.
    """

    _last_event_name: Optional[str] = None
    _handed_on: Optional[str] = None  # the name of what was emitted elsewhere, on its way through event()

    def bind(self, names: Names, cb: Callable[..., object]) -> None:
        """Call ``cb(sender, *args)`` at each event of that name, or of those names.

        Raises TypeError for what cannot be called, would do nothing, or does not take what the library's own events
        give; then nothing is bound.
        """
        for name in _checked(names, cb):
            self.add_listener(name, cb)

    def unbind(self, names: Names, cb: Optional[Callable[..., object]] = None) -> None:
        """Take ``cb`` away from a name or names; without ``cb``, every handler of them. Nothing bound is no error."""
        for name in _as_names(names):
            for handler in self.listeners(name):
                if cb is None or handler == cb:
                    self.remove_listener(name, handler)

    @overload  # type: ignore[override,unused-ignore]  # names may be a list; else as pyee's
    def on(self, names: Names, cb: Handler) -> Handler: ...
    @overload
    def on(self, names: Names, cb: None = None) -> Callable[[Handler], Handler]: ...
    def on(self, names: Names, cb: Optional[Handler] = None) -> Any:
        """Bind, as :meth:`bind`; without ``cb`` it is a decorator. Returns the handler.

        ::

            @pool.on("event_hangup")
            def hung_up(conn, packet): ...
        """
        if cb is None:
            return partial(self.on, names)
        self.bind(names, cb)
        return cb

    @overload  # type: ignore[override,unused-ignore]  # as on()
    def once(self, names: Names, cb: Handler) -> Handler: ...
    @overload
    def once(self, names: Names, cb: None = None) -> Callable[[Handler], Handler]: ...
    def once(self, names: Names, cb: Optional[Handler] = None) -> Any:
        """As :meth:`on`, for the next event of each name only."""
        if cb is None:
            return partial(self.once, names)
        for name in _checked(names, cb):
            self.bind(name, _Once(cb, self, name))
        return cb

    def off(self, names: Names, cb: Optional[Callable[..., object]] = None) -> None:
        """Another name of :meth:`unbind`."""
        self.unbind(names, cb)

    def on_event(self, cb: Callable[..., object]) -> None:
        """Bind ``cb(conn, packet)`` to every event of the server. Source: phpDaemon Connection.php, onEvent."""
        self.bind("event", cb)

    def event(self, name: str, *args: object) -> bool:
        """Emit ``name``: its handlers are called as ``handler(self, *args)``. True if it had handlers."""
        if name == self._handed_on:
            self._handed_on = None
            return self.emit(name, *args)
        return self.emit(name, self, *args)

    def trigger(self, name: str, *args: object) -> bool:
        """Another name of :meth:`event`."""
        return self.event(name, *args)

    def add_listener(self, event: str, f: Handler) -> Handler:
        """pyee's :meth:`bind` for one name; returns the handler."""
        _require_handler(event, f)
        BINDINGS.count += 1
        return super().add_listener(event, f)

    def listens_to(self, event: str) -> Callable[[Handler], Handler]:
        """pyee's decorator that binds to one name."""
        return partial(self.add_listener, event)

    def remove_listener(self, event: str, f: Callable[..., object]) -> None:
        """pyee's :meth:`unbind` of one handler of one name. Raises KeyError if it is not bound."""
        BINDINGS.count += 1
        super().remove_listener(event, f)

    def remove_all_listeners(self, event: Optional[str] = None) -> None:
        """pyee's :meth:`unbind` of all handlers, of one name or of all."""
        BINDINGS.count += 1
        super().remove_all_listeners(event)

    def get_last_event_name(self) -> Optional[str]:
        """The name of the event emitted last, None before the first one."""
        return self._last_event_name

    def emit(self, event: str, *args: Any, **kwargs: Any) -> bool:
        """pyee's emit: handlers get ``args`` as they are. True if the name had handlers."""
        if event != "new_listener":  # pyee's own, at each binding
            self._last_event_name = event
        try:
            return super().emit(event, *args, **kwargs)
        except _ChainStopped:
            return True

    def _call(self, cb: Callable[..., object], *args: object, **kwargs: object) -> object:
        return call_guarded(cb, *args, **kwargs)

    def _emit_run(self, f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        # pyee's hook for the call of one handler: its own asyncio and threaded emitters override it as well.
        if self._call(f, *args, **kwargs) is True:
            raise _ChainStopped


class Emitter(Protocol):
    """What one can emit on."""

    def emit(self, event: str, *args: object) -> bool:
        """As :meth:`EventHandlers.emit`."""


def overrides(emitter: object, name: str, base: type[object]) -> bool:
    """Whether a subclass, or somebody from outside, has put another method in the place of the base's."""
    return getattr(getattr(emitter, name), "__func__", None) is not getattr(base, name)


def emit_on(emitter: Emitter, guard: Callable[..., object], event: str, *args: object, **kwargs: object) -> bool:
    """Emit with these very arguments, of which none is ``emitter`` itself, through what a subclass overrides.

    An ``event`` that is overridden is called as ``event(name, *args)``, what overrides raise is logged. True if
    somebody listened.
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


def _as_names(names: Names) -> Iterable[str]:
    return (names,) if isinstance(names, str) else tuple(names)


def _checked(names: Names, cb: object) -> Iterable[str]:
    """The names, none of which ``cb`` cannot be bound to."""
    require_callable(cb, "handler")
    checked = _as_names(names)
    for name in checked:
        _require_handler(name, cb)
    return checked


def _require_handler(name: str, cb: object) -> None:
    arguments = ARGUMENTS.get(name)
    if arguments is None and isinstance(name, str) and name.startswith("event_"):
        arguments = CONN_PACKET
    require_callable(cb, "handler" if arguments is None else f"a handler of {name!r}", arguments)
