"""Real sessions with Asterisk 16 and 22, replayed: nothing raises, nothing is lost, each action is answered once."""

from __future__ import annotations

import random
import re
import tarfile
from collections import Counter
from fnmatch import fnmatchcase
from typing import Any, Optional

from cases import for_each
from engine_client import DATA, Client, packets_of
from server_texts import BANNER, WELCOME

from ami_client._engine.in_flight import Pending
from ami_client._engine.state import State
from ami_client._engine.text import TRIMMED
from ami_client.packet import Kind, Packet

Headers = list[tuple[str, str]]

with tarfile.open(DATA / "transcripts.tar.xz") as archive:
    FILES = {entry.name: archive.extractfile(entry).read() for entry in archive}  # type: ignore[union-attr]
NAMES = sorted(name[: -len(".bin")] for name in FILES if name.endswith(".bin"))

# The transcripts in which nobody logs in, with the state in which they end.
NO_LOGIN = {
    "03-login-failure-*": State.REFUSED,
    "04-before-login": State.REFUSED,  # the first answer, "Permission denied", is no challenge
    "05-single-login-second": State.REFUSED,
    "53-tls-plaintext-to-tls-port": State.BANNER,  # no banner ever comes
    "64-stop-gracefully-new": State.REFUSED,
    "66-authtimeout-authlimit": State.BANNER,  # closed without a banner
    "66-authtimeout-*": State.LOGIN,  # closed while the login is open
}

# These begin in the middle of a session: they are given a banner and a login.
EXCERPTS = ("68-writetimeout",)

# What the server never answers, by ActionID.
UNANSWERED = {
    "23-logoff-pipelined": (r"lo-3", "what is behind a Logoff is dropped"),
    "38-shutdown-mid-list": (r"sm-[123]", "the server stops: end of file"),
    "62-kill9": (r"k9-1", "the server is killed in mid-list"),
    "68-writetimeout-excerpt": (r"wt-\d+", "an excerpt, without the ends of its lists"),
    "71-options": (r"op-[125]", "brokeneventsaction=yes: Events does not answer on, all and wrong masks"),
}

# What we do not send as the careless client of the transcript did, by ActionID.
REFUSED = {
    "28-interleaved-lists": (r"same", "an ActionID that is in flight", 2),
    "30-userevent-case": (r"ue-2", "a header without a name", 1),
    "40-errors": (r"er-[456]", "lines too long, and too many", 3),
    "43-crlf-injection": (r"ci-[35]|injected|lf-injected", "a lone CR, NUL, two ActionIDs", 4),
    "44-long-actionid": (r"\d+-a+", "longer than 67 bytes, or in flight", 32),
}

# Actions that the transcript sent without an ActionID, and with that without a way to know the answer.
ANONYMOUS = {"22-ping": 1, "40-errors": 2, "43-crlf-injection": 2}

_FENCE = re.compile(rb"\r\nAction: Ping\r\nActionID: (id-\d+)\r\n")


def of(table: dict[str, Any], name: str, default: Any) -> Any:
    """The entry for a transcript: the first whose pattern its name fits."""
    return next((table[pattern] for pattern in table if fnmatchcase(name, pattern + ".*")), default)


def requests(sent: bytes) -> list[Headers]:
    """The messages that a client sent, as headers."""
    found = []
    for text in re.split(rb"\r?\n\r?\n", sent):
        lines = [line for line in re.split(rb"\r?\n", text) if line]
        if lines:
            pairs = (line.decode("utf-8", "surrogateescape").partition(":") for line in lines)
            found.append([(name.strip(TRIMMED), value.strip(TRIMMED)) for name, _, value in pairs])
    return found


def header(headers: Headers, name: str) -> str:
    return next((value for key, value in headers if key.lower() == name), "")


class Replay:
    """One transcript played through a Session."""

    def __init__(self, name: str) -> None:
        self.received = FILES[name + ".bin"]
        if name.startswith(EXCERPTS):
            self.received = BANNER + WELCOME + self.received
        self.requests = requests(FILES[name + ".sent"])
        self.md5 = bool(self.requests) and header(self.requests[0], "action") == "Challenge"
        self.client = Client("md5" if self.md5 else "plain")
        self.actions: list[Pending] = []
        self.refused: list[str] = []
        self.anonymous = 0
        self.fence_names: dict[bytes, bytes] = {}  # a Ping of the transcript to the session's own
        for piece in re.split(rb"(?<=\r\n\r\n)", self.received):
            self.client.feed(self._with_fences(piece))
            if self.client.logins and not self.actions and self.client.session.state is State.CONNECTED:
                self._send()
                self.requests.clear()

    def _send(self) -> None:
        """Send what the client of the transcript sent after its login."""
        raw_text: Optional[Pending] = None
        for headers in self.requests[2 if self.md5 else 1 :]:
            action, action_id = header(headers, "action"), header(headers, "actionid")
            if not (action and action_id):
                self.anonymous += 1
                continue
            if raw_text is not None and action == "Ping":  # a Ping that fences: the session sent one of its own
                fence = _FENCE.search(self.client.session.take_outgoing())
                assert fence is not None
                self.fence_names[action_id.encode()] = fence.group(1)
                raw_text = None
                continue
            self.client.session.take_outgoing()
            params = [(name, value) for name, value in headers if name.lower() != "action"]
            try:
                pending = self.client.send(action, params)
            except ValueError:
                self.refused.append(action_id)
                continue
            self.actions.append(pending)
            raw_text = pending if pending.quirk.raw_text else None

    def _with_fences(self, piece: bytes) -> bytes:
        for ours, fence in self.fence_names.items():
            piece = piece.replace(b"ActionID: " + ours + b"\r\n", b"ActionID: " + fence + b"\r\n")
        return piece


@for_each("name", NAMES)
def test_each_action_is_answered_once(name: str) -> None:
    replay = Replay(name)
    client = replay.client
    state = of(NO_LOGIN, name, State.CONNECTED)
    assert client.session.state is state
    assert len(client.logins) == (state in (State.CONNECTED, State.REFUSED))
    if state is not State.CONNECTED:
        assert not client.done
        return
    unanswered = [one.action_id for one in replay.actions if not client.results(one)]
    expected, _reason = of(UNANSWERED, name, ("(?!)", ""))
    assert [one for one in unanswered if not re.fullmatch(expected, one)] == []
    assert bool(unanswered) == (expected != "(?!)")
    assert all(len(client.results(one)) == 1 for one in replay.actions if one.action_id not in unanswered)
    pattern, _reason, count = of(REFUSED, name, ("(?!)", "", 0))
    assert len(replay.refused) == count
    assert [one for one in replay.refused if not re.fullmatch(pattern, one)] == []
    assert replay.anonymous == of(ANONYMOUS, name, 0)
    lost = client.lose()
    assert [one.action_id for one in lost] == unanswered


@for_each("name", NAMES)
def test_each_packet_is_accounted_for(name: str) -> None:
    replay = Replay(name)
    client = replay.client
    came = Counter(raws(packets_of([replay.received])))
    ours = Counter(one.packet.raw for one in client.logins)
    emitted = Counter(packet.raw for packet in client.events)
    ours += emitted
    texts = b""
    begun = sum(one.collecting for one in replay.actions if not client.results(one))  # their Response is not kept
    for done in [*client.done, *client.lose()]:
        packet = done.result
        assert isinstance(packet, Packet)
        if packet.kind is Kind.TEXT:
            texts += packet.raw + b"\r\n"
            continue
        if packet.kind is not Kind.LOCAL:
            ours[packet.raw] += 1
        entries = Counter(entry.raw for entry in packet.events)
        if done.quirk.gathers_events:
            assert not entries - emitted  # counted already
        else:
            ours += entries
        ours += Counter([packet.complete.raw] if packet.complete else [])
    challenges = int(replay.md5)
    left = came - ours
    for raw in list(left):
        if raw in texts or any(b"ActionID: " + ping + b"\r\n" in raw for ping in replay.fence_names):
            del left[raw]
    assert ours - came == Counter()
    assert sum(left.values()) == client.session.stats.dropped + challenges + begun


def raws(packets: list[Packet]) -> list[bytes]:
    """The bytes of each packet; of one that Skinny merged, those of each of its events."""
    found = []
    for packet in packets:
        merged = packet.raw.startswith(b"Event: ") and re.search(
            rb"\r\nEvent: (Device|Line)listComplete\r\n", packet.raw
        )
        found += [one.raw for one in packet.split_events()] if merged else [packet.raw]
    return found


@for_each("name", NAMES)
def test_cuts_make_no_difference(name: str) -> None:
    received = FILES[name + ".bin"]
    chance = random.Random(name)
    largest = chance.choice((3, 50, 1460)) if len(received) < 20_000 else 1460
    pieces, position = [], 0
    while position < len(received):
        size = chance.randint(1, largest)
        pieces.append(received[position : position + size])
        position += size
    whole, cut = packets_of([received]), packets_of(pieces)
    assert [(one.kind, one.raw) for one in cut] == [(one.kind, one.raw) for one in whole]
    assert cut == whole


def test_the_exceptions_are_about_transcripts_that_exist() -> None:
    for table in (NO_LOGIN, UNANSWERED, REFUSED, ANONYMOUS):
        for key in table:
            assert any(fnmatchcase(name, key + ".*") for name in NAMES), key
    assert len(NAMES) == 184


def test_what_became_of_a_call_is_told_by_an_event() -> None:
    """OriginateResponse comes as an event, although it carries our ActionID."""
    events = Replay("18-originate-ok.22").client.events
    assert [one["response"] for one in events if one["event"] == "originateresponse"] == ["success"]
