"""Sessions with real servers, recorded and played back: the same program gets the same again, and no secret is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from driver import Client
from servers import AsteriskServer

from ami_client import Packet, Reactor
from ami_client.testing import FakeAsterisk, Recorder, Recording, SimulatedReactor
from ami_client.testing.redact import redact

# What differs between two runs without a difference in what the server said.
OWN_ID = re.compile(rb"ActionID: \S+")
CHALLENGE = re.compile(rb"Challenge: \S+")


# Secrets in odd spellings, as a server passes them on.
HIDDEN = {
    "ApiToken": "token-4711",
    "sEcReT": "odd-4711",
    "DB_PWD": "pwd-4711",
    "Url": "https://bob:p@ss-4711@192.0.2.1/",
    "Dial": "IAX2/bob:iax-4711@192.0.2.1/100",
    "Json": '{"password": "json-4711", "pin": 471100}',
}


def use(client: Client) -> list[object]:
    """The program: lists, a call with its events, a command, what fails, and goodbye; returns all that it was told."""
    answers: list[object] = [
        [packet.raw for packet in client.answer(client.conn.core_show_channels)],
        client.action("GetConfig", {"Filename": "manager.conf"}).raw,
        client.action("Command", {"Command": "core show version"}).output,
        [packet.raw for packet in client.action("IAXpeers").events],
        client.action("Nonsense").raw,
        [part.raw for part in client.originate("Local/101@default/n", Variable={"PIN_SECRET": "pin-4711"})],
    ]
    client.hang_up_all()
    client.until_event("Hangup")
    client.action("UserEvent", {"UserEvent": "Last", "Text": "Яна, 漢字", **HIDDEN})
    client.until_event("UserEvent", UserEvent="Last")
    answers.append(client.answer(client.conn.logoff).raw)
    return [kept(answer) for answer in answers]


def kept(answer: object) -> object:
    """An answer as a recording has it, and with no ActionID of the client's own in it."""
    if isinstance(answer, list):
        return [kept(part) for part in answer]
    return OWN_ID.sub(b"ActionID", redact(answer)) if isinstance(answer, bytes) else answer


@pytest.fixture
def recording(asterisk: AsteriskServer, tmp_path: Path) -> tuple[Recording, list[object], list[Packet], str]:
    """What a recorder has kept of the program, and what the program was told itself."""
    path = tmp_path / "session.jsonl"
    reactor = Reactor()
    recorder = Recorder(reactor, asterisk.tls_url, path, ssl_verify=False)
    recorder.start()
    with Client(asterisk, recorder.url, reactor) as client:
        answers, events = use(client), client.events
        client.until(lambda: not recorder.clients)
        recorder.close()
    return Recording.load(path), answers, events, path.read_text(encoding="utf-8")


def test_the_same_program_is_told_the_same(
    asterisk: AsteriskServer,
    recording: tuple[Recording, list[object], list[Packet], str],
    expect_log: Callable[[str], None],
) -> None:
    expect_log("anybody may answer")
    recorded, answers, events, text = recording
    for hidden in "secret=secret", "s@p:ä/ß#1", "4711":
        assert hidden not in text
    assert '["Key", "[removed]"]' in text
    for speed in 1.0, None:
        with SimulatedReactor() as reactor, FakeAsterisk(reactor) as server:
            replay = server.replay(recorded, speed=speed)
            with Client(asterisk, server.url, reactor) as client:
                assert use(client) == answers
                assert [kept(event.raw) for event in client.events] == [kept(event.raw) for event in events]
            assert [request.action for request in replay.unmatched] == []
            assert replay.finished


def test_a_client_that_knows_no_ami_is_told_the_same_bytes(
    recording: tuple[Recording, list[object], list[Packet], str], expect_log: Callable[[str], None]
) -> None:
    expect_log("anybody may answer")
    recorded = recording[0]
    with SimulatedReactor() as reactor, FakeAsterisk(reactor) as server:
        server.replay(recorded, speed=None)
        sock = reactor.network.socket()
        sock.setblocking(False)
        sock.connect_ex((server.host, server.port))
        assert sock.readiness()
        sock.send(recorded.data("client"))  # all at once, and nothing is waited for
        reactor.run_for(60)
        received = sock.recv(10_000_000)
    assert CHALLENGE.sub(b"", received) == CHALLENGE.sub(b"", recorded.data("server"))
