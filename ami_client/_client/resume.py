"""Completes calls of user code after a KeyboardInterrupt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from ..loop import Loop


@contextmanager
def resumed(loop: Loop, again: Callable[..., object], *args: object) -> Iterator[None]:
    """If the block is interrupted, have the loop call ``again(*args)`` in its next iteration.

    The block calls user code, and removes each callback before the call. ``again`` makes the remaining calls. The
    KeyboardInterrupt propagates. If the loop is run again, every callback is called.
    """
    try:
        yield
    except BaseException:
        loop.call_soon(again, *args)
        raise
