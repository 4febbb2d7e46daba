"""One connection of a pool, kept for a client across reconnects, and the event streams of that client.

Everything here runs in the loop's thread, and uses callbacks.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Callable, Optional, Protocol

from ..connection import Connection
from ..emitter import EventHandlers
from ..errors import ActionFailed, ActionTimeout, AMIError, ConnectionFinished, ConnectTimeout
from ..filters import Condition
from ..loop import Handle, Loop
from ..options import seconds
from ..packet import Packet
from ..pool import Pool
from .gaps import Gap


def fresh(error: BaseException) -> BaseException:
    """Return a copy of an error to raise. Several callers may get it, and each raise extends its traceback."""
    again = copy.copy(error)
    again.__cause__ = error.__cause__
    return again


class Listener(Protocol):
    """A stream of events."""

    def put(self, event: Packet) -> None:
        """Receive an event."""

    def put_gap(self, gap: Gap) -> None:
        """Receive a gap."""

    def end(self, error: Optional[AMIError]) -> None:
        """End the stream: with ``error``, or without one if the client was closed."""


class EventSource(Protocol):
    """The source of a stream's events: a link, or a source behind a broker."""

    @property
    def reactor(self) -> Loop:
        """The event loop."""

    def listen(self, listener: Listener, names: Sequence[str], holds: Optional[Condition]) -> None:
        """Like :meth:`Link.listen`."""

    def unlisten(self, listener: Listener) -> None:
        """Undo :meth:`listen`."""


class Canceller(Protocol):
    """What an answer needs to cancel its request."""

    @property
    def reactor(self) -> Loop:
        """The event loop."""

    def cancel(self, request: Any) -> None:
        """Like :meth:`Link.cancel`."""


class Request(ABC):
    """An action that a caller sends, or a wait for the connection. :meth:`deliver` may be called more than once.

    Attributes: ``conn`` and ``action_id`` of the sent action. Before that they are None and ``""``.
    """

    conn: Optional[Connection] = None
    action_id = ""

    @abstractmethod
    def deliver(self, result: Any, error: Optional[BaseException]) -> None:
        """Receive the answer, or the error that the caller will raise."""

    def answered(self, conn: Connection, result: Any) -> None:
        """The action's callback."""
        packet = result[-1] if isinstance(result, list) else result
        if packet.error is None:
            self.deliver(result, None)
            return
        error = fresh(packet.error)
        if isinstance(error, ActionFailed):
            error.packet = packet
        self.deliver(None, error)


class _Wait:
    """The state of a request that waits for the login.

    Attributes: ``method`` and ``kwargs`` to call on the connection; ``method`` is None for a wait for the connection.
    ``keeps_trying``: whether the wait continues after a failed attempt. ``deadline`` and ``timer``: its timeout.
    """

    def __init__(self, method: Optional[str], kwargs: dict[str, Any], keeps_trying: bool) -> None:
        self.method = method
        self.kwargs = kwargs
        self.keeps_trying = keeps_trying
        self.deadline: Optional[float] = None
        self.timer: Optional[Handle] = None


class Link:
    """A connection of ``pool`` to ``url``, acquired for one client.

    If it is lost and the pool opens a new one, the link takes that. Requests wait in the meantime.

    Attributes: ``conn``, the connection while it is logged in; ``error``, why there is none and no attempt follows;
    ``opened``, whether :meth:`open` was called; ``closed``, whether the link is closed for good.
    """

    def __init__(self, pool: Pool, url: Optional[str]) -> None:
        self.pool = pool
        self.conn: Optional[Connection] = None
        self.error: Optional[AMIError] = None
        self._url = url
        self._opening = False
        self._lost = False  # listeners know of a loss that is not over
        self._coming_back = False  # the pool is reconnecting
        self.opened = False
        self.closed = False
        self._waiting: dict[Request, _Wait] = {}  # requests that wait for the login, in order
        self._hub = Hub(self)
        self._listeners: dict[Listener, None] = {}
        pool.bind("login", self._logged_in)
        pool.bind("disconnect", self._disconnected)

    @property
    def reactor(self) -> Loop:
        """The pool's loop."""
        return self.pool.reactor

    def __str__(self) -> str:
        if self.conn is not None:
            return str(self.conn)
        return "closed" if self.closed else f"not connected ({self.error})" if self.error else "not connected"

    @property
    def has_handlers(self) -> bool:
        """Whether somebody else has bound handlers to the pool. Any thread may ask."""
        own = (self._logged_in, self._disconnected)
        names = self.pool.event_names()
        return any(handler not in own for name in names for handler in self.pool.listeners(name))

    # -- the connection

    def open(self) -> None:
        """Get a connection from the pool, unless there is one or one is being opened."""
        if self.closed:
            raise ConnectionFinished("the client is closed")
        if self.conn is None and not self._opening and not self._coming_back:
            self._opening, self.opened, self.error = True, True, None
            try:
                self.pool.get_connection(self._url, self._got)
            except BaseException:
                self._opening = False
                raise

    def _got(self, conn: Connection, packet: Packet) -> None:
        wanted, self._opening = self._opening, False
        if self.closed or not wanted:
            return
        if not conn.connected:
            self._url = conn.url or self._url
            self._attempt_failed(conn)
        elif conn.is_busy():  # another client has acquired it
            self.open()
        else:
            self._take(conn)

    def _take(self, conn: Connection) -> None:
        conn.acquire()
        self.conn, self._url, self.error = conn, conn.url, None
        self._coming_back = False
        if self._lost:
            self._lost = False
            for listener in self._listeners:
                listener.put_gap(Gap(None, "back"))
        while self._waiting and self.conn is not None:
            request = next(iter(self._waiting))
            self._send_late(request, self._stop_waiting(request), conn)

    def _logged_in(self, conn: Connection, packet: Packet) -> None:
        if self._coming_back and conn.url == self._url and not conn.is_busy():
            self._take(conn)

    def _disconnected(self, conn: Connection) -> None:
        if conn is self.conn:
            self.conn, self._lost, self._coming_back = None, True, True
            for listener in self._listeners:
                listener.put_gap(Gap(None, "lost"))
        if self._coming_back and conn.url == self._url:
            self._attempt_failed(conn)

    def _attempt_failed(self, conn: Connection) -> None:
        error = conn.error
        assert error is not None
        self._coming_back = conn.reconnecting
        if not self._coming_back:
            self._fail(error)
            return
        for request in [one for one, wait in self._waiting.items() if not wait.keeps_trying]:
            self._stop_waiting(request)
            request.deliver(None, fresh(error))

    def _fail(self, error: AMIError) -> None:
        """Fail the waiting requests: no connection will come."""
        self.error = error
        for request in list(self._waiting):
            self._stop_waiting(request)
            request.deliver(None, fresh(error))
        self._end_listeners(error)

    def close(self, *, graceful: bool, finish_pool: bool, on_closed: Callable[[], object]) -> None:
        """End for good. ``on_closed()`` is called when the socket is closed, or the pool has its connection back."""
        self.pool.unbind("login", self._logged_in)
        self.pool.unbind("disconnect", self._disconnected)
        conn, self.conn, self.closed = self.conn, None, True
        self._hub.close()
        if finish_pool:
            self.pool.finish(graceful, on_closed)
        else:
            if self._opening:
                self.pool.cancel(self._got)
            if conn is not None:
                conn.release()
        self._fail(ConnectionFinished("the client is closed"))
        if not finish_pool:
            on_closed()

    # -- requests

    def ask(self, request: Request, method: str, kwargs: dict[str, Any]) -> None:
        """Call a method of the connection, now or after the login. ``request`` gets the answer.

        Raises what the method raises for bad arguments, and the link's error if there is no connection and none will
        come.
        """
        if self.conn is not None:
            self._send(request, self.conn, method, kwargs)
        elif self._opening or self._coming_back:
            timeout = kwargs.get("timeout")
            limit = self.pool.options.action_timeout if timeout is None else seconds("timeout", timeout)
            self._wait(request, _Wait(method, kwargs, True), limit)
        elif self.error is not None:
            raise fresh(self.error)
        else:
            raise RuntimeError("the client is not connected: use it in a with statement, or call wait_connected()")

    def when_connected(self, request: Request, timeout: Optional[float], keep_trying: bool) -> None:
        """Open the connection. ``request`` gets None when it is logged in, or the error.

        With ``keep_trying``, the wait continues while the pool retries.
        """
        limit = None if timeout is None else seconds("timeout", timeout)
        if self.conn is not None:
            request.deliver(None, None)
            return
        self._wait(request, _Wait(None, {}, keep_trying), limit)
        try:
            self.open()
        except BaseException:
            self._stop_waiting(request)
            raise

    def cancel(self, request: Request) -> None:
        """Give up a request. Its late answer is ignored. If no request waits any more, no connection is opened."""
        if request in self._waiting:
            self._stop_waiting(request)
            if self._opening and not self._waiting:
                self._opening = False
                self.pool.cancel(self._got)
            return
        for conn in (request.conn, self.conn):  # with retry=True it may be on the new connection
            if conn is not None and conn.cancel(request.action_id):
                return

    def _send(self, request: Request, conn: Connection, method: str, kwargs: dict[str, Any]) -> None:
        if method == "originate":
            kwargs["cb"], kwargs["on_result"] = None, request.answered
        else:
            kwargs["cb"] = request.answered
        request.conn = conn
        request.action_id = getattr(conn, method)(**kwargs)

    def _send_late(self, request: Request, wait: _Wait, conn: Connection) -> None:
        if wait.method is None:
            request.deliver(None, None)
            return
        if wait.deadline is not None:
            wait.kwargs["timeout"] = max(0.001, wait.deadline - self.pool.reactor.time())
        try:
            self._send(request, conn, wait.method, wait.kwargs)
        except Exception as error:  # a bad argument, or a limit
            request.deliver(None, error)

    def _wait(self, request: Request, wait: _Wait, limit: Optional[float]) -> None:
        self._waiting[request] = wait
        if limit is not None:
            loop = self.pool.reactor
            wait.deadline = loop.time() + limit
            wait.timer = loop.call_later(limit, self._late, request, limit)

    def _stop_waiting(self, request: Request) -> _Wait:
        wait = self._waiting.pop(request)
        if wait.timer is not None:
            wait.timer.cancel()
        return wait

    def _late(self, request: Request, limit: float) -> None:
        method = self._stop_waiting(request).method
        if method is None:
            request.deliver(None, ConnectTimeout(f"not logged in within {limit:g} s"))
        else:
            request.deliver(None, ActionTimeout(f"no login within {limit:g} s, so {method} was not sent"))

    # -- events

    def listen(self, listener: Listener, names: Sequence[str], holds: Optional[Condition]) -> None:
        """Send ``listener`` the events of these names for which ``holds(packet)`` is true, until :meth:`unlisten`."""
        if self.closed or (self.error is not None and not self._opening):
            listener.end(self.error)
            return
        self._listeners[listener] = None
        self._hub.add(listener, names, holds)

    def unlisten(self, listener: Listener) -> None:
        """Undo :meth:`listen`."""
        self._listeners.pop(listener, None)
        self._hub.remove(listener)

    def _end_listeners(self, error: AMIError) -> None:
        listeners, self._listeners = self._listeners, {}
        for listener in listeners:
            self._hub.remove(listener)
            listener.end(None if self.closed else error)


class Hub:
    """Binds each name once for all of its listeners."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._wanted: dict[str, list[tuple[Listener, Optional[Condition]]]] = {}
        self._handlers: dict[str, Callable[[Connection, Packet], None]] = {}

    def add(self, listener: Listener, names: Sequence[str], holds: Optional[Condition]) -> None:
        for name in names:
            if name not in self._wanted:
                self._wanted[name] = []
                self._handlers[name] = self._make_handler(self._wanted[name])
                self._emitter.bind(name, self._handlers[name])
            self._wanted[name].append((listener, holds))

    def remove(self, listener: Listener) -> None:
        for name, wanted in list(self._wanted.items()):
            wanted[:] = [one for one in wanted if one[0] is not listener]
            if not wanted:
                self._emitter.unbind(name, self._handlers.pop(name))
                del self._wanted[name]

    def close(self) -> None:
        for name, handler in self._handlers.items():
            self._emitter.unbind(name, handler)
        self._wanted.clear()
        self._handlers.clear()

    @property
    def _emitter(self) -> EventHandlers:
        return self._link.pool

    def _make_handler(self, wanted: list[tuple[Listener, Optional[Condition]]]) -> Callable[[Connection, Packet], None]:
        link = self._link

        def deliver(conn: Connection, packet: Packet) -> None:
            if conn is link.conn:
                for listener, holds in wanted:
                    if holds is None or holds(packet):
                        listener.put(packet)

        return deliver
