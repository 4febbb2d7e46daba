"""Splits both directions of a session into packets without losing a byte."""

from __future__ import annotations

import re
from typing import Optional

#: Maximum number of bytes that are held back without an end. A stream that is not AMI is split into pieces of this
#: size.
MAX_HELD = 16 * 1024 * 1024

_BLANK_LINE = re.compile(rb"\r?\n")
_END_OF_REQUEST = re.compile(rb"\n\r?\n")
_END = {b"\r\n": re.compile(rb"\r\n\r?\n"), b"\n": re.compile(rb"\n\r?\n")}
_OLD_END = {eol: re.compile(rb"--END COMMAND--" + end.pattern) for eol, end in _END.items()}
_LONGEST_END = len(b"--END COMMAND--\r\n\r\n")
_OLD_BANNER = re.compile(rb"Asterisk Call Manager/[12]\.")
_OLD_ANSWER = b"Response: Follows"
# Start of a packet. Raw text, as in IAXnetstats, may precede it without a blank line.
_BEGINNING = re.compile(rb"^(?:Response|Event): ", re.MULTILINE | re.IGNORECASE)


class RequestSplitter:
    """Splits a client's bytes after each blank line. The pieces, joined, are the bytes that were fed."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0  # no end before this offset

    def feed(self, data: bytes) -> list[bytes]:
        """Accept bytes in chunks of any size. Return the pieces that are now complete."""
        self._buffer += data
        pieces: list[bytes] = []
        while True:
            end = self._find_end()
            if end is None and len(self._buffer) > MAX_HELD:
                end = len(self._buffer)
            if end is None:
                self._scanned = len(self._buffer)
                return pieces
            pieces += self._divide(bytes(self._buffer[:end]))
            self._remove(end)

    def rest(self) -> bytes:
        """Remove and return the incomplete piece."""
        rest = bytes(self._buffer)
        self._remove(len(rest))
        return rest

    def _find_end(self) -> Optional[int]:
        blank = _BLANK_LINE.match(self._buffer)
        # A blank line at the beginning is a piece of its own, because the server treats it as a request.
        return blank.end() if blank else self._search(_END_OF_REQUEST)

    def _search(self, mark: re.Pattern[bytes]) -> Optional[int]:
        found = mark.search(self._buffer, max(0, self._scanned - _LONGEST_END))
        return found.end() if found else None

    def _divide(self, piece: bytes) -> list[bytes]:
        return [piece]

    def _remove(self, count: int) -> None:
        del self._buffer[:count]
        self._scanned = 0


class PacketSplitter(RequestSplitter):
    """Splits a server's bytes: the banner, then packets. Old Command answers stay whole."""

    def __init__(self) -> None:
        super().__init__()
        self._eol = b""  # unknown before the banner
        self._is_old = False

    def _find_end(self) -> Optional[int]:
        if not self._eol:
            return self._find_banner()
        blank = _BLANK_LINE.match(self._buffer)
        if blank:
            return blank.end()
        if self._is_old and self._buffer.startswith(_OLD_ANSWER):
            return self._search(_OLD_END[self._eol])
        return self._search(_END[self._eol])

    def _find_banner(self) -> Optional[int]:
        end = self._buffer.find(b"\n", self._scanned) + 1
        if not end:
            return None
        self._eol = b"\r\n" if self._buffer.endswith(b"\r\n", 0, end) else b"\n"
        self._is_old = _OLD_BANNER.match(self._buffer) is not None
        return end

    def _divide(self, piece: bytes) -> list[bytes]:
        beginning = _BEGINNING.search(piece)
        if beginning is None or not beginning.start():
            return [piece]
        return [piece[: beginning.start()], piece[beginning.start() :]]
