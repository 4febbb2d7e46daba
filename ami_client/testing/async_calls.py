"""AsyncAGI on the embedded server: callers whose dialplan runs ``AGI(agi:async)``."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Callable, Optional
from urllib.parse import quote

from .script import Value

if TYPE_CHECKING:
    from .caller import FakeCaller
    from .script import Headers

Emit = Callable[["Headers"], object]


class AsyncCalls:
    """The callers in AsyncAGI."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._calls: list[AsyncCall] = []

    def start(self, caller: FakeCaller) -> None:
        """Announce a caller, and accept commands for it."""
        self._calls = [call for call in self._calls if not call.caller.ended]
        self._calls.append(AsyncCall(caller, self._emit))

    def find(self, channel: str) -> Optional[AsyncCall]:
        """Return the caller by its channel's name or unique id."""
        names = ((call, (call.caller.channel, call.caller.uniqueid)) for call in self._calls if not call.caller.ended)
        return next((call for call, known in names if channel in known), None)


class AsyncCall:
    """One caller in AsyncAGI."""

    def __init__(self, caller: FakeCaller, emit: Emit) -> None:
        self.caller = caller
        self._emit = emit
        self._queue: deque[tuple[str, str]] = deque()
        self._answering = False
        self._stuck = False  # a command was left unanswered
        path = [caller.path] if caller.path != "/" else []
        caller.arguments = path + caller.arguments
        caller.attach(self._hung_up)
        self._tell("AsyncAGIStart", Env=_encode(caller.environment("async")))

    def add(self, command: str, command_id: str) -> None:
        """Queue a command, and execute what is ready."""
        self._queue.append((command, command_id))
        while self._queue and not self._stuck and not self.caller.ended:
            self._execute(*self._queue.popleft())

    def _execute(self, command: str, command_id: str) -> None:
        self._answering = True
        reply = self.caller.answer(command)
        self._answering = False
        if reply is None:
            self._stuck = not self.caller.hung_up
        else:
            identity = {"CommandId": command_id} if command_id else {}
            self._tell("AsyncAGIExec", Result=_encode(reply + "\n"), **identity)
        if self.caller.hung_up or command.lower() == "asyncagi break":
            self._end()

    def _hung_up(self) -> None:
        if not self._answering:  # otherwise the reply comes first
            self._end()

    def _end(self) -> None:
        self.caller.ended = True
        self._tell("AsyncAGIEnd")

    def _tell(self, event: str, **headers: Value) -> None:
        about = {"Channel": self.caller.channel, "Uniqueid": self.caller.uniqueid}
        self._emit({"Event": event, "Privilege": "agi,all", **about, **headers})


def _encode(text: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe="")
