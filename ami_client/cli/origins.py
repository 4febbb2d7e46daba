"""Where the wallboard's models get their events: from servers, or from a broker into which others forward them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Callable, Optional

from ..connection import Connection
from ..forward import Gap, Source
from ..model import Model
from ..model.picture import STALE
from ..pool import Pool
from .client import RECONNECT, RECONNECT_MAX
from .explain import explain
from .failures import CommandError, Status
from .feed import tell_gap
from .forwarding import open_broker
from .output import note
from .target import Target

CHECK = 1.0  # seconds between looks whether the broker is there


class Servers:
    """A pool and a model for each server. ``fail(error)`` is called if a server refuses the login for good."""

    def __init__(self, targets: Sequence[Target], fail: Callable[[Exception], object]) -> None:
        self._targets = targets
        self._fail = fail
        self._lost: set[str] = set()
        self._is_over = False
        self._pools = [self._pool(target) for target in targets]
        self.models = [self._model(pool, target) for pool, target in zip(self._pools, targets)]

    def start(self) -> None:
        """Connect."""
        for pool, target in zip(self._pools, self._targets):
            pool.get_connection(target.url)

    def events(self) -> int:
        """How many events have come."""
        return sum(pool.stats.events for pool in self._pools)

    def close(self) -> None:
        """End the connections."""
        self._is_over = True
        for model in self.models:
            model.close()  # that we end the connections is nothing to tell
        for pool in self._pools:
            pool.finish(graceful=True)

    def _pool(self, target: Target) -> Pool:
        try:
            pool = Pool(
                reactor=asyncio.get_running_loop(),
                events="on",
                reconnect=RECONNECT,
                reconnect_max=RECONNECT_MAX,
                fold_case=False,
                **target.options,
            )
        except ValueError as error:
            raise CommandError(str(error), Status.USAGE) from None
        pool.on("disconnect", self._disconnected)
        return pool

    def _model(self, pool: Pool, target: Target) -> Model:
        model = Model(pool)
        model.lose(str(target))  # until it answers, the page says that it does not
        model.on("ready", self._ready)
        return model

    def _disconnected(self, conn: Connection) -> None:
        error = conn.error
        if self._is_over:
            return
        if error is not None and conn.lost and not conn.reconnecting:
            self._fail(explain(error))
        elif error is not None and str(conn) not in self._lost:
            self._lost.add(str(conn))
            note(f"{conn}: {error}; reconnecting")

    def _ready(self, model: Model, server: str) -> None:
        if server in self._lost:
            self._lost.discard(server)
            note(f"{server}: connected again")


class Forwarded:
    """A source and its model. Only servers of these names are shown, if there are any.

    A source has no lists. So a server is stale while its forwarder or the broker is away, and starts empty afterwards.
    """

    def __init__(self, broker: str, names: Sequence[str]) -> None:
        self._loop = asyncio.get_running_loop()
        self._was_reading = False
        self._cut: set[str] = set()  # servers that are stale because the broker is away
        self._timer: Optional[asyncio.TimerHandle] = None
        try:
            self._source = Source(
                open_broker(broker), servers=names or None, reactor=self._loop, fold_case=False, slow_handler=None
            )
        except ValueError as error:
            raise CommandError(str(error), Status.USAGE) from None
        self._model = Model(self._source)
        self.models = [self._model]
        self._source.on("gap", self._gap)

    @property
    def is_reading(self) -> bool:
        """Whether the broker is there."""
        return self._source.is_reading

    def start(self) -> None:
        """Begin to read."""
        self._source.start()
        self._check()

    def events(self) -> int:
        """How many events have come."""
        return self._source.stats.events

    def close(self) -> None:
        """End the connection to the broker."""
        if self._timer is not None:
            self._timer.cancel()
        self._source.close(1.0)

    def _check(self) -> None:
        self._timer = self._loop.call_later(CHECK, self._check)
        if self.is_reading is not self._was_reading:
            self._was_reading = not self._was_reading
            if self._was_reading:
                for name in list(self._cut):
                    self._begin(name)
            else:
                self._cut = {name for name, server in self._model.servers.items() if server.state != STALE}
                for name in self._cut:
                    self._model.lose(name)

    def _gap(self, source: Source, gap: Gap) -> None:
        tell_gap(gap)
        if gap.reason == "lost":
            self._model.lose(gap.server)
        elif gap.reason in ("start", "back", "takeover"):
            self._begin(gap.server)

    def _begin(self, server: str) -> None:
        model = self._model
        self._cut.discard(server)
        model.forget(server)  # the ends of its calls may be missing
        model.picture(server)
        model.tell("ready", server)
