"""Events of a broker for ``ami-client events``: what it asks of a connection to a server, answered by a source."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable, Optional

from ..forward import Gap, Source
from ..reactor import Reactor
from .client import Client
from .forwarding import open_broker
from .output import note
from .text import plural


class BrokerFeed(Client):
    """Has events of a source in place of a server's. Entering it starts to read."""

    def __init__(self, url: str, group: Optional[str]) -> None:
        self.reactor = Reactor()
        self._own_reactor = True
        self._waiting = None
        self._error = None
        self._stopped = False
        self.source = Source(open_broker(url), group=group, reactor=self.reactor, fold_case=False, slow_handler=None)
        self.source.on("gap", lambda source, gap: tell_gap(gap))

    def __enter__(self) -> BrokerFeed:
        self.source.start()
        return self

    def close(self) -> None:
        """End it."""
        self.source.close(1.0)
        self.reactor.close()

    def listen(self, names: Iterable[str], handler: Callable[..., object]) -> None:
        self.source.on(list(names), handler)


def tell_gap(gap: Gap) -> None:
    """Say on stderr that events are missing."""
    what = "events may be missing" if gap.count is None else f"{plural(gap.count, 'event')} missing"
    note(f"{gap.server}: {what} here ({gap.reason})")
