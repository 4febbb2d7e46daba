"""What waits for the broker: the bounded queue, the spool, and both with a broker that fails, as a model."""

from __future__ import annotations

import logging
import sqlite3
import tempfile
from pathlib import Path
from typing import Any, Optional

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ami_client import Packet
from ami_client.forward import ForwarderStats, Message
from ami_client.forward import outbox as outbox_module
from ami_client.forward.envelope import decode
from ami_client.forward.forwarder import Feed
from ami_client.forward.outbox import Outbox, Spool
from ami_client.forward.reading import Reading


def messages(*numbers: int) -> list[Message]:
    return [Message("events.a", "", b"%d" % number) for number in numbers]


def add(outbox: Outbox, *numbers: int) -> list[bool]:
    return [outbox.add(one) for one in messages(*numbers)]


def test_messages_leave_in_order_and_stay_until_they_are_confirmed() -> None:
    outbox = Outbox(10)
    add(outbox, 1, 2, 3)
    assert outbox.first(2) == outbox.first(2) == messages(1, 2)
    outbox.remove(2)
    add(outbox, 4)
    assert (outbox.first(9), len(outbox)) == (messages(3, 4), 2)


def test_what_finds_no_room_is_not_taken() -> None:
    outbox = Outbox(2)
    assert add(outbox, 1, 2, 3) == [True, True, False]
    assert outbox.add(messages(4)[0], force=True)
    assert outbox.first(9) == messages(1, 2, 4)


def test_a_spool_keeps_what_is_not_confirmed(tmp_path: Path) -> None:
    outbox = Outbox(10, Spool(tmp_path / "spool"))
    add(outbox, 1, 2, 3, 4)
    outbox.first(2)
    outbox.remove(2)
    assert outbox.spooled == 2
    outbox.close()
    again = Outbox(10, Spool(tmp_path / "spool"))
    add(again, 5)
    assert again.first(9) == messages(3, 4, 5)
    assert again.clear() == 3
    again.close()
    left = Spool(tmp_path / "spool")
    assert len(left) == 0
    left.close()


def test_a_spool_is_its_owners_alone(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.append(messages(1))
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    spool.close()


def test_a_spool_that_another_one_has(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    with pytest.raises(OSError, match="another process uses it"):
        Spool(tmp_path / "spool")
    spool.close()
    Spool(tmp_path / "spool").close()


def test_a_file_that_is_no_spool(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database" * 1000)
    for name in ("text", "missing/spool"):
        with pytest.raises(OSError, match=name):
            Spool(tmp_path / name)


class SmallDisk(Spool):
    """A spool whose disk can be full."""

    def set_full(self, full: bool) -> None:
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        self._db.execute(f"PRAGMA max_page_count={pages if full else 1_000_000}")


def test_a_full_disk_keeps_messages_in_memory_and_in_order(tmp_path: Path, caplog: Any, expect_log: Any) -> None:
    expect_log("ERROR: spool .*full; keeping messages in memory")
    expect_log("WARNING: spool .* works again")
    spool = SmallDisk(tmp_path / "spool")
    outbox = Outbox(100, spool)
    add(outbox, 1, 2)
    outbox.store()
    spool.set_full(True)
    big = [Message("events.a", "", b"%d" % number * 4000) for number in range(3, 9)]
    for one in big:
        assert outbox.add(one)
    outbox.store()
    outbox.store()
    assert (outbox.spooled, len(outbox)) == (2, 8)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert outbox.first(9) == messages(1, 2)
    outbox.remove(2)
    assert outbox.first(1) == big[:1]
    outbox.remove(1)
    spool.set_full(False)
    assert outbox.first(9) == big[1:]
    assert outbox.spooled == 5
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    outbox.close()


def test_what_cannot_be_removed_does_not_come_again(tmp_path: Path, expect_log: Any, monkeypatch: Any) -> None:
    expect_log("WARNING: spool .*disk is full")
    spool = Spool(tmp_path / "spool")
    spool.append(messages(1, 2))

    class Broken:
        def execute(self, *args: Any) -> None:
            raise sqlite3.OperationalError("database or disk is full")

    real = spool._db
    monkeypatch.setattr(spool, "_db", Broken())
    spool.remove(1)
    monkeypatch.setattr(spool, "_db", real)
    assert (spool.first(9), len(spool)) == (messages(2), 1)
    spool.close()


class FailingSpool(Spool):
    """A spool that takes nothing more while ``full`` is set."""

    full = False

    def append(self, messages: Any) -> None:
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")
        super().append(messages)


class Forwarding(RuleBasedStateMachine):
    """A feed, its outbox with a spool or without, a broker that loses confirms, a process that is killed.

    The broker keeps what reaches it. Whoever reads there must see each event once and in order, and a gap wherever
    some are missing.
    """

    @initialize(spooled=st.booleans(), limit=st.integers(2, 6))
    def begin(self, spooled: bool, limit: int) -> None:
        outbox_module.logger = logging.getLogger("model")  # a full disk is no news here
        self.directory = tempfile.TemporaryDirectory()
        self.spooled = spooled
        self.limit = limit
        self.number = 0
        self.arrived: list[bytes] = []
        self.stats = ForwarderStats()
        self.start_process("start")

    def start_process(self, reason: str) -> None:
        self.spool: Optional[FailingSpool] = FailingSpool(Path(self.directory.name, "spool")) if self.spooled else None
        self.outbox = Outbox(self.limit, self.spool)
        self.log_in(reason)

    def log_in(self, reason: str) -> None:
        self.feed = Feed("pbx1", self.outbox, self.stats, lambda: 1.0)
        self.feed.gap(reason)

    @rule(count=st.integers(1, 4))
    def events_happen(self, count: int) -> None:
        for _ in range(count):
            self.number += 1
            self.feed.event(Packet({"event": "x", "number": str(self.number)}))

    @rule()
    def link_is_lost_and_back(self) -> None:
        self.feed.gap("lost")
        self.number += 1  # nobody hears it
        self.log_in("back")

    @rule(count=st.integers(1, 5), confirmed=st.booleans())
    def batch_is_published(self, count: int, confirmed: bool) -> None:
        batch = self.outbox.first(count)
        self.arrived += [one.body for one in batch]
        if confirmed:
            self.outbox.remove(len(batch))
            self.feed.tell_missed()

    @rule()
    def broker_is_away(self) -> None:
        self.outbox.store()

    @rule(full=st.booleans())
    def disk_fills(self, full: bool) -> None:
        if self.spool is not None:
            self.spool.full = full

    @rule()
    def process_is_killed(self) -> None:
        if self.spool is not None:
            self.spool._db.close()  # as the kernel does: without a word
        self.start_process("start")

    @invariant()
    def what_arrived_is_in_order_or_announced(self) -> None:
        if not hasattr(self, "arrived"):
            return
        reading = Reading()
        last, announced = 0, True
        for envelope in map(decode, self.arrived):
            gaps = reading.take(envelope)
            if gaps is None:
                continue
            if gaps or envelope.gap:
                announced = True
            if envelope.gap is None:
                number = int(dict(envelope.headers)["number"])
                assert number > last
                assert number == last + 1 or announced, f"{last} to {number} without a gap"
                last, announced = number, False

    @invariant()
    def memory_is_bounded(self) -> None:
        if hasattr(self, "arrived"):
            forced = self.stats.gaps
            assert len(self.outbox) <= self.limit + forced

    def teardown(self) -> None:
        if hasattr(self, "arrived"):
            # In the end everything that still waits is published, and the last event is there or announced.
            while batch := self.outbox.first(5):
                self.arrived += [one.body for one in batch]
                self.outbox.remove(len(batch))
                self.feed.tell_missed()
            self.what_arrived_is_in_order_or_announced()
            seen = [decode(body) for body in self.arrived]
            if seen and seen[-1].gap is None:
                assert int(dict(seen[-1].headers)["number"]) == self.number
            if self.spool is not None:
                self.spool.close()
            self.directory.cleanup()
            outbox_module.logger = logging.getLogger("ami_client")


TestForwarding = Forwarding.TestCase
TestForwarding.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
