"""Packet: the dict view as in phpDaemon, and everything as it was sent."""

from __future__ import annotations

import pytest
from engine_client import message, read_one

from ami_client.errors import ActionFailed, ConnectionLost
from ami_client.packet import Kind, Packet, unescape


def folded(line: bytes, **options: bool) -> tuple[str, str]:
    """Name and value of a header line in the dict view."""
    packet = read_one(b"Event: X\r\n" + line + b"\r\n\r\n", **options)
    return list(packet.items())[1]


# Folding


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("Response: Success", "response", "success"),
        ("Header:  two spaces", "header", "two spaces"),
        ("  Lead: X ", "lead", "x"),
        ("Key: a: b: C", "key", "a: b: c"),
        ("Key : V", "key", "v"),
        ("URL: HTTP://Host:80/Path", "url", "http://host:80/path"),
        ("\tTab: X\t", "tab", "x"),
        ("VT: \x0bX\x0b", "vt", "x"),
        ("Form: \x0cX\x0c", "form", "\x0cx\x0c"),
        ("Nbsp: \xa0X\xa0", "nbsp", "\xa0x\xa0"),
        ("Nel: \x85X\x85", "nel", "\x85x\x85"),
        ("Sep: \x1cX\x1f", "sep", "\x1cx\x1f"),
        ("\0K\0: V\0", "k", "v"),
        ("A\rB: C\rD", "a\rb", "c\rd"),
        ("K:  : x", "k", ": x"),
        ("K:: V", "k:", "v"),
        ("\ufeffK: V", "\ufeffk", "v"),
        ("Ünicode: ÄÖÜ ŽLUŤÝ", "Ünicode", "ÄÖÜ ŽluŤÝ"),
        ("ИМЯ: ЗНАЧЕНИЕ", "ИМЯ", "ЗНАЧЕНИЕ"),
        ("\u0130: \u0130STANBUL \u017f", "\u0130", "\u0130stanbul \u017f"),
        ("Kelvin: \u212a", "kelvin", "\u212a"),
        ("-5: Neg", "-5", "neg"),
    ],
)
def test_names_and_values_are_trimmed_and_folded_as_php_does(line: str, name: str, value: str) -> None:
    assert folded(line.encode()) == (name, value)


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("CallerIDNum: ABC", "calleridnum", "ABC"),
        ("callerid:  X ", "callerid", "X"),
        ("CALLERIDNAME: Joe", "calleridname", "Joe"),
        ("ConnectedLineName: Jane DOE", "connectedlinename", "Jane DOE"),
        ("DialString: SIP/Bob", "dialstring", "SIP/Bob"),
        ("dialstringx: SIP/Bob", "dialstringx", "SIP/Bob"),
        ("Message: CallerID is Foo", "message", "CallerID is Foo"),
        ("Value: callerid(NUM)=ABC", "value", "callerid(NUM)=ABC"),
        ("Value:  ConnectedLineX", "value", "ConnectedLineX"),
        ("Variable: CALLERID(all)", "variable", "CALLERID(all)"),
        ("Value: DialString SIP/Bob", "value", "DialString SIP/Bob"),
    ],
)
def test_some_values_keep_their_case(line: str, name: str, value: str) -> None:
    assert folded(line.encode()) == (name, value)


@pytest.mark.parametrize(
    "line",
    ["XDialString: SIP/Bob", "Caller-ID-Name: JOE", "ConnectedID: ABC", "Channel: SIP/CallerID-1", "Foo: my CallerID"],
)
def test_a_safe_word_counts_at_the_beginning_only(line: str) -> None:
    assert folded(line.encode())[1] == line.partition(": ")[2].lower()


def test_the_values_of_other_encodings_are_folded_byte_by_byte() -> None:
    name, value = folded(b"N\xc4me: J\xd6RG")
    assert name.encode("utf-8", "surrogateescape") == b"n\xc4me"
    assert value.encode("utf-8", "surrogateescape") == b"j\xd6rg"


def test_fold_case_false_keeps_values_and_folds_names() -> None:
    assert folded(b"Foo-Bar: My VALUE \t", fold_case=False) == ("foo-bar", "My VALUE")
    packet = read_one(message("Event: NewChannel", "X: A", "x: B"), fold_case=False)
    assert packet == {"event": "NewChannel", "x": "B"}
    assert packet.getall("X") == ["A", "B"]


# Repeated headers

REPEATED = message("Event: Status", "Variable: a=1", "Channel: SIP/1", "VARIABLE:  B=2 ", "variable: ", "X: y")


def test_of_a_repeated_header_the_last_value_is_in_the_first_ones_place() -> None:
    packet = read_one(REPEATED)
    assert list(packet.items()) == [("event", "status"), ("variable", ""), ("channel", "sip/1"), ("x", "y")]


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (["Event: Hangup", "Channel: SIP/1"], "hangup"),
        (["Event: UserEvent", "Event: Hangup"], "userevent"),
        (["ActionID: 7", "event :  Ž Žluťý ", "Event: x"], "Ž Žluťý"),
        (["Event:x"], "x"),
        (["Response: Success", "Event: Hangup"], ""),
    ],
)
def test_an_event_is_named_by_its_first_event_header(lines: list[str], name: str) -> None:
    assert read_one(message(*lines)).event_name == name


def test_the_name_of_an_event_made_by_hand() -> None:
    assert Packet({"event": "Hangup"}).event_name == "hangup"
    assert Packet({"response": "success"}).event_name == ""


def test_getall_has_every_value() -> None:
    packet = read_one(REPEATED)
    assert packet.getall("Variable") == ["a=1", "b=2", ""]
    assert packet.getall("x") == ["y"]
    assert packet.getall("nosuch") == []


def test_headers_and_original_are_as_sent() -> None:
    packet = read_one(REPEATED)
    assert packet.headers == [
        ("Event", "Status"),
        ("Variable", "a=1"),
        ("Channel", "SIP/1"),
        ("VARIABLE", " B=2 "),
        ("variable", ""),
        ("X", "y"),
    ]
    assert packet.original("CHANNEL") == "SIP/1"
    assert packet.original("variable") == ""
    assert packet.original("nosuch") is None
    assert packet.original("nosuch", "none") == "none"


def test_what_a_handler_does_to_the_dict_leaves_the_rest_alone() -> None:
    packet = read_one(message("Event: Status", "Channel: SIP/1"))
    packet["channel"] = "mine"
    packet.headers.clear()
    assert packet.original("channel") == "SIP/1"
    assert packet.getall("channel") == ["sip/1"]
    assert len(packet.headers) == 2


# Command and Config answers


def test_output_keeps_blanks() -> None:
    lines = ["Message: Command output follows", "Output:   Name  ", "Output: ", "output: a: b", "Output: end\r"]
    packet = read_one(message("Response: Success", *lines))
    assert packet.output == ["  Name  ", "", "a: b", "end\r"]


def test_a_packet_without_output_has_none() -> None:
    assert read_one(message("Response: Success")).output == []


def test_json_keeps_repeated_keys_and_takes_raw_control_characters() -> None:
    packet = read_one(message("Response: Success", 'JSON: {"Same":"A\tb","same":["1",{"x":"Y"}],"same":"3"}'))
    assert packet.json() == [("Same", "A\tb"), ("same", ["1", [("x", "Y")]]), ("same", "3")]


@pytest.mark.parametrize("lines", [["X: y"], ["JSON: {"], ["JSON: "]])
def test_json_that_is_not_there_or_wrong_is_a_value_error(lines: list[str]) -> None:
    with pytest.raises(ValueError):
        read_one(message("Response: Success", *lines)).json()


# Packets made here


def test_a_packet_made_by_hand() -> None:
    packet = Packet({"event": "x", "value": "Y"})
    assert (packet.kind, packet.raw, packet.output) == (Kind.LOCAL, b"", [])
    assert packet.headers == [("event", "x"), ("value", "Y")]
    assert packet.getall("Value") == ["Y"]
    assert packet.original("VALUE") == "Y"
    assert (packet.events, packet.complete, packet.error, packet.suspect) == ([], None, None, False)


def test_a_failure_packet_says_why() -> None:
    error = ConnectionLost("connection lost")
    packet = Packet.failure(error, "id-1")
    assert packet == {"response": "error", "message": "connection lost", "actionid": "id-1"}
    assert packet.error is error
    assert "actionid" not in Packet.failure(ActionFailed("no"))


def test_a_packet_of_text_shows_its_lines() -> None:
    packet = Packet.of_text(b"one\n two \r\n\nthree", "id-1")
    assert packet == {"response": "success", "actionid": "id-1"}
    assert packet.kind is Kind.TEXT
    assert packet.output == ["one", " two ", "", "three"]
    assert Packet.of_text(b"", "id-1").output == []


# unescape


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        (r"O\'Brien\?", "O'Brien?"),
        (r"a\tb\nc\rd", "a\tb\nc\rd"),
        (r"\a\b\f\v", "\a\b\f\v"),
        (r"C:\\new\\\\table", r"C:\new\\table"),
        (r"\\\n", "\\\n"),
        (r"\"quoted\"", '"quoted"'),
        ("plain", "plain"),
        ("", ""),
        ("ends in \\", "ends in \\"),
        (r"\\", "\\"),
        (r"\\\\", "\\\\"),
    ],
)
def test_unescape_undoes_what_asterisk_does(escaped: str, plain: str) -> None:
    assert unescape(escaped) == plain


def test_nothing_is_unescaped_by_itself() -> None:
    assert read_one(message("Event: VarSet", r"Value: O\'Brien\n"))["value"] == r"o\'brien\n"


def test_blank_lines_in_a_packet_made_by_hand_are_passed_over() -> None:
    packet = Packet.parse(b"\nEvent: A\r\n\nX: 1\r\n\n\nX: 2\nc\r\nY: 3")
    assert packet == {"event": "a", "x": "2\nc", "y": "3"} and packet.getall("x") == ["1", "2\nc"]
    assert packet.headers == [("Event", "A"), ("X", "1"), ("X", "2\nc"), ("Y", "3")]
    assert packet.kind is Kind.EVENT and packet.event_name == "a"
