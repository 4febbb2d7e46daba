"""The model: what is going on now, at all servers of a pool."""

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

#: What the model tells, and what handlers get.
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
    """What is going on now: channels, bridges, calls, queues and endpoints, at every server.

    ``source`` is a pool, or anything with ``on`` and ``unbind`` whose handlers get ``(source, packet)``; None for a
    model that is fed by hand. ``calls``, ``queues`` and ``endpoints`` say what is wanted: events that only the others
    need are not even read. ``clock`` gives Unix time in seconds.

    The model does not connect: :meth:`Pool.get_connection` does. The user who logs in needs the classes call, agent,
    dialplan and system to read, and system and reporting to write.
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
        #: By name.
        self.channels = Shown(pictures, lambda one: one.calls.names, lambda one: one.name, LiveChannel.record)
        #: By id.
        self.bridges = Shown(pictures, lambda one: one.calls.bridges, lambda one: one.id, LiveBridge.record)
        #: By id, which is Asterisk's Linkedid.
        self.calls = Shown(pictures, lambda one: one.calls.calls, lambda one: one.id, LiveCall.record)
        #: By name.
        self.queues = Shown(pictures, lambda one: one.queues.queues, lambda one: one.name, LiveQueue.record)
        #: By device: ``PJSIP/alice``.
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

    # -- what there is

    @property
    def servers(self) -> Mapping[str, Server]:
        """The servers that it has heard of, and whether what it has of them is true, by URL without the secret."""
        return {name: picture.server for name, picture in self._pictures.items()}

    def snapshot(self) -> dict[str, Any]:
        """All of it as plain data, for JSON: see :doc:`the page on the model <model>`."""
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

    # -- what happens

    def _resolve(self, names: Names) -> list[str]:
        return [one for name in super()._resolve(names) for one in _known(name)]

    def _arguments_of(self, name: str) -> Arguments:
        return EVENTS[name]

    def changes(self, limit: int = 10_000) -> Changes:
        """All that is told from now on, for ``async for``: see :class:`~ami_client.model.Change`.

        ``limit`` is how many wait for a loop that is slow; what does not fit is counted and told as a ``gap``. It works
        where the pool's loop is asyncio's or uvloop's. Raises RuntimeError on a :class:`Reactor`.
        """
        from .changes import Changes

        if self._pool is not None and isinstance(self._pool.reactor, Reactor):
            raise RuntimeError("changes() needs asyncio's loop: Pool(reactor=asyncio.get_running_loop())")
        changes = Changes(limit)
        self._changes.add(changes)
        return changes

    def tell(self, name: str, *args: object) -> None:
        """Tell handlers and iterators. The model calls this itself."""
        if self.listeners(name):
            self.event(name, *args)
        if self._changes:
            from .changes import Change

            for changes in list(self._changes):
                changes.put(Change(name, args))

    def close(self) -> None:
        """Listen to the source no more. What is known stays as it is, and iterators end."""
        if self._sync is not None:
            self._sync.close()
        for changes in list(self._changes):
            changes.close()
        self._changes.clear()

    # -- by hand

    def follow(self, conn: Connection) -> None:
        """Ask for the lists of a connection that was logged in before the model was made; others come by themselves.

        Raises RuntimeError for a model that is not bound to a pool.
        """
        if not isinstance(self._sync, PoolSync):
            raise RuntimeError("a model without a pool has no connections: Model(pool)")
        self._sync.follow(conn)

    def feed(self, server: str, event: Event, when: Optional[float] = None) -> None:
        """Apply an event of a server: a packet, a mapping of headers, or pairs. What is no event of use is ignored.

        ``when`` is when it came, Unix time; the default is now. Recordings may begin anywhere: what events say of
        channels that began before is believed.
        """
        self.picture(server).feed(as_packet(event), self.now() if when is None else when)

    def play(self, records: Iterable[Recorded], server: str = "recording", start: float = 0.0) -> None:
        """Feed the events of a recording: ``model.play(Recording.load(path).records)``.

        ``start`` is the Unix time of its beginning.
        """
        for record in records:
            if record.source == "server" and record.data:
                self.feed(server, Packet.parse(record.data.rstrip(b"\r\n"), fold_case=False), start + record.time)

    def lose(self, server: str, when: Optional[float] = None) -> None:
        """Note that the link to a server that is fed by hand is lost: it is stale."""
        self.picture(server).set_state(STALE, self.now() if when is None else when)
        self.tell("stale", server)

    def forget(self, server: str, when: Optional[float] = None) -> None:
        """Forget a server: its calls end, with the reason ``lost``."""
        picture = self._pictures.get(server)
        if picture is not None:
            picture.end_all(self.now() if when is None else when)
            self._pictures.pop(server, None)

    def picture(self, server: str) -> Picture:
        """The picture of a server, made at first use. The model calls this itself."""
        picture = self._pictures.get(server)
        if picture is None:
            picture = self._pictures[server] = self._new_picture(server)
        return picture

    def _new_picture(self, server: str) -> Picture:
        return Picture(server, self.tell, self.now(), *self._wanted)

    def now(self) -> float:
        """The clock's time. The model calls this itself."""
        return self._clock()


def _known(name: str) -> list[str]:
    """The events of that name, or that a glob means."""
    found = fnmatch.filter(EVENTS, name)
    if not found:
        raise ValueError(f"the model has no event {name!r}; it has {', '.join(EVENTS)}")
    return found


def _as_it_is(endpoint: Endpoint) -> Endpoint:
    return endpoint
