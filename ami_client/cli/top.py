"""``top``: a live screen of channels, queues and the rate of events."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from datetime import datetime
from typing import Optional

import click

from ..connection import Connection
from ..packet import Packet
from .access import Access, Seconds, asks_server, server_argument
from .board import Board, draw
from .client import Client
from .failures import CommandError, Signalled, Status
from .output import Output
from .screen import Screen


@click.command(short_help="A live screen of channels, queues and the rate of events.")
@server_argument
@click.option(
    "-i",
    "--interval",
    metavar="SECONDS",
    type=Seconds(min=0.1),
    default=2.0,
    show_default=True,
    help="How often the server is asked.",
)
@asks_server
def top(access: Access, interval: float) -> None:
    """Show channels, queues and the rate of events, until q or Ctrl-C.

    A lost connection is opened again. It needs a terminal; for programs there are channels, queues and events --json.

    \b
    Examples:
      ami-client top pbx1
      ami-client top --interval 0.5
    """
    if not access.output.terminal or os.environ.get("TERM", "dumb") == "dumb":
        raise CommandError("top needs a terminal; for programs: channels --json, queues --json", Status.USAGE)
    with access.client(events="on", reconnect=True, endless=True) as client, suppress(KeyboardInterrupt):
        _Top(client, access.output, interval).run(access.timeout)


class _Top:
    """Asks every ``interval`` seconds, and draws what is known whenever that has changed."""

    def __init__(self, client: Client, output: Output, interval: float) -> None:
        from rich.console import Console

        console = Console(no_color=not output.color, highlight=False, markup=False, emoji=False)
        self._client = client
        self._interval = interval
        self._board = Board(str(client.target), trouble="")
        self._screen = Screen(client.reactor, console, self._key, client.guard(self._draw))
        self._conn = client.connection
        self._asked = False  # and the last answer has not come yet
        self._events = client.pool.stats.events
        self._counted = client.reactor.time()

    def run(self, timeout: Optional[float]) -> None:
        """Until somebody ends it, or for ``timeout`` seconds."""
        client = self._client
        client.pool.on("disconnect", self._lost)
        client.pool.on_login(self._logged_in)
        if timeout is not None:
            client.reactor.call_later(timeout, client.stop)
        for number in (signal.SIGTERM, signal.SIGHUP):
            client.reactor.add_signal_handler(number, client.fail, Signalled(number))
        with self._screen:
            client.guard(self._tick)()
            client.run()

    def _key(self, key: str) -> None:
        if key in "qQ":
            self._client.stop()

    def _lost(self, conn: Connection) -> None:
        self._asked = False
        self._board.trouble = f"connecting again: {conn.error}"

    def _logged_in(self, conn: Connection) -> None:
        self._conn = conn
        self._board.trouble = ""

    def _tick(self) -> None:
        self._client.reactor.call_later(self._interval, self._client.guard(self._tick))
        self._count()
        if self._conn.connected and not self._asked:
            self._ask(self._conn)
        self._draw()

    def _count(self) -> None:
        events, now = self._client.pool.stats.events, self._client.reactor.time()
        if now > self._counted:
            self._board.rates.append((events - self._events) / (now - self._counted))
        self._events, self._counted = events, now

    def _ask(self, conn: Connection) -> None:
        self._asked = True
        conn.ping(lambda conn, packet: None)
        conn.action("CoreShowChannels", self._client.guard(self._on_channels))
        conn.action("QueueStatus", self._client.guard(self._on_queues))

    def _on_channels(self, conn: Connection, packet: Packet) -> None:
        if packet.error is None:
            self._board.set_channels(packet.events)
        else:
            self._board.trouble = str(packet.error)

    def _on_queues(self, conn: Connection, packet: Packet) -> None:
        self._asked = False
        self._board.round_trip = conn.round_trip or 0.0
        if packet.error is None:  # a server without queues refuses
            self._board.set_queues(packet.events)
        self._draw()

    def _draw(self) -> None:
        board = self._board
        board.version = f"AMI {self._conn.ami_version}"
        self._screen.draw(draw(board, datetime.now().strftime("%H:%M:%S"), *self._screen.size))
