"""Fixtures of the unit tests."""

from outage import daemon, highest, make_daemon
from wire import peer, wire

__all__ = ["daemon", "highest", "make_daemon", "peer", "wire"]
