"""What a KeyboardInterrupt leaves over is done in the loop's next turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from ..loop import Loop


def drain(loop: Loop, step: Callable[[], bool]) -> None:
    """Call ``step()`` until it returns False.

    Each step calls user code at most once, and forgets what it calls before. An interrupt passes; should the loop run
    on, the steps that are left are made there, so that everybody is told.
    """
    complete = False
    try:
        while step():
            pass
        complete = True
    finally:
        if not complete:
            loop.call_soon(drain, loop, step)
