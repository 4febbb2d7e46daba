"""Cases of one kind in one test: a test of its own costs more than most of them take."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable
from typing import Any, Callable, Union

import pytest

Test = Callable[..., None]


def for_each(names: Union[str, tuple[str, ...]], values: Iterable[Any]) -> Callable[[Test], Test]:
    """As pytest.mark.parametrize, for cases that differ in their data alone: one test tells all of those that fail.

    They share the fixtures of the test.
    """
    keys = (names,) if isinstance(names, str) else names
    cases = [(value,) if isinstance(names, str) else tuple(value) for value in values]
    assert all(len(case) == len(keys) for case in cases), "each value is to be as many as there are names"
    named = [dict(zip(keys, case)) for case in cases]
    assert named, "a test without a case proves nothing"

    def decorate(test: Test) -> Test:
        @functools.wraps(test)
        def run_all(**others: Any) -> None:
            failed = []
            for case in named:
                try:
                    test(**case, **others)
                except (Exception, pytest.fail.Exception) as error:
                    failed.append((case, error))
            if failed:
                shown = "\n".join(f"{case}: {type(error).__name__}: {error}" for case, error in failed)
                raise AssertionError(f"{len(failed)} of {len(named)} cases:\n{shown}") from failed[0][1]

        signature = inspect.signature(test)
        left = [one for name, one in signature.parameters.items() if name not in named[0]]
        run_all.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        return run_all

    return decorate
