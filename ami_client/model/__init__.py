"""The live model: current channels, bridges, calls, queues and endpoints, updated by events.

From top to bottom: ``model`` has the pictures of all servers together. ``sync`` keeps them up to date from a pool. The
``picture`` of one server consists of ``calls``, ``queues`` and ``endpoints``, which apply events; none of these does
I/O. ``live`` has the objects that ``calls`` keeps, ``reasons`` finds why a call ended, ``headers`` reads events, and
``records`` are the objects that users see.
"""

from __future__ import annotations

from .changes import Change, Changes
from .model import Model
from .records import Bridge, Call, Caller, Channel, Endpoint, Member, Party, Queue, Server, as_data

__all__ = [
    "Bridge",
    "Call",
    "Caller",
    "Change",
    "Changes",
    "Channel",
    "Endpoint",
    "Member",
    "Model",
    "Party",
    "Queue",
    "Server",
    "as_data",
]
