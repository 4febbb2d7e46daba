"""The commands, in this process, against the embedded server in a thread."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from cli_pbx import Ami, ExpectLog, Pbx

from ami_client import cli, demo
from ami_client.cli import client as client_module
from ami_client.testing.office import Caller

CALL = {"Event": "Newchannel", "Privilege": "call,all", "Channel": "PJSIP/100-01", "CallerIDName": "A B", "Empty": ""}
HANGUP = {"Event": "Hangup", "Privilege": "call,all", "Channel": "Local/1", "Cause-txt": "Normal", "V": ["a", "b"]}


# -- ping


def test_ping(pbx: Pbx, ami: Ami) -> None:
    said = ami("ping", "-c", "2", "-i", "0")
    assert (said.status, said.err) == (0, "")
    assert [line.split(" time=")[0] for line in said.lines[:2]] == [
        f"pong from {pbx.address}: seq={number}" for number in (1, 2)
    ]
    assert said.lines[3] == f"tcp://admin@{pbx.address}: 2 sent, 2 answered"
    assert said.lines[4].startswith("round trip in ms: min ")


def test_ping_for_programs(pbx: Pbx, ami: Ami) -> None:
    first, summary = ami("ping", "-c", "1", "--json").objects
    assert first["seq"] == 1
    assert 0 < first["seconds"] < 20
    assert (summary["sent"], summary["answered"], summary["min"]) == (1, 1, first["seconds"])


def test_ping_tells_what_it_had_when_the_server_stops_answering(pbx: Pbx, ami: Ami) -> None:
    pbx.do(pbx.server.on, "Ping", None)
    said = ami("ping", "-c", "3", "--timeout", "0.1")
    assert said.status == 5
    assert (
        said.err == "ami-client: still waiting for the answer to Ping after 0.1 s; use --timeout for a longer limit\n"
    )
    assert "1 sent, 0 answered" in said.out


# -- action and command


def test_an_action_and_its_answer(pbx: Pbx, ami: Ami) -> None:
    said = ami("action", "Setvar", "Variable=X", "Value=a=b", "variable=Y")
    assert said.status == 0
    assert said.lines[:2] == ["Response: Success", "Message: Variable Set"]
    request = pbx.do(lambda: pbx.server.requests("Setvar")[0])
    assert (request.getall("Variable"), request.get("Value")) == (["X", "Y"], "a=b")


def test_a_list_comes_as_the_server_sent_it(pbx: Pbx, ami: Ami) -> None:
    packets = ami("action", "QueueStatus").out.split("\n\n")
    assert packets[1].startswith("Event: QueueParams\nQueue: helpline\n")
    assert packets[-2].startswith("Event: QueueStatusComplete\n")
    objects = ami("action", "QueueStatus", "--json").objects
    assert [one.get("Event", "response") for one in objects] == [
        "response", "QueueParams", "QueueMember", "QueueMember", "QueueParams", "QueueStatusComplete",
    ]  # fmt: skip
    assert objects[1]["Strategy"] == "ringall"
    assert all("ActionID" not in one for one in objects)


def test_a_refusal_is_shown_and_said(pbx: Pbx, ami: Ami) -> None:
    said = ami("action", "Nonesuch", "--json")
    assert said.status == 1
    assert said.objects[0]["Response"] == "Error"
    assert "unknown command: Nonesuch" in said.err
    assert "check the name, and that its module is loaded" in said.err


def test_a_refusal_is_said_once(pbx: Pbx, ami: Ami) -> None:
    said = ami("action", "Pign")
    assert (said.status, said.out, said.err.count("unknown command: Pign")) == (1, "", 1)
    pbx.do(pbx.server.on, "Pign", {"Response": "Error", "Message": "No", "Reason": "4"})
    assert ami("action", "Pign").lines == ["Response: Error", "Message: No", "Reason: 4", ""]


def test_an_answer_that_never_comes(pbx: Pbx, ami: Ami) -> None:
    pbx.do(pbx.server.on, "Status", None)
    said = ami("action", "Status", "--timeout", "0.1")
    assert said.status == 5
    assert "waiting for the answer to Status after 0.1 s" in said.err


def test_the_end_of_the_connection_instead_of_an_answer(pbx: Pbx, ami: Ami) -> None:
    pbx.do(pbx.server.on, "Status", lambda request: pbx.server.drop())
    said = ami("action", "Status")
    assert (said.status, said.err) == (3, "ami-client: the server closed the connection\n")


def test_a_list_that_lost_parts_is_told(pbx: Pbx, ami: Ami, expect_log: ExpectLog) -> None:
    expect_log("WARNING: .*: the answer to Status may have lost parts")
    answer = [
        {"Response": "Success", "EventList": "start"},
        {"Event": "StatusComplete", "EventList": "Complete", "ListItems": 3},
    ]
    pbx.do(pbx.server.on, "Status", answer)
    said = ami("action", "Status")
    assert said.status == 1
    assert "may have lost parts" in said.err


def test_a_command(pbx: Pbx, ami: Ami) -> None:
    said = ami("command", "core", "show", "uptime")
    assert (said.status, said.out) == (0, "System uptime: 2 hours, 5 minutes\nLast reload: 2 hours, 5 minutes\n")
    (made,) = ami("command", "core show uptime", "--json").objects
    assert made["Output"] == ["System uptime: 2 hours, 5 minutes", "Last reload: 2 hours, 5 minutes"]


def test_a_command_that_fails(pbx: Pbx, ami: Ami) -> None:
    said = ami("command", "bogus")
    assert (said.status, said.err) == (1, "")
    assert said.out.startswith("No such command 'bogus'")


# -- lists


def test_channels(pbx: Pbx, ami: Ami) -> None:
    assert ami("channels").out == "0 channels, 0 calls\n"
    ami("originate", "Local/100@office", "101@office")
    head, first, _, foot = ami("channels").lines
    assert head.split() == ["CHANNEL", "STATE", "DURATION", "CALLER", "CONNECTED", "EXTENSION", "APPLICATION"]
    assert first.split()[:2] == ["Local/100@office-00000000;1", "Up"]
    assert first.split()[5:7] == ["101@office", "Echo()"]
    assert foot == "2 channels, 1 call"
    assert [one["Application"] for one in ami("channels", "--json").objects] == ["Echo", "Wait"]


def test_peers(pbx: Pbx, ami: Ami) -> None:
    said = ami("peers")
    rows = [line.split() for line in said.lines]
    assert ["PJSIP", "nomad", "Unavailable", "-"] in rows
    assert ["SIP", "front-desk", "OK", "(4", "ms)", "192.0.2.11:5060"] in rows
    assert ["IAX2", "branch-south", "UNKNOWN", "-"] in rows
    assert rows[-1] == ["8", "peers"]
    objects = ami("peers", "--json").objects
    assert (objects[0]["Technology"], objects[0]["ObjectName"]) == ("PJSIP", "front-desk")


def test_peers_of_a_server_without_some_drivers(pbx: Pbx, ami: Ami) -> None:
    unknown = {"Response": "Error", "Message": "Invalid/unknown command: X."}
    pbx.do(pbx.server.on, "SIPpeers", unknown)
    pbx.do(pbx.server.on, "IAXpeerlist", unknown)
    pbx.do(pbx.server.office.endpoints.clear)
    said = ami("peers")
    assert (said.status, said.out, said.err) == (0, "0 peers\n", "")


def test_peers_that_nobody_may_see(pbx: Pbx, ami: Ami) -> None:
    for action in ("SIPpeers", "IAXpeerlist", "PJSIPShowEndpoints"):
        pbx.do(pbx.server.on, action, {"Response": "Error", "Message": "Permission denied"})
    said = ami("peers")
    assert said.status == 1
    assert "Permission denied; check the write= classes of the user" in said.err


def test_peers_of_which_some_may_not_be_seen(pbx: Pbx, ami: Ami) -> None:
    pbx.do(pbx.server.on, "PJSIPShowEndpoints", {"Response": "Error", "Message": "Permission denied"})
    said = ami("peers")
    assert (said.status, "PJSIP" in said.out, len(said.lines) > 2) == (0, False, True)
    assert said.err.startswith("ami-client: PJSIP is missing: the server refused: Permission denied; check the write=")


def test_queues(pbx: Pbx, ami: Ami) -> None:
    def busy() -> None:
        queue = pbx.server.office.queues[0]
        queue.callers.append(Caller("PJSIP/nomad-01", number="555", name="Eve", wait=75))
        queue.members[0].paused = True

    pbx.do(busy)
    said = ami("queues")
    assert said.lines[1].split()[:6] == ["helpline", "ringall", "1", "1:15", "2", "1"]
    assert said.lines[-1] == "2 queues, 1 caller waiting"
    details = ami("queues", "--queue", "helpline").out
    assert "paused" in details
    assert "Eve <555>" in details
    assert "night" not in details
    assert [one["Event"] for one in ami("queues", "--json").objects] == [
        "QueueParams", "QueueMember", "QueueMember", "QueueEntry", "QueueParams",
    ]  # fmt: skip


def test_a_queue_that_is_not_there(pbx: Pbx, ami: Ami) -> None:
    said = ami("queues", "-q", "nosuch")
    assert (said.status, said.err) == (1, "ami-client: there is no queue 'nosuch'\n")


# -- originate


def test_a_call_that_is_answered(pbx: Pbx, ami: Ami) -> None:
    said = ami("originate", "Local/100@office", "101", "-C", '"Door" <8>', "-V", "A=1,2", "-V", "B=", "-r", "5")
    assert "Extension does not exist" in said.err  # there is no context "default" here
    said = ami("originate", "Local/100@office", "101@office", "-C", '"Door" <8>', "-V", "A=1,2", "-V", "B=", "-r", "5")
    assert (said.status, said.out) == (0, "answered: Local/100@office-00000000;1\n")
    first, second = pbx.do(pbx.server.requests, "Originate")
    assert (first.get("Context"), second.get("Context"), second.get("Exten")) == ("default", "office", "101")
    assert second.getall("Variable") == ["A=1\\,2", "B="]
    assert (second.get("CallerID"), second.get("Timeout")) == ('"Door" <8>', "5000")


def test_an_application(pbx: Pbx, ami: Ami) -> None:
    (made,) = ami("originate", "PJSIP/front-desk", "-a", "Playback", "-d", "demo", "--json").objects
    assert (made["Event"], made["Response"]) == ("OriginateResponse", "Success")


@pytest.mark.parametrize(
    ("channel", "reason"),
    [
        ("Local/111@office", "busy"),
        ("Local/112@office", "congestion"),
        ("Local/110@office", "nobody answered in time"),
        ("PJSIP/nomad", "it cannot be called, or does not exist"),
    ],
)
def test_a_call_that_is_not_answered(pbx: Pbx, ami: Ami, channel: str, reason: str) -> None:
    said = ami("originate", channel, "101@office", "--ring-time", "0.02")
    assert (said.status, said.err) == (1, f"ami-client: not answered: {reason}\n")


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("05", "not answered: busy"),
        ("19", "the call was not answered (reason 19)"),
        ("\x1b[2J", r"the call was not answered (reason '\x1b[2J')"),
    ],
)
def test_a_reason_that_a_server_makes_up(pbx: Pbx, ami: Ami, reason: str, shown: str) -> None:
    result = {"Event": "OriginateResponse", "Response": "Failure", "Reason": reason}
    pbx.do(pbx.server.on, "Originate", [{"Response": "Success", "Message": "queued"}, result])
    said = ami("originate", "Local/100@office", "101@office")
    assert (said.status, said.err) == (1, f"ami-client: {shown}\n")


def test_a_result_that_never_comes(pbx: Pbx, ami: Ami) -> None:
    pbx.do(pbx.server.on, "Originate", {"Response": "Success", "Message": "Originate successfully queued"})
    said = ami("originate", "Local/100@office", "101@office", "--timeout", "0.1")
    assert said.status == 5
    assert "needs read=call in manager.conf" in said.err
    said = ami("originate", "Local/100@office", "101@office", "--no-wait")
    assert (said.status, said.out) == (0, "Originate successfully queued\n")


# -- events


def test_events_in_a_pipe_are_lines(pbx: Pbx, ami: Ami) -> None:
    pbx.bustle(CALL, HANGUP)
    said = ami("events", "--name", "newchannel", "--name", "hangup", "--count", "2")
    assert (said.status, said.err) == (0, "")
    assert [line.split(" ", 1)[1] for line in said.lines] == [
        'Newchannel Channel=PJSIP/100-01 CallerIDName="A B"',
        "Hangup Channel=Local/1 Cause-txt=Normal V=a V=b",
    ]


def test_events_for_programs(pbx: Pbx, ami: Ami) -> None:
    pbx.bustle(CALL, HANGUP)
    (made,) = ami("events", "--json", "--where", "channel=LOCAL/*", "--count", "1").objects
    assert made == HANGUP
    (made,) = ami("events", "--json", "--time", "-n", "hang*", "--count", "1").objects
    assert made.pop("@time").startswith("20")
    assert made == HANGUP


def test_whole_events(pbx: Pbx, ami: Ami) -> None:
    pbx.bustle(HANGUP)
    said = ami("events", "--full", "-n", "hangup", "-m", "1")
    assert said.lines == [
        "Event: Hangup", "Privilege: call,all", "Channel: Local/1", "Cause-txt: Normal", "V: a", "V: b", "",
    ]  # fmt: skip


def test_only_some_classes(pbx: Pbx, ami: Ami) -> None:
    ami("events", "--class", "call", "-c", "agent", "-t", "0.01")
    login = pbx.do(lambda: pbx.server.requests("Login")[0])
    assert login.get("Events") == "call,agent"


def test_events_for_a_time(pbx: Pbx, ami: Ami) -> None:
    assert ami("events", "-n", "nothing", "--timeout", "0.01").status == 0
    said = ami("events", "-n", "nothing", "--timeout", "0.01", "--count", "2")
    assert (said.status, said.err) == (5, "ami-client: 2 more events did not arrive within 0.01 s\n")


def test_events_go_on_after_a_loss(pbx: Pbx, ami: Ami, monkeypatch: pytest.MonkeyPatch, expect_log: ExpectLog) -> None:
    expect_log("WARNING: .*: connecting again in")
    monkeypatch.setattr(client_module, "RECONNECT", 0.02)
    pbx.bustle(*({**CALL, "N": number} for number in range(100)), drop_after=3)
    said = ami("events", "--json", "-n", "newchannel", "-m", "6")
    assert said.status == 0
    assert [int(one["N"]) for one in said.objects] == [0, 1, 2, 3, 4, 5]
    where = f"ami-client: tcp://admin@{pbx.address}"
    assert said.err.splitlines() == [
        f"{where}: the connection is lost; reconnecting",
        f"{where}: connected again; the events in between are missing",
    ]


def test_events_end_when_a_later_login_is_refused(
    pbx: Pbx, ami: Ami, monkeypatch: pytest.MonkeyPatch, expect_log: ExpectLog
) -> None:
    monkeypatch.setattr(client_module, "RECONNECT", 0.02)

    def turn_away() -> None:
        if pbx.server.push(CALL):
            pbx.server.refuse_logins()
            pbx.server.drop()
        else:
            pbx.reactor.call_later(0.002, turn_away)

    pbx.do(turn_away)
    expect_log("WARNING: .*: connecting again in")
    expect_log("ERROR: .*Authentication failed; it is not opened again")
    said = ami("events")
    assert said.status == 4
    assert "Authentication failed; check user and secret in manager.conf" in said.err.splitlines()[-1]


def test_a_header_of_the_server_does_not_replace_our_own_key(pbx: Pbx, ami: Ami) -> None:
    pbx.bustle({"Event": "UserEvent", "@time": ["1999", "2000"], "@Time": "1998"})
    (made,) = ami("events", "--json", "--time", "-n", "userevent", "-m", "1").objects
    assert next(iter(made)) == "@time"
    assert made.pop("@time").startswith("20")
    assert made == {"Event": "UserEvent", "@Time": "1998"}
    (made,) = ami("events", "--json", "-n", "userevent", "-m", "1").objects
    assert made["@time"] == ["1999", "2000"]
    pbx.do(pbx.server.on, "SIPpeers", listed("Peerlist", {"Technology": "IAX2", "ObjectName": "x"}))
    made = next(one for one in ami("peers", "--json").objects if one["ObjectName"] == "x")
    assert made["Technology"] == "SIP"


def listed(name: str, *entries: dict[str, str]) -> list[dict[str, object]]:
    """The answer to an action: a list. Entries are events of that name, unless they have another."""
    end = {"Event": f"{name}Complete", "EventList": "Complete", "ListItems": len(entries)}
    events: list[dict[str, object]] = [{"Event": name, **one} for one in entries]
    return [{"Response": "Success", "EventList": "start"}, *events, end]


# -- what a server says

NASTY = "\x1b[2J\x1b]0;owned\x07\x9b31m\x85\u2028\u202e \x7f\x08\r.\udc9b1m"
NASTY_ANSWERS = {
    "Command": {"Response": "Success", "Output": [f"\t{NASTY}", NASTY]},
    "Ping": {"Response": "Success", "Ping": NASTY, NASTY: "x"},
    "CoreShowChannels": listed(
        "CoreShowChannels",
        dict.fromkeys(("Event", "Channel", "ChannelStateDesc", "Duration", "CallerIDName", "CallerIDNum"), NASTY),
        dict.fromkeys(("Exten", "Context", "Application", "ApplicationData", "Linkedid", NASTY), NASTY),
    ),
    "PJSIPShowEndpoints": listed("EndpointList", {"ObjectName": NASTY, "Contacts": f"a/{NASTY}"}),
    "SIPpeers": listed("Peerlist", {"ObjectName": NASTY, "IPaddress": NASTY, "Status": NASTY}),
    "IAXpeerlist": {"Response": "Error", "Message": NASTY},
    "QueueStatus": listed(
        "QueueStatus",
        {"Event": "QueueParams", **dict.fromkeys(("Queue", "Strategy", "Completed", "Abandoned"), NASTY)},
        {"Event": "QueueMember", **dict.fromkeys(("Queue", "Name", "Location", "Status", "Penalty"), NASTY)},
        {"Event": "QueueEntry", **dict.fromkeys(("Queue", "Wait", "Position", "CallerIDName", "Channel"), NASTY)},
    ),
    "Nonesuch": {"Response": "Error", "Message": NASTY, NASTY: NASTY},
    "Originate": {"Response": "Error", "Message": NASTY},
}


@pytest.fixture
def nasty(pbx: Pbx) -> Pbx:
    """A server whose every word could drive a terminal."""
    for name, answer in NASTY_ANSWERS.items():
        pbx.do(pbx.server.on, name, answer)
    pbx.do(setattr, pbx.server, "version", f"11{NASTY[:-3]}")
    pbx.bustle({"Event": f"X{NASTY}", "Channel": NASTY, NASTY: NASTY, "Quoted": f"a b{NASTY}"})
    return pbx


@pytest.mark.parametrize("json", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize(
    "args",
    [
        *(["ping", "-c", "1"], ["action", "Ping"], ["action", "Nonesuch"], ["action", "QueueStatus"], ["command", "x"]),
        *(["channels"], ["peers"], ["queues"], ["queues", "-d"], ["events", "-n", "x*", "-m", "2", "--time"]),
        *(["events", "-n", "x*", "-m", "2", "-f"], ["originate", "PJSIP/1", "1@office"]),
        *(["originate", "PJSIP/1", "1@office", "--no-wait"], ["record", "-", "--login", "--timeout", "0.1"]),
    ],
    ids=" ".join,
)
def test_nothing_that_a_server_says_drives_a_terminal_behind_a_pipe(
    nasty: Pbx, ami: Ami, args: list[str], json: list[str]
) -> None:
    said = ami("-t", "10", *args, *json)
    told = (said.out + said.err).replace("\t", "").replace("\n", "")
    assert [one for one in told if not one.isprintable()] == []
    assert "owned" in told or args[0] == "ping"


def test_a_refused_login_drives_no_terminal(nasty: Pbx, ami: Ami) -> None:
    nasty.do(nasty.server.refuse_logins, NASTY)
    said = ami("channels")
    assert (said.status, said.out) == (4, "")
    assert said.err.rstrip("\n").isprintable()
    assert "owned" in said.err


def test_the_demonstration_drives_no_terminal(nasty: Pbx, ami: Ami, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "TALK", 0.01)
    said = ami("demo", nasty.url)
    told = (said.out + said.err).replace("\n", "")
    assert "owned" in told
    assert told.isprintable()


# -- what is common to all


def test_options_may_stand_before_the_command(pbx: Pbx, ami: Ami, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMI_URL", "tcp://nobody:x@127.0.0.1:1")
    assert ami("--json", "-s", pbx.url, "ping", "-c", "1").objects[0]["seq"] == 1


def test_a_wrong_secret(pbx: Pbx, ami: Ami) -> None:
    said = ami("ping", pbx.url.replace(":secret@", ":hushhush@"))
    assert said.status == 4
    assert said.err.startswith(
        "ami-client: login refused: Authentication failed; check user and secret in manager.conf"
    )
    assert "hushhush" not in said.err + said.out


def test_a_profile_and_its_secret_file(pbx: Pbx, ami: Ami, clean_environment: Path) -> None:
    clean_environment.with_name("secret").write_text("secret\n")
    profile = f"[home]\nurl = tcp://{pbx.address}\nusername = admin\nsecret_file = secret\n"
    clean_environment.write_text(profile)
    assert ami("ping", "home", "-c", "1").status == 0


def test_nobody_listens(ami: Ami) -> None:
    said = ami("channels", "tcp://a:b@127.0.0.1:1")
    assert said.status == 3
    assert said.err.count("\n") == 1
    assert "Connection refused" in said.err


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["ping", ""], "no server: give a URL"),
        (["ping", "--timeout", "nan"], "'nan' is not a number of seconds"),
        (["ping", "--timeout", "1e300"], "'1e300' is not a number of seconds"),
        (["originate", "PJSIP/1", "2@x", "-r", "1e306"], "'1e306' is not a number of seconds"),
        (["events", "--class", "call,agents"], "there is no class 'agents'; the classes are system, call, "),
        (["ping", "-c", "\u00b2"], "'\u00b2' is not a valid integer"),
        (["record", "f", "--listen", "\u00b2"], "'\u00b2' is not [HOST:]PORT"),
        (["record", "f", "--listen", "9" * 5000], "is not [HOST:]PORT"),
        (["record", "f", "--listen", "-1"], "'-1' is not [HOST:]PORT"),
        (["replay", "/"], "/: Is a directory"),
        (["originate", "PJSIP/1", "2@x", "-r", "inf"], "'inf' is not a number of seconds"),
        (["ping", "tcp://admin@127.0.0.1"], "no secret is known for tcp://admin@127.0.0.1: set it in AMI_SECRET"),
        (["nosuch"], "No such command 'nosuch'"),
        (["ping", "--nosuch"], "No such option"),
        (["ping", "-c", "x"], "'x' is not a valid integer"),
        (["action"], "Missing argument 'NAME'; see 'ami-client action --help'"),
        (["action", "Ping", "novalue"], "'novalue' is not NAME=VALUE; see 'ami-client action --help'"),
        (["action", "Ping", "A=b\nAction: Logoff"], "CR, LF or NUL in header 'A'"),
        (["originate", "PJSIP/1"], "Name either EXTEN@CONTEXT or --application"),
        (["originate", "PJSIP/1", "2@x", "-d", "x"], "--data is for --application"),
        (["events", "-w", "x"], "'x' is not HEADER=GLOB"),
        (["top"], "top needs a terminal"),
        (["ping", "--timeout", "0"], "0"),
        (["replay", "/no/such/file"], "/no/such/file: No such file"),
        (["replay", "x", "--speed", "0"], "'0' is neither a number above 0 nor max"),
        (["record", "a", "b", "c"], "Give one SERVER and one FILE"),
        (["record", "f", "--listen", "nowhere"], "'nowhere' is not [HOST:]PORT"),
    ],
)
def test_wrong_usage_is_one_line(pbx: Pbx, ami: Ami, args: list[str], says: str) -> None:
    said = ami(*args)
    assert said.status == 2
    assert said.err.startswith("ami-client: ")
    assert says in said.err
    assert said.err.count("\n") == 1


COMMANDS = "ping action command events originate calls channels peers queues top record replay demo".split()  # noqa: SIM905


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(ami: Ami, command: str) -> None:
    said = ami(command, "--help")
    assert said.status == 0
    assert f"Usage: ami-client {command}" in said.out
    assert f"\n    ami-client {command} " in said.out.replace("Examples:", "Examples:\n")


def test_the_help_of_all(ami: Ami) -> None:
    said = ami("--help")
    assert said.status == 0
    assert all(f"\n  {command} " in said.out for command in COMMANDS)
    assert "Exit status: 0 success" in said.out
    assert "secret_file = pbx1.secret" in said.out


def test_the_version(ami: Ami) -> None:
    import ami_client

    assert ami("--version").out == f"ami-client, version {ami_client.__version__}\n"


def test_without_a_command_the_help_is_an_error(ami: Ami) -> None:
    for args in (), ("--json",):
        said = ami(*args)
        assert (said.status, said.out) == (2, "")
        assert said.err == ami("--help").out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ami-client ch", ["plain,channels"]),
        ("ami-client action QueueP", ["plain,QueuePause", "plain,QueuePenalty"]),
        ("ami-client describe queuemembers", ["plain,QueueMemberStatus"]),
        ("ami-client action -s pbx2", ["plain,pbx2"]),
    ],
)
def test_completion(
    words: str,
    expected: list[str],
    ami: Ami,
    clean_environment: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clean_environment.write_text("[pbx1]\nurl = h\n[pbx2]\nurl = h\n")
    monkeypatch.setenv("_AMI_CLIENT_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    with pytest.raises(SystemExit):
        ami()
    assert capsys.readouterr().out.splitlines() == expected


# -- demo, record and replay


def test_the_demonstration(pbx: Pbx, ami: Ami, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "TALK", 0.01)
    said = ami("demo")
    assert said.status == 0
    assert "embedded server listening" in said.lines[0]
    said = ami("demo", pbx.url)
    assert said.status == 0
    assert f"{pbx.address} as admin" in said.lines[0]


def test_the_demonstration_without_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "TALK", 0.01)
    monkeypatch.setitem(sys.modules, "click", None)
    assert cli.main(["demo"]) == 0
    assert "OriginateResponse: answered" in capsys.readouterr().out


def test_all_events_are_recorded_without_another_client(pbx: Pbx, ami: Ami, tmp_path: Path) -> None:
    pbx.bustle({"Event": "Tick", "Privilege": "call,all"})
    file = tmp_path / "session.jsonl"
    said = ami("record", pbx.url, str(file), "--login", "--timeout", "0.1")
    assert (said.status, said.err) == (0, "")
    text = file.read_text()
    assert '["Event", "Tick"]' in text
    assert ":secret" not in text


def test_a_recording_into_a_pipe(pbx: Pbx, ami: Ami) -> None:
    said = ami("record", pbx.address, "-", "--timeout", "0.01")
    assert said.status == 0
    assert said.objects[0]["ami-recording"] == 1
    assert "connect to 127.0.0.1:" in said.err


def test_a_recording_is_not_overwritten_by_mistake(pbx: Pbx, ami: Ami, tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("precious")
    said = ami("record", pbx.address, str(file), "--timeout", "0.01")
    assert said.status == 2
    assert "precious exists; --force overwrites it" in said.err
    assert file.read_text() == "precious"
    assert ami("record", pbx.address, str(file), "--timeout", "0.01", "--force").status == 0
    assert file.read_text() != "precious"


@pytest.mark.parametrize("mode", [0o666, 0o640, 0o400])
def test_an_overwritten_recording_is_private_whatever_was_there(pbx: Pbx, ami: Ami, tmp_path: Path, mode: int) -> None:
    file = tmp_path / "precious"
    file.write_text("precious")
    file.chmod(mode)
    with file.open() as reader:
        assert ami("record", pbx.address, str(file), "--timeout", "0.01", "--force").status == 0
        assert file.stat().st_mode & 0o777 == 0o600
        assert reader.read() == "precious"  # who had it open does not see the new one


@pytest.mark.parametrize("target", ["precious", "nothing"])
def test_a_recording_does_not_follow_a_link(pbx: Pbx, ami: Ami, tmp_path: Path, target: str) -> None:
    (tmp_path / "precious").write_text("precious")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / target)
    said = ami("record", pbx.address, str(link), "--timeout", "0.01")
    assert (said.status, said.err) == (2, f"ami-client: {link} exists; --force overwrites it\n")
    said = ami("record", pbx.address, str(link), "--timeout", "0.01", "--force")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "this is a symbolic link; give the path of the file itself" in said.err
    assert link.is_symlink()
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "nothing").exists()


def test_a_recording_into_a_device_leaves_it_what_it_is(pbx: Pbx, ami: Ami, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert ami("record", pbx.address, str(fifo), "--timeout", "0.01", "--force").status == 0
        assert os.read(reader, 100).startswith(b'{"ami-recording": 1')
    finally:
        os.close(reader)
    assert fifo.is_fifo()
    said = ami("record", pbx.address, str(tmp_path), "--timeout", "0.01", "--force")
    assert (said.status, said.err) == (2, "ami-client: cannot listen or write: Is a directory\n")


@pytest.mark.parametrize("number", ["9" * 400, "9" * 300, "1e300", "NaN", "-1", "true", '"\u00b2"'])
@pytest.mark.parametrize("field", ["t", "link"])
def test_a_number_that_no_recording_has(ami: Ami, tmp_path: Path, field: str, number: str) -> None:
    file = tmp_path / "f"
    line = ", ".join(f'"{name}": {number if name == field else 1}' for name in ("t", "link"))
    file.write_text(f'{{"ami-recording": 1}}\n{{{line}, "from": "server", "raw": ""}}\n', encoding="utf-8")
    said = ami("replay", str(file), "--timeout", "0.01")
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    assert said.err.startswith(f"ami-client: {file}:2: ")


@pytest.mark.parametrize("text", ["no recording", '{"ami-recording": "\\u001b[2J\\u009b"}', "\x1b[2J", "\x9b"])
def test_a_file_that_is_no_recording(ami: Ami, tmp_path: Path, text: str) -> None:
    file = tmp_path / "f"
    file.write_text(text, encoding="utf-8")
    said = ami("replay", str(file))
    assert said.status == 2
    assert said.err.startswith("ami-client: ")
    assert said.err.count("\n") == 1
    assert said.err.rstrip("\n").isprintable()
