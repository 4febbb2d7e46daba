"""Fixtures of all tests: a warning in the library's log that was not announced fails the test."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import signal
import sys
import warnings
from collections.abc import Callable, Iterator

import pytest


class _Keeper(logging.Handler):
    """Keeps the text of what is logged at WARNING or above."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(f"{record.levelname}: {record.getMessage()}")


def pytest_configure() -> None:
    # A script lets its background programs ignore Ctrl-C, and nohup lets them ignore the end of the terminal. The
    # tests, and the programs that they start, would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if sys.platform == "win32":  # whose default loop watches no sockets
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())


def pytest_collection_finish() -> None:
    # Thousands of tests live to the end of the run: collecting garbage, which some tests do and Python does all the
    # time, is not to look through them.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@pytest.fixture(autouse=True)
def expect_log() -> Iterator[Callable[[str], None]]:
    """``expect_log(pattern)``: announce that `ami_client` will log a message that the regex finds.

    A record that no pattern finds, and a pattern that finds no record, fail the test when it ends.
    It is about WARNING and above; patterns are searched in "LEVEL: message", and one of them may
    account for several records.
    """
    expected: list[str] = []
    keeper = _Keeper()
    logger = logging.getLogger("ami_client")
    logger.addHandler(keeper)
    yield expected.append
    logger.removeHandler(keeper)
    unexpected = [m for m in keeper.messages if not any(re.search(p, m) for p in expected)]
    missing = [p for p in expected if not any(re.search(p, m) for m in keeper.messages)]
    if unexpected or missing:
        pytest.fail(f"unexpected log records: {unexpected}; expected, not seen: {missing}")
