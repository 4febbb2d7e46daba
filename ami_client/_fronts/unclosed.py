"""Cleanup of a client that is garbage-collected without being closed."""

from __future__ import annotations

import warnings
from contextlib import suppress
from functools import partial
from typing import Callable

from .. import _fork
from .link import Link


class Unclosed:
    """Ends the connection of such a client. The client holds the only reference to this object.

    A client with its own pool and with handlers keeps running, because the handlers are its purpose. A client that
    shares a pool returns its connection.
    """

    def __init__(self, link: Link, *, owns_pool: bool, on_closed: Callable[[], object] = lambda: None) -> None:
        self._link = link
        self._owns_pool = owns_pool
        self._on_closed = on_closed
        self._forks = _fork.forks

    def __del__(self) -> None:
        # The garbage collector may call this in any thread at any time, so the loop does the rest.
        link = self._link
        if link.closed or self._forks != _fork.forks:
            return
        if self._owns_pool and (link.has_handlers or not link.opened):
            return
        close = partial(link.close, graceful=False, finish_pool=self._owns_pool, on_closed=self._on_closed)
        told = f"unclosed client: {link}" if link.opened else ""
        with suppress(RuntimeError):  # the loop is closed
            link.pool.reactor.call_soon_threadsafe(close)
        if told:
            warnings.warn(told, ResourceWarning, stacklevel=2)
