"""Events without end through one connection: every one is seen, in order, and memory stays as it is.

``pytest tests/load -k one_connection --load-events 10000000 --timeout 0 -rP`` is the long run.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from client import LIMIT, Answers, Client, resident
from replay import ReplayServer

from ami_client import Connection, Packet

CHECKPOINTS = 10
WARM_UP = 2  # checkpoints
SLOWEST = 5_000  # events per second: slower than any machine, unless something hangs
MIB = 1 << 20


class Follower:
    """A handler that compares each event with the one that is next in the stream."""

    def __init__(self, events: list[bytes], checkpoint: int) -> None:
        self.seen = 0
        self.wrong = 0
        self.figures: list[tuple[float, float, int]] = []  # wall clock, processor seconds, resident bytes
        self._events = events
        self._checkpoint = checkpoint
        self._begin = time.monotonic(), time.process_time()

    def __call__(self, conn: Connection, packet: Packet) -> None:
        if packet.raw != self._events[self.seen % len(self._events)]:
            self.wrong += 1
        self.seen += 1
        if self.seen % self._checkpoint == 0:
            wall, processor = self._begin
            self.figures.append((time.monotonic() - wall, time.process_time() - processor, resident()))

    def table(self) -> str:
        """The figures, to be read."""
        lines = [
            f"{number * self._checkpoint:>10,} events {wall:8.1f} s {processor:8.1f} s CPU {memory / MIB:7.1f} MiB"
            for number, (wall, processor, memory) in enumerate(self.figures, 1)
        ]
        return "\n".join(lines)


def test_one_connection(server: ReplayServer, events: list[bytes], request: pytest.FixtureRequest) -> None:
    total: int = request.config.getoption("--load-events")
    follower = Follower(events, total // CHECKPOINTS)
    with Client(server.url) as client:
        client.pool.on("event", follower)
        (conn,) = client.connect()
        conn.action("Replay", Answers(), {"Events": total})
        client.until(lambda: follower.seen >= total, limit=max(LIMIT, total / SLOWEST))
        assert (follower.seen, follower.wrong, conn.dropped) == (total, 0, 0)
        assert conn.stats.events == total
    print(follower.table())
    memory = [figures[2] for figures in follower.figures]
    assert max(memory[WARM_UP:]) - memory[WARM_UP - 1] < 4 * MIB, follower.table()


@contextmanager
def traced() -> Iterator[None]:
    """Count what Python allocates; the collector is off, so that cycles would count as well."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()
        gc.enable()


def test_no_event_leaves_anything_behind(server: ReplayServer, events: list[bytes]) -> None:
    rounds, per_round = 5, 5_000
    kept: list[int] = []
    follower = Follower(events, len(events))
    with Client(server.url) as client, traced():
        client.pool.on("event", follower)
        (conn,) = client.connect()
        for _ in range(rounds):
            follower.seen = 0
            conn.action("Replay", Answers(), {"Events": per_round})
            client.until(lambda: follower.seen == per_round)
            kept.append(tracemalloc.get_traced_memory()[0])
    assert follower.wrong == 0
    assert max(kept[1:]) - kept[0] < 16_384, kept
