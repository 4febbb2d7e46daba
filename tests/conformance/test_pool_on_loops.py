"""A pool that stays connected, on every loop alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loops import AnyLoop, run

from ami_client import Connection, Pool
from ami_client.testing import FakeAsterisk


def test_a_lost_connection_comes_again(loop: AnyLoop, expect_log: Callable[[str], None]) -> None:
    expect_log("WARNING: .*connecting again")
    seen: list[str] = []
    pool = Pool(reactor=loop, reconnect=0.01)
    server = FakeAsterisk(loop)

    def logged_in(conn: Connection) -> None:
        seen.append("login")
        if pool.stats.logins == 3:
            pool.finish()
            loop.stop()
        else:
            conn.action("Silence", lambda conn, packet: seen.append(type(packet.error).__name__))
            loop.call_later(0.01, server.drop)

    def reconnecting(url: str, delay: float, attempt: int) -> None:
        seen.append(f"attempt {attempt}")

    pool.on_login(logged_in)
    pool.on("disconnect", lambda conn: seen.append("disconnect"))
    pool.on("reconnecting", reconnecting)
    server.on("Silence", None)
    with server:
        pool.get_connection(server.url)
        run(loop)
    once = ["login", "ConnectionLost", "disconnect", "attempt 1"]
    assert seen == [*once, *once, "login", "disconnect"]


def test_a_server_that_is_down_for_a_while(loop: AnyLoop, expect_log: Callable[[str], None]) -> None:
    expect_log("WARNING: .*connecting again")
    pool = Pool(reactor=loop, reconnect=0.005, reconnect_max=0.01)
    server = FakeAsterisk(loop)
    answers: list[Any] = []
    attempts: list[int] = []

    def got(conn: Connection) -> None:
        server.on("Wait", None)
        conn.action("Wait", answered, retry=True)
        loop.call_later(0.01, server.close)

    def reconnecting(url: str, delay: float, attempt: int) -> None:
        attempts.append(attempt)
        if attempt == 3:
            server.on("Wait", {"Response": "Success", "Message": "At last"})
            server.start()

    def answered(conn: Connection, packet: Any) -> None:
        answers.append((packet["message"], conn.connected))
        pool.finish()
        loop.stop()

    pool.on("reconnecting", reconnecting)
    server.start()
    pool.get_connection(server.url, got)
    run(loop)
    server.close()
    assert answers == [("at last", True)]
    assert attempts == [1, 2, 3]
