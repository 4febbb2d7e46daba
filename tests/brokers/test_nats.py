"""The manual's proof that another broker is one class of at most 150 lines: it does what the others do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from broker_servers import BrokerServer, Nats
from test_failures import (  # noqa: F401
    test_a_broker_that_is_killed_and_comes_back,
    test_a_forwarder_that_ends_leaves_its_place_at_once,
)
from test_forwarding import (  # noqa: F401
    test_a_group_keeps_what_happens_while_nobody_is_there,
    test_a_source_that_dies_before_it_acknowledges_leaves_the_events_to_the_next,
    test_events_arrive_once_and_in_order,
    test_everybody_gets_all_without_a_group,
    test_one_member_of_a_group_works_and_another_takes_over,
    test_what_is_published_is_confirmed_by_the_broker_before_it_counts,
)
from test_gateway import Office, test_an_action_and_its_answer, test_errors_are_what_they_are  # noqa: F401

CLASS = Path(__file__).parents[2] / "docs" / "forward" / "nats_broker.py"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerServer]:
    server = Nats(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def own_server(server: BrokerServer) -> BrokerServer:
    return server


@pytest.fixture
def office(server: BrokerServer) -> Iterator[Office]:
    with Office(server) as office:
        yield office


def test_it_is_one_class_of_150_lines_at_most(server: Any) -> None:
    text = CLASS.read_text(encoding="utf-8")
    assert text.count("\nclass ") == 1
    assert len(text.splitlines()) <= 150
