"""Actions as messages: requests and their answers. No I/O here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional, Union

from .. import errors
from .._engine.encode import encode_action, fold_name
from .._engine.in_flight import Assertion
from .._engine.line_cache import split_line
from .._engine.text import ENCODING, ENCODING_ERRORS
from ..packet import Kind, Packet
from .envelope import VERSION, Headers, check_name, encode_headers, raw_of, read_headers, read_object

#: Approximate size of a part of an answer, in bytes. Brokers have limits, and other messages must get a turn in
#: between.
PART = 128 * 1024

Result = Union[Packet, list[Packet]]


class Refused(errors.AMIError):
    """The gateway refuses to execute the action: it is not allowed, too late, or may have been executed before."""


class Request(NamedTuple):
    """An action as a message.

    Attributes:
        id: chosen by the sender, and used once.
        reply_to: the sender's name. The answer goes to the channel ``replies.<reply_to>``.
        server: the server's name.
        action: the action's name.
        params: its headers in order, without Action and ActionID.
        time: when the request was sent, in Unix seconds.
        timeout: seconds after which the answer is not wanted any more.
        assertions: what completes the answer, as in :meth:`~ami_client.Connection.action`; empty for the default.
        result: whether the OriginateResponse is wanted instead of the answer to Originate.
    """

    id: str
    reply_to: str
    server: str
    action: str
    params: Headers
    time: float
    timeout: float
    assertions: Sequence[Assertion] = ()
    result: bool = False

    def encode(self) -> bytes:
        """Return the message."""
        found = {"version": VERSION, **self._asdict()}
        if not self.assertions:
            del found["assertions"]
        if not self.result:
            del found["result"]
        return json.dumps(found).encode()


def params_of(action: str, params: Any) -> Headers:
    """Return the headers of an action as they are sent. Raises ValueError or TypeError if they cannot be sent."""
    lines = encode_action(action, params).decode(ENCODING, ENCODING_ERRORS).split("\r\n")[1:-2]
    return [split_line(line) for line in lines]


def decode_request(body: bytes) -> Request:
    """Parse a request. Raises a ValueError that says what is wrong with it."""
    found = read_object(body)
    texts = [found.get(name) for name in ("id", "action")]
    if not all(isinstance(text, str) and 0 < len(text) <= 256 for text in texts):
        raise ValueError("id and action must be texts")
    reply_to, server = check_name(found.get("reply_to"), "reply_to"), check_name(found.get("server"), "server")
    times = [found.get(name) for name in ("time", "timeout")]
    if not all(isinstance(one, (int, float)) and not isinstance(one, bool) and one >= 0 for one in times):
        raise ValueError("time and timeout must be numbers of seconds")
    assertions = found.get("assertions", [])
    if not isinstance(assertions, list) or not all(isinstance(one, dict) for one in assertions):
        raise ValueError("assertions must be a list of objects")
    params = read_headers(found.get("params"))
    result = found.get("result", False) is True
    if result and fold_name(texts[1]) != "originate":
        raise ValueError("only Originate can have a result")
    return Request(texts[0], reply_to, server, texts[1], params, times[0], times[1], assertions, result)  # type: ignore[arg-type]


class Reply(NamedTuple):
    """A part of an answer.

    Attributes:
        id: the request's id.
        part: 1, 2, ...
        last: whether this is the last part.
        packets: packets of the answer, in order.
        shape: that of the whole answer: ``packet``, ``list`` (the packet, its entries, the completing event) or
            ``packets``.
        error: class and message of the error, or None. Only the last part has it.
    """

    id: str
    part: int
    last: bool
    packets: list[Packet]
    shape: str
    error: Optional[tuple[str, str]]


def encode_replies(request_id: str, result: Result) -> Iterator[bytes]:
    """Yield the messages of an answer."""
    if isinstance(result, list):
        packets, shape = result, "packets"
    elif result.complete is not None or result.events:
        complete = [] if result.complete is None else [result.complete]
        packets, shape = [result, *result.events, *complete], "list" if complete else "entries"
    else:
        packets, shape = [result], "packet"
    error = packets[-1].error if isinstance(result, list) else result.error
    part: list[bytes] = []
    size, number = 0, 1
    for packet in packets:
        if size > PART:
            yield _encode_part(request_id, number, False, part, shape, None)
            part, size, number = [], 0, number + 1
        part.append(_encode_packet(packet))
        size += len(part[-1])
    yield _encode_part(request_id, number, True, part, shape, error)


def encode_failure(request_id: str, error: BaseException) -> bytes:
    """Return the message for an answer that cannot come."""
    return _encode_part(request_id, 1, True, [], "packet", error)


def _encode_part(
    request_id: str, part: int, last: bool, packets: list[bytes], shape: str, error: Optional[BaseException]
) -> bytes:
    found: dict[str, object] = {"version": VERSION, "id": request_id, "part": part, "last": last, "shape": shape}
    if error is not None:
        found["error"] = {"type": type(error).__name__, "message": str(error)}
    return b'%b,"packets":[%b]}' % (json.dumps(found).encode()[:-1], b",".join(packets))


def _encode_packet(packet: Packet) -> bytes:
    output = b""
    if packet.kind is Kind.TEXT or (packet.output and "output" not in packet):  # text outside the headers
        output = b',"output":%b' % json.dumps(packet.output).encode()
    return b'{"headers":%b%b}' % (encode_headers(packet), output)


def decode_reply(body: bytes) -> Reply:
    """Parse a part of an answer. Raises a ValueError that says what is wrong with it."""
    found = read_object(body)
    error = found.get("error")
    if error is not None:
        error = str(error["type"]), str(error["message"])
    try:
        packets = [_packet(one) for one in found["packets"]]
        return Reply(found["id"], found["part"], found["last"], packets, found["shape"], error)
    except (KeyError, TypeError) as wrong:
        raise ValueError(f"not an answer: {wrong!r}") from None


def _packet(found: Mapping[str, Any]) -> Packet:
    headers = read_headers(found["headers"])
    text = "\n".join(found.get("output", ())).encode(ENCODING, ENCODING_ERRORS)
    if text and not headers[0][0].lower().startswith("response"):
        return Packet.of_text(text, dict(headers).get("actionid", ""))
    return Packet.parse(raw_of(headers), fold_case=False, body=text)


def result_of(replies: Sequence[Reply]) -> Result:
    """Assemble the answer from all parts, as an action's callback gets it."""
    packets = [packet for reply in replies for packet in reply.packets]
    error = error_of(replies[-1].error)
    shape = replies[-1].shape
    if not packets:
        assert error is not None
        failure = Packet.failure(error)
        return [failure] if shape == "packets" else failure
    if shape == "packets":
        packets[-1].error = error
        return packets
    packets[0].error = error
    if shape == "list":
        packets[0].events, packets[0].complete = packets[1:-1], packets[-1]
    elif shape == "entries":
        packets[0].events = packets[1:]
    return packets[0]


def error_of(told: Optional[tuple[str, str]]) -> Optional[errors.AMIError]:
    """Return the error that the other side reported, with its class if it is one of this library's."""
    if told is None:
        return None
    name, message = told
    cls = {**vars(errors), "Refused": Refused}.get(name)
    if isinstance(cls, type) and issubclass(cls, errors.AMIError):
        return cls(message)
    return Refused(f"{name}: {message}")
