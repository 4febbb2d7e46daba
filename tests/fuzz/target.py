"""What must hold whatever a server sends: :func:`check` raises AssertionError, or anything else, when it does not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from random import Random
from typing import Any, Optional
from zlib import crc32

from ami_client._client.dispatch import Routes
from ami_client._engine.action_ids import NumberedIDs
from ami_client._engine.in_flight import LIST_ENDS, MIN_PACKET_SIZE, Pending, PendingResult, is_list, verdict
from ami_client._engine.login import Login, LoginDone
from ami_client._engine.packet import PacketReader
from ami_client._engine.session import ListGoneOn, Outcome, Session, Wanted
from ami_client._engine.state import Move, State
from ami_client._engine.text import TRIMMED, ascii_lower
from ami_client.errors import ActionTimeout, ConnectionLost, LimitReached, ProtocolError
from ami_client.packet import Kind, Packet

BANNER = b"Asterisk Call Manager/2.10.6\r\n"  # one that may answer with Response: Follows
NEW_BANNER = b"Asterisk Call Manager/9.0.0\r\n"  # one that is read the short way
WELCOME = b"Response: Success\r\nMessage: Authentication accepted\r\n\r\n"

# Small bounds are reached by small inputs.
SMALL = {"max_packet": 256, "max_lines": 6}
BOUNDS: dict[str, Any] = {"max_packet": 4096, "max_lines": 100}  # those of the session
MAX_ANSWER = 8 * MIN_PACKET_SIZE
MAX_SAID = 2000  # bytes to the server: the login, and the actions that waited for it

# Every way of answering that there is; the session gives them the ActionIDs 77-1, 77-2, ...
ACTIONS: Sequence[tuple[str, Optional[list[dict[str, str]]]]] = [
    ("Ping", None),
    ("QueueStatus", None),
    ("CoreShowChannels", [{"event": "coreshowchannelscomplete"}, {"eventlist": "complete"}]),
    ("IAXpeers", None),
    ("IAXnetstats", None),  # its fence is 77-6
    ("Command", None),
    ("WaitEvent", None),
    ("SKINNYlines", None),
    ("FAXSession", None),
    ("Originate", None),  # and its result
    ("IAXpeerlist", [{"event": "peerlistcomplete"}]),
    ("GetConfigJSON", None),
]


def check(data: bytes) -> None:
    """Read ``data`` as a server's whole stream, and as what it says after the login."""
    pieces = cut(data)
    check_reader(pieces, {})
    check_reader(pieces, SMALL)
    check_reader([b"Fake/1\n", *pieces], {"fold_case": False})
    check_session(pieces, greeting=b"")
    check_session(pieces, greeting=BANNER + WELCOME)
    check_session(pieces, greeting=NEW_BANNER + WELCOME)
    check_first_headers(data)


def cut(data: bytes) -> list[bytes]:
    """``data`` in pieces, the same each time: byte by byte if it is short, else cut anywhere and around line ends."""
    if len(data) <= 40:
        return [data[place : place + 1] for place in range(len(data))]
    chance = Random(crc32(data))
    ends = [match.start() + chance.randint(0, 2) for match in re.finditer(rb"[\r\n]|COMMAND", data)]
    places = chance.sample(ends, min(len(ends), 10)) + chance.sample(range(len(data)), 8)
    places = [0, *sorted(places), len(data)]
    return [data[begin:end] for begin, end in zip(places, places[1:])]


# -- the reader


def check_reader(pieces: list[bytes], options: dict[str, Any]) -> None:
    """The same packets and the same error, however the bytes are cut; each byte is in its place."""
    data = b"".join(pieces)
    packets, error, banner = read([data], options)
    again, same_error, same_banner = read(pieces, options)
    assert (str(error), banner) == (str(same_error), same_banner)
    assert [one.raw for one in again] == [one.raw for one in packets]
    assert again == packets
    if banner is not None:
        old = not re.match(r"Asterisk Call Manager/([3-9]|\d\d)", banner)
        check_places(data, packets, error, old)
    for packet in packets:
        assert len(packet.raw) <= options.get("max_packet", len(data))
        assert len(packet.headers) <= options.get("max_lines", len(data))
        check_packet(packet)


def read(pieces: list[bytes], options: dict[str, Any]) -> tuple[list[Packet], Optional[ProtocolError], Optional[str]]:
    """The packets in a stream, and how it ended; nothing but a ProtocolError with the name of its limit comes out."""
    reader = PacketReader(**options)
    packets: list[Packet] = []
    for piece in pieces:
        reader.feed(piece)
        try:
            packets += iter(reader.next_packet, None)
        except ProtocolError as error:
            assert error.limit in ("max_packet", "max_lines")
            return packets, error, reader.banner
    return packets, None, reader.banner


def check_places(data: bytes, packets: list[Packet], error: Optional[ProtocolError], old: bool) -> None:
    """Packets lie one behind the other in the stream, only blank lines and old servers' markers in between."""
    place = data.index(b"\n") + 1
    eol = b"\r\n" if data.endswith(b"\r\n", 0, place) else b"\n"
    for packet in packets:
        place = skip_blank(data, place)
        assert packet.raw and data.startswith(packet.raw, place)
        place += len(packet.raw)
        if old and packet.raw[:17].lower() == b"response: follows":
            assert data.startswith(b"--END COMMAND--", place)
            place += len(b"--END COMMAND--")
        assert data[place : place + 1] in (b"\r", b"\n")
    rest = data[skip_blank(data, place) :]
    if error is None and not (old and rest[:17].lower() == b"response: follows"):
        assert not re.search(eol + rb"\r?\n", rest), "a packet was left"


def skip_blank(data: bytes, place: int) -> int:
    """Where the next line begins that is not blank."""
    return len(data) - len(data[place:].lstrip(b"\r\n"))


def check_packet(packet: Packet) -> None:
    """Whatever is asked of a packet, it answers as documented."""
    headers = packet.headers
    for name, value in headers:
        (name + value).encode("utf-8", "surrogateescape")
    assert {ascii_lower(name.strip(TRIMMED)) for name, _ in headers} == set(packet)
    for name in list(packet)[-4:]:
        assert packet.getall(name)[-1] == packet[name]
        original = packet.original(name)
        assert original is not None and ascii_lower(original.strip(TRIMMED)) == ascii_lower(packet[name])
    assert packet.getall("no such header") == []
    assert packet.original("no such header") is None
    assert isinstance(packet.event_name, str) and bool(packet.kind is Kind.EVENT) >= bool(packet.event_name)
    assert all(isinstance(line, str) for line in packet.output)
    assert repr(packet).startswith("{")
    assert not packet.suspect and packet.error is None and packet.complete is None and packet.events == []
    with suppress(ValueError):
        packet.json()
    parts = packet.split_events()
    assert parts and all(part.raw in packet.raw for part in parts)


# -- the session


def check_session(pieces: list[bytes], greeting: bytes) -> None:
    """The same outcomes, however the bytes are cut, and the promises of :class:`Play`."""
    whole, piecemeal = [b"".join(pieces)], pieces
    seed = crc32(whole[0])
    outcomes = play(whole, greeting, seed)
    expected = [seen(one) for one in outcomes]
    assert [seen(one) for one in play(piecemeal, greeting, seed)] == expected
    answers = [look for one, look in zip(outcomes, expected) if not isinstance(one, Packet)]
    for cuts in (whole, piecemeal):  # events that nobody wants make no difference
        without = play(cuts, greeting, seed, wanted=Routes())
        assert [seen(one) for one in without if not isinstance(one, Packet)] == answers


# Repetitions of headers that control, as a value with line ends in it can bring them along.
FORGED = {
    "response": b"\r\nResponse: Error\r\nRESPONSE: success",
    "actionid": b"\r\nActionID: foreign\r\nactionid:",
    "eventlist": b"\r\nEventList: Complete\r\nEventList: start",
    "message": b"\r\nMessage: forged",
    "listitems": b"\r\nListItems: 99\r\nListItems: 0",
}


def check_first_headers(data: bytes) -> None:
    """The outcome of each answer depends on the first of its headers that control, and on none behind them."""
    packets, _error, _banner = read([NEW_BANNER, data], BOUNDS)
    genuine = [packet.raw + b"\r\n\r\n" for packet in packets]
    forged = [packet.raw + b"".join(map(forge, FORGED, [packet] * len(FORGED))) + b"\r\n\r\n" for packet in packets]
    greeting, seed = NEW_BANNER + WELCOME, crc32(data)
    one, other = (judged(play([b"".join(said)], greeting, seed)) for said in (genuine, forged))
    assert one == other or "limit" in (*one, *other)


def forge(name: str, packet: Packet) -> bytes:
    """A header behind those that a packet has already."""
    return FORGED[name] if name in packet and packet.kind is not Kind.TEXT else b""


def judged(outcomes: list[Outcome]) -> list[object]:
    """What a caller goes by; ``limit`` for an answer, or a stream, that was longer than the bounds allow."""
    found: list[object] = []
    for one in outcomes:
        if isinstance(one, Packet):
            found.append(one.event_name)
        elif isinstance(one, Pending):
            packet = verdict(one.result)
            parts = len(one.result) if isinstance(one.result, list) else len(packet.events)
            end = packet.complete and packet.complete.event_name
            found.append((one.action, str(packet.error), parts, end, packet.suspect))
            found += ["limit"] * isinstance(packet.error, (LimitReached, ProtocolError))
        else:
            found.append(type(one))
    return found


def play(pieces: list[bytes], greeting: bytes, seed: int, wanted: Optional[Wanted] = None) -> list[Outcome]:
    """What comes out of a session in which the server says it twice, and some actions ran out of time before."""
    one = Play(greeting, Random(seed), wanted)
    one.give_up(0.2)
    one.feed(pieces)
    one.give_up(0.5)
    one.feed(pieces)
    one.end()
    if greeting and wanted is None:
        check_events([greeting, *pieces, *pieces], one.outcomes)
    return one.outcomes


def check_events(pieces: list[bytes], outcomes: list[Outcome]) -> None:
    """Every event that cannot be a part of an answer comes out, in order."""
    packets, _error, _banner = read(pieces, BOUNDS)
    emitted = [one for one in outcomes if isinstance(one, Packet)]
    assert [one.raw for one in emitted if is_foreign(one)] == [one.raw for one in packets if is_foreign(one)]


def is_foreign(packet: Packet) -> bool:
    """Whether it is an event that has nothing to do with our actions."""
    ids = packet.getall("actionid")
    ours = any(ascii_lower(one).startswith("77-") for one in ids) or packet.event_name == "peerentry"
    ends_a_list = not "".join(ids) and packet.list_marker in LIST_ENDS
    return packet.kind is Kind.EVENT and not ours and not ends_a_list


def seen(outcome: Outcome) -> tuple[object, ...]:
    """What a caller can see of an outcome."""
    if isinstance(outcome, Pending):
        result = outcome.result
        packets = result if isinstance(result, list) else [result]
        return outcome.action, [all_of(packet) for packet in packets]
    return type(outcome), all_of(outcome if isinstance(outcome, Packet) else outcome.packet)


def all_of(packet: Packet) -> tuple[object, ...]:
    """A packet and what hangs on it."""
    complete = packet.complete and packet.complete.raw
    return dict(packet), packet.raw, str(packet.error), packet.suspect, [one.raw for one in packet.events], complete


class Play:
    """A session with an action of each kind in flight, and what came out of it."""

    def __init__(self, greeting: bytes, chance: Random, wanted: Optional[Wanted] = None) -> None:
        self.chance = chance
        self.session = Session(
            Login("bob", "s3cret", "plain" if greeting else chance.choice(("md5", "plain"))),
            ids=NumberedIDs("77"),
            max_answer=MAX_ANSWER,
            wanted=wanted,
            **BOUNDS,
        )
        self.wants_all = wanted is None
        self.outcomes: list[Outcome] = []
        self.said = 0  # bytes
        self.open: dict[int, Pending] = {}  # what waits for its answer, by identity, in the order of sending
        self.error: Optional[ProtocolError] = None
        self.session.move(Move.CONNECT)
        self.session.move(Move.OPENED)
        if greeting:
            self.feed([greeting])
        self.send_all()

    def send_all(self) -> None:
        """Send one action of each kind."""
        for action, assertions in ACTIONS:
            pending = self.session.send(action, None, never_called, assertions)
            self.open[id(pending)] = pending
            if action == "Originate":
                result = self.session.expect_result(pending.action_id, never_called)
                self.open[id(result)] = result

    def feed(self, pieces: list[bytes]) -> None:
        """Let the server speak until it breaks a rule."""
        for piece in pieces:
            if self.error is not None:
                return
            try:
                for outcome in self.session.outcomes(piece):
                    self.note(outcome)
            except ProtocolError as error:
                self.error = error
            self.check_bounds()

    def note(self, outcome: Outcome) -> None:
        """Each action is answered once, by what was really sent, and events come in order."""
        self.outcomes.append(outcome)
        if isinstance(outcome, Pending):
            assert self.open.pop(id(outcome), None) is not None, "an answer to what nobody asked, or the second one"
            assert verdict(outcome.result) is not None and is_list(outcome.result) in (True, False)
        elif isinstance(outcome, Packet):
            assert outcome.kind is Kind.EVENT
        elif isinstance(outcome, ListGoneOn):
            assert outcome.packet.suspect
        else:
            assert isinstance(outcome, LoginDone)
            assert self.session.state in (State.CONNECTED, State.REFUSED)

    def check_bounds(self) -> None:
        """What is kept of answers under way stays within the bound, and nothing is said to the server unasked."""
        assert sum([one.size for one in self.open.values()]) <= MAX_ANSWER
        assert self.session.pending == len(self.open)
        self.said += len(self.session.take_outgoing())
        assert self.said < MAX_SAID

    def give_up(self, share: float) -> None:
        """Some actions run out of time; the same answers may still come, but to nobody."""
        for pending in list(self.open.values()):
            if self.chance.random() < share:
                failure = self.session.give_up(pending, ActionTimeout("late"))
                assert failure is not None
                self.note(pending.done(failure))
                assert self.session.give_up(pending, ActionTimeout("late")) is None

    def end(self) -> None:
        """The link is lost: each action that is still open fails, in order, and nothing is left."""
        left = sorted(self.open.values(), key=lambda one: isinstance(one, PendingResult))
        owed = self.session.finish(ConnectionLost("gone"))
        assert owed == left
        for done in owed:
            assert isinstance(verdict(done.result).error, ConnectionLost)
            assert sum(len(one.raw) for one in parts_of(done)) <= MAX_ANSWER
            self.note(done)
        assert self.session.pending == 0
        assert list(self.session.outcomes(b"")) == []
        counted = self.session.stats
        assert counted.events >= sum(isinstance(one, Packet) for one in self.outcomes)
        assert counted.events == sum(isinstance(one, Packet) for one in self.outcomes) or not self.wants_all
        assert counted.malformed >= 0 and counted.dropped >= 0


def parts_of(done: Pending) -> Iterator[Packet]:
    """The server's packets in an answer."""
    for packet in done.result if isinstance(done.result, list) else [done.result]:
        yield packet
        yield from packet.events


def never_called(conn: object, result: object) -> None:
    """A session calls nobody: it returns what is due."""
    raise AssertionError
