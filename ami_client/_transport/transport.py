"""Opens a byte stream to a URL: name lookup, TCP or unix socket, TLS, all within ``connect_timeout``.

Source: phpDaemon Network/IOStream.php and ClientConnection.php (connect).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Optional, cast

from ..callbacks import logger
from ..errors import AMIError, ConnectFailed, ConnectionLost, ConnectTimeout, TLSFailed
from ..options import Options
from ..url import USUAL_PORT, USUAL_TLS_PORT, ServerURL, format_address
from .connector import Connector
from .stream import Stream, Unwatchable
from .tls import TLSFilter, default_context, tls_hint

if TYPE_CHECKING:
    import socket

    from ..loop import Handle, Loop


class Transport:
    """The byte stream to one server.

    ``on_open()`` is called when data can be exchanged, ``on_data(data)`` with what arrives, and ``on_lost(error)`` at
    most once, when the connection failed or ended. The loop makes all these calls, and none after :meth:`close`.
    ``on_closed()`` is called once after :meth:`close`, as soon as there is no socket any more.

    Attributes: ``addr``, the peer as text; ``""`` until it is reached.
    """

    def __init__(
        self,
        loop: Loop,
        server: ServerURL,
        options: Options,
        *,
        on_open: Callable[[], None],
        on_data: Callable[[bytes], None],
        on_lost: Callable[[AMIError], None],
        on_closed: Callable[[], object] = lambda: None,
    ) -> None:
        self.addr = ""
        self._loop = loop
        self._server = server
        self._options = options
        self._on_open = on_open
        self._on_data = on_data
        self._on_lost = on_lost
        self._on_closed = on_closed
        self._connector: Optional[Connector] = None
        self._stream: Optional[Stream] = None
        self._limit: Optional[Handle] = None  # timer of connect_timeout
        self._opened_once = False

    @property
    def buffered(self) -> int:
        """Bytes that are not sent yet."""
        return 0 if self._stream is None else self._stream.buffered

    @property
    def port(self) -> Optional[int]:
        """The port of the URL, or else of the options. None for a unix socket."""
        return None if self._server.scheme == "unix" else self._server.port or self._options.port

    def open(self) -> None:
        """Start connecting."""
        timeout = self._options.connect_timeout
        if timeout is not None:
            self._limit = self._loop.call_later(timeout, self._timed_out, timeout)
        self._connector = Connector(
            self._loop,
            self._server.host,
            self.port,
            timeout=timeout,
            local=cast(Optional[tuple[str, int]], self._options.local_addr),  # as the option's check returns it
            on_connected=self._reached,
            on_failed=self._unreachable,
        )
        self._connector.start()

    def write(self, data: bytes) -> None:
        """Send ``data``. No effect before the stream is open and after it is closed."""
        if self._stream is not None:
            self._stream.write(data)

    def close(self, *, abort: bool = False) -> None:
        """Send what was written, then close. With ``abort``, close at once."""
        self._stop_limit()
        if self._connector is not None:
            self._connector.cancel()
        if self._stream is None:
            self._on_closed()
        elif abort:
            self._stream.abort()
        else:
            self._stream.close()

    def _reached(self, sock: socket.socket, host: str, port: Optional[int]) -> None:
        self._connector = None
        self.addr = format_address(host, port)
        try:
            tls = self._tls_filter()
        except (OSError, ValueError) as error:
            sock.close()
            self._lost(error)
            return
        self._stream = Stream(
            self._loop,
            sock,
            on_open=self._opened,
            on_data=self._on_data,
            on_lost=self._lost,
            on_closed=self._on_closed,
            tls=tls,
        )
        self._stream.start()

    @property
    def _is_encrypted(self) -> bool:
        return self._options.ssl is not False or self._server.scheme == "tls"

    def _tls_filter(self) -> Optional[TLSFilter]:
        wanted = self._options.ssl
        if not self._is_encrypted:
            return None
        named = self._server.scheme != "unix"
        if isinstance(wanted, bool):
            wanted = default_context(self._options.ssl_verify, named)
        if not wanted.verify_mode or (named and not wanted.check_hostname):
            logger.warning("%s: the server's certificate or host name is not checked: anybody may answer", self._server)
        return TLSFilter(wanted, self._server.host if named else None)

    def _opened(self) -> None:
        self._opened_once = True
        self._stop_limit()
        self._on_open()

    def _stop_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _unreachable(self, error: OSError) -> None:
        self._stop_limit()
        host, port = self._server.host, self.port
        message = f"cannot connect to {format_address(host, port)}: {error.strerror or error}"
        usual = USUAL_TLS_PORT if self._is_encrypted else USUAL_PORT
        if isinstance(error, ConnectionRefusedError) and self._server.port is None and port not in (None, usual):
            message += f"; the URL has no port, and Asterisk usually listens on {format_address(host, usual)}"
        self._on_lost(ConnectFailed(message, host, port, error))

    def _timed_out(self, timeout: float) -> None:
        self.close(abort=True)
        host, port = self._server.host, self.port
        self._on_lost(ConnectTimeout(f"no connection to {format_address(host, port)} within {timeout:g} s", host, port))

    def _lost(self, error: Optional[BaseException]) -> None:
        self._stop_limit()
        if self._opened_once:
            reason = "the server closed the connection" if error is None else f"the connection was lost: {error}"
            self._on_lost(ConnectionLost(reason, error))
        elif isinstance(error, Unwatchable):
            self._unreachable(error)
        else:
            hint = tls_hint(str(error), self._server.scheme)
            reason = f"TLS with {self.addr} failed: {error or 'the server closed the connection'}{hint}"
            self._on_lost(TLSFailed(reason, self._server.host, self.port, error))
