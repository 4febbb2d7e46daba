"""The log: one line per state change at a sensible level; nothing in it is forged, and no secret."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from fake_network import SECRET, URL, Calls, Network, Peer, message
from outage import Daemon
from server_texts import BANNER, CHALLENGE, REFUSAL, WELCOME

from ami_client import Connection

ExpectLog = Callable[[str], None]
MakeDaemon = Callable[..., Daemon]
SHOWN = "tcp://joe@192.0.2.1:5038"


class Lines:
    """What is logged, as ``LEVEL text``."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    @property
    def all(self) -> list[str]:
        return [f"{one.levelname} {one.getMessage()}" for one in self._caplog.records if one.name == "ami_client"]

    def take(self, least: int = logging.DEBUG) -> list[str]:
        """Those of a level at least, without the server in front; and forget them."""
        records = [one for one in self._caplog.records if one.name == "ami_client" and one.levelno >= least]
        self._caplog.clear()
        return [f"{one.levelname} {one.getMessage().replace(SHOWN + ': ', '')}" for one in records]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    caplog.set_level(logging.DEBUG, "ami_client")
    return Lines(caplog)


# One line per state change


@pytest.mark.parametrize("authtype", ["plain", "md5"])
def test_a_life_at_debug(network: Network, lines: Lines, authtype: str) -> None:
    pool = network.pool(authtype=authtype)
    pool.get_connection(URL)
    network.pump()
    network.say(BANNER)
    if authtype == "md5":
        network.say(CHALLENGE)
    network.say(WELCOME)
    network.sockets[0].eof()
    network.pump()
    asked = ["DEBUG asked for a challenge"] if authtype == "md5" else []
    assert lines.take() == [
        "DEBUG connecting",
        "DEBUG connected",
        *asked,
        "DEBUG logging in",
        "INFO logged in: Asterisk Call Manager/5.0.4",
        "INFO finished: the server closed the connection",
    ]


def test_a_life_at_info_is_two_lines(network: Network, lines: Lines) -> None:
    peer = network.log_in()
    for _ in range(100):
        peer.answer(peer.conn.ping(Calls()))
        peer.say("Event: X", "rubbish", "Response: Success|ActionID: nobody's")
    peer.sock.eof()
    network.pump()
    assert lines.take(logging.INFO) == [
        "INFO logged in: Asterisk Call Manager/5.0.4",
        "INFO finished: the server closed the connection",
    ]


def test_every_line_names_the_server(network: Network, lines: Lines) -> None:
    network.log_in().conn.finish()
    assert lines.all and all(f" {SHOWN}: " in line for line in lines.all)


def log_off(peer: Peer) -> None:
    peer.answer(peer.conn.logoff(), "Response: Goodbye")
    peer.sock.eof()


def ends() -> dict[str, tuple[Callable[[Peer], object], str]]:
    return {
        "reset": (lambda peer: peer.sock.reset(), "INFO finished: the connection was lost"),
        "silence": (lambda peer: peer.network.wait(61), "INFO finished: the server was silent for 60 s"),
        "finish": (lambda peer: peer.conn.finish(), "INFO finished: the connection was finished"),
        "limit": (lambda peer: peer.say("x" * 5000), "INFO finished: more than 1024 bytes (max_packet)"),
        "logoff": (
            lambda peer: (peer.answer(peer.conn.logoff(), "Response: Goodbye"), peer.sock.eof()),
            "INFO finished",
        ),
    }


@pytest.mark.parametrize("kind", ends())
def test_every_end_is_one_line_at_info(network: Network, lines: Lines, kind: str) -> None:
    end, begins = ends()[kind]
    peer = network.log_in(max_packet=1024, timeout=60)
    lines.take()
    end(peer)
    network.pump()
    (line,) = lines.take(logging.INFO)
    assert line.startswith(begins)


def test_a_refused_login(network: Network, lines: Lines) -> None:
    network.pool().get_connection(URL)
    network.answer_login(REFUSAL)
    assert lines.take()[3:] == ["DEBUG refused", "INFO finished: login refused: Authentication failed"]


# Reconnecting


def test_the_first_attempt_is_a_warning_and_the_later_ones_are_not(daemon: Daemon, lines: Lines) -> None:
    daemon.lose()
    for _ in range(3):
        daemon.network.prepare().refuse()
        daemon.network.wait(daemon.delays[-1])
    told = [line for line in lines.take() if "connecting again" in line]
    assert [line.split()[0] for line in told] == ["WARNING", "INFO", "INFO", "INFO"]
    for line, delay, attempt in zip(told, daemon.delays, (1, 2, 3, 4)):
        assert f" {delay:.0f}" in line and f"attempt {attempt} (" in line


def test_after_a_login_it_is_a_warning_again(daemon: Daemon, lines: Lines) -> None:
    for _ in range(3):
        daemon.lose()
        daemon.come_back()
    assert sum(line.startswith("WARNING connecting again") for line in lines.take()) == 3


def test_an_attempt_that_was_brought_forward_was_announced_once(daemon: Daemon, lines: Lines) -> None:
    daemon.lose()
    daemon.pool.get_connection(URL)
    daemon.network.answer_login()
    daemon.network.wait(10)
    assert lines.take(logging.WARNING) == [
        "WARNING connecting again in 4.00 s, attempt 1 (the server closed the connection)"
    ]


REFUSED = "login refused: Authentication failed"


@pytest.mark.parametrize(
    ("options", "level", "line"),
    [
        ({}, "ERROR", f"{REFUSED}; it is not opened again (unless reconnect_refused is set)"),
        ({"reconnect_refused": True}, "WARNING", f"connecting again in 4.00 s, attempt 1 ({REFUSED})"),
        ({"reconnect": None}, "", ""),
    ],
)
def test_a_refused_login_is_an_error_if_it_stops_the_reconnecting(
    make_daemon: MakeDaemon, lines: Lines, options: dict[str, Any], level: str, line: str, expect_log: ExpectLog
) -> None:
    daemon = make_daemon(**options)
    if level:
        expect_log(f"^{level}: {SHOWN}: .*login refused: Authentication failed")
    daemon.pool.get_connection(URL)
    daemon.network.answer_login(REFUSAL)
    told = [line for line in lines.take(logging.WARNING) if "refused" in line]
    assert told == ([f"{level} {line}"] if level else [])


# Forged lines

HOSTILE = "x\nERROR forged: \r\x1b[31m\x00\x07\x85\u2028\u202e" + "y" * 5000


def assert_tame(lines: Lines) -> None:
    assert lines.all
    for line in lines.all:
        assert line.isprintable() and len(line) < 800, line


@pytest.mark.parametrize("eol", ["\r\n", "\n"])
def test_a_hostile_banner(network: Network, lines: Lines, eol: str) -> None:
    network.pool().get_connection(URL)
    network.pump()
    banner = HOSTILE.replace("\n", "\r") if eol == "\n" else HOSTILE.replace("\n", " ")
    network.say(banner.encode() + eol.encode() + (WELCOME if eol == "\r\n" else WELCOME.replace(b"\r", b"")))
    assert any(line.startswith("INFO") and "logged in: x" in line for line in lines.all)
    assert_tame(lines)


def test_a_hostile_banner_of_a_server_that_says_no_more(network: Network, lines: Lines) -> None:
    network.pool().get_connection(URL)
    network.pump()
    network.say(HOSTILE.replace("\n", " ").encode() + b"\r\n")
    network.wait(11)
    assert_tame(lines)


@pytest.mark.parametrize("reconnect", [None, 4])
def test_a_hostile_refusal(network: Network, lines: Lines, reconnect: Any, expect_log: ExpectLog) -> None:
    if reconnect:
        expect_log("^ERROR: .*login refused: x")
    network.pool(reconnect=reconnect).get_connection(URL)
    network.answer_login(b"Response: Error\r\nMessage: " + HOSTILE.replace("\r", "").encode() + b"\r\n\r\n")
    assert_tame(lines)


def test_bytes_that_are_no_text(network: Network, lines: Lines) -> None:
    network.pool().get_connection(URL)
    network.answer_login(b"Response: Error\r\nMessage: \xff\xfe\xed\xa0\x80\r\n\r\n")
    assert_tame(lines)
    for line in lines.all:
        line.encode()  # a lone surrogate would break the log's own encoding


def test_hostile_answers_and_events(peer: Peer, lines: Lines, expect_log: ExpectLog) -> None:
    expect_log("may have lost parts")
    lines.take()
    action_id = peer.conn.action("List", Calls())
    text = HOSTILE.replace("\r", "").encode()
    for head in ("Response: Success\r\nEventList: start", "Event: Entry", "Event: Done\r\nEventList: Complete"):
        end = b"\r\nListItems: 7\r\nActionID: " + action_id.encode() + b"\r\nText: " + text + b"\r\n\r\n"
        peer.network.say(head.encode() + end, peer.sock)
    peer.network.say(b"Response: Error\r\nMessage: " + text + b"\r\n\r\n" + text + b"\r\n\r\n", peer.sock)
    peer.answer(peer.conn.ping(Calls()), "Response: Error|Message: " + "z" * 3000)
    peer.sock.eof()
    peer.network.pump()
    assert_tame(lines)


def test_the_callers_own_words_are_tame_too(peer: Peer, lines: Lines, expect_log: ExpectLog) -> None:
    expect_log("may have lost parts")
    lines.take()
    action_id = peer.conn.action("List\x1b[31m\u202e", Calls())
    peer.say(f"Response: Success|EventList: start|ActionID: {action_id}")
    peer.say(f"Event: Done|EventList: Complete|ListItems: 7|ActionID: {action_id}")
    assert_tame(lines)


# Secrets


@pytest.mark.parametrize("authtype", ["plain", "md5"])
@pytest.mark.parametrize("where", ["url", "options", "both, and encoded"])
def test_no_secret_at_any_level(
    network: Network,
    lines: Lines,
    authtype: str,
    where: str,
    expect_log: ExpectLog,
    capsys: pytest.CaptureFixture[str],
) -> None:
    expect_log("WARNING|ERROR")
    shown: list[str] = []
    secret = SECRET + "/@%" if "encoded" in where else SECRET
    url = {"url": URL, "options": "tcp://192.0.2.1:5038"}.get(where, "tcp://joe:s3cr3t-Hush%2F%40%25@192.0.2.1:5038")
    pool = network.pool(authtype=authtype, reconnect=1, username="joe", secret=secret, reconnect_refused=True)

    def explode(*args: object) -> None:
        raise RuntimeError("the user's bug")

    def look(conn: Connection) -> None:
        shown.extend((repr(conn), str(conn), repr(conn.error), str(conn.error), repr(conn.stats), repr(conn.options)))

    pool.on(["connected", "disconnect", "reconnecting", "login"], explode)
    pool.on(["connected", "disconnect"], look)
    for answers in ([WELCOME], [REFUSAL], []):
        pool.get_connection(url + "#unknown=1" if not answers else url, explode)
        network.pump()
        network.say(BANNER + (CHALLENGE if authtype == "md5" else b""))
        for answer in answers:
            network.say(answer)
        key = network.sockets[-1].take().decode().partition("Key: ")[2].partition("\r\n")[0]
        network.sockets[-1].eof()
        network.pump()
        shown.append(repr(pool))
    pool.finish()
    text = "\n".join([*lines.all, *shown, caplog_text(lines), *capsys.readouterr()])
    assert "explode" in text
    for hidden in (SECRET, "Hush", key or SECRET):
        assert hidden not in text


def caplog_text(lines: Lines) -> str:
    """With the tracebacks."""
    return lines._caplog.text


def test_nothing_of_what_is_sent_or_received_is_logged(peer: Peer, lines: Lines) -> None:
    calls = Calls()
    peer.answer(peer.conn.action("Do", calls, {"Secret": "mine-9"}), "Response: Success|Secret: theirs-9")
    peer.say("Event: X|Md5Cred: theirs-9", "theirs-9")
    peer.network.say(message("Response: Success|ActionID: theirs-9"), peer.sock)
    peer.conn.ping(calls, timeout=1)
    peer.network.wait(2)
    assert "theirs-9" not in "".join(lines.all) and "mine-9" not in "".join(lines.all)
