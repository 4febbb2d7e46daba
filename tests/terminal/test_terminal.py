"""The command line as a person uses it: in a real terminal."""

from __future__ import annotations

import os
import re
import signal
import threading
from pathlib import Path

from tmux import LIMIT, Pbx, Terminal

EVENT = {"Event": "Newchannel", "Privilege": "call,all", "Channel": "PJSIP/100-01", "CallerIDName": "\x1b[2Jevil" * 9}
ESCAPE = "\x1b["


def test_tables_have_colours(terminal: Terminal, pbx: Pbx) -> None:
    terminal.enter(f"export AMI_URL={pbx.url}; clear; ami-client peers; echo done")
    text = terminal.wait("^done$")
    assert re.search(r"^Technology +Name +State +Address$", text, re.MULTILINE)
    assert re.search(r"^PJSIP +nomad +Unavailable$", text, re.MULTILINE)
    assert f"{ESCAPE}31mUnavailable" in terminal.screen(colours=True)


def test_no_color_is_respected(terminal: Terminal, pbx: Pbx) -> None:
    terminal.enter(f"export AMI_URL={pbx.url} NO_COLOR=1; clear; ami-client peers; ami-client events -m 1; echo done")
    terminal.wait("^done$")
    coloured = re.findall(r"\x1b\[(?:[\d;]*;)?[34][0-7]", terminal.screen(colours=True))
    assert coloured == []


def test_tables_fit_the_width(terminal: Terminal, pbx: Pbx) -> None:
    terminal.enter(f"export AMI_URL={pbx.url}; ami-client originate Local/100@office 101@office; clear")
    terminal.resize(50, 20)
    terminal.enter("clear; ami-client channels; echo done")
    text = terminal.wait("^done$")
    assert re.search(r"^Channel +State +Duration\n", text, re.MULTILINE)
    assert re.search(r"^Local/100@office-00000000;1 +Up +00:00:0\d\n", text, re.MULTILINE)


def test_the_secret_is_asked_for_and_does_not_appear(terminal: Terminal, pbx: Pbx) -> None:
    terminal.enter(f"clear; ami-client ping -c 1 {pbx.url_without_secret}")
    terminal.wait(f"^Secret of tcp://admin@{pbx.address}:")
    terminal.enter("secret")
    text = terminal.wait("1 sent, 1 answered")
    assert "secret" not in text
    assert terminal.status() == 0
    assert "echo\n" in wait_for_settings(terminal)


def wait_for_settings(terminal: Terminal) -> str:
    terminal.prompt()
    terminal.enter("clear; stty -a | grep -oE -- '-?(echo|icanon|isig)\\b' | sort -u; echo done")
    return terminal.wait("^done$")


def test_ctrl_c_at_the_prompt(terminal: Terminal, pbx: Pbx) -> None:
    terminal.enter(f"ami-client ping {pbx.url_without_secret}")
    terminal.wait("^Secret of")
    terminal.press("C-c")
    assert terminal.status() == 130
    settings = wait_for_settings(terminal)
    assert "-echo" not in settings


def test_events_are_lines_cut_to_the_width_and_drive_nothing(terminal: Terminal, pbx: Pbx) -> None:
    pbx.bustle(EVENT)
    terminal.enter(f"clear; ami-client events -n newchannel -m 3 {pbx.url}; echo done")
    text = terminal.wait("^done$")
    lines = [line for line in text.splitlines() if re.match(r"\d\d:\d\d:\d\d\.\d\d\d Newchannel ", line)]
    assert len(lines) == 3
    for line in lines:
        assert "Channel=PJSIP/100-01 CallerIDName=" in line
        assert line.endswith("…")
        assert 90 <= len(line) <= 100


def test_events_into_head(terminal: Terminal, pbx: Pbx) -> None:
    terminal.enter(f"clear; ami-client events {pbx.url} | head -1; echo ends ${{PIPESTATUS[*]}}")
    text = terminal.wait("^ends")
    assert "ends 141 0" in text
    assert "FullyBooted" in text
    assert "Traceback" not in text


def test_ctrl_c_ends_events(terminal: Terminal, pbx: Pbx) -> None:
    terminal.enter(f"clear; ami-client events {pbx.url}")
    terminal.wait("FullyBooted")
    terminal.press("C-c")
    assert terminal.status() == 130
    assert "Traceback" not in terminal.screen()


def test_a_loop_around_it_ends_with_it(terminal: Terminal, pbx: Pbx) -> None:
    terminal.enter(f"clear; while sleep 0.1; do ami-client events {pbx.url}; done; echo over")
    terminal.wait("FullyBooted")
    terminal.press("C-c")
    terminal.prompt()
    terminal.enter("echo again")
    assert "over" not in terminal.wait("^again$").replace("echo over", "")


def test_what_is_waited_for_is_told_and_leaves_no_trace(terminal: Terminal, pbx: Pbx) -> None:
    pbx.do(pbx.server.on, "Status", None)
    terminal.enter(f"clear; ami-client action Status -s {pbx.url} -t 2")
    terminal.wait(r"^[-|/\\] waiting for the answer to Status \(1 s\)$")
    text = terminal.wait("^ami-client: still waiting for the answer to Status after 2 s")
    assert "(1 s)" not in text
    assert terminal.status() == 5


def test_a_locale_with_too_few_letters(terminal: Terminal, pbx: Pbx) -> None:
    pbx.do(setattr, pbx.server.office.queues[0], "name", "Очередь")
    pbx.bustle(EVENT)
    # One in which nothing but ASCII can be written.
    terminal.enter(f"export AMI_URL={pbx.url} LC_ALL=POSIX PYTHONUTF8=0 PYTHONCOERCECLOCALE=0; clear")
    terminal.prompt()
    terminal.enter("clear; ami-client queues; ami-client events -n newchannel -m 1; echo done")
    text = terminal.wait("^done$")
    assert re.search("^Очередь +ringall", text, re.MULTILINE)
    assert re.search("Newchannel .*…$", text, re.MULTILINE)
    terminal.enter("ami-client top --interval 0.1")
    terminal.wait("events/s +[▁▂▃▄▅▆▇█]")
    terminal.press("q")
    assert terminal.status() == 0


def test_without_a_command_the_help_is_shown(terminal: Terminal) -> None:
    terminal.resize(100, 90)
    terminal.enter("clear; ami-client")
    text = terminal.wait("^  top ")
    assert text.startswith("Usage: ami-client [OPTIONS] COMMAND [ARGS]...\n\n  Query and watch an Asterisk server")
    assert terminal.status() == 2


def start_top(terminal: Terminal, pbx: Pbx) -> str:
    terminal.enter(f"export AMI_URL={pbx.url}; ami-client originate Local/100@office 101@office; clear; echo before")
    terminal.wait("^before$")
    terminal.enter("ami-client top --interval 0.1")
    return terminal.wait("^Local/100@office-00000000;2")


def test_top(terminal: Terminal, pbx: Pbx) -> None:
    pbx.bustle({"Event": "Tick", "Privilege": "call,all"})
    text = start_top(terminal, pbx)
    assert terminal.alternate
    assert not terminal.cursor_shown
    assert text.startswith(f"tcp://admin@{pbx.address}  AMI 11.0.0  ")
    assert re.search(r"^2 channels, 1 call, \d+\.\d events/s", text, re.MULTILINE)
    assert re.search(r"^helpline +ringall +0 ", text, re.MULTILINE)
    terminal.wait(r"[1-9]\d*\.\d events/s +[▁▂▃▄▅▆▇█]")
    assert_left_as_it_was(terminal, "q")


def test_top_moves_with_events(terminal: Terminal, pbx: Pbx) -> None:
    start_top(terminal, pbx)
    asked = len(pbx.server.requests("CoreShowChannels"))
    channel = {"Channel": "PJSIP/alice-1", "Uniqueid": "9.1", "Linkedid": "9.1", "ChannelState": "4"}
    pbx.do(pbx.server.push, {"Event": "Newchannel", "Privilege": "call,all", "CallerIDNum": "101", **channel})
    terminal.wait("^PJSIP/alice-1 +Ring ")
    terminal.wait("^3 channels, 2 calls")
    pbx.do(pbx.server.push, {"Event": "Hangup", "Privilege": "call,all", "Cause": "16", **channel})
    terminal.wait("^2 channels, 1 call")
    assert len(pbx.server.requests("CoreShowChannels")) == asked
    assert_left_as_it_was(terminal, "q")


def test_top_follows_the_size(terminal: Terminal, pbx: Pbx) -> None:
    text = start_top(terminal, pbx)
    assert "Application" in text
    terminal.resize(60, 10)
    terminal.wait_until(lambda text: "Application" not in text and "not shown: 2 queues" in text, "the smaller screen")
    assert all(len(line) <= 60 for line in terminal.screen().splitlines())
    terminal.resize(140, 40)
    terminal.wait_until(lambda text: "Application" in text and "In time %" in text, "the larger screen")
    assert_left_as_it_was(terminal, "q")


def test_ctrl_c_ends_top(terminal: Terminal, pbx: Pbx) -> None:
    start_top(terminal, pbx)
    assert_left_as_it_was(terminal, "C-c", 130)


def test_top_leaves_nothing_behind_while_an_answer_is_awaited(terminal: Terminal, pbx: Pbx) -> None:
    start_top(terminal, pbx)
    asked = threading.Event()
    pbx.do(pbx.server.on, "QueueStatus", lambda request: asked.set())  # None is no answer
    pbx.do(pbx.server.drop)  # it asks after the next login
    assert asked.wait(LIMIT)
    assert_left_as_it_was(terminal, "q")


def assert_left_as_it_was(terminal: Terminal, key: str, status: int = 0) -> None:
    terminal.press(key)
    text = terminal.wait_until(lambda text: "before" in text and "events/s" not in text, "the screen before")
    assert not terminal.alternate
    assert terminal.cursor_shown
    assert "Traceback" not in text
    assert terminal.status() == status
    assert [line for line in wait_for_settings(terminal).split() if line.startswith("-")] == []


def test_top_gives_the_terminal_back_when_it_is_killed(terminal: Terminal, pbx: Pbx) -> None:
    start_top(terminal, pbx)
    os.kill(terminal.child, signal.SIGTERM)
    terminal.wait("Terminated")
    assert terminal.status() == 143
    assert not terminal.alternate
    assert terminal.cursor_shown


def test_top_stops_and_goes_on(terminal: Terminal, pbx: Pbx) -> None:
    start_top(terminal, pbx)
    terminal.press("C-z")
    terminal.wait("Stopped")
    assert not terminal.alternate
    assert "-icanon" not in wait_for_settings(terminal)
    terminal.prompt()
    terminal.enter("fg")
    terminal.wait("events/s")
    assert terminal.alternate
    terminal.press("q")
    terminal.wait_until(lambda text: "events/s" not in text, "the screen before")


def test_top_survives_the_server(terminal: Terminal, pbx: Pbx) -> None:
    start_top(terminal, pbx)
    pbx.do(pbx.server.close)
    terminal.wait("connecting again")
    assert "2 channels, 1 call" in terminal.screen()  # as it was
    pbx.do(pbx.server.start)
    terminal.wait(r"\d ms$")
    terminal.wait("^0 channels, 0 calls")
    terminal.press("q")
    assert terminal.status() == 0


def test_a_config_file(terminal: Terminal, pbx: Pbx, tmp_path: Path) -> None:
    file = tmp_path / ".config" / "ami-client" / "config.ini"
    file.parent.mkdir(parents=True)
    file.write_text(f"[home]\nurl = tcp://{pbx.address}\nusername = admin\nsecret = secret\n")
    file.chmod(0o644)
    terminal.enter("clear; ami-client ping -c 1 -q; echo done")
    text = terminal.wait("^done$")
    assert "everybody can read it: chmod 600" in text.replace("\n", "")
    assert "1 sent, 1 answered" in text
