"""What the embedded server answers, built in and scripted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from raw_client import Client, NewClient, ServerFactory

from ami_client.testing import FakeAsterisk
from ami_client.testing.office import Caller, Office, SipPeer
from ami_client.testing.requests import Request
from ami_client.testing.script import Answer, Later, encode_answer


def test_small_answers(client: Client) -> None:
    def ask(text: str) -> dict[str, str]:
        packet, *_ = client.ask(text + "\nActionID: a")
        assert packet[1] == ("ActionID", "a")
        return dict(packet)

    assert list(ask("action: ping")) == ["Response", "ActionID", "Ping", "Timestamp"]
    assert ask("Action: Nope")["Message"] == (
        "Invalid/unknown command: Nope. Use Action: ListCommands to show available commands."
    )
    assert "Ping" in ask("Action: ListCommands")
    assert ask("Action: GetVar\nVariable: COMPANY")["Value"] == "Example & Sons"
    assert ask("Action: Getvar\nVariable: NONE")["Value"] == ""
    assert ask("Action: SetVar\nVariable: X\nValue: a: b")["Message"] == "Variable Set"
    assert ask("Action: Getvar\nVariable: X")["Value"] == "a: b"
    assert ask("Action: SetVar\nChannel: no/such\nVariable: X")["Message"] == "No such channel"
    assert ask("Action: SetVar")["Message"] == "No variable specified"
    assert ask("Action: Status\nChannel: no/such")["Message"] == "No such channel"
    assert ask("Action: Hangup\nChannel: no/such")["Message"] == "No such channel"
    assert ask("Action: ExtensionState\nExten: 101\nContext: office") == {
        "Response": "Success",
        "ActionID": "a",
        "Message": "Extension Status",
        "Exten": "101",
        "Context": "office",
        "Hint": "PJSIP/Workshop",
        "Status": "1",
        "StatusText": "InUse",
    }
    assert ask("Action: ExtensionState\nExten: no")["StatusText"] == "Unknown"
    assert ask("Action: Redirect\nChannel: no/such\nPriority: 1")["Message"] == ("Channel does not exist: no/such")


def test_a_variable_is_told_escaped_and_read_raw(client: Client) -> None:
    client.send('Action: SetVar\nVariable: Q\nValue: it\'s "q" \\')
    assert client.event("VarSet")["Value"] == r"it\'s \"q\" \\"
    (packet,) = client.ask("Action: Getvar\nVariable: Q")
    assert dict(packet)["Value"] == 'it\'s "q" \\'


def test_command_output_has_a_header_for_each_line(client: Client) -> None:
    (packet,) = client.ask("Action: Command\nCommand: core show uptime\nActionID: a")
    assert packet[:3] == [
        ("Response", "Success"),
        ("ActionID", "a"),
        ("Message", "Command output follows"),
    ]
    assert [value for name, value in packet if name == "Output"] == [
        "System uptime: 2 hours, 5 minutes",
        "Last reload: 2 hours, 5 minutes",
    ]
    (packet,) = client.ask("Action: Command\nCommand: nonsense")
    assert packet[0] == ("Response", "Error")
    assert dict(packet)["Output"].startswith("No such command 'nonsense'")
    (packet,) = client.ask("Action: Command\nCommand: logger rotate")
    assert packet[-1] == ("Output", "")


@pytest.mark.parametrize(
    ("action", "entries", "complete"),
    [
        ("SIPpeers", ["PeerEntry"] * 3, "PeerlistComplete"),
        ("IAXpeerlist", ["PeerEntry"] * 2, "PeerlistComplete"),
        ("PJSIPShowEndpoints", ["EndpointList"] * 3, "EndpointListComplete"),
        (
            "QueueStatus",
            ["QueueParams", "QueueMember", "QueueMember", "QueueEntry", "QueueParams"],
            "QueueStatusComplete",
        ),
        (
            "QueueStatus\nQueue: helpline\nMember: PJSIP/Workshop",
            ["QueueParams", "QueueMember"],
            "QueueStatusComplete",
        ),
        ("QueueStatus\nQueue: none", [], "QueueStatusComplete"),
        ("QueueSummary", ["QueueSummary"] * 2, "QueueSummaryComplete"),
        ("CoreShowChannels", [], "CoreShowChannelsComplete"),
        ("Status", [], "StatusComplete"),
    ],
)
def test_lists(server: FakeAsterisk, client: Client, action: str, entries: list[str], complete: str) -> None:
    server.office.queues[0].callers.append(Caller("PJSIP/nomad-00000007", wait=8))
    start, *events, end = client.ask(f"Action: {action}\nActionID: a")
    assert start[:3] == [("Response", "Success"), ("ActionID", "a"), ("EventList", "start")]
    assert [event[0] for event in events] == [("Event", name) for name in entries]
    assert all(("ActionID", "a") in event for event in events)
    assert end[:4] == [
        ("Event", complete),
        ("ActionID", "a"),
        ("EventList", "Complete"),
        ("ListItems", str(len(entries))),
    ]


def test_the_entries_of_iaxpeers_have_no_action_id(client: Client) -> None:
    start, *entries, end = client.ask("Action: IAXpeers\nActionID: a")
    assert ("ActionID", "a") in start
    assert ("ActionID", "a") in end
    assert len(entries) == 2
    assert "ActionID" not in {name for entry in entries for name, _ in entry}


def test_an_empty_list_of_endpoints_is_an_error_that_ends_in_a_bare_lf(server: FakeAsterisk, client: Client) -> None:
    server.office.endpoints.clear()
    client.ask("Action: PJSIPShowEndpoints\nActionID: a")
    assert b"Response: Error\r\nActionID: a\r\nMessage: No endpoints found\n\r\n\r\n" in client.data


def test_get_config(client: Client) -> None:
    (packet,) = client.ask("Action: GetConfig\nFilename: queues.conf\nCategory: helpline")
    assert packet == [
        ("Response", "Success"),
        ("Category-000000", "helpline"),
        ("Line-000000-000000", "strategy=ringall"),
        ("Line-000000-000001", "timeout=15"),
        ("Line-000000-000002", "member=PJSIP/front-desk,0,Dana Desk"),
        ("Line-000000-000003", "member=PJSIP/Workshop,2,Wim Shop"),
    ]
    (packet,) = client.ask("Action: GetConfig\nFilename: queues.conf\nCategory: no\nActionID: a")
    assert packet == [("Response", "Success"), ("ActionID", "a"), ("No categories found", "")]
    for name, message in (
        ("none.conf", "Config file not found"),
        ("/etc/passwd", "File requires escalated privileges"),
        ("", "Filename not specified"),
    ):
        (packet,) = client.ask(f"Action: GetConfig\nFilename: {name}")
        assert packet == [("Response", "Error"), ("Message", message)]


def test_get_config_json_repeats_keys(client: Client) -> None:
    (packet,) = client.ask("Action: GetConfigJSON\nFilename: queues.conf")
    assert dict(packet)["JSON"] == (
        '{"general":{"persistentmembers":"no"},"helpline":{"strategy":"ringall","timeout":"15",'
        '"member":"PJSIP/front-desk,0,Dana Desk","member":"PJSIP/Workshop,2,Wim Shop"},'
        '"night":{"strategy":"random"}}'
    )


def test_the_office_is_data_of_the_test(new_server: ServerFactory, new_client: NewClient) -> None:
    server = new_server(office=Office(sip_peers=[SipPeer("only", "192.0.2.77", 5099)]))
    client = new_client(server)
    client.login()
    _, entry, _ = client.ask("Action: SIPpeers")
    assert dict(entry)["IPaddress"] == "192.0.2.77"
    assert len(Office().sip_peers) == 3  # and not another office's


# Scripts


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"Response": "Success"}, b"Response: Success\r\nActionID: a\r\n\r\n"),
        (
            {"Response": "Success", "X": ["1", 2], "Y": None},
            b"Response: Success\r\nActionID: a\r\nX: 1\r\nX: 2\r\n\r\n",
        ),
        (
            [{"Response": "Success", "ActionID": None}, {"Event": "E", "ActionID": "other"}],
            b"Response: Success\r\n\r\nEvent: E\r\nActionID: other\r\n\r\n",
        ),
        ([("Response", "Success"), ("X", "1")], b"Response: Success\r\nActionID: a\r\nX: 1\r\n\r\n"),
        (b"raw \xff", b"raw \xff"),
        ("text é", "text é".encode()),
        (None, b""),
    ],
)
def test_the_bytes_of_answers(answer: Answer, expected: bytes) -> None:
    assert encode_answer(answer, "a") == expected


def test_an_action_can_be_scripted_and_given_back(server: FakeAsterisk, client: Client) -> None:
    server.on("ping", {"Response": "Error", "Message": "Not today"})
    client.send("Action: Ping\nActionID: 1")
    client.until(lambda: b"Not today" in client.data)
    server.off("PING")
    client.send("Action: Ping\nActionID: 2")
    client.until(lambda: b"Pong" in client.data)
    with pytest.raises(KeyError):
        server.off("Ping")


def test_an_unknown_action_becomes_known(server: FakeAsterisk, client: Client) -> None:
    server.on("Brew", lambda request: {"Response": "Success", "Cups": request.get("cups")})
    (answer,) = client.ask("Action: BREW\nCups: 3\nActionID: a")
    assert answer == [("Response", "Success"), ("ActionID", "a"), ("Cups", "3")]
    (answer,) = client.ask("Action: ListCommands")
    assert "Brew" in dict(answer)


def test_a_script_can_leave_it_to_the_built_in_answer(server: FakeAsterisk, client: Client) -> None:
    def answer(request: Request) -> Answer:
        return {"Response": "Error"} if request.get("Variable") == "BAD" else NotImplemented

    server.on("Getvar", answer)
    assert client.ask("Action: Getvar\nVariable: BAD")[0][0] == ("Response", "Error")
    assert client.ask("Action: Getvar\nVariable: COMPANY")[0][0] == ("Response", "Success")


def test_a_scripted_answer_can_be_late_and_holds_up_the_next(server: FakeAsterisk, client: Client) -> None:
    later = Later()
    server.on("Slow", lambda request: later)
    server.on("Tardy", {"Response": "Success", "Which": "tardy"}, delay=0.02)
    client.send("Action: Slow\n\nAction: Tardy\n\nAction: Ping")
    client.until(lambda: len(server.received) == 4)
    server.push({"Event": "Between"})
    assert client.packets == []
    later.set({"Response": "Success", "Which": "slow"})
    client.until(lambda: len(client.packets) == 4)
    assert [packet[-1][1] for packet in client.packets[:3]] == ["slow", "Between", "tardy"]
    with pytest.raises(RuntimeError, match="already answered"):
        later.set(None)


def test_no_answer_at_all_is_an_answer(server: FakeAsterisk, client: Client) -> None:
    server.on("Void", None)
    assert client.ask("Action: Void\nActionID: a") == []


def test_a_script_that_raises_is_told_to_both_sides(
    server: FakeAsterisk, client: Client, expect_log: Callable[[str], None]
) -> None:
    expect_log("the answer to <Request Bad a> raised")
    server.on("Bad", lambda request: {"X": str(1 // 0)})
    (answer,) = client.ask("Action: Bad\nActionID: a")
    assert "ZeroDivisionError" in dict(answer)["Message"]


def test_a_script_does_not_answer_strangers(server: FakeAsterisk, new_client: NewClient) -> None:
    server.on("Ping", {"Response": "Success"})
    client = new_client(server)
    client.send("Action: Ping")
    client.until(lambda: b"Permission denied" in client.data)


def test_what_was_received(server: FakeAsterisk, client: Client) -> None:
    client.ask("Action: SetVar\nVariable: X\nVariable: Y\nValue: 1")
    assert server.received_actions == ["Login", "SetVar", "Ping"]
    assert server.received[1].getall("variable") == ["X", "Y"]
    assert [request.get("value") for request in server.requests("setvar")] == ["1"]
    assert server.requests("Originate") == []
