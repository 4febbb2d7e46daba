"""The command line as a process, with every command, against real servers."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from servers import AsteriskServer
from wallboard_page import pages, states, until_ready

from ami_client.testing import Recording

PROJECT = Path(__file__).parents[2]
LIMIT = 30.0  # seconds
COMMAND = [sys.executable, "-m", "ami_client"]


class Said(NamedTuple):
    """What a command wrote, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def rows(self) -> list[list[str]]:
        """The cells of a table."""
        return [re.split(" {2,}", line.strip()) for line in self.lines]

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


class Running:
    """A command that runs: its lines as they come, signals, its end."""

    def __init__(self, args: tuple[str, ...], environment: dict[str, str]) -> None:
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self._process = subprocess.Popen(
            [*COMMAND, *args], cwd=PROJECT, env=environment, text=True, encoding="utf-8", **pipes
        )
        # What hangs is killed, and then what is read from it ends.
        self._timer = threading.Timer(LIMIT, self._process.kill)
        self._timer.start()

    def until(self, pattern: str, stream: str = "stdout") -> str:
        """Read lines until the regex is found in one; returns that one."""
        lines: list[str] = []
        for line in getattr(self._process, stream):
            if re.search(pattern, line):
                return str(line)
            lines.append(line)
        pytest.fail(f"it ended, and {pattern!r} was not in {lines}")

    def interrupt(self) -> Said:
        """Ctrl-C."""
        self._process.send_signal(signal.SIGINT)
        return self.finish()

    def finish(self) -> Said:
        """Wait for its end; returns what was not read before."""
        out, err = self._process.communicate()
        self._timer.cancel()
        return Said(self._process.returncode, out, err)

    def end(self) -> None:
        self._timer.cancel()
        self._process.kill()
        self._process.communicate()


class Ami:
    """``ami("ping", "-c", "1")`` runs the command against the server; the secret is in the environment."""

    def __init__(self, server: AsteriskServer, home: Path) -> None:
        self.server = server
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(("AMI_", "XDG_"))}
        self.environment |= {
            "HOME": str(home),
            "AMI_URL": f"tcp://{server.host}:{server.port}",
            "AMI_USERNAME": server.username,
            "AMI_SECRET": server.secret,
        }
        self._running: list[Running] = []

    def __call__(self, *args: str) -> Said:
        return self.start(*args).finish()

    def start(self, *args: str) -> Running:
        running = Running(args, self.environment)
        self._running.append(running)
        return running

    def url(self, username: str, secret: str) -> str:
        return f"tcp://{username}:{secret}@{self.server.host}:{self.server.port}"

    def call(self, *args: str) -> str:
        """Place a call that stays; returns the name of its channel."""
        said = self("originate", "Local/101@default/n", "100@default", *args)
        assert (said.status, said.err) == (0, "")
        return said.out.removeprefix("answered: ").strip()

    def hang_up_all(self) -> None:
        self("action", "Hangup", "Channel=/.*/")
        deadline = time.monotonic() + LIMIT
        while self("channels", "--json").out:
            assert time.monotonic() < deadline, "calls that stay up"

    def end(self) -> None:
        for running in self._running:
            running.end()


def ami_of(server: AsteriskServer, home: Path) -> Iterator[Ami]:
    ami = Ami(server, home)
    yield ami
    ami.end()
    if server.pid is not None:
        ami.hang_up_all()


@pytest.fixture
def ami(asterisk: AsteriskServer, tmp_path: Path) -> Iterator[Ami]:
    """The command, for each of the two servers in turn; all calls are hung up at the end."""
    yield from ami_of(asterisk, tmp_path)


@pytest.fixture
def own_ami(own_asterisk: AsteriskServer, tmp_path: Path) -> Iterator[Ami]:
    """The same for a server of the test's own."""
    yield from ami_of(own_asterisk, tmp_path)


def address_of(ami: Ami) -> str:
    return f"{ami.server.host}:{ami.server.port}"


def sixteen(ami: Ami) -> bool:
    return ami.server.version == "16"


# -- every command


def test_ping(ami: Ami) -> None:
    said = ami("ping", "-c", "3", "-i", "0")
    address = address_of(ami)
    assert (said.status, said.err) == (0, "")
    assert [line.split(" time=")[0] for line in said.lines[:3]] == [
        f"pong from {address}: seq={number}" for number in (1, 2, 3)
    ]
    assert said.lines[4] == f"tcp://bench@{address}: 3 sent, 3 answered"
    *pings, summary = ami("ping", "-c", "2", "-i", "0", "--json").objects
    assert [one["seq"] for one in pings] == [1, 2]
    assert 0 < summary["min"] <= summary["avg"] <= summary["max"] < LIMIT


def test_action(ami: Ami) -> None:
    said = ami("action", "CoreSettings")
    assert (said.status, said.err) == (0, "")
    assert said.lines[:2] == [
        "Response: Success",
        f"AMIversion: {'5.0' if sixteen(ami) else '11.0'}.{said.lines[1][-1]}",
    ]
    assert not any(line.startswith("ActionID") for line in said.lines)
    response, *entries, complete = ami("action", "QueueStatus", "Queue=support", "--json").objects
    assert response["EventList"] == "start"
    assert [one["Event"] for one in entries] == ["QueueParams", "QueueMember", "QueueMember", "QueueMember"]
    assert (complete["Event"], complete["ListItems"]) == ("QueueStatusComplete", "4")


def test_headers_that_repeat_and_values_of_all_kinds(ami: Ami) -> None:
    channel = ami.call("-V", "COLOUR=a,b", "-V", "MOTTO=x=\"y\" 'z' \\", "-V", "CITY=Zürich")
    for name, value in ("COLOUR", "a,b"), ("MOTTO", "x=\"y\" 'z' \\"), ("CITY", "Zürich"):
        (got,) = ami("action", "Getvar", f"Channel={channel}", f"Variable={name}", "--json").objects
        assert got["Value"] == value
    said = ami("action", "Setvar", f"Channel={channel}", "Variable=EMPTY", "Value=")
    assert (said.status, said.err) == (0, "")


def test_an_action_that_is_refused(ami: Ami) -> None:
    said = ami("action", "Nonesuch")
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith("ami-client: the server refused: Invalid/unknown command: Nonesuch")
    assert said.err.count("\n") == 1


def test_command(ami: Ami) -> None:
    said = ami("command", "core", "show", "version")
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith(f"Asterisk {ami.server.version}.")
    (made,) = ami("command", "core show version", "--json").objects
    assert made["Output"] == said.lines
    said = ami("command", "no such thing")
    assert (said.status, said.err) == (1, "")
    assert said.out.startswith("No such command 'no such thing'")


def test_a_command_with_a_long_answer_comes_whole(ami: Ami) -> None:
    # The server's own command line has colours and an empty line at its end.
    theirs = [
        line.rstrip() for line in re.sub(r"\x1b\[[\d;]*m", "", ami.server.cli("core show applications")).split("\n")
    ]
    ours = [line.rstrip() for line in ami("command", "core show applications").lines]
    assert [line for line in ours if line] == [line for line in theirs if line]
    assert len(ours) > 100


def test_channels(ami: Ami) -> None:
    assert ami("channels").out == "0 channels, 0 calls\n"
    channel = ami.call()
    said = ami("channels")
    assert (said.status, said.err) == (0, "")
    assert said.rows[0] == ["CHANNEL", "STATE", "DURATION", "CALLER", "CONNECTED", "EXTENSION", "APPLICATION"]
    rows = {row[0]: row[1:] for row in said.rows[1:-1]}
    assert set(rows) == {channel, channel.replace(";1", ";2")}
    assert rows[channel][0] == "Up"
    assert rows[channel][4] == "100@default"
    assert said.lines[-1] == "2 channels, 1 call"
    assert {one["Channel"] for one in ami("channels", "--json").objects} == set(rows)


def test_calls(ami: Ami) -> None:
    assert ami("calls").out == "0 calls\n"
    channel = ami.call()
    said = ami("calls")
    assert (said.status, said.err) == (0, "")
    assert said.rows[0] == ["STATE", "DURATION", "CALLER", "WITH", "QUEUE", "CHANNELS"]
    assert (said.rows[1][0], said.rows[1][2], said.rows[1][5]) == ("Up", channel, "2")
    assert said.lines[-1] == "1 call"
    (call,) = ami("calls", "--json").objects
    assert set(call["channels"]) == {channel, channel.replace(";1", ";2")}
    assert (call["parties"], call["caller"]) == ([], None)  # both lead to nobody


def test_calls_are_followed(ami: Ami) -> None:
    following = ami.start("calls", "--follow", "--json", "-t", "5")
    ami.call()
    ami.hang_up_all()
    said = following.finish()
    assert (said.status, said.err) == (0, "")
    assert [one["event"] for one in said.objects] == ["call_new", "call_ended"]
    assert said.objects[-1]["call"]["reason"] == "completed"


def test_peers(ami: Ami) -> None:
    said = ami("peers")
    assert (said.status, said.err) == (0, "")
    rows = {(row[0], row[1]): row[2:] for row in said.rows[1:-1]}
    technologies = ["IAX2", "PJSIP", "SIP"] if sixteen(ami) else ["IAX2", "PJSIP"]
    assert sorted({technology for technology, _ in rows}) == technologies
    assert rows["PJSIP", "carol"] == ["Unavailable", "-"]
    assert rows["PJSIP", "alice"][1] == "sip:alice@127.0.0.1:9"
    assert rows["IAX2", "iax-alice"] == ["Unmonitored", "127.0.0.2:4569"]
    if sixteen(ami):
        assert rows["SIP", "sip-alice"] == ["Unmonitored", "127.0.0.2:5060"]
    assert said.lines[-1] == f"{len(rows)} peers"
    objects = ami("peers", "--json").objects
    assert sorted((one["Technology"], one["ObjectName"]) for one in objects) == sorted(rows)


def test_queues(ami: Ami) -> None:
    # The queue does not answer, so that the call has no result before an agent does.
    assert ami("originate", "Local/120@default/n", "100@default", "--no-wait", "-C", '"Eve" <555>').status == 0
    deadline = time.monotonic() + LIMIT
    while not (said := ami("queues")).lines[-1].endswith("1 caller waiting"):
        assert time.monotonic() < deadline, said
    assert (said.status, said.err) == (0, "")
    rows = {row[0]: row[1:] for row in said.rows[1:-1]}
    assert set(rows) == {"support", "sales", "empty"}
    assert rows["support"][:2] == ["ringall", "1"]
    assert said.lines[-1] == "3 queues, 1 caller waiting"
    details = ami("queues", "-q", "support")
    assert {"Alice Agent", "Bob Agent", "Carol Agent"} <= {row[0] for row in details.rows}
    assert "Local/120@default" in details.out
    events = {one["Event"] for one in ami("queues", "--json").objects}
    assert events == {"QueueParams", "QueueMember", "QueueEntry"}
    said = ami("queues", "-q", "nosuch")
    assert (said.status, said.err) == (1, "ami-client: there is no queue 'nosuch'\n")


@pytest.mark.parametrize(
    ("channel", "reason"),
    [
        ("Local/102@default", "busy"),
        ("Local/103@default", "congestion"),
        ("Local/105@default", "nobody answered in time"),
        ("Local/nobody@default", "it cannot be called, or does not exist"),
        ("PJSIP/nobody", "it cannot be called, or does not exist"),
    ],
)
def test_a_call_that_is_not_answered(ami: Ami, channel: str, reason: str) -> None:
    said = ami("originate", channel, "100@default", "--ring-time", "0.5")
    assert (said.status, said.out, said.err) == (1, "", f"ami-client: not answered: {reason}\n")


def test_an_application(ami: Ami) -> None:
    (made,) = ami("originate", "Local/101@default/n", "-a", "Wait", "-d", "60", "--json").objects
    assert (made["Event"], made["Response"], made["Application"]) == ("OriginateResponse", "Success", "Wait")
    said = ami("originate", "Local/101@default/n", "-a", "Wait", "-d", "60", "--no-wait")
    assert (said.status, said.out) == (0, "Originate successfully queued\n")


# -- events


def test_events(ami: Ami) -> None:
    watching = ami.start("events", "--json", "--time", "-n", "fullybooted", "-n", "userevent", "-w", "callno!=other")
    watching.until("FullyBooted")  # it has logged in
    for number in "other", "cli-1":
        assert ami("originate", "Local/110@default/n", "100@default", "-V", f"__CALLNO={number}").status == 0
    event = json.loads(watching.until("UserEvent"))
    assert (event["UserEvent"], event["CallNo"]) == ("Quick", "cli-1")
    assert event["@time"].startswith("20")
    assert watching.interrupt() == (-signal.SIGINT, "", "")


def test_events_as_lines(ami: Ami) -> None:
    watching = ami.start("events", "-n", "fullybooted", "-n", "user*", "-m", "2")
    assert re.match(r"\d\d:\d\d:\d\d\.\d\d\d FullyBooted ", watching.until(""))
    assert ami("action", "UserEvent", "UserEvent=Door", 'Text=a "b"', "Städte=Köln").status == 0
    said = watching.finish()
    assert (said.status, said.err) == (0, "")
    assert said.out.split(" ", 1)[1] == 'UserEvent UserEvent=Door Text="a \\"b\\"" Städte=Köln\n'


def test_events_of_a_class(ami: Ami) -> None:
    watching = ami.start("events", "-v", "--json", "--class", "user")
    watching.until("logged in", "stderr")
    ami.call()
    ami("action", "UserEvent", "UserEvent=Door")
    assert json.loads(watching.until(""))["Event"] == "UserEvent"  # and nothing of the call


def test_events_survive_the_server(own_ami: Ami) -> None:
    watching = own_ami.start("events", "--json", "-n", "shutdown", "-n", "fullybooted", "-n", "userevent")
    watching.until("FullyBooted")
    for start_again in own_ami.server.restart, own_ami.server.start:
        start_again()
        watching.until("the connection is lost; reconnecting", "stderr")
        watching.until("connected again; the events in between are missing", "stderr")
        assert own_ami("action", "UserEvent", "UserEvent=Back").status == 0
        assert json.loads(watching.until("UserEvent"))["UserEvent"] == "Back"
        own_ami.server.kill()
    assert watching.interrupt().status == -signal.SIGINT


# -- who may, and who may not


def test_a_secret_that_is_wrong(ami: Ami) -> None:
    for url in ami.url("bench", "wr0ng"), ami.url("denied", "denied"):
        said = ami("channels", url)
        assert (said.status, said.out) == (4, "")
        assert said.err.startswith("ami-client: login refused: Authentication failed; check user and secret")
        assert said.err.count("\n") == 1
        assert "wr0ng" not in said.err


def test_a_name_and_a_secret_with_all_kinds_of_letters(ami: Ami, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("s@p:ä/ß#1\n", encoding="utf-8")
    assert ami("ping", "-c", "1", "-u", "jürgen", "--secret-file", str(file)).status == 0
    assert ami("ping", "-c", "1", ami.url("j%C3%BCrgen", "s%40p%3A%C3%A4%2F%C3%9F%231")).status == 0


def test_a_profile(ami: Ami, tmp_path: Path) -> None:
    server, directory = ami.server, tmp_path / ".config" / "ami-client"
    directory.mkdir(parents=True)
    (directory / "bench.secret").write_text("secret\n")
    (directory / "bench.secret").chmod(0o600)
    (directory / "config.ini").write_text(
        f"[home]\nurl = tls://localhost:{server.tls_port}\nusername = bench\nsecret_file = bench.secret\n"
        f"ca_file = {server.ca_file}\n"
    )
    del ami.environment["AMI_URL"], ami.environment["AMI_USERNAME"], ami.environment["AMI_SECRET"]
    said = ami("ping", "-c", "1")
    assert (said.status, said.err) == (0, "")
    assert said.lines[-2] == f"tls://bench@localhost:{server.tls_port}: 1 sent, 1 answered"


def test_tls(ami: Ami) -> None:
    server = ami.server
    url = f"tls://bench@{server.host}:{server.tls_port}"
    said = ami("ping", url)
    assert said.status == 3
    assert "issuer certificate; use --ca-file FILE for an authority of your own, or --insecure" in said.err
    assert said.err.count("\n") == 1
    assert ami("ping", url, "-c", "1", "--ca-file", str(server.ca_file)).status == 0
    assert ami("ping", url, "-c", "1", "--insecure").status == 0
    said = ami("ping", f"tls://bench@{server.host}:{server.port}")
    assert said.status == 3
    assert "this port does not use TLS: try tcp://" in said.err


def test_rights_to_write_that_a_user_lacks(ami: Ami) -> None:
    url = ami.url("readonly", "readonly")
    for args in ("originate", "Local/101@default", "100@default"), ("command", "core show version"):
        said = ami(*args, "-s", url)
        assert (said.status, said.out) == (1, "")
        assert said.err.startswith("ami-client: the server refused: Permission denied; check the write= classes")
    assert ami("channels", url).status == 0


def test_rights_to_read_that_a_user_lacks(own_ami: Ami) -> None:
    deaf = "[deaf](common)\nsecret = deaf\nread = user\nwrite = all\n\n"
    own_ami.server.configure("manager.conf", "[denied]", f"{deaf}[denied]")
    own_ami.server.cli("manager reload")
    url = own_ami.url("deaf", "deaf")
    said = own_ami("originate", "Local/101@default/n", "100@default", "-s", url, "--timeout", "1")
    assert (said.status, said.out) == (5, "")
    assert "waiting for the call's result, which needs read=call in manager.conf, after 1 s" in said.err
    watching = own_ami.start("events", "-v", "--json", url)
    watching.until("logged in", "stderr")
    own_ami.call()
    own_ami("action", "UserEvent", "UserEvent=Door")
    assert json.loads(watching.until(""))["Event"] == "UserEvent"


def test_a_server_that_is_gone_or_says_nothing(own_ami: Ami) -> None:
    own_ami.server.freeze()
    said = own_ami("channels", "--timeout", "0.5")
    assert (said.status, said.out) == (5, "")
    assert said.err == "ami-client: still connecting after 0.5 s; use --timeout for a longer limit\n"
    own_ami.server.kill()
    for args in ("ping",), ("events",), ("action", "Ping"):
        said = own_ami(*args)
        assert (said.status, said.out) == (3, "")
        assert f"cannot connect to {own_ami.server.host}:{own_ami.server.port}: Connection refused" in said.err
        assert said.err.count("\n") == 1


# -- top


def test_top(ami: Ami) -> None:
    channel = ami.call()
    with Screen(ami, "top", "--interval", "0.1") as screen:
        text = screen.until(rf"{re.escape(channel)}.*q: end")
        assert re.search(
            rf"tcp://bench@{ami.server.host}:{ami.server.port}\S*  AMI {5 if sixteen(ami) else 11}\.", text
        )
        assert re.search(r"2 channels, 1 call, \d+\.\d events/s", text)
        assert re.search(r"support +ringall", text)
        screen.press("q")
        assert screen.status() == 0


class Screen:
    """A command at a terminal."""

    def __init__(self, ami: Ami, *args: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
        environment = {**ami.environment, "TERM": "xterm-256color"}
        self._process = subprocess.Popen(
            [*COMMAND, *args], cwd=PROJECT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)

    def until(self, pattern: str) -> str:
        """Read until the regex is found in what was written, without escape sequences; returns that."""
        deadline = time.monotonic() + LIMIT
        written = b""
        while True:
            text = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", written.decode("utf-8", "replace"))
            if re.search(pattern, text, re.DOTALL):
                return text
            left = deadline - time.monotonic()
            if left < 0 or not select.select([self._ours], [], [], left)[0]:
                pytest.fail(f"{pattern!r} was not in {text!r}")
            written += os.read(self._ours, 65536)

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def status(self) -> int:
        self.until("$^|.")  # it may wait for somebody to read
        return self._process.wait(LIMIT)

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)


# -- record, replay, demo


def test_a_session_is_recorded_and_played_back(ami: Ami, tmp_path: Path) -> None:
    file = tmp_path / "session.jsonl"
    ami.call()
    recorder = ami.start("record", str(file))
    url = connect_to(recorder)
    questions = [("channels",), ("queues",), ("peers",), ("action", "Nonesuch")]
    answers = [ami(*question, "--json", "-s", url) for question in questions]
    assert [one.status for one in answers] == [0, 0, 0, 1]
    with_secrets = ("action", "GetConfig", "Filename=iax.conf", "-s", url)
    assert "secret=loop" in ami(*with_secrets).out
    watching = ami.start("events", "-v", "--json", "-n", "userevent", "-m", "1", url)
    watching.until("logged in", "stderr")
    ami("action", "UserEvent", "UserEvent=Door", "PinSecret=4711")
    seen = watching.finish()
    refused = ami("ping", url.replace("bench", "nobody"))
    said = recorder.interrupt()
    assert (said.status, said.err) == (-signal.SIGINT, "")
    recording = Recording.load(file)
    assert said.out == f"{sum(bool(one.data) for one in recording.records)} packets recorded\n"
    text = file.read_text(encoding="utf-8")
    assert "secret=[removed]" in text
    assert "secret=loop" not in text
    assert "4711" not in text

    player = ami.start("replay", str(file), "--speed", "max")
    url = connect_to(player)
    assert [ami(*question, "--json", "-s", url) for question in questions] == answers
    assert "secret=[removed]" in ami(*with_secrets[:-1], url).out
    assert ami("events", "--json", "-n", "userevent", "-m", "1", url).out == seen.out.replace("4711", "[removed]")
    assert ami("ping", url)[::2] == refused[::2]
    said = player.interrupt()
    assert (said.status, said.err) == (-signal.SIGINT, "")


def connect_to(running: Running) -> str:
    """Where a recorder or a player listens."""
    found = re.search("connect to (127.0.0.1:[0-9]+)", running.until("connect to"))
    assert found is not None
    return f"tcp://bench@{found[1]}"


def test_all_events_are_recorded(ami: Ami, tmp_path: Path) -> None:
    file = tmp_path / "session.jsonl"
    recorder = ami.start("record", str(file), "--login")
    connect_to(recorder)
    ami.call()
    while '["Event", "Hangup"]' not in file.read_text(encoding="utf-8"):
        ami.hang_up_all()
    assert recorder.interrupt().status == -signal.SIGINT
    assert '["Event", "Newchannel"]' in file.read_text(encoding="utf-8")


def test_the_demonstration(ami: Ami) -> None:
    said = ami("demo", ami.environment["AMI_URL"], "--channel", "Local/101@default", "--exten", "100@default")
    assert (said.status, said.err) == (0, "")
    assert "OriginateResponse: answered" in said.out
    assert said.lines[-1].strip().split("  ", 1)[1].strip().startswith("disconnected; ")


# -- the wallboard


def wallboard(ami: Ami) -> tuple[Running, str]:
    """The command, and where its page is."""
    running = ami.start("wallboard", "--listen", "127.0.0.1:0")
    return running, running.until("^http://").strip()


def test_the_wallboard(ami: Ami) -> None:
    running, url = wallboard(ami)
    page = until_ready(url)
    assert [one["name"] for one in page["servers"]] == [address_of(ami)]
    assert {one["name"] for one in page["queues"].values()} >= {"support", "sales", "empty"}
    (support,) = [one for one in page["queues"].values() if one["name"] == "support"]
    assert [name for name, _ in support["members"]] == ["Alice Agent", "Bob Agent", "Carol Agent"]
    assert "PJSIP/carol" in [one["name"] for one in page["endpoints"].values()]
    assert ami.server.secret not in json.dumps(page) and ami.server.username not in json.dumps(page)
    shown = pages(url)
    next(shown)
    ami.call("--caller-id", "Dörte <301>")
    assert any(page["calls"] for page in shown)
    said = ami("originate", "Local/101@default/n", "121@default")
    assert said.status == 0, said.err
    page = next(page for page in shown if page["counts"]["calls"].get("queued"))
    (empty,) = [one for one in page["queues"].values() if one["name"] == "empty"]
    assert empty["waiting"] == 1 and empty["oldest"] > time.time() - LIMIT
    ami.hang_up_all()
    page = next(page for page in shown if not page["calls"])
    (empty,) = [one for one in page["queues"].values() if one["name"] == "empty"]
    assert (empty["waiting"], empty["abandoned"]) == (0, 1)
    assert running.interrupt().err == ""


def test_the_wallboard_outlives_a_server_that_is_killed(own_ami: Ami) -> None:
    running, url = wallboard(own_ami)
    until_ready(url)
    own_ami.call()
    shown = pages(url)
    next(page for page in shown if page["calls"])
    own_ami.server.kill()
    page = next(page for page in shown if states(page) == {"stale"})
    assert page["calls"]  # what was true then
    own_ami.server.start()
    page = next(page for page in shown if states(page) == {"ready"})
    assert not page["calls"]
    lost, back = running.interrupt().err.splitlines()
    assert "; reconnecting" in lost and "connected again" in back
