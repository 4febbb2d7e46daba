"""An AMI server in a process of its own that plays genuine events, as fast as any number of clients can read them.

It takes every login. To most actions it answers ``Response: Success``; ``Ping`` is answered with the server's
``time.monotonic()`` (the same clock in all processes) as the ``Timestamp``, and ``Replay`` is followed by so many of
its events as the header ``Events`` says, over and over, without end when there is no such header. ``First`` is the
number of the event to begin with.

Run as a program it is the server's process, which :class:`ReplayServer` starts. It imports the standard library alone.
The benchmarks' server extends both halves: :class:`ReplayServer` and :class:`Peer`.
"""

from __future__ import annotations

import lzma
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from bisect import bisect_left
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Callable, TypeVar, cast

EVENTS_FILE = Path(__file__).parent.parent / "data" / "events-22.bin.xz"

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
BACKLOG = 1024
RECV_SIZE = 1 << 18
EOL = b"\r\n"
END = EOL + EOL
CHUNK = 1 << 17  # bytes of events sent at once, at least: so often another client has its turn
_BLANK_LINES = re.compile(rb"(?:\r\n){2,}")
_READY = b"ready\n"


def genuine_events() -> bytes:
    """Ten thousand events in a row as Asterisk 22.10.1 sent them: 4 MB."""
    return lzma.decompress(EVENTS_FILE.read_bytes())


def split_events(stream: bytes) -> list[bytes]:
    """The events of a stream, each without the blank lines behind it."""
    return [event for event in _BLANK_LINES.split(stream) if event]


SomeServer = TypeVar("SomeServer", bound="ReplayServer")


class ReplayServer:
    """The server as its users see it: a process on a loopback port, which stays the same over restarts.

    Usable as a context manager. Attributes: ``url``, ``port``.
    """

    def __init__(self, events: bytes) -> None:
        self._events = events
        self._process: subprocess.Popen[bytes] | None = None
        # Bound here and not listening: while there is no process connections are refused, and nobody else gets the
        # port, not even a client's socket that would then be connected to itself.
        self._port_keeper = socket.socket()
        self._port_keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._port_keeper.bind(("127.0.0.1", 0))
        self.port = self._port_keeper.getsockname()[1]
        self.url = f"tcp://load:load@127.0.0.1:{self.port}"

    def __enter__(self: SomeServer) -> SomeServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()
        self._port_keeper.close()

    def program(self) -> list[str]:
        """The command of the process; the port and the number of bytes of the events come behind it."""
        return [sys.executable, __file__]

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the process, and wait until it listens."""
        assert self._process is None
        command = [*self.program(), str(self.port), str(len(self._events))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(self._events)
        self._process.stdin.flush()
        if self._process.stdout.readline() != _READY:
            self.kill()
            raise RuntimeError("the replay server did not start")

    def kill(self) -> None:
        """End the process as ``kill -9`` does: its sockets close without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def freeze(self) -> None:
        """Stop the process: its kernel takes what fits into the buffers, and nobody reads, answers or closes."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the process go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


class Playlist:
    """A stream of events that can be cut at their ends."""

    def __init__(self, stream: bytes) -> None:
        self.stream = memoryview(stream)
        self._ends = [match.end() for match in _BLANK_LINES.finditer(stream)]

    def piece(self, first: int, most: int) -> tuple[memoryview, int]:
        """Events from number ``first`` on, ``most`` at most: their bytes, and how many there are."""
        first %= len(self._ends)
        begin = self._ends[first - 1] if first else 0
        last = min(bisect_left(self._ends, begin + CHUNK), len(self._ends) - 1, first + most - 1)
        return self.stream[begin : self._ends[last]], last + 1 - first


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, selector: selectors.BaseSelector, playlist: Playlist) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._selector = selector
        self._playlist = playlist
        self._incoming = b""
        self._outgoing: deque[memoryview] = deque([memoryview(BANNER)])
        self._played = 0
        self._to_play = 0
        self._wanted = selectors.EVENT_READ | selectors.EVENT_WRITE
        selector.register(sock, self._wanted, self)

    def serve(self, mask: int) -> None:
        """Read, answer and send what can be at once, then leave the turn to others."""
        try:
            if mask & selectors.EVENT_READ:
                self._read()
            self._write()
        except OSError:
            self.close()

    def answer(self, headers: dict[bytes, bytes]) -> bytes:
        """The answer to the action with these headers (names in lower case)."""
        action = headers[b"action"].lower()
        lines = [b"Response: Success", b"ActionID: " + headers.get(b"actionid", b"")]
        if action == b"challenge":
            lines.append(b"Challenge: 123456789")
        elif action == b"ping":
            lines += [b"Ping: Pong", b"Timestamp: %r" % time.monotonic()]
        elif action == b"replay":
            self.play(int(headers.get(b"events", sys.maxsize)), int(headers.get(b"first", 0)))
        return EOL.join(lines) + END

    def play(self, events: int, first: int = 0) -> None:
        """Send so many events from that one on, behind what is to be sent already."""
        self._played = first
        self._to_play = events

    def played(self) -> bytes:
        """What is sent when all events of :meth:`play` are out."""
        return b""

    def close(self) -> None:
        """Close the connection without a word."""
        self._selector.unregister(self._sock)
        self._sock.close()

    def _read(self) -> None:
        data = self._sock.recv(RECV_SIZE)
        if not data:
            raise ConnectionAbortedError
        requests, end, self._incoming = (self._incoming + data).rpartition(END)
        if end:
            self._outgoing.append(memoryview(answer_pings(requests + end) or self._answer_each(requests)))

    def _answer_each(self, requests: bytes) -> bytes:
        return b"".join(self.answer(headers_of(request)) for request in requests.split(END))

    def _write(self) -> None:
        if not self._outgoing and self._to_play:
            events, count = self._playlist.piece(self._played, self._to_play)
            self._outgoing.append(events)
            self._played += count
            self._to_play -= count
            if not self._to_play:
                self._outgoing.append(memoryview(self.played()))
        if self._outgoing:
            data = self._outgoing.popleft()
            sent = self._send(data)
            if sent < len(data):
                self._outgoing.appendleft(data[sent:])
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outgoing or self._to_play else 0)
        if wanted != self._wanted:
            self._wanted = wanted
            self._selector.modify(self._sock, wanted, self)

    def _send(self, data: memoryview) -> int:
        try:
            return self._sock.send(data)
        except BlockingIOError:  # it was a request that woke us, not room
            return 0


def headers_of(request: bytes) -> dict[bytes, bytes]:
    """The headers of one action, their names in lower case."""
    return {name.lower(): value for name, _, value in (line.partition(b": ") for line in request.split(EOL))}


def answer_pings(requests: bytes) -> bytes:
    """The answers to a block of nothing but pings; empty when there is anything else in it.

    The whole block becomes its answers by two replacements, so that no client can ask faster than it is answered.
    """
    first, _, _ = requests.partition(EOL)
    begin = first + EOL
    if first.lower() != b"action: ping" or requests.count(END + begin) + 1 != requests.count(END):
        return b""
    end = b"%sPing: Pong\r\nTimestamp: %r%s" % (EOL, time.monotonic(), END)
    return requests.replace(begin, b"Response: Success\r\n").replace(END, end)


def main(port: int, size: int, peer: Callable[[socket.socket, selectors.BaseSelector, Playlist], Peer] = Peer) -> None:
    """Serve until the standard input, which the events come from, ends; ``peer`` makes the end of each connection."""
    playlist = Playlist(sys.stdin.buffer.read(size))
    listener = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
    listener.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    sys.stdout.buffer.write(_READY)
    sys.stdout.buffer.flush()
    while True:
        for key, mask in selector.select():
            if key.fileobj is sys.stdin:
                return
            if key.fileobj is listener:
                peer(listener.accept()[0], selector, playlist)
            else:
                cast(Peer, key.data).serve(mask)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
