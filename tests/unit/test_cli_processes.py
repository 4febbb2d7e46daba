"""The command line as a process: pipes, signals, the prompt's absence, and Python without the extra."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_pbx import ROOT, Pbx, start

from ami_client import Reactor
from ami_client.testing import Recording

LIMIT = 20  # seconds, for what hangs
WITHOUT_EXTRA = "import sys; sys.modules['click'] = None; from ami_client.cli import main; sys.exit(main())"

pytestmark = pytest.mark.usefixtures("clean_environment")


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=LIMIT)
    return process.returncode, out, err


def run_program(*args: str, code: str = "", **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "ami_client"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    return subprocess.run([*command, *args], capture_output=True, env=environment, timeout=LIMIT, **options)


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_events_end_when_the_reader_of_the_pipe_is_gone_though_no_more_come(pbx: Pbx) -> None:
    process = start("events", pbx.url)
    assert "FullyBooted" in first_line(process)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(LIMIT) == -signal.SIGPIPE  # as grep dies
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()


def test_each_line_comes_at_once_and_ctrl_c_ends_it(pbx: Pbx) -> None:
    process = start("events", "--json", pbx.url)
    assert json.loads(first_line(process))["Event"] == "FullyBooted"
    pbx.do(pbx.server.push, {"Event": "Late", "Privilege": "call,all"})
    assert json.loads(first_line(process))["Event"] == "Late"
    process.send_signal(signal.SIGINT)
    assert finish(process) == (-signal.SIGINT, "", "")


def test_a_long_answer_into_a_pipe_that_is_closed(pbx: Pbx) -> None:
    text = "\n".join(f"line {number}" for number in range(50_000))
    pbx.do(pbx.server.office.commands.__setitem__, "core show all", text)
    process = start("command", "core show all", "-s", pbx.url)
    assert first_line(process) == "line 0\n"
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(LIMIT) == -signal.SIGPIPE
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()


def test_ctrl_c_while_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = start("channels", f"tcp://a:b@127.0.0.1:{silent.getsockname()[1]}")
        accepted, _ = silent.accept()
        with accepted:
            process.send_signal(signal.SIGINT)
            assert finish(process) == (-signal.SIGINT, "", "")


def test_ctrl_c_ends_pings_with_their_summary(pbx: Pbx) -> None:
    process = start("ping", "-c", "0", "-i", "60", pbx.url)
    assert "seq=1" in first_line(process)
    process.send_signal(signal.SIGINT)
    status, out, err = finish(process)
    assert (status, err) == (0, "")
    assert "1 sent, 1 answered" in out


def test_a_disk_that_is_full(pbx: Pbx) -> None:
    with open("/dev/full", "w") as full:
        process = start("channels", pbx.url, stdout=full)
        assert finish(process)[::2] == (1, "ami-client: cannot write: No space left on device\n")


def test_bytes_of_a_command_come_out_as_they_came(pbx: Pbx) -> None:
    def answer(request: Any) -> bytes:
        return b"Response: Success\r\nActionID: %b\r\nOutput:   caf\xe9 \x1b\r\n\r\n" % request.action_id.encode()

    pbx.do(pbx.server.on, "Command", answer)
    done = run_program("command", "x", "-s", pbx.url)
    assert (done.returncode, done.stdout) == (0, b"  caf\xe9 \x1b\n")
    assert json.loads(run_program("command", "x", "-s", pbx.url, "--json").stdout)["Output"] == ["  caf\udce9 \x1b"]


def test_the_output_does_not_depend_on_the_locale(pbx: Pbx) -> None:
    done = run_program("peers", pbx.url, "--json", env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    assert done.stderr == b""
    assert "Мастерская".encode() in done.stdout


def test_nobody_is_asked_for_a_secret_where_nobody_sits(pbx: Pbx) -> None:
    done = run_program("ping", pbx.url.replace(":secret", ""), stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert b"no secret is known: give it by AMI_SECRET" in done.stderr


def test_a_secret_from_standard_input(pbx: Pbx) -> None:
    done = run_program("ping", "-c", "1", pbx.url.replace(":secret", ""), "--secret-file", "-", input=b"secret\n")
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_log_goes_to_stderr_and_shows_no_secret(pbx: Pbx) -> None:
    done = run_program("ping", "-c", "1", "-vv", pbx.url.replace(":secret", ":hushhush"))
    assert b"asked for a challenge" in done.stderr
    assert b"hushhush" not in done.stderr + done.stdout


# -- without the extra


def test_without_the_extra_it_says_what_to_install() -> None:
    done = run_program("ping", code=WITHOUT_EXTRA)
    assert done.returncode == 2
    assert done.stderr == b"ami-client: the command line needs click and rich: pip install 'ami-client[cli]'\n"


def test_without_the_extra_the_demonstration_works() -> None:
    done = run_program("demo", code=WITHOUT_EXTRA)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"OriginateResponse: answered" in done.stdout


def test_the_core_is_not_made_slower_by_the_extra() -> None:
    code = "import ami_client, sys; sys.exit(bool({'click', 'rich', 'ami_client.cli'} & set(sys.modules)))"
    assert run_program(code=code).returncode == 0


# -- completion


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ami-client ch", ["plain,channels"]),
        ("ami-client action QueueP", ["plain,QueuePause", "plain,QueuePenalty"]),
        ("ami-client ping pb", ["plain,pbx1", "plain,pbx2"]),
        ("ami-client action -s pbx2", ["plain,pbx2"]),
    ],
)
def test_completion(words: str, expected: list[str], clean_environment: Path) -> None:
    clean_environment.write_text("[pbx1]\nurl = h\n[pbx2]\nurl = h\n")
    asked = {"_AMI_CLIENT_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    assert run_program(env=asked).stdout.decode().splitlines() == expected


# -- record and replay


def test_a_session_is_recorded_and_replayed(pbx: Pbx, tmp_path: Path) -> None:
    file = tmp_path / "session.jsonl"
    recorder = start("record", pbx.address, str(file))
    line = first_line(recorder)
    assert line.startswith(f"recording tcp://{pbx.address}: connect to 127.0.0.1:")
    done = run_program("queues", "--json", pbx.url.replace(pbx.address, address_in(line)))
    assert (done.returncode, done.stderr) == (0, b"")
    recorder.send_signal(signal.SIGINT)
    status, out, err = finish(recorder)
    assert (status, err) == (0, "")
    assert out == f"{len([one for one in Recording.load(file).records if one.data])} packets recorded\n"

    player = start("replay", str(file), "--speed", "max", "--once")
    again = run_program("queues", "--json", f"tcp://anybody:anything@{address_in(first_line(player))}")
    assert (again.returncode, again.stdout, again.stderr) == (0, done.stdout, b"")
    assert finish(player)[::2] == (0, "")


def address_in(line: str) -> str:
    return line.split("connect to ")[1].split()[0].rstrip(";")


def test_all_events_are_recorded_without_another_client(pbx: Pbx, tmp_path: Path) -> None:
    pbx.bustle({"Event": "Tick", "Privilege": "call,all"})
    file = tmp_path / "session.jsonl"
    process = start("record", pbx.url, str(file), "--login", "--timeout", "0.3")
    assert finish(process)[0] == 0
    text = file.read_text()
    assert '["Event", "Tick"]' in text or '["Event","Tick"]' in text
    assert ":secret" not in text


def test_a_recording_into_a_pipe(pbx: Pbx) -> None:
    status, out, err = finish(start("record", pbx.address, "-", "--timeout", "0.01"))
    assert status == 0
    assert json.loads(out.splitlines()[0])["ami-recording"] == 1
    assert "connect to 127.0.0.1:" in err


def test_a_recording_is_not_overwritten_by_mistake(pbx: Pbx, tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("precious")
    done = run_program("record", pbx.address, str(file), "--timeout", "0.01")
    assert done.returncode == 2
    assert b"precious exists; --force overwrites it" in done.stderr
    assert file.read_text() == "precious"
    assert run_program("record", pbx.address, str(file), "--timeout", "0.01", "--force").returncode == 0
    assert file.read_text() != "precious"


def test_a_recorder_tells_that_the_server_is_not_there(tmp_path: Path) -> None:
    process = start("record", "127.0.0.1:1", str(tmp_path / "f"))
    host, port = address_in(first_line(process)).split(":")
    with socket.create_connection((host, int(port)), LIMIT) as client:
        assert client.recv(100) == b""
    assert process.stderr is not None
    assert process.stderr.readline().startswith("ami-client: cannot connect to 127.0.0.1:1: Connection refused")
    process.send_signal(signal.SIGINT)
    assert finish(process)[0] == 0


def test_a_port_that_is_taken_and_a_file_that_is_no_recording(pbx: Pbx, tmp_path: Path) -> None:
    file = tmp_path / "f"
    done = run_program("record", pbx.address, str(file), "--listen", pbx.address)
    assert done.returncode == 2
    assert b"Address already in use" in done.stderr
    file.write_text("no recording")
    done = run_program("replay", str(file))
    assert done.returncode == 2
    assert done.stderr.startswith(b"ami-client: ")
    assert b"Traceback" not in done.stderr


def test_nothing_of_a_loop_is_left_open() -> None:
    """The client closes the loop that it made, and only that one."""
    from ami_client.cli.client import Client
    from ami_client.cli.target import Target
    from ami_client.testing import FakeAsterisk

    with Reactor() as reactor, FakeAsterisk(reactor) as server:
        target = Target(f"tcp://{server.host}:{server.port}", "admin", "secret")
        with Client(target, timeout=LIMIT, reactor=reactor) as client:
            assert client.action("Ping")["ping"] == "Pong"
        assert not reactor.is_closed()
        client = Client(target)
        client.close()
        assert client.reactor.is_closed()
