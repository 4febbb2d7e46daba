"""The command ``originate``: place a call and wait for its result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import click

from .._engine.encode import Params
from ..errors import ActionFailed
from ..packet import Kind, Packet
from .access import Access, Seconds, asks_server
from .ask import pair
from .client import Client
from .explain import explain
from .failures import CommandError, Status
from .output import Output
from .text import clean, packet_object

PATIENCE = 30.0  # seconds, in addition to the ringing time

# OriginateResponse's Reason is the control frame that ended the attempt (Asterisk frame.h, ast_control_frame_type).
REASONS = {
    0: "it cannot be called, or does not exist",
    1: "it hung up",
    3: "nobody answered in time",
    5: "busy",
    8: "congestion",
}


@click.command()
@click.argument("channel")
@click.argument("place", metavar="[EXTEN@CONTEXT]", required=False)
@click.option("-a", "--application", metavar="NAME", help="Run this application instead of an extension.")
@click.option("-d", "--data", metavar="TEXT", help="Arguments for the application.")
@click.option("-C", "--caller-id", metavar="TEXT", help='Caller ID of the call: "Name" <number>.')
@click.option(
    "-V",
    "--variable",
    "variables",
    metavar="NAME=VALUE",
    type=pair,
    multiple=True,
    help="Set a channel variable. May be repeated.",
)
@click.option(
    "-r",
    "--ring-time",
    metavar="SECONDS",
    type=Seconds(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Longest time to ring.",
)
@click.option("--no-wait", is_flag=True, help="Do not wait for the result of the call.")
@asks_server
def originate(
    access: Access,
    channel: str,
    place: Optional[str],
    application: Optional[str],
    data: Optional[str],
    caller_id: Optional[str],
    variables: Sequence[tuple[str, str]],
    ring_time: float,
    no_wait: bool,
) -> None:
    """Call CHANNEL. When it answers, connect it to EXTEN@CONTEXT or to an application.

    The default context is "default".

    The exit status is 0 if the call was answered, else 1. The user needs write=originate in manager.conf, and read=call
    for the result.

    With --json: the OriginateResponse event of the server.

    \b
    Examples:
      ami-client originate PJSIP/100 200@internal --caller-id '"Door" <8>'
      ami-client originate PJSIP/100 --application Playback --data demo-congrats
      ami-client originate Local/100@internal 600@internal -V ORDER=4711 --ring-time 15 || echo "nobody there"
    """
    if bool(place) == bool(application):
        raise click.UsageError("Name either EXTEN@CONTEXT or --application.")
    if data and not application:
        raise click.UsageError("--data is for --application.")
    exten, _, context = (place or "").partition("@")
    params = {
        "Channel": channel,
        "Context": (context or "default") if place else None,
        "Exten": exten or None,
        "Priority": 1 if place else None,
        "Application": application,
        "Data": data,
        "CallerID": caller_id,
        "Timeout": round(ring_time * 1000),
        "Variable": dict(variables) or None,
    }
    with access.client(timeout=ring_time + PATIENCE, events="call") as client:
        if no_wait:
            client.doing = "waiting for the answer to Originate"
            packet = client.answer(lambda cb: client.connection.originate(params, cb))
        else:
            packet = _result(client, params)
    _tell(access.output, packet)


def _result(client: Client, params: Params) -> Packet:
    client.doing = "waiting for the call's result, which needs read=call in manager.conf,"
    try:
        return client.answer(lambda cb: client.connection.originate(params, None, on_result=cb))
    except CommandError as error:
        if error.status is Status.UNREACHABLE:
            raise CommandError(f"{error}; the call may be up nevertheless", error.status) from None
        raise


def _tell(output: Output, packet: Packet) -> None:
    if output.json:
        output.object(packet_object(packet))
    elif packet.error is None:
        channel = packet.get("channel")
        text = f"answered: {clean(channel)}" if channel else clean(packet.get("message", ""))
        output.write(output.paint("green", text))
    if packet.error is None:
        return
    if packet.kind is not Kind.EVENT:
        raise explain(packet.error)
    reason = packet.error.reason if isinstance(packet.error, ActionFailed) else None
    text = f"not answered: {REASONS[reason]}" if reason in REASONS else str(packet.error)
    raise CommandError(text, Status.REFUSED)
