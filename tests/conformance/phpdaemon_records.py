"""The records of phpDaemon read in our terms: what each step of a scenario is to bring about.

A record has a ``scenario`` (pool, callbacks, steps) and, for each step, what the original did: what the step returned
and, in order, callbacks, exceptions, new connections, bytes written and sockets closed. How it is compared:

* Steps with ``no_pump`` are compared together with the next one that runs the loop: the original noted bytes as they
  were written, we note them as they arrive.
* Bytes are compared as packets, connection by connection; ActionIDs are ``$1``, ``$2`` in order of appearance.
* Events are compared by the calls of their handlers, which follow at once; what nobody had bound is left out.
* Callbacks that wait for a connection get ``(conn, packet)`` where the original passes ``(conn)``: the packet is left
  out. Only for these is ``connected`` compared.
* The original forgets actions that are open when a connection ends; we answer each with a failure packet. Those are
  left out, unless a record of our own (``"verdict": "own"``) expects them, as ``{"$error": class}``.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Step = dict[str, Any]
#: A step, and what the original did in it.
Recorded = tuple[Step, Mapping[str, Any]]


@dataclass
class Happened:
    """What one step, or several up to one that runs the loop, brought about."""

    steps: list[Step]
    returned: list[object] = field(default_factory=list)
    sequence: list[object] = field(default_factory=list)  # callbacks, exceptions and new connections
    written: dict[int, list[str]] = field(default_factory=dict)  # packets by connection
    closed: set[int] = field(default_factory=set)  # connections whose socket the client has closed

    def has_all_of(self, other: Happened) -> bool:
        """Whether at least as much has happened here, so that waiting for more is no use."""
        return (
            len(self.sequence) >= len(other.sequence)
            and all(len(self.written.get(n, [])) >= len(packets) for n, packets in other.written.items())
            and self.closed >= other.closed
        )


def parts(record: Mapping[str, Any]) -> Iterator[list[Recorded]]:
    """The steps of a record, in groups that are compared together."""
    assert len(record["scenario"]["steps"]) == len(record["expect"])
    together: list[Recorded] = []
    for step, recorded in zip(record["scenario"]["steps"], record["expect"]):
        together.append((step, recorded))
        if not step.get("no_pump"):
            yield together
            together = []
    if together:
        yield together


def expected(part: list[Recorded], connection_callbacks: set[str], placeholders: Mapping[str, str]) -> Happened:
    """What a group of steps is to bring about; ``connection_callbacks`` are those that wait for a connection."""
    result = Happened([step for step, _ in part])
    written: dict[int, str] = {}
    for step, recorded in part:
        result.returned.append(_returned(step, recorded["ret"], placeholders))
        for kind, *details in recorded["seq"]:
            if kind == "write":
                written[details[0]] = written.get(details[0], "") + str(plain(details[1]))
            elif kind == "client_closed_socket":
                result.closed.add(details[0])
            elif kind == "cb":
                name, args, snapshot = details
                if snapshot is not None:
                    _, connected, finished = snapshot
                    snapshot = [connected if name in connection_callbacks else None, finished]
                result.sequence.append([kind, name, plain(args), snapshot])
            elif kind == "throw":
                result.sequence.append([kind, details[0].rpartition("\\")[2]])
            elif kind == "new_conn":
                result.sequence.append([kind, details[0]])
            else:
                assert kind == "emit", f"unknown kind {kind!r} in a record"
    for number, text in written.items():
        *packets, rest = text.split("\r\n\r\n")
        assert not rest, "a record writes a part of a packet"
        result.written[number] = [packet + "\r\n\r\n" for packet in packets]
    return result


def _returned(step: Step, value: Any, placeholders: Mapping[str, str]) -> object:
    if "extract" in step or "extract_b64" in step:
        return tuple(plain(value[key]) or "" for key in ("header", "value"))  # PHP's null is our ""
    if "peek" in step and isinstance(value, str) and value.isdigit():
        return int(value)
    if isinstance(value, dict) and "$b64" not in value:
        return {fill(key, placeholders): fill(item, placeholders) for key, item in value.items()}
    return fill(plain(value), placeholders)


def connection_callbacks(part: Any) -> Iterator[str]:
    """The names of the callbacks that wait for a connection, anywhere in a scenario."""
    if isinstance(part, list):
        for item in part:
            yield from connection_callbacks(item)
    elif isinstance(part, dict):
        if isinstance(part.get("get_connection"), dict) and part["get_connection"].get("cb"):
            yield part["get_connection"]["cb"]
        if isinstance(part.get("on_connected"), str):
            yield part["on_connected"]
        if part.get("call") == "onConnected":
            yield from filter(None, map(callback_name, part["args"]))
        for item in part.values():
            yield from connection_callbacks(item)


def fill(value: Any, placeholders: Mapping[str, str]) -> Any:
    """Put addresses in the place of ``{S1}`` and the like."""
    if isinstance(value, str):
        for placeholder, text in placeholders.items():
            value = value.replace(placeholder, text)
    return value


def plain(value: Any) -> Any:
    """A value of a record; objects become lists of pairs, whose order is compared, and bytes become text."""
    if isinstance(value, dict):
        if list(value) == ["$b64"]:
            return decode(base64.b64decode(value["$b64"]))
        return [(_key(name), plain(item)) for name, item in value.items()]
    return [plain(item) for item in value] if isinstance(value, list) else value


def argument(value: Any) -> Any:
    """As :func:`plain`, but objects stay mappings."""
    if isinstance(value, dict) and list(value) != ["$b64"]:
        return {_key(name): argument(item) for name, item in value.items()}
    return [argument(item) for item in value] if isinstance(value, list) else plain(value)


def callback_name(value: Any) -> str | None:
    """The name in ``{"cb": name}``, None for other arguments."""
    name = value["cb"] if isinstance(value, dict) and list(value) == ["cb"] else None
    return name if isinstance(name, str) else None


def decode(data: bytes) -> str:
    """Bytes as our packets hold them."""
    return data.decode("utf-8", "surrogateescape")


def _key(name: str) -> str:
    return decode(base64.b64decode(name[4:])) if name.startswith("b64:") else name
