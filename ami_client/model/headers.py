"""Reads headers of events, whatever the pool's ``fold_case`` and Asterisk's version are. No I/O here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Union

from .._engine.packet import Packet, unescape

#: An event in any form: a packet, a mapping of headers, or pairs.
Event = Union[Packet, Mapping[str, str], Iterable[tuple[str, str]]]

# What servers send for a missing value.
_NOTHING = {"<unknown>", "unknown", "<none>", "none", "(null)", "-none-", "n/a"}

# Channels without a person behind them: both halves of Local, and channels that Asterisk creates for its own use.
_INTERNAL = (
    "local/",
    "cbann/",  # a conference's announcer and recorder
    "cbrec/",
    "announcer/",
    "recorder/",
    "bridge/",
    "surrogate/",
    "asyncgoto/",
    "parked/",
    "message/",
    "snoop/",
    "unicastrtp/",
    "multicastrtp/",
    "audiosocket/",
    "originate/",
    "oldchan/",
)

# Asterisk's device states, in its own words (devicestate.h), by number, and in the words of the CLI and of lists.
DEVICE_STATES = (
    "unknown",
    "not_inuse",
    "inuse",
    "busy",
    "invalid",
    "unavailable",
    "ringing",
    "ringinuse",
    "onhold",
)
_OTHER_WORDS = {"not_in_use": "not_inuse", "in_use": "inuse", "ring+inuse": "ringinuse", "on_hold": "onhold"}
_DEVICE_STATES = {
    **{str(number): word for number, word in enumerate(DEVICE_STATES)},
    **{word: word for word in DEVICE_STATES},
    **_OTHER_WORDS,
    "ring,_in_use": "ringinuse",
    "in_use,_ringing": "ringinuse",
}

# ChannelState, by its number (channelstate.h).
_CHANNEL_STATES = {
    "0": "down",
    "1": "rsrvd",
    "2": "offhook",
    "3": "dialing",
    "4": "ring",
    "5": "ringing",
    "6": "up",
    "7": "busy",
    "8": "dialing offhook",
    "9": "pre-ring",
    "10": "mute",
}


def as_packet(event: Event) -> Packet:
    """Return an event as a packet: header names in lower case."""
    if isinstance(event, Packet):
        return event
    pairs = event.items() if isinstance(event, Mapping) else event
    return Packet((str(name).lower(), str(value)) for name, value in pairs)


def as_sent(packet: Packet) -> dict[str, str]:
    """Return the headers with their values as the server sent them. The first of a repeated header counts."""
    sent: dict[str, str] = {}
    for name, value in packet.headers:
        sent.setdefault(name.strip().lower(), value.strip())
    return sent


def told(value: str) -> str:
    """Return a value, or ``""`` if it is a placeholder for a missing one."""
    return "" if value.lower() in _NOTHING else value


def person(value: str) -> str:
    """Return the name in a channel's event, which Asterisk escapes."""
    name = told(value)
    return unescape(name) if "\\" in name else name


def number(value: str, default: int = 0) -> int:
    """Return a whole number, or the default for anything else."""
    try:
        return int(value) if len(value) <= 18 and value.isascii() else default
    except ValueError:
        return default


def decimal(value: str) -> float:
    """Return a number such as ``33.3``, or 0 for anything else."""
    whole, _, part = value[:40].partition(".")
    return number(whole) + (number(part) / 10 ** len(part) if part else 0.0)


def truth(value: str) -> bool:
    """Return whether a value says yes."""
    return value.lower() in ("1", "yes", "true", "on")


def seconds(duration: str) -> int:
    """Convert ``HH:MM:SS`` to seconds. 0 for anything else."""
    total = 0
    for part in duration.split(":", 3):
        total = total * 60 + max(number(part), 0)
    return total


def channel_state(value: str) -> str:
    """Return the word for a ChannelState."""
    return _CHANNEL_STATES.get(value, "unknown")


def device_state(value: str) -> str:
    """Return the word for a device state, in whatever form it was sent."""
    return _DEVICE_STATES.get(value.strip().lower().replace(" ", "_"), "unknown")


def endpoint_of(channel: str) -> str:
    """Return the device of a channel: ``PJSIP/alice`` for ``PJSIP/alice-0000002a``."""
    head, dash, _ = channel.rpartition("-")
    return head if dash else channel


def is_internal(channel: str) -> bool:
    """Return whether a channel of that name has no person behind it."""
    return channel.lower().startswith(_INTERNAL)


def birth(uniqueid: str) -> tuple[int, int]:
    """Return the sort key of channels by creation. A Uniqueid that a program chose comes first, as in Asterisk."""
    second, _, serial = uniqueid.rpartition("-")[2].partition(".")
    return number(second), number(serial)
