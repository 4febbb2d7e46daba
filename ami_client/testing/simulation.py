"""A reactor whose time and network are simulated: :class:`SimulatedReactor`."""

from __future__ import annotations

import selectors
from contextlib import ExitStack
from typing import Callable, Optional

from ..reactor import Reactor
from .fakes import FakeClock, FakeSelector, NothingCanHappen
from .network import FakeNetwork

# So many iterations without time passing are too many.
_RESTLESS = 10_000


class SimulatedReactor(Reactor):
    """A Reactor for tests: its clock moves when nothing else is to be done, and its network is in memory.

    A test of an hour of silence takes no time, and gives the same result each time. Inside a ``with`` block the
    library's connections reach what listens in this network, which a FakeAsterisk on this reactor does::

        with SimulatedReactor() as reactor, FakeAsterisk(reactor, host="pbx.example.com", port=5038) as server:
            pool = Pool(reactor=reactor)
            pool.get_connection("tcp://admin:secret@pbx.example.com:5038", on_connection)
            reactor.run_for(3600)

    What could go on for ever raises :class:`NothingCanHappen`, an AssertionError: at once when nobody will ever say
    anything, or when ``patience`` seconds of its clock have passed in one :meth:`run`. Threads cannot wake it, and real
    sockets cannot be watched.

    Attributes: ``clock``, a FakeClock; ``network``.
    """

    def __init__(self, *, patience: float = 86_400.0) -> None:
        self.clock = FakeClock()
        self.patience = patience
        self._sleeper = _Sleeper(self.clock)
        super().__init__(self._sleeper, self.clock)
        self.network = FakeNetwork(self)
        self._installed = ExitStack()

    def __enter__(self) -> SimulatedReactor:
        self._installed.enter_context(self.network.installed())
        return self

    def close(self) -> None:
        """As ``Reactor.close``; connections are made in the real network again."""
        super().close()
        self._installed.close()

    def run(self) -> None:
        """Run until ``stop()``; raises NothingCanHappen when ``patience`` seconds have passed."""
        self._run(self.patience)

    def run_for(self, seconds: float) -> None:
        """Run until so many seconds of its clock have passed and all that is due then is done, or until ``stop()``."""
        ended: list[bool] = []

        def end() -> None:
            ended.append(True)
            self.stop()

        timer = self.call_later(seconds, end)
        try:
            self._run(None)
        finally:
            timer.cancel()
        if ended:
            self.settle()

    def settle(self) -> None:
        """Run as long as there is something to do now; no time passes. AssertionError when that has no end."""
        for _ in range(_RESTLESS):
            if not self.run_once(0):
                return
        raise AssertionError("the loop does not come to rest: something calls itself again and again")

    def run_until(self, condition: Callable[[], object], within: float = 60.0) -> None:
        """Run until ``condition()`` is true; AssertionError when it is not ``within`` so many seconds of its clock."""
        deadline = self.time() + within
        while not condition():
            left = deadline - self.time()
            if left <= 0:
                name = getattr(condition, "__name__", None) or repr(condition)
                raise AssertionError(f"in {within:g} seconds it did not come to that: {name}")
            self.run_once(left)

    def _run(self, patience: Optional[float]) -> None:
        self._sleeper.until = None if patience is None else self.time() + patience
        try:
            super().run()
        finally:
            self._sleeper.until = None


class _Sleeper(FakeSelector):
    """A FakeSelector that wakes up for the last time at ``until``, seconds of its clock."""

    until: Optional[float] = None

    def select(self, timeout: Optional[float] = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As ``FakeSelector.select``; raises NothingCanHappen when it is to sleep longer."""
        if (
            self.until is not None
            and timeout is not None
            and self.clock.now + timeout > self.until
            and not self._ready()
        ):
            raise NothingCanHappen(f"at {self.until:g} seconds the loop still runs, for what is awaited does not come")
        return super().select(timeout)
