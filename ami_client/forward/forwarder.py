"""The forwarder: publishes a pool's events to a broker."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Callable, Optional, Union

from ..connection import Connection
from ..filters import Where
from ..packet import Packet
from ..pool import Pool
from .broker import BEAT, LEASE, Broker, Busy, Message, NotMine
from .envelope import Numbering, check_name, default_name, route_of, time_of
from .link import BrokerThread
from .outbox import Outbox, Spool

logger = logging.getLogger("ami_client")

#: Messages that are confirmed together.
BATCH = 1000
#: Seconds that messages wait for more messages, so that a batch pays off.
_LINGER = 0.001
#: Seconds after which a forwarder on standby discards what it could not publish. After a restart, a forwarder may be on
#: standby for its own previous process, until that lease expires.
_DISCARD = 10.0


class Role(Enum):
    """The role of a forwarder. The value is for logs and metrics."""

    UNKNOWN = "unknown"  # not known yet: events are kept
    ACTIVE = "active"  # it publishes
    STANDBY = "standby"  # another one publishes: events are not kept


@dataclass
class ForwarderStats:
    """Counters of a forwarder.

    Attributes:
        queued: messages that wait for the broker's confirmation, including those in the spool.
        spooled: how many of them are in the spool.
        published: messages that the broker has confirmed.
        gaps: gaps that were published.
        overflowed: events for which there was no room.
        discarded: messages that were discarded because another forwarder had taken over.
        lag: age of the oldest waiting message, in seconds; 0 if there is none.
        role: ``active``, ``standby`` or ``unknown``.
    """

    queued: int = 0
    spooled: int = 0
    published: int = 0
    gaps: int = 0
    overflowed: int = 0
    discarded: int = 0
    lag: float = 0.0
    role: str = Role.UNKNOWN.value

    @property
    def active(self) -> bool:
        """Whether the role is ``active``."""
        return self.role == Role.ACTIVE.value


class Feed:
    """The messages of one epoch. Events without room in the outbox are counted, and reported later as a gap."""

    def __init__(self, server: str, outbox: Outbox, stats: ForwarderStats, clock: Callable[[], float]) -> None:
        epoch = f"{int(clock() * 1000):x}-{secrets.token_hex(4)}"  # sorts by time
        self._numbering = Numbering(server, epoch)
        self._channel = f"events.{server}"
        self._outbox = outbox
        self._stats = stats
        self._clock = clock
        self._missed = 0

    def event(self, packet: Packet) -> bool:
        """Put an event into the outbox. Return False if there is no room."""
        if not self._outbox.has_room or (self._missed and not self.tell_missed()):
            self._missed += 1
            self._stats.overflowed += 1
            return False
        body = self._numbering.event(packet, self._clock())
        self._outbox.add(Message(self._channel, route_of(packet), body), force=True)
        return True

    def tell_missed(self) -> bool:
        """Put the gap of missed events into the outbox, if there is room for it and one more event."""
        if self._missed and len(self._outbox) + 1 < self._outbox.limit:
            self._gap(self._missed, "overflow")
            self._missed = 0
        return not self._missed

    def gap(self, reason: str) -> None:
        """Put a gap of unknown size into the outbox, even without room, because there are only a few."""
        if self._missed:
            self._gap(self._missed, "overflow")
            self._missed = 0
        self._gap(None, reason)

    def _gap(self, count: Optional[int], reason: str) -> None:
        self._stats.gaps += 1
        body = self._numbering.gap(count, reason, self._clock())
        self._outbox.add(Message(self._channel, "gap", body), force=True)


class Forwarder:
    """Publishes the events of a pool's servers.

    ::

        forwarder = Forwarder(pool, RedisStream("redis://bus"), events=["hangup", "queue*"], server="pbx1")
        forwarder.start()

    It listens to one connection of each server. The program opens that connection, and ``Pool(reconnect=...)`` keeps it
    open. A thread talks to the broker, so a slow broker delays nothing else.

    If several forwarders have the same servers, one is active. The others are on standby, and one of them takes over if
    the active one is gone, hangs or has lost its servers.

    Arguments:
        broker: the destination, for example :class:`RedisStream`.
        events: names of events, or globs. The default is all events.
        server: the server's name, or a mapping of URL to name, with URLs as passed to ``get_connection``. The default
            is host and port, with ``-`` for everything but letters and digits.
        name: the common name of the active forwarder and those on standby. The default is made from the servers' names.
        limit: how many messages may wait for the broker. Further events are counted and reported as a gap.
        spool: a file that preserves waiting messages if the program crashes.
        where: which events, as in :meth:`~ami_client.EventHandlers.bind`.

    Raises ValueError or TypeError for invalid arguments.
    """

    def __init__(
        self,
        pool: Pool,
        broker: Broker,
        *,
        events: Iterable[str] = ("*",),
        server: Union[str, Mapping[str, str], None] = None,
        name: Optional[str] = None,
        limit: int = 50_000,
        spool: Union[str, Path, None] = None,
        where: Optional[Where] = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if isinstance(limit, bool) or not isinstance(limit, int):
            raise TypeError(f"limit must be a whole number, not {type(limit).__name__}")
        if limit < 2:
            raise ValueError("limit must be at least 2")
        if isinstance(events, str):
            raise TypeError("events must be a sequence of names")
        names = [server] if isinstance(server, str) else sorted((server or {}).values())
        for one in names:
            check_name(one, "server")
        self._name = check_name(name or "-".join(names)[:64] or "all", "name")
        self._pool = pool
        self._server = server
        self._patterns = ["event" if one == "*" else f"event_{one.lower()}" for one in events]
        self._where = where
        self._limit = limit
        self._spool = spool
        self._clock = clock
        self._counts = ForwarderStats()
        self._outbox = Outbox(limit)
        self._links: dict[str, Connection] = {}  # by URL: the connection whose events are forwarded
        self._feeds: dict[str, Feed] = {}  # by URL, unless another forwarder is active
        self._known: dict[str, str] = {}  # URL -> name, for all servers that were ever linked
        self._last: Optional[Packet] = None
        self._role = Role.UNKNOWN
        self.has_inherited = False  # the spool has messages of an earlier process
        self._publisher = _Publisher(self, broker)

    @property
    def stats(self) -> ForwarderStats:
        """A copy of the current counters. May be read from any thread."""
        stats = replace(self._counts, queued=len(self._outbox), spooled=self._outbox.spooled, role=self._role.value)
        oldest = self._publisher.oldest
        if stats.queued and oldest is not None:
            stats.lag = max(0.0, self._clock() - oldest)
        return stats

    @property
    def name(self) -> str:
        """The common name of this forwarder and those on standby for it."""
        return self._name

    def start(self) -> None:
        """Start forwarding. Raises OSError if the spool cannot be used."""
        if self._spool is not None:
            self._outbox = Outbox(self._limit, Spool(self._spool))
            self.has_inherited = len(self._outbox) > 0
        self._pool.bind(self._patterns, self._event, where=self._where)
        self._pool.bind("login", self._login)
        self._pool.bind("disconnect", self._disconnect)
        self._publisher.start()

    def close(self, timeout: float = 5.0) -> None:
        """Stop: publish waiting messages, for up to ``timeout`` seconds, and let another forwarder take over.

        This blocks. Unpublished messages remain in the spool, or are lost without one.
        """
        self._pool.unbind(self._patterns, self._event)
        self._pool.unbind("login", self._login)
        self._pool.unbind("disconnect", self._disconnect)
        for url in list(self._links):
            self._unlink(url)
        self._publisher.stop(timeout)
        self._outbox.close()

    # -- on the loop

    def _event(self, conn: Connection, packet: Packet) -> None:
        if packet is self._last:  # several patterns match
            return
        self._last = packet
        if self._links.get(conn.url) is not conn and not self._link(conn):
            return
        feed = self._feeds.get(conn.url)
        if feed is not None and feed.event(packet):
            self._publisher.wake()

    def _login(self, conn: Connection, packet: Packet) -> None:
        self._link(conn)

    def _link(self, conn: Connection) -> bool:
        """Listen to the connection, unless another connection to its server is used."""
        url = conn.url
        if url in self._links or not conn.connected:
            return False
        is_new = url not in self._known
        name = self._known.get(url) or self._name_of(conn)
        if not name:
            return False
        self._known[url] = name
        self._links[url] = conn
        if self._role is not Role.STANDBY:
            self._begin(url, "start" if is_new else "back")
        return True

    def _name_of(self, conn: Connection) -> str:
        name = self._server.get(conn.url) if isinstance(self._server, Mapping) else self._server
        name = name or default_name(conn.host, conn.port)
        if name in self._known.values():
            logger.error("forwarder %s: not forwarding %s: another server has the name %r", self._name, conn, name)
            return ""
        return name

    def _disconnect(self, conn: Connection) -> None:
        if self._links.get(conn.url) is conn:
            self._unlink(conn.url)

    def _unlink(self, url: str) -> None:
        del self._links[url]
        feed = self._feeds.pop(url, None)
        if feed is not None:
            feed.gap("lost")
            self._publisher.wake()

    def _begin(self, url: str, reason: str) -> None:
        self._feeds[url] = Feed(self._known[url], self._outbox, self._counts, self._clock)
        self._feeds[url].gap(reason)
        self._publisher.wake()

    def _set_role(self, role: Role) -> None:
        """Handle a new role of the publisher."""
        before, self._role = self._role, role
        logger.info("forwarder %s: %s", self._name, role.value)
        if role is Role.STANDBY:
            self._feeds.clear()
        elif before is Role.STANDBY:
            for url in self._links:
                self._begin(url, "takeover")
        self._publisher.wake()

    def _tell_missed(self) -> None:
        """Handle that the outbox has room again."""
        for feed in self._feeds.values():
            feed.tell_missed()
        self._publisher.wake()

    # -- for the publisher's thread

    @property
    def is_linked(self) -> bool:
        """Whether any server is connected."""
        return bool(self._links)

    @property
    def stands_by(self) -> bool:
        """Whether the outbox gets no more messages because another forwarder is active."""
        return self._role is Role.STANDBY


class _Publisher(BrokerThread):
    """Publishes messages from a forwarder's outbox."""

    def __init__(self, forwarder: Forwarder, broker: Broker) -> None:
        super().__init__(broker, f"forwarder {forwarder.name}")
        self._forwarder = forwarder
        self._role = Role.UNKNOWN
        self._next_share = 0.0
        self._discard_at = float("inf")
        self._holds = False  # whether this connection may publish
        self._is_busy = False  # whether the broker takes nothing for now
        self._patient_until = 0.0
        self._head_start = 0.0  # seconds that a forwarder on standby leaves to the active one
        self.oldest: Optional[float] = None  # time of the oldest waiting message

    def opened(self) -> None:
        now = time.monotonic()
        self._next_share = now + self._head_start
        # A broker may take its time to notice that the connection before this one is gone.
        self._patient_until = now + LEASE if self._role is Role.ACTIVE else now

    def lost(self) -> None:
        self._holds = self._is_busy = False
        self._head_start = LEASE / 2 if self._role is Role.STANDBY else 0.0

    def away(self) -> None:
        self._forwarder._outbox.store()

    def is_done(self) -> bool:
        return self._role is Role.STANDBY or not len(self._forwarder._outbox)

    def turn(self) -> None:
        now = time.monotonic()
        if self._forwarder.stands_by and now >= self._discard_at:
            self._discard()
        if now >= self._next_share:
            self._next_share = now + BEAT
            self._share()
        outbox = self._forwarder._outbox
        if self._holds and len(outbox):
            self._publish(outbox)
        else:
            outbox.store()
            self.pause(max(0.0, self._next_share - time.monotonic()))
            if self._holds and len(outbox) < BATCH:
                time.sleep(_LINGER)

    def _share(self) -> None:
        """Take or keep the active role. A forwarder without servers and without messages leaves it to others."""
        name = self._forwarder.name
        if not self._forwarder.is_linked and not len(self._forwarder._outbox):
            self.broker.share(f"forwarder-{name}", [])
            self._holds = False
            self._become(Role.UNKNOWN)
            return
        self._holds = bool(self.broker.share(f"forwarder-{name}", [name]))
        if self._holds:
            self._become(Role.ACTIVE)
        elif time.monotonic() >= self._patient_until:
            self._become(Role.STANDBY)

    def _become(self, role: Role) -> None:
        if role is self._role:
            return
        self._role = role
        if role is Role.STANDBY:
            self._discard_at = time.monotonic() + (_DISCARD if self._forwarder.has_inherited else 0.0)
        else:
            self._discard_at = float("inf")
        self._on_loop(self._forwarder._set_role, role)

    def _on_loop(self, cb: Callable[..., object], *args: object) -> None:
        with suppress(RuntimeError):  # the loop is closed, and so are all connections
            self._forwarder._pool.reactor.call_soon_threadsafe(cb, *args)

    def _publish(self, outbox: Outbox) -> None:
        batch = outbox.first(BATCH)
        self.oldest = time_of(batch[0].body)
        was_full = not outbox.has_room
        try:
            self.broker.publish(batch)
        except NotMine:
            self._holds = False
            self._become(Role.STANDBY)
            return
        except Busy as error:
            self._set_busy(str(error))
            return
        self._set_busy("")
        self._forwarder.has_inherited = False
        outbox.remove(len(batch))
        self._forwarder._counts.published += len(batch)
        if was_full:
            self._on_loop(self._forwarder._tell_missed)

    def _set_busy(self, reason: str) -> None:
        if reason and not self._is_busy:
            logger.warning("%s: %r takes no messages for now (%s); they are kept", self._what, self.broker, reason)
        elif self._is_busy and not reason:
            logger.info("%s: %r takes messages again", self._what, self.broker)
        self._is_busy = bool(reason)

    def _discard(self) -> None:
        """Discard waiting messages. Another forwarder has published these events, or a gap."""
        self._discard_at = float("inf")
        self._forwarder.has_inherited = False
        count = self._forwarder._outbox.clear()
        self._forwarder._counts.discarded += count
        if count:
            logger.info("%s: discarded %d messages, because another forwarder is active", self._what, count)
