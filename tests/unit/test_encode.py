"""encode_action: what an action looks like on the network, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_client._engine.encode import encode_action, encode_headers, fold_name
from ami_client._engine.text import MAX_DIGITS, TRIMMED, ascii_lower, whole_number


def lines(action: str, params: Any = None, action_id: str | None = None) -> list[str]:
    data = encode_action(action, params, action_id)
    assert data.endswith(b"\r\n\r\n")
    return data[:-4].decode("utf-8", "surrogateescape").split("\r\n")


def test_action_first_params_in_order_actionid_last() -> None:
    data = encode_action("Redirect", {"Zeta": "1", "Alpha": "2"}, "id-1")
    assert data == b"Action: Redirect\r\nZeta: 1\r\nAlpha: 2\r\nActionID: id-1\r\n\r\n"


def test_params_may_be_pairs() -> None:
    pairs = [("Variable", "a=1"), ("X", "y"), ("Variable", "b=2")]
    assert lines("X", pairs) == ["Action: X", "Variable: a=1", "X: y", "Variable: b=2"]
    assert lines("X", iter(pairs)) == lines("X", pairs)


def test_no_params() -> None:
    assert lines("Ping") == lines("Ping", {}) == ["Action: Ping"]


def test_names_and_values_are_trimmed_as_php_does() -> None:
    params = {" \tName\0 ": "\x0b value \n\r", "Form": "\x0cfeed\x0c", "Nbsp": "\xa0x\xa0", "B": b" y "}
    assert lines(" Ping\t", params) == ["Action: Ping", "Name: value", "Form: \x0cfeed\x0c", "Nbsp: \xa0x\xa0", "B: y"]


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (True, ["true"]),
        (False, ["false"]),
        (5, ["5"]),
        (0, ["0"]),
        (1.5, ["1.5"]),
        (b"by", ["by"]),
        ("", [""]),
        (None, []),
    ],
)
def test_values_of_each_type(value: Any, sent: list[str]) -> None:
    assert lines("X", {"V": value}) == ["Action: X", *(f"V: {text}" for text in sent)]
    assert lines("X", {"V": [value]}) == lines("X", {"V": value})


def test_bytes_that_are_not_utf_8_go_out_as_they_are() -> None:
    assert encode_action("X", {"V": b"J\xf6rg"}) == b"Action: X\r\nV: J\xf6rg\r\n\r\n"
    assert encode_action("X", {"V": "J\udcf6rg"}) == b"Action: X\r\nV: J\xf6rg\r\n\r\n"
    assert encode_action("X", {"V": "Jörg"}) == "Action: X\r\nV: Jörg\r\n\r\n".encode()


@pytest.mark.parametrize("values", [["a=1", None, 2, True], ("a=1", 2, True), iter(["a=1", 2, True])])
def test_a_list_repeats_the_header(values: Any) -> None:
    assert lines("X", {"Variable": values, "Y": "z"})[1:] == ["Variable: a=1", "Variable: 2", "Variable: true", "Y: z"]


def test_a_mapping_becomes_one_quoted_header_each() -> None:
    variables = {"a": 1, "b": 'x,"y"\\z', "none": None, "c": True, "d": " t ", "e": "f(1,2)"}
    assert lines("X", {"Variable": variables})[1:] == [
        "Variable: a=1",
        r"Variable: b=x\,\"y\"\\z",
        "Variable: c=true",
        "Variable: d=t",
        r"Variable: e=f(1\,2)",
    ]


@pytest.mark.parametrize("value", [object(), [["nested"]], {"k": ["v"]}, [{}]])
def test_other_types_are_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError, match="V"):
        encode_action("X", {"V": value})


@pytest.mark.parametrize("params", ["Name: value", b"Name: value"])
def test_params_that_are_text_are_a_type_error(params: Any) -> None:
    with pytest.raises(TypeError, match="mapping or a sequence"):
        encode_action("X", params)


# What would inject, or be cut off

SECRET = "hunter2"


@pytest.mark.parametrize("special", ["\r", "\n", "\0", "\r\n", "\r\n\r\nAction: Logoff\r\n\r\n"])
def test_cr_lf_and_nul_are_refused_everywhere(special: str) -> None:
    value = f"{SECRET}{special}x"
    attempts: list[tuple[str, Any, str | None]] = [
        ("X", {"V": value}, None),
        ("X", {"V": value.encode()}, None),
        ("X", {"V": ["a", value]}, None),
        ("X", {"V": {"k": value}}, None),
        ("X", {"V": {f"k{special}x": SECRET}}, None),
        ("X", {f"V{special}x": SECRET}, None),
        (f"X{special}x", {"V": SECRET}, None),
        ("X", {"V": SECRET}, f"id{special}x"),
    ]
    for attempt in attempts:
        with pytest.raises(ValueError, match=r"CR, LF or NUL|not a header name") as caught:
            encode_action(*attempt)
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["", "  ", "a:b", ":"])
def test_a_name_that_is_empty_or_holds_a_colon_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a header name") as caught:
        encode_action("X", {name: SECRET})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("action", ["", " \t"])
def test_an_action_needs_a_name(action: str) -> None:
    with pytest.raises(ValueError, match="name"):
        encode_action(action)


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("Async", "async"),
        (" ASYNC\t\0", "async"),
        (b"Async", "async"),
        (b"\xff A ", "\udcff a"),
        (7, "7"),
        ("\u212a\xc4", "\u212a\xc4"),
    ],
)
def test_names_are_compared_as_the_server_does(name: object, folded: str) -> None:
    assert fold_name(name) == folded


@pytest.mark.parametrize("char", ["x", "é"])
def test_a_line_has_at_most_1022_bytes(char: str) -> None:
    room = (1022 - len("Value: ")) // len(char.encode())
    value = char * room + "y" * (1022 - len("Value: ") - room * len(char.encode()))
    assert len(lines("X", {"Value": value})[1].encode()) == 1022
    with pytest.raises(ValueError, match="'Value' makes a line of 1023 bytes; Asterisk accepts at most 1022") as caught:
        encode_action("X", {"Value": value + "z"})
    assert char * 10 not in str(caught.value)


def test_a_lone_surrogate_is_refused_and_its_value_not_shown() -> None:
    with pytest.raises(ValueError, match="'A'") as caught:
        encode_action("X", {"A": "hunter2\ud800"})
    assert "hunter2" not in repr(caught.value)  # as it would be in a UnicodeEncodeError's


def test_an_action_has_at_most_128_lines() -> None:
    assert len(lines("X", {"V": ["y"] * 126}, "id")) == 128
    with pytest.raises(ValueError, match="at most 128 lines, this one has 129"):
        encode_action("X", {"V": ["y"] * 127}, "id")


@pytest.mark.parametrize("char", ["x", "é"])
def test_an_actionid_has_at_most_67_bytes(char: str) -> None:
    action_id = (char * 67).encode()[:66].decode() + "x"
    assert len(action_id.encode()) == 67
    assert lines("X", None, action_id)[-1] == f"ActionID: {action_id}"
    with pytest.raises(ValueError, match="67 bytes"):
        encode_action("X", None, action_id + "y")


def test_headers_of_the_login_are_sent_as_they_are() -> None:
    """A secret may end in blanks."""
    assert encode_headers([("Secret", " a b ")]) == b"Secret:  a b \r\n\r\n"
    with pytest.raises(ValueError, match="'Secret'") as caught:
        encode_headers([("Secret", SECRET + "\r\nAction: x")])
    assert SECRET not in str(caught.value)


# Text rules


@given(st.text())
def test_lower_case_is_for_ascii_letters_only(text: str) -> None:
    if not any(0xD800 <= ord(char) < 0xE000 for char in text):
        assert ascii_lower(text) == "".join(char.lower() if char.isascii() else char for char in text)


@given(st.dictionaries(st.text("abcXYZ", min_size=1, max_size=5), st.text(st.characters(codec="utf-8"), max_size=50)))
def test_an_action_is_one_message_or_refused(params: dict[str, str]) -> None:
    try:
        sent = lines("X", params, "id-1")
    except ValueError:
        assert any(special in value.strip(TRIMMED) for value in params.values() for special in "\r\n\0")
        return
    assert sent[1:-1] == [f"{name}: {value.strip(TRIMMED)}" for name, value in params.items()]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("0", 0), ("7", 7), ("007", 7), ("-7", -7), ("-0", 0), ("9" * MAX_DIGITS, 10**MAX_DIGITS - 1)),
        *(("-" + "9" * MAX_DIGITS, 1 - 10**MAX_DIGITS), ("9" * (MAX_DIGITS + 1), None), ("0" * 5000, None)),
        *(("9" * 5000, None), ("-" + "9" * 5000, None), ("", None), ("-", None), ("--1", None), ("+1", None)),
        *(("1-", None), ("\u00b2", None), ("\u0663", None), ("\uff17", None), ("1\u00b2", None), ("\u2460", None)),
        *((" 1", None), ("1 ", None), ("1\n", None), ("1_0", None), ("1.0", None), ("1e3", None), ("0x1", None)),
        *(("nan", None), ("inf", None), ("\0", None), ("1\0", None), ("\udcb2", None), ("True", None)),
    ],
)
def test_numbers_of_a_peer(text: str, number: int | None) -> None:
    assert whole_number(text) == number


@given(st.text(st.one_of(st.characters(), st.sampled_from("-0123456789\u00b2\u0663")), max_size=25))
def test_a_number_is_read_or_not_and_nothing_is_raised(text: str) -> None:
    number = whole_number(text)
    assert number is None or (text.isascii() and int(text) == number)
