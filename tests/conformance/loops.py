"""The loops that a pool may live on, and how a test runs them."""

from __future__ import annotations

import asyncio
from typing import Union

import uvloop

from ami_client.reactor import Reactor

AnyLoop = Union[Reactor, asyncio.AbstractEventLoop]

LOOPS = [Reactor, asyncio.new_event_loop, uvloop.new_event_loop]


def run(loop: AnyLoop) -> None:
    """Run until a callback stops the loop; a test that waits in vain fails instead of hanging."""
    in_vain: list[bool] = []

    def give_up() -> None:
        in_vain.append(True)
        loop.stop()

    guard = loop.call_later(10, give_up)
    if isinstance(loop, Reactor):
        loop.run()
    else:
        loop.run_forever()
    guard.cancel()
    assert not in_vain, "what the test waits for did not happen"
