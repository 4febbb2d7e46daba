"""What the tests of the modules without I/O share: bytes in, packets and answers out."""

from __future__ import annotations

import lzma
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Optional

from server_texts import BANNER, WELCOME

from ami_client._engine.action_ids import NumberedIDs
from ami_client._engine.in_flight import Pending, Result
from ami_client._engine.login import Login, LoginDone
from ami_client._engine.packet import PacketReader
from ami_client._engine.session import Outcome, Session
from ami_client._engine.state import Move
from ami_client.errors import ConnectionLost
from ami_client.packet import Packet

DATA = Path(__file__).resolve().parent.parent / "data"


def data(name: str) -> bytes:
    """A compressed file of the tests' data."""
    return lzma.decompress((DATA / name).read_bytes())


def message(*lines: str) -> bytes:
    """One message of the server's."""
    return "".join(line + "\r\n" for line in lines).encode("utf-8", "surrogateescape") + b"\r\n"


def packets_of(pieces: Iterable[bytes], **options: Any) -> list[Packet]:
    """What a reader makes of bytes that come in these pieces."""
    reader = PacketReader(**options)
    return [packet for piece in pieces for packet in feed(reader, piece)]


def feed(reader: PacketReader, piece: bytes) -> Iterator[Packet]:
    reader.feed(piece)
    return iter(reader.next_packet, None)


def one_by_one(text: bytes) -> list[bytes]:
    return [text[i : i + 1] for i in range(len(text))]


def everything(packet: Packet) -> tuple[object, ...]:
    """All that can be seen of a packet, for comparisons: two packets are equal as dicts too easily."""
    return packet.kind, packet.raw, list(packet.items()), packet.headers, packet.output


def read(text: bytes, *, banner: bytes = BANNER, **options: Any) -> list[Packet]:
    """The packets in ``text``: whole, byte by byte and cut in two at every place, which must be the same."""
    stream = banner + text
    whole = packets_of([stream], **options)
    expected = [everything(packet) for packet in whole]
    ways: list[Sequence[bytes]] = [one_by_one(stream)]
    ways += [(stream[:cut], stream[cut:]) for cut in range(1, len(stream))]
    for pieces in ways:
        assert [everything(one) for one in packets_of(pieces, **options)] == expected, pieces
    return whole


def read_one(text: bytes, **options: Any) -> Packet:
    (packet,) = read(text, **options)
    return packet


class Client:
    """A Session and what came out of it."""

    def __init__(self, authtype: str = "plain", secret: str = "s3cret", ids: str = "id", **options: Any) -> None:
        self.session = Session(Login("bob", secret, authtype), ids=NumberedIDs(ids), **options)
        self.outcomes: list[Outcome] = []
        self.session.move(Move.CONNECT)
        self.session.move(Move.OPENED)

    @classmethod
    def logged_in(cls, banner: bytes = BANNER, **options: Any) -> Client:
        client = cls(**options)
        client.feed(banner + WELCOME)
        client.session.take_outgoing()
        client.outcomes.clear()
        return client

    def feed(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.outcomes += self.session.outcomes(piece)

    def send(self, action: str, params: Any = None, assertions: Any = None) -> Pending:
        """Send an action for whose answer somebody waits."""
        return self.session.send(action, params, callback=_nobody, assertions=assertions)

    def send_plain(self, action: str) -> Pending:
        """The same by the short way, which ids in digits have."""
        pending = self.session.send_plain(action, _nobody)
        assert pending is not None
        return pending

    def sent(self) -> list[bytes]:
        """The messages that went out since the last look."""
        return [one + b"\r\n\r\n" for one in self.session.take_outgoing().split(b"\r\n\r\n") if one]

    @property
    def done(self) -> list[Pending]:
        return [one for one in self.outcomes if isinstance(one, Pending)]

    @property
    def logins(self) -> list[LoginDone]:
        return [one for one in self.outcomes if isinstance(one, LoginDone)]

    @property
    def events(self) -> list[Packet]:
        return [one for one in self.outcomes if isinstance(one, Packet)]

    def results(self, pending: Optional[Pending] = None) -> list[Result]:
        """The answers so far, or those of one action."""
        return [one.result for one in self.done if pending is None or one is pending]

    def only(self, pending: Optional[Pending] = None) -> Any:
        """The one answer so far: a packet, or a list of them."""
        (result,) = self.results(pending)
        return result

    def lose(self) -> list[Pending]:
        """The connection ends."""
        return self.session.finish(ConnectionLost("gone"))


def response(pending: Pending, *lines: str, status: str = "Success") -> bytes:
    """The server's Response to an action."""
    return message(f"Response: {status}", f"ActionID: {pending.action_id}", *lines)


def event(name: str, pending: Optional[Pending] = None, *lines: str) -> bytes:
    """An event, with an action's ActionID or none."""
    own = [f"ActionID: {pending.action_id}"] if pending else []
    return message(f"Event: {name}", *own, *lines)


def start(pending: Pending) -> bytes:
    """The Response that opens a list."""
    return response(pending, "EventList: start")


def complete(name: str, pending: Pending) -> bytes:
    """The event that ends a list."""
    return event(name, pending, "EventList: Complete")


def originate(client: Client) -> tuple[Pending, Pending]:
    """Start a call: the action, and who waits for its result."""
    pending = client.send("Originate")
    return pending, client.session.expect_result(pending.action_id, _nobody)


def _nobody(conn: object, result: object) -> None:
    raise AssertionError("a session calls nobody: it returns what is due")
