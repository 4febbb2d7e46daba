"""Which action a packet answers, seen from the Session: each one is answered once, and nobody gets another's."""

from __future__ import annotations

import pytest
from engine_client import Client, complete, event, message, originate, response, start
from server_texts import BANNER, WELCOME

from ami_client._engine.in_flight import MAX_ABANDONED
from ami_client.errors import ActionFailed, ActionTimeout
from ami_client.packet import Kind

LATE = ActionTimeout("no answer in time")


@pytest.fixture
def client() -> Client:
    return Client.logged_in()


# Answers


def test_single_answers_in_whatever_order(client: Client) -> None:
    first, second = client.send("Ping"), client.send("Ping")
    client.feed(response(second, "N: 2"), response(first, "N: 1"))
    assert client.only(first)["n"] == "1"
    assert client.only(second)["n"] == "2"


def test_an_answer_is_given_once(client: Client) -> None:
    pending = client.send("Ping")
    client.feed(response(pending), response(pending))
    assert client.only()["response"] == "success"
    assert client.session.stats.dropped == 1


def test_ids_are_compared_without_case_of_ascii_letters(client: Client) -> None:
    pending = client.send("Ping", {"ActionID": "CallerID-ÄA"})
    client.feed(message("Response: Success", "ActionID: callerid-Äa"))
    assert client.only(pending)


def test_an_error_is_an_answer(client: Client) -> None:
    pending = client.send("Redirect")
    client.feed(response(pending, "Message: No such Channel", status="Error"))
    assert isinstance(client.only(pending).error, ActionFailed)
    assert str(client.only().error) == "No such Channel"


def test_an_answer_that_nobody_waits_for_is_dropped(client: Client) -> None:
    client.session.send("Ping", {"ActionID": "mine"})
    client.feed(message("Response: Success", "ActionID: mine"), message("Response: Success", "ActionID: foreign"))
    client.feed(message("Response: Error", "Message: Missing action in request"), message("Junk: x"))
    assert client.outcomes == []
    assert client.session.stats.dropped == 4


@pytest.mark.parametrize("first_header", ["Event: UserEvent", "Event: OriginateResponse"])
def test_an_event_with_our_id_before_the_response_is_an_event(client: Client, first_header: str) -> None:
    pending = client.send("UserEvent")
    client.feed(message(first_header, f"ActionID: {pending.action_id}", "Response: Success"), response(pending))
    assert client.only(pending).kind is Kind.RESPONSE
    assert len(client.events) == 1


def test_events_of_other_clients_are_events(client: Client) -> None:
    client.send("Ping")
    client.feed(event("OriginateResponse", None, "ActionID: theirs", "Response: Success"), event("Hangup"))
    assert [one["event"] for one in client.events] == ["originateresponse", "hangup"]
    assert client.done == []


def test_a_list_is_an_answer_and_its_entries_are_no_events(client: Client) -> None:
    pending = client.send("Status")
    client.feed(start(pending), event("Status", pending), event("Status", pending))
    assert client.done == []
    client.feed(complete("StatusComplete", pending))
    packet = client.only(pending)
    assert [one["event"] for one in packet.events] == ["status", "status"]
    assert packet.complete["event"] == "statuscomplete"
    assert client.events == []


def test_lists_may_interleave(client: Client) -> None:
    status = client.send("Status", assertions=[{"event": "statuscomplete"}])
    peers, ping = client.send("SIPpeers"), client.send("Ping")
    client.feed(response(status), start(peers), event("Status", status), event("PeerEntry", peers), event("Hangup"))
    client.feed(response(ping), complete("PeerlistComplete", peers), event("StatusComplete", status))
    assert client.done == [ping, peers, status]
    assert [one.get("event") for one in client.only(status)] == [None, "status", "statuscomplete"]
    assert [one["event"] for one in client.only(peers).events] == ["peerentry"]
    assert [one["event"] for one in client.events] == ["hangup"]


def test_an_error_ends_a_list(client: Client) -> None:
    pending = client.send("CoreShowChannelMap")
    client.feed(start(pending), event("CoreShowChannelMap", pending), response(pending, "Message: x", status="Error"))
    packet = client.only(pending)
    assert str(packet.error) == "x"
    assert len(packet.events) == 1


def test_answers_are_understood_with_fold_case_off() -> None:
    client = Client.logged_in(fold_case=False)
    pending = client.send("Status", {"ActionID": "MiXed"})
    client.feed(message("Response: Success", "ActionID: MIXED", "EventList: START"), event("Status", pending))
    client.feed(complete("StatusComplete", pending))
    assert client.only(pending).events[0]["event"] == "Status"


# Odd actions


def test_iaxpeers_has_entries_without_an_id(client: Client) -> None:
    pending = client.send("IAXpeers")
    client.feed(event("PeerEntry"), start(pending), event("PeerEntry"), event("Hangup"), event("PeerEntry"))
    client.feed(complete("PeerlistComplete", pending), event("PeerEntry"))
    assert len(client.only(pending).events) == 2
    assert [one["event"] for one in client.events] == ["peerentry", "hangup", "peerentry"]


def test_waitevent_gathers_events_that_stay_events(client: Client) -> None:
    pending, ping = client.send("WaitEvent"), client.send("Ping")
    client.feed(event("Before"), response(pending), event("Wake"), event("Other", None, "ActionID: theirs"))
    client.feed(event("WaitEventComplete", pending), event("After"), response(ping))
    assert [one["event"] for one in client.only(pending).events] == ["wake", "other"]
    assert client.only(pending).complete["event"] == "waiteventcomplete"
    assert [one["event"] for one in client.events] == ["before", "wake", "other", "after"]
    assert client.only(ping)


@pytest.mark.parametrize("action", ["SKINNYdevices", "SKINNYlines"])
def test_skinny_merges_its_lists(client: Client, action: str) -> None:
    pending = client.send(action)
    own = f"ActionID: {pending.action_id}"
    client.feed(
        start(pending),
        message("Event: Entry", own, "X: 1", "Event: Entry", own, "X: 2", "Event: Done", own, "EventList: Complete"),
    )
    packet = client.only(pending)
    assert [one["x"] for one in packet.events] == ["1", "2"]
    assert packet.complete["event"] == "done"


@pytest.mark.parametrize("action", ["IAXnetstats", "SKINNYshowdevice", "SKINNYshowline"])
def test_raw_text_ends_at_a_ping_behind_the_action(client: Client, action: str) -> None:
    pending, ping = client.send(action), client.send("Ping")
    odd, fence, _ = client.sent()
    assert odd == f"Action: {action}\r\nActionID: {pending.action_id}\r\n\r\n".encode()
    fence_id = fence.split(b"ActionID: ")[1].strip().decode()
    assert fence.startswith(b"Action: Ping\r\n")
    client.feed(b"IAX2/a 1  \n(None) 2\n\r\n" + message("Response: Success", f"ActionID: {fence_id}") + response(ping))
    packet = client.only(pending)
    assert packet.output == ["IAX2/a 1  ", "(None) 2"]
    assert packet == {"response": "success", "actionid": pending.action_id}
    assert client.only(ping)
    assert len(client.done) == 2
    assert client.session.stats.dropped == 0


def test_no_text_at_all_is_an_answer_too(client: Client) -> None:
    pending = client.send("IAXnetstats")
    client.feed(b"\r\n" + message("Response: Success", "ActionID: id-2"))
    assert client.only(pending).output == []


def test_a_raw_text_action_that_is_refused(client: Client) -> None:
    pending, ping = client.send("IAXnetstats"), client.send("IAXnetstats")
    client.feed(response(pending, "Message: Permission denied", status="Error"))
    client.feed(message("Response: Success", "ActionID: id-2"))
    assert str(client.only(pending).error) == "Permission denied"
    client.feed(b"text\n\r\n" + message("Response: Success", "ActionID: id-4"))
    assert client.only(ping).output == ["text"]


def test_text_before_an_error_is_no_event(client: Client) -> None:
    pending = client.send("IAXnetstats")
    client.feed(b"text\n\r\n" + response(pending, "Message: no", status="Error"))
    assert client.only(pending).error is not None and client.events == []


def test_without_a_callback_there_is_no_fence(client: Client) -> None:
    client.session.send("IAXnetstats")
    assert len(client.sent()) == 1
    client.feed(b"text\n\r\n" + event("Hangup"))
    assert client.session.stats.dropped == 1
    assert len(client.events) == 1


# Giving up


def test_an_action_given_up_is_answered_by_its_failure_alone(client: Client) -> None:
    pending = client.send("Ping")
    failure = client.session.give_up(pending, LATE)
    assert failure == {"response": "error", "message": "no answer in time", "actionid": "id-1"}
    assert failure.error is LATE
    assert client.session.give_up(pending, LATE) is None
    client.feed(response(pending), response(pending))
    assert client.outcomes == []
    assert client.session.stats.dropped == 1  # the second: nobody knows it any more
    assert client.lose() == []


def test_after_the_answer_there_is_nothing_to_give_up(client: Client) -> None:
    pending = client.send("Ping")
    client.feed(response(pending))
    assert client.session.give_up(pending, LATE) is None


def test_a_late_list_is_swallowed_whole(client: Client) -> None:
    pending, composite = client.send("Status"), client.send("Status", assertions=[{"event": "statuscomplete"}])
    client.feed(start(pending), event("Status", pending))
    failure = client.session.give_up(pending, LATE)
    assert len(failure.events) == 1  # type: ignore[union-attr]
    client.feed(event("Status", pending), complete("StatusComplete", pending), response(composite))
    partial = client.session.give_up(composite, LATE)
    assert [len(failure.events), len(partial)] == [1, 2]  # type: ignore[union-attr,arg-type]
    client.feed(event("Status", composite), event("StatusComplete", composite), event("Status", pending))
    assert client.done == []
    assert [one["event"] for one in client.events] == ["status"]  # behind the end: nobody's


def test_late_entries_without_an_id_are_swallowed_too(client: Client) -> None:
    pending = client.send("IAXpeers")
    client.feed(start(pending))
    client.session.give_up(pending, LATE)
    client.feed(event("PeerEntry"), complete("PeerlistComplete", pending), event("PeerEntry"))
    assert client.done == []
    assert len(client.events) == 1


def test_late_raw_text_is_not_taken_for_anothers(client: Client) -> None:
    late, pending = client.send("IAXnetstats"), client.send("IAXnetstats")
    client.session.give_up(late, LATE)
    client.feed(b"one\n\r\n" + message("Response: Success", "ActionID: id-2"))
    client.feed(b"two\n\r\n" + message("Response: Success", "ActionID: id-4"))
    assert client.only(pending).output == ["two"]
    assert len(client.done) == 1


def test_an_action_given_up_before_the_login_is_never_sent() -> None:
    client = Client()
    gone, stays = client.send("IAXnetstats"), client.send("IAXnetstats")
    assert client.session.give_up(gone, LATE) is not None
    client.feed(BANNER, WELCOME)
    assert [one for one in client.sent() if b"ActionID: id-1\r\n" in one or b"ActionID: id-2\r\n" in one] == []
    client.feed(b"text\n\r\n" + message("Response: Success", "ActionID: id-4"))
    assert client.only(stays).output == ["text"]
    client.send("Ping", {"ActionID": "id-1"})  # nothing is left of it


def test_an_id_stays_taken_while_an_answer_may_come(client: Client) -> None:
    pending = client.send("Ping", {"ActionID": "mine"})
    client.session.give_up(pending, LATE)
    with pytest.raises(ValueError, match="in flight"):
        client.send("Ping", {"ActionID": "mine"})
    client.feed(response(pending))
    again = client.send("Ping", {"ActionID": "mine"})
    client.feed(response(again))
    assert client.only(again)


def test_what_is_remembered_of_actions_given_up_is_bounded(client: Client) -> None:
    for _ in range(MAX_ABANDONED + 1):
        last = client.send("Ping")
        client.session.give_up(last, LATE)
    client.feed(message("Response: Success", "ActionID: id-1"))
    assert client.session.stats.dropped == 1  # forgotten
    client.feed(message("Response: Success", "ActionID: id-2"))
    assert client.session.stats.dropped == 1  # still known


# Results of calls


@pytest.mark.parametrize(("status", "failed"), [("Success", False), ("Failure", True)])
def test_the_result_of_a_call_comes_by_event(client: Client, status: str, failed: bool) -> None:
    pending, result = originate(client)
    client.feed(response(pending, "Message: Originate successfully queued"), event("Newchannel"))
    assert client.done == [pending]
    outcome = event("OriginateResponse", pending, f"Response: {status}", "Reason: 4")
    client.feed(outcome, outcome)
    assert (client.only(result).error is not None) == failed
    assert [one["event"] for one in client.events] == ["newchannel", "originateresponse", "originateresponse"]


def test_a_refused_call_has_its_refusal_as_result(client: Client) -> None:
    pending, result = originate(client)
    client.feed(response(pending, "Message: Channel not specified", status="Error"))
    assert client.only(pending) is client.only(result)
    assert str(client.only(result).error) == "Channel not specified"
    assert client.lose() == []


def test_a_result_alone_is_told_of_the_refusal(client: Client) -> None:
    pending = client.session.send("Originate")
    result = client.session.expect_result(pending.action_id, print)
    client.feed(response(pending, "Message: Channel not specified", status="Error"))
    assert isinstance(client.only(result).error, ActionFailed)


def test_a_result_may_come_before_the_response(client: Client) -> None:
    pending, result = originate(client)
    client.feed(event("OriginateResponse", pending, "Response: Success"), response(pending))
    assert client.done == [result, pending]
    assert len(client.events) == 1


def test_a_result_given_up_comes_as_an_event(client: Client) -> None:
    pending, result = originate(client)
    client.feed(response(pending))
    assert client.session.give_up(result, LATE).error is LATE  # type: ignore[union-attr]
    client.feed(event("OriginateResponse", pending, "Response: Success"))
    assert len(client.done) == len(client.events) == 1
