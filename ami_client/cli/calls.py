"""``calls``: who talks to whom, now or as it happens."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Optional

import click

from .access import Access, asks_server, server_argument
from .client import Client
from .failures import CommandError, OutputClosed
from .output import Output, note
from .table import Column
from .text import clean, duration, plural
from .views import person

if TYPE_CHECKING:
    from ..model import Call, Model, Party

TIMEOUT = 60.0  # seconds, for the lists of a big server

# The model's events that are shown, each with its word and its colour.
WORDS = {
    "call_new": ("new", "green"),
    "call_ringing": ("ringing", "yellow"),
    "call_queued": ("queued", "yellow"),
    "call_up": ("up", "green"),
    "call_held": ("held", "yellow"),
    "call_transferred": ("transferred", "cyan"),
    "call_ended": ("ended", "red"),
}
STYLES = {"ringing": "yellow", "queued": "yellow", "held": "yellow", "up": "green"}


@click.command()
@server_argument
@click.option("-f", "--follow", is_flag=True, help="Show each change, until Ctrl-C or --timeout.")
@asks_server
def calls(access: Access, follow: bool) -> None:
    """Show the current calls and their parties.

    With --follow: show each current call, and then a line for each change. A lost connection is reopened.

    With --json: one object per call. With --follow: one object per change, with "event", "time" and "call".

    \b
    Examples:
      ami-client calls
      ami-client calls --follow pbx1
      ami-client calls --json | jq -r 'select(.state == "up") | .talking[].number'
      ami-client calls --follow --json | jq -r 'select(.event == "call_ended").call.reason'
    """
    if follow:
        with access.client(events="on", reconnect=True, endless=True) as client:
            _Follow(client, access.output).run(access.timeout)
        return
    from ..model import as_data

    with access.client(timeout=TIMEOUT) as client:
        found = _ask(client)
    if access.output.json:
        for call in found:
            access.output.object(as_data(call))
        return
    if found:
        access.output.table(columns(time.time()), found)
    access.output.write(access.output.paint("dim", plural(len(found), "call")))


def _ask(client: Client) -> list[Call]:
    from ..model import Model  # here, for the other commands do without

    model = Model(client.pool, endpoints=False)
    model.on("ready", lambda model, server: client.stop())
    model.follow(client.connection)
    client.run()
    _require_channels(model)
    return sorted(model.calls.values(), key=lambda call: call.started)


def _require_channels(model: Model) -> None:
    for server in model.servers.values():
        if "CoreShowChannels" in server.missing:
            raise CommandError("the user may not ask for the channels (CoreShowChannels): Permission denied")


def party(one: Optional[Party]) -> str:
    """Who it is, for people."""
    return "" if one is None else person(one.number, one.name) or one.endpoint


def _others(call: Call) -> str:
    """Whom the caller talks to, or calls."""
    if call.talking is not None and call.caller not in call.talking:
        return " - ".join(map(party, call.talking))
    others = call.talking or call.parties
    return ", ".join(party(one) for one in others if one != call.caller)


def columns(now: float) -> Sequence[Column[Call]]:
    """How calls are shown at that time."""
    return [
        Column("State", lambda call: call.state.capitalize(), lambda text: STYLES.get(text.lower(), ""), keep=True),
        Column("Duration", lambda call: duration(max(now - call.started, 0)), right=True),
        Column("Caller", lambda call: party(call.caller) or ", ".join(call.channels[:1]), lambda _: "bold", keep=True),
        Column("With", _others, keep=True),
        Column("Queue", lambda call: call.queue),
        Column("Channels", lambda call: str(len(call.channels)), right=True),
    ]


class _Follow:
    """Writes what happens to calls; what comes in one go is written in one go."""

    def __init__(self, client: Client, output: Output) -> None:
        self._client = client
        self._output = output
        self._flushing = self._was_lost = False
        from ..model import Model

        self._model = Model(client.pool, endpoints=False)
        self._model.on("ready", client.guard(self._ready))
        self._model.on("stale", client.guard(self._stale))
        for name in WORDS:
            self._model.on(name, client.guard(partial(self._told, name)))

    def run(self, timeout: Optional[float]) -> None:
        """For ``timeout`` seconds, or for ever."""
        client, pipe = self._client, self._output.pipe
        if pipe is not None:  # "readable" when its reader is gone
            client.reactor.add_reader(pipe, client.fail, OutputClosed())
        if timeout is not None:
            client.reactor.call_later(timeout, client.stop)
        self._model.follow(client.connection)
        try:
            client.run()
        finally:
            self._model.close()  # that we end the connection is nothing to tell
            if pipe is not None:
                client.reactor.remove_reader(pipe)

    def _ready(self, model: Model, server: str) -> None:
        _require_channels(model)
        if self._was_lost:
            self._was_lost = False
            note(f"{self._client.target}: connected again")

    def _stale(self, model: Model, server: str) -> None:
        self._was_lost = True
        note(f"{self._client.target}: the connection is lost; reconnecting")

    def _told(self, name: str, model: Model, call: Call, how: str = "") -> None:
        if self._output.json:
            now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
            from ..model import as_data

            told = {"event": name, "time": now, "call": as_data(call)}
            self._output.object({**told, "how": how} if how else told)
        else:
            self._output.write(self._line(name, call, how))
        if not self._flushing:
            self._flushing = True
            self._client.reactor.call_soon(self._client.guard(self._flush))

    def _line(self, name: str, call: Call, how: str) -> str:
        word, style = WORDS[name]
        now = datetime.now().time().isoformat("milliseconds")
        parts = [self._output.paint("dim", now), self._output.paint(style, word.ljust(11)), clean(call.id)]
        if name == "call_up" and call.talking is not None:
            parts.append(clean(" - ".join(map(party, call.talking))))
        else:
            parts.append(clean(party(call.caller) or ", ".join(call.channels[:1])))
            others = clean(_others(call))
            parts += [f"-> {others}"] if others else []
        parts += [f"[{clean(call.queue)}]"] if call.queue else []
        parts += [text for text in (how, call.reason) if text]
        return " ".join(parts)

    def _flush(self) -> None:
        self._flushing = False
        self._output.flush()
