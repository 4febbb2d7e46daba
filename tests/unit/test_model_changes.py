"""The model's events for ``async for``."""

from __future__ import annotations

import asyncio

import pytest

from ami_client import Pool, Reactor
from ami_client.model import Call, Model

NEW = {"Event": "Newchannel", "Channel": "PJSIP/a-1", "Uniqueid": "1.1"}
HANGUP = {"Event": "Hangup", "Uniqueid": "1.1", "Cause": "16"}


def test_changes_come_in_order() -> None:
    async def watch() -> list[str]:
        model = Model()
        model.feed("pbx", NEW)  # before anybody watches
        seen = []
        async with model.changes() as changes:
            asyncio.get_running_loop().call_later(0.01, model.feed, "pbx", HANGUP)
            asyncio.get_running_loop().call_later(0.02, model.lose, "pbx")
            async for change in changes:
                seen.append(change.event)
                if change.event == "call_ended":
                    (call,) = change.args
                    assert isinstance(call, Call) and call.reason == "cancelled"
                if change.event == "stale":
                    assert change.args == ("pbx",)
                    break
        model.feed("pbx", {**NEW, "Uniqueid": "1.2"})
        seen += [change.event async for change in changes]  # it is closed: what came before is left, and the end
        return seen

    assert asyncio.run(watch()) == ["call_ended", "stale"]


def test_a_slow_reader_is_told_how_much_it_missed() -> None:
    async def watch() -> list[tuple[str, tuple[object, ...]]]:
        model = Model()
        changes = model.changes(limit=2)
        for number in range(5):
            model.feed("pbx", {**NEW, "Channel": f"PJSIP/a-{number}", "Uniqueid": f"1.{number}"})
        model.close()
        return [(one.event, one.args if one.event == "gap" else ()) async for one in changes]

    assert asyncio.run(watch()) == [("call_new", ()), ("call_new", ()), ("gap", (3,))]


def test_who_reads_no_more_costs_nothing() -> None:
    model = Model()
    changes = model.changes()
    assert len(model._changes) == 1
    del changes
    assert len(model._changes) == 0


def test_it_needs_asyncios_loop() -> None:
    with Reactor() as reactor, pytest.raises(RuntimeError, match=r"Pool\(reactor=asyncio.get_running_loop\(\)\)"):
        Model(Pool(reactor=reactor)).changes()

    async def on_asyncio() -> None:
        model = Model(Pool(reactor=asyncio.get_running_loop()))
        async with model.changes() as changes:
            model.lose("pbx")
            assert (await changes.__anext__()).event == "stale"

    asyncio.run(on_asyncio())
