"""A raw client for the embedded server's tests: sockets and bytes, nothing of ours."""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Union

import pytest

from ami_client import Reactor
from ami_client.testing import FakeAsterisk

AnyLoop = Union[asyncio.AbstractEventLoop, Reactor]
Packet = list[tuple[str, str]]
ServerFactory = Callable[..., FakeAsterisk]

#: Seconds after which a test that waits in vain fails.
PATIENCE = 5.0


class Client:
    """A raw client on the server's loop: it keeps what comes, and runs the loop to wait for it."""

    def __init__(self, loop: AnyLoop, server: FakeAsterisk) -> None:
        self.loop = loop
        self.sock = self._connected(server)
        self.sock.setblocking(False)
        self.data = b""
        self.ended = ""
        self._fences = itertools.count()
        loop.add_reader(self.sock.fileno(), self._read)

    @staticmethod
    def _connected(server: FakeAsterisk) -> socket.socket:
        if server.url.startswith("unix:"):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(server.host)
            return sock
        sock = socket.create_connection((server.host, server.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def _read(self) -> None:
        try:
            data = self.sock.recv(65536)
        except ssl.SSLWantReadError:
            return
        except ConnectionResetError:
            self.ended = "reset"
        else:
            self.data += data
            self.ended = "" if data else "closed"
        if self.ended:
            self.loop.remove_reader(self.sock.fileno())
        if not isinstance(self.loop, Reactor):
            self.loop.stop()  # run_for, which waits

    def start_tls(self, ca_file: Path) -> None:
        """Begin a handshake, which goes on with what is read."""
        context = ssl.create_default_context(cafile=str(ca_file))
        self.sock = context.wrap_socket(self.sock, server_hostname="localhost", do_handshake_on_connect=False)
        with pytest.raises(ssl.SSLWantReadError):
            self.sock.do_handshake()

    def close(self) -> None:
        self.loop.remove_reader(self.sock.fileno())
        self.sock.close()

    def until(self, condition: Callable[[], object]) -> None:
        """Run the loop until *condition* holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain; so far: {self.data!r}"
            run_for(self.loop, 0.001)

    def send(self, text: str) -> None:
        """Send *text*, its lines ended as AMI wants it, and a blank line."""
        self.sock.sendall(text.replace("\n", "\r\n").encode() + b"\r\n\r\n")

    def ask(self, text: str) -> list[Packet]:
        """Send an action and return the packets that came until a Ping behind it was answered."""
        before = len(self.packets)
        fence = ("ActionID", f"fence-{next(self._fences)}")
        self.send(text)
        self.send(f"Action: Ping\nActionID: {fence[1]}")
        self.until(lambda: any(fence in packet for packet in self.packets))
        return [packet for packet in self.packets[before:] if fence not in packet]

    def login(self, events: str = "on") -> None:
        self.send(f"Action: Login\nUsername: admin\nSecret: secret\nEvents: {events}")
        last = b"Status: Fully Booted" if events == "on" else b"Authentication accepted"
        self.until(lambda: last + b"\r\n\r\n" in self.data)
        self.data = self.data.partition(b"\r\n")[0] + b"\r\n"

    def event(self, name: str) -> dict[str, str]:
        """Wait for an event of that name and return the first one's headers."""
        self.until(lambda: self.events(name))
        return self.events(name)[0]

    def events(self, name: str) -> list[dict[str, str]]:
        return [dict(packet) for packet in self.packets if packet[0] == ("Event", name)]

    @property
    def banner(self) -> bytes:
        return self.data.partition(b"\r\n")[0]

    @property
    def packets(self) -> list[Packet]:
        """All complete packets that came, as pairs."""
        text = self.data.partition(b"\r\n")[2].decode("utf-8", "surrogateescape")
        return [
            [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
            for lines in (part.split("\r\n") for part in text.split("\r\n\r\n")[:-1])
        ]


def run_for(loop: AnyLoop, seconds: float) -> None:
    """Run *loop* for *seconds*, or until something comes."""
    if isinstance(loop, Reactor):
        loop.run_once(seconds)
    else:
        timer = loop.call_later(seconds, loop.stop)
        loop.run_forever()
        timer.cancel()


NewClient = Callable[[FakeAsterisk], Client]
