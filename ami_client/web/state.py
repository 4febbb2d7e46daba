"""The page's data, read from the models, as plain data. No I/O here.

Everything that follows the models is here. Waiting times are counted all the time, the rest only while somebody
watches. A page has room for some hundred items, so no more than that are encoded, however many there are.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Callable, Generic, Optional, Protocol, TypeVar

from .._version import __version__
from ..model import Call, Caller, Endpoint, Model, Queue
from . import views
from .hour import LastHour

MOST_CALLS, MOST_QUEUES, MOST_ENDPOINTS = 100, 100, 300
# Seconds between complete refreshes: some changes have no event of the model, and the last hour moves on.
REFRESH = 30.0

SECTIONS = ("calls", "queues", "endpoints")
CALL_EVENTS = ("call_new", "call_ringing", "call_queued", "call_up", "call_held", "call_transferred")
QUEUE_EVENTS = ("queue_joined", "queue_left", "queue_abandoned", "member_changed")

Key = tuple[str, str]  # server and name, the model's key
View = dict[str, Any]


class Named(Protocol):
    """A record that belongs to a server."""

    @property
    def server(self) -> str:
        """The server's name."""


Record = TypeVar("Record", bound=Named)


class Section(Generic[Record]):
    """The records of one kind: how many are in each state, and the first ``most`` of them in the page's form.

    ``find(model)`` is the model's mapping. ``rank(record)`` returns the sort key and the state.
    """

    def __init__(
        self,
        most: int,
        find: Callable[[Model], Mapping[Any, Record]],
        rank: Callable[[Record], tuple[Any, str]],
        view: Callable[[Record], View],
    ) -> None:
        self._most = most
        self._find = find
        self._rank = rank
        self._view = view
        self._numbers = itertools.count(1)
        self._known: dict[Key, tuple[Any, str, int]] = {}  # rank, state, and the page's number for it
        self._views: dict[Key, View] = {}

    def put(self, key: Key, record: Record) -> None:
        """Store a record that is new or has changed."""
        known = self._known.get(key)
        self._known[key] = (*self._rank(record), next(self._numbers) if known is None else known[2])
        self._views.pop(key, None)

    def drop(self, key: Key) -> None:
        """Remove a record."""
        self._known.pop(key, None)
        self._views.pop(key, None)

    def read(self, models: Iterable[Model], name: Callable[[Record], str]) -> None:
        """Read everything from the models."""
        found = {(record.server, name(record)): record for model in models for record in self._find(model).values()}
        for key in self._known.keys() - found.keys():
            self.drop(key)
        for key, record in found.items():
            self.put(key, record)

    def clear(self) -> None:
        """Remove everything."""
        self._known.clear()
        self._views.clear()

    def counts(self) -> dict[str, int]:
        """Return how many records are in each state."""
        return dict(Counter(state for _, state, _ in self._known.values()))

    def show(self, model_of: Callable[[str], Optional[Model]], anew: bool = False) -> dict[str, View]:
        """Return the first records by number. Encode those that have changed, or all of them with ``anew``."""
        first = heapq.nsmallest(self._most, self._known, key=self._known.__getitem__)
        shown: dict[Key, View] = {}
        for key in first:
            view = None if anew else self._views.get(key)
            if view is None:
                model = model_of(key[0])
                record = None if model is None else self._find(model).get(key)
                if record is None:
                    continue
                view = self._view(record)
            shown[key] = view
        self._views = shown
        return {str(self._known[key][2]): view for key, view in shown.items()}


class State:
    """The page's data.

    ``events()`` returns the total number of events; None if nobody counts them. ``clock()`` returns Unix time in
    seconds.
    """

    def __init__(
        self, models: Iterable[Model], events: Optional[Callable[[], int]], clock: Callable[[], float]
    ) -> None:
        self._models = tuple(models)
        self._events = events
        self._clock = clock
        self._hours: dict[Key, LastHour] = {}
        self._since = clock()
        self._told: Optional[Callable[[], object]] = None
        self._of_server: dict[str, Model] = {}
        self._counted = self._refreshed = 0.0
        self._count = 0
        self._rate = 0.0
        self._calls = Section(MOST_CALLS, lambda model: model.calls, _rank_call, views.call)
        self._queues = Section(MOST_QUEUES, lambda model: model.queues, _rank_queue, self._queue_view)
        self._endpoints = Section(MOST_ENDPOINTS, lambda model: model.endpoints, _rank_endpoint, views.endpoint)
        self._handlers: list[tuple[list[str], Callable[..., object]]] = [
            (["ready", "stale"], self._server_changed),
            (list(CALL_EVENTS), self._call_changed),
            (["call_ended"], self._call_ended),
            (list(QUEUE_EVENTS), self._queue_changed),
            (["endpoint_changed"], self._endpoint_changed),
        ]
        for model in self._models:
            model.on(["queue_left", "queue_abandoned"], self._left)

    def close(self) -> None:
        """Stop following the models."""
        self.unwatch()
        for model in self._models:
            model.unbind(["queue_left", "queue_abandoned"], self._left)

    # -- while somebody watches

    def watch(self, told: Callable[[], object]) -> None:
        """Follow the models. ``told()`` is called when there may be something new."""
        self._told = told
        self._count, self._counted, self._rate = 0 if self._events is None else self._events(), self._clock(), 0.0
        for model in self._models:
            for names, cb in self._handlers:
                model.on(names, cb)
        self._refresh()

    def unwatch(self) -> None:
        """Stop following, and drop the data."""
        if self._told is None:
            return
        self._told = None
        for model in self._models:
            for names, cb in self._handlers:
                model.unbind(names, cb)
        for section in (self._calls, self._queues, self._endpoints):
            section.clear()

    def look(self) -> View:
        """Return everything that the page shows now."""
        now = self._clock()
        if now - self._refreshed >= REFRESH or now < self._refreshed:
            self._refresh()
        find = self._of_server.get
        return {
            "version": __version__,
            "time": now,
            "since": self._since,
            "rate": self._rate_at(now),
            "servers": [views.server(one) for model in self._models for one in model.servers.values()],
            "counts": {"calls": self._calls.counts(), "endpoints": self._endpoints.counts()},
            "calls": self._calls.show(find, anew=True),  # participants change without an event of their own
            "queues": self._queues.show(find),
            "endpoints": self._endpoints.show(find),
        }

    def _rate_at(self, now: float) -> Optional[float]:
        """Return the rate of events per second."""
        if self._events is None:
            return None
        seconds = now - self._counted
        if seconds >= 1 or seconds < 0:
            count = self._events()
            rate = (count - self._count) / seconds if seconds > 0 else 0.0
            self._rate = round(rate, 1) if rate < 10 else round(rate)
            self._count, self._counted = count, now
        return self._rate

    def _refresh(self) -> None:
        self._refreshed = self._clock()
        self._of_server = {server: model for model in self._models for server in model.servers}
        self._calls.read(self._models, lambda call: call.id)
        self._queues.read(self._models, lambda queue: queue.name)
        self._endpoints.read(self._models, lambda endpoint: endpoint.name)
        for key in self._hours.keys() - {(one.server, one.name) for model in self._models for one in _queues(model)}:
            del self._hours[key]

    def _queue_view(self, queue: Queue) -> View:
        hour = self._hours.get((queue.server, queue.name)) or LastHour()
        return views.queue(queue, hour.total(self._clock()))

    # -- events of the models

    def _tell(self) -> None:
        if self._told is not None:
            self._told()

    def _left(self, model: Model, queue: Queue, caller: Caller) -> None:
        hour = self._hours.setdefault((queue.server, queue.name), LastHour())
        hour.count(caller, queue.service_level)

    def _server_changed(self, model: Model, server: str) -> None:
        self._refresh()
        self._tell()

    def _call_changed(self, model: Model, call: Call, how: str = "") -> None:
        self._of_server[call.server] = model
        self._calls.put((call.server, call.id), call)
        self._tell()

    def _call_ended(self, model: Model, call: Call) -> None:
        self._calls.drop((call.server, call.id))
        self._tell()

    def _queue_changed(self, model: Model, queue: Queue, other: object) -> None:
        self._of_server[queue.server] = model
        self._queues.put((queue.server, queue.name), queue)
        self._tell()

    def _endpoint_changed(self, model: Model, endpoint: Endpoint) -> None:
        self._of_server[endpoint.server] = model
        self._endpoints.put((endpoint.server, endpoint.name), endpoint)
        self._tell()


def _rank_call(call: Call) -> tuple[Any, str]:
    return -call.started, call.state


def _rank_queue(queue: Queue) -> tuple[Any, str]:
    return queue.name, ""


def _rank_endpoint(endpoint: Endpoint) -> tuple[Any, str]:
    return (endpoint.state == "not_inuse", endpoint.name), endpoint.state


def _queues(model: Model) -> Iterable[Queue]:
    return model.queues.values()


def difference(before: View, after: View) -> View:
    """Return what has changed between two looks, and the time. Removed items are None."""
    changed: View = {"time": after["time"]}
    for name, value in after.items():
        if value == before[name]:
            continue
        if name in SECTIONS:
            old: dict[str, View] = before[name]
            value = {
                **dict.fromkeys(old.keys() - value.keys()),
                **{number: view for number, view in value.items() if old.get(number) != view},
            }
        changed[name] = value
    return changed
