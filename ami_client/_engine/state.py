"""The lifecycle of a connection: one enum. One method changes the state, following one table. No I/O here."""

from __future__ import annotations

from enum import Enum
from typing import Callable, Optional


class State(Enum):
    """The state of a connection."""

    NEW = "new"
    CONNECTING = "connecting"  # resolving the name, TCP, TLS
    BANNER = "banner"  # waiting for the server's first line
    CHALLENGE = "challenge"  # waiting for the md5 challenge
    LOGIN = "login"  # waiting for the answer to Login
    CONNECTED = "connected"  # logged in
    REFUSED = "refused"  # login refused; callbacks are being called
    FINISHED = "finished"


class Move(Enum):
    """A cause of a state change."""

    CONNECT = "connect"
    OPENED = "opened"
    ASK_CHALLENGE = "ask challenge"
    SEND_LOGIN = "send login"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    FINISH = "finish"


TRANSITIONS: dict[State, dict[Move, State]] = {
    State.NEW: {Move.CONNECT: State.CONNECTING, Move.FINISH: State.FINISHED},
    State.CONNECTING: {Move.OPENED: State.BANNER, Move.FINISH: State.FINISHED},
    State.BANNER: {
        Move.ASK_CHALLENGE: State.CHALLENGE,
        Move.SEND_LOGIN: State.LOGIN,
        Move.FINISH: State.FINISHED,
    },
    State.CHALLENGE: {
        Move.SEND_LOGIN: State.LOGIN,
        Move.REFUSED: State.REFUSED,
        Move.FINISH: State.FINISHED,
    },
    State.LOGIN: {
        Move.ACCEPTED: State.CONNECTED,
        Move.REFUSED: State.REFUSED,
        Move.FINISH: State.FINISHED,
    },
    State.CONNECTED: {Move.FINISH: State.FINISHED},
    State.REFUSED: {Move.FINISH: State.FINISHED},
    State.FINISHED: {},
}


# For the way of every packet. Up to Python 3.11 the lookup of an Enum's member is slow: with those of Kind, these names
# save 6% (benchmark d100) and 4% (benchmark a).
BANNER, CONNECTED, FINISHED = State.BANNER, State.CONNECTED, State.FINISHED


class StateMachine:
    """Holds a :class:`State`. Only :meth:`move` changes it. Each change calls ``on_state(state)``."""

    def __init__(self, on_state: Optional[Callable[[State], object]] = None) -> None:
        self.state = State.NEW
        self._on_state = on_state

    def move(self, move: Move) -> State:
        """Change the state, following the table. Raises RuntimeError for any other move, which is a bug of ours."""
        new = TRANSITIONS[self.state].get(move)
        if new is None:
            raise RuntimeError(f"illegal move {move.value!r} in state {self.state.value!r}")
        self.state = new
        if self._on_state is not None:
            self._on_state(new)
        return new
