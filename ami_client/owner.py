"""Who stands behind a connection: its pool, as users know it, and who is told what becomes of it."""

from __future__ import annotations

from typing import Callable, Protocol, TypeVar

from .loop import Loop

SomeConnection = TypeVar("SomeConnection", contravariant=True)


class ConnectionPool(Protocol):
    """A pool, as users of ``conn.pool`` know it."""

    @property
    def reactor(self) -> Loop:
        """The loop that the connections live on."""

    @property
    def get_connection(self) -> Callable[..., bool]:
        """As :meth:`ami_client.Pool.get_connection`."""

    def finish(self, graceful: bool = False) -> None:
        """As :meth:`ami_client.Pool.finish`."""

    def emit(self, event: str, *args: object) -> bool:
        """Emit an event of a connection, ``args[0]``, on the pool as well."""


class Owner(Protocol[SomeConnection]):
    """Who gives the connection to others, and is told by it what becomes of it."""

    def connection_acquired(self, conn: SomeConnection) -> None:
        """Nobody else is to be given it."""

    def connection_logged_in(self, conn: SomeConnection) -> None:
        """It is logged in, and the handlers of ``login`` have run."""

    def connection_ready(self, conn: SomeConnection) -> None:
        """Everybody knows of the login, or the connection was given back."""

    def connection_ending(self, conn: SomeConnection) -> None:
        """It is finished, and now tells everybody; callbacks that ask for a connection are not to get this one."""

    def connection_lost(self, conn: SomeConnection) -> None:
        """It is finished, and everybody was told."""

    def connection_given_up(self, conn: SomeConnection) -> None:
        """It is not to be opened again, lost or not."""
