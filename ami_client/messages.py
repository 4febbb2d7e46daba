"""What the classes of the catalogue are made of: an action with its parameters, an event with its headers.

The protocol is small. An action object has ``ami_name`` and ``params``: ``Connection.action`` takes it in place of a
name. An event class has ``ami_name``: handlers are bound with it in place of ``event_<name>``.
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

# The kinds of an action's parameters. Values come from files and forms too, so that a str is right everywhere.
Text = Union[str, bytes, int, float]
Number = Union[int, float, str]
Flag = Union[bool, int, str]
#: A parameter that may be repeated: a list has a header for each item, a mapping one ``k=v`` for each.
Repeated = Union[Text, Iterable[Text], Mapping[str, object]]


class Action:
    """An action with its parameters, checked: ``conn.action(actions.QueueAdd(Queue="help", Interface="PJSIP/1"), cb)``.

    Raises TypeError for a parameter that the action does not have, and for a required one that is missing. None leaves
    a parameter out.

    To declare an action of your own module, make a subclass with ``ami_name``, ``required`` and ``optional``.

    Attributes:
        ami_name: the action's name.
        params: the parameters that were given, in order.
        required: names of the parameters that the action needs (of the class).
        optional: names of the others (of the class).
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
            f"Headers that the catalogue does not know go into the call's params"
        )

    def __repr__(self) -> str:
        return f"<Action {self.ami_name}>"  # its parameters may be secret


class _EventType(type):
    """The type of event classes: an instance is each packet that is that event."""

    def __instancecheck__(cls, thing: object) -> bool:
        if not isinstance(thing, Packet) or thing.kind is not Kind.EVENT:
            return False
        name = getattr(cls, "ami_name", None)
        return name is None or thing.event_name == ascii_lower(name)


class Event(Packet, Generic[Known], metaclass=_EventType):
    """The name of an event and, for type checkers and editors, the names of its headers.

    ``@pool.on(events.Hangup)`` binds a handler to ``event_hangup``. The handler gets the :class:`Packet` as it came;
    nothing is made for the class. ``isinstance(packet, events.Hangup)`` says whether a packet is that event.

    A call makes a packet as a server would send it, for tests: ``events.Hangup({"Cause-txt": "Busy"}, Cause=17)``.

    To declare an event of your own module::

        class DoorOpened(Event[Literal["door", "channel"]]):
            ami_name = "DoorOpened"

    Attributes:
        ami_name: the event's name.
    """

    __slots__ = ()

    ami_name: ClassVar[str]

    def __new__(cls, headers: Optional[Params] = None, /, **more: object) -> Self:
        """A packet with these headers behind ``Event``. Raises ValueError for what would not stay in its line."""
        data = encode_event(ami_name_of(cls), [*pairs_of(headers), *more.items()])
        return Packet.parse(data)  # type: ignore[return-value]

    if TYPE_CHECKING:
        # A name is any str. The overloads are for editors, which complete the literals of the first one. The second has
        # a type variable, because they would lose the literals in a plain str.
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
    """The name of an event class. Raises TypeError for any other class."""
    name = getattr(event, "ami_name", None) if issubclass(event, Event) else None
    if name is None:
        raise TypeError(f"{event.__name__} is no event; ami_client.catalogue.events has those of Asterisk")
    return str(name)
