"""The documented actions: the bytes of each, and what its callback gets."""

from __future__ import annotations

import math
from typing import Any, Callable

import pytest
from fake_network import Calls, Network, Peer

from ami_client import Connection
from ami_client.errors import ActionFailed, ActionTimeout, ConnectionFinished, ConnectionLost, LimitReached

Send = Callable[[Connection, Any], str]

SINGLE: dict[str, tuple[Send, str]] = {
    "get_config": (
        lambda conn, cb: conn.get_config("sip.conf", cb),
        "Action: GetConfig|Filename: sip.conf",
    ),
    "get_config_json": (
        lambda conn, cb: conn.get_config_json("sip.conf", cb),
        "Action: GetConfigJSON|Filename: sip.conf",
    ),
    "set_var": (
        lambda conn, cb: conn.set_var("SIP/7-1", "COLOUR", "red", cb),
        "Action: SetVar|Channel: SIP/7-1|Variable: COLOUR|Value: red",
    ),
    "set_var, global": (
        lambda conn, cb: conn.set_var("", "COLOUR", 0, cb),
        "Action: SetVar|Variable: COLOUR|Value: 0",
    ),
    "redirect": (
        lambda conn, cb: conn.redirect({"Channel": "SIP/7-1", "Exten": "100"}, cb),
        "Action: Redirect|Channel: SIP/7-1|Exten: 100",
    ),
    "originate": (
        lambda conn, cb: conn.originate({"Channel": "SIP/7", "Variable": {"A": "1,2"}}, cb),
        "Action: Originate|Channel: SIP/7|Variable: A=1\\,2|Async: 1",
    ),
    "originate, own Async": (
        lambda conn, cb: conn.originate([("Async", False), ("Channel", "SIP/7")], cb),
        "Action: Originate|Async: 1|Channel: SIP/7",
    ),
    "extension_state": (
        lambda conn, cb: conn.extension_state({"Exten": "100", "Context": "default"}, cb),
        "Action: ExtensionState|Exten: 100|Context: default",
    ),
    "ping": (lambda conn, cb: conn.ping(cb), "Action: Ping"),
    "logoff": (lambda conn, cb: conn.logoff(cb), "Action: Logoff"),
    "action": (
        lambda conn, cb: conn.action("UserEvent", cb, {"X": [1, 2], "Y": None, "Z": True}),
        "Action: UserEvent|X: 1|X: 2|Z: true",
    ),
}

LISTS: dict[str, tuple[Send, str, str]] = {
    "get_sip_peers": (
        lambda conn, cb: conn.get_sip_peers(cb),
        "Action: SIPpeers",
        "Event: PeerlistComplete",
    ),
    "get_iax_peers": (
        lambda conn, cb: conn.get_iax_peers(cb),
        "Action: IAXpeerlist",
        "Event: PeerlistComplete",
    ),
    "core_show_channels, by name": (
        lambda conn, cb: conn.core_show_channels(cb),
        "Action: CoreShowChannels",
        "Event: CoreShowChannelsComplete",
    ),
    "core_show_channels, by marker": (
        lambda conn, cb: conn.core_show_channels(cb),
        "Action: CoreShowChannels",
        "Event: Other|EventList: Complete",
    ),
    "status": (lambda conn, cb: conn.status(cb), "Action: Status", "Event: StatusComplete"),
    "status of one": (
        lambda conn, cb: conn.status(cb, "SIP/7-1"),
        "Action: Status|Channel: SIP/7-1",
        "Event: StatusComplete",
    ),
    "status of an empty name": (
        lambda conn, cb: conn.status(cb, ""),
        "Action: Status|Channel: ",
        "Event: StatusComplete",
    ),
    "action with an assertion": (
        lambda conn, cb: conn.action("Q", cb, None, {"Event": "DONE", "x": 1}),
        "Action: Q",
        "Event: done|X: 1",
    ),
}


def wrote(peer: Peer, headers: str, action_id: str) -> None:
    text = headers.replace("|", "\r\n") + f"\r\nActionID: {action_id}\r\n\r\n"
    assert peer.sock.take() == text.encode()


@pytest.mark.parametrize("name", SINGLE)
def test_single_answers(peer: Peer, name: str) -> None:
    send, headers = SINGLE[name]
    calls = Calls()
    action_id = send(peer.conn, calls)
    wrote(peer, headers, action_id)
    peer.answer("somebody-elses")
    peer.say(f"Event: Stray|ActionID: {action_id}")
    assert calls == []
    peer.answer(action_id, "Response: Success|Message: Fine")
    peer.answer(action_id, "Response: Success|Message: Again")
    (packet,) = calls
    assert (packet["response"], packet["message"], packet.error) == ("success", "fine", None)


@pytest.mark.parametrize("name", SINGLE)
def test_single_answers_that_are_errors(peer: Peer, name: str) -> None:
    calls = Calls()
    peer.answer(SINGLE[name][0](peer.conn, calls), "Response: Error|Message: No Such")
    (packet,) = calls
    assert isinstance(packet.error, ActionFailed)
    assert (packet["response"], str(packet.error)) == ("error", "No Such")


@pytest.mark.parametrize("name", LISTS)
def test_lists(peer: Peer, name: str) -> None:
    send, headers, end = LISTS[name]
    calls = Calls()
    action_id = send(peer.conn, calls)
    wrote(peer, headers, action_id)
    peer.answer(action_id, "Response: Success|EventList: start")
    peer.answer(action_id, "Event: Entry|N: 1")
    peer.say("Event: Unrelated")
    peer.answer(action_id, "Event: Entry|N: 2")
    assert calls == []
    peer.answer(action_id, end)
    (packets,) = calls
    assert [packet.get("n") for packet in packets[1:-1]] == ["1", "2"]
    assert packets[0]["response"] == "success"
    assert packets[-1]["event"] == end[7:].partition("|")[0].lower()


@pytest.mark.parametrize("name", LISTS)
def test_lists_that_are_refused(peer: Peer, name: str) -> None:
    calls = Calls()
    peer.answer(LISTS[name][0](peer.conn, calls), "Response: Error|Message: Unknown")
    ((packet,),) = calls
    assert isinstance(packet.error, ActionFailed)


@pytest.mark.parametrize("name", LISTS)
def test_lists_that_break_off_keep_what_came(peer: Peer, name: str) -> None:
    calls = Calls()
    action_id = LISTS[name][0](peer.conn, calls)
    peer.answer(action_id, "Response: Success")
    peer.sock.eof()
    peer.network.pump()
    ((response, failure),) = calls
    assert response["response"] == "success"
    assert failure["response"] == "error" and isinstance(failure.error, ConnectionLost)


def test_a_list_without_an_assertion_is_one_packet(peer: Peer) -> None:
    calls = Calls()
    action_id = peer.conn.action("QueueStatus", calls)
    peer.answer(action_id, "Response: Success|EventList: start")
    peer.answer(action_id, "Event: QueueParams|Queue: q")
    peer.answer(action_id, "Event: QueueStatusComplete|EventList: Complete")
    (packet,) = calls
    assert [entry["queue"] for entry in packet.events] == ["q"]
    assert packet.complete["event"] == "queuestatuscomplete"


def test_ids_are_unlike_those_of_other_connections(network: Network) -> None:
    first, second = network.log_in().conn, network.log_in().conn
    ids = [first.ping(None), first.ping(None), second.ping(None), second.ping(None)]
    assert len(set(ids)) == 4
    assert ids[0].rpartition("-")[0] != ids[2].rpartition("-")[0]


def test_an_action_id_of_ones_own(peer: Peer) -> None:
    calls = Calls()
    assert peer.conn.action("Ping", calls, {"ActionID": "Mine", "X": 1}) == "Mine"
    wrote(peer, "Action: Ping|X: 1", "Mine")
    with pytest.raises(ValueError, match="in flight"):
        peer.conn.action("Ping", calls, {"actionid": "mine"})
    assert peer.sock.take() == b""
    peer.answer("Mine")
    assert len(calls) == 1
    peer.conn.action("Ping", calls, {"ActionID": "Mine"})


@pytest.mark.parametrize("name", ["ActionID", "actionid", " ACTIONID\t", b"ActionId"])
@pytest.mark.parametrize("value", ["Mine", b" Mine "])
def test_an_action_id_is_known_however_its_name_is_written(peer: Peer, name: Any, value: Any) -> None:
    calls = Calls()
    assert peer.conn.action("Ping", calls, [("X", 1), (name, value)]) == "Mine"
    wrote(peer, "Action: Ping|X: 1", "Mine")
    peer.answer("Mine")
    assert len(calls) == 1


@pytest.mark.parametrize("own", ["", b"", "x" * 68, ["a", "b"]])
def test_an_action_id_that_cannot_be(peer: Peer, own: object) -> None:
    with pytest.raises(ValueError):
        peer.conn.action("Ping", None, {"ActionID": own})
    assert peer.sock.take() == b""


INJECTION = "x\r\n\r\nAction: Command\r\nCommand: core stop now"


@pytest.mark.parametrize("value", [INJECTION, "x\ny", "x\ry", "x\0y"])
def test_injection_is_refused_and_nothing_sent(peer: Peer, value: str) -> None:
    conn, calls = peer.conn, Calls()
    attempts: list[Callable[[], object]] = [
        lambda: conn.action(value, calls),
        lambda: conn.action("Ping", calls, {"X": value}),
        lambda: conn.action("Ping", calls, {value: "X"}),
        lambda: conn.action("Ping", calls, {"X": [value]}),
        lambda: conn.action("Ping", calls, {"ActionID": value}),
        lambda: conn.get_config(value, calls),
        lambda: conn.get_config_json(value, calls),
        lambda: conn.set_var(value, "a", "b", calls),
        lambda: conn.set_var("c", value, "b", calls),
        lambda: conn.set_var("c", "a", value, calls),
        lambda: conn.status(calls, value),
        lambda: conn.redirect({"Channel": value}, calls),
        lambda: conn.originate({"Variable": {"a": value}}, calls, on_result=calls),
        lambda: conn.originate({"Variable": {value: "a"}}, calls),
        lambda: conn.extension_state({"Exten": value}, calls),
    ]
    for attempt in attempts:
        with pytest.raises(ValueError) as caught:
            attempt()
        assert "core stop" not in str(caught.value) or "header name" in str(caught.value)
    conn.finish()
    assert (peer.sock.take(), calls) == (b"", [])


@pytest.mark.parametrize(
    "bad",
    [
        lambda conn: conn.set_var("c", "", "x", None),
        lambda conn: conn.set_var("c", "v", "", None),
        lambda conn: conn.set_var("c", "v", None, None),
        lambda conn: conn.ping("no callback"),
        lambda conn: conn.originate({"Channel": "SIP/7"}, None, on_result="no callback"),
        lambda conn: conn.ping(None, timeout=0),
        lambda conn: conn.ping(None, timeout=-1),
        lambda conn: conn.ping(None, timeout="soon"),
        lambda conn: conn.ping(None, timeout=math.nan),
        lambda conn: conn.action("", None),
        lambda conn: conn.action("Ping", None, "X: 1"),
        lambda conn: conn.action("Ping", None, None, "event=done"),
        lambda conn: conn.action("Ping", None, None, ["event"]),
        lambda conn: conn.action("Ping", None, {"X": "\ud800"}),
    ],
)
def test_mistakes_raise_and_nothing_is_sent(peer: Peer, bad: Callable[[Connection], str]) -> None:
    with pytest.raises((TypeError, ValueError)):
        bad(peer.conn)
    assert peer.sock.take() == b""


# Limits of time


@pytest.mark.parametrize(("usual", "own"), [(5, None), (60, 5)])
def test_the_limit_begins_when_the_action_is_sent(network: Network, usual: float, own: Any) -> None:
    """Bytes go out after the handlers of a read, and a handler may take long."""
    peer = network.log_in(action_timeout=usual, slow_handler=None)
    calls = Calls()

    def busy(conn: Connection, packet: Any) -> None:
        conn.ping(calls, timeout=own)
        network.clock.advance(3)

    peer.conn.on("event_busy", busy)
    peer.say("Event: Busy")
    network.wait(4.9)
    assert calls == []
    network.wait(0.2)
    assert [type(packet.error) for packet in calls] == [ActionTimeout]


def test_an_action_that_was_not_sent_before_the_end_leaves_no_timer(network: Network) -> None:
    peer, calls = network.log_in(), Calls()

    def stop(conn: Connection, packet: Any) -> None:
        conn.ping(calls)
        conn.close()

    peer.conn.on("event_stop", stop)
    peer.say("Event: Stop")
    assert [type(packet.error) for packet in calls] == [ConnectionFinished]
    assert network.reactor.next_due() is None


def test_an_action_has_a_limit(network: Network) -> None:
    peer = network.log_in(action_timeout=5)
    calls, slow, quick, endless = Calls(), Calls(), Calls(), Calls()
    action_id = peer.conn.ping(calls)
    peer.conn.ping(slow, timeout=7)
    peer.conn.ping(quick, timeout=1)
    peer.conn.ping(endless, timeout=math.inf)
    network.wait(4.9)
    assert ([len(one) for one in (calls, slow, quick)]) == [0, 0, 1]
    network.wait(0.2)
    (packet,) = calls
    assert isinstance(packet.error, ActionTimeout) and packet["actionid"] == action_id
    network.wait(2)
    assert len(slow) == 1
    peer.answer(action_id)  # too late
    assert (len(calls), len(endless), peer.conn.connected) == (1, 0, True)


def test_a_list_that_stops_halfway_is_told_at_its_limit(peer: Peer) -> None:
    composite, gathered, events = Calls(), Calls(), Calls()
    peer.conn.on_event(events)
    first = peer.conn.get_sip_peers(composite, timeout=5)
    second = peer.conn.action("QueueStatus", gathered, timeout=5)
    for action_id in (first, second):
        peer.answer(action_id, "Response: Success|EventList: start")
        peer.answer(action_id, "Event: Entry|N: 1")
    peer.network.wait(6)
    ((response, entry, failure),) = composite
    assert (response["response"], entry["n"]) == ("success", "1")
    assert isinstance(failure.error, ActionTimeout)
    (packet,) = gathered
    assert isinstance(packet.error, ActionTimeout) and [one["n"] for one in packet.events] == ["1"]
    for action_id in (first, second):
        peer.answer(action_id, "Event: Entry|N: 2")  # nobody's any more
        peer.answer(action_id, "Event: PeerlistComplete|EventList: Complete")
    assert (len(composite), len(gathered), events) == (1, 1, [])


# Before the login


def test_actions_before_login_wait_and_go_out_in_order(network: Network) -> None:
    opened: list[Connection] = []
    calls = Calls()
    pool = network.pool(max_waiting=3)

    def early(conn: Connection) -> None:
        opened.append(conn)
        for number in range(3):
            conn.action("Ping", calls, {"N": number})
        with pytest.raises(LimitReached):
            conn.ping(calls)

    pool.get_connection("tcp://joe:x@192.0.2.1", before_connect=early)
    sock = network.answer_login()
    sent = sock.take()
    assert [line for line in sent.split(b"\r\n") if line[:2] == b"N:"] == [b"N: 0", b"N: 1", b"N: 2"]
    assert calls == []


def test_an_action_that_timed_out_before_login_is_not_sent(network: Network) -> None:
    calls, results = Calls(), Calls()
    network.prepare().hold()

    def early(conn: Connection) -> None:
        conn.originate({"Channel": "SIP/7"}, calls, on_result=results, timeout=1)

    network.pool(connect_timeout=5).get_connection("192.0.2.1", before_connect=early)
    network.wait(2)
    assert (len(calls), len(results)) == (1, 0)
    network.sockets[0].accept()
    sock = network.answer_login()
    assert sock.sent == b""
    sock.eof()
    network.pump()
    assert (len(calls), len(results)) == (1, 1)


def test_after_finish_actions_raise(peer: Peer) -> None:
    calls = Calls()
    peer.conn.finish()
    for send in [*(one[0] for one in SINGLE.values()), *(one[0] for one in LISTS.values())]:
        with pytest.raises(ConnectionFinished):
            send(peer.conn, calls)
    assert calls == []
