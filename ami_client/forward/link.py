"""A thread that keeps a connection to a broker, and works with it."""

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

#: Seconds between two attempts to reach the broker: the first delay, and the longest.
_RETRY, _RETRY_MAX = 0.1, 2.0


class BrokerThread(ABC):
    """Opens a broker's connection, and opens it again after each loss, with a growing delay.

    Everything but :meth:`start`, :meth:`stop` and :meth:`wake` runs in the thread.
    """

    def __init__(self, broker: Broker, what: str) -> None:
        if not isinstance(broker, Broker):
            raise TypeError(f"broker is a Broker, such as RedisStream(url), not {type(broker).__name__}")
        self.broker = broker.fresh()
        self._what = what
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._end: Optional[float] = None  # when the work is to be over, finished or not
        self._thread = threading.Thread(target=self._run, name=f"ami_client-{what}", daemon=True)

    def start(self) -> None:
        """Start the thread. Raises RuntimeError if it was started before."""
        self._thread.start()

    def wake(self) -> None:
        """Let :meth:`pause` return. May be called from any thread."""
        if not self._woken.is_set():
            self._woken.set()

    def stop(self, timeout: float) -> None:
        """Let the work end within ``timeout`` seconds, and wait for the thread's end."""
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
        """Wait until somebody calls :meth:`wake`, or for that long."""
        self._woken.wait(seconds)
        self._woken.clear()

    # -- what the work is

    def opened(self) -> None:  # noqa: B027  (not everybody has something to do then)
        """The connection is there. Called before the first :meth:`turn`."""

    @abstractmethod
    def turn(self) -> None:
        """Do some work, for about a second at most."""

    def lost(self) -> None:  # noqa: B027
        """The connection is gone."""

    def away(self) -> None:  # noqa: B027
        """Do what can be done without the broker. Called from time to time while it is gone."""

    def is_done(self) -> bool:
        """Whether the work may end, once :meth:`stop` was called."""
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
                    logger.warning("%s: %r is gone (%s); trying again until it is back", self._what, self.broker, error)
                told = True
            except Exception:
                logger.exception("%s: an unexpected error; trying again", self._what)
            self.broker.close()
            self.lost()
            until = time.monotonic() + delay
            while not self._is_over() and time.monotonic() < until:
                self.away()
                # Not pause(): there may be thousands of events a second, each of which would wake it for nothing.
                self._stopped.wait(max(0.0, min(0.1, until - time.monotonic())))
            delay = min(2 * delay, _RETRY_MAX)
        self.away()


class Sender(BrokerThread):
    """Publishes messages.

    What the broker has not confirmed is published again. With ``on_lost`` each message is published once at most, and
    ``on_lost(messages)`` is called in the thread with those that may be lost.
    """

    limit = 10_000  # messages that wait

    def __init__(
        self, broker: Broker, what: str, *, on_lost: Optional[Callable[[Sequence[Message]], object]] = None
    ) -> None:
        super().__init__(broker, what)
        self._on_lost = on_lost
        self._waiting: deque[Message] = deque()
        self.sent = 0

    def send(self, messages: Sequence[Message]) -> None:
        """Publish soon. Raises LimitReached if too many messages wait. May be called from any thread."""
        if len(self._waiting) >= self.limit:
            raise LimitReached(f"{self.limit} messages wait for the broker", limit="limit")
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
