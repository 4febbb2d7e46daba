"""A thousand connections at once."""

from __future__ import annotations

import resource
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Callable

import pytest
from client import Answers, Client, descriptors
from replay import ReplayServer

from ami_client import Connection, Packet

CONNECTIONS = 1000
EVENTS = 50  # for each
DESCRIPTORS = CONNECTIONS + 200


@pytest.fixture(scope="module")
def many_descriptors() -> Iterator[None]:
    """Allows this process, and the servers that it starts, as many as the test needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        pytest.fail(f"{DESCRIPTORS} open files are needed, and `ulimit -H -n` allows {hard}", pytrace=False)
    if soft != resource.RLIM_INFINITY and soft < DESCRIPTORS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def check_all_at_work(client: Client, conns: list[Connection], expected: list[bytes]) -> None:
    """Each answers a ping and gets the events that it asks for, in order."""
    seen: dict[Connection, list[bytes]] = defaultdict(list)

    def keep(conn: Connection, packet: Packet) -> None:
        seen[conn].append(packet.raw)

    answers = Answers()
    client.pool.on("event", keep)
    for conn in conns:
        conn.ping(answers)
        conn.action("Replay", answers, {"Events": EVENTS})
    client.until(
        lambda: len(answers) >= 2 * CONNECTIONS and sum(map(len, seen.values())) >= CONNECTIONS * EVENTS,
    )
    client.pool.off("event", keep)
    assert [packet.error for packet in answers] == [None] * 2 * CONNECTIONS
    assert len(seen) == CONNECTIONS
    assert all(raws == expected for raws in seen.values())


def test_all_come_back(
    many_descriptors: None, server: ReplayServer, events: list[bytes], expect_log: Callable[[str], None]
) -> None:
    expect_log("WARNING: .*connecting again")
    before = descriptors()
    lost: Counter[Connection] = Counter()
    logins: list[Connection] = []
    with Client(server.url, maxconnperserv=CONNECTIONS, reconnect=0.5, reconnect_max=1) as client:
        client.pool.on("disconnect", lambda conn: lost.update([conn]))
        client.pool.on_login(logins.append)
        began = time.monotonic()
        conns = client.connect(CONNECTIONS)
        print(f"all logged in after {time.monotonic() - began:.1f} s")
        assert set(logins) == set(conns)
        check_all_at_work(client, conns, events[:EVENTS])

        server.kill()
        client.until(lambda: sum(lost.values()) >= CONNECTIONS)
        assert lost == Counter(conns)
        server.start()
        began = time.monotonic()
        client.until(lambda: len(logins) >= 2 * CONNECTIONS)
        print(f"all back {time.monotonic() - began:.1f} s after the server")
        back = logins[CONNECTIONS:]
        assert len(set(back)) == CONNECTIONS and client.pool.stats.connected == CONNECTIONS
        check_all_at_work(client, back, events[:EVENTS])
    assert descriptors() == before
