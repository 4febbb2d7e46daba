"""Output to a terminal or a pipe. In a pipe nothing is coloured, cut or boxed."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Optional

from .._engine.text import ENCODING, ENCODING_ERRORS, ascii_lower
from ..packet import Kind, Packet
from .failures import CommandError, Ended, OutputClosed
from .table import Column, Row, lay_out
from .text import clean, headers_of, json_text, packet_object

RESET = "\x1b[0m"
STYLES = {
    "bold": "\x1b[1m",
    "dim": "\x1b[2m",
    "red": "\x1b[31m",
    "green": "\x1b[32m",
    "yellow": "\x1b[33m",
    "cyan": "\x1b[36m",
}


MOST_HELD = 1000  # lines
MOST_PADDED = 200  # characters


class Output:
    """Standard output. With ``json``, data of the server is written as JSON objects, one per line.

    A context that writes everything at its end, except after an interrupt: the reader of a pipe may not read. Methods
    raise OutputClosed if that reader is gone.
    """

    def __init__(self, json: bool = False) -> None:
        self.json = json
        self.terminal = sys.stdout.isatty()
        self.color = self.terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        # Bypasses Python's buffer: a signal may leave it half written, and PYTHONUNBUFFERED disables it.
        self._stream = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
        self._held: list[str] = []

    def __enter__(self) -> Output:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if error is None or isinstance(error, (CommandError, Ended)):
            self.flush()

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return shutil.get_terminal_size().columns

    @property
    def pipe(self) -> Optional[int]:
        """The descriptor, if it is a pipe or socket that a loop can watch, else None."""
        if os.name != "posix":  # select() watches sockets only
            return None
        with suppress(OSError, ValueError):
            number = sys.stdout.fileno()
            mode = os.fstat(number).st_mode
            if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
                return number
        return None

    def paint(self, style: str, text: str) -> str:
        """Style a text, if there is colour."""
        return f"{STYLES[style]}{text}{RESET}" if self.color and style and text else text

    def write(self, text: str) -> None:
        """Buffer a line until :meth:`flush`. Text of the server in it must be clean."""
        self._held.append(text)
        if len(self._held) >= MOST_HELD:
            self.flush()

    def flush(self) -> None:
        """Write the buffered lines, however slow the reader is."""
        if not self._held:
            return
        text, self._held = "\n".join(self._held), []
        data = memoryview(text.encode(ENCODING, ENCODING_ERRORS) + b"\n")
        try:
            while data:
                data = data[self._stream.write(data) :]
        except BrokenPipeError:
            raise OutputClosed from None

    def line(self, text: str) -> None:
        """Write a line and flush."""
        self.write(text)
        self.flush()

    def object(self, value: object) -> None:
        """Write an object as a line of JSON. Lone surrogates are escaped."""
        self.write(json_text(value))

    def packet(self, packet: Packet) -> None:
        """Write a packet: as an object, or as its lines followed by an empty one."""
        if self.json:
            self.object(packet_object(packet))
            return
        headers = headers_of(packet)
        for number, (name, value) in enumerate(headers):
            shown = self.paint("bold", clean(value)) if number == 0 else clean(value)
            self.write(f"{self.paint('cyan', clean(name) + ':')} {shown}")
        if packet.kind is not Kind.EVENT and all(ascii_lower(name) != "output" for name, _ in headers):
            for text in packet.output:  # raw text of an old server's answer
                self.write(clean(text))
        self.write("")

    def table(self, columns: Sequence[Column[Row]], rows: Iterable[Row]) -> None:
        """Write a table. In a terminal it fits the width."""
        if self.terminal:
            for cells in lay_out(columns, rows, self.width):
                self.write("".join(self.paint(style, text) for text, style in cells))
            return
        lines = [[column.title.upper() for column in columns]]
        lines += [[clean(column.value(row)) or "-" for column in columns] for row in rows]
        # Bounded: otherwise one long value would widen every line.
        widths = [min(max(map(len, texts)), MOST_PADDED) for texts in zip(*lines)]
        for line in lines:
            aligned = (
                text.rjust(width) if column.right else text.ljust(width)
                for text, width, column in zip(line, widths, columns)
            )
            self.write("  ".join(aligned).rstrip())


def note(text: str) -> None:
    """Write a note to stderr."""
    with suppress(OSError):
        print(f"ami-client: {clean(text)}", file=sys.stderr, flush=True)
