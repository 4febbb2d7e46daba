"""Plays a recording to clients: :class:`Replay`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Callable, Optional

from .masks import ALL
from .matching import MAX_RECEIVED, Received
from .recording import Recording
from .requests import Request
from .script import BUILT_IN, Answer, Later
from .session import Phase, Session
from .storyline import Exchange, Happening, Pairs, Storyline, read_pairs, value_of, with_action_id

if TYPE_CHECKING:
    from ..loop import Handle, Loop

# Clients send these at any time, and no events follow from them. The replay does not wait for them.
_KEEPALIVE = "ping"
_FASTEST = 1e100  # a speed; higher ones may overflow a float, and mean no waiting at all


class Replay:
    """A recording that a server plays to its clients. ``FakeAsterisk.replay`` makes it.

    Attributes: ``unmatched``, the latest requests without a similar recorded one; ``finished``, whether a connection
    was played to its end; ``on_end(number)``, called at that moment with the client's number, from 1, or None.
    """

    def __init__(
        self, recording: Recording, speed: Optional[float], patience: float, max_received: Optional[int] = MAX_RECEIVED
    ) -> None:
        if speed is not None and not speed > 0:
            raise ValueError("speed must be greater than 0; None means without waiting")
        self.recording = recording
        self.speed = math.inf if speed is None or speed > _FASTEST else float(speed)
        self.patience = patience
        self.unmatched: list[Request] = Received(max_received)
        self.finished = False
        self.on_end: Optional[Callable[[int], object]] = None
        self._clients = 0

    def __repr__(self) -> str:
        return f"<Replay of {self.recording!r}>"

    def begin(self, loop: Loop, session: Session) -> Playback:
        """Play the next recorded connection to a new client."""
        links = self.recording.links
        number = self._clients
        self._clients += 1
        records = self.recording.link(number % links + 1) if links else []
        return Playback(loop, session, Storyline(records), self, number + 1)

    def ended(self, number: int) -> None:
        """Note that the playback to a client has ended."""
        self.finished = True
        if self.on_end is not None:
            self.on_end(number)


class Playback:
    """One recorded connection, played to one client."""

    def __init__(self, loop: Loop, session: Session, story: Storyline, replay: Replay, number: int) -> None:
        self.banner = story.banner
        self._loop = loop
        self._session = session
        self._story = story
        self._replay = replay
        self._number = number
        self._begun: Optional[float] = None  # time of the login
        self._moved = 0.0  # time of the last packet to the client, or of its last recorded request
        self._expected = list(story.exchanges)  # exchanges that are not matched by a request yet
        self._pending: set[Exchange] = set()  # requested, not answered yet
        self._settled = 0  # number of answers that were given or given up
        self._own_ids: dict[str, str] = {}  # recorded ActionID -> the client's
        self._to_come = list(reversed(story.happenings))
        self._timer: Optional[Handle] = None
        self._is_gone = False  # the client has disconnected

    def answer(self, request: Request) -> Answer:
        """Return the recorded answer, or the built-in one. Events come separately."""
        self._loop.call_soon(self._play_due)
        headers = read_pairs("\n".join(request.lines).encode("utf-8", "surrogateescape"))
        exchange = self._match(headers)
        if exchange is not None:
            self._expected.remove(exchange)
            self._moved = self._loop.time()
        elif value_of(headers, "action").lower() not in (_KEEPALIVE, "challenge"):
            self._replay.unmatched.append(request)
        # A challenge is a secret, so it is not recorded. The built-in answer is used.
        if exchange is None or exchange.action == "challenge":
            return BUILT_IN
        self._own_ids[exchange.action_id] = request.action_id
        if not exchange.answer:
            return None
        self._pending.add(exchange)
        later = Later()
        self._loop.call_later(exchange.duration / self._replay.speed, self._answer, exchange, request, later)
        return later

    def close(self) -> None:
        """Note that the client has disconnected."""
        self._is_gone = True
        self._stop_timer()
        if len(self._to_come) == 1:  # the end of the connection
            self._to_come.clear()
            self._replay.ended(self._number)

    def _match(self, headers: Pairs) -> Optional[Exchange]:
        action = value_of(headers, "action").lower()
        same = [exchange for exchange in self._expected if exchange.action == action]
        return max(same, key=lambda exchange: exchange.likeness(headers), default=None)

    def _answer(self, exchange: Exchange, request: Request, later: Later) -> None:
        self._play_due()  # play everything recorded before it
        if self._is_gone:
            return
        self._pending.discard(exchange)
        if exchange.is_answered("goodbye") or (exchange.action == "login" and exchange.is_answered("error")):
            self._session.finish_after_answer()
        elif exchange.action == "login" and self._session.phase is Phase.NEW:
            self._session.log_in(ALL)
        packets = [with_action_id(one.data, exchange.action_id, request.action_id) for one in exchange.answer]
        later.set(b"".join(packets))
        self._moved = self._loop.time()
        self._loop.call_soon(self._play_due)

    def _play_due(self) -> None:
        """Play everything that is due, and schedule the rest."""
        self._stop_timer()
        if self._is_gone or not self._has_begun():
            return
        while self._to_come:
            happening = self._to_come[-1]
            wait = max(self._due(happening.record.time) - self._loop.time(), self._hold(happening))
            if wait > 0:
                if wait != math.inf:
                    self._timer = self._loop.call_later(wait, self._play_due)
                return
            self._moved = self._loop.time()
            self._happen(self._to_come.pop())

    def _has_begun(self) -> bool:
        if self._begun is None and self._session.logged_in:
            self._begun = self._moved = self._loop.time()
            self._settled = self._story.login_answers  # by any kind of login
        return self._begun is not None

    def _due(self, time: float) -> float:
        assert self._begun is not None
        return self._begun + (time - self._story.login_time) / self._replay.speed

    def _hold(self, happening: Happening) -> float:
        """Return how long to wait for the requests before it, in seconds. Infinity while an answer is pending."""
        while self._settled < happening.behind:
            exchange = self._story.answered[self._settled]
            if exchange in self._pending:
                return math.inf
            if exchange in self._expected and exchange.action != _KEEPALIVE:
                since = max(self._due(exchange.time), self._moved)
                left = since + self._replay.patience - self._loop.time()
                if left > 0:
                    return left
            self._settled += 1
        return 0.0

    def _happen(self, happening: Happening) -> None:
        record = happening.record
        if happening.ends:
            if record.source == "server":
                self._session.link.drop()
            self._replay.ended(self._number)
            return
        recorded = value_of(read_pairs(record.data), "actionid")
        own = self._own_ids.get(recorded, recorded)
        # Sent directly, because the session would hold it back until after the next answer.
        self._session.link.write(with_action_id(record.data, recorded, own) if recorded else record.data)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
