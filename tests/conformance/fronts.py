"""Adapters that play the records through ``await`` and through plain calls.

A client of the way stands in front of each connection of a record. It sends the record's actions; what awaiting or
calling gives, or raises, is told in the place of the action's callback. How that is compared:

* A front raises an error where a callback gets the packet of one: an error is expected then.
* An await is resumed, and a thread wakes up, after the handlers of what came along with the answer. So answers are
  compared by the names of their callbacks, and everything else in its order.

What the fronts do not have stays as it is in the records: several callbacks that wait for one connection (a client has
its connection alone), actions before the login and after the end of a connection, which a client answers by itself,
actions without a callback, and handlers, which are the pool's in all three ways.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, Optional, SupportsFloat
from unittest.mock import ANY

from phpdaemon_player import Clock, Player
from phpdaemon_records import Happened, argument, callback_name

from ami_client import ActionFailed, AMIError, Connection, Packet, Reactor, aio, blocking
from ami_client.packet import Kind
from ami_client.php import OTHER_NAMES

PATIENCE = 5.0
ACTIONS = {"action", "extension_state", "get_config", "get_config_json", "get_iax_peers", "get_sip_peers", "ping"}
ACTIONS |= {"core_show_channels", "redirect", "set_var", "status", "logoff"}


class SteppedLoop(asyncio.SelectorEventLoop):
    """asyncio's loop with what a player needs of a Reactor."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._time_of = clock

    def time(self) -> float:
        return self._time_of()

    def run_once(self, timeout: SupportsFloat = 0) -> bool:
        """Run an iteration. Return whether it had anything to do, or came to have in so many real seconds."""
        deadline = time.monotonic() + float(timeout)
        this: Any = self
        while True:
            busy = bool(this._ready or this._selector.select(0)) or self._is_due()
            if busy or time.monotonic() >= deadline:
                break
            time.sleep(0.0005)
        self.call_soon(self.stop)
        self.run_forever()
        return busy

    def _is_due(self) -> bool:
        this: Any = self
        return any(timer.when() <= self.time() for timer in this._scheduled if not timer.cancelled())


class FrontPlayer(Player):
    """Plays a record with a client in front of each connection."""

    def __init__(self, record: Any, cut: Optional[int] = None) -> None:
        super().__init__(record, cut)
        self.asked = 0
        self.mistakes = 0  # raised only after the callback was counted as accepted
        self._fronts: dict[Connection, Any] = {}
        self._answers: set[str] = set()  # callbacks whose place a front has taken

    def _call(self, target: object, method: str, args: list[Any]) -> object:
        name = OTHER_NAMES.get(method) or "".join(f"_{char.lower()}" if char.isupper() else char for char in method)
        names = [callback_name(arg) for arg in args if callback_name(arg)]
        if not (isinstance(target, Connection) and target.connected and name in ACTIONS and names):
            return super()._call(target, method, args)
        conn, cb = target, self._once("answer", names[0])
        assert cb is not None
        self.asked += 1
        self._answers.add(cb.__name__)
        given = [argument(arg) for arg in args if callback_name(arg) is None]

        def tell(result: object) -> None:
            try:
                cb(conn, result)
            except RuntimeError:  # as the record says: a bug of the user's, after the await
                self.raised -= 1

        if conn not in self._fronts:
            self._fronts[conn] = self._make_front(conn)
            self._fronts[conn]._link.conn = conn  # where it would get one from the pool
        self._ask(lambda: getattr(self._fronts[conn], name)(*given), tell)
        self.accepted[cb.__name__] += 1
        return None

    def _make_front(self, conn: Connection) -> Any:
        raise NotImplementedError

    def _ask(self, call: Callable[[], Any], tell: Callable[[object], None]) -> None:
        raise NotImplementedError

    def comparable(self, happened: Happened) -> Happened:
        """The same with answers first, and errors in the place of their packets."""
        rest, answers = [], []
        for one in happened.sequence:
            entry: Any = one
            if entry[0] == "cb" and entry[1] in self._answers:
                answers.append([*entry[:2], [self._as_error(arg) for arg in entry[2]]])
            else:
                rest.append(entry)
        answers.sort(key=lambda entry: str(entry[1]))
        return Happened(happened.steps, happened.returned, [*answers, rest], happened.written, happened.closed)

    @staticmethod
    def _as_error(arg: Any) -> Any:
        last = arg[-1] if arg and isinstance(arg, list) and isinstance(arg[-1], list) else arg
        headers = dict(last) if last and isinstance(last, list) and len(last[0]) == 2 else {}
        return "error" if headers.get("response") == "error" or last == [("$error", ANY)] else arg


def failure(error: AMIError) -> Packet:
    """A packet in the place of an error that was raised."""
    packet = Packet.failure(error)
    if isinstance(error, ActionFailed):  # the server has said so
        packet.kind = Kind.RESPONSE
    return packet


class AwaitPlayer(FrontPlayer):
    """Plays a record through ``await``."""

    _tasks: tuple[object, ...] = ()  # which the loop does not keep

    def _make_loop(self, clock: Clock) -> Any:
        return SteppedLoop(clock)

    def _make_front(self, conn: Connection) -> Any:
        return aio.Client(conn.url, pool=self.pool)

    def _ask(self, call: Callable[[], Any], tell: Callable[[object], None]) -> None:
        async def wait() -> None:
            try:
                result = await answer
            except AMIError as error:
                result = failure(error)
            tell(result)

        before = asyncio._get_running_loop()  # None between iterations, where steps are made
        asyncio._set_running_loop(self._reactor)
        try:
            answer = call()
        finally:
            asyncio._set_running_loop(before)
        self._tasks += (self._reactor.create_task(wait()),)


class PlainPlayer(FrontPlayer):
    """Plays a record through plain calls, each in a thread of its own."""

    _threads: tuple[threading.Thread, ...] = ()

    def _make_front(self, conn: Connection) -> Any:
        return blocking.Client(conn.url, pool=self.pool)

    def _ask(self, call: Callable[[], Any], tell: Callable[[object], None]) -> None:
        reactor: Reactor = self._reactor
        queued = len(reactor._ready)

        def wait() -> None:
            try:
                result = call()
            except AMIError as error:
                result = failure(error)
            except ValueError:  # the caller's mistake
                reactor.call_soon_threadsafe(self._note_mistake)
                return
            reactor.call_soon_threadsafe(tell, result)

        thread = threading.Thread(target=wait, daemon=True)
        self._threads += (thread,)
        thread.start()
        deadline = time.monotonic() + PATIENCE
        while len(reactor._ready) == queued:
            assert time.monotonic() < deadline
            time.sleep(0.0002)
        reactor._ready.pop().run()  # as a client with a thread of its own does at once

    def _note_mistake(self) -> None:
        self._happened.sequence.append(["throw", "ValueError"])
        self.mistakes += 1

    def _play(self, part: Any) -> Any:
        played = super()._play(part)
        deadline = time.monotonic() + PATIENCE
        # Those who were answered wake up.
        while sum(map(threading.Thread.is_alive, self._threads)) > self.pool.stats.pending:
            assert time.monotonic() < deadline
            time.sleep(0.0002)
        self._server.settle()
        return played

    def finish(self) -> None:
        super().finish()
        for thread in self._threads:
            thread.join(PATIENCE)
        self._server.settle()
