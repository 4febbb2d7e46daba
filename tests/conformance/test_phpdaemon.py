"""Recorded scenarios of phpDaemon's client, and some of our own, over loopback sockets."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Optional

import pytest
from phpdaemon_player import Player
from scenarios_connection import ACTIONS, EVENTS
from scenarios_pool import LOGIN, POOL

Record = dict[str, Any]

RECORDS = Path(__file__).parent.parent / "data" / "phpdaemon-traces.jsonl.gz"

#: What is logged on the way, by name of the record.
LOGGED = {"a33_url_fragment_params": "unknown parameter 'nosuch'"}

#: Records of what we do otherwise, and why.
OTHERWISE = {"f22_duplicate_actionid": "of a repeated ActionID the first one counts: those behind it may be forged"}


def recorded() -> Iterator[Record]:
    with gzip.open(RECORDS, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def matched() -> list[Record]:
    return [record for record in recorded() if record["name"] not in OTHERWISE]


def play(record: Record, expect_log: Callable[[str], None], cut: Optional[int] = None) -> None:
    if record["name"] in LOGGED:
        expect_log(LOGGED[record["name"]])
    player = Player(record, cut)
    try:
        for happened, expected in player.play():
            assert happened == expected
        player.finish()
    finally:
        player.close()
    assert player.called == player.accepted  # each callback once, even if only because the pool was finished
    if player.raised:
        expect_log("callback .* raised")


@pytest.mark.parametrize("record", [pytest.param(record, id=record["name"]) for record in matched()])
def test_does_what_phpdaemon_did(record: Record, expect_log: Callable[[str], None]) -> None:
    play(record, expect_log)


@pytest.mark.parametrize("record", [pytest.param(record, id=record["name"]) for record in matched()])
def test_however_the_bytes_are_cut(record: Record, expect_log: Callable[[str], None]) -> None:
    is_large = len(json.dumps(record)) > 50_000
    play(record, expect_log, cut=1000 if is_large else 1)


@pytest.mark.parametrize("record", [one for one in recorded() if one["name"] in OTHERWISE], ids=lambda one: one["name"])
def test_does_otherwise_on_purpose(record: Record, expect_log: Callable[[str], None]) -> None:
    with pytest.raises(AssertionError):
        play(record, expect_log)


@pytest.mark.parametrize(
    "record", [pytest.param(record, id=record["name"]) for record in [*POOL, *LOGIN, *EVENTS, *ACTIONS]]
)
def test_follows_the_rules_that_no_record_shows(record: Record, expect_log: Callable[[str], None]) -> None:
    play(record, expect_log)


def test_no_record_is_missing() -> None:
    assert len(list(recorded())) == 84
