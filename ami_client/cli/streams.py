"""Replaces standard streams that were closed before the start, as by ``>&-`` in a shell."""

from __future__ import annotations

import os
import sys

# A replacement fails like a closed stream, except stderr, where the output is lost.
_PLACES = (("stdin", "r", os.O_WRONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY))


def fill_closed() -> list[str]:
    """Open a replacement for each closed standard stream. Return their names.

    Otherwise the next file or socket that we open gets the stream's number, and receives what anybody writes to the
    stream.
    """
    closed = [place for place in _PLACES if getattr(sys, place[0]) is None]
    for name, mode, flags in closed:
        nowhere = os.open(os.devnull, flags)  # the lowest free number, which is the stream's
        setattr(sys, name, os.fdopen(nowhere, mode, encoding="utf-8", closefd=False))
    return [name for name, _, _ in closed]
