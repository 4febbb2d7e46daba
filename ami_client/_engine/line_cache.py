"""Parses header lines into name and value, with caches. No I/O here."""

from __future__ import annotations

import re
from operator import itemgetter
from typing import Callable, Optional, TypeVar

from .text import ENCODING, ENCODING_ERRORS, TRIMMED

# Prefixes of headers and values that keep their case, in lower case (phpDaemon Pool::$safeCaseValues).
KEEP_CASE = ("dialstring", "callerid", "connectedline")

# On a busy server, 96% of header lines repeat recent ones. Without the cache, an event would cost four times as much
# (benchmark a). All connections share the caches. A server may send anything, so each cache is bounded, to about 5 MB.
MEMO_SIZE = 8192  # lines
MEMO_LONGEST = 128  # bytes per line


def split_line(line: str) -> tuple[str, str]:
    """Split a header line into name and value, both as sent."""
    name, separator, value = line.partition(": ")
    if not separator:
        name, _, value = line.partition(":")
    return name, value


def _fold(line: bytes, low: str, fold_case: bool) -> tuple[str, str]:
    name, separator, value = low.partition(": ")
    if not separator:
        name, separator, value = low.partition(":")
    start = len(name) + len(separator)
    name = name.strip(TRIMMED)
    value = value.strip(TRIMMED)
    if not fold_case or name.startswith(KEEP_CASE) or value.startswith(KEEP_CASE):
        value = line.decode(ENCODING, ENCODING_ERRORS)[start:].strip(TRIMMED)
    return name, value


def fold_value(value: bytes) -> str:
    """Decode a value, trimmed and in lower case."""
    return value.lower().decode(ENCODING, ENCODING_ERRORS).strip(TRIMMED)


# -- possible secrets

#: Words in the names of secrets, or before a secret in a text: a regular expression for lower-case text. Recordings are
#: redacted with it, so it has no words that harmless headers use too.
SECRET_WORDS = (
    r"secret|passw|pass[-_. ]?phrase|pass[-_. ]?code|pwd|md5|token|credential|authorization"
    r"|auth[-_. ]?key|api[-_. ]?key|private[-_. ]?key|priv[-_. ]?key"
)
# A false positive costs little here: the line is parsed again next time. "Ping" and "pinned" are excluded.
_HINT = rf"{SECRET_WORDS}|auth|bearer|cookie|pass(?![a-z])|pin(?![gn])"
# An address that may contain a password: `sip:joe:x@host`, `SIP/joe:x@host`.
_PASSWORD = r"[/:][^/:@]*:[^@]*@"
# Names that say nothing about their values: the value of a variable (VarSet, Getvar) or a database key, a command's
# output, a line of a file. Also the hashes in security events, which allow offline guessing of a secret.
_HOLDER = r"value|val|output|json|line-\d+(?:-\d+)?|challenge|receivedchallenge|receivedhash|expectedresponse"
# Arguments of an application. Those of Authenticate are the digits to dial.
_TOLD = ("appdata", "applicationdata")
# Names whose values never contain a secret, though a channel's name may look like one. Their values change with each
# call, more than most: not to search them saves 3% of new events (benchmark a, the first thousands).
_OF_CALLS = r"actionid|[a-z]*(?:uniqueid|linkedid|channel|callid|calleridnum|connectedlinenum)"
_WORD = r"(?:event: *)?[a-z_-]+"

# Tests whether a value in lower case may be or contain a secret.
Suspicion = Callable[[str], object]
_anything: Suspicion = bool
_not_one_character: Suspicion = itemgetter(slice(1, None))  # everything after the first character
_CODE = rf"(?<![^,])[0-9*#]{{3,}}(?![^,])|{_HINT}"


def may_be_secret(text: str) -> bool:
    """Return whether a lower-case text looks like the name of a secret, or may contain a secret."""
    return re.search(_HINT, text) is not None or re.search(_PASSWORD, text) is not None


def _suspicion(name: str) -> Optional[Suspicion]:
    """Return the test for the values of a header, by its lower-case name. None if its values are harmless."""
    if may_be_secret(name):
        return _anything
    if re.fullmatch(_HOLDER, name):
        return _not_one_character
    if name in _TOLD:
        return re.compile(_CODE).search
    return None if re.fullmatch(_OF_CALLS, name) else re.compile(_HINT).search


Key = TypeVar("Key", str, bytes)
Value = TypeVar("Value")


class Memo(dict[Key, Value]):
    """A cache of at most ``size`` entries, cleared when full. It keeps no long keys and no possible secrets."""

    size = MEMO_SIZE

    def keep(self, key: Key, value: Value) -> None:
        """Cache a value, unless its key is too long or may contain a secret."""
        if len(key) <= MEMO_LONGEST:
            low = (key if isinstance(key, str) else key.decode(ENCODING, ENCODING_ERRORS)).lower()
            if may_be_secret(low) and not re.fullmatch(_WORD, low):  # a single word is a name only
                return
            if len(self) >= self.size:
                self.clear()
            self[key] = value


class _Names(Memo[str, tuple[str, bool, Optional[Suspicion]]]):
    """Cache from a lower-case name to three facts.

    The facts are: the trimmed name, as one object for all lines; whether its values keep their case; the test for
    secrets. The cache saves a sixth (benchmark a).
    """

    def __missing__(self, name: str) -> tuple[str, bool, Optional[Suspicion]]:
        trimmed = name.strip(TRIMMED)
        is_long = len(name) > MEMO_LONGEST  # its line is not cached anyway, and searching it may take long
        known = trimmed, trimmed.startswith(KEEP_CASE), None if is_long else _suspicion(trimmed)
        self.keep(name, known)
        return known


_NAMES = _Names()


class BlankLine(ValueError):
    """A line begins with LF: a packet contains a blank line in the unusual spelling, CR LF LF."""


class HeaderMemo(Memo[bytes, tuple[str, str]]):
    """Cache from a header line to its name and value for the dict view, trimmed. The value keeps its case.

    Possible secrets are not cached. Raises BlankLine for a line that begins with LF.
    """

    _fold_case = False

    def __missing__(self, line: bytes) -> tuple[str, str]:
        if line.startswith(b"\n"):
            raise BlankLine(line)
        # bytes.lower() changes only ASCII letters, as required; str.lower() would change others too.
        try:
            name, separator, low = line.lower().decode().partition(": ")
        except UnicodeDecodeError:
            return self._read_odd(line)
        if not separator:
            return self._read_odd(line)
        name, keeps_case, suspicion = _NAMES[name]
        value = low = low.strip(TRIMMED)
        if keeps_case or not self._fold_case or low.startswith(KEEP_CASE):
            value = line.decode().split(": ", 1)[1].strip(TRIMMED)
        header = name, value
        if len(line) <= MEMO_LONGEST:  # keep() inlined, without its search: saves an eighth (benchmark a)
            if suspicion is None:
                if "\n" in low:  # a value with several lines
                    return header
            elif suspicion(low) or ("@" in low and re.search(_PASSWORD, low)):
                return header
            if len(self) >= self.size:
                self.clear()
            self[line] = header
        return header

    def _read_odd(self, line: bytes) -> tuple[str, str]:
        low = line.lower().decode(ENCODING, ENCODING_ERRORS)
        name, value = header = _fold(line, low, self._fold_case)
        if len(line) <= MEMO_LONGEST and not may_be_secret(low):
            suspicion = _NAMES[name][2]
            if suspicion is None or not suspicion(value.lower()):
                self.keep(line, header)
        return header


class FoldingMemo(HeaderMemo):
    """Like the base class, but values are in lower case unless :data:`KEEP_CASE` applies."""

    _fold_case = True


MEMOS: dict[bool, HeaderMemo] = {True: FoldingMemo(), False: HeaderMemo()}


class FirstLines(Memo[bytes, Optional[str]]):
    """Cache from a packet's first line to the event's name, or ``""`` for a Response.

    None means that the line has an unusual form and needs closer parsing. The cache saves a tenth (benchmark a).
    """

    def __missing__(self, line: bytes) -> Optional[str]:
        name = None
        if line.startswith(b"Event: "):
            name = fold_value(line[7:]) or None
        elif line.startswith(b"Response: "):
            name = ""
        if name is not None:
            self.keep(line, name)
        return name


FIRST_LINES = FirstLines()
