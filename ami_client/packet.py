"""Packets of the Asterisk Manager Interface: bytes to packets, actions to bytes. No I/O here.

Sources: Asterisk main/manager.c; phpDaemon Clients/Asterisk/Connection.php (onRead) and Pool.php (extract).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Optional, Union, overload

from .encode import ENCODING, ENCODING_ERRORS, TRIMMED, ascii_lower, encode_action, unescape
from .errors import AMIError, ProtocolError

__all__ = ["Kind", "Packet", "PacketReader", "encode_action", "unescape"]

# Headers and values that keep their case, compared without it (phpDaemon Pool::$safeCaseValues).
KEEP_CASE = ("dialstring", "callerid", "connectedline")

# What a packet is stands in its first header; an ActionID may come before it, and names are trimmed.
_FIRST_HEADER = re.compile(rb"(?:[ \t]*actionid[ \t]*:[^\n]*\n)?[ \t]*(event|response)[ \t]*:", re.IGNORECASE)
_EVENT_LINE = re.compile(rb"^event:", re.IGNORECASE | re.MULTILINE)

DEFAULT_MAX_PACKET = 16 * 1024 * 1024  # bytes; the largest real packet seen has 1.4 million

JSONValue = Union[None, bool, int, float, str, list["JSONValue"], list[tuple[str, "JSONValue"]]]


class Kind(Enum):
    """What a packet is, by its first header."""

    RESPONSE = "response"
    EVENT = "event"
    TEXT = "text"  # neither: raw text that a few actions answer with, or rubbish
    LOCAL = "local"  # not from the server: the failure packets that we make


class Packet(dict[str, str]):
    """One message of the server: a dict of header names in lower case to values.

    Values are trimmed and in lower case too (ASCII letters only), as in phpDaemon, unless the header or the value
    starts with ``dialstring``, ``callerid`` or ``connectedline``; ``Pool(fold_case=False)`` keeps the case of all. Of
    a repeated header the last value is here, in the first one's place. Nothing is lost: see :meth:`getall`,
    :meth:`original`, :attr:`headers`, :attr:`output` and :attr:`raw`.

    Attributes:
        raw: the bytes as they came, without the blank line at the end; empty for a packet made by hand.
        kind: a :class:`Kind`.
        events: the entries of a list answer, in order (on the Response that opened the list).
        complete: the event that completed the list, or None.
        error: None, or an :class:`~ami_client.errors.AMIError` that tells why the action failed.
    """

    __slots__ = ("_body", "_eol", "_fold_case", "_head", "complete", "error", "events", "kind", "raw")

    def __init__(
        self,
        headers: Union[Mapping[str, str], Iterable[tuple[str, str]]] = (),
        *,
        raw: bytes = b"",
        kind: Kind = Kind.LOCAL,
    ) -> None:
        super().__init__(headers)
        self.raw = raw
        self.kind = kind
        self.events: list[Packet] = []
        self.complete: Optional[Packet] = None
        self.error: Optional[AMIError] = None
        self._fold_case = True
        self._eol = "\r\n"
        self._head = b""  # the header lines of raw
        self._body = b""  # the raw text of an old Command answer, or of an action that answers with nothing else

    @classmethod
    def parse(cls, head: bytes, *, fold_case: bool = True, eol: str = "\r\n", body: bytes = b"") -> Packet:
        """Make a packet of the bytes between two blank lines; ``body`` is the raw text of an old Command answer."""
        packet = cls(raw=head + eol.encode("ascii") + body if body else head, kind=_kind(head))
        packet._fold_case = fold_case
        packet._eol = eol
        packet._head = head
        packet._body = body
        # bytes.lower() knows ASCII letters only, which is the rule; str.lower() would change others too.
        folded = head.lower().decode(ENCODING, ENCODING_ERRORS).split(eol)
        for line, low in zip(packet._lines(), folded):
            name, value = _fold(line, low, fold_case)
            packet[name] = value
        return packet

    @classmethod
    def of_text(cls, text: bytes, action_id: str) -> Packet:
        """The answer to an action that the server answers with raw text alone: see :attr:`output`."""
        packet = cls({"response": "success", "actionid": action_id}, raw=text, kind=Kind.TEXT)
        packet._body = text
        return packet

    @classmethod
    def failure(cls, error: AMIError, action_id: str = "") -> Packet:
        """The packet that a callback gets when no answer of the server's can come."""
        packet = cls({"response": "error", "message": str(error)})
        if action_id:
            packet["actionid"] = action_id
        packet.error = error
        return packet

    def _lines(self) -> list[str]:
        return self._head.decode(ENCODING, ENCODING_ERRORS).split(self._eol)

    @property
    def event_name(self) -> str:
        """The value of the first ``Event`` header in lower case, ``""`` for what is no event.

        ``packet["event"]`` is the last one's, which in a UserEvent is whatever its sender liked to call it.
        """
        if not self._head:
            return ascii_lower(self.get("event", ""))
        if self.kind is not Kind.EVENT:
            return ""
        match = _FIRST_HEADER.match(self._head)
        assert match is not None
        end = self._head.find(self._eol.encode("ascii"), match.end())
        value = self._head[match.end() : end if end >= 0 else None]
        return value.lower().decode(ENCODING, ENCODING_ERRORS).strip(TRIMMED)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """All headers in order as ``(name, value)``, both as sent: case, blanks and repetitions kept."""
        if not self._head:
            return list(self.items())
        edges = "\n" if self._eol == "\r\n" else "\r"
        return [_split(line.strip(edges)) for line in self._lines()]

    def getall(self, name: str) -> list[str]:
        """All values of a header in order, trimmed and folded as in the dict view; an empty list if there is none."""
        name = ascii_lower(name)
        if not self._head:
            return [self[name]] if name in self else []
        folded = (_fold(line, ascii_lower(line), self._fold_case) for line in self._lines())
        return [value for header, value in folded if header == name]

    def _originals(self, name: str) -> list[str]:
        return [value for header, value in self.headers if ascii_lower(header.strip(TRIMMED)) == name]

    @overload
    def original(self, name: str) -> Optional[str]: ...
    @overload
    def original(self, name: str, default: str) -> str: ...
    def original(self, name: str, default: Optional[str] = None) -> Optional[str]:
        """The value of a header exactly as sent (of a repeated one the last), or ``default``."""
        values = self._originals(ascii_lower(name))
        return values[-1] if values else default

    @property
    def output(self) -> list[str]:
        """The lines of a Command answer, blanks kept: the ``Output`` headers, or the text of ``Response: Follows``.

        For the few actions that answer with raw text (IAXnetstats), its lines.
        """
        return _text_lines(self._body) if self._body else self._originals("output")

    def split_events(self) -> list[Packet]:
        """The events of a packet in which the server forgot the blank lines between them (Skinny's lists on 16)."""
        starts = [match.start() for match in _EVENT_LINE.finditer(self._head)] or [0]
        parts = [self._head[begin:end].rstrip(b"\r\n") for begin, end in zip(starts, [*starts[1:], None])]
        return [Packet.parse(part, fold_case=self._fold_case, eol=self._eol) for part in parts]

    def json(self) -> JSONValue:
        """The answer of GetConfigJSON. Objects are lists of ``(key, value)`` pairs, because their keys repeat.

        Control characters inside strings, which Asterisk leaves as they are, are accepted. Raises ValueError when the
        packet has no ``JSON`` header or it does not parse.
        """
        text = self.original("json")
        if text is None:
            raise ValueError("the packet has no JSON header")
        parsed: JSONValue = json.loads(text, strict=False, object_pairs_hook=list)
        return parsed


class PacketReader:
    """Cuts the server's bytes into packets: :meth:`feed` it, then call :meth:`next_packet` until it returns None.

    The first line is the banner. Lines end in CRLF, and a bare LF inside a line stays there, because values may hold
    one; a server whose banner ends in a bare LF is read with LF as the line end.
    """

    def __init__(self, *, fold_case: bool = True, max_packet: int = DEFAULT_MAX_PACKET) -> None:
        self.banner: Optional[str] = None
        self._fold_case = fold_case
        self._max_packet = max_packet
        self._eol = b"\r\n"
        self._buffer = bytearray()
        self._start = 0  # of the packet being read; what lies before is done
        self._scanned = 0  # up to here no end was found: a packet that comes in drops is not searched again and again

    def feed(self, data: bytes) -> None:
        """Take bytes from the server, cut anywhere."""
        if self._start:
            del self._buffer[: self._start]
            self._scanned -= self._start
            self._start = 0
        self._buffer += data

    def next_packet(self) -> Optional[Packet]:
        """The next packet whose end has come, or None.

        Raises ProtocolError when more than ``max_packet`` bytes came without an end.
        """
        if self.banner is None and not self._read_banner():
            return None
        self._skip_blank_lines()
        if self._starts_with(b"response: follows"):
            return self._next_old_command_answer()
        found = self._find_end(self._terminators())
        if found is None:
            return None
        end, after = found
        raw = bytes(self._buffer[self._start : end])
        junk = _junk_length(raw, self._eol)
        if junk:
            # Raw text, or the rest of a packet that was cut: the next packet starts at the line that looks like one.
            after = self._start + junk if junk < len(raw) else after
            raw = raw[:junk].rstrip(b"\r\n")
        self._advance(after)
        return Packet.parse(raw, fold_case=self._fold_case, eol=self._eol.decode("ascii"))

    def _read_banner(self) -> bool:
        found = self._find_end((b"\n",))
        if found is None:
            return False
        line = bytes(self._buffer[: found[0]])
        self._eol = b"\r\n" if line.endswith(b"\r") else b"\n"
        self.banner = line.decode(ENCODING, ENCODING_ERRORS).strip(TRIMMED)
        self._advance(found[1])
        return True

    def _terminators(self) -> tuple[bytes, bytes]:
        return (b"\r\n\r\n", b"\r\n\n") if self._eol == b"\r\n" else (b"\n\n", b"\n\r\n")

    def _skip_blank_lines(self) -> None:
        start, size = self._start, len(self._buffer)
        while start < size and self._buffer[start] in b"\r\n":
            start += 1
        self._advance(start)

    def _advance(self, position: int) -> None:
        self._start = position
        self._scanned = max(self._scanned, position)

    def _starts_with(self, prefix: bytes) -> bool:
        return self._buffer[self._start : self._start + len(prefix)].lower() == prefix

    def _find_end(self, marks: tuple[bytes, ...]) -> Optional[tuple[int, int]]:
        """Where the earliest of ``marks`` begins, and where it ends."""
        longest = max(map(len, marks))
        begin = max(self._start, self._scanned - longest + 1)
        best: Optional[tuple[int, int]] = None
        stop = len(self._buffer)
        for mark in marks:
            position = self._buffer.find(mark, begin, stop)
            if position >= 0:
                best = (position, position + len(mark))
                stop = best[1]
        # Without an end, the last bytes may be the beginning of one: how the bytes are cut must make no difference.
        end = best[0] if best else len(self._buffer) - longest + 1
        if end - self._start > self._max_packet:
            raise ProtocolError(f"more than {self._max_packet} bytes (max_packet) without the end of a packet")
        if best is None:
            self._scanned = len(self._buffer)
        return best

    def _next_old_command_answer(self) -> Optional[Packet]:
        # Up to Asterisk 13: headers, then raw text with lines and empty lines of its own, up to a marker.
        marks = tuple(b"--END COMMAND--" + mark for mark in self._terminators())
        found = self._find_end(marks)
        if found is None:
            return None
        raw = bytes(self._buffer[self._start : found[0]])
        self._advance(found[1])
        body = _end_of_old_headers(raw, self._eol)
        head = raw[:body].rstrip(b"\r\n")
        return Packet.parse(head, fold_case=self._fold_case, eol=self._eol.decode("ascii"), body=raw[body:])


def _kind(raw: bytes, position: int = 0) -> Kind:
    match = _FIRST_HEADER.match(raw, position)
    if match is None:
        return Kind.TEXT
    return Kind.EVENT if match.group(1).lower() == b"event" else Kind.RESPONSE


def _junk_length(raw: bytes, eol: bytes) -> int:
    """How many bytes stand before the first line that starts a packet."""
    position = 0
    while _kind(raw, position) is Kind.TEXT:
        end = raw.find(eol, position)
        if end < 0:
            return len(raw)
        position = end + len(eol)
    return position


def _split(line: str) -> tuple[str, str]:
    name, separator, value = line.partition(": ")
    if not separator:
        name, _, value = line.partition(":")
    return name, value


def _fold(line: str, low: str, fold_case: bool) -> tuple[str, str]:
    """Name and value of a header line for the dict view; ``low`` is the line in lower case."""
    name, separator, value = low.partition(": ")
    if not separator:
        name, separator, value = low.partition(":")
    start = len(name) + len(separator)
    name = name.strip(TRIMMED)
    value = value.strip(TRIMMED)
    if not fold_case or name.startswith(KEEP_CASE) or value.startswith(KEEP_CASE):
        value = line[start:].strip(TRIMMED)
    return name, value


def _end_of_old_headers(raw: bytes, eol: bytes) -> int:
    position = raw.find(eol) + len(eol)
    while raw[position : position + 10].lower().startswith((b"privilege:", b"actionid:")):
        position = raw.find(eol, position) + len(eol)
    return position


def _text_lines(text: bytes) -> list[str]:
    lines = text.decode(ENCODING, ENCODING_ERRORS).replace("\r\n", "\n").split("\n")
    return lines if lines[-1] else lines[:-1]
