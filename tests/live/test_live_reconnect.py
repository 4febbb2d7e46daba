"""Servers that refuse the login for a while, and addresses where nobody answers for a while."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Callable

from daemon import RECONNECTS, Daemon
from driver import Client, Once, with_credentials
from servers import AsteriskServer

from ami_client import ConnectFailed, ConnectionLost, ConnectTimeout, LoginRefused

SECRET = "[bench](common)\nsecret = secret\n"
OTHER_SECRET = "[bench](common)\nsecret = other\n"
CONNECT_TIMEOUT = 0.2  # seconds


def change_secret(server: AsteriskServer, old: str, new: str) -> None:
    server.configure("manager.conf", old, new)
    server.cli("manager reload")


def lose_the_right_to_log_in(daemon: Daemon) -> Once:
    """Change the secret, then cut the session off, which does not care; returns the callback of a retried Ping."""
    change_secret(daemon.server, SECRET, OTHER_SECRET)
    daemon.check()
    again = daemon.once("Ping that is sent again")
    daemon.server.freeze()
    daemon.conn.ping(again, retry=True)
    daemon.server.kill()
    daemon.until_lost()
    daemon.server.launch()
    return again


def refusals(daemon: Daemon) -> int:
    return sum(isinstance(conn.error, LoginRefused) for conn in daemon.disconnects)


def test_refused_for_a_while(own_asterisk: AsteriskServer, expect_log: Callable[[str], None]) -> None:
    expect_log(f"{RECONNECTS}|^WARNING: .*Authentication failed")
    with Daemon(own_asterisk, reconnect_refused=True) as daemon:
        daemon.connect()
        daemon.load()
        lost = daemon.conn
        again = lose_the_right_to_log_in(daemon)
        daemon.until(lambda: refusals(daemon) == 2, what="two refusals")
        own_asterisk.wait_booted()
        change_secret(own_asterisk, OTHER_SECRET, SECRET)
        assert not again.calls
        daemon.until_back(lost)
        daemon.until_called(again)
        assert again.result["ping"] == "pong"
        daemon.settle()


def test_refused_for_good(own_asterisk: AsteriskServer, expect_log: Callable[[str], None]) -> None:
    expect_log(RECONNECTS)
    expect_log("^ERROR: .*Authentication failed")
    with Daemon(own_asterisk) as daemon:
        lost = daemon.connect()
        again = lose_the_right_to_log_in(daemon)
        daemon.until(lambda: refusals(daemon), what="the refusal")
        # Nothing is coming that it could be sent on.
        daemon.until_called(again)
        assert again.result.error is not None
        attempts = len(daemon.attempts)
        assert daemon.is_idle(), "it goes on"
        assert len(daemon.attempts) == attempts
        # Whoever asks for a connection may try.
        assert isinstance(daemon.login().error, LoginRefused)
        assert daemon.is_idle(), "it goes on"
        own_asterisk.wait_booted()
        change_secret(own_asterisk, OTHER_SECRET, SECRET)
        assert daemon.connect() is not lost
        daemon.check()
        daemon.settle()


def test_a_user_who_may_log_in_once_and_has(own_asterisk: AsteriskServer, expect_log: Callable[[str], None]) -> None:
    """So it is after a loss that the server has not noticed: this refusal ends by itself."""
    expect_log(f"{RECONNECTS}|^WARNING: .*Already In Use")
    url = with_credentials(own_asterisk, "single", "single")
    with Daemon(own_asterisk, url) as daemon:
        with Client(own_asterisk, url) as other:
            other.connect()
            assert isinstance(daemon.login().error, LoginRefused)
            daemon.until(lambda: refusals(daemon) == 2, what="another refusal")
        daemon.until(lambda: daemon.logins, what="the login")
        daemon.check()
        daemon.settle()


@contextmanager
def listener_that_never_answers(address: tuple[str, int]) -> Iterator[None]:
    """Take an address and let nobody in: the queue of the socket is full, and the kernel drops what comes."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(0)
        for _ in range(2):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        yield


def test_an_address_that_never_answers(own_asterisk: AsteriskServer, expect_log: Callable[[str], None]) -> None:
    expect_log(RECONNECTS)
    with Daemon(own_asterisk, connect_timeout=CONNECT_TIMEOUT) as daemon:
        daemon.connect()
        daemon.load()
        own_asterisk.kill()
        with listener_that_never_answers((own_asterisk.host, own_asterisk.port)):
            lost = daemon.until_lost()
            assert isinstance(lost.error, ConnectionLost)
            asked = daemon.reactor.time()
            conn = daemon.login()
            took = daemon.reactor.time() - asked
            assert isinstance(conn.error, ConnectTimeout)
            assert took < 2 * CONNECT_TIMEOUT + 0.5
            attempts = len(daemon.attempts)
            daemon.until(lambda: len(daemon.attempts) > attempts + 1, what="more attempts")
        # Then nobody is there.
        daemon.until(lambda: any(is_refused(conn.error) for conn in daemon.disconnects), what="a refused connection")
        own_asterisk.launch()
        daemon.until_back(lost)
        daemon.settle()


def is_refused(error: object) -> bool:
    return isinstance(error, ConnectFailed) and isinstance(error.cause, ConnectionRefusedError)


def test_asking_again_and_again_while_nobody_answers(
    own_asterisk: AsteriskServer, expect_log: Callable[[str], None]
) -> None:
    """Each of them is told; one connection was lost, and one comes back."""
    expect_log(RECONNECTS)
    with Daemon(own_asterisk, connect_timeout=CONNECT_TIMEOUT) as daemon:
        lost = daemon.connect()
        own_asterisk.kill()
        with listener_that_never_answers((own_asterisk.host, own_asterisk.port)):
            daemon.until_lost()
            asked = [daemon.once(f"get_connection {number}") for number in range(10)]
            for callback in asked:
                daemon.pool.get_connection(daemon.url, callback)
            daemon.until_called(*asked)
            assert daemon.pool.stats.connections <= 1
        own_asterisk.launch()
        daemon.until_back(lost)
        daemon.settle()  # insists on one connection
