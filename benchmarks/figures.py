"""From runs to figures: medians, ratios within a round, and the targets."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from .imports import ImportTimes
from .running import Run

REFERENCE = "panoramisk"

#: By work, our client and another on the same loop: how many times as fast we are to be, per second of processor time.
RATIOS = {
    ("a", "ours", REFERENCE): 3.6,
    ("b", "ours", REFERENCE): 10.0,
    ("c", "ours", REFERENCE): 10.0,
    ("d1", "ours-uvloop", "panoramisk-uvloop"): 2.0,
    ("d100", "ours", REFERENCE): 5.5,
    ("p", "ours-blocking", "asterisk-ami"): 1.0,
    ("w1", "ours-await", REFERENCE): 1.3,
    ("w100", "ours-await", REFERENCE): 1.5,
    ("s", "ours-await", REFERENCE): 2.0,
    ("e", "ours", REFERENCE): 6.0,
    ("f1", "ours-uvloop", "panoramisk-uvloop"): 1.5,
    ("f1", "ours", "asterisk-ami"): 1.0,
    ("f1000", "ours-uvloop", "panoramisk-uvloop"): 1.5,
    ("l10k", "ours", "asterisk-ami"): 1.0,
}
#: By work and what was late: which part of the best other client's microseconds we may take at most.
LATENCIES = {("l10k", "event p99"): 0.7, ("lburst", "event p99"): 1 / 3, ("lburst", "ping p99"): 1 / 3}
MOST_PER_CONNECTION = 20 * 1024  # bytes
LONGEST_IMPORT = 0.040  # seconds over a bare Python
# What grows with the connections would be a hundred times as much on a hundred times as many; the caches, which hold
# ten connections and not a thousand, make half as much again.
LINEAR = 2.0
FLAT = 4 << 20  # bytes that memory may grow while events without end are handled


@dataclass(frozen=True)
class Spread:
    """A median, and what it is the median of."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of some values."""
        return cls(statistics.median(values), min(values), max(values))


class Figures:
    """The runs of a benchmark, those that failed left out."""

    def __init__(self, runs: Sequence[Run], imports: Mapping[str, ImportTimes]) -> None:
        self.imports = imports
        self._runs = {(run.work, run.client, run.round): run for run in runs if not run.failure}

    def of(self, work: str, client: str) -> list[Run]:
        """The runs of a client, by round."""
        return [run for (w, c, _), run in sorted(self._runs.items()) if (w, c) == (work, client)]

    def median(self, work: str, client: str, value: Callable[[Run], float]) -> float:
        """The median of a figure; a client without runs raises StatisticsError."""
        return statistics.median(map(value, self.of(work, client)))

    def ratio(self, work: str, client: str, to_work: str, to_client: str) -> Optional[Spread]:
        """How many times as many units per second of processor time; None if no round has both."""
        ratios = [
            run.per_cpu_second / self._runs[to_work, to_client, run.round].per_cpu_second
            for run in self.of(work, client)
            if (to_work, to_client, run.round) in self._runs
        ]
        return Spread.of(ratios) if ratios else None


@dataclass(frozen=True)
class Target:
    """Something to reach: what it is, what was measured, and whether that is enough."""

    work: str
    text: str
    measured: str
    met: bool


def targets(figures: Figures) -> list[Target]:
    """Those that there are figures for."""
    found = [
        _at_least(work, f"{ours}: {least:g} times {other}", least, figures.ratio(work, ours, work, other))
        for (work, ours, other), least in RATIOS.items()
    ]
    found.insert(1, _flat(figures))
    found += [_soon(figures, work, what, most) for (work, what), most in LATENCIES.items()]
    slower = figures.ratio("f10", "ours", "f1000", "ours")
    if slower:
        text = f"an event costs at most {LINEAR:g} times as much on 1,000 connections as on 10"
        found.append(Target("f", text, f"{slower.median:.2f} times", slower.median <= LINEAR))
    if figures.of("g", "ours"):
        size = figures.median("g", "ours", lambda run: run.result.connection_bytes)
        text = f"at most {MOST_PER_CONNECTION >> 10} KiB per idle connection"
        found.append(Target("g", text, f"{size / 1024:.1f} KiB", size <= MOST_PER_CONNECTION))
    if "ours" in figures.imports:
        wall, _ = figures.imports["ours"].medians
        text = f"import in at most {LONGEST_IMPORT * 1000:.0f} ms"
        found.append(Target("h", text, f"{wall * 1000:.1f} ms", wall <= LONGEST_IMPORT))
    return [target for target in found if target is not None]


def _at_least(work: str, text: str, least: float, ratio: Optional[Spread]) -> Optional[Target]:
    return None if ratio is None else Target(work, text, f"{ratio.median:.2f} times", ratio.median >= least)


def _soon(figures: Figures, work: str, what: str, most: float) -> Optional[Target]:
    def late(client: str) -> list[float]:
        return [run.result.latency[what] for run in figures.of(work, client) if what in run.result.latency]

    ours = late("ours")
    others = [statistics.median(late(client)) for client in (REFERENCE, "asterisk-ami") if late(client)]
    if not ours or not others:
        return None
    part = statistics.median(ours) / min(others)
    return Target(work, f"{what} at most {most:.2f} of the best other one's", f"{part:.2f}", part <= most)


def _flat(figures: Figures) -> Optional[Target]:
    if not figures.of("a", "ours"):
        return None
    grown = figures.median("a", "ours", lambda run: run.result.peak_rss - run.result.warm_rss)
    return Target("a", "memory does not grow with the stream", f"{grown / (1 << 20):.1f} MiB more", grown < FLAT)
