"""Globs for names, `where=`, UserEvents by name, and the option `filters`."""

from __future__ import annotations

from typing import Any

import pytest
from cases import for_each
from fake_network import URL, Calls, Network, Peer

from ami_client import Packet
from ami_client.emitter import EventHandlers
from ami_client.filters import Filter, condition, passes

pytestmark = pytest.mark.usefixtures("either_way")


def noting(log: list[str], name: str, result: object = None) -> Any:
    def handler(*args: object) -> object:
        log.append(name)
        return result

    return handler


@pytest.fixture(params=["short way", "careful way"])
def say(request: pytest.FixtureRequest, peer: Peer) -> Any:
    """Makes server events happen. Handlers are bound to the peer's pool."""
    if request.param == "careful way":
        # An override, which makes every event take the careful way.
        pool: Any = peer.conn.pool
        pool.emit = lambda event, *args, **kwargs: EventHandlers.emit(pool, event, *args, **kwargs)
        from ami_client._client.dispatch import Dispatch

        driver = peer.conn._driver
        driver.dispatch = Dispatch(peer.conn, type(peer.conn), pool, driver.guard)
        assert driver.dispatch.routes.overridden
        driver.session._wanted = driver.dispatch.routes
    return peer.say


@for_each(
    ("glob", "heard"),
    [
        ("event_queue*", ["queuecallerjoin", "queuememberstatus", "queue"]),
        ("event_*status", ["devicestatus", "queuememberstatus"]),
        ("event_QUEUE?ember*", ["queuememberstatus"]),
        ("event_[dh]*", ["hangup", "devicestatus"]),
        ("event_*", ["hangup", "queuecallerjoin", "devicestatus", "queuememberstatus", "queue"]),
        ("event_hang", []),
    ],
)
def test_globs_match_names(network: Network, glob: str, heard: list[str]) -> None:
    peer, calls = network.log_in(), Calls()
    peer.conn.bind(glob, calls)
    peer.say(
        "Event: Hangup", "Event: QueueCallerJoin", "Event: DeviceStatus", "Event: QueueMemberStatus", "Event: Queue"
    )
    assert [packet.event_name for packet in calls] == heard


def test_the_order_is_user_event_then_exact_then_globs_as_bound_then_event(peer: Peer, say: Any) -> None:
    pool: Any = peer.conn.pool
    log: list[str] = []
    pool.bind("event", noting(log, "event"))
    pool.bind("event_user*", noting(log, "user*"))
    pool.bind("event_*event", noting(log, "*event"))
    pool.bind("event_user*", noting(log, "user* again"))
    pool.bind("event_userevent", noting(log, "exact"))
    pool.bind("event_userevent:Door", noting(log, "door"))
    pool.bind("event_userevent:window", noting(log, "window"))
    say("Event: UserEvent|UserEvent: Door")
    assert log == ["door", "exact", "user*", "*event", "user* again", "event"]


def test_true_stops_the_globs_too_but_not_event(peer: Peer, say: Any) -> None:
    pool: Any = peer.conn.pool
    log: list[str] = []
    pool.bind("event_hangup", noting(log, "exact", True))
    pool.bind("event_hang*", noting(log, "glob"))
    pool.bind("event", noting(log, "event"))
    say("Event: Hangup")
    assert log == ["exact", "event"]


def test_user_events_by_name_and_by_glob(peer: Peer, say: Any) -> None:
    pool: Any = peer.conn.pool
    names: list[str] = []
    doors: list[str] = []
    pool.on("event_userevent:Door*", lambda conn, packet: doors.append(packet["userevent"]))
    pool.on("event_userevent:window", lambda conn, packet: names.append(packet["userevent"]))
    say("Event: UserEvent|UserEvent: Window", "Event: UserEvent|UserEvent: DoorOpen", "Event: UserEvent", "Event: Door")
    assert (names, doors) == (["window"], ["dooropen"])


def test_a_bound_glob_is_seen_by_what_was_passed_over_before(peer: Peer) -> None:
    calls = Calls()
    peer.say("Event: Hangup")
    peer.conn.bind("event_hang*", calls)
    peer.say("Event: Hangup", "Event: Other")
    peer.conn.unbind("event_hang*")
    peer.say("Event: Hangup")
    assert len(calls) == 1


@for_each("how", ["glob", "callback", "all of the name", "everything", "remove_listener"])
def test_globs_are_unbound(network: Network, how: str) -> None:
    peer, calls, other = network.log_in(), Calls(), Calls()
    peer.conn.bind(["event_hang*", "event_userevent:x"], calls)
    if how != "everything":
        peer.conn.bind("event_han*", other)
    names = ["event_hang*", "event_userevent:X"]
    if how == "glob":
        peer.conn.unbind(names)
    elif how == "callback":
        peer.conn.unbind(names, calls)
    elif how == "all of the name":
        peer.conn.remove_all_listeners("event_hang*")
        peer.conn.remove_all_listeners("event_userevent:x")
    elif how == "everything":
        peer.conn.remove_all_listeners()
    else:
        peer.conn.remove_listener("event_hang*", calls)
        peer.conn.remove_listener("event_userevent:x", calls)
    peer.say("Event: Hangup", "Event: UserEvent|UserEvent: x")
    assert (len(calls), len(other)) == (0, int(how != "everything"))


def test_once_with_a_glob_hears_one_event_of_all_names(peer: Peer) -> None:
    calls = Calls()
    peer.conn.once("event_queue*", calls)
    peer.say("Event: QueueCallerJoin", "Event: QueueCallerLeave")
    assert [packet.event_name for packet in calls] == ["queuecallerjoin"]


def test_once_with_where_waits_for_the_event_that_matches(peer: Peer) -> None:
    calls = Calls()
    peer.conn.once("event_hangup", calls, where={"cause": "17"})
    peer.say("Event: Hangup|Cause: 16", "Event: Hangup|Cause: 17", "Event: Hangup|Cause: 17")
    assert [packet["cause"] for packet in calls] == ["17"]


@for_each("name", ["queue*", "*", "conn?cted", "[x]"])
def test_a_glob_that_is_no_server_event_is_refused(peer: Peer, name: str) -> None:
    with pytest.raises(ValueError, match="event_"):
        peer.conn.bind(["event_x", name], Calls())
    assert peer.conn.listeners("event_x") == []


EVENT = "Event: Hangup|Channel: PJSIP/100-0001|Cause: 16|ChanVariable: a=1|ChanVariable: b=2"


@for_each(
    ("where", "wanted"),
    [
        ({"channel": "pjsip/100*"}, True),
        ({"CHANNEL": "PJSIP/???-*"}, True),
        ({"channel": "pjsip/200*"}, False),
        ({"channel": "pjsip/*", "cause": "17"}, False),
        ({"channel": "pjsip/*", "cause": ["17", "16"]}, True),
        ({"cause": []}, False),
        ({"chanvariable": "a=1"}, True),
        ({"chanvariable": "B=2"}, True),
        ({"chanvariable": "c=*"}, False),
        ({"missing": "*"}, False),
        ({}, True),
        (lambda packet: packet["cause"] == "16", True),
        (lambda packet: None, False),
    ],
)
def test_where(network: Network, where: Any, wanted: bool) -> None:
    for fold_case in (True, False):
        peer, calls = network.log_in(fold_case=fold_case), Calls()
        peer.conn.bind("event_hangup", calls, where=where)
        peer.say(EVENT)
        assert len(calls) == int(wanted)


def test_the_condition_of_a_callback_that_is_bound_again_is_replaced(peer: Peer) -> None:
    calls = Calls()
    peer.conn.bind("event_hangup", calls, where={"cause": "16"})
    peer.conn.bind("event_hangup", calls, where={"cause": "17"})
    peer.say("Event: Hangup|Cause: 16", "Event: Hangup|Cause: 17")
    assert [packet["cause"] for packet in calls] == ["17"]
    peer.conn.bind("event_hangup", calls)
    peer.say("Event: Hangup|Cause: 16")
    assert len(calls) == 2
    peer.conn.unbind("event_hangup", calls)
    peer.say("Event: Hangup|Cause: 16")
    assert len(calls) == 2


def test_a_predicate_that_raises_is_logged_and_harms_nobody_else(peer: Peer, expect_log: Any) -> None:
    expect_log("ERROR: callback .* raised")
    calls = Calls()
    peer.conn.bind("event_hangup", Calls(), where=lambda packet: packet["nothing"])
    peer.conn.bind("event_hangup", calls)
    peer.say("Event: Hangup")
    assert len(calls) == 1 and peer.conn.stats.handler_errors == 1


@for_each("where", [3, "channel", [("channel", "x")], {"channel": 3}, {"channel": [3]}, {3: "x"}, {"channel": b"x"}])
def test_a_where_that_is_none_is_refused(peer: Peer, where: Any) -> None:
    with pytest.raises(TypeError):
        peer.conn.bind("event_x", Calls(), where=where)
    assert peer.conn.listeners("event_x") == []


def test_a_repeated_header_is_searched_whole() -> None:
    packet = Packet([("event", "x"), ("member", "b")])
    assert condition({"member": "b"})(packet)


# -- Filter


def event(text: str) -> Packet:
    return Packet.parse(text.replace("|", "\r\n").encode())


INCLUDE = Filter("Hangup", "Channel", "starts_with", "PJSIP/")


@for_each(
    ("filters", "passed"),
    [
        ([], "hangup other"),
        ([Filter("Hangup")], "hangup"),
        ([INCLUDE], "hangup"),
        ([Filter("Hangup", "Channel", "starts_with", "pjsip/")], ""),
        ([Filter("Hangup", "Channel", "contains", "100")], "hangup"),
        ([Filter("Hangup", "Channel", "ends_with", "-1")], "hangup"),
        ([Filter("Hangup", "Channel", "exact", "PJSIP/100-1")], "hangup"),
        ([Filter(header="Channel", value="SIP/1")], "other"),
        ([Filter("Hangup", action="exclude")], "other"),
        ([Filter("Hangup"), Filter(header="Channel", match="contains", value="PJSIP", action="exclude")], ""),
        ([Filter("Hangup"), Filter("Other")], "hangup other"),
        ([Filter("Nothing")], ""),
        # names without Asterisk's case, which no server of it finds
        ([Filter("hangup")], ""),
        ([Filter("Hangup", "channel", "contains", "PJSIP")], ""),
        ([Filter("other", action="exclude")], "hangup other"),
    ],
)
def test_filters_together(filters: list[Filter], passed: str) -> None:
    events = [event("Event: Hangup|Channel: PJSIP/100-1"), event("Event: Other|Channel: SIP/1")]
    assert [one["event"].lower() for one in events if passes(filters, one)] == passed.split()


@for_each(
    ("values", "error"),
    [
        ({}, ValueError),
        ({"event": "x", "match": "regex", "header": "a", "value": "b"}, ValueError),
        ({"event": "x", "action": "drop"}, ValueError),
        ({"event": "x", "header": "a"}, ValueError),
        ({"event": "x", "value": "a"}, ValueError),
        ({"event": "x),action(exclude"}, ValueError),
        ({"header": "a b", "value": "x"}, ValueError),
        ({"header": "a", "value": "x\r\ny"}, ValueError),
        ({"header": "a", "value": " x"}, ValueError),
        ({"header": "a", "value": "x" * 2000}, ValueError),
        ({"event": 3}, TypeError),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(values: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Filter(**values)


@for_each("filters", ["Hangup", Filter("Hangup"), ["Hangup"], 3])
def test_what_is_no_sequence_of_filters_is_refused(network: Network, filters: Any) -> None:
    with pytest.raises(TypeError, match="filters"):
        network.pool(filters=filters)


NEW, OLD = b"Asterisk Call Manager/11.0.0\r\n", b"Asterisk Call Manager/5.0.4\r\n"
AUTH = {"authtype": "plain"}


def begin(network: Network, banner: bytes, **options: Any) -> tuple[Any, Any, list[str]]:
    pool, told = network.pool(**{**AUTH, **options}), []
    pool.bind("login", lambda conn, packet: told.append("login"))
    pool.get_connection(URL, lambda conn, packet: told.append("callback" if conn.connected else "failed"))
    network.pump()
    sock = network.sockets[-1]
    sock.take()
    network.say(banner, sock)
    sock.take()
    network.say(b"Response: Success\r\nMessage: Authentication accepted\r\n\r\n", sock)
    return pool, sock, told


def ids(data: bytes) -> list[str]:
    return [line[10:].decode() for line in data.split(b"\r\n") if line.startswith(b"ActionID: ")]


def test_a_server_that_knows_criteria_gets_the_filters_before_login_is_told(network: Network) -> None:
    _, sock, told = begin(network, NEW, filters=[INCLUDE, Filter("Newchannel", action="exclude")])
    sent = sock.take()
    assert told == []
    assert (
        b"MatchCriteria: action(include),name(Hangup),header(Channel),method(starts_with)\r\nFilter: PJSIP/\r\n" in sent
    )
    assert b"MatchCriteria: action(exclude),name(Newchannel),method(none)\r\n" in sent
    assert b"name(OriginateResponse)" in sent, "or a call's result would be filtered out"
    first, *others = ids(sent)
    network.say(f"Response: Success\r\nActionID: {first}\r\n\r\n".encode(), sock)
    assert told == []
    network.say(b"".join(f"Response: Success\r\nActionID: {one}\r\n\r\n".encode() for one in others), sock)
    assert told == ["login", "callback"]


@for_each("event", ["", "OriginateResponse"])
def test_a_filter_that_would_keep_results_from_us_is_applied_here_alone(network: Network, event: str) -> None:
    pool, sock, told = begin(network, NEW, filters=[Filter(event, "Channel", "starts_with", "SIP/", "exclude")])
    assert told == ["login", "callback"] and b"Filter" not in sock.take()
    heard, results, conns = Calls(), Calls(), []
    pool.on_event(heard)
    pool.get_connection(URL, lambda conn, packet: conns.append(conn))
    action_id = conns[0].originate({"Channel": "SIP/1", "Application": "Echo"}, None, on_result=results)
    network.pump()
    result = f"Event: OriginateResponse\r\nActionID: {action_id}\r\nResponse: Success\r\nChannel: SIP/1\r\n\r\n"
    network.say(result.encode(), sock)
    assert len(results) == 1 and heard == []


def test_an_older_server_gets_none_and_they_are_applied_here(network: Network) -> None:
    pool, sock, told = begin(network, OLD, filters=[INCLUDE])
    assert told == ["login", "callback"] and b"Filter" not in sock.take()
    heard = Calls()
    pool.on_event(heard)
    network.say(
        b"Event: Hangup\r\nChannel: SIP/1\r\n\r\nEvent: Hangup\r\nChannel: PJSIP/1\r\n\r\nEvent: Newexten\r\n\r\n", sock
    )
    assert [packet["channel"] for packet in heard] == ["pjsip/1"]


def test_a_server_that_refuses_all_filters_is_used_with_ours(network: Network, expect_log: Any) -> None:
    expect_log("WARNING: .*refused a filter: Permission denied")
    pool, sock, told = begin(network, NEW, filters=[INCLUDE])
    heard = Calls()
    pool.on_event(heard)
    for one in ids(sock.take()):
        network.say(f"Response: Error\r\nActionID: {one}\r\nMessage: Permission denied\r\n\r\n".encode(), sock)
    network.say(b"Event: Hangup\r\nChannel: SIP/1\r\n\r\n", sock)
    assert told == ["login", "callback"] and heard == []


def test_a_server_that_refuses_one_filter_would_keep_events_from_us(network: Network, expect_log: Any) -> None:
    expect_log("WARNING: .*refused a filter: Odd")
    _, sock, told = begin(network, NEW, filters=[INCLUDE])
    first, second = ids(sock.take())
    network.say(f"Response: Error\r\nActionID: {first}\r\nMessage: Odd\r\n\r\n".encode(), sock)
    network.say(f"Response: Success\r\nActionID: {second}\r\n\r\n".encode(), sock)
    assert told == ["failed"]


def test_a_loss_while_filters_are_sent_is_told_once(network: Network) -> None:
    _, sock, told = begin(network, NEW, filters=[INCLUDE])
    sock.eof()
    network.pump()
    assert told == ["failed"]
