"""Handlers of the actions on channels, calls, variables and extensions."""

from __future__ import annotations

import re
from typing import Optional

from .._engine.text import whole_number
from .actions import Turn, action
from .calls import ANSWERED, Order, caller_event
from .channels import Channel, known
from .office import STATE_TEXTS, Hint
from .script import Answer, Later, Value, error, listing, success

_CALLER_ID = re.compile(r"CALLERID\((num|name|all)\)", re.IGNORECASE)
_TRUE = frozenset({"yes", "true", "y", "t", "1", "on"})


@action("SetVar", "Sets a channel variable or function value.", "call,all")
def set_var(turn: Turn) -> Answer:
    """Set a channel variable or a global one."""
    channel, name, value = _channel(turn), turn.get("Variable"), turn.get("Value")
    if not name:
        return error("No variable specified")
    if turn.get("Channel") and channel is None:
        return error("No such channel")
    field = _CALLER_ID.fullmatch(name)
    if channel is not None and field:
        attribute = {"num": "caller_number"}.get(field.group(1).lower(), "caller_name")
        setattr(channel, attribute, value)
        turn.exchange.emit(caller_event(channel))
    else:
        turn.exchange.set_variable(channel, name, value)
    return success("Variable Set")


@action("Getvar", "Gets a channel variable or function value.", "call,reporting,all")
def get_var(turn: Turn) -> Answer:
    """Send a variable's value. An unset variable is a success with an empty value."""
    channel, name = _channel(turn), turn.get("Variable")
    if not name:
        return error("No variable specified")
    if turn.get("Channel") and channel is None:
        return error("No such channel")
    return {"Response": "Success", "Variable": name, "Value": _variable(turn, channel, name) or ""}


@action("AGI", "Add an AGI command to execute by Async AGI.", "agi,all")
def agi(turn: Turn) -> Answer:
    """Queue an AGI command for a call in AsyncAGI."""
    channel, command = turn.get("Channel"), turn.get("Command")
    if not channel or not command:
        return error("Both, Channel and Command are *required*")
    call = turn.server.async_calls.find(channel)
    if call is None:
        return error(f"Channel {channel} does not exist.")
    call.add(command, turn.get("CommandID"))
    return success("Added AGI command to queue")


@action("CoreShowChannels", "List currently active channels.", "system,reporting,all")
def core_show_channels(turn: Turn) -> Answer:
    """List the live channels."""
    now = turn.server.loop.time()
    entries: list[dict[str, Value]] = [
        {
            "Event": "CoreShowChannel",
            "ActionID": turn.action_id,
            **channel.snapshot(),
            "Application": channel.application,
            "ApplicationData": channel.data,
            "Duration": _clock_text(now - channel.created),
            "BridgeId": "",
        }
        for channel in turn.exchange.channels
    ]
    return listing("Channels will follow", entries, "CoreShowChannelsComplete")


@action("Status", "List channel status.", "system,call,reporting,all")
def status(turn: Turn) -> Answer:
    """Send the state of all channels or of one."""
    channels = turn.exchange.channels
    if turn.get("Channel"):
        channel = _channel(turn)
        if channel is None:
            return error("No such channel")
        channels = [channel]
    entries = [_status_entry(turn, channel) for channel in channels]
    answer = listing("Channel status will follow", entries, "StatusComplete")
    answer[-1]["Items"] = len(entries)
    return answer


@action("Redirect", "Redirect (transfer) a call.", "call,all")
def redirect(turn: Turn) -> Answer:
    """Move a live channel to another place in the dialplan."""
    name, exten, priority = turn.get("Channel"), turn.get("Exten"), whole_number(turn.get("Priority"))
    if not name:
        return error("Channel not specified")
    if not turn.get("Priority"):
        return error("Priority not specified")
    if priority is None or priority < 1:
        return error("Priority is invalid")
    channel = _channel(turn)
    if channel is None:
        return error(f"Channel does not exist: {name}")
    context = turn.get("Context") or channel.context
    if not turn.exchange.redirect(channel, context, exten, priority):
        return error("Redirect failed, channel not up.")
    return success("Redirect successful")


@action("Hangup", "Hangup channel.", "system,call,all")
def hangup(turn: Turn) -> Answer:
    """Hang up a channel, or list and hang up all that match a /regex/."""
    name = turn.get("Channel")
    cause = whole_number(turn.get("Cause"))
    if cause is None or cause < 0:
        cause = 16
    if not name:
        return error("No channel specified")
    if name.startswith("/"):
        return _hang_up_matching(turn, name, cause)
    channel = _channel(turn)
    if channel is None:
        return error("No such channel")
    turn.exchange.hang_up(channel, cause)
    return success("Channel Hungup")


@action("ExtensionState", "Check Extension Status.", "call,reporting,all")
def extension_state(turn: Turn) -> Answer:
    """Send an extension's hint and its state."""
    exten, context = turn.get("Exten"), turn.get("Context") or "default"
    if not exten:
        return error("Extension not specified")
    hint = turn.office.hints.get((context, exten), Hint("", -1))
    return {
        "Response": "Success",
        "Message": "Extension Status",
        "Exten": exten,
        "Context": context,
        "Hint": hint.device,
        "Status": hint.status,
        "StatusText": STATE_TEXTS.get(hint.status, "Unknown"),
    }


@action("Originate", "Originate a call.", "originate,all")
def originate(turn: Turn) -> Answer:
    """Place a call. With Async the answer is sent at once, otherwise when the result is known."""
    problem = _originate_problem(turn)
    if problem:
        return error(problem)
    order = _order(turn)
    if turn.get("Async").lower() in _TRUE:
        turn.exchange.originate(
            order,
            lambda reason, channel: turn.server.push(_result(turn, order, reason, channel)),
        )
        return success("Originate successfully queued")
    later = Later()

    def answer(reason: int, channel: Optional[Channel]) -> None:
        good = reason == ANSWERED
        later.set(success("Originate successfully queued") if good else error("Originate failed"))

    turn.exchange.originate(order, answer)
    return later


def split_variables(line: str) -> list[tuple[str, str]]:
    """Split a Variable header as the server does.

    Commas separate. Double quotes, a backslash and parentheses protect them. Quotes and backslashes are removed. Parts
    without ``=`` are dropped (app.c, __ast_app_separate_args).
    """
    items, depth, quoted, escaped = [""], 0, False, False
    for char in line:
        if escaped:
            items[-1] += char
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == "," and not quoted and not depth:
            items.append("")
        else:
            depth = max(0, depth + {"(": 1, ")": -1}.get(char, 0))
            items[-1] += char
    pairs = (item.partition("=") for item in items if "=" in item)
    return [(name.strip(), value) for name, _, value in pairs]


def _originate_problem(turn: Turn) -> str:
    """Return the error of Asterisk's checks before the call, in Asterisk's order; ``""`` if there is none."""
    exten, context, priority = turn.get("Exten"), turn.get("Context"), turn.get("Priority")
    if not turn.get("Channel"):
        return "Channel not specified"
    number = whole_number(priority)
    if priority and (number is None or number < 0):
        return "Invalid priority"
    if turn.get("Timeout") and whole_number(turn.get("Timeout")) is None:
        return "Invalid timeout"
    if "/" not in turn.get("Channel"):
        return "Invalid channel"
    if turn.get("Application"):
        return ""
    if not (exten and context and priority):
        return "Originate with 'Exten' requires 'Context' and 'Priority'"
    steps = turn.office.extensions.get((context, exten), [])
    return "" if number is not None and len(steps) >= number > 0 else "Extension does not exist."


def _order(turn: Turn) -> Order:
    caller_name, _, caller_number = turn.get("CallerID").rpartition("<")
    variables: dict[str, str] = {}
    # If a name repeats, the first value counts, because the server applies them in reverse.
    for line in turn.request.getall("Variable"):
        for name, value in split_variables(line):
            variables.setdefault(name, value)
    return Order(
        channel=turn.get("Channel"),
        context=turn.get("Context"),
        exten=turn.get("Exten"),
        priority=whole_number(turn.get("Priority") or "1") or 0,
        application=turn.get("Application"),
        data=turn.get("Data"),
        timeout=(whole_number(turn.get("Timeout") or "30000") or 0) / 1000,
        caller_number=caller_number.strip(" >"),
        caller_name=caller_name.strip(' "'),
        account=turn.get("Account"),
        variables=variables,
    )


def _result(turn: Turn, order: Order, reason: int, channel: Optional[Channel]) -> dict[str, Value]:
    return {
        "Event": "OriginateResponse",
        "Privilege": "call,all",
        "ActionID": turn.action_id,
        "Response": "Success" if reason == ANSWERED else "Failure",
        "Channel": order.channel if channel is None else channel.name,
        "Context": order.context,
        "Exten": order.exten,
        "Reason": reason,
        "Uniqueid": "<unknown>" if channel is None else channel.uniqueid,
        "CallerIDNum": known(order.caller_number),
        "CallerIDName": known(order.caller_name),
    }


def _status_entry(turn: Turn, channel: Channel) -> dict[str, Value]:
    variables = [name for name in turn.get("Variables").split(",") if name]
    if turn.get("AllVariables").lower() in _TRUE:
        variables += [name for name in channel.variables if name not in variables]
    values = ((name, _variable(turn, channel, name)) for name in variables)
    return {
        "Event": "Status",
        "Privilege": "Call",
        **channel.snapshot(),
        "Type": channel.technology,
        "DNID": "",
        "EffectiveConnectedLineNum": known(channel.connected_number),
        "EffectiveConnectedLineName": known(channel.connected_name),
        "TimeToHangup": 0,
        "BridgeID": "",
        "Application": channel.application,
        "Data": channel.data,
        "Nativeformats": "(slin)",
        "Readformat": "slin",
        "Readtrans": "",
        "Writeformat": "slin",
        "Writetrans": "",
        "Callgroup": 0,
        "Pickupgroup": 0,
        "Seconds": int(turn.server.loop.time() - channel.created),
        "Variable": [f"{name}={'(null)' if value is None else value}" for name, value in values],
        "ActionID": turn.action_id,
    }


def _hang_up_matching(turn: Turn, pattern: str, cause: int) -> Answer:
    try:
        if len(pattern) < 3 or not pattern.endswith("/"):
            raise re.error("not between slashes")
        regex = re.compile(pattern[1:-1])
    except re.error:
        return error("Regex format invalid, Channel param should be /regex/")
    matching = [channel for channel in turn.exchange.channels if regex.search(channel.name)]
    for channel in matching:
        # Hanging up one half of a Local channel ends the other half too.
        if channel in turn.exchange.channels:
            turn.exchange.hang_up(channel, cause)
    entries: list[dict[str, Value]] = [
        {"Event": "ChannelHungup", "Channel": channel.name, "ActionID": turn.action_id} for channel in matching
    ]
    return listing("Channels hung up will follow", entries, "ChannelsHungupListComplete")


def _channel(turn: Turn) -> Optional[Channel]:
    return turn.exchange.find(turn.get("Channel"))


def _variable(turn: Turn, channel: Optional[Channel], name: str) -> Optional[str]:
    field = _CALLER_ID.fullmatch(name)
    if channel is not None and field:
        number, caller = channel.caller_number, channel.caller_name
        return {"num": number, "name": caller}.get(field.group(1).lower(), f'"{caller}" <{number}>')
    own = {} if channel is None else channel.variables
    return own.get(name, turn.office.variables.get(name))


def _clock_text(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest:02}"
