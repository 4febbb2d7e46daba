"""The catalogue's facts about each action and event: servers, modules, privileges, headers.

The facts are in ``actions.json`` and ``events.json``, which ``python3 tasks.py catalogue`` generates.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Optional

from .._engine.text import ascii_lower

#: Headers that any event may have: manager.c. The last ones belong to lists.
COMMON = frozenset(
    (
        *("event", "privilege", "timestamp", "sequencenumber", "file", "line", "func", "systemname"),
        *("actionid", "eventlist", "listitems"),
    )
)
_CHANNEL_VARIABLE = re.compile(r"[a-z]*chanvariable(\(.*\))?")
_DIGITS = re.compile(r"\d+")


class Header(NamedTuple):
    """A parameter of an action, or a header of an event.

    Attributes:
        name: as servers write it.
        kind: the type of its values in the documentation: ``text``, ``number``, ``flag``, ``seconds``,
            ``milliseconds``, ``time`` or ``words``.
        required: whether the action needs it.
        repeated: whether it may occur more than once.
        numbered: whether its digits count up: ``Action-000000``, ``Action-000001``, ...
        values: for words, the values that the documentation lists.
        servers: the servers that document it. None means all that have the message; an empty tuple means that
            servers send it, but none documents it.
    """

    name: str
    kind: str = "text"
    required: bool = False
    repeated: bool = False
    numbered: bool = False
    values: tuple[str, ...] = ()
    servers: Optional[tuple[str, ...]] = None

    @property
    def is_parameter(self) -> bool:
        """Whether an action's class accepts it as a keyword."""
        return self.name.isidentifier() and not keyword.iskeyword(self.name) and self.name != "ActionID"


class Message(NamedTuple):
    """An action or an event.

    Attributes:
        name: as servers write it.
        servers: the versions of Asterisk that have it: ``16``, ``22``.
        modules: the Asterisk modules that it belongs to.
        privilege: classes of manager.conf. An action needs one of them; an event belongs to all of them. Empty if
            no server documents it.
        since: the versions of Asterisk that introduced it, one for each series.
        headers: its parameters or headers.
        documented: False for an event that servers send, but none documents.
    """

    name: str
    servers: tuple[str, ...]
    modules: tuple[str, ...] = ()
    privilege: tuple[str, ...] = ()
    since: tuple[str, ...] = ()
    headers: tuple[Header, ...] = ()
    documented: bool = True

    @property
    def class_name(self) -> str:
        """The name of its Python class: ``AOC_D`` for ``AOC-D``."""
        return self.name.replace("-", "_")

    @property
    def summary(self) -> str:
        """The facts about it, except its headers, in one line."""
        parts = [f"Asterisk {' and '.join(self.servers)}"]
        parts += ["undocumented"] * (not self.documented)
        parts += [f"since {', '.join(self.since)}"] * bool(self.since)
        parts += [f"module {', '.join(self.modules)}"] * bool(self.modules)
        parts += [f"class {', '.join(self.privilege)}"] * bool(self.privilege)
        return "; ".join(parts) + "."

    def knows(self, header: str) -> bool:
        """Return whether servers send this header with this event, as far as is known. A UserEvent may have any."""
        folded = _fold(header)
        if self.name == "UserEvent" or folded in COMMON or _CHANNEL_VARIABLE.fullmatch(folded):
            return True
        return any(_fold(one.name) == folded for one in self.headers)


def _fold(header: str) -> str:
    """Return a name for comparison: in lower case, without numbers."""
    return _DIGITS.sub("0", ascii_lower(header))


class Catalogue:
    """Messages by name, read from a file on first use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._made: dict[str, Message] = {}

    @cached_property
    def _facts(self) -> dict[str, Any]:
        import json  # only needed if a class is used

        facts: dict[str, Any] = json.loads(self._path.read_bytes())["messages"]
        return facts

    @cached_property
    def _folded(self) -> dict[str, str]:
        return {ascii_lower(name): name for name in self._facts}

    @cached_property
    def by_class(self) -> dict[str, str]:
        """The names of all messages, by the names of their Python classes."""
        return {name.replace("-", "_"): name for name in self._facts}

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def find(self, name: str) -> Optional[Message]:
        """Return the message of that name, or None. Case is ignored."""
        known = self._folded.get(ascii_lower(name))
        return None if known is None else self[known]

    def __getitem__(self, name: str) -> Message:
        if name not in self._made:
            facts = dict(self._facts[name])
            headers = tuple(Header(**_tuples(header)) for header in facts.pop("headers"))
            self._made[name] = Message(name, **_tuples(facts), headers=headers)
        return self._made[name]


def _tuples(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()}


def named(catalogue: Catalogue, name: str, module: str) -> Message:
    """Return the message of a class. Raises an AttributeError that suggests the nearest name, as modules do."""
    if name.startswith("__"):  # Python looks up such names in modules
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    if name not in catalogue.by_class:
        import difflib  # needed for this message only

        known = {one.lower(): one for one in catalogue.by_class}
        (nearest,) = difflib.get_close_matches(name.lower(), known, 1, 0)
        raise AttributeError(f"{module} has no {name!r}; did you mean {known[nearest]!r}?")
    return catalogue[catalogue.by_class[name]]


_HERE = Path(__file__).parent
ACTIONS = Catalogue(_HERE / "actions.json")
EVENTS = Catalogue(_HERE / "events.json")
