"""The interface between Forwarder, Source, Gateway and a broker. Subclass :class:`Broker` for other brokers."""

from __future__ import annotations

import copy
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Optional, TypeVar

#: Seconds after which a silent member loses its parts. A takeover should take at most 5 seconds.
LEASE = 3.0
#: Seconds that a broker may take to confirm a batch, or to answer.
PATIENCE = 10.0
#: Seconds between two calls of :meth:`Broker.share` or :meth:`Broker.keep`.
BEAT = 0.5

SomeBroker = TypeVar("SomeBroker", bound="Broker")


class BrokerError(Exception):
    """The broker refused something, or did not answer in time."""


class NotMine(Exception):
    """The published parts belong to another member now. None of these messages may be published again."""


class Busy(BrokerError):
    """The broker is up, but takes no messages for now.

    The connection stays open. Publish the same messages again later. They may then arrive twice.
    """


class Message(NamedTuple):
    """A message for the broker.

    Attributes:
        channel: ``events.<server>``, ``requests.<server>``, ``replies.<client>`` or ``dead.<group>``.
        route: further words, separated by dots, by which subscribers may filter. May be empty.
        body: JSON.
    """

    channel: str
    route: str
    body: bytes

    @property
    def key(self) -> str:
        """The channel and the route as one routing key."""
        return f"{self.channel}.{self.route}" if self.route else self.channel


class Delivery(NamedTuple):
    """A message from the broker.

    Attributes:
        body: JSON.
        token: what :meth:`Broker.ack` needs.
        again: whether it may have been delivered before.
    """

    body: bytes
    token: object
    again: bool


class Broker(ABC):
    """A broker's address, and one connection to it.

    All methods may block, for about :data:`PATIENCE` seconds at most. They raise one of :attr:`errors` if the broker is
    unreachable or refuses. Only one thread uses a connection. After an error it is closed, and may be opened again.
    """

    #: What the methods raise, besides :class:`BrokerError`, if the broker is unreachable or refuses.
    errors: ClassVar[tuple[type[Exception], ...]] = ()
    #: Identifies this connection's user among the members of groups.
    member: str

    def fresh(self: SomeBroker) -> SomeBroker:
        """Return an object with the same address, for another member. The user's object is never opened."""
        other = copy.copy(self)
        other.member = uuid.uuid4().hex
        return other

    def failures(self) -> tuple[type[Exception], ...]:
        """All exceptions that mean that the broker is unreachable or refuses."""
        return (*self.errors, BrokerError)

    @staticmethod
    def prefix(channel: str) -> str:
        """What the channel's routing keys begin with: ``events`` for ``events.*``."""
        return channel[:-2] if channel.endswith(".*") else channel

    @abstractmethod
    def open(self) -> None:
        """Connect."""

    @abstractmethod
    def close(self) -> None:
        """Disconnect, in any state, without raising :attr:`errors`. The parts of this member become free."""

    @abstractmethod
    def share(self, group: str, parts: Sequence[str]) -> set[str]:
        """Take part in the work of a group. Return which of the ``parts`` belong to this member now.

        A part belongs to one member at a time. Members have about the same number of parts. This is called every
        :data:`BEAT` seconds, except while messages are being handled; then :meth:`keep` is called instead. A member
        that is silent for :data:`LEASE` seconds loses its parts to others. Without ``parts`` it leaves the group.
        """

    @abstractmethod
    def keep(self) -> None:
        """Keep the connection and this member's parts alive. Called every :data:`BEAT` seconds during handling."""

    @abstractmethod
    def publish(self, messages: Sequence[Message]) -> None:
        """Publish in order. Return when the broker has confirmed all messages.

        Raises NotMine if this member had taken parts with :meth:`share` and has lost them, and :class:`Busy` if the
        broker has taken no messages for about :data:`BEAT` seconds.
        """

    @abstractmethod
    def subscribe(self, channels: Sequence[str], group: Optional[str], limit: int) -> None:
        """Receive the messages of these channels, instead of earlier ones. ``events.*`` means all servers.

        The broker delivers up to ``limit`` unacknowledged messages. With a group, it starts where the group has
        acknowledged, and keeps messages while no member is there. Without one, it starts now.
        """

    @abstractmethod
    def receive(self, timeout: float) -> list[Delivery]:
        """Return the next messages, up to the limit. Wait up to ``timeout`` seconds for the first one."""

    @abstractmethod
    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge these deliveries, in the order in which they came."""
