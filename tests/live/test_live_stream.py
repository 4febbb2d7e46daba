"""A thousand calls: what the client hands out is what the server sent, once and in order."""

from __future__ import annotations

import socket
from collections import Counter, defaultdict

from driver import Client, is_event, original
from servers import AsteriskServer

from ami_client import Connection, Packet, Reactor

CALLS = 1000
IN_FLIGHT = 20
STREAM_LIMIT = 60.0  # seconds
LOGIN = b"Action: Login\r\nUsername: %s\r\nSecret: %s\r\nEvents: on\r\n\r\n"


class Observer:
    """A session of its own on a plain socket that keeps all bytes: none of the client's code."""

    def __init__(self, reactor: Reactor, server: AsteriskServer) -> None:
        self._reactor = reactor
        self._data = bytearray()
        self._socket = socket.create_connection((server.host, server.port), 10)
        self._socket.sendall(LOGIN % (server.username.encode(), server.secret.encode()))
        self._socket.setblocking(False)
        reactor.add_reader(self._socket.fileno(), self._receive)

    def _receive(self) -> None:
        data = self._socket.recv(1 << 20)
        assert data, "the server closed the observer's connection"
        self._data += data

    def has(self, text: bytes) -> bool:
        return text in self._data

    def events(self) -> list[bytes]:
        """The events received, in order, each without the line ends behind it."""
        messages = (message.strip(b"\r\n") for message in bytes(self._data).split(b"\r\n\r\n"))
        return [message for message in messages if message.startswith(b"Event: ")]

    def __enter__(self) -> Observer:
        return self

    def __exit__(self, *error: object) -> None:
        self._reactor.remove_reader(self._socket.fileno())
        self._socket.close()


class Caller:
    """Places calls, so many at a time, until all were placed; counts how each one ended."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._next = 0
        self.accepted: Counter[str] = Counter()
        self.results: Counter[str] = Counter()
        self.answered = 0

    def start(self) -> None:
        for _ in range(IN_FLIGHT):
            self._place()

    def _place(self) -> None:
        self._next += 1
        number = str(self._next)
        self._client.conn.originate(
            {
                "Channel": "Local/110@default/n",
                "Application": "Wait",
                "Data": "60",
                "Variable": {"__CALLNO": number},
            },
            lambda conn, packet: self._on_accepted(number, packet),
            on_result=lambda conn, packet: self._on_result(number, packet),
        )

    def _on_accepted(self, number: str, packet: Packet) -> None:
        assert packet.error is None
        self.accepted[number] += 1

    def _on_result(self, number: str, packet: Packet) -> None:
        self.results[number] += 1
        self.answered += packet.error is None
        if self._next < CALLS:
            self._place()


def between(events: list[bytes]) -> list[bytes]:
    """Those behind the marker `Begin`, up to the marker `End`."""
    (begin,) = [i for i, event in enumerate(events) if b"\r\nUserEvent: Begin" in event]
    (end,) = [i for i, event in enumerate(events) if b"\r\nUserEvent: End" in event]
    return events[begin + 1 : end]


def test_each_event_of_a_thousand_calls_once_and_in_order(asterisk: AsteriskServer) -> None:
    by_name: Counter[str] = Counter()

    def count(conn: Connection, packet: Packet) -> None:
        by_name[packet["event"]] += 1

    with Client(asterisk) as client, Observer(client.reactor, asterisk) as observer:
        conn = client.conn
        client.until_event("FullyBooted")
        client.until(lambda: observer.has(b"FullyBooted"), what="the observer being logged in")
        for name in ("event_newchannel", "event_hangup", "event_userevent"):
            conn.on(name, count)
        client.ask("UserEvent", {"UserEvent": "Begin"})
        caller = Caller(client)
        caller.start()
        client.until(lambda: sum(caller.results.values()) == CALLS, STREAM_LIMIT, "all results")
        client.until(lambda: by_name["hangup"] == 2 * CALLS, STREAM_LIMIT, "both halves hung up")
        client.hang_up_all()
        client.ask("UserEvent", {"UserEvent": "End"})
        client.until_event("UserEvent", UserEvent="End")
        client.until(lambda: observer.has(b"\r\nUserEvent: End"), what="the observer's last event")

        numbers = {str(number) for number in range(1, CALLS + 1)}
        assert caller.answered > 0.9 * CALLS
        assert by_name["newchannel"] == 2 * CALLS
        assert conn.dropped == 0

        ours = between([event.raw.strip(b"\r\n") for event in client.events])
        assert len(ours) > 10 * CALLS
        assert ours == between(observer.events())

        check_channels(client.events)
        quick = [event["callno"] for event in client.events if is_event(event, "UserEvent", {"UserEvent": "Quick"})]
        assert Counter(quick) == Counter(numbers)

    # Nor was any of them called again when the connection ended.
    assert caller.accepted == caller.results == Counter(numbers)


def check_channels(events: list[Packet]) -> None:
    """Assert that each channel was born once, came up, and ended once, in this order."""
    lives: dict[str, list[str]] = defaultdict(list)
    for event in events:
        if "uniqueid" in event and event["event"] in ("newchannel", "newstate", "hangup"):
            lives[original(event, "Uniqueid")].append(event["event"])
    assert len(lives) == 2 * CALLS
    for uniqueid, life in lives.items():
        assert life[0] == "newchannel", uniqueid
        assert life[-1] == "hangup", uniqueid
        assert set(life[1:-1]) == {"newstate"}, f"{uniqueid}: {life}"
