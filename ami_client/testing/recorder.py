"""A recording proxy: :class:`Recorder`."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import datetime, timezone
from typing import IO, TYPE_CHECKING, Callable, Optional, Union
from urllib.parse import quote

from .._engine.text import ENCODING, ENCODING_ERRORS
from .._transport.transport import Transport as ServerLink
from ..options import Options, read_url
from ..url import format_address
from .framing import PacketSplitter, RequestSplitter
from .link import Link as ClientLink
from .link import Listener
from .recording import File, Record, RecordingWriter, open_text
from .redact import redact

if TYPE_CHECKING:
    import socket

    from ..errors import AMIError
    from ..loop import Handle, Loop

#: Maximum number of bytes that wait for a client or a server that does not read. Beyond it the connection is ended, as
#: Asterisk would end it.
MAX_HELD = 64 * 1024 * 1024
#: Seconds that a client has to read answers after it stopped sending.
LINGER = 2.0


class Recorder:
    """A proxy in front of a real server. Clients connect to it, and it records the session in a file.

    All bytes pass unchanged in both directions, including the client's own login. Secrets are not written to the file::

        with Recorder(reactor, "tls://admin:secret@pbx.example.com:5039", "session.jsonl") as recorder:
            pool.get_connection(recorder.url, on_connection)
            reactor.run()

    * ``loop``: the loop that runs it. It may be the client's;
    * ``url``: the real server's URL, of any kind that a Pool accepts;
    * ``file``: a path, or an open text file, which stays open;
    * ``host``, ``port``: the address to listen on, in plain TCP. Port 0 means any free port;
    * ``on_lost(error)``: called when the real server cannot be reached, when its connection is lost (an AMIError), and
      when the file cannot be written (an OSError; nothing more is recorded then);
    * ``options``: those of a Pool that concern the connection to the server (``connect_timeout``, ``local_addr``,
      ``ssl``, ``ssl_verify``, ``port``), and ``username`` and ``secret`` for :attr:`url`.

    Raises ValueError for a malformed URL, TypeError for an unknown option.
    """

    #: Number of packets and requests written.
    packets = 0
    #: The last error passed to ``on_lost``.
    error: Optional[Union[AMIError, OSError]] = None
    _started = 0.0
    _has_begun = False

    def __init__(
        self,
        loop: Loop,
        url: str,
        file: File,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        on_lost: Optional[Callable[[Union[AMIError, OSError]], object]] = None,
        **options: object,
    ) -> None:
        self.loop = loop
        given = Options.make(options)
        self._server, self._options = read_url(url, given)
        self._secret = self._server.secret if self._server.secret is not None else given.secret
        self._file = file
        self._on_lost = on_lost
        self._listener = Listener(loop, host, port, None, None)
        self._open_files = ExitStack()
        self._out: Optional[RecordingWriter] = None
        self._passages: list[_Passage] = []
        self._links = 0

    def start(self) -> None:
        """Start listening, and begin the file. Raises OSError if either fails.

        Raises RuntimeError if it was started before, even if it is closed now, because it would overwrite the file.
        """
        if self._has_begun:
            raise RuntimeError("this Recorder was already started; make a new one for another recording")
        self._started = self.loop.time()
        self._listener.start(self._accept)
        try:
            out = self._open()
        except OSError:
            self._listener.close()
            raise
        self._has_begun = True
        self._out = RecordingWriter(out, {"at": datetime.now(timezone.utc).isoformat(timespec="seconds")})
        self._out.flush()

    def close(self) -> None:
        """End all connections and close the file. Closing again has no effect."""
        self._listener.close()
        for passage in list(self._passages):
            passage.close()
        self._out = None
        self._open_files.close()

    def __enter__(self) -> Recorder:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def host(self) -> str:
        """The host that it listens on."""
        return self._listener.host

    @property
    def port(self) -> int:
        """The port that it listens on. 0 before the start."""
        return self._listener.port

    @property
    def url(self) -> str:
        """The URL for the client: the proxy's address with the real server's login."""
        user, secret = self._server.username, self._secret
        credentials = "" if user is None else f"{_quoted(user)}:{_quoted(secret or '')}@"
        return f"tcp://{credentials}{format_address(self.host, self.port)}"

    @property
    def clients(self) -> int:
        """Number of current connections."""
        return len(self._passages)

    def _open(self) -> IO[str]:
        if isinstance(self._file, (str, os.PathLike)):
            return self._open_files.enter_context(open_text(self._file, "w"))
        return self._file

    def _accept(self, sock: socket.socket) -> None:
        self._links += 1
        passage = _Passage(self, sock, self._links)
        self._passages.append(passage)
        passage.server.open()

    def _make_link(self, passage: _Passage) -> ServerLink:
        return ServerLink(
            self.loop,
            self._server,
            self._options,
            on_open=passage.opened,
            on_data=passage.from_server,
            on_lost=passage.lost,
        )

    def _write(self, link: int, source: str, pieces: list[bytes], end: str = "") -> None:
        if self._out is None:
            return
        time = self.loop.time() - self._started
        records = [Record(time, source, redact(piece), link) for piece in pieces]
        if end:
            records.append(Record(time, source, link=link, end=end))
        try:
            for record in records:
                self._out.write(record)
            # At once, so the file can be watched, and a crash loses nothing.
            self._out.flush()
        except OSError as error:
            self._out = None
            self._tell_lost(error)
        self.packets += len(pieces)

    def _passed(self, passage: _Passage) -> None:
        self._passages.remove(passage)

    def _tell_lost(self, error: Union[AMIError, OSError]) -> None:
        self.error = error
        if self._on_lost is not None:
            self._on_lost(error)


class _Passage:
    """A client's connection, and its connection to the real server."""

    def __init__(self, recorder: Recorder, sock: socket.socket, number: int) -> None:
        self.recorder = recorder
        self.number = number
        self._is_open = False
        self._is_over = False
        self._linger: Optional[Handle] = None  # the client has stopped sending
        self._waiting = bytearray()  # the client's bytes until the server is reached
        self._splitters: dict[str, RequestSplitter] = {"client": RequestSplitter(), "server": PacketSplitter()}
        self.server = recorder._make_link(self)
        self.client = ClientLink(recorder.loop, sock, self.from_client, self._client_closed)

    def opened(self) -> None:
        self._is_open = True
        waiting, self._waiting = bytes(self._waiting), bytearray()
        self.server.write(waiting)

    def from_client(self, data: bytes) -> None:
        if not data:
            self._linger = self.recorder.loop.call_later(LINGER, self.client.close)
            return
        if self._is_open:
            self.server.write(data)
        else:
            self._waiting += data
        self._record("client", data)
        if max(len(self._waiting), self.server.buffered) > MAX_HELD:
            self.client.close()

    def from_server(self, data: bytes) -> None:
        self.client.write(data)
        self._record("server", data)
        if self.client.buffered > MAX_HELD:
            self.client.close()

    def lost(self, error: AMIError) -> None:
        self._end("server", "closed" if self._is_open else str(error))
        self.client.finish()
        self.recorder._tell_lost(error)

    def close(self) -> None:
        """End both connections."""
        self.client.close()

    def _client_closed(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
        self._end("client", "closed")
        self.server.close()
        self.recorder._passed(self)

    def _record(self, source: str, data: bytes) -> None:
        if not self._is_over:
            self.recorder._write(self.number, source, self._splitters[source].feed(data))

    def _end(self, source: str, how: str) -> None:
        if self._is_over:  # the other side has closed it
            return
        self._is_over = True
        for side, splitter in self._splitters.items():
            rest = splitter.rest()
            self.recorder._write(self.number, side, [rest] if rest else [])
        self.recorder._write(self.number, source, [], how)


def _quoted(text: str) -> str:
    return quote(text, safe="", encoding=ENCODING, errors=ENCODING_ERRORS)
