"""Parses requests as the server does: bytes into :class:`Request` objects.

The rules and limits are those of Asterisk's manager.c (get_input, do_message, process_message).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Union

from .._engine.encode import fold_name
from .._engine.text import ascii_lower

#: Maximum length of a line in bytes, including its CRLF.
MAX_LINE = 1024
#: Maximum number of lines of a request.
MAX_LINES = 128


class Request:
    """An action as a client sent it. Header names ignore case.

    ``lines`` are its lines without line ends, decoded as UTF-8 with surrogateescape.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = list(lines)

    def __repr__(self) -> str:
        # Without values: the secret of a Login must not get into a log or a failed assertion.
        return f"<Request {self.action} {self.action_id}".rstrip() + ">"

    @property
    def action(self) -> str:
        """The action's name as sent: the first one that is not empty."""
        return next(filter(None, self.getall("Action")), "")

    @property
    def action_id(self) -> str:
        """The ActionID; ``""`` if there is none."""
        return self.get("ActionID")

    @property
    def headers(self) -> list[tuple[str, str]]:
        """All headers as (name, value), in the order sent. Lines without a colon are left out."""
        pairs = (line.partition(":") for line in self.lines if ":" in line)
        return [(name, value.lstrip(" \t")) for name, _, value in pairs]

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of header ``name``, or ``default``."""
        return next(iter(self.getall(name)), default)

    def getall(self, name: str) -> list[str]:
        """Return all values of header ``name``, in the order sent."""
        wanted = fold_name(name)
        return [value for key, value in self.headers if ascii_lower(key) == wanted]  # to the server, " X" is not X


class Rejected:
    """A request that cannot be parsed. ``message`` is the server's explanation."""

    def __init__(self, request: Request, message: str) -> None:
        self.action_id = request.action_id
        self.message = message


class RequestReader:
    """Parses requests from bytes in chunks of any size."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lines: list[str] = []
        self._problem = ""

    def feed(self, data: bytes) -> Iterator[Union[Request, Rejected]]:
        """Accept ``data``, and yield the requests that are now complete.

        As on the server, an empty line ends a request even if nothing precedes it.
        """
        self._buffer += data
        while True:
            end = self._buffer.find(b"\n", 0, MAX_LINE)
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                if line.endswith(b"\r"):
                    line = line[:-1]
                yield from self._line(line.partition(b"\0")[0])
            elif len(self._buffer) >= MAX_LINE:
                # The line so far is dropped. Its rest counts as another line.
                del self._buffer[:MAX_LINE]
                self._problem = self._problem or "Failed to parse message: line too long"
            else:
                return

    def _line(self, line: bytes) -> Iterator[Union[Request, Rejected]]:
        if not line:
            request, problem = Request(self._lines), self._problem
            self._lines, self._problem = [], ""
            yield Rejected(request, problem) if problem else request
        elif len(self._lines) < MAX_LINES:
            self._lines.append(line.decode("utf-8", "surrogateescape"))
        else:
            self._problem = "Too many lines in message or allocation failure"
