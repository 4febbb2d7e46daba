"""A call as its handler sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Callable, Optional, Protocol

from .._engine.text import printable
from ..callbacks import call_guarded, require_callable
from ..options import seconds
from .errors import CallEnded, HungUp
from .events import CallEvents
from .menus import Entry, Menus, Script
from .pending import Command, Pending
from .protocol import Argument, Environment, Reply, command_line, encode_line
from .session import Session

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..errors import AMIError
    from ..loop import Loop
    from .session import Link

_CALL_REPLY = ("call", "reply")
_RETURN_VALUES = (["get", "variable"], ["get", "full"], ["database", "get"], ["receive", "text"])


class Host(Protocol):
    """What calls need of the server that they came in by.

    Attributes: ``command_timeout``, the time limit of commands without one of their own, in seconds.
    """

    command_timeout: Optional[float]

    def call_replied(self, call: Call, command: Command, reply: Reply) -> None:
        """A command of a call was answered, or has failed."""

    def call_hung_up(self, call: Call) -> None:
        """A call hung up."""

    def call_ended(self, call: Call) -> None:
        """A call's session is over."""


class Facts:
    """What a call is, from what the server told at its start.

    Attributes: ``env``, all of it, with the server's names; ``params``, the parts of the path that the route names.
    """

    def __init__(self, env: Environment, params: dict[str, str]) -> None:
        self.env = env
        self.params = params

    @property
    def channel(self) -> str:
        """The channel's name: ``PJSIP/100-00000001``."""
        return self.env.get("agi_channel", "")

    @property
    def uniqueid(self) -> str:
        """The channel's unique id."""
        return self.env.get("agi_uniqueid", "")

    @property
    def arguments(self) -> list[str]:
        """The arguments of the dialplan's AGI application, without the first."""
        return self.env.arguments

    @property
    def path(self) -> str:
        """The path of the request: ``/ivr/de`` of ``agi://host/ivr/de?x=1``, or of ``AGI(agi:async,/ivr/de)``."""
        return self.env.path

    @property
    def query(self) -> dict[str, str]:
        """The parameters behind the path's question mark."""
        return self.env.query


class Call(Facts, Menus["Pending[Reply]", "Pending[Entry]"], CallEvents):
    """A call that the dialplan gave to us, by AsyncAGI or FastAGI.

    Every command of AGI is a method. Each returns what can be awaited, and takes a callback ``cb(call, reply)``, which
    is called exactly once: with the server's reply, or one whose ``error`` says why there is none. Commands are carried
    out in the order in which they were given, and need not wait for each other.

    Events: ``hangup`` and ``end`` call ``handler(call)``. After ``hangup`` FastAGI still takes commands that need no
    channel, such as SET VARIABLE, until all are answered.
    """

    def __init__(self, loop: Loop, link: Link, env: Environment, host: Host) -> None:
        Facts.__init__(self, env, {})
        CallEvents.__init__(self)
        self._host = host
        self._limit = link.limit
        self._session = Session(loop, link, self, host.call_replied, self._hung_up, self._ended)
        link.attach(self._session)

    def __repr__(self) -> str:
        state = "ended" if self.ended else "hung up" if self.hung_up else "open"
        return f"<Call {self} {state}>"

    def __str__(self) -> str:
        """The channel's name, safe for a log."""
        return printable(self.channel)

    # -- what it is

    @property
    def hung_up(self) -> bool:
        """Whether the call hung up."""
        return self._session.hung_up

    @property
    def ended(self) -> bool:
        """Whether the session is over. Every command fails from then on."""
        return self._session.is_over

    @property
    def error(self) -> Optional[AMIError]:
        """Why the session ended; None while it lives, and if we handed the call back."""
        return self._session.error

    # -- what can be done

    def command(
        self,
        text: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Pending[Reply]:
        """Send a command as text, its arguments quoted by you: ``GET VARIABLE "CALLERID(num)"``.

        Raises ValueError for a line feed, and for a text that is longer than the server reads.
        """
        return self._submit(*self._prepare(text, cb, time_limit))

    def finish(self) -> None:
        """Hand the call back behind the commands that were given: the dialplan goes on. Again is no error."""
        self._session.finish()

    def close(self) -> None:
        """As :meth:`finish`, but at once: commands on their way fail."""
        self._session.close(CallEnded("the call was closed"))

    # -- required by the base classes

    def _command(
        self,
        name: str,
        arguments: Sequence[Argument],
        cb: Optional[Callable[[Self, Reply], object]],
        time_limit: Optional[float],
        returns_value: bool = False,
    ) -> Pending[Reply]:
        command, limit = self._prepare(command_line(name, arguments), cb, time_limit, returns_value)
        self._session.submit(command, limit)
        return command

    def _prepare(
        self,
        text: str,
        cb: Optional[Callable[[Self, Reply], object]],
        time_limit: Optional[float],
        returns_value: Optional[bool] = None,
    ) -> tuple[Command, Optional[float]]:
        """Check a command, and its time limit. Any thread may do so. ``returns_value`` of None: its text tells."""
        if cb is not None:
            require_callable(cb, "callback", _CALL_REPLY)
        if returns_value is None:
            returns_value = text.lower().split(None, 2)[:2] in _RETURN_VALUES
        limit = self._host.command_timeout if time_limit is None else seconds("time_limit", time_limit)
        return Command(encode_line(text, self._limit), cb, returns_value), limit

    def _submit(self, command: Command, time_limit: Optional[float]) -> Pending[Reply]:
        self._session.submit(command, time_limit)
        return command

    def _run(self, script: Script[Pending[Reply]], cb: Optional[Callable[[Self, Entry], object]]) -> Pending[Entry]:
        if cb is not None:
            require_callable(cb, "callback", ("call", "entry"))
        entry: Pending[Entry] = Pending(cb)

        def end(result: Entry) -> None:
            callback = entry.settle(result)
            if callback is not None:
                call_guarded(callback, self, result)

        def step(call: Call, reply: Optional[Reply]) -> None:
            if reply is not None and reply.error is not None:
                end(Entry(error=reply.error))
                return
            if entry.given_up:
                return
            try:
                command = next(script) if reply is None else script.send(reply)
            except StopIteration as done:
                end(done.value)
            except HungUp as error:
                end(Entry(error=error))
            else:
                command.callback = step

        step(self, None)
        return entry

    # -- for the server that has it

    @property
    def _idle_since(self) -> Optional[float]:
        """Since when nothing was asked of it and no handler is at work; None if that is not so."""
        session = self._session
        return session.idle_since if session.is_idle and session.is_open and not session.held else None

    def _hold(self) -> None:
        """A handler is at work, which will release it."""
        self._session.held = True

    def _release(self) -> None:
        self._session.held = False
        self._session.finish()

    # -- what becomes of the session

    def _hung_up(self) -> None:
        self._emit("hangup", self)
        self._host.call_hung_up(self)

    def _ended(self) -> None:
        self._emit("end", self)
        self._host.call_ended(self)
