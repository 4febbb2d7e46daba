"""Base classes of the catalogue: an action with its parameters, and an event with its headers.

The protocol is small. An action object has ``ami_name`` and ``params``; ``Connection.action`` accepts it instead of a
name. An event class has ``ami_name``; it can be given to ``bind`` instead of ``event_<name>``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, Generic, NoReturn, Optional, TypeVar, Union, overload

from ._engine.encode import Params, encode_event, pairs_of
from ._engine.packet import Kind, Packet
from ._engine.text import ascii_lower

if TYPE_CHECKING:
    from datetime import datetime

    from typing_extensions import Self

Known = TypeVar("Known", bound=str)
SomeName = TypeVar("SomeName", bound=str)

# The types of an action's parameters. A str is always allowed, because values often come from files and forms.
Text = Union[str, bytes, int, float]
Number = Union[int, float, str]
Flag = Union[bool, int, str]
#: A parameter that may be repeated: each item of a list becomes one header, each item of a mapping one header ``k=v``.
Repeated = Union[Text, Iterable[Text], Mapping[str, object]]


class Action:
    """An action with checked parameters: ``conn.action(actions.QueueAdd(Queue="help", Interface="PJSIP/1"), cb)``.

    A parameter that is None is left out. Raises TypeError for an unknown parameter, and for a required one that is
    missing.

    To declare an action of your own module, write a subclass with ``ami_name``, ``required`` and ``optional``.

    Attributes:
        ami_name: the action's name.
        params: the parameters that were given, in order.
        required: names of the parameters that the action needs (class attribute).
        optional: names of the other parameters (class attribute).
    """

    ami_name: ClassVar[str]
    required: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ()

    def __init__(self, **params: object) -> None:
        for name in params:
            if name not in self.required and name not in self.optional and name != "ActionID":
                self._refuse(name)
        missing = [name for name in self.required if params.get(name) is None]
        if missing:
            raise TypeError(f"{self.ami_name} needs {' and '.join(missing)}")
        self.params = {name: value for name, value in params.items() if value is not None}

    def _refuse(self, name: str) -> NoReturn:
        import difflib  # needed for this message only

        known = {one.lower(): one for one in (*self.required, *self.optional, "ActionID")}
        (nearest,) = difflib.get_close_matches(name.lower(), known, 1, 0)
        raise TypeError(
            f"{self.ami_name} has no parameter {name!r}; did you mean {known[nearest]!r}? "
            f"Pass headers that the catalogue does not know in action()'s params"
        )

    def __repr__(self) -> str:
        return f"<Action {self.ami_name}>"  # without the parameters: they may be secret


class _EventType(type):
    """The metaclass of event classes. Each packet of that event is an instance of the class."""

    def __instancecheck__(cls, thing: object) -> bool:
        if not isinstance(thing, Packet) or thing.kind is not Kind.EVENT:
            return False
        name = getattr(cls, "ami_name", None)
        return name is None or thing.event_name == ascii_lower(name)


class Event(Packet, Generic[Known], metaclass=_EventType):
    """The name of an event and, for type checkers and editors, the names of its headers.

    ``@pool.on(events.Hangup)`` binds a handler to ``event_hangup``. The handler gets an ordinary :class:`Packet`, not
    an object of this class. ``isinstance(packet, events.Hangup)`` tells whether a packet is that event.

    Calling the class makes a packet as a server would send it, for tests:
    ``events.Hangup({"Cause-txt": "Busy"}, Cause=17)``.

    To declare an event of your own module::

        class DoorOpened(Event[Literal["door", "channel"]]):
            ami_name = "DoorOpened"

    Attributes:
        ami_name: the event's name.
    """

    __slots__ = ()

    ami_name: ClassVar[str]

    def __new__(cls, headers: Optional[Params] = None, /, **more: object) -> Self:
        """Make a packet with these headers after ``Event``. Raises ValueError for a value with a line break."""
        data = encode_event(ami_name_of(cls), [*pairs_of(headers, "headers"), *more.items()])
        return Packet.parse(data)  # type: ignore[return-value]

    if TYPE_CHECKING:
        # Any str is accepted as a name. The first overload lets editors complete the literals. The second one has a
        # type variable, because editors would drop the literals next to a plain str.
        @overload
        def __getitem__(self, name: Known, /) -> str: ...
        @overload
        def __getitem__(self, name: SomeName, /) -> str: ...
        def __getitem__(self, name: str, /) -> str: ...

        @overload
        def number(self, name: Known, /) -> Optional[int]: ...
        @overload
        def number(self, name: SomeName, /) -> Optional[int]: ...
        def number(self, name: str, /) -> Optional[int]: ...

        @overload
        def flag(self, name: Known, /) -> Optional[bool]: ...
        @overload
        def flag(self, name: SomeName, /) -> Optional[bool]: ...
        def flag(self, name: str, /) -> Optional[bool]: ...

        @overload
        def seconds(self, name: Known, /) -> Optional[float]: ...
        @overload
        def seconds(self, name: SomeName, /) -> Optional[float]: ...
        def seconds(self, name: str, /) -> Optional[float]: ...

        @overload
        def words(self, name: Known, /) -> Optional[list[str]]: ...
        @overload
        def words(self, name: SomeName, /) -> Optional[list[str]]: ...
        def words(self, name: str, /) -> Optional[list[str]]: ...

        @overload
        def time(self, name: Known, /) -> Optional[datetime]: ...
        @overload
        def time(self, name: SomeName, /) -> Optional[datetime]: ...
        def time(self, name: str, /) -> Optional[datetime]: ...


def ami_name_of(event: type) -> str:
    """Return the name of an event class. Raises TypeError for any other class."""
    name = getattr(event, "ami_name", None) if issubclass(event, Event) else None
    if name is None:
        raise TypeError(f"{event.__name__} is not an event class; Asterisk's are in ami_client.catalogue.events")
    return str(name)
