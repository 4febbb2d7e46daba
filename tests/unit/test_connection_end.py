"""Connection: every way to its end, and callbacks that finish, raise or ask for more."""

from __future__ import annotations

import re
from typing import Callable

import pytest
from fake_network import URL, Calls, Life, Network, Peer
from server_texts import REFUSAL

from ami_client import Connection
from ami_client.errors import (
    AMIError,
    ConnectionFinished,
    ConnectionLost,
    LimitReached,
    LoginRefused,
    ProtocolError,
    SilenceTimeout,
)
from ami_client.testing.fakes import NothingCanHappen

ExpectLog = Callable[[str], None]


# The end


def ends() -> dict[str, tuple[Callable[[Peer], object], type[AMIError]]]:
    return {
        "eof": (lambda peer: peer.sock.eof(), ConnectionLost),
        "reset": (lambda peer: peer.sock.reset(), ConnectionLost),
        "send fails": (lambda peer: (peer.sock.reset(), peer.conn.ping(None)), ConnectionLost),
        "finish": (lambda peer: peer.conn.finish(), ConnectionFinished),
        "close": (lambda peer: peer.conn.close(), ConnectionFinished),
        "graceful": (lambda peer: peer.conn.graceful_shutdown(), ConnectionFinished),
        "pool": (lambda peer: peer.conn.pool.finish(), ConnectionFinished),
        "too much": (lambda peer: peer.say("Event: " + "x" * 5000), ProtocolError),
        "silence": (lambda peer: peer.network.wait(61), SilenceTimeout),
    }


@pytest.mark.parametrize("kind", ends())
def test_every_end_tells_everybody_once_and_in_order(network: Network, kind: str) -> None:
    end, error = ends()[kind]
    peer = network.log_in(max_packet=4096)
    order: list[object] = []
    kept = Calls()
    for number in range(3):
        peer.conn.action("Slow", lambda conn, packet, n=number: order.append(n), timeout=1e6)
    peer.conn.ping(kept, timeout=1e6)
    peer.conn.originate({"Channel": "SIP/1"}, None, on_result=kept)
    peer.conn.bind("disconnect", lambda conn: order.append("disconnect"))
    end(peer)
    network.wait(1000)
    assert order == [0, 1, 2, "disconnect"]
    assert [type(packet.error) for packet in kept] == [error, error]
    assert kept[0].error is peer.conn.error
    assert (peer.sock.closed, peer.conn.finished) == (True, True)


@pytest.mark.parametrize("logged_in", [True, False])
def test_the_end_leaves_no_timer(network: Network, logged_in: bool) -> None:
    conn = network.log_in().conn if logged_in else Life(network).conn
    network.pump()
    conn.ping(Calls())
    conn.finish()
    with pytest.raises(NothingCanHappen):
        network.reactor.run_once()


def test_finish_and_close_again_do_nothing(network: Network) -> None:
    peer = network.log_in()
    gone = Calls()
    peer.conn.bind("disconnect", gone)
    for _ in range(2):
        peer.conn.finish()
        peer.conn.close()
        peer.conn.graceful_shutdown()
    network.wait(100)
    assert len(gone) == 1


def test_finish_sends_what_was_written_and_close_does_not(network: Network) -> None:
    for end, sent in (("finish", True), ("close", False)):
        peer = network.log_in()
        peer.sock.room = 0
        peer.conn.ping(None)
        getattr(peer.conn, end)()
        assert peer.sock.closed is not sent
        peer.sock.room = None
        network.pump()
        assert peer.sock.sent.startswith(b"Action: Ping") is sent
        assert peer.sock.closed


def test_graceful_shutdown_sends_logoff_and_does_not_wait(network: Network) -> None:
    peer = network.log_in()
    peer.conn.graceful_shutdown()
    assert peer.sock.sent.startswith(b"Action: Logoff\r\n") and peer.sock.closed


def test_a_limit_of_the_packet_ends_cleanly_and_after_what_came_before(network: Network) -> None:
    peer = network.log_in(max_packet=1024)
    events = Calls()
    peer.conn.on_event(events)
    peer.say("Event: Good", "Event: " + "x" * 2000, "Event: Never")
    assert [packet["event"] for packet in events] == ["good"]
    assert type(peer.conn.error) is ProtocolError and peer.sock.closed


# Callbacks that finish, raise or ask for more


@pytest.mark.parametrize("end", ["finish", "close", "graceful_shutdown"])
def test_finish_inside_an_answer_stops_the_rest_and_fails_what_is_open(network: Network, end: str) -> None:
    peer = network.log_in()
    others, events = Calls(), Calls()
    first = peer.conn.ping(lambda conn, packet: getattr(conn, end)())
    second = peer.conn.ping(others)
    peer.conn.on_event(events)
    both = f"Response: Success|ActionID: {first}", f"Response: Success|ActionID: {second}"
    peer.say(*both, "Event: Late")
    (packet,) = others
    assert type(packet.error) is ConnectionFinished and events == []


def test_finish_inside_a_failing_callback_or_disconnect_changes_nothing(network: Network) -> None:
    peer = network.log_in()
    others, gone = Calls(), Calls()
    peer.conn.ping(lambda conn, packet: conn.finish())
    peer.conn.ping(others)
    peer.conn.bind("disconnect", lambda conn: conn.finish())
    peer.conn.bind("disconnect", gone)
    peer.sock.eof()
    network.pump()
    assert (len(others), len(gone), type(peer.conn.error)) == (1, 1, ConnectionLost)


def test_finish_inside_a_timeout(network: Network) -> None:
    peer = network.log_in()
    others = Calls()
    peer.conn.ping(lambda conn, packet: conn.finish(), timeout=1)
    peer.conn.ping(others)
    network.wait(2)
    assert len(others) == 1 and peer.conn.finished


def test_finish_inside_callbacks_of_a_refused_login(network: Network) -> None:
    life = Life(network)
    others = Calls()
    life.conn.on_connected(lambda conn, packet: conn.finish())
    life.conn.on_connected(others)
    network.answer_login(REFUSAL)
    assert len(others) == 1 and type(life.conn.error) is LoginRefused
    assert life.log == ["callback False", "disconnect"]


def test_an_action_begun_inside_a_refused_logins_callback_fails(network: Network) -> None:
    life = Life(network)
    calls = Calls()
    life.conn.on_connected(lambda conn, packet: conn.ping(calls))
    network.answer_login(REFUSAL)
    (packet,) = calls
    assert type(packet.error) is LoginRefused


def explode(*args: object) -> None:
    raise RuntimeError("the user's bug")


def test_callbacks_that_raise_are_logged_and_harm_nothing(network: Network, expect_log: ExpectLog) -> None:
    expect_log("ERROR: callback .*explode raised")
    life = Life(network)
    life.conn.on_connected(explode)
    life.conn.bind(["connected", "disconnect", "event", "event_one"], explode)
    after = Calls()
    life.conn.on_connected(after)
    sock = network.answer_login()
    peer = Peer(network, life.conn, sock)
    calls = Calls()
    first = life.conn.ping(explode)
    second = life.conn.ping(calls)
    life.conn.ping(explode)
    life.conn.originate({"Channel": "SIP/1"}, explode, on_result=explode)
    peer.say(f"Response: Success|ActionID: {first}", "Event: One")
    peer.answer(second)
    assert (len(after), len(calls)) == (1, 1)
    other = Calls()
    life.conn.bind("disconnect", other)
    sock.eof()
    network.pump()
    assert (len(other), life.conn.finished, sock.closed) == (1, True, True)


def interrupt(*args: object) -> None:
    raise KeyboardInterrupt


def test_an_interrupt_out_of_the_end_leaves_nothing_open(network: Network) -> None:
    peer = network.log_in()
    pool = peer.conn.pool
    peer.conn.ping(interrupt)
    peer.sock.eof()
    with pytest.raises(KeyboardInterrupt):
        network.pump()
    assert (peer.sock.closed, peer.conn.finished) == (True, True)
    assert repr(pool) == "<Pool 0 connections>"


def test_an_interrupt_out_of_a_refused_logins_callback(network: Network) -> None:
    life = Life(network)
    life.conn.on_connected(interrupt)
    with pytest.raises(KeyboardInterrupt):
        network.answer_login(REFUSAL)
    network.pump()
    assert (network.sockets[0].closed, life.conn.finished) == (True, True)
    assert life.log == ["callback False", "disconnect"]
    assert repr(life.conn.pool) == "<Pool 0 connections>"


def test_an_interrupt_out_of_a_login_leaves_the_connection_usable(network: Network) -> None:
    life = Life(network)
    life.conn.on_connected(interrupt)
    with pytest.raises(KeyboardInterrupt):
        network.answer_login()
    network.pump()
    again: list[Connection] = []
    life.conn.pool.get_connection(URL, again.append)  # type: ignore[union-attr]
    assert again == [life.conn] and life.conn.connected


def test_an_interrupt_out_of_a_handler_is_the_programs_and_the_rest_works(network: Network) -> None:
    peer = network.log_in()
    calls = Calls()
    peer.conn.bind("event_one", interrupt)
    with pytest.raises(KeyboardInterrupt):
        peer.say("Event: One")
    peer.answer(peer.conn.ping(calls))
    assert len(calls) == 1


def test_after_an_interrupt_the_rest_of_what_arrived_is_handled(network: Network) -> None:
    peer = network.log_in()
    calls, events = Calls(), Calls()
    action_id = peer.conn.ping(calls)
    peer.conn.bind("event_one", interrupt)
    peer.conn.bind("event_two", events)
    with pytest.raises(KeyboardInterrupt):
        peer.say("Event: One", f"Response: Success|ActionID: {action_id}", "Event: Two")
    network.pump()
    assert (len(calls), len(events)) == (1, 1)


def test_after_an_interrupt_who_waits_for_the_result_is_told_of_the_refusal(network: Network) -> None:
    peer = network.log_in()
    results = Calls()
    action_id = peer.conn.originate({"Channel": "SIP/1"}, interrupt, on_result=results)
    with pytest.raises(KeyboardInterrupt):
        peer.answer(action_id, "Response: Error|Message: no")
    network.pump()
    assert [str(packet.error) for packet in results] == ["no"]


def test_after_an_interrupt_the_others_who_waited_for_the_login_are_told(network: Network) -> None:
    life = Life(network)
    told: list[bool] = []
    life.conn.on_connected(interrupt)
    life.conn.on_connected(lambda conn: told.append(conn.connected))
    with pytest.raises(KeyboardInterrupt):
        network.answer_login()
    network.pump()
    assert told == [True]
    assert life.log == ["callback True", "connected"]


# The program was busy, or stopped


def test_a_server_is_never_given_up_unasked(network: Network) -> None:
    peer = network.log_in(timeout=60)
    peer.sock.take()
    network.clock.advance(600)  # stopped all the time: nothing could be asked
    network.pump()
    assert peer.conn.connected
    assert peer.sock.take().startswith(b"Action: Ping\r\n")
    network.wait(29)
    assert peer.conn.connected
    network.wait(2)
    assert type(peer.conn.error) is SilenceTimeout


def test_an_answer_in_time_begins_the_watch_anew(network: Network) -> None:
    peer = network.log_in(timeout=60)
    for _ in range(5):
        network.wait(31)
        answer_pings(peer)
    assert peer.conn.connected
    network.wait(59)
    assert peer.conn.connected
    network.wait(2)
    assert type(peer.conn.error) is SilenceTimeout


def answer_pings(peer: Peer) -> int:
    """Answer those that came since the last look, and return how many they were."""
    ids = re.findall(rb"Action: Ping\r\nActionID: (\S+)", peer.sock.take())
    for one in ids:
        peer.answer(one.decode(), "Response: Success|Ping: Pong")
    return len(ids)


DRIPS = {
    "bytes of a packet that never ends": b"E",
    "line ends": b"\r\n",
    "lines": b"Header: value\r\n",
    "whole events": b"Event: Tick\r\n\r\n",
    "text": b"nonsense\r\n\r\n",
    "answers to nobody": b"Response: Success\r\nActionID: foreign\r\n\r\n",
}


def drip(peer: Peer, data: bytes, seconds: int) -> None:
    for _ in range(seconds):
        if not peer.conn.finished:
            peer.network.say(data, peer.sock)
        peer.network.wait(1)


@pytest.mark.parametrize("data", DRIPS.values(), ids=DRIPS)
def test_whatever_drips_in_an_unanswered_ping_ends_the_link(network: Network, data: bytes) -> None:
    peer = network.log_in(timeout=10)
    network.wait(5)
    assert peer.sock.take().count(b"Action: Ping\r\n") == 1
    drip(peer, data, 9)
    assert peer.conn.connected
    drip(peer, data, 2)
    assert type(peer.conn.error) is SilenceTimeout and "no answer to a Ping within 10 s" in str(peer.conn.error)


@pytest.mark.parametrize("data", DRIPS.values(), ids=DRIPS)
def test_what_drips_in_is_no_life_while_every_action_times_out(network: Network, data: bytes) -> None:
    peer = network.log_in(timeout=10, action_timeout=3)
    for _ in range(40):
        if not peer.conn.finished:
            peer.conn.ping(Calls())
        drip(peer, data, 1)
    assert type(peer.conn.error) is SilenceTimeout


@pytest.mark.parametrize("data", [*DRIPS.values()][1:], ids=[*DRIPS][1:])
def test_a_link_with_a_drip_lives_while_pings_are_answered(network: Network, data: bytes) -> None:
    peer = network.log_in(timeout=10)
    for _ in range(100):
        drip(peer, data, 1)
        answer_pings(peer)
    assert peer.conn.connected


def test_an_answer_to_an_earlier_action_gives_a_ping_behind_it_time(network: Network) -> None:
    peer = network.log_in(timeout=10)
    ids = [peer.conn.action("Slow", Calls(), timeout=1000) for _ in range(10)]
    for one in ids:
        network.wait(8)
        peer.answer(one)
    assert peer.conn.connected
    network.wait(20)
    assert type(peer.conn.error) is SilenceTimeout


def test_an_error_is_a_sign_of_life(network: Network) -> None:
    peer = network.log_in(timeout=10)
    for _ in range(10):
        network.wait(5)
        sent = peer.sock.take().decode()
        peer.answer(sent.split("ActionID: ")[1].strip(), "Response: Error|Message: Permission denied")
    assert peer.conn.connected


def test_a_drip_before_the_login_is_no_life(network: Network) -> None:
    life = Life(network, timeout=10, login_timeout=None)
    network.pump()
    for _ in range(20):
        if not life.conn.finished:
            network.say(b"A")
        network.wait(1)
    assert type(life.conn.error) is SilenceTimeout and "no complete packet for 10 s" in str(life.conn.error)


def test_a_drip_from_a_server_that_does_not_read(network: Network) -> None:
    peer = network.log_in(timeout=10, max_outgoing=2000)
    peer.sock.room = 0
    while True:
        try:
            peer.conn.action("X", None, {"V": "y" * 500})
        except LimitReached:
            break
    drip(peer, b"E", 20)
    assert type(peer.conn.error) is SilenceTimeout


def test_actions_of_which_some_are_answered_cast_no_doubt(network: Network) -> None:
    peer = network.log_in(timeout=10, action_timeout=3)
    peer.sock.take()
    for _ in range(40):
        peer.conn.action("Slow", Calls())
        peer.answer(peer.conn.action("Quick", Calls()))
        drip(peer, b"Event: Tick\r\n\r\n", 1)
    assert peer.conn.connected and b"Action: Ping" not in peer.sock.take()


# The loop is closed first


@pytest.mark.parametrize("actions", [0, 1])
@pytest.mark.parametrize("logged_in", [True, False])
def test_who_closes_the_loop_first_has_everybody_told_all_the_same(
    network: Network, logged_in: bool, actions: int
) -> None:
    life = Life(network)
    if logged_in:
        network.answer_login()
    else:
        network.pump()
    calls = Calls()
    for _ in range(actions):
        life.conn.ping(calls)
    network.reactor.close()
    life.conn.pool.finish()  # type: ignore[union-attr]
    assert [type(packet.error) for packet in calls] == [ConnectionFinished] * actions
    assert life.log[-1] == "disconnect"
    assert network.sockets[0].closed
