#!/usr/bin/env python3
"""Click to call: rings an agent's phone. When the agent answers, it calls a number.

click_to_call.py                                           runs on the embedded server
click_to_call.py URL --agent PJSIP/100 --number 5550100    runs on your PBX (or set AMI_URL)
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Optional

from ami_client import Connection, Packet, Pool, Reactor
from ami_client.testing import FakeAsterisk

#: The Reason of an OriginateResponse, where the agent did not answer.
REASONS = {"0": "cannot be reached", "1": "hung up", "3": "did not answer", "5": "is busy", "8": "is congested"}


class ClickToCall:
    """One call. Prints each step."""

    def __init__(self, agent: str, number: str, context: str, ring: float = 20.0) -> None:
        self.answered = False
        self._agent = agent
        self._number = number
        self._context = context
        self._ring = ring  # seconds
        self._uniqueid: Optional[str] = None  # of the agent's channel, after the answer

    def on_connection(self, conn: Connection) -> None:
        if not conn.connected:
            print("no connection:", conn.error)
            return
        call = {
            "Channel": self._agent,
            "Context": self._context,
            "Exten": self._number,
            "Priority": 1,
            "CallerID": f'"Click to call" <{self._number}>',  # shown on the agent's phone
            "Timeout": round(self._ring * 1000),  # milliseconds
            "Variable": {"CLICKED_BY": self._agent},
        }
        conn.originate(call, None, on_result=self.on_result)

    def on_result(self, conn: Connection, packet: Packet) -> None:
        if packet.error is None:
            print(f"{self._agent} has answered, calling {self._number}")
            self.answered = True
            self._uniqueid = packet["uniqueid"]
        elif "reason" in packet:
            print(f"{self._agent} {REASONS.get(packet['reason'], 'failed')}")
            conn.finish()
        else:  # the server refused, or the connection was lost
            print("no call:", packet.error)
            conn.finish()

    def on_dialend(self, conn: Connection, event: Packet) -> None:
        if self.answered and event.get("uniqueid") == self._uniqueid:
            print(f"{self._number}: {event['dialstatus']}")

    def on_hangup(self, conn: Connection, event: Packet) -> None:
        if event["uniqueid"] == self._uniqueid:
            print("hung up:", event.original("Cause-txt"))
            conn.finish()


def main(url: str, call: ClickToCall) -> int:
    """Return the exit status: 0 if the agent answered."""
    reactor = Reactor.instance()
    pool = Pool(events="call")
    pool.on("event_dialend", call.on_dialend)
    pool.on("event_hangup", call.on_hangup)
    pool.on("disconnect", lambda conn: reactor.stop())
    pool.get_connection(url, call.on_connection)
    reactor.run()
    return 0 if call.answered else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?", default=os.environ.get("AMI_URL"), help="tcp://user:secret@host:5038")
    parser.add_argument("--agent", default="PJSIP/front-desk", help="whom to ring first (default: %(default)s)")
    parser.add_argument("--number", default="101", help="whom to call then (default: %(default)s)")
    parser.add_argument("--context", default="office", help="where the dialplan has that number (default: %(default)s)")
    args = parser.parse_args()
    call = ClickToCall(args.agent, args.number, args.context)
    if args.url:
        sys.exit(main(args.url, call))
    with FakeAsterisk(Reactor.instance(), call_length=0.2) as pbx:
        sys.exit(main(pbx.url, call))
