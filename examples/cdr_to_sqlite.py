#!/usr/bin/env python3
"""Stores call detail records in SQLite.

cdr_to_sqlite.py                 stores a few calls of the embedded server, in memory
cdr_to_sqlite.py URL [FILE]      stores yours in FILE (cdr.db by default) until Ctrl-C (or set AMI_URL)
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from typing import Any, Optional

from ami_client import Connection, Packet, Pool, Reactor
from ami_client.testing import FakeAsterisk

#: Headers of the event Cdr that are kept; the columns have the same names.
COLUMNS = [
    *("UniqueID", "Channel", "DestinationChannel", "StartTime", "AnswerTime", "EndTime"),
    *("Source", "CallerID", "Destination", "DestinationContext", "Duration", "BillableSeconds"),
    *("Disposition", "AccountCode", "UserField"),
]
NUMBERS = {"Duration", "BillableSeconds"}


class CdrWriter:
    """Writes the records of ``interval`` seconds in one transaction, because each transaction flushes the disk."""

    def __init__(self, reactor: Reactor, pool: Pool, database: sqlite3.Connection, interval: float) -> None:
        self._reactor = reactor
        self._database = database
        self._interval = interval
        self._rows: list[list[str]] = []
        self._timer: Optional[object] = None
        names = ", ".join(f"{name} {'INTEGER' if name in NUMBERS else 'TEXT'}" for name in COLUMNS)
        # A record that an earlier or a second run has stored is ignored.
        key = "PRIMARY KEY (UniqueID, Channel, DestinationChannel, EndTime)"
        database.execute(f"CREATE TABLE IF NOT EXISTS cdr ({names}, {key})")
        pool.on("event_cdr", self.on_cdr)

    def on_cdr(self, conn: Connection, event: Packet) -> None:
        row = {name: storable(event.original(name, "")) for name in COLUMNS}
        print(f"{row['CallerID']!r} to {row['Destination']}: {row['Disposition']}")
        self._rows.append(list(row.values()))
        if self._timer is None:
            self._timer = self._reactor.call_later(self._interval, self.flush)

    def flush(self) -> None:
        """Store the waiting records. If that fails, keep them and try again with the next record."""
        self._timer = None
        places = ", ".join("?" * len(COLUMNS))
        with self._database:
            self._database.executemany(f"INSERT OR IGNORE INTO cdr VALUES ({places})", self._rows)
        self._rows.clear()


def storable(text: str) -> str:
    """Replace what is not UTF-8. Caller ids come from other networks, and SQLite accepts only UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def report(database: sqlite3.Connection) -> None:
    """Count the calls by outcome."""
    query = "SELECT Disposition, count(*), sum(BillableSeconds) FROM cdr GROUP BY Disposition ORDER BY 2 DESC, 1"
    for disposition, count, seconds in database.execute(query):
        print(f"{disposition}: {count} calls, {seconds} s")


def main(url: str, file: str, interval: float = 1.0) -> None:
    reactor = Reactor.instance()
    pool = Pool(events="cdr", reconnect=2)
    database = sqlite3.connect(file)
    writer = CdrWriter(reactor, pool, database, interval)

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
    try:
        reactor.run()
    finally:
        writer.flush()
        report(database)
        database.close()


def rehearse(pbx: FakeAsterisk) -> None:
    """After the login, three calls have ended. The first record comes twice."""

    def tell(number: int, disposition: str, seconds: int, caller: bytes) -> None:
        lines = [
            *(b"Event: Cdr", b"Privilege: cdr,all", b"Source: 5550100", b"CallerID: " + caller),
            *(b"Destination: 100", b"DestinationContext: office", b"Channel: PJSIP/trunk-%08x" % number),
            *(b"StartTime: 2026-03-02 09:0%d:00" % number, b"EndTime: 2026-03-02 09:0%d:30" % number),
            *(b"Duration: 30", b"BillableSeconds: %d" % seconds, b"Disposition: " + disposition.encode()),
            *(b"UniqueID: 1772442000.%d" % number, b"UserField: ", b"", b""),
        ]
        pbx.push(b"\r\n".join(lines))

    def calls() -> None:
        tell(1, "ANSWERED", 25, b'"Ann Miller" <5550100>')
        tell(1, "ANSWERED", 25, b'"Ann Miller" <5550100>')
        tell(2, "NO ANSWER", 0, b'"Ren\xe9e" <5550100>')  # Latin-1
        tell(3, "ANSWERED", 28, "Жанна <5550100>".encode())
        pbx.play([(0.2, lambda: os.kill(os.getpid(), signal.SIGTERM))])

    def on_login(request: Any) -> Any:
        pbx.play([(0.02, calls)])
        return NotImplemented  # the built-in answer to the login

    pbx.on("Login", on_login)


if __name__ == "__main__":
    url = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("AMI_URL")
    if url:
        main(url, sys.argv[2] if len(sys.argv) > 2 else "cdr.db")
    else:
        with FakeAsterisk(Reactor.instance()) as pbx:
            rehearse(pbx)
            main(pbx.url, ":memory:", interval=0.02)
