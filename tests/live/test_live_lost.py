"""What ``disconnect`` finds of a connection: lost or ended, and whether the pool tries again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from driver import Client
from servers import AsteriskServer

from ami_client import Connection


def watched(server: AsteriskServer, **options: Any) -> tuple[Client, list[tuple[bool, bool]]]:
    """A client, and what ``disconnect`` finds."""
    client = Client(server, **options)
    told: list[tuple[bool, bool]] = []
    client.pool.on("disconnect", lambda conn: told.append((conn.lost, conn.reconnecting)))
    return client, told


@pytest.mark.parametrize("reconnect", [None, 0.1])
def test_the_server_is_killed(
    own_asterisk: AsteriskServer, reconnect: float | None, expect_log: Callable[[str], None]
) -> None:
    if reconnect:
        expect_log("WARNING: .*connecting again")
    client, told = watched(own_asterisk, reconnect=reconnect)
    with client:
        assert client.conn.connected
        own_asterisk.kill()
        client.until(lambda: told)
        assert told == [(True, reconnect is not None)]


@pytest.mark.parametrize("end", ["finish", "close", "graceful_shutdown", "logoff"])
def test_it_was_asked_for(asterisk: AsteriskServer, end: str) -> None:
    client, told = watched(asterisk, reconnect=0.1)
    with client:
        getattr(client.conn, end)()
        client.until(lambda: told)
        assert told == [(False, False)]


def test_the_login_is_refused(asterisk: AsteriskServer, expect_log: Callable[[str], None]) -> None:
    expect_log("ERROR: .*it is not opened again")
    client, told = watched(asterisk, reconnect=0.1)
    with client:
        conn: Connection = client.login(asterisk.url.replace("secret", "wrong"))
        client.until(lambda: told)
        assert told == [(True, False)] and conn.lost
