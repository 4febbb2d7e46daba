"""AMI packets, and the reader that makes them from bytes. No I/O here.

Sources: Asterisk main/manager.c; phpDaemon Clients/Asterisk/Connection.php (onRead) and Pool.php (extract).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, Callable, NamedTuple, Optional, Union, overload

from ..errors import ActionFailed, AMIError, ProtocolError
from . import values
from .encode import encode_action
from .framing import DEFAULT_MAX_PACKET, Cutter
from .line_cache import MEMOS, BlankLine, fold_value, split_line
from .text import ENCODING, ENCODING_ERRORS, TRIMMED, ascii_lower, printable, unescape, whole_number

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Kind", "Packet", "PacketReader", "encode_action", "unescape"]

# The first header gives the kind of a packet. An ActionID may precede it. Names are trimmed.
_FIRST_HEADER = rb"(?i:(?:[ \t]*actionid[ \t]*:[^\n]*\n)?[ \t]*(event|response)[ \t]*:)"

_EVENT_LINE = rb"(?:\A|(?<=%b))event:"  # for a line ending; compiled on first use

# Headers that may precede EventList: manager.c, astman_send_list_start and astman_send_list_complete_start. In
# chan_sip.c up to Asterisk 11, the ActionID follows EventList.
_BEFORE_EVENT_LIST = ("response", "event", "actionid")

DEFAULT_MAX_LINES = 200_000  # header lines; each takes far more memory than its bytes

JSONValue = Union[None, bool, int, float, str, list["JSONValue"], list[tuple[str, "JSONValue"]]]


class Kind(Enum):
    """The kind of a packet, given by its first header."""

    RESPONSE = "response"
    EVENT = "event"
    TEXT = "text"  # neither: the raw text that a few actions answer with, or junk
    LOCAL = "local"  # not from the server: a failure packet of this library


EVENT, RESPONSE = Kind.EVENT, Kind.RESPONSE  # see state.py: the way of every packet


class _Form(NamedTuple):
    """The line ending of a packet, and how its values are folded."""

    eol: bytes = b"\r\n"
    fold_case: bool = True


# Defaults for unset attributes.
_DEFAULTS = {
    "raw": b"",
    "kind": Kind.LOCAL,
    "complete": None,
    "error": None,
    "suspect": False,
    "_body": b"",
    "_form": _Form(),
}


class Packet(dict[str, str]):
    """One message from the server: a dict of lower-case header names to values.

    Values are trimmed and in lower case too (ASCII letters only), as in phpDaemon. They keep their case if the header
    or the value starts with ``dialstring``, ``callerid`` or ``connectedline``, and with ``Pool(fold_case=False)``. A
    repeated header has its last value, at the position of the first one. Nothing is lost: see :meth:`getall`,
    :meth:`original`, :attr:`headers`, :attr:`output` and :attr:`raw`.

    Attributes:
        raw: the bytes as received, without the blank line at the end. Empty for a packet made by hand.
        kind: a :class:`Kind`.
        event_name: the value of the first ``Event`` header in lower case; ``""`` if the packet is not an event.
            ``packet["event"]`` is the value of the last one, which the sender of a UserEvent can choose freely.
        events: the entries of a list answer, in order. They are on the Response that opened the list.
        complete: the event that completed the list, or None.
        error: None, or an :class:`~ami_client.errors.AMIError` that says why the action failed.
        suspect: True for a list answer that may have lost parts.
    """

    __slots__ = (
        "__weakref__",
        "_body",
        "_form",
        "_head",
        "complete",
        "error",
        "event_name",
        "events",
        "kind",
        "raw",
        "suspect",
    )

    raw: bytes
    kind: Kind
    event_name: str
    events: list[Packet]
    complete: Optional[Packet]
    error: Optional[AMIError]
    suspect: bool
    _form: _Form
    _head: bytes  # header lines of raw
    _body: bytes  # raw text of an old Command answer, or the whole answer

    def __getattr__(self, name: str) -> object:
        # Slots that few packets need are filled on first use. Filling all of them would add 9% (benchmark e).
        if name == "event_name":
            value: object = self._find_event_name()
        elif name == "events":
            value = []
        elif name == "_head":
            value = self.raw
        elif name in _DEFAULTS:
            value = _DEFAULTS[name]
        else:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        setattr(self, name, value)
        return value

    @classmethod
    def parse(cls, head: bytes, *, fold_case: bool = True, eol: bytes = b"\r\n", body: bytes = b"") -> Packet:
        """Parse the bytes between two blank lines. ``body`` is the raw text of an old Command answer."""
        read_line = MEMOS[fold_case].__getitem__
        raw, lines = head, head.split(eol)
        try:
            packet = cls(map(read_line, lines))
        except BlankLine:
            lines = [line.lstrip(b"\n") for line in lines]
            head = eol.join(lines)
            packet = cls(map(read_line, lines))
        packet.raw = raw
        packet.kind = _kind(head)
        packet._form = _Form(eol, fold_case)
        packet._head = head
        packet._body = body
        return packet

    @classmethod
    def of_text(cls, text: bytes, action_id: str) -> Packet:
        """Make the answer of an action that the server answers with raw text only: see :attr:`output`."""
        packet = cls({"response": "success", "actionid": action_id})
        packet.raw = text
        packet.kind = Kind.TEXT
        packet._head = b""
        packet._body = text
        return packet

    @classmethod
    def failure(cls, error: AMIError, action_id: str = "") -> Packet:
        """Make the packet that a callback gets if no answer from the server can arrive any more."""
        packet = cls({"response": "error", "message": str(error)})
        if action_id:
            packet["actionid"] = action_id
        packet.error = error
        return packet

    def _find_event_name(self) -> str:
        if not self._head:
            return ascii_lower(self.get("event", ""))
        if self.kind is not Kind.EVENT:
            return ""
        match = re.match(_FIRST_HEADER, self._head)
        assert match is not None
        end = self._head.find(self._form.eol, match.end())
        value = self._head[match.end() : end if end >= 0 else None]
        return fold_value(value)

    def _lines(self) -> list[bytes]:
        return self._head.split(self._form.eol)

    def _folded(self) -> Iterator[tuple[str, str]]:
        """All headers in order, trimmed and folded as in the dict view."""
        return map(MEMOS[self._form.fold_case].__getitem__, self._lines())

    def has_repeats(self) -> bool:
        """Whether any header is repeated, so that the dict view shows only its last value."""
        return bool(self._head) and len(self) <= self._head.count(self._form.eol)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """All headers in order as ``(name, value)``, exactly as sent, including case, blanks and repeated headers."""
        if not self._head:
            return list(self.items())
        edges = "\n" if self._form.eol == b"\r\n" else "\r"
        return [split_line(line.decode(ENCODING, ENCODING_ERRORS).strip(edges)) for line in self._lines()]

    def getall(self, name: str) -> list[str]:
        """Return all values of a header in order, trimmed and folded as in the dict view. Empty if there is none."""
        name = ascii_lower(name)
        if not self._head:
            return [self[name]] if name in self else []
        return [value for header, value in self._folded() if header == name]

    @overload
    def first(self, name: str) -> Optional[str]: ...
    @overload
    def first(self, name: str, default: str) -> str: ...
    def first(self, name: str, default: Optional[str] = None) -> Optional[str]:
        """Return the value of the first header of that name, or ``default``, trimmed and folded as in the dict view.

        The dict view has the last value of a repeated header. Prefer the first one if somebody else may have put line
        ends into a value. The headers after that value may be forged; the first one is genuine.
        """
        name = ascii_lower(name)
        if name not in self or not self.has_repeats():
            return self.get(name, default)
        return next(value for header, value in self._folded() if header == name)

    @property
    def list_marker(self) -> str:
        """The value of ``EventList`` in lower case: ``start``, ``complete`` or ``cancelled``. ``""`` if there is none.

        It counts only where servers put it: after ``Response`` or ``Event`` and the ActionID. Further down it is text
        that somebody has put into a value.
        """
        if "eventlist" not in self:
            return ""
        for name, value in self._folded() if self._head else self.items():
            if name == "eventlist":
                return ascii_lower(value)
            if name not in _BEFORE_EVENT_LIST:
                break
        return ""

    def originals(self, name: str) -> list[str]:
        """Return all values of a header in order, exactly as sent. Empty if there is none."""
        name = ascii_lower(name)
        return [value for header, value in self.headers if ascii_lower(header.strip(TRIMMED)) == name]

    @overload
    def original(self, name: str) -> Optional[str]: ...
    @overload
    def original(self, name: str, default: str) -> str: ...
    def original(self, name: str, default: Optional[str] = None) -> Optional[str]:
        """Return the value of a header exactly as sent, or ``default``. A repeated header has its last value."""
        values = self.originals(name)
        return values[-1] if values else default

    @property
    def output(self) -> list[str]:
        """The lines of a Command answer, with blanks: the ``Output`` headers, or the text of ``Response: Follows``.

        For the few actions that answer with raw text (IAXnetstats), these are the lines of that text.
        """
        return _text_lines(self._body) if self._body else self.originals("output")

    def number(self, name: str) -> Optional[int]:
        """Return the whole number in a header. None if there is none, as in the methods below."""
        return whole_number(self.get(ascii_lower(name), ""))

    def flag(self, name: str) -> Optional[bool]:
        """Return whether a header says yes (``1``, ``true``, ``on``...) or no. None for anything else."""
        return values.flag(self.get(ascii_lower(name), ""))

    def seconds(self, name: str) -> Optional[float]:
        """Return the duration in a header, in seconds. It may be sent as seconds, or as ``1:02`` or ``00:01:02``."""
        return values.seconds(self.get(ascii_lower(name), ""))

    def words(self, name: str) -> Optional[list[str]]:
        """Return the words in a header, split at commas, or at blanks if it has no comma. None without the header."""
        text = self.get(ascii_lower(name))
        return None if text is None else values.words(text)

    def time(self, name: str) -> Optional[datetime]:
        """Return the point in time in a header. None also for 0, which means never.

        The datetime is aware, unless the server sent a date without a zone (CDR, CEL). Then it is naive, in the
        server's local time.
        """
        return values.time(self.get(ascii_lower(name), ""))

    @property
    def variables(self) -> dict[str, str]:
        """The channel variables in the event: those that ``channelvars`` in manager.conf names.

        Names and values are as sent. An event may have several channels: see :meth:`variables_of`.
        """
        return self.variables_of("")

    def variables_of(self, prefix: str) -> dict[str, str]:
        """Like :attr:`variables`, for the channel whose headers begin with ``prefix``: ``Dest``, ``LocalOne``, ..."""
        wanted = ascii_lower(prefix) + "chanvariable"
        found = {}
        for header, value in self.headers:
            name = ascii_lower(header.strip(TRIMMED))
            # In OriginateResponse, the channel follows the name: ChanVariable(PJSIP/100-00000001).
            if name == wanted or name.startswith(wanted + "("):
                variable, _, content = value.strip(TRIMMED).partition("=")
                found[variable] = content
        return found

    def split_events(self, starts_one: Optional[Callable[[Packet], bool]] = None) -> list[Packet]:
        """Split a packet in which the server left out the blank lines between events (Skinny's lists on 16).

        Each ``Event`` line starts an event. With ``starts_one``, only lines for which ``starts_one(part)`` is true
        start one. ``part`` is the text from there to the next ``Event`` line.
        """
        found = re.finditer(_EVENT_LINE % self._form.eol, self._head, re.IGNORECASE)
        lines = [match.start() for match in found][1:]
        if starts_one is not None:
            parts = zip(lines, self._parts([*lines, len(self._head)]))
            lines = [begin for begin, part in parts if starts_one(part)]
        return self._parts([0, *lines, len(self._head)]) if lines else [self]

    def _parts(self, places: list[int]) -> list[Packet]:
        """Return the packets between each place and the next."""
        form = self._form
        pieces = [self._head[begin:end].rstrip(b"\r\n") for begin, end in zip(places, places[1:])]
        return [Packet.parse(piece, fold_case=form.fold_case, eol=form.eol) for piece in pieces]

    def json(self) -> JSONValue:
        """Parse the answer to GetConfigJSON. Objects become lists of ``(key, value)`` pairs, because keys repeat.

        Control characters inside strings are accepted, because Asterisk does not escape them. Raises ValueError if the
        packet has no ``JSON`` header, or if it cannot be parsed or is nested too deeply.
        """
        import json  # few programs need it

        text = self.original("json")
        if text is None:
            raise ValueError("the packet has no JSON header")
        try:
            parsed: JSONValue = json.loads(text, strict=False, object_pairs_hook=list)
        except RecursionError:
            raise ValueError("the JSON is nested too deeply") from None
        return parsed


class PacketReader(Cutter):
    """Makes packets from the server's bytes. :meth:`feed` it, then call :meth:`next_packet` until it returns None.

    The first line is the banner. Lines end with CRLF; a bare LF belongs to the value, because values may contain one.
    If the banner ends with a bare LF, all lines end with LF.
    """

    def __init__(
        self, *, fold_case: bool = True, max_packet: int = DEFAULT_MAX_PACKET, max_lines: int = DEFAULT_MAX_LINES
    ) -> None:
        super().__init__(max_packet)
        self.read_line = MEMOS[fold_case].__getitem__
        self.form: Optional[_Form] = None  # form of the packets; None for the usual one
        self._fold_case = fold_case
        self._max_lines = max_lines
        self._surely_small = min(max_packet, max_lines)  # a line has more than one byte

    def _read_banner(self) -> bool:
        if not super()._read_banner():
            return False
        form = _Form(self.eol, self._fold_case)
        self.form = None if form == _Form() else form
        return True

    def next_packet(self) -> Optional[Packet]:
        """Return the next complete packet, or None.

        Raises ProtocolError for a packet of more than ``max_lines`` header lines or ``max_packet`` bytes. The second
        error comes as soon as that many bytes have arrived without an end.
        """
        while self.pieces or self.more():
            packet = self.read(self.pieces.pop())
            if packet is not None:
                return packet
        return None

    def read(self, raw: bytes) -> Optional[Packet]:
        """Read the packet in a piece of any size and form. Return None if there is none.

        The rest of the piece is read next. Raises the same errors as :meth:`next_packet`.
        """
        raw = raw.lstrip(b"\r\n")
        if not raw:
            return None
        if self.lenient:
            raw = self.split(raw)
        self._check_size(len(raw))
        if self.is_old_answer(raw):
            return self._old_command_answer(raw)
        raw = self._split_off_junk(raw)
        self._check_lines(raw)
        return Packet.parse(raw, fold_case=self._fold_case, eol=self.eol)

    def _split_off_junk(self, raw: bytes) -> bytes:
        # Raw text, or the rest of a truncated packet. The next packet starts at the first line that looks like one.
        junk = _junk_length(raw, self.eol)
        if not junk:
            return raw
        self.put_back(raw[junk:])
        return raw[:junk].rstrip(b"\r\n")

    def _check_lines(self, head: bytes) -> None:
        if head.count(self.eol) >= self._max_lines:
            raise ProtocolError(f"a packet has more than {self._max_lines} lines (max_lines)", limit="max_lines")

    def _old_command_answer(self, raw: bytes) -> Packet:
        # Up to Asterisk 13: headers, then raw text up to a marker. The text may contain blank lines.
        body = _end_of_old_headers(raw, self.eol)
        head = raw[:body].rstrip(b"\r\n")
        self._check_lines(head)
        packet = Packet.parse(head, fold_case=self._fold_case, eol=self.eol, body=raw[body:])
        packet.raw = raw
        return packet


# Values of Response for a failed action. jabber_send in res_jabber.c (removed in 12) says Failure.
FAILURES = ("error", "failure", "failed", "fail")


def lowered(packet: Packet, name: str, default: str = "") -> str:
    """Return the value of the first header of that name in lower case, or ``default``."""
    return ascii_lower(packet.first(name, default))


def first_number(packet: Packet, name: str) -> Optional[int]:
    """Return the first header of that name as a whole number. None if it is missing or not a number."""
    return whole_number(packet.first(name, ""))


def first_is(packet: Packet, name: str, value: str) -> bool:
    """Return whether the first header of that name has this value. Case is ignored. ``value`` is in lower case."""
    return lowered(packet, name) == value


def mark_error(packet: Packet) -> bool:
    """Return whether the packet is a Response to a failed action. If so, set its ``error``."""
    if packet.kind is not Kind.RESPONSE or lowered(packet, "response") not in FAILURES:
        return False
    if packet.error is None:
        packet.error = ActionFailed(server_reason(packet))
    return True


def server_reason(packet: Packet) -> str:
    """Return the server's explanation of an error: the output of a failed Command, else the message."""
    output = (line.strip(TRIMMED) for line in packet.output)
    message = "".join(packet.originals("message")[:1]).strip(TRIMMED)
    return printable(next(filter(None, output), message) or "the server gave no reason")


def _kind(raw: bytes, position: int = 0) -> Kind:
    match = re.compile(_FIRST_HEADER).match(raw, position)
    if match is None:
        return Kind.TEXT
    return Kind.EVENT if match.group(1).lower() == b"event" else Kind.RESPONSE


def _junk_length(raw: bytes, eol: bytes) -> int:
    """Return the number of bytes before the first line that starts a packet."""
    position = 0
    while _kind(raw, position) is Kind.TEXT:
        end = raw.find(eol, position)
        if end < 0:
            return len(raw)
        position = end + len(eol)
    return position


def _end_of_old_headers(raw: bytes, eol: bytes) -> int:
    position = 0
    while not position or raw[position : position + 10].lower().startswith((b"privilege:", b"actionid:")):
        end = raw.find(eol, position)
        if end < 0:
            return len(raw)
        position = end + len(eol)
    return position


def _text_lines(text: bytes) -> list[str]:
    lines = text.decode(ENCODING, ENCODING_ERRORS).replace("\r\n", "\n").split("\n")
    return lines if lines[-1] else lines[:-1]
