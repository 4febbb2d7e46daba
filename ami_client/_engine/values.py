"""Parsers of header values: flags, durations, lists of words, points in time. They return None for other text.

Nothing here raises, whatever the text is. Whole numbers are in :mod:`.text`. No I/O here.

Sources: Asterisk main/utils.c (ast_true, ast_false), main/stdtime/localtime.c; recordings of 16 and 22.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Optional

from .text import MAX_DIGITS, ascii_lower

if TYPE_CHECKING:
    from datetime import datetime

FLAGS = {
    **dict.fromkeys(("yes", "true", "y", "t", "1", "on"), True),
    **dict.fromkeys(("no", "false", "n", "f", "0", "off"), False),
}

# Regular expressions, compiled on first use.
_DECIMAL = rf"[0-9]{{1,{MAX_DIGITS}}}(?:\.[0-9]{{1,{MAX_DIGITS}}})?"
_CLOCK = r"(?:([0-9]{1,6}):)?([0-9]{1,2}):([0-9]{2})"
_DATE = (
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[ t]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?"
    r"(?:(z)|([+-])([0-9]{2}):?([0-9]{2}))?"
)


def flag(text: str) -> Optional[bool]:
    """Return what Asterisk treats as true or false. Case is ignored."""
    return FLAGS.get(ascii_lower(text))


def seconds(text: str) -> Optional[float]:
    """Return a duration in seconds, from seconds (``12``, ``0.5``) or a clock time (``1:02``, ``00:01:02``)."""
    if re.fullmatch(_DECIMAL, text):
        return float(text)
    clock = re.fullmatch(_CLOCK, text)
    if clock is None:
        return None
    hours, minutes, rest = (int(part or 0) for part in clock.groups())
    return float(hours * 3600 + minutes * 60 + rest)


def words(text: str) -> list[str]:
    """Return the words between commas, or between blanks if there is no comma."""
    parts = text.split(",") if "," in text else text.split(" ")
    return [part for part in map(str.strip, parts) if part]


def time(text: str) -> Optional[datetime]:
    """Return a point in time, from seconds since 1970, or from a date and a time of day.

    It is aware if the server sends seconds since 1970 or a zone. Otherwise it is naive, in the server's local time. 0
    means never, so it gives None.
    """
    from datetime import datetime, timedelta, timezone  # a slow import that few programs need

    try:
        if re.fullmatch(_DECIMAL, text):
            since = float(text)
            return datetime.fromtimestamp(since, timezone.utc) if since else None
        date = re.fullmatch(_DATE, ascii_lower(text))
        if date is None:
            return None
        year, month, day, hour, minute, second = map(int, date.group(1, 2, 3, 4, 5, 6))
        parsed = datetime(year, month, day, hour, minute, second, int((date[7] or "").ljust(6, "0")))
        if date[8]:
            return parsed.replace(tzinfo=timezone.utc)
        if date[9]:
            offset = timedelta(hours=int(date[9] + date[10]), minutes=int(date[9] + date[11]))
            return parsed.replace(tzinfo=timezone(offset))
        return parsed
    except (ValueError, OverflowError, OSError):  # an invalid day, or out of range
        return None
