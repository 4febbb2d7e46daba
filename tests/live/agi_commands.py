"""Generates ``ami_client/agi/commands.py`` from the servers' documentation: ``python tests/live/agi_commands.py``.

Names, order and whether a parameter is required come from the XML documentation of Asterisk 16 and 22. The tables
here add what it does not say: types, units, and what the servers accept in spite of it. No sentence of Asterisk's
is copied.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree
from dataclasses import dataclass
from pathlib import Path

from install import chroot_directory, ensure_installed

VERSIONS = ("16", "22")
TARGET = Path(__file__).parents[2] / "ami_client/agi/commands.py"
_DOCUMENTATION = "usr/share/asterisk/documentation/core-en_US.xml"


@dataclass(frozen=True)
class Documented:
    """A command as the servers document it: its name, and (name, whether it is required) of each parameter."""

    name: str
    parameters: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Kind:
    """How a parameter is given and sent.

    ``convert`` makes of the Python value what is sent. ``default`` is the text of the default of a keyword, ``filler``
    what is sent for one that is left out when a later one is not.
    """

    name: str
    type: str
    convert: str = "{}"
    default: str = ""
    filler: str = '""'


def _keyword(name: str, type: str, convert: str = "{}", default: str = "None", filler: str = '""') -> Kind:
    return Kind(name, type, convert, default, filler)


_OPTIONAL_INT = "Optional[int]"
_OPTIONAL_STR = "Optional[str]"
_OPTIONAL_FLOAT = "Optional[float]"

# By command and documented parameter, or by the parameter alone.
KINDS = {
    "escape_digits": _keyword("escape_digits", "str", default='""'),
    "boolean": Kind("enabled", "bool", "on_off({})"),
    "channelname": _keyword("channel", _OPTIONAL_STR),
    "maxdigits": _keyword("maxdigits", _OPTIONAL_INT),
    "skipms": _keyword("skipms", _OPTIONAL_INT, filler='"3000"'),
    "offsetms": _keyword("offsetms", _OPTIONAL_INT),
    "sample offset": _keyword("sample_offset", _OPTIONAL_INT),
    "offset_samples": _keyword("offset_samples", _OPTIONAL_INT, filler='"0"'),
    "beep": _keyword("beep", "bool", 'flag({}, "BEEP")', "False"),
    "s=silence": _keyword("silence", _OPTIONAL_INT, "silence_of({})"),
    "date": Kind("date", "int"),
    "text to send": Kind("text", "str"),
    "desired context": Kind("context", "str"),
    "new extension": Kind("extension", "str"),
    "priority": Kind("priority", "Union[int, str]"),
    "variablename": Kind("variable", "str"),
    "grammar name": Kind("grammar", "str"),
    "path to grammar": Kind("path", "str"),
    "optional-argument": _keyword("arguments", _OPTIONAL_STR),
    ("say date", "date"): Kind("date", "int"),
    ("say time", "time"): Kind("time", "int"),
    ("say datetime", "time"): Kind("time", "int"),
    ("say datetime", "format"): _keyword("format", _OPTIONAL_STR, filler="\"ABdY 'digits/at' IMp\""),
    ("say number", "number"): Kind("number", "int"),
    ("say alpha", "number"): Kind("text", "str"),
    ("say phonetic", "string"): Kind("text", "str"),
    ("say digits", "number"): Kind("digits", "str"),
    ("set autohangup", "time"): Kind("time", "int"),
    ("set music", "class"): _keyword("music_class", _OPTIONAL_STR),
    ("verbose", "level"): _keyword("level", _OPTIONAL_INT),
    ("get data", "timeout"): _keyword("timeout", _OPTIONAL_FLOAT, "milliseconds({})", filler='"0"'),
    ("get option", "timeout"): _keyword("timeout", _OPTIONAL_FLOAT, "milliseconds({})"),
    ("record file", "timeout"): _keyword("timeout", _OPTIONAL_FLOAT, "limit({}, -1)"),
    ("wait for digit", "timeout"): _keyword("timeout", _OPTIONAL_FLOAT, "limit({}, -1)"),
    ("receive char", "timeout"): _keyword("timeout", _OPTIONAL_FLOAT, "limit({}, 0)"),
    ("receive text", "timeout"): _keyword("timeout", _OPTIONAL_FLOAT, "limit({}, 0)"),
    ("speech recognize", "timeout"): Kind("timeout", "int"),
    ("speech recognize", "offset"): _keyword("offset", _OPTIONAL_INT),
}
# Keywords that are sent even if they are left out, because the server insists on them.
ALWAYS_SENT = {"escape_digits", ("record file", "timeout"), ("wait for digit", "timeout")} | {
    ("receive char", "timeout"),
    ("receive text", "timeout"),
}
# Their reply holds a value, which may be any text.
RETURN_VALUES = {"get variable", "get full variable", "database get", "receive text"}
# Made by hand: EXEC joins its arguments.
BY_HAND = {"exec"}

SUMMARIES = {
    "answer": "Answer the call.",
    "asyncagi break": "End the AsyncAGI session. The dialplan continues. ``finish()`` does the same.",
    "channel status": "Get the state of a channel, by default the call's: ``reply.number``, 6 if it is up.",
    "control stream file": (
        "Play a file that the caller controls with keys: skip forward and back by ``skipms`` milliseconds, pause."
    ),
    "database del": "Remove a key from the server's database.",
    "database deltree": "Remove a family from the server's database, or only the keys below ``keytree``.",
    "database get": "Read a key from the server's database: ``reply.data``, or None if it is missing.",
    "database put": "Write a key to the server's database.",
    "get data": ("Play a file and read digits: ``reply.digits``. ``timeout`` is in seconds, for each digit."),
    "get full variable": "Evaluate an expression such as ``${CALLERID(num)}``: ``reply.data``.",
    "get option": "Play a file, then wait up to ``timeout`` seconds for one of ``escape_digits``: ``reply.digit``.",
    "get variable": "Read a channel variable: ``reply.data``, or None if it is not set.",
    "gosub": "Run a subroutine of the dialplan until its Return.",
    "hangup": "Hang up a channel, by default the call's.",
    "noop": "Do nothing, and get a reply.",
    "receive char": "Wait up to ``timeout`` seconds for a character: ``reply.number``. None means no limit.",
    "receive text": "Wait up to ``timeout`` seconds for a text: ``reply.data``. None means no limit.",
    "record file": (
        "Record to a file until a key of ``escape_digits``, ``timeout`` seconds, or ``silence`` seconds of silence."
    ),
    "say alpha": "Spell a text.",
    "say date": "Say a date, in seconds since 1970.",
    "say datetime": "Say a date and time, in seconds since 1970, in a format of voicemail.conf.",
    "say digits": "Say digits one by one.",
    "say number": "Say a number.",
    "say phonetic": "Spell a text in the phonetic alphabet.",
    "say time": "Say a time of day, in seconds since 1970.",
    "send image": "Send an image, if the channel supports it.",
    "send text": "Send a text, if the channel supports it.",
    "set autohangup": "Hang up the call after ``time`` seconds. 0 means never.",
    "set callerid": 'Set the caller\'s number, or ``"name" <number>``.',
    "set context": "Set the context where the dialplan continues.",
    "set extension": "Set the extension where the dialplan continues.",
    "set music": "Turn music on hold on or off.",
    "set priority": "Set the priority, or label, where the dialplan continues.",
    "set variable": "Set a channel variable.",
    "speech activate grammar": "Activate a grammar.",
    "speech create": "Create the call's speech object.",
    "speech deactivate grammar": "Deactivate a grammar.",
    "speech destroy": "Destroy the call's speech object.",
    "speech load grammar": "Load a grammar.",
    "speech recognize": "Play a prompt and listen, for ``timeout`` seconds.",
    "speech set": "Change a setting of the speech engine.",
    "speech unload grammar": "Unload a grammar.",
    "stream file": "Play a file until a key of ``escape_digits``: ``reply.digit``.",
    "tdd mode": "Turn transmission for the deaf (TDD) on or off, if the channel supports it.",
    "verbose": "Write a line to the server's console.",
    "wait for digit": "Wait up to ``timeout`` seconds for a key: ``reply.digit``. None means no limit.",
}

HEAD = '''"""The commands of AGI, as Asterisk {versions} document them.

Generated by tests/live/agi_commands.py from the servers' documentation: do not edit.
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

    ``cb(call, reply)`` is called once, with the server's reply, or with one whose ``error`` says why there is none.
    ``time_limit`` is how long to wait for the reply, in seconds. None means the server's option ``command_timeout``.
    Arguments are quoted. Raises ValueError for a line feed, and for a command that is too long for the server.
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
        """Run a dialplan application: ``reply.result`` is its result, or -2 if there is no such application.

        The arguments are joined with commas, as in the dialplan. A comma in an argument also separates, unless it is
        quoted as the application requires.
        """
        joined = ",".join(map(str, arguments))
        return self._command("EXEC", [application, *([joined] if arguments else [])], cb, time_limit)
'''


def documented(version: str) -> list[Documented]:
    """The commands of a server, by name."""
    ensure_installed(version)
    tree = xml.etree.ElementTree.parse(chroot_directory(version) / _DOCUMENTATION)
    found = [
        Documented(
            str(command.get("name")),
            tuple((str(one.get("name")), one.get("required") == "true") for one in command.findall("syntax/parameter")),
        )
        for command in tree.iter("agi")
    ]
    return sorted(found, key=lambda command: command.name)


def _kind(command: str, name: str, required: bool) -> Kind:
    kind = KINDS.get((command, name)) or KINDS.get(name)
    if kind is None:
        kind = Kind(name, "str") if required else _keyword(name, _OPTIONAL_STR)
    return kind


def _method(command: Documented) -> str:
    kinds = [(name, _kind(command.name, name, required)) for name, required in command.parameters]
    positional = [kind for _, kind in kinds if not kind.default]
    keywords = [kind for _, kind in kinds if kind.default]
    lines = ["", f"    def {command.name.replace(' ', '_')}(", "        self,"]
    lines += [f"        {kind.name}: {kind.type}," for kind in positional]
    lines += ["        cb: Optional[Callable[[Self, Reply], object]] = None,", "        *,"]
    lines += [f"        {kind.name}: {kind.type} = {kind.default}," for kind in keywords]
    lines += ["        time_limit: Optional[float] = None,", "    ) -> Answer:"]
    lines += [f'        """{SUMMARIES[command.name]}"""']
    sent, optional = [], []
    for name, kind in kinds:
        value = kind.convert.format(kind.name)
        if not kind.default or name in ALWAYS_SENT or (command.name, name) in ALWAYS_SENT:
            sent.append(value)
        else:
            optional.append(f"({value}, {kind.filler})")
    # RECORD FILE recognises what follows the timeout by its form: nothing stands in for what is left out.
    if command.name == "record file":
        optional = [one.rpartition(", ")[0] + ", None)" for one in optional]
    if optional:
        sent.append(f"*trailing({', '.join(optional)})")
    value = ", True" if command.name in RETURN_VALUES else ""
    lines.append(f'        return self._command("{command.name.upper()}", [{", ".join(sent)}], cb, time_limit{value})')
    return "\n".join(lines) + "\n"


def make() -> str:
    """The text of the module, before ruff lays it out. Raises ValueError if the servers differ."""
    commands = [documented(version) for version in VERSIONS]
    if commands[0] != commands[1]:
        raise ValueError("the commands of the servers differ: say for each since when it is there")
    text = HEAD.replace("{versions}", " and ".join(VERSIONS))
    return text + "".join(_method(command) for command in commands[0] if command.name not in BY_HAND)


if __name__ == "__main__":
    TARGET.write_text(make(), encoding="utf-8")
    sys.exit(0)
