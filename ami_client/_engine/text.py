"""The rules of text that both directions share: encoding, trimming, lower case, numbers, escapes. No I/O here.

Sources: Asterisk main/utils.c; phpDaemon Clients/Asterisk/Connection.php (implodeParams).
"""

from __future__ import annotations

import re
from typing import Optional

# Asterisk neither converts nor checks what it sends, so bytes that are not UTF-8 must survive both ways.
ENCODING, ENCODING_ERRORS = "utf-8", "surrogateescape"

# PHP's trim(), which is not Python's strip(): form feed and the Unicode blanks stay.
TRIMMED = " \t\n\r\0\x0b"

#: Digits of a number from a peer, at most: what has more is none that Asterisk counts, nor does it fit 64 bits.
MAX_DIGITS = 18
_WHOLE = re.compile(rf"-?[0-9]{{1,{MAX_DIGITS}}}")


def ascii_lower(text: str) -> str:
    """Lower-case ASCII letters only, as PHP 8's strtolower."""
    if text.isascii():
        return text.lower()
    return text.encode(ENCODING, ENCODING_ERRORS).lower().decode(ENCODING, ENCODING_ERRORS)


def printable(text: str, limit: int = 500) -> str:
    """What a peer said, fit for a log: control characters escaped (a line feed would forge a line), cut if long."""
    shown = text[:limit] + "..." if len(text) > limit else text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in shown)


def whole_number(text: str) -> Optional[int]:
    """The number that a peer wrote, None for all else. Never raises.

    ASCII digits, perhaps with a minus sign. More digits than :data:`MAX_DIGITS` are no number: Python refuses to read
    thousands of them, or takes its time. Nor are digits of other scripts, which ``str.isdigit`` and ``int`` know.
    """
    return int(text) if len(text) <= MAX_DIGITS + 1 and _WHOLE.fullmatch(text) else None


def unescape(value: str) -> str:
    r"""Undo Asterisk's C-style escapes: ``O\'Brien\?`` becomes ``O'Brien?``.

    Asterisk escapes by field, not by protocol: VarSet's Value, CallerIDName, ConnectedLineName and ChanVariable of
    channel events, and presence texts are escaped; the same data is raw in Getvar, Status, CEL, Cdr and UserEvent.
    So this is never applied by itself. Source: Asterisk main/utils.c, ast_escape_c.
    """
    escapes = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
    parts = iter(value.split("\\"))
    out = [next(parts)]
    for part in parts:
        if not part:  # an escaped backslash: what follows it is plain
            out.append("\\" + next(parts, ""))
        else:
            out.append(escapes.get(part[0], part[0]) + part[1:])
    return "".join(out)
