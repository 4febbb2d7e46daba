"""Brokers by URL."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

from .broker import Broker
from .envelope import NAME


def broker_of(url: str) -> Broker:
    """Return the broker of a URL. The last part is the name: ``redis://bus/ami``, ``amqp://bus/vhost/ami``,
    ``mqtt://bus/ami``.

    The default name is ``ami``. A number is Redis's database. Raises ValueError for any other URL, ImportError if the
    broker's library is not installed.
    """
    split = urlsplit(url)
    parts = [part for part in split.path.split("/") if part]
    name = parts.pop() if parts and not (split.scheme.startswith("redis") and parts[-1].isdigit()) else "ami"
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a valid name; a broker's URL looks like redis://bus/ami")
    path = "/".join(["", *parts])
    rest = urlunsplit(split._replace(path=path, fragment=""))
    if split.scheme in ("redis", "rediss"):
        from .redis_stream import RedisStream

        return RedisStream(rest, name)
    if split.scheme in ("amqp", "amqps"):
        from .rabbitmq import RabbitMQ

        return RabbitMQ(rest if path else urlunsplit(split._replace(path="/%2F", fragment="")), name)
    if split.scheme in ("mqtt", "mqtts"):
        from .mqtt import MQTT

        return MQTT(rest, name)
    raise ValueError(
        f"no broker for {shown(url)}; supported are redis://, rediss://, amqp://, amqps://, mqtt://, mqtts://"
    )


def shown(url: str) -> str:
    """Return a URL without its secret."""
    return re.sub(r"(//[^/@:]*):[^/@]*@", r"\1@", url)
