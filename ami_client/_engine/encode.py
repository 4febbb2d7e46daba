"""Encodes actions. No I/O here.

Sources: Asterisk main/manager.c; phpDaemon Clients/Asterisk/Connection.php (command, implodeParams).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Optional, Union

from .text import ENCODING, ENCODING_ERRORS, TRIMMED, ascii_lower

# Asterisk answers a longer line with "line too long", and drops or refuses the 129th and later lines (manager.c,
# get_input, do_message, AST_MAX_MANHEADERS). List answers copy the ActionID into fixed buffers.
MAX_LINE = 1022
MAX_LINES = 128
MAX_ACTION_ID = 67

# Values are str, bytes, int, float, bool, None, an iterable of these or a mapping to these. The type is only object,
# because type checkers infer Mapping[str, object] for a literal such as {"Channel": "SIP/1", "Priority": 1}.
Params = Union[Mapping[str, object], Iterable[tuple[str, object]]]


END = b"\r\n\r\n"  # of an action


def first_line(action: str) -> bytes:
    """Return the encoded ``Action`` header with its line end. Empty for an unusual name."""
    is_usual = action.isascii() and action.isalpha() and len(action) <= 50
    return b"Action: %b\r\n" % action.encode() if is_usual else b""


def encode_action(action: str, params: Optional[Params] = None, action_id: Optional[str] = None) -> bytes:
    """Encode an action: ``Action`` first, then ``params`` in order, ``ActionID`` last.

    Names and values are trimmed. A list value repeats the header. A mapping value becomes one header ``k=v`` per item,
    with values quoted as the server splits ``Variable``. None is left out. A bool becomes ``true`` or ``false``.

    Raises ValueError for CR, LF or NUL inside a name or value, for a name that is empty or contains a colon, and for
    data that the server would truncate: a line of more than 1,022 bytes, more than 128 lines, an ActionID of more than
    67 bytes. Raises TypeError for values of other types. The message never shows a value.
    """
    headers = [("Action", _text("Action", action))]
    for name, value in pairs_of(params):
        headers += [(_text("", name), text) for text in _values(name, value)]
    if not headers[0][1]:
        raise ValueError("an action needs a name")
    if action_id is not None:
        headers.append(("ActionID", action_id))
        if len(action_id.encode(ENCODING, ENCODING_ERRORS)) > MAX_ACTION_ID:
            raise ValueError(f"ActionID is longer than {MAX_ACTION_ID} bytes: Asterisk's list answers would break")
    return encode_headers(headers)


def encode_headers(headers: Iterable[tuple[str, str]]) -> bytes:
    """Encode a message without trimming values. Raises the same ValueErrors as :func:`encode_action`."""
    lines = [_line(name, text) for name, text in headers]
    if len(lines) > MAX_LINES:
        raise ValueError(
            f"an action may have at most {MAX_LINES} lines, this one has {len(lines)}: Asterisk would refuse it"
        )
    return b"\r\n".join(lines) + b"\r\n\r\n"


def encode_event(event: str, headers: Iterable[tuple[str, object]]) -> bytes:
    """Encode an event as a server sends it, without the blank line. No limits apply to servers.

    Values are as in :func:`encode_action`. Raises ValueError for CR LF in a name or value, because it would end the
    line.
    """
    pairs: list[tuple[str, object]] = [("Event", event), *headers]
    lines = [f"{_text('', name)}: {text}" for name, value in pairs for text in _values(name, value)]
    if any("\r\n" in line for line in lines):
        raise ValueError("CR LF in a header: it would forge other headers")
    return "\r\n".join(lines).encode(ENCODING, ENCODING_ERRORS)


def pairs_of(params: Optional[Params], what: str = "params") -> list[tuple[str, object]]:
    """Return ``params`` as ``(name, value)`` pairs, in order. Raises TypeError if it is neither a mapping nor pairs."""
    if params is None:
        return []
    if isinstance(params, Mapping):
        return list(params.items())
    if isinstance(params, (str, bytes)) or not isinstance(params, Iterable):
        raise TypeError(f"{what} must be a mapping or a sequence of (name, value) pairs, not {type(params).__name__}")
    pairs = list(params)
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(f"{what} must be a mapping or a sequence of (name, value) pairs; {_kind(pair)} is no pair")
    return pairs


def fold_name(name: object) -> str:
    """Return a header name as the server compares it: trimmed, in ASCII lower case. ``name`` may be of any type."""
    if isinstance(name, bytes):
        name = name.decode(ENCODING, ENCODING_ERRORS)
    return ascii_lower(str(name).strip(TRIMMED))


def first_value(pairs: Iterable[tuple[str, object]], name: str) -> Optional[str]:
    """Return the text of the first header of that name, which is the one the server uses. None if there is none."""
    texts = (text for key, value in pairs if fold_name(key) == name for text in _values(name, value))
    return next(texts, None)


def take_action_id(params: Optional[Params]) -> tuple[Optional[str], list[tuple[str, object]]]:
    """Return the caller's own ActionID, None if ``params`` has none, and the other params."""
    pairs = pairs_of(params)
    own = [value for name, value in pairs if fold_name(name) == "actionid" and value is not None]
    if not own:
        return None, pairs
    if len(own) > 1 or not isinstance(own[0], (str, bytes, int)) or not _text("ActionID", own[0]):
        raise ValueError("your own ActionID must be one text that is not empty")
    return _text("ActionID", own[0]), [(name, value) for name, value in pairs if fold_name(name) != "actionid"]


def _values(name: str, value: object) -> list[str]:
    if value is None:
        return []
    if isinstance(value, Mapping):
        return [f"{_key(name, k)}={_quote(_text(name, v))}" for k, v in value.items() if v is not None]
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return [_text(name, item) for item in value if item is not None]
    return [_text(name, value)]


def _key(name: str, key: object) -> str:
    text = _text(name, key)
    if not text or "=" in text:
        raise ValueError(f"header {name!r} takes a mapping {{name: value}}; {text!r} is no name of a variable")
    return text


def _text(name: str, value: object) -> str:
    """A value of the header ``name`` as text; the name itself if that is empty."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode(ENCODING, ENCODING_ERRORS).strip(TRIMMED)
    if isinstance(value, (str, int, float)):
        return str(value).strip(TRIMMED)
    if not name:
        raise TypeError(f"the name of a header must be a str, not {type(value).__name__}")
    raise TypeError(
        f"header {name!r} cannot hold {_kind(value)}: pass str, bytes, int, float, bool or None, a list of these, "
        "or a mapping {name: value} of these"
    )


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _quote(value: str) -> str:
    # manager.c splits Variable with AST_STANDARD_APP_ARGS, which splits at commas and removes quotes and backslashes.
    for special in '\\",':
        value = value.replace(special, "\\" + special)
    return value


def _line(name: str, text: str) -> bytes:
    if not name or ":" in name:
        raise ValueError(f"{name!r} is not a header name")
    try:
        line = f"{name}: {text}".encode(ENCODING, ENCODING_ERRORS)
    except UnicodeEncodeError:
        raise ValueError(f"header {name!r} contains a lone surrogate, which is not a character") from None
    if b"\r" in line or b"\n" in line or b"\0" in line:
        raise ValueError(f"CR, LF or NUL in header {name!r}: it would inject other headers or actions")
    if len(line) > MAX_LINE:
        raise ValueError(f"header {name!r} makes a line of {len(line)} bytes; Asterisk accepts at most {MAX_LINE}")
    return line
