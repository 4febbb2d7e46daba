"""What the model shows of all servers together, as mappings. No I/O here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Callable, Generic, TypeVar, Union

from .picture import Picture

Record = TypeVar("Record")

#: The name of a record; with several servers, or to be sure, the server's and the record's.
Key = Union[str, tuple[str, str]]


class Shown(Mapping[Key, Record], Generic[Record]):
    """The records of one kind, read from the pictures whenever somebody looks.

    ``find(picture, name)`` is the record of that name, or None; ``names(picture)`` are all names.
    """

    def __init__(
        self,
        pictures: Mapping[str, Picture],
        names: Callable[[Picture], list[str]],
        find: Callable[[Picture, str], Union[Record, None]],
    ) -> None:
        self._pictures = pictures
        self._names = names
        self._find = find

    def __getitem__(self, key: Key) -> Record:
        if isinstance(key, tuple):
            server, name = key
            pictures = [self._pictures[server]]
        elif isinstance(key, str):
            name, pictures = key, list(self._pictures.values())
        else:
            raise KeyError(key)
        found = [record for record in (self._find(picture, name) for picture in pictures) if record is not None]
        if len(found) > 1:
            raise KeyError(f"{name!r} is there at several servers: ask for (server, {name!r})")
        if not found:
            raise KeyError(key)
        return found[0]

    def __iter__(self) -> Iterator[Key]:
        several = len(self._pictures) > 1
        for server, picture in list(self._pictures.items()):
            for name in self._names(picture):
                yield (server, name) if several else name

    def __len__(self) -> int:
        return sum(len(self._names(picture)) for picture in list(self._pictures.values()))

    def __repr__(self) -> str:
        return f"<{len(self)} records>"
