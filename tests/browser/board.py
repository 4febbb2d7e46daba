"""A wallboard in a thread, of a model that is fed by hand."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import Any, Callable, Optional, TypeVar

import office_events as office
from aiohttp import web

from ami_client.model import Model
from ami_client.web import make_app

T = TypeVar("T")

#: Calls in a row: who calls, whom, in which queue, and for how many seconds it has lasted.
CALLS = (
    ("Nora Lindqvist", "alice", "support", 754),
    ("Ōtani Haruka", "bob", "sales", 433),
    ("", "carol", "", 312),
    ("Иван Петров", "dave", "support", 95),
    ("Fatima el-Amin", "", "support", 648),
    ("", "", "support", 21),
    ("Lars Holm", "erin", "", 9),
    ("Ana Souza", "", "sales", 6),
)
MEMBERS = {
    "support": (("Alice", 2), ("Bob", 2), ("Carol", 2), ("Dave", 2), ("Erin", 6), ("Frank", 1), ("Grace", 5)),
    "sales": (("Bob", 2), ("Heidi", 1), ("Ivan", 1)),
    "night": (("Judy", 1),),
}
TELEPHONES = {
    "INUSE": ("alice", "bob", "carol", "dave"),
    "RINGING": ("erin",),
    "ONHOLD": ("mallory",),
    "UNAVAILABLE": ("grace", "lobby"),
    "NOT_INUSE": ("frank", "heidi", "ivan", "judy", "door", "warehouse-1", "warehouse-2", "workshop"),
}


class Board:
    """The wallboard; ``do`` calls what touches the model where it lives, :meth:`feed` is one of ours.

    The model's clock can be set: ``ago`` is how many seconds it is behind while it is fed.
    """

    def __init__(self, *, token: str = "", host: str = "127.0.0.1") -> None:
        self.ago = 0.0
        self.events = 0
        self.port = 0
        self._token = token
        self._host = host
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._runner: Optional[web.AppRunner] = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self.port}/"

    def _now(self) -> float:
        return time.time() - self.ago

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def do(self, function: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        """Call ``function(model, ...)``."""

        async def call() -> None:
            self.events += 1
            function(self.model, *args, **kwargs)

        self._do(call())

    def start(self) -> None:
        """Begin, with a model that knows nothing, at the same place as before."""

        async def begin() -> None:
            self.model = Model(clock=self._now)
            app = make_app(self.model, token=self._token, events=lambda: self.events)
            self._runner = web.AppRunner(app, access_log=None)
            await self._runner.setup()
            site = web.TCPSite(self._runner, self._host, self.port, reuse_address=True)
            await site.start()
            self.port = self._runner.addresses[0][1]

        self._do(begin())

    def stop(self) -> None:
        """Serve no more."""
        if self._runner is not None:
            self._do(self._runner.cleanup())
            self._runner = None

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # -- what goes on

    def fill(self) -> None:
        """A call centre at work."""
        self.do(office.service_levels, **dict.fromkeys(MEMBERS, 20))
        for queue, members in MEMBERS.items():
            for name, status in members:
                self.do(office.member, name, status, queue, paused=name == "Ivan")
        for state, names in TELEPHONES.items():
            for name in names:
                self.do(office.telephone, name, state)
        for number in range(100, 112):  # who has been served within the last hour
            self.ago = 1800
            self.do(office.call, number)
            self.do(office.join, number, "sales" if number % 4 == 0 else "support")
            self.ago -= 31 if number % 5 == 0 else 11
            end = office.abandon if number == 105 else office.answer
            self.do(end, number, "sales" if number % 4 == 0 else "support")
            self.do(office.hang_up, number)
        for number, (name, telephone, queue, seconds) in enumerate(CALLS, 1):
            self.ago = seconds
            self.do(office.call, number, name)
            if queue:
                self.do(office.join, number, queue)
            if telephone:
                self.do(office.talk, number, telephone)
            if queue and telephone:
                self.do(office.answer, number, queue)
        self.ago = 0
