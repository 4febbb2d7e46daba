"""What is taken for a loop, and what is not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fake_network import Network

from ami_client import Loop, Pool, Reactor
from ami_client.loop import METHODS


class Nearly:
    """A loop but for one method."""

    def __getattr__(self, name: str) -> Any:
        if name == "call_later":
            raise AttributeError(name)
        return print


class Whole:
    """Not of any type of ours: the methods count, however they come about."""

    def __getattr__(self, name: str) -> Any:
        return print


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (asyncio, r"reactor=module asyncio is not an event loop \(it has no remove_writer\(\)\): omit it"),
        (asyncio.new_event_loop, r"reactor=<function .* is not an event loop"),
        (Reactor, r"reactor=<class '.*Reactor'> is not an event loop \(it is a class\)"),
        (Nearly(), r"reactor=<.*Nearly.*> is not an event loop \(it has no call_later\(\)\)"),
        (5, "reactor=5 is not an event loop"),
        ("x" * 1000, "reactor='x{99} is not an event loop"),
    ],
)
def test_what_is_no_loop_is_refused_in_one_line(wrong: Any, said: str) -> None:
    with pytest.raises(TypeError, match=f"^{said}.*loop of asyncio or uvloop.*methods of ami_client.Loop$") as caught:
        Pool(reactor=wrong)
    assert "\n" not in str(caught.value)


def test_what_has_the_methods_is_one(network: Network) -> None:
    whole: Any = Whole()
    assert Pool(reactor=whole).reactor is whole
    assert Pool(reactor=network.reactor).reactor is network.reactor


def test_the_methods_are_eight_and_documented() -> None:
    assert len(METHODS) == 8
    assert [name for name in METHODS if not getattr(Loop, name).__doc__] == []
