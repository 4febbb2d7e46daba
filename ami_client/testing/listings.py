"""Handlers of the actions that list the office's peers, queues and files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Union

from .actions import Turn, action
from .office import ConfigFile, Member, Queue
from .script import Answer, Value, error, listing

Entry = dict[str, Value]


@action("SIPpeers", "List SIP peers (text format).", "system,reporting,all")
def sip_peers(turn: Turn) -> Answer:
    """List chan_sip's peers."""
    entries: list[Entry] = [
        {
            "Event": "PeerEntry",
            "Channeltype": "SIP",
            "ObjectName": peer.name,
            "ChanObjectType": "peer",
            "IPaddress": peer.address or "-none-",
            "IPport": peer.port,
            "Dynamic": _yes(peer.dynamic),
            "AutoForcerport": "yes",
            "Forcerport": "no",
            "AutoComedia": "no",
            "Comedia": "no",
            "VideoSupport": "no",
            "TextSupport": "no",
            "ACL": "no",
            "Status": peer.status,
            "RealtimeDevice": "no",
            "Description": peer.description,
            "Accountcode": "",
        }
        for peer in turn.office.sip_peers
    ]
    return listing("Peer status list will follow", entries, "PeerlistComplete")


@action("IAXpeerlist", "List IAX Peers.", "system,reporting,all")
def iax_peer_list(turn: Turn) -> Answer:
    """List chan_iax2's peers, the regular way."""
    entries: list[Entry] = [
        {
            "Event": "PeerEntry",
            "Channeltype": "IAX",
            "ObjectName": peer.name,
            "ChanObjectType": "peer",
            "IPaddress": peer.address or "(null)",
            "Mask": "255.255.255.255" if peer.address else "(null)",
            "Port": peer.port if peer.address else "(null)",
            "Dynamic": _yes(not peer.address),
            "Trunk": "no",
            "Encryption": "no",
            "Status": peer.status,
        }
        for peer in turn.office.iax_peers
    ]
    return listing("IAX Peer status list will follow", entries, "PeerlistComplete")


@action("IAXpeers", "List IAX peers.", "system,reporting,all")
def iax_peers(turn: Turn) -> Answer:
    """List chan_iax2's peers by the older action. Its entries have no ActionID on Asterisk 16 and 22."""
    entries: list[Entry] = [
        {
            "Event": "PeerEntry",
            "ActionID": None,
            "Channeltype": "IAX2",
            "ObjectName": peer.name,
            "ChanObjectType": "peer",
            "IPaddress": peer.address or "(null)",
            "IPport": peer.port if peer.address else "(null)",
            "Dynamic": _yes(not peer.address),
            "Trunk": "no",
            "Encryption": "no",
            "Status": peer.status,
            "Description": "",
        }
        for peer in turn.office.iax_peers
    ]
    return listing("Peer status list will follow", entries, "PeerlistComplete")


@action("PJSIPShowEndpoints", "Lists PJSIP endpoints.", "system,reporting,all")
def pjsip_endpoints(turn: Turn) -> Answer:
    """List PJSIP's endpoints. Asterisk reports an empty list as an error whose text ends with a bare LF."""
    if not turn.office.endpoints:
        return error("No endpoints found\n")
    active = [channel.name.rpartition("-")[0] for channel in turn.exchange.channels]
    entries: list[Entry] = []
    for endpoint in turn.office.endpoints:
        calls = active.count(f"PJSIP/{endpoint.name}")
        idle = "Not in use" if endpoint.contact else "Unavailable"
        entries.append(
            {
                "Event": "EndpointList",
                "ObjectType": "endpoint",
                "ObjectName": endpoint.name,
                "Transport": "",
                "Aor": endpoint.name,
                "Auths": endpoint.auth,
                "OutboundAuths": endpoint.auth,
                "Contacts": f"{endpoint.name}/{endpoint.contact}," if endpoint.contact else "",
                "DeviceState": "In use" if calls else idle,
                "ActiveChannels": calls,
            }
        )
    message = "A listing of Endpoints follows, presented as EndpointList events"
    return listing(message, entries, "EndpointListComplete")


@action("QueueStatus", "Show queue status.")
def queue_status(turn: Turn) -> Answer:
    """List queues with their members and callers. The headers Queue and Member select some."""
    entries: list[Entry] = []
    wanted = turn.get("Member")
    for queue in _queues(turn):
        members = [member for member in queue.members if wanted in ("", member.location)]
        entries.append(_queue_params(queue))
        entries += [_queue_member(queue, member) for member in members]
        if not wanted:
            entries += _queue_entries(queue)
    return listing("Queue status will follow", _closed(turn, entries), "QueueStatusComplete")


@action("QueueSummary", "Show queue summary.")
def queue_summary(turn: Turn) -> Answer:
    """List queues with one event each."""
    entries: list[Entry] = [
        {
            "Event": "QueueSummary",
            "Queue": queue.name,
            "LoggedIn": len(queue.members),
            "Available": sum(one.status == 1 and not one.paused for one in queue.members),
            "Callers": len(queue.callers),
            "HoldTime": 0,
            "TalkTime": 0,
            "LongestHoldTime": max([caller.wait for caller in queue.callers], default=0),
        }
        for queue in _queues(turn)
    ]
    return listing("Queue summary will follow", _closed(turn, entries), "QueueSummaryComplete")


@action("GetConfig", "Retrieve configuration.", "system,config,all")
def get_config(turn: Turn) -> Answer:
    """Send a file's categories and lines with their numbers."""
    found = _config_file(turn)
    if not isinstance(found, list):
        return found
    wanted = turn.get("Category")
    categories = [item for item in found if wanted in ("", item[0])]
    if not categories:
        # Asterisk sends a line without a colon inside the answer.
        action_id = f"ActionID: {turn.action_id}\r\n" if turn.action_id else ""
        return f"Response: Success\r\n{action_id}No categories found\r\n\r\n"
    answer: Entry = {"Response": "Success"}
    for number, (category, lines) in enumerate(categories):
        answer[f"Category-{number:06}"] = category
        for line_number, (name, value) in enumerate(lines):
            answer[f"Line-{number:06}-{line_number:06}"] = f"{name}={value}"
    return answer


@action("GetConfigJSON", "Retrieve configuration (JSON format).", "system,config,all")
def get_config_json(turn: Turn) -> Answer:
    """Send a file as one line of JSON. Keys repeat, as in the file."""
    found = _config_file(turn)
    if not isinstance(found, list):
        return found
    members = ((name, _json_object([(k, json.dumps(v)) for k, v in lines])) for name, lines in found)
    return {"Response": "Success", "JSON": _json_object(list(members))}


def _config_file(turn: Turn) -> Union[ConfigFile, Mapping[str, Value]]:
    name = turn.get("Filename")
    if not name:
        return {"Response": "Error", "Message": "Filename not specified"}
    if "/" in name:
        return {"Response": "Error", "Message": "File requires escalated privileges"}
    missing: Mapping[str, Value] = {"Response": "Error", "Message": "Config file not found"}
    return turn.office.config_files.get(name, missing)


def _json_object(members: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members) + "}"


def _queues(turn: Turn) -> list[Queue]:
    return [queue for queue in turn.office.queues if turn.get("Queue") in ("", queue.name)]


def _queue_params(queue: Queue) -> Entry:
    return {
        "Event": "QueueParams",
        "Queue": queue.name,
        "Max": 0,
        "Strategy": queue.strategy,
        "Calls": len(queue.callers),
        "Holdtime": 0,
        "TalkTime": 0,
        "Completed": queue.completed,
        "Abandoned": queue.abandoned,
        "ServiceLevel": 0,
        "ServicelevelPerf": "0.0",
        "ServicelevelPerf2": "0.0",
        "Weight": 0,
    }


def _queue_member(queue: Queue, member: Member) -> Entry:
    return {
        "Event": "QueueMember",
        "Queue": queue.name,
        "Name": member.name,
        "Location": member.location,
        "StateInterface": member.location,
        "Membership": "static",
        "Penalty": member.penalty,
        "CallsTaken": 0,
        "LastCall": 0,
        "LastPause": 0,
        "LoginTime": 1_700_000_000,
        "InCall": 0,
        "Status": member.status,
        "Paused": int(member.paused),
        "PausedReason": "",
        "Wrapuptime": 0,
    }


def _queue_entries(queue: Queue) -> list[Entry]:
    return [
        {
            "Event": "QueueEntry",
            "Queue": queue.name,
            "Position": position,
            "Channel": caller.channel,
            "Uniqueid": f"1700000000.{position}",
            "CallerIDNum": caller.number,
            "CallerIDName": caller.name,
            "ConnectedLineNum": "unknown",
            "ConnectedLineName": "unknown",
            "Wait": caller.wait,
            "Priority": 0,
        }
        for position, caller in enumerate(queue.callers, 1)
    ]


def _closed(turn: Turn, entries: list[Entry]) -> list[Entry]:
    """Put the ActionID last, as app_queue does."""
    return [{**entry, "ActionID": turn.action_id} for entry in entries]


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"
