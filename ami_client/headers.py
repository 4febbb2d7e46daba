"""Header lines: from bytes to name and value. No I/O here."""

from __future__ import annotations

from .encode import ENCODING, ENCODING_ERRORS, TRIMMED

# Headers and values that keep their case, compared without it (phpDaemon Pool::$safeCaseValues).
KEEP_CASE = ("dialstring", "callerid", "connectedline")

# Of the header lines of a busy server 94% were there a moment ago, and looking one up costs a tenth of reading it. The
# memo is shared by all connections; what it may hold is bounded, as a server may send anything.
MEMO_SIZE = 2048  # lines
MEMO_LONGEST = 128  # bytes of a line
SECRETS = (b"secret", b"passw", b"md5")  # lines with these are not kept: they may hold one


def split_line(line: str) -> tuple[str, str]:
    """Name and value as they were sent."""
    name, separator, value = line.partition(": ")
    if not separator:
        name, _, value = line.partition(":")
    return name, value


def fold_line(line: bytes, fold_case: bool) -> tuple[str, str]:
    """Name and value for the dict view: trimmed, in lower case."""
    # bytes.lower() knows ASCII letters only, which is the rule; str.lower() would change others too.
    low = line.lower().decode(ENCODING, ENCODING_ERRORS)
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


class HeaderMemo(dict[bytes, tuple[str, str]]):
    """Lines to what :func:`fold_line` makes of them, computed at the first look; bounded."""

    def __init__(self, fold_case: bool) -> None:
        super().__init__()
        self._fold_case = fold_case

    def __missing__(self, line: bytes) -> tuple[str, str]:
        header = fold_line(line, self._fold_case)
        if len(line) <= MEMO_LONGEST and not any(word in line.lower() for word in SECRETS):
            if len(self) >= MEMO_SIZE:
                self.clear()
            self[line] = header
        return header


MEMOS = {fold_case: HeaderMemo(fold_case) for fold_case in (True, False)}
