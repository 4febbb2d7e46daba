"""The client as the live tests drive it: no sleeping, everything bounded, every callback counted."""

from __future__ import annotations

from typing import Any, Callable

from servers import AsteriskServer

from ami_client import Connection, Packet, Pool, Reactor

LIMIT = 15.0
Starter = Callable[["Once"], object]


class Once:
    """A callback that keeps what it was given. `Client` checks at its end that it was called once."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.calls: list[tuple[Any, ...]] = []

    def __call__(self, *args: Any) -> None:
        self.calls.append(args)

    def __repr__(self) -> str:
        return self.what

    @property
    def result(self) -> Any:
        """The packet, or packets, that came behind the connection."""
        assert len(self.calls) == 1, f"{self.what} was called {len(self.calls)} times"
        return self.calls[0][1]


class Client:
    """A pool on a reactor of its own, with the connections that were asked of it.

    Usable as a context manager, which finishes the pool and then insists that each callback made
    by `once()` was called exactly once. `events` holds what the pool's `event` handler saw.
    """

    def __init__(self, server: AsteriskServer, url: str = "", reactor: Reactor | None = None, **options: Any) -> None:
        self.server = server
        self.url = url or server.url
        self.reactor = reactor or Reactor()
        self.pool = Pool(reactor=self.reactor, **options)
        self.events: list[Packet] = []
        self.disconnects: list[Connection] = []
        self.pool.on("event", lambda conn, packet: self.events.append(packet))
        self.pool.on("disconnect", self.disconnects.append)
        self._conn: Connection | None = None
        self._callbacks: list[Once] = []

    @property
    def conn(self) -> Connection:
        """The first connection, made and logged in on first use."""
        if self._conn is None:
            self._conn = self.connect()
        return self._conn

    # Waiting

    def until(self, happened: Callable[[], object], limit: float = LIMIT, what: str = "") -> None:
        """Run the reactor until that is true; fails the test after so many seconds."""
        deadline = self.reactor.time() + limit
        while not happened():
            left = deadline - self.reactor.time()
            assert left > 0, f"in {limit:g} s it did not come to: {what or happened}"
            self.reactor.run_once(left)

    def until_called(self, *callbacks: Once, limit: float = LIMIT) -> None:
        """Run the reactor until all of them were called."""
        self.until(lambda: all(one.calls for one in callbacks), limit, f"calls of {callbacks}")

    def until_event(self, name: str, limit: float = LIMIT, **headers: str) -> Packet:
        """Run the reactor until there was such an event, header values as sent; returns the first."""

        def found() -> list[Packet]:
            return [event for event in self.events if is_event(event, name, headers)]

        self.until(found, limit, f"event {name} with {headers}")
        return found()[0]

    # Asking

    def once(self, what: str = "callback") -> Once:
        """A callback that has to be called exactly once before the client's end."""
        callback = Once(what)
        self._callbacks.append(callback)
        return callback

    def login(self, url: str = "") -> Connection:
        """Ask the pool for a connection and wait for the outcome of its login, good or bad."""
        callback = self.once("get_connection")
        assert self.pool.get_connection(url or self.url, callback)
        self.until_called(callback)
        conn: Connection = callback.calls[0][0]
        packet: Packet = callback.result
        assert conn.connected == (packet.error is None) == (conn.error is None)
        return conn

    def connect(self, url: str = "") -> Connection:
        """As `login`, which has to succeed."""
        conn = self.login(url)
        assert conn.connected, conn.error
        return conn

    def answer(self, start: Starter, limit: float = LIMIT) -> Any:
        """Wait for the answer to what ``start(callback)`` sends."""
        callback = self.once("the answer")
        start(callback)
        self.until_called(callback, limit=limit)
        return callback.result

    def action(self, name: str, params: Any = None, assertion: Any = None) -> Any:
        """Send an action on the first connection and return the answer, good or bad."""
        callback = self.once(name)
        self.conn.action(name, callback, params, assertion)
        self.until_called(callback)
        return callback.result

    def ask(self, name: str, params: Any = None) -> Packet:
        """As `action`; the answer has to be good."""
        packet: Packet = self.action(name, params)
        assert packet.error is None, f"{name}: {packet.error}"
        return packet

    # Calls

    def originate(self, channel: str, limit: float = LIMIT, **params: Any) -> tuple[Packet, Packet]:
        """Place a call; returns the answer and the result. It waits in extension 101 by default."""
        answer, result = self.once("Originate"), self.once("OriginateResponse")
        if "Application" not in params:
            params = {"Context": "default", "Exten": "101", "Priority": 1, **params}
        self.conn.originate({"Channel": channel, **params}, answer, on_result=result)
        self.until_called(answer, result, limit=limit)
        return answer.result, result.result

    def call(self, channel: str = "Local/101@default/n", **params: Any) -> str:
        """Place a call that is answered; returns the name of its channel."""
        _, result = self.originate(channel, **params)
        assert result.error is None, result.error
        return original(result, "Channel")

    def channels(self) -> list[Packet]:
        """The entries of CoreShowChannels."""
        return list(self.answer(self.conn.core_show_channels)[1:-1])

    def hang_up_all(self) -> None:
        """End all calls of the server, and return when they are gone."""
        self.action("Hangup", {"Channel": "/.*/"})
        while self.channels():
            # Each is gone a moment after it was told.
            self.action("Ping")

    # The end

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        self.pool.finish()
        # What was written last is still on its way.
        while self.reactor.run_once(0):
            pass
        self.reactor.close()
        if kind is None:
            wrong = [f"{one}: {len(one.calls)} times" for one in self._callbacks if len(one.calls) != 1]
            assert not wrong, f"callbacks not called exactly once: {wrong}"


def original(packet: Packet, name: str) -> str:
    """A header's value as sent; the packet has to have it."""
    value = packet.original(name)
    assert value is not None, f"no {name} in {packet}"
    return value


def is_event(packet: Packet, name: str, headers: dict[str, str] | None = None) -> bool:
    """Whether it is that event and has these headers, values as sent."""
    wanted = headers or {}
    return packet.original("Event") == name and all(packet.original(k) == v for k, v in wanted.items())


def with_credentials(server: AsteriskServer, username: str, secret: str) -> str:
    """The URL of the plain port with other credentials, which are in their URL encoding already."""
    return f"tcp://{username}:{secret}@{server.host}:{server.port}"
