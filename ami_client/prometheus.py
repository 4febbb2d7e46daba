"""Pool counters as Prometheus metrics. Requires prometheus-client: ``pip install ami-client[prometheus]``."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .pool import Pool
from .stats import GAUGES, Stats

# Fields of Stats, in order, to the metric's name (without prefix and "_total") and its help text.
METRICS = {
    "connections": ("connections", "Connections that are there, logged in or on their way"),
    "connected": ("connections_logged_in", "Connections that are logged in"),
    "waiting": ("waiting_callbacks", "Callbacks that wait for a connection"),
    "pending": ("pending_actions", "Actions in flight, or waiting for the login"),
    "buffered": ("buffered_bytes", "Bytes that wait for the server to read"),
    "events": ("events", "Events that were no part of an answer"),
    "responses": ("responses", "Responses"),
    "bytes_in": ("received_bytes", "Bytes received"),
    "bytes_out": ("sent_bytes", "Bytes given to connections to send"),
    "logins": ("logins", "Logins that the server accepted"),
    "reconnects": ("reconnects", "Attempts to open a lost connection again"),
    "timeouts": ("timeouts", "Actions, logins, attempts to connect and silences that took too long"),
    "malformed": ("malformed_lines", "Lines that were no part of any packet or answer"),
    "dropped": ("dropped", "Pieces of the stream that belonged to nobody"),
    "suspects": ("suspect_lists", "List answers that may have lost parts"),
    "handler_errors": ("handler_errors", "Callbacks and handlers that raised"),
    "held_calls": ("held_calls", "Calls of coroutine callbacks that waited because max_tasks were running"),
    "slow_handlers": ("slow_handlers", "Callbacks and handlers that took longer than slow_handler"),
}


class PoolCollector(Collector):
    """Collects metrics from one or more pools, by server::

        from prometheus_client import REGISTRY, start_http_server

        REGISTRY.register(PoolCollector(pool))
        start_http_server(9100)

    The metrics are named ``ami_events_total``, ``ami_connections`` and so on. Their label ``server`` is the URL without
    the secret. Of servers that are gone, the last 1,000 keep theirs, and ``others`` stands for those before. So the
    number of labels is bounded, whatever URLs the program uses. ``ami_limits_reached_total`` also has a label
    ``limit``, the option's name. A registry takes one collector, so give it all pools. Any thread may collect.
    """

    def __init__(self, *pools: Pool) -> None:
        self._pools = pools

    def collect(self) -> Iterator[Metric]:
        """Yield the current metrics. The registry calls this."""
        totals: dict[str, Stats] = {}
        for pool in self._pools:
            for server, stats in pool.stats_by_server().items():
                totals.setdefault(server, Stats()).add([stats])
        for field, (name, text) in METRICS.items():
            kind = GaugeMetricFamily if field in GAUGES else CounterMetricFamily
            family = kind(f"ami_{name}", text, labels=["server"])
            for server, stats in totals.items():
                family.add_metric([server], getattr(stats, field))
            yield family
        limits = CounterMetricFamily("ami_limits_reached", "How often a bound was reached", labels=["server", "limit"])
        for server, stats in totals.items():
            for limit, count in stats.limits.items():
                limits.add_metric([server, limit], count)
        yield limits
