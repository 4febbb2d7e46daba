#!/usr/bin/env python3
"""Live queue statistics: who waits, since when, and who could answer.

queue_stats.py        plays a busy minute on the embedded server
queue_stats.py URL    shows your queues, until Ctrl-C; AMI_URL does as well
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, Optional

from ami_client import Connection, Packet, Pool, Reactor
from ami_client.testing import FakeAsterisk
from ami_client.testing.office import Caller

#: What changes a queue: each begins with one of these words.
CHANGES = [
    *("event_queuecallerjoin", "event_queuecallerleave", "event_queuecallerabandon"),
    *("event_queuememberadded", "event_queuememberremoved", "event_queuememberstatus", "event_queuememberpause"),
    *("event_agentconnect", "event_agentcomplete"),
]
NOT_IN_USE = "1"  # the Status of a member who could take a call


class QueueBoard:
    """Events say that something has changed, QueueStatus says what is: so nothing can drift."""

    def __init__(self, reactor: Reactor, pool: Pool, interval: float) -> None:
        self._reactor = reactor
        self._interval = interval  # seconds between two questions, however many events come
        self._asking: Optional[object] = None
        self._shown: list[str] = []
        pool.on_login(self.ask)  # the first one, and each one after a loss
        pool.on(CHANGES, self.on_change)

    def on_change(self, conn: Connection, event: Packet) -> None:
        if self._asking is None:
            self._asking = self._reactor.call_later(self._interval, self.ask, conn)

    def ask(self, conn: Connection) -> None:
        self._asking = None
        if conn.connected:  # else the next login asks
            conn.action("QueueStatus", self.on_status)

    def on_status(self, conn: Connection, packet: Packet) -> None:
        if packet.error is not None:
            print("no statistics:", packet.error)
            return
        lines = [describe(queue, packet.events) for queue in packet.events if queue["event"] == "QueueParams"]
        if lines != self._shown:
            if self._shown:
                print()
            print(*lines, sep="\n", flush=True)
            self._shown = lines


def describe(queue: Packet, entries: list[Packet]) -> str:
    """One line about a queue, of the entries about all of them."""
    own = [entry for entry in entries if entry["queue"] == queue["queue"]]
    members = [entry for entry in own if entry["event"] == "QueueMember"]
    free = [member for member in members if member["status"] == NOT_IN_USE and member["paused"] == "0"]
    longest = max([int(entry["wait"]) for entry in own if entry["event"] == "QueueEntry"], default=0)
    return (
        f"{queue['queue']:<10} {queue['calls']:>2} waiting, longest {longest:>3} s; "
        f"{len(free)} of {len(members)} free; {queue['completed']} done, {queue['abandoned']} lost"
    )


def main(url: str, interval: float = 1.0) -> None:
    reactor = Reactor.instance()
    pool = Pool(events="agent", fold_case=False, reconnect=2)
    QueueBoard(reactor, pool, interval)

    def leave() -> None:
        pool.finish(graceful=True)
        reactor.stop()

    @pool.on("disconnect")
    def on_disconnect(conn: Connection) -> None:
        if conn.lost and not conn.reconnecting:  # the login was refused
            sys.exit(str(conn.error))  # it comes out of run()

    reactor.add_signal_handler(signal.SIGINT, leave)
    reactor.add_signal_handler(signal.SIGTERM, leave)
    pool.get_connection(url)
    reactor.run()


def rehearse(pbx: FakeAsterisk) -> None:
    """A caller comes and waits, an agent takes a break, the caller gives up."""
    helpline = pbx.office.queues[0]

    def tell(event: str) -> None:
        pbx.push({"Event": event, "Privilege": "agent,all", "Queue": helpline.name})

    def comes() -> None:
        helpline.callers.append(Caller("PJSIP/trunk-00000001", "5550100", "Ann Miller", wait=3))
        tell("QueueCallerJoin")

    def pauses() -> None:
        helpline.members[0].paused = True
        helpline.callers[0].wait = 48
        tell("QueueMemberPause")

    def gives_up() -> None:
        helpline.callers.clear()
        helpline.abandoned += 1
        tell("QueueCallerAbandon")
        tell("QueueCallerLeave")

    steps = iter([comes, pauses, gives_up, lambda: os.kill(os.getpid(), signal.SIGTERM)])

    def on_status(request: Any) -> Any:
        pbx.loop.call_later(0.02, next(steps))
        return NotImplemented  # it is answered as always

    pbx.on("QueueStatus", on_status)


if __name__ == "__main__":
    url = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("AMI_URL")
    if url:
        main(url)
    else:
        with FakeAsterisk(Reactor.instance()) as pbx:
            rehearse(pbx)
            main(pbx.url, interval=0.02)
