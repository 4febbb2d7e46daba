"""The state table, edge by edge."""

from __future__ import annotations

import pytest

from ami_client._engine.state import TRANSITIONS, Move, State, StateMachine

# Each state with the moves that lead there from the beginning, and what may happen next.
S, M = State, Move
TO_BANNER = [M.CONNECT, M.OPENED]
TABLE = {
    S.NEW: ([], {M.CONNECT: S.CONNECTING, M.FINISH: S.FINISHED}),
    S.CONNECTING: ([M.CONNECT], {M.OPENED: S.BANNER, M.FINISH: S.FINISHED}),
    S.BANNER: (TO_BANNER, {M.ASK_CHALLENGE: S.CHALLENGE, M.SEND_LOGIN: S.LOGIN, M.FINISH: S.FINISHED}),
    S.CHALLENGE: (
        [*TO_BANNER, M.ASK_CHALLENGE],
        {M.SEND_LOGIN: S.LOGIN, M.REFUSED: S.REFUSED, M.FINISH: S.FINISHED},
    ),
    S.LOGIN: ([*TO_BANNER, M.SEND_LOGIN], {M.ACCEPTED: S.CONNECTED, M.REFUSED: S.REFUSED, M.FINISH: S.FINISHED}),
    S.CONNECTED: ([*TO_BANNER, M.SEND_LOGIN, M.ACCEPTED], {M.FINISH: S.FINISHED}),
    S.REFUSED: ([*TO_BANNER, M.ASK_CHALLENGE, M.REFUSED], {M.FINISH: S.FINISHED}),
    S.FINISHED: ([M.FINISH], {}),
}


def machine_in(state: State) -> StateMachine:
    machine = StateMachine()
    for move in TABLE[state][0]:
        machine.move(move)
    assert machine.state is state
    return machine


@pytest.mark.parametrize("move", Move, ids=lambda move: move.name)
@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
def test_a_move_leads_where_the_table_says_or_raises(state: State, move: Move) -> None:
    machine = machine_in(state)
    new = TABLE[state][1].get(move)
    if new is None:
        with pytest.raises(RuntimeError, match=f"illegal move '{move.value}' in state '{state.value}'"):
            machine.move(move)
        assert machine.state is state
    else:
        assert machine.move(move) is new
        assert machine.state is new


def test_the_table_has_every_state() -> None:
    assert set(TABLE) == set(TRANSITIONS) == set(State)


def test_every_state_can_be_finished_and_none_can_be_left_after_that() -> None:
    assert all(Move.FINISH in moves for state, moves in TRANSITIONS.items() if state is not State.FINISHED)
    assert TRANSITIONS[State.FINISHED] == {}
