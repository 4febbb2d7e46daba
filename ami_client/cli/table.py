"""Tables that fit a terminal. No I/O here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Callable, Generic, Optional, TypeVar

from rich.cells import cell_len, set_cell_size

from .text import clean

Row = TypeVar("Row")

GAP = 2  # blanks between columns
MOST_LOOKED_AT = 4  # characters per column of the terminal: some have no width


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column of a table: its title, and functions for its value in a row and the value's style."""

    title: str
    value: Callable[[Row], str]
    style: Optional[Callable[[str], str]] = None
    right: bool = False
    keep: bool = False  # shown even in a narrow terminal


def lay_out(columns: Sequence[Column[Row]], rows: Iterable[Row], width: int) -> list[list[tuple[str, str]]]:
    """Lay out a table for a terminal of this width. Return its lines, titles first, as pairs of text and style.

    Cells that do not fit are cut, not wrapped. Columns that would become too narrow and empty ones are left out.
    """
    # Of a very long value, only enough is examined to show that it was cut.
    most = MOST_LOOKED_AT * (width + 1)
    cells = [[clean(column.value(row)[:most]) for column in columns] for row in rows]
    widths = [max((cell_len(line[number]) for line in cells), default=0) for number in range(len(columns))]
    shown = choose(columns, widths, width)
    fitting = fit(columns, widths, shown, width)
    right = [columns[number].right for number in shown]
    styles = [column.style or _plain for column in columns]
    lines = [[(column.title, "bold") for column in columns]]
    lines += [[(text, style(text)) for text, style in zip(line, styles)] for line in cells]
    return [_line([line[number] for number in shown], fitting, right) for line in lines]


def _plain(text: str) -> str:
    return ""


def _line(cells: Sequence[tuple[str, str]], widths: Sequence[int], right: Sequence[bool]) -> list[tuple[str, str]]:
    """The cells of a line and the blanks between them, without trailing blanks."""
    line: list[tuple[str, str]] = []
    blanks = 0
    for (text, style), width, to_the_right in zip(cells, widths, right):
        text = cut(text, width)
        rest = width - cell_len(text)
        line += [(" " * (blanks + rest * to_the_right), ""), (text, style)] if text else []
        blanks = GAP + rest * (not to_the_right) if text else blanks + GAP + width
    return line


def cut(text: str, width: int) -> str:
    """Cut a text to this width. An ellipsis shows that there was more."""
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def choose(columns: Sequence[Column[Row]], widths: Sequence[int], room: int) -> list[int]:
    """The numbers of the columns that fit. The last ones are left out first, except those to keep."""
    shown = [number for number, column in enumerate(columns) if widths[number] or column.keep]
    while sum(_least(columns[number], widths[number]) + GAP for number in shown) - GAP > room:
        dispensable = [number for number in shown if not columns[number].keep]
        if not dispensable:
            break
        shown.remove(dispensable[-1])
    return shown


def fit(columns: Sequence[Column[Row]], widths: Sequence[int], shown: Sequence[int], room: int) -> list[int]:
    """The widths of the shown columns. The widest shrinks first, columns to keep last.

    No column shrinks below its minimum before all have reached theirs.
    """
    fitting = [max(widths[number], len(columns[number].title)) for number in shown]
    least = [_least(columns[number], widths[number]) for number in shown]
    excess = sum(fitting) + GAP * (len(shown) - 1) - room
    while excess > 0 and max(fitting) > 1:
        may_give = [at for at, width in enumerate(fitting) if width > least[at]]
        may_give = may_give or [at for at, width in enumerate(fitting) if width > 1]
        giving = max(may_give, key=lambda at: (not columns[shown[at]].keep, fitting[at]))
        fitting[giving] -= 1
        excess -= 1
    return fitting


def _least(column: Column[Row], width: int) -> int:
    return max(len(column.title), min(width, 24 if column.keep else 12))
