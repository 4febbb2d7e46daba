"""Fixtures and options of the load tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from replay import ReplayServer, genuine_events, split_events


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--load-events", type=int, default=300_000, help="events through one connection (default: %(default)s)"
    )


@pytest.fixture(scope="session")
def stream() -> bytes:
    """The events that servers play."""
    return genuine_events()


@pytest.fixture(scope="session")
def events(stream: bytes) -> list[bytes]:
    """The same, one by one."""
    return split_events(stream)


@pytest.fixture
def server(stream: bytes) -> Iterator[ReplayServer]:
    """A running replay server."""
    with ReplayServer(stream) as server:
        yield server
