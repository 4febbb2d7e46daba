"""The contract: every accepted callback fires exactly once, whatever happens, and leaves nothing behind.

A small model plays the server, the user and the clock by chance, and knows what each callback is
to be told; seeds make it repeatable.
"""

from __future__ import annotations

import gc
import logging
import random
import weakref
from typing import Any, Callable

import pytest
from fake_network import URL, Network, message

from ami_client import Connection
from ami_client.errors import ActionFailed, ActionTimeout, ConnectionFinished, ConnectionLost
from ami_client.testing.fakes import NothingCanHappen

LIMIT = 20  # seconds, of each action that names none
CALL_LIMIT = 5 + LIMIT  # seconds, of a call's result

# What the server may say of an action.
WORDS = {
    "success": "Response: Success",
    "error": "Response: Error|Message: No",
    "start": "Response: Success|EventList: start",
    "entry": "Event: Entry|N: 1",
    "end": "Event: Done|EventList: Complete",
    "call answered": "Event: OriginateResponse|Response: Success",
    "call failed": "Event: OriginateResponse|Response: Failure",
}


class Token:
    """One accepted callback: what it is to be told, and what it was told."""

    def __init__(self, game: Game, kind: str, deadline: float) -> None:
        self.kind = kind  # single, gathered, composite or result
        self.deadline = deadline
        self.begun = False  # its list has
        self.wanted: list[type | None] = []
        self.told: list[type | None] = []
        self.behaviour = game.chance.choice(["calm"] * 6 + ["raise", "finish", "more", "more"])


class Callback:
    """What the library holds on to, and must let go of."""

    def __init__(self, game: Game, token: Token) -> None:
        self.game, self.token = game, token

    def __call__(self, conn: Connection, result: Any) -> None:
        token = self.token
        assert isinstance(result, list) is (token.kind == "composite")
        last = result[-1] if token.kind == "composite" else result
        token.told.append(None if last.error is None else type(last.error))
        if token.behaviour == "raise":
            raise RuntimeError("the user's bug")
        if token.behaviour == "finish":
            conn.finish()
        elif token.behaviour == "more" and not conn.finished:
            self.game.act()


class Game:
    """One connection from its beginning to its end."""

    def __init__(self, network: Network, chance: random.Random) -> None:
        self.network, self.chance = network, chance
        self.open: dict[str, list[Token]] = {}  # by ActionID: the action's own and its result's
        self.tokens: list[Token] = []
        self.callbacks: list[weakref.ref[Callback]] = []
        self.ticks: list[int] = []
        self.ticks_said = 0
        self.ticks_due = 0
        self.ended_by: type | None = None
        pool = network.pool(timeout=None, action_timeout=LIMIT)
        pool.get_connection(URL, None, 0, self._early)
        self.sock = network.answer_login()

    def _early(self, conn: Connection) -> None:
        self.conn = conn
        conn.bind("event_tick", lambda conn, packet: self.ticks.append(int(packet["n"])))
        for _ in range(self.chance.randrange(3)):
            self.act()

    # The user

    def act(self) -> None:
        kind = self.chance.choice(["single", "gathered", "composite", "originate", "silent"])
        limit = self.chance.choice([None, 3, 7])
        conn = self.conn
        if kind == "originate":
            with_cb = self.chance.random() < 0.7
            own = [self._token("single", limit or LIMIT)] if with_cb else []
            result = self._token("result", CALL_LIMIT)
            params = {"Channel": "SIP/1", "Timeout": 5000}
            cb = self._callback(own[0]) if own else None
            action_id = conn.originate(params, cb, on_result=self._callback(result), timeout=limit)
            self.open[action_id] = [*own, result]
        elif kind == "silent":
            self.open[conn.ping(None, timeout=limit)] = []
        else:
            token = self._token(kind, limit or LIMIT)
            assertion = {"event": "done"} if kind == "composite" else None
            action_id = conn.action("Do", self._callback(token), None, assertion, timeout=limit)
            self.open[action_id] = [token]

    def _token(self, kind: str, limit: float) -> Token:
        token = Token(self, kind, self.network.clock.now + limit)
        if self.ended_by is not None:  # the model is ahead of the library, which is yet to end
            token.wanted.append(self.ended_by)
        self.tokens.append(token)
        return token

    def _callback(self, token: Token) -> Callback:
        callback = Callback(self, token)
        self.callbacks.append(weakref.ref(callback))
        return callback

    # The model

    @property
    def over(self) -> bool:
        return self.ended_by is not None

    def _tell(self, token: Token, error: type | None) -> None:
        token.wanted.append(error)
        if token.behaviour == "finish":
            self._end(ConnectionFinished)

    def _end(self, error: type) -> None:
        if not self.over:
            self.ended_by = error
            for token in self._waiting():
                token.wanted.append(error)

    def _waiting(self) -> list[Token]:
        return [token for token in self.tokens if not token.wanted]

    def _answered(self, action_id: str, what: str) -> None:
        if self.over:
            return
        waiting = [token for token in self.open[action_id] if not token.wanted]
        told: list[tuple[Token, type | None]] = []
        for token in waiting:
            if token.kind == "result":
                if what == "error":
                    told.append((token, ActionFailed))
                elif what in ("call answered", "call failed"):
                    told.append((token, None if what == "call answered" else ActionFailed))
            elif what == "error":
                told.append((token, ActionFailed))
            elif what == "success" and token.kind != "composite" and not token.begun:
                told.append((token, None))
            elif what == "start" and token.kind != "composite":
                token.begun = True
            elif what == "end" and (token.begun or token.kind == "composite"):
                told.append((token, None))
        for token, error in told:  # one message may answer two: neither is lost if one finishes
            token.wanted.append(error)
        for token, _ in told:
            if token.behaviour == "finish":
                self._end(ConnectionFinished)

    # The server

    def speak(self) -> None:
        """Send some messages in one piece or many."""
        said = []
        for _ in range(self.chance.randrange(1, 6)):
            if self.chance.random() < 0.3 or not self.open:
                said.append(f"Event: Tick|N: {self.ticks_said}")
                self.ticks_said += 1
                self.ticks_due += not self.over
                continue
            action_id = self.chance.choice(list(self.open))
            what = self.chance.choice(list(WORDS))
            said.append(f"{WORDS[what]}|ActionID: {action_id}")
            self._answered(action_id, what)
        self.sock.read_size = self.chance.choice([1, 7, *[None, 50] * 8])  # small ones are slow
        self.network.say(b"".join(map(message, said)), self.sock)

    def pass_time(self) -> None:
        end = self.network.clock.now + self.chance.choice([1, 2, 5, 30])
        while self.network.clock.now < end:
            due = [token.deadline for token in self._waiting() if token.deadline <= end]
            now = min(due, default=end)
            for token in self._waiting():
                if token.deadline <= now and not self.over:
                    self._tell(token, ActionTimeout)
            self.network.wait(now - self.network.clock.now)

    def finish(self) -> None:
        ways: list[tuple[Callable[[], object], type]] = [
            (self.conn.finish, ConnectionFinished),
            (self.conn.close, ConnectionFinished),
            (self.sock.eof, ConnectionLost),
            (self.sock.reset, ConnectionLost),
        ]
        end, error = self.chance.choice(ways)
        if not self.over:
            self._end(error)
            end()
        self.network.pump()


def play(network: Network, chance: random.Random) -> Game:
    game = Game(network, chance)
    for _ in range(chance.randrange(5, 40)):
        if game.over:
            break
        chance.choice([game.act, game.act, game.speak, game.speak, game.speak, game.pass_time])()
    game.finish()
    return game


@pytest.fixture(autouse=True)
def _no_tracebacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept log records would keep the tracebacks, and these the callbacks."""
    logger = logging.getLogger("ami_client")

    def forget(record: logging.LogRecord) -> bool:
        record.exc_info = None
        return True

    monkeypatch.setattr(logger, "filters", [forget])


@pytest.mark.parametrize("seed", range(20))
def test_each_callback_exactly_once_and_nothing_left(
    network: Network, seed: int, expect_log: Callable[[str], None]
) -> None:
    expect_log("ERROR: callback .* raised|WARNING: .* may have lost parts")
    chance = random.Random(seed)
    games = [play(network, chance) for _ in range(12)]
    for game in games:
        assert [token.told for token in game.tokens] == [token.wanted for token in game.tokens]
        assert all(len(token.told) == 1 for token in game.tokens)
        assert game.ticks == list(range(game.ticks_due))
        assert (game.conn.finished, game.sock.closed) == (True, True)
    with pytest.raises(NothingCanHappen):
        network.reactor.run_once()  # no timer, no reader, no writer is left
    gc.collect()
    assert not [ref for game in games for ref in game.callbacks if ref() is not None]


def test_the_games_are_worth_playing(network: Network, expect_log: Callable[[str], None]) -> None:
    expect_log("ERROR: callback .* raised|WARNING: .* may have lost parts")
    chance = random.Random(0)
    games = [play(network, chance) for _ in range(60)]
    told = {(token.kind, error) for game in games for token in game.tokens for error in token.told}
    kinds = ("single", "gathered", "composite", "result")
    errors = (None, ActionFailed, ActionTimeout, ConnectionFinished, ConnectionLost)
    assert told == {(kind, error) for kind in kinds for error in errors}
