"""The whole terminal as a screen of ours, and given back as it was."""

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

# The alternate screen, and no cursor on it; then both as before.
ENTER = "\x1b[?1049h\x1b[?25l\x1b[H\x1b[J"
LEAVE = "\x1b[?25h\x1b[?1049l"
HOME, END_OF_LINE, END_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"


class Screen:
    """A context: while it is open the terminal is ours.

    ``on_key(key)`` is called for each key that is pressed, ``on_resize()`` when the size has changed, or all is to be
    drawn again. Ctrl-Z gives the terminal back until the program goes on.
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
        """Columns and lines."""
        columns, lines = os.get_terminal_size(sys.stdout.fileno())
        return columns, lines

    def draw(self, renderable: RenderableType) -> None:
        """Show this and nothing else; what does not fit is cut. Nothing is drawn before it is open and after.

        It is written in one go, so that nothing flickers.
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
        for key in os.read(keyboard, 1024).decode("utf-8", "replace"):
            self._on_key(key)

    def _suspend(self) -> None:
        self._close()
        self._reactor.remove_signal_handler(signal.SIGTSTP)
        os.kill(os.getpid(), signal.SIGTSTP)  # returns when we are to go on
        self._reactor.add_signal_handler(signal.SIGTSTP, self._suspend)
        self._open()
        self._on_resize()

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
