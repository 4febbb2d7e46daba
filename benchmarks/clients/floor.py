"""What Python can do at all: receive, and split at blank lines. There are no headers, no handlers and no callbacks."""

from __future__ import annotations

import selectors
import socket
import time

from .common import HOST, SECRET, USERNAME, Job, Memory, Meter, Result, run

RECV_SIZE = 1 << 16
END = b"\r\n\r\n"
LOGIN = f"Action: Login\r\nUsername: {USERNAME}\r\nSecret: {SECRET}\r\n\r\n".encode()
ANSWER = b"Response: Success"


class Client:
    """A connection: packets in, requests out."""

    def __init__(self, job: Job) -> None:
        self.sock = socket.create_connection((HOST, job.port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self.sock.sendall(LOGIN)
        while not self.receive():
            pass

    def receive(self) -> list[bytes]:
        """The packets that come next."""
        *packets, self._rest = (self._rest + self.sock.recv(RECV_SIZE)).split(END)
        return packets

    def ask(self, action: bytes, events: int) -> None:
        """Ask for so many events."""
        self.sock.sendall(b"Action: %s\r\nActionID: 1\r\nEvents: %d\r\n\r\n" % (action, events))


def events(job: Job) -> Result:
    """All events, whatever their names."""
    meter, client = Meter(), Client(job)
    for count in (job.warm_up, job.count):
        meter.start()
        client.ask(b"Replay", count)
        while meter.calls <= count:  # the answer is the last one
            meter.calls += len(client.receive())
    meter.calls -= 1
    return without_headers(meter)


def pings(job: Job) -> Result:
    """As many pings at once as answers have come."""
    meter, client = Meter(), Client(job)
    for count in (job.warm_up, job.count):
        meter.start()
        to_send = count
        answers = job.depth  # as if so many had come
        while meter.calls < count:
            answers = min(answers, to_send)
            first, to_send = to_send, to_send - answers
            client.sock.sendall(
                b"".join(b"Action: Ping\r\nActionID: %d\r\n\r\n" % number for number in range(first, to_send, -1))
            )
            answers = len(client.receive())
            meter.calls += answers
    return without_headers(meter)


def lists(job: Job) -> Result:
    """Packets up to the one that ends the list."""
    meter, client = Meter(), Client(job)
    for number in range(-job.warm_up, job.count):
        if number == 0:
            meter.start()
        client.ask(b"CoreShowChannels", 0)
        packets: list[bytes] = []
        while not packets or b"EventList: Complete" not in packets[-1]:
            packets += client.receive()
        meter.calls += len(packets) - 2
    return without_headers(meter)


def trickle(job: Job) -> Result:
    """All connections in one loop."""
    meter, clients = Meter(), [Client(job) for _ in range(job.connections)]
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.sock, selectors.EVENT_READ, client)
        for count in (job.warm_up, job.count):
            meter.start()
            clients[0].ask(b"Trickle", count)
            while meter.calls <= count:
                for key, _ in selector.select():
                    meter.calls += len(key.data.receive())
    meter.calls -= 1
    return without_headers(meter)


def idle(job: Job) -> Result:
    """Sockets in a selector."""
    meter = Meter()
    with selectors.DefaultSelector() as selector:
        first = Client(job)
        memory = Memory(job.traced)
        clients = [Client(job) for _ in range(job.connections)]
        for client in [first, *clients]:
            selector.register(client.sock, selectors.EVENT_READ, client)
        grown = memory.grown()
        meter.start()
        end = time.monotonic() + job.seconds
        while (left := end - time.monotonic()) > 0:
            selector.select(left)
        result = without_headers(meter)
    result.connection_bytes = grown / job.connections
    return result


def without_headers(meter: Meter) -> Result:
    """The result of a client that looks at no header."""
    result = meter.stop()
    result.read = -1
    return result


if __name__ == "__main__":
    run({"events": events, "pings": pings, "lists": lists, "trickle": trickle, "idle": idle})
