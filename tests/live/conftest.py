"""Fixtures of the live tests. A server that cannot be had fails each test that asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from driver import Client
from install import InstallError
from servers import AsteriskServer, ServerError


def _running(version: str) -> Iterator[AsteriskServer]:
    server = AsteriskServer(version)
    try:
        server.start()
    except (InstallError, ServerError, OSError) as error:
        pytest.fail(f"no Asterisk {version}: {error}", pytrace=False)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def asterisk16() -> Iterator[AsteriskServer]:
    """A running Asterisk 16, shared by the session."""
    yield from _running("16")


@pytest.fixture(scope="session")
def asterisk22() -> Iterator[AsteriskServer]:
    """A running Asterisk 22, shared by the session."""
    yield from _running("22")


@pytest.fixture(scope="session", params=["16", "22"])
def asterisk(request: pytest.FixtureRequest) -> AsteriskServer:
    """Each of the two servers in turn."""
    server: AsteriskServer = request.getfixturevalue(f"asterisk{request.param}")
    return server


@pytest.fixture(params=["16", "22"])
def own_asterisk(request: pytest.FixtureRequest) -> Iterator[AsteriskServer]:
    """A server of each version in turn that is the test's own: to be killed, frozen, or configured otherwise."""
    for server in _running(request.param):
        yield server
        # It may be booting again, and then would not listen to anything gentler.
        server.kill()


@pytest.fixture
def client(asterisk: AsteriskServer) -> Iterator[Client]:
    """A client of each of the two servers in turn; all calls are hung up at the end."""
    with Client(asterisk) as client:
        yield client
        if client.conn.finished:  # by the test
            client.connect()
        else:
            client.hang_up_all()
