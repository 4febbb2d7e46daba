"""What is on its way: a command whose reply is to come. No I/O here, and no loop but the one that awaits."""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Callable, Generic, Optional, Protocol, TypeVar, cast

from .protocol import Reply

if TYPE_CHECKING:
    from asyncio import Future

    from ..errors import AMIError
    from ..loop import Handle


class Outcome(Protocol):
    """How something ended: ``error`` says why it failed."""

    @property
    def error(self) -> Optional[AMIError]: ...


Result = TypeVar("Result", bound=Outcome)


class Pending(Generic[Result]):
    """The result that a method of a call will have, such as a command's :class:`~ami_client.agi.Reply`.

    In a coroutine, ``await`` it: that returns the result, or raises its ``error``. Elsewhere give the method a
    callback; who needs no result needs neither. Cancelling the ``await`` gives up a command that was not sent yet.

    Attributes: ``result``, None until it is there.
    """

    __slots__ = ("_futures", "callback", "given_up", "result")

    def __init__(self, callback: Optional[Callable[..., object]]) -> None:
        self.callback = callback
        self.given_up = False  # whoever awaited it was cancelled, and there is no callback
        self.result: Optional[Result] = None
        self._futures: Optional[list[Future[None]]] = None  # of those who await it

    def done(self) -> bool:
        """Whether the result is there."""
        return self.result is not None

    def settle(self, result: Result) -> Optional[Callable[..., object]]:
        """Keep the result and wake those who await it. Return the callback, which the caller calls."""
        self.result = result
        if self._futures is not None:
            for future in self._futures:
                if not future.done():
                    future.set_result(None)
        callback, self.callback = self.callback, None
        return callback

    def __await__(self) -> Generator[Any, None, Result]:
        if self.result is None:
            # Whoever awaits has imported it; for all others it is a slow import.
            future = sys.modules["asyncio"].get_running_loop().create_future()
            self._futures = [*(self._futures or ()), future]
            try:
                yield from future.__await__()
            finally:
                self.given_up = future.cancelled() and self.callback is None
        result = cast(Result, self.result)
        if result.error is not None:
            raise result.error
        return result


class Command(Pending[Reply]):
    """One command: ``data`` is what is sent, without the line end.

    Attributes: ``returns_value``, whether its reply may hold any text in parentheses; ``key``, by which the link finds
    it; ``timer`` of its time limit.
    """

    __slots__ = ("data", "key", "returns_value", "timer")

    def __init__(self, data: bytes, callback: Optional[Callable[..., object]], returns_value: bool) -> None:
        super().__init__(callback)
        self.data = data
        self.returns_value = returns_value
        self.key = 0
        self.timer: Optional[Handle] = None
