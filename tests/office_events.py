"""Events of a small call centre for models that are fed by hand."""

from __future__ import annotations

from ami_client.model import Model
from ami_client.packet import Packet

SERVER = "tcp://admin@pbx.example.com:5038"


def call(model: Model, number: int, name: str = "", *, server: str = SERVER, state: str = "4") -> None:
    """A channel begins, ``PJSIP/trunk-<number>``, and a call with it."""
    model.feed(server, {"Event": "Newchannel", "ChannelState": state, **channel(number), "CallerIDName": name})


def channel(number: int) -> dict[str, str]:
    """The headers of that channel."""
    return {
        "Channel": f"PJSIP/trunk-{number:08x}",
        "Uniqueid": f"1.{number}",
        "Linkedid": f"1.{number}",
        "CallerIDNum": f"555{number:04}",
    }


def talk(model: Model, number: int, telephone: str, *, server: str = SERVER) -> None:
    """A telephone answers it."""
    caller = channel(number)
    other = {
        "Channel": f"PJSIP/{telephone}-{number:08x}",
        "Uniqueid": f"2.{number}",
        "Linkedid": caller["Linkedid"],
        "CallerIDNum": f"10{number}",
        "CallerIDName": telephone.capitalize(),
    }
    model.feed(server, {"Event": "Newchannel", "ChannelState": "6", **other})
    for one in (other, caller):
        model.feed(server, {"Event": "BridgeEnter", "BridgeUniqueid": f"b{number}", "BridgeType": "basic", **one})


def hang_up(model: Model, number: int, *, server: str = SERVER) -> None:
    """It ends."""
    model.feed(server, {"Event": "Hangup", "Cause": "16", **channel(number)})


def join(model: Model, number: int, queue: str = "support", *, server: str = SERVER) -> None:
    """It begins to wait."""
    model.feed(server, {"Event": "QueueCallerJoin", "Queue": queue, "Position": "1", **channel(number)})


def answer(model: Model, number: int, queue: str = "support", *, server: str = SERVER) -> None:
    """A member takes it."""
    headers = {"Queue": queue, **channel(number)}
    model.feed(server, {"Event": "AgentConnect", "Interface": "PJSIP/alice", **headers})
    model.feed(server, {"Event": "QueueCallerLeave", **headers})


def abandon(model: Model, number: int, queue: str = "support", *, server: str = SERVER) -> None:
    """It waits no longer: it hangs up."""
    headers = {"Queue": queue, **channel(number)}
    model.feed(server, {"Event": "QueueCallerAbandon", **headers})
    model.feed(server, {"Event": "QueueCallerLeave", **headers})


def member(
    model: Model, name: str, status: int, queue: str = "support", *, paused: bool = False, server: str = SERVER
) -> None:
    """A member of a queue, and what its device does, in Asterisk's numbers."""
    headers = {"Queue": queue, "MemberName": name, "Interface": f"PJSIP/{name}", "Status": str(status)}
    model.feed(server, {"Event": "QueueMemberStatus", "Paused": str(int(paused)), **headers})


def telephone(model: Model, name: str, state: str, *, server: str = SERVER) -> None:
    """A telephone's state: ``NOT_INUSE``, ``INUSE`` and so on."""
    model.feed(server, {"Event": "DeviceStateChange", "Device": f"PJSIP/{name}", "State": state})


def service_levels(model: Model, *, server: str = SERVER, **seconds: int) -> None:
    """All queues by name, each with its service level: nobody tells it but the list of queues."""
    texts = [f"Event: QueueParams\r\nQueue: {queue}\r\nServiceLevel: {one}" for queue, one in seconds.items()]
    entries = [Packet.parse(text.encode(), fold_case=False) for text in texts]
    model.picture(server).replace(model.now(), None, None, entries, None)
