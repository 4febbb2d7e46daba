"""Calls on the embedded server: their life as events, lists and results tell it."""

from __future__ import annotations

import pytest
from raw_client import Client, NewClient, ServerFactory

from ami_client.testing import FakeAsterisk
from ami_client.testing.telephony import split_variables

ORIGINATE = "Action: Originate\nContext: office\nExten: 101\nPriority: 1\nAsync: 1\nActionID: o"


def names(client: Client) -> list[str]:
    """Return the names of the events that came, and "Response" for each response."""
    return [value if name == "Event" else name for (name, value), *_ in client.packets]


@pytest.mark.parametrize(
    ("line", "pairs"),
    [
        ("A=1,B=2", [("A", "1"), ("B", "2")]),
        ('A="1,2",B=x', [("A", "1,2"), ("B", "x")]),
        (r"A=1\,2,B=\"q\"\\", [("A", "1,2"), ("B", '"q"\\')]),
        ("A=f(1,2),noequals,B=x=y", [("A", "f(1,2)"), ("B", "x=y")]),
        ("A=", [("A", "")]),
    ],
)
def test_variables_are_taken_apart_as_the_server_does(line: str, pairs: list[tuple[str, str]]) -> None:
    assert split_variables(line) == pairs


def test_a_call_goes_through_its_life(server: FakeAsterisk, client: Client) -> None:
    client.send(ORIGINATE + '\nChannel: Local/100@office\nCallerID: "Ann" <77>')
    client.until(lambda: len(client.events("Hangup")) == 2)
    far = ["Newexten", "Newexten", "VarSet", "Newexten"]  # Answer, Set, Wait
    main = ["Newexten", "Newexten"]  # Answer, Echo
    assert names(client) == [
        "Response",
        *["Newchannel", "Newchannel", "Newexten"],
        *["NewCallerid", "NewConnectedLine"] * 2,
        *["LocalBridge", "DialBegin", "Newstate", "DialState"],
        *["Newstate", "Newstate", "DialEnd", "OriginateResponse"],
        *far,
        *main,
        *["HangupRequest", "HangupRequest", "Hangup", "Hangup"],
    ]
    assert client.packets[0] == [
        ("Response", "Success"),
        ("ActionID", "o"),
        ("Message", "Originate successfully queued"),
    ]
    result = client.event("OriginateResponse")
    assert list(result.items()) == [
        ("Event", "OriginateResponse"),
        ("Privilege", "call,all"),
        ("ActionID", "o"),
        ("Response", "Success"),
        ("Channel", "Local/100@office-00000000;1"),
        ("Context", "office"),
        ("Exten", "101"),
        ("Reason", "4"),
        ("Uniqueid", result["Uniqueid"]),
        ("CallerIDNum", "77"),
        ("CallerIDName", "Ann"),
    ]
    hangup = client.event("Hangup")
    assert hangup["Uniqueid"] == result["Uniqueid"] == hangup["Linkedid"]
    assert (hangup["Cause"], hangup["Cause-txt"]) == ("16", "Normal Clearing")
    assert server.exchange.channels == []


def test_events_on_a_channel_have_asterisks_headers_in_its_order(client: Client) -> None:
    client.send(ORIGINATE + "\nChannel: PJSIP/Workshop")
    assert list(client.event("Newstate").items())[:9] == [
        ("Event", "Newstate"),
        ("Privilege", "call,all"),
        ("Channel", "PJSIP/Workshop-00000000"),
        ("ChannelState", "5"),
        ("ChannelStateDesc", "Ringing"),
        ("CallerIDNum", "<unknown>"),
        ("CallerIDName", "<unknown>"),
        ("ConnectedLineNum", "<unknown>"),
        ("ConnectedLineName", "<unknown>"),
    ]
    assert list(client.event("Newexten"))[-3:] == ["Extension", "Application", "AppData"]
    assert list(client.event("DialBegin"))[2] == "DestChannel"


def test_the_result_goes_to_all_sessions(server: FakeAsterisk, client: Client, new_client: NewClient) -> None:
    other = new_client(server)
    other.login("call")
    client.send(ORIGINATE + "\nChannel: PJSIP/Workshop")
    assert other.event("OriginateResponse")["ActionID"] == "o"
    other.until(lambda: other.events("Hangup"))
    assert other.events("Newexten") == []  # of class dialplan


def test_without_action_id_the_result_has_none(client: Client) -> None:
    client.send((ORIGINATE + "\nChannel: PJSIP/Workshop").replace("ActionID: o\n", ""))
    assert "ActionID" not in client.event("OriginateResponse")


@pytest.mark.parametrize(
    ("channel", "reason", "status", "hangups"),
    [
        ("Bogus/1", "0", [], []),
        ("PJSIP/nobody", "0", [], []),
        ("PJSIP/nomad", "0", [], []),  # it has no contact
        ("Local/999@office", "0", [], ["0", "0"]),
        ("Local/111@office", "5", ["BUSY"], ["17", "17"]),
        ("Local/112@office", "8", ["CONGESTION"], ["34", "34"]),
        ("Local/110@office", "3", [], ["19", "19"]),
    ],
)
def test_calls_that_fail(client: Client, channel: str, reason: str, status: list[str], hangups: list[str]) -> None:
    client.send(f"{ORIGINATE}\nChannel: {channel}\nTimeout: 5")
    client.until(lambda: len(client.events("Hangup")) == len(hangups))
    result = client.event("OriginateResponse")
    assert (result["Response"], result["Reason"]) == ("Failure", reason)
    assert (result["Channel"], result["Uniqueid"]) == (channel, "<unknown>")
    assert [event["DialStatus"] for event in client.events("DialEnd")] == status
    assert [event["Cause"] for event in client.events("Hangup")] == hangups


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ("", "Channel not specified"),
        ("Channel: noslash\nApplication: Wait", "Invalid channel"),
        ("Channel: Local/1\nTimeout: abc", "Invalid timeout"),
        ("Channel: Local/1\nPriority: x", "Invalid priority"),
        (
            "Channel: Local/1\nContext: office\nExten: 100",
            "Originate with 'Exten' requires 'Context' and 'Priority'",
        ),
        (
            "Channel: Local/1\nContext: office\nExten: none\nPriority: 1",
            "Extension does not exist.",
        ),
    ],
)
def test_originations_that_nobody_tries(client: Client, headers: str, message: str) -> None:
    (answer,) = client.ask(f"Action: Originate\nAsync: true\n{headers}".rstrip("\n"))
    assert answer == [("Response", "Error"), ("Message", message)]
    assert client.events("OriginateResponse") == []


@pytest.mark.parametrize("odd", ["\u00b2", "\u0663", "--5", "9" * 900, "1_0", "1.5"])
@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ("Originate\nChannel: Local/1\nTimeout: %s\nApplication: Wait", "Invalid timeout"),
        ("Originate\nChannel: Local/1\nPriority: %s\nApplication: Wait", "Invalid priority"),
        ("Redirect\nChannel: Local/1\nExten: 1\nPriority: %s", "Priority is invalid"),
        ("WaitEvent\nTimeout: %s", "Invalid timeout"),
        ("Hangup\nChannel: Local/1\nCause: %s", "No such channel"),
        ("Events\nEventMask: %s", None),
    ],
)
def test_numbers_that_are_none(client: Client, request_: str, message: str | None, odd: str) -> None:
    (answer,) = client.ask(f"Action: {request_ % odd}")
    if message is None:
        assert answer[0] == ("Response", "Success")
    else:
        assert answer == [("Response", "Error"), ("Message", message)]


@pytest.mark.parametrize(
    ("channel", "message"),
    [
        ("PJSIP/Workshop", "Originate successfully queued"),
        ("Local/111@office", "Originate failed"),
        ("Bogus/1", "Originate failed"),
    ],
)
def test_a_synchronous_origination_is_answered_when_it_is_over(client: Client, channel: str, message: str) -> None:
    client.send(f"Action: Originate\nChannel: {channel}\nApplication: Wait\nActionID: o")
    client.send("Action: Ping\nActionID: p")
    client.until(lambda: b"Pong" in client.data)
    assert client.packets[0][1:] == [("ActionID", "o"), ("Message", message)]
    assert client.events("OriginateResponse") == []


def test_what_happens_during_a_synchronous_origination_is_told_behind_its_answer(
    client: Client,
) -> None:
    client.send("Action: Originate\nChannel: PJSIP/Workshop\nApplication: Wait\nData: 1")
    client.send("Action: Ping")
    client.until(lambda: client.events("Hangup"))
    assert names(client) == [
        "Response",
        *["Newchannel", "Newexten", "DialBegin", "Newstate", "DialState", "Newstate", "DialEnd"],
        "Response",
        *["HangupRequest", "Hangup"],
    ]


def test_a_live_call_is_listed(new_server: ServerFactory, new_client: NewClient) -> None:
    server = new_server(call_length=None)
    client = new_client(server)
    client.login()
    client.send(ORIGINATE + "\nChannel: Local/100@office\nVariable: A=1,B=2\nVariable: A=3")
    client.until(lambda: "Echo" in [event["Application"] for event in client.events("Newexten")])
    _, *channels, end = client.ask("Action: CoreShowChannels\nActionID: c")
    assert [dict(channel)["Channel"] for channel in channels] == [
        "Local/100@office-00000000;1",
        "Local/100@office-00000000;2",
    ]
    assert [dict(channel)["Application"] for channel in channels] == ["Echo", "Wait"]
    assert ("ListItems", "2") in end
    packets = client.ask(f"Action: Status\nChannel: {server.exchange.channels[0].name}\nVariables: A,B,C\nActionID: s")
    _, status, end = packets
    assert status[:2] == [("Event", "Status"), ("Privilege", "Call")]
    assert status[-4:] == [
        ("Variable", "A=1"),
        ("Variable", "B=2"),
        ("Variable", "C=(null)"),
        ("ActionID", "s"),
    ]
    assert end[2:] == [("EventList", "Complete"), ("ListItems", "1"), ("Items", "1")]


@pytest.fixture
def up(new_server: ServerFactory, new_client: NewClient) -> Client:
    """A client who has a call up that nobody hangs up."""
    client = new_client(new_server(call_length=None))
    client.login()
    client.send(ORIGINATE + "\nChannel: PJSIP/Workshop")
    client.until(lambda: client.events("OriginateResponse"))
    client.data = b"\r\n"
    return client


def test_a_redirected_call_is_told_in_its_new_place(up: Client) -> None:
    channel = "Action: Redirect\nChannel: pjsip/workshop-00000000"
    answer, *events = up.ask(f"{channel}\nContext: office\nExten: 200\nPriority: 2")
    assert ("Message", "Redirect successful") in answer
    assert [(dict(event)["Extension"], dict(event)["Application"]) for event in events] == [
        ("200", "StartMusicOnHold"),
        ("200", "Wait"),
    ]
    for priority, message in (("", "Priority not specified"), ("x", "Priority is invalid")):
        (answer,) = up.ask(f"{channel}\nExten: 200\nPriority: {priority}")
        assert ("Message", message) in answer


def test_a_call_redirected_to_nowhere_is_hung_up(up: Client) -> None:
    up.send("Action: Redirect\nChannel: PJSIP/Workshop-00000000\nExten: none\nPriority: 1")
    assert up.event("Hangup")["Exten"] == "none"


def test_a_ringing_call_is_not_redirected(new_server: ServerFactory, new_client: NewClient) -> None:
    client = new_client(new_server(ring_time=60))
    client.login()
    client.send(ORIGINATE + "\nChannel: PJSIP/Workshop")
    channel = client.event("DialState")["DestChannel"]
    (answer,) = client.ask(f"Action: Redirect\nChannel: {channel}\nExten: 200\nPriority: 1")
    assert answer[0] == ("Response", "Error")
    client.send(f"Action: Hangup\nChannel: {channel}")
    assert client.event("OriginateResponse")["Reason"] == "1"


def test_hanging_up(up: Client) -> None:
    answer, request, hangup = up.ask("Action: Hangup\nChannel: PJSIP/Workshop-00000000\nCause: 17\nActionID: h")
    assert ("Message", "Channel Hungup") in answer
    assert request[0] == ("Event", "HangupRequest")
    assert hangup[-2:] == [("Cause", "17"), ("Cause-txt", "User busy")]


def test_hanging_up_by_a_regex_is_a_list(up: Client) -> None:
    up.send(ORIGINATE + "\nChannel: Local/100@office")
    up.until(lambda: up.events("OriginateResponse"))
    packets = up.ask("Action: Hangup\nChannel: /^Local.*/\nActionID: h")
    events = [packet for packet in packets if ("ActionID", "h") in packet]
    assert [packet[0][1] for packet in events] == [
        "Success",
        "ChannelHungup",
        "ChannelHungup",
        "ChannelsHungupListComplete",
    ]
    assert len(up.events("Hangup")) == 2
    (answer,) = up.ask("Action: Hangup\nChannel: /[/")
    assert answer[0] == ("Response", "Error")


def test_variables_of_a_live_channel(up: Client) -> None:
    channel = "Channel: PJSIP/Workshop-00000000"
    up.ask(f"Action: SetVar\n{channel}\nVariable: COLOUR\nValue: blue")
    assert up.event("VarSet")["Channel"] == "PJSIP/Workshop-00000000"
    (answer,) = up.ask(f"Action: Getvar\n{channel}\nVariable: COLOUR")
    assert dict(answer)["Value"] == "blue"
    (answer,) = up.ask("Action: Getvar\nVariable: COLOUR")
    assert dict(answer)["Value"] == ""
    up.ask(f"Action: SetVar\n{channel}\nVariable: CALLERID(name)\nValue: O'Brien?")
    assert up.event("NewCallerid")["CallerIDName"] == r"O\'Brien\?"
    (answer,) = up.ask(f"Action: Getvar\n{channel}\nVariable: CALLERID(all)")
    assert dict(answer)["Value"] == '"O\'Brien?" <>'


def test_calls_end_with_the_server(up: Client, new_server: ServerFactory) -> None:
    server = new_server(ring_time=60)
    server.close()
    assert server.exchange.channels == []


def test_a_quick_extension_ends_the_call_itself(server: FakeAsterisk, client: Client) -> None:
    server.exchange.call_length = None
    client.send(ORIGINATE + "\nChannel: Local/102@office")
    client.until(lambda: len(client.events("Hangup")) == 2)
    assert client.event("OriginateResponse")["Response"] == "Success"
    assert server.exchange.channels == []
