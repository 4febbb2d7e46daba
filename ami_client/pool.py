"""The pool: connections by URL, and a priority queue of callbacks that wait for a connection.

Source: phpDaemon Clients/Asterisk/Pool.php and Network/Client.php.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from threading import Lock
from types import MethodType
from typing import Callable, ClassVar, Optional, Protocol, TypeVar, Union, cast, overload

from . import _fork
from ._client.dispatch import Guard
from ._client.resume import resumed
from ._client.server_pool import ServerPool, Sockets
from ._client.waiter import Waiter
from ._engine.line_cache import KEEP_CASE
from ._engine.text import TRIMMED, ascii_lower
from .callbacks import CONN, logger, require_callable, trim_arguments
from .connection import Connection
from .emitter import EventHandlers
from .errors import Cancelled, ConnectionFinished, NoServer
from .loop import Loop, require_loop
from .options import Options, read_url, seconds
from .reactor import Reactor
from .signatures import ConnectionCallback, OneArgumentCallback, PacketCallback
from .stats import PastStats, Stats
from .tasks import Tasks

SomePool = TypeVar("SomePool", bound="Pool")
LoginHandler = TypeVar("LoginHandler", bound=ConnectionCallback[Connection])
BeforeConnect = OneArgumentCallback[Connection]
OnConnection = ConnectionCallback[Connection]


class GetConnection(Protocol):
    """The signatures of :meth:`Pool.get_connection`: positions of the arguments, and shapes of the callback."""

    @overload
    def __call__(
        self,
        cb: PacketCallback[Connection],
        /,
        *,
        pri: float = 0,
        before_connect: Optional[BeforeConnect] = None,
        connect_timeout: Optional[float] = None,
        login_timeout: Optional[float] = None,
    ) -> bool: ...
    @overload
    def __call__(
        self,
        cb: OneArgumentCallback[Connection],
        /,
        *,
        pri: float = 0,
        before_connect: Optional[BeforeConnect] = None,
        connect_timeout: Optional[float] = None,
        login_timeout: Optional[float] = None,
    ) -> bool: ...
    @overload
    def __call__(
        self,
        url: Optional[str] = None,
        cb: Optional[PacketCallback[Connection]] = None,
        pri: float = 0,
        before_connect: Optional[BeforeConnect] = None,
        *,
        connect_timeout: Optional[float] = None,
        login_timeout: Optional[float] = None,
    ) -> bool: ...
    @overload
    def __call__(
        self,
        url: Optional[str] = None,
        cb: Optional[OneArgumentCallback[Connection]] = None,
        pri: float = 0,
        before_connect: Optional[BeforeConnect] = None,
        *,
        connect_timeout: Optional[float] = None,
        login_timeout: Optional[float] = None,
    ) -> bool: ...


class _OnInstanceOrClass:
    """A method that uses the default instance when it is called on the class."""

    def __init__(self, function: Callable[..., bool]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __get__(self, instance: Optional[Pool], owner: type[Pool]) -> GetConnection:
        return cast(GetConnection, MethodType(self._function, owner.get_instance() if instance is None else instance))


class Pool(EventHandlers):
    """A pool of connections to Asterisk servers. Get one with :meth:`get_connection`, then run the event loop.

    ``config`` is a mapping of options; ``options`` are the same options as keywords. See
    :class:`~ami_client.options.Options`. ``reactor`` is the event loop: :class:`~ami_client.Reactor`, asyncio's or
    uvloop's. The default is :meth:`Reactor.instance`. Raises TypeError for an unknown option or an object that is not
    an event loop, ValueError for a bad value.

    The pool also emits every event of its connections, after the connection's own handlers and with the same arguments.
    So a handler bound on the pool serves every connection.
    """

    #: Class of the connections: :class:`Connection`, or a subclass that takes the same single argument.
    connection_class: type[Connection] = Connection

    _instances: ClassVar[dict[tuple[type[Pool], str], Pool]] = {}

    def __init__(
        self, config: Optional[Mapping[str, object]] = None, /, *, reactor: Optional[Loop] = None, **options: object
    ) -> None:
        super().__init__()
        self.options = Options.make(config, **options)
        self.finished = False
        self._reactor = None if reactor is None else require_loop(reactor)
        self._forks = _fork.forks
        self._default: Optional[Loop] = None  # the default reactor, once it is used
        self._stats = Stats()
        self._guard = Guard(self._time, self.options.slow_handler, self._stats)
        self._tasks: Tasks = Tasks(self._get_reactor, self._guard)
        self._servers: dict[str, ServerPool] = {}
        self._sockets = Sockets()
        self._past = PastStats()
        self._lock = Lock()  # counts move into _past under it, because other threads read them
        self._choices: list[tuple[str, float]] = [(url, 1.0) for url in self.options.servers]
        for url in [self.options.server or "", *self.options.servers]:
            if url:
                read_url(url, self.options)  # a malformed URL raises here, not at the first call

    def __repr__(self) -> str:
        count = sum(server.size for server in self._servers.values())
        return f"<Pool {count} connections{', finished' if self.finished else ''}>"

    @classmethod
    def get_instance(cls: type[SomePool], name_or_config: Union[str, Mapping[str, object]] = "") -> SomePool:
        """Return the pool of that name, or a new pool for a mapping of options.

        A named pool is created on first use. It is created again after it was finished, and in a forked child. ``""``
        and ``"default"`` are the same name.

        Source: phpDaemon Network/Pool.php, getInstance.
        """
        if isinstance(name_or_config, Mapping):
            return cls(name_or_config)
        if not isinstance(name_or_config, str):
            raise TypeError("get_instance() needs a name or a mapping of options")
        key = cls, "" if name_or_config == "default" else name_or_config
        pool = Pool._instances.get(key)
        if pool is None or pool.finished or pool._forks != _fork.forks:
            pool = Pool._instances[key] = cls()
        return cast(SomePool, pool)

    @property
    def reactor(self) -> Loop:
        """The event loop that runs the connections."""
        if self._reactor is None:
            return self._default_reactor()
        return self._reactor

    def _default_reactor(self) -> Loop:
        reactor = Reactor.instance()
        if reactor is not self._default:
            self._default = reactor
            asyncio = sys.modules.get("asyncio")
            if asyncio is not None and asyncio._get_running_loop() is not None:
                logger.warning(
                    "an asyncio loop is running here, so the default reactor would never run: use"
                    " Pool(reactor=asyncio.get_running_loop())"
                )
        return reactor

    def _get_reactor(self) -> Loop:
        return self.reactor

    def _time(self) -> float:
        return self.reactor.time()

    def _call(self, cb: Callable[..., object], *args: object, **kwargs: object) -> object:
        # Count handler errors and slow handlers for the connection or server that emitted the event.
        about = args[0] if args else None
        server = self._servers.get(about) if isinstance(about, str) else None
        call = about._call if isinstance(about, Connection) else server.guard if server else self._guard
        return call(cb, *args, **kwargs)

    @property
    def stats(self) -> Stats:
        """A copy of the current counters, summed over all connections. May be read from any thread."""
        total = Stats()
        total.add([self._stats, *self.stats_by_server().values()])
        return total

    def stats_by_server(self) -> dict[str, Stats]:
        """Like :attr:`stats`, but per server. The keys are URLs without the secret. May be called from any thread.

        The last 1,000 servers that are gone keep their entries. ``"others"`` has the sums over all earlier ones.
        """
        totals: dict[str, Stats] = {}
        with self._lock:
            present = [(str(server.address), server.stats) for server in tuple(self._servers.values())]
            for name, stats in (*self._past.items(), *present):
                totals.setdefault(name, Stats()).add([stats])
        return totals

    @staticmethod
    def extract(line: str) -> tuple[str, str]:
        """Split a header line into name and value by phpDaemon's rule: the separator is a colon and a space.

        :class:`~ami_client.packet.Packet`, which reads real packets, also accepts a colon without a space. Source:
        phpDaemon Clients/Asterisk/Pool.php, extract.
        """
        name, _, value = (part.strip(TRIMMED) for part in line.partition(": "))
        name, folded = ascii_lower(name), ascii_lower(value)
        return name, value if name.startswith(KEEP_CASE) or folded.startswith(KEEP_CASE) else folded

    def add_server(self, url: str, weight: Optional[float] = None) -> None:
        """Add a server to the random choice for calls without a URL. ``weight`` is 1 by default; 2 doubles the chance.

        Raises ValueError for a malformed URL or a weight that is not positive.
        """
        read_url(url, self.options)
        if weight is not None and (not isinstance(weight, (int, float)) or not 0 < weight < float("inf")):
            raise ValueError("weight must be a number greater than 0")
        self._choices.append((url, 1.0 if weight is None else weight))

    def _get_connection(
        self,
        url: Union[str, OnConnection, None] = None,
        cb: Optional[OnConnection] = None,
        pri: float = 0,
        before_connect: Optional[BeforeConnect] = None,
        *,
        connect_timeout: Optional[float] = None,
        login_timeout: Optional[float] = None,
    ) -> bool:
        """Get a free connection, open a new one, or queue for one.

        ``get_connection(cb)`` works too. If called on the class, it uses the default instance.

        Arguments:
            url: the server. None means the option ``server``, or else a random one of ``servers``.
            cb: ``cb(conn, packet)``, called once, when the login has succeeded or failed. Check ``conn.connected``;
                ``conn.error`` says why it failed. ``packet`` is the server's answer to the login, or a failure packet.
                A callback that takes one argument gets only ``conn``.
            pri: the callback's priority while all connections are in use. Higher priorities are served first.
            before_connect: ``before_connect(conn)`` runs if this call opens a new connection, before anything is sent.
                Bind handlers for ``connected`` here. With the option ``reconnect``, it runs again for the next
                connection if the server rejects the first one because of too many concurrent logins.
            connect_timeout, login_timeout: seconds, if this call opens a new connection. None means the pool's options,
                infinity means no limit.

        Returns True, or False if no server is configured; ``cb`` then gets a placeholder connection. Raises ValueError
        for a malformed URL, TypeError for a callback that cannot be called, LimitReached when too many callbacks wait,
        ConnectionFinished after :meth:`finish`, and RuntimeError in a forked child, which needs its own pool.

        Source: phpDaemon Network/Client.php, getConnection.
        """
        self._check_process()
        if callable(url):
            if cb is not None:
                raise TypeError("get_connection(cb) takes its other arguments by keyword only")
            url, cb = None, url
        if url is not None and not isinstance(url, str):
            raise TypeError(f"a URL must be a str, not {type(url).__name__}")
        if cb is not None:
            cb = self._tasks.check(trim_arguments(cb, coroutines=True))
        if before_connect is not None:
            require_callable(before_connect, "before_connect", CONN)
        if self.finished:
            raise ConnectionFinished("the pool is finished")
        limits = {"connect_timeout": connect_timeout, "login_timeout": login_timeout}
        given = {name: seconds(name, limit) for name, limit in limits.items() if limit is not None}
        waiter = Waiter(cb, before_connect, given, pri)
        url = url or self.options.server or self._choose()
        if url is None:
            error = NoServer("no URL was given, and neither server nor servers is set")
            waiter.fail(error, self.options, self, self._stats, self.connection_class)
            return False
        server = self._servers.get(url) or ServerPool(
            url, self.options, self, self._forget, self._sockets, self.connection_class
        )
        server.add(waiter)
        self._servers[url] = server
        server.serve()
        return True

    get_connection = _OnInstanceOrClass(_get_connection)

    def on_login(self, cb: LoginHandler) -> LoginHandler:
        """Call ``cb(conn, packet)`` after every login, including reconnects. Return ``cb``.

        Use it to fetch the current state (CoreShowChannels, QueueStatus): it runs before waiting callbacks, and before
        actions are sent again. ``packet`` is the server's answer to the login. A callback that takes one argument gets
        only ``conn``. This binds ``login``; ``pool.off("login", cb)`` unbinds it.
        """
        self.bind("login", trim_arguments(cb, coroutines=True))
        return cb

    def cancel(self, cb: OnConnection) -> bool:
        """Cancel the wait of a callback for a connection. The callback is called at once, with a placeholder connection
        whose ``error`` is :class:`~ami_client.errors.Cancelled`.

        If a connection is being opened for it, the next waiting callback gets that connection, or it becomes free.
        Returns False if ``cb`` is not waiting.
        """
        self._check_process()
        for server in list(self._servers.values()):
            waiter = server.take_back(cb)
            if waiter is not None:
                error = Cancelled("the wait for a connection was cancelled")
                waiter.fail(error, self.options, self, self._stats, self.connection_class)
                return True
        return False

    def finish(self, graceful: bool = False, on_closed: Optional[Callable[[], object]] = None) -> None:
        """End all connections, with a Logoff each if ``graceful``, and fail waiting callbacks.

        The pool takes no more calls and opens no more connections. Buffered data is still sent, for at most 5 seconds.
        ``on_closed()`` is called when the last socket is closed. Raises RuntimeError in a forked child.
        """
        self._check_process()
        if on_closed is not None:
            require_callable(on_closed, "on_closed", ())
        self.finished = True
        for server in self._servers.values():  # stop every server before any callback runs
            server.stop()
        with resumed(self.reactor, self.finish, graceful, on_closed):
            for server in list(self._servers.values()):
                server.finish(graceful)
                self._forget(server)
        if on_closed is not None:
            self._sockets.when_closed(on_closed)

    def _forget(self, server: ServerPool) -> None:
        if self._servers.get(server.url) is server:
            with self._lock:
                del self._servers[server.url]
                self._past.add(str(server.address), server.stats)

    def _check_process(self) -> None:
        if self._forks != _fork.forks:
            _fork.refuse("pool", "a Pool")

    def _choose(self) -> Optional[str]:
        if not self._choices:
            return None
        import random  # a slow import (benchmark h): a program with one server does without

        urls, weights = zip(*self._choices)
        return cast(str, random.choices(urls, weights)[0])
