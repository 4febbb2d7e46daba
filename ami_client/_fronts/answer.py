"""What the actions of the asyncio client return."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Optional, TypeVar, cast

from .link import Canceller, Request

Result = TypeVar("Result")


class Answer(Request, asyncio.Future[Result], Coroutine[Any, Any, Result]):
    """The answer to an action that was sent: await it.

    It is a future, so ``gather`` and ``wait_for`` make no task for it, which is a third of a Ping's cost at depth 100.
    It is a coroutine too, because ``create_task`` takes nothing else. Cancelling it gives the action up.
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
        """Give the action up. Its late answer belongs to nobody."""
        if not self.done():
            super().cancel(msg)
            self._asked.cancel(self)
            return True
        if not self.cancelled():
            self.exception()  # the task that would have raised it is being cancelled: asyncio is not to log it
        return False

    # -- as a coroutine

    def send(self, value: Any) -> Any:
        """As a coroutine's."""
        if self._steps is None:
            self._steps = self.__await__()
        return self._steps.send(value)

    def throw(self, *error: Any) -> Any:
        """As a coroutine's."""
        if self._steps is None:
            self._steps = self.__await__()
        return self._steps.throw(*error)

    def close(self) -> None:
        """As a coroutine's: give the action up."""
        self.cancel()
