"""How to test a daemon: callback_robot.py, without a PBX and without waiting. Run it with pytest.

The installed library provides the fixtures (in a checkout: ``python3 -m pip install .``): a loop with a simulated clock
and network, and a server and a pool on it.
"""

from collections.abc import Iterator

import pytest
from callback_robot import CallbackRobot

from ami_client import Pool
from ami_client.testing import FakeAsterisk, SimulatedReactor

pytestmark = pytest.mark.ami_pool(events="agent,call", reconnect=2)


@pytest.fixture(autouse=True)
def robot(
    reactor: SimulatedReactor, fake_asterisk: FakeAsterisk, ami_pool: Pool, caplog: pytest.LogCaptureFixture
) -> Iterator[CallbackRobot]:
    ami_pool.get_connection()
    yield CallbackRobot(reactor, ami_pool, delay=60, dial="Local/{}@office", context="callback")
    assert [record.getMessage() for record in caplog.get_records("call") if record.levelname == "ERROR"] == []


def queue_event(name: str, number: str) -> dict[str, str]:
    return {"Event": name, "Privilege": "agent,all", "Queue": "helpline", "CallerIDNum": number}


def gives_up(number: str) -> dict[str, str]:
    return queue_event("QueueCallerAbandon", number)


def comes(number: str) -> dict[str, str]:
    return queue_event("QueueCallerJoin", number)


def test_who_gave_up_is_called_back_after_a_minute(reactor: SimulatedReactor, fake_asterisk: FakeAsterisk) -> None:
    fake_asterisk.play([(10, gives_up("5550100"))])
    reactor.run_for(69)
    assert not fake_asterisk.received("Originate")
    reactor.run_for(2)
    assert fake_asterisk.received("Originate", Channel="Local/5550100@office", Context="callback", Exten="helpline")


def test_how_it_went_is_told(
    reactor: SimulatedReactor, fake_asterisk: FakeAsterisk, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_asterisk.office.extensions["callback", "helpline"] = [("Queue", "helpline")]
    fake_asterisk.play([(10, gives_up("101")), (10, gives_up("111"))])
    reactor.run_for(90)
    said = capsys.readouterr().out.splitlines()
    assert sorted(said) == ["101: answered", "111: the call was not answered (reason 5: busy)"]


def test_who_comes_again_is_not_called(reactor: SimulatedReactor, fake_asterisk: FakeAsterisk) -> None:
    fake_asterisk.play([(10, gives_up("5550100")), (69, comes("5550100"))])
    reactor.run_for(3600)
    assert not fake_asterisk.received("Originate")


def test_who_gives_up_twice_is_called_once(reactor: SimulatedReactor, fake_asterisk: FakeAsterisk) -> None:
    fake_asterisk.play([(10, gives_up("5550100")), (20, gives_up("5550100"))])
    reactor.run_for(3600)
    assert len(fake_asterisk.requests("Originate")) == 1


def test_who_gives_up_when_called_back_is_left_in_peace(reactor: SimulatedReactor, fake_asterisk: FakeAsterisk) -> None:
    fake_asterisk.play([(10, gives_up("5550100"))])
    reactor.run_for(90)
    (request,) = fake_asterisk.requests("Originate")
    # The account of a call is in all events about it.
    fake_asterisk.push({**gives_up("5550100"), "AccountCode": request.get("Account")})
    reactor.run_for(3600)
    assert len(fake_asterisk.requests("Originate")) == 1


@pytest.mark.parametrize("number", ["", "<unknown>", "anonymous", "100@internal/n", "12&PJSIP/34"])
def test_what_is_no_number_is_not_called(number: str, reactor: SimulatedReactor, fake_asterisk: FakeAsterisk) -> None:
    fake_asterisk.play([(10, gives_up(number))])
    reactor.run_for(3600)
    assert not fake_asterisk.received("Originate")


def test_a_restart_of_the_pbx_in_between_does_no_harm(reactor: SimulatedReactor, fake_asterisk: FakeAsterisk) -> None:
    fake_asterisk.play([(10, gives_up("5550100"))])
    reactor.run_for(30)
    fake_asterisk.close()
    reactor.run_for(60)
    fake_asterisk.start()
    reactor.run_until(lambda: fake_asterisk.received("Originate"), within=300)
