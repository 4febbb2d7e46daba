"""PacketReader: bytes to packets, however they are cut."""

from __future__ import annotations

from typing import Any

import pytest
from engine_client import message, one_by_one, packets_of, read, read_one
from hypothesis import given, settings
from hypothesis import strategies as st
from server_texts import BANNER

from ami_client._engine.packet import PacketReader
from ami_client.errors import ProtocolError
from ami_client.packet import Kind, Packet

PONG = message("Response: Success", "ActionID: 1", "Ping: Pong")


def reader_fed(data: bytes, **options: Any) -> PacketReader:
    reader = PacketReader(**options)
    reader.feed(data)
    return reader


# The banner


@pytest.mark.parametrize("line", ["Asterisk Call Manager/5.0.4", "Hello", "SSH-2.0-OpenSSH_9.2", ""])
def test_the_first_line_is_the_banner_whatever_it_says(line: str) -> None:
    reader = reader_fed(line.encode() + b"\r\n" + PONG)
    packet = reader.next_packet()
    assert reader.banner == line
    assert packet == {"response": "success", "actionid": "1", "ping": "pong"}


def test_there_is_no_banner_before_its_line_ends() -> None:
    reader = reader_fed(b"Asterisk Call")
    assert reader.next_packet() is None
    assert reader.banner is None
    reader.feed(b" Manager/11.0.0\r\n")
    assert reader.next_packet() is None
    assert reader.banner == "Asterisk Call Manager/11.0.0"


def test_a_banner_that_is_no_text_does_no_harm() -> None:
    reader = reader_fed(b"\xff\xfe\x00\r\n" + PONG)
    assert reader.next_packet() is not None
    assert reader.banner == "\udcff\udcfe"


def test_after_a_banner_with_a_bare_lf_lines_end_in_lf() -> None:
    packets = read(b"Event: A\nValue: x\n\nResponse: Success\nMessage: y\n\n", banner=b"Fake/1\n")
    assert packets == [{"event": "a", "value": "x"}, {"response": "success", "message": "y"}]


def test_after_a_banner_with_a_bare_lf_a_cr_before_it_is_none_of_the_value() -> None:
    (packet,) = read(b"Event: A\r\nValue: x\r\n\r\n", banner=b"Fake/1\n")
    assert packet.headers == [("Event", "A"), ("Value", "x")]


# Ends of packets


def test_a_blank_line_ends_a_packet() -> None:
    assert read(PONG + message("Event: A") + b"Event: B\r\n") == [
        {"response": "success", "actionid": "1", "ping": "pong"},
        {"event": "a"},
    ]


@pytest.mark.parametrize("extra", [b"\r\n", b"\r\n\r\n", b"\n", b"\n\n\n", b"\r\n\n", b"\n\r\n"])
def test_extra_blank_lines_are_skipped(extra: bytes) -> None:
    assert read(extra + message("Event: A") + extra + message("Event: B")) == [{"event": "a"}, {"event": "b"}]


def test_an_lf_before_a_line_is_a_blank_line() -> None:
    assert read(b"Event: A\r\n\nEvent: B\r\n\r\n") == [{"event": "a"}, {"event": "b"}]


@pytest.mark.parametrize("data", [b"Event: A\r\n\r\n", b"Event: A\r\nB: c\r\n\r\nEvent: D\r\n\r\n" + PONG])
def test_complete_packets_are_cut_without_the_buffer_with_the_same_result(data: bytes) -> None:
    quick, careful = reader_fed(BANNER), reader_fed(BANNER)
    assert quick.next_packet() is careful.next_packet() is None
    assert quick.feed_packets(data)
    careful.feed(data)
    assert careful.more()
    assert (quick.pieces, quick.cuts, quick.careful) == (careful.pieces, careful.cuts, careful.careful)


@pytest.mark.parametrize(
    "data", [b"", b"\r\n\r\n", b"Event: A\r\n", b"Event: A\r\n\nEvent: B\r\n\r\n", b"\nEvent: A\r\n\r\n"]
)
def test_what_is_more_than_complete_packets_goes_through_the_buffer(data: bytes) -> None:
    reader = reader_fed(BANNER)
    assert reader.next_packet() is None
    assert not reader.feed_packets(data)
    assert (reader.pieces, reader.cuts) == ([], 0)


def test_complete_packets_after_the_beginning_of_one_go_through_the_buffer() -> None:
    reader = reader_fed(BANNER + b"Event: A\r\nB: ")
    assert reader.next_packet() is None
    assert not reader.feed_packets(b"c\r\n\r\n")


def test_raw_is_the_bytes_without_the_blank_line() -> None:
    first, second = read(PONG + message("Event: A"))
    assert (first.raw, second.raw) == (PONG[:-4], b"Event: A")


# What is no line end


def test_a_bare_lf_inside_a_value_stays() -> None:
    packet = read_one(b"Event: A\r\nValue: one\ntwo: x\n\nthree\r\nLast: z\r\n\r\n")
    assert list(packet.items()) == [("event", "a"), ("value", "one\ntwo: x\n\nthree"), ("last", "z")]


def test_a_bare_lf_at_the_end_of_a_value_is_stripped() -> None:
    packet = read_one(b"Response: Error\r\nMessage: No Contacts found\n\r\n\r\n")
    assert packet["message"] == "no contacts found"
    assert packet.original("message") == "No Contacts found"


def test_a_cr_inside_a_value_stays() -> None:
    packet = read_one(b"Event: A\r\nValue: one\rtwo\r\r\nLast: z\r\n\r\n")
    assert packet["value"] == "one\rtwo"
    assert packet.original("value") == "one\rtwo\r"
    assert packet["last"] == "z"


@pytest.mark.parametrize("char", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"])
def test_what_python_takes_for_line_ends_is_none(char: str) -> None:
    packet = read_one(f"Event: A\r\nValue: x{char}Y: z\r\n\r\n".encode())
    assert list(packet.items()) == [("event", "a"), ("value", f"x{char}y: z")]


def test_nul_is_a_byte_like_others() -> None:
    packet = read_one(b"Event: A\r\nValue: X\0Y\0\r\n\r\n")
    assert packet["value"] == "x\0y"
    assert packet.original("value") == "X\0Y\0"


def test_invalid_utf_8_survives() -> None:
    for raw in (b"\xd6RG", b"\xc3\xa9\xc3", b"\xf0\x9f\x93", b"\x80\xff\xfe", b"\xed\xa0\x80"):
        value = read_one(b"Event: A\r\nValue: " + raw + b"\r\n\r\n").original("value")
        assert value is not None
        assert value.encode("utf-8", "surrogateescape") == raw


# Headers


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("Key: a: b", "Key", "a: b"),
        (
            "ChanVariable(IAX2/127.0.0.2:4516-4240): CALLNO=5: x",
            "ChanVariable(IAX2/127.0.0.2:4516-4240)",
            "CALLNO=5: x",
        ),
        ("NoSpace:v:w", "NoSpace", "v:w"),
        ("NoSpace:v: w", "NoSpace:v", "w"),
        ("Empty:", "Empty", ""),
        ("Empty: ", "Empty", ""),
        ("No categories found", "No categories found", ""),
        (": value", "", "value"),
        ("Two:  blanks ", "Two", " blanks "),
        ("100rel: yes", "100rel", "yes"),
    ],
)
def test_a_line_is_split_at_colon_space_or_else_at_the_colon(line: str, name: str, value: str) -> None:
    packet = read_one(message("Response: Success", line))
    assert packet.headers == [("Response", "Success"), (name, value)]
    assert packet[name.lower()] == value.strip().lower()


# Kinds


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (["Response: Success", "Event: x"], Kind.RESPONSE),
        (["Event: OriginateResponse", "Response: Failure"], Kind.EVENT),
        (["ActionID: 1", "Response: Success"], Kind.RESPONSE),
        (["ActionID: 1", "Event: X"], Kind.EVENT),
        (["actionid: 1", "RESPONSE: Error", "Event: x"], Kind.RESPONSE),
        (["event:x"], Kind.EVENT),
        (["Event : x"], Kind.EVENT),
        (["  Response\t: x"], Kind.RESPONSE),
        (["Message: hello"], Kind.TEXT),
        (["ActionID: 1", "Message: x"], Kind.TEXT),
        (["Eventful: x"], Kind.TEXT),
    ],
)
def test_the_first_header_says_what_a_packet_is(lines: list[str], kind: Kind) -> None:
    assert read_one(message(*lines)).kind is kind


def test_raw_text_is_cut_off_the_packet_that_follows_at_once() -> None:
    """IAXnetstats with calls up."""
    text = b"IAX2/other-272 1000 -1 Tx:NEW     Tx:ACK    \n(None) 1000 -1 \n\r\n"
    first, second = read(text + PONG)
    assert (first.kind, first.raw) == (Kind.TEXT, text[:-3])
    assert (second.kind, second.raw) == (Kind.RESPONSE, PONG[:-4])


def test_a_packet_without_its_beginning_is_text_up_to_the_next_one() -> None:
    """What a server sends after its write timed out, or a client that came in the middle."""
    first, second = read(b"nnel: SIP/1\r\nState: Up\r\nActionID: 7\r\nEvent: Status\r\nX: y\r\n\r\n")
    assert (first.kind, first.raw) == (Kind.TEXT, b"nnel: SIP/1\r\nState: Up")
    assert second == {"actionid": "7", "event": "status", "x": "y"}


def test_packets_that_the_server_merged_come_as_one_and_can_be_split() -> None:
    """Skinny's lists on Asterisk 16."""
    lines = [
        "Event: LineEntry",
        "ActionID: 1",
        "ObjectName: 250",
        "Event: LinelistComplete",
        "ActionID: 1",
        "ListItems: 1",
    ]
    packet = read_one(message(*lines))
    assert packet.getall("event") == ["lineentry", "linelistcomplete"]
    entry, complete = packet.split_events()
    assert entry == {"event": "lineentry", "actionid": "1", "objectname": "250"}
    assert complete == {"event": "linelistcomplete", "actionid": "1", "listitems": "1"}


@pytest.mark.parametrize("first", ["Response: Success", "Event: X", "Event: X\nEvent: forged", "Text"])
def test_a_packet_that_holds_one_event_is_split_into_itself(first: str) -> None:
    packet = read_one(message(first, "ActionID: 1", "X: y"))
    assert [one.raw for one in packet.split_events()] == [packet.raw]


def test_what_stands_before_the_first_event_is_split_off_with_it() -> None:
    packet = read_one(message("ActionID: 1", "Event: A", "EVENT: B", "X: y"))
    assert [one.raw for one in packet.split_events()] == [b"ActionID: 1\r\nEvent: A", b"EVENT: B\r\nX: y"]


def test_a_packet_made_by_hand_is_split_into_itself() -> None:
    packet = Packet({"event": "x"})
    assert packet.split_events() == [packet]


# Command answers of Asterisk 13 and before

OLD_BANNER = b"Asterisk Call Manager/2.10.6\r\n"
OLD_HEAD = b"Response: Follows\r\nPrivilege: Command\r\nActionID: 7\r\n"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b"Asterisk 11.25.3\n", ["Asterisk 11.25.3"]),
        (b"one\n\n  two: x\n\r\n\r\nthree\n", ["one", "", "  two: x", "", "", "three"]),
        (b"on the last line", ["on the last line"]),
        (b"Event: forged\r\n\r\nResponse: Success\r\n\r\n", ["Event: forged", "", "Response: Success", ""]),
        (b"", []),
    ],
)
def test_an_old_command_answer_is_read_up_to_its_marker(text: bytes, lines: list[str]) -> None:
    answer, after = read(OLD_HEAD + text + b"--END COMMAND--\r\n\r\n" + PONG, banner=OLD_BANNER)
    assert answer == {"response": "follows", "privilege": "command", "actionid": "7"}
    assert answer.kind is Kind.RESPONSE
    assert answer.output == lines
    assert answer.raw == OLD_HEAD + text
    assert after.raw == PONG[:-4]


def test_an_old_command_answer_of_a_server_that_ends_lines_in_lf() -> None:
    head = OLD_HEAD.replace(b"\r", b"")
    (answer,) = read(head + b"one\n\ntwo\n--END COMMAND--\n\n", banner=b"Fake/1\n")
    assert answer["actionid"] == "7"
    assert answer.output == ["one", "", "two"]


def test_headers_of_an_old_command_answer_may_have_another_order() -> None:
    text = b"Response: Follows\r\nActionID: 7\r\nPrivilege: Command\r\ntext\n--END COMMAND--\r\n\r\n"
    (answer,) = read(text, banner=OLD_BANNER)
    assert answer["privilege"] == "command"
    assert answer.output == ["text"]


@pytest.mark.parametrize("version", ["3.2.2", "5.0.4", "11.0.0"])
def test_a_newer_server_cannot_be_made_to_swallow_what_follows(version: str) -> None:
    """A value that somebody else has set may hold CRLF, and so a whole forged packet."""
    forged = message("Event: UserEvent", "Text: x\r\n\r\nResponse: Follows", "")
    packets = read(forged + message("Event: A"), banner=f"Asterisk Call Manager/{version}\r\n".encode())
    assert packets[1:] == [{"response": "follows"}, {"event": "a"}]


# Sizes


def test_a_large_packet_is_ordinary() -> None:
    lines = [f"Line-{number:06}: {'x' * 100}" for number in range(12_000)]
    stream = BANNER + message("Response: Success", *lines, "JSON: " + "y" * 100_000)
    pieces = [stream[i : i + 1460] for i in range(0, len(stream), 1460)]
    ((packet,), (whole,)) = packets_of(pieces), packets_of([stream])
    assert packet.raw == whole.raw
    assert len(packet.raw) > 1_400_000
    assert len(packet) == 12_002
    assert packet["line-011999"] == "x" * 100


@pytest.mark.parametrize("pieces", [1, 100])
def test_more_than_max_packet_without_an_end_is_an_error(pieces: int) -> None:
    data = BANNER + b"Event: A\r\nValue: " + b"x" * 5000
    reader = PacketReader(max_packet=2000)
    with pytest.raises(ProtocolError, match="2000 bytes") as caught:
        for start in range(0, len(data), len(data) // pieces):
            reader.feed(data[start : start + len(data) // pieces])
            reader.next_packet()
    assert caught.value.limit == "max_packet"


@pytest.mark.parametrize("head", [b"", OLD_BANNER + OLD_HEAD])
def test_neither_a_banner_nor_an_old_answer_may_be_longer_than_max_packet(head: bytes) -> None:
    with pytest.raises(ProtocolError):
        reader_fed(head + b"x" * 3000, max_packet=2000).next_packet()


def test_many_packets_together_may_be_longer_than_max_packet() -> None:
    value = "x" * 990
    packets = packets_of([BANNER + message("Event: A", f"V: {value}") * 10], max_packet=1024)
    assert [packet["v"] for packet in packets] == [value] * 10


def test_exactly_max_packet_is_allowed() -> None:
    raw = b"Event: A\r\nV: " + b"x" * (1024 - 13)
    (packet,) = packets_of(one_by_one(BANNER + raw + b"\r\n\r\n"), max_packet=1024)
    assert packet.raw == raw


@pytest.mark.parametrize("eol", ["\r\n", "\n"])
@pytest.mark.parametrize("first", ["Event: A", "junk", "Response: Follows\nActionID: 1"])
def test_more_than_max_lines_is_an_error(eol: str, first: str) -> None:
    head = [*first.split("\n"), *["ActionID: x"] * 1000]
    text = eol.join(head[:1000])
    end = "--END COMMAND--" + eol * 2 if "Follows" in first else eol * 2
    reader = reader_fed(f"Asterisk{eol}{text}{end}".encode(), max_lines=1000)
    assert reader.next_packet() is not None
    reader.feed((text + eol + "ActionID: x" + end).encode())
    with pytest.raises(ProtocolError, match="1000 lines") as caught:
        reader.next_packet()
    assert caught.value.limit == "max_lines"


def test_the_text_of_an_old_command_answer_may_have_any_number_of_lines() -> None:
    (answer,) = packets_of([OLD_BANNER, OLD_HEAD, b"x\r\n" * 5000, b"--END COMMAND--\r\n\r\n"], max_lines=10)
    assert len(answer.output) == 5000


# Whatever comes


FRAGMENTS = [b"\r\n", b"\r", b"\n", b"\r\n\r\n", b": ", b"x", b"\xff", b"\0"]
FRAGMENTS += [b"Event: A", b"Response: Follows", b"Response: Success", b"--END COMMAND--", b"ActionID: 1"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25), st.sampled_from([BANNER, b"Fake/1\n"]))
def test_no_stream_raises_or_depends_on_its_cuts(pieces: list[bytes], banner: bytes) -> None:
    read(b"".join(pieces), banner=banner)


def test_an_old_command_answer_behind_rubbish_keeps_its_bytes() -> None:
    text = b"Response: Follows\r\none\r\n\ntwo\r\n"
    packets = read(b"rubbish\r\n" + text + b"--END COMMAND--\r\n\r\n", banner=b"Asterisk Call Manager/2.10.6\r\n")
    assert [packet.raw for packet in packets] == [b"rubbish", text]
