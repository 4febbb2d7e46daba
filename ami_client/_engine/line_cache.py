"""Header lines: from bytes to name and value. No I/O here."""

from __future__ import annotations

import re
from typing import Callable, Optional, TypeVar

from .text import ENCODING, ENCODING_ERRORS, TRIMMED

# Headers and values that keep their case, compared without it (phpDaemon Pool::$safeCaseValues).
KEEP_CASE = ("dialstring", "callerid", "connectedline")
_KEEP_FIRST = "".join({word[0] for word in KEEP_CASE})  # to look for the first letter first takes a third of the time

# Of the header lines of a busy server 96% were there a moment ago, and looking one up costs a tenth of reading it. The
# memos are shared by all connections; what they may hold is bounded, as a server may send anything: about 5 MB each.
MEMO_SIZE = 8192  # lines
MEMO_LONGEST = 128  # bytes of a line


def split_line(line: str) -> tuple[str, str]:
    """Name and value as they were sent."""
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
    """A value in lower case, trimmed."""
    return value.lower().decode(ENCODING, ENCODING_ERRORS).strip(TRIMMED)


# -- what may be a secret

#: What names of secrets hold, and what stands before a secret in a text: a regular expression, for lower case.
#: Recordings are cleaned by it, so nothing is in it that harmless things are called by too. Each word begins with a
#: letter, not with a group: the search for all of them takes half the time then.
SECRET_WORDS = (
    r"secret|passw|pass[-_. ]?phrase|pass[-_. ]?code|pwd|md5|token|credential|authorization"
    r"|auth[-_. ]?key|api[-_. ]?key|private[-_. ]?key|priv[-_. ]?key"
)
# To take one word too many costs little here: the line is read again the next time. "Ping" and "pinned" are none.
_HINT = rf"{SECRET_WORDS}|auth|bearer|cookie|pass(?![a-z])|pin(?![gn])"
_hints = re.compile(_HINT).search
# An address that a password may be in: `sip:joe:x@host`, `SIP/joe:x@host`.
_has_password = re.compile(r"[/:][^/:@]*:[^@]*@").search
# Names that say nothing of what they hold: a variable's value (VarSet, Getvar), one of the database, what a command
# printed, a line of a file. And the security events' hashes, by which a secret could be guessed at leisure.
_is_holder = re.compile(
    r"value|val|output|json|line-\d+(?:-\d+)?|challenge|receivedchallenge|receivedhash|expectedresponse"
).fullmatch
# What an application is told: of Authenticate it is the digits that are to be dialled.
_is_told = re.compile(r"appdata|applicationdata").fullmatch
# Names of whose values a secret is no part. They change with each call, as few others do, and so are worth the trouble.
_is_of_calls = re.compile(r"actionid|[a-z]*(?:uniqueid|linkedid|channel|callid|calleridnum|connectedlinenum)").fullmatch
_is_word = re.compile(r"(?:event: *)?[a-z_-]+").fullmatch

# Each tells of a value in lower case whether it may be a secret, or hold one.
Suspicion = Callable[[str], object]
_anything: Suspicion = re.compile(r".", re.DOTALL).match
_not_one_character: Suspicion = re.compile(r"..", re.DOTALL).match
_code: Suspicion = re.compile(rf"(?<![^,])[0-9*#]{{3,}}(?![^,])|{_HINT}").search


def may_be_secret(text: str) -> bool:
    """Whether a text, in lower case, looks as if it were a secret's name or held a secret."""
    return _hints(text) is not None or _has_password(text) is not None


def _suspicion(name: str) -> Optional[Suspicion]:
    """What to ask about the values of a header, by its name in lower case; None for those that are harmless."""
    if may_be_secret(name):
        return _anything
    if _is_holder(name):
        return _not_one_character
    if _is_told(name):
        return _code
    return None if _is_of_calls(name) else _hints


Key = TypeVar("Key", str, bytes)
Value = TypeVar("Value")


class Memo(dict[Key, Value]):
    """What was computed once, at most ``size`` of it: when it is full it begins anew. No key is long, none a secret."""

    size = MEMO_SIZE

    def keep(self, key: Key, value: Value) -> None:
        """Remember a value, unless its key is too long or may hold a secret."""
        if len(key) <= MEMO_LONGEST:
            low = (key if isinstance(key, str) else key.decode(ENCODING, ENCODING_ERRORS)).lower()
            if may_be_secret(low) and not _is_word(low):  # a word alone is a name
                return
            if len(self) >= self.size:
                self.clear()
            self[key] = value


class _Names(Memo[str, tuple[str, bool, Optional[Suspicion]]]):
    """Names in lower case to what is to be known of them: the same trimmed, one object for all lines; whether values
    keep their case; what to ask about them.
    """

    def __missing__(self, name: str) -> tuple[str, bool, Optional[Suspicion]]:
        trimmed = name.strip(TRIMMED)
        is_long = len(name) > MEMO_LONGEST  # its line is not kept anyhow, and to look at all of it may take long
        known = trimmed, trimmed.startswith(KEEP_CASE), None if is_long else _suspicion(trimmed)
        self.keep(name, known)
        return known


_NAMES = _Names()


class HeaderMemo(Memo[bytes, tuple[str, str]]):
    """Lines to name and value for the dict view, trimmed, with the case they were sent in: computed at the first look.

    What may be a secret is not kept.
    """

    _fold_case = False

    def __missing__(self, line: bytes) -> tuple[str, str]:
        # bytes.lower() knows ASCII letters only, which is the rule; str.lower() would change others too.
        try:
            name, low = line.lower().decode().split(": ", 1)
        except ValueError:  # no such separator, or no UTF-8
            return self._read_odd(line)
        name, keeps_case, suspicion = _NAMES[name]
        value = low = low.strip(TRIMMED)
        if keeps_case or not self._fold_case or (low[:1] in _KEEP_FIRST and low.startswith(KEEP_CASE)):
            value = line.decode().split(": ", 1)[1].strip(TRIMMED)
        header = name, value
        if len(line) <= MEMO_LONGEST:  # keep(), written out: half of a busy server's packets have a line that is new
            if suspicion is None:
                if "\n" in low:  # a value that holds lines of its own
                    return header
            elif suspicion(low) or ("@" in low and _has_password(low)):
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
    """As its base, in lower case but for what keeps its case."""

    _fold_case = True


MEMOS: dict[bool, HeaderMemo] = {True: FoldingMemo(), False: HeaderMemo()}


class FirstLines(Memo[bytes, Optional[str]]):
    """A packet's first line, as servers write it, to the name of the event, and to ``""`` for a Response.

    None stands for what takes a closer look.
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
