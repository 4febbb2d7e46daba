#!/usr/bin/env python3
"""The port of wallboard.php, a phpDaemon application, method by method.

wallboard.py        runs for a moment on the embedded server
wallboard.py URL    runs on yours, until Ctrl-C; AMI_URL does as well
"""

# Beside the PHP, a page of the manual has no room for annotations.
# mypy: allow-untyped-defs, allow-untyped-calls

import os
import sys

from ami_client import Pool, Reactor
from ami_client.testing import FakeAsterisk


class Wallboard:
    def __init__(self, url, reconnect=2):
        self.url = url
        self.pool = Pool(reconnect=reconnect)

    def on_ready(self):
        self.pool.on(
            "event_hangup",
            self.on_hangup,
        )
        self.pool.on(
            "disconnect",
            self.on_disconnect,
        )
        self.pool.on_login(self.on_login)
        self.pool.get_connection(self.url)

    def on_login(self, conn):
        conn.core_show_channels(
            self.on_channels,
        )
        conn.action(
            "QueueStatus",
            self.on_queues,
            {"Queue": "helpline"},
            {"event": "queuestatuscomplete"},
        )

    def on_channels(self, conn, packets):
        channels = packets[1:-1]
        print(len(channels), "channels")
        call = {
            "Channel": "Local/102@office",
            "Context": "office",
            "Exten": "101",
            "Priority": 1,
            "Variable": {"BOARD": "yes"},
        }
        conn.originate(call, self.on_accepted)

    def on_accepted(self, conn, packet):
        print(packet["message"])

    def on_queues(self, conn, packets):
        for packet in packets:
            if packet.get("event") == "queueparams":
                print(
                    packet["queue"] + ":",
                    packet["calls"],
                    "calls",
                )

    def on_hangup(self, conn, event):
        print(
            event["channel"] + ":",
            event["cause-txt"],
        )

    def on_disconnect(self, conn):
        print("gone:", conn.error)


def rehearse(pbx):
    """The server drops us after a while, and stops us when we are back."""

    def on_status(request):
        is_first = len(pbx.requests("QueueStatus")) == 1
        pbx.loop.call_later(0.2, pbx.drop if is_first else reactor.stop)
        return NotImplemented  # the built-in answer

    pbx.on("QueueStatus", on_status)


if __name__ == "__main__":
    url = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("AMI_URL")
    reactor = Reactor.instance()
    if url:
        Wallboard(url).on_ready()
        reactor.run()
    else:
        with FakeAsterisk(reactor) as pbx:
            rehearse(pbx)
            Wallboard(pbx.url, reconnect=0.02).on_ready()
            reactor.run()
