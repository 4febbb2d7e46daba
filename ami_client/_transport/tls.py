"""TLS: a filter in memory, the usual context, and hints for what fails."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    import ssl


_READ_SIZE = 65536  # bytes of a piece


class TLSFilter:
    """TLS in memory: encrypted bytes on one side, plain on the other. Knows no socket."""

    def __init__(self, context: ssl.SSLContext, server_hostname: Optional[str]) -> None:
        import ssl  # costs many milliseconds: only for those who use it

        self._ssl = ssl
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        self.established = False

    def take_outgoing(self) -> bytes:
        """Encrypted bytes for the peer."""
        return self._outgoing.read()

    def handshake(self, data: bytes) -> Optional[BaseException]:
        """Go on with the handshake; returns why it failed, None while all is well."""
        self._incoming.write(data)
        try:
            self._object.do_handshake()
        except self._ssl.SSLWantReadError:
            return None
        except (OSError, ValueError) as error:  # ssl.SSLError and CertificateError are among them
            return error
        self.established = True
        return None

    def encrypt(self, data: bytes) -> bytes:
        """Plain bytes to encrypted ones."""
        self._object.write(data)
        return self._outgoing.read()

    def decrypt(self, data: bytes) -> tuple[bytes, bool, Optional[BaseException]]:
        """Encrypted bytes to plain ones; also whether the peer has ended the session, and the error if it was one."""
        self._incoming.write(data)
        parts: list[bytes] = []
        try:
            while True:
                part = self._object.read(_READ_SIZE)
                if not part:
                    return b"".join(parts), True, None
                parts.append(part)
        except self._ssl.SSLWantReadError:
            return b"".join(parts), False, None
        except self._ssl.SSLZeroReturnError:
            return b"".join(parts), True, None
        except OSError as error:
            return b"".join(parts), True, error

    def goodbye(self) -> bytes:
        """The bytes that end the session."""
        with suppress(OSError, ValueError):  # it only waits for the peer's goodbye, or was never established
            self._object.unwrap()
        return self._outgoing.read()


@cache
def default_context(verify: bool) -> ssl.SSLContext:
    # Shared by all connections: each would cost many milliseconds and most of a megabyte.
    import ssl  # costs many milliseconds as well: only for those who use it

    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def tls_hint(said: str) -> str:
    if "WRONG_VERSION_NUMBER" in said:
        return "; it does not speak TLS: is it the plain port, which wants tcp://?"
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return "; for an authority of your own give Pool(ssl=...) an SSLContext"
    return ""
