"""Counters of connections and pools."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Optional

from ._record import Record, field, fields
from .errors import Timeout


class Stats(Record, frozen=False):
    """Counters since the start, and gauges of the current state.

    :attr:`Connection.stats` and :attr:`Pool.stats` return copies, which do not change. A pool's counters are the sums
    over all its connections, past and present.
    """

    #: Server events that were not part of an answer.
    events: int = 0
    #: Responses from the server, whether or not anybody asked for them.
    responses: int = 0
    #: Bytes received, after TLS.
    bytes_in: int = 0
    #: Bytes queued for sending, before TLS. Those in ``buffered`` are not sent yet.
    bytes_out: int = 0
    #: Actions in flight or waiting for the login. A gauge.
    pending: int = 0
    #: Bytes that are not sent yet. A gauge.
    buffered: int = 0
    #: Timeouts of actions, logins, connection attempts and silent links.
    timeouts: int = 0
    #: Attempts to open a lost connection again.
    reconnects: int = 0
    #: Logins that the server accepted.
    logins: int = 0
    #: Lines that were not part of any packet or answer.
    malformed: int = 0
    #: Pieces of the stream that were thrown away: malformed lines, late answers, answers to no action.
    dropped: int = 0
    #: Callbacks and handlers that raised, or returned a coroutine or a generator, which nobody runs.
    handler_errors: int = 0
    #: Callbacks and handlers that took longer than ``slow_handler``.
    slow_handlers: int = 0
    #: Calls of coroutine callbacks that had to wait, because ``max_tasks`` earlier ones were running.
    held_calls: int = 0
    #: List answers that may have lost parts.
    suspects: int = 0
    #: Open connections, including those that are not logged in yet. A gauge.
    connections: int = 0
    #: Connections that are logged in. A gauge.
    connected: int = 0
    #: Callbacks that wait for a connection in the pool. A gauge.
    waiting: int = 0
    #: How often each limit was reached, by the option's name (``max_pending``, ...).
    limits: Counter[str] = field(default=Counter())

    def __post_init__(self) -> None:
        self.limits = self.limits.copy()  # each has its own

    def count_error(self, error: Exception) -> None:
        """Count an error of this library if it is a timeout or a reached limit."""
        self.timeouts += isinstance(error, Timeout)
        limit = getattr(error, "limit", "")
        if limit:
            self.limits[limit] += 1

    def add(self, others: Iterable[Stats]) -> None:
        """Add the counts of ``others`` to these."""
        for other in others:
            for name in _NAMES:
                setattr(self, name, getattr(self, name) + getattr(other, name))
            self.limits.update(other.limits)

    def counters(self) -> Stats:
        """Return a copy with the gauges set to 0."""
        return self.replace(**dict.fromkeys(GAUGES, 0))


# How many past servers keep their own counters. A program may use one URL after the other for months.
MAX_PAST = 1000
# Key of the sums over older servers. It cannot clash with a server's name, which contains a colon.
OTHERS = "others"


class PastStats:
    """Counters of servers that are gone, by name. Their number is bounded."""

    def __init__(self) -> None:
        self._by_name: dict[str, Stats] = {}
        self._order: dict[str, None] = {}  # servers in the order in which they left
        self._others: Optional[Stats] = None

    def add(self, name: str, stats: Stats) -> None:
        """Keep the counters of a server that is removed."""
        self._by_name.setdefault(name, Stats()).add([stats.counters()])
        self._order.pop(name, None)
        self._order[name] = None
        if len(self._order) > MAX_PAST:
            oldest = next(iter(self._order))
            del self._order[oldest]
            self._others = self._others or Stats()
            self._others.add([self._by_name.pop(oldest)])

    def items(self) -> list[tuple[str, Stats]]:
        """Return names and counters. The last name may be ``"others"``: all servers without an entry of their own."""
        others = [] if self._others is None else [(OTHERS, self._others)]
        return [*self._by_name.items(), *others]


GAUGES = ("pending", "buffered", "connections", "connected", "waiting")
_NAMES = [one.name for one in fields(Stats) if one.name != "limits"]
