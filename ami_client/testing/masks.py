"""Event classes, and the masks that select them."""

from __future__ import annotations

from .._engine.text import whole_number

#: Asterisk's event classes and their bits (manager.h), without ``all``.
CLASSES = {
    "system": 1 << 0,
    "call": 1 << 1,
    "log": 1 << 2,
    "verbose": 1 << 3,
    "command": 1 << 4,
    "agent": 1 << 5,
    "user": 1 << 6,
    "config": 1 << 7,
    "dtmf": 1 << 8,
    "reporting": 1 << 9,
    "cdr": 1 << 10,
    "dialplan": 1 << 11,
    "originate": 1 << 12,
    "agi": 1 << 13,
    "hookresponse": 1 << 14,
    "cc": 1 << 15,
    "aoc": 1 << 16,
    "test": 1 << 17,
    "security": 1 << 18,
    "message": 1 << 30,
}
ALL = sum(CLASSES.values())
OFF = 0

# The words that Asterisk's ast_true and ast_false accept in addition to numbers.
_TRUE = frozenset({"yes", "true", "y", "t", "on"})
_FALSE = frozenset({"no", "false", "n", "f", "off"})


def parse_mask(text: str) -> int:
    """Parse a mask. Unknown words are ignored.

    Source: Asterisk manager.c, strings_to_mask.
    """
    number = whole_number(text)
    if number is not None and number >= 0:
        return number & ALL
    if text.lower() in _FALSE:
        return OFF
    if text.lower() in _TRUE:
        return ALL
    names = text.split(",")  # blanks count
    if "all" in names:
        return ALL
    return sum(bit for name, bit in CLASSES.items() if name in names)


def passes(privilege: str, mask: int) -> bool:
    """Return whether ``mask`` has all classes of an event's ``privilege`` (``call,all``)."""
    names = {name.strip().lower() for name in privilege.split(",")} - {"all", ""}
    wanted = sum(CLASSES.get(name, 0) for name in names)
    return mask != OFF and mask & wanted == wanted
