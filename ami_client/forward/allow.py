"""Which actions a gateway carries out. No I/O here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Optional, Union

from .._engine.encode import fold_name
from ..filters import compile_glob
from .envelope import Headers

#: What a header's values must be like: a glob, or several of which each value must match one; None: it must be absent.
Values = Union[str, Sequence[str], None]
#: Names of actions, or globs; as a mapping, each with the headers that are looked at.
Allow = Union[Iterable[str], Mapping[str, Mapping[str, Values]]]


class AllowList:
    """What is allowed. Everything else is not.

    Raises TypeError for what is no such list.
    """

    def __init__(self, allow: Allow) -> None:
        if isinstance(allow, str):
            raise TypeError("allow is a sequence of names, or a mapping of names to headers")
        rules = allow if isinstance(allow, Mapping) else {name: {} for name in allow}
        self._rules = [(compile_glob(_name(name)), _headers(headers)) for name, headers in rules.items()]

    def refusal(self, action: str, params: Headers) -> Optional[str]:
        """Why an action is not allowed; None if it is."""
        named = fold_name(action)
        wrong = f"action {named!r} is not allowed"
        values: dict[str, list[str]] = {}
        for name, value in params:
            values.setdefault(fold_name(name), []).append(value.strip())
        if "action" in values or "actionid" in values:
            return "Action and ActionID are no parameters"
        for glob, headers in self._rules:
            if glob.fullmatch(named):
                bad = next((name for name, globs in headers.items() if not _fits(values.get(name, []), globs)), None)
                if bad is None:
                    return None
                wrong = f"action {named!r} is not allowed with this {bad}"
        return wrong


def _fits(values: list[str], globs: Optional[list[re.Pattern[str]]]) -> bool:
    if globs is None:
        return not values
    return bool(values) and all(any(glob.fullmatch(value) for glob in globs) for value in values)


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"the name of an action is a str, not {type(name).__name__}")
    return fold_name(name)


def _headers(headers: object) -> dict[str, Optional[list[re.Pattern[str]]]]:
    if not isinstance(headers, Mapping):
        raise TypeError(f"the headers of an action are a mapping of header to glob, not {type(headers).__name__}")
    found: dict[str, Optional[list[re.Pattern[str]]]] = {}
    for name, globs in headers.items():
        several = [globs] if isinstance(globs, str) else globs
        found[_name(name)] = None if several is None else [compile_glob(_name(glob)) for glob in several]
    return found
