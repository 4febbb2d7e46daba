"""Questions to callers: a choice, a number, a recording. Written once for all kinds of calls.

Each is a script: a generator that yields what a command returns, and gets the command's reply.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Callable, Generic, Optional, TypeVar, Union

from ..errors import AMIError
from .commands import Answer, Commands
from .errors import HungUp
from .protocol import Reply

if TYPE_CHECKING:
    from typing_extensions import Self

#: A sound file without its extension, or several that are played one after the other.
Prompt = Union[str, Sequence[str]]

Entered = TypeVar("Entered")
KEYS = "0123456789*#"


class Entry:
    """The caller's input.

    Attributes:
        digits: the keys that were pressed last, or ``""``.
        value: the chosen value of a menu, or the number that was read. None if the caller entered nothing valid.
        error: why the question could not be asked, else None.
    """

    __slots__ = ("digits", "error", "value")

    def __init__(self, digits: str = "", value: object = None, error: Optional[AMIError] = None) -> None:
        self.digits = digits
        self.value = value
        self.error = error

    def __repr__(self) -> str:
        return f"<Entry {self.digits!r} {self.value!r}>" if self.error is None else f"<Entry {self.error!r}>"


Script = Generator[Answer, Reply, Entry]
Keys = Generator[Answer, Reply, str]


class Menus(Commands[Answer], Generic[Answer, Entered]):
    """Questions that need more than one command.

    ``cb(call, entry)`` is called once. A prompt is a sound file or several, and any key interrupts it. Times are in
    seconds. If the caller enters nothing or something invalid, ``invalid`` is played and the question is repeated, up
    to ``retries`` times.
    """

    @abstractmethod
    def _run(self, script: Script[Answer], cb: Optional[Callable[[Self, Entry], object]]) -> Entered:
        """Run a script until its end."""

    def menu(
        self,
        prompt: Prompt,
        choices: Mapping[str, object],
        cb: Optional[Callable[[Self, Entry], object]] = None,
        *,
        timeout: float = 5.0,
        retries: int = 2,
        invalid: Prompt = (),
    ) -> Entered:
        """Let the caller choose. ``entry.value`` is the value for the pressed keys, or None if there was no choice.

        ``choices`` maps keys, one or several, to values. ``timeout`` is the wait for each key. Raises ValueError for
        choices that cannot be pressed.
        """
        if not choices:
            raise ValueError("a menu needs at least one choice")
        wrong = [keys for keys in choices if not keys or set(keys) - set(KEYS)]
        if wrong:
            raise ValueError(f"a choice must consist of the keys {KEYS}, unlike {wrong[0]!r}")

        def accept(digits: str) -> Optional[object]:
            return choices.get(digits)

        def complete(digits: str) -> bool:
            return not any(keys.startswith(digits) and keys != digits for keys in choices)

        return self._run(self._ask(prompt, accept, complete, timeout, retries, invalid), cb)

    def read_number(
        self,
        prompt: Prompt,
        cb: Optional[Callable[[Self, Entry], object]] = None,
        *,
        max_digits: int = 20,
        minimum: Optional[int] = None,
        maximum: Optional[int] = None,
        terminator: str = "#",
        timeout: float = 5.0,
        retries: int = 2,
        invalid: Prompt = (),
    ) -> Entered:
        """Read a number. ``entry.value`` is the int, ``entry.digits`` its digits with leading zeros.

        The input ends with the key ``terminator``, after ``max_digits`` digits, or ``timeout`` seconds after the last
        key. A number below ``minimum`` or above ``maximum`` is invalid.
        """

        def accept(digits: str) -> Optional[object]:
            digits = digits.rstrip(terminator)
            if not digits.isdigit():
                return None
            number = int(digits)
            too_small = minimum is not None and number < minimum
            return None if too_small or (maximum is not None and number > maximum) else number

        def complete(digits: str) -> bool:
            return len(digits) >= max_digits or (bool(terminator) and digits.endswith(terminator))

        return self._run(self._ask(prompt, accept, complete, timeout, retries, invalid, terminator), cb)

    def record(
        self,
        file: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        format: str = "wav",
        escape_digits: str = "#",
        timeout: Optional[float] = None,
        silence: Optional[int] = None,
        beep: bool = True,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Record what the caller says to a file on the server: RECORD FILE with the usual arguments.

        It ends with a key of ``escape_digits``, after ``timeout`` seconds, or after ``silence`` seconds of silence. The
        reply's ``data`` says which (``dtmf``, ``timeout``, ``hangup``); ``endpos`` is the length in samples.
        """
        return self.record_file(
            file,
            format,
            cb,
            escape_digits=escape_digits,
            timeout=timeout,
            silence=silence,
            beep=beep,
            time_limit=time_limit,
        )

    def play(
        self,
        prompt: Prompt,
        cb: Optional[Callable[[Self, Entry], object]] = None,
        *,
        escape_digits: str = KEYS,
        timeout: Optional[float] = None,
    ) -> Entered:
        """Play files one after the other until a key is pressed. ``entry.digits`` is that key, or ``""``.

        With ``timeout``, wait this many seconds for a key after the files.
        """
        return self._run(self._play(prompt, escape_digits, timeout), cb)

    def _play(self, prompt: Prompt, escape_digits: str, timeout: Optional[float]) -> Script[Answer]:
        digit = yield from self._stream(prompt, escape_digits)
        if not digit and timeout is not None:
            digit = yield from self._wait(timeout)
        return Entry(digit, digit or None)

    def _ask(
        self,
        prompt: Prompt,
        accept: Callable[[str], Optional[object]],
        complete: Callable[[str], bool],
        timeout: float,
        retries: int,
        invalid: Prompt,
        terminator: str = "",
    ) -> Script[Answer]:
        digits = ""
        for attempt in range(retries + 1):
            digits = ""
            if attempt:
                digits = yield from self._stream(invalid, KEYS)
            if not digits:
                digits = yield from self._stream(prompt, KEYS)
            while not (digits and complete(digits)):
                digit = yield from self._wait(timeout)
                if not digit:
                    break
                digits += digit
            value = accept(digits)
            if value is not None:
                return Entry(digits.rstrip(terminator) if terminator else digits, value)
        return Entry(digits)

    def _stream(self, prompt: Prompt, escape_digits: str) -> Keys[Answer]:
        for file in _files(prompt):
            reply = yield self.stream_file(file, escape_digits=escape_digits)
            if reply.digit:
                return reply.digit
        return ""

    def _wait(self, timeout: float) -> Keys[Answer]:
        reply = yield self.wait_for_digit(timeout=timeout)
        if reply.result == "-1":  # for STREAM FILE it may mean a missing file, but not here
            raise HungUp("the call hung up")
        return reply.digit


def _files(prompt: Prompt) -> Iterable[str]:
    return (prompt,) if isinstance(prompt, str) else prompt
