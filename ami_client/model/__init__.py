"""What is going on now: channels, bridges, calls, queues and endpoints, kept right by events.

From top to bottom: ``model`` has the pictures of all servers together, ``sync`` keeps them right over a pool. A
``picture`` of one server is made of ``calls``, ``queues`` and ``endpoints``, which apply events; none of these does
I/O. ``live`` is what ``calls`` keeps, ``reasons`` says why a call ended, ``headers`` reads events, ``records`` are what
the model tells.
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
