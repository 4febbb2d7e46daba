"""The actions that a gateway may execute. No I/O here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Optional, Union

from .._engine.encode import fold_name
from ..filters import compile_glob
from .envelope import Headers

#: Condition for a header's values: a glob, or several of which each value must match one. None: the header must be
#: absent.
Values = Union[str, Sequence[str], None]
#: Names of actions, or globs. As a mapping, each with the headers to check.
Allow = Union[Iterable[str], Mapping[str, Mapping[str, Values]]]


class AllowList:
    """The list of allowed actions. Everything else is refused.

    Raises TypeError for an invalid list.
    """

    def __init__(self, allow: Allow) -> None:
        if isinstance(allow, str):
            raise TypeError("allow must be a sequence of names, or a mapping of names to headers")
        rules = allow if isinstance(allow, Mapping) else {name: {} for name in allow}
        self._rules = [(compile_glob(_name(name)), _headers(headers)) for name, headers in rules.items()]

    def names(self, action: str) -> bool:
        """Return whether an action of this name may be allowed, with some parameters."""
        return any(glob.fullmatch(fold_name(action)) for glob, _ in self._rules)

    def refusal(self, action: str, params: Headers) -> Optional[str]:
        """Return why an action is not allowed, or None if it is."""
        named = fold_name(action)
        wrong = f"action {named!r} is not allowed"
        values: dict[str, list[str]] = {}
        for name, value in params:
            values.setdefault(fold_name(name), []).append(value.strip())
        if "action" in values or "actionid" in values:
            return "Action and ActionID are not parameters"
        for glob, headers in self._rules:
            if glob.fullmatch(named):
                bad = next((name for name, globs in headers.items() if not _fits(values.get(name, []), globs)), None)
                if bad is None:
                    return None
                wrong = f"action {named!r} is not allowed {'with this' if bad in values else 'without'} {bad}"
        return wrong


def _fits(values: list[str], globs: Optional[list[re.Pattern[str]]]) -> bool:
    if globs is None:
        return not values
    return bool(values) and all(any(glob.fullmatch(value) for glob in globs) for value in values)


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"the name of an action must be a str, not {type(name).__name__}")
    return fold_name(name)


def _headers(headers: object) -> dict[str, Optional[list[re.Pattern[str]]]]:
    if not isinstance(headers, Mapping):
        raise TypeError(f"the headers of an action must be a mapping of header to glob, not {type(headers).__name__}")
    found: dict[str, Optional[list[re.Pattern[str]]]] = {}
    for name, globs in headers.items():
        several = [globs] if isinstance(globs, str) else globs
        found[_name(name)] = None if several is None else [compile_glob(_name(glob)) for glob in several]
    return found
