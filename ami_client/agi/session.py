"""A call's session: commands in order, each answered exactly once, on any link."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any, Callable, Optional, Protocol

from .._client.resume import resumed
from ..callbacks import call_guarded
from .errors import CallEnded, CommandTimeout, HungUp
from .pending import Command
from .protocol import Reply, failure, read_reply

if TYPE_CHECKING:
    from ..errors import AMIError
    from ..loop import Loop


Hook = Callable[[], object]
ReplyHook = Callable[[Any, Command, Reply], object]


class Link(Protocol):
    """The link to the server, for one call.

    Attributes: ``limit``, the maximum length of a command in bytes; ``ahead``, whether commands may be sent before
    earlier ones are answered.
    """

    limit: int
    ahead: bool

    def attach(self, session: Session) -> None:
        """Use this link for a session."""

    def send(self, command: Command) -> None:
        """Send a command. The link answers it by :meth:`Session.answer` or :meth:`Session.settle`."""

    def hand_back(self) -> None:
        """Return the call to the dialplan. The link calls :meth:`Session.end` when that is done."""

    def cut(self) -> None:
        """Drop the call at once."""


class Phase(Enum):
    """The phase of a session."""

    OPEN = "open"
    FINISHING = "finishing"  # accepts no more commands; the call is returned after those that it has
    OVER = "over"


_MOVES = {
    Phase.OPEN: (Phase.FINISHING, Phase.OVER),
    Phase.FINISHING: (Phase.OVER,),
    Phase.OVER: (),
}


class Session:
    """The commands of one call.

    ``caller`` is the first argument of all callbacks. ``on_reply(caller, command, reply)`` is called before a command's
    own callback, ``on_hangup()`` when the call hangs up, ``on_end()`` when the session is over and all commands have
    their replies.

    Attributes: ``hung_up``; ``error``, why the session ended, None if the call was returned; ``held``, whether a
    running handler will finish it.
    """

    def __init__(
        self, loop: Loop, link: Link, caller: object, on_reply: ReplyHook, on_hangup: Hook, on_end: Hook
    ) -> None:
        self.hung_up = False
        self.held = False
        self.error: Optional[AMIError] = None
        self.idle_since = loop.time()
        self._loop = loop
        self._link = link
        self._caller = caller
        self._on_reply = on_reply
        self._on_hangup = on_hangup
        self._on_end = on_end
        self._phase = Phase.OPEN
        self._number = 0
        self._sent: dict[int, Command] = {}  # in the order of sending
        self._unsent: deque[Command] = deque()

    @property
    def is_over(self) -> bool:
        """Whether the session has ended."""
        return self._phase is Phase.OVER

    @property
    def is_open(self) -> bool:
        """Whether it accepts commands."""
        return self._phase is Phase.OPEN

    @property
    def is_idle(self) -> bool:
        """Whether no command is in flight."""
        return not self._sent and not self._unsent

    @property
    def oldest(self) -> Optional[Command]:
        """The command that the server will answer next."""
        for command in self._sent.values():
            return command
        return None

    def sent(self, key: int) -> Optional[Command]:
        """A command that waits for its reply."""
        return self._sent.get(key)

    def submit(self, command: Command, time_limit: Optional[float]) -> None:
        """Send a command, now or in its turn."""
        if self._phase is not Phase.OPEN:
            self._loop.call_soon(self._tell, command, failure(self.error or CallEnded("the call was handed back")))
            return
        self._number = key = self._number + 1
        command.key = key
        if time_limit is not None:
            command.timer = self._loop.call_later(time_limit, self._late, command, time_limit)
        if (self._sent or self._unsent) and not self._link.ahead:
            self._unsent.append(command)
        else:
            self._sent[key] = command
            self._link.send(command)

    def answer(self, command: Command, data: bytes, hung_up: bool = False) -> None:
        """Handle the server's reply to a command. It may also tell that the call hung up."""
        reply = read_reply(data)
        # The dialplan may have turned off hangup notices (AGISIGHUP). Then a refusal reports the hangup.
        self.settle(command, reply, hung_up or reply.code == 511)

    def settle(self, command: Command, reply: Reply, hung_up: bool = False) -> None:
        """Deliver the reply of a command that was sent."""
        if self._sent.pop(command.key, None) is None:
            return
        try:
            self._tell(command, reply)
        finally:
            if hung_up:
                self.told_of_hangup()
            self._next()

    def told_of_hangup(self) -> None:
        """Handle a hangup. Unsent commands fail. The server still answers those that were sent."""
        if self.hung_up or self.is_over:
            return
        self.hung_up = True
        self._drain(HungUp("the call hung up"))
        if not self.is_over:
            self._on_hangup()
        self._next()

    def finish(self) -> None:
        """Return the call to the dialplan after the commands that were submitted."""
        if self._phase is Phase.OPEN:
            self._move(Phase.FINISHING)
            if self._link.ahead or self.is_idle:
                self._link.hand_back()

    def close(self, error: AMIError) -> None:
        """Return the call to the dialplan at once. Commands in flight fail."""
        if not self.is_over:
            self._link.cut()
            self.end(error)

    def end(self, error: Optional[AMIError]) -> None:
        """End the session. All commands in flight fail."""
        if self.is_over:
            return
        self._move(Phase.OVER)
        self.error = error
        news = isinstance(error, HungUp) and not self.hung_up
        self.hung_up = self.hung_up or news
        self._unsent.extendleft(reversed(self._sent.values()))
        self._sent.clear()
        try:
            self._drain(error or CallEnded("the call was handed back"))
        finally:
            if news:
                self._on_hangup()
            self._on_end()

    def _drain(self, error: AMIError) -> None:
        """Fail all unsent commands."""
        unsent, self._unsent = self._unsent, deque()  # callbacks may submit more
        self._fail_all(unsent, error)

    def _fail_all(self, unsent: deque[Command], error: AMIError) -> None:
        with resumed(self._loop, self._fail_all, unsent, error):
            while unsent:
                self._tell(unsent.popleft(), failure(error))

    def _send(self, command: Command) -> None:
        self._sent[command.key] = command
        self._link.send(command)

    def _next(self) -> None:
        if self._sent or self._phase is Phase.OVER:
            return
        while self._unsent:
            command = self._unsent.popleft()
            if command.given_up:
                self._tell(command, failure(CallEnded("the command was given up")))
            else:
                self._send(command)
                return
        self.idle_since = self._loop.time()
        if self._phase is Phase.FINISHING and not self._link.ahead:
            self._link.hand_back()
        elif self.hung_up and not self.held:
            self.finish()

    def _tell(self, command: Command, reply: Reply) -> None:
        if command.timer is not None:
            command.timer.cancel()
        if command.result is None:  # it may have timed out
            self._on_reply(self._caller, command, reply)
            callback = command.settle(reply)
            if callback is not None:
                call_guarded(callback, self._caller, reply)

    def _late(self, command: Command, time_limit: float) -> None:
        # Sent or not: if it was sent, the server still owes the reply, and later commands wait for it.
        if command in self._unsent:
            self._unsent.remove(command)
        self._tell(command, failure(CommandTimeout(f"no reply within {time_limit:g} s")))

    def _move(self, phase: Phase) -> None:
        if phase not in _MOVES[self._phase]:
            raise RuntimeError(f"a session cannot go from {self._phase.value} to {phase.value}")
        self._phase = phase
