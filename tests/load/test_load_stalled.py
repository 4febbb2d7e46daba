"""A server that does not read while we send 100 MB."""

from __future__ import annotations

import pytest
from client import Answers, Client, resident
from replay import ReplayServer

from ami_client import Connection, LimitReached, SilenceTimeout
from ami_client.options import Options

MB = 1_000_000
TO_SEND = 100 * MB
# As large as an action may be, nearly.
PARAMS = {"Variable": ["v" * 1000] * 100}
ACTION_SIZE = 100_000  # a little less than its bytes
ACTIONS = TO_SEND // ACTION_SIZE
MAX_OUTGOING = Options().max_outgoing
KERNEL = 64 * MB  # more than the buffers of both sockets, and Python's own, take


class Ticker:
    """A timer that repeats, and counts."""

    def __init__(self, client: Client) -> None:
        self.ticks = 0
        self._client = client
        self._tick()

    def _tick(self) -> None:
        self.ticks += 1
        self._client.reactor.call_later(0.001, self._tick)

    def wait(self, ticks: int) -> None:
        """Run the reactor until it has ticked so many times more."""
        end = self.ticks + ticks
        self._client.until(lambda: self.ticks >= end)


def send(conn: Connection, answers: Answers) -> bool:
    """Send one action; False when the limit was reached."""
    try:
        conn.action("UserEvent", answers, PARAMS)
    except LimitReached as error:
        assert error.limit == "max_outgoing"
        return False
    return True


def test_the_limit_is_reached(server: ReplayServer) -> None:
    answers = Answers()
    with Client(server.url) as client:
        (conn,) = client.connect()
        ticker = Ticker(client)
        memory = resident()
        server.freeze()
        accepted = 0
        for _ in range(ACTIONS):
            accepted += send(conn, answers)
            client.reactor.run_once(0)  # sockets take what they can
        assert accepted < ACTIONS, "all was accepted"
        assert MAX_OUTGOING <= conn.stats.buffered < MAX_OUTGOING + 2 * ACTION_SIZE  # with the one that filled it
        assert conn.stats.pending == accepted
        assert conn.stats.limits["max_outgoing"] == ACTIONS - accepted
        assert resident() - memory < MAX_OUTGOING + KERNEL
        print(f"{conn.stats.buffered / MB:.1f} MB buffered, {(resident() - memory) / MB:.1f} MB of memory more")
        ticker.wait(100)
        assert conn.connected and not answers

        ticks = ticker.ticks
        server.thaw()
        while accepted < ACTIONS:
            if send(conn, answers):
                accepted += 1
            else:  # there will be room
                client.reactor.run_once()
        client.until(lambda: len(answers) >= ACTIONS)
        assert [packet.error for packet in answers] == [None] * ACTIONS
        assert conn.stats.buffered == conn.stats.pending == 0
        assert ticker.ticks > ticks


def test_a_higher_limit(server: ReplayServer) -> None:
    answers = Answers()
    with Client(server.url, max_outgoing=2 * TO_SEND) as client:
        (conn,) = client.connect()
        ticker = Ticker(client)
        memory = resident()
        server.freeze()
        assert all(send(conn, answers) for _ in range(ACTIONS))
        assert conn.stats.buffered > TO_SEND - KERNEL
        print(f"{conn.stats.buffered / MB:.1f} MB buffered, {(resident() - memory) / MB:.1f} MB of memory more")
        ticker.wait(100)
        assert conn.connected and not answers

        ticks = ticker.ticks
        server.thaw()
        client.until(lambda: len(answers) >= ACTIONS)
        assert [packet.error for packet in answers] == [None] * ACTIONS
        assert conn.stats.buffered == conn.stats.pending == 0
        assert ticker.ticks > ticks
        assert resident() - memory < 0.9 * TO_SEND, "what was sent is still kept"


@pytest.mark.parametrize("full", [False, True])
def test_silence_is_found_out(server: ReplayServer, full: bool) -> None:
    """With the outgoing buffer full, the Ping that asks for a sign of life finds no room either."""
    answers = Answers()
    with Client(server.url, timeout=0.5) as client:
        (conn,) = client.connect()
        server.freeze()
        accepted = 0
        while send(conn, answers):
            accepted += 1
            if not full:
                break
        client.until(lambda: conn.finished)
        assert isinstance(conn.error, SilenceTimeout)
        assert [packet.error for packet in answers] == [conn.error] * accepted
