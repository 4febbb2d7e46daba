"""``ami-client forward`` and ``ami-client gateway``: programs that run until they are told to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional, Union

import click

from ..connection import Connection
from ..forward import Broker, Forwarder, Gateway, broker_of
from ..forward.address import shown
from ..forward.allow import AllowList, Values
from ..forward.envelope import NAME, default_name
from ..reactor import Reactor
from ..url import ServerURL
from . import signals
from .access import Access, asks_server
from .client import Client
from .explain import explain
from .failures import CommandError, Status
from .log import log_to_stderr

Running = Union[Forwarder, Gateway]


def open_broker(url: str) -> Broker:
    """The broker of a URL. Raises CommandError."""
    try:
        return broker_of(url)
    except ValueError as error:
        raise CommandError(f"malformed broker: {error}", Status.USAGE) from None
    except ImportError as error:
        extra = "paho-mqtt" if error.name == "paho" else error.name
        raise CommandError(f"{shown(url)} needs {extra}: pip install 'ami-client[{extra}]'", Status.USAGE) from None


broker_option = click.option(
    "--to",
    "broker",
    metavar="URL",
    required=True,
    envvar="AMI_BROKER",
    help="The broker: redis://host/NAME, amqp://user:password@host/VHOST/NAME or mqtt://host/NAME. Also AMI_BROKER.",
)
servers_argument = click.argument("servers", metavar="[[NAME=]SERVER]...", nargs=-1)
metrics_option = click.option(
    "--metrics", metavar="PORT", type=click.IntRange(1, 65535), help="Serve metrics for Prometheus on this port."
)


@click.command()
@servers_argument
@broker_option
@click.option(
    "-n", "--name", "names", metavar="GLOB", multiple=True, help="Forward only events of this name. May be repeated."
)
@click.option("--limit", metavar="N", type=click.IntRange(min=2), default=50_000, help="How many messages may wait.")
@click.option("--spool", metavar="FILE", help="Keep waiting messages in FILE through a crash. For one server.")
@metrics_option
@asks_server
def forward(
    access: Access,
    servers: Sequence[str],
    broker: str,
    names: Sequence[str],
    limit: int,
    spool: Optional[str],
    metrics: Optional[int],
) -> None:
    """Forward the events of one or more servers to a message broker, until Ctrl-C or --timeout.

    Each server has a name in the broker: NAME, else the name of its profile, else its address. If another forwarder
    of the same server is active, this one stands by, and takes over when the other one is gone.

    \b
    Examples:
      ami-client forward pbx1 --to redis://localhost/ami
      ami-client forward pbx1 office2=tcp://monitor@192.0.2.2 --to amqp://guest:guest@bus/ami -n hangup -n 'queue*'
    """
    if spool and len(servers) > 1:
        raise CommandError("a spool is for one server: start one forwarder per server", Status.USAGE)

    def make(client: Client, name: str) -> Forwarder:
        return Forwarder(
            client.pool, open_broker(broker), events=names or ("*",), server=name, limit=limit, spool=spool
        )

    _serve(access, servers, "on", make, metrics)


def _rule(text: str) -> tuple[str, dict[str, Values]]:
    """``Originate channel=PJSIP/* application=`` as a name and its headers."""
    name, *pairs = text.split()
    headers: dict[str, Any] = {}
    for pair in pairs:
        header, equals, glob = pair.partition("=")
        if not equals:
            raise click.BadParameter(f"{pair!r} is not HEADER=GLOB")
        headers[header] = [*(headers.get(header) or []), glob] if glob else None
    return name, headers


@click.command()
@servers_argument
@broker_option
@click.option(
    "-a",
    "--allow",
    "rules",
    metavar="RULE",
    type=_rule,
    multiple=True,
    required=True,
    help="Allow an action, by name or glob, with globs for its headers: "
    "'Originate channel=PJSIP/* application='. A header without a glob must be absent. May be repeated.",
)
@click.option("--limit", metavar="N", type=click.IntRange(min=1), default=100, help="How many actions may be open.")
@metrics_option
@asks_server
def gateway(
    access: Access,
    servers: Sequence[str],
    broker: str,
    rules: Sequence[tuple[str, dict[str, Values]]],
    limit: int,
    metrics: Optional[int],
) -> None:
    """Execute actions from a message broker, and send the answers back, until Ctrl-C or --timeout.

    \b
    Examples:
      ami-client gateway pbx1 --to redis://localhost/ami --allow Ping --allow 'Queue*'
      ami-client gateway pbx1 --to redis://localhost/ami -a 'Originate channel=PJSIP/* context=office application='
    """

    def make(client: Client, name: str) -> Gateway:
        server = {client.target.url: name}
        return Gateway(client.pool, open_broker(broker), allow=dict(rules), server=server, limit=limit)

    has_results = AllowList(dict(rules)).names("Originate")
    _serve(access, servers, "call" if has_results else "off", make, metrics)


@dataclass
class _Named:
    client: Client
    name: str


def _serve(
    access: Access,
    servers: Sequence[str],
    events: str,
    make: Callable[[Client, str], Running],
    metrics: Optional[int],
) -> None:
    """Run one of these for each server, until a signal, the timeout or a refused login."""
    log_to_stderr(1)
    failures: list[CommandError] = []
    with Reactor() as reactor, signals.stopping(reactor, reactor.stop):
        if access.timeout is not None:
            reactor.call_later(access.timeout, reactor.stop)
        named = [_named(access, text, events, reactor) for text in servers or [""]]
        running: list[Running] = []
        try:
            for one in named:
                running.append(make(one.client, one.name))
                running[-1].start()
                _connect(one.client, failures)
            if metrics is not None:
                _serve_metrics(metrics, running)
            reactor.run()
        except (ValueError, OSError) as error:
            raise CommandError(str(error), Status.USAGE) from None
        finally:
            for each in running:
                each.close()
            for one in named:
                one.client.pool.finish(graceful=True)
            reactor.run_once(0)
    if failures:
        raise failures[0]


def _named(access: Access, text: str, events: str, reactor: Reactor) -> _Named:
    name, equals, server = text.partition("=")
    if not equals or not NAME.fullmatch(name):
        name, server = "", text
    target = access.target(server or None)
    if not name and NAME.fullmatch(server):
        name = server  # a profile, or a host's plain name
    url = ServerURL.parse(target.url)
    return _Named(
        Client(target, events=events, reconnect=True, reactor=reactor), name or default_name(url.host, url.port)
    )


def _connect(client: Client, failures: list[CommandError]) -> None:
    def ended(conn: Connection) -> None:
        if conn.error is not None and conn.lost and not conn.reconnecting:
            failures.append(explain(conn.error))
            client.reactor.stop()

    client.pool.on("disconnect", ended)
    client.pool.get_connection(client.target.url)


def _serve_metrics(port: int, running: Sequence[Running]) -> None:
    try:
        from prometheus_client import REGISTRY, start_http_server

        from ..forward.metrics import ForwardCollector
    except ImportError:
        raise CommandError(
            "--metrics needs prometheus-client: pip install 'ami-client[prometheus]'", Status.USAGE
        ) from None
    REGISTRY.register(ForwardCollector(*running))
    start_http_server(port)
