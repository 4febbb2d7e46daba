"""A broker in memory, whose failures are in the tests' hands."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any, Optional

from ami_client.forward import Broker, BrokerError, Busy, Delivery, Message, NotMine


class Hub:
    """What the broker keeps. Any number of connections share it.

    Attributes: ``down``, nobody gets a connection, and those that are there fail; ``confirms``, whether messages are
    confirmed; ``busy``, it takes no messages. ``refusals``, how often a member did not get what it asked for.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.channels: dict[str, list[bytes]] = {}
        self.acked: dict[tuple[str, str], int] = {}  # group and channel to how many
        self.leases: dict[tuple[str, str], str] = {}  # group and part to the member
        self.down = False
        self.confirms = True
        self.busy = False
        self.refusals = 0
        self.opened = 0


class MemoryBroker(Broker):
    errors = (ConnectionError,)

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def __repr__(self) -> str:
        return "<MemoryBroker>"

    def _check(self) -> None:
        if self._hub.down:
            raise ConnectionError("down")

    def open(self) -> None:
        self._check()
        self._hub.opened += 1
        self._mine: set[tuple[str, str]] = set()
        self._positions: dict[str, int] = {}
        self._group: Optional[str] = None
        self._wanted: Sequence[str] = ()

    def close(self) -> None:
        with self._hub.changed:
            for key in [one for one, member in self._hub.leases.items() if member == self.member]:
                del self._hub.leases[key]

    def share(self, group: str, parts: Sequence[str]) -> set[str]:
        self._check()
        with self._hub.changed:
            if not parts:
                for key in [one for one in self._hub.leases if one[0] == group]:
                    if self._hub.leases[key] == self.member:
                        del self._hub.leases[key]
            for part in parts:
                self._hub.leases.setdefault((group, part), self.member)
            mine = {part for part in parts if self._hub.leases[group, part] == self.member}
            self._mine = {(group, part) for part in mine}
            self._hub.refusals += len(mine) < len(parts)
        return mine

    def keep(self) -> None:
        self._check()

    def publish(self, messages: Sequence[Message]) -> None:
        self._check()
        if self._hub.busy:
            self._hub.refusals += 1
            time.sleep(0.01)
            raise Busy("low on disk")
        with self._hub.changed:
            if any(self._hub.leases.get(key) != self.member for key in self._mine):
                raise NotMine
            for message in messages:
                self._hub.channels.setdefault(message.channel, []).append(message.body)
            self._hub.changed.notify_all()
        if not self._hub.confirms:
            raise BrokerError("no confirm")

    def subscribe(self, channels: Sequence[str], group: Optional[str], limit: int) -> None:
        self._check()
        self._wanted, self._group, self._limit = channels, group, limit
        self._positions = {}
        with self._hub.changed:
            for channel in (*channels, *self._hub.channels):
                self._positions[channel] = len(self._hub.channels.get(channel, ()))

    def receive(self, timeout: float) -> list[Delivery]:
        self._check()
        with self._hub.changed:
            found = self._fetch()
            if not found:
                self._hub.changed.wait(timeout / 10)
                found = self._fetch()
        return found

    def _fetch(self) -> list[Delivery]:
        found = []
        names = list(self._wanted)
        if "events.*" in names:
            names = [name for name in self._hub.channels if name.startswith("events.")]
        for name in names:
            bodies = self._hub.channels.get(name, [])
            begin = self._positions.get(name, 0)
            if self._group is not None:
                begin = self._hub.acked.setdefault((self._group, name), 0)
            for place, body in enumerate(bodies[begin : begin + self._limit], begin + 1):
                found.append(Delivery(body, (name, place), False))
                self._positions[name] = place
        return found

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        self._check()
        with self._hub.changed:
            for delivery in deliveries:
                token: Any = delivery.token
                name, place = token
                if self._group is not None:
                    self._hub.acked[self._group, name] = place
