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
from .signatures import EventHandler, PacketCallback

Names = Union[str, Iterable[str]]
Handler = TypeVar("Handler", bound=EventHandler)

# The library's own events, besides event_<name>, and the arguments of their handlers. Users may emit any other name.
ARGUMENTS: dict[str, Arguments] = {
    "connected": CONN,
    "disconnect": CONN,
    "login": CONN_PACKET,
    "event": CONN_PACKET,
    "reconnecting": ("url", "delay", "attempt"),
}


class _Bindings:
    """Counts binds and unbinds on all emitters. Lookups may be cached for as long as the count is unchanged."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


BINDINGS = _Bindings()


class _ChainStopped(Exception):
    """A handler returned True: the remaining handlers of this name do not run."""


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
    """

    _last_event_name: Optional[str] = None
    _handed_on: Optional[str] = None  # name of an event from another emitter that is passing through event()

    def bind(self, names: Names, cb: EventHandler) -> None:
        """Call ``cb(sender, *args)`` for each event of that name or those names.

        Raises TypeError, and binds nothing, if ``cb`` is not callable, is a coroutine or generator function, or does
        not take the arguments of one of the library's own events.
        """
        for name in _checked(names, cb):
            self.add_listener(name, cb)

    def unbind(self, names: Names, cb: Optional[EventHandler] = None) -> None:
        """Unbind ``cb`` from a name or names; without ``cb``, unbind all handlers. No error if nothing is bound."""
        for name in _as_names(names):
            for handler in self.listeners(name):
                if cb is None or handler == cb:
                    self.remove_listener(name, handler)

    @overload  # type: ignore[override,unused-ignore]  # names may be a list; else as pyee's
    def on(self, names: Names, cb: Handler) -> Handler: ...
    @overload
    def on(self, names: Names, cb: None = None) -> Callable[[Handler], Handler]: ...
    def on(self, names: Names, cb: Optional[Handler] = None) -> Any:
        """As :meth:`bind`, but return the handler. Without ``cb`` it is a decorator.

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
        """As :meth:`on`, but only for the next event of each name."""
        if cb is None:
            return partial(self.once, names)
        for name in _checked(names, cb):
            self.bind(name, _Once(cb, self, name))
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
        """The name of the last emitted event; None before the first one."""
        return self._last_event_name

    def emit(self, event: str, *args: Any, **kwargs: Any) -> bool:
        """pyee's emit: call each handler with ``args`` unchanged. True if there was any handler."""
        if event != "new_listener":  # pyee emits it for each binding
            self._last_event_name = event
        try:
            return super().emit(event, *args, **kwargs)
        except _ChainStopped:
            return True

    def _call(self, cb: Callable[..., object], *args: object, **kwargs: object) -> object:
        return call_guarded(cb, *args, **kwargs)

    def _emit_run(self, f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        # pyee's hook for calling one handler. pyee's own asyncio and threaded emitters override it too.
        if self._call(f, *args, **kwargs) is True:
            raise _ChainStopped


class Emitter(Protocol):
    """Anything with an ``emit`` method."""

    def emit(self, event: str, *args: object) -> bool:
        """As :meth:`EventHandlers.emit`."""


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


def _as_names(names: Names) -> Iterable[str]:
    return (names,) if isinstance(names, str) else tuple(names)


def _checked(names: Names, cb: object) -> Iterable[str]:
    """Return the names as an iterable. Raise TypeError if ``cb`` cannot be bound to one of them."""
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
