"""The embedded server seen by raw sockets: logins, events, lost connections."""

from __future__ import annotations

import gc
import hashlib
import socket
import ssl
import time
from functools import partial
from pathlib import Path

import pytest
from raw_client import AnyLoop, Client, NewClient, ServerFactory

from ami_client.testing import FakeAsterisk

CERTIFICATE = Path(__file__).with_name("localhost.pem")


# Login


def test_the_banner_and_a_plain_login(server: FakeAsterisk, new_client: NewClient) -> None:
    client = new_client(server)
    client.send("Action: Login\nUsername: ADMIN\nSecret: secret\nActionID: a")
    client.until(lambda: client.events("FullyBooted"))
    assert client.data == (
        b"Asterisk Call Manager/11.0.0\r\n"
        b"Response: Success\r\nActionID: a\r\nMessage: Authentication accepted\r\n\r\n"
        b"Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: 0\r\nLastReload: 0\r\n"
        b"Status: Fully Booted\r\n\r\n"
    )
    assert client.ask("Action: Login\nSecret: wrong\nActionID: b") == [
        [("Response", "Success"), ("ActionID", "b"), ("Message", "Already authenticated")]
    ]


def test_a_port_that_is_taken_leaves_nothing_open(server: FakeAsterisk, loop: AnyLoop) -> None:
    second = FakeAsterisk(loop, port=server.port)
    with pytest.raises(OSError):
        second.start()
    gc.collect()  # a socket that was left open is a warning, and so a failure


@pytest.mark.parametrize("good", [True, False])
def test_md5_login(server: FakeAsterisk, new_client: NewClient, good: bool) -> None:
    client = new_client(server)
    client.send("Action: Challenge\nAuthType: md5\n\nAction: Challenge\nAuthType: MD5")
    client.until(lambda: len(client.packets) == 2)
    first, second = client.packets
    assert first == second
    challenge = dict(first)["Challenge"]
    assert challenge.isdigit()
    key = hashlib.md5(f"{challenge}secret".encode()).hexdigest()
    key = key if good else key.upper()
    client.send(f"Action: Login\nAuthType: MD5\nUsername: admin\nKey: {key}\nEvents: off")
    client.until(lambda: len(client.packets) == 3)
    message = "Authentication accepted" if good else "Authentication failed"
    assert dict(client.packets[2])["Message"] == message


@pytest.mark.parametrize(
    "login",
    [
        "Username: admin\nSecret: wrong",
        "Username: admin\nSecret: secret ",
        "Username: other\nSecret: secret",
        "Username: admin",
        "",
        "AuthType: MD5\nUsername: admin\nKey: 0123456789abcdef0123456789abcdef",
    ],
)
def test_a_refused_login_is_answered_and_disconnected(server: FakeAsterisk, new_client: NewClient, login: str) -> None:
    client = new_client(server)
    client.send(f"Action: Login\n{login}\nActionID: a".replace("\n\n", "\n") + "\n\nAction: Ping")
    client.until(lambda: client.ended)
    assert client.packets == [[("Response", "Error"), ("ActionID", "a"), ("Message", "Authentication failed")]]
    assert server.clients == 0


def test_md5_needs_a_challenge_that_was_asked_for(
    server: FakeAsterisk, new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.randrange", lambda *_: 123456789)
    key = hashlib.md5(b"123456789secret").hexdigest()
    client = new_client(server)
    client.send(f"Action: Login\nAuthType: MD5\nUsername: admin\nKey: {key}")
    client.until(lambda: client.ended)
    assert b"Authentication failed" in client.data


def test_a_refusal_can_take_its_time(new_server: ServerFactory, new_client: NewClient) -> None:
    server = new_server(auth_delay=0.05)
    client, start = new_client(server), time.monotonic()
    client.send("Action: Login\nUsername: admin\nSecret: no")
    client.until(lambda: client.ended)
    assert time.monotonic() - start >= 0.05
    assert b"Authentication failed" in client.data


def test_logins_can_be_refused_for_a_while(server: FakeAsterisk, new_client: NewClient) -> None:
    server.refuse_logins("Login Already In Use")
    refused = new_client(server)
    refused.send("Action: Login\nUsername: admin\nSecret: secret")
    refused.until(lambda: refused.ended)
    assert b"Message: Login Already In Use" in refused.data
    server.accept_logins()
    new_client(server).login()


def test_before_login(server: FakeAsterisk, new_client: NewClient) -> None:
    client = new_client(server)
    client.send("Action: Ping\nActionID: 1\n\nAction: Nonsense\n\n\nX: y\nActionID: 2")
    client.send("Action: Challenge\n\nAction: Logoff\nActionID: 3")
    client.until(lambda: client.ended)
    assert [dict(packet) for packet in client.packets] == [
        {"Response": "Error", "ActionID": "1", "Message": "Permission denied"},
        {"Response": "Error", "Message": "Permission denied"},
        {"Response": "Error", "Message": "Missing action in request"},
        {"Response": "Error", "ActionID": "2", "Message": "Missing action in request"},
        {"Response": "Error", "Message": "Must specify AuthType"},
        {"Response": "Goodbye", "ActionID": "3", "Message": "Thanks for all the fish."},
    ]


def test_fully_booted_is_for_those_who_want_system_events(new_server: ServerFactory, new_client: NewClient) -> None:
    for options, events in (({}, "call"), ({"fully_booted": False}, "on")):
        client = new_client(new_server(**options))
        client.send(f"Action: Login\nUsername: admin\nSecret: secret\nEvents: {events}")
        assert len(client.ask("Action: Ping\nActionID: 1")) == 2


# Order


def test_a_thousand_requests_in_one_write_are_answered_in_order(client: Client) -> None:
    client.send("\n\n".join(f"Action: Ping\nActionID: {number}" for number in range(1000)))
    client.until(lambda: len(client.packets) == 1000)
    assert [dict(packet)["ActionID"] for packet in client.packets] == list(map(str, range(1000)))


def test_half_closing_still_gets_the_answers(client: Client) -> None:
    client.send("Action: Ping\nActionID: 1\n\nAction: Ping\nActionID: 2")
    client.sock.sendall(b"Action: Ping\r\nActionID: never ended\r\n")
    client.sock.shutdown(socket.SHUT_WR)
    client.until(lambda: client.ended)
    assert [dict(packet)["ActionID"] for packet in client.packets] == ["1", "2"]


def test_behind_logoff_nothing_is_answered(client: Client) -> None:
    client.send("Action: Logoff\nActionID: 1\n\nAction: Ping\nActionID: 2")
    client.until(lambda: client.ended)
    assert [packet[0] for packet in client.packets] == [("Response", "Goodbye")]


# Events


@pytest.mark.parametrize(
    ("mask", "sees", "word"),
    [
        ("on", True, "On"),
        ("off", False, "Off"),
        ("user", True, "On"),
        ("call", False, "On"),
        ("system,user", True, "On"),
        ("bogus,user", True, "On"),
        ("system, user", False, "On"),
        ("64", True, "On"),
        ("1", False, "On"),
        ("0", False, "Off"),
        ("bogus", False, "Off"),
        ("User", False, "Off"),
        ("all", True, "On"),
    ],
)
def test_the_event_mask(client: Client, mask: str, sees: bool, word: str) -> None:
    (answer,) = client.ask(f"Action: Events\nEventMask: {mask}")
    assert answer == [("Response", "Success"), ("Events", word)]
    client.ask("Action: UserEvent\nUserEvent: Foo")
    assert bool(client.events("UserEvent")) is sees


def test_an_empty_event_mask_is_an_error(client: Client) -> None:
    (answer,) = client.ask("Action: Events")
    assert ("Message", "Invalid event mask") in answer


@pytest.mark.parametrize(("mask", "sees"), [("call", 0), ("call,agent", 1), ("on", 1)])
def test_an_event_of_two_classes_is_for_those_who_want_both(
    server: FakeAsterisk, new_client: NewClient, mask: str, sees: int
) -> None:
    new_client(server).login(mask)
    assert server.push({"Event": "Both", "Privilege": "agent,call,all"}) == sees


def test_a_user_event_repeats_what_was_sent_to_everybody(
    server: FakeAsterisk, client: Client, new_client: NewClient
) -> None:
    other = new_client(server)
    other.login("user")
    client.send("Action: UserEvent\nUserEvent: Foo\nKey: CaSe\nDup: 1\nDup: 2\nActionID: u")
    other.until(lambda: other.events("UserEvent"))
    assert other.packets == [
        [
            ("Event", "UserEvent"),
            ("Privilege", "user,all"),
            ("UserEvent", "Foo"),
            ("Key", "CaSe"),
            ("Dup", "1"),
            ("Dup", "2"),
            ("ActionID", "u"),
        ]
    ]
    client.until(lambda: len(client.packets) == 2)
    assert client.packets[0][0] == ("Response", "Success")  # the answer first, then the event


def test_pushing_events(server: FakeAsterisk, client: Client, new_client: NewClient) -> None:
    stranger, off = new_client(server), new_client(server)
    off.login("off")
    assert server.push({"Event": "Alarm", "Privilege": "system,all", "N": 1, "No": None}) == 1
    assert server.push([("Event", "Pairs"), ("A", "1"), ("B", "2"), ("A", "3")]) == 2
    assert server.push(b"Event: Raw\r\n\r\n") == 2
    assert server.push("Event: Text\r\nVal: \udce9\r\n\r\n") == 2
    off.until(lambda: off.events("Text"))
    client.until(lambda: client.events("Text"))
    assert [packet[0][1] for packet in off.packets] == ["Pairs", "Raw", "Text"]
    assert client.packets[0] == [("Event", "Alarm"), ("Privilege", "system,all"), ("N", "1")]
    assert client.packets[1] == [("Event", "Pairs"), ("A", "1"), ("B", "2"), ("A", "3")]
    assert client.data.endswith(b"Val: \xe9\r\n\r\n")
    assert stranger.packets == []


def test_wait_event_ends_with_an_event_or_by_itself(server: FakeAsterisk, client: Client) -> None:
    client.send("Action: WaitEvent\nTimeout: 5\nActionID: w\n\nAction: Ping\nActionID: p")
    client.until(lambda: len(server.received) >= 3)
    assert client.packets == []  # the Ping waits too
    server.push({"Event": "Wake"})
    client.until(lambda: len(client.packets) == 4)
    assert [packet[0][1] for packet in client.packets] == [
        "Success",
        "Wake",
        "WaitEventComplete",
        "Success",
    ]
    packets = client.ask("Action: WaitEvent\nTimeout: 0\nActionID: w2")
    assert [packet[0][1] for packet in packets] == ["Success", "WaitEventComplete"]


# Losing connections


@pytest.mark.parametrize("reset", [False, True])
def test_dropping_in_the_middle_of_a_message(
    server: FakeAsterisk, client: Client, new_client: NewClient, reset: bool
) -> None:
    other = new_client(server)
    client.until(lambda: server.clients == 2)
    server.drop(after="Event: Hang", reset=reset)
    for one in (client, other):
        one.until(partial(getattr, one, "ended"))
        assert one.data == b"Asterisk Call Manager/11.0.0\r\nEvent: Hang"
        assert one.ended == ("reset" if reset else "closed")
    assert server.clients == 0


def test_a_muted_server_answers_later(server: FakeAsterisk, client: Client, new_client: NewClient) -> None:
    server.mute()
    server.push({"Event": "Held"})
    client.send("Action: Ping\nActionID: 1")
    stranger = new_client(server)
    client.until(lambda: server.received_actions == ["Login", "Ping"] and server.clients == 2)
    assert client.packets == []
    assert stranger.data == b""
    server.unmute()
    client.until(lambda: len(client.packets) == 2)
    stranger.until(lambda: stranger.data)
    assert stranger.banner == b"Asterisk Call Manager/11.0.0"


def test_what_a_muted_server_holds_is_lost_when_it_drops(server: FakeAsterisk, client: Client) -> None:
    server.mute()
    client.send("Action: Ping")
    client.until(lambda: len(server.received) == 2)
    server.drop()
    client.until(lambda: client.ended)
    assert client.packets == []


def test_a_server_can_go_and_come_back_on_its_port(server: FakeAsterisk, client: Client, new_client: NewClient) -> None:
    port = server.port
    with pytest.raises(RuntimeError, match="already listening"):
        server.start()
    server.close()
    client.until(lambda: client.ended)
    with pytest.raises(ConnectionRefusedError):
        new_client(server)
    server.start()
    assert server.port == port
    new_client(server).login()
    server.close()
    server.close()


def test_a_client_that_does_not_read_does_not_outlive_the_server(
    loop: AnyLoop, server: FakeAsterisk, client: Client
) -> None:
    loop.remove_reader(client.sock.fileno())
    server.push({"Event": "Big", "Data": "x" * 20_000_000})
    assert server.clients == 1
    server.close()
    assert server.clients == 0


def test_a_client_that_leaves_is_forgotten(server: FakeAsterisk, client: Client) -> None:
    assert server.clients == 1
    client.sock.shutdown(socket.SHUT_RDWR)
    client.until(lambda: server.clients == 0)


# Addresses


def test_urls(loop: AnyLoop, tmp_path: Path) -> None:
    server = FakeAsterisk(loop, username="a b", secret="p@s:/s")
    assert server.url == "tcp://a%20b:p%40s%3A%2Fs@127.0.0.1:0"
    server = FakeAsterisk(loop, host="::1", port=5038)
    assert server.url == "tcp://admin:secret@[::1]:5038"
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert FakeAsterisk(loop, tls=tls).url.startswith("tls://admin:secret@127.0.0.1:")
    server = FakeAsterisk(loop, unix_path="/run/x")
    assert server.url == "unix://admin:secret@/run/x"


def test_a_unix_socket(new_server: ServerFactory, new_client: NewClient, tmp_path: Path) -> None:
    path = tmp_path / "manager"
    server = new_server(unix_path=str(path), version="5.0.5")
    client = new_client(server)
    client.login()
    assert client.banner == b"Asterisk Call Manager/5.0.5"
    server.close()
    assert not path.exists()


def test_tls(new_server: ServerFactory, new_client: NewClient) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    client = new_client(new_server(tls=context))
    client.start_tls(CERTIFICATE)
    client.until(lambda: client.banner)
    client.login()
    # More than fits into a TLS record or a socket's buffer, both ways.
    client.send("Action: UserEvent\nUserEvent: Big\n" + "\n".join(["X: " + "x" * 1000] * 100))
    assert len(client.event("UserEvent")["X"]) == 1000
    client.send("Action: Logoff")
    client.until(lambda: client.ended)
    assert client.ended == "closed"


def test_a_plain_client_on_a_tls_port_is_disconnected(new_server: ServerFactory, new_client: NewClient) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server = new_server(tls=context)
    client = new_client(server)
    client.send("Action: Ping")
    client.until(lambda: client.ended)
    assert b"Asterisk" not in client.data
    assert server.clients == 0
