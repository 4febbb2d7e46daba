"""Servers that go away or fall silent, in the middle of what they say: nobody is left waiting."""

from __future__ import annotations

from typing import Callable

import pytest
from driver import Client, Once
from servers import AsteriskServer

from ami_client import AMIError, ConnectFailed, ConnectionLost, SilenceTimeout

LISTS = 200


def ask_for_lists(client: Client) -> list[Once]:
    """Ask for so many long lists, and return when some have arrived and most have not."""
    callbacks = [client.once(f"ShowDialPlan {number}") for number in range(LISTS)]
    for callback in callbacks:
        client.conn.action("ShowDialPlan", callback)
    client.until_called(callbacks[2])
    assert not callbacks[-1].calls
    return callbacks


def assert_all_told(client: Client, callbacks: list[Once], error: type[AMIError]) -> None:
    """Assert that each list is whole, or refused by the server, or failed with that error."""
    whole = [callback.result for callback in callbacks if callback.result.error is None]
    failed = [callback.result for callback in callbacks if isinstance(callback.result.error, error)]
    assert whole[0].events
    for packet in whole:
        assert packet.complete["listitems"] == str(len(packet.events))
        assert len(packet.events) == len(whole[0].events)
    for packet in failed:
        assert packet["response"] == "error"
        assert packet.complete is None
        assert packet["actionid"]
    # They fail in the order of sending, behind those that were answered.
    assert all(isinstance(one.result.error, error) for one in callbacks[LISTS - len(failed) :])
    assert len(client.disconnects) == 1
    assert isinstance(client.conn.error, error)
    assert client.conn.finished


def restart_now(server: AsteriskServer) -> None:
    server.cli("core restart now")


@pytest.mark.parametrize("version", ["16", "22"])
def test_killed_in_the_middle_of_a_list(version: str) -> None:
    with AsteriskServer(version) as server, Client(server, maxconnperserv=1) as client:
        callbacks = ask_for_lists(client)
        result = client.once("OriginateResponse")
        client.conn.originate({"Channel": "Local/105@default", "Application": "Wait"}, None, on_result=result)
        client.conn.acquire()
        server.kill()
        client.until(lambda: client.disconnects, what="the loss being noticed")
        # Everybody was told by then.
        assert_all_told(client, callbacks, ConnectionLost)
        assert isinstance(callbacks[-1].result.error, ConnectionLost)
        assert isinstance(result.result.error, ConnectionLost)
        # Nobody listens there now.
        assert isinstance(client.login().error, ConnectFailed)
        server.start()
        client.disconnects.clear()
        again = client.connect()
        pong = client.answer(again.ping)
        assert pong["ping"] == "pong"
        assert again is not client.conn


@pytest.mark.parametrize("version", ["16", "22"])
@pytest.mark.parametrize("restart", [restart_now, AsteriskServer.restart])
def test_restarted_in_the_middle_of_a_list(version: str, restart: Callable[[AsteriskServer], None]) -> None:
    with AsteriskServer(version) as server, Client(server, maxconnperserv=1) as client:
        callbacks = ask_for_lists(client)
        restart(server)
        client.until(lambda: client.disconnects, what="the loss being noticed")
        assert_all_told(client, callbacks, ConnectionLost)
        server.wait_booted()
        again = client.connect()
        assert client.answer(again.ping)["ping"] == "pong"


def test_the_shutdown_is_announced() -> None:
    with AsteriskServer("22") as server, Client(server) as client:
        assert client.conn.connected
        server.cli("core restart now")
        event = client.until_event("Shutdown")
        assert event["restart"] == "true"
        client.until(lambda: client.disconnects)
        assert client.disconnects == [client.conn]


@pytest.mark.parametrize("version", ["16", "22"])
def test_frozen(version: str) -> None:
    timeout = 0.6  # seconds
    with AsteriskServer(version) as server, Client(server, timeout=timeout) as client:
        client.ask("Ping")
        server.freeze()
        frozen = client.reactor.time()
        lists = [client.once("ShowDialPlan") for _ in range(3)]
        for callback in lists:
            client.conn.action("ShowDialPlan", callback)
        client.until(lambda: client.disconnects, timeout + 1, "the silence being noticed")
        assert client.reactor.time() - frozen < timeout + 0.5
        assert isinstance(client.conn.error, SilenceTimeout)
        assert all(isinstance(callback.result.error, SilenceTimeout) for callback in lists)
        # The port takes connections, but nobody speaks.
        assert isinstance(client.login().error, SilenceTimeout)
        server.thaw()
        assert client.answer(client.connect().ping)["ping"] == "pong"


def test_a_quiet_server_is_kept_by_pings(asterisk: AsteriskServer) -> None:
    with Client(asterisk, timeout=0.5, events="off") as client:
        conn = client.conn
        until = client.reactor.time() + 1.2
        client.until(lambda: client.reactor.time() >= until)
        assert conn.connected
        assert client.disconnects == []
