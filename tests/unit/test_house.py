"""The walls: what a connection is made of, and what of it users see."""

from __future__ import annotations

import inspect

from fake_network import Peer
from pyee import EventEmitter

from ami_client import Connection
from ami_client.php import OTHER_NAMES, camel_case

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
