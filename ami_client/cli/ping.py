"""The command ``ping``: whether the server answers, and how fast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Optional

import click

from .access import Access, Seconds, asks_server, server_argument
from .client import Client
from .output import Output

PATIENCE = 20.0  # seconds, in addition to the intervals


@click.command()
@server_argument
@click.option(
    "-c",
    "--count",
    metavar="N",
    type=click.IntRange(min=0),
    default=4,
    show_default=True,
    help="Number of Pings; 0 means until Ctrl-C.",
)
@click.option(
    "-i",
    "--interval",
    metavar="SECONDS",
    type=Seconds(min=0),
    default=1.0,
    show_default=True,
    help="Time between Pings.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print only the summary.")
@asks_server
def ping(access: Access, count: int, interval: float, quiet: bool) -> None:
    """Log in, send Pings and measure the round-trip time of each.

    The exit status is 0 if all were answered.

    \b
    Examples:
      ami-client ping pbx1
      ami-client ping -c 1 -q tcp://monitor@pbx.example.com || echo "the PBX is down"
    """
    limit = count * interval + PATIENCE if count else None
    with access.client(timeout=limit) as client:
        series = _Series(client, access.output, quiet)
        try:
            with suppress(KeyboardInterrupt):
                series.run(count, interval)
        finally:
            series.summarize()


class _Series:
    """A series of Pings, one at a time."""

    def __init__(self, client: Client, output: Output, quiet: bool) -> None:
        self.sent = 0
        self.times: list[float] = []  # seconds
        self._client = client
        self._output = output
        self._quiet = quiet

    def run(self, count: int, interval: float) -> None:
        while True:
            self.sent += 1
            took = self._client.ping()
            self.times.append(took)
            if not self._quiet:
                self._tell(took)
            if self.sent == count:
                return
            self._client.sleep(interval)

    def _tell(self, took: float) -> None:
        if self._output.json:
            self._output.object({"seq": self.sent, "seconds": round(took, 6)})
            self._output.flush()
            return
        conn = self._client.conn
        where = conn.addr if conn is not None else ""
        milliseconds = self._output.paint("green", f"{took * 1000:.3f} ms")
        self._output.line(f"pong from {where}: seq={self.sent} time={milliseconds}")

    def summarize(self) -> None:
        output, answered = self._output, len(self.times)
        if output.json:
            output.object({"sent": self.sent, "answered": answered, **statistics(self.times)})
            return
        if not self._quiet:
            output.write("")
        output.write(output.paint("bold", f"{self._client.target}: {self.sent} sent, {answered} answered"))
        if self.times:
            named = [f"{name} {took * 1000:.3f}" for name, took in statistics(self.times).items() if took is not None]
            output.write(f"round trip in ms: {', '.join(named)}")


def statistics(times: Sequence[float]) -> dict[str, Optional[float]]:
    """Minimum, mean, maximum and standard deviation of some times, in seconds; None if there are none."""
    if not times:
        return dict.fromkeys(("min", "avg", "max", "mdev"))
    mean = sum(times) / len(times)
    deviation = math.sqrt(sum((one - mean) ** 2 for one in times) / len(times))
    named = {"min": min(times), "avg": mean, "max": max(times), "mdev": deviation}
    return {name: round(took, 6) for name, took in named.items()}
