"""A forwarder in a process of its own, to be killed: ``child.py KIND BROKER_PORT NAME PBX_URL SPOOL``.

It writes a line for each change of its role. An empty SPOOL is none.
"""

from __future__ import annotations

import sys

from ami_client import Pool, Reactor
from ami_client.forward import MQTT, Broker, Forwarder, RabbitMQ, RedisStream


def broker_of(kind: str, port: str, name: str) -> Broker:
    """The broker of a test."""
    if kind == "redis":
        return RedisStream(f"redis://127.0.0.1:{port}", name)
    if kind == "mqtt":
        return MQTT(f"mqtt://127.0.0.1:{port}", name)
    return RabbitMQ(f"amqp://guest:guest@127.0.0.1:{port}/%2F", name)


def main() -> None:
    kind, port, name, url, spool = sys.argv[1:]
    with Reactor() as reactor:
        pool = Pool(reactor=reactor, authtype="plain", reconnect=0.1, reconnect_max=0.2)
        forwarder = Forwarder(
            pool, broker_of(kind, port, name), events=["userevent"], server="pbx1", spool=spool or None
        )
        role = ""

        def tell() -> None:
            nonlocal role
            stats = forwarder.stats
            if role != stats.role:
                role = stats.role
                print(role, flush=True)
            reactor.call_later(0.02, tell)

        forwarder.start()
        pool.get_connection(url)
        tell()
        reactor.run()


if __name__ == "__main__":
    main()
