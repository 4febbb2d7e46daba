"""Logins: both kinds, refused ones, TLS, many at once."""

from __future__ import annotations

import ssl

import pytest
from driver import Client, with_credentials
from servers import AsteriskServer

from ami_client import Connection, ConnectionFinished, ConnectionLost, LoginRefused, LoginTimeout, TLSFailed

UNICODE_USER = ("j%C3%BCrgen", "s%40p%3A%C3%A4%2F%C3%9F%231")


@pytest.mark.parametrize("authtype", ["md5", "plain"])
def test_logs_in(asterisk: AsteriskServer, authtype: str) -> None:
    with Client(asterisk, authtype=authtype) as client:
        version = {"16": "5.0.", "22": "11.0."}[asterisk.version]
        assert str(client.conn.ami_version).startswith(version)
        assert client.conn.username == "bench"
        client.until_event("FullyBooted")
        assert client.ask("Ping")["ping"] == "pong"


@pytest.mark.parametrize("authtype", ["md5", "plain"])
def test_logs_in_with_a_name_and_a_secret_beyond_ascii(asterisk: AsteriskServer, authtype: str) -> None:
    url = with_credentials(asterisk, *UNICODE_USER)
    with Client(asterisk, url, authtype=authtype) as client:
        assert client.conn.username == "jürgen"
        assert client.ask("Ping")["ping"] == "pong"


@pytest.mark.parametrize("authtype", ["md5", "plain"])
def test_a_refusal_says_why(asterisk: AsteriskServer, authtype: str) -> None:
    """Wrong secret, wrong user, right secret from the wrong address: all at once, each takes a second."""
    users = [("bench", "wr0ng"), ("nobody", "secret"), ("denied", "denied"), (UNICODE_USER[0], "wr0ng")]
    urls = [with_credentials(asterisk, *user) for user in users]
    with Client(asterisk, authtype=authtype) as client:
        outcomes = {url: client.once(url) for url in urls}
        for url, outcome in outcomes.items():
            client.pool.get_connection(url, outcome)
        client.until_called(*outcomes.values())
        for url, outcome in outcomes.items():
            conn, packet = outcome.calls[0]
            assert conn.url == url
            assert conn.finished
            assert isinstance(conn.error, LoginRefused)
            assert packet.error is conn.error
            assert "Authentication failed" in str(conn.error)
            assert "wr0ng" not in f"{conn!r} {conn} {conn.error} {packet}"
        assert len(client.disconnects) == len(set(client.disconnects)) == len(urls)


def test_a_second_login_of_a_user_who_may_have_one(asterisk: AsteriskServer) -> None:
    with Client(asterisk, with_credentials(asterisk, "single", "single")) as client:
        first = client.connect()
        first.acquire()
        second = client.login()
        assert isinstance(second.error, LoginRefused)
        assert "Login Already In Use" in str(second.error)
        assert first.connected


def test_rights_of_the_user_count(asterisk: AsteriskServer) -> None:
    with Client(asterisk, with_credentials(asterisk, "readonly", "readonly")) as client:
        packet = client.action("Originate", {"Channel": "Local/101@default"})
        assert str(packet.error) == "Permission denied"
        assert len(client.channels()) == 0


def test_events_off_at_login(asterisk: AsteriskServer) -> None:
    with Client(asterisk) as listening, Client(asterisk, events="off") as deaf:
        assert listening.conn.connected
        deaf.ask("UserEvent", {"UserEvent": "Heard"})
        listening.until_event("UserEvent", UserEvent="Heard")
        deaf.ask("Ping")
        assert deaf.events == []


def test_tls_with_the_right_authority(asterisk: AsteriskServer) -> None:
    context = ssl.create_default_context(cafile=str(asterisk.ca_file))
    with Client(asterisk, asterisk.tls_url, ssl=context) as client:
        assert client.ask("Ping")["ping"] == "pong"
        # Longer than a TLS record.
        packet = client.ask("GetConfig", {"Filename": "extensions.conf"})
        assert packet["category-000000"] == "general"
        assert client.ask("ShowDialPlan").events


def test_tls_without_the_authority_is_refused(asterisk: AsteriskServer) -> None:
    with Client(asterisk, asterisk.tls_url) as client:
        conn = client.login()
        assert isinstance(conn.error, TLSFailed)
        assert isinstance(conn.error.cause, ssl.SSLCertVerificationError)
        assert conn.error.port == asterisk.tls_port


def test_tls_on_the_plain_port(asterisk: AsteriskServer) -> None:
    context = ssl.create_default_context(cafile=str(asterisk.ca_file))
    url = asterisk.url.replace("tcp:", "tls:")
    with Client(asterisk, url, ssl=context) as client:
        assert isinstance(client.login().error, TLSFailed)


def test_no_tls_on_the_tls_port(asterisk: AsteriskServer) -> None:
    url = asterisk.tls_url.replace("tls:", "tcp:")
    # The server waits for a handshake, we for a banner.
    with Client(asterisk, url, login_timeout=0.3) as client:
        assert isinstance(client.login().error, (LoginTimeout, ConnectionLost))


def test_a_hundred_connections_at_once(asterisk: AsteriskServer) -> None:
    conns: list[Connection] = []
    with Client(asterisk, events="off", maxconnperserv=100) as client:

        def logged_in(conn: Connection) -> None:
            conn.acquire()
            conns.append(conn)

        for _ in range(100):
            client.pool.get_connection(client.url, logged_in)
        client.until(lambda: len(conns) == 100, what="100 logins")
        assert [conn.error for conn in conns if not conn.connected] == []
        assert len(set(conns)) == 100
        pongs = [client.once("Ping") for _ in conns]
        for conn, pong in zip(conns, pongs):
            conn.ping(pong)
        client.until_called(*pongs)
        for conn, pong in zip(conns, pongs):
            assert pong.calls[0][0] is conn
            assert pong.result["ping"] == "pong"


def test_logoff(asterisk: AsteriskServer) -> None:
    with Client(asterisk) as client:
        goodbye = client.answer(client.conn.logoff)
        assert goodbye["response"] == "goodbye"
        client.until(lambda: client.disconnects)
        assert client.disconnects == [client.conn]
        assert isinstance(client.conn.error, ConnectionFinished)


def test_on_connected_before_and_after_the_login(asterisk: AsteriskServer) -> None:
    with Client(asterisk) as client:
        early, late = client.once("early"), client.once("late")
        bound: list[Connection] = []
        connected: list[Connection] = []

        def before_connect(conn: Connection) -> None:
            bound.append(conn)
            conn.on_connected(early)
            conn.on("connected", connected.append)

        client.pool.get_connection(client.url, before_connect=before_connect)
        client.until_called(early)
        assert early.result["message"] == "authentication accepted"
        client.until(lambda: connected)
        assert connected == bound
        bound[0].on_connected(late)
        assert late.result is early.result
