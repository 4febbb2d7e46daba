"""What Windows does differently."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine


def run_asyncio(main: Coroutine[object, object, None]) -> None:
    """Run a coroutine on a loop of asyncio that can watch sockets, which Windows' default one cannot."""
    if sys.platform != "win32":
        asyncio.run(main)
    elif sys.version_info >= (3, 12):
        asyncio.run(main, loop_factory=asyncio.SelectorEventLoop)
    else:
        asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
        asyncio.run(main)
