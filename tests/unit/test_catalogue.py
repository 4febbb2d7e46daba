"""The catalogue: names of actions and events as classes, which cost nothing and never stand in the way."""

from __future__ import annotations

import ast
import lzma
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
from cases import for_each
from fake_network import Calls, Peer
from programs import on_library

from ami_client import EventHandlers, Packet
from ami_client._engine.packet import PacketReader
from ami_client.catalogue import actions, events, facts
from ami_client.messages import Action, Event
from ami_client.packet import Kind

DATA = Path(__file__).parents[1] / "data"
FACTS = Path(facts.__file__).parent


class DoorOpened(Event[Literal["door"]]):
    ami_name = "DoorOpened"


class OpenDoor(Action):
    ami_name = "OpenDoor"
    required = ("Door",)
    optional = ("Why",)


def sent(peer: Peer) -> list[str]:
    """The lines of what the client sent, without the ActionIDs."""
    return [line for line in peer.sock.take().decode().split("\r\n") if line and not line.startswith("ActionID")]


# -- actions


def test_an_action_object_is_sent_as_its_name_and_params(peer: Peer) -> None:
    answers = Calls()
    action = actions.QueueAdd(Queue="help", Interface="PJSIP/1", Penalty=2, Paused=True, MemberName=None)
    own = peer.conn.action(action, answers)
    assert sent(peer) == ["Action: QueueAdd", "Queue: help", "Interface: PJSIP/1", "Penalty: 2", "Paused: true"]
    peer.answer(own)
    assert [packet["response"] for packet in answers] == ["success"]


def test_params_of_the_call_come_behind_those_of_the_object(peer: Peer) -> None:
    peer.conn.action(actions.UserEvent(UserEvent="Lunch"), None, {"Who": "Joe", "ActionID": "mine"})
    assert peer.sock.take() == b"Action: UserEvent\r\nUserEvent: Lunch\r\nWho: Joe\r\nActionID: mine\r\n\r\n"


def test_an_action_object_may_have_its_own_action_id(peer: Peer) -> None:
    assert peer.conn.action(actions.Ping(ActionID="mine")) == "mine"


def test_a_repeated_parameter_is_a_list_or_a_mapping(peer: Peer) -> None:
    peer.conn.action(actions.Originate(Channel="Local/1", Variable={"A": "1,2", "B": 3}))
    assert sent(peer)[2:] == ["Variable: A=1\\,2", "Variable: B=3"]


@for_each(
    ("params", "complaint"),
    [
        ({"Queue": 1, "Interface": 2, "Penalt": 3}, "QueueAdd has no parameter 'Penalt'; did you mean 'Penalty'?"),
        ({"queue": 1, "Interface": 2}, "QueueAdd has no parameter 'queue'; did you mean 'Queue'?"),
        ({"Queue": 1}, "QueueAdd needs Interface"),
        ({"Queue": 1, "Interface": None}, "QueueAdd needs Interface"),
        ({}, "QueueAdd needs Queue and Interface"),
    ],
)
def test_a_wrong_or_missing_parameter_is_named_with_the_right_one(params: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TypeError) as caught:
        actions.QueueAdd(**params)
    assert str(caught.value).startswith(complaint)


def test_what_is_no_action_is_refused(peer: Peer) -> None:
    for wrong in (actions.Ping, events.Hangup(), events.Hangup):
        with pytest.raises(TypeError):
            peer.conn.action(wrong)  # type: ignore[call-overload]
    assert peer.sock.take() == b""


def test_an_action_object_shows_no_secret() -> None:
    assert "hush" not in repr(actions.Login(Username="joe", Secret="hush"))


def test_an_action_of_ones_own(peer: Peer) -> None:
    peer.conn.action(OpenDoor(Door="front"))
    assert sent(peer) == ["Action: OpenDoor", "Door: front"]
    with pytest.raises(TypeError, match="OpenDoor needs Door"):
        OpenDoor(Why="fire")


# -- events


def test_a_class_stands_for_the_name_of_its_event_in_every_verb(peer: Peer) -> None:
    heard = Calls()
    once = Calls()
    peer.conn.bind(events.Hangup, heard)
    peer.conn.once([events.Newchannel, "event_newstate"], once)
    peer.say("Event: Hangup|Channel: A", "Event: Newchannel|Channel: B", "Event: Newstate|Channel: C")
    peer.conn.unbind(events.Hangup, heard)
    peer.say("Event: Hangup|Channel: D", "Event: Newchannel|Channel: E")
    assert [packet["channel"] for packet in heard] == ["a"]
    assert [packet["channel"] for packet in once] == ["b", "c"]


def test_a_decorated_handler_gets_the_packet_itself(peer: Peer) -> None:
    heard: list[Packet] = []

    @peer.conn.on(events.Hangup)
    def hung_up(conn: object, event: events.Hangup) -> None:
        heard.append(event)

    peer.conn.on("event_hangup", lambda conn, packet: heard.append(packet))
    peer.say("Event: Hangup|Cause: 16|Cause-txt: Normal Clearing")
    assert heard[0] is heard[1]
    assert type(heard[0]) is Packet
    assert heard[0].number("cause") == 16


def test_a_typed_handler_is_bound_as_an_untyped_one() -> None:
    # So that no event can cost more for it.
    emitter = EventHandlers()
    emitter.bind(events.AOC_D, print)
    assert emitter.event_names() == {"event_aoc-d"}
    assert emitter.listeners("event_aoc-d") == [print]


def test_a_handler_of_a_class_is_checked_as_one_of_its_name() -> None:
    with pytest.raises(TypeError, match="event_hangup"):
        EventHandlers().on(events.Hangup, lambda: None)  # type: ignore[arg-type,misc]


@for_each("cls", [Packet, Event, actions.Hangup, int])
def test_a_class_that_is_no_event_is_refused_and_nothing_bound(cls: Any) -> None:
    emitter = EventHandlers()
    with pytest.raises(TypeError, match=f"{cls.__name__} is not an event class"):
        emitter.bind(["x", cls], print)
    assert emitter.event_names() == set()
    with pytest.raises(TypeError, match="is not an event class"):
        emitter.unbind(cls)


def test_a_packet_is_an_instance_of_the_class_of_its_event() -> None:
    packet = Packet.parse(b"Event: hangup\r\nChannel: A")
    assert isinstance(packet, events.Hangup)
    assert isinstance(packet, Event)
    assert not isinstance(packet, events.HangupRequest)
    assert not isinstance(Packet.parse(b"Response: Success\r\nEvent: Hangup"), events.Hangup)
    assert not isinstance({"event": "Hangup"}, events.Hangup)
    assert not isinstance(Packet.parse(b"Response: Success"), Event)


def test_a_call_makes_the_packet_that_a_server_would_send() -> None:
    made = events.Hangup({"Cause-txt": "User busy"}, Channel="PJSIP/1", Cause=17, ChanVariable=["A=1", "B=2"])
    lines = ["Event: Hangup", "Cause-txt: User busy", "Channel: PJSIP/1", "Cause: 17"]
    assert made.raw == "\r\n".join([*lines, "ChanVariable: A=1", "ChanVariable: B=2"]).encode()
    assert isinstance(made, events.Hangup)
    assert made.kind is Kind.EVENT
    assert made.original("Cause-TXT") == "User busy"
    assert made.variables == {"A": "1", "B": "2"}


def test_a_made_event_has_no_limits_but_its_lines() -> None:
    assert events.VarSet(Variable="A", Value="x" * 5000 + "\n").number("value") is None
    with pytest.raises(ValueError, match="CR LF"):
        events.VarSet(Variable="A", Value="x\r\nEvent: Forged")


def test_an_event_of_ones_own(peer: Peer) -> None:
    heard = Calls()
    peer.conn.on(DoorOpened, heard)
    peer.say("Event: DoorOpened|Door: front")
    assert [event["door"] for event in heard] == ["front"]
    assert isinstance(heard[0], DoorOpened)


# -- the modules


def test_the_modules_list_what_they_have() -> None:
    assert len(dir(actions)) >= 165 and {"Originate", "SIPpeers", "CoreShowChannelMap"} <= set(dir(actions))
    assert len(dir(events)) >= 220 and {"QueueMember", "Hangup", "AOC_D", "SessionTimeout", "Wink"} <= set(dir(events))


@for_each("name", dir(events))
def test_every_event_has_a_class(name: str) -> None:
    made = getattr(events, name)
    assert made is getattr(events, name)
    assert made.__name__ == name and made.__module__ == "ami_client.catalogue.events"
    assert made.ami_name.replace("-", "_") == name
    assert made.__doc__.startswith("Asterisk ")


@for_each("name", dir(actions))
def test_every_action_has_a_class(name: str) -> None:
    made = getattr(actions, name)
    assert made is getattr(actions, name)
    required = dict.fromkeys(made.required, "x")
    assert made(**required).params == required
    assert made.ami_name == name


@for_each(("module", "name", "nearest"), [(actions, "QueueAd", "QueueAdd"), (events, "NewChannel", "Newchannel")])
def test_a_wrong_name_is_told_with_the_nearest(module: Any, name: str, nearest: str) -> None:
    with pytest.raises(AttributeError, match=f"no '{name}'; did you mean '{nearest}'"):
        getattr(module, name)


def cpu_milliseconds(statement: str) -> float:
    """What a statement costs a process that has imported ami_client; the least of some."""
    code = f"import time, ami_client; t = time.process_time(); {statement}; print((time.process_time() - t) * 1000)"
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, **on_library()).stdout
        for _ in range(3)
    ]
    return min(map(float, runs))


def test_importing_it_takes_no_time() -> None:
    assert cpu_milliseconds("from ami_client.catalogue import events") < 30
    assert cpu_milliseconds("from ami_client.catalogue import events; events.Hangup") < 60


def test_the_library_does_not_import_it() -> None:
    code = "import ami_client, sys; print({'ami_client.catalogue', 'json', 'difflib', 'datetime'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True, **on_library())
    assert found.stdout == "set()\n"


# -- what is generated


def stub(name: str) -> list[ast.ClassDef]:
    tree = ast.parse((FACTS / f"{name}.pyi").read_text(encoding="utf-8"))
    return [node for node in tree.body if isinstance(node, ast.ClassDef)]


def test_editors_read_the_parameters_that_programs_meet() -> None:
    read = {}
    for node in stub("actions"):
        init = node.body[1]
        assert isinstance(init, ast.FunctionDef)
        names = [argument.arg for argument in init.args.kwonlyargs]
        required = [name for name, default in zip(names, init.args.kw_defaults) if default is None]
        read[node.name] = (required, [name for name in names if name not in required])
    made = {name: getattr(actions, name) for name in dir(actions)}
    assert read == {name: ([*one.required], [*one.optional, "ActionID"]) for name, one in made.items()}


def test_editors_read_the_headers_that_servers_document() -> None:
    tree = ast.parse((FACTS / "events.pyi").read_text(encoding="utf-8"))
    aliases = {
        node.targets[0].id: strings(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for node in stub("events"):
        names = strings(node.bases[0]).union(*(aliases.get(name, set()) for name in identifiers(node.bases[0])))
        documented = {header.name.lower() for header in facts.EVENTS[facts.EVENTS.by_class[node.name]].headers}
        assert names == (documented or {"event"}), node.name
    assert [node.name for node in stub("events")] == list(facts.EVENTS.by_class)


def strings(node: ast.AST) -> set[str]:
    return {one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)}


def identifiers(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


@for_each("name", ["actions.json", "actions.pyi", "events.json", "events.pyi"])
def test_what_is_generated_says_by_what(name: str) -> None:
    assert "python3 tasks.py catalogue" in (FACTS / name).read_text(encoding="utf-8")[:200]


def test_facts_are_facts() -> None:
    hangup = facts.EVENTS["Hangup"]
    assert hangup.servers == ("16", "22") and hangup.modules == ("builtin",) and hangup.privilege == ("call",)
    assert [header.kind for header in hangup.headers if header.name == "Cause"] == ["number"]
    assert [header.servers for header in hangup.headers if header.name == "TechCause"] == [("22",)]
    add = facts.ACTIONS["QueueAdd"]
    assert add.privilege == ("agent",) and add.modules == ("app_queue",)
    assert {header.name for header in add.headers if header.required} == {"Queue", "Interface"}
    assert facts.ACTIONS["SIPpeers"].servers == ("16",) and facts.ACTIONS["SIPpeers"].modules == ("chan_sip",)
    assert facts.EVENTS.find("newexten") is facts.EVENTS["NewExten"]
    assert facts.EVENTS.find("nothing") is None
    member = facts.EVENTS["QueueMember"]
    assert not member.documented and member.summary == "Asterisk 16 and 22; undocumented; module app_queue."
    assert {one.kind for name in facts.EVENTS for one in facts.EVENTS[name].headers} == {
        *("text", "number", "flag", "seconds", "milliseconds", "time", "words")
    }


def test_every_message_has_a_module_and_a_server() -> None:
    messages = [catalogue[name] for catalogue in (facts.ACTIONS, facts.EVENTS) for name in catalogue]
    assert [one.name for one in messages if not one.modules or not one.servers] == []


@for_each(
    ("event", "header", "known"),
    [
        ("Hangup", "CAUSE", True),
        ("Hangup", "Channelx", False),
        ("Hangup", "Privilege", True),
        ("Hangup", "ChanVariable", True),
        ("DialBegin", "DestChanVariable", True),
        ("OriginateResponse", "ChanVariable(PJSIP/1)", True),
        ("RTCPSent", "Report12SourceSSRC", True),
        ("RTCPSent", "ReportXSourceSSRC", False),
    ],
)
def test_which_headers_are_known(event: str, header: str, known: bool) -> None:
    assert facts.EVENTS[event].knows(header) is known


# -- recordings


@cache
def recorded_by(version: str) -> list[Packet]:
    """The events of all recordings of a server, folded as in a pool."""
    with tarfile.open(DATA / "transcripts.tar.xz") as archive:
        members = [member for member in archive.getmembers() if member.name.endswith(f".{version}.bin")]
        texts = [archive.extractfile(member).read() for member in members]  # type: ignore[union-attr]
    if version == "22":
        texts.append(lzma.decompress((DATA / "events-22.bin.xz").read_bytes()))
    return [packet for text in texts for packet in read(text) if packet.kind is Kind.EVENT]


def recorded() -> list[Packet]:
    return recorded_by("16") + recorded_by("22")


def read(text: bytes) -> Iterator[Packet]:
    reader = PacketReader(max_packet=100_000_000)
    reader.feed(text if text.startswith(b"Asterisk Call Manager") else b"Asterisk Call Manager/11.0.0\r\n" + text)
    yield from iter(reader.next_packet, None)


def test_no_recorded_event_makes_a_view_raise() -> None:
    assert len(recorded()) > 10_000
    for event in recorded():
        event.variables  # noqa: B018
        message = facts.EVENTS.find(event.event_name)
        if message is not None:
            assert isinstance(event, getattr(events, message.class_name))
        for header in event:
            event.number(header), event.flag(header), event.seconds(header), event.words(header), event.time(header)


READERS = {"number": "number", "milliseconds": "number", "flag": "flag", "seconds": "seconds", "time": "time"}
#: No value, and never.
NOTHING = {"", "0"}


def test_recorded_values_are_of_the_kind_that_is_documented() -> None:
    wrong: dict[str, str] = {}
    for event in recorded():
        message = facts.EVENTS.find(event.event_name)
        for header in message.headers if message else ():
            reader = READERS.get(header.kind)
            value = event.get(header.name.lower(), "")
            if reader and value not in NOTHING and getattr(event, reader)(header.name) is None:
                wrong[f"{event.event_name}.{header.name}"] = value
    assert wrong == {}


@for_each("version", ["16", "22"])
def test_the_manual_says_how_much_of_what_was_recorded_is_known(version: str) -> None:
    events_of_all = recorded_by(version)
    known = [(event, facts.EVENTS.find(event.event_name)) for event in events_of_all]
    documented = [(event, message) for event, message in known if message is not None]
    # The headers of a UserEvent are its sender's.
    headers = [
        message.knows(name) for event, message in documented if event.event_name != "userevent" for name in event
    ]
    share = 100 * len(documented) / len(events_of_all)
    row = rf"Asterisk {version} {len(events_of_all):,} {share:.1f} % {100 * sum(headers) / len(headers):.2f} %"
    page = (DATA.parents[1] / "docs" / "catalogue.rst").read_text(encoding="utf-8")
    assert row in re.sub(" +", " ", page)
