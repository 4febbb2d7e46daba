"""One pending action: which packets are its answer, and how the answer is put together."""

from __future__ import annotations

from typing import Any

import pytest
from engine_client import Client, message, read_one

from ami_client._engine.in_flight import Pending, PendingResult
from ami_client._engine.packet import first_is, mark_error
from ami_client._engine.quirks import QUIRKS, quirk_of
from ami_client.errors import ActionFailed, ActionTimeout
from ami_client.packet import Packet


def packet(*lines: str) -> Packet:
    return read_one(message(*lines))


def pending(action: str = "Status", *assertions: dict[str, object]) -> Pending:
    return Pending("id-1", action, None, assertions or None, quirk_of(action))


OK = packet("Response: Success", "ActionID: id-1")
START = packet("Response: Success", "ActionID: id-1", "EventList: start")
ENTRY = packet("Event: Status", "ActionID: id-1")
COMPLETE = packet("Event: StatusComplete", "ActionID: id-1", "EventList: Complete")
ERROR = packet("Response: Error", "ActionID: id-1", "Message:  No such Channel\n")


def take(action: Pending, *packets: Packet) -> Any:
    """Give it packets of which only the last one may complete the answer."""
    for one in packets[:-1]:
        assert action.take(one) is None
    return action.take(packets[-1])


# Without assertions


def test_a_response_is_the_answer() -> None:
    action = pending("Ping")
    assert take(action, OK) is OK
    assert OK.error is None


def test_an_error_says_what_the_server_said() -> None:
    answer = take(pending(), ERROR)
    assert answer is ERROR
    assert isinstance(answer.error, ActionFailed)
    assert str(answer.error) == "No such Channel"


def test_an_error_without_a_message() -> None:
    silent = packet("Response: Error")
    assert mark_error(silent)
    assert str(silent.error) == "the server gave no reason"


def test_an_event_before_the_response_is_not_wanted() -> None:
    action = pending()
    assert not action.wants(ENTRY)
    assert action.wants(OK)
    action.take(packet("Response: Success", "EventList: Start"))
    assert action.collecting
    assert action.wants(ENTRY)


@pytest.mark.parametrize("marker", ["start", "Start", "START "])
@pytest.mark.parametrize("end", ["Complete", "complete", "Cancelled", "cancelled"])
def test_a_list_goes_from_marker_to_marker(marker: str, end: str) -> None:
    start = packet("Response: Success", f"EventList: {marker}")
    done = packet("Event: Anything", f"EventList: {end}")
    answer = take(pending("Unheard"), start, ENTRY, ENTRY, done)
    assert answer is start
    assert answer.events == [ENTRY, ENTRY]
    assert answer.complete is done
    assert answer.error is None


def test_an_error_in_mid_list_keeps_the_entries() -> None:
    error = packet("Response: Error", "Message: Could not complete channel map")
    answer = take(pending(), packet("Response: Success", "EventList: start"), ENTRY, error)
    assert answer is error
    assert answer.events == [ENTRY]
    assert answer.complete is None
    assert str(answer.error) == "Could not complete channel map"


def test_a_second_response_changes_nothing() -> None:
    start = packet("Response: Success", "EventList: start")
    answer = take(pending(), start, ENTRY, OK, COMPLETE)
    assert answer is start
    assert answer.events == [ENTRY]


# With assertions


def test_a_composite_answer_is_every_packet() -> None:
    action = pending("Status", {"event": "StatusComplete"})
    assert action.wants(ENTRY)
    assert take(action, OK, ENTRY, ENTRY, COMPLETE) == [OK, ENTRY, ENTRY, COMPLETE]


@pytest.mark.parametrize(
    ("assertion", "holds"),
    [
        ({"event": "statuscomplete"}, True),
        ({" EVENT ": "STATUSCOMPLETE "}, True),
        ({"event": "statuscomplete", "eventlist": "complete"}, True),
        ({"event": "statuscomplete", "eventlist": "x"}, False),
        ({"event": "statuscomplete", "nosuch": ""}, False),
        ({"event": "status"}, False),
        ({"number": 5}, True),
        ({}, True),
    ],
)
def test_an_assertion_holds_when_each_key_has_its_value(assertion: dict[str, object], holds: bool) -> None:
    last = packet("Event: StatusComplete", "EventList: Complete", "Number: 5", "Other: x")
    assert take(pending("Status", assertion), last) == ([last] if holds else None)


def test_any_of_several_assertions_will_do() -> None:
    action = pending("CoreShowChannels", {"event": "nosuch"}, {"eventlist": "complete"})
    assert take(action, START, COMPLETE) == [START, COMPLETE]


def test_the_empty_assertion_takes_the_first_packet() -> None:
    assert take(pending("Status", {}), OK) == [OK]


def test_an_error_ends_a_composite_answer_at_once() -> None:
    action = pending("SIPpeers", {"event": "peerlistcomplete"})
    answer = take(action, ERROR)
    assert answer == [ERROR]
    assert isinstance(answer[0].error, ActionFailed)


def test_a_composite_answer_does_not_end_by_the_markers() -> None:
    assert take(pending("Status", {"event": "other"}), START, COMPLETE) is None


# When no answer comes


def test_failures() -> None:
    error = ActionTimeout("no answer in 1 s")
    failure = pending().fail(error)
    assert isinstance(failure, Packet)
    assert failure == {"response": "error", "message": "no answer in 1 s", "actionid": "id-1"}
    assert failure.error is error

    listing = pending()
    listing.take(packet("Response: Success", "EventList: start"))
    listing.take(ENTRY)
    failure = listing.fail(error)
    assert isinstance(failure, Packet)
    assert (failure.events, failure.complete, failure.error) == ([ENTRY], None, error)

    composite = pending("Status", {"event": "statuscomplete"})
    composite.take(OK)
    packets = composite.fail(error)
    assert isinstance(packets, list)
    assert packets[0] is OK
    assert packets[1].error is error


# Originate's result


def test_the_result_of_a_call_is_its_event_or_its_refusal() -> None:
    result = PendingResult("id-1", "Originate", None)
    answered = packet("Event: OriginateResponse", "Response: Success", "Reason: 4")
    failed = packet("Event: OriginateResponse", "Response: Failure", "Reason: 5")
    assert [result.wants(one) for one in (answered, failed, ERROR, OK, ENTRY)] == [True, True, True, False, False]
    assert take(result, answered) is answered
    assert answered.error is None
    assert take(result, failed) is failed
    assert isinstance(failed.error, ActionFailed)
    assert "reason 5" in str(failed.error)


def test_a_refusal_says_what_the_server_said() -> None:
    refusal = packet("Response: Error", "Message: Extension does not exist.")
    assert PendingResult("id-1", "Originate", None).take(refusal) is refusal
    assert str(refusal.error) == "Extension does not exist."


# Odd actions, by their table


def test_odd_actions_are_known_without_case() -> None:
    assert Client.logged_in().send(" WAITEVENT ").quirk is QUIRKS["waitevent"]
    assert all(name == name.lower() for name in QUIRKS)


@pytest.mark.parametrize("action", ["FAXSession", "FAXStats"])
def test_one_event_follows_the_response(action: str) -> None:
    response, event = packet("Response: Success"), packet(f"Event: {action}")
    answer = take(pending(action), response, event)
    assert answer is response
    assert answer.events == [event]
    assert answer.complete is None


def test_a_faxsession_that_is_not_there_is_an_error_at_once() -> None:
    assert take(pending("FAXSession"), ERROR) is ERROR


def test_waitevent_ends_without_markers() -> None:
    response, event = packet("Response: Success"), packet("Event: UserEvent")
    done = packet("Event: WaitEventComplete")
    answer = take(pending("WaitEvent"), response, event, done)
    assert (answer.events, answer.complete) == ([event], done)


def test_headers_are_compared_without_case() -> None:
    assert first_is(read_one(message("Event: X", "EventList: START"), fold_case=False), "eventlist", "start")
    assert not first_is(OK, "nosuch", "x")
