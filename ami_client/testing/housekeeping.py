"""Handlers of the manager's own actions: login, events, commands."""

from __future__ import annotations

import hashlib

from .._engine.encode import fold_name
from .._engine.text import whole_number
from .actions import ACTIONS, Turn, action
from .masks import OFF, parse_mask
from .script import Answer, Headers, Later, Value, error, success


@action("Challenge", "Generate Challenge for MD5 Auth.")
def challenge(turn: Turn) -> Answer:
    """Send this session's challenge. It stays the same."""
    if turn.get("AuthType").lower() != "md5":
        return error("Must specify AuthType")
    turn.session.challenged = True
    return {"Response": "Success", "Challenge": turn.session.challenge}


@action("Login", "Login Manager.")
def login(turn: Turn) -> Answer:
    """Check the credentials. A refused client is disconnected after ``auth_delay``."""
    server, session = turn.server, turn.session
    if session.logged_in:
        return success("Already authenticated")
    if server.login_refusal or not _is_authentic(turn):
        refusal = Later()
        session.finish_after_answer()
        answer = error(server.login_refusal or "Authentication failed")
        if not server.auth_delay:
            return answer
        server.loop.call_later(server.auth_delay, refusal.set, answer)
        return refusal
    session.log_in(parse_mask(turn.get("Events") or "on"))
    if server.fully_booted:
        session.deliver(_fully_booted(server.uptime()))
    return success("Authentication accepted")


@action("Logoff", "Logoff Manager.")
def logoff(turn: Turn) -> Answer:
    """Say goodbye and close."""
    turn.session.finish_after_answer()
    return {"Response": "Goodbye", "Message": "Thanks for all the fish."}


@action("Ping", "Keepalive command.")
def ping(turn: Turn) -> Answer:
    """Answer at once."""
    timestamp = f"{turn.exchange.now():.6f}"
    return {"Response": "Success", "Ping": "Pong", "Timestamp": timestamp}


@action("Events", "Control Event Flow.")
def events(turn: Turn) -> Answer:
    """Set the session's event mask."""
    if not turn.get("EventMask"):
        return error("Invalid event mask")
    turn.session.mask = parse_mask(turn.get("EventMask"))
    return {"Response": "Success", "Events": "On" if turn.session.mask != OFF else "Off"}


@action("ListCommands", "List available manager commands.")
def list_commands(turn: Turn) -> Answer:
    """List the built-in and the scripted actions."""
    lines = {one.name: f"{one.synopsis}  (Priv: {one.privilege})" for one in ACTIONS.values()}
    for name in turn.server.scripted_actions:
        if name.lower() not in ACTIONS:
            lines[name] = "Scripted by the test.  (Priv: <none>)"
    return {"Response": "Success", **dict(sorted(lines.items(), key=lambda line: line[0].lower()))}


@action("UserEvent", "Send an arbitrary event.", "user,all")
def user_event(turn: Turn) -> Answer:
    """Send an event that repeats the request's headers, ActionID included, to every session."""
    if not turn.get("UserEvent"):
        return error("Missing UserEvent")
    own = {"action", "userevent"}
    event: list[tuple[str, Value]] = [("Event", "UserEvent"), ("Privilege", "user,all")]
    event.append(("UserEvent", turn.get("UserEvent")))
    event += [(name, value) for name, value in turn.request.headers if fold_name(name) not in own]
    turn.server.push(event)
    return success("Event Sent")


@action("WaitEvent", "Wait for an event to occur.")
def wait_event(turn: Turn) -> Answer:
    """Answer when the session has received an event, or after Timeout seconds."""
    timeout = whole_number(turn.get("Timeout") or "-1")
    if timeout is None:
        return error("Invalid timeout")
    later = Later()

    def end() -> None:
        timer.cancel()
        turn.session.on_event = None
        done = success("Waiting for Event completed.")
        complete: Headers = {"Event": "WaitEventComplete", "ActionID": turn.action_id}
        turn.session.deliver(complete)
        later.set(done)

    # Without a timeout the real server waits forever. For a test, a day is as long.
    timer = turn.server.loop.call_later(float(timeout) if timeout >= 0 else 86400.0, end)
    turn.session.on_event = end
    return later


@action("Command", "Execute Asterisk CLI Command.", "command,all")
def command(turn: Turn) -> Answer:
    """Send the output of the command from the office's data."""
    line = turn.get("Command").strip()
    if not line:
        return error("No command provided")
    if line.startswith(("module load", "module unload", "restart gracefully")):
        return error("Command blacklisted")
    output = turn.office.commands.get(line)
    if line == "core show channels count":
        output = f"{len(turn.exchange.channels)} active channels"
    if output is None:
        hint = f"type 'core show help {line}' for other possible commands"
        lines = [f"No such command '{line}' ({hint})"]
    else:
        lines = output.split("\n")
    result = "Error" if output is None else "Success"
    return {"Response": result, "Message": "Command output follows", "Output": lines}


def _is_authentic(turn: Turn) -> bool:
    server, request = turn.server, turn.request
    # Names ignore case, secrets do not (manager.c, authenticate).
    if request.get("Username").lower() != server.username.lower():
        return False
    if request.get("AuthType").lower() != "md5":
        return bool(server.secret) and request.get("Secret") == server.secret
    key = hashlib.md5((turn.session.challenge + server.secret).encode()).hexdigest()
    return turn.session.challenged and request.get("Key") == key


def _fully_booted(uptime: int) -> Headers:
    return {
        "Event": "FullyBooted",
        "Privilege": "system,all",
        "Uptime": uptime,
        "LastReload": uptime,
        "Status": "Fully Booted",
    }


#: Actions that are answered before the login.
BEFORE_LOGIN = frozenset({"login", "challenge", "logoff"})
