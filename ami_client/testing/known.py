"""Events of the catalogue in the form that a server sends, and a warning for headers that no server sends."""

from __future__ import annotations

import difflib
import sys
import warnings

from ..catalogue.facts import EVENTS, Message
from ..packet import Packet

# Entries of lists are documented as events of this class, but they are sent without a Privilege.
_OF_LISTS = ("command",)


def as_sent(event: Packet) -> list[tuple[str, object]]:
    """Return the headers of an event, including its Privilege if the catalogue knows it.

    Warns about each header that no Asterisk sends with it, as far as the catalogue knows.
    """
    headers: list[tuple[str, object]] = [*event.headers]
    message = EVENTS.find(event.event_name)
    if message is None:
        return headers
    for name, _ in headers:
        if not message.knows(name):
            _warn(message, name)
    if message.privilege and message.privilege != _OF_LISTS and "privilege" not in event:
        headers.insert(1, ("Privilege", ",".join([*message.privilege, "all"])))
    return headers


def _warn(message: Message, name: str) -> None:
    known = {one.name.lower(): one.name for one in message.headers}
    near = [known[one] for one in difflib.get_close_matches(name.lower(), known, 1)]
    hint = f"; did you mean {near[0]!r}?" if near else ""
    warnings.warn(f"no Asterisk sends the header {name!r} with {message.name}{hint}", stacklevel=_users_level())


def _users_level() -> int:
    """Return the stack level of the test's own line, for :func:`warnings.warn` in the function that calls this."""
    level = 1
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith("ami_client."):
        frame = frame.f_back
        level += 1
    return level
