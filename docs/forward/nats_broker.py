"""NATS JetStream as a broker of ami_client.forward. Requires nats-py."""

import asyncio
from contextlib import suppress

import nats
from nats.js import api
from nats.js.errors import KeyWrongLastSequenceError, NotFoundError

from ami_client.forward import Broker, Delivery, NotMine
from ami_client.forward.broker import LEASE, PATIENCE


class NATS(Broker):
    """A NATS server with JetStream. The subject of a message is ``<name>.<channel>.<route>``."""

    errors = (nats.errors.Error, OSError, asyncio.TimeoutError)

    def __init__(self, url, name="ami", *, maxlen=1_000_000):
        self._url = url
        self._name = name
        self._maxlen = maxlen

    def __repr__(self):
        return f"<NATS {self._name}>"

    def _run(self, coroutine):
        return self._loop.run_until_complete(asyncio.wait_for(coroutine, PATIENCE))

    # -- the connection

    def open(self):
        self._loop = asyncio.new_event_loop()  # nats-py knows no other; it runs while we wait for it
        self._leases = {}  # key to its revision
        self._subscriptions = []
        self._fetched = []
        self._connection = None
        self._run(self._open())

    async def _open(self):
        self._connection = await nats.connect(self._url, allow_reconnect=False, connect_timeout=PATIENCE / 2)
        self._stream = self._connection.jetstream(timeout=PATIENCE)
        await self._stream.add_stream(
            name=self._name, subjects=[f"{self._name}.>"], max_msgs=self._maxlen, storage=api.StorageType.FILE
        )
        # A key lives for as long as a lease: who holds one writes it again.
        self._held = await self._stream.create_key_value(bucket=f"{self._name}-leases", ttl=LEASE, history=1)

    def close(self):
        if getattr(self, "_loop", None) is None:
            return
        with suppress(*self.failures()):
            if self._connection is not None and self._connection.is_connected:
                for key in list(self._leases):
                    self._run(self._held.delete(key))
        with suppress(*self.failures()):
            if self._connection is not None:
                self._run(self._connection.close())
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()
        self._loop = None

    # -- the work of a group

    def share(self, group, parts):
        if not parts:
            for key in list(self._leases):
                self._run(self._held.delete(key))
                del self._leases[key]
        keys = {part: f"{group}.{part}".replace("*", "all") for part in parts}
        return {part for part, key in keys.items() if self._run(self._lease(key))}

    async def _lease(self, key):
        """Take a lease, or keep it."""
        try:
            if key in self._leases:
                self._leases[key] = await self._held.update(key, self.member.encode(), last=self._leases[key])
            else:
                self._leases[key] = await self._held.create(key, self.member.encode())
        except KeyWrongLastSequenceError:
            self._leases.pop(key, None)
            return False
        return True

    def keep(self):
        for key in list(self._leases):
            if not self._run(self._lease(key)):
                raise NotMine
        for message in self._fetched:
            self._run(message.in_progress())

    # -- publishing

    def publish(self, messages):
        for key in list(self._leases):
            if not self._run(self._lease(key)):
                raise NotMine
        self._run(self._publish(messages))

    async def _publish(self, messages):
        subjects = (f"{self._name}.{channel}.{route or '-'}" for channel, route, _ in messages)
        await asyncio.gather(*(self._stream.publish(subject, one.body) for subject, one in zip(subjects, messages)))

    # -- reading

    def subscribe(self, channels, group, limit):
        self._limit = limit
        self._fetched = []
        for subscription in self._subscriptions:
            self._run(subscription.unsubscribe())
        self._subscriptions = [self._run(self._subscribe(channel, group)) for channel in channels]

    async def _subscribe(self, channel, group):
        subject = f"{self._name}.{self.prefix(channel)}.>"
        durable = None if group is None else f"{group}-{channel}".replace(".", "-").replace("*", "all")
        config = api.ConsumerConfig(deliver_policy=api.DeliverPolicy.NEW, max_ack_pending=self._limit)
        with suppress(NotFoundError):
            if durable:
                # Begin behind what is acknowledged: what the member before has not comes again, and in order.
                known = await self._stream.consumer_info(self._name, durable)
                await self._stream.delete_consumer(self._name, durable)
                config.deliver_policy = api.DeliverPolicy.BY_START_SEQUENCE
                config.opt_start_seq = known.ack_floor.stream_seq + 1
        return await self._stream.pull_subscribe(subject, durable=durable, stream=self._name, config=config)

    def receive(self, timeout):
        for subscription in self._subscriptions:
            with suppress(nats.errors.TimeoutError, asyncio.TimeoutError):
                self._fetched += self._run(subscription.fetch(self._limit, timeout / len(self._subscriptions)))
        return [Delivery(one.data, one, one.metadata.num_delivered > 1) for one in self._fetched]

    def ack(self, deliveries):
        for delivery in deliveries:
            self._run(delivery.token.ack())
        self._fetched = []
