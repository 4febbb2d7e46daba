"""The live model: the current state of all servers of a pool."""

from __future__ import annotations

import fnmatch
import time
import weakref
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional, Protocol, Union

from ..callbacks import Arguments
from ..emitter import EventHandlers, Names
from ..packet import Packet
from ..pool import Pool
from ..reactor import Reactor
from .headers import Event, as_packet
from .live import LiveBridge, LiveCall, LiveChannel
from .mappings import Shown
from .picture import STALE, Picture
from .queues import LiveQueue
from .records import Endpoint, Server, as_data
from .sync import OF_CALLS, OF_ENDPOINTS, OF_QUEUES, EventSync, Handlers, PoolSync

if TYPE_CHECKING:
    from ..connection import Connection
    from .changes import Changes

_SERVER = ("model", "server")
_CALL = ("model", "call")
_CALLER = ("model", "queue", "caller")

#: The model's events, and the arguments of their handlers.
EVENTS: dict[str, Arguments] = {
    "ready": _SERVER,
    "stale": _SERVER,
    "call_new": _CALL,
    "call_ringing": _CALL,
    "call_queued": _CALL,
    "call_up": _CALL,
    "call_held": _CALL,
    "call_transferred": ("model", "call", "how"),
    "call_ended": _CALL,
    "queue_joined": _CALLER,
    "queue_left": _CALLER,
    "queue_abandoned": _CALLER,
    "member_changed": ("model", "queue", "member"),
    "endpoint_changed": ("model", "endpoint"),
}

SNAPSHOT_VERSION = 1


class Recorded(Protocol):
    """A line of a recording: see :class:`ami_client.testing.recording.Record`."""

    @property
    def time(self) -> float:
        """Seconds since the start."""

    @property
    def source(self) -> str:
        """``server`` or ``client``."""

    @property
    def data(self) -> bytes:
        """The bytes of a packet."""


class Model(EventHandlers):
    """The current channels, bridges, calls, queues and endpoints of every server.

    ``source`` is a pool, or an object with ``on`` and ``unbind`` whose handlers get ``(source, packet)``. With None,
    the model is fed by hand. ``calls``, ``queues`` and ``endpoints`` select the parts that you want; events that only
    the other parts need are not even parsed. ``clock`` returns Unix time in seconds.

    The model does not connect; call :meth:`Pool.get_connection` for that. The user that logs in needs the classes call,
    agent, dialplan and system for reading, and system and reporting for writing.
    """

    def __init__(
        self,
        source: Optional[Union[Pool, Handlers]] = None,
        *,
        calls: bool = True,
        queues: bool = True,
        endpoints: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._wanted = (calls, queues, endpoints)
        self._clock = clock
        self._pictures: dict[str, Picture] = {}
        self._changes: weakref.WeakSet[Changes] = weakref.WeakSet()
        self._pool = source if isinstance(source, Pool) else None
        self._tasks = None if self._pool is None else self._pool._tasks  # so handlers may be coroutine functions too
        self._sync = self._bind_to(source)
        pictures = self._pictures
        #: Channels by name.
        self.channels = Shown(pictures, lambda one: one.calls.names, lambda one: one.name, LiveChannel.record)
        #: Bridges by id.
        self.bridges = Shown(pictures, lambda one: one.calls.bridges, lambda one: one.id, LiveBridge.record)
        #: Calls by id, which is Asterisk's Linkedid.
        self.calls = Shown(pictures, lambda one: one.calls.calls, lambda one: one.id, LiveCall.record)
        #: Queues by name.
        self.queues = Shown(pictures, lambda one: one.queues.queues, lambda one: one.name, LiveQueue.record)
        #: Endpoints by device: ``PJSIP/alice``.
        self.endpoints = Shown(pictures, lambda one: one.endpoints.endpoints, lambda one: one.name, _as_it_is)

    def __repr__(self) -> str:
        return f"<Model of {len(self._pictures)} servers, {len(self.calls)} calls>"

    def _bind_to(self, source: Optional[Union[Pool, Handlers]]) -> Union[PoolSync, EventSync, None]:
        if source is None:
            return None
        events = list(self._new_picture("").events)
        if not isinstance(source, Pool):
            return EventSync(self, source, events)
        lists = [actions for wanted, actions in zip(self._wanted, (OF_CALLS, OF_QUEUES, OF_ENDPOINTS)) if wanted]
        return PoolSync(self, source, events, [action for actions in lists for action in actions])

    # -- state

    @property
    def servers(self) -> Mapping[str, Server]:
        """The servers that the model knows, by URL without the secret, and whether its data of each is up to date."""
        return {name: picture.server for name, picture in self._pictures.items()}

    def snapshot(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON: see :doc:`the page on the model <model>`."""
        return {
            "version": SNAPSHOT_VERSION,
            "time": self._clock(),
            "servers": [as_data(one) for one in self.servers.values()],
            "calls": [as_data(one) for one in self.calls.all()],
            "queues": [as_data(one) for one in self.queues.all()],
            "endpoints": [as_data(one) for one in self.endpoints.all()],
            "channels": [as_data(one) for one in self.channels.all()],
            "bridges": [as_data(one) for one in self.bridges.all()],
        }

    # -- changes

    def _resolve(self, names: Names) -> list[str]:
        return [one for name in super()._resolve(names) for one in _known(name)]

    def _arguments_of(self, name: str) -> Arguments:
        return EVENTS[name]

    def changes(self, limit: int = 10_000) -> Changes:
        """Return an iterator over all changes from now on, for ``async for``: see :class:`~ami_client.model.Change`.

        ``limit`` is how many changes wait for a slow reader. Further ones are counted and reported as a ``gap``. It
        works if the pool's loop is asyncio's or uvloop's. Raises RuntimeError on a :class:`Reactor`.
        """
        from .changes import Changes

        if self._pool is not None and isinstance(self._pool.reactor, Reactor):
            raise RuntimeError("changes() needs asyncio's loop: Pool(reactor=asyncio.get_running_loop())")
        changes = Changes(limit)
        self._changes.add(changes)
        return changes

    def tell(self, name: str, *args: object) -> None:
        """Call handlers and feed iterators. The model calls this itself."""
        if self.listeners(name):
            self.event(name, *args)
        if self._changes:
            from .changes import Change

            for changes in list(self._changes):
                changes.put(Change(name, args))

    def close(self) -> None:
        """Stop listening to the source. The data stays as it is, and iterators end."""
        if self._sync is not None:
            self._sync.close()
        for changes in list(self._changes):
            changes.close()
        self._changes.clear()

    # -- by hand

    def follow(self, conn: Connection) -> None:
        """Fetch the lists of a connection that logged in before the model was created. Later ones need no call.

        Raises RuntimeError for a model that is not bound to a pool.
        """
        if not isinstance(self._sync, PoolSync):
            raise RuntimeError("this model has no pool, so it cannot follow a connection: use Model(pool)")
        self._sync.follow(conn)

    def feed(self, server: str, event: Event, when: Optional[float] = None) -> None:
        """Apply an event of a server: a packet, a mapping of headers, or pairs. Irrelevant events are ignored.

        ``when`` is the event's Unix time; the default is now. Events may begin in the middle of calls, as recordings
        do: what they say of channels that began earlier is accepted.
        """
        self.picture(server).feed(as_packet(event), self.now() if when is None else when)

    def play(self, records: Iterable[Recorded], server: str = "recording", start: float = 0.0) -> None:
        """Feed the events of a recording: ``model.play(Recording.load(path).records)``.

        ``start`` is the Unix time of the recording's beginning.
        """
        for record in records:
            if record.source == "server" and record.data:
                self.feed(server, Packet.parse(record.data.rstrip(b"\r\n"), fold_case=False), start + record.time)

    def lose(self, server: str, when: Optional[float] = None) -> None:
        """Mark a server that is fed by hand as stale, because its link is lost."""
        self.picture(server).set_state(STALE, self.now() if when is None else when)
        self.tell("stale", server)

    def forget(self, server: str, when: Optional[float] = None) -> None:
        """Remove a server. Its calls end with the reason ``lost``."""
        picture = self._pictures.get(server)
        if picture is not None:
            picture.end_all(self.now() if when is None else when)
            self._pictures.pop(server, None)

    def picture(self, server: str) -> Picture:
        """Return the picture of a server. It is created at first use. The model calls this itself."""
        picture = self._pictures.get(server)
        if picture is None:
            picture = self._pictures[server] = self._new_picture(server)
        return picture

    def _new_picture(self, server: str) -> Picture:
        return Picture(server, self.tell, self.now(), *self._wanted)

    def now(self) -> float:
        """Return the clock's time. The model calls this itself."""
        return self._clock()


def _known(name: str) -> list[str]:
    """Return the model's events with that name, or that match a glob."""
    found = fnmatch.filter(EVENTS, name)
    if not found:
        raise ValueError(f"the model has no event {name!r}; its events are {', '.join(EVENTS)}")
    return found


def _as_it_is(endpoint: Endpoint) -> Endpoint:
    return endpoint
