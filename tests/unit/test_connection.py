"""Connection: its life from the login to the end, and the promise that each callback fires once."""

from __future__ import annotations

import hashlib
import logging
from typing import Any, Callable

import pytest
from fake_network import SECRET, URL, Calls, Life, Network
from server_texts import BANNER, CHALLENGE, REFUSAL, WELCOME

from ami_client._engine.state import State
from ami_client.errors import (
    AMIError,
    ConnectFailed,
    ConnectionFinished,
    ConnectionLost,
    ConnectTimeout,
    LoginRefused,
    LoginTimeout,
    ProtocolError,
    SilenceTimeout,
)

pytestmark = pytest.mark.usefixtures("either_way")

ExpectLog = Callable[[str], None]


# The login


def test_the_plain_login(network: Network) -> None:
    life = Life(network)
    network.pump()
    sock = network.sockets[0]
    assert (sock.sent, life.conn.state) == (b"", State.BANNER)
    network.say(BANNER)
    login = f"Action: login\r\nUsername: joe\r\nSecret: {SECRET}\r\nEvents: on\r\n\r\n"
    assert (sock.take(), life.log) == (login.encode(), [])
    network.say(WELCOME)
    assert life.log == ["callback True", "connected"]
    assert life.packet["message"] == "authentication accepted"
    assert life.conn.error is None


@pytest.mark.parametrize("size", [None, 1, 5])
def test_the_md5_login_however_it_is_cut(network: Network, size: int | None) -> None:
    life = Life(network, authtype="MD5", events="call,user")
    network.pump()
    sock = network.sockets[0]
    sock.read_size = size
    network.say(BANNER)
    assert sock.take() == b"Action: Challenge\r\nAuthType: MD5\r\n\r\n"
    network.say(CHALLENGE)
    key = hashlib.md5(f"123456789{SECRET}".encode()).hexdigest()
    login = f"Action: Login\r\nAuthType: MD5\r\nUsername: joe\r\nKey: {key}\r\nEvents: call,user\r\n\r\n"
    assert sock.take() == login.encode()
    network.say(WELCOME)
    assert life.log == ["callback True", "connected"]


def test_credentials_of_the_pool_serve_urls_without(network: Network) -> None:
    Life(network, "192.0.2.1", username="ann", secret="x y", events=False)
    network.pump()
    network.say(BANNER)
    assert network.sockets[0].sent == b"Action: login\r\nUsername: ann\r\nSecret: x y\r\nEvents: off\r\n\r\n"


@pytest.mark.parametrize(
    ("authtype", "answers", "error"),
    [
        ("plain", [REFUSAL], LoginRefused),
        ("md5", [CHALLENGE, REFUSAL], LoginRefused),
        ("md5", [REFUSAL], LoginRefused),
        ("md5", [b"Response: Success\r\n\r\n"], ProtocolError),
    ],
)
def test_a_refused_login(network: Network, authtype: str, answers: list[bytes], error: type[AMIError]) -> None:
    life = Life(network, authtype=authtype)
    network.pump()
    for data in [BANNER, *answers]:
        network.say(data)
    assert life.log == ["callback False", "disconnect"]
    assert type(life.conn.error) is error and life.packet.error is life.conn.error
    assert (life.conn.finished, network.sockets[0].closed) == (True, True)


def failures() -> dict[str, tuple[Callable[[Network, Life], object], type[AMIError]]]:
    def refuse(network: Network, life: Life) -> None:
        network.sockets[0].refuse()

    def lose(network: Network, life: Life) -> None:
        network.pump()
        network.sockets[0].eof()

    def say_nothing(network: Network, life: Life) -> None:
        network.wait(5)

    return {
        "refused": (refuse, ConnectFailed),
        "closed before the banner": (lose, ConnectionLost),
        "silent": (say_nothing, LoginTimeout),
        "finished": (lambda network, life: life.conn.finish(), ConnectionFinished),
        "closed": (lambda network, life: life.conn.close(), ConnectionFinished),
    }


@pytest.mark.parametrize("kind", failures())
def test_every_failure_before_the_login_tells_everybody_once(network: Network, kind: str) -> None:
    fail, error = failures()[kind]
    network.prepare().hold() if kind == "refused" else None
    life = Life(network, login_timeout=5)
    calls, lists, waiting = Calls(), Calls(), Calls()
    life.conn.ping(calls)
    life.conn.status(lists)
    life.conn.on_connected(waiting)
    network.reactor.run_once(0)
    fail(network, life)
    network.wait(100)
    assert life.log == ["callback False", "disconnect"]
    assert type(life.conn.error) is error
    (one,), ((other,),), (third,) = calls, lists, waiting
    assert {type(packet.error) for packet in (one, other, third)} == {error}
    assert network.sockets[0].closed


def test_the_time_to_connect_ends_it(network: Network) -> None:
    network.prepare().hold()
    life = Life(network, connect_timeout=2)
    network.wait(3)
    assert type(life.conn.error) is ConnectTimeout
    assert life.log == ["callback False", "disconnect"]


def test_silence_of_timeout_ends_a_login(network: Network) -> None:
    life = Life(network, URL + "#timeout=1", login_timeout=None)
    network.wait(2)
    assert type(life.conn.error) is SilenceTimeout


# What it knows of itself


def test_attributes(network: Network) -> None:
    life = Life(network, "tcp://joe:x@[2001:db8::1]", port=99)
    conn = life.conn
    assert (conn.addr, conn.ami_version, conn.last_received) == ("", None, None)
    assert (conn.host, conn.port, conn.username) == ("2001:db8::1", 99, "joe")
    assert (conn.connected, conn.finished, conn.is_busy()) == (False, False, False)
    network.answer_login()
    assert (conn.addr, conn.ami_version) == ("[2001:db8::1]:99", "5.0.4")
    assert (conn.connected, conn.is_connected(), conn.is_finished()) == (True, True, False)
    network.clock.advance(3)
    network.say(b"Event: X\r\n\r\n")
    assert conn.last_received == network.clock.now
    conn.finish()
    assert (conn.connected, conn.finished, conn.is_finished()) == (False, True, True)
    assert conn.addr == "[2001:db8::1]:99"


def test_a_strange_banner_is_kept_whole(network: Network) -> None:
    life = Life(network)
    network.pump()
    network.say(b"Something Else/1\r\n")
    assert life.conn.ami_version == "Something Else/1"


def test_on_connected_in_every_state(network: Network) -> None:
    life = Life(network)
    conn, early, late, later = life.conn, Calls(), Calls(), Calls()
    conn.on_connected(early)
    conn.on_connected(lambda conn: early.append(conn))  # one argument will do
    assert early == []
    network.answer_login()
    assert len(early) == 2 and early[1] is conn
    conn.on_connected(late)
    assert late == [early[0]]  # at once, and the same answer
    network.sockets[0].eof()
    network.pump()
    conn.on_connected(later)
    assert type(later[0].error) is ConnectionLost


def test_on_connected_after_a_refusal_and_inside_its_callbacks(network: Network) -> None:
    life = Life(network)
    inside, after = Calls(), Calls()
    life.conn.on_connected(lambda conn, packet: conn.on_connected(inside))
    network.answer_login(REFUSAL)
    life.conn.on_connected(after)
    assert [type(one.error) for one in (*inside, *after)] == [LoginRefused] * 2


@pytest.mark.parametrize("bad", [None, "x", 7])
def test_on_connected_takes_what_can_be_called(network: Network, bad: Any) -> None:
    with pytest.raises(TypeError):
        Life(network).conn.on_connected(bad)


# Silence


def test_a_ping_at_half_of_timeout_and_the_end_after_all_of_it(network: Network) -> None:
    peer = network.log_in(timeout=10)
    network.wait(4.9)
    assert peer.sock.sent == b""
    network.wait(0.2)
    assert peer.sock.sent.count(b"Action: Ping\r\n") == 1
    network.wait(4.7)
    assert peer.conn.connected and peer.sock.sent.count(b"Ping") == 1
    network.wait(0.2)
    assert type(peer.conn.error) is SilenceTimeout and isinstance(peer.conn.error, TimeoutError)


def test_any_packet_is_a_sign_of_life(network: Network) -> None:
    peer = network.log_in(timeout=10)
    for _ in range(10):
        network.wait(4)
        network.say(b"Event: E\r\n\r\n", peer.sock)
    assert (peer.conn.connected, peer.sock.sent) == (True, b"")


def test_a_quiet_server_that_answers_lives_for_ever(network: Network) -> None:
    peer = network.log_in(timeout=10)
    pings = 0
    for _ in range(100):
        network.wait(1)
        sent = peer.sock.take().decode()
        if sent:
            pings += 1
            peer.answer(sent.split("ActionID: ")[1].strip(), "Response: Success|Ping: Pong")
    assert peer.conn.connected and 15 <= pings <= 20


def test_without_timeout_there_are_no_pings(network: Network) -> None:
    peer = network.log_in(timeout=None)
    network.wait(1e6)
    assert (peer.conn.connected, peer.sock.sent) == (True, b"")


# Events


def test_events_by_name_then_all_and_not_those_of_answers(network: Network) -> None:
    peer = network.log_in()
    log: list[tuple[str, str]] = []
    for name in ("event", "event_newchannel"):
        peer.conn.bind(name, lambda conn, packet, name=name: log.append((name, packet["n"])))
    action_id = peer.conn.status(Calls())
    peer.say("Event: NewChannel|N: 1", "Response: Success|N: 2", "Event: Other|N: 3")
    peer.answer(action_id, "Event: Newchannel|N: 4")
    assert log == [("event_newchannel", "1"), ("event", "1"), ("event", "3")]


def test_a_user_event_cannot_pass_for_another_event(network: Network) -> None:
    peer = network.log_in()
    heard: list[str] = []
    for name in ("event_hangup", "event_userevent"):
        peer.conn.on(name, lambda conn, packet, name=name: heard.append(name))
    peer.say("Event: UserEvent|UserEvent: x|Event: Hangup")
    assert heard == ["event_userevent"]


def test_nothing_is_heard_after_finish_in_a_handler(network: Network) -> None:
    peer = network.log_in()
    log: list[str] = []
    peer.conn.bind("event_one", lambda conn, packet: conn.finish())
    peer.conn.bind("disconnect", lambda conn: log.append("disconnect"))
    peer.conn.on_event(lambda conn, packet: log.append(packet["event"]))
    peer.conn.pool.on("event_one", lambda conn, packet: log.append("late"))  # type: ignore[union-attr]
    peer.say("Event: One", "Event: Two")
    assert log == ["disconnect"]


def test_no_connected_after_disconnect(network: Network) -> None:
    life = Life(network)
    pool_log: list[str] = []
    for name in ("connected", "disconnect"):
        life.conn.pool.on(name, lambda conn, name=name: pool_log.append(name))  # type: ignore[union-attr]
    life.conn.bind("connected", lambda conn: conn.finish())
    network.answer_login()
    assert life.log == ["callback True", "connected", "disconnect"]
    assert pool_log == ["disconnect"]


def test_no_connected_event_if_the_callback_has_finished_it(network: Network) -> None:
    life = Life(network)
    life.conn.on_connected(lambda conn, packet: conn.finish())
    network.answer_login()
    assert life.log == ["callback True", "disconnect"]


def test_an_originate_result_whose_callback_finishes_is_the_last_thing(network: Network) -> None:
    peer = network.log_in()
    events = Calls()
    peer.conn.bind(["event", "event_originateresponse"], events)
    action_id = peer.conn.originate({"Channel": "SIP/1"}, None, on_result=lambda conn, packet: conn.finish())
    peer.answer(action_id, "Event: OriginateResponse|Response: Success")
    assert events == []


# Secrets


@pytest.mark.parametrize("authtype", ["plain", "md5"])
def test_the_secret_is_shown_nowhere(network: Network, authtype: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[object] = []
    for answer in (WELCOME, REFUSAL):
        life = Life(network, authtype=authtype, secret="other-" + SECRET)
        network.pump()
        sock = network.sockets[-1]
        network.say(BANNER, sock)
        if authtype == "md5":
            network.say(CHALLENGE, sock)
        network.say(answer, sock)
        conn = life.conn
        calls = Calls()
        if conn.connected:
            conn.ping(calls)
        sock.eof()
        network.pump()
        with pytest.raises(ConnectionFinished) as caught:
            conn.ping(None)
        shown += [conn, conn.error, conn.options, conn.pool, life.packet, caught.value, *calls]
    network.prepare().refuse()
    refused = Life(network, authtype=authtype)
    network.pump()
    shown += [refused.conn, refused.conn.error, refused.packet]
    text = "".join(
        f"{one!r} {one!s} {getattr(one, '__dict__', '') if isinstance(one, AMIError) else ''}" for one in shown
    )
    text += "".join(record.getMessage() for record in caplog.records) + caplog.text
    assert "joe@192.0.2.1" in text and "logged in" in text
    assert SECRET not in text
