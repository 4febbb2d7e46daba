"""Fixtures of the tests with real brokers. A broker that is not installed fails each test that asks for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Real PBXs, and one that plays events.
sys.path += [str(Path(__file__).parent.with_name(name)) for name in ("live", "load")]
from broker_servers import KINDS, BrokerServer, make
from world import World


def _running(kind: str, directory: Path) -> BrokerServer:
    for attempt in range(3):  # somebody else may get one of its ports first
        server = make(kind, directory / str(attempt))
        try:
            server.start()
            return server
        except (RuntimeError, OSError) as error:
            reason = error
    pytest.fail(f"no {kind}: {reason}", pytrace=False)


@pytest.fixture(scope="session")
def shared_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, BrokerServer]]:
    """Brokers that the session shares, started on first use."""
    servers: dict[str, BrokerServer] = {}
    yield servers
    for server in servers.values():
        server.kill()


@pytest.fixture(params=list(KINDS))
def server(
    request: pytest.FixtureRequest,
    shared_servers: dict[str, BrokerServer],
    tmp_path_factory: pytest.TempPathFactory,
) -> BrokerServer:
    """Each broker in turn, shared by the session: tests use names of their own on it."""
    kind = request.param
    if kind not in shared_servers:
        shared_servers[kind] = _running(kind, tmp_path_factory.mktemp(kind))
    return shared_servers[kind]


@pytest.fixture
def own_server(server: BrokerServer) -> Iterator[BrokerServer]:
    """Each broker in turn, to be killed or frozen; it runs again afterwards."""
    yield server
    if server.is_running:
        server.thaw()
    else:
        server.start()


@pytest.fixture
def world() -> Iterator[World]:
    """A PBX, and whoever listens to it."""
    with World() as world:
        yield world
