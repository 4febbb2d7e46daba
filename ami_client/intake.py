"""What arrives on a connection, from the bytes to the callbacks and handlers.

Source: phpDaemon Clients/Asterisk/Connection.php (onRead).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator

from .callbacks import logger
from .dispatch import Dispatch
from .errors import AMIError, ProtocolError
from .events import BINDINGS, EventHandlers
from .inflight import Done
from .packet import Packet
from .routes import Routes
from .session import ListGoneOn, Outcome
from .state import FINISHED
from .watchdog import Watchdog


class Intake(Dispatch):
    """The part of a connection that reads, and calls who is to hear of it."""

    _routes: Routes
    _watchdog: Watchdog

    @abstractmethod
    def _login_done(self, packet: Packet) -> None:
        """The login was answered."""

    @abstractmethod
    def _announce(self, event: str, *args: object) -> None:
        """Emit an event of this connection."""

    @abstractmethod
    def fail(self, error: AMIError) -> None:
        """End at once, with ``error`` as the reason."""

    def _received(self, data: bytes) -> None:
        self._watchdog.heard()
        self._stats.bytes_in += len(data)
        self._session.feed(data)
        outcomes = self._session.outcomes()
        self._handle(_WithoutEvents(outcomes, self._emit) if self._routes.overridden else outcomes)
        self._watchdog.read(self._session.packets)

    def _emit(self, packet: Packet) -> None:
        """The long way of an event, through ``event`` and ``emit``, which somebody has overridden."""
        for name in (f"event_{packet.event_name}", "event"):
            if self._session.state is not FINISHED:
                self._announce(name, packet)

    def _emit_rest(self, packet: Packet, emitter: EventHandlers, name: str) -> None:
        """Emit what comes behind a chain in which somebody has bound or unbound."""
        for one, following in self._routes.after(packet.event_name, emitter, name):
            if self._session.state is FINISHED:
                break
            EventHandlers.emit(one, following, self, packet)

    def _handle(self, outcomes: Iterator[Outcome]) -> None:
        # Each event comes this way, so what emit() and the guard do is written out here: three calls per event fewer,
        # which made the whole way from the socket to the handler shorter by a tenth.
        dropped = self._stats.dropped
        session, routes, guard = self._session, self._routes, self.guard
        clock, threshold = guard.clock, guard.threshold
        routes.refresh()
        answered = False
        self._handling = True
        try:
            now = clock()
            for outcome in outcomes:
                if isinstance(outcome, Packet):
                    for emitter, name, handlers in routes[outcome.event_name]:
                        if session.state is FINISHED:  # looked at again after each chain
                            break
                        emitter._last_event_name = name
                        for handler in handlers:
                            try:
                                result = handler(self, outcome)
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
                        if routes.seen != BINDINGS.count:  # the chains that were found hold no longer
                            self._emit_rest(outcome, emitter, name)
                            routes.refresh()
                            now = clock()
                            break
                else:
                    if isinstance(outcome, Done):
                        answered = True
                        self._answer(outcome)
                    elif isinstance(outcome, ListGoneOn):
                        self._list_gone_on(outcome.packet)
                    else:
                        self._login_done(outcome.packet)
                    now = clock()
                    if routes.seen != BINDINGS.count:
                        routes.refresh()
        except ProtocolError as error:
            self.fail(error)
        except BaseException:  # a KeyboardInterrupt passes; should the loop run on, what has arrived is still handled
            self._loop.call_soon(self._handle, outcomes)
            raise
        finally:
            self._handling = False
            if answered:
                self._watchdog.answered()
            self._flush()
        if self._stats.dropped > dropped:
            logger.debug("%s: dropped %d packets that belong to nobody", self, self._stats.dropped - dropped)


class _WithoutEvents:
    """Outcomes; events are not among them but go to ``emit``.

    No generator: one that an interrupt came out of would be at its end.
    """

    def __init__(self, outcomes: Iterator[Outcome], emit: Callable[[Packet], object]) -> None:
        self._outcomes = outcomes
        self._emit = emit

    def __iter__(self) -> Iterator[Outcome]:
        return self

    def __next__(self) -> Outcome:
        for outcome in self._outcomes:
            if not isinstance(outcome, Packet):
                return outcome
            self._emit(outcome)
        raise StopIteration
