"""``python -m ami_client demo [URL]``: show the library at work, on the embedded server or on your own."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Callable, Optional

from ._engine.text import printable
from .connection import Connection
from .packet import Kind, Packet
from .pool import Pool
from .reactor import Reactor

PATIENCE = 60.0  # seconds; the time limit of the whole demonstration
CHANNEL = "Local/101@office"
EXTEN = "100@office"
TALK = 0.5  # seconds that the call lasts before we hang up

# Headers that are shown of an event.
SHOWN = [
    "Channel",
    "ChannelStateDesc",
    "Context",
    "Exten",
    "Application",
    "DialStatus",
    "Cause-txt",
    "Response",
    "Status",
]


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command. Return the exit status: 0 for success, 1 for a failure, 2 for wrong arguments."""
    args = _arguments(argv)
    return run(args.url, args.channel, args.exten)


def run(
    url: Optional[str], channel: str = CHANNEL, exten: str = EXTEN, options: Optional[Mapping[str, object]] = None
) -> int:
    """Run the demonstration. Return the exit status.

    If ``url`` is None, it uses the embedded server. ``options`` are the pool's. Raises BrokenPipeError if nobody reads
    the output any more.
    """
    reactor = Reactor()
    demo = _Demo(reactor, channel, exten)
    try:
        if url is None:
            from .testing import FakeAsterisk  # only the embedded server needs it

            with FakeAsterisk(reactor) as server:
                demo.say(f"embedded server listening on {server.host}:{server.port}")
                demo.run(server.url, {})
        else:
            demo.run(url, options or {})
    except ValueError as error:  # a malformed URL
        demo.fail(str(error))
    except KeyboardInterrupt:
        demo.fail("interrupted", 130)
    finally:
        reactor.close()
    return demo.status


def _arguments(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ami_client", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="demo")
    demo = commands.add_parser("demo", help="show the library at work", description=__doc__)
    demo.add_argument("url", nargs="?", help="tcp://user:secret@host:5038; default: the embedded server")
    demo.add_argument("--channel", default=CHANNEL, help="the channel to call (default: %(default)s)")
    demo.add_argument("--exten", default=EXTEN, help="where the answered call is sent (default: %(default)s)")
    return parser.parse_args(argv)


class _Demo:
    """Logs in, lists what is there, places a call, watches it and logs off. Prints each step when it happens.

    Each line says what it shows: an action that was sent, its answer, or an event of the server. Events may come at any
    time, even between an action and its answer.
    """

    def __init__(self, reactor: Reactor, channel: str, exten: str) -> None:
        self.status = 0
        self._reactor = reactor
        self._started = reactor.time()
        self._channel = channel
        self._exten, _, self._context = exten.partition("@")
        self._events = 0
        self._is_unread = False  # the reader of a pipe has gone
        self._steps: list[Callable[[Connection], object]] = [
            self._list_endpoints,
            self._list_queues,
            self._list_channels,
            self._call,
        ]

    def run(self, url: str, options: Mapping[str, object]) -> None:
        """Run the whole demonstration."""
        pool = Pool(options, reactor=self._reactor)
        pool.on("event", self._on_event)
        pool.on("disconnect", self._on_disconnect)
        self._reactor.call_later(PATIENCE, self._out_of_patience)
        pool.get_connection(url, self._on_connection)
        self._reactor.run()
        pool.finish()
        if self._is_unread:
            raise BrokenPipeError

    def say(self, text: str, kind: str = "") -> None:
        """Print a line with the time since the start. ``kind`` is one of "action", "answer", "event", "result"."""
        try:
            print(f"{self._reactor.time() - self._started:7.3f} {kind:<6}  {printable(text)}", flush=True)
        except BrokenPipeError:
            self._is_unread = True
            self._reactor.stop()

    def fail(self, text: str, status: int = 1) -> None:
        """Print what went wrong, and stop with this exit status."""
        print(f"{self._reactor.time() - self._started:7.3f} {'':<6}  {printable(text)}", file=sys.stderr, flush=True)
        self.status = status
        self._reactor.stop()

    def _out_of_patience(self) -> None:
        self.fail(f"the demonstration did not finish within {PATIENCE:g} seconds")

    def _next(self, conn: Connection) -> None:
        if self._steps:
            self._steps.pop(0)(conn)
        else:
            self.say("Logoff", "action")
            conn.logoff(lambda conn, packet: self._answer(packet.original("Message", "")))

    def _on_connection(self, conn: Connection, packet: Packet) -> None:
        if conn.connected:
            self.say(f"logged in to {conn} as {conn.username}: AMI {conn.ami_version}")
            self._next(conn)
        else:
            self.fail(str(conn.error))

    def _on_disconnect(self, conn: Connection) -> None:
        if self.status == 0:
            self.say(f"disconnected; {self._events} events in all")
        self._reactor.stop()

    # -- the steps

    def _list_endpoints(self, conn: Connection) -> None:
        self.say("PJSIPShowEndpoints", "action")
        conn.action("PJSIPShowEndpoints", self._on_endpoints)

    def _on_endpoints(self, conn: Connection, packet: Packet) -> None:
        self._show_list(packet, "ObjectName", "DeviceState", "ActiveChannels")
        self._next(conn)

    def _list_queues(self, conn: Connection) -> None:
        self.say("QueueSummary", "action")
        conn.action("QueueSummary", self._on_queues)

    def _on_queues(self, conn: Connection, packet: Packet) -> None:
        self._show_list(packet, "Queue", "Available", "Callers")
        self._next(conn)

    def _list_channels(self, conn: Connection) -> None:
        self.say("CoreShowChannels", "action")
        conn.core_show_channels(self._on_channels)

    def _on_channels(self, conn: Connection, packets: list[Packet]) -> None:
        self._show_channels(conn, packets)
        self._next(conn)

    def _show_channels(self, conn: Connection, packets: list[Packet]) -> None:
        self._show(packets[1:-1], "Channel", "ChannelStateDesc", "Application", "Duration")

    def _call(self, conn: Connection) -> None:
        self.say(f"Originate {self._channel} to {self._exten}", "action")
        params = {
            "Channel": self._channel,
            "Context": self._context or "default",
            "Exten": self._exten,
            "Priority": 1,
            "CallerID": "ami_client demo <100>",
            "Timeout": 10_000,
            "Variable": {"SOURCE": "demo, with a comma"},
        }
        conn.originate(params, self._on_originate, on_result=self._on_result)

    def _on_originate(self, conn: Connection, packet: Packet) -> None:
        self._answer(packet.original("Message", ""))

    def _on_result(self, conn: Connection, packet: Packet) -> None:
        if packet.error is None:
            self.say("OriginateResponse: answered", "result")
            self.say("CoreShowChannels", "action")
            conn.core_show_channels(self._show_channels)
            self._reactor.call_later(TALK, self._hang_up, conn, packet.original("Channel"))
            return
        if packet.kind is Kind.EVENT:
            self.say(f"OriginateResponse: {packet.error}", "result")
        else:
            self.say("  no call to watch: pass --channel and --exten that exist in your dialplan")
        self._next(conn)

    def _hang_up(self, conn: Connection, channel: str) -> None:
        if conn.connected:
            self.say(f"Hangup {channel}", "action")
            conn.action("Hangup", self._on_hangup, {"Channel": channel})

    def _on_hangup(self, conn: Connection, packet: Packet) -> None:
        self._answer(packet.original("Message", ""))
        self._reactor.call_later(TALK, self._list_last, conn)  # its events come first

    def _list_last(self, conn: Connection) -> None:
        if conn.connected:
            self._list_channels(conn)

    # -- output

    def _on_event(self, conn: Connection, packet: Packet) -> None:
        self._events += 1
        shown = [value for name in SHOWN for value in [packet.original(name)] if value]
        self.say(f"  {packet.original('Event'):<18} {' | '.join(shown)}".rstrip(), "event")

    def _show_list(self, packet: Packet, *names: str) -> None:
        if packet.error is None:
            self._show(packet.events, *names)
        else:  # for example, the server lacks the module
            self._answer(packet.error)

    def _show(self, entries: Sequence[Packet], *names: str) -> None:
        for entry in entries:
            self._answer("  ".join(f"{entry.original(name, ''):<20}" for name in names).rstrip())
        self._answer(f"{len(entries)} in all")

    def _answer(self, text: object) -> None:
        self.say(f"  {text}", "answer")
