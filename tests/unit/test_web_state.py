"""What the wallboard shows of a model."""

from __future__ import annotations

import json
from typing import Any

from fake_network import SECRET
from office_events import SERVER, abandon, answer, call, hang_up, join, member, service_levels, telephone

from ami_client.model import Model
from ami_client.web.state import MOST_CALLS, REFRESH, State, difference

HOUR = 3600.0


class Board:
    """A model and what is shown of it, at a clock that stands still. ``told`` counts what it would look for."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.events = 0
        self.told = 0
        self.model = Model(clock=lambda: self.now)
        self.state = State([self.model], lambda: self.events, lambda: self.now)

    def watch(self) -> Board:
        self.state.watch(self.tell)
        return self

    def tell(self) -> None:
        self.told += 1

    def look(self) -> dict[str, Any]:
        return self.state.look()

    def one(self, section: str) -> dict[str, Any]:
        """The only one of a section."""
        (view,) = self.look()[section].values()
        assert isinstance(view, dict)
        return view


def test_a_call_comes_moves_and_goes() -> None:
    board = Board().watch()
    call(board.model, 1, "Alice")
    before = board.look()
    assert board.one("calls") == {
        "server": "pbx.example.com:5038",
        "state": "new",
        "caller": ["Alice", "5550001"],
        "with": [],
        "queue": "",
        "started": board.now,
    }
    join(board.model, 1)
    after = board.look()
    (number,) = before["calls"]
    assert difference(before, after)["calls"][number]["state"] == "queued"
    hang_up(board.model, 1)
    assert difference(after, board.look())["calls"] == {number: None}
    assert board.told >= 3


def test_what_was_there_before_somebody_watched_is_shown() -> None:
    board = Board()
    call(board.model, 1)
    telephone(board.model, "bob", "INUSE")
    member(board.model, "bob", 2)
    looked = board.watch().look()
    assert [len(looked[name]) for name in ("calls", "queues", "endpoints")] == [1, 1, 1]
    assert looked["counts"] == {"calls": {"new": 1}, "endpoints": {"inuse": 1}}


def test_nothing_is_followed_while_nobody_watches() -> None:
    board = Board().watch()
    board.state.unwatch()
    call(board.model, 1)
    assert board.told == 0
    assert [name for name in ("call_new", "endpoint_changed", "ready") if board.model.listeners(name)] == []
    board.state.close()
    assert not board.model.listeners("queue_left")


def test_a_queue_with_its_agents() -> None:
    board = Board().watch()
    for name, status in (("ann", 1), ("bob", 2), ("cem", 6), ("dan", 5)):
        member(board.model, name, status)
    member(board.model, "eve", 1, paused=True)
    call(board.model, 1)
    join(board.model, 1)
    board.now += 30
    call(board.model, 2)
    join(board.model, 2)
    queue = board.one("queues")
    assert (queue["waiting"], queue["oldest"]) == (2, board.now - 30)
    assert queue["agents"] == {"free": 1, "busy": 1, "ringing": 1, "unavailable": 1, "paused": 1}
    assert queue["members"][0] == ("ann", "free")


def let_wait(board: Board, number: int, seconds: float, end: Any) -> None:
    call(board.model, number)
    join(board.model, number)
    board.now += seconds
    end(board.model, number)


def test_the_service_level_of_the_last_hour() -> None:
    board = Board()
    service_levels(board.model, support=20)
    board.watch()
    assert board.one("queues")["level"] is None  # nobody has come
    let_wait(board, 1, 20, answer)
    let_wait(board, 2, 21, answer)
    let_wait(board, 3, 5, abandon)
    let_wait(board, 4, 5, answer)
    queue = board.one("queues")
    assert (queue["level"], queue["within"], queue["answered"], queue["abandoned"]) == (50, 20, 3, 1)
    board.now += HOUR - 120
    assert board.one("queues")["answered"] == 3
    board.now += 180
    queue = board.one("queues")
    assert (queue["level"], queue["answered"], queue["abandoned"]) == (None, 0, 0)


def test_callers_are_counted_while_nobody_watches() -> None:
    board = Board()
    service_levels(board.model, support=20)
    let_wait(board, 1, 1, answer)
    assert board.watch().one("queues")["level"] == 100


def test_without_a_service_level_there_is_no_percentage() -> None:
    board = Board().watch()
    let_wait(board, 1, 1, answer)
    queue = board.one("queues")
    assert (queue["level"], queue["answered"]) == (None, 1)


def test_a_server_that_is_stale_says_since_when() -> None:
    board = Board().watch()
    call(board.model, 1)
    board.now += 5
    told = board.told
    board.model.lose(SERVER)
    assert board.told > told
    looked = board.look()
    assert looked["servers"] == [{"name": "pbx.example.com:5038", "state": "stale", "since": board.now, "missing": []}]
    assert len(looked["calls"]) == 1  # what was true then


def test_no_account_reaches_the_page() -> None:
    board = Board().watch()
    server = f"tls://joe:{SECRET}@pbx:5039"  # as no name of a model's should be
    call(board.model, 1, server=server)
    said = json.dumps(board.look())
    assert SECRET not in said and "joe" not in said and "pbx:5039" in said


def test_long_names_are_cut() -> None:
    board = Board().watch()
    call(board.model, 1, "x" * 10_000)
    name, _number = board.one("calls")["caller"]
    assert len(name) <= 120 and name.endswith("…")


def test_what_could_turn_a_text_around_is_replaced() -> None:
    board = Board().watch()
    call(board.model, 1, "a\u202eb\x1b[2Jc\udce9 \u05d0")
    assert board.one("calls")["caller"][0] == "a\ufffdb\ufffd[2Jc\ufffd \u05d0"


def test_there_is_a_bound_to_what_is_shown_and_none_to_what_is_counted() -> None:
    board = Board().watch()
    for number in range(MOST_CALLS + 50):
        board.now += 1
        call(board.model, number)
    looked = board.look()
    assert len(looked["calls"]) == MOST_CALLS
    assert min(one["started"] for one in looked["calls"].values()) == board.now - MOST_CALLS + 1  # the latest
    assert looked["counts"]["calls"] == {"new": MOST_CALLS + 50}


def test_busy_telephones_come_first_where_there_are_too_many() -> None:
    board = Board().watch()
    for number in range(400):
        telephone(board.model, f"a{number:03}", "NOT_INUSE")
    telephone(board.model, "zoe", "INUSE")
    shown = [one["name"] for one in board.look()["endpoints"].values()]
    assert len(shown) == 300 and shown[0] == "PJSIP/zoe"


def test_what_no_event_tells_is_found_in_a_while() -> None:
    board = Board().watch()
    member(board.model, "ann", 1)
    assert len(board.look()["queues"]) == 1
    board.model.picture(SERVER).replace(board.now, None, None, [], None)  # a reload without the queue
    board.now += REFRESH
    assert board.look()["queues"] == {}


def test_events_a_second() -> None:
    board = Board().watch()
    board.events, board.now = 5, board.now + 2
    assert board.look()["rate"] == 2.5
    board.now += 0.5
    assert board.look()["rate"] == 2.5
    board.events, board.now = 1005, board.now + 1.5
    assert board.look()["rate"] == 500


def test_the_same_name_at_two_servers_is_two_things() -> None:
    board = Board()
    other = Model(clock=lambda: board.now)
    board.state = State([board.model, other], lambda: 0, lambda: board.now)
    board.watch()
    for model, server in ((board.model, "tcp://a@one:5038"), (other, "tcp://a@two:5038")):
        call(model, 1, server=server)
        member(model, "ann", 1, server=server)
    looked = board.look()
    assert sorted(one["server"] for one in looked["queues"].values()) == ["one:5038", "two:5038"]
    assert sorted(one["server"] for one in looked["calls"].values()) == ["one:5038", "two:5038"]
    assert [one["name"] for one in looked["servers"]] == ["one:5038", "two:5038"]


def test_only_what_has_changed_is_in_a_difference() -> None:
    board = Board().watch()
    call(board.model, 1)
    call(board.model, 2)
    before = board.look()
    board.now += 1
    assert difference(before, board.look()) == {"time": board.now}
    join(board.model, 2)
    changed = difference(before, board.look())
    assert set(changed) == {"time", "calls", "counts", "queues"}
    assert len(changed["calls"]) == 1
