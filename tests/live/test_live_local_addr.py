"""The local address of a connection, as the server sees it."""

from __future__ import annotations

from ssl import create_default_context

import pytest
from driver import Client
from servers import AsteriskServer

from ami_client import ConnectFailed, LoginRefused


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_the_server_lets_in_this_address_alone(asterisk: AsteriskServer, scheme: str) -> None:
    port = asterisk.tls_port if scheme == "tls" else asterisk.port
    url = f"{scheme}://nearby:nearby@{asterisk.host}:{port}"
    ssl = create_default_context(cafile=str(asterisk.ca_file)) if scheme == "tls" else False
    with Client(asterisk, url, ssl=ssl) as client:
        assert isinstance(client.login().error, LoginRefused)
        assert client.login(url + "#local_addr=127.0.0.3").connected
        shown = asterisk.cli("manager show connected")
        assert "127.0.0.3" in shown and "127.0.0.2" not in shown
    with Client(asterisk, url, ssl=ssl, local_addr="127.0.0.2") as client:
        assert client.conn.connected
        assert "127.0.0.2" in asterisk.cli("manager show connected")


def test_an_address_of_another_machine(asterisk: AsteriskServer) -> None:
    with Client(asterisk, local_addr="192.0.2.99") as client:
        error = client.login().error
        assert isinstance(error, ConnectFailed) and "local_addr 192.0.2.99" in str(error)
