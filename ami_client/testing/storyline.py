"""Analyses a recorded connection: requests with their answers, and events.

The server answers one request after the other, and nothing comes between the parts of an answer (Asterisk manager.c,
process_message). So entries without an ActionID can be assigned to their list.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Optional

from .._engine.encode import fold_name
from .._engine.text import ENCODING, ENCODING_ERRORS
from .recording import Record
from .redact import REMOVED

Pairs = list[tuple[str, str]]


@dataclass(eq=False)
class Exchange:
    """A recorded request and its answer. Names in ``headers`` are in lower case."""

    headers: Pairs
    time: float
    answer: list[Record] = field(default_factory=list)
    #: Time in seconds when the server could start to process it.
    begun: float = 0.0

    @property
    def duration(self) -> float:
        """Seconds that the server needed for the answer."""
        return max(0.0, self.answer[-1].time - self.begun) if self.answer else 0.0

    @property
    def action(self) -> str:
        """The action's name in lower case."""
        return value_of(self.headers, "action").lower()

    @property
    def action_id(self) -> str:
        """The recorded ActionID, or ``""`` if there is none."""
        return value_of(self.headers, "actionid")

    def is_answered(self, word: str) -> bool:
        """Return whether the answer is a Response with this value."""
        return any(value_of(read_pairs(one.data), "response").lower() == word for one in self.answer)

    def likeness(self, headers: Pairs) -> int:
        """Return 0 for equal headers, minus one for each difference. Secrets and ActionIDs do not count."""
        hidden = {"action", "actionid", *(name for name, value in self.headers if REMOVED in value)}
        mine, theirs = (Counter(one for one in pairs if one[0] not in hidden) for pairs in (self.headers, headers))
        return -sum(((mine - theirs) + (theirs - mine)).values())


@dataclass(eq=False)
class Happening:
    """A packet outside the answers, or the end, which is always last. ``behind`` is the number of answers before it."""

    record: Record
    behind: int

    @property
    def ends(self) -> bool:
        """Whether it is the end of the connection or of the recording."""
        return bool(self.record.end)


class Storyline:
    """The analysis of a recorded connection.

    Attributes: ``banner``, the bytes of the first line; ``exchanges``, in the order of the requests; ``answered``, in
    the order of the answers; ``happenings``; ``login_time``, the time of the answer to the login in seconds;
    ``login_answers``, the number of answers up to then.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self.banner = b""
        self.exchanges: list[Exchange] = []
        self.happenings: list[Happening] = []
        self._unanswered: list[Exchange] = []
        self.answered: list[Exchange] = []
        self._in_list = False
        self._last: Optional[Exchange] = None  # the exchange of the server's last packet
        self._free_at = 0.0  # time of the last complete answer
        time = 0.0
        for record in records:
            self._take(record)
            time = max(time, record.time)
        if not (self.happenings and self.happenings[-1].ends):
            self.happenings.append(Happening(Record(time, "client", end="closed"), len(self.answered)))
        self.login_answers, self.login_time = self._find_login()

    def _take(self, record: Record) -> None:
        if record.source == "client":
            if not record.end:
                self._take_request(record)
        elif record.end:
            self.happenings.append(Happening(record, len(self.answered)))
        elif not self.banner and not self.answered and not _kind(read_pairs(record.data)):
            self.banner = record.data
        else:
            self._take_packet(record)

    def _take_request(self, record: Record) -> None:
        exchange = Exchange(read_pairs(record.data), record.time)
        self.exchanges.append(exchange)
        self._unanswered.append(exchange)

    def _take_packet(self, record: Record) -> None:
        if record.data.strip():  # a blank line belongs to the packet before it
            self._last = self._owner_of(read_pairs(record.data))
        owner = self._last
        if owner is None:
            self.happenings.append(Happening(record, len(self.answered)))
            return
        if owner in self._unanswered:
            self._unanswered.remove(owner)
            self.answered.append(owner)
            owner.begun = max(owner.time, self._free_at)
        owner.answer.append(record)
        self._free_at = record.time

    def _owner_of(self, pairs: Pairs) -> Optional[Exchange]:
        """Return the request that a packet answers, or None for an event."""
        kind, action_id = _kind(pairs), value_of(pairs, "actionid")
        if kind == "response":
            self._in_list = value_of(pairs, "eventlist").lower() == "start"
            same = [one for one in self._unanswered if one.action_id == action_id]
            if not same and self._last is not None and self._last.action_id == action_id:
                return self._last  # its second Response
            return next(iter(same or self._unanswered), None)
        if kind == "event":
            return self._owner_of_event(pairs, action_id)
        return next(iter(self._unanswered), None)  # raw text

    def _owner_of_event(self, pairs: Pairs, action_id: str) -> Optional[Exchange]:
        last, by_itself = self._last, any(name == "privilege" for name, _ in pairs)
        if action_id:
            mine = last is not None and last.action_id == action_id and (self._in_list or not by_itself)
        else:
            mine = self._in_list and not by_itself  # entries of IAXpeers have no ActionID
        if not mine:
            self._in_list = False
            return None
        if value_of(pairs, "eventlist").lower() in ("complete", "cancelled"):
            self._in_list = False
        return last

    def _find_login(self) -> tuple[int, float]:
        for number, exchange in enumerate(self.answered, 1):
            if exchange.action == "login" and exchange.is_answered("success"):
                return number, exchange.answer[-1].time
        times = [exchange.time for exchange in self.exchanges] + [one.record.time for one in self.happenings]
        return 0, min(times, default=0.0)


def with_action_id(data: bytes, recorded: str, own: str) -> bytes:
    """Replace the recorded ActionID of a packet with the client's."""
    if recorded == own:
        return data
    if recorded:
        line = re.compile(rb"(?im)^(ActionID:[ \t]*)" + re.escape(_encoded(recorded)) + rb"(\r?\n)")
        return line.sub(lambda found: found[1] + _encoded(own) + found[2] if own else b"", data)
    if _kind(read_pairs(data)) != "response":
        return data
    first, end, rest = data.partition(b"\n")
    return first + end + b"ActionID: " + _encoded(own) + (b"\r\n" if first.endswith(b"\r") else b"\n") + rest


def read_pairs(data: bytes) -> Pairs:
    """Parse the lines of a packet that have a colon. Names are in lower case."""
    lines = data.decode(ENCODING, ENCODING_ERRORS).split("\n")
    parts = [line.partition(":") for line in lines]
    return [(fold_name(name), value.strip()) for name, colon, value in parts if colon]


def value_of(pairs: Pairs, name: str) -> str:
    """Return the first value of a header, or ``""`` if it is missing."""
    return next((value for key, value in pairs if key == name), "")


def _kind(pairs: Pairs) -> str:
    first = pairs[0][0] if pairs else ""
    return first if first in ("response", "event") else ""


def _encoded(text: str) -> bytes:
    return text.encode(ENCODING, ENCODING_ERRORS)
