"""Packets of the Asterisk Manager Interface: what the server sends, one message each."""

from __future__ import annotations

from ._engine.packet import Kind, Packet
from ._engine.text import unescape

__all__ = ["Kind", "Packet", "unescape"]
