"""The servers themselves, over plain sockets: what the other live tests stand on."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
from servers import AsteriskServer, ServerError

_BANNERS = {"16": b"Asterisk Call Manager/5.0.", "22": b"Asterisk Call Manager/11.0."}


def _connect(server: AsteriskServer) -> socket.socket:
    return socket.create_connection((server.host, server.port), 10)


def _login(link: socket.socket, server: AsteriskServer) -> bytes:
    words = f"Action: Login\r\nUsername: {server.username}\r\nSecret: {server.secret}\r\n"
    link.sendall(f"{words}Events: off\r\n\r\n".encode())
    return _read_until(link, b"\r\n\r\n")


def _read_until(link: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        piece = link.recv(4096)
        assert piece, f"closed after {data!r}"
        data += piece
    return data


def test_announces_the_version_and_accepts_the_login(asterisk: AsteriskServer) -> None:
    with _connect(asterisk) as link:
        answer = _login(link, asterisk)
    assert answer.startswith(_BANNERS[asterisk.version])
    assert b"Message: Authentication accepted" in answer


def test_certificate_holds_for_name_and_address(asterisk: AsteriskServer) -> None:
    context = ssl.create_default_context(cafile=str(asterisk.ca_file))
    for name in ("localhost", "127.0.0.1"):
        inner = socket.create_connection((asterisk.host, asterisk.tls_port), 10)
        with inner, context.wrap_socket(inner, server_hostname=name) as link:
            assert b"Authentication accepted" in _login(link, asterisk)


def test_command_line_answers(asterisk: AsteriskServer) -> None:
    assert asterisk.cli("core show version").startswith(f"Asterisk {asterisk.version}.")
    assert "Alice Agent" in asterisk.cli("queue show support")


@pytest.mark.parametrize("version", ["16", "22"])
def test_own_instance_lives_and_dies_as_told(version: str) -> None:
    with AsteriskServer(version) as server:
        port = server.port
        with _connect(server) as link:
            _login(link, server)
            server.kill()
            # What it still had to say, then the end.
            while link.recv(4096):
                pass
        assert server.pid is None
        with pytest.raises(ServerError, match="does not run"):
            server.freeze()
        server.start()
        server.restart()
        assert server.port == port
        with _connect(server) as link:
            _login(link, server)
            server.freeze()
            link.sendall(b"Action: Ping\r\n\r\n")
            link.settimeout(0.2)
            with pytest.raises(socket.timeout):
                link.recv(4096)
            server.thaw()
            link.settimeout(10)
            assert b"Ping: Pong" in _read_until(link, b"\r\n\r\n")
        pid = server.pid
        # Frozen servers are no trouble to stop.
        server.freeze()
    assert not Path(f"/proc/{pid}").exists()


def test_two_of_a_version_run_side_by_side(asterisk22: AsteriskServer) -> None:
    with AsteriskServer("22") as other:
        assert other.port != asterisk22.port
        for server in (asterisk22, other):
            with _connect(server) as link:
                assert b"Authentication accepted" in _login(link, server)


def test_port_is_unknown_before_the_start() -> None:
    with pytest.raises(ServerError, match="before it is started"):
        AsteriskServer("22").port  # noqa: B018
