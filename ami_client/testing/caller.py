"""The other side of AGI: a caller's channel, simulated as Asterisk behaves, without a server."""

from __future__ import annotations

import itertools
import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional, Union, cast

from ..agi.commands import Commands
from .link import Link
from .simulation import SimulatedReactor

if TYPE_CHECKING:
    from ..agi import Call, FastAGI, Reply
    from ..agi.server import CallServer
    from ..loop import Loop

#: The reply to a command: its text, a function ``(arguments) -> text``, or None for no reply.
Scripted = Union[str, Callable[[list[str]], Optional[str]], None]

UNKNOWN = "510 Invalid or unknown command"
DEAD = "511 Command Not Permitted on a dead channel or intercept routine"
OK = "200 result=0"

NAMES = {tuple(name.split("_")) for name in vars(Commands) if not name.startswith("_")}
_RUN_DEAD = {
    *("asyncagi break", "database del", "database deltree", "database get", "database put", "exec", "noop"),
    *("get full variable", "get variable", "set variable", "speech destroy", "speech unload grammar", "verbose"),
}
_numbers = itertools.count(1)


def split_command(text: str) -> list[str]:
    """Split a command into words, unquoted as the server does. Source: Asterisk res_agi.c, parse_args."""
    words: list[str] = []
    quoted = escaped = False
    between = True
    for char in text:
        if char == '"' and not escaped:
            quoted = not quoted
            if quoted and between:
                words.append("")
                between = False
        elif char in " \t" and not quoted and not escaped:
            between = True
        elif char == "\\" and not escaped:
            escaped = True
            continue
        else:
            if between:
                words.append("")
                between = False
            words[-1] += char
        escaped = False
    return words


class FakeCaller:
    """A caller. It answers AGI commands as Asterisk does, in AsyncAGI and FastAGI.

    It stores variables and a database. When it is asked for keys, it presses those of ``digits``. Playing a file takes
    no time.

    Arguments:
        channel, number, name: the caller's channel, number and name.
        path: the path that the dialplan requests: ``/ivr/de?x=1``.
        arguments: arguments of the dialplan's AGI application.
        digits: the keys that the caller will press. A space stands for a wait that ends without a key.
        variables: channel variables.

    Attributes: ``commands``, the commands received, as lists of words; ``variables``; ``database``; ``ended``, whether
    the call was returned to the dialplan or its session ended otherwise; ``hung_up``.
    """

    def __init__(
        self,
        *,
        channel: str = "",
        number: str = "100",
        name: str = "Alice",
        path: str = "/",
        arguments: Sequence[str] = (),
        digits: str = "",
        variables: Optional[Mapping[str, str]] = None,
    ) -> None:
        serial = next(_numbers)
        self.channel = channel or f"PJSIP/{number}-{serial:08x}"
        self.uniqueid = f"1700000000.{serial}"
        self.number = number
        self.name = name
        self.path = path
        self.arguments = list(arguments)
        self.digits = digits
        self.variables: dict[str, str] = dict(variables or {})
        self.database: dict[tuple[str, str], str] = {}
        self.commands: list[list[str]] = []
        self.hung_up = False
        self.ended = False
        self._scripts: dict[str, Scripted] = {}
        self._hang_up_at: Optional[int] = None
        self._on_hangup: Optional[Callable[[], object]] = None
        self._on_drop: Optional[Callable[[], object]] = None

    def __repr__(self) -> str:
        return f"<FakeCaller {self.channel}>"

    def environment(self, request: str) -> str:
        """Return what the server sends at the start, with ``request`` as the URL."""
        lines = {
            "request": request,
            "channel": self.channel,
            "language": "en",
            "type": self.channel.partition("/")[0],
            "uniqueid": self.uniqueid,
            "version": "22.10.1",
            "callerid": self.number or "unknown",
            "calleridname": self.name or "unknown",
            "dnid": "unknown",
            "rdnis": "unknown",
            "context": "default",
            "extension": "s",
            "priority": "1",
            "enhanced": "0.0",
            "accountcode": "",
            **{f"arg_{number}": argument for number, argument in enumerate(self.arguments, 1)},
        }
        return "".join(f"agi_{name}: {value}\n" for name, value in lines.items()) + "\n"

    # -- the script of a test

    def on(self, command: str, reply: Scripted) -> None:
        """Answer a command, such as ``GET DATA``, with ``reply`` from now on. None means that no answer comes."""
        self._scripts[command.lower()] = reply

    def hang_up_at(self, number: int) -> None:
        """Hang up when the command of this number arrives, counted from 1. Its result is -1."""
        self._hang_up_at = number

    def hang_up(self) -> None:
        """Hang up now."""
        if not self.hung_up:
            self.hung_up = True
            if self._on_hangup is not None:
                self._on_hangup()

    def dial(self, agi: FastAGI) -> FakeCaller:
        """Connect to a FastAGI server, as the dialplan's ``AGI(agi://host/path)`` does. Return the caller.

        No port is used, so the server may listen anywhere.
        """
        FastCall(agi, self)
        return self

    def drop(self) -> None:
        """Cut the connection that :meth:`dial` made, as when a server is killed."""
        if self._on_drop is None:
            raise RuntimeError("this caller has no connection: call dial() first")
        self._on_drop()

    def attach(self, on_hangup: Callable[[], object], on_drop: Optional[Callable[[], object]] = None) -> None:
        """Call ``on_hangup()`` when the caller hangs up, and ``on_drop()`` when its connection is cut."""
        self._on_hangup = on_hangup
        self._on_drop = on_drop

    # -- answers

    def answer(self, text: str) -> Optional[str]:
        """Return the reply to a command. None means that no reply comes."""
        words = split_command(text)
        self.commands.append(words)
        if len(self.commands) == self._hang_up_at:
            self.hang_up()
            return "200 result=-1"
        name, arguments = _find(words)
        if name in self._scripts:
            reply = self._scripts[name]
            return reply(arguments) if callable(reply) else reply
        if not name:
            return UNKNOWN
        if self.hung_up and name not in _RUN_DEAD:
            return DEAD
        handler = getattr(self, "_" + name.replace(" ", "_"), None)
        try:
            return OK if handler is None else str(handler(*arguments))
        except TypeError:
            return "520-Invalid command syntax.  Proper usage follows:\nUsage\n520 End of proper usage."

    def _key(self, among: Optional[str] = None) -> str:
        """Return the next key, if it is one of these."""
        digit, rest = self.digits[:1], self.digits[1:]
        if not digit or (among is not None and digit not in among):
            return ""
        self.digits = rest
        return digit.strip()

    def _pressed(self, digit: str, more: str = "") -> str:
        return f"200 result={ord(digit) if digit else 0}{more}"

    def _stream_file(self, file: str, escape_digits: str, offset: str = "0") -> str:
        return self._pressed(self._key(escape_digits), " endpos=8000")

    def _control_stream_file(self, file: str, escape_digits: str, *options: str) -> str:
        return self._pressed(self._key(escape_digits), " endpos=8000")

    def _get_option(self, file: str, escape_digits: str, timeout: str = "0") -> str:
        return self._pressed(self._key(escape_digits), " endpos=8000")

    def _wait_for_digit(self, timeout: str) -> str:
        return self._pressed(self._key())

    def _get_data(self, file: str, timeout: str = "0", maximum: str = "1024") -> str:
        digits = ""
        while len(digits) < int(maximum or 1024):
            digit = self._key()
            if digit == "#":
                return f"200 result={digits}"
            if not digit:
                return f"200 result={digits} (timeout)"
            digits += digit
        return f"200 result={digits}"

    def _record_file(self, file: str, kind: str, escape_digits: str, timeout: str, *options: str) -> str:
        digit = self._key(escape_digits)
        return self._pressed(digit, f" ({'dtmf' if digit else 'timeout'}) endpos=8000")

    def _say_digits(self, text: str, escape_digits: str, *options: str) -> str:
        return self._pressed(self._key(escape_digits))

    _say_alpha = _say_date = _say_datetime = _say_number = _say_phonetic = _say_time = _say_digits

    def _channel_status(self, channel: str = "") -> str:
        return "200 result=6" if channel in ("", self.channel) else "200 result=-1"

    def _hangup(self, channel: str = "") -> str:
        if channel not in ("", self.channel):
            return "200 result=-1"
        self.hang_up()
        return "200 result=1"

    def _verbose(self, message: str, level: str = "1") -> str:
        return "200 result=1"

    def _set_callerid(self, number: str) -> str:
        return "200 result=1"

    def _set_variable(self, name: str, value: str) -> str:
        self.variables[name] = value
        return "200 result=1"

    def _get_variable(self, name: str) -> str:
        return f"200 result=1 ({self.variables[name]})" if name in self.variables else OK

    def _get_full_variable(self, expression: str, channel: str = "") -> str:
        for name, value in self.variables.items():
            expression = expression.replace(f"${{{name}}}", value)
        return f"200 result=1 ({expression})"

    def _database_put(self, family: str, key: str, value: str) -> str:
        self.database[family, key] = value
        return "200 result=1"

    def _database_get(self, family: str, key: str) -> str:
        value = self.database.get((family, key))
        return OK if value is None else f"200 result=1 ({value})"

    def _database_del(self, family: str, key: str) -> str:
        self.database.pop((family, key), None)
        return "200 result=1"

    def _database_deltree(self, family: str, tree: str = "") -> str:
        found = [key for key in self.database if key[0] == family and key[1].startswith(tree)]
        for key in found:
            del self.database[key]
        return f"200 result={int(not found)}"  # 1 if nothing was found: both versions of Asterisk do it this way


class FastCall:
    """The connection of a caller to a FastAGI server."""

    def __init__(self, agi: FastAGI, caller: FakeCaller) -> None:
        self._caller = caller
        self._received = b""
        self._answering = False
        caller.attach(self._hung_up, self._drop)
        ours, theirs = _sockets(agi.reactor)
        ours.setblocking(False)
        self._link = Link(agi.reactor, ours, self._told, self._closed)
        agi.take(theirs)
        environment = caller.environment(f"agi://127.0.0.1/{caller.path.lstrip('/')}")
        self._link.write(environment.encode("utf-8", "surrogateescape"))

    def _told(self, data: bytes) -> None:
        if not data:
            self._link.close()
            return
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            was_up = not self._caller.hung_up
            self._answering = True
            reply = self._caller.answer(line.decode("utf-8", "surrogateescape"))
            self._answering = False
            if reply is not None:
                self._link.write(f"{reply}\n".encode("utf-8", "surrogateescape"))
            if was_up and self._caller.hung_up:
                self._hung_up()

    def _hung_up(self) -> None:
        if not self._answering:  # otherwise the reply comes first
            self._link.write(b"HANGUP\n")

    def _drop(self) -> None:
        self._link.drop(reset=True)

    def _closed(self) -> None:
        self._caller.ended = True


def _sockets(loop: Loop) -> tuple[socket.socket, socket.socket]:
    """Return two connected sockets that a loop can watch."""
    if not isinstance(loop, SimulatedReactor):
        return socket.socketpair()
    ours, theirs = loop.network.socket(socket.AF_INET), loop.network.socket(socket.AF_INET)
    ours.join(theirs)
    for sock in (ours, theirs):
        sock.be_connected("")
    return cast("tuple[socket.socket, socket.socket]", (ours, theirs))


def _find(words: Sequence[str]) -> tuple[str, list[str]]:
    """Return the command at the start of the words, in lower case, and its arguments. ``""`` if there is none."""
    for size in (3, 2, 1):
        name = tuple(word.lower() for word in words[:size])
        if name in NAMES:
            return " ".join(name), list(words[size:])
    return "", list(words)


@dataclass
class CallRecording:
    """What was sent in one session: the environment, then the commands, each with its reply.

    ``error`` names the error that ended the session. It is ``""`` if the call was returned to the dialplan.
    """

    environment: dict[str, str]
    replies: list[tuple[str, str]] = field(default_factory=list)
    error: str = ""

    def save(self, path: Union[str, Path]) -> None:
        """Write the recording to a file, as JSON."""
        content = {"environment": self.environment, "replies": self.replies, "error": self.error}
        Path(path).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Union[str, Path]) -> CallRecording:
        """Read a recording from a file. Raises ValueError if it is not one."""
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        try:
            replies = [(str(command), str(reply)) for command, reply in content["replies"]]
            return cls(dict(content["environment"]), replies, str(content["error"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a recording of a call: {error!r}") from None


class CallRecorder:
    """Records all calls of an AsyncAGI or FastAGI server, also with a real Asterisk.

    Attributes: ``recordings``, those of the calls that have ended, in the order in which they ended.
    """

    def __init__(self, agi: CallServer) -> None:
        self.recordings: list[CallRecording] = []
        self._open: dict[Call, CallRecording] = {}
        agi.on("reply", self._replied)
        agi.on("end", self._ended)

    def _recording_of(self, call: Call) -> CallRecording:
        return self._open.setdefault(call, CallRecording(dict(call.env)))

    def _replied(self, call: Call, command: str, reply: Reply) -> None:
        if reply.text:
            self._recording_of(call).replies.append((command, reply.text))

    def _ended(self, call: Call) -> None:
        recording = self._recording_of(call)
        del self._open[call]
        recording.error = "" if call.error is None else type(call.error).__name__
        self.recordings.append(recording)


class ReplayingCaller(FakeCaller):
    """A caller that repeats the replies of a recorded one, command by command.

    A command that differs from the recorded one gets 510 and makes :meth:`verify` fail. A recorded hangup comes after
    the last reply.
    """

    def __init__(self, recording: CallRecording) -> None:
        super().__init__()
        self.recording = recording
        self.wrong: list[str] = []
        self._left = list(recording.replies)
        self.channel = recording.environment.get("agi_channel", self.channel)
        self.uniqueid = recording.environment.get("agi_uniqueid", self.uniqueid)

    def environment(self, request: str) -> str:
        """The recorded environment. Its request is kept, because it has the path."""
        return "".join(f"{name}: {value}\n" for name, value in self.recording.environment.items()) + "\n"

    def answer(self, text: str) -> Optional[str]:
        """The recorded reply."""
        words = split_command(text)
        self.commands.append(words)
        expected, reply = self._left.pop(0) if self._left else ("nothing", UNKNOWN)
        if split_command(expected) != words:
            self.wrong.append(f"{text!r} instead of {expected!r}")
            reply = UNKNOWN
        if not self._left and self.recording.error == "HungUp":
            self.hang_up()
        return reply

    def verify(self) -> None:
        """Raise AssertionError if a command differed or is missing."""
        missing = [f"{command!r} did not come" for command, _ in self._left]
        if self.wrong or missing:
            raise AssertionError("; ".join([*self.wrong, *missing]))
