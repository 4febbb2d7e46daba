"""What a broken or hostile server may say: a corpus, each with its outcome, and the fuzz target over all of it.

``tests/data/malformed/said-*.bin`` are said after the login, the others are whole streams.
"""

from __future__ import annotations

from random import Random

import pytest
from engine_client import DATA, Client, feed, message, packets_of, read
from fuzz.target import ACTIONS, check
from fuzz.words import mutate, seeds, with_our_ids
from server_texts import WELCOME

from ami_client._engine.in_flight import Pending, Result
from ami_client._engine.packet import PacketReader
from ami_client._engine.state import State
from ami_client.errors import ActionFailed, ActionTimeout, ConnectionLost, LoginRefused, ProtocolError
from ami_client.packet import Kind, Packet

FILES = {path.stem: path.read_bytes() for path in (DATA / "malformed").glob("*.bin")}
ASTERISK, OLD_ASTERISK = "Asterisk Call Manager/5.0.4", "Asterisk Call Manager/2.10.6"
INVALID = {"one": "\udcc3", "two": "\udce2\udc82", "three": "\udcf0\udc9f\udc98", "four": "\udc80\udcff\udcfe"}
INVALID |= {"five": "\udced\udca0\udc80", "six": "\udcc0\udcaf", "\udcf0\udc9f": "x"}
# Dict views that come more than once.
PONG = {"response": "success", "actionid": "id-1", "ping": "pong"}
OLD = {"response": "follows", "actionid": "id-7"}
LAST = {"event": "last"}  # behind most of it, to show that the reader is itself again

# The banner, and each packet's dict view; what is neither an event nor a response is text.
STREAMS: dict[str, tuple[str | None, list[dict[str, str]]]] = {
    "banner-empty": ("", [PONG, LAST]),
    "banner-in-lf": ("Asterisk Call Manager/1.1", [{"event": "a", "value": "x"}, LAST]),
    "banner-missing": ("Response: Success", [{"actionid": "id-1", "ping": "pong"}, LAST]),
    "banner-of-http": ("HTTP/1.1 400 Bad Request", [{"server": "nginx", "content-length": "11"}]),
    "banner-of-smtp": ("220 mail.example.com ESMTP Postfix", []),
    "banner-of-ssh": ("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3", []),
    "banner-of-tls": (None, []),
    "banner-twice": (ASTERISK, [{ASTERISK.lower(): ""}, PONG, LAST]),
    "banner-with-escapes": ("\x1b[2J\x1b]0;owned\x07Asterisk\rCall Manager/5.0.4", [PONG, LAST]),
    "no-line-end": (None, []),
    "no-crlf-after-banner": (ASTERISK, []),
    "crlf-lf": (ASTERISK, [{"event": "a", "value": "x"}, {"event": "b"}, LAST]),
    "lf-crlf": (ASTERISK, [{"event": "a", "value": "x", "other": "y"}, LAST]),
    "lone-cr": (ASTERISK, [{"event": "a\rvalue: x\r\revent: b"}, LAST]),
    "cr-cr-lf": (ASTERISK, [{"event": "last", "value": "x", "": ""}]),
    "blank-lines": (ASTERISK, [LAST]),
    "nul": (ASTERISK, [{"event": "a", "val\0ue": "x", "": "y"}, {"event": "b"}, LAST]),
    "invalid-utf8": (ASTERISK, [{"event": "a", **INVALID}, LAST]),
    "utf8": (ASTERISK, [{"event": "Ä", "kanäle": "€😀\u2028\x85\u0130"}, LAST]),
    "ansi-escapes": (ASTERISK, [{"event": "\x1b[31mred\x1b[0m", "\x1b[2j": "\x1b]0;owned\x07"}, LAST]),
    "no-space-after-colon": (ASTERISK, [{"event": "a", "key": "v:w", "key:v": "w"}, LAST]),
    "no-name": (ASTERISK, [{"event": "a", "": "z"}, LAST]),
    "only-colons": (ASTERISK, [{"": ":"}, {"event": "a", ":::": "::", "": ""}, LAST]),
    "no-colon": (ASTERISK, [{"event": "a", "foo": "", "bar baz": ""}, {"event": "", "response": ""}, LAST]),
    "first-header-twice": (ASTERISK, [{"event": "c", "response": "success"}, LAST]),
    "id-first": (
        ASTERISK,
        [{"actionid": "1"}, {"actionid": "2", "event": "a"}, {"actionid": "3", "event": "b"}, LAST],
    ),
    "name-of-blanks": (ASTERISK, [{"event": "a", "": "x"}, LAST]),
    "text-outside": (
        ASTERISK,
        [{"hello": "", "world": ""}, {"more": ""}, {"event": "a", "value": "x"}, {"notice[1]": "something"}, LAST],
    ),
    "cut-packet": (
        ASTERISK,
        [{"nnel": "sip/1", "state": "up"}, {"event": "levent: listdialplan", "context": "x"}, LAST],
    ),
    "forged-packet": (
        ASTERISK,
        [{"event": "userevent", "text": "x"}, {"response": "success", "actionid": "id-1"}, LAST],
    ),
    "follows-forged": (
        ASTERISK,
        [{"response": "follows", "privilege": "command", "actionid": "id-7", "text": ""}, LAST],
    ),
    "follows-without-end": (OLD_ASTERISK, []),
    "follows-without-lines": (OLD_ASTERISK, [{"response": "follows"}, LAST]),
    "follows-without-text": (OLD_ASTERISK, [OLD, {"response": "follows"}, LAST]),
    "follows-end-outside": (OLD_ASTERISK, [{"--end command--": ""}, {"event": "a", "--end command--": ""}, LAST]),
    "follows-in-follows": (OLD_ASTERISK, [OLD, LAST]),
}
TEXTS = {  # which packets of a stream are text
    "banner-missing": [0],
    "banner-of-http": [0],
    "banner-twice": [0],
    "nul": [1],
    "only-colons": [0],
    "no-colon": [1],
    "id-first": [0],
    "text-outside": [0, 1, 3],
    "cut-packet": [0],
    "follows-end-outside": [0],
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_read_as_far_as_it_can_be(name: str) -> None:
    banner, expected = STREAMS[name]
    reader = PacketReader()
    packets = list(feed(reader, FILES[name]))
    assert reader.banner == banner
    assert packets == expected
    texts = TEXTS.get(name, [])
    for number, packet in enumerate(packets):
        first = "event" if packet.event_name else "response"
        assert packet.kind is (Kind.TEXT if number in texts else Kind(first))


def test_the_corpus_is_complete() -> None:
    assert sorted(STREAMS) == sorted(name for name in FILES if not name.startswith("said-"))


def test_the_name_of_an_event_is_its_first_header() -> None:
    packet, _last = packets_of([FILES["first-header-twice"]])
    assert (packet.event_name, packet.getall("event")) == ("a", ["a", "b", "c"])


def test_an_old_answer_goes_up_to_the_marker_with_a_blank_line() -> None:
    packet, _last = packets_of([FILES["follows-in-follows"]])
    assert packet.output[:3] == ["Response: Follows", "--END COMMAND--", "--END COMMAND-- "]


def test_an_old_answer_without_lines_has_no_output() -> None:
    packet, _last = packets_of([FILES["follows-without-lines"]])
    assert (packet.raw, packet.output, packet.headers) == (b"Response: Follows", [], [("Response", "Follows")])


@pytest.mark.parametrize("name", ["utf8", "invalid-utf8", "crlf-lf", "follows-in-follows", "nul"])
def test_cuts_at_every_byte_make_no_difference(name: str) -> None:
    banner, text = FILES[name].split(b"\n", 1)
    read(text, banner=banner + b"\n")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "1" * 10_000 + "x", "NaN" * 2, '"\\ud800' * 2])
def test_json_that_is_no_json_is_a_value_error(text: str) -> None:
    (packet,) = packets_of([b"A/1\r\n", message("Response: Success", f"JSON: {text}")])
    with pytest.raises(ValueError):
        packet.json()


# The session. The actions have the ActionIDs id-1, id-2, ... in the order of ACTIONS.


class Asked(Client):
    """A client with an action of each kind in flight, to whom a file of the corpus is said."""

    pendings: dict[str, Pending]

    @classmethod
    def all(cls) -> Asked:
        client = cls.logged_in()
        assert isinstance(client, Asked)
        client.pendings = {action: client.send(action, None, assertions) for action, assertions in ACTIONS}
        return client

    @classmethod
    def and_told(cls, name: str) -> Asked:
        client = cls.all()
        client.feed(FILES[name])
        return client

    def answered(self) -> list[str]:
        return [done.action for done in self.done]

    def answer(self, action: str) -> Result:
        (result,) = self.results(self.pendings[action])
        return result

    def packet(self, action: str) -> Packet:
        result = self.answer(action)
        assert isinstance(result, Packet)
        return result

    def names(self) -> list[str]:
        return [packet.event_name for packet in self.events]


def test_what_is_not_malformed_is_answered() -> None:
    client = Asked.and_told("said-every-answer")
    assert client.answered() == [action for action, _assertions in ACTIONS]
    assert client.names() == ["newchannel", "originateresponse"]
    assert client.session.stats.dropped == 0


def test_answers_that_come_too_late_are_nobodys() -> None:
    client = Asked.all()
    for pending in client.pendings.values():
        client.session.give_up(pending, ActionTimeout("late"))
    client.feed(FILES["said-every-answer"])
    assert client.answered() == []
    assert client.names() == ["newchannel", "originateresponse"]
    assert client.lose() == []


def test_the_second_answer_is_nobodys() -> None:
    client = Asked.and_told("said-ids-twice")
    assert client.answered() == ["Ping"]
    assert client.packet("Ping")["n"] == "1"
    assert client.names() == ["x"]
    assert client.session.stats.dropped == 1


def test_answers_to_foreign_ids_are_nobodys() -> None:
    client = Asked.and_told("said-foreign-ids")
    assert client.answered() == ["Ping"]  # a foreign id behind ours changes nothing
    assert client.names() == ["x"]
    assert client.session.stats.dropped == 7


def test_list_markers_count_in_their_place_only() -> None:
    client = Asked.and_told("said-markers-anywhere")
    assert client.answered() == ["QueueStatus", "Ping"]
    assert client.packet("QueueStatus").complete is None
    ping = client.packet("Ping")
    assert [one.event_name for one in ping.events] == ["d"]
    assert ping.complete == {"event": "e", "actionid": "id-1", "eventlist": "cancelled"}
    assert client.names() == ["a", "b", "c"]


def test_entries_before_the_response_are_events() -> None:
    client = Asked.and_told("said-entries-first")
    answer = client.packet("QueueStatus")
    assert [one["n"] for one in answer.events] == ["2"]
    assert not answer.suspect
    assert client.names() == ["entry", "end"]


def test_an_error_in_the_middle_of_a_list_ends_it() -> None:
    client = Asked.and_told("said-two-responses")
    answer = client.packet("QueueStatus")
    assert isinstance(answer.error, ActionFailed)
    assert str(answer.error).isprintable()
    assert len(answer.events) == 2
    assert client.names() == ["end"]


def test_entries_go_to_the_list_whose_id_they_have() -> None:
    client = Asked.and_told("said-lists-inside-lists")
    assert client.answered() == ["IAXpeers", "QueueStatus"]
    assert [one["n"] for one in client.packet("IAXpeers").events] == ["1"]
    assert [one["n"] for one in client.packet("QueueStatus").events] == ["2"]
    assert [one.get("n") for one in client.events] == ["3", "4"]


def test_text_belongs_to_the_action_whose_fence_is_behind_it() -> None:
    client = Asked.and_told("said-text-around-a-fence")
    assert client.answered() == ["IAXnetstats"]
    assert client.packet("IAXnetstats").output == ["before", "Peer 1", "Peer 2"]
    assert client.names() == ["x"]
    assert client.session.stats.dropped == 3


def test_a_goodbye_that_nobody_asked_for_ends_nothing() -> None:
    client = Asked.and_told("said-goodbye")
    assert client.session.state is State.CONNECTED
    assert not client.session.logged_off, "or the end would count as our own wish, and nobody would connect again"
    assert client.names() == ["shutdown", "last"]
    assert client.answered() == []


def test_the_result_of_a_call_comes_once() -> None:
    client = Client.logged_in()
    pending = client.send("Originate", {"ActionID": "id-11"})
    result = client.session.expect_result(pending.action_id, lambda conn, packet: None)
    client.feed(FILES["said-originate-results"])
    assert client.done == [result, pending]
    assert isinstance(client.only(result).error, ActionFailed)
    assert [one["response"] for one in client.events] == ["success", "failure", "success"]


def test_the_count_of_entries_may_be_anything() -> None:
    client = Client.logged_in()
    pendings = [client.send("QueueStatus", {"ActionID": f"n{number}"}) for number in range(8)]
    client.feed(FILES["said-list-items"])
    assert [len(client.only(one).events) for one in pendings] == [1] * 8
    assert [client.only(one).suspect for one in pendings][:3] == [False, True, False]


@pytest.mark.parametrize(
    ("first", "error"),
    [
        (WELCOME, ProtocolError),
        (message("Response: Success", "Challenge:  "), ProtocolError),
        (message("Response: Error", "Message: " + "x" * 100_000), LoginRefused),
        (message("Response: Error"), LoginRefused),
    ],
)
def test_a_login_that_goes_wrong_is_told_once(first: bytes, error: type[Exception]) -> None:
    client = Client("md5")
    client.feed(b"A/1\r\n", message("Event: X"), message("junk"), first, WELCOME, message("Event: Y"), WELCOME)
    (login,) = client.logins
    assert isinstance(login.packet.error, error)
    assert len(str(login.packet.error)) < 1000
    assert client.session.state is State.REFUSED
    assert client.events == []


@pytest.mark.parametrize("action", ["IAXnetstats", "CoreShowChannels", "WaitEvent"])
def test_what_a_server_never_answers_is_forgotten_some_day(action: str) -> None:
    """An action asked again and again for months must not leave more and more behind."""
    client = Client.logged_in()
    given_up = []
    for _ in range(2500):
        pending = client.send(action)
        given_up.append(pending.fence_id or pending.action_id)
        client.session.give_up(pending, ActionTimeout("late"))
    for action_id in given_up:
        client.feed(message("Response: Success", f"ActionID: {action_id}"))
    assert client.done == []
    assert client.session.stats.dropped >= 1400, "the first answers find nobody who remembers"
    assert client.session.finish(ConnectionLost("gone")) == []


# Everything at once


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_fuzz_target_on_the_corpus(name: str) -> None:
    check(with_our_ids(FILES[name]))


def test_the_fuzz_target_on_changed_seeds() -> None:
    chance = Random(3)
    streams = seeds()
    for _ in range(40):
        check(mutate(chance.choice(streams), 2048, chance))
