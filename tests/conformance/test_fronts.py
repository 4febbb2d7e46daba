"""phpDaemon's records, and our own about actions, through ``await`` and through plain calls: see fronts.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fronts import AwaitPlayer, FrontPlayer, PlainPlayer
from scenarios_connection import ACTIONS
from test_phpdaemon import LOGGED, Record, matched

WAYS = {"await": AwaitPlayer, "plain": PlainPlayer}


def play(record: Record, way: str, expect_log: Callable[[str], None]) -> FrontPlayer:
    if record["name"] in LOGGED:
        expect_log(LOGGED[record["name"]])
    player = WAYS[way](record)
    try:
        for happened, expected in player.play():
            assert player.comparable(happened) == player.comparable(expected)
        player.finish()
    finally:
        player.close()
    assert sum(player.called.values()) == sum(player.accepted.values()) - player.mistakes
    assert not player.called - player.accepted
    if player.raised:
        expect_log("callback .* raised")
    return player


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("record", [pytest.param(record, id=record["name"]) for record in [*matched(), *ACTIONS]])
def test_does_what_callbacks_do(record: Record, way: str, expect_log: Any) -> None:
    play(record, way, expect_log)


@pytest.mark.parametrize("way", WAYS)
def test_the_fronts_are_asked(way: str, expect_log: Any) -> None:
    asked = [play(record, way, expect_log).asked for record in matched()]
    assert sum(asked) > 25 and sum(map(bool, asked)) > 20, asked
