"""Full-screen drawing in a terminal, which is restored afterwards."""

from __future__ import annotations

import os
import signal
import sys
import termios
import tty
from typing import TYPE_CHECKING, Any, Callable, Optional

from ..reactor import Reactor

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

# Switch to the alternate screen and hide the cursor; the reverse.
ENTER = "\x1b[?1049h\x1b[?25l\x1b[H\x1b[J"
LEAVE = "\x1b[?25h\x1b[?1049l"
HOME, END_OF_LINE, END_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"


class Screen:
    """A context that takes over the terminal.

    Calls ``on_key(key)`` for each key, and ``on_resize()`` when the size changes or everything must be drawn again.
    Ctrl-Z restores the terminal until the program goes on.
    """

    def __init__(
        self, reactor: Reactor, console: Console, on_key: Callable[[str], object], on_resize: Callable[[], object]
    ) -> None:
        self._reactor = reactor
        self._console = console
        self._on_key = on_key
        self._on_resize = on_resize
        self._keyboard = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._is_open = False
        self._settings: Optional[list[Any]] = None

    def __enter__(self) -> Screen:
        self._open()
        self._reactor.add_signal_handler(signal.SIGWINCH, self._on_resize)
        self._reactor.add_signal_handler(signal.SIGTSTP, self._suspend)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._reactor.remove_signal_handler(signal.SIGTSTP)
        self._reactor.remove_signal_handler(signal.SIGWINCH)
        self._close()

    @property
    def size(self) -> tuple[int, int]:
        """The size in columns and lines."""
        columns, lines = os.get_terminal_size(sys.stdout.fileno())
        return columns, lines

    def draw(self, renderable: RenderableType) -> None:
        """Replace the content of the screen. What does not fit is cut. No effect while the screen is not open.

        It is written in one piece, to avoid flicker.
        """
        if not self._is_open:
            return
        columns, lines = self.size
        self._console.width = columns
        with self._console.capture() as drawn:
            self._console.print(renderable)
        shown = drawn.get().rstrip("\n").split("\n")[:lines]
        self._write(HOME + f"{END_OF_LINE}\r\n".join(shown) + END_OF_LINE + END_OF_SCREEN)

    def _open(self) -> None:
        if self._keyboard is not None:
            self._settings = termios.tcgetattr(self._keyboard)
            tty.setcbreak(self._keyboard)
            self._reactor.add_reader(self._keyboard, self._read_keys, self._keyboard)
        self._write(ENTER)
        self._is_open = True

    def _close(self) -> None:
        self._is_open = False
        self._write(LEAVE)
        if self._keyboard is not None and self._settings is not None:
            self._reactor.remove_reader(self._keyboard)
            termios.tcsetattr(self._keyboard, termios.TCSADRAIN, self._settings)

    def _read_keys(self, keyboard: int) -> None:
        keys = os.read(keyboard, 1024)
        if not keys:  # the terminal is gone
            self._reactor.remove_reader(keyboard)
        for key in keys.decode("utf-8", "replace"):
            self._on_key(key)

    def _suspend(self) -> None:
        self._close()
        self._reactor.remove_signal_handler(signal.SIGTSTP)
        os.kill(os.getpid(), signal.SIGTSTP)  # returns when the program goes on
        self._reactor.add_signal_handler(signal.SIGTSTP, self._suspend)
        self._open()
        self._on_resize()

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
