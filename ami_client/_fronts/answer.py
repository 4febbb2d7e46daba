"""The result of an action of the asyncio client."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Optional, TypeVar, cast

from .link import Canceller, Request

Result = TypeVar("Result")


class Answer(Request, asyncio.Future[Result], Coroutine[Any, Any, Result]):
    """The answer to an action that was sent. Await it.

    It is a future, so ``gather`` and ``wait_for`` create no task for it; a task would be a third of a Ping's cost at
    depth 100. It is also a coroutine, because ``create_task`` accepts nothing else. Cancelling it gives up the action.
    """

    def __init__(self, asked: Canceller) -> None:
        super().__init__(loop=cast(asyncio.AbstractEventLoop, asked.reactor))
        self._asked = asked
        self._steps: Optional[Generator[Any, None, Result]] = None

    def deliver(self, result: Any, error: Optional[BaseException]) -> None:
        if self.done():
            return
        if error is None:
            self.set_result(result)
        else:
            self.set_exception(error)

    def cancel(self, msg: Optional[Any] = None) -> bool:
        """Give up the action. Its late answer is ignored."""
        if not self.done():
            super().cancel(msg)
            self._asked.cancel(self)
            return True
        if not self.cancelled():
            self.exception()  # mark it as retrieved, or asyncio logs it: the task that would raise it is cancelled
        return False

    # -- as a coroutine

    def send(self, value: Any) -> Any:
        """Behave as a coroutine."""
        if self._steps is None:
            self._steps = self.__await__()
        return self._steps.send(value)

    def throw(self, *error: Any) -> Any:
        """Behave as a coroutine."""
        if self._steps is None:
            self._steps = self.__await__()
        return self._steps.throw(*error)

    def close(self) -> None:
        """Behave as a coroutine: give up the action."""
        self.cancel()
