"""Text that somebody else has put into a value, line ends included, changes no answer: the first headers decide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_network import URL, Calls, Network, Peer
from server_texts import CHALLENGE

from ami_client import ActionFailed, Connection

ExpectLog = Callable[[str], None]

# What a value may bring along, each in place of a genuine header further up.
FORGED = [
    "Response: Success",
    "Response: Error",
    "Response: Goodbye",
    "ActionID: foreign",
    "EventList: start",
    "EventList: Complete",
    "EventList: cancelled",
    "Event: StatusComplete",
    "Event: UserEvent",
    "Message: forged",
    "ListItems: 0",
    "ListItems: 99",
    "Reason: 4",
]
everything_forged = pytest.mark.parametrize("forged", [*FORGED, "|".join(FORGED), "|".join(reversed(FORGED))])


def seen(packet: Any) -> tuple[object, ...]:
    """What an answer's callback goes by."""
    return packet.first("response"), str(packet.error), len(packet.events), packet.complete is None, packet.suspect


# -- one Response


@everything_forged
@pytest.mark.parametrize("status", ["Success", "Error|Message: No such channel"])
def test_what_stands_behind_the_first_headers_of_a_response(peer: Peer, forged: str, status: str) -> None:
    calls, plain = Calls(), Calls()
    peer.say(f"Response: {status}|ActionID: {peer.conn.action('Getvar', plain)}|Value: x")
    own = peer.conn.action("Getvar", calls)
    peer.say(f"Response: {status.replace('|', f'|ActionID: {own}|')}|ActionID: {own}|Value: x|{forged}")
    assert [seen(one) for one in calls] == [seen(one) for one in plain]


def test_a_second_id_of_ours_is_no_answer_either(peer: Peer) -> None:
    first, second = Calls(), Calls()
    one, other = peer.conn.ping(first), peer.conn.ping(second)
    peer.say(f"Response: Success|ActionID: {one}|Value: x|ActionID: {other}")
    assert (len(first), len(second)) == (1, 0)


def test_an_id_before_the_response_counts_too(peer: Peer) -> None:
    calls = Calls()
    own = peer.conn.ping(calls)
    peer.say(f"ActionID: {own}|Response: Error|Message: no|Response: Success|ActionID: x")
    assert [str(packet.error) for packet in calls] == ["no"]


@pytest.mark.parametrize("action", ["IAXnetstats", "FAXStats", "WaitEvent", "IAXpeers", "SKINNYdevices"])
def test_the_odd_actions_too(peer: Peer, action: str) -> None:
    calls = Calls()
    own = peer.conn.action(action, calls)
    peer.say(f"Response: Error|ActionID: {own}|Message: no|Response: Success|EventList: start|ActionID: x")
    assert [str(packet.error) for packet in calls] == ["no"]


def test_the_answer_to_a_logoff(peer: Peer) -> None:
    calls = Calls()
    own = peer.conn.logoff(calls)
    peer.say(f"Response: Error|ActionID: {own}|Message: Asterisk is shutting down|Response: Goodbye")
    peer.sock.eof()
    peer.network.pump()
    assert type(calls[0].error) is ActionFailed
    assert "closed" in str(peer.conn.error)  # it was not logged off


# -- the login


@pytest.mark.parametrize(("said", "connected"), [("Success|Response: Error", True), ("Error|Response: Success", False)])
def test_the_answer_to_the_login(network: Network, said: str, connected: bool) -> None:
    found: list[Connection] = []
    network.pool().get_connection(URL, found.append)
    network.answer_login(f"Response: {said}\r\n\r\n".replace("|", "\r\n").encode())
    assert [conn.connected for conn in found] == [connected]


def test_the_challenge_of_the_login(network: Network) -> None:
    network.pool(authtype="md5").get_connection(URL, Calls())
    network.pump()
    network.say(b"Asterisk Call Manager/9.0.0\r\n")
    network.sockets[-1].take()
    network.say(CHALLENGE)
    key = network.sockets[-1].take()
    network.pool(authtype="md5").get_connection(URL, Calls())
    network.pump()
    network.say(b"Asterisk Call Manager/9.0.0\r\n")
    network.sockets[-1].take()
    network.say(CHALLENGE.replace(b"\r\n\r\n", b"\r\nChallenge: 666\r\n\r\n"))
    assert network.sockets[-1].take() == key


# -- the result of a call


@pytest.mark.parametrize(("said", "answered"), [("Success|Reason: 4|Response: Failure", True), ("Failure", False)])
def test_the_result_of_a_call(peer: Peer, said: str, answered: bool) -> None:
    calls, results = Calls(), Calls()
    own = peer.conn.originate({"Channel": "SIP/1"}, calls, on_result=results)
    peer.say(f"Response: Success|ActionID: {own}")
    peer.say(f"Event: OriginateResponse|ActionID: {own}|Response: {said}|Exten: x|ActionID: y|Response: Success")
    assert [packet.error is None for packet in results] == [answered]


def test_an_event_of_another_kind_is_no_result(peer: Peer) -> None:
    results = Calls()
    own = peer.conn.originate({"Channel": "SIP/1"}, None, on_result=results)
    peer.say(f"Response: Success|ActionID: {own}")
    peer.say(f"Event: UserEvent|ActionID: {own}|Event: OriginateResponse|Response: Error")
    peer.say(f"Event: Newexten|ActionID: {own}|AppData: x|Response: Error|Event: OriginateResponse")
    assert results == []


# -- a list


KINDS = pytest.mark.parametrize("kind", ["gathered", "composite"])


def ask(peer: Peer, kind: str) -> tuple[str, Calls]:
    calls = Calls()
    if kind == "composite":
        return peer.conn.status(calls), calls
    return peer.conn.action("Status", calls), calls


def response_of(calls: Calls) -> Any:
    (answer,) = calls
    return answer[0] if isinstance(answer, list) else answer


def entries_of(calls: Calls) -> list[Any]:
    (answer,) = calls
    return answer[1:-1] if isinstance(answer, list) else answer.events


@KINDS
@everything_forged
def test_what_stands_in_an_entry(peer: Peer, kind: str, forged: str) -> None:
    own, calls = ask(peer, kind)
    peer.say(f"Response: Success|ActionID: {own}|EventList: start|Message: x")
    for number in range(3):
        peer.say(f"Event: Status|ActionID: {own}|Number: {number}|AppData: x|{forged}")
    assert calls == []
    peer.say(f"Event: StatusComplete|ActionID: {own}|EventList: Complete|ListItems: 3|X: y|{forged}")
    assert [one["number"] for one in entries_of(calls)] == ["0", "1", "2"]
    assert response_of(calls).error is None and response_of(calls).suspect is False


@KINDS
def test_an_entry_whose_own_id_stands_behind_a_forged_one(peer: Peer, kind: str) -> None:
    own, calls = ask(peer, kind)
    peer.say(f"Response: Success|ActionID: {own}|EventList: start")
    peer.say(f"Event: Status|Variable: x|ActionID: forged|EventList: Complete|ActionID: |ActionID: {own}|N: 1")
    peer.say(f"Event: StatusComplete|ActionID: {own}|EventList: Complete|ListItems: 1")
    assert [one["n"] for one in entries_of(calls)] == ["1"] and response_of(calls).suspect is False


@KINDS
def test_an_entry_that_is_lost_makes_the_list_suspect(peer: Peer, kind: str, expect_log: ExpectLog) -> None:
    expect_log("may have lost parts")
    own, calls = ask(peer, kind)
    peer.say(f"Response: Success|ActionID: {own}|EventList: start", "Event: Status|ActionID: forged")
    peer.say(f"Event: StatusComplete|ActionID: {own}|EventList: Complete|ListItems: 1")
    assert entries_of(calls) == [] and response_of(calls).suspect is True


def test_an_event_with_several_ids_outside_of_a_list_has_the_first_one(peer: Peer) -> None:
    results, events = Calls(), Calls()
    peer.conn.on_event(events)
    own = peer.conn.originate({"Channel": "SIP/1"}, None, on_result=results)
    peer.say(f"Event: OriginateResponse|ActionID: foreign|Response: Failure|Exten: x|ActionID: {own}")
    assert results == [] and len(events) == 1


@pytest.mark.parametrize("place", ["Message: x|EventList: start", "X: y|ActionID: z|EventList: start"])
def test_a_list_begins_only_where_servers_say_so(peer: Peer, place: str) -> None:
    calls = Calls()
    own = peer.conn.action("Getvar", calls)
    peer.say(f"Response: Success|ActionID: {own}|{place}")
    assert [packet.events for packet in calls] == [[]]


@pytest.mark.parametrize(
    "headers", ["ActionID: {}|EventList: Complete|ListItems: 1", "EventList: Complete|ListItems: 1|ActionID: {}"]
)
def test_a_list_ends_where_servers_say_so_old_ones_too(peer: Peer, headers: str) -> None:
    own, calls = ask(peer, "gathered")
    peer.say(f"Response: Success|ActionID: {own}|EventList: start", f"Event: Status|ActionID: {own}")
    peer.say(f"Event: StatusComplete|{headers.format(own)}")
    assert response_of(calls).suspect is False


# -- a list that goes on behind its end


@KINDS
def test_a_list_that_goes_on_behind_its_end_is_suspect(peer: Peer, kind: str, expect_log: ExpectLog) -> None:
    expect_log(r"WARNING: .* a list that continued after its end may have lost parts")
    own, calls = ask(peer, kind)
    events = Calls()
    peer.conn.on_event(events)
    peer.say(f"Response: Success|ActionID: {own}|EventList: start", f"Event: Status|ActionID: {own}")
    peer.say(f"Event: StatusComplete|ActionID: {own}|EventList: Complete|ListItems: 1", "Event: Hangup")
    assert response_of(calls).suspect is False and peer.conn.suspect is None
    peer.say(*[f"Event: Status|ActionID: {own}|N: {number}" for number in range(3)])
    assert response_of(calls).suspect is True and peer.conn.suspect is response_of(calls)
    assert peer.conn.stats.suspects == 1  # told once
    assert len(events) == 4  # nothing is lost


def test_it_is_noticed_even_if_nobody_listens(peer: Peer, expect_log: ExpectLog) -> None:
    expect_log("may have lost parts")
    own, calls = ask(peer, "gathered")
    peer.say(f"Response: Success|ActionID: {own}|EventList: start")
    peer.say(f"Event: StatusComplete|ActionID: {own}|EventList: Complete")
    peer.say("Event: Hangup", "Event: Hangup", f"Event: Status|ActionID: {own}", "Event: Hangup")
    assert response_of(calls).suspect is True and peer.conn.stats.events == 4


def test_what_follows_an_assertion_that_is_no_end_is_no_sign(peer: Peer) -> None:
    calls = Calls()
    own = peer.conn.action("Status", calls, None, {"event": "status"})
    peer.say(f"Response: Success|ActionID: {own}|EventList: start", *[f"Event: Status|ActionID: {own}"] * 3)
    assert len(calls) == 1 and calls[0][0].suspect is False


def test_a_user_event_behind_the_end_is_no_sign(peer: Peer) -> None:
    own, calls = ask(peer, "gathered")
    peer.say(f"Response: Success|ActionID: {own}|EventList: start")
    peer.say(f"Event: StatusComplete|ActionID: {own}|EventList: Complete", f"Event: UserEvent|ActionID: {own}")
    assert response_of(calls).suspect is False


# -- ids that somebody knows


@KINDS
@pytest.mark.parametrize("when", ["before the Response", "in the list"])
def test_a_user_event_is_no_part_of_an_answer(peer: Peer, kind: str, when: str) -> None:
    own, calls = ask(peer, kind)
    events = Calls()
    peer.conn.on("event_userevent", events)
    forged = [
        f"Event: UserEvent|ActionID: {own}|Event: StatusComplete|EventList: Complete",
        f"Event: UserEvent|ActionID: {own}|EventList: Complete|ListItems: 0",
        f"Event: UserEvent|ActionID: {own}",
    ]
    said = [f"Response: Success|ActionID: {own}|EventList: start"]
    peer.say(*([*forged, *said] if when == "before the Response" else [*said, *forged]))
    assert len(events) == 3 and calls == []
    peer.say(f"Event: Status|ActionID: {own}")
    peer.say(f"Event: StatusComplete|ActionID: {own}|EventList: Complete|ListItems: 1")
    assert [one.event_name for one in entries_of(calls)] == ["status"]


@pytest.mark.parametrize("action", ["FAXStats", "IAXpeers", "SKINNYdevices"])
def test_a_user_event_is_no_part_of_an_odd_one_either(peer: Peer, action: str) -> None:
    calls = Calls()
    own = peer.conn.action(action, calls)
    start = "" if action == "FAXStats" else "|EventList: start"
    peer.say(f"Response: Success|ActionID: {own}{start}", f"Event: UserEvent|ActionID: {own}|Event: PeerEntry")
    peer.say("Event: UserEvent|EventList: Complete|UserEvent: PeerEntry")
    assert calls == []


def test_a_user_event_that_waitevent_gathers_stays_an_event(peer: Peer) -> None:
    calls, events = Calls(), Calls()
    peer.conn.on("event_userevent", events)
    own = peer.conn.action("WaitEvent", calls)
    peer.say(f"Response: Success|ActionID: {own}", f"Event: UserEvent|ActionID: {own}", "Event: WaitEventComplete")
    assert len(events) == 1


@KINDS
def test_what_comes_before_the_response_is_no_part_of_the_answer(peer: Peer, kind: str) -> None:
    own, calls = ask(peer, kind)
    events = Calls()
    peer.conn.on_event(events)
    peer.say(f"Event: Status|ActionID: {own}|N: early")
    peer.say(f"Response: Success|ActionID: {own}|EventList: start", f"Event: Status|ActionID: {own}|N: 1")
    peer.say(f"Event: StatusComplete|ActionID: {own}|EventList: Complete|ListItems: 1")
    assert [one["n"] for one in entries_of(calls)] == ["1"]
    assert [one["n"] for one in events] == ["early"] and response_of(calls).suspect is False


def test_what_came_before_the_response_is_told_before_the_answer_is(peer: Peer) -> None:
    told: list[str] = []
    peer.conn.on_event(lambda conn, packet: told.append(packet["event"]))
    own = peer.conn.action("X", lambda conn, packets: told.append("answer"), None, {"response": "success"})
    peer.say(f"Event: A|ActionID: {own}", f"Event: B|ActionID: {own}", f"Response: Success|ActionID: {own}")
    assert told == ["a", "b", "answer"] and peer.conn.stats.events == 2
