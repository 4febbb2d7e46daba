"""The client in whole programs: the demonstration, and on loops that are not ours."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest
import uvloop
from servers import AsteriskServer

from ami_client import Connection, Packet, Pool

PROJECT = Path(__file__).parents[2]
LIMIT = 15.0


def test_the_demonstration(asterisk: AsteriskServer) -> None:
    command = [sys.executable, "-m", "ami_client", "demo", asterisk.url]
    command += ["--channel", "Local/101@default", "--exten", "100@default"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    # Each begins with the time since the start.
    lines = [line.strip().split("  ", 1)[1].strip() for line in done.stdout.splitlines()]
    version = {"16": "AMI 5.0.", "22": "AMI 11.0."}[asterisk.version]
    assert version in lines[0]
    assert any(line.startswith("alice ") for line in lines)
    assert "OriginateResponse: answered" in lines
    assert any(line.startswith("Newchannel") for line in lines)
    assert any(line.startswith("Hangup ") for line in lines)
    assert lines[-1].startswith("disconnected; ")
    assert f":{asterisk.secret}@" not in done.stdout
    assert "0 active channels" in asterisk.cli("core show channels")


def test_the_demonstration_fails_for_a_wrong_secret(asterisk: AsteriskServer) -> None:
    url = asterisk.url.replace(":secret@", ":wr0ng@")
    command = [sys.executable, "-m", "ami_client", "demo", url]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "Authentication failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert "wr0ng" not in done.stdout + done.stderr


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_on_other_loops(asterisk: AsteriskServer, new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """The session is driven by callbacks alone; the loop is only what runs them."""
    loop = new_loop()
    log: list[str] = []
    pool = Pool(reactor=loop)

    def connected(conn: Connection, packet: Packet) -> None:
        assert conn.connected, conn.error
        log.append("connected")
        conn.core_show_channels(listed)

    def listed(conn: Connection, packets: list[Packet]) -> None:
        log.append(f"{packets[-1]['listitems']} channels")
        params = {"Channel": "Local/110@default/n", "Application": "Wait", "Data": "60"}
        conn.originate(params, None, on_result=called)

    def called(conn: Connection, packet: Packet) -> None:
        log.append(f"call: {packet['response']}")

    def on_hangup(conn: Connection, packet: Packet) -> None:
        log.append("hangup")
        if log.count("hangup") == 2:
            conn.ping(ponged)

    def ponged(conn: Connection, packet: Packet) -> None:
        log.append(packet["ping"])
        conn.logoff(lambda conn, packet: log.append(packet["response"]))

    def disconnected(conn: Connection) -> None:
        log.append("disconnected")
        loop.stop()

    def out_of_patience() -> None:
        log.append("out of patience")
        loop.stop()

    pool.on("event_hangup", on_hangup)
    pool.on("disconnect", disconnected)
    limit = loop.call_later(LIMIT, out_of_patience)
    pool.get_connection(asterisk.url, connected)
    try:
        loop.run_forever()
    finally:
        limit.cancel()
        pool.finish()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
    expected = ["connected", "0 channels", "call: success", "hangup", "hangup", "pong", "goodbye", "disconnected"]
    assert sorted(log) == sorted(expected)
    assert log[:2] == expected[:2]
    assert log[-3:] == expected[-3:]


def test_the_asyncio_daemon_of_the_examples(asterisk: AsteriskServer) -> None:
    command = [sys.executable, "-u", "examples/asyncio_daemon.py", "--port", "0"]
    environment = {**os.environ, "AMI_URL": asterisk.url, "PYTHONPATH": str(PROJECT)}
    daemon = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True)
    assert daemon.stdout is not None
    with daemon, daemon.stdout as said:
        lines = iter(said)
        assert any("callers are waiting" in line for line in lines)
        daemon.terminate()
        assert "stopping" in next(lines)
        assert daemon.wait(LIMIT) == 0


def test_the_django_site_of_the_examples(asterisk: AsteriskServer) -> None:
    command = [sys.executable, "examples/django_celery.py"]
    environment = {**os.environ, "AMI_URL": asterisk.url, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    shown, first, second = done.stdout.splitlines()
    assert shown == '{"channels": []}'
    # No such context there.
    assert first == "Local/101@office: Extension does not exist." and second.startswith("Local/111@office: ")
