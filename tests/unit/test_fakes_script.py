"""What a test can say to FakeAsterisk: expected requests, their answers, and what happens when."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ami_client import ActionTimeout, Connection, ConnectionLost, Packet, Pool
from ami_client.testing import FakeAsterisk, SimulatedReactor
from ami_client.testing.script import Cut, encode_packet, listing


@pytest.fixture
def sim() -> Iterator[SimulatedReactor]:
    with SimulatedReactor() as sim:
        yield sim


@pytest.fixture
def server(sim: SimulatedReactor) -> Iterator[FakeAsterisk]:
    server = FakeAsterisk(sim)
    server.start()
    yield server
    server.close()


class User:
    """A client that is logged in; ``got`` has (seconds, answers and events) in the order of coming."""

    def __init__(self, sim: SimulatedReactor, server: FakeAsterisk) -> None:
        self.sim = sim
        self.got: list[tuple[float, str]] = []
        conns: list[Connection] = []
        self.pool = Pool(reactor=sim, timeout=None)
        self.pool.on("event_x", lambda conn, packet: self.got.append((sim.time(), packet.original("Name") or "")))
        self.pool.get_connection(server.url, conns.append)
        sim.run_until(lambda: conns)
        (self.conn,) = conns

    def ask(self, action: str, **params: Any) -> Packet:
        answers: list[Packet] = []

        def on_answer(conn: Connection, packet: Packet) -> None:
            self.got.append((self.sim.time(), packet.original("Message") or packet.original("Ping") or ""))
            answers.append(packet)

        self.conn.action(action, on_answer, params)
        self.sim.run_until(lambda: answers, within=100)
        return answers[0]


@pytest.fixture
def user(sim: SimulatedReactor, server: FakeAsterisk) -> User:
    return User(sim, server)


def x(name: str) -> dict[str, str]:
    return {"Event": "X", "Name": name}


def test_expected_requests_get_their_answers_each_its_own(server: FakeAsterisk, user: User) -> None:
    server.on("QueuePause", {"Response": "Success", "Message": "always"})
    server.expect("queuepause", Interface="PJSIP/2").refuse("no such member")
    server.expect("QueuePause", {"interface": "PJSIP/1"}).answer({"Response": "Success", "Message": "once"})
    server.expect("QueuePause", Interface="PJSIP/1").answer(
        lambda request: f"Response: Success\r\nActionID: {request.action_id}\r\nMessage: computed\r\n\r\n"
    )
    for interface in "PJSIP/1", "PJSIP/2", "PJSIP/1", "PJSIP/1":
        user.ask("QueuePause", Interface=interface)
    assert [what for _, what in user.got] == ["once", "no such member", "computed", "always"]
    server.verify()


def test_without_an_answer_of_its_own_it_gets_the_usual_one(server: FakeAsterisk, user: User) -> None:
    expectation = server.expect("Ping")
    assert not expectation.met
    assert user.ask("Ping")["ping"] == "pong"
    assert expectation.met
    assert [request.action for request in expectation.requests] == ["Ping"]


def test_lists_delays_and_sequels(server: FakeAsterisk, user: User) -> None:
    server.expect("ParkedCalls").answer_list(
        [{"Event": "ParkedCall", "ParkingSpace": 701}], "ParkedCallsComplete", delay=2
    ).play([(0, x("with it")), (0.5, x("later"))])
    answer = user.ask("ParkedCalls")
    assert [entry["parkingspace"] for entry in answer.events] == ["701"]
    user.sim.run_for(5)
    assert user.got == [(2, "List will follow"), (2, "with it"), (2.5, "later")]


def test_how_often(server: FakeAsterisk, user: User) -> None:
    server.expect("A", times=2).refuse("A")
    server.expect("B", times=None).refuse("B")
    for action in "AAABBB":
        user.ask(action)
    told = [what for _, what in user.got]
    assert told[:2] + told[3:] == ["A", "A", "B", "B", "B"]
    assert "Invalid/unknown command" in told[2]
    server.verify()
    with pytest.raises(ValueError, match="at least 1, not 0"):
        server.expect("A", times=0)


def test_order_matters_only_where_it_is_said(server: FakeAsterisk, user: User) -> None:
    server.expect("Ping")
    with server.in_order():
        server.expect("Originate", Channel="PJSIP/1").refuse("first")
        server.expect("Hangup").refuse("second")
        with pytest.raises(RuntimeError, match="must not be nested"), server.in_order():
            pass
    for action, params in [("Hangup", {}), ("Originate", {"Channel": "PJSIP/1"}), ("Ping", {})]:
        user.ask(action, **params)
    assert [what for _, what in user.got] == ["No channel specified", "first", "Pong"]
    assert server.report().split("\n") == [
        "1 of 3 expected requests did not come:",
        "  - Hangup, after Originate Channel='PJSIP/1': it came too early",
        "received, without logins and pings:",
        "  - Hangup",
        "  - Originate Channel='PJSIP/1'",
    ]
    user.ask("Hangup")
    server.verify()
    with server.in_order():  # another order, which is not behind the first
        assert str(server.expect("Status")) == "<Expectation Status, met 0 times>"
    assert "  - Status\n" in server.report()


def test_what_did_not_come_is_told_with_what_came_instead(sim: SimulatedReactor) -> None:
    with pytest.raises(AssertionError) as caught, FakeAsterisk(sim) as server:
        server.expect("Originate", Channel=re.compile("PJSIP/1.."))
        server.expect("Ping", times=3)
        server.expect("Status")
        user = User(sim, server)
        user.ask("Originate", Channel="SIP/100", Exten="5")
        user.ask("Ping")
        user.ask("SetVar", Variable="PASSWORD", Value="x", DBSecret="hush")
    assert str(caught.value).split("\n") == [
        "3 of 3 expected requests did not come:",
        "  - Originate Channel=/PJSIP/1../; instead came Originate Channel='SIP/100'",
        "  - Ping: came 1 of 3 times",
        "  - Status",
        "received, without logins and pings:",
        "  - Originate Channel='SIP/100' Exten='5'",
        "  - SetVar Variable='PASSWORD' Value='[removed]' DBSecret='[removed]'",
    ]


def test_another_error_is_not_hidden_by_what_did_not_come(sim: SimulatedReactor) -> None:
    with pytest.raises(KeyError), FakeAsterisk(sim) as server:
        server.expect("Ping")
        raise KeyError


def test_never_answered(server: FakeAsterisk, user: User) -> None:
    server.expect("Status").ignore()
    assert isinstance(user.ask("Status").error, ActionTimeout)


LIST = listing("List", [{"Event": "Status", "Channel": name} for name in "ABC"], "StatusComplete")


@pytest.mark.parametrize(
    ("answer", "entries"),
    [
        (Cut(LIST, "Channel: B\r\n\r\n"), 2),
        (Cut(LIST, b"Channel: B"), 1),
        (Cut(LIST, 60), 0),
        (Cut(LIST, "StatusComp", reset=True), 3),
        (Cut(LIST[:2]), 1),
    ],
)
def test_an_answer_is_cut_where_it_is_said(server: FakeAsterisk, user: User, answer: Cut, entries: int) -> None:
    server.on("Status", answer)
    told: list[Packet] = []
    user.conn.status(lambda conn, packets: told.extend(packets))
    user.sim.settle()
    assert isinstance(told[-1].error, ConnectionLost)
    assert isinstance(told[-1].error.cause, ConnectionResetError) == answer.reset
    assert sum(packet.original("Event") == "Status" for packet in told) == entries
    assert server.clients == 0


def test_where_an_answer_is_cut_has_to_be_in_it() -> None:
    assert Cut({"Response": "Success"}, "Action").encode("a-1") == b"Response: Success\r\nAction"
    with pytest.raises(ValueError, match="'Nowhere', which it does not contain"):
        Cut({"Response": "Success"}, "Nowhere").encode("")


def test_a_request_ends_the_connection(server: FakeAsterisk, user: User) -> None:
    server.expect("Status").drop(after="Response: Suc")
    assert isinstance(user.ask("Status").error, ConnectionLost)
    assert not user.conn.connected


def test_a_play_of_events_and_faults(server: FakeAsterisk, user: User) -> None:
    server.play([(0, x("a")), (1.5, x("b")), (1.5, b"Event: X\r\nName: c\r\n\r\n"), (2, server.drop), (3, x("nobody"))])
    user.sim.run_for(5)
    assert user.got == [(0, "a"), (1.5, "b"), (1.5, "c")]
    assert not user.conn.connected


def test_the_other_side_can_hang_up(server: FakeAsterisk, user: User) -> None:
    causes: list[str] = []
    user.pool.on("event_hangup", lambda conn, packet: causes.append(packet["cause"]))
    user.ask("Originate", Channel="PJSIP/front-desk", Application="Wait", Async="true")
    user.sim.run_for(0.5)
    (channel,) = server.exchange.channels
    server.exchange.hang_up(channel, 17)
    user.sim.settle()
    assert (causes, server.exchange.channels) == (["17"], [])


def test_an_outage_can_be_played(server: FakeAsterisk, user: User) -> None:
    server.play([(30, server.close), (90, server.start), (100, lambda: server.play([(10, server.close)]))])
    up: list[bool] = []
    for seconds in (20, 25, 50, 20):
        user.sim.run_for(seconds)
        user.pool.get_connection(server.url, lambda conn: up.append(conn.connected))
        user.sim.settle()
    assert up == [True, False, True, False]


def test_the_end_of_the_server_ends_its_play(server: FakeAsterisk, user: User) -> None:
    played: list[int] = []
    server.expect("Ping").play([(1, lambda: played.append(2))])
    user.ask("Ping")
    user.sim.settle()
    server.play([(0, dict), (1, lambda: played.append(1))])
    user.sim.settle()
    server.close()
    user.sim.run_for(5)
    assert played == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, True),
        ({"Channel": "PJSIP/100"}, True),
        ({"channel": "PJSIP/100", "EXTEN": 5}, True),
        ({"Channel": "pjsip/100"}, False),
        ({"Async": True}, False),
        ({"Early": True}, True),
        ({"Variable": "B=2"}, True),
        ({"Variable": ["A=1", "B=2"]}, True),
        ({"Variable": ["A=1"]}, False),
        ({"Variable": ("A=1", "B=2")}, True),
        ({"Channel": re.compile("^PJSIP/")}, True),
        ({"Channel": re.compile("SIP$")}, False),
        ({"Channel": str.isupper}, True),
        ({"Channel": str.islower}, False),
        ({"Context": None}, True),
        ({"Channel": None}, False),
        ({"Channel": ...}, True),
        ({"Context": ...}, False),
        ({"Context": re.compile("")}, False),
    ],
)
def test_which_requests_were_received(server: FakeAsterisk, user: User, wanted: dict[str, Any], found: bool) -> None:
    user.ask("Test", Channel="PJSIP/100", Exten=5, Variable=["A=1", "B=2"], Early="true")
    assert len(server.received("TEST", wanted)) == found
    assert not server.received("Other", wanted)


def test_what_was_not_received_tells_what_was(server: FakeAsterisk, user: User) -> None:
    for number in 1, 2, 2:
        user.ask("Originate", Channel=f"PJSIP/{number}")
    user.ask("Ping")
    assert repr(server.received("Originate", Channel="PJSIP/3")) == (
        "<no Originate Channel='PJSIP/3'; received: Originate Channel='PJSIP/1', "
        "Originate Channel='PJSIP/2' (2 times), Challenge, Login, Ping>"
    )
    assert [request.get("Channel") for request in server.received("originate", Channel="PJSIP/2")] == ["PJSIP/2"] * 2
    assert repr(server.received("Login")).startswith("<received: Login AuthType='MD5' Username='admin' Key='[removed]'")
    server.received.clear()
    assert repr(server.received("Login", Secret=str.isalpha)) == "<no Login Secret=isalpha; nothing was received>"


def test_a_server_that_runs_for_long_forgets_the_oldest_requests_and_says_so_when_asked(
    sim: SimulatedReactor, expect_log: Callable[[str], None]
) -> None:
    with FakeAsterisk(sim, max_received=50) as server:
        user = User(sim, server)
        forever = server.expect("Ping", times=None)
        for number in range(48):
            user.ask("Ping", Number=number)
        assert server.received("Challenge")  # nothing is forgotten yet
        expect_log("WARNING: FakeAsterisk has dropped the first .* requests, so it cannot tell whether Login")
        for number in range(48, 200):
            user.ask("Ping", Number=number)
        numbers = [int(request.get("Number")) for request in server.received]
        assert 50 <= len(numbers) <= 55
        assert numbers == list(range(200 - len(numbers), 200))
        found = server.received("Login")
        assert not found
        assert repr(found).endswith(f"; {202 - len(numbers)} older requests are forgotten>")
        assert 50 <= len(forever.requests) <= 55 and forever.met


def test_it_keeps_everything_if_told_to(sim: SimulatedReactor) -> None:
    with FakeAsterisk(sim, max_received=None) as server:
        user = User(sim, server)
        for _ in range(200):
            user.ask("Ping")
        assert len(server.received("Ping")) == 200
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="max_received"):
            FakeAsterisk(sim, max_received=wrong)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (lambda request: request.nothing, AttributeError),
        (lambda request: 42, TypeError),
        (lambda request: Cut({"Response": "Success"}, "Nowhere"), ValueError),
    ],
)
def test_a_script_that_raises_fails_the_test_and_is_answered_all_the_same(
    server: FakeAsterisk, user: User, expect_log: Callable[[str], None], script: Any, error: type[Exception]
) -> None:
    expect_log("the answer to <Request A")
    told: list[Packet] = []
    server.on("A", script)
    user.conn.action("A", lambda conn, packet: told.append(packet))
    with pytest.raises(error):
        user.sim.run_for(10)
    user.sim.settle()
    assert error.__name__ in str(told[0].error)


def test_a_header_function_that_raises_fails_the_test(
    server: FakeAsterisk, user: User, expect_log: Callable[[str], None]
) -> None:
    expect_log("the answer to <Request A")
    server.expect("A", Timeout=lambda text: int(text) > 5)
    with pytest.raises(ValueError, match="invalid literal"):
        user.ask("A", Timeout="soon")


NO_ANSWERS: list[Any] = [42, [42], [{"Response": "Success"}, 42], {"Message": b"bytes"}]


@pytest.mark.parametrize("answer", [*NO_ANSWERS, Cut(NO_ANSWERS[0])])
def test_what_is_no_answer_is_refused_where_it_is_given(server: FakeAsterisk, answer: Any) -> None:
    with pytest.raises(TypeError, match=r"not (42|b'bytes'|\[)"):
        server.on("A", answer)
    with pytest.raises(TypeError, match=r"not (42|b'bytes'|\[)"):
        server.expect("A", times=None).answer(answer)


@pytest.mark.parametrize(
    "sequel", [[x("a")], (1, x("a")), [(x("a"), 1)], [("1", x("a"))], [(1, 42)], [(1, None)], [(1, "a", "b")]]
)
def test_what_is_no_sequel_is_refused_where_it_is_given(server: FakeAsterisk, user: User, sequel: Any) -> None:
    with pytest.raises(TypeError, match=r"needs pairs of seconds|a packet must be a mapping"):
        server.play([(0, x("first")), *sequel])
    with pytest.raises(TypeError, match=r"needs pairs of seconds|a packet must be a mapping"):
        server.expect("A", times=None).play(sequel)
    user.sim.run_for(5)
    assert user.got == []


def test_names_of_headers_are_folded_as_the_server_folds_them(server: FakeAsterisk, user: User) -> None:
    user.conn.action("A", None, [("Folder", 1), ("\u212aey", 2)])
    user.sim.settle()
    assert server.received("A", {"FOLDER ": "1", "\u212aey": "2"}) and server.received("A", folder=1)
    assert not server.received("A", key="2")  # Python's lower() would make a k of the Kelvin sign


def test_an_answers_own_action_id_is_known_however_it_is_spelled() -> None:
    for name in ("ActionID", "actionid", " ACTIONID"):
        assert (
            encode_packet({"Response": "Success", name: "x"}, "mine")
            == f"Response: Success\r\n{name}: x\r\n\r\n".encode()
        )


def test_whatever_a_header_is_called(server: FakeAsterisk, user: User) -> None:
    server.expect("A", action="A", headers="x", self="y")
    user.conn.action("A", None, {"headers": "x", "self": "y"})
    user.sim.settle()
    server.verify()
    assert server.received("A", action="A", headers="x", self="y")
