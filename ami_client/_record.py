"""A small part of :mod:`dataclasses`, in its words: classes of fields, with ``replace`` as a method.

``dataclasses`` imports ``inspect``, and compiles new methods for each class. Both together took a fifth of the time to
import a pool (benchmark h). Here all classes share their methods, which costs microseconds more per object. The
functions of ``dataclasses`` accept records.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Optional, Union

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


class _OfDataclass:
    """An attribute of the dataclass with the same fields, which is made when somebody asks for it."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, record: Optional[Record], cls: type[Record]) -> Any:
        return getattr(_dataclass_like(cls), self._name)  # type: ignore[arg-type]


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Record:
    """An object with the fields that its class annotates. It is frozen, unless its class has ``frozen=False``.

    ``__post_init__`` may check the values, and change them in ``vars(self)``.
    """

    __dataclass_fields__ = _OfDataclass()
    __dataclass_params__ = _OfDataclass()

    _fields: ClassVar[tuple[Field, ...]] = ()
    _defaults: ClassVar[dict[str, object]] = {}

    def __init_subclass__(cls, *, frozen: bool = True) -> None:
        own = [_declared(cls, name) for name in _own_annotations(cls)]
        cls._fields = tuple({one.name: one for one in (*cls._fields, *own)}.values())
        cls._defaults = {one.name: one.default for one in cls._fields if one.default is not _REQUIRED}
        for one in own:
            if one.default is not _REQUIRED:
                setattr(cls, one.name, one.default)
        if not frozen:
            cls.__setattr__ = object.__setattr__  # type: ignore[assignment]
            cls.__delattr__ = object.__delattr__  # type: ignore[method-assign]
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

    def __setattr__(self, name: str, value: object) -> None:
        raise _frozen(self, name)

    def __delattr__(self, name: str) -> None:
        raise _frozen(self, name)

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


@cache
def _dataclass_like(cls: type[Record]) -> type:
    from dataclasses import field, make_dataclass  # late: see above

    def like(one: Field) -> Any:
        default: dict[str, Any] = {} if one.default is _REQUIRED else {"default": one.default}
        if type(one.default).__hash__ is None:
            default = {"default_factory": one.default.copy}
        return field(repr=one.repr, metadata=one.metadata, **default)

    made = [(one.name, Any, like(one)) for one in cls._fields]
    return make_dataclass(cls.__name__, made, frozen=cls.__setattr__ is Record.__setattr__)


def _own_annotations(cls: type[Record]) -> dict[str, Any]:
    # Before 3.10, a class without annotations shows those of its base.
    return vars(cls).get("__annotations__", {}) if sys.version_info < (3, 10) else cls.__annotations__


def _frozen(record: Record, name: str) -> Exception:
    from dataclasses import FrozenInstanceError

    return FrozenInstanceError(f"a {type(record).__name__} does not change; make another one to have another {name!r}")
