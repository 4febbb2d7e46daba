"""The command ``events``: show events as they arrive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Optional

import click
from rich.cells import cell_len

from ..connection import Connection
from ..forward import ForwardedPacket
from ..packet import Packet
from ..testing.masks import CLASSES
from .access import Access, asks_server, server_argument
from .client import Client
from .failures import CommandError, OutputClosed, Status
from .feed import BrokerFeed
from .filters import Condition, Wanted
from .output import Output, note
from .table import cut
from .text import clean, headers_of, object_of, plural, quote, with_own

# The headers that say where a call starts, where it leads and how it ends.
STYLES = {
    "newchannel": "green",
    "dialbegin": "green",
    "hangup": "red",
    "hanguprequest": "red",
    "softhanguprequest": "red",
    "userevent": "yellow",
}


def condition(text: str) -> Condition:
    """Parse ``HEADER=GLOB`` or ``HEADER!=GLOB``."""
    try:
        return Condition.parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@server_argument
@click.option(
    "-n",
    "--name",
    "names",
    metavar="GLOB",
    multiple=True,
    help="Show only events of this name. May be repeated.",
)
@click.option(
    "-w",
    "--where",
    "conditions",
    metavar="HEADER=GLOB",
    type=condition,
    multiple=True,
    help="Show only events with such a header; != excludes. Several conditions must all hold, but only one of "
    "those on the same header.",
)
@click.option(
    "-c",
    "--class",
    "classes",
    metavar="CLASS",
    multiple=True,
    help="Ask the server only for this class: call, agent, system, ... May be repeated. [default: all]",
)
@click.option("-m", "--count", metavar="N", type=click.IntRange(min=1), help="Stop after N events.")
@click.option("-f", "--full", is_flag=True, help="Print all headers, one per line.")
@click.option("--from", "broker", metavar="URL", help="Read the events from a broker instead of a server.")
@click.option("--group", metavar="NAME", help="With --from: share the events with other readers of this group.")
@click.option("--time", "with_time", is_flag=True, help='With --json: add the time of arrival as "@time".')
@asks_server
def events(
    access: Access,
    names: Sequence[str],
    conditions: Sequence[Condition],
    classes: Sequence[str],
    count: Optional[int],
    full: bool,
    broker: Optional[str],
    group: Optional[str],
    with_time: bool,
) -> None:
    """Show events as they arrive, until Ctrl-C, --count or --timeout.

    Globs ignore case. A lost connection is reopened, with as many retries as that takes. The exit status after
    --timeout is 0, or 5 if fewer events came than --count asks for.

    With --json: one object per event, with the headers of the server. Repeated headers become lists.

    \b
    Examples:
      ami-client events --name hangup --name 'dial*' --where 'channel=PJSIP/*'
      ami-client events --name hangup --json | jq -r '[.Channel, ."Cause-txt"] | @tsv'
      ami-client events --name FullyBooted --count 1 --timeout 120 && echo "booted"
      ami-client events --from redis://localhost/ami --name hangup
    """
    if broker is None:
        for name in ",".join(classes).split(",") if classes else ():
            if name not in CLASSES and name != "all":
                raise CommandError(f"there is no class {name!r}; the classes are {', '.join(CLASSES)}", Status.USAGE)
        client = access.client(events=",".join(classes) or "on", reconnect=True, endless=True)
    elif classes:
        raise CommandError("--class is for a server; a broker has what the forwarder sends", Status.USAGE)
    else:
        client = BrokerFeed(broker, group)
    watch = _Watch(client, access.output, Wanted(names, conditions), count, full, with_time)
    with client:
        watch.run(access.timeout)


class _Watch:
    """Writes events. Those that arrive together are written together."""

    def __init__(
        self,
        client: Client,
        output: Output,
        wanted: Wanted,
        count: Optional[int],
        full: bool,
        with_time: bool,
    ) -> None:
        self._client = client
        self._output = output
        self._wanted = wanted
        self._left = count
        self._full = full
        self._with_time = with_time
        self._flushing = False
        self._lost = False
        if isinstance(client, BrokerFeed):
            client.listen(wanted.bound_names, client.guard(self._event))
            return
        client.pool.on(list(wanted.bound_names), client.guard(self._event))
        client.pool.on("reconnecting", self._reconnecting)
        client.pool.on_login(self._logged_in)

    def run(self, timeout: Optional[float]) -> None:
        """Run until there are enough events, for ``timeout`` seconds, or forever."""
        client = self._client
        pipe = self._output.pipe
        if pipe is not None:  # a pipe becomes "readable" when its reader is gone, so we notice before the next event
            client.reactor.add_reader(pipe, client.fail, OutputClosed())
        if timeout is not None:
            client.reactor.call_later(timeout, self._time_is_over, timeout)
        try:
            if self._left != 0:  # events may have arrived together with the answer to the login
                client.run()
        finally:
            if pipe is not None:
                client.reactor.remove_reader(pipe)

    def _event(self, conn: Connection, packet: Packet) -> None:
        if self._left == 0 or not self._wanted.matches(packet):
            return
        self._write(packet)
        if not self._flushing:
            self._flushing = True
            self._client.reactor.call_soon(self._client.guard(self._flush))
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self._client.stop()

    def _flush(self) -> None:
        self._flushing = False
        self._output.flush()

    def _time_is_over(self, timeout: float) -> None:
        if self._left is None:
            self._client.stop()
        else:
            text = f"{plural(self._left, 'more event')} did not arrive within {timeout:g} s"
            self._client.fail(CommandError(text, Status.TIMEOUT))

    def _reconnecting(self, url: str, delay: float, attempt: int) -> None:
        if self._client.conn is not None and not self._lost:
            self._lost = True
            note(f"{self._client.target}: the connection is lost; reconnecting")

    def _logged_in(self, conn: Connection) -> None:
        if self._lost:
            self._lost = False
            note(f"{self._client.target}: connected again; the events in between are missing")

    # -- formatting

    def _write(self, packet: Packet) -> None:
        headers = headers_of(packet)
        if self._output.json:
            made = object_of(headers)
            if self._with_time:
                made = with_own({"@time": datetime.now().astimezone().isoformat(timespec="milliseconds")}, made)
            if isinstance(packet, ForwardedPacket):
                made = with_own({"@server": packet.server}, made)
            self._output.object(made)
        elif self._full:
            self._output.packet(packet)
        else:
            if isinstance(packet, ForwardedPacket):
                headers = [("@server", packet.server), *headers]
            self._output.write(self._line(headers))

    def _line(self, headers: Sequence[tuple[str, str]]) -> str:
        paint = self._output.paint
        now = datetime.now().time().isoformat("milliseconds")
        name = clean(next((value for key, value in headers if key.lower() == "event"), ""))
        shown = [(key, value) for key, value in headers if key.lower() not in ("event", "privilege") and value]
        if not self._output.terminal:
            return " ".join([now, name, *(f"{clean(key)}={quote(value)}" for key, value in shown)])
        room = max(self._output.width - len(now) - max(len(name), 18) - 2, 10)
        pairs = [(clean(key), quote(value)) for key, value in shown]
        told = " ".join(paint("dim", key + "=") + value for key, value in _cut(pairs, room))
        return f"{paint('dim', now)} {paint(STYLES.get(name.lower(), 'cyan'), name.ljust(18))} {told}"


def _cut(pairs: Sequence[tuple[str, str]], room: int) -> list[tuple[str, str]]:
    """The first pairs that fit. The last one is cut."""
    kept: list[tuple[str, str]] = []
    for key, value in pairs:
        needed = cell_len(key) + 1 + cell_len(value)
        if needed > room:
            rest = room - cell_len(key) - 2
            if rest > 0:
                kept.append((key, cut(value, rest + 1)))
            break
        kept.append((key, value))
        room -= needed + 1
    return kept
