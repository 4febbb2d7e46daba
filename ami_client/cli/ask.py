"""The commands ``action`` and ``command``: send any request."""

from __future__ import annotations

from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

from .._engine.text import ascii_lower
from ..catalogue.facts import ACTIONS
from ..packet import Packet
from .access import Access, asks_server
from .explain import explain
from .failures import CommandError, Ended, Status
from .text import clean, clean_line, headers_of, packet_object, plural

TIMEOUT = 60.0  # seconds


def pair(text: str) -> tuple[str, str]:
    """Split ``NAME=VALUE``. The value may contain ``=``, and may be empty."""
    name, equals, value = text.partition("=")
    if not name.strip() or not equals:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE")
    return name, value


def _complete_action(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    folded = incomplete.lower()
    return [CompletionItem(name) for name in ACTIONS if name.lower().startswith(folded)]


@click.command()
@click.argument("name", shell_complete=_complete_action)
@click.argument("headers", metavar="[NAME=VALUE]...", nargs=-1, type=pair)
@asks_server
def action(access: Access, name: str, headers: Sequence[tuple[str, str]]) -> None:
    """Send the action NAME with the headers NAME=VALUE, and show its answer and the entries of its list.

    Repeat a header to send it several times. The exit status is 1 if the server answers with an error.

    With --json: one object for the response, one for each entry of its list, and one for the end of the list. Repeated
    headers become lists.

    \b
    Examples:
      ami-client action QueuePause Interface=PJSIP/100 Paused=true Reason=lunch
      ami-client action Setvar Variable=GREETING 'Value=Hello, world'
      ami-client action DBGetTree --json | jq -r 'select(.Key) | "\\(.Key)=\\(.Val)"'
    """
    output = access.output
    with access.client(timeout=TIMEOUT) as client:
        packet = client.action(name, headers)
    if output.json or not _is_bare_error(packet):  # what is raised below says it as well
        for one in [packet, *packet.events, *([packet.complete] if packet.complete else [])]:
            output.packet(one)
    if packet.complete and output.terminal and not output.json:
        output.write(output.paint("dim", plural(len(packet.events), "entry").replace("entrys", "entries")))
    if packet.suspect:
        raise CommandError("the list may have lost parts: the server counted more entries than it sent")
    if packet.error is not None:
        raise explain(packet.error)


def _is_bare_error(packet: Packet) -> bool:
    """Whether it has nothing but an error's message."""
    names = {ascii_lower(name) for name, _ in headers_of(packet)}
    return packet.error is not None and not packet.events and names <= {"response", "message"}


@click.command()
@click.argument("words", metavar="COMMAND...", nargs=-1, required=True)
@asks_server
def command(access: Access, words: Sequence[str]) -> None:
    """Run COMMAND on Asterisk's command line and print its output.

    The user needs the class "command" in manager.conf. The exit status is 1 if the server refuses the command.

    With --json: one object, which has the lines as the list "Output".

    \b
    Examples:
      ami-client command core show channels
      ami-client command "database show registrar" | grep -c contact
    """
    output = access.output
    with access.client(timeout=TIMEOUT) as client:
        packet = client.action("Command", {"Command": " ".join(words)})
    if output.json:
        output.object(packet_object(packet))
    else:
        for line in packet.output:
            output.write(clean(line.rstrip("\r").expandtabs()) if output.terminal else clean_line(line))
    if packet.error is not None and not packet.output:
        raise explain(packet.error)
    if packet.error is not None:
        raise Ended(Status.REFUSED)
