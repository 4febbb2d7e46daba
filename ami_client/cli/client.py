"""One login, asked in plain steps: each runs the loop until its answer is there."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Callable, Optional

from .._engine.encode import Params
from ..connection import Connection
from ..errors import ActionFailed, AMIError, LoginRefused
from ..packet import Packet
from ..pool import Pool
from ..reactor import Reactor
from .failures import CommandError, Status, explain
from .target import Target

RECONNECT = 1.0  # seconds
RECONNECT_MAX = 30.0  # seconds

Handler = Callable[[Connection, Packet], object]


class Client:
    """A connection to a server; entering it logs in.

    * ``target``: the server;
    * ``timeout``: seconds that everything together may take, None for no limit;
    * ``events``: the classes of events that the server is to send;
    * ``reconnect``: open a lost connection again;
    * ``waiting``: ``waiting(client)`` makes a context that is open while it waits;
    * ``reactor``: the loop, to share one.

    All methods raise CommandError for what went wrong on the way.

    Attributes: ``doing``, what it is waiting for, for the message when the time is over.
    """

    def __init__(
        self,
        target: Target,
        *,
        timeout: Optional[float] = None,
        events: str = "off",
        reconnect: bool = False,
        waiting: Optional[Callable[[Client], AbstractContextManager[object]]] = None,
        reactor: Optional[Reactor] = None,
    ) -> None:
        self.target = target
        self.doing = "connecting"
        self.conn: Optional[Connection] = None
        self._timeout = timeout
        self._waiting = waiting
        self._error: Optional[BaseException] = None
        self._stopped = False
        self._own_reactor = reactor is None
        self.reactor = Reactor() if reactor is None else reactor
        try:
            self.pool = Pool(
                reactor=self.reactor,
                events=events,
                reconnect=RECONNECT if reconnect else None,
                reconnect_max=RECONNECT_MAX,
                action_timeout=None,  # `timeout` is for everything
                slow_handler=None,  # whoever reads our output may be slow
                fold_case=False,
                **target.options,
            )
        except ValueError as error:
            raise CommandError(str(error), Status.USAGE) from None

    def __enter__(self) -> Client:
        try:
            if self._timeout is not None:
                self.reactor.call_later(self._timeout, self._out_of_time, self._timeout)
            self.connect()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection, and the loop if it is ours."""
        self.pool.finish()
        if self._own_reactor:
            self.reactor.close()

    def connect(self) -> None:
        """Log in."""
        self.pool.on("disconnect", self._disconnected)
        try:
            self.pool.get_connection(self.target.url, self._connected)
        except ValueError as error:
            raise CommandError(str(error), Status.USAGE) from None
        self.run()

    def _connected(self, conn: Connection, packet: Packet) -> None:
        if conn.connected:
            self.conn = conn
            self.doing = "working"
            self.stop()
        else:
            assert conn.error is not None
            self.fail(explain(conn.error))

    def _disconnected(self, conn: Connection) -> None:
        refused_for_good = isinstance(conn.error, LoginRefused) and not conn.error.temporary
        if conn.error is not None and (self.pool.options.reconnect is None or refused_for_good):
            self.fail(explain(conn.error))

    def _out_of_time(self, timeout: float) -> None:
        text = f"still {self.doing} after {timeout:g} s; --timeout gives it more time"
        self.fail(CommandError(text, Status.TIMEOUT))

    def stop(self) -> None:
        """Have :meth:`run` return."""
        self._stopped = True
        self.reactor.stop()

    def fail(self, error: BaseException) -> None:
        """Have :meth:`run` raise, now and from now on; what is done already is done."""
        self._error = self._error or error
        self.reactor.stop()

    def run(self) -> None:
        """Run the loop until :meth:`stop` or :meth:`fail`."""
        with self._waiting(self) if self._waiting else nullcontext():
            while not self._stopped:
                if self._error is not None:
                    raise self._error
                self.reactor.run()
        self._stopped = False

    def guard(self, handler: Callable[..., object]) -> Callable[..., object]:
        """A handler as it is, but what it raises comes out of :meth:`run`; the library would log it and go on."""

        @wraps(handler)
        def guarded(*args: object) -> object:
            try:
                return handler(*args)
            except Exception as error:
                self.fail(error)
                return None

        return guarded

    def action(self, name: str, params: Optional[Params] = None) -> Packet:
        """The answer to an action; its ``error`` is None or an ActionFailed."""
        self.doing = f"waiting for the answer to {name}"
        return self.answer(lambda cb: self.connection.action(name, cb, params))

    def answer(self, ask: Callable[[Handler], object]) -> Packet:
        """The packet that ``ask(cb)`` has its callback called with."""
        answers: list[Packet] = []

        def answered(conn: Connection, packet: Packet) -> None:
            answers.append(packet)
            self.stop()

        try:
            ask(answered)
        except ValueError as error:
            raise CommandError(str(error), Status.USAGE) from None
        except AMIError as error:  # the connection is gone already
            raise explain(error) from None
        self.run()
        packet = answers[0]
        if packet.error is not None and not isinstance(packet.error, ActionFailed):
            raise explain(packet.error)
        return packet

    def events_of(self, name: str, params: Optional[Params] = None) -> list[Packet]:
        """The entries of a list; that there are none may be told as an error."""
        packet = self.action(name, params)
        if packet.error is not None:
            raise explain(packet.error)
        return packet.events

    def ping(self) -> float:
        """Seconds that a Ping and its answer took."""
        self.doing = "waiting for the answer to Ping"
        started = time.perf_counter()
        self.answer(self.connection.ping)  # an error is a sign of life too
        return time.perf_counter() - started

    def sleep(self, seconds: float) -> None:
        """Let the loop run for some seconds."""
        self.reactor.call_later(seconds, self.stop)
        self.run()

    @property
    def connection(self) -> Connection:
        """The connection that logged in last."""
        assert self.conn is not None
        return self.conn
