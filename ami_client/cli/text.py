"""Packets and values as text: for people, and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Union

from .._engine.text import TRIMMED, ascii_lower
from ..packet import Packet

Value = Union[str, int, float, bool, None, Sequence[str]]

_PLAIN = re.compile(r"[^\s\"'=]+")
# What drives a terminal or turns its text around: C0 without the tab, DEL, C1, as bytes that are no UTF-8 too (some
# terminals have eight bits), and what some take for the end of a line.
_CONTROLS = re.compile("[\0-\x08\n-\x1f\x7f-\x9f\udc80-\udc9f\u2028-\u202e\u2066-\u2069\u061c\u200e\u200f]")
_to_json = json.JSONEncoder(ensure_ascii=False).encode


def clean(value: str) -> str:
    """A value fit for a terminal and for one line: control characters, which could drive it, are escaped."""
    if value.isprintable():
        return value
    return "".join(one if one.isprintable() else _escape(one) for one in value)


def clean_line(line: str) -> str:
    """A line of text for a pipe, which may lead to a terminal: controls are escaped, all else stays as it came.

    So stay tabs, and bytes that are not UTF-8 but may be letters of another encoding. A line's own end, CR, is dropped.
    """
    return _CONTROLS.sub(lambda found: _escape(found[0]), line.rstrip("\r"))


def quote(value: str) -> str:
    """A value that ends where it seems to end: in quotes if it holds blanks, quotes or nothing."""
    return value if _PLAIN.fullmatch(value) and value.isprintable() else json_text(value)


def json_text(value: object) -> str:
    """JSON in one line. Bytes that were no UTF-8 are lone surrogates, as escapes; so is what no terminal should see."""
    text = _to_json(value)
    return text if text.isprintable() else "".join(one if one.isprintable() else _json_escape(one) for one in text)


def headers_of(packet: Packet) -> list[tuple[str, str]]:
    """All headers as sent, names and values trimmed; the ActionID, which is ours, is left out."""
    pairs = [(name.strip(TRIMMED), value.strip(TRIMMED)) for name, value in packet.headers]
    # The length goes first: it spares most names the folding, which is half of this function's time otherwise.
    return [pair for pair in pairs if len(pair[0]) != len("ActionID") or ascii_lower(pair[0]) != "actionid"]


def object_of(headers: Sequence[tuple[str, str]]) -> dict[str, Value]:
    """Headers as an object; those that repeat are lists."""
    made: dict[str, Value] = dict(headers)
    if len(made) == len(headers):
        return made
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value)
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


def with_own(own: dict[str, Value], theirs: dict[str, Value]) -> dict[str, Value]:
    """What we say of a packet, then its headers. One that the server named as we name ours is left out.

    Whoever reads our key can rely on it: a server, or a caller who forges a header, does not replace it.
    """
    return {**own, **theirs, **own}


def packet_object(packet: Packet) -> dict[str, Value]:
    """A packet as an object for JSON. What a Command printed is always a list, ``Output``."""
    made = object_of(headers_of(packet))
    output = packet.output
    if output:
        made["Output"] = output
    return made


def duration(seconds: float) -> str:
    """``1:02:03``, ``2:03``, ``0:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def plural(count: int, what: str) -> str:
    """``1 channel``, ``2 channels``."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def _escape(one: str) -> str:
    return repr(one)[1:-1]


def _json_escape(one: str) -> str:
    return json.dumps(one)[1:-1]
