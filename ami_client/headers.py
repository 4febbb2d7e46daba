"""Header lines: from bytes to name and value. No I/O here."""

from __future__ import annotations

from typing import Optional

from .encode import ENCODING, ENCODING_ERRORS, TRIMMED

# Headers and values that keep their case, compared without it (phpDaemon Pool::$safeCaseValues).
KEEP_CASE = ("dialstring", "callerid", "connectedline")

# Of the header lines of a busy server 96% were there a moment ago, and looking one up costs a tenth of reading it. The
# memos are shared by all connections; what they may hold is bounded, as a server may send anything: 3 MB at most.
MEMO_SIZE = 8192  # lines
MEMO_LONGEST = 128  # bytes of a line


def split_line(line: str) -> tuple[str, str]:
    """Name and value as they were sent."""
    name, separator, value = line.partition(": ")
    if not separator:
        name, _, value = line.partition(":")
    return name, value


def _fold(line: bytes, low: str, fold_case: bool) -> tuple[str, str]:
    name, separator, value = low.partition(": ")
    if not separator:
        name, separator, value = low.partition(":")
    start = len(name) + len(separator)
    name = name.strip(TRIMMED)
    value = value.strip(TRIMMED)
    if not fold_case or name.startswith(KEEP_CASE) or value.startswith(KEEP_CASE):
        value = line.decode(ENCODING, ENCODING_ERRORS)[start:].strip(TRIMMED)
    return name, value


def fold_value(value: bytes) -> str:
    """A value in lower case, trimmed."""
    return value.lower().decode(ENCODING, ENCODING_ERRORS).strip(TRIMMED)


class _Names(dict[str, Optional[str]]):
    """Names in lower case to the same trimmed, one object for all lines of that name; None if values keep their case."""

    def __missing__(self, name: str) -> Optional[str]:
        trimmed = name.strip(TRIMMED)
        known = None if trimmed.startswith(KEEP_CASE) else trimmed
        if len(name) <= MEMO_LONGEST:
            if len(self) >= MEMO_SIZE:
                self.clear()
            self[name] = known
        return known


_NAMES = _Names()


class HeaderMemo(dict[bytes, tuple[str, str]]):
    """Lines to name and value for the dict view, trimmed and in lower case: computed at the first look; bounded."""

    def __init__(self, fold_case: bool) -> None:
        super().__init__()
        self._fold_case = fold_case

    def __missing__(self, line: bytes) -> tuple[str, str]:
        # bytes.lower() knows ASCII letters only, which is the rule; str.lower() would change others too.
        low = line.lower().decode(ENCODING, ENCODING_ERRORS)
        name, separator, value = low.partition(": ")
        value = value.strip(TRIMMED)
        known = _NAMES[name] if separator and self._fold_case and not value.startswith(KEEP_CASE) else None
        header = _fold(line, low, self._fold_case) if known is None else (known, value)
        # A line with a secret in it is not kept.
        if len(line) <= MEMO_LONGEST and not ("secret" in low or "passw" in low or "md5" in low):
            if len(self) >= MEMO_SIZE:
                self.clear()
            self[line] = header
        return header


MEMOS = {fold_case: HeaderMemo(fold_case) for fold_case in (True, False)}


class FirstLines(dict[bytes, Optional[str]]):
    """A packet's first line, as servers write it, to the name of the event, and to ``""`` for a Response; bounded.

    None stands for what takes a closer look.
    """

    def __missing__(self, line: bytes) -> Optional[str]:
        name = None
        if line.startswith(b"Event: "):
            name = fold_value(line[7:]) or None
        elif line.startswith(b"Response: "):
            name = ""
        if len(line) <= MEMO_LONGEST:
            if len(self) >= MEMO_SIZE:
                self.clear()
            self[line] = name
        return name


FIRST_LINES = FirstLines()
