"""What the tests of losses share: a daemon that keeps its link, and the servers that it loses."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from fake_network import URL, Network
from server_texts import WELCOME

from ami_client import Connection
from ami_client.testing import FakeSocket

ExpectLog = Callable[[str], None]
BASE = 4.0  # seconds, of the back-off; with the highest delay that chance can give it is 4, 8, 16, 32, 60, 60, ...


class Daemon:
    """A pool with ``reconnect`` that bears silence, and what it has told, in order.

    ``told`` has it in words, ``delays`` the delays in seconds, ``conns`` the connections that logged in.
    """

    def __init__(self, network: Network, expect_log: ExpectLog, **options: Any) -> None:
        self.network = network
        self.told: list[str] = []
        self.delays: list[float] = []
        self.conns: list[Connection] = []
        self.pool = network.pool(**{"reconnect": BASE, "timeout": None, **options})
        self._expect_log: ExpectLog | None = expect_log
        for name in ("connected", "disconnect"):
            self.pool.on(name, lambda conn, name=name: self.told.append(name))
        self.pool.bind("connected", self.conns.append)
        self.pool.bind("reconnecting", self._reconnecting)

    def _reconnecting(self, url: str, delay: float, attempt: int) -> None:
        if attempt == 1 and self._expect_log is not None:  # announced once, however often it comes
            self._expect_log("WARNING: .*: connecting again in")
            self._expect_log = None
        assert url == URL
        self.told.append(f"reconnecting {attempt}")
        self.delays.append(delay)

    @property
    def conn(self) -> Connection:
        """The connection that logged in last."""
        return self.conns[-1]

    @property
    def open_sockets(self) -> list[FakeSocket]:
        """Those that the client has not closed."""
        return [sock for sock in self.network.sockets if not sock.closed]

    def start(self, count: int = 1) -> Daemon:
        """Open connections and log them in."""
        for _ in range(count):
            self.pool.get_connection(URL, before_connect=lambda conn: conn.acquire())
            self.network.answer_login()
        self.forget()
        return self

    def forget(self) -> None:
        """What was told so far is no concern of the test."""
        self.told.clear()
        self.delays.clear()

    def lose(self, sock: FakeSocket | None = None) -> None:
        """The server closes the last connection, or this one."""
        (sock or self.network.sockets[-1]).eof()
        self.network.pump()

    def come_back(self, answer: bytes = WELCOME) -> FakeSocket:
        """Let the delay pass, and answer the login."""
        before = len(self.network.sockets)
        self.network.wait(self.delays[-1])
        assert len(self.network.sockets) == before + 1
        return self.network.answer_login(answer)


@pytest.fixture
def highest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chance gives the highest delay that it can."""
    monkeypatch.setattr(random, "uniform", lambda low, high: high)


@pytest.fixture
def make_daemon(network: Network, expect_log: ExpectLog, highest: None) -> Callable[..., Daemon]:
    """``make_daemon(**options)``: a daemon that has no connection yet."""
    return lambda **options: Daemon(network, expect_log, **options)


@pytest.fixture
def daemon(make_daemon: Callable[..., Daemon]) -> Daemon:
    """A daemon with one connection that is logged in and acquired."""
    return make_daemon().start()
