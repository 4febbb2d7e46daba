"""A progress line on stderr for waits that take long."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Optional

from .text import clean

if TYPE_CHECKING:
    from ..loop import Handle
    from .client import Client

PATIENCE = 1.0  # seconds
INTERVAL = 0.1  # seconds
FRAMES = "|/-\\"
ERASE = "\r\x1b[K"


class Progress:
    """A context that shows the line after ``PATIENCE`` seconds, and erases it at the end."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._frame = 0
        self._timer: Optional[Handle] = None

    def __enter__(self) -> Progress:
        self._started = self._client.reactor.time()
        self._timer = self._client.reactor.call_later(PATIENCE, self._show)
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._frame:
            self._write(ERASE)

    def _show(self) -> None:
        seconds = self._client.reactor.time() - self._started
        self._write(f"{ERASE}{FRAMES[self._frame % len(FRAMES)]} {clean(self._client.doing)} ({seconds:.0f} s)")
        self._frame += 1
        self._timer = self._client.reactor.call_later(INTERVAL, self._show)

    def _write(self, text: str) -> None:
        print(text, end="", file=sys.stderr, flush=True)
