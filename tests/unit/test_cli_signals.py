"""Signals end each command that runs until it is told to end: with its last line, and as death by the signal."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from cli_pbx import Pbx, command_line
from commands import Commands
from programs import on_library

from ami_client import Reactor
from ami_client.cli import config, signals
from ami_client.testing import Recording

LIMIT = 20  # seconds
ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]

# Each command that runs until it is told to end, the line after which it runs, and all that it says after the signal.
RUNS = {
    "ping": (["ping", "-c", "0", "-i", "60"], "pong from", r"\n\S+ 1 sent, 1 answered\nround trip in ms: .*\n"),
    "events": (["events"], "FullyBooted", ""),
    "calls": (["calls", "--follow"], "new", ""),
    "record": (["record", "f"], "recording", r"0 packets recorded\n"),
    "record --login": (["record", "f", "--login"], "recording", r"\d+ packets recorded\n"),
    "replay": (["replay", "recording", "-p", "0"], "replaying", ""),
    "wallboard": (["wallboard", "--listen", "127.0.0.1:0"], "http://", ""),
    "agi serve": (["agi", "serve", "desk:plain", "-l", "0"], "serving", ""),
    "agi serve, with a coroutine": (["agi", "serve", "desk:coroutine", "-l", "0"], "serving", ""),
    "agi serve, with threads": (["agi", "serve", "desk:plain", "-l", "0", "--threads", "2"], "serving", ""),
    "demo": (["demo"], "embedded server", r"(.*\n)*"),
}
NEW_CALL = {"Event": "Newchannel", "Channel": "PJSIP/a-1", "Uniqueid": "1.1", "Linkedid": "1.1", "ChannelState": "4"}

pytestmark = pytest.mark.usefixtures("clean_environment")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "desk.py").write_text("def plain(call): call.finish()\nasync def coroutine(call): pass\n")
    (tmp_path / "recording").write_text('{"ami-recording": 1}\n')
    return tmp_path


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("name", RUNS)
def test_a_run_ends_with_its_last_line_and_dies_of_the_signal(
    name: str, number: signal.Signals, commands: Commands, pbx: Pbx, folder: Path
) -> None:
    args, first, last = RUNS[name]
    if name == "calls":
        pbx.bustle(NEW_CALL, once_asked="QueueStatus")
    command = commands.start(*args, cwd=folder, env={"AMI_URL": pbx.url})
    while first not in (line := command.stdout.readline()):
        assert line, command.communicate()
    command.send_signal(number)
    said, errors = command.communicate()
    assert command.returncode == -number
    assert re.fullmatch(last, said)
    assert re.fullmatch(r"( *\d+\.\d+ +interrupted\n)?", errors)


def test_a_recording_that_a_signal_ends_is_whole(commands: Commands, pbx: Pbx, folder: Path) -> None:
    command = commands.start("-s", pbx.url, "record", "f", "--login", cwd=folder)
    command.stdout.readline()
    while "Login" not in pbx.server.received_actions:
        time.sleep(0.001)
    command.send_signal(signal.SIGTERM)
    said, _ = command.communicate()
    recorded = [one for one in Recording.load(folder / "f").records if one.data]
    assert said == f"{len(recorded)} packets recorded\n"


INTERRUPTED = """
import runpy, signal
from ami_client.testing.recording import RecordingWriter
flush, before = RecordingWriter.flush, iter(range(3))
def interrupted(writer):
    flush(writer)
    if next(before, None) is None:
        signal.raise_signal(signal.SIGTERM)
RecordingWriter.flush = interrupted
runpy.run_module("ami_client", run_name="__main__")
"""


def test_a_signal_between_a_packet_and_its_count(pbx: Pbx, folder: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTED, "-s", pbx.url, "record", "f", "--login"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, **on_library(cwd=folder))
    recorded = [one for one in Recording.load(folder / "f").records if one.data]
    assert done.stdout.splitlines()[-1] == f"{len(recorded)} packets recorded"
    assert done.returncode == -signal.SIGTERM


def run_in_shell(script: str, *args: str) -> subprocess.Popen[str]:
    """Run ``script`` in sh; "$@" is the command."""
    return subprocess.Popen(
        ["sh", "-c", script, "sh", *command_line(*args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        **on_library(),
    )


def line_with(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    while text not in (line := process.stdout.readline()):
        assert line, process.communicate()


@pytest.mark.parametrize(
    "script",
    ['"$@" & echo $!; wait $!; echo "status $?"', 'nohup "$@" & echo $!; wait $!; echo "status $?"'],
)
def test_in_the_background_of_a_script_what_is_ignored_stays_ignored(script: str, pbx: Pbx) -> None:
    process = run_in_shell(script, "events", pbx.url)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    line_with(process, "FullyBooted")
    os.kill(pid, signal.SIGHUP if "nohup" in script else signal.SIGINT)
    pbx.do(pbx.server.push, {"Event": "Late", "Privilege": "call,all"})
    line_with(process, "Late")
    os.kill(pid, signal.SIGTERM)
    out, _ = process.communicate(timeout=LIMIT)
    assert out == "status 143\n"


@pytest.mark.parametrize("args", [["record", "f"], ["events"], ["ping", "-c", "0", "-i", "60"], ["top"]])
def test_the_end_of_the_terminal_ends_it(args: list[str], pbx: Pbx, tmp_path: Path) -> None:
    ours, theirs = os.openpty()

    def take_terminal() -> None:
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        command_line("-s", pbx.url, *args),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=take_terminal,
        **on_library(cwd=tmp_path, env={"TERM": "xterm"}),
    )
    os.close(theirs)
    assert os.read(ours, 1)  # it runs
    os.close(ours)
    assert process.wait(LIMIT) == -signal.SIGHUP


@pytest.mark.parametrize("closed", [["stdin"], ["stderr"], ["stdin", "stderr"]])
def test_without_some_standard_streams(closed: list[str], pbx: Pbx, tmp_path: Path) -> None:
    redirections = {"stdin": "<&-", "stderr": "2>&-"}
    script = f'exec "$@" {" ".join(redirections[name] for name in closed)}'
    process = run_in_shell(script, "-s", pbx.url, "record", str(tmp_path / "f"))
    line_with(process, "recording")
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=LIMIT) == ("0 packets recorded\n", "")
    assert process.returncode == -signal.SIGTERM


def test_it_runs_without_an_environment_and_for_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a service does in a container."""
    monkeypatch.delenv("HOME", raising=False)

    def unknown(uid: int) -> Any:
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert config.load(None, {}).profiles == {}


def test_a_signal_at_the_worst_moment_ends_what_waits_for_a_pipe(commands: Commands, tmp_path: Path) -> None:
    """A pipe's writer comes in the moment before the read: no handler in Python could notice the signal there."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    command = commands.start("replay", str(fifo))
    with fifo.open("w"):
        status = Path(f"/proc/{command.pid}/status")
        (caught,) = re.findall(r"SigCgt:\s*(\w+)", status.read_text())
        assert not int(caught, 16) & sum(1 << (number - 1) for number in ENDING)
        command.send_signal(signal.SIGTERM)
        assert command.wait() == -signal.SIGTERM


# -- the mechanism


@pytest.fixture
def handlers() -> Iterator[Callable[[], list[Any]]]:
    """The handlers of the signals, which are the same after the test."""

    def current() -> list[Any]:
        return [signal.getsignal(number) for number in ENDING]

    before = current()
    yield current
    assert current() == before


def test_after_a_signal_every_end_is_its_end(handlers: Callable[[], list[Any]]) -> None:
    for after in (None, OSError("the terminal is gone"), SystemExit(3)):
        with pytest.raises(signals.Signalled) as caught, signals.raised():
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGHUP)
            if after is not None:
                raise after
        assert caught.value.number == signal.SIGHUP
    with pytest.raises(OSError, match="full"), signals.raised():  # that of the last command is forgotten
        raise OSError("full")


def test_the_second_signal_ends_a_loop_that_is_stuck(handlers: Callable[[], list[Any]]) -> None:
    told: list[str] = []

    def stuck() -> None:
        signal.raise_signal(signal.SIGTERM)
        told.append("goes on")
        signal.raise_signal(signal.SIGINT)
        told.append("never comes")

    with pytest.raises(signals.Signalled) as caught, signals.raised(), Reactor() as reactor:
        reactor.call_soon(stuck)
        with signals.stopping(reactor, reactor.stop):
            reactor.run()
    assert told == ["goes on"]
    assert caught.value.number == signal.SIGTERM


class HastyReactor(Reactor):
    """A signal arrives as soon as it is handled."""

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: object) -> None:
        super().add_signal_handler(sig, callback, *args)
        signal.raise_signal(sig)


def test_no_signal_is_lost_before_the_loop_runs(handlers: Callable[[], list[Any]]) -> None:
    with pytest.raises(signals.Signalled) as caught, signals.raised(), HastyReactor() as reactor:
        late = reactor.call_later(LIMIT, reactor.stop)
        with signals.stopping(reactor, reactor.stop):
            reactor.run()
        assert late.when() > reactor.time()
    assert caught.value.number in ENDING
