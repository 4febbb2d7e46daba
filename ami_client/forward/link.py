"""A thread that keeps a connection to a broker and uses it."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Optional

from ..errors import LimitReached
from .broker import BEAT, Broker, Message

logger = logging.getLogger("ami_client")

#: Seconds between attempts to reach the broker: the first delay, and the maximum.
_RETRY, _RETRY_MAX = 0.1, 2.0


class BrokerThread(ABC):
    """Opens a connection to a broker, and opens it again after each loss, with increasing delays.

    Everything runs in the thread, except for :meth:`start`, :meth:`stop` and :meth:`wake`.
    """

    def __init__(self, broker: Broker, what: str) -> None:
        if not isinstance(broker, Broker):
            raise TypeError(f"broker must be a Broker, such as RedisStream(url), not {type(broker).__name__}")
        self.broker = broker.fresh()
        self._what = what
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._end: Optional[float] = None  # when the work must end, finished or not
        self._thread = threading.Thread(target=self._run, name=f"ami_client-{what}", daemon=True)

    def start(self) -> None:
        """Start the thread. Raises RuntimeError if it was started before."""
        self._thread.start()

    def wake(self) -> None:
        """Make :meth:`pause` return. May be called from any thread."""
        if not self._woken.is_set():
            self._woken.set()

    def stop(self, timeout: float) -> None:
        """End the work within ``timeout`` seconds, and wait for the end of the thread."""
        self._end = time.monotonic() + timeout
        self._stopped.set()
        self.wake()
        if self._thread.ident is not None:
            self._thread.join(timeout + 1.0)

    @property
    def stopping(self) -> bool:
        """Whether :meth:`stop` was called."""
        return self._end is not None

    def pause(self, seconds: float) -> None:
        """Wait until :meth:`wake` is called, for at most ``seconds``."""
        self._woken.wait(seconds)
        self._woken.clear()

    # -- the work

    def opened(self) -> None:  # noqa: B027  (optional)
        """Handle a new connection. Called before the first :meth:`turn`."""

    @abstractmethod
    def turn(self) -> None:
        """Do some work, for at most about a second."""

    def lost(self) -> None:  # noqa: B027
        """Handle the loss of the connection."""

    def away(self) -> None:  # noqa: B027
        """Do what is possible without the broker. Called regularly while it is unreachable."""

    def is_done(self) -> bool:
        """Return whether the work may end after :meth:`stop`."""
        return True

    # -- the thread

    def _is_over(self) -> bool:
        return self._end is not None and (self.is_done() or time.monotonic() >= self._end)

    def _run(self) -> None:
        delay, told = _RETRY, False
        while not self._is_over():
            try:
                self.broker.open()
                self.opened()
                logger.info("%s: connected to %r", self._what, self.broker)
                told = False
                while not self._is_over():
                    self.turn()
                    delay = _RETRY
            except self.broker.failures() as error:
                if not told:
                    logger.warning("%s: %r is gone (%s); retrying until it is back", self._what, self.broker, error)
                told = True
            except Exception:
                logger.exception("%s: unexpected error; retrying", self._what)
            self.broker.close()
            self.lost()
            until = time.monotonic() + delay
            while not self._is_over() and time.monotonic() < until:
                self.away()
                # Not pause(): there may be thousands of events a second, and each would wake it for nothing.
                self._stopped.wait(max(0.0, min(0.1, until - time.monotonic())))
            delay = min(2 * delay, _RETRY_MAX)
        self.away()


class Sender(BrokerThread):
    """Publishes messages.

    Messages that the broker has not confirmed are published again. With ``on_lost``, each message is published at most
    once, and ``on_lost(messages)`` is called in the thread with those that may be lost.
    """

    limit = 10_000  # maximum number of waiting messages

    def __init__(
        self, broker: Broker, what: str, *, on_lost: Optional[Callable[[Sequence[Message]], object]] = None
    ) -> None:
        super().__init__(broker, what)
        self._on_lost = on_lost
        self._waiting: deque[Message] = deque()
        self.sent = 0

    def send(self, messages: Sequence[Message]) -> None:
        """Publish soon. Raises LimitReached if too many messages are waiting. May be called from any thread."""
        if len(self._waiting) >= self.limit:
            raise LimitReached(f"{self.limit} messages are waiting for the broker", limit="limit")
        self._waiting.extend(messages)
        self.wake()

    def turn(self) -> None:
        if not self._waiting:
            self.pause(BEAT)
        batch = [self._waiting.popleft() for _ in range(min(1000, len(self._waiting)))]
        if not batch:
            self.broker.keep()
            return
        try:
            self.broker.publish(batch)
        except BaseException:
            if self._on_lost is None:
                self._waiting.extendleft(reversed(batch))
            else:
                self._on_lost(batch)
            raise
        self.sent += len(batch)

    def is_done(self) -> bool:
        return not self._waiting
