"""Counts of what forwards as Prometheus metrics. Requires prometheus-client: ``pip install ami-client[prometheus]``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .forwarder import Forwarder
from .gateway import Gateway
from .source import Source

# Fields of the stats of what forwards, in order, to the metric's name (without prefix and "_total") and its help text.
METRICS = {
    Forwarder: {
        "queued": ("forwarder_queued", "Messages that wait for the broker, those in the spool included"),
        "spooled": ("forwarder_spooled", "Messages in the spool"),
        "published": ("forwarder_published", "Messages that the broker has confirmed"),
        "gaps": ("forwarder_gaps", "Gaps that were told"),
        "overflowed": ("forwarder_overflowed", "Events that found no room"),
        "discarded": ("forwarder_discarded", "Messages given up because another forwarder had taken over"),
        "lag": ("forwarder_lag_seconds", "Age of the oldest message that waits"),
        "active": ("forwarder_active", "Whether it publishes; others stand by"),
    },
    Source: {
        "received": ("source_received", "Messages from the broker"),
        "repeats": ("source_repeats", "Messages that were dropped because they had come before"),
        "malformed": ("source_malformed", "Messages that no forwarder has made"),
        "events": ("source_events", "Events that were handled"),
        "gaps": ("source_gaps", "Gaps that were told"),
        "failed": ("source_failed", "Events of which a handler raised"),
        "dead": ("source_dead", "Events that went to the dead letters"),
        "lag": ("source_lag_seconds", "Age of the last event when it was received"),
    },
    Gateway: {
        "requests": ("gateway_requests", "Requests that came"),
        "carried_out": ("gateway_carried_out", "Actions that were sent to a server"),
        "refused": ("gateway_refused", "Requests that were refused"),
        "late": ("gateway_late", "Requests whose time was over when they came"),
        "open": ("gateway_open", "Actions that are open"),
        "replies": ("gateway_replies", "Messages of answers that the broker has confirmed"),
    },
}
_GAUGES = {"queued", "spooled", "lag", "active", "open"}


class ForwardCollector(Collector):
    """Collects metrics from forwarders, sources and gateways.

    The metrics are named ``ami_forwarder_queued``, ``ami_source_lag_seconds`` and so on. Their label ``name`` is the
    name of the forwarder or gateway, or the group of the source. A registry takes one collector, so give it all of
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
