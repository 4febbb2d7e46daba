"""Events reach those who listen, whenever they bind; passing over what nobody listens to loses nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from fake_network import Calls, Network, Peer

from ami_client import Packet
from ami_client._client.dispatch import MAX_NAMES, Routes
from ami_client._engine import session

pytestmark = pytest.mark.usefixtures("either_way")


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Packet]:
    """What was made a packet of."""
    packets: list[Packet] = []

    class Counted(Packet):
        __slots__ = ()

        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            packets.append(self)

    monkeypatch.setattr(session, "Packet", Counted)
    return packets


def test_what_nobody_listens_to_is_counted_and_not_parsed(peer: Peer, parsed: list[Packet]) -> None:
    peer.conn.bind("event_hangup", Calls())
    peer.say("Event: Newchannel|X: 1", "Event: Hangup|X: 2", "Event: Newchannel|X: 3")
    assert parsed == [{"event": "hangup", "x": "2"}]
    assert peer.conn.stats.events == 3


@pytest.mark.parametrize("name", ["Hangup", "hangup", "HANGUP", " Hangup ", "Hangup\n"])
def test_names_are_compared_as_packets_do(peer: Peer, name: str) -> None:
    heard = Calls()
    peer.conn.bind("event_hangup", heard)
    peer.network.say(f"Event: {name}\r\n\r\nEvent: {name}\r\nX: 1\r\n\r\n".encode(), peer.sock)
    assert len(heard) == 2


def test_binding_inside_a_handler_is_in_time_for_the_next_event_of_the_same_bytes(peer: Peer) -> None:
    heard: list[str] = []

    def first(conn: Any, packet: Packet) -> None:
        heard.append("first")
        conn.pool.bind("event_two", lambda conn, packet: heard.append("two"))
        conn.unbind("event_one")

    peer.conn.bind("event_one", first)
    peer.say("Event: Two", "Event: One", "Event: Two", "Event: One", "Event: Two")
    assert heard == ["first", "two", "two"]


TURNS = [("conn", "event_one"), ("pool", "event_one"), ("conn", "event"), ("pool", "event")]


def emitter_of(peer: Peer, place: str) -> Any:
    return peer.conn if place == "conn" else peer.conn.pool


LATER = [(first, later) for number, first in enumerate(TURNS) for later in TURNS[number + 1 :]]


@pytest.mark.parametrize(("first", "later"), LATER)
@pytest.mark.parametrize("others", [False, True])
def test_what_a_handler_binds_hears_the_same_packet_if_its_turn_is_to_come(
    peer: Peer, first: tuple[str, str], later: tuple[str, str], others: bool
) -> None:
    heard: list[Any] = []

    def bind(conn: Any, packet: Packet) -> None:
        emitter_of(peer, later[0]).bind(later[1], hear)

    def hear(conn: Any, packet: Packet) -> None:
        heard.append((conn, packet["x"]))

    if others:  # somebody listens there, and everywhere
        for place, name in TURNS:
            emitter_of(peer, place).bind(name, Calls())
    emitter_of(peer, first[0]).bind(first[1], bind)
    peer.say("Event: One|X: 1", "Event: One|X: 2")
    assert heard == [(peer.conn, "1"), (peer.conn, "2")]
    assert peer.conn.stats.handler_errors == 0


@pytest.mark.parametrize(("first", "later"), LATER)
def test_what_a_handler_unbinds_hears_nothing_more(peer: Peer, first: tuple[str, str], later: tuple[str, str]) -> None:
    heard, last = Calls(), []
    emitter_of(peer, first[0]).bind(first[1], lambda conn, packet: emitter_of(peer, later[0]).unbind(later[1], heard))
    emitter_of(peer, later[0]).bind(later[1], heard)
    peer.conn.pool.bind("event", lambda conn, packet: last.append(packet))  # type: ignore[union-attr]
    peer.say("Event: One")
    assert (len(heard), len(last)) == (0, 1)


@pytest.mark.parametrize(("first", "later"), [(later, first) for first, later in LATER])
def test_what_is_bound_where_the_turn_has_been_hears_the_next_packet(
    peer: Peer, first: tuple[str, str], later: tuple[str, str]
) -> None:
    heard = Calls()
    emitter_of(peer, first[0]).bind(first[1], lambda conn, packet: emitter_of(peer, later[0]).bind(later[1], heard))
    peer.say("Event: One")
    assert len(heard) == 0
    peer.say("Event: One")
    assert len(heard) == 1


@pytest.mark.parametrize("turn", TURNS)
def test_the_handlers_of_one_chain_are_a_snapshot(peer: Peer, turn: tuple[str, str]) -> None:
    emitter, heard, late = emitter_of(peer, turn[0]), Calls(), Calls()

    def change(conn: Any, packet: Packet) -> None:
        emitter.unbind(turn[1], heard)
        emitter.bind(turn[1], late)

    emitter.bind(turn[1], change)
    emitter.bind(turn[1], heard)
    peer.say("Event: One")
    assert (len(heard), len(late)) == (1, 0)


def test_what_was_bound_meanwhile_can_bind_raise_stop_and_end(peer: Peer, expect_log: Any) -> None:
    expect_log("ERROR: callback .*fails raised")
    heard: list[str] = []

    def fails(conn: Any, packet: Packet) -> None:
        conn.pool.bind("event", stops)
        conn.pool.bind("event", Calls())
        raise KeyError

    def stops(conn: Any, packet: Packet) -> bool:
        heard.append(packet["event"])
        conn.finish()
        return True

    peer.conn.bind("event_one", lambda conn, packet: conn.bind("event", fails))
    peer.say("Event: One", "Event: One")
    assert heard == ["one"]
    assert peer.conn.stats.handler_errors == 1
    assert peer.conn.finished


def test_nobody_hears_of_a_packet_whose_handler_has_bound_and_ended_the_connection(peer: Peer) -> None:
    heard = Calls()

    def end(conn: Any, packet: Packet) -> None:
        conn.bind("event", heard)
        conn.finish()

    peer.conn.bind("event_one", end)
    peer.say("Event: One")
    assert heard == []


def test_a_once_handler_leaves_the_others_their_packet(peer: Peer) -> None:
    every, once = Calls(), Calls()
    peer.conn.once("event_one", once)
    peer.conn.bind("event", every)
    peer.say("Event: One", "Event: One")
    assert (len(once), len(every)) == (1, 2)


@pytest.mark.parametrize("way", ["add_listener", "listens_to", "once", "bind", "on"])
@pytest.mark.parametrize("place", ["conn", "pool"])
def test_every_way_to_bind(peer: Peer, way: str, place: str) -> None:
    heard = Calls()
    peer.say("Event: One")
    emitter: Any = peer.conn if place == "conn" else peer.conn.pool
    if way == "listens_to":
        emitter.listens_to("event_one")(heard)
    else:
        getattr(emitter, way)("event_one", heard)
    peer.say("Event: One")
    assert len(heard) == 1


@pytest.mark.parametrize("way", ["remove_listener", "remove_all_listeners", "unbind", "off"])
def test_every_way_to_unbind(peer: Peer, way: str, parsed: list[Packet]) -> None:
    heard = Calls()
    peer.conn.bind("event_one", heard)
    peer.say("Event: One")
    if way == "remove_all_listeners":
        peer.conn.remove_all_listeners()
    else:
        getattr(peer.conn, way)("event_one", heard)
    peer.say("Event: One")
    assert len(heard) == len(parsed) == 1


def test_parts_of_answers_are_never_passed_over(peer: Peer) -> None:
    peer.conn.bind("event_other", Calls())
    answers, results = Calls(), Calls()
    listing = peer.conn.action("QueueStatus", answers)
    anonymous = peer.conn.action("IAXpeers", answers)
    call = peer.conn.originate({"Channel": "SIP/1"}, answers, on_result=results)
    peer.answer(listing, "Response: Success|EventList: start")
    peer.answer(listing, "Event: QueueParams")
    peer.say(f"Event: QueueMember|actionid: {listing.upper()}")
    peer.answer(listing, "Event: QueueStatusComplete|EventList: Complete")
    peer.answer(anonymous, "Response: Success|EventList: start")
    peer.say("Event: PeerEntry|ObjectName: one", "Event: PeerEntry|ObjectName: two")
    peer.answer(anonymous, "Event: PeerlistComplete|EventList: Complete")
    peer.answer(call, "Response: Success")
    peer.answer(call, "Event: OriginateResponse|Response: Success")
    assert [len(packet.events) for packet in answers] == [2, 2, 0]
    assert [packet.error for packet in results] == [None]


def test_parts_of_answers_with_an_action_id_of_the_callers_own_are_never_passed_over(peer: Peer) -> None:
    peer.conn.bind("event_other", Calls())
    answers = Calls()
    peer.conn.action("QueueStatus", answers, {"ActionID": "Mine"})
    peer.answer("Mine", "Response: Success|EventList: start")
    peer.say("Event: QueueMember|X: 1|ACTIONID: mINE")
    peer.answer("Mine", "Event: QueueStatusComplete|EventList: Complete")
    assert [len(packet.events) for packet in answers] == [1]


def test_an_answer_to_what_a_handler_sends_may_come_along_with_the_event(peer: Peer) -> None:
    answers = Calls()

    def ask(conn: Any, packet: Packet) -> None:
        conn.action("QueueStatus", answers, {"ActionID": "mine"})

    peer.conn.bind("event_one", ask)
    start, entry = "Response: Success|EventList: start|ActionID: mine", "Event: QueueMember|ActionID: mine"
    peer.say("Event: One", "Event: Two", start, entry, "Event: Three", "Event: Done|ActionID: mine|EventList: Complete")
    assert [len(packet.events) for packet in answers] == [1]
    assert peer.conn.stats.events == 3


def test_a_list_behind_which_an_unwanted_event_came_is_no_suspect(peer: Peer) -> None:
    listing = peer.conn.action("QueueStatus", Calls())
    peer.answer(listing, "Response: Success|EventList: start")
    peer.answer(listing, "Event: QueueStatusComplete|EventList: Complete")
    peer.say("Event: Unwanted")
    peer.sock.eof()
    peer.network.pump()
    assert peer.conn.suspect is None


def test_bounds_hold_for_what_is_passed_over(network: Network) -> None:
    peer = network.log_in(max_packet=2000)
    peer.say("Event: Unwanted|X: " + "x" * 3000)
    assert peer.conn.finished


def test_the_order_of_handlers_and_what_stops_them(peer: Peer) -> None:
    heard: list[str] = []

    def note(name: str, stops: bool = False) -> Any:
        def handler(conn: Any, packet: Any) -> bool:
            heard.append(name)
            return stops

        return handler

    pool: Any = peer.conn.pool
    for name in ("event", "event_one"):
        pool.bind(name, note(f"pool {name}"))
        peer.conn.bind(name, note(f"conn {name}", stops=name == "event"))
        peer.conn.bind(name, note(f"conn {name} again"))
    peer.say("Event: One")
    assert heard == ["conn event_one", "conn event_one again", "pool event_one", "conn event", "pool event"]
    assert peer.conn.get_last_event_name() == pool.get_last_event_name() == "event"


def test_a_server_that_makes_names_up_is_not_remembered_for_ever(peer: Peer) -> None:
    routes = Routes(peer.conn)
    for number in range(3 * MAX_NAMES):
        assert routes[f"name{number}"] == []
        assert routes.unwanted is not None and routes.unwanted[b"Event: name%d\r\nPrivilege: call," % number]
    assert routes.unwanted is not None
    assert len(routes) <= MAX_NAMES and len(routes.unwanted) <= MAX_NAMES
    assert routes["x" * 1000] == [] and routes.unwanted[b"Event: " + b"x" * 1000 + b"\r\nPrivilege: "]
    assert not routes.unwanted[b"Secret: x\r\nPrivilege: call,all\r\n"]
    kept = [*routes, *routes.unwanted]
    assert max(map(len, kept)) < 200 and b"Secret: x\r\nPrivilege: call,all\r\n" not in kept


@pytest.mark.parametrize("rest", ["Value: 4711", "Pin: 4711", "Privilege: a\r\nValue: 47", "PrivilegeOf: 4711"])
def test_no_value_but_privilege_is_kept_of_an_event_that_is_passed_over(peer: Peer, rest: str) -> None:
    unwanted = Routes(peer.conn).unwanted
    assert unwanted is not None and unwanted[b"Event: Hangup\r\n" + rest.encode()]
    assert not list(unwanted)


@pytest.mark.parametrize(
    "start",
    [
        b"Event: A name that ends after the start.",
        b"Event: Hang\nup\r\nPrivilege: call,all",
        b"Event: Hang\nPrivilege: call,all\r\nX: ",
        b"Response: Success\r\nPrivilege: call,all",
    ],
)
def test_an_event_is_passed_over_only_if_its_first_line_is_sure(peer: Peer, start: bytes) -> None:
    unwanted = Routes(peer.conn).unwanted
    assert unwanted is not None and not unwanted[start]


def test_what_a_handler_binds_before_it_is_interrupted_is_heard(peer: Peer) -> None:
    heard = Calls()
    peer.say("Event: Two")

    def bind(conn: Any, packet: Packet) -> None:
        conn.bind("event_two", heard)
        raise KeyboardInterrupt

    peer.conn.bind("event_one", bind)
    with pytest.raises(KeyboardInterrupt):
        peer.say("Event: Two", "Event: One", "Event: Two", "Event: Two")
    peer.network.pump()
    assert len(heard) == 2
