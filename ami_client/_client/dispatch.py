"""Dispatches events to their handlers, and guards the calls of user code.

Source: phpDaemon Clients/Asterisk/Connection.php (onRead, event).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Callable, Optional, Union

from .._engine.in_flight import Entry, Pending
from .._engine.line_cache import FIRST_LINES, Memo
from .._engine.login import LoginDone
from .._engine.packet import Packet
from .._engine.session import START, ListGoneOn, Outcome, Session
from .._engine.state import FINISHED
from ..callbacks import Callback, callback_name, is_unrun, log_raised, logger
from ..emitter import BINDINGS, Emitter, EventHandlers, emit_on, handlers_of, overrides
from ..filters import Filter, passes
from ..stats import Stats

# Number of cached event names. It is bounded because a server may send any name.
MAX_NAMES = 1000

Chain = tuple[EventHandlers, str, list[Callable[..., object]]]


class Guard:
    """Calls user code like :func:`call_guarded`. Counts failed callbacks. Counts and logs slow ones.

    ``clock`` is the loop's. A callback that takes ``threshold`` seconds or more is slow. None turns the check off.

    :meth:`Dispatch.run` repeats this code in its own loop, for events with handlers.
    """

    def __init__(self, clock: Callable[[], float], threshold: Optional[float], stats: Stats) -> None:
        self.clock = clock
        self.threshold = float("inf") if threshold is None else threshold
        self._stats = stats

    def __call__(self, cb: Callback, *args: object, **kwargs: object) -> object:
        clock = self.clock
        began = clock()
        try:
            result = cb(*args, **kwargs)
            return None if result is not None and self.is_unrun(cb, result) else result
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            self.count_raised(cb)
            return None
        finally:
            took = clock() - began
            if took >= self.threshold:
                self.count_slow(cb, took)

    def call(self, cb: Callback, conn: object, packet: object) -> object:
        """Short way of :meth:`__call__` for a ``cb(conn, packet)``. It saves 6% (benchmark d100)."""
        clock = self.clock
        began = clock()
        try:
            result = cb(conn, packet)
            return None if result is not None and self.is_unrun(cb, result) else result
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            self.count_raised(cb)
            return None
        finally:
            took = clock() - began
            if took >= self.threshold:
                self.count_slow(cb, took)

    def count_raised(self, cb: Callback) -> None:
        """Count and log that ``cb`` raised. Called in the ``except`` clause."""
        self._stats.handler_errors += 1
        log_raised(cb)

    def is_unrun(self, cb: Callback, result: object) -> bool:
        """Like :func:`is_unrun`, but also count it as an error."""
        unrun = is_unrun(cb, result)
        self._stats.handler_errors += unrun
        return unrun

    def count_held(self) -> None:
        """Count a call that waits for earlier calls of the same callback."""
        self._stats.held_calls += 1

    def count_slow(self, cb: Callback, took: float) -> None:
        """Count and log that ``cb`` took ``took`` seconds, at least ``threshold``."""
        self._stats.slow_handlers += 1
        logger.warning("callback %s took %.3f s and blocked the event loop", callback_name(cb), took)


class Dispatch:
    """Dispatches the events of one connection, ``sender``, to its handlers and then to those of its pool.

    :meth:`run` is the fast path for server events, :meth:`emit` the general path for any event. Both call the same
    handlers in the same order. If a subclass overrides ``emit`` or ``event``, every event goes through the override.
    """

    def __init__(
        self,
        sender: EventHandlers,
        base: type[EventHandlers],
        pool: Optional[Emitter],
        guard: Guard,
        filters: Sequence[Filter] = (),
    ) -> None:
        self._filters = filters
        self._sender = sender
        self._base = base  # the class whose emit and event are not overrides
        self._pool = pool
        self._guard = guard
        emitters = (sender, pool) if isinstance(pool, EventHandlers) else (sender,)
        self.routes = Routes(*emitters, overridden=self._is_overridden())

    def _is_overridden(self) -> bool:
        ours: list[tuple[object, type[EventHandlers]]] = [(self._sender, self._base)]
        if self._pool is not None:
            ours.append((self._pool, EventHandlers))
        return any(overrides(one, name, base) for one, base in ours for name in ("emit", "event") if hasattr(one, name))

    def lone_packet(self, data: bytes, session: Session) -> Optional[Union[Pending, Packet]]:
        """Short way of :meth:`run` for bytes that are one plain packet. Return None if they are anything else.

        Call the handlers if it is an event.
        """
        if self.routes.seen != BINDINGS.count:
            self.routes.refresh()
        outcome = session.lone_packet(data)
        if isinstance(outcome, Packet):
            self._call_handlers(outcome, session)
        return outcome

    def _call_handlers(self, event: Packet, session: Session) -> None:
        """Call the handlers of one event, as :meth:`run` does for many."""
        routes, guard, sender = self.routes, self._guard, self._sender
        if self._filters and not passes(self._filters, event):
            return
        if routes.overridden:
            self._emit(event, session)
            return
        for emitter, name, handlers in routes[event.event_name]:
            if session.state is FINISHED:  # check again after each chain
                break
            emitter._last_event_name = name
            for handler in handlers:
                if guard.call(handler, sender, event) is True:
                    break
            if routes.seen != BINDINGS.count:  # the cached chains are out of date
                self._emit_rest(event, session, emitter, name)
                break

    def run(
        self, outcomes: Iterator[Outcome], session: Session
    ) -> Iterator[Union[Pending, Entry, ListGoneOn, LoginDone]]:
        """Call the handlers of each event in ``outcomes``, until the session is finished. Yield the other outcomes.

        :meth:`lone_packet` is the short way.

        Every server event takes this path, so :meth:`emit` and the guard are inlined. This saves three calls per event,
        a tenth (benchmark a).
        """
        if self._filters:
            outcomes = _WithoutEvents(outcomes, lambda packet: not passes(self._filters, packet))
        if self.routes.overridden:
            outcomes = _WithoutEvents(outcomes, lambda packet: self._emit(packet, session))
        sender, routes, guard = self._sender, self.routes, self._guard
        clock, threshold = guard.clock, guard.threshold
        if routes.seen != BINDINGS.count:
            routes.refresh()
        now = clock()
        for outcome in outcomes:
            if isinstance(outcome, Packet):
                for emitter, name, handlers in routes[outcome.event_name]:
                    if session.state is FINISHED:  # check again after each chain
                        break
                    emitter._last_event_name = name
                    for handler in handlers:
                        try:
                            result = handler(sender, outcome)
                        except (KeyboardInterrupt, SystemExit):
                            raise
                        except BaseException:
                            guard.count_raised(handler)
                            result = None
                        began, now = now, clock()
                        if now - began >= threshold:
                            guard.count_slow(handler, now - began)
                        if result is not None:
                            if result is True:
                                break
                            guard.is_unrun(handler, result)
                    if routes.seen != BINDINGS.count:  # the cached chains are out of date
                        self._emit_rest(outcome, session, emitter, name)
                        routes.refresh()
                        now = clock()
                        break
            else:
                yield outcome
                now = clock()
                if routes.seen != BINDINGS.count:
                    routes.refresh()

    def emit(
        self, own: Callable[..., bool], is_finished: Callable[[], bool], event: str, *args: object, **kwargs: object
    ) -> bool:
        """Emit with ``own`` on the connection, then on its pool. Return whether there was any handler.

        If the connection's own handlers end it, the pool gets ``disconnect`` and nothing after it.
        """
        finished = is_finished()
        heard = own(event, *args, **kwargs)
        if event == "new_listener" or is_finished() is not finished:  # pyee emits new_listener for each binding
            return heard
        if self._pool is not None:
            heard = emit_on(self._pool, self._guard, event, *args, **kwargs) or heard
        return heard

    def announce(self, event: str, *args: object) -> None:
        """Emit one of the connection's own events. Respect a subclass's ``event`` and ``emit``."""
        sender = self._sender
        if overrides(sender, "event", self._base):
            self._guard(sender.event, event, *args)
        elif overrides(sender, "emit", self._base):
            self._guard(sender.emit, event, sender, *args)
        else:
            sender.event(event, *args)

    def _emit(self, packet: Packet, session: Session) -> bool:
        for name in (f"event_{packet.event_name}", "event"):
            if session.state is not FINISHED:
                self.announce(name, packet)
        return True

    def _emit_rest(self, packet: Packet, session: Session, emitter: EventHandlers, name: str) -> None:
        """Emit the rest of an event, after a chain in which a handler was bound or unbound."""
        for one, following in self.routes.after(packet.event_name, emitter, name):
            if session.state is FINISHED:
                break
            EventHandlers.emit(one, following, self._sender, packet)


class _WithoutEvents:
    """Iterates over outcomes, without the events that ``takes(packet)`` accepts.

    This is not a generator, because a KeyboardInterrupt would exhaust a generator.
    """

    def __init__(self, outcomes: Iterator[Outcome], takes: Callable[[Packet], bool]) -> None:
        self._outcomes = outcomes
        self._takes = takes

    def __iter__(self) -> Iterator[Outcome]:
        return self

    def __next__(self) -> Outcome:
        for outcome in self._outcomes:
            if not (isinstance(outcome, Packet) and self._takes(outcome)):
                return outcome
        raise StopIteration


class Routes(Memo[str, list[Chain]]):
    """Cache from event name to handler chains. Any bind or unbind invalidates it.

    A chain is an emitter, a name and its handlers. Chains are in calling order, and never empty. Most events of a busy
    server have no handler, and the others have one or two. Looking up both names of each event on each emitter would
    cost as much as everything else (benchmark a).
    """

    size = MAX_NAMES

    def __init__(self, *emitters: EventHandlers, overridden: bool = False) -> None:
        super().__init__()
        #: Whether ``emit`` or ``event`` is overridden. The override must see all events.
        self.overridden = overridden
        self._emitters = emitters
        self._starts = _Unwanted(self)
        self.seen = -1  # BINDINGS.count at the last refresh
        #: First START bytes of an event -> whether nobody listens to it. None if somebody listens to all events.
        self.unwanted: Optional[_Unwanted] = None
        self.refresh()

    def __missing__(self, event_name: str) -> list[Chain]:
        turns = [(one, name, handlers_of(one, name)) for one, name in self._turns(event_name)]
        found = [turn for turn in turns if turn[2]]
        self.keep(event_name, found)
        return found

    def _turns(self, event_name: str) -> list[tuple[EventHandlers, str]]:
        return [(one, name) for name in (f"event_{event_name}", "event") for one in self._emitters]

    def after(self, event_name: str, emitter: EventHandlers, name: str) -> Iterator[tuple[EventHandlers, str]]:
        """Yield the following emitters and names. Each is looked up in its turn: handlers may bind and unbind."""
        turns = self._turns(event_name)
        for one, following in turns[turns.index((emitter, name)) + 1 :]:
            if handlers_of(one, following):
                yield one, following

    def refresh(self) -> None:
        """Clear the cache if there was a bind or unbind. Call this after any user code."""
        if self.seen != BINDINGS.count:
            self.seen = BINDINGS.count
            self.clear()
            self._starts.clear()
            everything = self.overridden or any(one.listeners("event") for one in self._emitters)
            self.unwanted = None if everything else self._starts


class _Unwanted(Memo[bytes, bool]):
    """Cache from the start of an event to whether nobody listens to it.

    An event may be wanted that is not: if its first line is unusual, or longer than the start. Without the cache, an
    event that nobody wants would cost twice as much (benchmark b).
    """

    size = MAX_NAMES

    def __init__(self, routes: Routes) -> None:
        super().__init__()
        self._routes = routes

    def __missing__(self, start: bytes) -> bool:
        first_line, end, rest = start.partition(b"\r\n")
        if b"\n" in first_line or (not end and len(start) == START):
            return False
        name = FIRST_LINES[first_line]
        unwanted = name is not None and name != "" and not self._routes[name]
        # Privilege follows in the events of all servers. The start of another header may be a part of a secret.
        if name is not None and rest.count(b":") <= 1 and b"Privilege: ".startswith(rest[:11]):
            self.keep(start, unwanted)
        return unwanted
