#!/usr/bin/env python3
"""Calls back people who gave up waiting in a queue.

callback_robot.py        plays a caller who gives up on the embedded server
callback_robot.py URL    calls back your callers until Ctrl-C (or set AMI_URL)
"""

from __future__ import annotations

import os
import re
import signal
import sys
from typing import Any

from ami_client import Connection, Packet, Pool, Reactor
from ami_client.loop import Handle, Loop
from ami_client.testing import FakeAsterisk

#: The numbers that the robot calls. A stranger chose the text, and a Channel can contain much more than a number.
NUMBER = re.compile(r"\+?[0-9]{3,15}")
ACCOUNT = "callback"  # marks the robot's own calls, in events and in call records


class CallbackRobot:
    """Calls people back ``delay`` seconds after they gave up in a queue, unless they have called again themselves.

    ``dial`` makes a channel from the number: ``PJSIP/{}@trunk``.
    """

    def __init__(self, loop: Loop, pool: Pool, *, delay: float = 60.0, dial: str, context: str) -> None:
        self._loop = loop
        self._pool = pool
        self._delay = delay
        self._dial = dial
        self._context = context
        self._waiting: dict[str, Handle] = {}  # by number
        pool.on("event_queuecallerabandon", self.on_abandon)
        pool.on("event_queuecallerjoin", self.on_join)

    def on_abandon(self, conn: Connection, event: Packet) -> None:
        if event.get("accountcode") == ACCOUNT:
            return  # this is a call-back, and the person gave up again: enough
        number = event["calleridnum"]
        if NUMBER.fullmatch(number) and number not in self._waiting:
            self.call_later(number, event.original("Queue", ""))

    def on_join(self, conn: Connection, event: Packet) -> None:
        timer = self._waiting.pop(event["calleridnum"], None)
        if timer is not None:
            timer.cancel()

    def call_later(self, number: str, queue: str) -> None:
        self._waiting[number] = self._loop.call_later(self._delay, self.call, number, queue)

    def call(self, number: str, queue: str) -> None:
        del self._waiting[number]
        # Do not keep the connection of a minute ago: there may be a new one now.
        self._pool.get_connection(lambda conn: self.originate(conn, number, queue))

    def originate(self, conn: Connection, number: str, queue: str) -> None:
        if not conn.connected:
            self.call_later(number, queue)  # the PBX is down: try again in a minute
            return
        call = {
            "Channel": self._dial.format(number),
            "Context": self._context,
            "Exten": queue,
            "Priority": 1,
            "Account": ACCOUNT,
            "Timeout": 30_000,  # milliseconds
        }
        conn.originate(call, None, on_result=lambda conn, packet: print(f"{number}: {packet.error or 'answered'}"))


def main(url: str, **options: Any) -> None:
    reactor = Reactor.instance()
    pool = Pool(server=url, events="agent,call", reconnect=2)
    CallbackRobot(reactor, pool, **options)

    def leave() -> None:
        pool.finish(graceful=True)
        reactor.stop()

    @pool.on("disconnect")
    def on_disconnect(conn: Connection) -> None:
        if conn.lost and not conn.reconnecting:  # the login was refused
            sys.exit(str(conn.error))  # run() raises it

    reactor.add_signal_handler(signal.SIGINT, leave)
    reactor.add_signal_handler(signal.SIGTERM, leave)
    pool.get_connection()
    reactor.run()


def rehearse(pbx: FakeAsterisk) -> None:
    """After the login, somebody gives up and is called back. Then somebody stops the robot."""
    pbx.office.extensions["office", "helpline"] = pbx.office.extensions["office", "600"]
    gives_up = {"Event": "QueueCallerAbandon", "Privilege": "agent,all", "Queue": "helpline", "CallerIDNum": "101"}

    def on_login(request: Any) -> Any:
        pbx.play([(0.02, gives_up)])
        return NotImplemented  # the built-in answer to the login

    def on_originate(request: Any) -> Any:
        pbx.play([(0.3, lambda: os.kill(os.getpid(), signal.SIGTERM))])
        return NotImplemented

    pbx.on("Login", on_login)
    pbx.on("Originate", on_originate)


if __name__ == "__main__":
    url = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("AMI_URL")
    if url:
        main(url, dial="PJSIP/{}@trunk", context="callback")
    else:
        with FakeAsterisk(Reactor.instance()) as pbx:
            rehearse(pbx)
            main(pbx.url, delay=0.02, dial="Local/{}@office", context="office")
