"""A flood on one connection, and what it leaves to timers and to other connections.

Times depend on the machine, so what is measured is the flood: how many of its bytes were handled between the moment at
which something was due and the moment at which it happened.
"""

from __future__ import annotations

import statistics
import time
from bisect import bisect_left

import pytest
from client import Answers, Client
from replay import ReplayServer

from ami_client import Connection, Packet
from ami_client._transport.stream import RECV_BUDGET, RECV_SIZE

OTHERS = 20
PINGS = 10  # of each of them, one after the other
BUDGET = RECV_SIZE * RECV_BUDGET  # bytes per wake-up
# What falls due while a wake-up handles its bytes may come behind those of the next one. An event that was cut by the
# end of a wake-up counts for the next.
WAIT = 2 * BUDGET + 4096


class Flood:
    """The handler of the events: remembers when they came. ``work`` is what it needs for each, seconds."""

    def __init__(self, work: float) -> None:
        self.work = work
        self.total = 0
        self._times: list[float] = []
        self._totals: list[int] = [0]

    def __call__(self, conn: Connection, packet: Packet) -> None:
        self.total += len(packet.raw) + len(b"\r\n\r\n")
        now = time.monotonic()
        self._times.append(now)
        self._totals.append(self.total)
        while time.monotonic() < now + self.work:
            pass

    def between(self, begin: float, end: float) -> int:
        """Bytes handled between two times."""
        first, last = bisect_left(self._times, begin), bisect_left(self._times, end)
        return self._totals[last] - self._totals[first]


class Timer:
    """A timer that repeats; ``waits`` are the bytes of the flood that came between its time and its call."""

    def __init__(self, client: Client, flood: Flood) -> None:
        self.waits: list[int] = []
        self._client = client
        self._flood = flood
        self._schedule()

    def _schedule(self) -> None:
        self._handle = self._client.reactor.call_later(0.005, self._due)

    def _due(self) -> None:
        self.waits.append(self._flood.between(self._handle.when(), time.monotonic()))
        self._schedule()


class Pinger:
    """Pings of one connection; ``waits`` are the bytes of the flood that came between an answer and its callback."""

    def __init__(self, conn: Connection, flood: Flood) -> None:
        self.waits: list[int] = []
        self._conn = conn
        self._flood = flood
        conn.ping(self._answered)

    def _answered(self, conn: Connection, packet: Packet) -> None:
        assert packet.error is None
        self.waits.append(self._flood.between(float(packet["timestamp"]), time.monotonic()))
        if len(self.waits) < PINGS:
            conn.ping(self._answered)


@pytest.mark.parametrize("work", [0.0, 0.000_1], ids=["quick handler", "slow handler"])
def test_flood(server: ReplayServer, work: float) -> None:
    flood = Flood(work)
    with Client(server.url) as client:
        busy, *others = client.connect(1 + OTHERS)
        busy.on_event(flood)
        busy.action("Replay", Answers())
        client.until(lambda: flood.total > 0)
        timer = Timer(client, flood)
        pingers = [Pinger(conn, flood) for conn in others]
        client.until(lambda: all(len(one.waits) == PINGS for one in pingers) and flood.total > 10 * BUDGET)
        busy.close()
    waits = [wait for one in pingers for wait in one.waits]
    for name, values in (("timer", timer.waits), ("pings", waits)):
        print(f"{name}: {statistics.median(values):,.0f} bytes at the median, {max(values):,} at most")
    assert max(timer.waits) <= WAIT
    # The server stamps an answer before it sends it, and may be interrupted in between: so the median.
    assert statistics.median(waits) <= WAIT
