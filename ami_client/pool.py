"""The pool: connections by URL, callbacks that wait for one by priority.

Source: phpDaemon Clients/Asterisk/Pool.php and Network/Client.php.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from types import MethodType
from typing import Callable, ClassVar, Optional, Protocol, TypeVar, Union, cast

from .callbacks import PriorityQueueCallbacks, call_guarded, require_callable, trim_arguments
from .connection import Connection
from .encode import TRIMMED, ascii_lower, encode_headers
from .errors import ConnectionFinished, NoServer
from .events import EventHandlers
from .loop import Handle, Loop
from .options import Options
from .packet import KEEP_CASE, Packet
from .reactor import Reactor
from .url import ServerURL

# Asterisk's listen queue holds ten connections (main/tcptls.c, ast_tcptls_server_start). Of a larger burst the kernel
# drops some handshakes, and the client waits for a banner that never comes: of 32 connections opened at the same
# instant, a third. So no more than these set out at a time, each for this many seconds or until it has logged in.
STARTING_AT_ONCE = 10
STARTING_TIME = 0.1

OnConnection = Callable[..., object]
BeforeConnect = Callable[[Connection], object]
SomePool = TypeVar("SomePool", bound="Pool")


class GetConnection(Protocol):
    """The signature of :meth:`Pool.get_connection`."""

    def __call__(
        self,
        url: Union[str, OnConnection, None] = None,
        cb: Optional[OnConnection] = None,
        pri: float = 0,
        before_connect: Optional[BeforeConnect] = None,
    ) -> bool: ...


class _OnInstanceOrClass:
    """A method that, called on the class, is the default instance's."""

    def __init__(self, function: Callable[..., bool]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __get__(self, instance: Optional[Pool], owner: type[Pool]) -> GetConnection:
        return cast(GetConnection, MethodType(self._function, owner.get_instance() if instance is None else instance))


class _Waiter:
    """A callback that waits for a connection."""

    def __init__(self, cb: Optional[OnConnection], before_connect: Optional[BeforeConnect]) -> None:
        self._cb = None if cb is None else trim_arguments(cb)
        self.before_connect = before_connect

    def __call__(self, conn: Connection, packet: Packet) -> object:
        return self._cb(conn, packet) if self._cb is not None else None


class _Server:
    """The connections to one URL, and who waits for one."""

    def __init__(self, url: str, options: Options) -> None:
        self.url = url
        self.address = ServerURL.parse(url)
        # What no login could hold raises here, before anybody waits for it.
        encode_headers([("Username", self.address.username or ""), ("Secret", self.address.secret or "")])
        self.options = options.with_params(self.address.params, str(self.address))
        self.connections: dict[Connection, None] = {}  # ordered sets
        self.free: dict[Connection, None] = {}
        self.to_start: deque[Connection] = deque()
        self.starting: dict[Connection, Handle] = {}
        self.waiting = PriorityQueueCallbacks()
        self.serving = False


class Pool(EventHandlers):
    """Connections to Asterisk servers.

    ``config`` is a mapping of options, ``options`` the same as keywords: see :class:`~ami_client.options.Options`.
    ``reactor`` is the loop: ours, asyncio's or uvloop's; without it, :meth:`Reactor.instance`. Raises TypeError for an
    unknown option, ValueError for a bad value.

    Whatever a connection emits is emitted here as well, after the connection's own handlers, and with the same
    arguments: handlers bound here serve every connection.
    """

    _instances: ClassVar[dict[tuple[type[Pool], str], Pool]] = {}

    def __init__(
        self, config: Optional[Mapping[str, object]] = None, /, *, reactor: Optional[Loop] = None, **options: object
    ) -> None:
        super().__init__()
        self.options = Options.make(config, **options)
        self.finished = False
        self._reactor = reactor
        self._servers: dict[str, _Server] = {}
        self._choices: list[tuple[str, float]] = [(url, 1.0) for url in self.options.servers]
        for url in [self.options.server or "", *self.options.servers]:
            if url:
                ServerURL.parse(url)  # a malformed one raises here, not at the first call

    def __repr__(self) -> str:
        count = sum(len(server.connections) for server in self._servers.values())
        return f"<Pool {count} connections{', finished' if self.finished else ''}>"

    @classmethod
    def get_instance(cls: type[SomePool], name_or_config: Union[str, Mapping[str, object]] = "") -> SomePool:
        """The pool of that name, made at the first call and again after it was finished; of a mapping, a new pool.

        ``""`` and ``"default"`` are the same. Source: phpDaemon Network/Pool.php, getInstance.
        """
        if isinstance(name_or_config, Mapping):
            return cls(name_or_config)
        if not isinstance(name_or_config, str):
            raise TypeError("get_instance takes a name or a mapping of options")
        key = cls, "" if name_or_config == "default" else name_or_config
        pool = Pool._instances.get(key)
        if pool is None or pool.finished:
            pool = Pool._instances[key] = cls()
        return cast(SomePool, pool)

    @property
    def reactor(self) -> Loop:
        """The loop that the connections live on."""
        if self._reactor is None:
            self._reactor = Reactor.instance()
        return self._reactor

    @staticmethod
    def extract(line: str) -> tuple[str, str]:
        """Name and value of one header line by phpDaemon's rules; a colon without a space behind it splits nothing.

        Source: phpDaemon Clients/Asterisk/Pool.php, extract. Packets are read by :class:`~ami_client.packet.Packet`,
        which does split there.
        """
        name, _, value = (part.strip(TRIMMED) for part in line.partition(": "))
        name, folded = ascii_lower(name), ascii_lower(value)
        return name, value if name.startswith(KEEP_CASE) or folded.startswith(KEEP_CASE) else folded

    def add_server(self, url: str, weight: Optional[float] = None) -> None:
        """Add a server for calls without a URL, chosen by chance; ``weight`` 2 doubles the chances of 1, the default.

        Raises ValueError for a malformed URL or a weight that is not positive.
        """
        ServerURL.parse(url)
        if weight is not None and not weight > 0:
            raise ValueError("weight must be more than 0")
        self._choices.append((url, 1.0 if weight is None else weight))

    def _get_connection(
        self,
        url: Union[str, OnConnection, None] = None,
        cb: Optional[OnConnection] = None,
        pri: float = 0,
        before_connect: Optional[BeforeConnect] = None,
    ) -> bool:
        """Get a connection: a free one, or a new one, or wait for one.

        Also ``get_connection(cb)``; on the class itself, it is the default instance's.

        Arguments:
            url: the server; None for the option ``server``, else one of ``servers`` by chance.
            cb: ``cb(conn, packet)``, called once, logged in or not: check ``conn.connected``; ``conn.error`` says why
                not. ``packet`` is the server's answer to the login or a failure packet. A callback with room for one
                argument gets ``conn`` alone.
            pri: with all connections in use the callback waits; higher priorities are served first.
            before_connect: ``before_connect(conn)`` runs if this call opens a new connection, before anything is
                sent: the place to bind handlers for ``connected``.

        Returns False when no server is configured (``cb`` gets a connection that never was), else True. Raises
        ValueError for a malformed URL, TypeError for what cannot be called, ConnectionFinished after :meth:`finish`.

        Source: phpDaemon Network/Client.php, getConnection.
        """
        if callable(url):
            if cb is not None:
                raise TypeError("get_connection(cb): give other arguments by keyword")
            url, cb = None, url
        if url is not None and not isinstance(url, str):
            raise TypeError(f"a URL is a str, not {type(url).__name__}")
        for function in (cb, before_connect):
            if function is not None:
                require_callable(function)
        if self.finished:
            raise ConnectionFinished("the pool is finished")
        waiter = _Waiter(cb, before_connect)
        url = url or self.options.server or self._choose()
        if url is None:
            self._fail(waiter, NoServer("no URL was given and no server is configured"))
            return False
        server = self._servers.get(url)
        if server is None:
            server = self._servers[url] = _Server(url, self.options)
        server.waiting.insert(waiter, pri)
        self._serve(server)
        return True

    get_connection = _OnInstanceOrClass(_get_connection)

    def finish(self, graceful: bool = False) -> None:
        """End all connections, with a Logoff each if ``graceful``; waiting callbacks fail. It takes no more calls."""
        self.finished = True
        for server in list(self._servers.values()):
            server.to_start.clear()
            for conn in list(server.connections):
                if graceful:
                    conn.graceful_shutdown()
                else:
                    conn.finish()
            while server.waiting:
                self._fail(cast(_Waiter, server.waiting.pop()), ConnectionFinished("the pool was finished"))
        self._servers.clear()

    def _choose(self) -> Optional[str]:
        if not self._choices:
            return None
        urls, weights = zip(*self._choices)
        return cast(str, random.choices(urls, weights)[0])

    def _fail(self, waiter: _Waiter, error: Union[NoServer, ConnectionFinished]) -> None:
        conn = Connection("", ServerURL("tcp", ""), self.options, self.reactor)
        conn.fail(error)
        conn.on_connected(waiter)

    def _serve(self, server: _Server) -> None:
        """Give waiting callbacks the free connections and the free slots."""
        if server.serving or self.finished:
            return
        server.serving = True
        try:
            while server.waiting:
                if server.free:
                    conn = next(iter(server.free))
                    conn.on_connected(server.waiting.pop())
                elif len(server.connections) < self.options.maxconnperserv:
                    self._open(server, cast(_Waiter, server.waiting.pop()))
                else:
                    break
        finally:
            server.serving = False

    def _open(self, server: _Server, waiter: _Waiter) -> None:
        conn = Connection(server.url, server.address, server.options, self.reactor, self)
        server.connections[conn] = None
        conn.on_connected(waiter)
        try:
            if waiter.before_connect is not None:
                call_guarded(waiter.before_connect, conn)
        finally:  # even when a KeyboardInterrupt passes: the slot is taken
            server.to_start.append(conn)
            self._start(server)

    def _start(self, server: _Server) -> None:
        """Let connections set out, not too many at a time."""
        while server.to_start and len(server.starting) < STARTING_AT_ONCE:
            conn = server.to_start.popleft()
            if not conn.finished:
                server.starting[conn] = self.reactor.call_later(STARTING_TIME, self._started, server, conn)
                conn.connect()

    def _started(self, server: _Server, conn: Connection) -> None:
        """A connection has logged in, was lost or takes its time: the next one may set out."""
        timer = server.starting.pop(conn, None)
        if timer is not None:
            timer.cancel()
            self._start(server)

    # -- what connections tell

    def connection_busy(self, conn: Connection) -> None:
        """A connection was acquired, or is coming to its end. Called by the connection."""
        server = self._servers.get(conn.url)
        if server is not None:
            server.free.pop(conn, None)

    def connection_ready(self, conn: Connection) -> None:
        """A connection is logged in, or was given back. Called by the connection."""
        server = self._servers.get(conn.url)
        if server is not None and conn in server.connections:
            self._started(server, conn)
            if not conn.is_busy():
                server.free[conn] = None
            self._serve(server)

    def connection_lost(self, conn: Connection) -> None:
        """A connection has ended; its slot serves the next one. Called by the connection."""
        server = self._servers.get(conn.url)
        if server is None:
            return
        server.connections.pop(conn, None)
        self._started(server, conn)
        self._serve(server)
        if not server.connections and not server.waiting:
            self._servers.pop(conn.url, None)
