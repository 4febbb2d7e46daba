"""The life of a connection: one enum, changed by one method out of one table. No I/O here."""

from __future__ import annotations

from enum import Enum
from typing import Callable, Optional


class State(Enum):
    """Where a connection is in its life."""

    NEW = "new"
    CONNECTING = "connecting"  # resolving the name, TCP, TLS
    BANNER = "banner"  # waiting for the server's first line
    CHALLENGE = "challenge"  # waiting for the md5 challenge
    LOGIN = "login"  # waiting for the answer to Login
    CONNECTED = "connected"  # logged in
    REFUSED = "refused"  # login refused; callbacks are being told
    FINISHED = "finished"


class Move(Enum):
    """What changes the state."""

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


# For the way that each packet takes: to look them up there costs as much as reading a header line.
BANNER, CONNECTED, FINISHED = State.BANNER, State.CONNECTED, State.FINISHED


class StateMachine:
    """Holds a :class:`State`; :meth:`move` is the only way to change it. ``on_state(state)`` is told of each change."""

    def __init__(self, on_state: Optional[Callable[[State], object]] = None) -> None:
        self.state = State.NEW
        self._on_state = on_state

    def move(self, move: Move) -> State:
        """Change the state by the table. Raises RuntimeError for a move that the table does not have: a bug of ours."""
        new = TRANSITIONS[self.state].get(move)
        if new is None:
            raise RuntimeError(f"illegal move {move.value!r} in state {self.state.value!r}")
        self.state = new
        if self._on_state is not None:
            self._on_state(new)
        return new
