"""Reads the facts out of Asterisk's XML documentation: names, kinds, what is required. None of its sentences.

The file is ``core-en_US.xml``. Asterisk itself resolves its inclusions when it is built with libxml2's XInclude. Here
only the inclusions of parameters are needed, and they all have the same form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element, parse

INCLUDE = "{http://www.w3.org/2001/XInclude}include"
POINTER = re.compile(r"xpointer\(/?docs/(.+)\)")
#: ElementTree's paths have no contains().
CONTAINS = re.compile(r"parameter\[contains\(@name, '(\w+)'\)\]$")

# What appdocsxml.xslt makes of <channel_snapshot/> and <bridge_snapshot/>.
_CHANNEL = """
Channel ChannelState ChannelStateDesc CallerIDNum CallerIDName ConnectedLineNum ConnectedLineName Language AccountCode
Context Exten Priority Uniqueid Linkedid
"""
_BRIDGE = """
BridgeUniqueid BridgeType BridgeTechnology BridgeCreator BridgeName BridgeNumChannels BridgeVideoSourceMode
BridgeVideoSource
"""
SNAPSHOTS = {"channel_snapshot": _CHANNEL.split(), "bridge_snapshot": _BRIDGE.split()}
SNAPSHOT_KINDS = {"ChannelState": "number", "BridgeNumChannels": "number"}

# Names that stand for any name.
PLACEHOLDERS = {"Header1", "HeaderN"}

#: Some lists have patterns and explanations between the values.
WORD = re.compile(r"[\w-]+")
FLAGS = {"0", "1", "true", "false", "yes", "no", "on", "off", "enabled", "disabled"}

# Kinds and what the documentation says of such a value. The first that is found counts.
KINDS = (
    ("time", r"since 00:00|\bepoch\b|\bthe time (?:this|when|at which)\b|\btime(?:stamp)? (?:the|reported)\b"),
    ("milliseconds", r"millisecond|\bms\b"),
    ("seconds", r"\bseconds\b|\(sec\)"),
    (
        "flag",
        r"\btrue/false\b|\byes/no\b|\btrue or false\b|\byes or no\b|set to '?(?:true|yes|1)\b|\bif set to \"?true",
    ),
    ("words", r"comma[- ](?:separated|delimited)|\blist of comma\b"),
    ("number", r"\bnumber of\b|\bnumeric|\binteger\b|\bcount of\b|\bthe total\b|\(number\)"),
)

# Headers of which the documentation says that they are points in time, and servers send how long something took.
DURATIONS = {"Duration", "HoldTime", "ParkingDuration", "RingTime", "TalkTime"}


class Header(NamedTuple):
    """A parameter of an action, or a header of an event."""

    name: str
    kind: str = "text"
    required: bool | None = None  # None where the documentation does not say
    repeated: bool = False
    numbered: bool = False  # its digits count from 0
    values: tuple[str, ...] = ()


class Message(NamedTuple):
    """An action or an event."""

    name: str
    headers: dict[str, Header]  # by name in lower case
    modules: tuple[str, ...] = ()
    privilege: tuple[str, ...] = ()
    since: tuple[str, ...] = ()


class Documentation:
    """The XML documentation of one server."""

    def __init__(self, path: Path) -> None:
        self._docs = parse(path).getroot()

    def actions(self) -> dict[str, Message]:
        """All actions, by name. Those that several modules describe are one."""
        found: dict[str, Message] = {}
        for element in self._docs.iter("manager"):
            self._add(found, element, element, ())
        return found

    def events(self) -> dict[str, Message]:
        """All events, by name, those that are described inside of actions too."""
        found: dict[str, Message] = {}
        for element in self._docs.iter("managerEvent"):
            for instance in element.iter("managerEventInstance"):
                flag = instance.get("class", "").removeprefix("EVENT_FLAG_").lower()
                self._add(found, element, instance, (flag,) if flag != "class" else ())
        return found

    def _add(self, found: dict[str, Message], named: Element, described: Element, privilege: tuple[str, ...]) -> None:
        name = named.attrib["name"]
        before = found.get(name, Message(name, {}))
        module = named.get("module") or described.get("module")
        versions = (version.text or "" for version in described.iterfind("since/version"))
        since = tuple(sorted(versions, key=lambda version: [int(part) for part in version.split(".")]))
        headers = {header.name.lower(): header for header in self._headers(described.find("syntax"))}
        found[name] = Message(
            name,
            {**before.headers, **headers},
            joined(before.modules, (module,) if module else ()),
            joined(before.privilege, privilege),
            before.since or since,
        )

    def _headers(self, syntax: Element | None) -> Iterator[Header]:
        for element in () if syntax is None else syntax:
            if element.tag in SNAPSHOTS:
                prefix = element.get("prefix", "")
                for name in SNAPSHOTS[element.tag]:
                    yield Header(prefix + name, SNAPSHOT_KINDS.get(name, "text"))
            elif element.tag == INCLUDE:
                yield from map(self._header, self._included(element))
            elif element.tag == "parameter" and element.get("name") not in PLACEHOLDERS:
                yield self._header(element)

    def _included(self, include: Element) -> Iterable[Element]:
        pointer = POINTER.fullmatch(include.attrib["xpointer"])
        assert pointer, include.attrib
        path = pointer[1]
        contains = CONTAINS.search(path)
        if contains:
            path = path[: contains.start()] + "parameter"
        elements = [one for one in self._docs.findall(path) if not contains or contains[1] in one.attrib["name"]]
        assert elements, f"nothing to include: {path}"
        return elements

    def _header(self, parameter: Element) -> Header:
        # RTCP's reports are ReportXSSRC in the documentation, Report0SSRC on the wire.
        name = re.sub(r"^ReportX", "Report0", parameter.attrib["name"])
        values = tuple(dict.fromkeys(enum.attrib["name"] for enum in self._enums(parameter)))
        required = parameter.get("required")
        said = " ".join(" ".join(parameter.itertext()).split())
        kind = kind_of(said, values)
        return Header(
            name,
            "seconds" if kind == "time" and name in DURATIONS else kind,
            None if required is None else required in ("true", "yes"),
            parameter.get("multiple") == "yes" or ("multiple" in said and "headers are allowed" in said),
            name.startswith("Report0") or bool(re.search(r"-000000$|\(0\)$", name)),
            () if kind in ("flag", "number") else tuple(filter(WORD.fullmatch, values)),
        )

    def _enums(self, parameter: Element) -> Iterator[Element]:
        for element in parameter.iter():
            if element.tag == "enum":
                yield element
            elif element.tag == INCLUDE and "/enumlist" in element.attrib["xpointer"]:
                for included in self._included(element):
                    yield from included.iter("enum")


def kind_of(said: str, values: tuple[str, ...]) -> str:
    """The kind of a value, by what is said of it and by the values that are listed."""
    if values and {value.lower() for value in values} <= FLAGS:
        return "flag"
    if values:
        return "number" if all(re.fullmatch(r"-?\d+", value) for value in values) else "text"
    return next((kind for kind, words in KINDS if re.search(words, said, re.IGNORECASE)), "text")


def joined(some: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """Both, each word once."""
    return tuple(dict.fromkeys((*some, *more)))
