"""How a command fails: exit statuses, and the exceptions that carry them."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """Exit statuses. There are more: 128 + n after signal n, 141 if the reader of a pipe is gone."""

    OK = 0
    REFUSED = 1  # the server refused, or the expected event did not happen
    USAGE = 2
    UNREACHABLE = 3  # no connection, or the connection was lost
    LOGIN = 4
    TIMEOUT = 5


class CommandError(Exception):
    """An error for the user: its message in one line, and the exit status."""

    def __init__(self, message: str, status: Status = Status.REFUSED) -> None:
        super().__init__(message)
        self.status = status


class OutputClosed(Exception):
    """The reader of our output is gone."""


class Ended(Exception):
    """Ends the command with an exit status. Everything was printed already."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status = status
