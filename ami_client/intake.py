"""What arrives on a connection, from the bytes to the callbacks and handlers.

Source: phpDaemon Clients/Asterisk/Connection.php (onRead).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from .callbacks import logger
from .dispatch import Dispatch
from .errors import AMIError, ProtocolError
from .events import BINDINGS
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
    def fail(self, error: AMIError) -> None:
        """End at once, with ``error`` as the reason."""

    def _received(self, data: bytes) -> None:
        self._watchdog.heard()
        self._stats.bytes_in += len(data)
        self._session.feed(data)
        self._handle(self._session.outcomes())
        self._watchdog.read(self._session.packets)

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
                                stop = handler(self, outcome) is True
                            except Exception:
                                guard.count_raised(handler)
                                stop = False
                            began, now = now, clock()
                            if now - began >= threshold:
                                guard.count_slow(handler, now - began)
                            if stop:
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
