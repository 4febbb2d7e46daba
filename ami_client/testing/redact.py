"""Finds secrets by name, and replaces them.

docs/testing.rst lists these names, for people who share recordings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .._engine.line_cache import SECRET_WORDS
from .._engine.text import ENCODING, ENCODING_ERRORS

#: The replacement of a secret.
REMOVED = "[removed]"

# Names of secrets.
_WORD = rf"(?:{SECRET_WORDS}|(?<![a-z])pin(?![a-z]))"
_SECRET = re.compile(_WORD, re.IGNORECASE)
# In security events. They would allow offline guessing of a secret.
_HASHES = frozenset({"challenge", "receivedchallenge", "receivedhash", "expectedresponse"})
# These only tell whether there is a secret.
_HARMLESS = re.compile(r"usingpassword|\w*exist", re.IGNORECASE)

# `PASSWORD=x` and `secret : x`, anywhere in a line. The rest of the line is removed, because a secret may contain
# anything. Bounded lengths, here and below, bound the search time for any input.
_ASSIGNMENT = re.compile(rf"({_WORD}[\w\-.)\] \t]{{0,60}}?(?::|=>?)\s*)(\S.*)", re.IGNORECASE)
# Asterisk escapes the quotes in some values.
_JSON_MEMBER = re.compile(
    rf'("[^"]*{_WORD}[^"]*"\s*:\s*)(?:(\\?")(?:(?!\2)(?:\\.|[^"\\]))*\2|-?\d[\d.eE+-]*)', re.IGNORECASE
)
# `tcp://user:x@host`, `sip:user:x@host`, `register => user:x@host`, `IAX2/user:x@host`
_IN_ADDRESS = re.compile(
    r"""((?:://|sips?:|register\s*=>?\s*|(?:pj)?sip/|iax2/)[^:@/\s"(),]{0,256}:)[^\s"]{1,256}(?=@)""", re.IGNORECASE
)
# A column title, as in `sip show users`.
_COLUMN = re.compile(r"(?<=\s\s)(?:md5)?(?:secret|password)(?=\s\s|\s*$)\s*", re.IGNORECASE)

# Everything above begins with one of these. Checking for them first takes a third of the time.
_SUSPECT = re.compile(
    rf"{_WORD}|challenge|hash|expectedresponse|login|authenticate|://|sips?[:/]|iax2/|register".encode(), re.IGNORECASE
)

# Pairs of headers: the first has the name of the value that is in the second, such as `Variable: PASSWORD`, `Value: x`.
_NAMING = re.compile(r"(variable|key|var-\d+|action|application)", re.IGNORECASE)
_HOLDERS = {"variable": {"value"}, "key": {"val"}}


def is_secret(name: str) -> bool:
    """Return whether ``name`` is the name of a secret."""
    return _SECRET.search(name) is not None and not _HARMLESS.fullmatch(name.strip())


def redact(data: bytes) -> bytes:
    """Return a packet or request with :data:`REMOVED` in place of everything that looks like a secret."""
    if not _SUSPECT.search(data):
        return data
    lines = data.decode(ENCODING, ENCODING_ERRORS).split("\n")
    holders = _holders(lines)
    column = slice(0, 0)  # the column of secrets in a table
    for number, line in enumerate(lines):
        text = line.rstrip("\r")
        end = line[len(text) :]
        name, colon, value = text.partition(":")
        if colon and value.strip() and _is_to_go(name, value.strip(), holders):
            blank = value[: len(value) - len(value.lstrip())]
            text = f"{name}:{blank}{REMOVED}"
        else:
            text = _without_cell(text, column)
            column = _find_column(text) or column
            text = _JSON_MEMBER.sub(_member, text)
            text = _in_value(name + colon, text[len(name + colon) :])
        lines[number] = text + end
    return "\n".join(lines).encode(ENCODING, ENCODING_ERRORS)


def _is_to_go(name: str, value: str, holders: set[str]) -> bool:
    if name.strip().lower() in _HASHES:
        return " " not in value  # ListCommands describes Challenge
    return is_secret(name) or name.strip().lower() in holders


def _in_value(head: str, value: str) -> str:
    if not value.lstrip().startswith("{"):  # the members of JSON were handled above
        value = _ASSIGNMENT.sub(_assigned, value)
    return head + _IN_ADDRESS.sub(rf"\1{REMOVED}", value)


def _member(found: re.Match[str]) -> str:
    quote = found.group(2) or '"'
    return f"{found.group(1)}{quote}{REMOVED}{quote}"


def _assigned(found: re.Match[str]) -> str:
    name = found.group(1).rstrip(" :=>")
    return found.group() if _HARMLESS.fullmatch(name) else found.group(1) + REMOVED


def _holders(lines: Iterable[str]) -> set[str]:
    """Return the names, in lower case, of headers whose value is secret because of the name in another header."""
    holders = set()
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        if not _NAMING.fullmatch(name):
            continue
        if name == "action":
            holders |= {"key"} if value.lower() == "login" else set()
        elif name == "application":  # the secret is its argument
            holders |= {"appdata", "applicationdata", "data"} if value.lower() == "authenticate" else set()
        elif is_secret(value) and "=" not in value:
            holders |= _HOLDERS.get(name) or {name.replace("var-", "value-"), name.replace("var-", "match-")}
    return holders


def _find_column(text: str) -> slice:
    found = _COLUMN.search(text)
    if found is None:
        return slice(0, 0)
    return slice(found.start(), found.end() if found.end() < len(text) else None)


def _without_cell(text: str, column: slice) -> str:
    cell = text[column]
    if not cell.strip():
        return text
    return text[: column.start] + REMOVED.ljust(len(cell)) + text[column.start + len(cell) :]
