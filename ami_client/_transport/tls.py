"""TLS: an in-memory filter, the default context, and hints for failures."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    import ssl


_READ_SIZE = 65536  # bytes per read


class TLSFilter:
    """TLS in memory, without a socket: encrypted bytes on one side, plain bytes on the other.

    With ``server_side`` the peer is the client.
    """

    def __init__(
        self, context: ssl.SSLContext, server_hostname: Optional[str] = None, *, server_side: bool = False
    ) -> None:
        import ssl  # a slow import (benchmark h), only needed for TLS

        self._ssl = ssl
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side, server_hostname)
        self.established = False

    def take_outgoing(self) -> bytes:
        """Remove and return the encrypted bytes for the peer."""
        return self._outgoing.read()

    def handshake(self, data: bytes) -> Optional[BaseException]:
        """Continue the handshake. Return why it failed, or None if it has not."""
        self._incoming.write(data)
        try:
            self._object.do_handshake()
        except self._ssl.SSLWantReadError:
            return None
        except (OSError, ValueError) as error:  # these include ssl.SSLError and CertificateError
            return error
        self.established = True
        return None

    def encrypt(self, data: bytes) -> bytes:
        """Encrypt plain bytes."""
        self._object.write(data)
        return self._outgoing.read()

    def decrypt(self, data: bytes) -> tuple[bytes, bool, Optional[BaseException]]:
        """Decrypt bytes. Also return whether the peer has ended the session, and the error if one ended it."""
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
        """Return the bytes that end the session."""
        with suppress(OSError, ValueError):  # unwrap() would wait for the peer, or TLS was never established
            self._object.unwrap()
        return self._outgoing.read()


@cache
def default_context(verify: bool, named: bool) -> ssl.SSLContext:
    # All connections share it: a context takes most of a megabyte, and many milliseconds to load its certificates.
    import ssl  # a slow import (benchmark h), only needed for TLS

    context = ssl.create_default_context()
    if not (verify and named):  # a unix socket has no name, and Python 3.14 refuses to check an empty one
        context.check_hostname = False
    if not verify:
        context.verify_mode = ssl.CERT_NONE
    return context


def tls_hint(said: str, scheme: str) -> str:
    if "WRONG_VERSION_NUMBER" in said:
        if scheme == "tls":
            return "; it does not speak TLS: use tcp:// if this is the port without TLS"
        return f"; it does not speak TLS: the option ssl encrypts {scheme}: URLs too, so add #ssl=0 to this one"
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return "; for a private certificate authority, pass an SSLContext as the option ssl"
    return ""
