"""Text rules for both directions: encoding, trimming, lower case, numbers, escapes. No I/O here.

Sources: Asterisk main/utils.c; phpDaemon Clients/Asterisk/Connection.php (implodeParams).
"""

from __future__ import annotations

from typing import Optional

# Asterisk neither converts nor checks what it sends, so bytes that are not UTF-8 must survive in both directions.
ENCODING, ENCODING_ERRORS = "utf-8", "surrogateescape"

# The characters of PHP's trim(). Unlike Python's strip(), it keeps form feeds and Unicode blanks.
TRIMMED = " \t\n\r\0\x0b"

#: Maximum number of digits in a number from a peer. Asterisk sends no longer ones, and they would not fit in 64 bits.
MAX_DIGITS = 18


def ascii_lower(text: str) -> str:
    """Lower-case only ASCII letters, as PHP 8's strtolower does."""
    if text.isascii():
        return text.lower()
    return text.encode(ENCODING, ENCODING_ERRORS).lower().decode(ENCODING, ENCODING_ERRORS)


def printable(text: str, limit: int = 500) -> str:
    """Make a peer's text safe for a log. Escape control characters (a line feed forges a line), and truncate it."""
    shown = text[:limit] + "..." if len(text) > limit else text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in shown)


def whole_number(text: str) -> Optional[int]:
    """Parse a whole number from a peer. Return None for any other text. Never raises.

    A number is ASCII digits with an optional minus sign. More than :data:`MAX_DIGITS` digits are rejected, because
    Python refuses to parse thousands of them, or is slow. So are digits of other scripts, which ``str.isdigit`` and
    ``int`` accept.
    """
    digits = text.removeprefix("-")
    return int(text) if digits.isdigit() and digits.isascii() and len(digits) <= MAX_DIGITS else None


def unescape(value: str) -> str:
    r"""Undo Asterisk's C-style escapes: ``O\'Brien\?`` becomes ``O'Brien?``.

    Asterisk escapes some fields and not others. It escapes VarSet's Value, CallerIDName, ConnectedLineName and
    ChanVariable of channel events, and presence texts. The same data is not escaped in Getvar, Status, CEL, Cdr and
    UserEvent. So the library never calls this on its own. Source: Asterisk main/utils.c, ast_escape_c.
    """
    escapes = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
    parts = iter(value.split("\\"))
    out = [next(parts)]
    for part in parts:
        if not part:  # an escaped backslash; the text after it is plain
            out.append("\\" + next(parts, ""))
        else:
            out.append(escapes.get(part[0], part[0]) + part[1:])
    return "".join(out)
