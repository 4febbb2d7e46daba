"""Any interleaving of what can happen keeps the contract. Runs apart from the unit tests: see conftest.py."""

from __future__ import annotations

import logging

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from .machine import Contract

SEED = 1
STEPS = 50  # of an example, at most
USUAL_STEPS = 35  # of an example; in truth a few more


@pytest.mark.timeout(900)  # shrinking takes minutes
def test_the_contract_is_kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: int = request.config.getoption("--model-steps")
    monkeypatch.setattr(logging.getLogger("ami_client"), "disabled", True)
    # The same steps each time, so that a change is judged by what it changes; other seeds are for the long run.
    number = request.config.getoption("--hypothesis-seed") or SEED
    print(f"again with: --hypothesis-seed={number}")
    before = Contract.steps
    try:
        run_state_machine_as_test(
            seed(number)(Contract),
            settings=settings(
                max_examples=-(-wanted // USUAL_STEPS),
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                print_blob=True,
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        steps = Contract.steps - before
        print(f"{steps} steps")
    assert steps >= wanted
