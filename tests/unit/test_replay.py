"""Recordings played to clients: who asks as recorded gets what was recorded, in its time or at once."""

from __future__ import annotations

import math
import tarfile
from collections.abc import Iterator
from typing import Any, Optional

import pytest
from cases import for_each
from engine_client import DATA

from ami_client import ActionTimeout, Connection, Packet, Pool
from ami_client.testing import FakeAsterisk, Recording, SimulatedReactor
from ami_client.testing.framing import PacketSplitter, RequestSplitter
from ami_client.testing.recording import Record
from ami_client.testing.storyline import Storyline, read_pairs, value_of, with_action_id

BANNER = b"Asterisk Call Manager/9.9.9\r\n"
LOGIN = ("client", "Action: Login|Username: bob|Secret: [removed]")
WELCOME = ("server", "Response: Success|Message: Authentication accepted")

with tarfile.open(DATA / "transcripts.tar.xz") as archive:
    FILES = {entry.name: archive.extractfile(entry).read() for entry in archive}  # type: ignore[union-attr]


def recording(*lines: tuple[Any, ...], link: int = 1) -> Recording:
    """A session: (seconds, side, lines with ``|`` between them, empty for the end)."""
    records = [Record(0, "server", BANNER, link)]
    for time, source, text in lines:
        data = "".join(f"{line}\r\n" for line in text.split("|")).encode() + b"\r\n"
        records.append(Record(time, source, data if text else b"", link, "" if text else "closed"))
    return Recording(records)


def after_login(*lines: tuple[Any, ...]) -> Recording:
    """A session that begins with a login at 100.0 seconds; times count from then on."""
    return recording((100, *LOGIN), (100, *WELCOME), *((100 + time, *rest) for time, *rest in lines))


class Player:
    """A client that a recording is played to; ``got`` has (seconds, what) in the order of coming."""

    def __init__(self, sim: SimulatedReactor, played: Recording, **options: Any) -> None:
        self.sim = sim
        self.server = FakeAsterisk(sim)
        self.replay = self.server.replay(played, **options)
        self.server.start()
        self.got: list[tuple[float, str]] = []
        self.conns: list[Connection] = []
        self.pool = Pool(reactor=sim, authtype="plain", timeout=None)
        self.pool.on("event", lambda conn, packet: self.note(packet.original("Event")))
        self.pool.on("disconnect", lambda conn: self.note("disconnect"))
        self.pool.get_connection(self.server.url, self.conns.append)
        sim.run_until(lambda: self.conns)

    @property
    def conn(self) -> Connection:
        return self.conns[0]

    def note(self, what: Optional[str]) -> None:
        self.got.append((round(self.sim.time(), 3), what or ""))

    def ask(self, action: str, params: Any = None, **options: Any) -> list[Packet]:
        """Send an action; its answer is noted, and goes into the list returned."""
        answers: list[Packet] = []

        def on_answer(conn: Connection, packet: Packet) -> None:
            self.note(f"{action}: {packet.original('Message')}")
            answers.append(packet)

        self.conn.action(action, on_answer, params, **options)
        return answers


@pytest.fixture
def sim() -> Iterator[SimulatedReactor]:
    with SimulatedReactor() as sim:
        yield sim


def test_events_come_at_their_times_after_the_login(sim: SimulatedReactor) -> None:
    played = after_login((0, "server", "Event: A"), (2.5, "server", "Event: B"), (10, "server", ""))
    player = Player(sim, played)
    assert player.conn.ami_version == "9.9.9"
    assert player.conn.connected  # bob is admin here: any credentials will do
    assert not player.replay.finished
    sim.run_for(60)
    assert player.got == [(0, "A"), (2.5, "B"), (10, "disconnect")]
    assert player.replay.finished


@pytest.mark.parametrize(
    ("speed", "times"), [(10.0, [0.2, 1.0]), (0.5, [4.0, 20.0]), (None, [0, 0]), (math.inf, [0, 0])]
)
def test_the_pace(sim: SimulatedReactor, speed: Optional[float], times: list[float]) -> None:
    player = Player(sim, after_login((2, "server", "Event: A"), (10, "server", "Event: B")), speed=speed)
    sim.run_for(60)
    assert player.got == list(zip(times, ["A", "B"]))


@pytest.mark.parametrize("speed", [0, -1, math.nan])
def test_a_pace_that_is_none(sim: SimulatedReactor, speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        FakeAsterisk(sim).replay(after_login(), speed=speed)


def test_answers_come_with_the_clients_own_action_id_and_take_their_time(sim: SimulatedReactor) -> None:
    player = Player(
        sim,
        after_login(
            (5, "client", "Action: Originate|Channel: A|ActionID: old-1"),
            (5.5, "server", "Response: Success|ActionID: old-1|Message: queued"),
            (7, "server", "Event: OriginateResponse|Privilege: call,all|ActionID: old-1|Response: Success"),
            (8, "server", "Event: OriginateResponse|Privilege: call,all|ActionID: foreign|Response: Success"),
        ),
    )
    answers, results, foreign = [], [], []
    player.pool.on("event_originateresponse", lambda conn, packet: foreign.append(packet.original("ActionID")))
    player.conn.originate(
        {"Channel": "A"}, lambda conn, p: answers.append(sim.time()), on_result=lambda conn, p: results.append(p)
    )
    sim.run_for(60)
    assert answers == [0.5]
    assert len(results) == 1
    assert foreign[-1] == "foreign"


def test_the_request_most_like_the_recorded_one_gets_its_answer(sim: SimulatedReactor) -> None:
    requests = [
        (n, "client", f"Action: Getvar|ActionID: a{n}|Variable: {name}|Channel: {n}") for n, name in enumerate("ABCA")
    ]
    answers = [(n, "server", f"Response: Success|ActionID: a{n}|Message: {n}") for n in range(4)]
    player = Player(sim, after_login(*sorted(requests + answers)), speed=None)
    for variable, channel in ("C", 2), ("A", 3), ("X", 9), ("A", 7), ("A", 0):
        player.ask("Getvar", {"Variable": variable, "Channel": channel})
    sim.settle()
    # Exactly alike; exactly alike; the first that is left; the same variable; none is left
    assert [what for _, what in player.got] == [f"Getvar: {n}" for n in (2, 3, 0, 1)] + ["Getvar: No such channel"]
    assert [request.get("Channel") for request in player.replay.unmatched] == ["0"]


def test_what_was_not_recorded_gets_the_built_in_answer(sim: SimulatedReactor) -> None:
    player = Player(sim, after_login(), speed=None)
    player.server.on("Scripted", {"Response": "Success", "Message": "by the test"})
    for action in "Ping", "Scripted", "CoreShowChannels", "Bogus":
        player.ask(action)
    sim.run_for(1)
    assert [what.split(":")[0] for _, what in player.got] == ["Ping", "Scripted", "CoreShowChannels", "Bogus"]
    assert [request.action for request in player.replay.unmatched] == ["CoreShowChannels", "Bogus"]


@pytest.mark.parametrize("speed", [1.0, None])
def test_an_event_waits_for_the_answer_it_followed(sim: SimulatedReactor, speed: Optional[float]) -> None:
    player = Player(
        sim,
        after_login(
            (1, "server", "Event: Before"),
            (1, "client", "Action: Redirect|ActionID: x"),
            (1, "server", "Response: Success|ActionID: x|Message: ok"),
            (1, "server", "Event: After"),
        ),
        speed=speed,
    )
    late = 1.9 if speed else 0.9
    sim.run_for(late)
    assert [what for _, what in player.got] == ["Before"]
    player.ask("Redirect")
    sim.settle()
    assert player.got[1:] == [(late, "Redirect: ok"), (late, "After")]


def test_a_request_that_does_not_come_is_waited_for_no_longer_than_patience(sim: SimulatedReactor) -> None:
    lines = []
    for n in range(3):
        lines += [(n, "client", f"Action: X|ActionID: x{n}"), (n, "server", f"Response: Success|ActionID: x{n}")]
        lines += [(n, "client", f"Action: Ping|ActionID: p{n}"), (n, "server", f"Response: Success|ActionID: p{n}")]
        lines += [(n, "server", f"Event: E{n}")]
    player = Player(sim, after_login(*lines), speed=None, patience=0.25)
    sim.run_for(10)
    assert player.got == [(0.25, "E0"), (0.5, "E1"), (0.75, "E2")]
    assert player.ask("X") == []  # late, and answered nevertheless
    sim.settle()
    assert player.got[-1] == (10, "X: None")


def test_a_client_that_reacts_is_waited_for_at_full_speed(sim: SimulatedReactor) -> None:
    lines = []
    for n in range(5):
        lines += [(n, "server", f"Event: Ring|Number: {n}"), (n, "client", f"Action: Pick|Number: {n}|ActionID: {n}")]
        lines += [(n, "server", f"Response: Success|ActionID: {n}|Message: {n}"), (n, "server", "Event: Up")]
    player = Player(sim, after_login(*lines), speed=None)
    player.pool.on("event_ring", lambda conn, packet: player.ask("Pick", {"Number": packet["number"]}))
    sim.run_for(3)
    told = [word for n in range(1, 5) for word in ("Ring", f"Pick: {n}", "Up")]
    assert [what for _, what in player.got if what] == [*player_start(player), *told]
    assert player.got[-1][0] < 2


def player_start(player: Player) -> list[str]:
    # The first Ring came with the login, before the test could bind its handler: nobody has picked it up.
    return [what for _, what in player.got[:2]]


def test_lists_come_whole_and_what_was_not_answered_is_not(sim: SimulatedReactor) -> None:
    player = Player(
        sim,
        after_login(
            (1, "client", "Action: IAXpeers|ActionID: i"),
            (1, "client", "Action: Hang|ActionID: h"),
            (1, "server", "Response: Success|ActionID: i|EventList: start|Message: list"),
            (1, "server", "Event: PeerEntry|Name: one"),
            (1.2, "server", "Event: PeerEntry|Name: two"),
            (1.2, "server", "Event: PeerlistComplete|ActionID: i|EventList: Complete|ListItems: 2"),
            (1.3, "server", "Event: PeerStatus|Privilege: system,all"),
        ),
    )
    answers, hung = player.ask("IAXpeers"), player.ask("Hang", timeout=5)
    sim.run_for(10)
    assert player.got == [(0.2, "IAXpeers: list"), (1.3, "PeerStatus"), (5, f"Hang: {hung[0].original('Message')}")]
    assert [entry["name"] for entry in answers[0].events] == ["one", "two"]
    assert isinstance(hung[0].error, ActionTimeout)


def test_answers_that_were_waited_for_together_are_again(sim: SimulatedReactor) -> None:
    player = Player(
        sim,
        after_login(
            (1, "client", "Action: A|ActionID: a"),
            (1, "client", "Action: B|ActionID: b"),
            (1.5, "server", "Response: Success|ActionID: a|Message: one"),
            (1.5, "server", "Event: Between"),
            (1.75, "server", "Response: Success|ActionID: b|Message: two"),
        ),
    )
    player.ask("A")
    player.ask("B")
    sim.run_for(5)
    assert player.got == [(0.5, "A: one"), (0.75, "B: two"), (1.5, "Between")]


def test_what_comes_between_two_answers_comes_between_them_again(sim: SimulatedReactor) -> None:
    player = Player(
        sim,
        after_login(
            (1, "client", "Action: A|ActionID: a"),
            (1, "client", "Action: B|ActionID: b"),
            (1, "server", "Response: Success|ActionID: a|EventList: start|Message: one"),
            (1, "server", "Event: Entry|ActionID: a"),
            (1, "server", "Event: Complete|ActionID: a|EventList: Complete"),
            (1, "server", "Event: Between"),
            (1, "server", "Response: Success|ActionID: b|Message: two"),
        ),
        speed=None,
    )
    answers = player.ask("A")
    player.ask("B")
    sim.settle()
    assert player.got == [(0, "A: one"), (0, "Between"), (0, "B: two")]
    assert len(answers[0].events) == 1


def test_what_was_due_with_an_answer_and_before_it_comes_before_it(sim: SimulatedReactor) -> None:
    player = Player(
        sim,
        after_login(
            (1, "client", "Action: A|ActionID: a"),
            (1.5, "server", "Event: Before"),
            (1.5, "server", "Response: Success|ActionID: a|Message: one"),
        ),
    )
    sim.call_later(1, player.ask, "A")
    sim.run_for(5)
    assert player.got == [(1.5, "Before"), (1.5, "A: one")]


def test_pings_and_other_ways_to_log_in_are_not_waited_for(sim: SimulatedReactor) -> None:
    played = recording(
        (0, "client", "Action: Challenge|AuthType: MD5"),
        (0, "server", "Response: Success|Challenge: [removed]"),
        (0, *LOGIN),
        (0, *WELCOME),
        (1, "client", "Action: Ping|ActionID: p"),
        (1, "server", "Response: Success|ActionID: p|Ping: Pong"),
        (1, "server", "Event: A"),
    )
    player = Player(sim, played, speed=None)
    sim.settle()
    assert player.got == [(0, "A")]


def test_what_was_removed_makes_no_difference(sim: SimulatedReactor) -> None:
    player = Player(
        sim,
        after_login(
            (1, "client", "Action: X|ActionID: 1"),
            (1, "server", "Response: Success|ActionID: 1|Message: without"),
            (1, "client", "Action: X|ActionID: 2|Secret: [removed]"),
            (1, "server", "Response: Success|ActionID: 2|Message: with"),
        ),
        speed=None,
    )
    player.ask("X", {"Secret": "hush"})
    sim.settle()
    assert player.got == [(0, "X: with")]


@pytest.mark.parametrize(
    ("data", "recorded", "own", "expected"),
    [
        ("Response: Success|ActionID: a|X: a", "a", "b", "Response: Success|ActionID: b|X: a"),
        ("Response: Success|actionid:  a|X: a", "a", "b", "Response: Success|actionid:  b|X: a"),
        ("Response: Success|ActionID: aa|X: a", "a", "b", "Response: Success|ActionID: aa|X: a"),
        ("Response: Success|ActionID: a|X: a", "a", "", "Response: Success|X: a"),
        ("Response: Success|X: a", "", "b", "Response: Success|ActionID: b|X: a"),
        ("Event: Entry|X: a", "", "b", "Event: Entry|X: a"),
        ("Response: Success|ActionID: a\\1", "a\\1", "\\g<0>", "Response: Success|ActionID: \\g<0>"),
    ],
)
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_action_ids_are_put_in_place(data: str, recorded: str, own: str, expected: str, end: str) -> None:
    def encoded(text: str) -> bytes:
        return (text.replace("|", end) + 2 * end).encode()

    assert with_action_id(encoded(data), recorded, own) == encoded(expected)


def test_a_refused_login_is_refused_again(sim: SimulatedReactor) -> None:
    refused = recording((0, *LOGIN), (1, "server", "Response: Error|Message: Authentication failed"), (1, "server", ""))
    player = Player(sim, refused)
    assert "Authentication failed" in str(player.conn.error)
    sim.run_for(1)
    assert player.server.clients == 0


def test_an_md5_login_needs_no_recorded_challenge(sim: SimulatedReactor) -> None:
    with FakeAsterisk(sim) as server:
        server.replay(after_login((0, "server", "Event: A")))
        conns: list[Connection] = []
        Pool(reactor=sim).get_connection(server.url.replace("secret", "other"), conns.append)
        sim.run_until(lambda: conns)
        assert conns[0].connected


def test_a_challenge_is_given_out_though_its_login_was_cut_away(sim: SimulatedReactor) -> None:
    played = recording(
        (0, "client", "Action: Challenge|AuthType: MD5"), (0, "server", "Response: Success|Challenge: [removed]")
    )
    with FakeAsterisk(sim) as server:
        server.replay(played)
        conns: list[Connection] = []
        Pool(reactor=sim).get_connection(server.url, conns.append)
        sim.run_until(lambda: conns)
        assert conns[0].connected


def test_two_responses_to_one_request_stay_together() -> None:
    story = Storyline(
        after_login(
            (1, "client", "Action: ModuleLoad|ActionID: a"),
            (1, "client", "Action: B|ActionID: b"),
            (1, "server", "Response: Error|ActionID: a|Message: one"),
            (1, "server", "Response: Success|ActionID: a|Message: two"),
            (1, "server", "Response: Success|ActionID: b"),
        ).records
    )
    assert [len(one.answer) for one in story.exchanges] == [1, 2, 1]


def test_the_end_of_a_list_is_the_end_of_its_answer() -> None:
    story = Storyline(
        after_login(
            (1, "client", "Action: IAXpeers|ActionID: a"),
            (1, "server", "Response: Success|ActionID: a|EventList: start"),
            (1, "server", "Event: PeerEntry"),
            (1, "server", "Event: PeerlistComplete|ActionID: a|EventList: Complete"),
            (1, "server", "Event: Odd"),
        ).records
    )
    assert [len(one.answer) for one in story.exchanges] == [1, 3]
    assert [one.record.data for one in story.happenings] == [b"Event: Odd\r\n\r\n", b""]


def test_a_logoff_without_a_recorded_end_ends_it_as_well(sim: SimulatedReactor) -> None:
    player = Player(
        sim, after_login((1, "client", "Action: Logoff|ActionID: l"), (1, "server", "Response: Goodbye|ActionID: l"))
    )
    player.conn.action("Logoff", None)
    sim.run_until(lambda: not player.server.clients, within=0.5)
    assert player.replay.finished


def test_a_speed_is_any_number_above_0() -> None:
    with SimulatedReactor() as sim, FakeAsterisk(sim) as server:
        for speed in (None, math.inf, 10**400):
            assert server.replay(Recording([]), speed=speed).speed == math.inf
        assert server.replay(Recording([]), speed=2).speed == 2
        for speed in (0, -1, math.nan, -(10**400)):
            with pytest.raises(ValueError, match="speed must be greater than 0"):
                server.replay(Recording([]), speed=speed)


def test_a_logoff_ends_it(sim: SimulatedReactor) -> None:
    player = Player(
        sim,
        after_login(
            (1, "client", "Action: Logoff|ActionID: l"),
            (1, "server", "Response: Goodbye|ActionID: l"),
            (1, "server", ""),
        ),
    )
    ends: list[int] = []
    player.replay.on_end = ends.append
    player.conn.logoff()
    sim.run_until(lambda: not player.server.clients)
    assert (ends, player.replay.finished) == ([1], True)


def test_clients_get_the_recorded_connections_by_turns(sim: SimulatedReactor) -> None:
    def one(name: str, link: int) -> list[Record]:
        return recording((0, *LOGIN), (0, *WELCOME), (0, "server", f"Event: {name}"), link=link).records

    played = Recording([*one("First", 3), *one("Second", 5)])
    seen: list[str] = []
    with FakeAsterisk(sim) as server:
        replay = server.replay(played)
        for _ in range(3):
            pool = Pool(reactor=sim)
            pool.on("event", lambda conn, packet: seen.append(packet.original("Event") or ""))
            pool.get_connection(server.url, lambda conn: None)
            sim.settle()
    assert seen == ["First", "Second", "First"]
    assert replay.unmatched == []


def test_a_recording_cut_by_hand_needs_neither_banner_nor_login(sim: SimulatedReactor) -> None:
    events = [Record(50.0 + n, "server", f"Event: E{n}\r\n\r\n".encode()) for n in range(2)]
    player = Player(sim, Recording(events))
    sim.run_for(5)
    assert player.got[-2:] == [(0, "E0"), (1, "E1")]
    assert [request.action for request in player.replay.unmatched] == ["login"]
    Player(sim, Recording([]))


@for_each("name", sorted(name[:-5] for name in FILES if name.endswith(".sent")))
def test_nothing_of_a_real_session_is_lost_and_every_request_finds_its_answer(name: str) -> None:
    pieces = [("client", piece) for piece in RequestSplitter().feed(FILES[f"{name}.sent"])]
    pieces += [("server", piece) for piece in PacketSplitter().feed(FILES[f"{name}.bin"])]
    story = Storyline(Record(0, source, piece) for source, piece in pieces)
    told = [record.data for one in story.exchanges for record in one.answer]
    told += [one.record.data for one in story.happenings if not one.ends]
    told += [story.banner] * bool(story.banner)
    assert sorted(told) == sorted(piece for source, piece in pieces if source == "server")
    for exchange in story.exchanges:
        ids = {value_of(read_pairs(record.data), "actionid") for record in exchange.answer}
        assert ids <= {exchange.action_id, ""} or name.startswith("44-")  # too long an ActionID spoils the framing
