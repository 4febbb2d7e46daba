"""Where a command writes: to somebody at a terminal, or into a pipe, where nothing is coloured, cut or boxed."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Generic, Optional, TypeVar

from ..encode import ENCODING, ENCODING_ERRORS
from ..packet import Packet
from .failures import OutputClosed
from .text import clean, headers_of, json_text, packet_object

if TYPE_CHECKING:
    from rich.table import Table

RESET = "\x1b[0m"
STYLES = {
    "bold": "\x1b[1m",
    "dim": "\x1b[2m",
    "red": "\x1b[31m",
    "green": "\x1b[32m",
    "yellow": "\x1b[33m",
    "cyan": "\x1b[36m",
}


Row = TypeVar("Row")

GAP = 2  # blanks between the columns of a table


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column of a table: its title, its value in a row, and that value's style."""

    title: str
    value: Callable[[Row], str]
    style: Optional[Callable[[str], str]] = None
    right: bool = False
    keep: bool = False  # even in a narrow terminal


class Output:
    """Standard output; with ``json`` what comes from the server is written as objects, one a line.

    Methods raise OutputClosed when the reader of a pipe is gone.
    """

    def __init__(self, json: bool = False) -> None:
        self.json = json
        self.terminal = sys.stdout.isatty()
        self.color = self.terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._stream = sys.stdout.buffer

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return shutil.get_terminal_size().columns

    @property
    def pipe(self) -> Optional[int]:
        """The descriptor of a pipe or socket that we write to, else None."""
        with suppress(OSError, ValueError):
            number = sys.stdout.fileno()
            mode = os.fstat(number).st_mode
            if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
                return number
        return None

    def paint(self, style: str, text: str) -> str:
        """Text in a style, if there is colour."""
        return f"{STYLES[style]}{text}{RESET}" if self.color and style and text else text

    def write(self, text: str) -> None:
        """Write a line, which is held back until :meth:`flush`; bytes of the server's come out as they came."""
        try:
            self._stream.write(text.encode(ENCODING, ENCODING_ERRORS) + b"\n")
        except BrokenPipeError:
            raise OutputClosed from None

    def flush(self) -> None:
        """Have all that was written go out."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            raise OutputClosed from None

    def line(self, text: str) -> None:
        """Write a line for people, at once."""
        self.write(text)
        self.flush()

    def object(self, value: object) -> None:
        """Write an object as a line of JSON. Lone surrogates come out as escapes, which is what JSON has for them."""
        self.write(json_text(value))

    def packet(self, packet: Packet) -> None:
        """Write a packet: as an object, or as the lines that it has, with an empty one behind it."""
        if self.json:
            self.object(packet_object(packet))
            return
        headers = headers_of(packet)
        for number, (name, value) in enumerate(headers):
            shown = self.paint("bold", clean(value)) if number == 0 else clean(value)
            self.write(f"{self.paint('cyan', clean(name) + ':')} {shown}")
        named = {name.lower() for name, _ in headers}
        for text in [] if "output" in named else packet.output:  # the raw text of old answers
            self.write(clean(text))
        self.write("")

    def table(self, columns: Sequence[Column[Row]], rows: Iterable[Row]) -> None:
        """Write a table for people; in a terminal it fits the width."""
        if self.terminal:
            self._print(rich_table(columns, rows, self.width))
            return
        lines = [[column.title.upper() for column in columns]]
        lines += [[clean(column.value(row)) or "-" for column in columns] for row in rows]
        widths = [max(map(len, texts)) for texts in zip(*lines)]
        for line in lines:
            aligned = (
                text.rjust(width) if column.right else text.ljust(width)
                for text, width, column in zip(line, widths, columns)
            )
            self.write("  ".join(aligned).rstrip())

    def _print(self, table: Table) -> None:
        from rich.console import Console

        self.flush()
        try:
            Console(no_color=not self.color, highlight=False, markup=False, emoji=False).print(table)
        except BrokenPipeError:
            raise OutputClosed from None


def rich_table(columns: Sequence[Column[Row]], rows: Iterable[Row], width: int) -> Table:
    """A table for a terminal of so many columns of characters.

    Cells are cut, not wrapped, where there is too little room; columns that would be left with next to nothing are left
    out, and so are those without any value.
    """
    from rich.table import Table
    from rich.text import Text

    cells = [[Text(clean(column.value(row))) for column in columns] for row in rows]
    widths = [max((line[number].cell_len for line in cells), default=0) for number in range(len(columns))]
    table = Table(box=None, header_style="bold", padding=(0, GAP, 0, 0), pad_edge=False)
    shown = choose(columns, widths, width)
    for number in shown:
        column = columns[number]
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=_least(column, widths[number]),
        )
    for line in cells:
        for text, column in zip(line, columns):
            text.style = column.style(text.plain) if column.style else ""
        table.add_row(*(line[number] for number in shown))
    return table


def choose(columns: Sequence[Column[Row]], widths: Sequence[int], room: int) -> list[int]:
    """Which columns there is room for, by their numbers: the last ones are left out first, but for those to keep."""
    shown = [number for number, column in enumerate(columns) if widths[number] or column.keep]
    while sum(_least(columns[number], widths[number]) + GAP for number in shown) - GAP > room:
        dispensable = [number for number in shown if not columns[number].keep]
        if not dispensable:
            break
        shown.remove(dispensable[-1])
    return shown


def _least(column: Column[Row], width: int) -> int:
    return max(len(column.title), min(width, 24 if column.keep else 12))


def note(text: str) -> None:
    """Tell the user something beside the output."""
    with suppress(OSError):
        print(f"ami-client: {clean(text)}", file=sys.stderr, flush=True)
