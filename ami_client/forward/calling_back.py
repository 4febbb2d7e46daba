"""What brokers have in common whose library calls back: they run the library while they wait for it."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections import deque
from typing import Any, Callable, Optional

from .broker import PATIENCE, Broker, BrokerError, Delivery


class CallingBack(Broker):
    """A broker whose library calls back.

    Its callbacks keep what they are told: messages in ``_received``, an error in ``_error``.
    """

    _error: Optional[Exception]
    _received: deque[Delivery]
    _limit: int

    @abstractmethod
    def _turn(self, seconds: float) -> None:
        """Run the library: wait up to ``seconds`` for something to do, and do what there is to do."""

    def _fail(self, what: object, error: Any) -> None:
        """Keep what went wrong, an exception or a text: the first thing is the cause."""
        self._error = self._error or (error if isinstance(error, Exception) else BrokerError(str(error)))

    def _until(self, holds: Callable[[], object], seconds: float = PATIENCE) -> bool:
        """Run the library until that is so, or for that long; return whether it is so. Raises what went wrong."""
        deadline = time.monotonic() + seconds
        has_turned = False
        while not holds():
            if self._error is not None:
                raise self._error
            left = deadline - time.monotonic()
            if has_turned and left <= 0:
                return False
            self._turn(max(0.0, left))
            has_turned = True
        return True

    def _wait(self, holds: Callable[[], object]) -> None:
        """Run the library until that is so. Raises BrokerError if it takes too long."""
        if not self._until(holds):
            raise BrokerError(f"no answer within {PATIENCE:g} s")

    def keep(self) -> None:
        self._until(lambda: False, 0.0)

    def receive(self, timeout: float) -> list[Delivery]:
        self._until(lambda: self._received, timeout)
        return [self._received.popleft() for _ in range(min(self._limit, len(self._received)))]
