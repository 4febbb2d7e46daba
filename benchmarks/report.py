"""The tables that people read: Markdown, aligned."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Callable, Optional

from .clients.common import PERCENTILES
from .expected import LOST, Expected
from .figures import REFERENCE, Figures, Spread, targets
from .running import Run
from .works import NAMES, NOT_PYTHON, Work

NOTHING = "\N{EN DASH}"


class Report:
    """All tables. ``missing``: by client, why it could not be installed."""

    def __init__(
        self,
        works: Sequence[Work],
        clients: Sequence[str],
        runs: Sequence[Run],
        figures: Figures,
        missing: Mapping[str, str],
        expected: Expected,
    ) -> None:
        self._works = works
        self._clients = clients
        self._figures = figures
        self._missing = missing
        self._expected = expected
        self._failures = {(run.work, run.client): run.failure for run in runs if run.failure}

    def text(self) -> str:
        """All of it."""
        parts = [self._work(work) for work in self._works if work.kind != "idle"]
        if any(work.kind == "idle" for work in self._works):
            parts.append(self._idle([work for work in self._works if work.kind == "idle"]))
        if self._figures.imports:
            parts.append(self._imports())
        met = [[t.work, t.text, t.measured, "met" if t.met else "MISSED"] for t in targets(self._figures)]
        if met:
            parts.append("## Targets\n\n" + table(["work", "target", "ami_client", ""], met))
        return "\n\n".join(parts)

    def _work(self, work: Work) -> str:
        notes = Notes()
        head = ["client", f"{work.unit} / CPU s", f"{work.unit} / s", f"to {REFERENCE}", "server busy", "peak MiB"]
        rows = [self._row(work, client, notes) for client in self._clients if client in {*work.counts, *work.missing}]
        if work.kind == "latency":
            head, rows = self._latency(work)
        title = f"## ({work.key}) {work.title}"
        if work.names:
            title += f": {self._expected.share(work.names):.0%} of the events"
        return "\n".join([title, "", table(head, rows), *notes.lines()])

    def _row(self, work: Work, client: str, notes: Notes) -> list[str]:
        name = self._name(work, client, notes)
        runs = self._figures.of(work.key, client)
        if not runs:
            return [name, *[NOTHING] * 5]
        median = self._figures.median
        return [
            name,
            f"{median(work.key, client, lambda run: run.per_cpu_second):,.0f}",
            f"{median(work.key, client, lambda run: run.per_second):,.0f}",
            _ratio(self._figures.ratio(work.key, client, work.key, REFERENCE)),
            f"{median(work.key, client, lambda run: run.server_busy):.0%}",
            f"{max(run.result.peak_rss for run in runs) / (1 << 20):.0f}",
        ]

    def _latency(self, work: Work) -> tuple[list[str], list[list[str]]]:
        """The head and the rows of a work in which time on the clock counts, in microseconds."""
        late = [f"{what} {name}" for what in ("event", "ping") for name in PERCENTILES]
        clients = [client for client in self._clients if self._figures.of(work.key, client)]
        median = self._figures.median
        rows = [
            [
                NAMES[client],
                f"{median(work.key, client, lambda run: 1e6 / run.per_cpu_second):.1f}",
                *(self._late(work, client, one) for one in late),
            ]
            for client in clients
        ]
        return ["client", "CPU us / event", *(f"{one}, us" for one in late)], rows

    def _late(self, work: Work, client: str, what: str) -> str:
        late = [run.result.latency[what] for run in self._figures.of(work.key, client) if what in run.result.latency]
        return f"{statistics.median(late):,.0f}" if late else NOTHING

    def _idle(self, works: Sequence[Work]) -> str:
        notes = Notes()
        rows = []
        for client in [one for one in self._clients if one in {*works[0].counts, *works[0].missing}]:
            row = [self._name(works[0], client, notes)]
            row += [self._median(work, client, lambda run: run.result.connection_bytes / 1024) for work in works]
            row.append(
                self._median(works[0], client, lambda run: run.result.cpu_seconds * 1000 / run.result.wall_seconds)
            )
            rows.append(row)
        units = {False: "KiB resident / connection", True: "KiB allocated / connection"}
        head = ["client", *(units[work.traced] for work in works), "CPU ms / s"]
        title = f"## ({works[0].key[0]}) idle connections"
        return "\n".join([title, "", table(head, rows), *notes.lines()])

    def _median(self, work: Work, client: str, value: Callable[[Run], float]) -> str:
        if not self._figures.of(work.key, client):
            return NOTHING
        return f"{self._figures.median(work.key, client, value):.1f}"

    def _imports(self) -> str:
        rows = []
        for client, times in self._figures.imports.items():
            wall, cpu = times.medians
            rows.append([NAMES[client], f"{wall * 1000:.1f}", f"{cpu * 1000:.1f}"])
        return "## (h) import, over a bare Python\n\n" + table(["client", "ms", "CPU ms"], rows)

    def _name(self, work: Work, client: str, notes: Notes) -> str:
        failure = self._failures.get((work.key, client))
        note = self._missing.get(client) or (f"failed: {failure}" if failure else work.missing.get(client, ""))
        if client in LOST and work.kind == "events" and not note:
            lost = self._expected.share(()) - self._expected.share((), client)
            note = f"never sees {lost:.1%} of the events, {LOST[client]}"
        if client == "pyst2" and work.kind == "events" and not note:
            note = "the ChanVariable headers are left out for it, the first of which ends its parser on Python 3"
        if client in (*NOT_PYTHON, "floor") and work.kind == "idle" and not note:
            note = "sends no pings; the other ones do, each connection one in two seconds"
        return NAMES[client] + notes.mark(note)


class Notes:
    """The footnotes of a table."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def mark(self, text: str) -> str:
        """What stands where the note belongs."""
        if not text:
            return ""
        if text not in self._texts:
            self._texts.append(text)
        return f" [{self._texts.index(text) + 1}]"

    def lines(self) -> Iterator[str]:
        """The notes, behind an empty line."""
        for number, text in enumerate(self._texts, 1):
            yield f"{'' if number > 1 else chr(10)}[{number}] {text}  "


def _ratio(ratio: Optional[Spread]) -> str:
    return f"{ratio.median:.2f} ({ratio.least:.2f}{NOTHING}{ratio.most:.2f})" if ratio else NOTHING


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table: the first column to the left, all others to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows)]
    rule = ["-" * (width - 1) + (":" if number else "-") for number, width in enumerate(widths)]

    def line(cells: Sequence[str]) -> str:
        texts = [
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(cells, widths))
        ]
        return f"| {' | '.join(texts)} |"

    return "\n".join(map(line, [head, rule, *rows]))
