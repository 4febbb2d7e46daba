"""Makes the catalogue of actions and events anew: ``python3 tasks.py catalogue``.

Its sources are two installed servers: their XML documentation, and their ListCommands, which alone knows the privileges
that actions need. It writes facts as JSON and the stubs that type checkers and editors read.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

import undocumented
from documentation import Documentation, Header, Message, joined
from driver import Client
from install import chroot_directory
from servers import AsteriskServer
from stubs import actions_stub, events_stub

from ami_client.catalogue.facts import Catalogue

VERSIONS = ("16", "22")
COMMAND = "python3 tasks.py catalogue"
DOCUMENTATION = "usr/share/asterisk/documentation/core-en_US.xml"

#: The documentation of 16 does not say which module a message is of; for most, that of 22 does.
MODULES_OF_16 = (
    (r"SIP(?!$)|SessionTimeout$", "chan_sip"),
    (r"SKINNY", "chan_skinny"),
    (r"(Change|Pause|Stop|Unpause)?Monitor", "res_monitor"),
    (r"FilterList$", "builtin"),
)


class Known(NamedTuple):
    """A message as the servers together know it."""

    message: Message
    servers: tuple[str, ...]
    headers: dict[str, tuple[str, ...]]  # name in lower case to the servers that document it
    is_documented: bool = True


def merged(of_servers: dict[str, dict[str, Message]]) -> dict[str, Known]:
    """One catalogue of all servers. Where they differ, the newest is right."""
    found: dict[str, Known] = {}
    for version, messages in of_servers.items():
        for name, message in messages.items():
            old = found.get(name, Known(message, (), {}))
            both = message._replace(
                headers={
                    **message.headers,
                    **{k: v for k, v in old.message.headers.items() if k not in message.headers},
                },
                modules=message.modules or old.message.modules or module_of_16(name),
                privilege=joined(message.privilege, old.message.privilege),
                since=message.since or old.message.since,
            )
            documented = {**old.headers, **{key: (*old.headers.get(key, ()), version) for key in message.headers}}
            found[name] = Known(both, (*old.servers, version), documented)
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def module_of_16(name: str) -> tuple[str, ...]:
    return tuple(module for pattern, module in MODULES_OF_16 if re.match(pattern, name))


def with_undocumented(events: dict[str, Known]) -> dict[str, Known]:
    """The events with those, and with those headers, that servers send and do not document."""
    found = dict(events)
    for name, text in undocumented.HEADERS.items():
        message = events[name].message
        more = headers_of(text)
        assert not more.keys() & message.headers.keys(), f"{name} is documented by now"
        found[name] = events[name]._replace(message=message._replace(headers={**message.headers, **more}))
    for name, (modules, servers, text) in undocumented.EVENTS.items():
        assert name not in events, f"{name} is documented by now"
        found[name] = Known(Message(name, headers_of(text), tuple(modules.split())), servers, {}, is_documented=False)
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def headers_of(names: str) -> dict[str, Header]:
    return {name.lower(): Header(name, repeated=name == "Variable") for name in names.split()}


def privileges(version: str) -> dict[str, tuple[str, ...]]:
    """The classes of which a user needs one, for each action that a running server offers."""
    with AsteriskServer(version) as server, Client(server) as client:
        listed = client.ask("ListCommands").headers
    found = ((name, re.search(r"\(Priv: ([\w,<>]+)\)\s*$", text)) for name, text in listed)
    # "all" is the class of those who have every class.
    return {
        name: tuple(one for one in match[1].split(",") if one not in ("all", "<none>"))
        for name, match in found
        if match
    }


def facts_of(known: Known, required: bool) -> dict[str, object]:
    """What is written of a message; what is empty is left out."""
    message = known.message
    facts: dict[str, object] = {
        "documented": None if known.is_documented else False,
        "servers": list(known.servers),
        "modules": list(message.modules),
        "privilege": list(message.privilege),
        "since": list(message.since),
        "headers": [header_facts(known, key, header, required) for key, header in message.headers.items()],
    }
    return {name: value for name, value in facts.items() if value or value is False or name == "headers"}


def header_facts(known: Known, key: str, header: Header, required: bool) -> dict[str, object]:
    servers = known.headers.get(key, ()) if known.is_documented else known.servers
    facts: dict[str, object] = {
        "name": header.name,
        "kind": None if header.kind == "text" else header.kind,
        "required": header.required if required else None,
        "repeated": header.repeated,
        "numbered": header.numbered,
        "values": list(header.values),
        "servers": None if servers == known.servers else list(servers),
    }
    # An empty list of servers says that none documents it.
    return {name: value for name, value in facts.items() if value or (name == "servers" and value == [])}


def as_json(messages: dict[str, dict[str, object]]) -> str:
    """JSON with a line for each header, so that changes can be read."""
    return "".join(["{\n", f' "generated by": {json.dumps(COMMAND)},\n "messages": {{\n', rows(messages), " }\n}\n"])


def rows(messages: dict[str, dict[str, object]]) -> str:
    parts = []
    for name, facts in messages.items():
        headers = facts["headers"]
        assert isinstance(headers, list)
        lines = [f"   {json.dumps(key)}: {json.dumps(value)},\n" for key, value in facts.items() if key != "headers"]
        listed = ",\n".join(f"    {json.dumps(header)}" for header in headers)
        lines.append(f'   "headers": [\n{listed}\n   ]\n' if headers else '   "headers": []\n')
        parts.append(f"  {json.dumps(name)}: {{\n{''.join(lines)}  }}")
    return ",\n".join(parts) + "\n"


def main(argv: list[str]) -> None:
    """Write the catalogue into the directory that is given."""
    (directory,) = map(Path, argv)
    documentation = {version: Documentation(chroot_directory(version) / DOCUMENTATION) for version in VERSIONS}
    asked = {version: privileges(version) for version in VERSIONS}
    actions = merged(
        {
            version: {
                name: message._replace(privilege=asked[version].get(name, ()))
                for name, message in documentation[version].actions().items()
            }
            for version in VERSIONS
        }
    )
    events = with_undocumented(merged({version: documentation[version].events() for version in VERSIONS}))
    for file, messages, with_required in (("actions", actions, True), ("events", events, False)):
        text = as_json({name: facts_of(known, with_required) for name, known in messages.items()})
        (directory / f"{file}.json").write_text(text, encoding="utf-8")
    for file, stub in (("actions", actions_stub), ("events", events_stub)):
        text = stub(Catalogue(directory / f"{file}.json"), VERSIONS, COMMAND)
        (directory / f"{file}.pyi").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
