"""Originate: its answer, and the result of the call."""

from __future__ import annotations

from typing import Any

import pytest
from fake_network import Calls, Network, Peer, message

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


@pytest.mark.parametrize(
    ("params", "sent"),
    [
        ({"async": False, "Channel": "SIP/7"}, "async: 1|Channel: SIP/7"),
        ({"Channel": "SIP/7", "ASYNC": "no"}, "Channel: SIP/7|ASYNC: 1"),
        ({" Async\t": False}, "Async: 1"),
        ({b"aSync": 0}, "aSync: 1"),
        ({"Async": None}, "Async: 1"),
        ({"async": ["false", "true"]}, "async: 1"),
        ([("async", 0), ("Channel", "SIP/7"), ("Async", 0), (b"ASYNC", 0)], "async: 1|Channel: SIP/7"),
        ([("Async", 0), ("X", 1), ("Async", 0)], "Async: 1|X: 1"),
        ({"Asyncs": 0, 7: 8}, "Asyncs: 0|7: 8|Async: 1"),
    ],
)
def test_async_is_one_and_sent_once_however_it_is_spelled(peer: Peer, params: Any, sent: str) -> None:
    action_id = peer.conn.originate(params, None)
    assert peer.sock.take() == message(f"Action: Originate|{sent}|ActionID: {action_id}")


def test_a_call_that_somebody_wants_synchronous_still_has_its_result(peer: Peer) -> None:
    action_id, results = originated(peer, None, {"Channel": "SIP/7", "async": False})
    peer.answer(action_id, "Response: Success|Message: Originate successfully queued")
    assert results == []
    peer.answer(action_id, "Event: OriginateResponse|Response: Success|Reason: 4")
    assert [packet.error for packet in results] == [None]


@pytest.mark.parametrize("fold_case", [True, False])
def test_the_result_is_found_in_whatever_case_the_id_comes(network: Network, fold_case: bool) -> None:
    peer = network.log_in(fold_case=fold_case)
    action_id, results = originated(peer, None)
    peer.answer(action_id.upper(), "Event: OriginateResponse|Response: Success")
    assert [packet.error for packet in results] == [None]


def test_somebody_elses_result_is_not_ours(peer: Peer) -> None:
    _, results = originated(peer, None)
    peer.answer("other", "Event: OriginateResponse|Response: Success")
    assert results == []


@pytest.mark.parametrize("with_cb", [True, False])
def test_a_loss_fails_both(peer: Peer, with_cb: bool) -> None:
    calls = Calls()
    _, results = originated(peer, calls if with_cb else None)
    peer.sock.eof()
    peer.network.pump()
    (packet,) = results
    assert isinstance(packet.error, ConnectionLost) and len(calls) == int(with_cb)


@pytest.mark.parametrize(
    ("params", "limit"),
    [
        ({"Channel": "SIP/7"}, 30 + 60),
        ({"Channel": "SIP/7", "timeout ": 5000}, 5 + 60),
        ([("Timeout", "soon")], 30 + 60),
        ([("Timeout", 5000), ("timeout", 9000)], 5 + 60),  # the server takes the first
        ([("Timeout", None), ("TIMEOUT", [7000, 9000])], 7 + 60),
        ([(b"timeout", b"5000")], 5 + 60),
        ([("Timeout", ""), ("Timeout", 5000)], 30 + 60),
        ({"Timeout": "5000.9 and more"}, 5 + 60),
        ({"Timeout": 5000.9}, 5 + 60),
        ({"Timeout": "1_000"}, 0.001 + 60),
        ({"Timeout": "\u0665000"}, 30 + 60),  # a digit to Python alone
        ({"Timeout": "nan"}, 30 + 60),
        ({"Timeout": "inf"}, 30 + 60),
        ({"Timeout": "1e9"}, 0.001 + 60),
        ({"Timeout": -5}, 0 + 60),
        ({"\u212aTimeout": 5000}, 30 + 60),
        ({1: "odd name"}, 30 + 60),
    ],
)
def test_a_result_that_never_comes(network: Network, params: Any, limit: float) -> None:
    peer = network.log_in(timeout=None)
    action_id, results = originated(peer, None, params)
    peer.answer(action_id)
    network.wait(limit - 0.1)
    assert results == []
    network.wait(0.2)
    (packet,) = results
    assert isinstance(packet.error, ActionTimeout)
    events = Calls()
    peer.conn.on_event(events)
    peer.answer(action_id, "Event: OriginateResponse|Response: Success")
    assert (len(results), len(events)) == (1, 1)


def test_without_an_action_timeout_a_result_has_no_limit(network: Network) -> None:
    peer = network.log_in(timeout=None, action_timeout=None)
    _, results = originated(peer, None)
    network.wait(100_000)
    assert results == []


def test_params_that_are_no_pairs_are_a_clear_error(peer: Peer) -> None:
    with pytest.raises(TypeError, match="mapping or a sequence"):
        originated(peer, Calls(), "Channel: SIP/7")
    assert peer.sock.take() == b""


@pytest.mark.parametrize(
    ("sent", "reason", "shown"),
    [
        ("0", 0, "reason 0: no such extension, or not reachable"),
        ("1", 1, "reason 1: hangup"),
        ("3", 3, "reason 3: ring timeout"),
        ("5", 5, "reason 5: busy"),
        (" 8 ", 8, "reason 8: congestion"),
        ("05", 5, "reason 5: busy"),
        ("4", 4, "reason 4"),
        ("19", 19, "reason 19"),
        ("999999999", 999_999_999, "reason 999999999"),
        ("9" * 5000, None, f"reason '{'9' * 20}'"),
        ("-1", None, "reason '-1'"),
        ("\u00b2", None, "reason '\\xb2'"),
        ("\u0665", None, "reason '\\u0665'"),
        ("\x1b[31mred", None, "reason '\\x1b[31mred'"),
        ("", None, "reason unknown"),
        (None, None, "reason unknown"),
    ],
)
def test_why_a_call_was_not_answered(peer: Peer, sent: str | None, reason: int | None, shown: str) -> None:
    action_id, results = originated(peer, None)
    peer.answer(action_id)
    line = "" if sent is None else f"|Reason: {sent}"
    peer.answer(action_id, f"Event: OriginateResponse|Response: Failure{line}")
    (packet,) = results
    assert isinstance(packet.error, ActionFailed)
    assert str(packet.error) == f"the call was not answered ({shown})"
    assert packet.error.reason == reason


def test_an_error_that_is_about_no_call_has_no_reason(peer: Peer) -> None:
    calls = Calls()
    action_id, results = originated(peer, calls)
    peer.answer(action_id, "Response: Error|Message: Extension does not exist.|Reason: 5")
    assert [packet.error.reason for packet in [*calls, *results]] == [None, None]
    assert ActionFailed("no").reason is None
    for packet in [*calls, *results]:
        assert packet.error.action == "Originate" and packet.error.action_id == action_id
        assert packet.error.packet is None  # which would be the packet itself
