"""Standard streams that were closed before we started, as with ``>&-`` in a shell."""

from __future__ import annotations

import os
import sys

# What takes their place fails as a closed one does, but for stderr, where what we say is lost.
_PLACES = (("stdin", "r", os.O_WRONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY))


def fill_closed() -> list[str]:
    """Have something in the place of each standard stream that is closed; returns the names of those.

    Otherwise Python has None there, and the next file or socket of ours is given the number: what anybody writes to the
    standard stream would go into it.
    """
    closed = [place for place in _PLACES if getattr(sys, place[0]) is None]
    for name, mode, flags in closed:
        nowhere = os.open(os.devnull, flags)  # the lowest number that is free, which is the stream's own
        setattr(sys, name, os.fdopen(nowhere, mode, encoding="utf-8", closefd=False))
    return [name for name, _, _ in closed]
