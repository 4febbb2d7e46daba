"""Pool counters and a model's gauges as Prometheus metrics.

Requires prometheus-client: ``pip install ami-client[prometheus]``.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .model import Model, Queue
from .model.headers import DEVICE_STATES
from .pool import Pool
from .stats import GAUGES, OTHERS, Stats

# Field of Stats -> name of the metric (without prefix and "_total") and help text.
METRICS = {
    "connections": ("connections", "Open connections, including those that are not logged in yet"),
    "connected": ("connections_logged_in", "Connections that are logged in"),
    "waiting": ("waiting_callbacks", "Callbacks that wait for a connection"),
    "pending": ("pending_actions", "Actions in flight, or waiting for the login"),
    "buffered": ("buffered_bytes", "Bytes that are not sent yet"),
    "events": ("events", "Events that were not part of an answer"),
    "responses": ("responses", "Responses"),
    "bytes_in": ("received_bytes", "Bytes received"),
    "bytes_out": ("sent_bytes", "Bytes queued for sending"),
    "logins": ("logins", "Logins that the server accepted"),
    "reconnects": ("reconnects", "Attempts to open a lost connection again"),
    "timeouts": ("timeouts", "Timeouts of actions, logins, connection attempts and silent links"),
    "malformed": ("malformed_lines", "Lines that were not part of any packet or answer"),
    "dropped": ("dropped", "Pieces of the stream that were thrown away"),
    "suspects": ("suspect_lists", "List answers that may have lost parts"),
    "handler_errors": ("handler_errors", "Callbacks and handlers that raised"),
    "held_calls": ("held_calls", "Calls of coroutine callbacks that waited because max_tasks tasks were running"),
    "slow_handlers": ("slow_handlers", "Callbacks and handlers that took longer than slow_handler"),
}


class PoolCollector(Collector):
    """Collects metrics of one or more pools, per server::

        from prometheus_client import REGISTRY, start_http_server

        REGISTRY.register(PoolCollector(pool))
        start_http_server(9100)

    The metrics are named ``ami_events_total``, ``ami_connections`` and so on. Their label ``server`` is the URL without
    the secret. The last 1,000 servers that are gone keep their labels; ``others`` has the sums over all earlier ones.
    So the number of labels is bounded, whatever URLs the program uses. ``ami_limits_reached_total`` also has a label
    ``limit``, the option's name. A registry accepts one collector, so give it all pools. Any thread may collect.
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
        limits = CounterMetricFamily("ami_limits_reached", "How often a limit was reached", labels=["server", "limit"])
        for server, stats in totals.items():
            for limit, count in stats.limits.items():
                limits.add_metric([server, limit], count)
        yield limits


# How many queues of a server have their own label. A dialplan may create queues as it runs.
MAX_QUEUES = 1000
CALL_STATES = ("new", "ringing", "queued", "up", "held")
MEMBER_STATES = (*DEVICE_STATES, "paused")


class ModelCollector(Collector):
    """Collects gauges of a model, the current state of its servers::

        REGISTRY.register(ModelCollector(model))

    * ``ami_model_ready``: 1, or 0 while the model's data of the server may be out of date;
    * ``ami_calls`` by ``state``;
    * ``ami_queue_waiting`` and ``ami_queue_longest_wait_seconds`` by ``queue``;
    * ``ami_queue_members`` by ``queue`` and ``state``: the device's state, or ``paused``;
    * ``ami_endpoints`` by ``state``.

    All have the label ``server``. The first 1,000 queues of a server, by name, have their own labels; ``others`` has
    the sums over the rest. States are Asterisk's. Any thread may collect.
    """

    def __init__(self, model: Model) -> None:
        self._model = model

    def collect(self) -> Iterator[Metric]:
        """Yield the current metrics. The registry calls this."""
        servers = self._model.servers
        ready = GaugeMetricFamily("ami_model_ready", "Whether the model is up to date", labels=["server"])
        calls = GaugeMetricFamily("ami_calls", "Current calls", labels=["server", "state"])
        endpoints = GaugeMetricFamily("ami_endpoints", "Phones and trunks", labels=["server", "state"])
        call_counts = Counter((one.server, one.state) for one in self._model.calls.all())
        endpoint_counts = Counter((one.server, one.state) for one in self._model.endpoints.all())
        for name, server in servers.items():
            ready.add_metric([name], server.state == "ready")
            for state in CALL_STATES:
                calls.add_metric([name, state], call_counts[name, state])
            for state in DEVICE_STATES:
                endpoints.add_metric([name, state], endpoint_counts[name, state])
        yield from (ready, calls, endpoints)
        yield from self._queues()

    def _queues(self) -> Iterator[Metric]:
        labels = ["server", "queue"]
        waiting = GaugeMetricFamily("ami_queue_waiting", "Waiting callers", labels=labels)
        longest = GaugeMetricFamily(
            "ami_queue_longest_wait_seconds", "How long the first caller has waited", labels=labels
        )
        members = GaugeMetricFamily("ami_queue_members", "Members of the queue", labels=[*labels, "state"])
        now = time.time()
        for (server, name), queues in self._by_label().items():
            callers = [one for queue in queues for one in queue.callers]
            waiting.add_metric([server, name], len(callers))
            longest.add_metric([server, name], max([0.0, *(now - one.joined for one in callers)]))
            states = Counter("paused" if one.paused else one.state for queue in queues for one in queue.members)
            for state in MEMBER_STATES:
                members.add_metric([server, name, state], states[state])
        yield from (waiting, longest, members)

    def _by_label(self) -> dict[tuple[str, str], list[Queue]]:
        """Return the queues by their labels."""
        found: dict[tuple[str, str], list[Queue]] = {}
        counts: Counter[str] = Counter()
        for queue in sorted(self._model.queues.all(), key=lambda one: one.name):
            counts[queue.server] += 1
            name = queue.name if counts[queue.server] <= MAX_QUEUES else OTHERS
            found.setdefault((queue.server, name), []).append(queue)
        return found
