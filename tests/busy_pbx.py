"""A server for the programs of the manual, on which something happens all the time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ami_client import Reactor
from ami_client.testing import FakeAsterisk


@contextmanager
def busy_pbx(pause: float = 0.02) -> Iterator[FakeAsterisk]:
    """One in a thread of its own: every ``pause`` seconds a peer changes, and a caller gives up."""
    with Reactor() as reactor:
        server = FakeAsterisk(reactor)
        server.start()

        def bustle() -> None:
            server.push({"Event": "PeerStatus", "Privilege": "system,all", "Peer": "SIP/nomad"})
            caller = {"Queue": "helpline", "CallerIDNum": "5550100"}
            server.push({"Event": "QueueCallerAbandon", "Privilege": "agent,all", **caller})
            reactor.call_later(pause, bustle)

        bustle()
        thread = threading.Thread(target=reactor.run)
        thread.start()
        yield server
        reactor.call_soon_threadsafe(server.close)
        reactor.call_soon_threadsafe(reactor.stop)
        thread.join()
