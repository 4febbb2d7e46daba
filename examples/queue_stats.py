#!/usr/bin/env python3
"""Hourly queue statistics in SQLite: how many callers were answered, how soon, and how many gave up.

queue_stats.py               plays a busy minute on the embedded server, in memory
queue_stats.py URL [FILE]    stores the statistics of your queues in FILE (queues.db by default) until Ctrl-C
                             (or set AMI_URL)
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from typing import Any

from ami_client import Connection, Pool, Reactor
from ami_client.model import Caller, Model, Queue
from ami_client.testing import FakeAsterisk

SCHEMA = """
CREATE TABLE IF NOT EXISTS queue_hours (
    server TEXT, queue TEXT, hour TEXT,
    answered INTEGER, in_time INTEGER, abandoned INTEGER, others INTEGER,  -- calls, by how they left the queue
    waited REAL, longest REAL,                                             -- seconds, of those that were answered
    PRIMARY KEY (server, queue, hour)
)"""
COUNT = """
INSERT INTO queue_hours VALUES (:server, :queue, :hour, :answered, :in_time, :abandoned, :others, :waited, :longest)
ON CONFLICT (server, queue, hour) DO UPDATE SET
    answered = answered + excluded.answered, in_time = in_time + excluded.in_time,
    abandoned = abandoned + excluded.abandoned, others = others + excluded.others,
    waited = waited + excluded.waited, longest = max(longest, excluded.longest)
"""


class QueueStatistics:
    """Counts each caller once, after the caller has left the queue, in the hour of arrival."""

    def __init__(self, model: Model, database: sqlite3.Connection) -> None:
        self._database = database
        database.execute(SCHEMA)
        model.on("queue_joined", self.on_joined)
        model.on(["queue_left", "queue_abandoned"], self.on_left)

    def on_joined(self, model: Model, queue: Queue, caller: Caller) -> None:
        free = sum(member.state == "not_inuse" and not member.paused for member in queue.members)
        waiting = len(queue.callers)
        print(
            f"{queue.name}: {caller.number or 'somebody'} came, {waiting} waiting, {free} of {len(queue.members)} free"
        )

    def on_left(self, model: Model, queue: Queue, caller: Caller) -> None:
        waited = (caller.left or caller.joined) - caller.joined
        answered = caller.outcome == "answered"
        row = {
            "server": caller.server,
            "queue": queue.name,
            "hour": time.strftime("%Y-%m-%d %H:00", time.localtime(caller.joined)),
            "answered": answered,
            "in_time": answered and waited <= queue.service_level,
            "abandoned": caller.outcome == "abandoned",
            "others": caller.outcome == "left",
            "waited": waited if answered else 0.0,
            "longest": waited if answered else 0.0,
        }
        with self._database:
            self._database.execute(COUNT, row)
        by = f" by {caller.member}" if caller.member else ""
        print(f"{queue.name}: {caller.number or 'somebody'} {caller.outcome}{by} after {waited:.0f} s", flush=True)


def report(database: sqlite3.Connection) -> None:
    """Return a line for each queue and hour."""
    for queue, hour, answered, in_time, abandoned, waited in database.execute(
        "SELECT queue, hour, answered, in_time, abandoned, waited FROM queue_hours ORDER BY hour, queue"
    ):
        mean = waited / answered if answered else 0.0
        print(f"{hour} {queue}: {answered} answered ({in_time} in time, {mean:.0f} s on average), {abandoned} gave up")


def main(url: str, file: str) -> None:
    reactor = Reactor.instance()
    pool = Pool(events="agent,call", reconnect=2)
    database = sqlite3.connect(file)
    QueueStatistics(Model(pool, endpoints=False), database)

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
    report(database)
    database.close()


def rehearse(pbx: FakeAsterisk) -> None:
    """Two people call: one is answered, the other gives up."""
    pbx.office.queues[0].members[0].paused = True

    def push(event: str, caller: int, **headers: str) -> None:
        channel = {"Channel": f"PJSIP/trunk-{caller}", "Uniqueid": f"1.{caller}", "Linkedid": f"1.{caller}"}
        number = {"CallerIDNum": f"555010{caller}"}
        pbx.push({"Event": event, "Privilege": "agent,call,all", "Queue": "helpline", **channel, **number, **headers})

    steps = [
        lambda: push("QueueCallerJoin", 1, Position="1"),
        lambda: push("QueueCallerJoin", 2, Position="2"),
        lambda: push("DialEnd", 1, DestChannel="PJSIP/front-desk-3", DestUniqueid="1.3", DialStatus="ANSWER"),
        lambda: push("QueueCallerLeave", 1),
        lambda: push("QueueCallerAbandon", 2),
        lambda: push("QueueCallerLeave", 2),
        lambda: pbx.play([(0.05, lambda: os.kill(os.getpid(), signal.SIGTERM))]),
    ]

    def on_login(request: Any) -> Any:
        pbx.play([(0.05 * number, step) for number, step in enumerate(steps)])
        return NotImplemented  # the built-in answer

    pbx.on("QueueStatus", on_login)


if __name__ == "__main__":
    url = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("AMI_URL")
    if url:
        main(url, sys.argv[2] if len(sys.argv) > 2 else "queues.db")
    else:
        with FakeAsterisk(Reactor.instance()) as pbx:
            rehearse(pbx)
            main(pbx.url, ":memory:")
