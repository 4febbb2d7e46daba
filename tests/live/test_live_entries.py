"""Lists handed on entry by entry: what ``on_entry`` gets is what the answer holds without it."""

from __future__ import annotations

from functools import partial
from typing import Any

from driver import Client
from servers import AsteriskServer

from ami_client import Connection, Packet

MEMBERS = 1000


def pbx_with_members(server: AsteriskServer) -> Client:
    """A client of a server that has so many members in one queue, and so many entries in its database."""
    client = Client(server)
    answers = [client.once("the answer") for _ in range(2 * MEMBERS)]
    for number in range(MEMBERS):
        member = {"Queue": "empty", "Interface": f"Local/{number}@default", "MemberName": f"member {number}"}
        client.conn.action("QueueAdd", answers[2 * number], member)
        stored = {"Family": "entries", "Key": f"key{number:04}", "Val": number}
        client.conn.action("DBPut", answers[2 * number + 1], stored)
    client.until_called(*answers, limit=60)
    assert not [one.result.error for one in answers if one.result.error]
    return client


def test_a_thousand_members_one_by_one(own_asterisk: AsteriskServer) -> None:
    with pbx_with_members(own_asterisk) as client:
        collected = client.answer(lambda cb: client.conn.action("QueueStatus", cb, {"Queue": "empty"}))
        log: list[Any] = []
        answered = client.once("the answer")

        def answer(conn: Connection, packet: Packet) -> None:
            log.append("answer")
            answered(conn, packet)

        client.conn.action("QueueStatus", answer, {"Queue": "empty"}, on_entry=lambda conn, packet: log.append(packet))
        client.until_called(answered)
        assert log[-1] == "answer" and answered.result.events == [] and not answered.result.suspect
        assert log[:-1] == [without_id(one, log[0]) for one in collected.events] and len(log) > MEMBERS
        assert answered.result.complete["listitems"] == str(len(log) - 1)


def test_far_more_than_max_answer_holds(own_asterisk: AsteriskServer) -> None:
    with pbx_with_members(own_asterisk) as client:
        url = client.url + "#max_answer=20000"
        small = client.connect(url)
        failed = client.answer(lambda cb: small.action("DBGetTree", cb, {"Family": "entries"}))
        assert failed.error is not None and "max_answer" in str(failed.error)
        entries: list[Packet] = []
        packet = client.answer(
            lambda cb: small.action("DBGetTree", cb, {"Family": "entries"}, on_entry=partial(kept, entries))
        )
        assert packet.error is None and packet.events == []
        assert len([one for one in entries if one["event"] == "dbgettreeresponse"]) == MEMBERS


def test_the_documented_lists(client: Client) -> None:
    client.call("Local/122@default/n")
    client.call(Exten="122")
    conn = client.conn
    methods: list[Any] = [conn.status, conn.core_show_channels, conn.get_iax_peers]
    if client.server.version == "16":
        methods.append(conn.get_sip_peers)
    for method in methods:
        entries: list[Packet] = []
        packets = client.answer(method)
        keep: Any = partial(kept, entries)
        ends = client.answer(partial(method, on_entry=keep))
        assert [one["event"] for one in entries] == [one["event"] for one in packets[1:-1]]
        assert entries and len(ends) == 2 and not ends[0].suspect
        assert [one.get("event") for one in ends] == [packets[0].get("event"), packets[-1]["event"]]


def test_entries_without_an_id_and_text_without_entries(client: Client) -> None:
    entries: list[Packet] = []
    packet = client.answer(lambda cb: client.conn.action("IAXpeers", cb, on_entry=partial(kept, entries)))
    assert packet.events == [] and packet.error is None
    assert entries and {one["event"] for one in entries} == {"peerentry"}
    entries.clear()
    packet = client.answer(lambda cb: client.conn.action("IAXnetstats", cb, on_entry=partial(kept, entries)))
    assert (entries, packet.error) == ([], None)


def kept(entries: list[Packet], conn: Connection, packet: Packet) -> None:
    """An ``on_entry`` that keeps them."""
    entries.append(packet)


def without_id(entry: Packet, other: Packet) -> dict[str, str]:
    """The headers of an entry, with another one's ActionID."""
    return {**entry, "actionid": other["actionid"]}
