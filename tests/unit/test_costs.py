"""What a packet costs, counted in instructions of Python and in calls: the same on a slow machine and on a busy one.

A bound is what was counted on the dearest of the supported Pythons, and a tenth. Who makes the way of a packet longer
sees it here; how long the way takes is for ``benchmarks/`` to say.
"""

from __future__ import annotations

import gc
import sys
from types import FrameType
from typing import Any, Callable

from fake_network import Peer, message

from ami_client import Connection, Packet
from ami_client._transport.stream import RECV_BUDGET, RECV_SIZE, TIME_BUDGET

COUNT = 200  # packets
COUNTED = sys.version_info < (3, 12)  # later Pythons leave out some of the instructions

# An event as they are: 17 headers. The same each time: what the memo of lines saves is not the point here.
EVENT = """Event: Newstate|Privilege: call,all|Channel: PJSIP/100-0000002a|ChannelState: 6|ChannelStateDesc: Up|\
CallerIDNum: 100|CallerIDName: Joe|ConnectedLineNum: 200|ConnectedLineName: Jim|Language: en|AccountCode: |\
Context: default|Exten: 200|Priority: 3|Uniqueid: 1795401651.84|Linkedid: 1795401651.84|X: y"""


def count_calls(work: Callable[[], object]) -> int:
    """Calls, of Python functions and of others, while ``work`` runs."""
    count = 0

    def called(_frame: FrameType, what: str, _argument: object) -> None:
        nonlocal count
        count += what in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def count_instructions(work: Callable[[], object]) -> int:
    """Instructions of Python while ``work`` runs."""
    count = 0

    def entered(frame: FrameType, _what: str, _argument: object) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return executed

    def executed(_frame: FrameType, what: str, _argument: object) -> Any:
        nonlocal count
        count += what == "opcode"
        return executed

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def nothing(*_args: object) -> None:
    """A handler."""


def assert_costs(work: Callable[[], object], instructions: float, calls: float) -> None:
    """Of each of the ``COUNT`` packets, at most."""
    work()  # once for the memos
    gc.disable()  # libraries for tests have callbacks that it calls
    try:
        assert count_calls(work) / COUNT <= calls
        if COUNTED:
            assert count_instructions(work) / COUNT <= instructions
    finally:
        gc.enable()


def test_an_event_with_a_handler(peer: Peer) -> None:
    peer.conn.on("event", nothing)
    data = message(EVENT) * COUNT
    assert_costs(lambda: peer.conn._driver.received(data), 150, 6.7)
    assert peer.conn.stats.events == (2 + COUNTED) * COUNT


def test_an_event_that_nobody_wants(peer: Peer) -> None:
    peer.conn.on("event_hangup", nothing)
    data = message(EVENT) * COUNT
    assert_costs(lambda: peer.conn._driver.received(data), 21, 0.2)
    assert peer.conn.stats.events == (2 + COUNTED) * COUNT


def test_an_event_that_nobody_wants_while_an_answer_is_awaited(peer: Peer) -> None:
    peer.conn.on("event_hangup", nothing)
    peer.conn.ping(nothing)
    data = message(EVENT) * COUNT
    assert_costs(lambda: peer.conn._driver.received(data), 21, 0.2)


def test_a_ping_and_its_answer(peer: Peer) -> None:
    answered: list[object] = []
    ids: list[str] = []

    def ask(conn: Connection, packet: Packet) -> None:
        ids[:] = [conn.ping(lambda conn, packet: answered.append(packet)) for _ in range(COUNT)]

    def pings() -> None:
        peer.conn._driver.received(b"Event: Go\r\n\r\n")
        peer.conn._driver.received(b"".join(message(f"Response: Success|ActionID: {one}|Ping: Pong") for one in ids))

    peer.conn.on("event_go", ask)
    assert_costs(pings, 772, 42.4)
    assert len(answered) == (2 + COUNTED) * COUNT


def test_a_ping_whose_answer_comes_alone(peer: Peer) -> None:
    def pings() -> None:
        for _ in range(COUNT):
            action_id = peer.conn.ping(nothing)
            peer.conn._driver.received(message(f"Response: Success|ActionID: {action_id}|Ping: Pong"))

    assert_costs(pings, 1460, 89)


def test_an_entry_of_a_list(peer: Peer) -> None:
    answers: list[Any] = []

    def listing() -> None:
        own = peer.conn.action("CoreShowChannels", lambda conn, packet: answers.append(packet), {"ActionID": "mine"})
        entries = message(f"{EVENT}|ActionID: {own}") * COUNT
        peer.conn._driver.received(
            message(f"Response: Success|ActionID: {own}|EventList: start")
            + entries
            + message(f"Event: CoreShowChannelsComplete|ActionID: {own}|EventList: Complete")
        )

    assert_costs(listing, 185, 11.5)
    assert [len(packet.events) for packet in answers] == [COUNT] * (2 + COUNTED)


def test_an_entry_that_repeats_a_header(peer: Peer) -> None:
    def listing() -> None:
        own = peer.conn.action("CoreShowChannels", nothing, {"ActionID": "mine"})
        entries = message(f"{EVENT}|ChanVariable: A=1|ChanVariable: B=2|ActionID: {own}") * COUNT
        peer.conn._driver.received(
            message(f"Response: Success|ActionID: {own}|EventList: start")
            + entries
            + message(f"Event: CoreShowChannelsComplete|ActionID: {own}|EventList: Complete")
        )

    assert_costs(listing, 216, 16)


# -- what makes others wait


def test_the_longest_stretch_without_a_look_at_the_loop(peer: Peer) -> None:
    handled: list[object] = []
    peer.conn.on("event", lambda conn, packet: handled.append(packet))
    peer.sock.feed(message(EVENT) * 10 * (RECV_SIZE * RECV_BUDGET // len(message(EVENT))))
    calls = count_calls(lambda: peer.network.reactor.run_once(0))
    assert 0 < len(handled) <= RECV_SIZE * RECV_BUDGET / len(message(EVENT))
    assert calls <= 7200


def test_slow_handlers_make_it_shorter(peer: Peer) -> None:
    handled: list[object] = []

    def slow(conn: Connection, packet: Packet) -> None:
        handled.append(packet)
        peer.network.clock.now += TIME_BUDGET / 100

    peer.conn.on("event", slow)
    peer.sock.feed(message(EVENT) * 10 * (RECV_SIZE // len(message(EVENT))))
    peer.network.reactor.run_once(0)
    assert 0 < len(handled) <= RECV_SIZE / len(message(EVENT))


def test_being_woken_for_one_event(peer: Peer) -> None:
    peer.conn.on("event", nothing)

    def events() -> None:
        for _ in range(COUNT):
            peer.sock.feed(message(EVENT))
            peer.network.reactor.run_once(0)

    assert_costs(events, 1007, 63)
    assert peer.conn.stats.events == (2 + COUNTED) * COUNT


def test_objects_on_the_way_have_few_attributes(peer: Peer) -> None:
    """Python keeps up to 30 attributes in the object itself. One more costs 7% of a Ping, and 1.4 KiB a connection."""
    driver = peer.conn._driver
    session = driver.session
    for one in (driver, driver.dispatch, driver.watchdog, driver.transport, session, session.reader, driver._deadlines):
        assert len(vars(one)) <= 30, type(one)
