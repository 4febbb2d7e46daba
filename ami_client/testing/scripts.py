"""The script of a test: answers to actions, and expected requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Callable, NamedTuple, Optional

from .matching import MAX_RECEIVED, Pattern, Received, counted, describe
from .requests import Request
from .script import BUILT_IN, Answer, Cut, Later, Script, check_answer, error, listing
from .timeline import Sequel, check_sequel

if TYPE_CHECKING:
    from ..loop import Loop

# Clients send these on their own, so they did not come instead of an expected request.
_BY_ITSELF = frozenset({"challenge", "login", "ping"})


class Expectation:
    """An expected request and its answer. ``FakeAsterisk.expect`` makes it.

    If no answer is set, the request gets its usual answer.

    Attributes: ``requests``, those that met the expectation. With ``times=None`` only the latest are kept, as in
    ``FakeAsterisk.received``.
    """

    def __init__(
        self,
        pattern: Pattern,
        times: Optional[int],
        after: Optional[Expectation],
        max_received: Optional[int] = MAX_RECEIVED,
    ) -> None:
        self.pattern = pattern
        self.requests: list[Request] = Received(max_received if times is None else None)
        self.too_early = False
        self._times = times
        self._after = after
        self._answer: Script = BUILT_IN
        self._delay = 0.0
        self._sequel: Optional[Sequel] = None

    def __repr__(self) -> str:
        return f"<Expectation {self.pattern}, met {len(self.requests)} times>"

    @property
    def met(self) -> bool:
        """Whether it was met as many times as expected."""
        return len(self.requests) >= (self._times or 1)

    @property
    def is_open(self) -> bool:
        """Whether a request may meet it now, considering number and order."""
        return (self._times is None or not self.met) and (self._after is None or self._after.met)

    @property
    def script(self) -> Scripted:
        """The answer."""
        return Scripted(self.pattern.action, self._answer, self._delay, self._sequel)

    def answer(self, answer: Script, *, delay: float = 0.0) -> Expectation:
        """Answer the request with ``answer``, of any kind that ``FakeAsterisk.on`` accepts, after ``delay`` seconds."""
        check_answer(answer)
        self._answer, self._delay = answer, delay
        return self

    def answer_list(
        self,
        entries: Sequence[Mapping[str, object]],
        complete: str,
        *,
        message: str = "List will follow",
        delay: float = 0.0,
    ) -> Expectation:
        """Answer the request with a list: a Response, ``entries``, and the event named ``complete``."""
        return self.answer(listing(message, entries, complete), delay=delay)

    def refuse(self, message: str, *, delay: float = 0.0) -> Expectation:
        """Answer the request with an error."""
        return self.answer(error(message), delay=delay)

    def ignore(self) -> Expectation:
        """Never answer the request."""
        return self.answer(None)

    def drop(self, after: Answer = None, *, reset: bool = False) -> Expectation:
        """End the connection instead of an answer, after sending ``after``."""
        return self.answer(Cut(after, reset=reset))

    def play(self, sequel: Sequel) -> Expectation:
        """Play these events after each answer, like ``FakeAsterisk.play``."""
        self._sequel = check_sequel(sequel)
        return self

    def report(self, received: Sequence[Request]) -> str:
        """Describe in one line what is missing, and what came instead."""
        line = str(self.pattern)
        if self._times not in (None, 1):
            line += f": came {len(self.requests)} of {self._times} times"
        if self._after is not None:
            line += f", after {self._after.pattern}"
        if self.too_early:
            return f"{line}: it came too early"
        others = [self.pattern.describe(one) for one in received if self.pattern.names(one)]
        return line + (f"; instead came {', '.join(others)}" if others and not self.requests else "")


class Scripted(NamedTuple):
    """An answer from a test."""

    action: str
    answer: Script
    delay: float = 0.0
    sequel: Optional[Sequel] = None


class Scripts:
    """The answers of a test by action, and its expectations. ``play(sequel)`` plays events."""

    def __init__(
        self, loop: Loop, play: Callable[[Sequel], object], max_received: Optional[int] = MAX_RECEIVED
    ) -> None:
        self._loop = loop
        self._max_received = max_received
        self._play = play
        self._by_action: dict[str, Scripted] = {}
        self._expectations: list[Expectation] = []
        self._is_ordered = False
        self._last: Optional[Expectation] = None  # the last one of an ordered group

    @property
    def actions(self) -> list[str]:
        """The names of the actions with a scripted answer."""
        return [scripted.action for scripted in self._by_action.values()]

    def on(self, action: str, answer: Script, delay: float) -> None:
        """Answer ``action`` this way from now on."""
        check_answer(answer)
        self._by_action[action.lower()] = Scripted(action, answer, delay)

    def off(self, action: str) -> None:
        """Undo :meth:`on`. Raises KeyError if there is no such answer."""
        del self._by_action[action.lower()]

    def expect(self, pattern: Pattern, times: Optional[int]) -> Expectation:
        """Add an expectation."""
        if times is not None and times < 1:
            raise ValueError(f"times must be at least 1, not {times}: for none, assert not server.received(...)")
        expectation = Expectation(pattern, times, self._last if self._is_ordered else None, self._max_received)
        self._expectations.append(expectation)
        if self._is_ordered:
            self._last = expectation
        return expectation

    @contextmanager
    def in_order(self) -> Iterator[None]:
        """Make the expectations inside the block ordered."""
        if self._is_ordered:
            raise RuntimeError("in_order() blocks must not be nested")
        self._is_ordered, self._last = True, None
        try:
            yield
        finally:
            self._is_ordered = False

    def answer(self, request: Request) -> Answer:
        """Return the scripted answer, or NotImplemented."""
        scripts = [expectation.script for expectation in self._meet(request)]
        if request.action.lower() in self._by_action:
            scripts.append(self._by_action[request.action.lower()])
        for scripted in scripts:
            if scripted.sequel is not None:
                # Only now, because events wait until the answer is sent.
                self._loop.call_later(scripted.delay, self._play, scripted.sequel)
            answer = self._answer(scripted, request)
            if answer is not BUILT_IN:
                return answer
        return BUILT_IN

    def report(self, received: Sequence[Request]) -> str:
        """Describe unmet expectations and the requests that came instead. Return ``""`` if there are none."""
        unmet = [one for one in self._expectations if not one.met]
        if not unmet:
            return ""
        lines = [f"{len(unmet)} of {len(self._expectations)} expected requests did not come:"]
        lines += [f"  - {one.report(received)}" for one in unmet]
        others = counted(describe(one) for one in received if one.action.lower() not in _BY_ITSELF)
        lines += ["received, without logins and pings:", *(f"  - {one}" for one in others or ["nothing"])]
        return "\n".join(lines)

    def _meet(self, request: Request) -> Iterator[Expectation]:
        """Let a request meet the first expectation that it matches."""
        meant = [one for one in self._expectations if one.pattern.matches(request)]
        for expectation in meant:
            if expectation.is_open:
                expectation.requests.append(request)
                yield expectation
                return
        for expectation in meant:
            expectation.too_early = expectation.too_early or not expectation.met

    def _answer(self, scripted: Scripted, request: Request) -> Answer:
        answer = scripted.answer
        if callable(answer):
            answer = answer(request)
        if not scripted.delay or answer is BUILT_IN or isinstance(answer, Later):
            return answer
        later = Later()
        self._loop.call_later(scripted.delay, later.set, answer)
        return later
