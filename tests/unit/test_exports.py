"""The public names: sorted, complete, described."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Union, get_origin

import pytest

import ami_client
from ami_client import _public

TREE = ast.parse(Path(_public.__file__).read_text(encoding="utf-8"))
IMPORTED = [
    alias.asname or alias.name for node in ast.walk(TREE) if isinstance(node, ast.ImportFrom) for alias in node.names
]


def test_all_is_sorted_and_without_repetitions() -> None:
    assert list(ami_client.__all__) == sorted(set(ami_client.__all__))


def test_all_is_complete() -> None:
    assert sorted(ami_client.__all__) == sorted(IMPORTED)


@pytest.mark.parametrize("name", ami_client.__all__)
def test_every_name_is_there_and_described(name: str) -> None:
    thing = getattr(ami_client, name)
    if name == "__version__":
        assert isinstance(thing, str)
        return
    if name == "ConnectionCallback":  # an alias has no docstring; its page describes it
        assert get_origin(thing) is Union
        return
    assert thing.__doc__, name
    assert thing.__doc__.strip()
    if inspect.isclass(thing):  # one of a base class says nothing about this one
        assert "__doc__" in vars(thing)


@pytest.mark.parametrize("name", [name for name in ami_client.__all__ if inspect.isclass(getattr(ami_client, name))])
def test_every_public_method_is_described(name: str) -> None:
    cls = getattr(ami_client, name)
    ours = [
        (attribute, value)
        for attribute, value in vars(cls).items()
        if not attribute.startswith("_") and (inspect.isroutine(value) or isinstance(value, (property, classmethod)))
    ]
    assert [attribute for attribute, value in ours if not inspect.getdoc(value)] == []


def test_every_error_is_one_of_ours() -> None:
    errors = [
        getattr(ami_client, name)
        for name in ami_client.__all__
        if inspect.isclass(getattr(ami_client, name)) and issubclass(getattr(ami_client, name), BaseException)
    ]
    assert len(errors) >= 15
    assert all(issubclass(error, ami_client.AMIError) for error in errors)
    public = [error for error in vars(ami_client.errors).values() if inspect.isclass(error)]
    assert {error for error in public if issubclass(error, Exception)} == set(errors)


def test_the_package_does_nothing_but_export() -> None:
    kinds = {type(node).__name__ for node in TREE.body}
    assert kinds <= {"Expr", "Import", "ImportFrom", "Assign"}


def test_the_package_has_all_of_them_and_nothing_else() -> None:
    assert {*ami_client.__all__} <= {*dir(ami_client)}
    names: dict[str, object] = {}
    exec("from ami_client import *", names)
    assert {*names} - {"__builtins__"} == {*ami_client.__all__}
    for name in ("Nonesuch", "_nonesuch"):
        with pytest.raises(AttributeError, match=f"module 'ami_client' has no attribute '{name}'"):
            getattr(ami_client, name)
