"""Events at given times: :class:`Timeline`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Callable, Union

from ..packet import Packet
from .known import as_sent
from .script import Headers, encode_event

if TYPE_CHECKING:
    from ..loop import Handle, Loop

#: An event, or a function to call.
Happening = Union[bytes, str, Headers, Callable[[], object]]
#: Pairs of seconds since the start and an event or function. An event of the catalogue without a time comes at once.
Sequel = Iterable[Union[tuple[float, Happening], Packet]]


class Timeline:
    """Passes events to ``push(event)``, and calls functions, each at its time."""

    def __init__(self, loop: Loop, push: Callable[[Union[bytes, str, Headers]], object]) -> None:
        self._loop = loop
        self._push = push
        self._timers: dict[int, Handle] = {}  # timers of future events
        self._numbers = itertools.count()
        self._is_calling = False

    def play(self, sequel: Sequel) -> None:
        """Start a sequel now. Raises TypeError for an invalid sequel, before the first event."""
        for seconds, happening in check_sequel(sequel):
            number = next(self._numbers)
            self._timers[number] = self._loop.call_later(seconds, self._happen, number, happening)

    def cancel(self) -> None:
        """Cancel all future events. No effect while a function of a sequel runs."""
        if not self._is_calling:
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()

    def _happen(self, number: int, happening: Happening) -> None:
        self._timers.pop(number, None)
        if not callable(happening):
            self._push(happening)
            return
        self._is_calling = True
        try:
            happening()
        finally:
            self._is_calling = False


def check_sequel(sequel: Sequel) -> list[tuple[float, Happening]]:
    """Return a sequel as a list. Raises TypeError for an invalid one."""
    steps: list[tuple[float, Happening]] = []
    for given in sequel:
        step = (0.0, given) if isinstance(given, Packet) else given
        if not (isinstance(step, (tuple, list)) and len(step) == 2 and isinstance(step[0], (int, float))):
            raise TypeError(f"play() needs pairs of seconds and an event, or seconds and a function, not {step!r}")
        happening = as_sent(step[1]) if isinstance(step[1], Packet) else step[1]
        if not callable(happening):
            encode_event(happening)
        steps.append((step[0], happening))
    return steps
