"""Messages that wait for the broker: a bounded queue in memory, and an optional file that survives a kill -9."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Optional, Union

from .broker import Message

logger = logging.getLogger("ami_client")


class Spool:
    """A queue in an SQLite file. Only one process, and one thread at a time, may use it.

    Raises OSError for a file that cannot be used as a spool.
    """

    def __init__(self, path: Union[str, Path]) -> None:
        self.path = str(path)
        try:
            try:  # events contain personal data; SQLite gives its other files this mode too
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            except OSError as error:
                raise OSError(f"spool {self.path}: {error.strerror}") from None
            self._db = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
            except sqlite3.Error:
                self._db.close()
                raise
        except sqlite3.Error as error:
            busy = "another process uses it" if "locked" in str(error) else str(error)
            raise OSError(f"spool {self.path}: {busy}") from None

    def _prepare(self) -> None:
        # A power failure may lose the last messages, but never the file: only checkpoints wait for the disk. A crash of
        # the process loses nothing.
        for line in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=NORMAL"):
            self._db.execute(f"PRAGMA {line}")
        self._db.execute("CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, channel, route, body)")
        # From here on, another process cannot lock the file.
        self._db.execute("DELETE FROM messages WHERE id < 0")
        first, last = self._db.execute("SELECT min(id), max(id) FROM messages").fetchone()
        self._done = (first or 1) - 1  # ids up to this one are confirmed
        self._last = last or 0

    def __len__(self) -> int:
        return self._last - self._done

    def append(self, messages: Sequence[Message]) -> None:
        """Append messages, all or none. Raises sqlite3.Error, for example if the disk is full."""
        numbered = [(self._last + place, *message) for place, message in enumerate(messages, 1)]
        self._db.execute("BEGIN")
        try:
            self._db.executemany("INSERT INTO messages VALUES (?, ?, ?, ?)", numbered)
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._last += len(numbered)

    def first(self, count: int) -> list[Message]:
        """Return the oldest messages."""
        rows = self._db.execute(
            "SELECT channel, route, body FROM messages WHERE id > ? ORDER BY id LIMIT ?", (self._done, count)
        )
        return [Message(*row) for row in rows]

    def remove(self, count: int) -> None:
        """Remove the oldest messages. If the disk is full, they come again, but only after a restart."""
        self._done += count
        try:
            self._db.execute("DELETE FROM messages WHERE id <= ?", (self._done,))
        except sqlite3.OperationalError as error:
            logger.warning("spool %s: %s", self.path, error)

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class Outbox:
    """Messages in order until the broker has confirmed them, at most ``limit``.

    One thread calls :meth:`add`, another thread everything else. Both may call ``len()``.
    """

    def __init__(self, limit: int, spool: Optional[Spool] = None) -> None:
        self.limit = limit
        self._spool = spool
        self._added: deque[Message] = deque()
        self._taken: list[Message] = []  # taken from _added, and not in the spool
        self._full_disk = False

    def __len__(self) -> int:
        return len(self._added) + len(self._taken) + self.spooled

    @property
    def spooled(self) -> int:
        """How many messages are in the spool."""
        return 0 if self._spool is None else len(self._spool)

    @property
    def has_room(self) -> bool:
        """Whether :meth:`add` would accept a message."""
        return len(self) < self.limit

    def add(self, message: Message, *, force: bool = False) -> bool:
        """Append a message. Return False, without adding it, if there is no room and ``force`` is not set."""
        if not force and not self.has_room:
            return False
        self._added.append(message)
        return True

    def store(self) -> None:
        """Move the added messages into the spool, if there is one."""
        for _ in range(len(self._added)):
            self._taken.append(self._added.popleft())
        if self._spool is None or not self._taken:
            return
        try:
            self._spool.append(self._taken)
        except sqlite3.Error as error:
            if not self._full_disk:
                logger.error("spool %s: %s; keeping messages in memory until it works again", self._spool.path, error)
            self._full_disk = True
        else:
            self._taken = []
            if self._full_disk:
                logger.warning("spool %s: it works again", self._spool.path)
            self._full_disk = False

    def first(self, count: int) -> list[Message]:
        """Return the oldest messages, up to ``count``."""
        self.store()
        if self._spool is not None and len(self._spool):
            return self._spool.first(count)
        return self._taken[:count]

    def remove(self, count: int) -> None:
        """Remove the messages that the last call of :meth:`first` returned, because they are confirmed."""
        if self._spool is not None and len(self._spool):
            self._spool.remove(count)
        else:
            del self._taken[:count]

    def clear(self) -> int:
        """Remove everything. Return how many messages there were."""
        self.store()
        removed = len(self._taken) + self.spooled
        self._taken = []
        if self._spool is not None:
            self._spool.remove(len(self._spool))
        return removed

    def close(self) -> None:
        """Store the added messages, and close the spool."""
        self.store()
        if self._spool is not None:
            self._spool.close()
