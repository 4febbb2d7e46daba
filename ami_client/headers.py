"""Header lines: from bytes to name and value. No I/O here."""

from __future__ import annotations

from typing import Optional, TypeVar

from .encode import ENCODING, ENCODING_ERRORS, TRIMMED

# Headers and values that keep their case, compared without it (phpDaemon Pool::$safeCaseValues).
KEEP_CASE = ("dialstring", "callerid", "connectedline")

# Of the header lines of a busy server 96% were there a moment ago, and looking one up costs a tenth of reading it. The
# memos are shared by all connections; what they may hold is bounded, as a server may send anything: about 5 MB each.
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


Key = TypeVar("Key", str, bytes)
Value = TypeVar("Value")


class Memo(dict[Key, Value]):
    """What was computed once, at most ``size`` of it: when it is full it begins anew. No key is long."""

    size = MEMO_SIZE

    def keep(self, key: Key, value: Value) -> None:
        """Remember a value, unless its key is too long."""
        if len(key) <= MEMO_LONGEST:
            if len(self) >= self.size:
                self.clear()
            self[key] = value


class _Names(Memo[str, Optional[str]]):
    """Names in lower case to the same trimmed, one object for all lines; None for those that take a closer look."""

    def __missing__(self, name: str) -> Optional[str]:
        trimmed = name.strip(TRIMMED)
        known = None if trimmed.startswith(KEEP_CASE) or _is_secret(trimmed) else trimmed
        self.keep(name, known)
        return known


_NAMES = _Names()


def _is_secret(low: str) -> bool:
    return "secret" in low or "passw" in low or "md5" in low


class HeaderMemo(Memo[bytes, tuple[str, str]]):
    """Lines to name and value for the dict view, trimmed, with the case they were sent in: computed at the first look.

    Lines with a secret in them are not kept.
    """

    _fold_case = False

    def __missing__(self, line: bytes) -> tuple[str, str]:
        # bytes.lower() knows ASCII letters only, which is the rule; str.lower() would change others too.
        low = line.lower().decode(ENCODING, ENCODING_ERRORS)
        header = _fold(line, low, self._fold_case)
        if not _is_secret(low):
            self.keep(line, header)
        return header


class FoldingMemo(HeaderMemo):
    """As its base, in lower case but for what keeps its case."""

    _fold_case = True

    def __missing__(self, line: bytes) -> tuple[str, str]:
        try:
            name, value = line.lower().decode().split(": ", 1)
        except ValueError:  # no such separator, or no UTF-8
            return super().__missing__(line)
        known = _NAMES[name]
        value = value.strip(TRIMMED)
        if known is None or value.startswith(KEEP_CASE) or "secret" in value or "passw" in value or "md5" in value:
            return super().__missing__(line)
        header = known, value
        if len(line) <= MEMO_LONGEST:  # keep(), written out: half of a busy server's packets have a line that is new
            if len(self) >= self.size:
                self.clear()
            self[line] = header
        return header


MEMOS: dict[bool, HeaderMemo] = {True: FoldingMemo(), False: HeaderMemo()}


class FirstLines(Memo[bytes, Optional[str]]):
    """A packet's first line, as servers write it, to the name of the event, and to ``""`` for a Response.

    None stands for what takes a closer look.
    """

    def __missing__(self, line: bytes) -> Optional[str]:
        name = None
        if line.startswith(b"Event: "):
            name = fold_value(line[7:]) or None
        elif line.startswith(b"Response: "):
            name = ""
        if name is not None:
            self.keep(line, name)
        return name


FIRST_LINES = FirstLines()
