"""The parts of the benchmarks that measure nothing: their server's data, ratios, tables and chart."""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

import pytest

from ami_client._engine.packet import PacketReader
from ami_client.packet import Kind, Packet

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))  # behind what is installed, which is what the other tests are about

from benchmarks import __main__ as command_line  # noqa: E402
from benchmarks.chart import OURS, chart  # noqa: E402
from benchmarks.clients.common import Job, Latency, Result  # noqa: E402
from benchmarks.expected import LOST, Expected  # noqa: E402
from benchmarks.figures import LATENCIES, RATIOS, Figures, targets  # noqa: E402
from benchmarks.imports import ImportTimes, import_times  # noqa: E402
from benchmarks.report import Report, table  # noqa: E402
from benchmarks.running import Command, Run, RunFailed, run_job  # noqa: E402
from benchmarks.server import list_answer, without_chan_variables  # noqa: E402
from benchmarks.works import CALL_TRACKING, CLIENTS, NOT_PYTHON, VARIANTS, VERSIONS, WORKS, Work, chosen  # noqa: E402
from tests.load.replay import CHUNK, Playlist, answer_pings, genuine_events, headers_of, split_events  # noqa: E402


@pytest.fixture(scope="module")
def stream() -> bytes:
    return genuine_events()


@pytest.fixture(scope="module")
def events(stream: bytes) -> list[bytes]:
    return split_events(stream)


@pytest.fixture(scope="module")
def expected(stream: bytes) -> Expected:
    return Expected(stream)


def read(data: bytes) -> list[Packet]:
    """The packets that our own reader finds."""
    reader = PacketReader()
    reader.feed(b"Asterisk Call Manager/11.0.0\r\n" + data)
    return list(iter(reader.next_packet, None))


@pytest.fixture(scope="module")
def packets(stream: bytes) -> list[Packet]:
    return read(stream)


def run(work: str, client: str, rate: float, number: int = 0, **result: float) -> Run:
    """A run of 1,000 units that took as much processor time as the rate says."""
    figures = Result(cpu_seconds=1000 / rate, wall_seconds=2000 / rate)
    for name, value in result.items():
        setattr(figures, name, value)
    return Run(work, client, number, 1000, figures)


# -- what the server sends


def test_the_list_answer_is_one_and_its_entries_are_events(events: list[bytes], packets: list[Packet]) -> None:
    response, *entries, complete = read(list_answer(events).replace(b"\0", b"id-1"))
    assert (response.kind, response["response"], response["eventlist"]) == (Kind.RESPONSE, "success", "start")
    assert (complete["eventlist"], complete["listitems"]) == ("complete", "10000")
    assert {packet["actionid"] for packet in (response, *entries, complete)} == {"id-1"}
    assert {entry.event_name for entry in entries} == {"coreshowchannel"}
    left_out = {"event", "actionid", "eventlist", "response"}
    assert [entry.keys() - left_out for entry in entries] == [event.keys() - left_out for event in packets]


def test_chan_variables_are_left_out_and_nothing_else(stream: bytes, events: list[bytes]) -> None:
    plain = without_chan_variables(stream)
    kept = [line for line in stream.splitlines() if b"ChanVariable" not in line.partition(b":")[0]]
    assert plain.splitlines() == kept
    assert len(split_events(plain)) == len(events)


def test_a_playlist_is_played_in_order_over_and_over(stream: bytes) -> None:
    playlist, played, count = Playlist(stream), b"", 0
    while count < 15_000:
        piece, more = playlist.piece(count, 15_000 - count)
        assert len(piece) <= CHUNK + 4096
        played, count = played + bytes(piece), count + more
    assert (stream * 2).startswith(played)
    assert len(split_events(played)) == 15_000


def test_pings_are_answered_by_the_block() -> None:
    answers = read(answer_pings(b"".join(b"Action: Ping\r\nActionID: %d\r\n\r\n" % number for number in range(100))))
    assert [answer["actionid"] for answer in answers] == [str(number) for number in range(100)]
    assert {(answer["response"], answer["ping"]) for answer in answers} == {("success", "pong")}
    assert all(float(answer["timestamp"]) for answer in answers)


@pytest.mark.parametrize("other", [b"Action: Login\r\nUsername: a", b"ActionID: 2\r\nAction: Ping"])
@pytest.mark.parametrize("first", [True, False])
def test_other_requests_are_not_answered_as_pings(other: bytes, first: bool) -> None:
    ping = b"Action: Ping\r\nActionID: 1"
    assert answer_pings(b"".join(one + b"\r\n\r\n" for one in ([other, ping] if first else [ping, other]))) == b""
    assert headers_of(ping) == {b"action": b"Ping", b"actionid": b"1"}


# -- what the clients are to make of it


@pytest.mark.parametrize("names", [(), ("Hangup",), CALL_TRACKING])
def test_what_is_expected_is_what_our_reader_finds(
    packets: list[Packet], expected: Expected, names: Sequence[str]
) -> None:
    wanted = [name.lower() for name in names]
    found = [packet for packet in packets if not wanted or packet["event"] in wanted]
    once = len(found), sum(len(packet.get("channel", "")) for packet in found)
    assert expected.of("events", names, 10_000) == once
    assert expected.of("events", names, 30_000) == (3 * once[0], 3 * once[1])


def test_each_name_that_is_bound_occurs(expected: Expected) -> None:
    assert all(expected.share([name]) > 0 for name in CALL_TRACKING)
    assert expected.share(()) == 1 > max(expected.share((), client) for client in LOST)


def test_events_that_a_client_cannot_parse_are_not_expected_of_it(expected: Expected, packets: list[Packet]) -> None:
    odd = sum(any("(" in header for header in packet) for packet in packets)
    assert expected.of("events", (), 10_000, "goami2")[0] == 10_000 - odd < 10_000
    assert expected.of("latency", (), 10_000, "goami2") == expected.of("events", (), 10_000, "goami2")


def test_works_are_chosen_by_key_or_letter() -> None:
    assert [work.key for work in chosen(["d", "f100"])] == ["d1", "d100", "f100"]
    with pytest.raises(ValueError, match="no work 'x'"):
        chosen(["x"])


@pytest.mark.parametrize("work", WORKS, ids=lambda work: str(work.key))
def test_who_does_not_do_a_work_has_a_reason(work: Work, expected: Expected) -> None:
    silent = set(CLIENTS) - set(work.counts) - set(work.missing)
    assert silent - set(VARIANTS) == (set(NOT_PYTHON) if work.traced else set())
    job = work.job(next(iter(work.counts)), 5038, 0.001, expected)
    assert job.count >= job.depth and job.warm_up >= job.depth


def test_what_node_is_given_is_what_the_table_says() -> None:
    node = ROOT / "benchmarks" / "node"
    wanted = json.loads((node / "package.json").read_text())["dependencies"]
    locked = json.loads((node / "package-lock.json").read_text())["packages"]["node_modules/asterisk-manager"]
    assert wanted == {"asterisk-manager": VERSIONS["asterisk-manager"]}
    assert locked["version"] == VERSIONS["asterisk-manager"]
    assert "resolved" not in locked, "it names the registry of whoever made it"


def test_what_go_is_given_is_what_the_table_says() -> None:
    go = ROOT / "benchmarks" / "go"
    module = "github.com/staskobzar/goami2 v" + VERSIONS["goami2"]
    assert re.findall(r"^require (.+)$", (go / "go.mod").read_text(), re.M) == [module]
    sums = (go / "go.sum").read_text().splitlines()
    assert [line.partition(" h1:")[0] for line in sums] == [module, module + "/go.mod"]


# -- runs


def program(code: str) -> Command:
    return Command([sys.executable, "-c", code])


def test_a_runner_gives_its_result() -> None:
    code = "import json, sys; print(json.dumps({'calls': json.loads(sys.argv[1])['count'], 'cpu_seconds': 2}))"
    assert run_job(program(code), Job("events", 1, count=7)) == Result(calls=7, cpu_seconds=2)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise ValueError('bad luck')", "exit status 1: ValueError: bad luck"),
        ("print('hello')", "no result: "),
        ("print('{\"other\": 1}')", "no result: "),
        ("import os; os.kill(os.getpid(), 9)", "exit status -9"),
    ],
)
def test_a_runner_that_fails_is_told(code: str, reason: str) -> None:
    with pytest.raises(RunFailed, match=re.escape(reason)):
        run_job(program(code), Job("events", 1))


def test_a_runner_that_hangs_is_ended() -> None:
    with pytest.raises(RunFailed, match=r"not done after 0\.1 s"):
        run_job(program("import threading; threading.Event().wait()"), Job("events", 1), time_limit=0.1)


# -- figures


def test_a_ratio_is_taken_within_a_round() -> None:
    runs = [run("a", "ours", rate, number) for number, rate in enumerate([300, 40, 500])]
    runs += [run("a", "panoramisk", rate, number) for number, rate in enumerate([100, 10])]
    figures = Figures(runs, {})
    ratio = figures.ratio("a", "ours", "a", "panoramisk")
    assert ratio and (ratio.median, ratio.least, ratio.most) == pytest.approx((3.5, 3, 4))
    assert figures.ratio("a", "ours", "b", "panoramisk") is None
    assert figures.median("a", "ours", lambda run: run.per_cpu_second) == pytest.approx(300)
    assert figures.median("a", "ours", lambda run: run.per_second) == pytest.approx(150)


def test_runs_that_failed_count_nowhere() -> None:
    figures = Figures([run("a", "ours", 100), Run("a", "ours", 1, failure="it hung")], {})
    assert [one.round for one in figures.of("a", "ours")] == [0]


@pytest.mark.parametrize("met", [True, False])
def test_targets(met: bool) -> None:
    rate = 1 if met else 0.9
    mib = 1 << 20
    ratios = RATIOS.items()
    grown = mib if met else 9 * mib
    runs = [
        run(key, ours, 1000 * rate * least + 1, warm_rss=mib, peak_rss=mib + grown) for (key, ours, _), least in ratios
    ]
    runs += [run(key, other, 1000) for (key, _, other), _ in ratios]
    runs.append(run("f10", "ours", 100))
    for key, _ in LATENCIES:
        for client, late in (("ours", 1.0), ("panoramisk", 3.1 if met else 1.2), ("asterisk-ami", 4)):
            runs.append(run(key, client, 1001 * rate if client == "ours" else 1000))
            runs[-1].result.latency = {one: late for _, one in LATENCIES}
    runs += [run("f1000", "ours", 51 if met else 44), run("g", "ours", 1, connection_bytes=1024 * (20 if met else 21))]
    imports = {"ours": ImportTimes([0.5, 0.039 if met else 0.041, 0.01], [0.1])}
    found = targets(Figures(runs, imports))
    of_ratios = [key for key, _, _ in RATIOS]
    of_latencies = [key for key, _ in LATENCIES]
    assert [target.work for target in found] == ["a", "a", *of_ratios[1:], *of_latencies, "f", "g", "h"]
    assert {target.text: target.met for target in found if target.met is not met} == {}


def test_there_is_no_target_without_figures() -> None:
    assert targets(Figures([], {})) == []


def test_import_times_are_of_those_that_can_be_imported() -> None:
    times = import_times(sys.executable, ["ours", "asterisk-manager"], 1)
    assert list(times) == ["ours"]
    assert len(times["ours"].wall) == 1 and times["ours"].cpu[0] > 0


def test_latencies_are_told_by_their_percentiles() -> None:
    late = Latency()
    for number in range(1000):
        late.events(number / 1e6)
    late.pings(0.002)
    assert late.result() == pytest.approx(
        {
            "event p50": 500,
            "event p99": 990,
            "event p99.9": 999,
            "ping p50": 2000,
            "ping p99": 2000,
            "ping p99.9": 2000,
        }
    )


# -- what people see


@pytest.fixture
def report(expected: Expected) -> str:
    runs = [
        run("d100", "ours", 900, peak_rss=30 << 20),
        run("d100", "panoramisk", 100),
        Run("d100", "asterisk-ami", 0, failure="it hung"),
        run("g", "ours", 1, connection_bytes=4096),
        run("gt", "ours", 1, connection_bytes=2048),
    ]
    missing = {"asterisk-manager": "could not be installed: no npm"}
    figures = Figures(runs, {"ours": ImportTimes([0.0123], [0.0112])})
    return Report(chosen(["b", "d100", "g"]), CLIENTS, runs, figures, missing, expected).text()


def test_the_report_has_a_row_for_each_client(report: str) -> None:
    _, _, pings = report.partition("(d100)")
    assert re.search(r"\| ami_client +\| +900 \| +450 \| 9\.00 \(9\.00.9\.00\) \| +0% \| +30 \|", pings)
    assert "| asterisk-ami 0.1.7 [1] " in pings and "[1] failed: it hung" in pings
    assert "[2] waits for each answer before it sends the next action" in report
    assert "[3] could not be installed: no npm" in report


def test_the_report_has_the_rest(report: str) -> None:
    assert "## (b) one name bound, Hangup: 3% of the events" in report
    assert re.search(r"ami_client +\| +4\.0 \| +2\.0 \| +500\.0 \|", report)
    assert re.search(r"ami_client \| 12\.3 \| +11\.2 \|", report)
    assert re.search(r"d100 \| +ours: 5\.5 times panoramisk \| +9\.00 times \| +met \|", report)


def test_the_report_tells_what_was_late(expected: Expected) -> None:
    late = run("l1k", "ours", 50_000)
    late.result.latency = {"event p50": 71.4, "event p99": 1834}
    text = Report(chosen(["l1k"]), CLIENTS, [late], Figures([late], {}), {}, expected).text()
    assert re.search(r"ami_client +\| +20\.0 \| +71 \| +1,834 \| +. \|", text)


def test_a_table_is_aligned() -> None:
    assert table(["a", "b"], [["long", "1"], ["x", "1,000"]]).splitlines() == [
        "| a    |     b |",
        "| ---- | ----: |",
        "| long |     1 |",
        "| x    | 1,000 |",
    ]


def test_the_chart_has_a_bar_for_each_client() -> None:
    figures = Figures([run("a", "ours", 300), run("a", "panoramisk", 100), run("a", "floor", 9000)], {})
    drawn = ElementTree.fromstring(chart(figures, CLIENTS))
    bars = [bar.attrib for bar in drawn.iter("{http://www.w3.org/2000/svg}rect")]
    assert [bar["fill"] == OURS for bar in bars] == [True, False]
    assert float(bars[0]["width"]) == pytest.approx(3 * float(bars[1]["width"]), rel=0.01)
    texts = [text.text or "" for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"ami_client", "panoramisk 1.4", "All events to one handler: events"} <= set(texts)
    assert any(text.startswith("300  (3.0") for text in texts)


@pytest.mark.parametrize("arguments", [["--works", "x"], ["--clients", "nobody"], ["--rounds", "0"], ["--scale", "-1"]])
def test_a_command_line_that_means_nothing(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command_line.arguments(arguments)
    assert "error" in capsys.readouterr().err
