"""The server of the benchmarks: the load tests' replay server with more work to give.

``Replay`` is answered when all its events are out, so that a client knows by the answer that it has seen everything.
``CoreShowChannels`` answers with a long list of the same events. ``Trickle`` sends single events to all
connections that are logged in, and answers behind the last one. ``Pace`` sends events, each with the time it was sent,
at a rate, and answers Pings meanwhile. ``Usage`` tells how busy the server itself was.
"""

from __future__ import annotations

import re
import selectors
import socket
import sys
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

from tests.load.replay import END, EOL, Peer, Playlist, ReplayServer, main, split_events

ROOT = Path(__file__).resolve().parents[1]
LIST_ENTRIES = 10_000
# A trickle, not a flood: a client has time to handle each event before its next one comes, so that what it costs to be
# woken for it is measured too, and as much with few connections as with many.
TRICKLE_AT_ONCE = 10  # events, each to another connection
TRICKLE_PAUSE = 0.002  # seconds

_CHAN_VARIABLES = re.compile(rb"(?m)^[^:\r\n]*ChanVariable[^\r]*\r\n")
_OWN_HEADERS = re.compile(rb"\r\n(?:ActionID|EventList|Event|Response): [^\r]*")
_ID = b"\0"  # stands for the ActionID in an answer that is made beforehand
_ACTION_ID = b"ActionID: " + _ID


def without_chan_variables(stream: bytes) -> bytes:
    """The stream as pyst2 can read it: on Python 3 these headers end its parser."""
    return _CHAN_VARIABLES.sub(b"", stream)


def list_answer(events: Sequence[bytes]) -> bytes:
    """An answer to CoreShowChannels with these events as its entries; a NUL stands for the ActionID.

    So an entry can be compared with an event: it is one, but for its name and the ActionID.
    """
    packets = [b"Response: Success" + EOL + _ACTION_ID + EOL + b"EventList: start"]
    for event in events:
        headers = _OWN_HEADERS.sub(b"", event).partition(EOL)[2]
        packets.append(b"Event: CoreShowChannel" + EOL + _ACTION_ID + EOL + headers)
    complete = [b"Event: CoreShowChannelsComplete", _ACTION_ID, b"EventList: Complete", b"ListItems: %d" % len(events)]
    return b"".join(packet + END for packet in [*packets, EOL.join(complete)])


class Bench:
    """What all connections share: the answers made beforehand, and who is logged in."""

    def __init__(self) -> None:
        self.logged_in: dict[BenchPeer, None] = {}  # in order
        self._plain: dict[Playlist, Playlist] = {}
        self._lists: dict[Playlist, bytes] = {}

    def list_answer(self, playlist: Playlist) -> bytes:
        """See :func:`list_answer`."""
        if playlist not in self._lists:
            self._lists[playlist] = list_answer(split_events(bytes(playlist.stream))[:LIST_ENTRIES])
        return self._lists[playlist]

    def plain(self, playlist: Playlist) -> Playlist:
        """The same events without their ChanVariable headers."""
        if playlist not in self._plain:
            self._plain[playlist] = Playlist(without_chan_variables(bytes(playlist.stream)))
        return self._plain[playlist]

    def peer(self, sock: socket.socket, selector: selectors.BaseSelector, playlist: Playlist) -> BenchPeer:
        """The end of a connection that was made."""
        return BenchPeer(sock, selector, playlist, self)

    def pace(self, asker: BenchPeer, events: int, burst: int, rate: float, playlist: Playlist) -> None:
        """Send ``asker`` so many events, ``burst`` at once, at ``rate`` a second; serve all others and Pings meanwhile.

        Each has the header ``Sent``, seconds on the monotonic clock. Waits without sleep: a sleep is rounded to a
        millisecond, and single events would come ten at a time.
        """
        due = time.monotonic()
        for first in range(0, events, burst):
            while time.monotonic() < due:
                asker.serve_others()
            numbers = range(first, min(first + burst, events))
            pieces = [bytes(playlist.piece(number, 1)[0]).rstrip() for number in numbers]
            sent = b"\r\nSent: %.7f" % time.monotonic() + END
            asker.send_all(b"".join(piece + sent for piece in pieces))
            due += burst / rate

    def trickle(self, events: int, playlist: Playlist) -> None:
        """Send so many events, by turns to all who are logged in; the server does nothing else meanwhile."""
        peers = cycle(list(self.logged_in))
        numbers = iter(range(events))
        due = time.monotonic()
        while batch := list(islice(numbers, TRICKLE_AT_ONCE)):
            for number, peer in zip(batch, peers):
                peer.send_now(playlist.piece(number, 1)[0])
            due += TRICKLE_PAUSE
            time.sleep(max(0.0, due - time.monotonic()))


class BenchPeer(Peer):
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, selector: selectors.BaseSelector, playlist: Playlist, bench: Bench) -> None:
        super().__init__(sock, selector, playlist)
        self._all_events = playlist
        self._bench = bench
        self._answer_to_replay = b""

    def answer(self, headers: dict[bytes, bytes]) -> bytes:
        """As the replay server's, with the actions of the benchmarks."""
        action = headers[b"action"].lower()
        action_id = headers.get(b"actionid", b"")
        success = b"Response: Success\r\nActionID: %s\r\n" % action_id
        if action == b"coreshowchannels":
            return self._bench.list_answer(self._all_events).replace(_ID, action_id)
        if action == b"replay":
            self._playlist = self._bench.plain(self._all_events) if b"plain" in headers else self._all_events
            self._answer_to_replay = success + EOL
            self.play(int(headers[b"events"]))
            return b""
        if action == b"trickle":
            self._bench.trickle(int(headers[b"events"]), self._all_events)
            return success + EOL
        if action == b"pace":
            events, burst, rate = int(headers[b"events"]), int(headers[b"burst"]), float(headers[b"rate"])
            self._bench.pace(self, events, burst, rate, self._all_events)
            return success + EOL
        if action == b"usage":
            return success + b"CPU: %r" % time.process_time() + END
        if action == b"login":
            self._bench.logged_in[self] = None
            return success + b"Message: Authentication accepted" + END
        return super().answer(headers)

    def played(self) -> bytes:
        """The answer to the action Replay."""
        return self._answer_to_replay

    def send_now(self, data: memoryview) -> None:
        """Send past the queue, which is empty: a client that reads no more is given nothing."""
        self._send(data)

    def send_all(self, data: bytes) -> None:
        """Send past the queue, and wait until the client has taken it: one that is late finds it in its socket."""
        left = memoryview(data)
        while left:
            left = left[self._send(left) :]

    def serve_others(self) -> None:
        """Serve whoever has sent something, without waiting."""
        for key, mask in self._selector.select(0):
            if isinstance(key.data, BenchPeer):
                key.data.serve(mask)

    def close(self) -> None:
        """Close the connection without a word."""
        self._bench.logged_in.pop(self, None)
        super().close()


class BenchServer(ReplayServer):
    """The benchmarks' server as they see it. Attributes: ``url``, ``port``."""

    def program(self) -> list[str]:
        """The command of the process, to be run at the repository's root."""
        return [sys.executable, "-m", "benchmarks.server"]

    def cpu_seconds(self) -> float:
        """The processor time that the server has used, seconds."""
        with socket.create_connection(("127.0.0.1", self.port)) as sock, sock.makefile("rb") as lines:
            sock.sendall(b"Action: Usage\r\n\r\n")
            for line in lines:
                name, _, value = line.partition(b": ")
                if name == b"CPU":
                    return float(value)
        raise ConnectionError("the server did not say how busy it was")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Bench().peer)
