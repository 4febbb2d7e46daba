"""Events and actions through a message broker, for more than one process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .address import broker_of
from .asking import Refused
from .broker import Broker, BrokerError, Busy, Delivery, Message, NotMine
from .envelope import Envelope, ForwardedPacket, Gap
from .forwarder import Forwarder, ForwarderStats
from .gateway import Gateway, GatewayStats
from .source import Source, SourceStats

if TYPE_CHECKING:
    from .client import Client, Remote
    from .mqtt import MQTT
    from .rabbitmq import RabbitMQ
    from .redis_stream import RedisStream

__all__ = [
    "MQTT",
    "Broker",
    "BrokerError",
    "Busy",
    "Client",
    "Delivery",
    "Envelope",
    "ForwardedPacket",
    "Forwarder",
    "ForwarderStats",
    "Gap",
    "Gateway",
    "GatewayStats",
    "Message",
    "NotMine",
    "RabbitMQ",
    "RedisStream",
    "Refused",
    "Remote",
    "Source",
    "SourceStats",
    "broker_of",
]

# Imported on first use: each broker needs its own library, and the client needs asyncio.
_LATER = {
    "Client": "client",
    "MQTT": "mqtt",
    "RabbitMQ": "rabbitmq",
    "RedisStream": "redis_stream",
    "Remote": "client",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        from importlib import import_module

        return getattr(import_module(f".{_LATER[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
