"""What text survives the way to the server and back, and what is refused before it gets there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from driver import Client, Once, original

from ami_client import ActionFailed

INJECTION = "Bob\r\n\r\nAction: Command\r\nCommand: core show version"


# Limits


def test_the_longest_line_is_accepted(client: Client) -> None:
    header = "Value: "
    longest = "x" * (1022 - len(header))
    client.ask("Setvar", {"Variable": "LIVE_LONG", "Value": longest})
    assert client.ask("Getvar", {"Variable": "LIVE_LONG"}).original("Value") == longest
    with pytest.raises(ValueError, match="1022"):
        client.conn.action("Setvar", None, {"Variable": "LIVE_LONG", "Value": longest + "x"})
    # The same in characters of two bytes.
    client.ask("Setvar", {"Variable": "LIVE_LONG", "Value": "ж" * (len(longest) // 2)})
    with pytest.raises(ValueError, match="1022"):
        client.conn.action("Setvar", None, {"Variable": "LIVE_LONG", "Value": "ж" * len(longest)})
    client.ask("Setvar", {"Variable": "LIVE_LONG", "Value": ""})


def test_the_most_lines_are_accepted(client: Client) -> None:
    # With Action, UserEvent and ActionID they are 128.
    headers = [("UserEvent", "Long"), *((f"Header{number}", number) for number in range(125))]
    client.ask("UserEvent", headers)
    event = client.until_event("UserEvent", UserEvent="Long")
    assert [original(event, f"Header{number}") for number in range(125)] == [str(n) for n in range(125)]
    with pytest.raises(ValueError, match="128"):
        client.conn.action("UserEvent", None, [*headers, ("OneMore", "1")])


def test_the_longest_action_id_breaks_no_list(client: Client) -> None:
    client.call("Local/122@default/n")
    room = {"Conference": "room1"}
    client.until(lambda: client.action("ConfbridgeList", room).events, what="the conference")
    action_id = "i" * 67
    for action, params in [
        ("ConfbridgeList", room),
        ("VoicemailUsersList", {}),
        ("CoreStatus", {}),
        ("DBGetTree", {}),
        ("QueueStatus", {}),
    ]:
        packet = client.ask(action, {**params, "ActionID": action_id})
        assert packet["actionid"] == action_id
        assert {entry["actionid"] for entry in packet.events} <= {action_id}
    assert client.ask("ConfbridgeList", {**room, "ActionID": action_id}).events
    with pytest.raises(ValueError, match="67"):
        client.conn.action("Ping", None, {"ActionID": action_id + "i"})


# Command


def test_command_output(client: Client) -> None:
    packet = client.ask("Command", {"Command": "core show version"})
    assert packet.output[0].startswith(f"Asterisk {client.server.version}.")
    described = client.ask("Command", {"Command": "core show application Wait"})
    assert len(described.output) > 10
    assert "" in described.output
    assert any(line.startswith("  ") for line in described.output)
    assert not any("\r" in line for line in described.output)


def test_command_that_fails(client: Client) -> None:
    packet = client.action("Command", {"Command": "no such command"})
    assert isinstance(packet.error, ActionFailed)
    assert packet.output[0].startswith("No such command 'no such command'")
    refused = client.action("Command", {"Command": "module load res_fax.so"})
    assert str(refused.error) == "Command blacklisted"
    assert refused.output == []


def test_command_output_is_that_of_the_command_line(client: Client) -> None:
    command = "dialplan show default"
    packet = client.ask("Command", {"Command": command})
    assert [line.rstrip() for line in packet.output] == [
        line.rstrip() for line in client.server.cli(command).split("\n")[: len(packet.output)]
    ]
    assert len(packet.output) > 20


# Injection


@pytest.mark.parametrize("special", ["\r\n", "\r", "\n", "\0", "\r\n\r\n"])
def test_no_line_end_in_a_value_reaches_the_server(client: Client, special: str) -> None:
    conn = client.conn
    bad = f"a{special}b"
    never = Once("an action that was refused")
    attempts: list[Callable[[], object]] = [
        lambda: conn.action("Setvar", never, {"Variable": "LIVE_BAD", "Value": bad}),
        lambda: conn.action(bad, never),
        lambda: conn.action("Ping", never, {bad: "1"}),
        lambda: conn.action("Ping", never, {"ActionID": bad}),
        lambda: conn.action("Setvar", never, {"Variable": ["LIVE_BAD", bad]}),
        lambda: conn.originate({"Channel": "Local/101", "Variable": {"X": bad}}, never, on_result=never),
        lambda: conn.originate({"Channel": "Local/101", "Variable": {bad: "x"}}, never, on_result=never),
        lambda: conn.set_var(None, "LIVE_BAD", bad, never),
        lambda: conn.get_config(bad, never),
        lambda: conn.status(never, bad),
        lambda: conn.redirect({"Channel": bad}, never),
        lambda: conn.extension_state({"Exten": bad}, never),
    ]
    for attempt in attempts:
        with pytest.raises(ValueError, match=r"header|CR, LF or NUL"):
            attempt()
    client.ask("Ping")
    assert client.ask("Getvar", {"Variable": "LIVE_BAD"})["value"] == ""
    assert never.calls == []
    assert client.channels() == []
    assert conn.dropped == 0


def test_a_whole_action_in_a_value(client: Client) -> None:
    with pytest.raises(ValueError, match="inject"):
        client.conn.action("Setvar", None, {"Variable": "LIVE_BAD", "Value": INJECTION})
    client.ask("Ping")
    assert client.conn.dropped == 0


def test_blanks_at_the_edges_are_trimmed_as_in_php(client: Client) -> None:
    client.ask("Setvar", {"Variable": "LIVE_EDGES", "Value": " \r\n inner  text \t\r\n"})
    assert client.ask("Getvar", {"Variable": "LIVE_EDGES"}).original("Value") == "inner  text"
    client.ask("Setvar", {"Variable": "LIVE_EDGES", "Value": ""})


# Events


def test_user_events_with_odd_headers(client: Client) -> None:
    headers = [
        ("UserEvent", "Odd"),
        ("Response", "Error"),
        ("EventList", "Complete"),
        ("Event", "Hangup"),
        ("Two Words", "x"),
        ("Empty", ""),
        ("Twice", "First"),
        ("Twice", "Second"),
        ("Colons", "a: b: c:d"),
        ("CallerIDName", "Ann Adams"),
        ("Unicode", "Жук Ü"),
        ("Latin", b"caf\xe9"),
    ]
    packet = client.ask("UserEvent", headers)
    assert packet["message"] == "event sent"
    client.until(lambda: any(one.get("userevent") == "odd" for one in client.events))
    (event,) = [one for one in client.events if one.get("userevent") == "odd"]
    assert event.headers[0] == ("Event", "UserEvent")
    assert event.getall("event") == ["userevent", "hangup"]
    assert event["response"] == "error"
    assert event["two words"] == "x"
    assert event["empty"] == ""
    assert event.getall("twice") == ["first", "second"]
    assert event["twice"] == "second"
    assert event["colons"] == "a: b: c:d"
    assert event["calleridname"] == "Ann Adams"
    assert event.original("Unicode") == "Жук Ü"
    assert event["unicode"] == "Жук Ü"
    assert original(event, "Latin").encode("utf-8", "surrogateescape") == b"caf\xe9"
    # It carries the id of an action that was answered long ago, and answers nothing.
    assert event["actionid"] == packet["actionid"]
    assert client.conn.dropped == 0


def test_values_keep_their_case_when_told_so(client: Client) -> None:
    with Client(client.server, fold_case=False) as keeping:
        packet = keeping.ask("Getvar", {"Variable": "GREETING", "ActionID": "Mixed"})
        assert packet["response"] == "Success"
        assert packet["actionid"] == "Mixed"
        assert keeping.ask("ShowDialPlan", {"Context": "elsewhere"}).events
