"""The command line as a process: pipes, signals, the prompt's absence, and Python without the extra.

Most are forked (commands.py). Where it matters what a new interpreter does, one is started.
"""

from __future__ import annotations

import array
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import termios
import time
import tracemalloc
from pathlib import Path
from typing import Any, Union

import pytest
from cli_pbx import Ami, Pbx, command_line, start
from commands import Command, Commands
from programs import on_library

from ami_client import Reactor
from ami_client.testing import Recording, recording

LIMIT = 20  # seconds, for what hangs
PIPE_SIZE = 65536  # bytes
LONG = "x" * 1000
ROOM = 2 * 1024 * 1024 * 1024  # bytes of addresses
WITHOUT_EXTRA = "import sys; sys.modules['click'] = None; from ami_client.cli import main; sys.exit(main())"

Process = Union[Command, "subprocess.Popen[str]"]

pytestmark = pytest.mark.usefixtures("clean_environment")


def finish(process: Process) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=LIMIT)
    assert process.returncode is not None
    return process.returncode, out, err


def run_program(*args: str, code: str = "", **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "ami_client"]
    return subprocess.run([*command, *args], capture_output=True, timeout=LIMIT, **on_library(**options))


def first_line(process: Process) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_events_end_when_the_reader_of_the_pipe_is_gone_though_no_more_come(commands: Commands, pbx: Pbx) -> None:
    process = commands.start("events", pbx.url)
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


def unread(process: Process) -> int:
    """Bytes that wait in the pipe of its output."""
    assert process.stdout is not None
    count = array.array("i", [0])
    fcntl.ioctl(process.stdout, termios.FIONREAD, count)
    return count[0]


def let_it_wait_for_us(process: Process, pbx: Pbx) -> int:
    """Send far more events than a pipe holds, and return how many once it fills."""
    count = 4 * PIPE_SIZE // len(LONG)
    for number in range(count):
        pbx.do(pbx.server.push, {"Event": "Burst", "Privilege": "call,all", "Number": str(number), "Long": LONG})
    deadline = time.monotonic() + LIMIT
    while unread(process) < PIPE_SIZE // 2:  # a page of it may be half empty
        assert time.monotonic() < deadline
    return count


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_nothing_is_left_out_for_a_slow_reader(pbx: Pbx, unbuffered: str) -> None:
    process = start(
        "events", "--json", "-n", "burst", "-n", "fullybooted", pbx.url, env={"PYTHONUNBUFFERED": unbuffered}
    )
    first_line(process)
    sent = let_it_wait_for_us(process, pbx)
    assert [json.loads(first_line(process))["Number"] for _ in range(sent)] == [str(number) for number in range(sent)]
    process.send_signal(signal.SIGINT)
    assert finish(process) == (-signal.SIGINT, "", "")


def test_ctrl_c_while_the_reader_does_not_read(commands: Commands, pbx: Pbx) -> None:
    process = commands.start("events", pbx.url)
    first_line(process)
    let_it_wait_for_us(process, pbx)
    process.send_signal(signal.SIGINT)
    assert process.wait(LIMIT) == -signal.SIGINT
    assert finish(process)[2] == ""


def test_a_long_answer_into_a_pipe_that_is_closed(commands: Commands, pbx: Pbx) -> None:
    text = "\n".join(f"line {number}" for number in range(50_000))
    pbx.do(pbx.server.office.commands.__setitem__, "core show all", text)
    process = commands.start("command", "core show all", "-s", pbx.url)
    assert first_line(process) == "line 0\n"
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(LIMIT) == -signal.SIGPIPE
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()


def test_ctrl_c_while_nobody_answers(commands: Commands) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = commands.start("channels", f"tcp://a:b@127.0.0.1:{silent.getsockname()[1]}")
        accepted, _ = silent.accept()
        with accepted:
            process.send_signal(signal.SIGINT)
            assert finish(process) == (-signal.SIGINT, "", "")


def test_ctrl_c_ends_pings_with_their_summary(commands: Commands, pbx: Pbx) -> None:
    process = commands.start("ping", "-c", "0", "-i", "60", pbx.url)
    assert "seq=1" in first_line(process)
    process.send_signal(signal.SIGINT)
    status, out, err = finish(process)
    assert (status, err) == (-signal.SIGINT, "")
    assert "1 sent, 1 answered" in out


def test_a_disk_that_is_full(commands: Commands, pbx: Pbx) -> None:
    with open("/dev/full", "w") as full:
        process = commands.start("channels", pbx.url, stdout=full)
        assert finish(process)[::2] == (1, "ami-client: cannot write: No space left on device\n")


def test_bytes_of_a_command_come_out_as_they_came_but_for_controls(commands: Commands, pbx: Pbx, ami: Ami) -> None:
    def answer(request: Any) -> bytes:
        said = b"Output: \t caf\xe9 \xc3\xa9 \x1b[2J \xc2\x9b1m \x9b1m"
        return b"Response: Success\r\nActionID: %b\r\n%b\r\n\r\n" % (request.action_id.encode(), said)

    pbx.do(pbx.server.on, "Command", answer)
    done = commands.run("command", "x", "-s", pbx.url)
    assert (done.returncode, done.stdout) == (0, b"\t caf\xe9 \xc3\xa9 \\x1b[2J \\x9b1m \\udc9b1m\n")
    assert ami("command", "x", "--json").objects[0]["Output"] == ["\t caf\udce9 é \x1b[2J \x9b1m \udc9b1m"]


@pytest.mark.parametrize("args", [["channels"], ["action", "Nonesuch"]])
def test_the_log_drives_no_terminal(commands: Commands, pbx: Pbx, args: list[str]) -> None:
    nasty = "\x1b]0;owned\x07\x9b31m\u2028"
    pbx.do(setattr, pbx.server, "version", f"11{nasty}")
    for name in ("CoreShowChannels", "Nonesuch"):
        pbx.do(pbx.server.on, name, {"Response": "Error", "Message": nasty, nasty: nasty})
    done = commands.run("-vv", *args, "-s", pbx.url)
    assert done.returncode == 1
    assert b"logged in" in done.stderr
    assert b"owned" in done.stderr
    assert (done.stdout + done.stderr).decode().replace("\n", "").isprintable()


def test_the_output_does_not_depend_on_the_locale(pbx: Pbx) -> None:
    done = run_program("peers", pbx.url, "--json", env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    assert done.stderr == b""
    assert "Мастерская".encode() in done.stdout


# -- standard streams that are closed

PLACE_ORDER = ["originate", "Local/100@office", "101@office"]
WRITTEN = b"ami-client: cannot write: standard output is closed\n"


def run_closed(redirections: str, *args: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a shell does with such redirections (``>&-``)."""
    program = command_line(*args)
    shell = ["sh", "-c", f'exec "$@" {redirections}', "sh", *program]
    return subprocess.run(shell, capture_output=True, timeout=LIMIT, **on_library(**options))


@pytest.mark.parametrize(
    "args",
    [
        *(["ping"], ["action", "Ping"], ["command", "x"], ["events"], PLACE_ORDER, ["channels"], ["peers"], ["queues"]),
        *(["calls"], ["calls", "--follow"]),
        *(["top"], ["record", "-"], ["record", "f"], ["replay", "f"], ["demo"], ["--help"], ["--version"], ["nosuch"]),
    ],
    ids=" ".join,
)
def test_nothing_is_asked_of_a_server_when_we_could_not_tell(
    commands: Commands, pbx: Pbx, args: list[str], tmp_path: Path
) -> None:
    done = commands.run("-s", pbx.url, *args, cwd=tmp_path, closed=["stdout"])
    assert (done.returncode, done.stderr) == (1, WRITTEN)
    assert pbx.do(lambda: list(pbx.server.received)) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("redirections", ["<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_with_more_of_them_closed(pbx: Pbx, redirections: str) -> None:
    done = run_closed(redirections, "ping", pbx.url)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"" if "2" in redirections else WRITTEN)


@pytest.mark.parametrize("closed", [("stdin",), ("stderr",), ("stdin", "stderr")])
@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["ping", "-c", "1"], b"1 sent, 1 answered"),
        (["events", "-m", "1", "--json"], b'{"Event": "FullyBooted"'),
        (PLACE_ORDER, b"answered: Local/100@office"),
        (["record", "f", "--login", "-t", "0.1"], b"packets recorded"),
    ],
)
def test_the_output_is_all_that_is_needed(
    commands: Commands, pbx: Pbx, closed: tuple[str, ...], args: list[str], says: bytes, tmp_path: Path
) -> None:
    done = commands.run("-s", pbx.url, *args, cwd=tmp_path, closed=closed)
    assert (done.returncode, done.stderr) == (0, b"")
    assert says in done.stdout


def test_errors_have_their_status_where_they_cannot_be_said(commands: Commands, pbx: Pbx) -> None:
    wrong = pbx.url.replace(":secret", ":hushhush")
    for status, args in ((4, ["ping", wrong]), (2, ["nosuch"]), (2, []), (1, ["-s", pbx.url, "action", "Nonesuch"])):
        done = commands.run(*args, closed=["stderr"])
        assert done.returncode == status
        assert b"Traceback" not in done.stdout
        assert b"ami-client:" not in done.stdout


def test_a_secret_from_an_input_that_is_closed(commands: Commands, pbx: Pbx) -> None:
    done = commands.run("ping", pbx.url.replace(":secret", ""), "--secret-file", "-", closed=["stdin"])
    assert (done.returncode, done.stderr) == (2, b"ami-client: secret file -: standard input is closed\n")
    assert pbx.do(lambda: list(pbx.server.received)) == []


def test_a_closed_input_is_nobody_who_could_be_asked(commands: Commands, pbx: Pbx) -> None:
    done = commands.run("ping", pbx.url.replace(":secret", ""), closed=["stdin"])
    assert done.returncode == 2
    assert b"no secret is known for" in done.stderr


def test_closed_streams_without_the_extra() -> None:
    for redirection, status in ((">&-", 1), ("2>&-", 2)):
        shell = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-c", WITHOUT_EXTRA, "ping"]
        done = subprocess.run(shell, capture_output=True, timeout=LIMIT, **on_library())
        assert (done.returncode, done.stdout) == (status, b"")
        assert done.stderr == (WRITTEN if redirection == ">&-" else b"")


def test_an_output_that_is_only_for_reading(pbx: Pbx) -> None:
    done = run_closed("1</dev/null", "channels", pbx.url)
    assert (done.returncode, done.stderr) == (1, b"ami-client: cannot write: Bad file descriptor\n")


def test_a_secret_from_standard_input(commands: Commands, pbx: Pbx) -> None:
    done = commands.run("ping", "-c", "1", pbx.url.replace(":secret", ""), "--secret-file", "-", input=b"secret\n")
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(("mode", "who"), [(0o600, ""), (0o640, "its group"), (0o604, "everybody")])
def test_a_secret_file_that_others_can_read_is_told_once(
    commands: Commands, pbx: Pbx, tmp_path: Path, mode: int, who: str
) -> None:
    file = tmp_path / "secret"
    file.write_text("secret\n")
    file.chmod(mode)
    warning = f"ami-client: {file} holds a secret, and {who} can read it: chmod 600 {file}\n" if who else ""
    for args in (["ping", "-c", "2", "-i", "0"], ["record", "-", "--login", "-t", "0.1"]):
        done = commands.run(*args, "-s", pbx.url.replace(":secret", ""), "--secret-file", str(file))
        assert done.returncode == 0
        told = [line for line in done.stderr.decode().splitlines(keepends=True) if "secret" in line]
        assert told == [warning] * bool(who)


def test_the_log_goes_to_stderr_and_shows_no_secret(commands: Commands, pbx: Pbx) -> None:
    done = commands.run("ping", "-c", "1", "-vv", pbx.url.replace(":secret", ":hushhush"))
    assert b"asked for a challenge" in done.stderr
    assert b"hushhush" not in done.stderr + done.stdout


# -- without the extra


def test_without_the_extra_it_says_what_to_install() -> None:
    done = run_program("ping", code=WITHOUT_EXTRA)
    assert done.returncode == 2
    assert done.stderr == b"ami-client: the command line needs click and rich: pip install 'ami-client[cli]'\n"


def test_the_core_is_not_made_slower_by_the_extra() -> None:
    code = "import ami_client, sys; sys.exit(bool({'click', 'rich', 'ami_client.cli'} & set(sys.modules)))"
    assert run_program(code=code).returncode == 0


def test_completion(clean_environment: Path) -> None:
    clean_environment.write_text("[pbx1]\nurl = h\n[pbx2]\nurl = h\n")
    asked = {"_AMI_CLIENT_COMPLETE": "bash_complete", "COMP_WORDS": "ami-client ping pb", "COMP_CWORD": "2"}
    assert run_program(env=asked).stdout == b"plain,pbx1\nplain,pbx2\n"


# -- record and replay


def test_a_session_is_recorded_and_replayed(commands: Commands, pbx: Pbx, tmp_path: Path) -> None:
    file = tmp_path / "session.jsonl"
    recorder = commands.start("record", pbx.address, str(file))
    line = first_line(recorder)
    assert line.startswith(f"recording tcp://{pbx.address}: connect to 127.0.0.1:")
    done = commands.run("queues", "--json", pbx.url.replace(pbx.address, address_in(line)))
    assert (done.returncode, done.stderr) == (0, b"")
    # The server ends this session: nothing that the recorder has to tell.
    assert (
        commands.run("ping", pbx.url.replace(pbx.address, address_in(line)).replace(":secret", ":no")).returncode == 4
    )
    recorder.send_signal(signal.SIGINT)
    status, out, err = finish(recorder)
    assert (status, err) == (-signal.SIGINT, "")
    assert out == f"{len([one for one in Recording.load(file).records if one.data])} packets recorded\n"

    player = commands.start("replay", str(file), "--speed", "max", "--once")
    again = commands.run("queues", "--json", f"tcp://anybody:anything@{address_in(first_line(player))}")
    assert (again.returncode, again.stdout, again.stderr) == (0, done.stdout, b"")
    assert finish(player)[::2] == (0, "")


def address_in(line: str) -> str:
    return line.split("connect to ")[1].split()[0].rstrip(";")


def test_a_recorder_tells_that_the_server_is_not_there(commands: Commands, tmp_path: Path) -> None:
    process = commands.start("record", "127.0.0.1:1", str(tmp_path / "f"))
    host, port = address_in(first_line(process)).split(":")
    with socket.create_connection((host, int(port)), LIMIT) as client:
        assert client.recv(100) == b""
    assert process.stderr is not None
    assert process.stderr.readline().startswith("ami-client: cannot connect to 127.0.0.1:1: Connection refused")
    process.send_signal(signal.SIGINT)
    assert finish(process)[0] == -signal.SIGINT


BEGIN = b'{"ami-recording": 1}\n'
ENDLESS = {
    "zeros": BEGIN + b"\0" * 65536,
    "blank lines": b"\n" * 65536,
    "one record": BEGIN + b'{"t": 1, "from": "server", "raw": "' + b"x" * 65536,
    "a line of JSON": b"[" * 65536,
}


def with_zeros_behind(path: Path, begin: bytes, size: int) -> Path:
    """A file of such a size, of which the zeros take no room on the disk."""
    with path.open("wb") as out:
        out.write(begin)
        out.truncate(size)
    return path


@pytest.mark.parametrize("endless", ["/dev/zero", "one record", "a line of JSON"])
def test_what_has_no_end_is_no_recording(commands: Commands, tmp_path: Path, endless: str) -> None:
    """In less memory than it would take: the process may not have more."""
    path = Path(endless)
    if endless in ENDLESS:
        path = with_zeros_behind(tmp_path / "endless", ENDLESS[endless], 1 << 40)
    begun = time.monotonic()
    done = commands.run("replay", str(path), room=ROOM)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"a line of more than " in done.stderr
    assert time.monotonic() - begun < LIMIT / 2


@pytest.mark.parametrize("endless", ENDLESS)
def test_what_is_longer_than_its_bounds_is_not_read_to_its_end(
    ami: Ami, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endless: str
) -> None:
    """The same with little bounds, for each kind."""
    monkeypatch.setattr(recording, "MAX_FIRST_LINE", 1 << 16)
    monkeypatch.setattr(recording, "MAX_LINE", 1 << 17)
    path = with_zeros_behind(tmp_path / "long", ENDLESS[endless], 1 << 26)
    ami("replay", str(tmp_path / "nothing"))  # its modules are imported
    tracemalloc.start()
    said = ami("replay", str(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    bound = 1 << (16 if endless == "a line of JSON" else 17)
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    assert f"a line of more than {bound} characters" in said.err
    assert peak < 1 << 23


def test_a_pipe_without_an_end_is_no_recording(commands: Commands, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen(["sh", "-c", f"exec cat /dev/zero > '{fifo}'"], stderr=subprocess.DEVNULL):
        done = commands.run("replay", str(fifo))
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert b"a line of more than " in done.stderr


def test_the_demonstration_ends_when_its_reader_has_gone() -> None:
    shell = ["bash", "-c", '"$@" demo | head -1; exit ${PIPESTATUS[0]}', "bash", sys.executable, "-m", "ami_client"]
    done = subprocess.run(shell, capture_output=True, timeout=LIMIT, **on_library())
    assert (done.returncode, done.stdout.count(b"\n"), done.stderr) == (128 + signal.SIGPIPE, 1, b"")


def test_ctrl_c_while_nobody_writes_into_a_pipe(commands: Commands, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    process = commands.start("replay", str(fifo))
    with fifo.open("w"):  # it has begun to read
        process.send_signal(signal.SIGINT)
        assert finish(process) == (-signal.SIGINT, "", "")


def test_a_port_that_is_taken(commands: Commands, pbx: Pbx, tmp_path: Path) -> None:
    done = commands.run("record", pbx.address, str(tmp_path / "f"), "--listen", pbx.address)
    assert done.returncode == 2
    assert done.stderr == b"ami-client: cannot listen or write: Address already in use\n"


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
