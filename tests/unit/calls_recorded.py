"""Recorded calls of real servers, and models that they are played into."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from functools import cache

from engine_client import DATA

from ami_client.model import Call, Caller, Model, Party, Queue
from ami_client.testing import Recording
from ami_client.testing.recording import Record

Records = Sequence[Record]


@cache
def recorded() -> dict[str, Records]:
    """All recordings, by ``kind.version``: tests/live/office.py has the kinds and records them."""
    with tarfile.open(DATA / "calls.tar.xz") as archive:
        files = {entry.name: archive.extractfile(entry).read().decode() for entry in archive}  # type: ignore[union-attr]
    return {name[: -len(".jsonl")]: Recording.load(io.StringIO(text)).records for name, text in sorted(files.items())}


def of_kind(kind: str) -> dict[str, Records]:
    """The recordings of a kind, by version."""
    return {name: records for name, records in recorded().items() if name.partition(".")[0] == kind}


def number(party: Party | None) -> str:
    return "nobody" if party is None else party.number


class Story:
    """What a model tells of calls, in words.

    ``calls`` is a line for each call in the order of their ends: who heard whom, what else happened, the reason.
    ``queues`` is what happened in queues.
    """

    def __init__(self, model: Model | None = None) -> None:
        self.model = Model(clock=lambda: 0.0) if model is None else model
        self.calls: list[str] = []
        self.queues: list[str] = []
        self.new: list[str] = []  # ids
        self.ended: list[Call] = []
        self.pairs: list[tuple[str, str]] = []
        self._words: dict[str, list[str]] = {}
        on = self.model.on
        on("call_new", self._new)
        on("call_ringing", lambda model, call: self._add(call, "rings"))
        on("call_queued", lambda model, call: self._add(call, f"in {call.queue}"))
        on("call_held", lambda model, call: self._add(call, "held"))
        on("call_up", self._up)
        on("call_transferred", lambda model, call, how: self._add(call, how))
        on("call_ended", self._ended)
        on("queue_joined", lambda model, queue, caller: self._queue("joined", queue, caller))
        on("queue_left", lambda model, queue, caller: self._queue(f"left, {caller.outcome}", queue, caller))
        on("queue_abandoned", lambda model, queue, caller: self._queue("abandoned", queue, caller))

    def play(self, records: Records) -> Story:
        self.model.play(records)
        return self

    def _new(self, model: Model, call: Call) -> None:
        self.new.append(call.id)

    def _up(self, model: Model, call: Call) -> None:
        assert call.talking is not None
        pair = (number(call.talking[0]), number(call.talking[1]))
        self.pairs.append(pair)
        self._add(call, "-".join(pair))

    def _add(self, call: Call, word: str) -> None:
        words = self._words.setdefault(call.id, [])
        # How often telephones begin to ring depends on which of two begins sooner.
        if word != "rings" or words[-1:] != [word]:
            words.append(word)

    def _ended(self, model: Model, call: Call) -> None:
        self.ended.append(call)
        self.calls.append(" ".join([f"{number(call.caller)}:", *self._words.pop(call.id, ()), call.reason]))

    def _queue(self, what: str, queue: Queue, caller: Caller) -> None:
        by = f" by {caller.member}" if caller.member else ""
        self.queues.append(f"{queue.name}: {caller.number} {what}{by} at {caller.position}, {len(queue.callers)} wait")

    def assert_nothing_is_left(self) -> None:
        left = [*self.model.calls.values(), *self.model.channels.values(), *self.model.bridges.values()]
        assert left == []
        assert [one for queue in self.model.queues.values() for one in queue.callers] == []
        assert sorted(self.new) == sorted(call.id for call in self.ended)
