"""What the load tests share: a pool on a reactor of its own that can be waited for, and measures of this process."""

from __future__ import annotations

import gc
import os
import resource
from types import TracebackType
from typing import Any, Callable

from ami_client import Connection, Packet, Pool, Reactor

LIMIT = 60.0  # seconds; nothing here depends on it unless something hangs


class Client:
    """A pool on a reactor of its own. Usable as a context manager, which finishes the pool and closes the reactor.

    Attributes: ``connections``, those made by :meth:`connect`.
    """

    def __init__(self, url: str, **options: Any) -> None:
        # What a slow or busy machine would change is off: nothing is to be late because others are at work.
        calm = {"slow_handler": None, "timeout": None, "action_timeout": None, "login_timeout": LIMIT}
        self.url = url
        self.connections: list[Connection] = []
        self.reactor = Reactor()
        self.pool = Pool(reactor=self.reactor, **{**calm, **options})

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.pool.finish()
        while self.reactor.run_once(0):  # sockets close, losses are told
            pass
        self.reactor.close()

    def until(self, happened: Callable[[], object], limit: float = LIMIT) -> None:
        """Run the reactor until that is true; fails the test after so many seconds."""
        deadline = self.reactor.time() + limit
        while not happened():
            left = deadline - self.reactor.time()
            assert left > 0, f"in {limit:g} s it did not come to: {happened}"
            self.reactor.run_once(left)

    def connect(self, count: int = 1) -> list[Connection]:
        """So many connections, logged in and acquired."""
        found: list[Connection] = []

        def keep(conn: Connection) -> None:
            conn.acquire()
            found.append(conn)

        for _ in range(count):
            self.pool.get_connection(self.url, keep)
        self.until(lambda: len(found) == count)
        assert all(conn.connected for conn in found), [conn.error for conn in found if conn.error]
        self.connections += found
        return found


class Answers(list):  # type: ignore[type-arg]
    """A callback ``cb(conn, packet)`` that keeps the packets in order."""

    def __call__(self, conn: Connection, packet: Packet) -> None:
        self.append(packet)


def resident() -> int:
    """The memory of this process that is in use, bytes."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def descriptors() -> int:
    """How many descriptors this process has open."""
    gc.collect()  # one that only a cycle keeps open is no leak
    return len(os.listdir("/proc/self/fd"))
