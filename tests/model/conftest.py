"""The option of the model's test."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--model-steps", type=int, default=50_000, help="how many steps to try at least (default: %(default)s)"
    )
