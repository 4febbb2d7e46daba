"""Detects use in a forked child of an object that the parent made.

A child shares its parent's sockets and the selector that watches them, so its calls would affect the parent. Each
object that belongs to one process therefore remembers the value of ``forks`` at its creation. It refuses to work once
the value has changed. The check is one comparison; asking for the process id would be a system call each time.
"""

from __future__ import annotations

import os
from typing import NoReturn

#: Number of forks between the program's first process and this one.
forks = 0


def refuse(what: str, own: str) -> NoReturn:
    """Raise RuntimeError: ``what`` belongs to the parent, and the child needs ``own``."""
    raise RuntimeError(f"this {what} belongs to the process that made it; make {own} in the forked process")


def _count() -> None:
    global forks
    forks += 1


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=_count)
