"""The small company behind the embedded server: peers, queues, extensions, files.

It is plain data. A test may change it before the server starts and while it runs::

    server.office.sip_peers.append(SipPeer("reception", address="192.0.2.20", port=5060))
    server.office.extensions["office", "555"] = [("Answer", ""), ("Wait", "5")]
"""

from __future__ import annotations

from dataclasses import dataclass, field

#: A dialplan step: application and its data.
Step = tuple[str, str]
#: A configuration file: categories with their lines, in order. Names may repeat.
ConfigFile = list[tuple[str, list[tuple[str, str]]]]

#: Texts for the states in ExtensionState.
STATE_TEXTS = {-1: "Unknown", 0: "Idle", 1: "InUse", 2: "Busy", 4: "Unavailable", 8: "Ringing"}


@dataclass
class SipPeer:
    """An entry of SIPpeers. An empty ``address`` means not registered."""

    name: str
    address: str = ""
    port: int = 0
    dynamic: bool = False
    status: str = "Unmonitored"
    description: str = ""


@dataclass
class IaxPeer:
    """An entry of IAXpeers and IAXpeerlist. An empty ``address`` means not registered."""

    name: str
    address: str = ""
    port: int = 4569
    status: str = "Unmonitored"


@dataclass
class Endpoint:
    """An entry of PJSIPShowEndpoints. ``contact`` is a SIP URI, or empty."""

    name: str
    contact: str = ""
    auth: str = ""


@dataclass
class Member:
    """A member of a queue. ``status`` is a device state (1: not in use)."""

    name: str
    location: str
    penalty: int = 0
    paused: bool = False
    status: int = 1


@dataclass
class Caller:
    """A caller who waits in a queue. ``wait`` is in seconds."""

    channel: str
    number: str = "unknown"
    name: str = "unknown"
    wait: int = 0


@dataclass
class Queue:
    """A queue with its members and waiting callers."""

    name: str
    strategy: str = "ringall"
    members: list[Member] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)
    completed: int = 0
    abandoned: int = 0


@dataclass
class Hint:
    """The hint of an extension: its device and state, for ExtensionState."""

    device: str
    status: int = 0


def _sip_peers() -> list[SipPeer]:
    return [
        SipPeer("front-desk", "192.0.2.11", 5060, status="OK (4 ms)"),
        SipPeer("Workshop", "192.0.2.12", 5062, description="Мастерская"),
        SipPeer("nomad", dynamic=True, status="UNKNOWN"),
    ]


def _iax_peers() -> list[IaxPeer]:
    return [
        IaxPeer("Branch-North", "198.51.100.7"),
        IaxPeer("branch-south", status="UNKNOWN"),
    ]


def _endpoints() -> list[Endpoint]:
    return [
        Endpoint("front-desk", "sip:desk@192.0.2.11:5060", auth="front-desk"),
        Endpoint("Workshop", "sip:shop@192.0.2.12:5062"),
        Endpoint("nomad"),
    ]


def _queues() -> list[Queue]:
    members = [Member("Dana Desk", "PJSIP/front-desk"), Member("Wim Shop", "PJSIP/Workshop", 2)]
    return [Queue("helpline", members=members, completed=12, abandoned=1), Queue("night", "random")]


def _extensions() -> dict[tuple[str, str], list[Step]]:
    return {
        ("office", "100"): [("Answer", ""), ("Set", "GREETING=Hello"), ("Wait", "60")],
        ("office", "101"): [("Answer", ""), ("Echo", "")],
        ("office", "102"): [("Answer", ""), ("Hangup", "")],
        ("office", "110"): [("Ringing", ""), ("Wait", "60")],
        ("office", "111"): [("Busy", "5")],
        ("office", "112"): [("Congestion", "5")],
        ("office", "200"): [("Answer", ""), ("StartMusicOnHold", ""), ("Wait", "60")],
        ("office", "600"): [("Answer", ""), ("Queue", "helpline")],
    }


def _hints() -> dict[tuple[str, str], Hint]:
    return {
        ("office", "100"): Hint("PJSIP/front-desk"),
        ("office", "101"): Hint("PJSIP/Workshop", 1),
    }


def _config_files() -> dict[str, ConfigFile]:
    helpline = [
        ("strategy", "ringall"),
        ("timeout", "15"),
        ("member", "PJSIP/front-desk,0,Dana Desk"),
        ("member", "PJSIP/Workshop,2,Wim Shop"),
    ]
    queues = [
        ("general", [("persistentmembers", "no")]),
        ("helpline", helpline),
        ("night", [("strategy", "random")]),
    ]
    return {"queues.conf": queues}


def _commands() -> dict[str, str]:
    return {
        "core show version": "Asterisk 22.0.0 built by test @ office on a x86_64 running Linux",
        "core show uptime": "System uptime: 2 hours, 5 minutes\nLast reload: 2 hours, 5 minutes",
        "database show nosuch": "0 results found.",
        "logger rotate": "",
    }


@dataclass
class Office:
    """The data of the built-in answers, except for calls."""

    sip_peers: list[SipPeer] = field(default_factory=_sip_peers)
    iax_peers: list[IaxPeer] = field(default_factory=_iax_peers)
    endpoints: list[Endpoint] = field(default_factory=_endpoints)
    queues: list[Queue] = field(default_factory=_queues)
    #: The dialplan: steps by (context, extension).
    extensions: dict[tuple[str, str], list[Step]] = field(default_factory=_extensions)
    hints: dict[tuple[str, str], Hint] = field(default_factory=_hints)
    #: Files for GetConfig and GetConfigJSON, by name.
    config_files: dict[str, ConfigFile] = field(default_factory=_config_files)
    #: Output of CLI commands, for the action Command.
    commands: dict[str, str] = field(default_factory=_commands)
    #: Global variables of the dialplan.
    variables: dict[str, str] = field(default_factory=lambda: {"COMPANY": "Example & Sons"})
