"""Actions with ``retry=True``: what was open at a loss is sent again after the next login, and answered once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_network import URL, Calls, Network, Peer, message
from outage import Daemon

from ami_client import Connection
from ami_client.errors import ActionFailed, ActionTimeout, ConnectionLost

MakeDaemon = Callable[..., Daemon]


def sent(daemon: Daemon) -> list[str]:
    """The names of the actions that the last socket was sent since the last look."""
    return [one["Action"] for one in messages(daemon)]


def messages(daemon: Daemon) -> list[dict[str, str]]:
    text = daemon.network.sockets[-1].take().decode()
    blocks = [block.split("\r\n") for block in text.split("\r\n\r\n") if block]
    return [dict(line.split(": ", 1) for line in block) for block in blocks]


def say(daemon: Daemon, *said: str) -> None:
    """The server of the last socket speaks."""
    Peer(daemon.network, daemon.conn, daemon.network.sockets[-1]).say(*said)


def lose_and_come_back(daemon: Daemon) -> None:
    daemon.network.sockets[-1].take()
    daemon.lose()
    daemon.come_back()


# What is sent again


def test_without_it_an_action_fails_at_the_loss(daemon: Daemon) -> None:
    calls = Calls()
    daemon.conn.ping(calls)
    lose_and_come_back(daemon)
    assert [type(packet.error) for packet in calls] == [ConnectionLost] and sent(daemon) == []


def test_an_action_that_was_not_sent_before_the_loss_has_its_limit_too(make_daemon: MakeDaemon) -> None:
    daemon, calls = make_daemon(action_timeout=5).start(), Calls()

    def stop(conn: Connection, packet: Any) -> None:
        conn.ping(calls, retry=True)
        daemon.network.sockets[0].eof()
        conn._driver.fail(ConnectionLost("gone"))  # in the same read

    daemon.pool.on("event_stop", stop)
    say(daemon, "Event: Stop")
    daemon.network.wait(4.9)
    assert calls == []
    daemon.network.wait(0.2)
    assert [type(packet.error) for packet in calls] == [ActionTimeout]


def test_with_it_the_same_bytes_go_out_again(daemon: Daemon) -> None:
    calls = Calls()
    action_id = daemon.conn.action("Do", calls, [("One", "1"), ("Two", ["a", "b"]), ("Three", {"k": "v"})], retry=True)
    before = daemon.network.sockets[0].take()
    lose_and_come_back(daemon)
    assert daemon.network.sockets[1].take() == before != b"" and calls == []
    say(daemon, f"Response: Success|ActionID: {action_id}|N: 1")
    say(daemon, f"Response: Success|ActionID: {action_id}|N: 2")
    assert [packet["n"] for packet in calls] == ["1"]


def test_the_callback_gets_the_connection_that_answered(daemon: Daemon) -> None:
    conns: list[Connection] = []
    action_id = daemon.conn.ping(lambda conn, packet: conns.append(conn), retry=True)
    lose_and_come_back(daemon)
    say(daemon, f"Response: Success|ActionID: {action_id}")
    assert conns == [daemon.conns[1]]


METHODS: dict[str, Callable[[Connection, Any], str]] = {
    "get_sip_peers": lambda conn, cb: conn.get_sip_peers(cb, retry=True),
    "get_iax_peers": lambda conn, cb: conn.get_iax_peers(cb, retry=True),
    "get_config": lambda conn, cb: conn.get_config("sip.conf", cb, retry=True),
    "get_config_json": lambda conn, cb: conn.get_config_json("sip.conf", cb, retry=True),
    "set_var": lambda conn, cb: conn.set_var(None, "A", "1", cb, retry=True),
    "core_show_channels": lambda conn, cb: conn.core_show_channels(cb, retry=True),
    "status": lambda conn, cb: conn.status(cb, retry=True),
    "redirect": lambda conn, cb: conn.redirect({"Channel": "SIP/1"}, cb, retry=True),
    "originate": lambda conn, cb: conn.originate({"Channel": "SIP/1"}, cb, retry=True),
    "extension_state": lambda conn, cb: conn.extension_state({"Exten": "1"}, cb, retry=True),
    "ping": lambda conn, cb: conn.ping(cb, retry=True),
    "action": lambda conn, cb: conn.action("Do", cb, retry=True),
}


@pytest.mark.parametrize("name", METHODS)
def test_every_action_can(daemon: Daemon, name: str) -> None:
    calls = Calls()
    action_id = METHODS[name](daemon.conn, calls)
    lose_and_come_back(daemon)
    assert [one["ActionID"] for one in messages(daemon)] == [action_id]
    say(daemon, f"Response: Error|Message: no|ActionID: {action_id}")
    assert len(calls) == 1


def test_the_php_spelling_too(daemon: Daemon) -> None:
    calls = Calls()
    daemon.conn.coreShowChannels(calls, retry=True)  # type: ignore[attr-defined]
    lose_and_come_back(daemon)
    assert sent(daemon) == ["CoreShowChannels"]


def test_an_answer_before_the_loss_is_the_answer(daemon: Daemon) -> None:
    calls = Calls()
    action_id = daemon.conn.ping(calls, retry=True)
    say(daemon, f"Response: Success|ActionID: {action_id}")
    lose_and_come_back(daemon)
    assert len(calls) == 1 and sent(daemon) == []


def test_an_answer_in_the_last_bytes_before_the_loss_counts(daemon: Daemon) -> None:
    calls = Calls()
    action_id = daemon.conn.ping(calls, retry=True)
    daemon.network.sockets[0].feed(message(f"Response: Success|ActionID: {action_id}"))
    lose_and_come_back(daemon)
    assert [packet["response"] for packet in calls] == ["success"] and sent(daemon) == []


def test_an_error_of_the_server_is_an_answer(daemon: Daemon) -> None:
    calls = Calls()
    action_id = daemon.conn.ping(calls, retry=True)
    say(daemon, f"Response: Error|ActionID: {action_id}")
    lose_and_come_back(daemon)
    assert [type(packet.error) for packet in calls] == [ActionFailed] and sent(daemon) == []


def test_the_order_is_kept(daemon: Daemon) -> None:
    for number in range(20):
        daemon.conn.action(f"Do{number}", Calls(), retry=number % 3 != 0)
    again = [f"Do{number}" for number in range(20) if number % 3]
    for _ in range(3):
        lose_and_come_back(daemon)
        assert sent(daemon) == again


def test_those_of_several_connections_all_go_to_the_first_that_logs_in(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon().start(2)
    for number, conn in enumerate(daemon.conns):
        for letter in "ab":
            conn.action(f"Do-{number}{letter}", Calls(), retry=True)
    for sock in daemon.network.sockets:
        sock.eof()
    daemon.network.pump()
    daemon.network.wait(4)
    daemon.network.answer_login()
    assert sent(daemon) == ["Do-0a", "Do-0b", "Do-1a", "Do-1b"]


def test_one_that_waits_for_the_login_waits_for_the_next_one(make_daemon: MakeDaemon) -> None:
    daemon, calls, others = make_daemon(), Calls(), Calls()
    ids: list[str] = []

    def early(conn: Connection) -> None:
        conn.ping(others)
        ids.append(conn.ping(calls, retry=True))

    daemon.network.prepare().refuse()
    daemon.pool.get_connection(URL, before_connect=early)
    daemon.network.pump()
    assert (len(others), len(calls)) == (1, 0)
    daemon.come_back()
    assert [one["ActionID"] for one in messages(daemon)] == ids
    say(daemon, f"Response: Success|ActionID: {ids[0]}")
    assert len(calls) == 1


def test_losses_in_a_row_send_it_once_per_login_and_answer_it_once(daemon: Daemon) -> None:
    calls = Calls()
    action_id = daemon.conn.ping(calls, retry=True, timeout=1000)
    for _ in range(3):  # after a login
        lose_and_come_back(daemon)
        assert sent(daemon) == ["Ping"]
    daemon.lose()
    for _ in range(3):  # without one
        daemon.network.prepare().refuse()
        daemon.network.wait(daemon.delays[-1])
    daemon.come_back()
    assert sent(daemon) == ["Ping"] and calls == []
    say(daemon, f"Response: Success|ActionID: {action_id}")
    lose_and_come_back(daemon)
    assert len(calls) == 1 and sent(daemon) == []


def test_it_goes_with_a_connection_that_somebody_asked_for_without_reconnect(make_daemon: MakeDaemon) -> None:
    daemon, calls = make_daemon(reconnect=None, maxconnperserv=1).start(), Calls()
    daemon.pool.get_connection(URL)  # waits for the only slot
    daemon.conn.ping(calls, retry=True)
    daemon.lose()
    daemon.network.answer_login()
    assert sent(daemon) == ["Ping"] and calls == []


def test_a_connection_of_another_server_does_not_send_it(daemon: Daemon) -> None:
    daemon.conn.ping(Calls(), retry=True)
    daemon.lose()
    daemon.pool.get_connection("192.0.2.2")
    daemon.network.answer_login()
    assert sent(daemon) == []


# Answers of many packets


def test_a_list_that_had_half_arrived_begins_anew(daemon: Daemon) -> None:
    calls = Calls()
    action_id = daemon.conn.action("List", calls, retry=True)
    begin, end = (
        f"Response: Success|EventList: start|ActionID: {action_id}",
        f"Event: Done|EventList: Complete|ListItems: 2|ActionID: {action_id}",
    )
    say(daemon, begin, f"Event: Entry|N: old|ActionID: {action_id}")
    lose_and_come_back(daemon)
    assert calls == [] and sent(daemon) == ["List"]
    say(daemon, begin, *(f"Event: Entry|N: {number}|ActionID: {action_id}" for number in range(2)), end)
    (packet,) = calls
    assert [entry["n"] for entry in packet.events] == ["0", "1"]
    assert packet.error is None and not packet.suspect


def test_a_composite_answer_too(daemon: Daemon) -> None:
    calls = Calls()
    action_id = daemon.conn.get_sip_peers(calls, retry=True)
    begin = f"Response: Success|EventList: start|ActionID: {action_id}"
    say(daemon, begin, f"Event: PeerEntry|N: old|ActionID: {action_id}")
    lose_and_come_back(daemon)
    say(daemon, begin, f"Event: PeerEntry|N: 1|ActionID: {action_id}")
    say(daemon, f"Event: PeerlistComplete|EventList: Complete|ListItems: 1|ActionID: {action_id}")
    ((response, entry, complete),) = calls
    assert (response["response"], entry["n"], complete["listitems"]) == ("success", "1", "1")
    assert not response.suspect


def test_raw_text_goes_out_with_the_ping_behind_it(daemon: Daemon) -> None:
    calls = Calls()
    daemon.conn.action("IAXnetstats", calls, retry=True)
    daemon.network.say(b"old text\r\n\r\n")
    lose_and_come_back(daemon)
    action, fence = messages(daemon)
    assert (action["Action"], fence["Action"]) == ("IAXnetstats", "Ping")
    daemon.network.say(b"new text\r\n\r\n" + message(f"Response: Success|ActionID: {fence['ActionID']}"))
    (packet,) = calls
    assert packet.output == ["new text"] and daemon.pool.stats.dropped == 0


# ActionIDs


def test_an_action_id_of_the_callers_is_kept(daemon: Daemon) -> None:
    calls = Calls()
    assert daemon.conn.action("Do", calls, {"ActionID": "Mine"}, retry=True) == "Mine"
    lose_and_come_back(daemon)
    assert [one["ActionID"] for one in messages(daemon)] == ["Mine"]
    say(daemon, "Response: Success|ActionID: mine")
    assert len(calls) == 1


@pytest.mark.parametrize("own", ["mine", "MINE"])
def test_one_that_is_in_use_on_the_new_connection_fails_the_action(daemon: Daemon, own: str) -> None:
    calls, others, after = Calls(), Calls(), Calls()
    daemon.conn.action("Do", calls, {"ActionID": "mine"}, retry=True)
    daemon.conn.action("After", after, retry=True)
    daemon.pool.on_login(lambda conn: conn.action("Other", others, {"ActionID": own}))
    lose_and_come_back(daemon)
    assert [type(packet.error) for packet in calls] == [ActionFailed]
    assert sent(daemon) == ["Other", "After"]
    say(daemon, f"Response: Success|ActionID: {own}")
    assert len(others) == 1 and len(calls) == 1 and others[0].error is None


# Calls


def test_a_call_that_was_not_accepted_yet_is_placed_again(daemon: Daemon) -> None:
    calls, results = Calls(), Calls()
    action_id = daemon.conn.originate({"Channel": "SIP/1"}, calls, on_result=results, retry=True)
    lose_and_come_back(daemon)
    assert sent(daemon) == ["Originate"] and (calls, results) == ([], [])
    say(daemon, f"Response: Success|ActionID: {action_id}")
    say(daemon, f"Event: OriginateResponse|Response: Success|ActionID: {action_id}")
    assert [packet.error for packet in calls + results] == [None, None]


def test_a_call_that_was_accepted_is_not_placed_again(daemon: Daemon) -> None:
    calls, results = Calls(), Calls()
    action_id = daemon.conn.originate({"Channel": "SIP/1"}, calls, on_result=results, retry=True)
    say(daemon, f"Response: Success|ActionID: {action_id}")
    lose_and_come_back(daemon)
    assert sent(daemon) == []  # it may be ringing
    assert [packet.error for packet in calls] == [None]
    assert [type(packet.error) for packet in results] == [ConnectionLost]


def test_a_call_whose_result_came_first_is_placed_again_for_its_answer(daemon: Daemon) -> None:
    calls, results = Calls(), Calls()
    action_id = daemon.conn.originate({"Channel": "SIP/1"}, calls, on_result=results, retry=True)
    say(daemon, f"Event: OriginateResponse|Response: Failure|Reason: 5|ActionID: {action_id}")
    assert len(results) == 1
    lose_and_come_back(daemon)
    say(daemon, f"Response: Success|ActionID: {action_id}")
    assert (len(calls), len(results)) == (1, 1)


def test_a_call_for_whose_result_alone_somebody_waits_is_placed_again_too(daemon: Daemon) -> None:
    results = Calls()
    action_id = daemon.conn.originate({"Channel": "SIP/1"}, None, on_result=results, retry=True)
    lose_and_come_back(daemon)
    assert sent(daemon) == ["Originate"] and results == []
    say(daemon, f"Event: OriginateResponse|Response: Success|ActionID: {action_id}")
    assert [packet.error for packet in results] == [None]


def test_a_call_whose_action_id_is_in_use_harms_nobody_elses(daemon: Daemon) -> None:
    ours, theirs = Calls(), Calls()
    daemon.conn.originate({"Channel": "SIP/1", "ActionID": "x"}, ours, on_result=ours, retry=True)
    daemon.pool.on_login(lambda conn: conn.originate({"Channel": "SIP/2", "ActionID": "x"}, theirs, on_result=theirs))
    lose_and_come_back(daemon)
    assert [type(packet.error) for packet in ours] == [ActionFailed] * 2
    say(daemon, "Response: Success|ActionID: x", "Event: OriginateResponse|Response: Success|ActionID: x")
    assert [packet.error for packet in theirs] == [None, None] and len(ours) == 2


def test_without_a_callback_it_is_sent_and_forgotten(daemon: Daemon) -> None:
    daemon.conn.ping(None, retry=True)
    assert daemon.pool.stats.pending == 0
    lose_and_come_back(daemon)
    assert sent(daemon) == []


def test_a_ping_that_was_sent_again_measures_its_second_way(daemon: Daemon) -> None:
    action_id = daemon.conn.ping(Calls(), retry=True, timeout=1000)
    lose_and_come_back(daemon)
    daemon.network.wait(0.5)
    say(daemon, f"Response: Success|ActionID: {action_id}")
    assert daemon.conn.round_trip == pytest.approx(0.5)
    assert daemon.conns[0].round_trip is None


def test_it_is_no_word_of_the_protocol(network: Network) -> None:
    peer = network.log_in()
    peer.sock.take()
    peer.conn.ping(None, retry=True)
    assert b"etry" not in peer.sock.take()
