"""Shared parts of ``aio`` and ``blocking``: a connection kept across reconnects, event streams, the actions."""
