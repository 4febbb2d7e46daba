"""Sockets whose descriptors are higher than ``select()`` knows."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Callable, Optional

import pytest

HIGH = 1100  # select() ends at 1,023

#: Makes a socket with a high descriptor, out of an ordinary one if it is given.
HighSockets = Callable[..., socket.socket]


@pytest.fixture
def high_sockets() -> Iterator[HighSockets]:
    fcntl, resource = pytest.importorskip("fcntl"), pytest.importorskip("resource")  # not on Windows
    make = socket.socket  # which a test may put something else in the place of

    def high(sock: Optional[socket.socket] = None) -> socket.socket:
        with sock or make() as low:
            return make(low.family, low.type, low.proto, fileno=fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, HIGH))

    before, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = HIGH + 100
    if before != resource.RLIM_INFINITY and before < wanted:
        if limit != resource.RLIM_INFINITY and limit < wanted:
            pytest.skip(f"the system allows {limit} descriptors at most")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, limit))
    yield high
    resource.setrlimit(resource.RLIMIT_NOFILE, (before, limit))
