"""An Asterisk that is small enough to run inside a test: :class:`FakeAsterisk`."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Optional, Union
from urllib.parse import quote

from ..loop import require_loop
from ..packet import Packet
from . import housekeeping, listings, telephony
from .actions import ACTIONS, Turn
from .async_calls import AsyncCalls
from .calls import Exchange
from .known import as_sent
from .link import Listener
from .matching import MAX_RECEIVED, Pattern, Received, Wanted
from .office import Office
from .recording import Recording
from .replay import Playback, Replay
from .requests import Rejected, Request
from .script import BUILT_IN, Answer, Headers, Script, encode_event, error
from .scripts import Expectation, Scripts
from .session import Session
from .timeline import Sequel, Timeline

if TYPE_CHECKING:
    import socket
    from types import TracebackType

    from ..loop import Loop
    from .caller import FakeCaller

# Imported because these modules register handlers.
_HANDLERS = (housekeeping, listings, telephony)


class FakeAsterisk:
    """A server that answers like Asterisk 22, on a loopback port, in the client's own loop.

    It never blocks and needs no thread. It runs on any loop with asyncio's methods ``call_soon``, ``call_later``,
    ``add_reader``, ``remove_reader``, ``add_writer``, ``remove_writer`` and ``time``, including our Reactor::

        with FakeAsterisk(reactor) as server:
            server.on("QueuePause", {"Response": "Success", "Message": "Interface paused"})
            pool.get_connection(server.url, on_connection)
            reactor.run()
            assert server.received_actions == ["Challenge", "Login", "QueuePause"]

    * ``loop``: the client's loop;
    * ``username``, ``secret``: the accepted login;
    * ``version``: the AMI version in the banner;
    * ``host``, ``port``: the address to listen on. Port 0 means any free port, which is kept when the server is
      restarted;
    * ``unix_path``: listen on a unix socket with this path instead;
    * ``tls``: a server-side ``ssl.SSLContext``, for TLS;
    * ``auth_delay``: seconds before the answer to a refused login (Asterisk waits one second);
    * ``ring_time``: seconds until a called party answers;
    * ``call_length``: seconds that an answered call stays in one place before it is hung up. None means no limit;
    * ``fully_booted``: whether FullyBooted follows a login;
    * ``office``: the peers, queues, extensions and files that the server reports;
    * ``max_received``: how many requests :attr:`received` keeps at least. None means all. Older ones are dropped, so
      the memory of a long-running server is bounded.
    """

    #: The received requests of all clients, in order. ``clear()`` empties the list. A call selects requests:
    #: ``assert server.received("Originate", Channel="PJSIP/100")``.
    received: Received
    #: The live calls: ``channels`` lists their channels, ``hang_up(channel, cause)`` acts as the other party.
    exchange: Exchange
    #: The message of :meth:`refuse_logins`. None while logins are accepted.
    login_refusal: Optional[str] = None
    _muted = False
    _started = 0.0

    def __init__(
        self,
        loop: Loop,
        *,
        username: str = "admin",
        secret: str = "secret",
        version: str = "11.0.0",
        host: str = "127.0.0.1",
        port: int = 0,
        unix_path: Optional[str] = None,
        tls: Optional[ssl.SSLContext] = None,
        auth_delay: float = 0.0,
        ring_time: float = 0.05,
        call_length: Optional[float] = 1.0,
        fully_booted: bool = True,
        office: Optional[Office] = None,
        max_received: Optional[int] = MAX_RECEIVED,
    ) -> None:
        self.loop = require_loop(loop)
        self.username = username
        self.secret = secret
        self.version = version
        self.auth_delay = auth_delay
        self.fully_booted = fully_booted
        self.office = Office() if office is None else office
        if max_received is not None and max_received < 1:
            raise ValueError("max_received must be 1 or more; None keeps all requests")
        self.received = Received(max_received)
        self.exchange = Exchange(loop, self.office, self.push, ring_time=ring_time, call_length=call_length)
        self.async_calls = AsyncCalls(self.push)
        self._listener = Listener(loop, host, port, unix_path, tls)
        self._sessions: list[Session] = []
        self._timeline = Timeline(loop, self.push)
        self._scripts = Scripts(loop, self.play, max_received)
        self._replay: Optional[Replay] = None
        self._playbacks: dict[Session, Playback] = {}

    # -- start and stop

    def start(self) -> None:
        """Start listening. Raises OSError if the address is not available, RuntimeError if it is already listening."""
        self._started = self.loop.time()
        self._listener.start(self._accept)

    def close(self) -> None:
        """Stop listening, drop all connections and end all calls. :meth:`start` may follow.

        Pending events of :meth:`play` are cancelled, unless ``close`` itself was played:
        ``[(30, server.close), (90, server.start)]`` is an outage of one minute.
        """
        self._listener.close()
        self._timeline.cancel()
        self.drop()
        # Clients that did not read their data may still be connected.
        for session in list(self._sessions):
            session.link.close()
        self.exchange.close()

    def __enter__(self) -> FakeAsterisk:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()
        if exc is None:
            self.verify()

    @property
    def host(self) -> str:
        """The host, or the path of a unix socket."""
        return self._listener.unix_path or self._listener.host

    @property
    def port(self) -> int:
        """The port that the server listens on. 0 before the first start."""
        return self._listener.port

    @property
    def url(self) -> str:
        """The URL with user and secret: ``tcp://admin:secret@127.0.0.1:41234``."""
        user = f"{quote(self.username, safe='')}:{quote(self.secret, safe='')}"
        if self._listener.unix_path is not None:
            return f"unix://{user}@{self.host}"
        scheme = "tcp" if self._listener.tls is None else "tls"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{user}@{host}:{self.port}"

    @property
    def clients(self) -> int:
        """Number of connected clients, logged in or not."""
        return len(self._sessions)

    # -- requests

    @property
    def received_actions(self) -> list[str]:
        """The names of the received actions, as the clients wrote them."""
        return [request.action for request in self.received]

    def requests(self, action: str) -> list[Request]:
        """Return the received requests for ``action``. Case is ignored."""
        return [one for one in self.received if one.action.lower() == action.lower()]

    # -- answers

    @property
    def scripted_actions(self) -> list[str]:
        """The names of the actions with an answer from :meth:`on`."""
        return self._scripts.actions

    def on(self, action: str, answer: Script, *, delay: float = 0.0) -> None:
        """Answer ``action`` with ``answer`` from now on, after ``delay`` seconds. The action's case is ignored.

        ``answer`` is one of:

        * None: no answer at all;
        * bytes or text, sent unchanged;
        * a mapping of headers (a list value repeats the header, None leaves it out), or a list of such mappings. The
          ActionID is added to each;
        * a :class:`~ami_client.testing.script.Cut` around one of these, which ends the connection;
        * a callable ``(request) -> answer``. It may also return NotImplemented for the built-in answer, or a
          :class:`~ami_client.testing.script.Later`.

        A scripted answer to Login logs nobody in.
        """
        self._scripts.on(action, answer, delay)

    def off(self, action: str) -> None:
        """Restore the built-in answer of ``action``. Raises KeyError if :meth:`on` was not called for it."""
        self._scripts.off(action)

    def expect(
        self,
        action: str,
        headers: Optional[Mapping[str, Wanted]] = None,
        /,
        *,
        times: Optional[int] = 1,
        **more: Wanted,
    ) -> Expectation:
        """Expect a request for ``action`` with these headers. Return the expectation, which can be given an answer::

            server.expect("Originate", Channel="PJSIP/100").answer({"Response": "Success"})

        Headers are given as for :attr:`received`. The request must come ``times`` times. None means at least once.
        Expectations are matched in the order in which they were made, and take precedence over :meth:`on`. An unmet one
        fails the test at the end (:meth:`verify`).
        """
        return self._scripts.expect(Pattern(action, {**(headers or {}), **more}), times)

    def in_order(self) -> AbstractContextManager[None]:
        """Return a context manager. Expectations made inside its block must be met in that order."""
        return self._scripts.in_order()

    def verify(self) -> None:
        """Raise AssertionError if there are unmet expectations. The end of a ``with`` block calls this."""
        report = self.report()
        if report:
            raise AssertionError(report)

    def report(self) -> str:
        """Describe unmet expectations and the requests that came instead. Return ``""`` if there are none."""
        return self._scripts.report(self.received)

    def replay(self, recording: Recording, *, speed: Optional[float] = 1.0, patience: float = 1.0) -> Replay:
        """Play a recording to each client that connects from now on. Return a :class:`Replay` to observe it.

        The n-th client gets the n-th recorded connection. After the last one it starts again with the first. A request
        gets the answer of the most similar recorded request, with its own ActionID. Without a similar one it gets the
        built-in answer. Events come at their recorded times after the login, ``speed`` times as fast (None and
        infinity: at once), but not before the answers that preceded them. If a recorded request does not come, the
        replay waits for it until ``patience`` seconds after the last event or request. The connection ends as recorded.

        Any login is accepted, unless the recorded one was refused. Raises ValueError for a speed that is not positive.
        """
        self._replay = Replay(recording, speed, patience, self.received.limit)
        return self._replay

    def refuse_logins(self, message: str = "Authentication failed") -> None:
        """Refuse all logins from now on, with any credentials, and close these connections."""
        self.login_refusal = message

    def accept_logins(self) -> None:
        """End :meth:`refuse_logins`."""
        self.login_refusal = None

    # -- events and outages

    def push(self, event: Union[bytes, str, Headers]) -> int:
        """Send an event to every logged-in client. Return their number.

        ``event`` is a mapping or pairs of headers, ``Event`` first. With a ``Privilege`` (``call,all``), only clients
        whose event mask includes it get the event. Bytes or text are sent unchanged.

        An event of the catalogue, ``events.Hangup(Channel="PJSIP/100", Cause=16)``, is sent with the Privilege of real
        servers. A header that no server sends with it causes a warning.
        """
        if isinstance(event, Packet):
            event = as_sent(event)
        elif isinstance(event, str):
            event = encode_event(event)
        return sum([session.deliver(event) for session in list(self._sessions)])

    def play(self, sequel: Sequel) -> None:
        """Schedule events. ``sequel`` has pairs of seconds from now and an event, as for :meth:`push`.

        A function instead of an event is called: ``play([(0.0, ringing), (2.5, hangup), (3.0, server.drop)])``. Events
        of the catalogue may be given without a time and come at once: ``play([events.Hangup(Channel="A")])``.
        """
        self._timeline.play(sequel)

    def start_agi(self, caller: FakeCaller) -> FakeCaller:
        """Put a caller into AsyncAGI, as the dialplan's ``AGI(agi:async)`` does. Return the caller.

        ``caller.commands`` and ``caller.ended`` show what the client does with the call.
        """
        self.async_calls.start(caller)
        return caller

    def drop(self, after: Union[bytes, str] = b"", *, reset: bool = False) -> None:
        """Drop all connections after sending ``after``, which may be an incomplete packet.

        With ``reset``, the clients see "connection reset" instead of an end of file.
        """
        for session in list(self._sessions):
            session.link.drop(encode_event(after), reset)

    def mute(self) -> None:
        """Stop sending, also to new clients, but keep the connections open, like a frozen server."""
        self._set_muted(True)

    def unmute(self) -> None:
        """Send everything that was held back since :meth:`mute`, and resume sending."""
        self._set_muted(False)

    def uptime(self) -> int:
        """Return the uptime in whole seconds."""
        return int(self.loop.time() - self._started)

    def _answer(self, session: Session, request: Union[Request, Rejected]) -> Answer:
        if isinstance(request, Rejected):
            return error(request.message)
        name = request.action.lower()
        if not name:
            return error("Missing action in request")
        if not session.logged_in and name not in housekeeping.BEFORE_LOGIN:
            return error("Permission denied")
        answer = self._scripts.answer(request)
        if answer is BUILT_IN and session in self._playbacks:
            answer = self._playbacks[session].answer(request)
        if answer is not BUILT_IN:
            return answer
        if name not in ACTIONS:
            hint = "Use Action: ListCommands to show available commands."
            return error(f"Invalid/unknown command: {request.action}. {hint}")
        return ACTIONS[name].handler(Turn(self, session, request))

    def _accept(self, sock: socket.socket) -> None:
        session = Session(
            self.loop,
            sock,
            on_request=self.received.append,
            answer=self._answer,
            on_closed=self._forget,
        )
        self._sessions.append(session)
        session.link.mute(self._muted)
        banner = f"Asterisk Call Manager/{self.version}\r\n".encode()
        if self._replay is not None:
            playback = self._playbacks[session] = self._replay.begin(self.loop, session)
            banner = playback.banner or banner
        session.link.write(banner)

    def _forget(self, session: Session) -> None:
        self._sessions.remove(session)
        if session in self._playbacks:
            self._playbacks.pop(session).close()

    def _set_muted(self, muted: bool) -> None:
        self._muted = muted
        for session in list(self._sessions):
            session.link.mute(muted)
