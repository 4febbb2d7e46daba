"""The walls: what a connection is made of, and what of it users see."""

from __future__ import annotations

import inspect
import sys
from functools import cache
from pathlib import Path

from cases import for_each
from fake_network import Peer
from pyee import EventEmitter

from ami_client import Connection
from ami_client.php import OTHER_NAMES, camel_case

sys.path.append(str(Path(__file__).resolve().parents[2]))  # behind what is installed, which the other tests are about

from docs.ways import Way, ways

PROPERTIES = """
addr ami_version banner connected dropped error finished host last_received lost options pool port reconnecting
round_trip state stats suspect timeout url username
"""
METHODS = """
acquire action cancel close core_show_channels extension_state finish get_config get_config_json get_iax_peers
get_sip_peers graceful_shutdown is_busy is_connected is_finished logoff on_connected originate ping redirect release
set_var status
"""
HANDLERS = """
add_listener bind emit event event_names get_last_event_name listeners listens_to off on on_event once
remove_all_listeners remove_listener trigger unbind
"""


def public(thing: object) -> set[str]:
    return {name for name in dir(thing) if not name.startswith("_")}


def test_what_users_see_of_a_connection(peer: Peer) -> None:
    methods = {*METHODS.split(), *HANDLERS.split()}
    php = {camel_case(name) for name in methods} | {php for php, name in OTHER_NAMES.items() if name in methods}
    assert public(peer.conn) == {*PROPERTIES.split(), *methods, *php}


def test_what_is_a_property_cannot_be_set() -> None:
    kinds = {name: inspect.getattr_static(Connection, name) for name in PROPERTIES.split()}
    assert [name for name, kind in kinds.items() if not isinstance(kind, property) or kind.fset is not None] == []


def test_a_connection_has_few_attributes_of_its_own(peer: Peer) -> None:
    own = set(vars(peer.conn)) - set(vars(EventEmitter())) - {"_last_event_name", "_handed_on"}
    assert own <= {"_driver", "_send"}


def test_a_connection_has_three_bases_at_most() -> None:
    assert [base.__name__ for base in Connection.__bases__] == ["Actions", "EventHandlers"]


# The most files on a way. What comes in counts from the reactor's call of the reader on. The start and the end of a
# list pass through two files more than an answer: a short way for them would be a second copy of the careful one.
MOST = {"ping": 8, "answer": 9, "list": 11, "event": 8}


@cache
def traced() -> dict[str, Way]:
    return ways()


@for_each("name", MOST)
def test_a_way_is_short(name: str) -> None:
    assert len(traced()[name]) <= MOST[name], list(traced()[name])


@for_each("name", MOST)
def test_no_file_on_a_way_is_called_by_two_others_and_none_calls_back(name: str) -> None:
    way = traced()[name]
    first, *others = way
    assert way[first].callers == []
    assert {room: way[room].callers for room in others if len(way[room].callers) != 1} == {}


def test_a_way_ends_where_it_should() -> None:
    ends = {
        "ping": "_transport/stream",
        "answer": "_engine/in_flight",
        "list": "_engine/text",
        "event": "_client/dispatch",
    }
    assert {name: end in traced()[name] for name, end in ends.items()} == dict.fromkeys(ends, True)
