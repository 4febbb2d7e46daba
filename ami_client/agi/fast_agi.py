"""FastAGI: Asterisk connects to us for each call. ``AGI(agi://host:port/path,argument)`` in the dialplan."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Optional

from .. import _fork
from .._platform import reuse_address, unix_family
from .._transport.stream import Stream
from .._transport.tls import TLSFilter
from ..callbacks import logger
from ..errors import AMIError, ConnectionLost, ProtocolError
from ..loop import require_loop
from ..options import seconds
from ..reactor import Reactor
from ..url import format_address
from .call import Call
from .errors import HungUp
from .protocol import ReplyReader, read_environment
from .server import IDLE_TIMEOUT, CallServer

if TYPE_CHECKING:
    import ssl as ssl_module

    from ..loop import Handle, Loop
    from .pending import Command
    from .session import Session

START_TIMEOUT = 10.0  # seconds
MAX_CALLS = 10_000
# Asterisk 16 reads a command of up to 2,046 bytes and its line feed, and treats the rest as another command.
MAX_COMMAND = 2046
MAX_ENVIRONMENT = 65_536  # bytes
MAX_REPLY = 1_048_576
MAX_UNASKED = 65_536  # bytes that may arrive while no command is in flight
_NOTHING = b"200 result=0\n"
_ACCEPT_AT_ONCE = 64
_PAUSE = 1.0  # seconds without accepting when there are no descriptors left
_UNIX = "unix:"


class FastAGI(CallServer):
    """A FastAGI server. It listens as soon as it is created, and handles calls while its loop runs.

    Arguments:
        host, port: the address to listen on. Port 0 is any free port. ``unix:/path`` as the host is a unix socket. With
            the host None it does not listen, and serves the sockets that are passed to :meth:`take`.
        reactor: the event loop: ours, asyncio's or uvloop's; by default :meth:`Reactor.instance`.
        ssl: a server-side ``ssl.SSLContext``. Asterisk itself does not use TLS here, but a tunnel may.
        threads: run plain handlers in at most this many threads, each with a :class:`BlockingCall`.
        command_timeout: how long to wait for a reply, in seconds. None means no limit. Commands such as EXEC may take
            long.
        idle_timeout: after this many seconds without a command, a call is returned to the dialplan and logged, unless
            its handler is a coroutine or runs in a thread. None means never.
        start_timeout: seconds within which a connection must have sent the facts of its call.
        max_calls: connections above this number are closed at once.

    Raises OSError if it cannot listen there, ValueError or TypeError for a bad argument.
    """

    def __init__(
        self,
        host: Optional[str] = "127.0.0.1",
        port: int = 4573,
        *,
        reactor: Optional[Loop] = None,
        ssl: Optional[ssl_module.SSLContext] = None,
        threads: Optional[int] = None,
        command_timeout: Optional[float] = None,
        idle_timeout: Optional[float] = IDLE_TIMEOUT,
        start_timeout: Optional[float] = START_TIMEOUT,
        max_calls: int = MAX_CALLS,
    ) -> None:
        super().__init__(threads=threads, command_timeout=command_timeout, idle_timeout=idle_timeout)
        self.start_timeout = seconds("start_timeout", start_timeout)
        self.max_calls = max_calls
        self.ssl = ssl
        self.reactor = Reactor.instance() if reactor is None else require_loop(reactor)
        self._links: set[FastLink] = set()
        self._full = False
        self._forks = _fork.forks
        self._resume: Optional[Handle] = None
        self._starting: dict[FastLink, float] = {}  # connections without the facts of their call -> deadline
        self._timer: Optional[Handle] = None
        self._path = host[len(_UNIX) :] if host is not None and host.startswith(_UNIX) else None
        self._sock = None if host is None else _listening(host, port, self._path)
        self.host = host
        self.port: Optional[int] = None
        if self._sock is not None:
            if self._path is None:
                self.port = self._sock.getsockname()[1]
            self.reactor.add_reader(self._sock.fileno(), self._accept)

    def __repr__(self) -> str:
        return f"<FastAGI {format_address(self.host, self.port) if self.host else 'without an address'}>"

    def __enter__(self) -> FastAGI:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def _loop(self) -> Loop:
        return self.reactor

    def close(self) -> None:
        """Stop listening and close all calls. Closing again has no effect."""
        sock, self._sock = self._sock, None
        if self._forks != _fork.forks:  # a forked child must not disturb the parent
            if sock is not None:
                sock.close()
            return
        if sock is not None:
            self.reactor.remove_reader(sock.fileno())
            sock.close()
            if self._path is not None:
                with suppress(FileNotFoundError):
                    os.unlink(self._path)
        for timer in (self._resume, self._timer):
            if timer is not None:
                timer.cancel()
        self._close_calls()
        for link in list(self._links):  # those that have no call yet
            link.cut()

    def take(self, sock: socket.socket) -> None:
        """Serve a connected socket, as if it had been accepted."""
        sock.setblocking(False)
        if len(self._links) >= self.max_calls:
            if not self._full:
                logger.error("%r has %d calls, the maximum (max_calls); refusing more", self, self.max_calls)
            self._full = True
            sock.close()
            return
        self._full = False
        link = FastLink(self, sock)
        self._links.add(link)
        if self.start_timeout is not None:
            # All have the same limit, so they expire in the order in which they came, and one timer is enough.
            self._starting[link] = self.reactor.time() + self.start_timeout
            if self._timer is None:
                self._timer = self.reactor.call_later(self.start_timeout, self._due, self.start_timeout)
        link.start()

    def told(self, link: FastLink) -> None:
        """Note that a link has received all facts of its call."""
        self._starting.pop(link, None)

    def forget(self, link: FastLink) -> None:
        """Remove a closed link."""
        self._links.discard(link)
        self._starting.pop(link, None)

    def begin(self, call: Call) -> None:
        """Start a call whose facts are complete."""
        self._begin(call)

    def _due(self, limit: float) -> None:
        self._timer = None
        now = self.reactor.time()
        for link, deadline in list(self._starting.items()):
            if deadline > now:
                self._timer = self.reactor.call_later(deadline - now, self._due, limit)
                return
            link.late(limit)

    def _accept(self) -> None:
        for _ in range(_ACCEPT_AT_ONCE):
            if self._sock is None:
                return
            try:
                sock, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    raise
                logger.error("%r accepts no calls for %g s: %s", self, _PAUSE, error.strerror)
                self.reactor.remove_reader(self._sock.fileno())
                self._resume = self.reactor.call_later(_PAUSE, self._accept_again)
                return
            self.take(sock)

    def _accept_again(self) -> None:
        if self._sock is not None:
            self.reactor.add_reader(self._sock.fileno(), self._accept)


class FastLink:
    """One connection of a FastAGI server: first the environment, then replies."""

    limit = MAX_COMMAND
    # Asterisk 16 and 22 do not read a second command before something else arrives, so commands are sent one by one.
    ahead = False

    def __init__(self, server: FastAGI, sock: socket.socket) -> None:
        loop = server.reactor
        self._server = server
        self._head = b""
        self._reader = ReplyReader()
        self._session: Optional[Session] = None
        self._unasked = 0
        tls = None if server.ssl is None else TLSFilter(server.ssl, server_side=True)
        self._stream = Stream(loop, sock, on_open=_nothing, on_data=self._told, on_lost=self._lost, tls=tls)

    def start(self) -> None:
        """Start reading."""
        self._stream.start()

    # -- called by the session

    def attach(self, session: Session) -> None:
        """Use this link for a session."""
        self._session = session

    def send(self, command: Command) -> None:
        """Send a command."""
        self._stream.write(command.data + b"\n")

    def hand_back(self) -> None:
        """Close the connection. The dialplan continues."""
        self.cut()
        session = self._session
        if session is not None:
            session.end(HungUp("the call hung up") if session.hung_up else None)

    def cut(self) -> None:
        """Close the connection."""
        self._server.forget(self)
        self._stream.close()

    # -- called for data of the server

    def _told(self, data: bytes) -> None:
        session = self._session
        if session is None:
            self._read_head(data)
        else:
            reader = self._reader
            command = session.oldest
            # The usual case: one complete reply of one line. :meth:`_read` has the same result.
            if (
                command is not None
                and not len(reader)
                and data.startswith(b"200 ")
                and data.find(b"\n") == len(data) - 1
                and (not command.returns_value or data.endswith(b")\n") or data == _NOTHING)
            ):
                session.answer(command, data)
                return
            reader.feed(data)
            self._read(session, len(data))

    def _read_head(self, data: bytes) -> None:
        head = self._head = self._head + data
        end = head.find(b"\n\n", max(0, len(head) - len(data) - 1))
        if not head.startswith(b"agi_"[: len(head)]):
            self._refuse(f"does not speak AGI: it sent {head[:20]!r} first")
        elif end < 0:
            if len(head) > MAX_ENVIRONMENT:
                self._refuse(f"sent more than {MAX_ENVIRONMENT:,} bytes about its call")
        else:
            self._server.told(self)
            self._head = b""
            call = Call(self._server.reactor, self, read_environment(head[:end]), self._server)
            if head[end + 2 :]:
                self._told(head[end + 2 :])
            if not call.ended:
                self._server.begin(call)

    def _read(self, session: Session, size: int) -> None:
        reader = self._reader
        while not session.is_over:
            command = session.oldest
            if command is None:
                self._unasked += size
                if reader.drop():
                    session.told_of_hangup()
                if self._unasked > MAX_UNASKED:
                    self._fail(session, ProtocolError(f"more than {MAX_UNASKED:,} bytes without a command"))
                return
            reply = reader.next(command.returns_value)
            if reply is None:
                if len(reader) > MAX_REPLY:
                    self._fail(session, ProtocolError(f"a reply of more than {MAX_REPLY:,} bytes"))
                return
            if reply.startswith(b"HANGUP"):
                session.told_of_hangup()
                continue
            # One command was sent, so this was its reply. Nobody asked for the rest. It may be the end of a value that
            # looks like a reply, and must not answer the next command.
            session.answer(command, reply, reader.drop())
            return

    def _lost(self, error: Optional[BaseException]) -> None:
        self._server.forget(self)
        if self._session is None:
            logger.debug("a connection to %r ended before its call began: %s", self._server, error)
        elif self._session.hung_up:
            self._session.end(HungUp("the call hung up"))
        else:
            reason = "the server closed the connection" if error is None else f"the connection was lost: {error}"
            self._session.end(ConnectionLost(reason, error))

    def _fail(self, session: Session, error: AMIError) -> None:
        self.cut()
        logger.error("%r: %s", self._server, error)
        session.end(error)

    def _refuse(self, why: str) -> None:
        logger.error("%r refuses a connection that %s", self._server, why)
        self.cut()

    def late(self, limit: float) -> None:
        """Handle the end of the time within which the call's facts must have come."""
        self._refuse(f"did not describe its call within {limit:g} s")


def _listening(host: str, port: int, path: Optional[str]) -> socket.socket:
    if path is not None:
        sock = socket.socket(unix_family())
        address: object = path
    else:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        sock = socket.socket(family, socket.SOCK_STREAM)
        reuse_address(sock)
        # Accepted sockets inherit these.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        sock.bind(address)  # type: ignore[arg-type]  # str or tuple by family
        sock.setblocking(False)
        sock.listen(socket.SOMAXCONN)
    except OSError:
        sock.close()
        raise
    return sock


def _nothing() -> None:
    """Send nothing: the server has not described its call yet."""
