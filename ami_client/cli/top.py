"""``top``: a live screen of channels, queues and the rate of events."""

from __future__ import annotations

import os
import time
from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Optional

import click

from ..connection import Connection
from . import signals
from .access import Access, Seconds, asks_server, server_argument
from .board import Board, draw
from .client import Client
from .failures import CommandError, Status
from .output import Output

if TYPE_CHECKING:
    from ..model import Model

# What the screen shows of the model's events; channels and clocks move with the interval as well.
CHANGES = (
    *("ready", "stale", "call_new", "call_ringing", "call_queued", "call_up", "call_held", "call_ended"),
    *("queue_joined", "queue_left", "queue_abandoned"),
)
# Seconds. What changes at the same time is drawn at once, and a busy server does not keep us drawing.
SOON = 0.1


@click.command()
@server_argument
@click.option(
    "-i",
    "--interval",
    metavar="SECONDS",
    type=Seconds(min=0.1),
    default=1.0,
    show_default=True,
    help="How often durations and the event rate are updated. Everything else is updated by events.",
)
@asks_server
def top(access: Access, interval: float) -> None:
    """Show channels, queues and the event rate on a live screen, until q or Ctrl-C.

    A lost connection is reopened. This command needs a terminal. In programs, use channels, queues or events with
    --json.

    \b
    Examples:
      ami-client top pbx1
      ami-client top --interval 0.5
    """
    if find_spec("termios") is None:
        raise CommandError("top runs on POSIX systems only; there are channels and queues", Status.USAGE)
    if not access.output.terminal or os.environ.get("TERM", "dumb") == "dumb":
        raise CommandError("top needs a terminal; for programs: channels --json, queues --json", Status.USAGE)
    with access.client(events="on", reconnect=True, endless=True) as client:
        _Top(client, access.output, interval).run(access.timeout)


class _Top:
    """Draws what a model knows: whenever that has changed, and every ``interval`` seconds for clocks and rates."""

    def __init__(self, client: Client, output: Output, interval: float) -> None:
        from rich.console import Console

        from .screen import Screen

        console = Console(no_color=not output.color, highlight=False, markup=False, emoji=False)
        self._client = client
        self._interval = interval
        self._board = Board(str(client.target), trouble="")
        self._screen = Screen(client.reactor, console, self._key, client.guard(self._draw))
        self._conn = client.connection
        from ..model import Model  # here, for the other commands do without

        self._model = Model(client.pool, endpoints=False)
        self._is_due = False  # a change will be drawn in a moment
        self._events = client.pool.stats.events
        self._counted = client.reactor.time()

    def run(self, timeout: Optional[float]) -> None:
        """Until somebody ends it, or for ``timeout`` seconds."""
        client = self._client
        client.pool.on("disconnect", self._lost)
        client.pool.on_login(self._logged_in)
        for name in CHANGES:
            self._model.on(name, self._changed)
        self._model.follow(self._conn)
        if timeout is not None:
            client.reactor.call_later(timeout, client.stop)
        with signals.stopping(client.reactor, client.stop), self._screen:
            client.guard(self._tick)()
            client.run()

    def _key(self, key: str) -> None:
        if key in "qQ":
            self._client.stop()

    def _lost(self, conn: Connection) -> None:
        self._board.trouble = f"connecting again: {conn.error}"

    def _logged_in(self, conn: Connection) -> None:
        self._conn = conn
        self._board.trouble = ""

    def _tick(self) -> None:
        self._client.reactor.call_later(self._interval, self._client.guard(self._tick))
        self._count()
        self._draw()

    def _count(self) -> None:
        events, now = self._client.pool.stats.events, self._client.reactor.time()
        if now > self._counted:
            self._board.rates.append((events - self._events) / (now - self._counted))
        self._events, self._counted = events, now

    def _changed(self, model: Model, *args: object) -> None:
        if not self._is_due:
            self._is_due = True
            self._client.reactor.call_later(SOON, self._client.guard(self._draw))

    def _draw(self) -> None:
        self._is_due = False
        board, model = self._board, self._model
        board.show(time.time(), len(model.calls), list(model.channels.values()), list(model.queues.values()))
        missing = [name for one in model.servers.values() for name in one.missing]
        if missing and not board.trouble:
            board.trouble = f"not permitted: {', '.join(missing)}"
        board.round_trip = self._conn.round_trip or 0.0
        board.version = f"AMI {self._conn.ami_version}"
        self._screen.draw(draw(board, datetime.now().strftime("%H:%M:%S"), *self._screen.size))
