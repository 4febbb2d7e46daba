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
from pika.exceptions import AMQPError, ChannelClosedByClient

from .broker import BEAT, LEASE, PATIENCE, Busy, Delivery, Message
from .calling_back import CallingBack

# pika logs each failed attempt in seven lines. Our own log reports the loss once.
_pika_logger = logging.getLogger("pika")
if _pika_logger.level == logging.NOTSET:
    _pika_logger.setLevel(logging.CRITICAL)

_PERSISTENT = pika.BasicProperties(delivery_mode=2, content_type="application/json")


class RabbitMQ(CallingBack):
    """A RabbitMQ server, or a cluster of them.

    All messages go to the topic exchange ``<name>``, with the routing key ``<channel>.<route>``. A group has a quorum
    queue for each channel, ``<name>.<group>.<channel>``.

    Arguments:
        url: ``amqp://user:password@host:5672/vhost``, or ``amqps://`` for TLS.
        name: the name of the exchange, and the beginning of all queues' names.
        maxlen: how many messages a group's queue keeps.
    """

    errors = (AMQPError, OSError)

    def __init__(self, url: str, name: str = "ami", *, maxlen: int = 1_000_000) -> None:
        self._params = pika.URLParameters(url)
        self._params.heartbeat = 1  # second; the server gives up after two or three seconds
        self._params.socket_timeout = self._params.stack_timeout = PATIENCE / 2
        self._name = name
        self._maxlen = maxlen

    def __repr__(self) -> str:
        return f"<RabbitMQ {self._name}>"

    # -- the connection

    def open(self) -> None:
        self._error = None
        self._loop: Any = IOLoop()
        self._loop.activate_poller()
        self._busy = ""  # why the broker takes no messages
        self._unconfirmed: set[int] = set()
        self._published = 0
        self._held: dict[str, Any] = {}  # queue to the channel that consumes from it, so that others know
        self._in: Any = None
        self._connection: Any = pika.SelectConnection(
            self._params,
            on_open_callback=lambda connection: None,
            on_open_error_callback=self._fail,
            on_close_callback=self._fail,
            custom_ioloop=self._loop,
        )
        self._connection.add_on_connection_blocked_callback(self._blocked)
        self._connection.add_on_connection_unblocked_callback(self._unblocked)
        self._wait(lambda: self._connection.is_open)
        self._out = self._open_channel()
        self._ask(self._out.exchange_declare, exchange=self._name, exchange_type="topic", durable=True)
        self._ask(self._out.confirm_delivery, ack_nack_callback=self._confirmed)

    def _turn(self, seconds: float) -> None:
        timer = self._loop.call_later(seconds, lambda: None)  # bounds the wait in poll()
        self._loop.poll()
        self._loop.process_timeouts()
        self._loop.remove_timeout(timer)

    def _ask(self, method: Callable[..., object], argument: str = "callback", **arguments: Any) -> Any:
        """Call a method of pika, and return the argument of its callback."""
        answers: list[Any] = []
        method(**arguments, **{argument: answers.append})
        self._wait(lambda: answers)
        return answers[0]

    def _open_channel(self) -> Any:
        channel = self._ask(self._connection.channel, "on_open_callback")
        channel.add_on_close_callback(self._channel_closed)
        # Somebody has deleted the queue, or its node of a cluster is gone.
        channel.add_on_cancel_callback(lambda frame: self._fail(channel, "the broker has cancelled a consumer"))
        return channel

    def _channel_closed(self, channel: Any, error: Exception) -> None:
        is_ours = isinstance(error, ChannelClosedByClient)
        if not is_ours and channel in (self._in, self._out):  # or else another member was quicker
            self._fail(channel, error)

    def _close_channel(self, channel: Any) -> None:
        channel.close()
        self._until(lambda: channel.is_closed)

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

    # -- the work of a group

    def share(self, group: str, parts: Sequence[str]) -> set[str]:
        # The lock of a part is a queue with an exclusive consumer, until its connection ends. Nothing is published for
        # it: RabbitMQ reads nothing more from who publishes while it is low on disk, no acknowledgements either.
        self.keep()
        if not parts:
            for queue in list(self._held):
                self._release(queue)
            return set()
        locks = {part: f"{self._name}.lock.{group}.{part}" for part in parts}
        if not self._busy:
            left = -(-len(parts) // (self._members(group) if len(parts) > 1 else 1))
            for part in sorted(parts, key=lambda part: locks[part] not in self._held):  # what it has comes first
                if not left:
                    self._release(locks[part])
                elif self._hold(locks[part], exclusive=True):
                    left -= 1
        return {part for part, queue in locks.items() if queue in self._held}

    def _members(self, group: str) -> int:
        queue = f"{self._name}.members.{group}"
        self._hold(queue, exclusive=False)
        return int(self._ask(self._out.queue_declare, queue=queue, auto_delete=True).method.consumer_count)

    def _hold(self, queue: str, *, exclusive: bool) -> bool:
        """Consume from a queue in which nothing ever is. Return False if another member has it for itself."""
        if queue in self._held:
            return True
        found = self._ask(self._out.queue_declare, queue=queue, auto_delete=True)
        if exclusive and found.method.consumer_count:
            return False
        channel = self._open_channel()
        answers: list[object] = []
        channel.basic_consume(queue, self._deliver, exclusive=exclusive, callback=answers.append)
        self._wait(lambda: answers or channel.is_closed)
        if answers:
            self._held[queue] = channel
        return bool(answers)

    def _release(self, queue: str) -> None:
        if queue in self._held:
            self._close_in()  # before the next member begins to read
            self._close_channel(self._held.pop(queue))

    # -- publishing

    def publish(self, messages: Sequence[Message]) -> None:
        self.keep()  # it raises if a lock is lost
        if self._busy:
            self._until(lambda: not self._busy, BEAT)
        if not self._busy:
            for message in messages:
                self._out.basic_publish(self._name, message.key, message.body, _PERSISTENT)
            self._unconfirmed.update(range(self._published + 1, self._published + len(messages) + 1))
            self._published += len(messages)
            self._wait(lambda: not self._unconfirmed or self._busy)
        if self._busy:
            raise Busy(self._busy)

    def _confirmed(self, frame: Any) -> None:
        method = frame.method
        if isinstance(method, pika.spec.Basic.Nack):
            self._fail(None, "the broker refused a message")
        elif method.multiple:
            self._unconfirmed = {tag for tag in self._unconfirmed if tag > method.delivery_tag}
        else:
            self._unconfirmed.discard(method.delivery_tag)

    def _blocked(self, connection: object, frame: Any) -> None:
        self._busy = str(frame.method.reason)

    def _unblocked(self, connection: object, frame: object) -> None:
        self._busy = ""

    # -- reading

    def subscribe(self, channels: Sequence[str], group: Optional[str], limit: int) -> None:
        self._close_in()
        self._in = self._open_channel()
        self._limit, self._received = limit, deque()
        self._ask(self._in.basic_qos, prefetch_count=limit)
        if group is None:
            queue = self._ask(self._in.queue_declare, queue="", exclusive=True).method.queue
            for channel in channels:
                self._bind(queue, channel)
            self._ask(self._in.basic_consume, queue=queue, on_message_callback=self._deliver)
            return
        arguments = {"x-queue-type": "quorum", "x-max-length": self._maxlen}
        for channel in (*channels, f"dead.{group}"):  # dead letters need a place, whether or not somebody reads them
            queue = f"{self._name}.{group}.{channel}"
            self._ask(self._in.queue_declare, queue=queue, durable=True, arguments=arguments)
            self._bind(queue, channel)
            if channel in channels:
                self._ask(self._in.basic_consume, queue=queue, on_message_callback=self._deliver)

    def _bind(self, queue: str, channel: str) -> None:
        key = f"{self.prefix(channel)}.#"
        self._ask(self._in.queue_bind, queue=queue, exchange=self._name, routing_key=key)

    def _close_in(self) -> None:
        channel, self._in = self._in, None
        if channel is not None:
            self._close_channel(channel)

    def _deliver(self, channel: Any, method: Any, properties: object, body: bytes) -> None:
        if channel is self._in:
            self._received.append(Delivery(body, method.delivery_tag, method.redelivered))

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        self._in.basic_ack(deliveries[-1].token, multiple=True)
