#!/usr/bin/env python3
"""CRM pop-up: when an agent's phone rings, shows on the agent's screen who is calling.

crm_popup.py        plays a few calls on the embedded server
crm_popup.py URL    watches your PBX until Ctrl-C (or set AMI_URL)
"""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ami_client import Connection, Packet, Pool, Reactor, unescape
from ami_client.testing import FakeAsterisk

#: The CRM. Yours is a data base or a web service.
CUSTOMERS = {"5550100": "Ann Miller, Miller & Sons, gold contract", "5550123": "Bo Chen, two open tickets"}


class PopUps:
    """Opens a pop-up when a phone begins to ring, and closes it when the ringing ends."""

    def __init__(self, pool: Pool) -> None:
        # The CRM may be slow, and must not block the loop. One thread keeps the pop-ups in order.
        self.desk = ThreadPoolExecutor(max_workers=1)
        pool.on("event_dialbegin", self.on_dialbegin)
        pool.on("event_dialend", self.on_dialend)

    def on_dialbegin(self, conn: Connection, event: Packet) -> None:
        if "channel" not in event:
            return  # there is no caller: an Originate is dialling
        name = unescape(event.get("calleridname", ""))
        self.desk.submit(self.open, phone_of(event), event["calleridnum"], name)

    def on_dialend(self, conn: Connection, event: Packet) -> None:
        if "channel" in event:
            self.desk.submit(self.close, phone_of(event), event.original("DialStatus", ""))

    # This runs in the thread, so it must not use ami_client.

    def open(self, phone: str, number: str, name: str) -> None:
        customer = CUSTOMERS.get(number.lstrip("+"), "not in the CRM")
        # repr(), because a caller's name may contain anything, including escape sequences.
        print(f"{phone}: call from {number!r} {name!r}: {customer}")

    def close(self, phone: str, status: str) -> None:
        print(f"{phone}: " + ("talking" if status == "ANSWER" else f"missed ({status})"))


def phone_of(event: Packet) -> str:
    """``PJSIP/100`` of ``PJSIP/100-00000042``."""
    return event.original("DestChannel", "").rpartition("-")[0]


def main(url: str) -> None:
    reactor = Reactor.instance()
    pool = Pool(events="call", reconnect=2)
    popups = PopUps(pool)

    def leave() -> None:
        pool.finish(graceful=True)
        reactor.stop()

    @pool.on("disconnect")
    def on_disconnect(conn: Connection) -> None:
        if conn.lost and not conn.reconnecting:  # the login was refused
            sys.exit(str(conn.error))  # run() raises it

    reactor.add_signal_handler(signal.SIGINT, leave)
    reactor.add_signal_handler(signal.SIGTERM, leave)
    pool.get_connection(url)
    reactor.run()
    popups.desk.shutdown()


def rehearse(pbx: FakeAsterisk) -> None:
    """After the login, two people call: one is answered, the other gives up."""

    def dial(name: str, number: str, caller: str, **more: str) -> None:
        headers = {"Event": name, "Privilege": "call,all", "Channel": "PJSIP/trunk-00000001"}
        headers.update(CallerIDNum=number, CallerIDName=caller, DestChannel="PJSIP/front-desk-00000002", **more)
        pbx.push(headers)

    ann, bob = 'Ann \\"The Boss\\" Miller', "O\\'Brien"  # as Asterisk escapes them

    def give_up() -> None:
        dial("DialEnd", "5550199", bob, DialStatus="CANCEL")
        pbx.play([(0.05, lambda: os.kill(os.getpid(), signal.SIGTERM))])

    def on_login(request: Any) -> Any:
        pbx.play(
            [
                (0.05, lambda: dial("DialBegin", "5550100", ann)),
                (0.10, lambda: dial("DialEnd", "5550100", ann, DialStatus="ANSWER")),
                (0.15, lambda: dial("DialBegin", "5550199", bob)),
                (0.20, give_up),
            ]
        )
        return NotImplemented  # the built-in answer to the login

    pbx.on("Login", on_login)


if __name__ == "__main__":
    url = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("AMI_URL")
    if url:
        main(url)
    else:
        with FakeAsterisk(Reactor.instance()) as pbx:
            rehearse(pbx)
            main(pbx.url)
