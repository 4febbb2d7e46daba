"""Finding out that a link is dead: a Ping at half of the silence that is allowed, the end after all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Optional

from .errors import AMIError, SilenceTimeout

if TYPE_CHECKING:
    from .loop import Handle, Loop


class Keepalive:
    """Watches one link.

    After ``timeout / 2`` seconds without a byte ``ask()`` is called, once; after ``timeout`` seconds
    ``give_up(error)``, with a :class:`~ami_client.errors.SilenceTimeout`. A ``timeout`` of None watches nothing.

    Attributes: ``last_received``, the loop's time in seconds when bytes came last; None before :meth:`start`.
    """

    def __init__(
        self,
        loop: Loop,
        timeout: Optional[float],
        *,
        ask: Callable[[], object],
        give_up: Callable[[AMIError], object],
    ) -> None:
        self.last_received: Optional[float] = None
        self._loop = loop
        self._timeout = timeout
        self._ask = ask
        self._give_up = give_up
        self._timer: Optional[Handle] = None

    def start(self) -> None:
        """Begin: silence counts from now."""
        self.heard()
        if self._timeout is not None:
            self._timer = self._loop.call_later(self._timeout / 2, self._check, self._timeout)

    def heard(self) -> None:
        """Bytes came."""
        self.last_received = self._loop.time()

    def stop(self) -> None:
        """End: nothing is called any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self, timeout: float) -> None:
        # The timer is not moved at each byte: it looks when it fires how long the silence has been.
        assert self.last_received is not None
        silence = self._loop.time() - self.last_received
        if silence >= timeout:
            self._give_up(SilenceTimeout(f"the server was silent for {timeout:g} s"))
            return
        asking = silence >= timeout / 2
        left = (timeout if asking else timeout / 2) - silence
        self._timer = self._loop.call_later(left, self._check, timeout)
        if asking:
            self._ask()
