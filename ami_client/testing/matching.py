"""Patterns that select requests, and descriptions of the result."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Callable, Optional, Union

from .._engine.encode import fold_name
from .._engine.text import ENCODING, ENCODING_ERRORS
from .redact import redact
from .requests import Request

logger = logging.getLogger("ami_client")

#: Default of the minimum number of requests that a server keeps.
MAX_RECEIVED = 10_000

#: Condition for a header: a text or number that it equals, a list of all its values, a regex to search for, a function
#: of its value; None: the header is missing; ``...``: it has any value.
Wanted = Union[
    str, float, None, Sequence[Union[str, float]], "re.Pattern[str]", Callable[[str], object], "ellipsis"  # noqa: F821
]


class Pattern:
    """An action and conditions on its headers. Names ignore case, values do not."""

    def __init__(self, action: str, headers: Mapping[str, Wanted]) -> None:
        self.action = action
        self.headers = headers

    def __str__(self) -> str:
        return " ".join([self.action, *(f"{name}={_shown(wanted)}" for name, wanted in self.headers.items())])

    def matches(self, request: Request) -> bool:
        """Return whether a request matches."""
        return self.names(request) and all(_fits(request, *header) for header in self.headers.items())

    def names(self, request: Request) -> bool:
        """Return whether a request is for this action, with any headers."""
        return request.action.lower() == self.action.lower()

    def describe(self, request: Request) -> str:
        """Describe a request: its action, and the headers that the pattern names."""
        return describe(request, [name for name in self.headers if self.names(request)])


class Matches(list[Request]):
    """The matching requests. If there are none, it is false, and its text describes what came instead."""

    def __init__(self, pattern: Pattern, requests: Iterable[Request], forgotten: int = 0) -> None:
        self._forgotten = f"; {forgotten} older requests are forgotten" if forgotten else ""
        self._pattern = pattern
        self._requests = list(requests)
        super().__init__(request for request in self._requests if pattern.matches(request))

    def __repr__(self) -> str:
        if self:
            return f"<received: {', '.join(counted(map(describe, self)))}{self._forgotten}>"
        if not self._requests:
            return f"<no {self._pattern}; nothing was received{self._forgotten}>"
        # The most similar ones come first, because the end may be truncated.
        nearest = sorted(self._requests, key=lambda request: not self._pattern.names(request))
        received = ", ".join(counted(map(self._pattern.describe, nearest)))
        return f"<no {self._pattern}; received: {received}{self._forgotten}>"


class Received(list[Request]):
    """The received requests of all clients, in order. A call selects some of them.

    Attributes: ``limit``, the minimum number of requests to keep, None for all; ``forgotten``, how many older ones were
    dropped.
    """

    def __init__(self, limit: Optional[int] = None) -> None:
        super().__init__()
        self.limit = limit
        self.forgotten = 0

    def append(self, request: Request) -> None:
        """Add a request. If there are too many, drop the oldest ones, several at a time."""
        super().append(request)
        if self.limit is not None and len(self) > self.limit + self.limit // 10:
            self.forgotten += len(self) - self.limit
            del self[: -self.limit]

    def __call__(self, action: str, headers: Optional[Mapping[str, Wanted]] = None, /, **more: Wanted) -> Matches:
        """Return the requests for ``action`` with these headers. An empty result says why nothing matched.

        Names ignore case. A header must have exactly the given value. A regex must be found in the value. A function
        must return true for the value. A list must equal all values. ``...`` means any value, None no value. If old
        requests were dropped, a warning is logged.
        """
        if self.forgotten:
            logger.warning(
                "FakeAsterisk has dropped the first %d requests, so it cannot tell whether %s was among them:"
                " set a higher max_received, or clear server.received from time to time",
                self.forgotten,
                action,
            )
        return Matches(Pattern(action, {**(headers or {}), **more}), self, self.forgotten)


def describe(request: Request, names: Optional[Iterable[str]] = None) -> str:
    """Describe a request in one line without secrets. ``names`` limits the headers that are shown."""
    wanted = None if names is None else {fold_name(name) for name in names}
    data = "\n".join(request.lines).encode(ENCODING, ENCODING_ERRORS)
    shown = [request.action or "(no action)"]
    for name, value in Request(redact(data).decode(ENCODING, ENCODING_ERRORS).split("\n")).headers:
        key = fold_name(name)
        if key != "action" and (key != "actionid" if wanted is None else key in wanted):
            shown.append(f"{name}={value!r}")
    return " ".join(shown)


def counted(texts: Iterable[str]) -> list[str]:
    """Return each distinct text once, with its count."""
    counts = Counter(texts)
    return [text if count == 1 else f"{text} ({count} times)" for text, count in counts.items()]


def _fits(request: Request, name: str, wanted: Wanted) -> bool:
    values = request.getall(name)
    if wanted is None:
        return not values
    if isinstance(wanted, (list, tuple)):
        return values == list(map(_text, wanted))
    if not values:
        return False
    if wanted is ...:
        return True
    if isinstance(wanted, re.Pattern):
        return any(wanted.search(value) for value in values)
    if callable(wanted):
        return any(wanted(value) for value in values)
    return _text(wanted) in values


def _text(wanted: object) -> str:
    # Spelled as clients spell it.
    return str(wanted).lower() if isinstance(wanted, bool) else str(wanted)


def _shown(wanted: Wanted) -> str:
    if wanted is ...:
        return "..."
    if isinstance(wanted, re.Pattern):
        return f"/{wanted.pattern}/"
    return getattr(wanted, "__name__", None) or repr(wanted)
