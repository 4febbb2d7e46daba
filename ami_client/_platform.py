"""What sockets of Windows do otherwise than those of POSIX systems."""

from __future__ import annotations

import errno
import os
import socket

#: What ``connect_ex()`` returns when the attempt goes on. EWOULDBLOCK would be wrong on POSIX systems: there it is what
#: a unix socket returns whose server is busy, and that attempt has failed.
IN_PROGRESS = {errno.EINPROGRESS, getattr(errno, "WSAEWOULDBLOCK", errno.EINPROGRESS)}


def system_error(code: int) -> OSError:
    """The OSError of a code that a socket returned. Windows has the texts of these in a table of their own."""
    text: str = getattr(socket, "errorTab", {}).get(code) or os.strerror(code)
    return OSError(code, text.rstrip("."))


def unix_family() -> int:
    """AF_UNIX. Raises OSError on Windows, where Python has no unix sockets."""
    family = getattr(socket, "AF_UNIX", None)
    if family is None:
        raise OSError(errno.EAFNOSUPPORT, "this system has no unix sockets; use TCP")
    return int(family)


def reuse_address(sock: socket.socket) -> None:
    """Let ``sock`` be bound to an address whose last connection has just ended.

    On Windows that needs nothing, and the option of this name would let two programs listen at one address.
    """
    if os.name == "posix":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
