"""Originate: its answer, and the result of the call."""

from __future__ import annotations

from typing import Any

import pytest
from wire import Calls, Peer, Wire

from ami_client.errors import ActionFailed, ActionTimeout, ConnectionLost


def originated(peer: Peer, cb: Any, params: Any = None) -> tuple[str, Calls]:
    results = Calls()
    params = {"Channel": "SIP/7"} if params is None else params
    return peer.conn.originate(params, cb, on_result=results), results


@pytest.mark.parametrize("with_cb", [True, False])
@pytest.mark.parametrize(("response", "failed"), [("Success", False), ("Failure", True)])
def test_the_result_of_a_call(peer: Peer, with_cb: bool, response: str, failed: bool) -> None:
    calls, events = Calls(), Calls()
    peer.conn.bind("event_originateresponse", events)
    action_id, results = originated(peer, calls if with_cb else None)
    peer.answer(action_id)
    assert (len(calls), results) == (int(with_cb), [])
    for _ in range(2):
        peer.answer(action_id, f"Event: OriginateResponse|Response: {response}|Reason: 5")
    (packet,) = results
    assert packet["response"] == response.lower()
    assert isinstance(packet.error, ActionFailed) is failed
    assert (len(calls), len(events)) == (int(with_cb), 2)


@pytest.mark.parametrize("with_cb", [True, False])
def test_a_refusal_is_the_result_too(peer: Peer, with_cb: bool) -> None:
    calls = Calls()
    action_id, results = originated(peer, calls if with_cb else None)
    peer.answer(action_id, "Response: Error|Message: Nope")
    (packet,) = results
    assert isinstance(packet.error, ActionFailed) and len(calls) == int(with_cb)


def test_somebody_elses_result_is_not_ours(peer: Peer) -> None:
    _, results = originated(peer, None)
    peer.answer("other", "Event: OriginateResponse|Response: Success")
    assert results == []


@pytest.mark.parametrize("with_cb", [True, False])
def test_a_loss_fails_both(peer: Peer, with_cb: bool) -> None:
    calls = Calls()
    _, results = originated(peer, calls if with_cb else None)
    peer.sock.eof()
    peer.wire.pump()
    (packet,) = results
    assert isinstance(packet.error, ConnectionLost) and len(calls) == int(with_cb)


@pytest.mark.parametrize(
    ("params", "limit"),
    [
        ({"Channel": "SIP/7"}, 30 + 60),
        ({"Channel": "SIP/7", "timeout ": 5000}, 5 + 60),
        ([("Timeout", "soon")], 30 + 60),
        ({1: "odd name"}, 30 + 60),
    ],
)
def test_a_result_that_never_comes(wire: Wire, params: Any, limit: float) -> None:
    peer = wire.log_in(timeout=None)
    action_id, results = originated(peer, None, params)
    peer.answer(action_id)
    wire.wait(limit - 0.1)
    assert results == []
    wire.wait(0.2)
    (packet,) = results
    assert isinstance(packet.error, ActionTimeout)
    events = Calls()
    peer.conn.on_event(events)
    peer.answer(action_id, "Event: OriginateResponse|Response: Success")
    assert (len(results), len(events)) == (1, 1)


def test_without_an_action_timeout_a_result_has_no_limit(wire: Wire) -> None:
    peer = wire.log_in(timeout=None, action_timeout=None)
    _, results = originated(peer, None)
    wire.wait(100_000)
    assert results == []


def test_params_that_are_no_pairs_are_a_clear_error(peer: Peer) -> None:
    with pytest.raises(TypeError, match="mapping or a sequence"):
        originated(peer, Calls(), "Channel: SIP/7")
    assert peer.sock.take() == b""
