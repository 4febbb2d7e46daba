"""A blocking client for the commands: each call runs the loop until its answer arrives."""

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
from .explain import explain
from .failures import CommandError, Status
from .target import Target

RECONNECT = 1.0  # seconds
RECONNECT_MAX = 30.0  # seconds

Handler = Callable[[Connection, Packet], object]


class Client:
    """A connection to a server, as a context. Entering it logs in.

    * ``target``: the server;
    * ``timeout``: limit in seconds for everything together, None for no limit;
    * ``events``: the event classes to ask for at login;
    * ``reconnect``: open a lost connection again;
    * ``waiting``: ``waiting(client)`` makes a context that is entered for each wait;
    * ``reactor``: a loop to share; by default it makes its own.

    All methods raise CommandError if anything goes wrong.

    Attributes: ``doing``, the current step, for the message after a timeout.
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
                action_timeout=None,  # `timeout` covers everything
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
        """End the connection, and close the loop if it is our own."""
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
        text = f"still {self.doing} after {timeout:g} s; use --timeout for a longer limit"
        self.fail(CommandError(text, Status.TIMEOUT))

    def stop(self) -> None:
        """Make :meth:`run` return."""
        self._stopped = True
        self.reactor.stop()

    def fail(self, error: BaseException) -> None:
        """Make :meth:`run` raise ``error``, now and at every later call. The first error stays."""
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
        """Wrap a handler so that :meth:`run` raises its exceptions. The library would only log them."""

        @wraps(handler)
        def guarded(*args: object) -> object:
            try:
                return handler(*args)
            except Exception as error:
                self.fail(error)
                return None

        return guarded

    def action(self, name: str, params: Optional[Params] = None) -> Packet:
        """Send an action and return the answer. Its ``error`` is None or an ActionFailed."""
        self.doing = f"waiting for the answer to {name}"
        return self.answer(lambda cb: self.connection.action(name, cb, params))

    def answer(self, ask: Callable[[Handler], object]) -> Packet:
        """Call ``ask(cb)``, and return the packet that ``cb`` gets."""
        answers: list[Packet] = []

        def answered(conn: Connection, packet: Packet) -> None:
            answers.append(packet)
            self.stop()

        try:
            ask(answered)
        except ValueError as error:
            raise CommandError(str(error), Status.USAGE) from None
        except AMIError as error:  # the connection has ended already
            raise explain(error) from None
        self.run()
        packet = answers[0]
        if packet.error is not None and not isinstance(packet.error, ActionFailed):
            raise explain(packet.error)
        return packet

    def events_of(self, name: str, params: Optional[Params] = None) -> list[Packet]:
        """Send an action and return the entries of its list. Raises CommandError if the server refuses."""
        packet = self.action(name, params)
        if packet.error is not None:
            raise explain(packet.error)
        return packet.events

    def ping(self) -> float:
        """Send a Ping and return its round-trip time in seconds."""
        self.doing = "waiting for the answer to Ping"
        started = time.perf_counter()
        self.answer(self.connection.ping)  # an error is a sign of life too
        return time.perf_counter() - started

    def sleep(self, seconds: float) -> None:
        """Run the loop for some seconds."""
        self.reactor.call_later(seconds, self.stop)
        self.run()

    @property
    def connection(self) -> Connection:
        """The connection with the latest login."""
        assert self.conn is not None
        return self.conn
