"""RabbitMQ. Requires pika: ``pip install ami-client[pika]``."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Callable, Optional

import pika
from pika.adapters.select_connection import IOLoop
from pika.exceptions import AMQPError

from .broker import LEASE, PATIENCE, Broker, BrokerError, Delivery, Message

# pika logs each failed attempt in seven lines. Our own log reports the loss once.
_pika_logger = logging.getLogger("pika")
if _pika_logger.level == logging.NOTSET:
    _pika_logger.setLevel(logging.CRITICAL)

_PERSISTENT = pika.BasicProperties(delivery_mode=2, content_type="application/json")


class RabbitMQ(Broker):
    """A RabbitMQ server, or a cluster of them.

    All messages go to the topic exchange ``<name>``, with the routing key ``<channel>.<route>``. A group has a quorum
    queue for each channel, ``<name>.<group>.<channel>``.

    Arguments:
        url: ``amqp://user:password@host:5672/vhost``, or ``amqps://`` for TLS.
        name: the name of the exchange, and the beginning of all queues' names.
        maxlen: how many messages a group's queue keeps.
    """

    errors = (AMQPError, OSError)
    _error: Optional[Exception]

    def __init__(self, url: str, name: str = "ami", *, maxlen: int = 1_000_000) -> None:
        self._params = pika.URLParameters(url)
        self._params.heartbeat = 1  # second; the server gives up after two or three seconds
        self._params.socket_timeout = self._params.stack_timeout = PATIENCE / 2
        self._params.blocked_connection_timeout = PATIENCE
        self._name = name
        self._maxlen = maxlen

    def __repr__(self) -> str:
        return f"<RabbitMQ {self._name}>"

    # -- blocking calls over pika's callbacks

    def _until(self, holds: Callable[[], object], seconds: float = PATIENCE) -> bool:
        """Run pika's loop until ``holds()`` is true, for at most ``seconds``."""
        deadline = time.monotonic() + seconds
        while not holds():
            if self._error is not None:
                raise self._error
            self._turn(max(0.0, deadline - time.monotonic()))
            if time.monotonic() >= deadline:
                return bool(holds())
        return True

    def _turn(self, seconds: float) -> None:
        timer = self._loop.call_later(seconds, lambda: None)  # bounds the wait in poll()
        self._loop.poll()
        self._loop.process_timeouts()
        self._loop.remove_timeout(timer)

    def _ask(self, method: Callable[..., object], argument: str = "callback", **arguments: Any) -> Any:
        """Call a method of pika, and return the argument of its callback."""
        answers: list[Any] = []
        method(**arguments, **{argument: answers.append})
        if not self._until(lambda: answers):
            raise BrokerError(f"no answer within {PATIENCE:g} s")
        return answers[0]

    def _fail(self, what: object, error: Any) -> None:
        self._error = error if isinstance(error, Exception) else BrokerError(str(error))

    # -- the connection

    def open(self) -> None:
        self._error = None
        self._loop: Any = IOLoop()
        self._loop.activate_poller()
        self._unconfirmed: set[int] = set()
        self._published = 0
        self._locks: dict[str, str] = {}  # part -> consumer tag of its lock
        self._mine: set[str] = set()
        self._in: Any = None
        self._out: Any = None
        self._connection: Any = pika.SelectConnection(
            self._params,
            on_open_callback=lambda connection: None,
            on_open_error_callback=self._fail,
            on_close_callback=self._fail,
            custom_ioloop=self._loop,
        )
        if not self._until(lambda: self._connection.is_open):
            raise BrokerError(f"no connection within {PATIENCE:g} s")
        self._out = self._open_channel()
        self._ask(self._out.exchange_declare, exchange=self._name, exchange_type="topic", durable=True)
        self._ask(self._out.confirm_delivery, ack_nack_callback=self._confirmed)

    def _open_channel(self) -> Any:
        channel = self._ask(self._connection.channel, "on_open_callback")
        channel.add_on_close_callback(self._channel_closed)
        return channel

    def _channel_closed(self, channel: object, error: Exception) -> None:
        if channel in (self._out, self._in) and self._error is None:  # not closed by us
            self._error = error

    def close(self) -> None:
        if not hasattr(self, "_connection"):
            return
        with suppress(*self.failures()):
            if not self._connection.is_closed:
                self._connection.close()
        deadline = time.monotonic() + LEASE
        while not self._connection.is_closed and time.monotonic() < deadline:
            self._turn(0.1)
        self._turn(0.001)  # pika closes the socket with a delay
        self._loop.deactivate_poller()
        self._loop.close()
        del self._connection

    def keep(self) -> None:
        self._until(lambda: False, 0.0)

    # -- the work of a group

    def share(self, group: str, parts: Sequence[str]) -> set[str]:
        # The lock of a part is a queue with a single active consumer. Each member sends a word into it once a second.
        # The member that receives one is the active consumer, until its connection ends.
        if not parts:
            for part in list(self._locks):
                self._unlock(part)
            return set()
        members = 1
        for part in parts:
            queue = f"{self._name}.lock.{group}.{part}"
            arguments = {"x-single-active-consumer": True, "x-max-length": 1}
            found = self._ask(self._out.queue_declare, queue=queue, auto_delete=True, arguments=arguments)
            if part not in self._locks:
                found.method.consumer_count += 1
                self._locks[part] = self._out.basic_consume(
                    queue, lambda *_, part=part: self._mine.add(part), auto_ack=True
                )
            members = max(members, found.method.consumer_count)
            self._publish("", queue, b"")
        self._wait_confirmed()
        self._until(lambda: False, 0.02)
        for part in sorted(self._mine)[-(-len(parts) // members) :]:
            self._unlock(part)
        return set(self._mine)

    def _unlock(self, part: str) -> None:
        self._close_in()  # before the next member begins to read
        self._ask(self._out.basic_cancel, consumer_tag=self._locks.pop(part))
        self._mine.discard(part)

    # -- publishing

    def publish(self, messages: Sequence[Message]) -> None:
        # The locks need not be checked: a member that has lost one has lost its connection.
        for channel, route, body in messages:
            self._publish(self._name, f"{channel}.{route}" if route else channel, body)
        self._wait_confirmed()

    def _publish(self, exchange: str, key: str, body: bytes) -> None:
        self._out.basic_publish(exchange, key, body, _PERSISTENT)
        self._published += 1
        self._unconfirmed.add(self._published)

    def _wait_confirmed(self) -> None:
        if not self._until(lambda: not self._unconfirmed):
            raise BrokerError(f"{len(self._unconfirmed)} messages are not confirmed within {PATIENCE:g} s")

    def _confirmed(self, frame: Any) -> None:
        method = frame.method
        if isinstance(method, pika.spec.Basic.Nack):
            self._fail(None, "the broker refused a message")
        elif method.multiple:
            self._unconfirmed = {tag for tag in self._unconfirmed if tag > method.delivery_tag}
        else:
            self._unconfirmed.discard(method.delivery_tag)

    # -- reading

    def subscribe(self, channels: Sequence[str], group: Optional[str], limit: int) -> None:
        self._close_in()
        self._in = self._open_channel()
        self._limit = limit
        self._received: deque[Delivery] = deque()
        self._ask(self._in.basic_qos, prefetch_count=limit)
        if group is None:
            queue = self._ask(self._in.queue_declare, queue="", exclusive=True).method.queue
            for channel in channels:
                self._bind(queue, channel)
            self._ask(self._in.basic_consume, queue=queue, on_message_callback=self._deliver)
            return
        for channel in (*channels, f"dead.{group}"):  # dead letters need a queue, even if nobody reads them
            self._declare(f"{self._name}.{group}.{channel}", channel)
        for channel in channels:
            queue = f"{self._name}.{group}.{channel}"
            self._ask(self._in.basic_consume, queue=queue, on_message_callback=self._deliver)

    def _declare(self, queue: str, channel: str) -> None:
        arguments = {"x-queue-type": "quorum", "x-max-length": self._maxlen}
        self._ask(self._in.queue_declare, queue=queue, durable=True, arguments=arguments)
        self._bind(queue, channel)

    def _bind(self, queue: str, channel: str) -> None:
        key = f"{channel[:-2] if channel.endswith('.*') else channel}.#"
        self._ask(self._in.queue_bind, queue=queue, exchange=self._name, routing_key=key)

    def _close_in(self) -> None:
        channel, self._in = self._in, None
        if channel is not None:
            channel.close()
            self._until(lambda: channel.is_closed)

    def _deliver(self, channel: Any, method: Any, properties: object, body: bytes) -> None:
        if channel is self._in:
            self._received.append(Delivery(body, method.delivery_tag, method.redelivered))

    def receive(self, timeout: float) -> list[Delivery]:
        self._until(lambda: self._received, timeout)
        return [self._received.popleft() for _ in range(min(self._limit, len(self._received)))]

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        self._in.basic_ack(deliveries[-1].token, multiple=True)
