"""What ``top`` knows of a server, and how it is drawn. No I/O here."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .._engine.text import whole_number
from ..packet import Packet
from . import views
from .table import Column, Row, lay_out
from .text import clean, plural

if TYPE_CHECKING:
    from rich.console import RenderableType

BARS = " ▁▂▃▄▅▆▇█"
HISTORY = 30  # rates
FRAME = 4  # lines for the head and the foot
HEADS = 2  # lines above a table: an empty one and its own head


@dataclass
class Board:
    """The state of a server: what was asked for last, and how many events come."""

    server: str
    version: str = ""
    trouble: str = "connecting"  # "" while all is well
    channels: list[Packet] = field(default_factory=list)
    queues: list[views.Queue] = field(default_factory=list)
    rates: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))  # events per second
    round_trip: float = 0.0  # seconds

    def set_channels(self, entries: Sequence[Packet]) -> None:
        """Take the answer to CoreShowChannels; those that last longest come first."""
        self.channels = sorted(entries, key=_seconds, reverse=True)

    def set_queues(self, entries: Sequence[Packet]) -> None:
        """Take the answer to QueueStatus; those where most callers wait come first."""
        self.queues = sorted(views.group_queues(entries), key=lambda one: -len(one.callers))

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.rates[-1] if self.rates else 0.0

    @property
    def calls(self) -> int:
        """How many calls the channels belong to."""
        return len({one.get("linkedid") or one.get("uniqueid") for one in self.channels})


def draw(board: Board, clock: str, width: int, height: int) -> RenderableType:
    """The board, cut to a screen of so many columns and lines."""
    from rich.console import Group

    queue_rows, channel_rows = share(height - FRAME, len(board.queues), len(board.channels))
    parts: list[RenderableType] = [_head(board, clock, width)]
    if queue_rows:
        parts += ["", *_table(views.QUEUES, board.queues[:queue_rows], width)]
    if channel_rows:
        parts += ["", *_table(views.CHANNELS, board.channels[:channel_rows], width)]
    parts += ["", _foot(len(board.queues) - queue_rows, len(board.channels) - channel_rows)]
    return Group(*parts)


def share(lines: int, queues: int, channels: int) -> tuple[int, int]:
    """How many rows of each there is room for: queues get a third, and what the channels leave."""
    for_queues = max(lines // 3, lines - channels - HEADS)
    queue_rows = max(min(queues, for_queues - HEADS), 0)
    if queue_rows:
        lines -= queue_rows + HEADS
    return queue_rows, max(min(channels, lines - HEADS), 0)


def sparkline(rates: Sequence[float]) -> str:
    """Rates as bars; the highest one is as high as a bar can be."""
    highest = max(rates, default=0.0)
    if not highest:
        return BARS[0] * len(rates)
    return "".join(BARS[round(rate / highest * (len(BARS) - 1))] for rate in rates)


def _head(board: Board, clock: str, width: int) -> RenderableType:
    from rich.text import Text

    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(clean(board.server), "bold")
    text.append(f"  {clean(board.version)}  {clock}  ")
    if board.trouble:
        text.append(clean(board.trouble), "bold red")
    else:
        text.append(f"{board.round_trip * 1000:.1f} ms", "green")
    numbers = f"{plural(len(board.channels), 'channel')}, {plural(board.calls, 'call')}, {board.rate:.1f} events/s "
    text.append(f"\n{numbers}")
    bars = sparkline(board.rates)
    text.append(bars[max(len(numbers) + len(bars) - width, 0) :], "cyan")  # the last ones, as far as there is room
    return text


def _table(columns: Sequence[Column[Row]], rows: Sequence[Row], width: int) -> list[RenderableType]:
    from rich.text import Text

    titles, *lines = (Text.assemble(*cells, no_wrap=True) for cells in lay_out(columns, rows, width))
    titles.pad_right(width - titles.cell_len)
    titles.stylize("reverse")
    return [titles, *lines]


def _foot(queues: int, channels: int) -> RenderableType:
    from rich.text import Text

    hidden = [plural(count, what) for count, what in ((queues, "queue"), (channels, "channel")) if count]
    more = f"  not shown: {', '.join(hidden)}" if hidden else ""
    return Text(f"q: end{more}", style="dim", no_wrap=True, overflow="ellipsis")


def _seconds(channel: Packet) -> int:
    """How long a channel has been up; Duration is ``HH:MM:SS``. What is none counts as 0."""
    parts = [whole_number(part) for part in channel.get("duration", "").split(":", 3)]
    seconds = 0
    for part in parts:
        if part is None:
            return 0
        seconds = seconds * 60 + part
    return seconds
