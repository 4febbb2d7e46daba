"""The call object that handlers get."""

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
    """The part of a server that its calls use.

    Attributes: ``command_timeout``, the timeout of commands that have none of their own, in seconds.
    """

    command_timeout: Optional[float]

    def call_replied(self, call: Call, command: Command, reply: Reply) -> None:
        """Note that a command of a call was answered or has failed."""

    def call_hung_up(self, call: Call) -> None:
        """Note that a call hung up."""

    def call_ended(self, call: Call) -> None:
        """Note that a call's session is over."""


class Facts:
    """Facts about a call, from what the server sent at its start.

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
        """The arguments of the dialplan's AGI application, without the first one."""
        return self.env.arguments

    @property
    def path(self) -> str:
        """The path of the request: ``/ivr/de`` of ``agi://host/ivr/de?x=1``, or of ``AGI(agi:async,/ivr/de)``."""
        return self.env.path

    @property
    def query(self) -> dict[str, str]:
        """The parameters after the path's question mark."""
        return self.env.query


class Call(Facts, Menus["Pending[Reply]", "Pending[Entry]"], CallEvents):
    """A call that the dialplan has passed to AsyncAGI or FastAGI.

    Every AGI command is a method. Each method returns an awaitable, and accepts a callback ``cb(call, reply)``. The
    callback is called exactly once: with the server's reply, or with one whose ``error`` says why there is none.
    Commands are executed in the order of the calls; you need not wait for one before the next.

    Events: ``hangup`` and ``end`` call ``handler(call)``. After ``hangup``, FastAGI still executes commands that need
    no channel, such as SET VARIABLE, until all are answered.
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

    # -- properties

    @property
    def hung_up(self) -> bool:
        """Whether the call hung up."""
        return self._session.hung_up

    @property
    def ended(self) -> bool:
        """Whether the session is over. After that every command fails."""
        return self._session.is_over

    @property
    def error(self) -> Optional[AMIError]:
        """Why the session ended. None while it is open, and if the call was returned to the dialplan."""
        return self._session.error

    # -- commands

    def command(
        self,
        text: str,
        cb: Optional[Callable[[Self, Reply], object]] = None,
        *,
        time_limit: Optional[float] = None,
    ) -> Pending[Reply]:
        """Send a command as text, with the arguments already quoted: ``GET VARIABLE "CALLERID(num)"``.

        Raises ValueError for a line feed, and for a text that is too long for the server.
        """
        return self._submit(*self._prepare(text, cb, time_limit))

    def finish(self) -> None:
        """Return the call to the dialplan after the commands that were sent. Calling it again has no effect."""
        self._session.finish()

    def close(self) -> None:
        """Like :meth:`finish`, but at once: commands in flight fail."""
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
        """Check a command and its timeout. Any thread may do so. If ``returns_value`` is None, the text decides."""
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

    # -- for its server

    @property
    def _idle_since(self) -> Optional[float]:
        """Since when the call has had no command and no running handler. None if it has one."""
        session = self._session
        return session.idle_since if session.is_idle and session.is_open and not session.held else None

    def _hold(self) -> None:
        """Note that a handler is running. It will release the call."""
        self._session.held = True

    def _release(self) -> None:
        self._session.held = False
        self._session.finish()

    # -- called by the session

    def _hung_up(self) -> None:
        self._emit("hangup", self)
        self._host.call_hung_up(self)

    def _ended(self) -> None:
        self._emit("end", self)
        self._host.call_ended(self)
