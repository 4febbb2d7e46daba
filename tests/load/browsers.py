"""Browsers at a wallboard: a process of its own that asks for events so many times, and reads what comes.

Run as a program it prints a line when all have been answered. When it is sent a line it prints how many messages the
one that got fewest and the one that got most have had, and ends.
"""

from __future__ import annotations

import selectors
import socket
import subprocess
import sys
from types import TracebackType

REQUEST = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Browsers:
    """They watch as long as the context lasts. ``messages()`` ends them."""

    def __init__(self, port: int, count: int) -> None:
        command = [sys.executable, __file__, str(port), str(count)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Browsers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def wait(self) -> None:
        """Wait until all have been answered. The loop that serves them has to run meanwhile."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def messages(self) -> tuple[int, int]:
        """The fewest and the most messages that one of them got."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        fewest, most = map(int, self._process.stdout.readline().split())
        return fewest, most


def main(port: int, count: int) -> None:
    selector = selectors.DefaultSelector()
    messages: dict[socket.socket, int] = {}
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.sendall(REQUEST)
        selector.register(sock, selectors.EVENT_READ)
        messages[sock] = 0
    selector.register(sys.stdin, selectors.EVENT_READ)
    is_ready = False
    while True:
        for key, _ in selector.select():
            if not isinstance(key.fileobj, socket.socket):
                print(min(messages.values()), max(messages.values()), flush=True)
                return
            data = key.fileobj.recv(1 << 16)
            if not data:
                sys.exit("the wallboard has ended it")
            messages[key.fileobj] += data.count(b"event: ")
        if not is_ready and all(messages.values()):
            is_ready = True
            print("ready", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
