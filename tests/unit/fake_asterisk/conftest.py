"""Servers and raw clients, on asyncio's loop and on ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from raw_client import AnyLoop, Client, NewClient, ServerFactory

from ami_client import Reactor
from ami_client.testing import FakeAsterisk


@pytest.fixture(params=["asyncio", "reactor"])
def loop(request: pytest.FixtureRequest) -> Iterator[AnyLoop]:
    loop: AnyLoop = Reactor() if request.param == "reactor" else asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def new_server(loop: AnyLoop) -> Iterator[ServerFactory]:
    """A started server; its calls ring and last for a moment only."""
    servers = []

    def new(**options: object) -> FakeAsterisk:
        options = {"ring_time": 0.001, "call_length": 0.02, **options}
        servers.append(FakeAsterisk(loop, **options))  # type: ignore[arg-type]
        servers[-1].start()
        return servers[-1]

    yield new
    for server in servers:
        server.close()


@pytest.fixture
def server(new_server: ServerFactory) -> FakeAsterisk:
    return new_server()


@pytest.fixture
def new_client(loop: AnyLoop) -> Iterator[NewClient]:
    clients: list[Client] = []

    def new(server: FakeAsterisk) -> Client:
        clients.append(Client(loop, server))
        return clients[-1]

    yield new
    for client in clients:
        client.close()


@pytest.fixture
def client(server: FakeAsterisk, new_client: NewClient) -> Client:
    """A client that is logged in."""
    client = new_client(server)
    client.login()
    return client
