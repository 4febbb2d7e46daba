"""Formats packets and values: for people, and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Union

from .._engine.text import TRIMMED, ascii_lower
from ..packet import Packet

Value = Union[str, int, float, bool, None, Sequence[str]]

_PLAIN = re.compile(r"[^\s\"'=]+")
# Characters that control a terminal, reverse its text or end a line: C0 except the tab, DEL, and C1, also as bytes
# that are not UTF-8, because some terminals use eight bits.
_CONTROLS = re.compile("[\0-\x08\n-\x1f\x7f-\x9f\udc80-\udc9f\u2028-\u202e\u2066-\u2069\u061c\u200e\u200f]")
_to_json = json.JSONEncoder(ensure_ascii=False).encode


def clean(value: str) -> str:
    """Make a value safe for one line of a terminal: escape control characters."""
    if value.isprintable():
        return value
    return "".join(one if one.isprintable() else _escape(one) for one in value)


def clean_line(line: str) -> str:
    """Make a line safe for a pipe, which may lead to a terminal: escape control characters, keep everything else.

    Tabs stay, and so do bytes that may be letters of another encoding. The CR at the end of the line is dropped.
    """
    return _CONTROLS.sub(lambda found: _escape(found[0]), line.rstrip("\r"))


def quote(value: str) -> str:
    """Quote a value that contains blanks or quotes, or is empty."""
    return value if _PLAIN.fullmatch(value) and value.isprintable() else json_text(value)


def json_text(value: object) -> str:
    """Format as one line of JSON. Lone surrogates (bytes that were not UTF-8) and terminal controls are escaped."""
    text = _to_json(value)
    return text if text.isprintable() else "".join(one if one.isprintable() else _json_escape(one) for one in text)


def headers_of(packet: Packet) -> list[tuple[str, str]]:
    """All headers as sent, names and values trimmed, without our ActionID."""
    pairs = [(name.strip(TRIMMED), value.strip(TRIMMED)) for name, value in packet.headers]
    # The length is checked first, to fold few names: folding would take half of the time.
    return [pair for pair in pairs if len(pair[0]) != len("ActionID") or ascii_lower(pair[0]) != "actionid"]


def object_of(headers: Sequence[tuple[str, str]]) -> dict[str, Value]:
    """Headers as an object. A repeated header becomes a list."""
    made: dict[str, Value] = dict(headers)
    if len(made) == len(headers):
        return made
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value)
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


def with_own(own: dict[str, Value], theirs: dict[str, Value]) -> dict[str, Value]:
    """Our own keys, then the headers of the packet. A header with the name of an own key is left out.

    So readers can rely on our keys: neither a server nor a caller who forges a header can replace them.
    """
    return {**own, **theirs, **own}


def packet_object(packet: Packet) -> dict[str, Value]:
    """A packet as an object for JSON. ``Output`` of a Command is always a list."""
    made = object_of(headers_of(packet))
    output = packet.output
    if output:
        made["Output"] = output
    return made


def duration(seconds: float) -> str:
    """Format seconds as ``1:02:03``, ``2:03`` or ``0:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def plural(count: int, what: str) -> str:
    """Format a number with a noun: ``1 channel``, ``2 channels``."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def _escape(one: str) -> str:
    return repr(one)[1:-1]


def _json_escape(one: str) -> str:
    return json.dumps(one)[1:-1]
