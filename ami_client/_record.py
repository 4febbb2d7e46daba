"""A small part of :mod:`dataclasses`, in its words: classes of fields, with ``replace`` as a method.

``dataclasses`` imports ``inspect``, and compiles new methods for each class. Both together took a fifth of the time to
import a pool (benchmark h). Here all classes share their methods, which costs microseconds more per object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Union

if TYPE_CHECKING:
    from typing_extensions import Self, dataclass_transform
else:

    def dataclass_transform(**_: object):  # it only tells type checkers
        return lambda cls: cls


_REQUIRED = object()


class Field:
    """A field of a record. ``metadata`` is for its class."""

    __slots__ = ("default", "metadata", "name", "repr")

    def __init__(self, default: Any, repr: bool = True, metadata: Any = None) -> None:
        self.name = ""  # its class gives it one
        self.default = default
        self.repr = repr
        self.metadata = metadata


def field(*, default: Any = _REQUIRED, repr: bool = True, metadata: Any = None) -> Any:
    """Declare a field with more than a default."""
    return Field(default, repr, metadata)


def fields(record: Union[Record, type[Record]]) -> tuple[Field, ...]:
    """Return the fields of a record, or of a class of records, in order."""
    return record._fields


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Record:
    """An object with the fields that its class annotates. It is frozen, unless its class has ``frozen=False``.

    ``__post_init__`` may check the values, and change them in ``vars(self)``.
    """

    _fields: ClassVar[tuple[Field, ...]] = ()
    _defaults: ClassVar[dict[str, object]] = {}

    def __init_subclass__(cls, *, frozen: bool = True) -> None:
        cls._fields = tuple(_declared(cls, name) for name in cls.__annotations__)
        cls._defaults = {one.name: one.default for one in cls._fields if one.default is not _REQUIRED}
        for name, default in cls._defaults.items():
            setattr(cls, name, default)
        if frozen:
            cls.__setattr__ = cls.__delattr__ = _refuse  # type: ignore[assignment]
        else:
            cls.__hash__ = None  # type: ignore[assignment]

    def __init__(self, *args: object, **kwargs: object) -> None:
        names = [one.name for one in self._fields]
        placed = dict(zip(names, args))
        values = {**self._defaults, **placed, **kwargs}
        wrong = (values.keys() ^ set(names)) | (placed.keys() & kwargs.keys())
        if wrong or len(args) > len(names):
            about = f": missing, unknown or given twice: {', '.join(sorted(wrong))}" if wrong else ""
            raise TypeError(f"{type(self).__name__} has the fields {', '.join(names)}{about}")
        vars(self).update(values)
        self.__post_init__()

    def __post_init__(self) -> None: ...

    def replace(self, **changes: object) -> Self:
        """Return a new object with other values for some fields. It is checked like any other."""
        return type(self)(**{**vars(self), **changes})

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple([getattr(self, one.name) for one in self._fields]))

    def __repr__(self) -> str:
        shown = [f"{one.name}={getattr(self, one.name)!r}" for one in self._fields if one.repr]
        return f"{type(self).__name__}({', '.join(shown)})"


def _declared(cls: type[Record], name: str) -> Field:
    value = vars(cls).get(name, _REQUIRED)
    found = value if isinstance(value, Field) else Field(value)
    found.name = name
    return found


def _refuse(record: Record, name: str, value: object = None) -> NoReturn:
    raise AttributeError(f"a {type(record).__name__} does not change; make another one to have another {name!r}")
