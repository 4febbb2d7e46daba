"""Fixtures of the browser tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import pytest
from board import Board
from chromium import Chromium


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", type=Path, help="a folder for pictures of the page")


@pytest.fixture
def pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where pictures go."""
    folder: Optional[Path] = request.config.getoption("--pictures")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    return tmp_path if folder is None else folder


@pytest.fixture(scope="session")
def one_chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    chromium = Chromium(tmp_path_factory.mktemp("chromium"))
    yield chromium
    chromium.close()


@pytest.fixture
def chromium(one_chromium: Chromium) -> Iterator[Chromium]:
    """A browser that nothing is kept in."""
    one_chromium.resize(1280, 800)
    one_chromium.look()
    yield one_chromium
    one_chromium.run("try { localStorage.clear() } catch {}")
    one_chromium.driver.delete_all_cookies()
    one_chromium.open("about:blank")
    one_chromium.complaints()


@pytest.fixture
def board() -> Iterator[Board]:
    """A wallboard of a model that knows nothing yet."""
    board = Board()
    yield board
    board.close()
