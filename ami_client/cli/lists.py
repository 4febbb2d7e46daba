"""The commands ``channels``, ``peers`` and ``queues``."""

from __future__ import annotations

from typing import Optional

import click

from . import views
from .access import Access, asks_server, server_argument
from .failures import CommandError
from .output import Output
from .text import clean, packet_object, plural, with_own

TIMEOUT = 60.0  # seconds: a large server sends long lists


@click.command()
@server_argument
@asks_server
def channels(access: Access) -> None:
    """List the channels.

    With --json: one object per channel, with the headers of the CoreShowChannel event.

    \b
    Examples:
      ami-client channels
      ami-client channels --json | jq -r 'select(.ChannelStateDesc == "Ringing").Channel'
    """
    with access.client(timeout=TIMEOUT) as client:
        found = views.channels(client)
    output = access.output
    if output.json:
        for packet in found:
            output.object(packet_object(packet))
        return
    if found:
        output.table(views.CHANNELS, found)
    calls = len({packet.get("linkedid") or packet.get("uniqueid") for packet in found})
    output.write(output.paint("dim", f"{plural(len(found), 'channel')}, {plural(calls, 'call')}"))


@click.command()
@server_argument
@asks_server
def peers(access: Access) -> None:
    """List the peers and endpoints of PJSIP, SIP and IAX2.

    With --json: one object per peer: "Technology", and the headers of the server.

    \b
    Examples:
      ami-client peers
      ami-client peers --json | jq -r 'select(.DeviceState == "Unavailable").ObjectName'
    """
    with access.client(timeout=TIMEOUT) as client:
        found = views.peers(client)
    output = access.output
    if output.json:
        for peer in found:
            output.object(with_own({"Technology": peer.technology}, packet_object(peer.packet)))
        return
    if found:
        output.table(views.PEERS, found)
    output.write(output.paint("dim", plural(len(found), "peer")))


@click.command()
@server_argument
@click.option("-q", "--queue", metavar="NAME", help="Show only this queue, with its members and callers.")
@click.option("-d", "--details", is_flag=True, help="Show members and callers too.")
@asks_server
def queues(access: Access, queue: Optional[str], details: bool) -> None:
    """List the queues, their members and waiting callers.

    With --json: one object for each QueueParams, QueueMember and QueueEntry event.

    \b
    Examples:
      ami-client queues
      ami-client queues --queue support
      ami-client queues --json | jq -r 'select(.Event == "QueueEntry" and (.Wait | tonumber) > 60).Channel'
    """
    with access.client(timeout=TIMEOUT) as client:
        entries = client.events_of("QueueStatus", {"Queue": queue})
    if queue and not entries:
        raise CommandError(f"there is no queue {queue!r}")
    output = access.output
    if output.json:
        for packet in entries:
            output.object(packet_object(packet))
        return
    found = views.group_queues(entries)
    if found:
        output.table(views.QUEUES, found)
    for one in found:
        if (details or queue) and (one.members or one.callers):
            _show_details(output, one)
    waiting = sum(len(one.callers) for one in found)
    output.write(output.paint("dim", f"{plural(len(found), 'queue')}, {plural(waiting, 'caller')} waiting"))


def _show_details(output: Output, queue: views.Queue) -> None:
    output.write(f"\n{output.paint('bold', clean(queue.name))}")
    if queue.members:
        output.table(views.MEMBERS, queue.members)
    if queue.callers:
        output.table(views.CALLERS, queue.callers)
