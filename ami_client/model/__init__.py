"""What is going on now: channels, bridges, calls, queues and endpoints, kept right by events.

From top to bottom: ``records`` are what the model tells.
"""

from __future__ import annotations

from .records import Bridge, Call, Caller, Channel, Endpoint, Member, Party, Queue, Server, as_data

__all__ = [
    "Bridge",
    "Call",
    "Caller",
    "Channel",
    "Endpoint",
    "Member",
    "Party",
    "Queue",
    "Server",
    "as_data",
]
