"""AGI's syntax: a call's environment, quoted arguments, and replies. No I/O here.

Source: Asterisk res_agi.c (parse_args, run_agi, agi_handle_command), and what Asterisk 16 and 22 send.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Optional, Union, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from ..errors import AMIError, ProtocolError
from .errors import CommandFailed, HungUp

#: The types of a command's arguments. Numbers are sent as decimal text.
Argument = Union[str, int, float]

_FORBIDDEN = re.compile(r"[\r\n\0]")
_REPLY = re.compile(r"(\d{3})[ -]")
_ENDPOS = re.compile(r"endpos=(-?\d+)")
_STARTS_REPLY = re.compile(rb"\d{3}[ -]")
_USAGE_END = b"520 End"  # the last line of a usage text


def quote(argument: Argument) -> str:
    """Quote an argument so that the server's parse_args restores it."""
    text = str(argument)
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def command_line(name: str, arguments: Iterable[Argument]) -> str:
    """Return the text of a command: its name, then each argument quoted."""
    return " ".join([name, *[quote(argument) for argument in arguments]])


def encode_line(text: str, limit: int) -> bytes:
    """Encode a command's text, without the line end.

    Raises ValueError for a CR, LF or NUL, which would end the command early, for an empty text, and for a text of more
    than ``limit`` bytes: the server would truncate it, and read the rest as another command.
    """
    if _FORBIDDEN.search(text):
        raise ValueError("CR, LF or NUL in an AGI command: the server would read the rest as another command")
    data = text.encode("utf-8", "surrogateescape")
    if not data or data.isspace():
        raise ValueError("an AGI command needs a name")
    if len(data) > limit:
        raise ValueError(f"the AGI command has {len(data):,} bytes, but the server reads at most {limit:,}")
    return data


class Reply:
    """The server's reply to one command.

    Attributes:
        code: 200; 510 for an unknown command, 511 for one that a hung-up call does not accept, 520 for wrong
            arguments. 0 if there is no reply.
        result: the text after ``result=``: a number, or the digits that GET DATA read. ``""`` if there is none.
        data: the text in parentheses, such as a variable's value or ``timeout``. None if there is none.
        text: the whole reply as sent. Several lines are separated by line feeds.
        error: why the command failed, else None. A ``result`` of -1 is not an error here: its meaning depends on
            the command.
    """

    __slots__ = ("code", "data", "error", "result", "text")

    def __init__(
        self, code: int, result: str = "", data: Optional[str] = None, text: str = "", error: Optional[AMIError] = None
    ) -> None:
        self.code = code
        self.result = result
        self.data = data
        self.text = text
        self.error = error

    def __repr__(self) -> str:
        return f"<Reply {self.text!r}>" if self.error is None else f"<Reply {self.error!r}>"

    @property
    def number(self) -> Optional[int]:
        """``result`` as a number. None if it is not one."""
        try:
            return int(self.result)
        except ValueError:
            return None

    @property
    def digit(self) -> str:
        """The pressed key, for commands whose result is its ASCII code. ``""`` if there was none."""
        number = self.number
        return chr(number) if number is not None and 0 < number < 128 else ""

    @property
    def digits(self) -> str:
        """The digits that GET DATA read. ``""`` if there were none, or the call hung up."""
        return "" if self.error is not None or self.result == "-1" else self.result

    @property
    def timed_out(self) -> bool:
        """Whether the server says that a timeout ended the command."""
        return self.data == "timeout"

    @property
    def endpos(self) -> Optional[int]:
        """The position, in samples, at which playing or recording ended. None if the reply has none."""
        found = _ENDPOS.search(self.text)
        return int(found[1]) if found else None


def failure(error: AMIError) -> Reply:
    """Return the reply for a command that the server did not answer."""
    return Reply(0, error=error)


def read_reply(data: bytes) -> Reply:
    """Parse one complete reply. Line ends at its end are not part of it."""
    text = data.decode("utf-8", "surrogateescape").rstrip("\n")
    if text.startswith("100 "):  # "100 result=0 Trying...", before the reply of GOSUB
        text = text.partition("\n")[2]
    # Nearly all replies have this form.
    if text.startswith("200 result="):
        result, _, more = text[11:].partition(" ")
        return Reply(200, result, _parenthesised(more) if more else None, text)
    found = _REPLY.match(text)
    if found is None:
        return Reply(0, text=text, error=ProtocolError(f"not a reply to an AGI command: {text[:60]!a}"))
    code = int(found[1])
    if code == 200:
        return Reply(code, text=text)
    return Reply(code, text=text, error=(HungUp if code == 511 else CommandFailed)(text.partition("\n")[0], code))


def _parenthesised(text: str) -> Optional[str]:
    if not text.startswith("("):
        return None
    # A value may contain parentheses. Then it is everything that follows. With "endpos=" after it, it is a single word.
    end = len(text) - 1 if text.endswith(")") else text.find(")")
    return text[1:end] if end >= 0 else text[1:]


class ReplyReader:
    """Cuts the server's bytes into replies. :meth:`feed` bytes, then call :meth:`next` until it returns None.

    A value may contain line feeds, which the server does not escape. So the caller says whether the command returns a
    value. Then a reply that opens a parenthesis ends with the first line that closes one.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        # How much of the reply at the buffer's beginning was scanned, so that small chunks do not cost more and more.
        self._seen = 0

    def __len__(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Add bytes that arrived."""
        self._buffer += data

    def next(self, returns_value: bool) -> Optional[bytes]:
        """Remove and return the next reply. None if it is not complete yet.

        Lines before it that are not part of a reply are dropped, except ``HANGUP``, which is returned on its own.
        """
        buffer = self._buffer
        while (end := buffer.find(b"\n", self._seen)) >= 0:
            if buffer.startswith(b"HANGUP"):
                return self._take(end)
            if not _STARTS_REPLY.match(buffer) or buffer.startswith(b"100 "):
                del buffer[: end + 1]
                self._seen = 0
            elif self._is_end(end, returns_value):
                return self._take(end)
            else:
                self._seen = end + 1
        return None

    def _is_end(self, end: int, returns_value: bool) -> bool:
        """Return whether the line that ends there is the last one of the reply."""
        buffer = self._buffer
        if buffer.startswith(b"520-"):
            return buffer.startswith(_USAGE_END, self._seen)
        opens = returns_value and b" (" in buffer[: buffer.find(b"\n")]
        return not opens or buffer.endswith(b")", 0, end)

    def _take(self, end: int) -> bytes:
        reply = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._seen = 0
        return reply

    def drop(self) -> bool:
        """Drop the rest, which nobody asked for. Return whether the server reported a hangup in it."""
        lines = bytes(self._buffer).split(b"\n")
        self._buffer.clear()
        self._seen = 0
        if b"HANGUP".startswith(lines[-1]):  # the rest of the line has not arrived yet
            self._buffer += lines[-1]
        return b"HANGUP" in lines[:-1]


class Environment(dict[str, str]):
    """The facts that the server sends at the start of a call: ``agi_channel``, ``agi_callerid`` and so on."""

    @property
    def arguments(self) -> list[str]:
        """The arguments of the dialplan's AGI application, after the first: ``agi_arg_1``, ``agi_arg_2``, ..."""
        found: list[str] = []
        while (name := f"agi_arg_{len(found) + 1}") in self:
            found.append(self[name])
        return found

    @property
    def path(self) -> str:
        """The path of the request, decoded, with a leading slash.

        AsyncAGI has no URL. There the first argument is the path if it begins with a slash: ``AGI(agi:async,/ivr/de)``.
        """
        request = self.get("agi_request", "")
        if "://" in request:
            return "/" + unquote(urlsplit(request).path.lstrip("/"))
        first = self.get("agi_arg_1", "")
        return unquote(first.partition("?")[0]) if first.startswith("/") else "/"

    @property
    def query(self) -> dict[str, str]:
        """The parameters after the path's question mark, decoded. The last value of a repeated name counts."""
        request = self.get("agi_request", "")
        text = request if "://" in request else self.get("agi_arg_1", "")
        return dict(parse_qsl(text.partition("?")[2], keep_blank_values=True))


def read_environment(data: bytes) -> Environment:
    """Parse the lines of an environment. Invalid lines are ignored."""
    lines = data.decode("utf-8", "surrogateescape").replace("\r", "").split("\n")
    pairs = [line.split(": ", 1) for line in lines if ": " in line]
    return Environment(cast("list[tuple[str, str]]", pairs))
