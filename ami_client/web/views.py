"""What the page is told of each record, as plain data. No I/O here.

Nothing but what the page shows: no channel's variables, no addresses, nobody who logs in. Texts are cut, and shown as
texts.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Optional

from ..model import Call, Endpoint, Member, Party, Queue, Server
from .hour import Counts

LONGEST = 120  # characters of a name
MOST_MEMBERS = 60  # of a queue, by name
MOST_PARTIES = 5  # of a call

# What a member's device does, in the words of the page.
AGENT_STATES = {
    "not_inuse": "free",
    "ringing": "ringing",
    "ringinuse": "ringing",
    "inuse": "busy",
    "busy": "busy",
    "onhold": "busy",
}


def text(value: str) -> str:
    """A name, cut to what a page has room for, without what is no letter: it could turn around the text behind it."""
    if len(value) > LONGEST:
        value = value[: LONGEST - 1] + "…"
    return value if value.isprintable() else "".join(one if one.isprintable() else "\ufffd" for one in value)


def server_name(name: str) -> str:
    """A server's name without scheme and user: ``tcp://admin@pbx:5038`` is ``pbx:5038``."""
    return text(name.rpartition("@")[2].rpartition("://")[2])


def server(one: Server) -> dict[str, Any]:
    return {"name": server_name(one.name), "state": one.state, "since": one.since, "missing": list(one.missing)}


def party(one: Optional[Party]) -> list[str]:
    """Name and number; where there is no number the device, and nothing of nobody."""
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
