"""AMI packets: the messages that a server sends."""

from __future__ import annotations

from ._engine.packet import Kind, Packet
from ._engine.text import unescape

__all__ = ["Kind", "Packet", "unescape"]
