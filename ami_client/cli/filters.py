"""Filters of events: globs for names and headers, compared without case."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .._engine.text import ascii_lower
from ..packet import Packet

_CONDITION = re.compile(r"\s*([^\s=!][^=!]*?)\s*(!?=)(.*)", re.DOTALL)


class Condition(NamedTuple):
    """``header=glob`` or ``header!=glob``."""

    header: str
    negated: bool
    pattern: re.Pattern[str]

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Parse a condition. Raises ValueError for any other text."""
        match = _CONDITION.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not HEADER=GLOB or HEADER!=GLOB")
        header, sign, glob = match.groups()
        return cls(ascii_lower(header), sign == "!=", compile_glob(glob.strip()))

    def holds(self, packet: Packet) -> bool:
        """Whether the condition holds. Any value of a repeated header may match; a missing header matches nothing."""
        return any(self.pattern.fullmatch(value) for value in packet.getall(self.header)) is not self.negated


class Wanted:
    """Selects events by name (all if ``names`` is empty) and by conditions.

    Of several conditions on one header, one has to hold. All negated conditions have to hold.
    """

    def __init__(self, names: Iterable[str] = (), conditions: Iterable[Condition] = ()) -> None:
        self._names = [ascii_lower(name) for name in names]
        self._patterns = [compile_glob(name) for name in self._names]
        self._groups: dict[object, list[Condition]] = {}
        for one in conditions:
            self._groups.setdefault(one if one.negated else one.header, []).append(one)

    @property
    def bound_names(self) -> Sequence[str]:
        """The event names to bind. The library does not even parse unbound events."""
        if not self._names or any(set(name) & set("*?[") for name in self._names):
            return ["event"]
        return sorted({f"event_{name}" for name in self._names})

    def matches(self, packet: Packet) -> bool:
        """Whether the event is wanted."""
        if self._patterns and not any(pattern.fullmatch(packet.event_name) for pattern in self._patterns):
            return False
        return all(any(one.holds(packet) for one in group) for group in self._groups.values())


def compile_glob(glob: str) -> re.Pattern[str]:
    """Compile a glob: ``*``, ``?`` and ``[...]`` as in a shell, without case. A slash is an ordinary character."""
    return re.compile(fnmatch.translate(glob), re.IGNORECASE)
