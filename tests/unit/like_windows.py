"""Takes from this process what Python on Windows has not: names, modules, and what select() does for more than sockets.

As a program it does so before the library is imported, and then is pytest::

    python tests/unit/like_windows.py tests/unit/test_pool.py

What it cannot take away: the kernel's sockets, signals and files, which stay those of the system that is there.
"""

from __future__ import annotations

import errno
import os
import select
import selectors
import signal
import socket
import stat
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

MODULES = ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty", "uvloop")
NAMES: dict[Any, str] = {
    os: "fork forkpty register_at_fork getxattr mkfifo killpg setsid openpty",
    signal: "SIGHUP SIGQUIT SIGKILL SIGUSR1 SIGUSR2 SIGPIPE SIGCHLD SIGTSTP SIGWINCH SIGCONT SIGSTOP",
    socket: "AF_UNIX send_fds recv_fds",
    select: "epoll poll",
    selectors: "EpollSelector PollSelector",
}
WSAEWOULDBLOCK, WSAECONNREFUSED = 10035, 10061
#: What sockets say, in Windows' words.
CODES = {errno.EINPROGRESS: WSAEWOULDBLOCK, errno.ECONNREFUSED: WSAECONNREFUSED}
WSAEINVAL, WSAENOTSOCK = 10022, 10038

really_select, really_socketpair, really_unix = select.select, socket.socketpair, socket.AF_UNIX


def select_sockets(readers: Any, writers: Any, others: Any, timeout: float | None = None) -> Any:
    """As Windows' own: at least one, at most 512, and nothing but sockets."""
    if not (readers or writers or others):
        raise OSError(WSAEINVAL, "An invalid argument was supplied")
    if max(map(len, (readers, writers, others))) > 512:
        raise ValueError("too many file descriptors in select()")
    for one in {*readers, *writers, *others}:
        try:
            is_socket = stat.S_ISSOCK(os.fstat(one if isinstance(one, int) else one.fileno()).st_mode)
        except OSError:
            is_socket = False
        if not is_socket:
            raise OSError(errno.ENOTSOCK, "An operation was attempted on something that is not a socket")
    return really_select(readers, writers, others, timeout)


def connect_ex(sock: socket.socket, address: Any) -> int:
    """As Windows' own."""
    code = super(socket.socket, sock).connect_ex(address)
    return CODES.get(code, code)


def getsockopt(sock: socket.socket, level: int, option: int, *size: int) -> Any:
    """As Windows' own."""
    found = super(socket.socket, sock).getsockopt(level, option, *size)
    return CODES.get(found, found) if option == socket.SO_ERROR else found


def socketpair(family: int | None = None, kind: int = socket.SOCK_STREAM, protocol: int = 0) -> Any:
    """There it is two sockets of TCP."""
    return really_socketpair(really_unix if family is None else family, kind, protocol)


def take_away(
    set_attribute: Callable[[Any, str, Any], object], delete: Callable[[Any, str], object], modules: dict[str, Any]
) -> None:
    """Do it, by means of these three, which may undo it later."""
    for where, names in NAMES.items():
        for name in names.split():
            if hasattr(where, name):
                delete(where, name)
    for name in MODULES:
        modules[name] = None
    set_attribute(selectors, "DefaultSelector", selectors.SelectSelector)
    set_attribute(selectors.SelectSelector, "_select", staticmethod(select_sockets))
    set_attribute(select, "select", select_sockets)
    set_attribute(socket, "socketpair", socketpair)
    set_attribute(errno, "WSAEWOULDBLOCK", WSAEWOULDBLOCK)
    set_attribute(socket, "errorTab", {WSAECONNREFUSED: "Connection refused."})
    set_attribute(socket.socket, "connect_ex", connect_ex)
    set_attribute(socket.socket, "getsockopt", getsockopt)


if __name__ == "__main__":
    if find_spec("trio"):  # anyio's, which looks at the platform, and would miss the names
        import_module("trio")
    take_away(setattr, delattr, sys.modules)
    sys.exit(pytest.main(sys.argv[1:]))
