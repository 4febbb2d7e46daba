"""``python -m benchmarks``: our client and its peers on the same work, by turns. See README.md."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.load.replay import genuine_events

from .chart import chart
from .expected import Expected
from .figures import Figures, targets
from .imports import TIMES, import_times
from .install import InstallFailed, install
from .machine import Processors, allow_descriptors, facts
from .report import Report
from .running import Bench, Run
from .server import BenchServer
from .works import CLIENTS, WORKS, chosen

IMPORTS = "h"


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """What the command line says; ``works`` and ``clients`` are lists."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Our client and its peers on the same work.")
    keys = ", ".join(dict.fromkeys(work.key[0] for work in WORKS))
    parser.add_argument("--rounds", type=int, default=5, help="how often all is done (default: %(default)s)")
    parser.add_argument("--works", default=f"{keys},{IMPORTS}", help=f"some of {keys}, {IMPORTS}, with commas")
    parser.add_argument("--clients", default=",".join(CLIENTS), help="some of %(default)s")
    parser.add_argument("--scale", type=float, default=1, help="0.1 for a tenth of the work: a quick look")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured, and on which machine")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write a chart")
    parser.add_argument("--check", action="store_true", help="a target that is missed counts as a failure")
    given = parser.parse_args(argv)
    given.clients = [client.strip() for client in given.clients.split(",")]
    given.works = [letter.strip() for letter in given.works.split(",")]
    for client in given.clients:
        if client not in CLIENTS:
            parser.error(f"there is no client {client!r}; there are {', '.join(CLIENTS)}")
    try:
        chosen([letter for letter in given.works if letter != IMPORTS])
    except ValueError as error:
        parser.error(str(error))
    if given.rounds < 1 or given.scale <= 0:
        parser.error("nothing would be done")
    return given


def main(argv: Sequence[str]) -> int:
    """Install, measure and report. Returns 0, or 1 if anything could not be measured."""
    given = arguments(argv)
    works = chosen([letter for letter in given.works if letter != IMPORTS])
    try:
        installed = install(given.clients)
    except InstallFailed as error:
        print(f"benchmarks: nothing can be installed: {error}", file=sys.stderr)
        return 1
    allow_descriptors()
    processors = Processors()
    stream = genuine_events()
    expected = Expected(stream)
    runs: list[Run] = []
    with BenchServer(stream) as server:
        for run in Bench(server, installed.commands, processors, expected, given.scale).rounds(works, given.rounds):
            said = run.failure or f"{run.per_cpu_second:,.0f} per CPU second"
            print(f"round {run.round + 1}, ({run.work}) {run.client}: {said}", file=sys.stderr, flush=True)
            runs.append(run)
    imports = {}
    if IMPORTS in given.works:
        times = max(3, round(TIMES * min(1, given.scale)))
        imports = dict(import_times(installed.python, list(installed.commands), times))
    machine = {**facts(processors), "rounds": given.rounds, "scale": given.scale}
    figures = Figures(runs, imports)
    print("; ".join(f"{name}: {value}" for name, value in machine.items()), end="\n\n")
    print(Report(works, given.clients, runs, figures, installed.missing, expected).text())
    if given.json:
        raw = {
            "machine": machine,
            "missing": installed.missing,
            "runs": [asdict(run) for run in runs],
            "imports": {client: asdict(times) for client, times in imports.items()},
        }
        given.json.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    if given.svg:
        given.svg.write_text(chart(figures, given.clients), encoding="utf-8")
    failed = installed.missing or any(run.failure for run in runs)
    missed = given.check and not all(target.met for target in targets(figures))
    return 1 if failed or missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
