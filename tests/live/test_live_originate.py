"""Calls: each way they can end, and the variables that they are given."""

from __future__ import annotations

import pytest
from driver import Client, original, with_credentials

from ami_client import ActionFailed

# Values that the server's splitting of Variable could tear apart.
VALUES: dict[str, str | bytes] = {
    "EMPTY": "",
    "PLAIN": "two words",
    "COMMAS": "a,b,,c,",
    "QUOTES": 'say "yes", he said: "no',
    "BACKSLASHES": "C:\\dir\\, \\\\ and \\",
    "PARENTHESES": "(open, [bracket, {brace",
    "CLOSING": "), ]) }",
    "EQUALS": "=a=b==",
    "DOLLARS": "$[1 + 1] $ {X} %d 100%",
    "SEMICOLON": "a;b\\;c|d&e^f#g'h`i",
    "QUOTED": '"whole, value"',
    "UNICODE": "зн, 漢字 ü \u2028 \x85 \x0b end",
    "LATIN": b"Ren\xe9, caf\xe9",
    "BLANKS": "in \t  the   middle",
    "COLONS": "X: y: z",
    "LONG": "x,\"'\\" * 100,
}


def test_answered(client: Client) -> None:
    answer, result = client.originate("Local/101@default/n", CallerID="Ann <42>", Timeout=5000)
    assert answer["message"] == "originate successfully queued"
    assert result["event"] == "originateresponse"
    assert result["response"] == "success"
    assert result["actionid"] == answer["actionid"]
    assert result.error is None
    assert result["calleridnum"] == "42"
    channel = original(result, "Channel")
    assert channel in {original(entry, "Channel") for entry in client.channels()}
    client.until_event("Newexten", Channel=channel, Extension="101")


@pytest.mark.parametrize(
    ("channel", "reasons"),
    [
        ("Local/102@default/n", {"5"}),  # busy
        ("Local/103@default/n", {"8"}),  # congestion
        ("Local/104@default/n", {"0", "1", "5"}),  # refused
        ("Local/105@default/n", {"3"}),  # rings until the timeout
        ("Local/999@default/n", {"0", "1"}),  # no such extension
        ("Nosuch/101", {"0"}),  # no such channel technology
    ],
)
def test_not_answered(client: Client, channel: str, reasons: set[str]) -> None:
    answer, result = client.originate(channel, Timeout=500)
    assert answer["response"] == "success"
    assert result["event"] == "originateresponse"
    assert result["response"] == "failure"
    assert isinstance(result.error, ActionFailed)
    assert result["reason"] in reasons
    client.until(lambda: not client.channels(), what="the end of what was tried")


def test_no_such_extension_to_go_to(client: Client) -> None:
    answer, result = client.originate("Local/101@default/n", Exten="999")
    assert "does not exist" in str(answer.error)
    assert result is answer


def test_refused_at_once(client: Client) -> None:
    answer, result = client.originate("")
    assert "Channel" in str(answer.error)
    assert result is answer
    conn = client.connect(with_credentials(client.server, "readonly", "readonly"))
    refused, never = client.once("Originate"), client.once("OriginateResponse")
    conn.originate({"Channel": "Local/101@default", "Application": "Wait"}, refused, on_result=never)
    client.until_called(refused, never)
    assert str(refused.result.error) == "Permission denied"
    assert never.result is refused.result


def test_an_application_in_place_of_an_extension(client: Client) -> None:
    channel = client.call(Application="UserEvent", Data="Started,Word: hello")
    event = client.until_event("UserEvent", UserEvent="Started")
    assert event.original("Channel") == channel
    assert event["word"] == "hello"


def test_network_calls_to_the_server_itself(client: Client) -> None:
    for exten in ("130", "131"):
        client.call(f"Local/{exten}@default/n")
    technologies = {original(entry, "Channel").split("/")[0] for entry in client.channels()}
    assert technologies == {"Local", "IAX2", "PJSIP"}


def test_variables_arrive_as_they_were_given(client: Client) -> None:
    channel = client.call(Variable=VALUES)
    got = {name: client.ask("Getvar", {"Channel": channel, "Variable": name}).original("Value") for name in VALUES}
    expected = {
        name: value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")
        for name, value in VALUES.items()
    }
    assert got == expected
    # None of them left anything else behind.
    everything = client.ask("Status", {"Channel": channel, "AllVariables": "yes"})
    set_names = {text.split("=")[0] for text in everything.events[0].getall("variable")}
    assert {name.lower() for name in VALUES} <= set_names


def test_each_printable_character_alone_and_twice(client: Client) -> None:
    printable = [chr(code) for code in range(33, 127)]
    values = {f"V{ord(char)}": f"{char}{char} a{char},{char}b" for char in printable}
    channel = client.call(Variable=values)
    packet = client.ask("Status", {"Channel": channel, "Variables": ",".join(values)})
    got = [header for name, header in packet.events[0].headers if name == "Variable"]
    assert got == [f"{name}={value}" for name, value in values.items()]


def test_inherited_variables(client: Client) -> None:
    client.call("Local/111@default/n", Variable={"__CALLNO": "1, 2"})

    def inherited() -> set[str]:
        return {
            original(event, "Channel").split("-")[0]
            for event in client.events
            if event.original("ChanVariable") == "CALLNO=1, 2"
        }

    both = {"Local/111@default", "Local/112@default"}
    client.until(lambda: inherited() >= both, what="the variable reaching the second leg")


def test_latin_1_caller_ids_survive(client: Client) -> None:
    name = b"Ren\xe9 Caf\xe9"
    channel = client.call(CallerID=b'"' + name + b'" <77>')
    # The far half of a Local channel has it as its caller's.
    event = client.until_event("Newexten", Channel=channel.replace(";1", ";2"))
    assert original(event, "CallerIDName").encode("utf-8", "surrogateescape") == name
    assert name in event.raw
    params = {"Channel": event.original("Channel"), "Variable": "CALLERID(name)"}
    got = client.ask("Getvar", params)
    assert original(got, "Value").encode("utf-8", "surrogateescape") == name
    # And back again.
    client.ask("Setvar", {"Channel": channel, "Variable": "COPY", "Value": got.original("Value")})
    copy = client.ask("Getvar", {"Channel": channel, "Variable": "COPY"})
    assert copy.original("Value") == got.original("Value")
