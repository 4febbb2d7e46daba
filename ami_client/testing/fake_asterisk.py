"""An Asterisk small enough to live inside a test: :class:`FakeAsterisk`."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Optional, Union
from urllib.parse import quote

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

# Imported because they register handlers.
_HANDLERS = (housekeeping, listings, telephony)


class FakeAsterisk:
    """A server that answers like Asterisk 22, on a loopback port, in the client's own loop.

    It never blocks and needs no thread: any loop with asyncio's ``call_soon call_later add_reader
    remove_reader add_writer remove_writer time`` will do, our Reactor included::

        with FakeAsterisk(reactor) as server:
            server.on("QueuePause", {"Response": "Success", "Message": "Interface paused"})
            pool.get_connection(server.url, on_connection)
            reactor.run()
            assert server.received_actions == ["Challenge", "Login", "QueuePause"]

    * ``loop``: the loop of the client;
    * ``username``, ``secret``: the accepted login;
    * ``version``: the AMI version in its banner;
    * ``host``, ``port``: where to listen; port 0 is any free one, kept when the server starts again;
    * ``unix_path``: listen on a unix socket of that path instead;
    * ``tls``: an ``ssl.SSLContext`` for servers, to speak TLS;
    * ``auth_delay``: seconds before a refused login is answered (Asterisk waits one);
    * ``ring_time``: seconds until a called party answers;
    * ``call_length``: seconds that an answered call stays in one place before it is hung up, None
      for ever;
    * ``fully_booted``: whether FullyBooted follows a login;
    * ``office``: peers, queues, extensions and files that it tells about;
    * ``max_received``: how many requests :attr:`received` keeps at least, None for all. Older ones are
      forgotten: a server that runs for long is not to grow without a bound.
    """

    #: The received requests of all clients, in order; ``clear()`` them if you like. A call selects some of them:
    #: ``assert server.received("Originate", Channel="PJSIP/100")``.
    received: Received
    #: The live calls: ``channels`` lists their channels, ``hang_up(channel, cause)`` acts as the other party.
    exchange: Exchange
    #: The message of :meth:`refuse_logins`; None while logins are accepted.
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
        self.loop = loop
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

    # -- life

    def start(self) -> None:
        """Start listening. Raises OSError if the address is not available, RuntimeError if it is listening already."""
        self._started = self.loop.time()
        self._listener.start(self._accept)

    def close(self) -> None:
        """Stop listening, drop all connections and end all calls; :meth:`start` may follow.

        What :meth:`play` still has is taken back, unless this is played itself:
        ``[(30, server.close), (90, server.start)]`` is an outage of a minute.
        """
        self._listener.close()
        self._timeline.cancel()
        self.drop()
        # Clients that did not read may still be connected.
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
        """The host; the path of a unix socket."""
        return self._listener.unix_path or self._listener.host

    @property
    def port(self) -> int:
        """The port it listens on, 0 before the first start."""
        return self._listener.port

    @property
    def url(self) -> str:
        """Its URL with user and secret: ``tcp://admin:secret@127.0.0.1:41234``."""
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
        """The names of the actions received, as the clients wrote them."""
        return [request.action for request in self.received]

    def requests(self, action: str) -> list[Request]:
        """Return the requests received for ``action`` (without case)."""
        return [one for one in self.received if one.action.lower() == action.lower()]

    # -- answers

    @property
    def scripted_actions(self) -> list[str]:
        """The names of the actions with an answer from :meth:`on`."""
        return self._scripts.actions

    def on(self, action: str, answer: Script, *, delay: float = 0.0) -> None:
        """Answer ``action`` (without case) with ``answer`` from now on, after ``delay`` seconds.

        ``answer`` is one of: None, no answer at all; bytes or text, sent as they are; a mapping of
        headers (a list value repeats the header, None leaves it out) or a list of such mappings,
        into each of which the ActionID is put; a :class:`~ami_client.testing.script.Cut` around one
        of these, which ends the connection; a callable ``(request) -> answer``, which may also
        return NotImplemented for the built-in answer, or a
        :class:`~ami_client.testing.script.Later`. A scripted Login logs nobody in.
        """
        self._scripts.on(action, answer, delay)

    def off(self, action: str) -> None:
        """Restore the built-in answer of ``action``. Raises KeyError without an earlier :meth:`on`."""
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
        """Expect a request for ``action`` with these headers. Return the expectation, which takes an answer::

            server.expect("Originate", Channel="PJSIP/100").answer({"Response": "Success"})

        Headers are given as to :attr:`received`. The request must come ``times`` times; None means at
        least once. Expectations are met in the order in which they were made, and take precedence over
        :meth:`on`. An unmet one fails the test at the end (:meth:`verify`).
        """
        return self._scripts.expect(Pattern(action, {**(headers or {}), **more}), times)

    def in_order(self) -> AbstractContextManager[None]:
        """Return a context manager. Expectations made inside its block must be met in that order."""
        return self._scripts.in_order()

    def verify(self) -> None:
        """Raise AssertionError for unmet expectations. The end of a ``with`` block calls this."""
        report = self.report()
        if report:
            raise AssertionError(report)

    def report(self) -> str:
        """Describe unmet expectations and the requests that came instead; ``""`` if there are none."""
        return self._scripts.report(self.received)

    def replay(self, recording: Recording, *, speed: Optional[float] = 1.0, patience: float = 1.0) -> Replay:
        """Play a recording to each client that connects from now on. Return a :class:`Replay` to observe it.

        The n-th client gets the n-th recorded connection; after the last one it starts again with the first. A request
        gets the answer to the most similar recorded request, with its own ActionID; without a similar one it gets the
        built-in answer. Events come at their recorded times after the login, ``speed`` times as fast (None and
        infinity: at once), but not before the answers that preceded them. A missing request is waited for until
        ``patience`` seconds after the last event or request. The end of the connection comes as recorded.

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

        ``event`` is a mapping or pairs of headers, ``Event`` first. With a ``Privilege``
        (``call,all``) only those get it whose event mask lets it through. Bytes or text are sent
        as they are.

        An event of the catalogue, ``events.Hangup(Channel="PJSIP/100", Cause=16)``, has the Privilege that servers send
        with it, and a header that none sends is warned of.
        """
        if isinstance(event, Packet):
            event = as_sent(event)
        elif isinstance(event, str):
            event = encode_event(event)
        return sum([session.deliver(event) for session in list(self._sessions)])

    def play(self, sequel: Sequel) -> None:
        """Let things happen in time: ``sequel`` has pairs of seconds from now and an event, as for :meth:`push`.

        A function in place of an event is called: ``play([(0.0, ringing), (2.5, hangup), (3.0, server.drop)])``.
        Events of the catalogue may stand without a time, and come at once: ``play([events.Hangup(Channel="A")])``.
        """
        self._timeline.play(sequel)

    def start_agi(self, caller: FakeCaller) -> FakeCaller:
        """Let a caller come into AsyncAGI, as the dialplan's ``AGI(agi:async)`` does; returns it.

        What the client makes of the call is seen at the caller: ``caller.commands``, ``caller.ended``.
        """
        self.async_calls.start(caller)
        return caller

    def drop(self, after: Union[bytes, str] = b"", *, reset: bool = False) -> None:
        """Drop all connections after sending ``after``, which may be the beginning of a packet.

        With ``reset`` the clients see "connection reset" instead of an end.
        """
        for session in list(self._sessions):
            session.link.drop(encode_event(after), reset)

    def mute(self) -> None:
        """Stop sending, to new clients too, but keep the connections, like a frozen server."""
        self._set_muted(True)

    def unmute(self) -> None:
        """Send everything that was held back since :meth:`mute`, and go on."""
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
