"""Replaces standard streams: those closed before the start, as by ``>&-`` in a shell, and one that broke."""

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


def mute() -> None:
    """Redirect standard output to nowhere: the rest of its buffer cannot be written any more."""
    try:
        stdout = sys.stdout.fileno()
    except ValueError:  # no file at all
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stdout)
    os.close(nowhere)
