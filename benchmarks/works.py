"""The works: what the clients are given to do, how much of it, and who cannot do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .clients.common import Job
from .expected import Expected
from .server import LIST_ENTRIES

CLIENTS = ("ours", "panoramisk", "asterisk-ami", "pyst2", "asterisk-manager", "floor")
VERSIONS = {"panoramisk": "1.4", "asterisk-ami": "0.1.7", "pyst2": "0.5.1", "asterisk-manager": "0.2.0"}
NAMES = {
    "ours": "ami_client",
    **{client: f"{client} {version}" for client, version in VERSIONS.items()},
    "floor": "receive and split only",
}
PYTHON_CLIENTS = ("ours", "panoramisk", "asterisk-ami", "pyst2", "floor")

WARM_UP = 0.1  # of the measured part

#: What a daemon binds that follows calls; all of them occur among the events.
CALL_TRACKING = (
    "Newchannel",
    "Newstate",
    "NewCallerid",
    "NewConnectedLine",
    "DialBegin",
    "DialEnd",
    "BridgeEnter",
    "BridgeLeave",
    "Hold",
    "Unhold",
    "Hangup",
    "OriginateResponse",
)


@dataclass(frozen=True)
class Work:
    """One kind of work.

    Attributes:
        key, title, unit: its short name, what it is, what is counted.
        kind: the runners' function that does it.
        counts: by client, how many units are about a second's work, or more.
        missing: by client, why it does not do this work.
        names, depth, connections, seconds, traced: as in :class:`Job`.
        together: client and server share a processor, for they never work at the same time; see ``machine.py``.
        rounds: at most.
    """

    key: str
    title: str
    unit: str
    kind: str
    counts: Mapping[str, int]
    missing: Mapping[str, str] = field(default_factory=dict)
    names: Sequence[str] = ()
    depth: int = 1
    connections: int = 1
    seconds: float = 0
    traced: bool = False
    together: bool = False
    rounds: int = 100

    @property
    def per_item(self) -> int:
        """Units in one of what :attr:`Job.count` counts."""
        return LIST_ENTRIES if self.kind == "lists" else 1

    def job(self, client: str, port: int, scale: float, expected: Expected) -> Job:
        """What a client is to do, ``scale`` times the usual."""
        count, connections = self.counts[client], self.connections
        if self.kind == "idle":
            count = connections = max(1, round(connections * scale))
        else:
            count = max(self.depth, 1, round(count * scale))
        warm_up = max(self.depth, 1, round(count * WARM_UP))
        return Job(
            kind=self.kind,
            port=port,
            count=count,
            warm_up=warm_up,
            names=tuple(self.names),
            calls=expected.of(self.kind, self.names, count, client)[0],
            warm_up_calls=expected.of(self.kind, self.names, warm_up, client)[0],
            depth=self.depth,
            connections=connections,
            seconds=self.seconds,
            traced=self.traced,
        )


_NO_LISTS = dict.fromkeys(
    ("asterisk-ami", "pyst2", "asterisk-manager"), "puts no lists together: entries come as events, one by one"
)
_THREADS = dict.fromkeys(("asterisk-ami", "pyst2"), "takes threads of its own for each connection")
_ALL_EVENTS = {
    "ours": 160_000,
    "panoramisk": 80_000,
    "asterisk-ami": 100_000,
    "pyst2": 1_500,
    "asterisk-manager": 60_000,
    "floor": 800_000,
}
_TRICKLED = dict.fromkeys(("ours", "panoramisk", "asterisk-manager", "floor"), 6_000)
_IDLE = dict.fromkeys(_TRICKLED, 1_000)
_TRACED = {client: count for client, count in _IDLE.items() if client in PYTHON_CLIENTS}

WORKS = (
    Work("a", "all events to one handler", "events", "events", _ALL_EVENTS),
    Work("b", "one name bound, Hangup", "events", "events", {**_ALL_EVENTS, "ours": 800_000}, names=("Hangup",)),
    Work("c", "twelve names bound", "events", "events", {**_ALL_EVENTS, "ours": 400_000}, names=CALL_TRACKING),
    Work(
        "d1",
        "pings, one in flight",
        "pings",
        "pings",
        {
            "ours": 30_000,
            "panoramisk": 20_000,
            "asterisk-ami": 40_000,
            "pyst2": 3_000,
            "asterisk-manager": 30_000,
            "floor": 80_000,
        },
        together=True,
    ),
    Work(
        "d100",
        "pings, 100 in flight",
        "pings",
        "pings",
        {"ours": 120_000, "panoramisk": 40_000, "asterisk-ami": 80_000, "asterisk-manager": 80_000, "floor": 1_000_000},
        {"pyst2": "waits for each answer before it sends the next action"},
        depth=100,
    ),
    Work(
        "e",
        f"list answers of {LIST_ENTRIES:,} entries",
        "entries",
        "lists",
        {"ours": 10, "panoramisk": 6, "floor": 100},
        _NO_LISTS,
    ),
    *(
        Work(
            f"f{connections}",
            f"events trickle in on {connections:,} connections",
            "events",
            "trickle",
            _TRICKLED,
            _THREADS,
            connections=connections,
            together=True,
            rounds=3,
        )
        for connections in (10, 100, 1000)
    ),
    Work("g", "idle connections", "connections", "idle", _IDLE, _THREADS, connections=1000, seconds=2, rounds=2),
    Work(
        "gt",
        "idle connections, what Python allocates for them",
        "connections",
        "idle",
        _TRACED,
        _THREADS,
        connections=1000,
        traced=True,
        rounds=1,
    ),
)


def chosen(letters: Sequence[str]) -> list[Work]:
    """The works of these keys, or of these first letters of keys. Raises ValueError for one that is none."""
    for letter in letters:
        if not any(letter in (work.key, work.key[0]) for work in WORKS):
            raise ValueError(f"there is no work {letter!r}; there are {', '.join(work.key for work in WORKS)} and h")
    return [work for work in WORKS if work.key in letters or work.key[0] in letters]
