"""Fixtures for pytest: ``reactor``, ``fake_asterisk``, ``ami_pool``. Installing the library installs them.

::

    def test_it_calls_back(reactor, fake_asterisk, ami_pool):
        fake_asterisk.expect("Originate", Channel="PJSIP/100")
        call_back(ami_pool, "PJSIP/100")
        reactor.run_for(10)

Time is simulated, and the network is in memory. If you define a ``reactor`` fixture, the other fixtures use it, so they
run on any loop. The marks ``fake_asterisk`` and ``ami_pool`` pass options to FakeAsterisk and Pool.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

# Slow imports happen on first use, because pytest loads this module in every project.
if TYPE_CHECKING:
    from ..loop import Loop
    from ..pool import Pool
    from .fake_asterisk import FakeAsterisk
    from .simulation import SimulatedReactor

_REACTOR = pytest.StashKey["SimulatedReactor"]()
_SERVERS = pytest.StashKey["list[FakeAsterisk]"]()


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks."""
    config.addinivalue_line("markers", "fake_asterisk(**options): options for the fixture fake_asterisk")
    config.addinivalue_line("markers", "ami_pool(**options): options for the fixture ami_pool")


@pytest.fixture
def reactor(request: pytest.FixtureRequest) -> Iterator[SimulatedReactor]:
    """A Reactor whose time and network are simulated: an hour of silence takes no time."""
    from .simulation import SimulatedReactor

    reactor = request.node.stash[_REACTOR] = SimulatedReactor()
    reactor.__enter__()
    yield reactor
    reactor.close()  # exceptions of callbacks during the teardown do not fail the test


@pytest.fixture
def fake_asterisk(request: pytest.FixtureRequest, reactor: Loop) -> Iterator[FakeAsterisk]:
    """A started FakeAsterisk on ``reactor``. Its unmet expectations fail the test."""
    from .fake_asterisk import FakeAsterisk

    server = FakeAsterisk(reactor, **_options(request, "fake_asterisk"))
    request.node.stash.setdefault(_SERVERS, []).append(server)
    server.start()
    yield server
    server.close()


@pytest.fixture
def ami_pool(request: pytest.FixtureRequest, reactor: Loop, fake_asterisk: FakeAsterisk) -> Iterator[Pool]:
    """A Pool on ``reactor`` whose server is ``fake_asterisk``."""
    from ..pool import Pool

    pool = Pool({"server": fake_asterisk.url, **_options(request, "ami_pool")}, reactor=reactor)
    yield pool
    pool.finish()


@pytest.hookimpl(trylast=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Fail a test that passed if a callback raised or an expected request is missing."""
    reactor = item.stash.get(_REACTOR, None)
    if reactor is not None:
        reactor._raise_kept()
    for server in item.stash.get(_SERVERS, []):
        report = server.report()
        if report:
            pytest.fail(report, pytrace=False)


# The old style of hook wrappers: pytest 7 may have a pluggy that knows only this one.
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Add the received requests to the report of a failed test."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    servers = item.stash.get(_SERVERS, [])
    if report.when == "call" and report.failed and servers:
        from .matching import counted, describe

        lines = counted(describe(request) for server in servers for request in server.received)
        report.sections.append(("Received by fake_asterisk", "\n".join(lines) or "nothing"))


def _options(request: pytest.FixtureRequest, name: str) -> dict[str, Any]:
    """Return the options in a test's marks. The nearest mark wins."""
    options: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers(name))):
        if mark.args:
            raise TypeError(f"the mark {name} takes options as keywords, not {mark.args}")
        options.update(mark.kwargs)
    return options
