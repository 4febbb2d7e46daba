"""A hundred thousand callbacks that wait for a few connections."""

from __future__ import annotations

import time
import tracemalloc
from functools import partial
from typing import Callable

import pytest
from client import Answers, Client
from replay import ReplayServer

from ami_client import ConnectFailed, Connection, ConnectionFinished, LimitReached

CALLBACKS = 100_000
FEWER = CALLBACKS // 10  # where more would only take longer
CONNECTIONS = 4
PRIORITIES = 10
BYTES_PER_CALLBACK = 1024  # what the pool may need for one that waits


class Queue:
    """So many callbacks that wait for a connection, with priorities of every kind.

    Attributes: ``served``, their numbers in the order of their calls; ``errors``, the kinds of errors that they were
    told. ``then(number, conn)`` is called in each of them.
    """

    def __init__(self, client: Client, count: int, then: Callable[[int, Connection], object] | None = None) -> None:
        self.served: list[int] = []
        self.errors: set[type] = set()
        self._client = client
        self._count = count
        self._then = then
        client.connect(CONNECTIONS)  # nothing is free
        for number in range(count):
            client.pool.get_connection(client.url, partial(self._told, number), self._priority(number))
        assert client.pool.stats.waiting == count and not self.served

    def _priority(self, number: int) -> int:
        """Neither the order of asking nor its reverse is the right one."""
        return number * 7 % PRIORITIES

    def _told(self, number: int, conn: Connection) -> None:
        self.served.append(number)
        self.errors.add(type(conn.error))
        if self._then is not None:
            self._then(number, conn)

    def wait(self) -> None:
        """Run until all were called, and further until nothing is left to be done."""
        began = time.monotonic()
        self._client.until(lambda: len(self.served) >= self._count)
        print(f"{self._count:,} callbacks told in {time.monotonic() - began:.1f} s")
        while self._client.reactor.run_once(0):
            pass
        assert self._client.pool.stats.waiting == 0

    @property
    def expected(self) -> list[int]:
        """The right order: higher priorities first, equal ones first come, first served."""
        return sorted(range(self._count), key=lambda number: (-self._priority(number), number))


def test_served_by_priority(server: ReplayServer) -> None:
    shared: list[int] = []  # who was given what another one has

    def use(number: int, conn: Connection) -> None:
        if conn.is_busy():
            shared.append(number)
        conn.acquire()
        if number % 2:
            conn.release()  # within the callback: the next one is served without going deeper
        else:
            client.reactor.call_soon(conn.release)

    with Client(server.url, maxconnperserv=CONNECTIONS) as client:
        queue = Queue(client, CALLBACKS, use)
        with pytest.raises(LimitReached) as caught:
            client.pool.get_connection(client.url, Answers())
        assert caught.value.limit == "max_callbacks"
        for conn in client.connections:
            conn.release()
        queue.wait()
        assert queue.served == queue.expected
        assert queue.errors == {type(None)} and not shared


def test_memory_of_one_that_waits(server: ReplayServer) -> None:
    with Client(server.url, maxconnperserv=1) as client:
        client.connect()
        tracemalloc.start()
        for _ in range(FEWER):  # tracing is slow
            client.pool.get_connection(client.url, Answers())
        each = tracemalloc.get_traced_memory()[0] / FEWER
        tracemalloc.stop()
    print(f"{each:.0f} bytes per waiting callback")
    assert each < BYTES_PER_CALLBACK


def test_the_server_dies(server: ReplayServer) -> None:
    with Client(server.url, maxconnperserv=CONNECTIONS) as client:
        queue = Queue(client, CALLBACKS)
        server.kill()
        queue.wait()
        assert sorted(queue.served) == sorted(queue.expected)
        assert queue.errors == {ConnectFailed}


def test_the_server_dies_and_returns(server: ReplayServer, expect_log: Callable[[str], None]) -> None:
    """All are told how the next attempt went, and their failures do not end the attempts."""
    expect_log("WARNING: .*connecting again")
    with Client(server.url, maxconnperserv=CONNECTIONS, reconnect=0.01, reconnect_max=0.1) as client:
        queue = Queue(client, FEWER)
        server.kill()
        queue.wait()
        assert sorted(queue.served) == sorted(queue.expected)
        assert queue.errors == {ConnectFailed}
        server.start()
        client.until(lambda: client.pool.stats.connected == CONNECTIONS)


def test_the_pool_ends(server: ReplayServer) -> None:
    with Client(server.url, maxconnperserv=CONNECTIONS) as client:
        queue = Queue(client, FEWER)
        client.pool.finish()
        assert queue.served == queue.expected
        assert queue.errors == {ConnectionFinished}
