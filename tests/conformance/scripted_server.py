"""The server's side of a scenario: loopback sockets on the client's own reactor, which do only what they are told."""

from __future__ import annotations

import re
import socket
import struct
from contextlib import ExitStack

from ami_client.reactor import Reactor

RECV_SIZE = 65536
_ACTION_ID = re.compile(rb"^ActionID: ([^\r\n]*)\r\n", re.MULTILINE)


class Peer:
    """The server's end of one connection."""

    def __init__(self, reactor: Reactor, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reactor = reactor
        self._sock = sock
        self._outgoing = bytearray()
        self._received = bytearray()
        self._open = True
        self.closed_by_client = False
        reactor.add_reader(sock, self.read)

    def read(self) -> None:
        """Take what has arrived."""
        try:
            while self._open:
                data = self._sock.recv(RECV_SIZE)
                if not data:
                    self._client_closed()
                self._received += data
        except BlockingIOError:
            pass
        except OSError:  # a client that closes with something unread resets
            self._client_closed()

    def take_packets(self) -> list[bytes]:
        """The whole packets that have arrived since the last call."""
        *packets, rest = bytes(self._received).split(b"\r\n\r\n")
        self._received[:] = rest
        return [packet + b"\r\n\r\n" for packet in packets]

    def action_ids(self) -> list[str]:
        """The ActionIDs of the packets that nobody has taken yet."""
        return [action_id.decode() for action_id in _ACTION_ID.findall(self._received)]

    def feed(self, data: bytes) -> None:
        """Send, and what does not fit at once as soon as there is room; a client that has closed misses it."""
        if self._open:
            self._outgoing += data
            self._flush()

    def _flush(self) -> None:
        self._reactor.remove_writer(self._sock)
        try:
            while self._outgoing:
                del self._outgoing[: self._sock.send(self._outgoing)]
        except BlockingIOError:
            self._reactor.add_writer(self._sock, self._flush)
        except OSError:
            self._outgoing.clear()

    def close(self, *, reset: bool = False) -> None:
        """Close in the ordinary way, or with a reset."""
        if not self._open:
            return
        self._open = False
        self._reactor.remove_reader(self._sock)
        self._reactor.remove_writer(self._sock)
        if reset:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def _client_closed(self) -> None:
        self.closed_by_client = True
        self.close()


class ScriptedServer:
    """Accepts on a port of its own, and keeps one port that refuses.

    ``peers`` are the connections in the order of accepting, ``action_ids`` all ActionIDs in order of first appearance
    on the wire.
    """

    def __init__(self, reactor: Reactor) -> None:
        self.peers: list[Peer] = []
        self.action_ids: list[str] = []
        self._reactor = reactor
        self._resources = ExitStack()
        self._listener = self._resources.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
        self._listener.setblocking(False)
        reactor.add_reader(self._listener, self._accept)
        # Bound and not listening: nobody else gets the port, and who connects is refused.
        self._dead = self._resources.enter_context(socket.socket())
        self._dead.bind(("127.0.0.1", 0))
        self._probe = self._make_probe()

    @property
    def placeholders(self) -> dict[str, str]:
        """What the placeholders of a scenario stand for."""
        alive, dead = self._listener.getsockname()[1], self._dead.getsockname()[1]
        return {"{S1}": f"127.0.0.1:{alive}", "{S1PORT}": str(alive), "{DEAD}": f"127.0.0.1:{dead}"}

    def receive(self) -> None:
        """Take what has arrived, without waiting for the reactor to tell."""
        for peer in self.peers:
            peer.read()
            self.action_ids += [one for one in peer.action_ids() if one not in self.action_ids]

    def settle(self) -> None:
        """Run the reactor until nothing is under way: bytes sent before a probe are there when the probe is."""
        sender, receiver = self._probe
        arrived: list[bytes] = []
        self._reactor.add_reader(receiver, lambda: arrived.append(receiver.recv(1)))
        sender.send(b".")
        while not arrived:
            self._reactor.run_once(1)
        self._reactor.remove_reader(receiver)
        while self._reactor.run_once(0):
            pass

    def close(self) -> None:
        """Let go of all sockets."""
        self._reactor.remove_reader(self._listener)
        for peer in self.peers:
            peer.close()
        self._resources.close()

    def _accept(self) -> None:
        self.peers.append(Peer(self._reactor, self._listener.accept()[0]))

    def _make_probe(self) -> tuple[socket.socket, socket.socket]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            sender = self._resources.enter_context(socket.create_connection(listener.getsockname()))
            receiver = self._resources.enter_context(listener.accept()[0])
        return sender, receiver
