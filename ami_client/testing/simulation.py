"""A reactor whose time and network are simulated: :class:`SimulatedReactor`."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import Callable, Optional

from ..reactor import Reactor
from .fakes import FakeClock, FakeSelector, NothingCanHappen
from .network import FakeNetwork

logger = logging.getLogger("ami_client")

# Maximum number of iterations without time passing.
_RESTLESS = 100_000


class SimulatedReactor(Reactor):
    """A Reactor for tests. Its clock advances when there is nothing else to do, and its network is in memory.

    A test with an hour of silence takes no time, and its result never varies. Inside a ``with`` block the library uses
    this network, where a FakeAsterisk on this reactor listens::

        with SimulatedReactor() as reactor, FakeAsterisk(reactor, host="pbx.example.com", port=5038) as server:
            pool = Pool(reactor=reactor)
            pool.get_connection("tcp://admin:secret@pbx.example.com:5038", on_connection)
            reactor.run_for(3600)

    An endless wait raises :class:`NothingCanHappen`, an AssertionError: at once if nothing can happen any more, or
    after ``patience`` seconds of its clock in one :meth:`run`. Threads cannot wake it, and real sockets cannot be
    watched.

    Inside the block, the ``run`` methods raise the exceptions of callbacks, so an assertion in a callback can fail a
    test. Other reactors only log them. Running can continue afterwards. If the test itself caused the call, for example
    by ending a connection, the next ``run`` method or the end of the block raises the exception.

    Attributes: ``clock``, a FakeClock; ``network``.
    """

    def __init__(self, *, patience: float = 86_400.0) -> None:
        self.clock = FakeClock()
        self.patience = patience
        self._sleeper = FakeSelector(self.clock, patience=None)
        super().__init__(self._sleeper, self.clock)
        self.network = FakeNetwork(self)
        self._installed = ExitStack()
        self._raised = _Raised()
        self._restless = 0

    def __enter__(self) -> SimulatedReactor:
        self._installed.enter_context(self.network.installed())
        logger.addHandler(self._raised)
        self._installed.callback(logger.removeHandler, self._raised)
        return self

    def __exit__(self, *exc_info: object) -> None:
        super().__exit__(*exc_info)
        if exc_info[:1] == (None,):
            self._raise_kept()

    def _raise_kept(self) -> None:
        """Raise an exception of a callback that no ``run`` method has raised yet."""
        if self._raised.errors:
            raise self._raised.errors.pop(0)

    def close(self) -> None:
        """Like ``Reactor.close``. Later connections use the real network again."""
        super().close()
        self._installed.close()

    def run(self) -> None:
        """Run until ``stop()``. Raises NothingCanHappen after ``patience`` seconds."""
        self._run(self.patience)

    def run_for(self, seconds: float) -> None:
        """Run for ``seconds`` on its clock, including everything due then, or until ``stop()``."""
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
        """Run until there is nothing to do now. No time passes."""
        while self.run_once(0):
            pass

    def run_until(self, condition: Callable[[], object], within: float = 60.0) -> None:
        """Run until ``condition()`` is true. Raises AssertionError after ``within`` seconds on its clock."""
        deadline = self.time() + within
        while True:
            value = condition()
            if value:
                return
            left = deadline - self.time()
            if left <= 0:
                name = getattr(condition, "__name__", None) or repr(condition)
                raise AssertionError(f"the condition was not met within {within:g} seconds: {name} is still {value!r}")
            self.run_once(left)

    def _iterate(self, limit: Optional[float]) -> bool:
        before = self.clock.now
        ran = super()._iterate(limit)
        self._restless = self._restless + 1 if ran and self.clock.now == before else 0
        if self._restless >= _RESTLESS:
            self._restless = 0
            raise NothingCanHappen("the loop does not come to rest: a callback keeps scheduling itself")
        self._raise_kept()
        return ran

    def _run(self, patience: Optional[float]) -> None:
        self._sleeper.patience, self._sleeper.slept = patience, 0.0
        try:
            super().run()
        finally:
            self._sleeper.patience = None


class _Raised(logging.Handler):
    """Keeps the exceptions of callbacks, by handling the library's log records."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.errors.append(record.exc_info[1])
