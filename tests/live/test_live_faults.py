"""Faults of the server, with a daemon under load: nobody is left waiting, and it is connected again."""

from __future__ import annotations

import ssl
from typing import Callable

import pytest
from daemon import RECONNECTS, Daemon
from driver import Once
from servers import AsteriskServer

from ami_client import ConnectFailed, ConnectionFinished, ConnectionLost, LoginRefused, Packet, SilenceTimeout

LISTS = 200
RESTARTS = 20
SILENCE = 0.6  # seconds


@pytest.fixture(autouse=True)
def expect_reconnects(expect_log: Callable[[str], None]) -> None:
    expect_log(RECONNECTS)


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_killed_in_the_middle_of_a_list(own_asterisk: AsteriskServer, secure: bool) -> None:
    context = ssl.create_default_context(cafile=str(own_asterisk.ca_file))
    url = own_asterisk.tls_url if secure else own_asterisk.url
    with Daemon(own_asterisk, url, ssl=context if secure else False) as daemon:
        conn = daemon.connect()
        daemon.load()
        lists = [daemon.once(f"ShowDialPlan {number}") for number in range(LISTS)]
        for callback in lists:
            conn.action("ShowDialPlan", callback)
        again = daemon.once("Ping that is sent again")
        action_id = conn.ping(again, retry=True)
        daemon.until_called(lists[2])
        own_asterisk.kill()
        lost = daemon.until_lost()
        assert isinstance(lost.error, ConnectionLost)
        # Everybody was told by then but those who wait for the next login.
        assert_whole_or_failed(lists)
        assert isinstance(lists[-1].result.error, ConnectionLost)
        assert not again.calls
        # Who asks now is told how the next attempt went.
        asked = daemon.once("get_connection")
        daemon.pool.get_connection(daemon.url, asked)
        daemon.until_called(asked)
        assert isinstance(asked.result.error, ConnectFailed)
        own_asterisk.launch()
        daemon.until_back(lost)
        daemon.until_called(again)
        assert again.calls[0][0] is daemon.conn
        assert (again.result["ping"], again.result["actionid"]) == ("pong", action_id)
        daemon.settle()


def test_frozen_and_thawed(own_asterisk: AsteriskServer) -> None:
    with Daemon(own_asterisk, timeout=SILENCE) as daemon:
        daemon.connect()
        daemon.load()
        own_asterisk.freeze()
        frozen = daemon.reactor.time()
        once, again = daemon.once("Ping"), daemon.once("Ping that is sent again")
        daemon.conn.ping(once)
        daemon.conn.ping(again, retry=True)
        lost = daemon.until_lost()
        assert isinstance(lost.error, SilenceTimeout)
        assert daemon.reactor.time() - frozen < SILENCE + 0.5
        assert isinstance(once.result.error, SilenceTimeout)
        # The port takes connections, but nobody speaks.
        asked = daemon.once("get_connection")
        daemon.pool.get_connection(daemon.url, asked)
        daemon.until_called(asked)
        assert isinstance(asked.result.error, SilenceTimeout)
        assert not again.calls
        own_asterisk.thaw()
        daemon.until_back(lost)
        daemon.until_called(again)
        assert again.result["ping"] == "pong"
        daemon.settle()


def test_restarted_twenty_times(own_asterisk: AsteriskServer) -> None:
    with Daemon(own_asterisk) as daemon:
        daemon.connect()
        daemon.load()
        for number in range(1, RESTARTS + 1):
            lost = daemon.conn
            if number % 5:
                own_asterisk.kill()
            else:
                # Takes its time, and would hang if it were still booting.
                daemon.until_booted(daemon.boots + 1)
                own_asterisk.terminate()
            daemon.until(lambda: own_asterisk.pid is None, what="the end of the server")
            own_asterisk.launch()
            daemon.until_back(lost)
        assert len(daemon.logins) == RESTARTS + 1
        daemon.settle()


def test_core_restart_now(own_asterisk: AsteriskServer) -> None:
    with Daemon(own_asterisk) as daemon:
        daemon.connect()
        daemon.load()
        own_asterisk.cli("core restart now")
        lost = daemon.until_lost()
        shutdown = daemon.until_event("Shutdown")
        assert shutdown["restart"] == "true"
        daemon.until_back(lost)
        daemon.until_booted(2)
        daemon.check()
        daemon.settle()


def test_a_login_while_the_server_waits_for_its_calls_to_end(
    own_asterisk: AsteriskServer, expect_log: Callable[[str], None]
) -> None:
    """Asterisk refuses whatever it is asked until then, logins too: that is no word about the credentials."""
    expect_log("^WARNING: .*login refused: Asterisk is shutting down")
    with Daemon(own_asterisk, timeout=SILENCE) as daemon:
        daemon.connect()
        daemon.call()
        # The session that says so waits with it, in silence.
        daemon.conn.action("Command", daemon.once("Command"), {"Command": "core restart gracefully"})
        lost = daemon.until_lost()
        assert isinstance(lost.error, SilenceTimeout)
        daemon.until(lambda: isinstance(daemon.disconnects[-1].error, LoginRefused), what="a login being refused")
        assert "shutting down" in str(daemon.disconnects[-1].error)
        own_asterisk.cli("core abort shutdown")
        daemon.until_back(lost)
        daemon.settle()


def test_finished_while_it_reconnects(own_asterisk: AsteriskServer) -> None:
    with Daemon(own_asterisk) as daemon:
        daemon.connect()
        daemon.load()
        own_asterisk.freeze()
        again = daemon.once("Ping that would be sent again")
        daemon.conn.ping(again, retry=True)
        own_asterisk.kill()
        daemon.until_lost()
        attempts = len(daemon.attempts)
        daemon.until(lambda: len(daemon.attempts) > attempts + 1, what="two attempts")
        assert not again.calls
        daemon.unload()
        daemon.pool.finish()
        daemon.until_called(again)
        assert isinstance(again.result.error, ConnectionFinished)


def assert_whole_or_failed(callbacks: list[Once]) -> None:
    """Assert that each list is whole, or failed because the connection was lost."""
    packets: list[Packet] = [callback.result for callback in callbacks]
    whole = [packet for packet in packets if packet.error is None]
    for packet in whole:
        assert packet.complete is not None
        assert packet.complete["listitems"] == str(len(packet.events))
    # They fail in the order of sending, behind those that were answered.
    assert all(isinstance(packet.error, ConnectionLost) for packet in packets[len(whole) :])
