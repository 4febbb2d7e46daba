"""The reference has no gaps: every public name, method, attribute, option and error is on a page.

The pages name classes and members by autodoc's directives; what these would show is worked out here from the code.
"""

from __future__ import annotations

import ast
import enum
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import ami_client
import ami_client.agi
import ami_client.testing
from ami_client.php import PHPNames, camel_case

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("*.rst"))

DIRECTIVE = re.compile(
    r"^( *)\.\. (?:auto(?:class|exception|function|data|module|method)|attribute):: ([\w.]+)", re.MULTILINE
)

#: Methods that only other parts of the library call; their docstrings say so, or stand beside those that do.
FOR_THE_LIBRARY = {
    "Connection": {
        "emit",  # EventHandlers' own
    },
    "Packet": {"has_repeats", "of_text", "split_events"},
    "Stats": {"add", "count_error", "counters"},
    "Options": {"with_params"},
    "FakeAsterisk": {"async_calls", "exchange", "login_refusal"},
}


class Directive(NamedTuple):
    """One of autodoc's directives on a page."""

    name: str
    options: dict[str, str]
    inner: set[str]

    def shows(self, member: str) -> bool:
        """Whether it shows that member of the class that it is about."""
        if member in self.inner:
            return True
        if "members" not in self.options:
            return False
        listed = words(self.options["members"])
        if listed:
            return member in listed
        cls = CLASSES[self.name]
        own = member in vars(cls) or "inherited-members" in self.options or member in fields_of(cls)
        return own and member not in words(self.options.get("exclude-members", ""))


def words(text: str) -> set[str]:
    return {word.strip() for word in text.split(",")} - {""}


def read_directives() -> dict[str, Directive]:
    """All of them, by the full name of what they describe."""
    found: dict[str, Directive] = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        matches = list(DIRECTIVE.finditer(text))
        for number, match in enumerate(matches):
            end = matches[number + 1].start() if number + 1 < len(matches) else len(text)
            block = text[match.end() : end]
            indent = re.escape(match.group(1))
            options = {
                name: re.sub(r"\s+", " ", value)
                for name, value in re.findall(
                    rf"^{indent}   :([\w-]+):((?:.*)(?:\n{indent}      +\S.*)*)", block, re.MULTILINE
                )
            }
            if match.group(1):  # a method or an attribute inside of the class before it
                list(found.values())[-1].inner.add(match.group(2))
            else:
                assert match.group(2) not in found, f"{match.group(2)} is described twice"
                found[match.group(2)] = Directive(match.group(2), options, set())
    return found


DIRECTIVES = read_directives()


def resolve(name: str) -> Any:
    """What a directive is about."""
    parts = name.split(".")
    for split in range(len(parts), 0, -1):
        try:
            value: Any = importlib.import_module(".".join(parts[:split]))
        except ModuleNotFoundError:
            continue
        for part in parts[split:]:
            value = getattr(value, part)
        return value
    raise AssertionError(f"{name} is nowhere")


def classes() -> dict[str, type]:
    """All classes that a page describes."""
    described = {name: resolve(name) for name in DIRECTIVES}
    return {name: value for name, value in described.items() if inspect.isclass(value)}


CLASSES = classes()


def is_ours(cls: type) -> bool:
    return cls.__module__.startswith("ami_client")


@cache
def source_of(cls: type) -> str:
    return textwrap.dedent(inspect.getsource(cls))


@cache
def fields_of(cls: type) -> set[str]:
    """Public attributes of the instances: fields of a dataclass, and what ``__init__`` sets."""
    found = set(getattr(cls, "__dataclass_fields__", {}))
    tree = ast.parse(source_of(cls)).body[0]
    assert isinstance(tree, ast.ClassDef)
    for function in tree.body:
        if isinstance(function, ast.FunctionDef) and function.name == "__init__":
            for node in ast.walk(function):
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                    found.add(node.attr)
    return {name for name in found if not name.startswith("_")}


def members_of(cls: type) -> set[str]:
    """Public methods, properties and class attributes, without the PHP spellings."""
    found = {name for name, value in vars(cls).items() if not name.startswith("_")}
    if issubclass(cls, PHPNames):
        found -= {camel_case(name) for base in cls.__mro__ for name in vars(base)} - {
            name for name in found if name == name.lower()
        }
        found -= {name for name in found if name != name.lower()}
    if issubclass(cls, enum.Enum):
        found &= set(cls.__members__)
    return found


def describing(cls: type) -> Iterator[Directive]:
    """The directives of a class, of those that derive from it, and of those whose methods it overrides."""
    for name, described in CLASSES.items():
        if cls in described.__mro__ or described in cls.__mro__:
            yield DIRECTIVES[name]


def told_in_docstring(cls: type, name: str) -> bool:
    return re.search(rf"``{name}``|^ *(\w+, )*{name}(, \w+)*:", cls.__doc__ or "", re.MULTILINE) is not None


def has_comment(cls: type, name: str) -> bool:
    """Whether autodoc finds a ``#:`` comment for it."""
    return re.search(rf"#:.*\n\s*(self\.)?{name}\b", source_of(cls)) is not None


def is_documented(cls: type, name: str) -> bool:
    """Whether a reader finds it: shown by a directive, with something to say."""
    if told_in_docstring(cls, name) or any(name in directive.inner for directive in describing(cls)):
        return True
    value = inspect.getattr_static(cls, name, None)
    undocumented = any("undoc-members" in directive.options for directive in describing(cls))
    function = getattr(value, "__func__", value)
    is_method = inspect.isroutine(function) or inspect.isdatadescriptor(value) or hasattr(value, "__get__")
    says_something = undocumented or (is_method and bool(value.__doc__)) or has_comment(cls, name)
    return says_something and any(directive.shows(name) for directive in describing(cls))


#: Of the testing kit; its other classes stand in for sockets and selectors, and have their many methods.
KIT = ("FakeAsterisk", "SimulatedReactor", "Recorder", "Recording")


def owners() -> list[type]:
    """All classes of ours that have a say in the public ones."""
    public = [getattr(ami_client, name) for name in ami_client.__all__]
    public += [getattr(ami_client.testing, name) for name in KIT]
    found: list[type] = []
    for cls in filter(inspect.isclass, public):
        found += [base for base in cls.__mro__ if is_ours(base) and base not in found and base is not PHPNames]
    return found


@pytest.mark.parametrize("cls", owners(), ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_every_member_of_a_public_class_is_documented(cls: type) -> None:
    hidden: set[str] = set()
    for name, names in FOR_THE_LIBRARY.items():
        public = getattr(ami_client, name, None) or getattr(ami_client.testing, name)
        if cls in public.__mro__:  # issubclass refuses protocols
            hidden |= names
    wanted = (members_of(cls) | fields_of(cls)) - hidden
    assert sorted(name for name in wanted if not is_documented(cls, name)) == []


PUBLIC = [
    *ami_client.__all__,
    *(f"agi.{one}" for one in ami_client.agi.__all__),
    *(f"testing.{one}" for one in ami_client.testing.__all__),
]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_a_directive(name: str) -> None:
    data = re.compile(rf"^\.\. data:: ami_client\.{re.escape(name)}$", re.MULTILINE)
    assert f"ami_client.{name}" in DIRECTIVES or any(data.search(page.read_text("utf-8")) for page in PAGES)


def test_every_public_name_has_a_docstring() -> None:
    for name in DIRECTIVES:
        assert inspect.getdoc(resolve(name)), name


def test_every_error_stands_in_the_tree() -> None:
    tree = ami_client.errors.__doc__ or ""
    public = [getattr(ami_client, name) for name in ami_client.__all__]
    errors = [one.__name__ for one in public if inspect.isclass(one) and issubclass(one, Exception)]
    assert errors
    assert [name for name in errors if not re.search(rf"\b{name}\b", tree)] == []
