"""``describe``: what the catalogue knows of an action or an event, and what the server says of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem

from ..catalogue.facts import ACTIONS, EVENTS, Header, Message
from .access import Access, asks_server, server_argument
from .failures import CommandError
from .output import Output
from .table import Column
from .text import Value, clean, clean_line

TIMEOUT = 20.0  # seconds

CATALOGUES = {"action": ACTIONS, "event": EVENTS}
#: The words of Asterisk's command line that show the documentation of each.
SHOW = {"action": "manager show command", "event": "manager show event"}


class Described(NamedTuple):
    """An action or an event, and what the catalogue knows of it."""

    kind: str
    message: Message


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    names = sorted({*ACTIONS, *EVENTS})
    return [CompletionItem(name) for name in names if name.lower().startswith(incomplete.lower())]


@click.command()
@click.argument("name", shell_complete=_complete)
@server_argument
@asks_server
def describe(access: Access, name: str) -> None:
    """Describe the action or event NAME, in any case: its versions, module, class and headers.

    If a server is configured, its own documentation follows. For that the user needs the class "command" in
    manager.conf.

    With --json: one object per action or event, which has the lines of the server as "Output".

    \b
    Examples:
      ami-client describe QueueAdd
      ami-client describe Hangup pbx1
      ami-client describe Originate --json | jq -r '.Headers[] | select(.Required).Name'
    """
    messages = {kind: catalogue.find(name) for kind, catalogue in CATALOGUES.items()}
    found = [Described(kind, message) for kind, message in messages.items() if message is not None]
    if not found:
        raise CommandError(f"no action and no event is called {name!r}; did you mean {_nearest(name)}?")
    output = access.output
    if not output.json:
        for one in found:
            _show(output, one)
        output.flush()  # before the server is waited for
    words = _ask(access, found) if access.knows_server else {}
    for one in found:
        lines = words.get(one, [])
        if output.json:
            output.object(_object(one, lines))
        elif lines:
            output.write(output.paint("bold", f"The server on the {one.kind} {one.message.name}:"))
            for line in lines:
                output.write(clean(line.expandtabs()) if output.terminal else clean_line(line))


def _nearest(name: str) -> str:
    known = {one.lower(): one for one in (*ACTIONS, *EVENTS)}
    nearest: str = known[difflib.get_close_matches(name.lower(), known, 1, 0)[0]]
    return nearest


def _ask(access: Access, found: list[Described]) -> dict[Described, list[str]]:
    """What the server says of each; nothing of what it does not know, or may not tell."""
    words: dict[Described, list[str]] = {}
    with access.client(timeout=TIMEOUT) as client:
        for one in found:
            packet = client.action("Command", {"Command": f"{SHOW[one.kind]} {one.message.name}"})
            if packet.error is None and "[Synopsis]" in packet.output:
                words[one] = packet.output
    return words


def _show(output: Output, one: Described) -> None:
    output.write(output.paint("bold", f"{one.kind} {one.message.name}"))
    output.write(one.message.summary)
    if one.message.headers:
        output.table(HEADERS, one.message.headers)
    output.write("")


def _remarks(header: Header) -> Iterator[str]:
    if header.required:
        yield "required"
    if header.repeated:
        yield "may be repeated"
    if header.numbered:
        yield "numbered"
    if header.servers:
        yield f"Asterisk {' and '.join(header.servers)} only"
    if header.servers == ():
        yield "undocumented"
    if header.values:
        yield ", ".join(header.values)


HEADERS: list[Column[Header]] = [
    Column("Header", lambda header: header.name, keep=True),
    Column("Kind", lambda header: header.kind),
    Column("Remarks", lambda header: "; ".join(_remarks(header))),
]


def _object(one: Described, lines: list[str]) -> dict[str, object]:
    message = one.message
    made: dict[str, object] = {
        "Type": one.kind,
        "Name": message.name,
        "Asterisk": message.servers,
        "Documented": message.documented,
        "Since": message.since,
        "Modules": message.modules,
        "Privilege": message.privilege,
        "Headers": [_header_object(header) for header in message.headers],
    }
    if lines:
        made["Output"] = lines
    return made


def _header_object(header: Header) -> dict[str, Value]:
    made: dict[str, Value] = {"Name": header.name, "Kind": header.kind}
    more: dict[str, Value] = {
        "Required": header.required,
        "Repeated": header.repeated,
        "Numbered": header.numbered,
        "Values": header.values,
    }
    made.update({name: value for name, value in more.items() if value})
    return made if header.servers is None else {**made, "Asterisk": header.servers}
