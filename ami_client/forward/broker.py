"""What a Forwarder, a Source and a Gateway need of a broker. Another broker is one more subclass of :class:`Broker`."""

from __future__ import annotations

import copy
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Optional, TypeVar

#: Seconds after which a member that is no longer heard of has lost its parts. Takeover is to be done within 5.
LEASE = 3.0
#: Seconds that a broker may take to confirm a batch, or to answer.
PATIENCE = 10.0
#: Seconds between two calls of :meth:`Broker.share` or :meth:`Broker.keep`.
BEAT = 0.5

SomeBroker = TypeVar("SomeBroker", bound="Broker")


class BrokerError(Exception):
    """The broker refused something, or did not answer in time."""


class NotMine(Exception):
    """What was published belongs to another member now. Nothing of it may be published again."""


class Message(NamedTuple):
    """A message on its way to the broker.

    Attributes:
        channel: ``events.<server>``, ``requests.<server>``, ``replies.<client>`` or ``dead.<group>``.
        route: by what subscribers may choose, further words with dots between them; may be empty.
        body: JSON.
    """

    channel: str
    route: str
    body: bytes


class Delivery(NamedTuple):
    """A message from the broker.

    Attributes:
        body: JSON.
        token: what :meth:`Broker.ack` needs.
        again: whether it may have been delivered to somebody before.
    """

    body: bytes
    token: object
    again: bool


class Broker(ABC):
    """A broker's address, and one connection to it.

    All methods may block, for about :data:`PATIENCE` seconds at most, and raise one of :attr:`errors` if the broker is
    not there or refuses. One thread uses a connection. After an error it is closed, and may be opened again.
    """

    #: What the methods raise, besides :class:`BrokerError`, if the broker is not there or refuses.
    errors: ClassVar[tuple[type[Exception], ...]] = ()
    #: Identifies this connection's user among the members of groups.
    member: str

    def fresh(self: SomeBroker) -> SomeBroker:
        """The same address for another member. What a user made is never opened itself, so it serves several."""
        other = copy.copy(self)
        other.member = uuid.uuid4().hex
        return other

    def failures(self) -> tuple[type[Exception], ...]:
        """All that tells of a broker that is not there or refuses."""
        return (*self.errors, BrokerError)

    @abstractmethod
    def open(self) -> None:
        """Connect."""

    @abstractmethod
    def close(self) -> None:
        """Disconnect, from whatever state; raises nothing of :attr:`errors`. What this member held is free."""

    @abstractmethod
    def share(self, group: str, parts: Sequence[str]) -> set[str]:
        """Take part in the work of a group. Return which of the ``parts`` are this member's now.

        A part has one member at a time; members have about as many each. It is called every :data:`BEAT` seconds,
        except while messages are being handled: :meth:`keep` is called then. A member that is not heard of for
        :data:`LEASE` seconds loses its parts to others. Without ``parts`` it leaves the group.
        """

    @abstractmethod
    def keep(self) -> None:
        """Keep the connection alive, and this member's parts. It is called every :data:`BEAT` seconds then."""

    @abstractmethod
    def publish(self, messages: Sequence[Message]) -> None:
        """Publish in order, and return once the broker has confirmed all of them.

        Raises NotMine if this member has taken parts by :meth:`share`, and lost them.
        """

    @abstractmethod
    def subscribe(self, channels: Sequence[str], group: Optional[str], limit: int) -> None:
        """Receive the messages of these channels, in place of any earlier ones. ``events.*`` means all servers.

        The broker hands over up to ``limit`` messages that are not acknowledged.
        With a group: from where the group has acknowledged, kept while nobody is there. Without: from now on.
        """

    @abstractmethod
    def receive(self, timeout: float) -> list[Delivery]:
        """The next messages, up to the limit. Waits up to ``timeout`` seconds for the first."""

    @abstractmethod
    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker that these are done with, in the order in which they came."""
