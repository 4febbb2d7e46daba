"""Callbacks that wait for a connection."""

from __future__ import annotations

from typing import Callable, Optional, Union

from ..callbacks import Callback, Wrapper
from ..errors import Cancelled, ConnectionFinished, NoServer
from ..options import Options
from ..stats import Stats
from ..url import ServerURL
from .driver import ConnectionPool, Driver


def _ignore_answer(conn: object, packet: object) -> None:
    """Replaces a callback of None."""


class Waiter(Wrapper):
    """A ``cb(conn, packet)`` that waits for a connection.

    Attributes: ``limits``, timeout options for a connection that is opened for it; ``pri`` and ``place``, its position
    in the queue. It returns to this position if the server turns its connection away.
    """

    def __init__(
        self,
        cb: Optional[Callback],
        before_connect: Optional[Callback],
        limits: dict[str, Optional[float]],
        pri: float = 0,
    ) -> None:
        super().__init__(_ignore_answer if cb is None else cb)
        self.before_connect = before_connect
        self.limits = limits
        self.pri = pri
        self.place: Optional[int] = None

    def __call__(self, *args: object, **kwargs: object) -> object:
        return self.func(*args, **kwargs)

    def fail(
        self,
        error: Union[NoServer, ConnectionFinished, Cancelled],
        options: Options,
        pool: ConnectionPool,
        stats: Stats,
        make: Callable[[Driver], object],
    ) -> None:
        """Call it with a placeholder connection that failed with ``error``. Its counters are added to ``stats``."""
        driver = Driver("", ServerURL("tcp", ""), options, pool.reactor)
        make(driver)
        driver.fail(error)
        try:
            driver.tell(self)
        finally:
            stats.add([driver.stats.counters()])
