"""Imports go downward only, TYPE_CHECKING imports and those inside functions included."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

from cases import for_each

import ami_client

PACKAGE = Path(ami_client.__file__).parent

# Bottom to top. A file imports what lies below its layer, and inside its layer nothing goes in circles.
LAYERS = {
    "ground": "_clash _fork _platform _record _version callbacks errors loop php stats tasks url",
    "protocol": "_engine",
    "what users say and get": "filters messages options packet signatures",
    "transport": "_transport",
    "doors to one connection": "actions emitter reactor",
    "client": "_client",
    "doors to all connections": "connection pool",
    "front door": "__init__ _public",
    "fronts": "_fronts",
    "what is going on": "model",
    "built on top": "agi aio blocking catalogue prometheus testing demo forward web cli __main__",
}
RANKS = {name: rank for rank, names in enumerate(LAYERS.values()) for name in names.split()}

MODULES = sorted(path for path in PACKAGE.rglob("*.py"))

# Bytes in, packets out: what knows no I/O.
PURE = ("_engine", "_record", "errors", "loop", "php", "stats", "url")
PURE_MODEL = ("calls", "endpoints", "headers", "live", "mappings", "picture", "queues", "reasons", "records")
FORBIDDEN = {"socket", "ssl", "selectors", "select", "time", "logging", "pyee", "asyncio", "threading", "os", "random"}


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
            if base[:1] == ["ami_client"]:  # `from .x import y`: y may be a module, or a name of x
                yield from (".".join([*base, alias.name]) for alias in node.names)
            else:
                yield ".".join(base)


def name_of(path: Path) -> str:
    """A module as its importers name it, without the package's name: ``cli.app``, ``packet``."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


NAMES = {name_of(path): path for path in MODULES}


@cache
def used_by(path: Path) -> set[str]:
    """Modules of ours that a file imports."""
    ours = [name.partition(".")[2] for name in imports(path) if name.split(".")[0] == "ami_client"]
    return {next((one for one in (name, name.rpartition(".")[0]) if one in NAMES), "__init__") for name in ours if name}


def layer_of(name: str) -> int:
    return RANKS[name.split(".")[0]]


def standard_and_foreign(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


@for_each("name", NAMES)
def test_each_file_has_its_layer_and_imports_go_downward(name: str) -> None:
    assert name.split(".")[0] in RANKS, "a module without a place among the layers"
    assert {used for used in used_by(NAMES[name]) if layer_of(used) > layer_of(name)} == set()


@for_each("layer", LAYERS)
def test_inside_a_layer_nothing_goes_in_circles(layer: str) -> None:
    inside = {name for name in NAMES if layer_of(name) == list(LAYERS).index(layer)}
    graph = {name: (used_by(NAMES[name]) & inside) - {name} for name in inside}
    TopologicalSorter(graph).prepare()  # raises CycleError


def is_pure(name: str) -> bool:
    return name.split(".")[0] in PURE or name in [f"model.{one}" for one in PURE_MODEL]


@for_each("name", [name for name in NAMES if is_pure(name)])
def test_modules_without_io_know_none_of_it(name: str) -> None:
    assert standard_and_foreign(NAMES[name]) & FORBIDDEN == set()
    assert all(map(is_pure, used_by(NAMES[name])))


def test_pyee_is_all_that_the_core_depends_on() -> None:
    core = [path for name, path in NAMES.items() if layer_of(name) <= RANKS["__init__"]]
    foreign = {(name, path) for path in core for name in standard_and_foreign(path) if is_foreign(name)}
    # Type checkers bring typing_extensions along; nothing imports it when the program runs.
    assert {name for name, _ in foreign} == {"pyee", "typing_extensions"}
    assert {name for name, path in foreign if name in imports_at_run_time(path)} == {"pyee"}


def imports_at_run_time(path: Path) -> set[str]:
    """The top names of what a file imports outside of ``if TYPE_CHECKING:``."""
    return run_time_imports_in(path.read_text(encoding="utf-8"))


def run_time_imports_in(source: str) -> set[str]:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    return {name.split(".")[0] for name in imports_in(ast.unparse(tree), ("ami_client", "cli"))}


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
        "ami_client.cli.packet",
        "ami_client.pool",
        "ami_client.testing.script.Answer",
        "socket",
        "time",
        "ami_client.Reactor",
        "ami_client.reactor",
        "ami_client.url",
    }


def test_the_check_knows_what_only_type_checkers_import() -> None:
    assert run_time_imports_in(SOURCE) == {"typing", "ami_client", "time"}
