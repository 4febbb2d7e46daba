"""Words to write scenarios of our own in, in the format of phpDaemon's records.

Each is written as ``scenario(name, (step, what it returns, what happens...), ...)``. In connection callbacks ``UP`` and
``DOWN`` tell whether it is connected; ``REFUSED`` is a refused login, whose connection has not ended yet.
"""

from __future__ import annotations

import hashlib
from typing import Any, Optional

Part = tuple[Any, ...]

UP, DOWN, REFUSED = [0, True, False], [0, False, True], [0, False, False]
HANGUP = "Event: Hangup\r\nCause: 16\r\n\r\n"


def scenario(
    name: str, *parts: Part, pool: Optional[dict[str, Any]] = None, callbacks: Optional[dict[str, Any]] = None
) -> dict[str, Any]:
    """A record of our own."""
    expect = [{"i": i, "ret": ret, "seq": list(seq)} for i, (_, ret, *seq) in enumerate(parts)]
    steps = [step for step, *_ in parts]
    return {
        "name": name,
        "verdict": "own",
        "scenario": {"pool": pool or {}, "callbacks": callbacks or {}, "steps": steps},
        "expect": expect,
    }


def cb(name: str, conn: int, *args: Any, state: Optional[list[Any]] = None) -> list[Any]:
    """A callback with a connection that lives, unless ``state`` says otherwise."""
    return ["cb", name, [{"$conn": conn}, *args], state or UP]


def get(name: str, *seq: Any, ret: Optional[bool] = True, **more: Any) -> Part:
    """A call of get_connection."""
    return ({"get_connection": {"cb": name, **more}}, ret, *seq)


def feed(text: str, *seq: Any, **more: Any) -> Part:
    """Bytes from the server."""
    return ({"feed": text, **more}, None, *seq)


def call(method: str, args: list[Any], *seq: Any, ret: Any = None, **more: Any) -> Part:
    """A call of a method of the connection."""
    return ({"call": method, "args": args, **more}, ret, *seq)


def writes(text: str, conn: int = 1) -> list[Any]:
    """Bytes from the client."""
    return ["write", conn, text]


def key(challenge: str, secret: str = "s3cret", user: str = "bench") -> str:
    """The second packet of the md5 login."""
    digest = hashlib.md5((challenge + secret).encode()).hexdigest()
    return f"Action: Login\r\nAuthType: MD5\r\nUsername: {user}\r\nKey: {digest}\r\nEvents: on\r\n\r\n"


def challenge(conn: int = 1, answer: str = "Challenge: 1", sent: str = "") -> tuple[Part, Part]:
    """The login up to its last answer."""
    return (
        feed("Asterisk Call Manager/5.0.4\r\n", writes("Action: Challenge\r\nAuthType: MD5\r\n\r\n", conn), conn=conn),
        feed(f"Response: Success\r\n{answer}\r\n\r\n", writes(sent or key("1"), conn), conn=conn),
    )


def accept(*seq: Any, conn: int = 1) -> tuple[Part, ...]:
    """A login that succeeds."""
    return (*challenge(conn), feed("Response: Success\r\nMessage: Authentication accepted\r\n\r\n", *seq, conn=conn))


def login(name: str = "got", *seq: Any, **more: Any) -> tuple[Part, ...]:
    """A first connection up to its login; ``seq`` comes after the callback."""
    return (get(name, ["new_conn", 1], **more), *accept(cb(name, 1), *seq))


def ok(number: int) -> str:
    """A plain answer."""
    return f"Response: Success\r\nActionID: ${number}\r\n\r\n"


def success(number: int) -> dict[str, str]:
    """The same as a packet."""
    return {"response": "success", "actionid": f"${number}"}


def sent(action: str, number: int, headers: str = "") -> list[Any]:
    """An action as it is sent."""
    return writes(f"Action: {action}\r\n{headers}ActionID: ${number}\r\n\r\n")


def bind(names: Any, name: str, verb: str = "bind") -> Part:
    """Bind a handler, or take one away."""
    return ({verb: names, "cb": name}, None)


BYE = ["client_closed_socket", 1]
CLOSE: dict[str, Any] = {"close_from_server": True}
PING = call("ping", [{"cb": "r"}], sent("Ping", 1))
ACQUIRE: dict[str, Any] = {"do": [{"call": "acquire", "args": []}]}
EVENT = {"event": "hangup", "cause": "16"}
LOST = {"$error": "ConnectionLost"}
FINISHED = {"$error": "ConnectionFinished"}
ONE_SLOT = {"max_conn": 1}
