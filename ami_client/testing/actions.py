"""The table of built-in actions: the modules beside this one register their handlers in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, NamedTuple, Optional, Protocol

from .requests import Request
from .script import Answer, Headers

if TYPE_CHECKING:
    from ..loop import Loop
    from .calls import Exchange
    from .office import Office
    from .session import Session


class Server(Protocol):
    """What the handlers need of the server."""

    loop: Loop
    username: str
    secret: str
    auth_delay: float
    fully_booted: bool
    login_refusal: Optional[str]
    office: Office
    exchange: Exchange

    @property
    def scripted_actions(self) -> list[str]: ...

    def push(self, event: Headers) -> int: ...

    def uptime(self) -> int: ...


class Turn(NamedTuple):
    """One request being answered: who asks, and whom."""

    server: Server
    session: Session
    request: Request

    @property
    def exchange(self) -> Exchange:
        """The server's calls."""
        return self.server.exchange

    @property
    def office(self) -> Office:
        """The server's data."""
        return self.server.office

    @property
    def action_id(self) -> Optional[str]:
        """The ActionID, None when there is none: a header value that leaves the header out."""
        return self.request.action_id or None

    def get(self, name: str) -> str:
        """Return a header of the request, empty when it is missing."""
        return self.request.get(name)


Handler = Callable[[Turn], Answer]


class Action(NamedTuple):
    """A built-in action; ``synopsis`` and ``privilege`` are what ListCommands tells."""

    name: str
    synopsis: str
    privilege: str
    handler: Handler


#: The built-in actions by their names in lower case; filled at import, constant after it.
ACTIONS: dict[str, Action] = {}


def action(name: str, synopsis: str, privilege: str = "<none>") -> Callable[[Handler], Handler]:
    """Register the function below as the handler of action ``name``."""

    def register(handler: Handler) -> Handler:
        ACTIONS[name.lower()] = Action(name, synopsis, privilege, handler)
        return handler

    return register
