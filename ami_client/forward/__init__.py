"""More than one process: events and actions through a message broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .broker import Broker, BrokerError, Delivery, Message, NotMine
from .envelope import Envelope, ForwardedPacket, Gap
from .forwarder import Forwarder, ForwarderStats
from .source import Source, SourceStats

if TYPE_CHECKING:
    from .mqtt import MQTT
    from .rabbitmq import RabbitMQ
    from .redis_stream import RedisStream

__all__ = [
    "MQTT",
    "Broker",
    "BrokerError",
    "Delivery",
    "Envelope",
    "ForwardedPacket",
    "Forwarder",
    "ForwarderStats",
    "Gap",
    "Message",
    "NotMine",
    "RabbitMQ",
    "RedisStream",
    "Source",
    "SourceStats",
]

# Each needs a library of its own: it is imported by who uses it.
_BROKERS = {"MQTT": "mqtt", "RabbitMQ": "rabbitmq", "RedisStream": "redis_stream"}


def __getattr__(name: str) -> Any:
    if name in _BROKERS:
        from importlib import import_module

        return getattr(import_module(f".{_BROKERS[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
