"""The counts of pools as Prometheus metrics."""

from __future__ import annotations

from dataclasses import fields

import pytest
from fake_network import SECRET, Network, Peer
from prometheus_client import CollectorRegistry, generate_latest

from ami_client import prometheus, stats
from ami_client.model import Model
from ami_client.prometheus import METRICS, ModelCollector, PoolCollector
from ami_client.stats import GAUGES, Stats

SERVER = "tcp://joe@192.0.2.1:5038"


def exposed(*collectors: PoolCollector | ModelCollector) -> dict[str, float]:
    """What a scrape would read: each sample with its labels, to its value."""
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    lines = generate_latest(registry).decode().splitlines()
    samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


def test_every_count_has_a_metric() -> None:
    assert set(METRICS) | {"limits"} == {field.name for field in fields(Stats)}
    assert len({name for name, _ in METRICS.values()}) == len(METRICS)


def test_metrics_of_a_pool_by_server(peer: Peer) -> None:
    peer.say("Event: Tick", "Event: Tick", "no header at all")
    peer.conn.ping(None)
    peer.conn.ping(lambda conn, packet: None)
    assert peer.conn.pool is not None
    samples = exposed(PoolCollector(peer.conn.pool))  # type: ignore[arg-type]
    assert samples[f'ami_events_total{{server="{SERVER}"}}'] == 2
    assert samples[f'ami_malformed_lines_total{{server="{SERVER}"}}'] == 1
    assert samples[f'ami_logins_total{{server="{SERVER}"}}'] == 1
    assert samples[f'ami_connections_logged_in{{server="{SERVER}"}}'] == 1
    assert samples[f'ami_pending_actions{{server="{SERVER}"}}'] == 1
    stats = peer.conn.stats
    assert samples[f'ami_received_bytes_total{{server="{SERVER}"}}'] == stats.bytes_in > 0
    assert samples[f'ami_sent_bytes_total{{server="{SERVER}"}}'] == stats.bytes_out > 0


def test_limits_by_name_and_no_secret(network: Network) -> None:
    peer = network.log_in(max_pending=1)
    peer.conn.ping(lambda conn, packet: None)
    with pytest.raises(Exception, match="max_pending"):
        peer.conn.ping(lambda conn, packet: None)
    samples = exposed(PoolCollector(peer.conn.pool))  # type: ignore[arg-type]
    assert samples[f'ami_limits_reached_total{{limit="max_pending",server="{SERVER}"}}'] == 1
    assert SECRET not in "".join(samples)


def test_several_pools_are_summed_up_and_ended_connections_still_count(network: Network) -> None:
    first, second = network.log_in(), network.log_in()
    first.conn.finish()
    network.pump()
    samples = exposed(PoolCollector(first.conn.pool, second.conn.pool))  # type: ignore[arg-type]
    assert samples[f'ami_logins_total{{server="{SERVER}"}}'] == 2
    assert samples[f'ami_connections{{server="{SERVER}"}}'] == 1


def test_servers_without_an_entry_of_their_own_share_a_label(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "MAX_PAST", 1)
    pools = [network.pool(), network.pool()]
    for pool in pools:
        for number in range(3):
            pool.get_connection(f"192.0.2.{number}")
            network.answer_login().eof()
            network.pump()
    samples = exposed(PoolCollector(*pools))
    logins = {name: value for name, value in samples.items() if name.startswith("ami_logins_total{")}
    assert logins == {
        'ami_logins_total{server="others"}': 4,
        'ami_logins_total{server="tcp://192.0.2.2"}': 2,
    }


def test_gauges_are_gauges() -> None:
    kinds = {metric.name: metric.type for metric in PoolCollector().collect()}
    assert {name for name, kind in kinds.items() if kind == "gauge"} == {f"ami_{METRICS[name][0]}" for name in GAUGES}


def busy_model() -> Model:
    """A caller waits in a queue of two members, and a telephone rings."""
    model = Model()
    caller = {"Channel": "PJSIP/a-1", "Uniqueid": "1.1", "Linkedid": "1.1"}
    member = {"Event": "QueueMemberStatus", "Queue": "help"}
    for event in (
        {"Event": "Newchannel", **caller},
        {"Event": "QueueCallerJoin", **caller, "Queue": "help", "Position": "1"},
        {**member, "MemberName": "Al", "Interface": "PJSIP/al", "Status": "6", "Paused": "0"},
        {**member, "MemberName": "Bo", "Interface": "PJSIP/bo", "Status": "1", "Paused": "1"},
        {"Event": "DeviceStateChange", "Device": "PJSIP/al", "State": "RINGING"},
    ):
        model.feed("pbx", event)
    return model


def test_what_goes_on_as_gauges() -> None:
    model = busy_model()
    samples = exposed(ModelCollector(model))
    assert {name: value for name, value in samples.items() if value and "longest" not in name} == {
        'ami_model_ready{server="pbx"}': 1,
        'ami_calls{server="pbx",state="queued"}': 1,
        'ami_queue_waiting{queue="help",server="pbx"}': 1,
        'ami_queue_members{queue="help",server="pbx",state="ringing"}': 1,
        'ami_queue_members{queue="help",server="pbx",state="paused"}': 1,
        'ami_endpoints{server="pbx",state="ringing"}': 1,
    }
    assert 0 <= samples['ami_queue_longest_wait_seconds{queue="help",server="pbx"}'] < 60
    model.lose("pbx")
    assert exposed(ModelCollector(model))['ami_model_ready{server="pbx"}'] == 0


def test_labels_of_queues_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "MAX_QUEUES", 1)
    model = busy_model()
    for number in range(3):
        caller = {"Channel": f"PJSIP/b-{number}", "Uniqueid": f"2.{number}", "Linkedid": f"2.{number}"}
        model.feed("pbx", {"Event": "QueueCallerJoin", **caller, "Queue": f"new{number}", "Position": "1"})
    waiting = {name: value for name, value in exposed(ModelCollector(model)).items() if "waiting" in name}
    assert waiting == {
        'ami_queue_waiting{queue="help",server="pbx"}': 1,
        'ami_queue_waiting{queue="others",server="pbx"}': 3,
    }
