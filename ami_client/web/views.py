"""The page's form of each record, as plain data. No I/O here.

It has only what the page shows: no channel variables, no addresses, no logins. Texts are truncated, and the page shows
them as plain text.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Optional

from ..model import Call, Endpoint, Member, Party, Queue, Server
from .hour import Counts

LONGEST = 120  # characters of a name
MOST_MEMBERS = 60  # members of a queue, by name
MOST_PARTIES = 5  # parties of a call

# The activity of a member's device, in the page's words.
AGENT_STATES = {
    "not_inuse": "free",
    "ringing": "ringing",
    "ringinuse": "ringing",
    "inuse": "busy",
    "busy": "busy",
    "onhold": "busy",
}


def text(value: str) -> str:
    """Truncate a name, and remove characters that are not printable: they could reverse the text after them."""
    if len(value) > LONGEST:
        value = value[: LONGEST - 1] + "…"
    return value if value.isprintable() else "".join(one if one.isprintable() else "\ufffd" for one in value)


def server_name(name: str) -> str:
    """Return a server's name without scheme and user: ``pbx:5038`` for ``tcp://admin@pbx:5038``."""
    return text(name.rpartition("@")[2].rpartition("://")[2])


def server(one: Server) -> dict[str, Any]:
    return {"name": server_name(one.name), "state": one.state, "since": one.since, "missing": list(one.missing)}


def party(one: Optional[Party]) -> list[str]:
    """Return name and number. Without a number, the device instead. Empty for no party."""
    if one is None:
        return ["", ""]
    return [text(one.name), text(one.number or one.endpoint)]


def call(one: Call) -> dict[str, Any]:
    others = [party(other) for other in one.parties if other != one.caller]
    return {
        "server": server_name(one.server),
        "state": one.state,
        "caller": party(one.caller),
        "with": others[:MOST_PARTIES],
        "queue": text(one.queue),
        "started": one.started,
    }


def agent_state(one: Member) -> str:
    return "paused" if one.paused else AGENT_STATES.get(one.state, "unavailable")


def queue(one: Queue, hour: Counts) -> dict[str, Any]:
    members = sorted((text(member.name or member.interface), agent_state(member)) for member in one.members)
    return {
        "server": server_name(one.server),
        "name": text(one.name),
        "waiting": len(one.callers),
        "oldest": min((caller.joined for caller in one.callers), default=None),
        "agents": dict(Counter(state for _, state in members)),
        "members": members[:MOST_MEMBERS],
        "within": one.service_level,
        "level": hour.service_level if one.service_level else None,
        "answered": hour.answered,
        "abandoned": hour.abandoned,
    }


def endpoint(one: Endpoint) -> dict[str, Any]:
    return {"server": server_name(one.server), "name": text(one.name), "state": one.state}
