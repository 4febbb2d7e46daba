"""Fixtures of the conformance tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from loops import LOOPS, AnyLoop


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> Iterator[AnyLoop]:
    made: AnyLoop = request.param()
    yield made
    made.close()
