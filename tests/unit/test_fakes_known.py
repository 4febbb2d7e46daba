"""The embedded server with events of the catalogue: sent as servers send them, and checked."""

from __future__ import annotations

import inspect
import warnings

import pytest

from ami_client import Connection, Packet, Pool
from ami_client.catalogue import events
from ami_client.messages import Event
from ami_client.testing import FakeAsterisk, SimulatedReactor


class Heard(list[Packet]):
    __hash__ = object.__hash__  # type: ignore[assignment]  # pyee keeps handlers in a dict

    def __call__(self, conn: Connection, event: Packet) -> None:
        self.append(event)


@pytest.fixture
def heard(reactor: SimulatedReactor, fake_asterisk: FakeAsterisk, ami_pool: Pool) -> Heard:
    """What a client that is logged in hears."""
    heard = Heard()
    ami_pool.get_connection(fake_asterisk.url)
    reactor.run_for(1)
    ami_pool.on("event", heard)
    return heard


def test_an_event_is_sent_as_it_was_made(reactor: SimulatedReactor, fake_asterisk: FakeAsterisk, heard: Heard) -> None:
    fake_asterisk.push(events.Hangup({"Cause-txt": "User busy"}, Channel="PJSIP/1", Cause=17))
    reactor.run_for(1)
    assert [event.headers for event in heard] == [
        [
            ("Event", "Hangup"),
            ("Privilege", "call,all"),
            ("Cause-txt", "User busy"),
            ("Channel", "PJSIP/1"),
            ("Cause", "17"),
        ]
    ]
    assert isinstance(heard[0], events.Hangup)


def test_events_without_a_time_come_at_once_and_in_order(
    reactor: SimulatedReactor, fake_asterisk: FakeAsterisk, heard: Heard
) -> None:
    fake_asterisk.play([events.Newchannel(Channel="A"), (5, events.Hangup(Channel="A")), events.Newstate(Channel="A")])
    reactor.run_for(1)
    assert [event.event_name for event in heard] == ["newchannel", "newstate"]
    reactor.run_for(5)
    assert [event.event_name for event in heard] == ["newchannel", "newstate", "hangup"]


@pytest.mark.ami_pool(events="system")
def test_an_event_of_another_class_does_not_come(
    reactor: SimulatedReactor, fake_asterisk: FakeAsterisk, heard: Heard
) -> None:
    fake_asterisk.play([events.Hangup(Channel="A"), events.Reload(Module="All"), events.AorDetail(ObjectName="a")])
    reactor.run_for(1)
    # The last is an entry of lists, which has no Privilege.
    assert [event.event_name for event in heard] == ["reload", "aordetail"]


def test_a_privilege_of_ones_own_stays(reactor: SimulatedReactor, fake_asterisk: FakeAsterisk, heard: Heard) -> None:
    fake_asterisk.push(events.Hangup(Privilege="user,all"))
    reactor.run_for(1)
    assert heard[0].headers[1:] == [("Privilege", "user,all")]


@pytest.mark.parametrize(
    ("event", "warning"),
    [
        (events.Hangup(Channell="A"), "the header 'Channell' with Hangup; did you mean 'Channel'?"),
        (events.Hangup(Colour="red"), "the header 'Colour' with Hangup"),
    ],
)
def test_a_header_that_no_server_sends_is_warned_of_where_it_was_written(event: Packet, warning: str) -> None:
    fake_asterisk = FakeAsterisk(SimulatedReactor())
    with pytest.warns(UserWarning, match=r"^no Asterisk sends") as caught:
        line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
        fake_asterisk.push(event)
        fake_asterisk.play([event])
        fake_asterisk.expect("Ping").play([(1, event)])
    assert [one.lineno for one in caught] == [line, line + 1, line + 2]
    assert {one.filename for one in caught} == {__file__}
    assert {str(one.message) for one in caught} == {f"no Asterisk sends {warning}"}


def test_what_servers_do_send_is_not_warned_of(fake_asterisk: FakeAsterisk) -> None:
    class Mine(Event[str]):
        ami_name = "Mine"

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for event in (
            events.UserEvent(UserEvent="Lunch", Who="Joe"),
            events.Hangup(ChanVariable={"A": 1}, Timestamp="1.5", SystemName="pbx"),
            events.OriginateResponse({"ChanVariable(PJSIP/1)": "A=1"}),
            events.RTCPSent(Report0SourceSSRC="1", Report1SourceSSRC="2"),
            Mine(Whatever="x"),
        ):
            fake_asterisk.push(event)
        fake_asterisk.push({"Event": "Hangup", "Whatever": "x"})
