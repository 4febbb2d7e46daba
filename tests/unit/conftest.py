"""Fixtures of the unit tests."""

from wire import peer, wire

__all__ = ["peer", "wire"]
