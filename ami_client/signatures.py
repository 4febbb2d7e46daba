"""Signatures of callbacks, as protocols for type checkers.

Parameters are positional, so a function may give them any names. A callback's result is ignored. Event handlers are the
exception: one that returns True stops those after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Protocol, TypeVar, Union

from ._engine.packet import Packet
from .messages import Event

# The layers below the connection do not know its class: a signature says ``PacketCallback[Self]``. In a user's own
# annotations the bare name is enough, because type checkers know the default.
if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    Conn = TypeVarWithDefault("Conn", contravariant=True, default=Any)
else:
    Conn = TypeVar("Conn", contravariant=True)


class PacketCallback(Protocol[Conn]):
    """A callback that gets one packet: ``cb(conn, packet)``."""

    def __call__(self, conn: Conn, packet: Packet, /) -> object: ...


class ListCallback(Protocol[Conn]):
    """A callback that gets the packets of a list: ``cb(conn, packets)``."""

    def __call__(self, conn: Conn, packets: list[Packet], /) -> object: ...


class OneArgumentCallback(Protocol[Conn]):
    """A callback that gets only the connection: ``cb(conn)``."""

    def __call__(self, conn: Conn, /) -> object: ...


class EventHandler(Protocol):
    """A handler of an event: ``handler(sender, *args)``.

    Its arguments depend on the event's name, and users may emit any name. So this only says that it can be called.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> object: ...


#: A callback that gets ``(conn, packet)``, or only ``(conn)`` if it takes one argument.
ConnectionCallback = Union[PacketCallback[Conn], OneArgumentCallback[Conn]]

SomeEvent = TypeVar("SomeEvent", bound=Event[Any])
Result = TypeVar("Result")

#: A handler that is bound with a class of the catalogue. It takes that event, or any packet.
TypedHandler = Callable[[Any, SomeEvent], Result]


class EventDecorator(Protocol[SomeEvent]):
    """The decorator ``@pool.on(events.Hangup)``. It returns the handler unchanged."""

    def __call__(self, cb: Callable[[Any, SomeEvent], Result], /) -> Callable[[Any, SomeEvent], Result]: ...
