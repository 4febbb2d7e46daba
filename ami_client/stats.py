"""What a connection and a pool have counted. No I/O here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Optional

from .errors import Timeout


@dataclass
class Stats:
    """Counters from the beginning, and gauges, which say how many there are now.

    What :attr:`Connection.stats` and :attr:`Pool.stats` return are copies that change no more. A pool's are the sums
    over all connections that it has had.
    """

    #: Events of the server that were no part of an answer.
    events: int = 0
    #: Responses of the server, whoever they were for.
    responses: int = 0
    #: Bytes received, after TLS.
    bytes_in: int = 0
    #: Bytes given to the connection to send, before TLS; those in ``buffered`` are not sent yet.
    bytes_out: int = 0
    #: Actions in flight, or waiting for the login, whose callback is still to come. A gauge.
    pending: int = 0
    #: Bytes that wait for the server to read. A gauge.
    buffered: int = 0
    #: Actions, logins, attempts to connect and silences that took too long.
    timeouts: int = 0
    #: Attempts to open a lost connection again.
    reconnects: int = 0
    #: Logins that the server accepted.
    logins: int = 0
    #: Lines that were no part of any packet or answer.
    malformed: int = 0
    #: Pieces of the stream that belonged to nobody: such lines, late answers, answers that nobody asked for.
    dropped: int = 0
    #: Callbacks and handlers that raised, or returned a coroutine or a generator, which nobody runs.
    handler_errors: int = 0
    #: Callbacks and handlers that took longer than ``slow_handler``.
    slow_handlers: int = 0
    #: List answers that may have lost parts.
    suspects: int = 0
    #: Connections that are there, logged in or on their way. A gauge.
    connections: int = 0
    #: Connections that are logged in. A gauge.
    connected: int = 0
    #: Callbacks that wait for a connection in the pool. A gauge.
    waiting: int = 0
    #: How often each bound was reached, by the option's name (``max_pending``, ...).
    limits: Counter[str] = field(default_factory=Counter)

    def count_error(self, error: Exception) -> None:
        """Count what an error of ours stands for: a time limit, or a bound."""
        self.timeouts += isinstance(error, Timeout)
        limit = getattr(error, "limit", "")
        if limit:
            self.limits[limit] += 1

    def add(self, others: Iterable[Stats]) -> None:
        """Add the counts of others to these."""
        for other in others:
            for name in _NAMES:
                setattr(self, name, getattr(self, name) + getattr(other, name))
            self.limits.update(other.limits)

    def counters(self) -> Stats:
        """A copy without the gauges."""
        return replace(self, limits=self.limits.copy(), **dict.fromkeys(GAUGES, 0))


# A program may ask for one URL after the other, for months: so many servers that are gone keep counts of their own.
MAX_PAST = 1000
# And what the counts of those that left before them are summed up under; a server's name holds a colon.
OTHERS = "others"


class PastStats:
    """What was counted for servers that are there no more, by name; their number is bounded."""

    def __init__(self) -> None:
        self._by_name: dict[str, Stats] = {}
        self._order: dict[str, None] = {}  # of leaving, the last one at the end
        self._others: Optional[Stats] = None

    def add(self, name: str, stats: Stats) -> None:
        """Keep the counters of a server that leaves."""
        self._by_name.setdefault(name, Stats()).add([stats.counters()])
        self._order.pop(name, None)
        self._order[name] = None
        if len(self._order) > MAX_PAST:
            oldest = next(iter(self._order))
            del self._order[oldest]
            self._others = self._others or Stats()
            self._others.add([self._by_name.pop(oldest)])

    def items(self) -> list[tuple[str, Stats]]:
        """Names and counts; ``"others"``, the last one, stands for all that have no place of their own."""
        others = [] if self._others is None else [(OTHERS, self._others)]
        return [*self._by_name.items(), *others]


GAUGES = ("pending", "buffered", "connections", "connected", "waiting")
_NAMES = [one.name for one in fields(Stats) if one.name != "limits"]
