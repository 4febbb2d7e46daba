"""The works: what the clients are given to do, how much of it, and who cannot do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .clients.common import Job
from .expected import Expected
from .server import LIST_ENTRIES

# A client on another loop, or used in another way, does some of the works only.
VARIANTS = {
    "ours-asyncio": "ours",
    "ours-uvloop": "ours",
    "ours-await": "ours",
    "ours-await-uvloop": "ours",
    "ours-blocking": "ours",
    "panoramisk-uvloop": "panoramisk",
}
NOT_PYTHON = ("asterisk-manager", "goami2")
PEERS = ("panoramisk", "asterisk-ami", "pyst2", "pystrix", "pyami-asterisk", *NOT_PYTHON)
CLIENTS = ("ours", *VARIANTS, *PEERS, "floor")
VERSIONS = {
    "panoramisk": "1.4",
    "asterisk-ami": "0.1.7",
    "pyst2": "0.5.1",
    "pystrix": "1.3.0",
    "pyami-asterisk": "1.5.2",
    "asterisk-manager": "0.2.0",
    "goami2": "1.7.7",
}
NAMES = {
    "ours": "ami_client",
    "ours-asyncio": "ami_client on asyncio",
    "ours-uvloop": "ami_client on uvloop",
    "ours-await": "ami_client.aio",
    "ours-await-uvloop": "ami_client.aio on uvloop",
    "ours-blocking": "ami_client.blocking",
    **{client: f"{client} {version}" for client, version in VERSIONS.items()},
    "panoramisk-uvloop": "panoramisk on uvloop",
    "floor": "receive and split only",
}
PYTHON_CLIENTS = tuple(client for client in CLIENTS if client not in NOT_PYTHON)

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
        names, depth, connections, seconds, rate, burst, traced: as in :class:`Job`.
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
    rate: float = 0
    burst: int = 1
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
            rate=self.rate,
            burst=self.burst,
            traced=self.traced,
        )


_ONLY_EVENTS = {"pyami-asterisk": "measured with events alone"}
_WAITS = dict.fromkeys(("pyst2", "pystrix"), "waits for each answer before it sends the next action")
_NO_LISTS = {
    **dict.fromkeys(
        ("asterisk-ami", "pyst2", *NOT_PYTHON),
        "puts no lists together: entries come as events, one by one",
    ),
    "pystrix": "puts lists together only for the actions that it knows",
    **_ONLY_EVENTS,
}
_THREADS = {
    **dict.fromkeys(("asterisk-ami", "pyst2", "pystrix"), "takes threads of its own for each connection"),
    **_ONLY_EVENTS,
}
_NO_CALLS = {
    **dict.fromkeys(("panoramisk", *NOT_PYTHON, "floor"), "has no calls that wait"),
    **_ONLY_EVENTS,
    "ours": "see ami_client.blocking",
}
_NO_AWAIT = {
    **dict.fromkeys(("asterisk-ami", "pyst2", "pystrix", *NOT_PYTHON, "floor"), "has nothing to await"),
    **_ONLY_EVENTS,
    "ours": "see ami_client.aio",
}
_UNPACED = {
    **dict.fromkeys(("pyst2", "pystrix", "asterisk-manager", "floor"), "not measured"),
    **_ONLY_EVENTS,
}
_ON_LOOPS = ("ours", "ours-asyncio", "ours-uvloop")
_PANORAMISKS = ("panoramisk", "panoramisk-uvloop")
_ALL_EVENTS = {
    **dict.fromkeys(_ON_LOOPS, 160_000),
    **dict.fromkeys(_PANORAMISKS, 80_000),
    "asterisk-ami": 100_000,
    "pyst2": 1_500,
    "pystrix": 30_000,
    "pyami-asterisk": 40_000,
    "asterisk-manager": 60_000,
    "goami2": 400_000,
    "floor": 800_000,
}
_TRICKLED = dict.fromkeys((*_ON_LOOPS, *_PANORAMISKS, *NOT_PYTHON, "floor"), 6_000)
_PACED = (*_ON_LOOPS, *_PANORAMISKS, "asterisk-ami", "goami2")
_AWAITED = ("ours-await", "ours-await-uvloop", *_PANORAMISKS)
_IDLE = dict.fromkeys(("ours", "panoramisk", *NOT_PYTHON, "floor"), 1_000)
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
            **dict.fromkeys(_ON_LOOPS, 30_000),
            **dict.fromkeys(_PANORAMISKS, 20_000),
            "asterisk-ami": 40_000,
            "pyst2": 3_000,
            "asterisk-manager": 30_000,
            "goami2": 60_000,
            "floor": 80_000,
        },
        {**_ONLY_EVENTS, "pystrix": "waits for each answer: see plain calls"},
        together=True,
    ),
    Work(
        "d100",
        "pings, 100 in flight",
        "pings",
        "pings",
        {
            **dict.fromkeys(_ON_LOOPS, 120_000),
            **dict.fromkeys(_PANORAMISKS, 40_000),
            "asterisk-ami": 80_000,
            "asterisk-manager": 80_000,
            "goami2": 150_000,
            "floor": 1_000_000,
        },
        {**_WAITS, **_ONLY_EVENTS},
        depth=100,
    ),
    Work(
        "p",
        "plain calls: a Ping, and the thread waits for the answer",
        "pings",
        "calls",
        {"ours-blocking": 20_000, "asterisk-ami": 20_000, "pyst2": 3_000, "pystrix": 1_000},
        _NO_CALLS,
        together=True,
    ),
    *(
        Work(
            f"w{depth}",
            f"pings awaited, {'one' if depth == 1 else depth} in flight",
            "pings",
            "awaits",
            dict.fromkeys(_AWAITED, 20_000),
            _NO_AWAIT,
            depth=depth,
            together=depth == 1,
        )
        for depth in (1, 100)
    ),
    Work(
        "s",
        "a stream of all events",
        "events",
        "stream",
        {**dict.fromkeys(_AWAITED, 60_000), "ours-blocking": 60_000},
        _NO_AWAIT,
    ),
    Work(
        "e",
        f"list answers of {LIST_ENTRIES:,} entries",
        "entries",
        "lists",
        {"ours": 10, "panoramisk": 6, "floor": 100},
        _NO_LISTS,
    ),
    Work(
        "f1",
        "events trickle in on one connection",
        "events",
        "trickle",
        {**_TRICKLED, "asterisk-ami": 6_000},
        {"pyst2": "not measured", "pystrix": "not measured", **_ONLY_EVENTS},
        together=True,
    ),
    *(
        Work(
            f"f{connections}",
            f"events trickle in on {connections:,} connections",
            "events",
            "trickle",
            _TRICKLED,
            {"asterisk-ami": "takes a thread of its own for each connection", **_THREADS},
            connections=connections,
            together=True,
            rounds=3,
        )
        for connections in (10, 100, 1000)
    ),
    *(
        Work(
            f"l{key}",
            title,
            "events",
            "latency",
            dict.fromkeys(_PACED, count),
            _UNPACED,
            rate=rate,
            burst=burst,
        )
        for key, title, count, rate, burst in (
            ("1k", "single events, 1,000 a second", 3_000, 1_000, 1),
            ("10k", "single events, 10,000 a second", 20_000, 10_000, 1),
            ("burst", "bursts of 1,000 events, ten a second", 20_000, 10_000, 1_000),
            ("half", "half of what the client can do, in blocks of 100", 60_000, 0, 100),
        )
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
