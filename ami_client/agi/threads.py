"""Blocking handlers: a bounded pool of threads, and the call object for them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from queue import SimpleQueue
from typing import TYPE_CHECKING, Callable, Optional

from .call import Call, Facts
from .errors import CallEnded
from .menus import Entry, Menus, Script
from .protocol import Argument, Reply, command_line

if TYPE_CHECKING:
    from ..errors import AMIError
    from ..loop import Loop


class BlockingCall(Facts, Menus[Reply, Entry]):
    """A call for a handler that runs in its own thread. Each method waits, and returns the reply.

    A method raises the reply's error: :class:`~ami_client.agi.HungUp`, :class:`~ami_client.agi.CommandFailed`, ... It
    accepts no callback.
    """

    def __init__(self, loop: Loop, call: Call) -> None:
        super().__init__(call.env, call.params)
        self._loop = loop
        self._call = call

    def __repr__(self) -> str:
        return f"<BlockingCall {self.channel}>"

    @property
    def hung_up(self) -> bool:
        """Whether the call hung up."""
        return self._call.hung_up

    @property
    def ended(self) -> bool:
        """Whether the session is over. After that every command raises."""
        return self._call.ended

    @property
    def error(self) -> Optional[AMIError]:
        """Why the session ended. None while it is open, and if the call was returned to the dialplan."""
        return self._call.error

    def command(self, text: str, *, time_limit: Optional[float] = None) -> Reply:
        """Like :meth:`Call.command <ami_client.agi.Call.command>`, but wait for the reply."""
        return self._wait_for(text, time_limit, None)

    def finish(self) -> None:
        """Return the call to the dialplan. Returning from the handler does the same."""
        self._loop.call_soon_threadsafe(self._call.finish)

    def _command(
        self,
        name: str,
        arguments: Sequence[Argument],
        cb: Optional[Callable[..., object]],
        time_limit: Optional[float],
        returns_value: bool = False,
    ) -> Reply:
        _refuse_callback(cb)
        return self._wait_for(command_line(name, arguments), time_limit, returns_value)

    def _run(self, script: Script[Reply], cb: Optional[Callable[..., object]]) -> Entry:
        _refuse_callback(cb)
        reply: Optional[Reply] = None
        while True:
            try:
                reply = next(script) if reply is None else script.send(reply)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # a generator's value has no type here

    def _wait_for(self, text: str, time_limit: Optional[float], returns_value: Optional[bool]) -> Reply:
        came = threading.Event()
        replies: list[Reply] = []

        def answered(call: Call, reply: Reply) -> None:
            replies.append(reply)
            came.set()

        command, limit = self._call._prepare(text, answered, time_limit, returns_value)
        try:
            self._loop.call_soon_threadsafe(self._call._submit, command, limit)
        except RuntimeError:
            raise CallEnded("the event loop is closed, and so is the call") from None
        came.wait()
        error = replies[0].error
        if error is not None:
            raise error
        return replies[0]


def _refuse_callback(cb: Optional[Callable[..., object]]) -> None:
    if cb is not None:
        raise TypeError("a blocking call accepts no callback: its methods return the reply")


class Threads:
    """At most ``limit`` daemon threads, started on demand. If none is free, work waits for one."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._work: SimpleQueue[Optional[Callable[[], object]]] = SimpleQueue()
        self._made = 0
        self._free = 0  # idle threads, minus the work that will wake them
        self._lock = threading.Lock()

    def run(self, work: Callable[[], object]) -> None:
        """Call ``work()`` in a thread."""
        with self._lock:
            if self._free > 0:
                self._free -= 1
            elif self._made < self._limit:
                self._made += 1
                threading.Thread(target=self._serve, name=f"agi-{self._made}", daemon=True).start()
            else:
                self._free -= 1
        self._work.put(work)

    def close(self) -> None:
        """Let the threads end after their current work."""
        for _ in range(self._made):
            self._work.put(None)

    def _serve(self) -> None:
        while True:
            work = self._work.get()
            if work is None:
                return
            work()
            with self._lock:
                self._free += 1
