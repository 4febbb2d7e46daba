"""ServerURL: every form that a URL may have, and no secret in what is shown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_client.url import ServerURL, format_address

SECRET = "hunter2"


def address(url: str) -> tuple[str, str, int | None]:
    parsed = ServerURL.parse(url)
    return parsed.scheme, parsed.host, parsed.port


def credentials(url: str) -> tuple[str | None, str | None]:
    parsed = ServerURL.parse(url)
    return parsed.username, parsed.secret


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("tcp://pbx.example.com:5038", ("tcp", "pbx.example.com", 5038)),
        ("tcp://user:secret@pbx:5038", ("tcp", "pbx", 5038)),
        ("tls://pbx:5039", ("tls", "pbx", 5039)),
        ("TLS://pbx", ("tls", "pbx", None)),
        ("tCp://pbx", ("tcp", "pbx", None)),
        ("pbx", ("tcp", "pbx", None)),
        ("pbx:5038", ("tcp", "pbx", 5038)),
        ("pbx:", ("tcp", "pbx", None)),
        ("192.0.2.1:1", ("tcp", "192.0.2.1", 1)),
        ("user:secret@pbx:65535", ("tcp", "pbx", 65535)),
        ("[::1]", ("tcp", "::1", None)),
        ("[::1]:5038", ("tcp", "::1", 5038)),
        ("tcp://u:s@[2001:db8::1]:5038", ("tcp", "2001:db8::1", 5038)),
        ("tcp://[fe80::1%eth0]:5038", ("tcp", "fe80::1%eth0", 5038)),
        ("  tcp://pbx:5038  ", ("tcp", "pbx", 5038)),
        ("tcp://pbx:5038/path/to?query=1", ("tcp", "pbx", 5038)),
        ("tcp://pbx?query", ("tcp", "pbx", None)),
        ("unix:/run/asterisk/ami", ("unix", "/run/asterisk/ami", None)),
        ("unix:///run/asterisk/ami", ("unix", "/run/asterisk/ami", None)),
        ("UNIX:/run/ami", ("unix", "/run/ami", None)),
        ("unix:user:secret@/run/ami", ("unix", "/run/ami", None)),
        ("unix:/run/ami@pbx/socket", ("unix", "/run/ami@pbx/socket", None)),
        ("unix:/run/with space?and:colon", ("unix", "/run/with space?and:colon", None)),
    ],
)
def test_addresses(url: str, expected: tuple[str, str, int | None]) -> None:
    assert address(url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("tcp://pbx", (None, None)),
        ("tcp://bob@pbx", ("bob", None)),
        ("tcp://bob:@pbx", ("bob", "")),
        ("tcp://bob:s3cret@pbx", ("bob", "s3cret")),
        ("tcp://bob:s3cr:t@x@pbx:5038", ("bob", "s3cr:t@x")),
        ("bob:s3cret@pbx", ("bob", "s3cret")),
        ("tcp://b%40b%3a:%2f%23%3F%25@pbx", ("b@b:", "/#?%")),
        ("tcp://bob:a/b#c?d@pbx", ("bob", "a/b#c?d")),
        ("tcp://J%C3%B6rg:пароль@pbx", ("Jörg", "пароль")),
        ("tcp://bob:a+b@pbx", ("bob", "a+b")),
        ("tcp://bob:100%@pbx", ("bob", "100%")),
        ("unix:bob:s3cret@/run/ami", ("bob", "s3cret")),
        ("unix:/run/a@b", (None, None)),
    ],
)
def test_user_and_secret(url: str, expected: tuple[str | None, str | None]) -> None:
    assert credentials(url) == expected


@pytest.mark.parametrize(
    ("fragment", "params"),
    [
        ("", ()),
        ("#", ()),
        ("#ssl=1", (("ssl", "1"),)),
        ("#ssl=1#timeout=7", (("ssl", "1"), ("timeout", "7"))),
        ("#ssl=1&timeout=7", (("ssl", "1"), ("timeout", "7"))),
        ("# SSL = 1 #flag", (("ssl", "1"), ("flag", ""))),
        ("#events=call,user", (("events", "call,user"),)),
    ],
)
def test_fragment_parameters(fragment: str, params: tuple[tuple[str, str], ...]) -> None:
    for url in ("tcp://bob:s3cret@pbx:5038", "pbx", "unix:/run/ami"):
        assert ServerURL.parse(url + fragment).params == params
        assert address(url + fragment) == address(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "tcp://",
        f"tcp://bob:{SECRET}@",
        f"tcp://bob:{SECRET}@:5038",
        f"tcp://bob:{SECRET}@pbx:0",
        f"tcp://bob:{SECRET}@pbx:65536",
        f"tcp://bob:{SECRET}@pbx:-1",
        f"tcp://bob:{SECRET}@pbx:50x8",
        f"tcp://bob:{SECRET}@pbx:٥٠٣٨",
        f"tcp://bob:{SECRET}@::1",
        f"tcp://bob:{SECRET}@[::1",
        f"tcp://bob:{SECRET}@[]:5038",
        f"tcp://bob:{SECRET}@[::1]x",
        f"tcp://bob:{SECRET}@two hosts:5038",
        f"http://bob:{SECRET}@pbx",
        f"ssl://bob:{SECRET}@pbx",
        f"tcp://bob:{SECRET}\n@pbx",
        f"tcp://bob:{SECRET}%0d%0aAction@pbx",
        f"tcp://b%00b:{SECRET}@pbx",
        f"tcp://bob:{SECRET}\ud800@pbx",
        "unix:/run/\ud800",
        f"tcp://bob:{SECRET}%ff@pbx",
        f"unix:bob:{SECRET}@run/ami",
        "unix:run/ami",
        "unix:",
    ],
)
def test_a_malformed_url_is_a_value_error_without_the_secret(url: str) -> None:
    with pytest.raises(ValueError) as caught:
        ServerURL.parse(url)
    assert str(caught.value)
    assert SECRET not in str(caught.value) + repr(caught.value)


@pytest.mark.parametrize("url", [None, b"tcp://pbx", 5038])
def test_what_is_no_text_is_a_type_error(url: Any) -> None:
    with pytest.raises(TypeError):
        ServerURL.parse(url)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        (f"tcp://bob:{SECRET}@pbx:5038", "tcp://bob@pbx:5038"),
        (f"TLS://bob:{SECRET}@[::1]", "tls://bob@[::1]"),
        ("pbx", "tcp://pbx"),
        (f"unix:bob:{SECRET}@/run/ami", "unix:/run/ami"),
        (f"tcp://bob:{SECRET}@pbx/path#timeout=7", "tcp://bob@pbx"),
    ],
)
def test_no_text_form_shows_the_secret(url: str, text: str) -> None:
    parsed = ServerURL.parse(url)
    assert str(parsed) == f"{parsed}" == text
    assert parsed.secret == SECRET or parsed.secret is None
    assert SECRET not in repr(parsed)


def test_addresses_are_shown_as_people_write_them() -> None:
    assert format_address("pbx", 5038) == "pbx:5038"
    assert format_address("pbx", None) == "pbx"
    assert format_address("::1", 5038) == "[::1]:5038"
    assert format_address("::1", None) == "[::1]"


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_whatever_is_parsed_is_parsed_or_a_value_error(text: str) -> None:
    try:
        parsed = ServerURL.parse(text)
    except ValueError:
        return
    assert parsed.host


@pytest.mark.parametrize("url", ["::1", "tcp://u:s@2001:db8::1", "fe80::1:5038"])
def test_an_ipv6_address_without_brackets_is_told_how_it_is_written(url: str) -> None:
    with pytest.raises(ValueError, match="in brackets"):
        ServerURL.parse(url)
