"""Scripted answers, and their encoding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Callable, Optional, Union, cast

from .._engine.encode import fold_name
from .requests import Request

#: A header's value: text or a number. A list repeats the header. None leaves it out.
Value = Union[str, int, float, None, Sequence[Union[str, int, float]]]
#: One packet: a mapping, or pairs if a name repeats with other names in between. The type of the values is not
#: narrower, so that type checkers accept a literal such as ``{"Event": "Hangup", "Cause": 19}``.
Headers = Union[Mapping[str, object], Sequence[tuple[str, object]]]


class Later:
    """An answer that comes later. The session reads no further action until :meth:`set` is called.

    Return one from a scripted callable, and call ``set`` later.
    """

    def __init__(self) -> None:
        self._answers: list[Answer] = []
        self._callback: Optional[Callable[[Answer], object]] = None

    def set(self, answer: Answer) -> None:
        """Set the answer. Raises RuntimeError at a second call."""
        if self._answers:
            raise RuntimeError("this action is already answered")
        self._answers.append(answer)
        if self._callback is not None:
            self._callback(answer)

    def then(self, callback: Callable[[Answer], object]) -> None:
        """Call ``callback(answer)`` when the answer is set. If it already is, call it at once."""
        self._callback = callback
        for answer in self._answers:
            callback(answer)


class Cut:
    """An answer during which the connection ends.

    ``after`` says where: after this many bytes, after the first occurrence of this text or these bytes, or, if it is
    None, after the whole answer. With ``reset``, the client sees "connection reset" instead of an end of file.
    """

    def __init__(self, answer: Answer, after: Union[int, str, bytes, None] = None, *, reset: bool = False) -> None:
        self.answer = answer
        self.after = after
        self.reset = reset

    def encode(self, action_id: str) -> bytes:
        """Return the bytes that are still sent. Raises ValueError if the place is not in the answer."""
        data = encode_answer(self.answer, action_id)
        if self.after is None or isinstance(self.after, int):
            return data[: self.after]
        mark = encode_answer(self.after)
        head, found, _ = data.partition(mark)
        if not found:
            raise ValueError(f"the answer cannot be cut after {self.after!r}, which it does not contain: {data!r}")
        return head + mark


#: What the server answers: nothing (None), bytes or text unchanged, one packet, several packets, a :class:`Later` for
#: one of these, or a :class:`Cut`.
Answer = Union[None, bytes, str, Headers, Sequence[Mapping[str, object]], Later, Cut]
#: Means the server's built-in answer.
BUILT_IN: Answer = NotImplemented
#: An answer, or a callable ``(request) -> answer``; NotImplemented means the built-in answer.
Script = Union[Answer, Callable[[Request], Answer]]


def check_answer(answer: Script) -> None:
    """Raise TypeError for anything but an answer: in the test's call, not in the later request."""
    if isinstance(answer, Cut):
        check_answer(answer.answer)
    elif answer is not BUILT_IN and not callable(answer) and not isinstance(answer, Later):
        encode_answer(answer)


def encode_packet(headers: Headers, action_id: str = "") -> bytes:
    """Encode a packet with its blank line. Raises TypeError for anything else.

    ``action_id`` is inserted after the first header, as Asterisk does, unless the packet has an ActionID of its own
    (None leaves it out).
    """
    pairs = list(_pairs(headers))
    if action_id and not any(fold_name(name) == "actionid" for name, _ in pairs):
        pairs.insert(1, ("ActionID", action_id))
    lines = [f"{name}: {text}\r\n" for name, value in pairs for text in _texts(value)]
    return "".join([*lines, "\r\n"]).encode("utf-8", "surrogateescape")


def encode_answer(answer: Answer, action_id: str = "") -> bytes:
    """Encode an answer that is set. ``action_id`` is added to each packet.

    Raises TypeError for anything else.
    """
    if answer is None:
        return b""
    if isinstance(answer, Later):
        raise TypeError("an answer that comes later cannot be encoded yet")
    if isinstance(answer, Cut):
        return answer.encode(action_id)
    if isinstance(answer, Sequence):
        packets = [packet for packet in answer if isinstance(packet, Mapping)]
        if len(packets) == len(answer):
            return b"".join(encode_packet(packet, action_id) for packet in packets)
    return encode_event(cast("Union[bytes, str, Headers]", answer), action_id)


def encode_event(event: Union[bytes, str, Headers], action_id: str = "") -> bytes:
    """Encode a packet, or text unchanged. Raises TypeError for anything else."""
    if isinstance(event, bytes):
        return event
    if isinstance(event, str):
        return event.encode("utf-8", "surrogateescape")
    return encode_packet(event, action_id)


def find(headers: Headers, name: str) -> Optional[str]:
    """Return the first value of header ``name`` as text, or None. Case is ignored."""
    for key, value in _pairs(headers):
        if fold_name(key) == fold_name(name):
            return next(iter(_texts(value)), None)
    return None


def listing(message: str, entries: Sequence[Mapping[str, object]], complete: str) -> list[dict[str, object]]:
    """Return a list as Asterisk sends it: the Response, ``entries``, the event named ``complete``."""
    start: dict[str, object] = {"Response": "Success", "EventList": "start", "Message": message}
    end: dict[str, object] = {"Event": complete, "EventList": "Complete", "ListItems": len(entries)}
    return [start, *map(dict, entries), end]


def error(message: str) -> Answer:
    """Return a ``Response: Error``."""
    return {"Response": "Error", "Message": message}


def success(message: str) -> Answer:
    """Return a ``Response: Success`` with a message."""
    return {"Response": "Success", "Message": message}


def _pairs(headers: Headers) -> Iterable[tuple[str, object]]:
    if isinstance(headers, Mapping):
        return headers.items()
    if isinstance(headers, Sequence) and all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in headers):
        return headers
    raise TypeError(f"a packet must be a mapping of headers, or pairs of a name and a value, not {headers!r}")


def _texts(value: object) -> list[str]:
    if value is None:
        return []
    if isinstance(value, (str, int, float)):
        return [str(value)]
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [str(item) for item in value]
    raise TypeError(f"a header's value must be a text, a number, a list of them, or None, not {value!r}")
