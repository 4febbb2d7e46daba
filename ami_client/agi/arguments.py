"""What a command's arguments become before they are quoted."""

from __future__ import annotations

from typing import Optional

from .protocol import Argument


def milliseconds(seconds: Optional[float]) -> Optional[int]:
    """A time in seconds as the server wants it; None stays None."""
    if seconds is None:
        return None
    if not seconds >= 0:
        raise ValueError(f"a timeout is a number of seconds from 0, not {seconds!r}; None means no limit")
    return round(seconds * 1000)


def limit(seconds: Optional[float], unlimited: int) -> int:
    """As :func:`milliseconds`, with the server's number for no limit in place of None."""
    found = milliseconds(seconds)
    return unlimited if found is None else found


def on_off(enabled: bool) -> str:
    """The words of commands that turn something on and off."""
    return "on" if enabled else "off"


def flag(enabled: bool, word: str) -> Optional[str]:
    """A word that is either there or not."""
    return word if enabled else None


def silence_of(seconds: Optional[int]) -> Optional[str]:
    """RECORD FILE's limit of silence."""
    return None if seconds is None else f"s={seconds}"


def trailing(*given: tuple[Optional[Argument], Optional[Argument]]) -> list[Argument]:
    """Optional arguments, as (value, stand-in). A stand-in is sent for one that is missing before one that is not.

    Without a stand-in nothing is sent for it.
    """
    last = max((number for number, (value, _) in enumerate(given, 1) if value is not None), default=0)
    sent = (stand_in if value is None else value for value, stand_in in given[:last])
    return [one for one in sent if one is not None]
