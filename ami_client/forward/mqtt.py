"""MQTT 5. Requires paho-mqtt: ``pip install ami-client[paho-mqtt]``."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Optional
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from .broker import LEASE, PATIENCE, BrokerError, Delivery, Message
from .calling_back import CallingBack

_KEEPALIVE = 2  # seconds; the broker gives up after one and a half times this
_WEEK = 7 * 24 * 3600  # how long the broker keeps unread messages of a group
_WINDOW = 1000  # maximum number of unconfirmed messages; a broker may allow fewer


class MQTT(CallingBack):
    """An MQTT 5 broker. The topic of a message is ``<name>/<channel>/<route>``, with slashes for the dots.

    A member of a group connects as the client ``<name>-<group>``, because a broker allows one connection per client.
    The retained topic ``<name>/leader/<group>`` says that it is there. So the first member has all parts of a group.
    Shared subscriptions (``$share``) would spread single messages over all members, and events would lose their order.

    Arguments:
        url: ``mqtt://user:password@host:1883``, or ``mqtts://`` for TLS.
        name: the first part of all topics.
    """

    errors = (OSError,)

    def __init__(self, url: str, name: str = "ami") -> None:
        self._url = urlsplit(url)
        if self._url.scheme not in ("mqtt", "mqtts") or not self._url.hostname:
            raise ValueError("the URL of an MQTT broker must be mqtt://host or mqtts://host")
        self._name = name

    def __repr__(self) -> str:
        return f"<MQTT {self._name}>"

    # -- the connection

    def open(self) -> None:
        self._group = ""  # the group of this connection
        self._leader: Optional[bytes] = None  # the content of the group's topic, once it is known
        self._heard = 0.0  # when that was received
        self._watched = ""
        self._connect(f"{self._name}-{self.member}")

    def _connect(self, client_id: str, group: str = "") -> None:
        self._error = None
        self._connected = False
        self._unconfirmed: set[int] = set()
        self._received, self._limit = deque(), 1
        self._window = _WINDOW
        self._subscribed: set[int] = set()
        self._client = client = Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=MQTTv5, reconnect_on_failure=False, manual_ack=True
        )
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_publish, client.on_message = self._on_publish, self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_socket_register_write = lambda *args: None  # packets wait for _turn()
        client.max_inflight_messages = 0  # we limit the number ourselves
        client.connect_timeout = PATIENCE / 2
        if self._url.username:
            client.username_pw_set(unquote(self._url.username), unquote(self._url.password or ""))
        if self._url.scheme == "mqtts":
            client.tls_set()
        properties: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        if group:
            properties.SessionExpiryInterval = _WEEK
            client.will_set(self._topic(f"leader.{group}"), b"", qos=1, retain=True)
        port = self._url.port or (8883 if self._url.scheme == "mqtts" else 1883)
        client.connect(self._url.hostname or "", port, _KEEPALIVE, clean_start=not group, properties=properties)
        self._wait(lambda: self._connected)

    def _turn(self, seconds: float) -> None:
        sock: Any = self._client.socket()
        if sock is not None and self._client.want_write():
            # paho sends each packet by itself. The system puts them together, and holds nothing back in the end.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
            self._client.loop_write()
            if self._client.socket() is not None:  # it is closed behind DISCONNECT
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client.loop(seconds)
        known = -1
        while known < len(self._received) < self._limit:  # paho reads one packet at a time
            known = len(self._received)
            self._client.loop_read()

    def _topic(self, channel: str) -> str:
        return f"{self._name}/{channel.replace('.', '/')}"

    def _on_connect(self, client: object, data: object, flags: object, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._fail(client, reason)
        self._connected = True
        self._window = min(_WINDOW, getattr(properties, "ReceiveMaximum", _WINDOW))

    def _on_disconnect(self, client: object, data: object, flags: object, reason: object, properties: object) -> None:
        self._fail(client, f"disconnected: {reason}")

    def _on_subscribe(self, client: object, data: object, mid: int, reasons: Any, properties: object) -> None:
        if any(reason.is_failure for reason in reasons):
            self._fail(client, f"subscription refused: {reasons[0]}")
        self._subscribed.add(mid)

    def close(self) -> None:
        if not hasattr(self, "_client"):
            return
        with suppress(*self.failures()):
            self._disconnect()
        sock: Any = self._client.socket()
        if sock is not None:
            sock.close()
        del self._client

    # -- the work of a group

    def share(self, group: str, parts: Sequence[str]) -> set[str]:
        topic = self._topic(f"leader.{group}")
        if self._group:
            self.keep()
            if not parts:
                self._disconnect()
                self.open()
            return set(parts)
        if self._watched != group:
            self._subscribe(topic)
            self._watched, self._heard = group, time.monotonic()
            self._until(lambda: self._leader is not None, 0.2)  # a retained message comes after the answer
        self.keep()
        is_held = self._leader and time.monotonic() - self._heard < LEASE
        if not parts or (is_held and self._leader != self.member.encode()):
            return set()
        self._disconnect()
        self._group = group
        self._connect(f"{self._name}-{group}", group)
        self.keep()
        return set(parts)

    def keep(self) -> None:
        if self._group:
            self._client.publish(self._topic(f"leader.{self._group}"), self.member, retain=True)
        super().keep()

    def _disconnect(self) -> None:
        if self._group:
            self._client.publish(self._topic(f"leader.{self._group}"), b"", retain=True)
        self._client.disconnect()
        with suppress(BrokerError):
            self._until(lambda: self._client.socket() is None, 1.0)

    # -- publishing

    def publish(self, messages: Sequence[Message]) -> None:
        # The leader's topic need not be checked: a member that is not the leader any more has lost its connection.
        for message in messages:
            if len(self._unconfirmed) >= self._window:
                self._wait(lambda: len(self._unconfirmed) < self._window)
            self._unconfirmed.add(self._client.publish(self._topic(message.key), message.body, qos=1).mid)
        self._wait(lambda: not self._unconfirmed)

    def _on_publish(self, client: object, data: object, mid: int, reason: Any, properties: object) -> None:
        if reason.is_failure:
            self._fail(client, f"the broker refused a message: {reason}")
        self._unconfirmed.discard(mid)

    # -- reading

    def subscribe(self, channels: Sequence[str], group: Optional[str], limit: int) -> None:
        self._limit = limit
        for channel in channels:
            self._subscribe(f"{self._topic(self.prefix(channel))}/#")

    def _subscribe(self, topic: str) -> None:
        _, mid = self._client.subscribe(topic, qos=1)
        self._wait(lambda: mid in self._subscribed)

    def _on_message(self, client: object, data: object, message: MQTTMessage) -> None:
        if message.topic.startswith(f"{self._name}/leader/"):
            self._leader, self._heard = bytes(message.payload), time.monotonic()
            self._client.ack(message.mid, message.qos)
        else:
            self._received.append(Delivery(bytes(message.payload), (message.mid, message.qos), message.dup))

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            token: Any = delivery.token
            self._client.ack(*token)
