"""What type checkers must accept: callbacks of every kind, with the names that their authors like."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Optional

from ami_client import (
    AMIError,
    Connection,
    ConnectionCallback,
    EventHandler,
    EventHandlers,
    ListCallback,
    OneArgumentCallback,
    Packet,
    PacketCallback,
    Pool,
)

if TYPE_CHECKING:
    from typing_extensions import assert_type

URL = "ami://user:secret@pbx.example.com"


class MyConnection(Connection):
    def hurry(self) -> int:
        return 1


def one_packet(c: Connection, p: Packet) -> None: ...


def many_packets(c: Connection, them: list[Packet]) -> bytes:
    return them[0].raw


def alone(c: Connection) -> None: ...


def optional_packet(c: Connection, p: Optional[Packet] = None) -> bool:
    return p is None


def anything(*args: object) -> None: ...


def with_word(word: str, c: Connection, p: Packet) -> None: ...


def of_mine(c: MyConnection, p: Packet) -> None: ...


class Caller:
    def __call__(self, connection: Connection, answer: Packet) -> int:
        return 1


class Desk:
    """Bound methods."""

    def packet(self, who: Connection, what: Packet) -> None: ...

    def packets(self, who: Connection, what: list[Packet]) -> None: ...

    def alone(self, who: Connection) -> None: ...


def packet_callbacks(conn: Connection) -> None:
    conn.ping(one_packet)
    conn.ping(optional_packet)
    conn.ping(anything)
    conn.ping(Caller())
    conn.ping(Desk().packet)
    conn.ping(partial(with_word, "word"))
    conn.ping(None)
    conn.ping(lambda c, p: print(p["response"]))
    conn.logoff()
    conn.get_config("sip.conf", one_packet)
    conn.originate({"Channel": "Local/1"}, None, on_result=lambda c, p: print(p.error))


def list_callbacks(conn: Connection) -> None:
    conn.get_sip_peers(many_packets)
    conn.get_iax_peers(Desk().packets)
    conn.status(lambda c, them: print(len(them)), "SIP/1")
    conn.core_show_channels(anything)


def any_action(conn: Connection) -> None:
    conn.action("Ping")
    conn.action("Ping", one_packet)
    conn.action("Ping", lambda c, p: None)
    conn.action("Ping", one_packet, {"ActionID": "1"}, None, timeout=1)
    conn.action("SIPpeers", many_packets, None, {"event": "peerlistcomplete"})
    conn.action("SIPpeers", many_packets, assertion={"event": "peerlistcomplete"})
    conn.action("SIPpeers", lambda c, them: None, assertion={"event": "peerlistcomplete"})


def connection_callbacks(conn: Connection, pool: Pool) -> None:
    conn.on_connected(one_packet)
    conn.on_connected(alone)
    conn.on_connected(optional_packet)
    conn.on_connected(lambda c: None)
    conn.on_connected(lambda c, p: None)
    pool.get_connection()
    pool.get_connection(URL)
    pool.get_connection(URL, one_packet)
    pool.get_connection(URL, alone, 5, alone)
    pool.get_connection(one_packet)
    pool.get_connection(Desk().alone, pri=5)
    pool.get_connection(None, anything)
    pool.get_connection(cb=alone)
    pool.get_connection(lambda c: c.ping(None))
    pool.get_connection(URL, lambda c, p: c.ping(one_packet))
    pool.get_connection(URL, before_connect=lambda c: c.on_connected(alone))
    Pool.get_connection(URL, one_packet)
    assert_type(pool.on_login(one_packet)(conn, Packet()), None)  # it returns the function, signature and all
    assert_type(pool.on_login(optional_packet)(conn), bool)


def events(pool: Pool, emitter: EventHandlers) -> None:
    pool.bind("connected", alone)
    pool.bind(["event_hangup", "event_newchannel"], one_packet)
    pool.on("event", lambda c, p: print(p["event"]))
    pool.on_event(one_packet)
    pool.on_event(Desk().packet)
    emitter.bind("mine", print)
    emitter.once("mine", lambda: None)
    emitter.off("mine", print)

    @pool.on("reconnecting")
    def waits(url: str, delay: float, attempt: int) -> None: ...

    assert_type(waits("", 1.0, attempt=2), None)  # the decorator leaves the function's own signature
    assert_type(pool.on("event", optional_packet)(Connection.__new__(Connection), None), bool)

    @pool.on_login
    def logged_in(c: Connection) -> None: ...


def subclass(conn: MyConnection) -> None:
    conn.ping(one_packet)
    conn.ping(of_mine)
    conn.ping(lambda c, p: c.hurry())


def annotations_of_users(
    one: PacketCallback,
    same: PacketCallback[Connection],
    many: ListCallback,
    either: ConnectionCallback,
    bare: OneArgumentCallback,
    handler: EventHandler,
) -> None:
    """The bare names are whole types, as strict as settings may be."""
    assert_type(one, PacketCallback[Any])
    assert_type(many, ListCallback[Any])
    assert_type(bare, OneArgumentCallback[Any])


def what_comes_back(conn: Connection, pool: Pool, packet: Packet) -> None:
    assert_type(conn.ping(None), str)
    assert_type(conn.action("Ping", one_packet), str)
    assert_type(conn.action("SIPpeers", many_packets, assertion={"event": "peerlistcomplete"}), str)
    assert_type(conn.get_sip_peers(None), str)
    assert_type(conn.on_connected(alone), None)
    assert_type(pool.get_connection(alone), bool)
    assert_type(Pool.get_connection(URL, one_packet), bool)
    assert_type(packet["response"], str)
    assert_type(packet.error, Optional[AMIError])
    assert_type(packet.events, list[Packet])


annotations_of_users(one_packet, one_packet, many_packets, alone, alone, alone)
annotations_of_users(of_mine, one_packet, many_packets, one_packet, alone, print)
