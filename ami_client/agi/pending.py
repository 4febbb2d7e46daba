"""A command in flight, and its reply. No I/O here, and no event loop except for the one that awaits."""

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
    """The end of something. ``error`` says why it failed, or is None."""

    @property
    def error(self) -> Optional[AMIError]: ...


Result = TypeVar("Result", bound=Outcome)


class Pending(Generic[Result]):
    """The future result of a method of a call, such as a command's :class:`~ami_client.agi.Reply`.

    In a coroutine, ``await`` it: that returns the result, or raises its ``error``. Elsewhere, pass a callback to the
    method. If you do not need the result, do neither. Cancelling the ``await`` gives up a command that was not sent
    yet.

    Attributes: ``result``, None until there is one.
    """

    __slots__ = ("_futures", "callback", "given_up", "result")

    def __init__(self, callback: Optional[Callable[..., object]]) -> None:
        self.callback = callback
        self.given_up = False  # its await was cancelled, and there is no callback
        self.result: Optional[Result] = None
        self._futures: Optional[list[Future[None]]] = None  # futures of those who await it

    def done(self) -> bool:
        """Whether there is a result."""
        return self.result is not None

    def settle(self, result: Result) -> Optional[Callable[..., object]]:
        """Store the result and wake those who await it. Return the callback, which the caller must call."""
        self.result = result
        if self._futures is not None:
            for future in self._futures:
                if not future.done():
                    future.set_result(None)
        callback, self.callback = self.callback, None
        return callback

    def __await__(self) -> Generator[Any, None, Result]:
        if self.result is None:
            # A program that awaits has already imported it. For all others the import is slow.
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
    """One command. ``data`` are its bytes, without the line end.

    Attributes: ``returns_value``, whether its reply may have any text in parentheses; ``key``, the link's key for it;
    ``timer``, the timer of its timeout.
    """

    __slots__ = ("data", "key", "returns_value", "timer")

    def __init__(self, data: bytes, callback: Optional[Callable[..., object]], returns_value: bool) -> None:
        super().__init__(callback)
        self.data = data
        self.returns_value = returns_value
        self.key = 0
        self.timer: Optional[Handle] = None
