"""Forgery that real servers can be made to do, and the limit on logins under way."""

from __future__ import annotations

import pytest
from driver import Client, original
from servers import AsteriskServer

from ami_client import ActionFailed, Connection

# What URIDECODE makes of it stands raw in the server's answers.
FORGED = "x%0D%0A" + "%0D%0A".join(
    one.replace(":", "%3A").replace(" ", "%20")
    for one in (
        "Response: Error",
        "ActionID: foreign",
        "EventList: Complete",
        "EventList: start",
        "Event: StatusComplete",
        "ListItems: 1",
        "Message: forged",
    )
)


def second_user(client: Client) -> Connection:
    """Another session of the same server, which sees events and may send them."""
    client.conn.acquire()
    other = client.connect(f"{client.url}#events=off")
    other.acquire()
    return other


def test_headers_forged_by_a_value_of_an_answer(client: Client) -> None:
    answer = client.ask("Getvar", {"Variable": f"URIDECODE({FORGED})"})
    assert b"\r\nEventList: start\r\n" in answer.raw and b"\r\nResponse: Error" in answer.raw
    assert answer.error is None and answer.complete is None and answer.first("response") == "success"


@pytest.mark.parametrize("assertion", [None, {"event": "StatusComplete"}])
def test_headers_forged_by_a_value_of_an_entry(client: Client, assertion: dict[str, str] | None) -> None:
    for _ in range(3):
        client.call()
    answer = client.action("Status", {"Variables": f"URIDECODE({FORGED})"}, assertion)
    response, entries, end = (
        (answer[0], answer[1:-1], answer[-1]) if isinstance(answer, list) else (answer, answer.events, answer.complete)
    )
    assert len(entries) >= 3 and all(b"\r\nEventList: Complete" in one.raw for one in entries)
    assert end is not None and int(original(end, "ListItems")) == len(entries)
    assert response.error is None and not response.suspect


def test_an_event_of_another_user_with_our_id_before_the_response(client: Client) -> None:
    other = second_user(client)
    blocked, answer, sent = client.once("a call that is waited for"), client.once("Status"), client.once("UserEvent")
    # Until it has rung out, the session does nothing else: events queue up in front of the next answer.
    params = {"Channel": "Local/105@default/n", "Application": "Wait", "Data": 1, "Timeout": 1500}
    client.conn.action("Originate", blocked, params)
    client.conn.action("Status", answer, {"ActionID": "known"}, {"event": "StatusComplete"})
    forged = [("UserEvent", "x"), ("ActionID", "known"), ("Event", "StatusComplete"), ("EventList", "Complete")]
    other.action("UserEvent", sent, forged)
    client.until_called(blocked, answer, sent)
    assert isinstance(blocked.result.error, ActionFailed)
    response, *_entries, end = answer.result
    assert response.first("response") == "success" and end.event_name == "statuscomplete"
    assert not any(one.event_name == "userevent" for one in answer.result)
    assert client.until_event("StatusComplete").event_name == "userevent"  # as the dict view has it: it is emitted


def test_a_result_that_another_user_forges(client: Client) -> None:
    other = second_user(client)
    answer, result = client.once("Originate"), client.once("the result")
    params = {"Channel": "Local/105@default/n", "Application": "Wait", "Data": 1, "Timeout": 1500, "ActionID": "known"}
    client.conn.originate(params, answer, on_result=result)
    client.until_called(answer)
    for response in ("Failure", "Error", "Success"):
        forged = [("UserEvent", "x"), ("ActionID", "known"), ("Event", "OriginateResponse"), ("Response", response)]
        sent = client.once("UserEvent")
        other.action("UserEvent", sent, forged)
        client.until_called(sent)
    client.until(lambda: sum(one.event_name == "userevent" for one in client.events) == 3)
    assert result.calls == []
    client.until_called(result)
    assert result.result.event_name == "originateresponse" and isinstance(result.result.error, ActionFailed)


def test_a_command_that_fails_says_why(client: Client) -> None:
    answer = client.action("Command", {"Command": "nosuch command"})
    assert isinstance(answer.error, ActionFailed) and "No such command 'nosuch command'" in str(answer.error)


def test_a_burst_of_logins_above_authlimit_is_served(own_asterisk: AsteriskServer) -> None:
    own_asterisk.configure("manager.conf", "authlimit = 200", "authlimit = 5")
    own_asterisk.cli("manager reload")
    with Client(own_asterisk, reconnect=0.5) as client:
        callbacks = [client.once(f"call {number}") for number in range(32)]
        for callback in callbacks:
            client.pool.get_connection(client.url, callback, before_connect=Connection.acquire)
        client.until_called(*callbacks, limit=60)
        assert [callback.calls[0][0].connected for callback in callbacks] == [True] * 32
        assert client.pool.stats.connected == 32


def test_logins_above_authlimit_are_told_of_it(own_asterisk: AsteriskServer) -> None:
    own_asterisk.configure("manager.conf", "authlimit = 200", "authlimit = 1")
    own_asterisk.cli("manager reload")
    with Client(own_asterisk) as client:
        callbacks = [client.once(f"call {number}") for number in range(10)]
        for callback in callbacks:
            client.pool.get_connection(client.url, callback, before_connect=Connection.acquire)
        client.until_called(*callbacks, limit=60)
        errors = [str(callback.calls[0][0].error) for callback in callbacks if not callback.calls[0][0].connected]
        assert errors and all("authlimit" in one for one in errors)
