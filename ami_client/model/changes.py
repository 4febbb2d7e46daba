"""The model's events for ``async for``. asyncio is imported only by programs that use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Optional

from .._fronts.gaps import BoundedBuffer

if TYPE_CHECKING:
    import asyncio


class Change(NamedTuple):
    """One change: the name of the model's event, and the arguments of its handlers after the model.

    ``Change("gap", (count,))`` means that ``count`` changes were dropped, because their reader was too slow.
    """

    event: str
    args: tuple[object, ...]


class Changes:
    """An asynchronous iterator of :class:`Change`. It yields everything that happens after it was created.

    It keeps at most ``limit`` changes for a slow reader. It is bound to the model until :meth:`close`, the end of an
    ``async with``, or until it is garbage-collected.
    """

    def __init__(self, limit: int) -> None:
        self._buffer = BoundedBuffer(limit, lambda count: Change("gap", (count,)))
        self._closed = False
        self._waiter: Optional[asyncio.Future[None]] = None

    def put(self, change: Change) -> None:
        """Add a change. The model calls this, in the loop's thread."""
        if self._closed:
            return
        self._buffer.put(change)
        self._wake()

    def close(self) -> None:
        """End the iteration after the changes that are still waiting."""
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
