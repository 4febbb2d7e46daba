"""The examples, as a reader starts them: programs of their own, here against a server inside the test.

What they print on the embedded server stands in the tutorials and is compared there, by test_docs.py.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from example_modules import EXAMPLES, load
from programs import PATIENCE, Launcher, Program

from ami_client import Reactor
from ami_client.aio import Client
from ami_client.testing import FakeAsterisk, FakeCaller, SimulatedReactor

#: Those that run until somebody stops them.
DAEMONS = ["crm_popup", "queue_stats", "cdr_to_sqlite", "pbx_watchd", "callback_robot", "ivr", "asyncio_daemon"]

#: What they need on the command line besides.
ARGUMENTS = {"asyncio_daemon": ("--port", "0")}


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    with Reactor() as reactor:
        yield reactor


@pytest.fixture
def pbx(reactor: Reactor) -> Iterator[FakeAsterisk]:
    with FakeAsterisk(reactor, ring_time=0.01, call_length=0.05) as server:
        yield server


@pytest.fixture
def start(reactor: Reactor, launcher: Launcher, tmp_path: Path) -> Iterator[Any]:
    programs: list[Program] = []

    def start(name: str, *args: str, **environment: str) -> Program:
        path = EXAMPLES / f"{name}.py"
        programs.append(Program(reactor, launcher, path, *args, *ARGUMENTS.get(name, ()), cwd=tmp_path, **environment))
        return programs[-1]

    yield start
    for program in programs:
        program.kill()


@pytest.fixture
def simulated_pbx(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAsterisk]:
    """A server in a simulated network, whose loop is the default one: there an example's minutes take no time."""
    with SimulatedReactor() as reactor, FakeAsterisk(reactor) as server:
        monkeypatch.setattr(Reactor, "instance", lambda: reactor)
        yield server


def run_until_received(pbx: FakeAsterisk, reactor: Reactor, action: str, count: int = 1) -> None:
    """Run the loop until the server has answered ``action`` for the ``count``th time."""

    def look(request: Any) -> Any:
        if len(pbx.requests(action)) >= count:
            reactor.call_later(0, reactor.stop)
        return NotImplemented

    if len(pbx.requests(action)) >= count:
        return
    pbx.on(action, look)
    late = reactor.call_later(PATIENCE, reactor.stop)
    reactor.run()
    late.cancel()
    pbx.off(action)
    assert len(pbx.requests(action)) >= count, pbx.received_actions


# -- all of them


@pytest.mark.parametrize("name", [*DAEMONS, "click_to_call", "home_assistant", "twisted_pbx", "wallboard"])
def test_each_takes_the_url_of_a_server(name: str, start: Any, pbx: FakeAsterisk, reactor: Reactor) -> None:
    start(name, pbx.url)
    run_until_received(pbx, reactor, "Login")


def test_a_daemon_says_goodbye_when_it_is_stopped(start: Any, reactor: Reactor) -> None:
    with ExitStack() as servers:
        started = []
        for name in DAEMONS:
            pbx = servers.enter_context(FakeAsterisk(reactor))
            started.append((start(name, AMI_URL=pbx.url + "#timeout=1"), pbx))
        for program, pbx in started:
            run_until_received(pbx, reactor, "Ping")  # so it knows that it is logged in
            assert program.end(signal.SIGTERM) == 0, program.output
            assert pbx.received_actions[-1] == "Logoff", program.output


@pytest.mark.parametrize("name", DAEMONS)
def test_a_daemon_ends_when_its_login_is_refused(name: str, start: Any, pbx: FakeAsterisk) -> None:
    pbx.refuse_logins()
    program = start(name, pbx.url)
    assert program.end() in (1, 78)
    assert "Authentication failed" in program.output


def test_every_example_is_tested_and_listed() -> None:
    programs = {path.stem for path in EXAMPLES.glob("*.py") if not path.stem.startswith("test_")}
    others = {"click_to_call", "django_celery", "home_assistant", "twisted_pbx", "wallboard", "web_app"}
    assert programs == {*DAEMONS, *others}
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES.iterdir() if path.is_file() and path.name not in listed] == ["README.md"]


# -- one by one


def test_click_to_call_leads_the_agent_to_the_number(start: Any, pbx: FakeAsterisk) -> None:
    program = start("click_to_call", pbx.url, "--agent", "Local/101@office", "--number", "102")
    assert program.end() == 0
    (request,) = pbx.requests("Originate")
    assert (request.get("Channel"), request.get("Exten"), request.get("Context")) == (
        "Local/101@office",
        "102",
        "office",
    )
    assert program.output == "Local/101@office has answered, calling 102\nhung up: Normal Clearing\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--agent", "Local/111@office"], "Local/111@office is busy\n"),
        (["--agent", "PJSIP/nomad"], "PJSIP/nomad cannot be reached\n"),
        (["--number", "999"], "no call: Extension does not exist.\n"),
    ],
)
def test_click_to_call_says_why_there_is_no_call(args: list[str], said: str, start: Any, pbx: FakeAsterisk) -> None:
    program = start("click_to_call", pbx.url, *args)
    assert program.end() == 1
    assert program.output == said


def test_a_popup_comes_for_calls_that_somebody_makes(start: Any, pbx: FakeAsterisk, reactor: Reactor) -> None:
    program = start("crm_popup", pbx.url)
    run_until_received(pbx, reactor, "Login")
    ringing = {"Privilege": "call,all", "DestChannel": "PJSIP/100-00000002", "CallerIDNum": "+5550123"}
    pbx.push({"Event": "DialBegin", **ringing})  # an Originate's own
    pbx.push({"Event": "DialBegin", **ringing, "Channel": "PJSIP/trunk-1", "CallerIDName": "O\\'Neill"})
    pbx.push({"Event": "DialEnd", **ringing, "Channel": "PJSIP/trunk-1", "DialStatus": "NOANSWER"})
    program.until("NOANSWER\\)\n")
    who = "Bo Chen, two open tickets"
    assert program.output == f"PJSIP/100: call from '+5550123' \"O'Neill\": {who}\nPJSIP/100: missed (NOANSWER)\n"


def waiting(caller: int, **headers: str) -> dict[str, str]:
    """What events say of a caller in the queue "helpline"."""
    ids = {"Channel": f"PJSIP/trunk-{caller}", "Uniqueid": f"1.{caller}", "Linkedid": f"1.{caller}"}
    return {"Privilege": "agent,call,all", "Queue": "helpline", "CallerIDNum": f"555{caller}", **ids, **headers}


def hours(file: Path) -> list[tuple[Any, ...]]:
    """What the statistics have, without the server and the hour."""
    database = sqlite3.connect(file)
    stored = database.execute("SELECT queue, answered, in_time, abandoned, others FROM queue_hours").fetchall()
    database.close()
    return stored


def test_callers_are_counted_once_when_they_leave(
    simulated_pbx: FakeAsterisk, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def somebody_comes() -> None:
        for number in range(1, 4):
            simulated_pbx.push({"Event": "QueueCallerJoin", **waiting(number, Position=str(number))})

    def they_leave() -> None:
        answered = {"DestChannel": "PJSIP/front-desk-9", "DestUniqueid": "1.9", "DialStatus": "ANSWER"}
        simulated_pbx.push({"Event": "DialEnd", **waiting(1), **answered})
        simulated_pbx.push({"Event": "QueueCallerAbandon", **waiting(2)})
        for number in range(1, 4):
            for _ in range(2):
                simulated_pbx.push({"Event": "QueueCallerLeave", **waiting(number)})

    simulated_pbx.play([(5, somebody_comes), (10, they_leave), (15, Reactor.instance().stop)])
    load("queue_stats").main(simulated_pbx.url, str(tmp_path / "queues.db"))
    assert "helpline: 5551 answered by PJSIP/front-desk after" in capsys.readouterr().out
    assert hours(tmp_path / "queues.db") == [("helpline", 1, 0, 1, 1)]


def test_callers_who_left_while_the_link_was_down_are_counted(
    simulated_pbx: FakeAsterisk, capsys: pytest.CaptureFixture[str], expect_log: Any, tmp_path: Path
) -> None:
    expect_log("WARNING: .*connecting again")
    event = {"Event": "QueueCallerJoin", **waiting(1, Position="1")}
    simulated_pbx.play([(5, event), (6, simulated_pbx.drop), (20, Reactor.instance().stop)])
    load("queue_stats").main(simulated_pbx.url, str(tmp_path / "queues.db"))
    assert hours(tmp_path / "queues.db") == [("helpline", 0, 0, 0, 1)]


def test_call_records_are_stored_once(start: Any, pbx: FakeAsterisk, reactor: Reactor, tmp_path: Path) -> None:
    program = start("cdr_to_sqlite", pbx.url, "calls.db")
    run_until_received(pbx, reactor, "Login")
    record = {"Event": "Cdr", "Privilege": "cdr,all", "UniqueID": "1.1", "Channel": "PJSIP/a-1", "EndTime": "2026"}
    record.update(Disposition="ANSWERED", BillableSeconds="41", CallerID="Zoë", Destination="100")
    pbx.push(record)
    pbx.push(record)
    pbx.push({**record, "UniqueID": "1.2", "Disposition": "BUSY"})
    program.until("Zoë' to .*: BUSY\n")
    assert program.end(signal.SIGTERM) == 0
    assert program.output.endswith("ANSWERED: 1 calls, 41 s\nBUSY: 1 calls, 41 s\n")
    database = sqlite3.connect(tmp_path / "calls.db")
    stored = database.execute("SELECT UniqueID, CallerID, BillableSeconds FROM cdr ORDER BY 1").fetchall()
    database.close()
    assert stored == [("1.1", "Zoë", 41), ("1.2", "Zoë", 41)]


def test_systemd_is_told_how_the_daemon_is(start: Any, pbx: FakeAsterisk, reactor: Reactor, tmp_path: Path) -> None:
    told: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        reactor.add_reader(systemd, lambda: told.append(systemd.recv(1000).decode()))
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "20000", "JOURNAL_STREAM": "8:1"}
        (tmp_path / "secret").write_text("secret\n")
        url = pbx.url.replace(":secret@", "@")
        pbx.on("DeviceStateList", {"Response": "Error", "Message": "Permission denied"})
        program = start("pbx_watchd", url, **environment, AMI_SECRET_FILE=str(tmp_path / "secret"))
        program.until("no list of devices")
        pbx.push({"Event": "DeviceStateChange", "Privilege": "call,all", "Device": "SIP/a", "State": "UNAVAILABLE"})
        program.until("<4>pbx_watchd: SIP/a is gone\n")
        while told.count("WATCHDOG=1") < 3:
            reactor.run_once(PATIENCE)
        assert program.end(signal.SIGTERM) == 0
        while "STOPPING=1" not in told:
            reactor.run_once(PATIENCE)
        reactor.remove_reader(systemd)
    assert told[:2] == ["READY=1", "WATCHDOG=1"]
    assert f"STATUS=Connected to tcp://admin@{pbx.host}:{pbx.port}" in told
    assert "secret" not in program.output


def test_the_daemon_asks_what_it_missed(
    simulated_pbx: FakeAsterisk, caplog: pytest.LogCaptureFixture, expect_log: Any
) -> None:
    expect_log("WARNING: .*connecting again")
    caplog.set_level("INFO", "pbx_watchd")
    states = {"SIP/a": "UNAVAILABLE"}

    def devices(request: object) -> Any:
        entries = [{"Event": "DeviceStateChange", "Device": name, "State": state} for name, state in states.items()]
        end = {"Event": "DeviceStateListComplete", "EventList": "Complete", "ListItems": len(entries)}
        return [{"Response": "Success", "EventList": "start"}, *entries, end]

    def restart() -> None:
        states["SIP/a"] = "NOT_INUSE"
        simulated_pbx.drop()

    simulated_pbx.on("DeviceStateList", devices)
    simulated_pbx.play([(5, restart), (10, Reactor.instance().stop)])
    load("pbx_watchd").Daemon(Reactor.instance(), simulated_pbx.url).run()
    said = [record.getMessage() for record in caplog.records if record.name == "pbx_watchd"]
    assert said == ["SIP/a is gone", "SIP/a is back"]


def test_systemd_accepts_the_unit_file() -> None:
    lines = (EXAMPLES / "pbx-watchd.service").read_text(encoding="utf-8").splitlines()
    settings = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    # What the program relies on.
    assert settings["Type"] == "notify"
    assert settings["RestartPreventExitStatus"] == "78"
    assert settings["WatchdogSec"] == "30"
    assert settings["ExecStart"].endswith("/pbx_watchd.py")


def test_the_asyncio_daemon_says_over_http_who_waits_and_who_gave_up(expect_log: Any) -> None:
    expect_log("WARNING: .*connecting again")
    asyncio_daemon = load("asyncio_daemon")
    waiting_now = [{"Event": "QueueEntry", **waiting(3)}]

    def queues(request: object) -> Any:
        end = {"Event": "QueueStatusComplete", "EventList": "Complete", "ListItems": len(waiting_now)}
        return [{"Response": "Success", "EventList": "start"}, *waiting_now, end]

    def shown(*callers: int) -> list[dict[str, str]]:
        return [{"queue": "helpline", "number": f"555{caller}"} for caller in callers]

    async def main() -> None:
        with FakeAsterisk(asyncio.get_running_loop()) as pbx:
            pbx.on("QueueStatus", queues)
            client = Client(pbx.url, reconnect=0.02)
            daemon = asyncio_daemon.Queues(client)
            async with TestClient(TestServer(asyncio_daemon.make_app(daemon))) as browser:
                assert (await browser.get("/health")).status == 503
                watching = asyncio.ensure_future(daemon.watch())

                async def until(*callers: int) -> Any:
                    while True:
                        told = await (await browser.get("/queues")).json()
                        if told["waiting"] == shown(*callers):
                            return told["gave_up"]

                await until(3)
                assert (await browser.get("/health")).status == 200
                for number in (1, 2):
                    pbx.push({"Event": "QueueCallerJoin", **waiting(number)})
                await until(3, 1, 2)
                pbx.push({"Event": "QueueCallerAbandon", **waiting(1)})
                pbx.push({"Event": "QueueCallerLeave", **waiting(1)})
                (gave_up,) = await until(3, 2)
                assert (gave_up["queue"], gave_up["number"]) == ("helpline", "5551")
                waiting_now.clear()  # while nobody tells us
                pbx.drop()
                assert await until() == [gave_up]
                watching.cancel()
                await client.close()

    asyncio.run(main())


def test_the_django_site_says_why_it_cannot_reach_the_pbx(start: Any, pbx: FakeAsterisk) -> None:
    pbx.refuse_logins()
    program = start("django_celery", AMI_URL=pbx.url)
    program.end()
    said = program.output.splitlines()
    assert said[0] == '{"error": "login refused: Authentication failed"}'
    assert said[-1] == "Local/111@office: login refused: Authentication failed"


def test_the_web_application_shows_and_places_calls(expect_log: Any) -> None:
    expect_log("WARNING: .*connecting again")
    web_app: Any = load("web_app")

    async def main() -> None:
        with FakeAsterisk(asyncio.get_running_loop(), ring_time=0.01, call_length=0.01) as pbx:
            async with TestClient(TestServer(web_app.make_app(pbx.url, "office"))) as browser:
                assert "EventSource" in await (await browser.get("/")).text()
                assert await (await browser.get("/channels")).json() == []
                stream = await browser.get("/events")
                answer = await browser.post("/calls", data={"channel": "Local/101@office", "exten": "102"})
                assert (answer.status, await answer.text()) == (200, "answered")
                first = await stream.content.readuntil(b"\n\n")
                assert first == b'data: ["Newchannel", "Local/101@office-00000000;1", "Down"]\n\n'
                answer = await browser.post("/calls", data={"channel": "Local/111@office", "exten": "102"})
                assert (answer.status, await answer.text()) == (409, "the call was not answered (reason 5: busy)")
                answer = await browser.post("/calls", data={"channel": "Local/1\r\nAction: Logoff", "exten": "102"})
                assert answer.status == 409
                pbx.refuse_logins("Asterisk is shutting down")
                pbx.drop()
                web_app.PATIENCE = 0.1
                answer = await browser.get("/channels")
                assert (answer.status, await answer.text()) == (503, "no login within 0.1 s, so action was not sent")
            assert "Logoff" not in pbx.received_actions

    asyncio.run(main())


def test_the_web_application_ends_with_a_logoff() -> None:
    web_app = load("web_app")

    async def main() -> None:
        with FakeAsterisk(asyncio.get_running_loop()) as pbx:
            async with TestClient(TestServer(web_app.make_app(pbx.url, "office"))) as browser:
                assert (await browser.get("/channels")).status == 200
            for _ in range(10):
                await asyncio.sleep(0)  # for the server, which reads what was sent
            assert pbx.received_actions[-1] == "Logoff"

    asyncio.run(main())


def test_the_telephone_line_tells_a_balance_and_notes_the_call(
    start: Any, pbx: FakeAsterisk, reactor: Reactor, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "calls.db")) as database, database:
        database.execute("CREATE TABLE accounts (number INTEGER PRIMARY KEY, balance INTEGER)")
        database.execute("INSERT INTO accounts VALUES (42, 1000)")
    program = start("ivr", pbx.url, "calls.db")
    run_until_received(pbx, reactor, "Login")
    customer = pbx.start_agi(FakeCaller(number="101", digits="142#"))
    program.until("101: balance\n")
    hasty = FakeCaller(number="102")
    hasty.hang_up_at(2)
    pbx.start_agi(hasty)
    program.until("102: none, hung up\n")
    assert program.end(signal.SIGTERM) == 0
    assert ["SAY", "NUMBER", "1000", ""] in customer.commands
    with closing(sqlite3.connect(tmp_path / "calls.db")) as database:
        stored = database.execute("SELECT caller, wish, hung_up FROM calls ORDER BY 1").fetchall()
    assert stored == [("101", "balance", 0), ("102", "none", 1)]
