"""What a model costs: time for an event, memory for a call. With ``pytest -s`` the figures are printed."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable

from calls_recorded import recorded
from fake_network import Network

from ami_client.model import Model
from ami_client.packet import Packet

CALLS = 1000  # the bound for ten thousand is 60 MB
BYTES_FOR_A_CALL = 6000


def nothing(*_args: object) -> None:
    """A handler."""


def seconds(network: Network, data: bytes, listen: Callable[[Network], Callable[[bytes], object]]) -> float:
    """How long it takes to receive this; the least of several times."""
    times = []
    for _ in range(4):
        receive = listen(network)
        began = time.process_time()
        receive(data)
        times.append(time.process_time() - began)
    return min(times)


def with_a_bare_handler(network: Network) -> Callable[[bytes], object]:
    peer = network.log_in(timeout=None)
    peer.conn.on("event", nothing)
    return peer.conn._driver.received


def with_a_model(network: Network) -> Callable[[bytes], object]:
    pool = network.pool(timeout=None)
    model = Model(pool)
    pool.get_connection("tcp://joe:s@192.0.2.1:5038", lambda conn: conns.append(conn))
    conns: list[object] = []
    sock = network.answer_login()
    asked = sock.take().split(b"\r\n\r\n")
    for action in asked:
        (own,) = [line for line in action.split(b"\r\n") if line.startswith(b"ActionID")] or [b""]
        network.say(b"Response: Success\r\n" + own + b"\r\n\r\n", sock)
    assert [server.state for server in model.servers.values()] == ["ready"]
    return conns[0]._driver.received  # type: ignore[attr-defined,no-any-return]


def test_an_event_costs_at_most_three_times_what_a_bare_handler_does(network: Network) -> None:
    records = [record for name, calls in recorded().items() if "2" in name for record in calls][:5000]
    data = b"".join(record.data for record in records)
    gc.disable()
    try:
        bare, model = seconds(network, data, with_a_bare_handler), seconds(network, data, with_a_model)
    finally:
        gc.enable()
    print(f"{1e6 * model / len(records):.1f} µs an event, {1e6 * bare / len(records):.1f} with a bare handler")
    assert model < 3 * bare


def event(name: str, **headers: object) -> Packet:
    lines = [f"Event: {name}", "Privilege: call,all", *(f"{key}: {value}" for key, value in headers.items())]
    return Packet.parse("\r\n".join(lines).encode(), fold_case=False)


def channel(name: str, number: int, linked: int) -> dict[str, object]:
    return {
        "Channel": f"PJSIP/{name}-{number:08x}", "ChannelState": 6, "CallerIDNum": f"555{number:06}",
        "CallerIDName": f"Caller number {number}", "ConnectedLineNum": "<unknown>", "Exten": "5551234",
        "Uniqueid": f"1795400000.{number}", "Linkedid": f"1795400000.{linked}",
    }  # fmt: skip


def test_calls_are_bounded_in_memory() -> None:
    packets = []
    for number in range(CALLS):
        one, two = channel("trunk", 2 * number, 2 * number), channel(f"agent{number}", 2 * number + 1, 2 * number)
        bridge = {"BridgeUniqueid": f"{number:08}-6f23-4b5b-8d1c-1f4f5b3b8f9e", "BridgeType": "basic"}
        dest = {f"Dest{name}": value for name, value in two.items()}
        packets += [
            event("Newchannel", **one),
            event("Newchannel", **two),
            event("DialBegin", **one, **dest),
            event("Newexten", **one, Application="Dial", AppData=f"PJSIP/agent{number},20"),
            event("DialEnd", **one, **dest, DialStatus="ANSWER"),
            event("BridgeEnter", **bridge, **two),
            event("BridgeEnter", **bridge, **one),
        ]
    model = Model()
    tracemalloc.start()
    for packet in packets:
        model.feed("pbx", packet)
    used, _peak = tracemalloc.get_traced_memory()
    assert len(model.calls) == CALLS
    print(f"{used / CALLS:.0f} bytes a call")
    assert used < CALLS * BYTES_FOR_A_CALL
    for number in range(2 * CALLS):
        model.feed("pbx", {"Event": "Hangup", "Uniqueid": f"1795400000.{number}"})
    gc.collect()
    used, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used < CALLS * BYTES_FOR_A_CALL / 5  # what ended is forgotten, but for the ids of the latest
