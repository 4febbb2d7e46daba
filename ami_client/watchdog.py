"""Finding out that a link is dead: a limit for the login, a Ping at half of the silence allowed, the end after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Optional

from .errors import SilenceTimeout

if TYPE_CHECKING:
    from .loop import Handle, Loop


class Watchdog:
    """Watches one link, from :meth:`start` to :meth:`stop`.

    After ``timeout / 2`` seconds without a byte ``ask()`` is called, once; after as many again ``on_silence(error)``.
    Without :meth:`logged_in` after ``login_timeout`` seconds ``on_late_login(login_timeout)`` is. None means no limit.

    Attributes: ``last_received``, the loop's time in seconds when bytes came last; None before :meth:`start`.
    """

    def __init__(
        self,
        loop: Loop,
        *,
        timeout: Optional[float],
        login_timeout: Optional[float],
        ask: Callable[[], object],
        on_silence: Callable[[SilenceTimeout], object],
        on_late_login: Callable[[float], object],
    ) -> None:
        self.last_received: Optional[float] = None
        self._loop = loop
        self._timeout = timeout
        self._login_timeout = login_timeout
        self._ask = ask
        self._on_silence = on_silence
        self._on_late_login = on_late_login
        self._silence: Optional[Handle] = None
        self._login: Optional[Handle] = None

    def start(self) -> None:
        """Begin: silence and the login count from now."""
        self.heard()
        if self._timeout is not None:
            self._silence = self._loop.call_later(self._timeout / 2, self._check, self._timeout)
        if self._login_timeout is not None:
            self._login = self._loop.call_later(self._login_timeout, self._on_late_login, self._login_timeout)

    def heard(self) -> None:
        """Bytes came."""
        self.last_received = self._loop.time()

    def logged_in(self) -> None:
        """The login was answered."""
        if self._login is not None:
            self._login.cancel()

    def stop(self) -> None:
        """End: nothing is called any more."""
        for timer in (self._silence, self._login):
            if timer is not None:
                timer.cancel()

    def _check(self, timeout: float, asked: Optional[float] = None) -> None:
        # The timer is not moved at each byte: it looks when it fires how long the silence has been.
        assert self.last_received is not None
        now = self._loop.time()
        due = self.last_received + timeout / 2
        if now < due:
            self._silence = self._loop.call_later(due - now, self._check, timeout)
        elif asked is None or asked <= self.last_received:
            # Never given up unasked: when our own program was busy or stopped, the long silence may be its fault.
            self._silence = self._loop.call_later(timeout / 2, self._check, timeout, now)
            self._ask()
        else:
            self._on_silence(SilenceTimeout(f"the server was silent for {timeout:g} s"))
