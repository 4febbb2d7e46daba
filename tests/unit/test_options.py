"""Options: phpDaemon's defaults and ours, and what is no option."""

from __future__ import annotations

import logging
import math
import ssl
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from ami_client.options import Options, seconds

SECRET = "hunter2"


def test_the_defaults() -> None:
    options = Options.make()
    assert options == Options()
    assert {one.name: getattr(options, one.name) for one in fields(Options)} == {
        "authtype": "md5",
        "port": 5280,
        "server": None,
        "servers": (),
        "maxconnperserv": 32,
        "timeout": 60.0,
        "username": "",
        "secret": "",
        "events": "on",
        "connect_timeout": 10.0,
        "local_addr": None,
        "login_timeout": 10.0,
        "action_timeout": 60.0,
        "reconnect": None,
        "reconnect_max": 60.0,
        "reconnect_refused": False,
        "slow_handler": 1.0,
        "max_packet": 16 * 1024 * 1024,
        "max_lines": 200_000,
        "max_answer": 256 * 1024 * 1024,
        "max_outgoing": 16 * 1024 * 1024,
        "max_pending": 100_000,
        "max_waiting": 1000,
        "max_callbacks": 100_000,
        "fold_case": True,
        "filters": (),
        "ssl": False,
        "ssl_verify": True,
    }


def test_a_mapping_and_keywords_of_which_the_keywords_win() -> None:
    options = Options.make({"port": 1, "username": "bob"}, port=2)
    assert (options.port, options.username) == (2, "bob")


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("usrname", "username"),
        ("Timeout", "timeout"),
        ("maxConnPerServ", "maxconnperserv"),
        ("loginTimeout", "login_timeout"),
    ],
)
def test_an_unknown_option_names_the_nearest(wrong: str, nearest: str) -> None:
    given: dict[str, Any] = {wrong: SECRET}
    with pytest.raises(TypeError, match=f"'{wrong}'; did you mean '{nearest}'") as caught:
        Options.make(given)
    assert SECRET not in str(caught.value)
    with pytest.raises(TypeError, match=f"'{wrong}'; did you mean '{nearest}'"):
        Options.make(**given)


def test_whatever_the_unknown_option_is_some_known_one_is_named() -> None:
    with pytest.raises(TypeError, match=r"did you mean '[a-z_]+'"):
        Options.make(xyzzy=1)


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("authtype", "MD5", "md5"),
        ("authtype", "Plain", "plain"),
        ("port", 1, 1),
        ("port", 65535, 65535),
        ("server", "", None),
        ("server", "pbx", "pbx"),
        ("events", "call, agent", "call,agent"),
        ("servers", "a:1, b:2 ,, ,c", ("a:1", "b:2", "c")),
        ("servers", ["a", " b ", ""], ("a", "b")),
        ("servers", (), ()),
        ("servers", "", ()),
        ("maxconnperserv", 1, 1),
        ("timeout", 7, 7.0),
        ("timeout", 0.5, 0.5),
        ("timeout", None, None),
        ("timeout", math.inf, None),
        ("action_timeout", None, None),
        ("events", True, "on"),
        ("events", False, "off"),
        ("events", "call,user", "call,user"),
        ("local_addr", "192.0.2.9", ("192.0.2.9", 0)),
        ("local_addr", ("2001:db8::9", 4000), ("2001:db8::9", 4000)),
        ("local_addr", ["192.0.2.9", 0], ("192.0.2.9", 0)),
        ("local_addr", "fe80::1%eth0", ("fe80::1%eth0", 0)),
        ("local_addr", None, None),
        ("max_packet", 1024, 1024),
        ("max_waiting", 0, 0),
        ("fold_case", False, False),
        ("ssl", None, False),
        ("ssl", True, True),
    ],
)
def test_values_that_fit(name: str, given: Any, kept: Any) -> None:
    value = getattr(Options.make({name: given}), name)
    assert value == kept
    assert type(value) is type(kept)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("authtype", "sha", ValueError),
        ("authtype", None, TypeError),
        ("port", 0, ValueError),
        ("port", 65536, ValueError),
        ("port", "5038", TypeError),
        ("port", True, TypeError),
        ("server", 5, TypeError),
        ("servers", 5, TypeError),
        ("servers", [5], TypeError),
        ("maxconnperserv", 0, ValueError),
        ("maxconnperserv", 1.5, TypeError),
        ("timeout", 0, ValueError),
        ("timeout", -1, ValueError),
        ("timeout", math.nan, ValueError),
        ("timeout", True, TypeError),
        ("timeout", "7", TypeError),
        ("connect_timeout", 0, ValueError),
        ("login_timeout", 0, ValueError),
        ("action_timeout", 0, ValueError),
        ("local_addr", "", ValueError),
        ("local_addr", "pbx.example.com", ValueError),
        ("local_addr", "192.0.2", ValueError),
        ("local_addr", "192.0.2.9%eth0", ValueError),
        ("local_addr", "192.0.2.9:4000", ValueError),
        ("local_addr", "[2001:db8::9]", ValueError),
        ("local_addr", "192.0.2.9\0", ValueError),
        ("local_addr", 5, TypeError),
        ("local_addr", b"192.0.2.9", TypeError),
        ("local_addr", (4000, "192.0.2.9"), TypeError),
        ("local_addr", ("192.0.2.9",), TypeError),
        ("local_addr", ("192.0.2.9", "4000"), TypeError),
        ("local_addr", ("192.0.2.9", 65536), ValueError),
        ("username", None, TypeError),
        ("username", "bob\nx", ValueError),
        ("secret", b"x", TypeError),
        ("secret", SECRET + "\r\nAction: x", ValueError),
        ("secret", SECRET + "\0", ValueError),
        ("username", "b" * 1100, ValueError),
        ("secret", SECRET * 200, ValueError),
        ("secret", SECRET + "\ud800", ValueError),
        ("events", "on\n", ValueError),
        ("events", 1, TypeError),
        ("max_packet", 1023, ValueError),
        ("max_waiting", -1, ValueError),
        ("fold_case", 1, TypeError),
        ("ssl", 1, TypeError),
        ("ssl", "yes", TypeError),
    ],
)
def test_values_that_do_not_fit(name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=name) as caught:
        Options.make({name: value})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("config", ["tcp://pbx", ["tcp://pbx"], 5])
def test_a_config_that_is_no_mapping(config: Any) -> None:
    with pytest.raises(TypeError, match="mapping of options, not"):
        Options.make(config)


def test_an_ssl_context_of_ones_own() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert Options.make(ssl=context).ssl is context


def test_options_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Options.make().port = 1  # type: ignore[misc]


def test_repr_shows_no_secret() -> None:
    url = f"tcp://bob:{SECRET}@pbx"
    assert SECRET not in repr(Options.make(secret=SECRET, server=url, servers=[url]))


# Fragments of URLs


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("ssl", "1", True),
        ("ssl", "Off", False),
        ("fold_case", "false", False),
        ("fold_case", "yes", True),
        ("timeout", "7", 7.0),
        ("timeout", "0.5", 0.5),
        ("connect_timeout", "inf", None),
        ("local_addr", "2001:db8::9", ("2001:db8::9", 0)),
        ("max_packet", "2048", 2048),
        ("max_waiting", "0", 0),
        ("authtype", "PLAIN", "plain"),
        ("events", "call,user", "call,user"),
    ],
)
def test_a_fragment_sets_options(name: str, text: str, value: Any) -> None:
    options = Options.make(username="bob")
    changed = options.with_params([(name, text)], "tcp://pbx")
    assert getattr(changed, name) == value
    assert changed.username == "bob"
    assert options == Options.make(username="bob")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ssl", "2"),
        ("ssl", ""),
        ("timeout", "x"),
        ("timeout", "0"),
        ("timeout", ""),
        ("max_packet", "1.5"),
        ("local_addr", "localhost"),
        ("authtype", "x"),
    ],
)
def test_a_fragment_that_does_not_fit_is_a_value_error(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=name):
        Options.make().with_params([(name, text)], "tcp://pbx")


@pytest.mark.parametrize("name", ["nosuch", "secret", "maxconnperserv", "server"])
def test_an_unknown_parameter_is_logged(
    name: str, expect_log: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    expect_log(f"WARNING: tcp://bob@pbx: unknown parameter '{name}'")
    with caplog.at_level(logging.DEBUG):
        options = Options.make().with_params([(name, SECRET), ("timeout", "7")], "tcp://bob@pbx")
    assert options == Options.make(timeout=7)
    assert SECRET not in caplog.text


def test_what_a_fragment_may_not_set() -> None:
    """What is of the pool, of all its connections, or a matter of trust."""
    not_in_url = {one.name for one in fields(Options) if not one.metadata["in_url"]}
    assert not_in_url == {"filters", "port", "server", "servers", "maxconnperserv", "username", "secret", "ssl_verify"}


def test_every_option_is_declared_with_its_check() -> None:
    assert [one.name for one in fields(Options) if not callable(one.metadata.get("check"))] == []


def test_seconds_name_what_they_limit() -> None:
    assert seconds("timeout", 3) == 3.0
    with pytest.raises(ValueError, match="my_limit must be greater than 0"):
        seconds("my_limit", 0)
