"""Forwarders, sources and gateways as Prometheus metrics. Requires ``pip install ami-client[prometheus]``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .forwarder import Forwarder
from .gateway import Gateway
from .source import Source

# Field of the stats -> name of the metric (without prefix and "_total") and help text.
METRICS = {
    Forwarder: {
        "queued": ("forwarder_queued", "Messages that wait for the broker, including those in the spool"),
        "spooled": ("forwarder_spooled", "Messages in the spool"),
        "published": ("forwarder_published", "Messages that the broker has confirmed"),
        "gaps": ("forwarder_gaps", "Gaps that were published"),
        "overflowed": ("forwarder_overflowed", "Events for which there was no room"),
        "discarded": ("forwarder_discarded", "Messages discarded because another forwarder had taken over"),
        "lag": ("forwarder_lag_seconds", "Age of the oldest waiting message"),
        "active": ("forwarder_active", "1 if it publishes, 0 on standby"),
    },
    Source: {
        "received": ("source_received", "Messages from the broker"),
        "repeats": ("source_repeats", "Duplicate messages that were dropped"),
        "malformed": ("source_malformed", "Invalid messages"),
        "events": ("source_events", "Events that were handled"),
        "gaps": ("source_gaps", "Gaps that were reported"),
        "failed": ("source_failed", "Events whose handler raised"),
        "dead": ("source_dead", "Events that were sent to the dead letters"),
        "lag": ("source_lag_seconds", "Age of the last event when it was received"),
    },
    Gateway: {
        "requests": ("gateway_requests", "Requests that arrived"),
        "carried_out": ("gateway_carried_out", "Actions that were sent to a server"),
        "refused": ("gateway_refused", "Requests that were refused"),
        "late": ("gateway_late", "Requests that arrived after their timeout"),
        "open": ("gateway_open", "Actions that are open"),
        "replies": ("gateway_replies", "Messages of answers that the broker has confirmed"),
    },
}
_GAUGES = {"queued", "spooled", "lag", "active", "open"}


class ForwardCollector(Collector):
    """Collects metrics of forwarders, sources and gateways.

    The metrics are named ``ami_forwarder_queued``, ``ami_source_lag_seconds`` and so on. Their label ``name`` is the
    name of the forwarder or gateway, or the group of the source. A registry accepts one collector, so give it all of
    them. Any thread may collect.
    """

    def __init__(self, *things: Union[Forwarder, Source, Gateway]) -> None:
        self._things = things

    def collect(self) -> Iterator[Metric]:
        """Yield the current metrics. The registry calls this."""
        for cls, metrics in METRICS.items():
            found = [(thing.name, thing.stats) for thing in self._things if isinstance(thing, cls)]
            for field, (name, text) in metrics.items() if found else ():
                kind = GaugeMetricFamily if field in _GAUGES else CounterMetricFamily
                family = kind(f"ami_{name}", text, labels=["name"])
                for label, stats in found:
                    family.add_metric([label], float(getattr(stats, field)))
                yield family
