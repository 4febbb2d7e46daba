"""Imports go downward only, TYPE_CHECKING imports and those inside functions included."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import ami_client

PACKAGE = Path(ami_client.__file__).parent

# Bottom to top. Those of one line are beside each other: they do not import one another.
LAYERS = """
_fork _version errors php
stats url
callbacks
events
action_ids encode
cutter headers login quirks
routes packet
state
loop
pending
deadlines greeting inflight
session
options
_wakeup
timers
reactor
stream resolver
connector
link
watchdog
actions facts owner
dispatch
intake
connection
backoff waiter
server
pool
__init__
prometheus testing
demo
cli
__main__
"""
RANKS = {name: rank for rank, line in enumerate(LAYERS.split("\n")) for name in line.split()}

MODULES = sorted(path for path in PACKAGE.rglob("*.py"))

# Bytes in, packets out: what these must not know.
PURE = """
action_ids cutter encode errors greeting headers inflight login loop packet pending php quirks session state stats url
"""
FORBIDDEN = {"socket", "ssl", "selectors", "select", "time", "logging", "pyee", "asyncio", "threading", "os", "random"}


def module_of(path: Path) -> str:
    """The layer that a file belongs to: its module, or its sub-package."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@cache
def imports(path: Path) -> set[str]:
    """The full names of all modules that a file imports anywhere in it."""
    return set(imports_in(path.read_text(encoding="utf-8"), ("ami_client", *path.relative_to(PACKAGE).parts[:-1])))


def imports_in(source: str, package: Sequence[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += node.module.split(".") if node.module else []
            if base == ["ami_client"]:  # `from ami_client import x`: a module, or a name of __init__
                yield from (f"ami_client.{alias.name}" for alias in node.names)
            else:
                yield ".".join(base)


def layers_used(path: Path) -> set[str]:
    """Layers of ours that a file imports."""
    used = [name.split(".") for name in imports(path) if name.split(".")[0] == "ami_client"]
    return {parts[1] if len(parts) > 1 and parts[1] in RANKS else "__init__" for parts in used}


def standard_and_foreign(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def id_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", MODULES, ids=id_of)
def test_imports_go_downward(path: Path) -> None:
    mine = module_of(path)
    assert mine in RANKS, "a module without a place among the layers"
    wrong = {used for used in layers_used(path) - {mine} if RANKS[used] >= RANKS[mine]}
    if mine == "__init__":
        wrong -= {"__init__"}
    assert wrong == set()


@pytest.mark.parametrize("name", PURE.split())
def test_modules_without_io_know_none_of_it(name: str) -> None:
    assert standard_and_foreign(PACKAGE / f"{name}.py") & FORBIDDEN == set()


@pytest.mark.parametrize("name", PURE.split())
def test_what_they_import_knows_none_of_it_either(name: str) -> None:
    assert layers_used(PACKAGE / f"{name}.py") <= set(PURE.split())


def test_no_circles_inside_the_testing_kit() -> None:
    prefix = "ami_client.testing."
    kit = [path for path in MODULES if path.parent.name == "testing"]
    graph = {path.stem: {n.removeprefix(prefix) for n in imports(path) if n.startswith(prefix)} for path in kit}
    assert graph["fake_asterisk"] and graph["session"]
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_pyee_is_all_that_the_core_depends_on() -> None:
    core = [path for path in MODULES if RANKS.get(module_of(path), 0) <= RANKS["__init__"]]
    assert {name for path in core for name in standard_and_foreign(path) if is_foreign(name)} == {"pyee"}


def is_foreign(name: str) -> bool:
    """Whether a module is neither ours nor Python's."""
    if name in (ami_client.__name__, *sys.builtin_module_names):
        return False
    spec = importlib.util.find_spec(name)
    return spec is None or "site-packages" in str(spec.origin)


SOURCE = """
from typing import TYPE_CHECKING
from . import packet
from .. import pool
from ..testing.script import Answer
if TYPE_CHECKING:
    import socket as s
def f():
    from time import sleep
    from ami_client import Reactor, reactor
    import ami_client.url
"""


def test_the_check_sees_imports_wherever_they_stand() -> None:
    assert set(imports_in(SOURCE, ("ami_client", "cli"))) == {
        "typing",
        "ami_client.cli",
        "ami_client.pool",
        "ami_client.testing.script",
        "socket",
        "time",
        "ami_client.Reactor",
        "ami_client.reactor",
        "ami_client.url",
    }
