"""Converts arguments of commands, before they are quoted."""

from __future__ import annotations

from typing import Optional

from .protocol import Argument


def milliseconds(seconds: Optional[float]) -> Optional[int]:
    """Convert a time in seconds to the server's milliseconds. None stays None."""
    if seconds is None:
        return None
    if not seconds >= 0:
        raise ValueError(f"a timeout must be a number of seconds, at least 0, not {seconds!r}; None means no limit")
    return round(seconds * 1000)


def limit(seconds: Optional[float], unlimited: int) -> int:
    """Like :func:`milliseconds`, but None becomes the server's number for no limit."""
    found = milliseconds(seconds)
    return unlimited if found is None else found


def on_off(enabled: bool) -> str:
    """Return the word of commands that turn something on or off."""
    return "on" if enabled else "off"


def flag(enabled: bool, word: str) -> Optional[str]:
    """Return a word, or None to leave it out."""
    return word if enabled else None


def silence_of(seconds: Optional[int]) -> Optional[str]:
    """Return RECORD FILE's limit of silence."""
    return None if seconds is None else f"s={seconds}"


def trailing(*given: tuple[Optional[Argument], Optional[Argument]]) -> list[Argument]:
    """Return optional arguments, given as (value, placeholder).

    If a value is missing and others follow, its placeholder is sent, or nothing if there is none.
    """
    last = max((number for number, (value, _) in enumerate(given, 1) if value is not None), default=0)
    sent = (stand_in if value is None else value for value, stand_in in given[:last])
    return [one for one in sent if one is not None]
