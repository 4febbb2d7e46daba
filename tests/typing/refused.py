"""What type checkers must refuse: where one does not, mypy complains of the comment that it has no use for."""

from __future__ import annotations

from ami_client import Connection, EventHandler, ListCallback, OneArgumentCallback, Packet, PacketCallback, Pool
from ami_client import Nonesuch as _Nonesuch  # type: ignore[attr-defined]  # noqa: F401
from ami_client.testing import Nonesuch  # type: ignore[attr-defined]  # noqa: F401

URL = "ami://user:secret@pbx.example.com"


class MyConnection(Connection): ...


def one_packet(c: Connection, p: Packet) -> None: ...


def many_packets(c: Connection, them: list[Packet]) -> None: ...


def alone(c: Connection) -> None: ...


def nothing() -> None: ...


def three(c: Connection, p: Packet, more: int) -> None: ...


def by_keyword(c: Connection, *, packet: Packet) -> None: ...


def text(c: Connection, p: str) -> None: ...


def of_mine(c: MyConnection, p: Packet) -> None: ...


class Desk:
    """Bound methods."""

    def alone(self, who: Connection) -> None: ...

    def packets(self, who: Connection, what: list[Packet]) -> None: ...


def packet_callbacks(conn: Connection) -> None:
    conn.ping()  # type: ignore[call-arg]
    conn.ping("one_packet")  # type: ignore[arg-type]
    conn.ping(nothing)  # type: ignore[arg-type]
    conn.ping(alone)  # type: ignore[arg-type]
    conn.ping(three)  # type: ignore[arg-type]
    conn.ping(by_keyword)  # type: ignore[arg-type]
    conn.ping(text)  # type: ignore[arg-type]
    conn.ping(many_packets)  # type: ignore[arg-type]
    conn.ping(Desk().alone)  # type: ignore[arg-type]
    conn.ping(Desk)  # type: ignore[arg-type]
    conn.ping(of_mine)  # type: ignore[arg-type]
    conn.ping(one_packet(conn, Packet()))  # type: ignore[func-returns-value]
    conn.ping(lambda: None)  # type: ignore[arg-type]
    conn.ping(lambda c: None)  # type: ignore[arg-type]
    conn.ping(lambda c, p, more: None)  # type: ignore[arg-type]
    conn.logoff(many_packets)  # type: ignore[arg-type]
    conn.get_config("sip.conf", many_packets)  # type: ignore[arg-type]
    conn.get_config_json("sip.conf", many_packets)  # type: ignore[arg-type]
    conn.set_var(None, "name", 1, many_packets)  # type: ignore[arg-type]
    conn.redirect({}, many_packets)  # type: ignore[arg-type]
    conn.extension_state({}, many_packets)  # type: ignore[arg-type]
    conn.originate({}, many_packets)  # type: ignore[arg-type]
    conn.originate({}, one_packet, on_result=many_packets)  # type: ignore[arg-type]
    conn.originate({}, one_packet, on_result=alone)  # type: ignore[arg-type]


def list_callbacks(conn: Connection) -> None:
    conn.get_sip_peers(one_packet)  # type: ignore[arg-type]
    conn.get_iax_peers(one_packet)  # type: ignore[arg-type]
    conn.core_show_channels(one_packet)  # type: ignore[arg-type]
    conn.status(one_packet)  # type: ignore[arg-type]
    conn.status(alone)  # type: ignore[arg-type]
    conn.status("SIP/1")  # type: ignore[arg-type]
    conn.status(lambda c: None)  # type: ignore[arg-type]


def any_action(conn: Connection) -> None:
    conn.action("Ping", many_packets)  # type: ignore[call-overload]
    conn.action("Ping", alone)  # type: ignore[call-overload]
    conn.action("SIPpeers", one_packet, None, {"event": "peerlistcomplete"})  # type: ignore[call-overload]
    conn.action("SIPpeers", one_packet, assertion={"event": "peerlistcomplete"})  # type: ignore[call-overload]
    conn.action("SIPpeers", many_packets, assertion="peerlistcomplete")  # type: ignore[call-overload]
    conn.action("Ping", one_packet, quirk=1)  # type: ignore[call-overload]


def connection_callbacks(conn: Connection, pool: Pool) -> None:
    conn.on_connected(None)  # type: ignore[call-overload]
    conn.on_connected(nothing)  # type: ignore[call-overload]
    conn.on_connected(three)  # type: ignore[call-overload]
    conn.on_connected(many_packets)  # type: ignore[call-overload]
    conn.on_connected(lambda: None)  # type: ignore[call-overload]
    pool.get_connection(nothing)  # type: ignore[call-overload]
    pool.get_connection(URL, nothing)  # type: ignore[call-overload]
    pool.get_connection(URL, many_packets)  # type: ignore[call-overload]
    pool.get_connection(one_packet, one_packet)  # type: ignore[call-overload]
    pool.get_connection(URL, one_packet, before_connect=one_packet)  # type: ignore[call-overload]
    pool.get_connection(1)  # type: ignore[call-overload]
    Pool.get_connection(URL, three)  # type: ignore[call-overload]
    pool.on_login(nothing)  # type: ignore[type-var]
    pool.on_login(many_packets)  # type: ignore[type-var]

    @pool.on_login  # type: ignore[type-var]
    def logged_in(c: Connection, p: Packet, more: int) -> None: ...


def events(pool: Pool) -> None:
    pool.bind("connected", "alone")  # type: ignore[arg-type]
    pool.bind("connected", None)  # type: ignore[arg-type]
    pool.bind(1, alone)  # type: ignore[arg-type]
    pool.off("connected", "alone")  # type: ignore[arg-type]
    pool.on("connected", "alone")  # type: ignore[call-overload]
    pool.once("connected", 1)  # type: ignore[call-overload]
    pool.on_event(alone)  # type: ignore[arg-type]
    pool.on_event(many_packets)  # type: ignore[arg-type]
    pool.on_event(text)  # type: ignore[arg-type]
    pool.on_event(lambda c: None)  # type: ignore[arg-type]


def annotations_of_users(
    one: PacketCallback, mine: PacketCallback[MyConnection], many: ListCallback, bare: OneArgumentCallback
) -> None:
    one(conn=1, packet=Packet())  # type: ignore[call-arg]
    many(None, Packet())  # type: ignore[arg-type]
    bare(None, Packet())  # type: ignore[call-arg]


def handlers(handler: EventHandler) -> None: ...


annotations_of_users(alone, of_mine, many_packets, alone)  # type: ignore[arg-type]
annotations_of_users(one_packet, of_mine, one_packet, alone)  # type: ignore[arg-type]
annotations_of_users(one_packet, text, many_packets, alone)  # type: ignore[arg-type]
annotations_of_users(one_packet, of_mine, many_packets, one_packet)  # type: ignore[arg-type]
handlers("alone")  # type: ignore[arg-type]
