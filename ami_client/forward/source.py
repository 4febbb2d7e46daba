"""The source: passes a broker's messages to handlers, which are bound like a pool's."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from .._client.dispatch import Guard
from .._fronts.link import Listener
from .._fronts.settings import EventName, event_names
from ..callbacks import Arguments, Callback, logger
from ..emitter import EventHandlers
from ..filters import Condition, Where, condition
from ..loop import Loop
from ..reactor import Reactor
from ..signatures import EventHandler
from ..stats import Stats
from ..tasks import MAX_TASKS, TaskCallback, Tasks
from .broker import BEAT, Broker, Delivery, Message, NotMine
from .envelope import ForwardedPacket, Gap, check_name, decode, packet_of
from .link import BrokerThread
from .reading import Reading

if TYPE_CHECKING:
    from .. import aio

#: What happens to an event whose handler raised.
ON_ERROR = ("skip", "retry", "dead-letter")
#: Seconds before a handler is called again: the first delay, and the maximum.
_RETRY, _RETRY_MAX = 0.5, 30.0


@dataclass
class SourceStats:
    """Counters of a source.

    Attributes:
        received: messages from the broker.
        repeats: duplicate messages, which were dropped.
        malformed: invalid messages.
        events: events that were handled.
        gaps: gaps that were reported.
        failed: events whose handler raised.
        dead: events that were sent to the dead letters.
        lag: age of the last event when it was received, in seconds, by the clocks of both machines.
    """

    received: int = 0
    repeats: int = 0
    malformed: int = 0
    events: int = 0
    gaps: int = 0
    failed: int = 0
    dead: int = 0
    lag: float = 0.0


class _Work:
    """An event that is being handled."""

    def __init__(self, packet: ForwardedPacket, body: bytes) -> None:
        self.packet = packet
        self.body = body
        self.open = 1  # running calls of handlers, plus one while handlers are being called
        self.failed: list[tuple[Callback, tuple[object, ...]]] = []
        self.delay = _RETRY


Item = Union[_Work, Gap]


class _Tracked(TaskCallback):
    """A coroutine function as a handler. Its event is handled when the task has ended."""

    def __init__(self, func: Callback, tasks: Tasks, max_tasks: int, source: Source) -> None:
        super().__init__(func, tasks, max_tasks)
        self._source = source

    def __call__(self, *args: object, **kwargs: object) -> object:
        work = self._source._work_of(args)
        if work is not None:
            work.open += 1
        return super().__call__(*args, **kwargs)

    def _start(self, args: tuple[object, ...]) -> None:
        self._tasks.start(self.func, self._watched(args), self._ended)
        self._running += 1

    async def _watched(self, args: tuple[object, ...]) -> None:
        work = self._source._work_of(args)
        try:
            await self.func(*args)  # type: ignore[misc]  # it is a coroutine function
        except Exception:
            if work is not None:
                work.failed.append((self, args))
            raise
        finally:
            if work is not None:
                self._source._end_call(work)


class _SourceTasks(Tasks):
    """Creates tracked handlers for coroutine functions."""

    def __init__(self, source: Source) -> None:
        super().__init__(lambda: source.reactor, source._guard)
        self._source = source

    @property
    def can_run(self) -> bool:
        return self._source._later_on_asyncio or super().can_run

    def check(
        self,
        cb: Callback,
        what: str = "callback",
        arguments: Optional[Arguments] = None,
        *,
        max_tasks: Optional[int] = None,
    ) -> Callback:
        if super().check(cb, what, arguments) is cb:
            return cb
        return _Tracked(cb, self, MAX_TASKS if max_tasks is None else max_tasks, self._source)


class Source(EventHandlers):
    """The events of forwarders, as a pool emits them.

    ::

        source = Source(RedisStream("redis://bus"), group="wallboard")
        source.on("event_hangup", lambda source, packet: print(packet.server, packet["channel"]))
        source.start()

    Handlers are bound like those of a pool, and called as ``handler(source, packet)`` with a
    :class:`~ami_client.forward.ForwardedPacket`. ``gap`` calls ``handler(source, gap)`` where events are missing.
    Events of a server arrive in order. Duplicates are dropped. A batch is acknowledged when all its handlers are done,
    including tasks of coroutine functions. Then the next batch is fetched.

    With a ``group``, the members with that name share the work. One member at a time gets the events of a server, and
    the broker keeps events while no member is there. Without a group, every source gets all events from its start on.

    Arguments:
        broker: the origin, for example :class:`RedisStream`.
        group: the name of the group.
        servers: names of servers. The default is all. Named servers are distributed over the members of a group. With
            the default, one member gets all of them, and the others are on standby.
        reactor: the event loop, as for a pool.
        on_error: what happens to an event if a handler raises. ``skip`` continues with the next event. ``retry`` calls
            the handler again, before anything else, until it succeeds. ``dead-letter`` puts the message into the
            channel ``dead.<group>``.
        limit: how many messages are fetched at a time.
        fold_case: as for a pool.
        slow_handler: as for a pool.

    Raises ValueError or TypeError for invalid arguments.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        group: Optional[str] = None,
        servers: Optional[Sequence[str]] = None,
        reactor: Optional[Loop] = None,
        on_error: str = "skip",
        limit: int = 500,
        fold_case: bool = True,
        slow_handler: Optional[float] = 1.0,
    ) -> None:
        super().__init__()
        if on_error not in ON_ERROR:
            raise ValueError(f"on_error must be one of {', '.join(ON_ERROR)}, not {on_error!r}")
        if group is None and on_error == "dead-letter":
            raise ValueError("dead letters need a group: pass group=")
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise ValueError("limit must be a whole number of at least 1")
        if servers is not None and (isinstance(servers, str) or not servers):
            raise ValueError("servers must be a sequence of names; None means all")
        self.group = None if group is None else check_name(group, "group")
        self.servers = tuple(check_name(one, "server") for one in servers or ())
        self._reactor = reactor
        self._on_error = on_error
        self._counts = SourceStats()
        self._errors = Stats()
        self._guard = Guard(lambda: self.reactor.time(), slow_handler, self._errors)
        self._tasks: Tasks = _SourceTasks(self)
        self._listeners: dict[Listener, tuple[Sequence[str], tuple[EventHandler, EventHandler]]] = {}
        self._todo: deque[Item] = deque()
        self._works: dict[tuple[str, str, int], _Work] = {}  # events that are being handled, by key
        self._dead: list[bytes] = []
        self._retrying = 0
        self._done: Optional[threading.Event] = None
        self._on_reading: Optional[Callable[[], object]] = None  # called on the loop when is_reading may have changed
        self._later_on_asyncio = False  # there is no loop yet; it will be asyncio's
        self._reader = _Reader(self, broker, limit, fold_case)

    def __repr__(self) -> str:
        return f"<Source {self.group or 'of its own'} {self._reader.broker!r}>"

    @property
    def reactor(self) -> Loop:
        """The event loop that runs the handlers."""
        return Reactor.instance() if self._reactor is None else self._reactor

    @property
    def name(self) -> str:
        """The group, for logs and metrics. Empty without one."""
        return self.group or ""

    @property
    def is_reading(self) -> bool:
        """Whether it is subscribed. False while the broker is unreachable, and for a group member on standby."""
        return self._reader.is_reading

    @property
    def stats(self) -> SourceStats:
        """A copy of the current counters. May be read from any thread."""
        return replace(self._counts)

    def start(self) -> None:
        """Start reading."""
        self._reader.start()

    def close(self, timeout: float = 5.0) -> None:
        """Stop. Fetched but unhandled messages come again, to the group's next member. This may block."""
        self._end_batch()
        self._todo.clear()
        self._reader.stop(timeout)
        for listener in list(self._listeners):
            self.unlisten(listener)
            listener.end(None)

    def events(self, *names: EventName, where: Optional[Where] = None, limit: int = 10_000) -> aio.Events[Any]:
        """Return a stream of events and gaps, like ``ami_client.aio.Client.events``. Needs an asyncio loop.

        Events count as handled when they are in the stream's buffer.
        """
        from .. import aio  # only needed with asyncio

        return aio.Events(self, event_names(names), None if where is None else condition(where), limit)

    # -- required by streams

    def listen(self, listener: Listener, names: Sequence[str], holds: Optional[Condition]) -> None:
        """Send these events and all gaps to a stream."""
        handlers = _put(listener), _put_gap(listener)
        self._listeners[listener] = names, handlers
        self.bind(names, handlers[0], where=holds)
        self.bind("gap", handlers[1])

    def unlisten(self, listener: Listener) -> None:
        """Undo :meth:`listen`."""
        names, handlers = self._listeners.pop(listener, ((), (None, None)))
        for handler, bound in zip(handlers, (names, ["gap"])):
            if handler is not None:
                self.unbind(bound, handler)

    # -- on the loop

    def _take(self, items: Sequence[Item], done: threading.Event) -> None:
        """Handle the items that the reader has fetched, then set ``done``."""
        self._todo.extend(items)
        self._works = {item.packet.key: item for item in items if isinstance(item, _Work)}
        self._done = done
        self._handle_todo()

    def _handle_todo(self) -> None:
        while self._todo and not self._retrying:
            item = self._todo.popleft()
            if isinstance(item, Gap):
                self._counts.gaps += 1
                self.event("gap", item)
            else:
                self._counts.events += 1
                self.event(f"event_{item.packet.event_name}", item.packet)
                self.event("event", item.packet)
                self._end_call(item)
        if not self._todo and not self._works:
            self.reactor.call_soon(self._end_batch)  # behind what handlers do soon, such as to flush what they wrote

    def _end_batch(self) -> None:
        if not self._todo and not self._works and self._done is not None:
            self._done.set()
            self._done = None

    def _work_of(self, args: tuple[object, ...]) -> Optional[_Work]:
        packet = args[-1]
        return self._works.get(packet.key) if isinstance(packet, ForwardedPacket) else None

    def _call(self, cb: Callable[..., object], *args: object, **kwargs: object) -> object:
        errors = self._errors.handler_errors
        result = self._guard(cb, *args, **kwargs)
        if self._errors.handler_errors != errors:
            work = self._work_of(args)
            if work is not None:
                work.failed.append((cb, args))
        return result

    def _end_call(self, work: _Work) -> None:
        work.open -= 1
        if work.open:
            return
        if work.failed:
            self._counts.failed += 1
            if self._on_error == "retry":
                self._retrying += 1
                self.reactor.call_later(work.delay, self._call_again, work)
                work.delay = min(2 * work.delay, _RETRY_MAX)
                return
            if self._on_error == "dead-letter":
                self._counts.dead += 1
                self._dead.append(work.body)
        del self._works[work.packet.key]
        if not self._works:
            self.reactor.call_soon(self._handle_todo)

    def _call_again(self, work: _Work) -> None:
        failed, work.failed, work.open = work.failed, [], 1
        self._retrying -= 1
        for cb, args in failed:
            self._call(cb, *args)
        self._end_call(work)
        self._handle_todo()


def _put(listener: Listener) -> EventHandler:
    return lambda source, packet: listener.put(packet)


def _put_gap(listener: Listener) -> EventHandler:
    return lambda source, gap: listener.put_gap(gap)


class _Reader(BrokerThread):
    """Fetches messages for a source, and acknowledges them."""

    def __init__(self, source: Source, broker: Broker, limit: int, fold_case: bool) -> None:
        super().__init__(broker, f"source {source.group or ''}".strip())
        self._source = source
        self._limit = limit
        self._fold_case = fold_case
        self._reading = Reading()
        self._parts = list(source.servers) or ["*"]
        self._held: set[str] = set()

    @property
    def is_reading(self) -> bool:
        return bool(self._held)

    def lost(self) -> None:
        self._hold(set())

    def _hold(self, parts: set[str]) -> None:
        self._held = parts
        if self._source._on_reading is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._source.reactor.call_soon_threadsafe(self._source._on_reading)

    def opened(self) -> None:
        self._next_share = 0.0
        if self._source.group is None:
            self._subscribe(set(self._parts))

    def turn(self) -> None:
        group = self._source.group
        if group is not None and time.monotonic() >= self._next_share:
            self._next_share = time.monotonic() + BEAT
            mine = self.broker.share(f"source-{group}", self._parts)
            if mine != self._held:
                self._subscribe(mine)
        if not self._held:
            self.pause(BEAT)
            return
        deliveries = self.broker.receive(BEAT)
        if deliveries:
            self._handle(deliveries)

    def _subscribe(self, parts: set[str]) -> None:
        self.broker.subscribe([f"events.{part}" for part in sorted(parts)], self._source.group, self._limit)
        self._hold(parts)
        logger.info("%s: reading %s", self._what, ", ".join(sorted(parts)) or "nothing (standby)")

    def _handle(self, deliveries: Sequence[Delivery]) -> None:
        items = [item for delivery in deliveries for item in self._read(delivery)]
        if items:
            done = threading.Event()
            try:
                self._source.reactor.call_soon_threadsafe(self._source._take, items, done)
            except RuntimeError:  # the loop is closed, so nobody will handle anything
                self._end = 0.0
                return
            while not done.wait(BEAT):
                if self._is_over():
                    return
                with suppress(NotMine, *self.broker.failures()):  # the acknowledgement will report a loss
                    self.broker.keep()
        dead = self._source._dead
        if dead:  # of this batch, or of one before, if the broker was lost: what comes again is not handled again
            with suppress(NotMine):
                self.broker.publish([Message(f"dead.{self._source.group}", "", body) for body in dead])
            dead.clear()
        self.broker.ack(deliveries)

    def _read(self, delivery: Delivery) -> list[Item]:
        counts = self._source._counts
        counts.received += 1
        try:
            envelope = decode(delivery.body)
        except ValueError as error:
            counts.malformed += 1
            logger.warning("%s: dropped an invalid message: %s", self._what, error)
            return []
        items: list[Item] = []
        gaps = self._reading.take(envelope)
        if gaps is None:
            counts.repeats += 1
            return []
        items += gaps
        if envelope.gap is not None:
            items.append(envelope.gap)
        else:
            counts.lag = max(0.0, time.time() - envelope.time)
            items.append(_Work(packet_of(envelope, fold_case=self._fold_case), delivery.body))
        return items
