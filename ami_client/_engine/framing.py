"""Cuts the server's bytes into packets at blank lines. No I/O here.

Source: Asterisk main/manager.c.
"""

from __future__ import annotations

import re
from typing import Optional, Union

from ..errors import ProtocolError
from .text import ENCODING, ENCODING_ERRORS, TRIMMED

# Regular expressions, compiled on first use. Ends of a packet: one search covers all spellings of the blank line. A
# search for a spelling that does not occur would scan to the end of the buffer again for each packet.
_END = {b"\r\n": rb"\r\n\r?\n", b"\n": rb"\n\r?\n"}
_OLD_START = b"response: follows"  # in any case
# Asterisk 14 and later. There, "Response: Follows" is forged, inside a value that somebody else has set. It would
# swallow the packets after it.
_NOT_OLD = r"Asterisk Call Manager/(?:[3-9]|\d\d)"
_BLANK_LINES = {b"\r\n": (b"\r\n\r\n", b"\r\n\n"), b"\n": (b"\n\n", b"\n\r\n")}  # the usual spelling first
_OLD_END = {eol: b"--END COMMAND--" + end for eol, end in _END.items()}
_LONGEST_END = len(b"--END COMMAND--\r\n\r\n")

DEFAULT_MAX_PACKET = 16 * 1024 * 1024  # bytes; the largest real packet seen has 1.4 million


class Cutter:
    """Accepts bytes in chunks of any size, and cuts them into the pieces between blank lines.

    Attributes:
        banner: the server's first line, trimmed. None until it arrives.
        eol: the server's line ending.
        pieces: the pieces that are cut, in reverse order: the next one is last.
        rest: the bytes after the pieces, always the same object.
        careful: whether a piece may be too large, or may be the answer of an old server, which contains blank lines.
        marked: whether the mark given to :meth:`more` may be in a piece.
        lenient: whether a piece may contain a blank line in the unusual spelling. See :meth:`be_lenient`.
        cuts: how often :meth:`more` found the end of a packet.
    """

    def __init__(self, max_packet: int = DEFAULT_MAX_PACKET) -> None:
        self.banner: Optional[str] = None
        self.eol = b"\r\n"
        self._max_packet = max_packet
        self.pieces: list[bytes] = []
        self.careful = True
        self.marked = True
        self.lenient = False
        self.cuts = 0
        self._may_be_old = True
        self._surely_small = max_packet  # no packet in a block of this size can exceed a limit
        self.rest = bytearray()
        self._blank_line = b""  # the last blank line as sent, if pieces are cut one by one
        self._scanned = 0  # no end before this offset, so a packet in small chunks is not searched from its start

    def feed(self, data: bytes) -> None:
        """Accept bytes from the server, in chunks of any size."""
        self.rest += data

    def feed_packets(self, data: bytes, mark: Optional[bytes] = b"") -> bool:
        """Fast path of :meth:`feed` and :meth:`more` for complete packets.

        Cut ``data`` into ``pieces``. Return False, and accept nothing, if it needs the other two. A read of two events
        would cost a tenth more without it, and a single event that nobody wants a fifth.
        """
        usual, unusual = _BLANK_LINES[self.eol]
        if self.rest or self.pieces or self._may_be_old or not data.endswith(usual):
            return False
        if data.startswith((b"\r", b"\n")):  # perhaps blank lines only: no packet
            return False
        if not self.lenient and data.rfind(unusual) >= 0:
            return False
        self.careful = len(data) > self._surely_small
        self.marked = mark is not None and mark in data
        self.pieces += data.split(usual)
        self.pieces.pop()
        self.pieces.reverse()
        self.cuts += 1
        return True

    def more(self, mark: Optional[bytes] = b"") -> bool:
        """Refill ``pieces``, which must be empty. Return False if there is no blank line.

        :meth:`lone_piece` is the short way.

        ``mark`` is searched for in the pieces. An empty mark is in every piece, None is in none.

        A piece may be empty, begin with a line ending, or be larger than ``max_packet``. Raises ProtocolError as soon
        as more than ``max_packet`` bytes have arrived without a blank line.
        """
        if not self.rest:
            return False
        found = (self.banner is not None or self._read_banner()) and self._cut(mark)
        self.cuts += found
        return found

    def lone_piece(self, data: bytes) -> Optional[bytes]:
        """Short way of :meth:`feed` and :meth:`more` for data that is one whole packet. None if it may be more or less.

        It must not begin with a line ending.
        """
        if self.rest or self.pieces or self._may_be_old or len(data) > self._surely_small:
            return None
        usual, unusual = _BLANK_LINES[self.eol]
        end = data.find(usual)
        return None if end + len(usual) != len(data) or unusual in data else data[:end]

    def clear(self) -> None:
        """Discard everything that was not read yet."""
        self.pieces.clear()
        self._remove(len(self.rest))

    def put_back(self, piece: bytes) -> None:
        """Put back the rest of a piece. It is read next."""
        if self.is_old_answer(piece):  # blank lines do not end this one
            self.rest[:0] = piece + self._blank_line
            self._scanned = 0
        elif piece:
            self.pieces.append(piece)

    def be_lenient(self, allowed: bool) -> None:
        """Do not search the next pieces for a blank line in the unusual spelling, if ``allowed`` and possible.

        Then every piece must be parsed, and :meth:`split` if it contains one: see :class:`BlankLine`. This saves 5%
        (benchmarks a and e). No effect while there are pieces.
        """
        if not self.pieces:
            self.lenient = allowed and self.eol == b"\r\n" and not self._may_be_old

    def split(self, piece: bytes) -> bytes:
        """Return a piece up to its first blank line in the unusual spelling. The rest is read next."""
        self.pieces += reversed(piece.split(_BLANK_LINES[self.eol][1]))
        return self.pieces.pop()

    def is_old_answer(self, piece: bytes) -> bool:
        """Whether a piece is a Command answer in the format of Asterisk 13 and older, which may contain blank lines."""
        return self._may_be_old and _is_old_start(piece)

    @property
    def mixes_line_ends(self) -> bool:
        """Whether the banner ended with CR LF, but the unfinished packet contains a blank line with LF only."""
        return self.eol == b"\r\n" and b"\n\n" in self.rest

    def _read_banner(self) -> bool:
        end = self.rest.find(b"\n", self._scanned)
        self._check_size(end if end >= 0 else len(self.rest))
        if end < 0:
            self._scanned = len(self.rest)
            return False
        line = bytes(self.rest[:end])
        self.eol = b"\r\n" if line.endswith(b"\r") else b"\n"
        self.banner = line.decode(ENCODING, ENCODING_ERRORS).strip(TRIMMED)
        self._may_be_old = not re.match(_NOT_OLD, self.banner)
        self._remove(end + 1)
        return True

    def _cut(self, mark: Optional[bytes]) -> bool:
        """Cut the buffer at its blank lines. Return False if there is none."""
        if self.rest.startswith((b"\r", b"\n")):
            self._remove(len(self.rest) - len(self.rest.lstrip(b"\r\n")))
        if self._may_be_old:
            ends = _OLD_END if _is_old_start(self.rest) else _END
            return self._cut_one(ends[self.eol])
        return self._cut_all(mark)

    def _cut_one(self, end: bytes) -> bool:
        # The last scanned bytes may be the beginning of an end. The result must not depend on the chunks.
        found = re.compile(end).search(self.rest, max(0, self._scanned - _LONGEST_END))
        if found is None:
            return self._nothing_to_cut()
        self._check_size(found.start())
        self.pieces.append(bytes(self.rest[: found.start()]))
        self._blank_line = found.group()
        self._remove(found.end())
        return True

    def _cut_all(self, mark: Optional[bytes]) -> bool:
        usual, unusual = _BLANK_LINES[self.eol]
        begin = max(0, self._scanned - _LONGEST_END)
        end = _end_of_last(usual, self.rest, begin)
        if self.lenient:
            begin = max(begin, end)
        unusual_end = _end_of_last(unusual, self.rest, begin)
        end = max(end, unusual_end)
        if not end:
            return self._nothing_to_cut()
        with memoryview(self.rest) as whole, whole[:end] as part:
            block = bytes(part)
        self._remove(end)
        self.careful = end > self._surely_small
        self.marked = mark is not None and block.rfind(mark) >= 0
        # One split of the whole block takes a tenth of the time of a cut for each packet (benchmark b).
        self.pieces += re.split(_END[self.eol], block) if unusual_end else block.split(usual)
        self.pieces.pop()  # after the last end comes nothing, or a blank line
        self.pieces.reverse()
        return True

    def _nothing_to_cut(self) -> bool:
        self._check_size(len(self.rest) - _LONGEST_END)
        self._scanned = len(self.rest)
        return False

    def _remove(self, count: int) -> None:
        del self.rest[:count]
        self._scanned = 0

    def _check_size(self, size: int) -> None:
        if size > self._max_packet:
            raise ProtocolError(f"more than {self._max_packet} bytes (max_packet) without an end", limit="max_packet")


def _is_old_start(data: Union[bytes, bytearray]) -> bool:
    return data[: len(_OLD_START)].lower() == _OLD_START


def _end_of_last(blank_line: bytes, buffer: bytearray, begin: int) -> int:
    position = buffer.rfind(blank_line, begin)
    return position + len(blank_line) if position >= 0 else 0
