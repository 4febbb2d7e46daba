"""Requests as the embedded server reads them: bytes in, requests out."""

from __future__ import annotations

import pytest

from ami_client.testing.requests import Rejected, Request, RequestReader


def read(*pieces: bytes) -> list[tuple[str, object]]:
    """Return what a reader makes of *pieces*, in comparable form."""
    reader = RequestReader()
    found = [request for piece in pieces for request in reader.feed(piece)]
    return [
        ("rejected", (one.message, one.action_id)) if isinstance(one, Rejected) else ("request", one.lines)
        for one in found
    ]


STREAM = (
    b"Action: Ping\r\nActionID: 1\r\n\r\n"
    b"\r\n"
    b"action:  Login \nX: a:b\r c\nX: caf\xe9 \xd0\xb8\n\n"
    b"Action: Cut\0 off\r\nActionID: 2\r\nLong: " + b"x" * 1100 + b"\r\n\r\n"
    b"Action: Ping\r\n\r\nAction: Half"
)


def test_requests_do_not_depend_on_how_the_bytes_are_cut() -> None:
    whole = read(STREAM)
    assert [kind for kind, _ in whole] == ["request"] * 3 + ["rejected", "request"]
    assert whole[2] == ("request", ["action:  Login ", "X: a:b\r c", "X: caf\udce9 и"])
    for place in range(0, len(STREAM), 7):
        assert read(STREAM[:place], STREAM[place:]) == whole, place


def test_requests_come_out_of_single_bytes() -> None:
    assert read(*[bytes([byte]) for byte in STREAM]) == read(STREAM)


@pytest.mark.parametrize(
    ("length", "rejections"),
    [
        (1022, []),
        # The buffer is full before the LF, which is left as a line of its own and ends a request.
        (1023, [("Failed to parse message: line too long", "7")]),
        (1024, [("Failed to parse message: line too long", "7")]),
        (5000, [("Failed to parse message: line too long", "7")]),
    ],
)
def test_a_line_has_at_most_1022_bytes(length: int, rejections: list[tuple[str, str]]) -> None:
    line = b"X: ".ljust(length, b"x")
    found = read(b"Action: Ping\r\nActionID: 7\r\n" + line + b"\r\n\r\n")
    assert [what for kind, what in found if kind == "rejected"] == rejections
    assert len(found) == (2 if length in (1023, 1024) else 1)


def test_nul_cuts_a_line() -> None:
    assert read(b"Action: Ping\0 or not\r\n\0gone\r\n") == [("request", ["Action: Ping"])]


def test_a_request_has_at_most_128_lines() -> None:
    start, message = b"Action: Ping\r\n", "Too many lines in message or allocation failure"
    fits = start + b"X: y\r\n" * 126 + b"ActionID: 7\r\n\r\n"
    late = start + b"X: y\r\n" * 127 + b"ActionID: 7\r\n\r\n"
    early = start + b"ActionID: 7\r\n" + b"X: y\r\n" * 127 + b"\r\n"
    assert [kind for kind, _ in read(fits + fits)] == ["request", "request"]
    assert read(late + fits)[0] == ("rejected", (message, ""))
    assert read(early)[0] == ("rejected", (message, "7"))


def test_the_first_header_wins_and_names_have_no_case() -> None:
    request = Request(["ACTION: ", "action: Ping", "X:  1 ", "x:2", "no colon", "Bad : 3"])
    assert request.action == "Ping"
    assert (request.get("X"), request.getall("x"), request.get("Y", "none")) == (
        "1 ",
        ["1 ", "2"],
        "none",
    )
    assert request.get("Bad") == ""
    assert request.headers[2:4] == [("X", "1 "), ("x", "2")]
    assert "1" not in repr(request)
