"""``ami-client agi serve``: a handler becomes a server, a wrong one an error in one line."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest
from commands import Commands

from ami_client.testing import FakeCaller

HANDLERS = """
async def coroutine(call):
    await call.set_variable("A", "1")

def plain(call):
    call.set_variable("A", "1")
    call.finish()

def blocking(call):
    assert call.set_variable("A", "1").result == "1"

def broken(call):
    raise ZeroDivisionError

number = 3
def no_arguments():
    pass
"""

pytestmark = pytest.mark.usefixtures("clean_environment")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "calls_of_mine.py").write_text(HANDLERS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(port: int) -> str:
    """What a call is asked; each command succeeds."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock, sock.makefile("rw") as stream:
        stream.write(FakeCaller().environment("agi://127.0.0.1/"))
        stream.flush()
        asked = ""
        for line in stream:
            asked += line
            stream.write("200 result=1\n")
            stream.flush()
    return asked


@pytest.mark.parametrize(("handler", "options"), [("coroutine", []), ("plain", []), ("blocking", ["--threads", "2"])])
def test_calls_are_served_until_ctrl_c(handler: str, options: list[str], commands: Commands, folder: Path) -> None:
    server = commands.start("agi", "serve", f"calls_of_mine:{handler}", "--listen", "0", *options, cwd=folder)
    told = server.stdout.readline()
    assert told.startswith(f"serving calls_of_mine:{handler} at agi://127.0.0.1:")
    port = int(told.partition(";")[0].rpartition(":")[2])
    assert [call(port) for _ in range(2)] == ['SET VARIABLE "A" "1"\n'] * 2
    server.send_signal(signal.SIGINT)
    assert server.communicate() == ("", "")
    assert server.returncode == -signal.SIGINT


def test_errors_of_the_handler_are_logged(commands: Commands, folder: Path) -> None:
    server = commands.start("agi", "serve", "calls_of_mine:broken", "-l", "127.0.0.1:0", "-v", cwd=folder)
    port = int(server.stdout.readline().partition(";")[0].rpartition(":")[2])
    assert call(port) == ""
    server.send_signal(signal.SIGINT)
    errors = server.communicate()[1]
    assert "handler calls_of_mine.broken raised; returning the call of PJSIP/100-" in errors
    assert "ZeroDivisionError" in errors


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["calls_of_mine"], "'calls_of_mine' is not MODULE:HANDLER, such as ivr:start"),
        (["nowhere:start"], "there is no module 'nowhere' here"),
        (["calls_of_mine:none"], "module 'calls_of_mine' has no 'none'"),
        (["calls_of_mine:number"], "calls_of_mine:number is no function, but int"),
        (["calls_of_mine:no_arguments", "-l", "0"], "must take (call)"),
        (["calls_of_mine:plain", "-l", "here:0"], "cannot listen: "),
        (["calls_of_mine:plain", "-l", "70000"], "'70000' is not [HOST:]PORT"),
        ([], "Missing argument 'MODULE:HANDLER'"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_line(
    args: list[str], said: str, commands: Commands, folder: Path
) -> None:
    done = commands.run("agi", "serve", *args, cwd=folder)
    assert done.returncode == 2
    assert said in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1
