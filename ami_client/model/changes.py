"""The model's events for ``async for``. asyncio is imported only by programs that use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Optional

from .._fronts.gaps import BoundedBuffer

if TYPE_CHECKING:
    import asyncio


class Change(NamedTuple):
    """Something happened: the name of the model's event, and what its handlers get behind the model.

    ``Change("gap", (count,))``: so many changes did not fit, because the loop that takes them was too slow.
    """

    event: str
    args: tuple[object, ...]


class Changes:
    """An asynchronous iterator of :class:`Change`: all that is told after it was made.

    It keeps ``limit`` of them at most for a loop that is slow. It is bound to the model until :meth:`close`, the end of
    an ``async with``, or until nobody has it any more.
    """

    def __init__(self, limit: int) -> None:
        self._buffer = BoundedBuffer(limit, lambda count: Change("gap", (count,)))
        self._closed = False
        self._waiter: Optional[asyncio.Future[None]] = None

    def put(self, change: Change) -> None:
        """Add one. The model calls this, in the thread of the loop."""
        if self._closed:
            return
        self._buffer.put(change)
        self._wake()

    def close(self) -> None:
        """End the iteration once what is there has been taken."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __aiter__(self) -> Changes:
        return self

    async def __anext__(self) -> Change:
        while not self._buffer:
            if self._closed:
                raise StopAsyncIteration
            if self._waiter is None or self._waiter.done():
                from asyncio import get_running_loop

                self._waiter = get_running_loop().create_future()
            await self._waiter
        return self._buffer.pop()

    async def __aenter__(self) -> Changes:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.close()
