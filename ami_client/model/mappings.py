"""The model's records of all servers together, as mappings. No I/O here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Callable, Generic, TypeVar, Union

from .picture import Picture

Live = TypeVar("Live")
Record = TypeVar("Record")

#: The name of a record. With several servers, a pair of the server's name and the record's.
Key = Union[str, tuple[str, str]]


class Shown(Mapping[Key, Record], Generic[Live, Record]):
    """The records of one kind, made from the pictures at each access.

    ``table(picture)`` has the stored objects by name in lower case, because a pool that folds case delivers names so.
    ``name(live)`` is the name as the server sent it, ``record(live)`` the record.
    """

    def __init__(
        self,
        pictures: Mapping[str, Picture],
        table: Callable[[Picture], Mapping[str, Live]],
        name: Callable[[Live], str],
        record: Callable[[Live], Record],
    ) -> None:
        self._pictures = pictures
        self._table = table
        self._name = name
        self._record = record

    def __getitem__(self, key: Key) -> Record:
        if isinstance(key, tuple):
            server, name = key
            pictures = [self._pictures[server]]
        elif isinstance(key, str):
            name, pictures = key, list(self._pictures.values())
        else:
            raise KeyError(key)
        found = [live for live in (self._table(picture).get(name.lower()) for picture in pictures) if live is not None]
        if len(found) > 1:
            raise KeyError(f"{name!r} exists on several servers: use (server, {name!r})")
        if not found:
            raise KeyError(key)
        return self._record(found[0])

    def __iter__(self) -> Iterator[Key]:
        several = len(self._pictures) > 1
        for server, picture in list(self._pictures.items()):
            for live in list(self._table(picture).values()):
                yield (server, self._name(live)) if several else self._name(live)

    def __len__(self) -> int:
        return sum(len(self._table(picture)) for picture in list(self._pictures.values()))

    def __repr__(self) -> str:
        return f"<{len(self)} records>"

    def all(self) -> list[Record]:
        """Return all records. Unlike ``values()``, this may be called from any thread."""
        tables = [list(self._table(picture).values()) for picture in list(self._pictures.values())]
        return [self._record(live) for table in tables for live in table]
