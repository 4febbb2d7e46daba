"""The three ways to send an action, so that one model watches all of them.

What a front hands to its caller must be what a callback is called with, at the same time and as often: an awaited
answer's future is on a loop that runs callbacks at once, and a plain call's answer is looked at as it is delivered.
Calls keep their callbacks, because a front tells a call's result alone. So do those who wait for a connection: a front
has its connection alone, which is tested apart.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Callable, Optional

from ami_client import Connection
from ami_client._fronts.answer import Answer
from ami_client._fronts.link import Link
from ami_client.blocking import _Answer as PlainAnswer


class AtOnce:
    """A loop as far as a future needs one."""

    def get_debug(self) -> bool:
        return False

    def call_soon(self, callback: Callable[..., object], *args: object, context: object = None) -> None:
        callback(*args)


class Front(Link):
    """What stands in front of one connection, without a part in the pool."""

    def __init__(self, conn: Connection) -> None:
        self.pool: Any = SimpleNamespace(reactor=AtOnce())
        self.conn = conn


class Awaited(Answer[Any]):
    """An answer that remembers which packets it was made of."""

    def answered(self, conn: Connection, result: Any) -> None:
        self.packets = conn, result
        super().answered(conn, result)


class Plain(PlainAnswer):
    """The same of a plain call."""

    def __init__(self, cb: Callable[[Connection, Any], object]) -> None:
        super().__init__()
        self.cb: Optional[Callable[[Connection, Any], object]] = cb

    def answered(self, conn: Connection, result: Any) -> None:
        super().answered(conn, result)
        assert self.done
        cb, self.cb = self.cb, None
        assert cb is not None
        cb(conn, checked(result, self.result, self.error))


def checked(packets: Any, result: Any, error: Optional[BaseException]) -> Any:
    """The packets, if the caller got them, or their error."""
    expected = (packets[-1] if isinstance(packets, list) else packets).error
    if expected is None:
        assert result is packets and error is None
    else:
        assert type(error) is type(expected) and str(error) == str(expected)
    return packets


def by_callback(conn: Connection, action: str, cb: Any, *args: Any, **kwargs: Any) -> str:
    return conn.action(action, cb, *args, **kwargs)


def by_await(conn: Connection, action: str, cb: Any, params: Any, assertion: Any, **kwargs: Any) -> str:
    front = Front(conn)
    answer = Awaited(front)

    def done(answer: Any) -> None:
        conn, packets = answer.packets
        error = answer.exception()
        cb(conn, checked(packets, None if error else answer.result(), error))

    answer.add_done_callback(done)
    front._send(answer, conn, "action", {"action": action, "params": params, "assertion": assertion, **kwargs})
    return answer.action_id


def by_plain_call(conn: Connection, action: str, cb: Any, params: Any, assertion: Any, **kwargs: Any) -> str:
    answer, front = Plain(cb), Front(conn)
    kwargs.update(action=action, params=params, assertion=assertion)
    answer.begin(lambda request: front._send(request, conn, "action", kwargs))
    if answer.error is not None and answer.cb is not None:  # raised in the caller's place
        raise answer.error
    return answer.action_id


WAYS: dict[str, Callable[..., str]] = {"callback": by_callback, "await": by_await, "plain": by_plain_call}
