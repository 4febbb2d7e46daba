"""AsyncAGI: controls calls over AMI. ``AGI(agi:async)`` in the dialplan.

Source: Asterisk res_agi.c (launch_asyncagi, action_add_agi_cmd), and what Asterisk 16 and 22 send.
"""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Optional
from urllib.parse import unquote_to_bytes

from ..callbacks import logger
from ..errors import AMIError, ConnectionFinished, ConnectionLost, LimitReached, ProtocolError
from .call import Call
from .errors import HungUp
from .pending import Command
from .protocol import Environment, ReplyReader, failure, read_environment
from .server import IDLE_TIMEOUT, CallServer

if TYPE_CHECKING:
    from .._engine.packet import Packet
    from ..connection import Connection
    from ..loop import Loop
    from ..pool import Pool
    from ..signatures import EventHandler, PacketCallback
    from .session import Session

MAX_COMMAND = 1022 - len("Command: ")  # bytes: the longest line of an action (Asterisk manager.c, get_input)
BREAK = b"ASYNCAGI BREAK"
# The server reads a command's reply with one read() of this many bytes. The rest comes with the next reply.
_READ_SIZE = 1024
# The percent-encoded text is truncated at 2,047 bytes, or up to two before. The rest is lost.
_ENCODED_SIZE = 2045
_BEGINS_REPLY = re.compile(rb"\d{3}[ -]")
_NEXT_REPLY = re.compile(rb"\n(?=\d{3}[ -])")
_GRACE = 1.0  # seconds
_FILLER = "filler"  # part of the ids of our own commands

# A call: the URL of its server, and the channel's unique id.
Key = tuple[str, str]


class AsyncAGI(CallServer):
    """Handles the calls that a pool's servers put into AsyncAGI.

    The pool's connections must get events of the class ``agi``, and the user needs the write class ``agi``. All
    AsyncAGI calls of a server are taken, whatever created them, so only one program per server may do this. If a call
    is lost with its connection, it is returned to the dialplan after the next login.

    Arguments: ``pool``; the others are those of :class:`FastAGI`.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        threads: Optional[int] = None,
        command_timeout: Optional[float] = None,
        idle_timeout: Optional[float] = IDLE_TIMEOUT,
    ) -> None:
        super().__init__(threads=threads, command_timeout=command_timeout, idle_timeout=idle_timeout)
        self.pool = pool
        self.prefix = f"{secrets.token_hex(6)}-"  # prefix of all our CommandIDs
        self._links: dict[Key, AsyncLink] = {}
        self._lost: dict[str, list[str]] = {}  # unique ids of lost calls by URL
        self._bindings: dict[str, EventHandler] = {
            "event_asyncagistart": self._started,
            "event_asyncagiexec": self._executed,
            "event_asyncagiend": self._stopped,
            "event_hangup": self._stopped,
            "event_rename": self._renamed,
            "disconnect": self._disconnected,
            "login": self._logged_in,
        }
        for name, handler in self._bindings.items():
            pool.bind(name, handler)

    def __repr__(self) -> str:
        return f"<AsyncAGI {len(self._links)} calls>"

    def __enter__(self) -> AsyncAGI:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def _loop(self) -> Loop:
        return self.pool.reactor

    def close(self) -> None:
        """Return all calls to the dialplan and take no more. Closing again has no effect."""
        for name, handler in self._bindings.items():
            self.pool.unbind(name, handler)
        self._close_calls()
        self._links.clear()
        self._lost.clear()

    def forget(self, link: AsyncLink) -> None:
        """Remove a link that has returned its call."""
        self._links.pop(link.key, None)

    # -- events of the servers

    def _started(self, conn: Connection, packet: Packet) -> None:
        key = (conn.url, packet.original("Uniqueid") or "")
        if key in self._links:  # another connection to the same server has reported it
            return
        env = read_environment(unquote_to_bytes(packet.original("Env") or ""))
        env.setdefault("agi_uniqueid", key[1])
        link = self._links[key] = AsyncLink(self, conn, key, env)
        self._begin(Call(self._loop, link, env, self))

    def _executed(self, conn: Connection, packet: Packet) -> None:
        link = self._link_of(conn, packet)
        command_id = packet.original("CommandId") or ""
        if link is not None and command_id.startswith(self.prefix):  # other clients' commands are reported too
            link.executed(command_id[len(self.prefix) :], packet.original("Result") or "")

    def _stopped(self, conn: Connection, packet: Packet) -> None:
        link = self._link_of(conn, packet)
        if link is not None:
            del self._links[link.key]
            link.stopped()

    def _renamed(self, conn: Connection, packet: Packet) -> None:
        link = self._link_of(conn, packet)
        if link is not None:
            link.env["agi_channel"] = packet.original("Newname") or ""

    def _link_of(self, conn: Connection, packet: Packet) -> Optional[AsyncLink]:
        link = self._links.get((conn.url, packet.original("Uniqueid") or ""))
        return link if link is not None and link.conn is conn else None

    def _disconnected(self, conn: Connection) -> None:
        lost = [link for link in self._links.values() if link.conn is conn]
        for link in lost:
            del self._links[link.key]
            self._lost.setdefault(conn.url, []).append(link.key[1])
        for link in lost:
            link.lost(conn.error)

    def _logged_in(self, conn: Connection, packet: Packet) -> None:
        for uniqueid in self._lost.pop(conn.url, ()):
            logger.warning("call %s was lost with its connection; returning it to the dialplan", uniqueid)
            conn.action("AGI", None, {"Channel": uniqueid, "Command": BREAK.decode()})


class AsyncLink:
    """One call of AsyncAGI: commands are actions, replies are events.

    Attributes: ``conn``, the connection that reported the call; ``key`` and ``env``, the call.
    """

    limit = MAX_COMMAND
    ahead = True  # the server executes commands in order, and polls for them ten times a second

    def __init__(self, server: AsyncAGI, conn: Connection, key: Key, env: Environment) -> None:
        self.conn = conn
        self.key = key
        self.env = env
        self._server = server
        self._session: Optional[Session] = None
        # Commands whose replies are in _text so far. None stands for one of our own, a filler.
        self._owed: list[Optional[Command]] = []
        self._text = b""
        self._torn = False  # the end of the last reply was lost, or has not arrived yet

    # -- called by the session

    def attach(self, session: Session) -> None:
        """Use this link for a session."""
        self._session = session

    def send(self, command: Command) -> None:
        """Send a command."""

        def queued(conn: object, packet: Packet) -> None:
            # A success only means that the command is queued. A refusal may mean that the call is gone. Then the event
            # that says so is on its way, and gives the better reason.
            if packet.error is not None:
                self._server.pool.reactor.call_later(_GRACE, self._refused, command, packet.error)

        try:
            self._action(command.data, str(command.key), queued)
        except (ConnectionFinished, LimitReached) as error:
            self._server.pool.reactor.call_soon(self._refused, command, error)

    def hand_back(self) -> None:
        """Make the server end its side after the commands that it has. An event reports when it is done."""

        def queued(conn: object, packet: Packet) -> None:
            if packet.error is not None:  # the call or the connection is gone
                self._server.forget(self)
                self.stopped()

        if self._session is not None and self._session.is_over:
            return
        try:
            self._action(BREAK, _FILLER, queued)
        except ConnectionFinished:  # the connection's end also ends the call
            pass
        except LimitReached:
            self._server.pool.reactor.call_later(_GRACE, self.hand_back)

    def cut(self) -> None:
        """Like :meth:`hand_back`, but do not wait for it."""
        self._server.forget(self)
        with suppress(ConnectionFinished, LimitReached):
            self._action(BREAK, _FILLER, None)

    def _action(self, command: bytes, key: str, cb: Optional[PacketCallback[Connection]]) -> None:
        text = command.decode("utf-8", "surrogateescape")
        # The unique id stays the same when the channel is renamed, and the server accepts it as a name.
        params = {"Channel": self.key[1], "Command": text, "CommandID": self._server.prefix + key}
        self.conn.action("AGI", cb, params)

    def _refused(self, command: Command, error: AMIError) -> None:
        if self._session is not None:
            self._session.settle(command, failure(error))

    # -- called for events of the server

    def executed(self, key: str, encoded: str) -> None:
        """Handle the execution of one of our commands."""
        session = self._session
        command = session.sent(int(key)) if session is not None and key != _FILLER else None
        if session is None or (command is None and not self._owed and not self._torn):
            return
        data = unquote_to_bytes(encoded)
        is_full = len(data) >= _READ_SIZE
        if self._torn:
            data = _from_next_reply(data)
            self._torn = not data
        self._owed.append(command)
        self._text += data
        if len(encoded) >= _ENCODED_SIZE:
            error = ProtocolError("the server truncated its reply, which exceeds 2,047 bytes percent-encoded")
            owed, _ = self._take_owed()
            self._torn = True
            for one in filter(None, owed):
                session.settle(one, failure(error))
        elif is_full or self._torn:
            with suppress(ConnectionFinished, LimitReached):  # its reply brings the rest of this one
                self._action(b"NOOP", _FILLER, None)
        else:
            self._answer(session)

    def _answer(self, session: Session) -> None:
        owed, text = self._take_owed()
        if len(owed) == 1 and owed[0] is not None:  # the usual case: there are no replies to separate
            session.answer(owed[0], text)
            return
        reader = ReplyReader()
        reader.feed(text)
        for command in owed:
            reply = reader.next(command is not None and command.returns_value)
            if command is not None:
                session.answer(command, reply or b"")

    def _take_owed(self) -> tuple[list[Optional[Command]], bytes]:
        owed, text = self._owed, self._text
        self._owed, self._text = [], b""
        return owed, text

    def stopped(self) -> None:
        """Handle the end of the server's side."""
        session = self._session
        if session is not None:
            handed_back = not session.is_open and not session.hung_up
            session.end(None if handed_back else HungUp("the call hung up, or the server ended the session"))

    def lost(self, error: Optional[AMIError]) -> None:
        """Handle the loss of the connection."""
        if self._session is not None:
            self._session.end(error or ConnectionLost("the connection was finished"))


def _from_next_reply(data: bytes) -> bytes:
    """Return what follows the rest of a truncated reply. Empty if all of it is that rest."""
    if _BEGINS_REPLY.match(data):
        return data
    found = _NEXT_REPLY.search(data)
    return data[found.end() :] if found else b""
