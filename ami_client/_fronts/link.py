"""One connection of a pool, kept for a client across reconnects, and the streams of its events.

Everything here runs in the loop's thread, and calls back.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Callable, Optional, Protocol

from ..connection import Connection
from ..emitter import EventHandlers
from ..errors import ActionTimeout, AMIError, ConnectionFinished, ConnectTimeout
from ..filters import Condition
from ..loop import Handle
from ..options import seconds
from ..packet import Packet
from ..pool import Pool
from .gaps import Gap

#: ``done(result, error)``: one of them is None.
Done = Callable[[Any, Optional[BaseException]], object]


def fresh(error: BaseException) -> BaseException:
    """A copy of an error to raise. Several callers may get the same one, and each raise adds to its traceback."""
    again = copy.copy(error)
    again.__cause__ = error.__cause__
    return again


class Listener(Protocol):
    """A stream of events."""

    def put(self, event: Packet) -> None:
        """Take an event."""

    def put_gap(self, gap: Gap) -> None:
        """Take a gap."""

    def end(self, error: Optional[AMIError]) -> None:
        """Nothing follows: because of ``error``, or because the client was closed."""


class Request:
    """An action that is asked for, or a wait for the connection. ``done`` is called once, unless it is cancelled."""

    def __init__(
        self, link: Link, done: Done, method: Optional[str], kwargs: dict[str, Any], *, keep_trying: bool = True
    ) -> None:
        self.keeps_trying = keep_trying  # or ends with the first attempt that fails
        self._link = link
        self._done: Optional[Done] = done
        self._method = method  # of the connection; None to wait for the connection alone
        self._kwargs = kwargs
        self._conn: Optional[Connection] = None
        self._action_id = ""
        self._limit: Optional[Handle] = None
        self._deadline: Optional[float] = None

    def send(self, conn: Connection) -> None:
        """Send it. Raises what the connection's method raises for bad arguments."""
        if self._method is None:
            self.finish(None, None)
            return
        self._conn = conn
        callback = "on_result" if self._method == "originate" else "cb"
        self._kwargs[callback] = self._answered
        if callback == "on_result":
            self._kwargs["cb"] = None
        self._action_id = getattr(conn, self._method)(**self._kwargs)

    def wait(self, limit: Optional[float]) -> None:
        """Wait for the login, for ``limit`` seconds at most."""
        if limit is not None:
            loop = self._link.pool.reactor
            self._deadline = loop.time() + limit
            self._limit = loop.call_later(limit, self._late, limit)

    def connected(self, conn: Connection) -> None:
        """The login that it waited for is there."""
        if self._limit is not None:
            self._limit.cancel()
        if self._deadline is not None and self._method is not None:
            self._kwargs["timeout"] = max(0.001, self._deadline - self._link.pool.reactor.time())
        try:
            self.send(conn)
        except Exception as error:  # the caller's mistake, or a limit
            self.finish(None, error)

    def cancel(self) -> None:
        """Give it up. ``done`` is not called any more."""
        self._done = None
        if self._limit is not None:
            self._limit.cancel()
        self._link.forget(self)
        for conn in (self._conn, self._link.conn):  # with retry=True it may be another's now
            if conn is not None and self._action_id and conn.cancel(self._action_id):
                return

    def finish(self, result: Any, error: Optional[BaseException]) -> None:
        """Call ``done``, once."""
        done, self._done = self._done, None
        if self._limit is not None:
            self._limit.cancel()
        if done is not None:
            done(result, None if error is None else fresh(error))

    def _answered(self, conn: Connection, result: Any) -> None:
        last = result[-1] if isinstance(result, list) else result
        self.finish(result, last.error)

    def _late(self, limit: float) -> None:
        self._link.forget(self)
        if self._method is None:
            self.finish(None, ConnectTimeout(f"not logged in within {limit:g} s"))
        else:
            self.finish(None, ActionTimeout(f"no login within {limit:g} s, so {self._method} was not sent"))


class Link:
    """A connection of ``pool`` to ``url``, acquired for one client.

    If it is lost, and the pool opens it again, the link takes the new one. Requests wait meanwhile.

    Attributes: ``conn``, the connection while it is logged in; ``error``, why there is none and none is coming.
    """

    def __init__(self, pool: Pool, url: Optional[str]) -> None:
        self.pool = pool
        self.conn: Optional[Connection] = None
        self.error: Optional[AMIError] = None
        self._url = url
        self._opening = False
        self._lost = False  # listeners have been told of a loss, and not that it is over
        self._coming_back = False  # the pool opens a connection again
        self._closed = False
        self._requests: dict[Request, None] = {}  # those that wait for the login, in order
        self._hub = Hub(self)
        self._listeners: dict[Listener, None] = {}
        pool.bind("login", self._logged_in)
        pool.bind("disconnect", self._disconnected)

    def __str__(self) -> str:
        if self.conn is not None:
            return str(self.conn)
        return "closed" if self._closed else f"not connected ({self.error})" if self.error else "not connected"

    # -- the connection

    def open(self) -> None:
        """Get a connection from the pool, unless there is one or one is on its way."""
        if self._closed:
            raise ConnectionFinished("the client is closed")
        if self.conn is None and not self._opening and not self._coming_back:
            self._opening, self.error = True, None
            try:
                self.pool.get_connection(self._url, self._got)
            except BaseException:
                self._opening = False
                raise

    def _got(self, conn: Connection, packet: Packet) -> None:
        self._opening = False
        if self._closed:
            return
        if not conn.connected:
            assert conn.error is not None
            self._url = conn.url or self._url
            self._attempt_failed(conn.error)
        elif conn.is_busy():  # another client was quicker
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
        while self._requests and self.conn is not None:
            request = next(iter(self._requests))
            del self._requests[request]
            request.connected(conn)

    def _logged_in(self, conn: Connection, packet: Packet) -> None:
        if self._coming_back and conn.url == self._url and not conn.is_busy():
            self._take(conn)

    def _disconnected(self, conn: Connection) -> None:
        if conn is self.conn:
            self.conn, self._lost, self._coming_back = None, True, True
            for listener in self._listeners:
                listener.put_gap(Gap(None, "lost"))
        if self._coming_back and conn.url == self._url:  # the pool decides after this event if it opens another one
            self.pool.reactor.call_soon(self._look, conn.error)

    def _look(self, error: AMIError) -> None:
        if self._coming_back:
            self._attempt_failed(error)

    def _attempt_failed(self, error: AMIError) -> None:
        self._coming_back = self._url is not None and self.pool.is_reconnecting(self._url)
        if not self._coming_back:
            self._fail(error)
            return
        for request in [one for one in self._requests if not one.keeps_trying]:
            del self._requests[request]
            request.finish(None, error)

    def _fail(self, error: AMIError) -> None:
        """No connection is coming."""
        self.error = error
        requests, self._requests = self._requests, {}
        for request in requests:
            request.finish(None, error)
        self._end_listeners(error)

    def close(self, *, graceful: bool, finish_pool: bool, on_closed: Callable[[], object]) -> None:
        """End for good. ``on_closed()`` is called when the socket is closed, or the connection is the pool's again."""
        self.pool.unbind("login", self._logged_in)
        self.pool.unbind("disconnect", self._disconnected)
        conn, self.conn, self._closed = self.conn, None, True
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

    def ask(self, done: Done, method: str, kwargs: dict[str, Any]) -> Request:
        """Call a method of the connection, or wait for the login to call it. ``done(result, error)`` gets the answer.

        Raises what the method raises for bad arguments, and the link's error if no connection is there or coming.
        """
        request = Request(self, done, method, kwargs)
        if self.conn is not None:
            request.send(self.conn)
        else:
            timeout = kwargs.get("timeout")
            self._wait(request, self.pool.options.action_timeout if timeout is None else seconds("timeout", timeout))
        return request

    def when_connected(self, done: Done, timeout: Optional[float], *, keep_trying: bool) -> Request:
        """Open the connection, and call ``done(None, error)`` when it is logged in, or ``timeout`` seconds are over.

        ``error`` says why not. With ``keep_trying`` the wait goes on while the pool opens other connections.
        """
        request = Request(self, done, None, {}, keep_trying=keep_trying)
        limit = None if timeout is None else seconds("timeout", timeout)
        if self.conn is not None:
            request.finish(None, None)
            return request
        self._requests[request] = None
        request.wait(limit)
        self.open()  # which may call back at once
        return request

    def _wait(self, request: Request, limit: Optional[float]) -> None:
        if self._opening or self._coming_back:
            self._requests[request] = None
            request.wait(limit)
        elif self.error is not None:
            raise fresh(self.error)
        else:
            raise RuntimeError("the client is not connected: use it in a with statement, or call connect() first")

    def forget(self, request: Request) -> None:
        """Remove a request that waits."""
        self._requests.pop(request, None)

    # -- events

    def listen(self, listener: Listener, names: Sequence[str], holds: Optional[Condition]) -> None:
        """Give ``listener`` the events of those names for which ``holds(packet)``, until :meth:`unlisten`."""
        if self._closed or (self.error is not None and not self._opening):
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
            listener.end(None if self._closed else error)


class Hub:
    """Binds each name once for all listeners that want it."""

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
