"""Work that the loop completes in its next iteration if a KeyboardInterrupt cuts it short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from ..loop import Loop


def drain(loop: Loop, step: Callable[[], bool]) -> None:
    """Call ``step()`` until it returns False.

    Each step calls user code at most once, and removes the callback before the call. A KeyboardInterrupt passes. If the
    loop runs on, it makes the remaining steps, so every callback is called.
    """
    complete = False
    try:
        while step():
            pass
        complete = True
    finally:
        if not complete:
            loop.call_soon(drain, loop, step)
