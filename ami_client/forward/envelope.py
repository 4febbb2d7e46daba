"""The messages for a broker: events and gaps. No I/O here.

The format is JSON in UTF-8, version 1. ``docs/forward-schema.rst`` has its JSON Schema.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any, NamedTuple, Optional

from .._engine.line_cache import Memo, split_line
from .._engine.text import ENCODING, ENCODING_ERRORS
from .._fronts.gaps import Gap as StreamGap
from ..packet import Packet

VERSION = 1

Headers = list[tuple[str, str]]

#: Name of a server: one word of a routing key, a topic or a subject.
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Gap(StreamGap):
    """A place where events are missing.

    Attributes:
        count: how many; None if that is unknown.
        reason: ``start``, ``lost``, ``back``, ``takeover`` or ``overflow``, as the forwarder reported it;
            ``missing`` if the broker lost messages.
        server: the server's name.
    """

    server: str = ""


class Envelope(NamedTuple):
    """One message: an event or a gap of one server.

    Attributes:
        server: the server's name.
        epoch: identifies one login of one forwarder to the server.
        seq: 1, 2, ... within the epoch. ``(server, epoch, seq)`` is the key of the message.
        time: when the forwarder received it, in Unix seconds.
        headers: all headers of the event in order, as sent; empty for a gap.
        gap: the gap; None for an event.
    """

    server: str
    epoch: str
    seq: int
    time: float
    headers: Headers
    gap: Optional[Gap] = None


class ForwardedPacket(Packet):
    """An event that came through a broker. :attr:`envelope` says where it comes from."""

    __slots__ = ("envelope",)

    envelope: Envelope

    @property
    def server(self) -> str:
        """The name of its server."""
        return self.envelope.server

    @property
    def key(self) -> tuple[str, str, int]:
        """Server, epoch and seq. They are the same if the event is delivered again."""
        return self.envelope[:3]


def check_name(name: object, what: str) -> str:
    """Return ``name``. Raises ValueError if it cannot be a word of a routing key."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(f"{what} must have 1 to 64 letters, digits, '-' and '_', not {name!r}")
    return name


def default_name(host: str, port: Optional[int]) -> str:
    """Return the default name of a server."""
    return re.sub("[^A-Za-z0-9]+", "-", f"{host}-{port or ''}").strip("-")[:64] or "pbx"


def quote(text: str) -> bytes:
    """Return a JSON string. Bytes that were not UTF-8 become escapes of lone surrogates."""
    try:
        return encode_basestring(text).encode()
    except UnicodeEncodeError:
        return encode_basestring_ascii(text).encode()


def quote_pair(pair: tuple[str, str]) -> bytes:
    """Return a header as a JSON array of name and value."""
    return b"[%b,%b]" % (quote(pair[0]), quote(pair[1]))


class _Pairs(Memo[bytes, bytes]):
    """Cache from a header line to its JSON. Most lines of a busy server repeat recent ones."""

    def __missing__(self, line: bytes) -> bytes:
        pair = quote_pair(split_line(line.decode(ENCODING, ENCODING_ERRORS)))
        self.keep(line, pair)
        return pair


_PAIRS = _Pairs()


def encode_headers(packet: Packet) -> bytes:
    """Return all headers of a packet as a JSON array of pairs."""
    lines = packet.raw.split(b"\r\n")
    if packet.raw.count(b"\n") == len(lines) - 1 and packet.raw:
        return b"[%b]" % b",".join(map(_PAIRS.__getitem__, lines))
    return b"[%b]" % b",".join(map(quote_pair, packet.headers))  # for a value with a line feed, or an unusual server


class Numbering:
    """Numbers and encodes the messages of one epoch."""

    def __init__(self, server: str, epoch: str) -> None:
        self.server = server
        self.seq = 0
        self._head = b'{"version":%d,"server":%b,"epoch":%b,"seq":' % (VERSION, quote(server), quote(epoch))

    def event(self, packet: Packet, now: float) -> bytes:
        """Return the next message: an event."""
        self.seq += 1
        return b'%b%d,"time":%.3f,"headers":%b}' % (self._head, self.seq, now, encode_headers(packet))

    def gap(self, count: Optional[int], reason: str, now: float) -> bytes:
        """Return the next message: a gap."""
        self.seq += 1
        gap = json.dumps({"count": count, "reason": reason}, separators=(",", ":")).encode()
        return b'%b%d,"time":%.3f,"gap":%b}' % (self._head, self.seq, now, gap)


def read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a message. Raises ValueError if it is not one, or has another version."""
    try:
        found = json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    if found.get("version") != VERSION:
        raise ValueError(f"unknown version {found.get('version')!r}; this program supports {VERSION}")
    return found


def read_headers(pairs: object) -> Headers:
    """Return headers from JSON. Raises ValueError for anything else."""
    if not isinstance(pairs, list):
        raise ValueError("headers must be a list of pairs")
    for pair in pairs:
        if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], str)):
            raise ValueError("a header must be a pair of texts")
    return [(name, value) for name, value in pairs]


def decode(body: bytes) -> Envelope:
    """Parse a message. Raises a ValueError that says what is wrong with it."""
    found = read_object(body)
    server, epoch, seq, time = (found.get(name) for name in ("server", "epoch", "seq", "time"))
    if not (isinstance(server, str) and isinstance(epoch, str)):
        raise ValueError("server and epoch must be texts")
    if type(seq) is not int or seq < 1 or isinstance(time, bool) or not isinstance(time, (int, float)):
        raise ValueError("seq must be a whole number of at least 1, and time a number of seconds")
    if "gap" not in found:
        return Envelope(server, epoch, seq, time, read_headers(found.get("headers")))
    gap = found["gap"]
    if not isinstance(gap, dict) or not isinstance(gap.get("reason"), str):
        raise ValueError("a gap must have a count and a reason")
    count = gap.get("count")
    if count is not None and (type(count) is not int or count < 0):
        raise ValueError("a gap's count must be a whole number or null")
    return Envelope(server, epoch, seq, time, [], Gap(count, gap["reason"], server))


_TIME = re.compile(rb',"time":([0-9.]+)')


def time_of(body: bytes) -> Optional[float]:
    """Return the time of a message made by :class:`Numbering`."""
    found = _TIME.search(body)
    return float(found[1]) if found else None


def raw_of(headers: Headers) -> bytes:
    """Return the bytes of a packet with these headers."""
    return "\r\n".join([f"{name}: {value}" for name, value in headers]).encode(ENCODING, ENCODING_ERRORS)


def packet_of(envelope: Envelope, *, fold_case: bool) -> ForwardedPacket:
    """Return the event in an envelope, as a connection would have parsed it."""
    packet = ForwardedPacket.parse(raw_of(envelope.headers), fold_case=fold_case)
    assert isinstance(packet, ForwardedPacket)
    packet.envelope = envelope
    return packet


_UNFIT = re.compile(r"[^a-z0-9_-]+")


def route_of(packet: Packet) -> str:
    """Return the words that subscribers filter by: ``class.event.queue.technology``, in lower case. ``-`` means none.

    The class is the first one of ``Privilege``, the technology that of ``Channel``: ``call.hangup.-.pjsip``. Characters
    other than letters, digits, ``-`` and ``_`` become ``_``.
    """
    what = packet.get("privilege", "").partition(",")[0]
    queue = packet.get("queue", "")
    technology, slash, _ = packet.get("channel", "").partition("/")
    return _routes[what, packet.event_name, queue, technology if slash else ""]


class _Routes(dict[tuple[str, str, str, str], str]):
    def __missing__(self, words: tuple[str, str, str, str]) -> str:
        route = ".".join(_UNFIT.sub("_", word.lower())[:64] or "-" for word in words)
        if len(self) >= 10_000:  # a server may send anything
            self.clear()
        self[words] = route
        return route


_routes = _Routes()
