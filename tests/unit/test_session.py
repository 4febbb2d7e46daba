"""Session: bytes in, answers and events out."""

from __future__ import annotations

import hashlib
import sys
from collections import defaultdict
from typing import Any, Optional

import pytest
from engine_client import Client, event, everything, message, one_by_one, originate, response, start
from server_texts import BANNER, WELCOME

from ami_client._engine.action_ids import NumberedIDs
from ami_client._engine.line_cache import MEMO_SIZE, MEMOS
from ami_client._engine.login import Login
from ami_client._engine.session import START, Session
from ami_client._engine.state import State
from ami_client.errors import ActionTimeout, ConnectionLost, LimitReached, LoginRefused, ProtocolError
from ami_client.packet import Packet

CHALLENGE = message("Response: Success", "Challenge: 123456")
LATE = ActionTimeout("no answer in time")


@pytest.fixture
def client() -> Client:
    return Client.logged_in()


# Login


@pytest.mark.parametrize("fold_case", [True, False])
@pytest.mark.parametrize("is_lone", [True, False])
def test_the_line_with_an_id_of_ours_is_known_as_it_would_be_parsed_until_the_answer(
    fold_case: bool, is_lone: bool
) -> None:
    client = Client.logged_in(ids="7", fold_case=fold_case)
    ping = client.send_plain("Ping")
    line = f"ActionID: {ping.action_id}".encode()
    assert MEMOS[fold_case].get(line) == type(MEMOS[fold_case])()[line]
    (done,) = [client.session.lone_packet(response(ping))] if is_lone else client.session.outcomes(response(ping))
    assert done is ping and line not in MEMOS[fold_case]


def test_the_lines_with_ids_are_bounded() -> None:
    client = Client.logged_in(ids="7")
    for _ in range(2 * MEMO_SIZE):
        client.send_plain("Ping")
    assert len(MEMOS[True]) <= MEMO_SIZE


def test_the_short_way_sends_the_same_as_the_long_one() -> None:
    short, long = Client.logged_in(ids="7"), Client.logged_in(ids="7")
    for action in ("Ping", " CoreShowChannels ", "ping", "X" * 50):
        one, other = short.send_plain(action), long.send(action)
        assert {name: getattr(one, name, None) for name in one.__slots__} == {
            name: getattr(other, name, None) for name in other.__slots__
        }
    assert short.sent() == long.sent()
    assert short.session.pending == long.session.pending == 4


@pytest.mark.parametrize(
    "action", ["", "Two words", "Caf\xe9", "X" * 51, "Logoff", "IAXnetstats", "Ping\r\nX: y", None, 7]
)
def test_the_short_way_leaves_unusual_actions_to_the_long_one(action: Any) -> None:
    client = Client.logged_in(ids="7")
    assert client.session.send_plain(action, print) is None
    assert client.sent() == [] and client.session.pending == 0


def test_the_short_way_is_for_a_session_that_can_send_now() -> None:
    assert Client(ids="7").session.send_plain("Ping", print) is None  # not logged in
    full = Client.logged_in(ids="7", max_pending=2)
    full.session.expect_result(full.send_plain("Originate").action_id, print)
    assert full.session.send_plain("Ping", print) is None
    own = Client.logged_in(ids="7")
    own.send("Ping", {"ActionID": "7-1"})  # an id of the session could be the same
    assert own.session.send_plain("Ping", print) is None


def test_nothing_is_sent_before_the_banner() -> None:
    client = Client()
    client.feed(b"Asterisk Call")
    assert client.sent() == []
    assert client.session.banner is None
    client.feed(b" Manager/5.0.4\r\n")
    assert len(client.sent()) == 1
    assert client.session.banner == "Asterisk Call Manager/5.0.4"


def test_plain_login() -> None:
    client = Client("plain", secret=" s3cr:t@x ")
    client.feed(BANNER)
    assert client.sent() == [b"Action: login\r\nUsername: bob\r\nSecret:  s3cr:t@x \r\nEvents: on\r\n\r\n"]
    client.feed(WELCOME)
    assert client.session.state is State.CONNECTED
    (login,) = client.logins
    assert login.packet["message"] == "authentication accepted"
    assert login.packet.error is None


@pytest.mark.parametrize("challenge", ["123456", "MiXed"])
def test_md5_login(challenge: str) -> None:
    client = Client("md5", secret="пароль")
    client.feed(BANNER)
    assert client.sent() == [b"Action: Challenge\r\nAuthType: MD5\r\n\r\n"]
    client.feed(message("Response: Success", f"Challenge: {challenge}"))
    key = hashlib.md5((challenge + "пароль").encode()).hexdigest()
    login = f"Action: Login\r\nAuthType: MD5\r\nUsername: bob\r\nKey: {key}\r\nEvents: on\r\n\r\n"
    assert client.sent() == [login.encode()]
    client.feed(WELCOME)
    assert client.session.state is State.CONNECTED


def test_a_login_byte_by_byte() -> None:
    client = Client("md5")
    client.feed(*one_by_one(BANNER + CHALLENGE + WELCOME))
    assert client.session.state is State.CONNECTED
    assert len(client.logins) == 1


@pytest.mark.parametrize("text", ["Authentication accepted", "Already authenticated", "Anything else"])
def test_any_success_will_do(text: str) -> None:
    client = Client()
    client.feed(BANNER, message("Response: Success", f"Message: {text}"))
    assert client.session.state is State.CONNECTED


def test_a_login_without_a_secret_is_told_so() -> None:
    client = Client(secret="")
    client.feed(BANNER, message("Response: Error", "Message: Authentication failed"))
    (login,) = client.logins
    assert str(login.packet.error).endswith("; there was no secret: put it into the URL, or pass the option secret")


def test_a_refused_login() -> None:
    client = Client()
    waiting = client.send("Ping")
    client.feed(BANNER, message("Response: Error", "Message: Authentication failed"), message("Response: Success"))
    assert client.session.state is State.REFUSED
    (login,) = client.logins
    assert isinstance(login.packet.error, LoginRefused)
    assert str(login.packet.error) == "login refused: Authentication failed"
    assert client.lose() == [waiting]


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        (["Response: Error", "Message: Permission denied"], LoginRefused),
        (["Response: Success", "Message: no challenge"], ProtocolError),
        (["Response: Success", "Challenge:  "], ProtocolError),
    ],
)
def test_without_a_challenge_no_key_is_sent(lines: list[str], error: type[Exception]) -> None:
    client = Client("md5")
    client.feed(BANNER)
    client.sent()
    client.feed(message(*lines))
    assert client.session.state is State.REFUSED
    assert client.sent() == []
    (login,) = client.logins
    assert type(login.packet.error) is error


def test_events_before_the_login_are_ignored() -> None:
    client = Client("md5")
    client.feed(BANNER, event("FullyBooted"), CHALLENGE, event("X", None, "Response: Error"), b"\r\n", WELCOME)
    assert client.session.state is State.CONNECTED
    assert client.events == []
    assert client.session.stats.dropped == 2


def test_the_secret_is_in_no_repr() -> None:
    assert "hunter2" not in repr(Login("bob", "hunter2"))


def test_a_python_without_its_own_md5_can_log_in(monkeypatch: pytest.MonkeyPatch) -> None:
    login = Login("bob", "hunter2")
    usual = login.md5("123456789")
    monkeypatch.setitem(sys.modules, "_md5", None)
    assert login.md5("123456789") == usual


@pytest.mark.parametrize(("authtype", "state"), [("plain", State.LOGIN), ("md5", State.CHALLENGE)])
def test_the_state_between_the_banner_and_the_answer(authtype: str, state: State) -> None:
    client = Client(authtype)
    assert client.session.state is State.BANNER
    client.feed(BANNER)
    assert client.session.state is state


# Sending


def test_actions_wait_for_the_login_and_go_out_in_order() -> None:
    client = Client()
    for name in ("A", "B"):
        client.send(name)
    client.session.send("Silent")
    client.feed(BANNER)
    assert len(client.sent()) == 1  # the login
    client.feed(WELCOME)
    assert [one.split(b"\r\n")[0] for one in client.sent()] == [b"Action: A", b"Action: B", b"Action: Silent"]
    client.send("C")
    assert len(client.sent()) == 1


def test_a_bounded_number_waits() -> None:
    client = Client(max_waiting=2)
    client.send("A")
    client.session.send("B")
    with pytest.raises(LimitReached, match="2 actions"):
        client.send("C")
    client.feed(BANNER, WELCOME)
    client.send("D")
    assert [one.split(b"\r\n")[0] for one in client.sent()[1:]] == [b"Action: A", b"Action: B", b"Action: D"]
    assert len(client.lose()) == 2


def test_ids_are_ours_and_differ(client: Client) -> None:
    ids = {client.send("Ping").action_id for _ in range(100)}
    assert len(ids) == 100
    assert all(one.startswith("id-") for one in ids)
    assert client.sent()[0] == b"Action: Ping\r\nActionID: id-1\r\n\r\n"


@pytest.mark.parametrize("name", ["ActionID", "actionid", " ACTIONID "])
@pytest.mark.parametrize(("given", "sent"), [("mine", b"mine"), (" mine ", b"mine"), (7, b"7")])
def test_an_actionid_of_the_callers_own(client: Client, name: str, given: object, sent: bytes) -> None:
    pending = client.send("Ping", [("A", "b"), (name, given), ("C", "d")])
    assert client.sent() == [b"Action: Ping\r\nA: b\r\nC: d\r\nActionID: " + sent + b"\r\n\r\n"]
    client.feed(response(pending))
    assert client.only()["actionid"] == sent.decode()


def test_an_actionid_of_none_is_left_out(client: Client) -> None:
    assert client.send("Ping", {"ActionID": None}).action_id == "id-1"
    assert client.sent() == [b"Action: Ping\r\nActionID: id-1\r\n\r\n"]


@pytest.mark.parametrize(
    "params",
    [{"ActionID": ""}, {"ActionID": " "}, {"ActionID": ["a"]}, [("ActionID", "a"), ("actionid", "b")]],
)
def test_wrong_actionids_are_a_value_error(client: Client, params: object) -> None:
    with pytest.raises(ValueError, match="ActionID"):
        client.send("Ping", params)
    assert client.sent() == []
    assert client.lose() == []


@pytest.mark.parametrize("logged_in", [True, False])
def test_an_actionid_in_flight_is_refused(logged_in: bool) -> None:
    client = Client.logged_in() if logged_in else Client()
    pending = client.send("Ping", {"ActionID": "Mine"})
    with pytest.raises(ValueError, match="in flight"):
        client.send("Ping", {"ActionID": "mINE"})
    if logged_in:
        client.feed(response(pending))
        client.send("Ping", {"ActionID": "mine"})
    assert len(client.lose()) == 1


def test_what_is_refused_leaves_nothing_behind(client: Client) -> None:
    with pytest.raises(ValueError):
        client.send("Ping", {"X": "a\nb"})
    with pytest.raises(TypeError):
        client.send("Ping", {"X": object()})
    assert client.sent() == []
    assert client.lose() == []


# The end


def test_whatever_is_open_fails_once_in_order(client: Client) -> None:
    ping, listing = client.send("Ping"), client.send("Status")
    composite = client.send("Status", assertions=[{"event": "statuscomplete"}])
    answered, text = client.send("Ping"), client.send("IAXnetstats")
    originated, result = originate(client)
    given_up = client.send("Ping")
    client.session.give_up(given_up, LATE)
    client.feed(start(listing), event("Status", listing), response(composite), response(answered), response(originated))
    client.outcomes.clear()
    lost = client.lose()
    assert client.session.state is State.FINISHED
    assert lost == [ping, listing, composite, text, result]
    failures = [one.result if not isinstance(one.result, list) else one.result[-1] for one in lost]
    assert all(isinstance(one.error, ConnectionLost) for one in failures)
    assert all(one["response"] == "error" and one["message"] == "gone" for one in failures)
    assert len(failures[1].events) == 1
    assert [one.get("response") for one in lost[2].result] == ["success", "error"]  # type: ignore[union-attr]
    client.feed(response(ping), event("Hangup"))
    assert client.outcomes == []


def test_what_waits_for_the_login_fails_too() -> None:
    client = Client()
    waiting = [client.send("A"), client.send("B")]
    assert client.lose() == waiting


def test_the_rest_of_the_buffer_is_not_looked_at_after_the_end(client: Client) -> None:
    seen = []
    for outcome in client.session.outcomes(event("A") + event("B")):
        seen.append(outcome)
        client.lose()
    assert len(seen) == 1
    assert client.session.stats.dropped == 0


def test_finishing_twice_is_a_bug_of_ours(client: Client) -> None:
    client.lose()
    with pytest.raises(RuntimeError, match="illegal move"):
        client.lose()


def test_more_than_max_packet_is_a_protocol_error() -> None:
    client = Client.logged_in(max_packet=2000)
    with pytest.raises(ProtocolError):
        list(client.session.outcomes(b"Event: A\r\nX: " + b"y" * 3000))


def test_a_session_starts_without_anything() -> None:
    session = Session(Login("bob", "s3cret"), ids=NumberedIDs("id"))
    assert (session.state, session.banner, session.stats.dropped, session.take_outgoing()) == (State.NEW, None, 0, b"")


# The short way for a plain packet that comes alone

PONG = b"Response: Success\r\nActionID: id-1\r\nPing: Pong\r\n\r\n"
HANGUP = b"Event: Hangup\r\nChannel: SIP/1\r\n\r\n"
OPEN_LIST = b"Response: Success\r\nActionID: id-1\r\nEventList: start\r\n\r\n"


@pytest.mark.parametrize(
    ("text", "is_short"),
    [
        (PONG, True),
        (PONG.replace(b"id-1", b"ID-1"), True),
        (PONG.replace(b"id-1", b"id-2"), False),
        (PONG.replace(b"Success", b"Error"), False),
        (PONG.replace(b"Success", b"Goodbye"), False),
        (PONG.replace(b"Ping", b"Response"), False),
        (PONG.replace(b"Ping: Pong", b"EventList: start"), False),
        (PONG.replace(b"Ping: Pong", b"Event: Forged"), False),
        (PONG.replace(b"Ping: Pong", "Ping: P\xf6ng\r\nÉ:".encode()), True),
        (PONG.replace(b"Pong", b"a\nb"), True),
        (PONG.replace(b"Pong", b"a\r\n\nPing: b"), False),
        (PONG.replace(b"Response", b"RESPONSE"), False),
        (PONG[:-1], False),
        (b"\r\n" + PONG, False),
        (PONG + b"\r\n", False),
        (PONG + PONG, False),
        (PONG + b"Event: A\r\n\r\n", False),
        (HANGUP, True),
        (HANGUP.replace(b"SIP/1", b"SIP/1\r\nChannel: SIP/2\r\nEvent: Forged"), True),
        (HANGUP.replace(b"SIP/1", b"a\nb\r\nEventList: start"), True),
        (HANGUP.replace(b"Event: ", b"event:"), False),
        (HANGUP.replace(b"Hangup", b""), False),
        (HANGUP.replace(b"Channel", b"ActionID"), False),
        (HANGUP.replace(b"SIP/1", b"SIP/1\r\nActionID: id-1"), False),
        (HANGUP.replace(b"Hangup", b"UserEvent\r\nActionID: id-1"), True),
        (HANGUP[:-1], False),
        (b"\r\n" + HANGUP, False),
        (HANGUP + b"\r\n", False),
        (HANGUP + HANGUP, False),
        (b"Event: A\r\nActionID: id-1\r\n\r\n", False),
        (b"Response: Success\r\n\r\n", False),
        (b"no packet\r\n\r\n", False),
        (b"\r\n\r\n", False),
        (b"", False),
    ],
)
@pytest.mark.parametrize("before", [b"", b"Event: B\r\n", b"Event: B\r\n\r\n", OPEN_LIST])
def test_the_short_way_means_the_same_as_the_long_one(text: bytes, is_short: bool, before: bytes) -> None:
    short, long = clients = [Client.logged_in() for _ in range(2)]
    for client in clients:
        client.send("Ping")
        client.feed(before)
    outcome = short.session.lone_packet(text)
    assert (outcome is not None) is (is_short and before not in (b"Event: B\r\n", OPEN_LIST))
    if outcome is None:
        short.feed(text)
    else:
        short.outcomes.append(outcome)
    long.feed(text)
    for client in clients:
        client.feed(b"Event: C\r\n\r\n")
    assert [type(one) for one in short.outcomes] == [type(one) for one in long.outcomes]
    for ours, theirs in zip([*short.events, *short.results()], [*long.events, *long.results()]):
        assert isinstance(ours, Packet) and isinstance(theirs, Packet)
        assert everything(ours) == everything(theirs)
        assert ours.event_name == theirs.event_name
        assert (ours.complete, ours.suspect, ours.events) == (theirs.complete, theirs.suspect, theirs.events)
        assert str(ours.error) == str(theirs.error)
    assert short.session.stats == long.session.stats
    assert short.session.pending == long.session.pending
    assert short.session.last_list is long.session.last_list is None


ENDS = [b"\r\n\r\n", b"\r\n\n", b"\r\n\n\n", b"\r\n\r\n\n", b"\r\n\n\r\n\r\n", b"\r\n\n\r\n"]
MIXED = [*ENDS, *ENDS[::-1], b"\r\n\n"]


class Wishes:
    """What nobody listens to, by the start of an event; None if somebody listens to all events."""

    def __init__(self, unwanted: Optional[dict[bytes, bool]]) -> None:
        self.unwanted = unwanted


@pytest.mark.parametrize("wanted", [Wishes(None), Wishes(defaultdict(bool))])
@pytest.mark.parametrize("is_open", [False, True])
def test_blank_lines_end_packets_in_any_spelling_however_many_are_read_at_once(wanted: Wishes, is_open: bool) -> None:
    events = [f"Event: E{number}\r\nX: {'a' * number}\nb".encode() for number, _ in enumerate(MIXED)]
    text = b"".join(event + end for event, end in zip(events, MIXED))
    ways: list[list[bytes]] = [[text], one_by_one(text), *([text[:at], text[at:]] for at in range(1, len(text)))]
    for pieces in ways:
        client = Client.logged_in(wanted=wanted)
        if is_open:
            client.send("Status")
            client.feed(OPEN_LIST)
        client.feed(*pieces)
        assert [packet.raw for packet in client.events] == events, pieces


def test_blank_lines_are_found_also_behind_a_packet_that_is_too_large_to_be_read_at_once() -> None:
    parts = [b"Event: A\r\nX: " + b"x" * 80] * 3
    client = Client.logged_in(max_packet=100)
    client.feed(b"\r\n\n".join(parts) + b"\r\n\r\n")  # together larger than a packet may be
    assert [packet.raw for packet in client.events] == parts


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_blank_lines_are_found_when_somebody_stops_listening_meanwhile(is_interrupted: bool) -> None:
    wanted = Wishes(None)
    client = Client.logged_in(wanted=wanted)
    a, b, c, d = [f"Event: {name}\r\nX: {'x' * START}".encode() for name in "ABCD"]
    outcomes = client.session.outcomes(a + b"\r\n\r\n" + b + b"\r\n\n" + c + b"\r\n\r\n")
    client.outcomes.append(next(outcomes))
    wanted.unwanted = defaultdict(bool, {b[:START]: True})
    if not is_interrupted:
        client.outcomes += outcomes
    client.feed(d + b"\r\n\r\n")
    assert [packet.raw for packet in client.events if packet.raw != b] == [a, c, d]
    assert client.session.stats.events == 4


def test_the_texts_of_old_servers_keep_their_blank_lines() -> None:
    client = Client.logged_in(banner=b"Asterisk Call Manager/1.3\r\n")
    command = client.send("Command")
    head = f"Response: Follows\r\nActionID: {command.action_id}\r\n".encode()
    client.feed(head + b"one\r\n\ntwo\r\n--END COMMAND--\r\n\r\n")
    assert client.only().output == ["one", "", "two"]


def test_the_short_way_forgets_a_list_that_something_has_followed() -> None:
    client = Client.logged_in()
    client.send("Status")
    client.feed(OPEN_LIST + message("Event: StatusComplete", "ActionID: id-1", "EventList: Complete"))
    assert client.session.last_list is not None
    assert client.session.lone_packet(HANGUP) is not None
    assert client.session.last_list is None


@pytest.mark.parametrize(
    ("banner", "options"),
    [
        (b"Asterisk Call Manager/1.3\r\n", {}),  # whose answers may contain blank lines
        (BANNER, {"max_packet": 100}),
        (BANNER, {"max_lines": 100}),
    ],
)
def test_the_short_way_knows_older_servers_and_limits(banner: bytes, options: Any) -> None:
    client = Client(**options)
    client.feed(banner)
    assert client.session.lone_packet(WELCOME) is None
    client.feed(WELCOME)
    client.send("Ping")
    assert client.session.lone_packet(PONG.replace(b"Pong", b"Pong" * 30)) is None


def test_the_short_way_keeps_the_server_s_line_end() -> None:
    client = Client()
    client.feed(BANNER.replace(b"\r\n", b"\n") + WELCOME.replace(b"\r\n", b"\n"))
    packet = client.session.lone_packet(HANGUP.replace(b"\r\n", b"\n"))
    assert isinstance(packet, Packet)
    assert packet.headers == [("Event", "Hangup"), ("Channel", "SIP/1")]
