"""The files that an action, its answer, a list and an event pass through, traced while they do.

``python docs/ways.py`` prints them. ``ways_diagram.py`` draws them, and ``tests/unit/test_house.py`` bounds them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Callable, Optional

import ami_client
from ami_client import Connection, Pool
from ami_client.reactor import CallbackHandle
from ami_client.testing import FakeAsterisk, SimulatedReactor

PACKAGE = os.path.dirname(ami_client.__file__)
SERVER = "testing/"  # the embedded server's files, in the same process


@dataclass
class Room:
    """A file on a way: the functions called there, and the files that call them."""

    functions: list[str] = field(default_factory=list)
    callers: list[str] = field(default_factory=list)


Way = dict[str, Room]  # by the file's name, in the order in which they are entered


def trace(work: Callable[[], object], root: Optional[CodeType] = None) -> Way:
    """The client's files that are entered while ``work`` runs. With ``root``: from its caller on, while it runs."""
    way: Way = {}
    entered: set[FrameType] = set()  # a generator that goes on is not entered again
    depth = 0 if root else 1

    def note(frame: FrameType, what: str, _argument: object) -> None:
        nonlocal depth
        if frame.f_code is root and what in ("call", "return"):
            depth += 1 if what == "call" else -1
        if what != "call" or not depth or frame in entered:
            return
        entered.add(frame)
        (room, *callers) = stack(frame, root)
        if not room or any(one.startswith(SERVER) for one in (room, *callers)):
            return
        caller = next(filter(None, callers), "")
        if frame.f_code is root and frame.f_back is not None:
            way.setdefault(caller, Room([frame.f_back.f_code.co_name]))
        here = way.setdefault(room, Room())
        if frame.f_code.co_name not in here.functions:
            here.functions.append(frame.f_code.co_name)
        if caller not in ("", room, *here.callers):
            here.callers.append(caller)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return way


def stack(frame: Optional[FrameType], root: Optional[CodeType]) -> Iterator[str]:
    """The files of a function and of those that called it, up to the caller of ``root``; empty if not the client's."""
    inside = True
    while frame is not None and inside:
        yield room_of(frame)
        inside, frame = frame.f_code is not root, frame.f_back
        if not inside and frame is not None:
            yield room_of(frame)


def room_of(frame: FrameType) -> str:
    file = frame.f_code.co_filename
    return os.path.relpath(file, PACKAGE).removesuffix(".py").replace(os.sep, "/") if file.startswith(PACKAGE) else ""


def ways() -> dict[str, Way]:
    """Each way, traced the second time, when caches are warm. A way in begins where the reactor calls the reader."""
    found: list[Connection] = []
    traced: dict[str, Way] = {}
    with SimulatedReactor() as reactor, FakeAsterisk(reactor) as server:

        def arrive() -> Way:
            return trace(reactor.settle, CallbackHandle.run.__code__)

        pool = Pool(reactor=reactor)
        pool.get_connection(server.url, lambda conn, packet: found.append(conn))
        reactor.run_for(1)
        (conn,) = found
        pool.on("event_hangup", lambda conn, packet: None)
        for number in range(2):
            traced["ping"] = trace(lambda: conn.ping(lambda conn, packet: None))
            traced["answer"] = arrive()
            conn.action("QueueStatus", lambda conn, packet: None)
            traced["list"] = arrive()
            server.push({"Event": "Hangup", "Privilege": "call,all", "Channel": f"PJSIP/100-0000000{number}"})
            traced["event"] = arrive()
        pool.finish()
        reactor.run_for(1)
    return traced


if __name__ == "__main__":
    for name, way in ways().items():
        print(f"{name}: {len(way)} files")
        for room, here in way.items():
            print(f"    {room:24} from {', '.join(here.callers) or 'outside'}: {', '.join(here.functions)}")
