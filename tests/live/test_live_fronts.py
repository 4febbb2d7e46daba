"""The three ways give the same on real servers, in processes that take each warning for an error."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import pytest
from driver import Client
from servers import AsteriskServer
from test_live_lists import NOT_FOR_A_ROUND, PARAMS, RAW, Busy, busy, lists_of, offered

__all__ = ["busy"]  # the fixture

HERE = Path(__file__).parent
PYTHON = (sys.executable, "-X", "dev", "-W", "error")
LIMIT = 90.0
STRICT_WAYS = ("await", "plain")


class Program:
    """A process of `front_program.py`."""

    def __init__(self, way: str, what: str, server: AsteriskServer) -> None:
        self.server = server
        self.process = subprocess.Popen(
            [*PYTHON, HERE / "front_program.py", way, what, server.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.process.kill()
        self.process.communicate()

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def say(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def result(self, logged: str = "") -> Any:
        """Do with the server what the program says, until it ends; return its result.

        Nothing may be written to standard error but lines that have ``logged`` in them.
        """
        server = self.server
        doings: dict[str, Callable[[], object]] = {
            "kill": server.kill,
            "start": server.start,
            "freeze": server.freeze,
            "thaw": server.thaw,
            "restart": server.restart,
        }
        line = self.line()
        while line in doings:
            doings[line]()
            self.say("done")
            line = self.line()
        _, told = self.process.communicate(timeout=LIMIT)
        unexpected = [one for one in told.splitlines() if not logged or logged not in one]
        assert (self.process.returncode, unexpected) == (0, []), told
        return json.loads(line)


def params_of(busy: Busy, name: str) -> dict[str, str]:
    # The whole database changes while the server registers with itself.
    return {"Family": "live"} if name == "dbgettree" else busy.params(name)


def test_every_list_is_the_same_through_all_ways(busy: Busy) -> None:
    client: Client = busy.client
    here = {name.lower() for name in offered(client)}
    names = sorted((lists_of(client.server.version) & here) - NOT_FOR_A_ROUND - RAW - {"waitevent"})
    # Two of them fail without an entry, which is a matter of seconds.
    wanted = [(name, params_of(busy, name)) for name in names if busy.ask(name).error is None]
    assert len(wanted) > 30 and len(set(PARAMS) & set(names)) > 5
    results = []
    for way in ("callback", "await", "plain", "callback"):
        with Program(way, "lists", client.server) as program:
            program.say(json.dumps(wanted))
            results.append(program.result())
    (first, documented), *others, (last, _) = results
    lasting = [name for name, _ in wanted if first[name] == last[name]]  # the server registers with itself meanwhile
    assert len(lasting) > len(wanted) - 4
    for answers, also_documented in others:
        for name in lasting:
            assert answers[name] == first[name], name
        assert also_documented == documented


def test_calls_end_the_same_through_all_ways(asterisk: AsteriskServer) -> None:
    results = []
    for way in ("callback", "await", "plain"):
        with Program(way, "calls", asterisk) as program:
            results.append(program.result())
    assert results[0][:3] == ["OriginateResponse", "Success", "ActionFailed"]
    assert results == [results[0]] * 3


@pytest.mark.parametrize("way", STRICT_WAYS)
def test_a_thousand_pieces_of_work_on_one_client(asterisk: AsteriskServer, way: str) -> None:
    with Program(way, "many", asterisk) as program:
        assert program.result() == [True, 0]


@pytest.mark.parametrize("way", STRICT_WAYS)
def test_without_reconnect_a_loss_is_raised(own_asterisk: AsteriskServer, way: str) -> None:
    with Program(way, "losses", own_asterisk) as program:
        killed, again, pong, frozen, frozen_again, pong_again = program.result()
    assert killed in ("ConnectionLost", "ConnectionReset") and again == killed
    assert "Timeout" in frozen or "Lost" in frozen, frozen
    assert frozen_again == frozen and (pong, pong_again) == ("Pong", "Pong")


@pytest.mark.parametrize("way", STRICT_WAYS)
def test_with_reconnect_actions_wait_and_streams_tell(own_asterisk: AsteriskServer, way: str) -> None:
    with Program(way, "outages", own_asterisk) as program:
        assert program.result("connecting again") == ["Pong", "lost", "back", "UserEvent"] * 3


def sessions(server: AsteriskServer) -> int:
    return server.cli("manager show connected").count(server.username)


@pytest.mark.parametrize("way", STRICT_WAYS)
def test_ctrl_c_ends_a_program_as_it_ends_others(asterisk: AsteriskServer, way: str) -> None:
    before = sessions(asterisk)
    with Program(way, "interrupt", asterisk) as program:
        assert program.line() == "interrupt"
        program.process.send_signal(signal.SIGINT)
        out, told = program.process.communicate(timeout=LIMIT)
    assert program.process.returncode == -signal.SIGINT and out == ""
    lines = told.splitlines()
    assert lines[0].startswith("Traceback") and lines[-1] == "KeyboardInterrupt", told
    for word in ("ResourceWarning", "Exception ignored", "never retrieved", "raised"):
        assert word not in told
    assert sessions(asterisk) == before
