#!/usr/bin/env python3
"""A Pool on Twisted's own reactor.

twisted_pbx.py         runs on the embedded server
twisted_pbx.py URL     runs on your PBX (or set AMI_URL)
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from contextlib import ExitStack
from typing import Any, Callable, Optional

from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor
from twisted.logger import Logger
from zope.interface import implementer  # type: ignore[import-untyped,unused-ignore]

from ami_client import Connection, Packet, Pool
from ami_client.testing import FakeAsterisk

Callback = Callable[..., object]

log = Logger()


class Call:
    """A scheduled callback. ``cancel()`` cancels it."""

    def __init__(self, callback: Callback, args: tuple[object, ...]) -> None:
        self._work: Optional[tuple[Callback, tuple[object, ...]]] = (callback, args)
        self.timer: Any = None  # Twisted's timer, if there is a delay

    def cancel(self) -> None:
        if self._work is not None and self.timer is not None:
            self.timer.cancel()
        self._work = None

    def run(self) -> None:
        work, self._work = self._work, None
        if work is not None:
            callback, args = work
            try:
                callback(*args)
            except Exception:
                log.failure("a callback raised")


@implementer(IReadDescriptor, IWriteDescriptor)
class Watched:
    """A file descriptor, and the callbacks for when it is ready."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.reader: Optional[Callback] = None
        self.writer: Optional[Callback] = None

    def fileno(self) -> int:
        return self._fd

    def logPrefix(self) -> str:
        return "ami_client"

    def doRead(self) -> None:
        if self.reader is not None:
            Call(self.reader, ()).run()

    def doWrite(self) -> None:
        if self.writer is not None:
            Call(self.writer, ()).run()

    def connectionLost(self, reason: object) -> None:
        # Twisted has stopped watching it. A last read or write tells the client why.
        self.doRead()
        self.doWrite()


class TwistedLoop:
    """Twisted's reactor with the methods of ``ami_client.Loop``."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._soon: deque[Call] = deque()
        self._watched: dict[int, Watched] = {}

    def time(self) -> float:
        return time.monotonic()  # reactor.seconds() jumps when the machine's clock is set

    def call_soon(self, callback: Callback, /, *args: object) -> Call:
        return self._append(Call(callback, args))

    def _append(self, call: Call) -> Call:
        if not self._soon:
            self._reactor.callLater(0, self._run_soon)
        self._soon.append(call)
        return call

    def _run_soon(self) -> None:
        calls, self._soon = self._soon, deque()  # their own call_soon() waits for the next turn
        for call in calls:
            call.run()

    def call_soon_threadsafe(self, callback: Callback, /, *args: object) -> Call:
        call = Call(callback, args)
        self._reactor.callFromThread(self._append, call)
        return call

    def call_later(self, delay: float, callback: Callback, /, *args: object) -> Call:
        call = Call(callback, args)
        call.timer = self._reactor.callLater(max(0.0, delay), call.run)
        return call

    def add_reader(self, fd: int, callback: Callback, /, *args: object) -> None:
        watched = self._watch(fd)
        watched.reader = lambda: callback(*args)
        self._reactor.addReader(watched)

    def add_writer(self, fd: int, callback: Callback, /, *args: object) -> None:
        watched = self._watch(fd)
        watched.writer = lambda: callback(*args)
        self._reactor.addWriter(watched)

    def _watch(self, fd: int) -> Watched:
        return self._watched.setdefault(fd, Watched(fd))

    def remove_reader(self, fd: int, /) -> None:
        watched = self._watched.get(fd)
        if watched is not None:
            self._reactor.removeReader(watched)
            watched.reader = None
            self._forget(watched)

    def remove_writer(self, fd: int, /) -> None:
        watched = self._watched.get(fd)
        if watched is not None:
            self._reactor.removeWriter(watched)
            watched.writer = None
            self._forget(watched)

    def _forget(self, watched: Watched) -> None:
        if watched.reader is None and watched.writer is None:
            del self._watched[watched.fileno()]


def main(url: str, loop: TwistedLoop, stop: Callable[[], object]) -> None:
    """Ask a server for its queues once, and then call ``stop()``."""

    def on_connection(conn: Connection) -> None:
        if not conn.connected:
            print("no connection:", conn.error)
            return
        conn.action("QueueSummary", on_queues)

    def on_queues(conn: Connection, packet: Packet) -> None:
        print("failed:" if packet.error else "queues:", packet.error or len(packet.events))
        conn.graceful_shutdown()

    pool = Pool(reactor=loop)
    pool.on("disconnect", lambda conn: stop())
    pool.get_connection(url, on_connection)


if __name__ == "__main__":
    from twisted.internet import reactor as installed

    reactor: Any = installed
    loop = TwistedLoop(reactor)
    url = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("AMI_URL")
    with ExitStack() as stack:
        main(url or stack.enter_context(FakeAsterisk(loop)).url, loop, lambda: loop.call_later(0, reactor.stop))
        reactor.run()
