"""The commands of AGI, as Asterisk 16 and 22 document them.

Made by tests/live/agi_commands.py of the servers' documentation: change that, not this.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Callable, Generic, Optional, TypeVar, Union

from .arguments import flag, limit, milliseconds, on_off, silence_of, trailing
from .protocol import Argument, Reply

if TYPE_CHECKING:
    from typing_extensions import Self

Answer = TypeVar("Answer")


class Commands(ABC, Generic[Answer]):
    """The commands.

    ``cb(call, reply)`` is called once, with the server's reply or one whose ``error`` says why there is none.
    ``time_limit`` is how long to wait for the reply, in seconds; None means the server's option ``command_timeout``.
    Arguments are quoted. ValueError is raised for what the server would misread: a line feed, or too long a command.
    """

    @abstractmethod
    def _command(
        self,
        name: str,
        arguments: Sequence[Argument],
        cb: Optional[Callable[[Self, Reply], object]],
        time_limit: Optional[float],
        returns_value: bool = False,
    ) -> Answer:
        """Send a command."""

    def exec(
        self,
        application: str,
        *arguments: Argument,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Run an application of the dialplan: ``reply.result`` is the application's, -2 if there is none.

        The arguments are joined by commas, as in the dialplan. A comma in an argument separates, unless it is quoted
        as that application wants it.
        """
        joined = ",".join(map(str, arguments))
        return self._command("EXEC", [application, *([joined] if arguments else [])], cb, time_limit)

    def answer(
        self,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Answer the call."""
        return self._command("ANSWER", [], cb, time_limit)

    def asyncagi_break(
        self,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """End the session of AsyncAGI; ``finish()`` does so. The dialplan goes on."""
        return self._command("ASYNCAGI BREAK", [], cb, time_limit)

    def channel_status(
        self,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        channel: Optional[str] = None,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Ask for the state of a channel, by default the call's: ``reply.number``, 6 if it is up."""
        return self._command("CHANNEL STATUS", [*trailing((channel, ""))], cb, time_limit)

    def control_stream_file(
        self,
        filename: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        escape_digits: str = "",
        skipms: Optional[int] = None,
        ffchar: Optional[str] = None,
        rewchr: Optional[str] = None,
        pausechr: Optional[str] = None,
        offsetms: Optional[int] = None,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Play a file that the caller can control with keys: wind on and back by ``skipms`` milliseconds, pause."""
        return self._command(
            "CONTROL STREAM FILE",
            [
                filename,
                escape_digits,
                *trailing((skipms, "3000"), (ffchar, ""), (rewchr, ""), (pausechr, ""), (offsetms, "")),
            ],
            cb,
            time_limit,
        )

    def database_del(
        self,
        family: str,
        key: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Remove a key of the server's database."""
        return self._command("DATABASE DEL", [family, key], cb, time_limit)

    def database_deltree(
        self,
        family: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        keytree: Optional[str] = None,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Remove a family of the server's database, or what is below ``keytree`` in it."""
        return self._command("DATABASE DELTREE", [family, *trailing((keytree, ""))], cb, time_limit)

    def database_get(
        self,
        family: str,
        key: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Read a key of the server's database: ``reply.data``, None if there is none."""
        return self._command("DATABASE GET", [family, key], cb, time_limit, True)

    def database_put(
        self,
        family: str,
        key: str,
        value: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Write a key of the server's database."""
        return self._command("DATABASE PUT", [family, key, value], cb, time_limit)

    def get_data(
        self,
        file: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        timeout: Optional[float] = None,
        maxdigits: Optional[int] = None,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Play a file and read digits: ``reply.digits``. ``timeout`` seconds for each digit."""
        return self._command(
            "GET DATA", [file, *trailing((milliseconds(timeout), "0"), (maxdigits, ""))], cb, time_limit
        )

    def get_full_variable(
        self,
        expression: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        channel: Optional[str] = None,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Evaluate an expression such as ``${CALLERID(num)}``: ``reply.data``."""
        return self._command("GET FULL VARIABLE", [expression, *trailing((channel, ""))], cb, time_limit, True)

    def get_option(
        self,
        filename: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        escape_digits: str = "",
        timeout: Optional[float] = None,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Play a file, then wait ``timeout`` seconds for one of ``escape_digits``: ``reply.digit``."""
        return self._command(
            "GET OPTION", [filename, escape_digits, *trailing((milliseconds(timeout), ""))], cb, time_limit
        )

    def get_variable(
        self,
        variable: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Read a variable of the channel: ``reply.data``, None if it is not set."""
        return self._command("GET VARIABLE", [variable], cb, time_limit, True)

    def gosub(
        self,
        context: str,
        extension: str,
        priority: Union[int, str],
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        arguments: Optional[str] = None,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Run a subroutine of the dialplan, to its Return."""
        return self._command("GOSUB", [context, extension, priority, *trailing((arguments, ""))], cb, time_limit)

    def hangup(
        self,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        channel: Optional[str] = None,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Hang up a channel, by default the call's."""
        return self._command("HANGUP", [*trailing((channel, ""))], cb, time_limit)

    def noop(
        self,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Do nothing, and get a reply."""
        return self._command("NOOP", [], cb, time_limit)

    def receive_char(
        self,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        timeout: Optional[float] = None,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Receive a character, for ``timeout`` seconds: ``reply.number``. None means no limit."""
        return self._command("RECEIVE CHAR", [limit(timeout, 0)], cb, time_limit)

    def receive_text(
        self,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        timeout: Optional[float] = None,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Receive a text, for ``timeout`` seconds: ``reply.data``. None means no limit."""
        return self._command("RECEIVE TEXT", [limit(timeout, 0)], cb, time_limit, True)

    def record_file(
        self,
        filename: str,
        format: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        escape_digits: str = "",
        timeout: Optional[float] = None,
        offset_samples: Optional[int] = None,
        beep: bool = False,
        silence: Optional[int] = None,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Record to a file until a key of ``escape_digits``, ``timeout`` seconds, or ``silence`` seconds of silence."""
        return self._command(
            "RECORD FILE",
            [
                filename,
                format,
                escape_digits,
                limit(timeout, -1),
                *trailing((offset_samples, None), (flag(beep, "BEEP"), None), (silence_of(silence), None)),
            ],
            cb,
            time_limit,
        )

    def say_alpha(
        self,
        text: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        escape_digits: str = "",
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Spell a text."""
        return self._command("SAY ALPHA", [text, escape_digits], cb, time_limit)

    def say_date(
        self,
        date: int,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        escape_digits: str = "",
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Say a date, in seconds since 1970."""
        return self._command("SAY DATE", [date, escape_digits], cb, time_limit)

    def say_datetime(
        self,
        time: int,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        escape_digits: str = "",
        format: Optional[str] = None,
        timezone: Optional[str] = None,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Say a date and time, in seconds since 1970, in a format of voicemail.conf."""
        return self._command(
            "SAY DATETIME",
            [time, escape_digits, *trailing((format, "ABdY 'digits/at' IMp"), (timezone, ""))],
            cb,
            time_limit,
        )

    def say_digits(
        self,
        digits: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        escape_digits: str = "",
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Say digits one by one."""
        return self._command("SAY DIGITS", [digits, escape_digits], cb, time_limit)

    def say_number(
        self,
        number: int,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        escape_digits: str = "",
        gender: Optional[str] = None,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Say a number."""
        return self._command("SAY NUMBER", [number, escape_digits, *trailing((gender, ""))], cb, time_limit)

    def say_phonetic(
        self,
        text: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        escape_digits: str = "",
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Spell a text in the phonetic alphabet."""
        return self._command("SAY PHONETIC", [text, escape_digits], cb, time_limit)

    def say_time(
        self,
        time: int,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        escape_digits: str = "",
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Say a time of day, in seconds since 1970."""
        return self._command("SAY TIME", [time, escape_digits], cb, time_limit)

    def send_image(
        self,
        image: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Send an image, where the channel can."""
        return self._command("SEND IMAGE", [image], cb, time_limit)

    def send_text(
        self,
        text: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Send a text, where the channel can."""
        return self._command("SEND TEXT", [text], cb, time_limit)

    def set_autohangup(
        self,
        time: int,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Hang up the call in ``time`` seconds; 0 means never."""
        return self._command("SET AUTOHANGUP", [time], cb, time_limit)

    def set_callerid(
        self,
        number: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Set the caller's number, or ``"name" <number>``."""
        return self._command("SET CALLERID", [number], cb, time_limit)

    def set_context(
        self,
        context: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Set the context in which the dialplan goes on."""
        return self._command("SET CONTEXT", [context], cb, time_limit)

    def set_extension(
        self,
        extension: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Set the extension in which the dialplan goes on."""
        return self._command("SET EXTENSION", [extension], cb, time_limit)

    def set_music(
        self,
        enabled: bool,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        music_class: Optional[str] = None,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Turn music on hold on or off."""
        return self._command("SET MUSIC", [on_off(enabled), *trailing((music_class, ""))], cb, time_limit)

    def set_priority(
        self,
        priority: Union[int, str],
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Set the priority, or label, at which the dialplan goes on."""
        return self._command("SET PRIORITY", [priority], cb, time_limit)

    def set_variable(
        self,
        variable: str,
        value: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Set a variable of the channel."""
        return self._command("SET VARIABLE", [variable, value], cb, time_limit)

    def speech_activate_grammar(
        self,
        grammar: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Activate a grammar."""
        return self._command("SPEECH ACTIVATE GRAMMAR", [grammar], cb, time_limit)

    def speech_create(
        self,
        engine: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Create the call's speech object."""
        return self._command("SPEECH CREATE", [engine], cb, time_limit)

    def speech_deactivate_grammar(
        self,
        grammar: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Deactivate a grammar."""
        return self._command("SPEECH DEACTIVATE GRAMMAR", [grammar], cb, time_limit)

    def speech_destroy(
        self,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Destroy the call's speech object."""
        return self._command("SPEECH DESTROY", [], cb, time_limit)

    def speech_load_grammar(
        self,
        grammar: str,
        path: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Load a grammar."""
        return self._command("SPEECH LOAD GRAMMAR", [grammar, path], cb, time_limit)

    def speech_recognize(
        self,
        prompt: str,
        timeout: int,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        offset: Optional[int] = None,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Play a prompt and listen, for ``timeout`` seconds."""
        return self._command("SPEECH RECOGNIZE", [prompt, timeout, *trailing((offset, ""))], cb, time_limit)

    def speech_set(
        self,
        name: str,
        value: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Change a setting of the speech engine."""
        return self._command("SPEECH SET", [name, value], cb, time_limit)

    def speech_unload_grammar(
        self,
        grammar: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Unload a grammar."""
        return self._command("SPEECH UNLOAD GRAMMAR", [grammar], cb, time_limit)

    def stream_file(
        self,
        filename: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        escape_digits: str = "",
        sample_offset: Optional[int] = None,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Play a file until a key of ``escape_digits``: ``reply.digit``."""
        return self._command("STREAM FILE", [filename, escape_digits, *trailing((sample_offset, ""))], cb, time_limit)

    def tdd_mode(
        self,
        enabled: bool,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Turn transmission for the deaf on or off, where the channel can."""
        return self._command("TDD MODE", [on_off(enabled)], cb, time_limit)

    def verbose(
        self,
        message: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        level: Optional[int] = None,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Write a line to the server's console."""
        return self._command("VERBOSE", [message, *trailing((level, ""))], cb, time_limit)

    def wait_for_digit(
        self,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        timeout: Optional[float] = None,
        time_limit: Optional[float] = None,
    ) -> Answer:
        """Wait for a key, for ``timeout`` seconds: ``reply.digit``. None means no limit."""
        return self._command("WAIT FOR DIGIT", [limit(timeout, -1)], cb, time_limit)
