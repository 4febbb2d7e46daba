"""What ``top`` shows of a server, and how it is drawn. No I/O here."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from .table import Column, Row, lay_out
from .text import clean, duration, plural
from .views import person, state_style, waiting_style

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..model import Channel, Queue

BARS = " ▁▂▃▄▅▆▇█"
HISTORY = 30  # rates
FRAME = 4  # lines for the head and the foot
HEADS = 2  # lines above a table: an empty one and its own head


@dataclass
class Board:
    """The state of a server: what goes on there, and how many events come."""

    server: str
    version: str = ""
    trouble: str = "connecting"  # "" while all is well
    now: float = 0.0  # Unix time
    calls: int = 0
    channels: list[Channel] = field(default_factory=list)
    queues: list[Queue] = field(default_factory=list)
    rates: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))  # events per second
    round_trip: float = 0.0  # seconds

    def show(self, now: float, calls: int, channels: Sequence[Channel], queues: Sequence[Queue]) -> None:
        """Take what goes on now: the channels that last longest come first, and the queues where most callers wait."""
        self.now = now
        self.calls = calls
        self.channels = sorted(channels, key=lambda one: one.started)
        self.queues = sorted(queues, key=lambda one: -len(one.callers))

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.rates[-1] if self.rates else 0.0


def _since(now: float, then: float) -> str:
    return duration(max(now - then, 0))


def _ready(queue: Queue) -> str:
    """How many members could take a call now."""
    return str(sum(one.state == "not_inuse" and not one.paused for one in queue.members))


def _longest(now: float, queue: Queue) -> str:
    return _since(now, min(one.joined for one in queue.callers)) if queue.callers else ""


def _in_time(queue: Queue) -> str:
    return f"{100 * queue.in_time / queue.completed if queue.completed else 0:.1f}"


def channel_columns(now: float) -> Sequence[Column[Channel]]:
    """How channels are shown at that time."""
    return [
        Column("Channel", lambda one: one.name, lambda _: "bold", keep=True),
        Column("State", lambda one: one.state.capitalize(), state_style, keep=True),
        Column("Duration", lambda one: _since(now, one.started), right=True),
        Column("Caller", lambda one: person(one.number, one.caller)),
        Column("Connected", lambda one: person(one.connected_number, one.connected)),
        Column("Extension", lambda one: one.exten),
        Column("Application", lambda one: one.application),
    ]


def queue_columns(now: float) -> Sequence[Column[Queue]]:
    """How queues are shown at that time."""
    return [
        Column("Queue", lambda one: one.name, lambda _: "bold", keep=True),
        Column("Strategy", lambda one: one.strategy),
        Column("Waiting", lambda one: str(len(one.callers)), waiting_style, right=True, keep=True),
        Column("Longest", partial(_longest, now), right=True),
        Column("Members", lambda one: str(len(one.members)), right=True),
        Column("Ready", _ready, right=True),
        Column("Completed", lambda one: str(one.completed), right=True),
        Column("Abandoned", lambda one: str(one.abandoned), right=True),
        Column("In time %", _in_time, right=True),
    ]


def draw(board: Board, clock: str, width: int, height: int) -> RenderableType:
    """The board, cut to a screen of so many columns and lines."""
    from rich.console import Group

    queue_rows, channel_rows = share(height - FRAME, len(board.queues), len(board.channels))
    parts: list[RenderableType] = [_head(board, clock, width)]
    if queue_rows:
        parts += ["", *_table(queue_columns(board.now), board.queues[:queue_rows], width)]
    if channel_rows:
        parts += ["", *_table(channel_columns(board.now), board.channels[:channel_rows], width)]
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
