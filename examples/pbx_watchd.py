#!/usr/bin/env python3
"""A daemon for systemd: logs to the journal which phones and trunks become unreachable or come back.

pbx_watchd.py        plays a bad day on the embedded server
pbx_watchd.py URL    watches your PBX until SIGTERM (or set AMI_URL). AMI_SECRET_FILE names a file with the secret
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from typing import Any

from ami_client import Connection, Packet, Pool, Reactor
from ami_client.testing import FakeAsterisk

log = logging.getLogger("pbx_watchd")

GONE = {"unavailable", "invalid"}  # states of a device that is unreachable

#: Syslog's priorities, by which the journal filters.
PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class Watch:
    """Keeps the state of each device, and reports devices that are gone or back."""

    def __init__(self, pool: Pool) -> None:
        self._gone: set[str] = set()
        pool.on_login(self.ask)
        pool.on("event_devicestatechange", self.on_change)

    def ask(self, conn: Connection) -> None:
        """Ask for all states, because the events during an outage are missing."""
        conn.action("DeviceStateList", self.on_list)

    def on_list(self, conn: Connection, packet: Packet) -> None:
        if packet.error is not None:
            log.warning("no list of devices: %s", packet.error)
        for entry in packet.events:
            self.on_change(conn, entry)

    def on_change(self, conn: Connection, event: Packet) -> None:
        device, gone = event.original("Device", ""), event["state"] in GONE
        if gone and device not in self._gone:
            self._gone.add(device)
            log.warning("%s is gone", device)
        elif not gone and device in self._gone:
            self._gone.discard(device)
            log.info("%s is back", device)


class Daemon:
    """A pool with everything that systemd and the administrator expect of a daemon."""

    def __init__(self, reactor: Reactor, url: str, **options: object) -> None:
        self.status = 0  # the exit status
        self._reactor = reactor
        self._url = url
        self._pool = Pool({"reconnect": 2, "events": "call", **options})
        self._pool.on("connected", lambda conn: notify(f"STATUS=Connected to {conn}"))
        self._pool.on("disconnect", self.on_disconnect)
        Watch(self._pool)

    def run(self) -> int:
        """Run until a signal or a refused login. Return the exit status."""
        self._reactor.add_signal_handler(signal.SIGTERM, self.stop)
        self._reactor.add_signal_handler(signal.SIGINT, self.stop)
        self._reactor.add_signal_handler(signal.SIGHUP, self.log_counts)
        self._pool.get_connection(self._url)
        # Ready means that the daemon runs. It does not wait for the PBX, which may be down.
        notify("READY=1")
        self._watchdog(int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6)
        self._reactor.run()
        return self.status

    def stop(self) -> None:
        notify("STOPPING=1")
        self._pool.finish(graceful=True)
        self._reactor.stop()

    def log_counts(self) -> None:
        log.info("%s", self._pool.stats)

    def on_disconnect(self, conn: Connection) -> None:
        notify(f"STATUS=Not connected: {conn.error}")
        if conn.lost and not conn.reconnecting:  # the login was refused
            self.status = 78  # EX_CONFIG: RestartPreventExitStatus= keeps systemd from trying again
            self.stop()

    def _watchdog(self, limit: float) -> None:
        # A timer of the loop sends it. If the loop hangs, nothing comes, and systemd restarts the daemon.
        if limit:
            notify("WATCHDOG=1")
            self._reactor.call_later(limit / 2, self._watchdog, limit)


def notify(state: str) -> None:
    """Notify systemd (sd_notify). Do nothing without systemd."""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(state.encode(), "\0" + path[1:] if path.startswith("@") else path)


class JournalFormatter(logging.Formatter):
    """Begins each line with the priority, as the journal expects it: ``<4>`` for a warning."""

    def format(self, record: logging.LogRecord) -> str:
        priority = PRIORITIES.get(record.levelno, 6)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())


def set_up_logging() -> None:
    handler = logging.StreamHandler(sys.stdout)
    under_systemd = "JOURNAL_STREAM" in os.environ  # the journal adds time and name
    text = "%(name)s: %(message)s"
    handler.setFormatter(JournalFormatter(text) if under_systemd else logging.Formatter(f"%(levelname)s {text}"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def main(url: str, **options: object) -> int:
    set_up_logging()
    secret_file = os.environ.get("AMI_SECRET_FILE")
    if secret_file:
        with open(secret_file, encoding="utf-8") as file:
            options["secret"] = file.read().rstrip("\n")
    return Daemon(Reactor.instance(), url, **options).run()


def rehearse(pbx: FakeAsterisk) -> None:
    """A phone is gone, the server restarts, the phone is back. Then somebody stops the daemon."""
    states = {"PJSIP/front-desk": "NOT_INUSE", "PJSIP/nomad": "UNAVAILABLE"}

    def change(device: str, state: str) -> None:
        states[device] = state
        pbx.push({"Event": "DeviceStateChange", "Privilege": "call,all", "Device": device, "State": state})

    def free() -> None:
        change("PJSIP/front-desk", "NOT_INUSE")
        pbx.play([(0.3, lambda: os.kill(os.getpid(), signal.SIGTERM))])

    def restart() -> None:
        pbx.close()
        states["PJSIP/nomad"] = "NOT_INUSE"  # during the outage, so no event says so
        pbx.start()

    def on_list(request: Any) -> Any:
        if len(pbx.requests("DeviceStateList")) == 1:
            pbx.play([(0.02, lambda: change("PJSIP/front-desk", "UNAVAILABLE")), (0.04, restart)])
        else:
            pbx.play([(0.02, free)])
        entries = [{"Event": "DeviceStateChange", "Device": name, "State": state} for name, state in states.items()]
        start = {"Response": "Success", "EventList": "start", "Message": "Device State Changes will follow"}
        end = {"Event": "DeviceStateListComplete", "EventList": "Complete", "ListItems": len(entries)}
        return [start, *entries, end]

    pbx.on("DeviceStateList", on_list)


if __name__ == "__main__":
    url = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("AMI_URL")
    if url:
        sys.exit(main(url))
    with FakeAsterisk(Reactor.instance()) as pbx:
        rehearse(pbx)
        sys.exit(main(pbx.url, reconnect=0.05))
