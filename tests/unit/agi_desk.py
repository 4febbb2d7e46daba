"""Callers for the tests of AGI: both ways in, on a simulated reactor."""

from __future__ import annotations

from typing import Any, Callable, Optional, Union

from ami_client import Pool
from ami_client.agi import AsyncAGI, Call, FastAGI, Reply
from ami_client.testing import FakeAsterisk, FakeCaller, SimulatedReactor

WAYS = ("async", "fast")


class Desk:
    """One of the two servers, and callers that come in. ``replies`` is what :meth:`note` was called with."""

    def __init__(self, way: str, sim: SimulatedReactor, **options: Any) -> None:
        self.sim = sim
        self.way = way
        self._served = False
        self.calls: list[Call] = []
        self.replies: list[Reply] = []
        self.ends: list[Call] = []
        self.hangups: list[Call] = []
        self.agi: Union[AsyncAGI, FastAGI]
        if way == "fast":
            self.agi = FastAGI(None, reactor=sim, **options)
        else:
            self.pbx = FakeAsterisk(sim, host="pbx.example.com", port=5038)
            self.pbx.start()
            self.pool = Pool(reactor=sim)
            self.agi = AsyncAGI(self.pool, **options)
            self.pool.get_connection("tcp://admin:secret@pbx.example.com:5038")
            sim.run_until(lambda: self.pool.stats.connected)
        self.agi.on("end", self.ends.append)
        self.agi.on("hangup", self.hangups.append)

    def serve(self, handler: Optional[Callable[[Call], object]] = None) -> None:
        """Give calls to a handler, or to one that keeps them in ``calls``."""
        self._served = True
        self.agi.on("start", handler or self.calls.append)

    def dial(self, caller: Optional[FakeCaller] = None) -> FakeCaller:
        """Let a caller come in."""
        caller = caller or FakeCaller()
        if isinstance(self.agi, FastAGI):
            caller.dial(self.agi)
        else:
            self.pbx.start_agi(caller)
        self.sim.settle()
        return caller

    def take(self, caller: Optional[FakeCaller] = None) -> tuple[Call, FakeCaller]:
        """Let a caller come in, and return the call that nobody does anything with."""
        if not self._served:
            self.serve()
        caller = self.dial(caller)
        return self.calls[-1], caller

    def note(self, call: Call, reply: Reply) -> None:
        """A callback that keeps its reply."""
        self.replies.append(reply)

    def results(self) -> list[str]:
        """The results so far, or the names of errors."""
        self.sim.settle()
        return [one.result if one.error is None else type(one.error).__name__ for one in self.replies]
