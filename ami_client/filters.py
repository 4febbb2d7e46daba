"""Event selection: globs for names and header values, and filters that the server can apply."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Callable, Union

from ._engine.encode import encode_headers
from ._engine.text import TRIMMED, ascii_lower
from ._record import Record, fields
from .packet import Packet

#: Selects events for a handler: a mapping of header to glob, or to several globs of which one must match; or a
#: predicate, ``predicate(packet)``.
Where = Union[Mapping[str, Union[str, Sequence[str]]], Callable[[Packet], object]]

Condition = Callable[[Packet], object]

#: The event that ends an Originate's ``on_result``.
RESULT = "OriginateResponse"

#: Prefix of the handlers' names for one kind of UserEvent: ``event_userevent:<name>``.
USER_EVENT = "event_userevent:"


def is_glob(text: str) -> bool:
    """Return whether ``text`` has any of a glob's special characters."""
    return any(char in text for char in "*?[")


def compile_glob(glob: str) -> re.Pattern[str]:
    """Compile a shell pattern with ``*``, ``?`` and ``[...]``. Case is ignored. A slash is an ordinary character."""
    return re.compile(fnmatch.translate(glob), re.IGNORECASE)


def condition(where: Where) -> Condition:
    """Compile ``where``. Raises TypeError if it is neither a mapping of globs nor callable.

    All headers of a mapping must match. If a header is repeated, one of its values must match. A missing header matches
    nothing, not even ``*``.
    """
    if callable(where):
        return where
    if not isinstance(where, Mapping):
        raise TypeError(f"where must be a mapping of header to glob, or a predicate, not {type(where).__name__}")
    wanted = [(ascii_lower(_name(header)), _globs(header, globs)) for header, globs in where.items()]

    def holds(packet: Packet) -> bool:
        return all(
            any(glob.fullmatch(value) for value in _values(packet, header) for glob in globs)
            for header, globs in wanted
        )

    return holds


def _values(packet: Packet, header: str) -> Sequence[str]:
    """Like :meth:`Packet.getall`, but without parsing the raw lines again if the header occurs once."""
    if header not in packet:
        return ()
    return packet.getall(header) if packet.raw.lower().count(header.encode()) != 1 else (packet[header],)


def _name(header: object) -> str:
    if not isinstance(header, str):
        raise TypeError(f"a header's name must be a str, not {type(header).__name__}")
    return header


def _globs(header: str, globs: object) -> list[re.Pattern[str]]:
    several = [globs] if isinstance(globs, str) else globs
    if not isinstance(several, Iterable) or isinstance(several, bytes):
        raise TypeError(f"where[{header!r}] must be a glob or a sequence of globs, not {type(globs).__name__}")
    compiled = []
    for glob in several:
        if not isinstance(glob, str):
            raise TypeError(f"where[{header!r}] must be a glob or a sequence of globs; {glob!r} is not a str")
        compiled.append(compile_glob(glob))
    return compiled


MATCHES: Mapping[str, Callable[[str, str], bool]] = {
    "exact": str.__eq__,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "contains": str.__contains__,
}
_NAME = r"[A-Za-z0-9_.-]+"


class Filter(Record):
    """An event filter for the option ``filters``.

    If a pool has ``include`` filters, only events that match one of them arrive. Events that match an ``exclude``
    filter never arrive. Names and values are case-sensitive, as in Asterisk. Answers, and events that are part of an
    answer, always arrive.

    Attributes:
        event: the event's name, as Asterisk writes it (``Hangup``). ``""`` means any event.
        header: the name of a header, as Asterisk writes it (``Channel``). ``""`` to check only the event's name.
        match: how the header's value is compared: ``exact``, ``starts_with``, ``ends_with`` or ``contains``.
        value: the text to compare with. If the header is repeated, one of its values must match.
        action: ``include`` or ``exclude``.

    Raises ValueError or TypeError for an invalid filter.
    """

    event: str = ""
    header: str = ""
    match: str = "exact"
    value: str = ""
    action: str = "include"

    def __post_init__(self) -> None:
        for one in fields(self):
            if not isinstance(getattr(self, one.name), str):
                raise TypeError(f"a Filter's {one.name} must be a str, not {type(getattr(self, one.name)).__name__}")
        if self.match not in MATCHES:
            raise ValueError(f"a Filter's match must be one of {', '.join(MATCHES)}, not {self.match!r}")
        if self.action not in ("include", "exclude"):
            raise ValueError(f"a Filter's action must be include or exclude, not {self.action!r}")
        for name in ("event", "header"):
            text = getattr(self, name)
            if text and not re.fullmatch(_NAME, text):
                raise ValueError(f"a Filter's {name} must be a name of letters, digits, _, . and -, not {text!r}")
        if not self.event and not self.header:
            raise ValueError("a Filter needs an event, a header or both")
        if bool(self.header) is not bool(self.value):
            raise ValueError("a Filter needs both header and value, or neither")
        encode_headers([("Filter", self.value)])  # raises for text that the server would cut off
        if self.value != self.value.strip(TRIMMED):
            raise ValueError(
                f"a Filter's value cannot begin or end with a blank, which the server drops: {self.value!r}"
            )

    def matches(self, packet: Packet) -> bool:
        """Whether the event matches, without regard to ``action``."""
        if self.event and (ascii_lower(self.event) != packet.event_name or packet.original("Event") != self.event):
            return False
        if not self.header:
            return True
        compare = MATCHES[self.match]
        return any(compare(value, self.value) for header, value in packet.headers if header == self.header)

    @property
    def criteria(self) -> str:
        """The ``MatchCriteria`` header of the Filter action."""
        parts = [f"action({self.action})"]
        if self.event:
            parts.append(f"name({self.event})")
        if self.header:
            parts.append(f"header({self.header})")
        return ",".join([*parts, f"method({self.match if self.header else 'none'})"])


def passes(filters: Sequence[Filter], packet: Packet) -> bool:
    """Return whether an event passes all filters together."""
    included = [one for one in filters if one.action == "include"]
    if included and not any(one.matches(packet) for one in included):
        return False
    return not any(one.matches(packet) for one in filters if one.action == "exclude")
