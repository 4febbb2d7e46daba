"""A PBX whose events are numbered, forwarders, sources, and the account of what arrived."""

from __future__ import annotations

import itertools
import time
import uuid
from typing import Any, Callable, TypeVar, Union

from broker_servers import BrokerServer

from ami_client import Pool, Reactor
from ami_client.forward import ForwardedPacket, Forwarder, Gap, Source
from ami_client.testing import FakeAsterisk

LIMIT = 30.0
SomeWorld = TypeVar("SomeWorld", bound="World")
Item = Union[int, Gap]


class Account(list[Item]):
    """What a source was told: numbers of events, and gaps."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.ages: list[float] = []
        source.on("event_userevent", self._event)
        source.on("gap", self._gap)

    __hash__ = object.__hash__  # type: ignore[assignment]

    def _event(self, source: Source, packet: ForwardedPacket) -> None:
        self.append(int(packet["number"]))
        self.ages.append(time.time() - packet.envelope.time)

    def _gap(self, source: Source, gap: Gap) -> None:
        self.append(gap)

    @property
    def numbers(self) -> list[int]:
        return [item for item in self if isinstance(item, int)]

    @property
    def reasons(self) -> list[str]:
        return [item.reason for item in self if isinstance(item, Gap)]

    def check(self) -> None:
        """Each number once, in order, and a gap wherever some are missing."""
        last: int | None = None
        announced = True
        for item in self:
            if isinstance(item, Gap):
                announced = True
                continue
            assert last is None or item > last, f"{item} after {last}"
            assert last is None or item == last + 1 or announced, f"{last}, {item} without a gap"
            last, announced = item, False


class World:
    """Everything on one reactor, besides the brokers."""

    def __init__(self) -> None:
        self.name = f"t{uuid.uuid4().hex[:8]}"  # brokers are shared: this test's names on them
        self.reactor = Reactor()
        self.pbx = FakeAsterisk(self.reactor, ring_time=0.05, call_length=0.3)
        self.pbx.start()
        self.url = f"tcp://admin:secret@{self.pbx.host}:{self.pbx.port}"
        self.numbers = itertools.count(1)
        self.last = 0
        self._ended: list[Any] = []
        self._ticking = False

    def __enter__(self: SomeWorld) -> SomeWorld:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ticking = False
        for one in reversed(self._ended):
            one(0.5)
        self.pbx.close()
        while self.reactor.run_once(0):
            pass
        self.reactor.close()

    def pool(self, **options: Any) -> Pool:
        pool = Pool(reactor=self.reactor, authtype="plain", reconnect=0.1, reconnect_max=0.2, **options)
        pool.get_connection(self.url)
        self._ended.append(lambda timeout: pool.finish())
        return pool

    def forwarder(self, to: BrokerServer, pool: Pool | None = None, **options: Any) -> Forwarder:
        """A forwarder that is started."""
        options = {"server": "pbx1", "events": ["userevent"], **options}
        forwarder = Forwarder(pool or self.pool(), to.broker(self.name), **options)
        forwarder.start()
        self._ended.append(forwarder.close)
        return forwarder

    def active(self, to: BrokerServer, **options: Any) -> Forwarder:
        """A forwarder that is active."""
        forwarder = self.forwarder(to, **options)
        self.until(lambda: forwarder.stats.role == "active" and forwarder.stats.published)
        return forwarder

    def source(self, server: BrokerServer, **options: Any) -> Source:
        source = Source(server.broker(self.name), reactor=self.reactor, **options)
        self._ended.append(source.close)
        return source

    def account(self, server: BrokerServer, *, starts_idle: bool = False, **options: Any) -> Account:
        """What a source hears from now on."""
        account = Account(self.source(server, **options))
        account.source.start()
        self.until(lambda: starts_idle or account.source.is_reading)
        return account

    def say(self, count: int = 1) -> int:
        """So many events happen now; returns the number of the last."""
        for number in itertools.islice(self.numbers, count):
            self.last = number
            event = {"Event": "UserEvent", "Privilege": "user,all", "UserEvent": "Number", "Number": str(self.last)}
            self.pbx.push(event)
        return self.last

    def keep_saying(self, pause: float = 0.005) -> None:
        """From now on an event happens every so often."""
        self._ticking = True

        def tick() -> None:
            if self._ticking:
                self.say()
                self.reactor.call_later(pause, tick)

        tick()

    def be_quiet(self) -> int:
        """No more of :meth:`keep_saying`; returns the number of the last event."""
        self._ticking = False
        return self.last

    def until(self, holds: Callable[[], object], limit: float = LIMIT) -> float:
        """Run until that is so; returns how long it took."""
        began = time.monotonic()
        while not holds():
            assert time.monotonic() - began < limit, "it did not come to that"
            self.reactor.run_once(0.02)
        return time.monotonic() - began

    def run(self, seconds: float) -> None:
        """Run for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.reactor.run_once(0.02)
