"""The table of built-in actions. The modules with the handlers register them here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, NamedTuple, Optional, Protocol

from .requests import Request
from .script import Answer, Headers

if TYPE_CHECKING:
    from ..loop import Loop
    from .async_calls import AsyncCalls
    from .calls import Exchange
    from .office import Office
    from .session import Session


class Server(Protocol):
    """The part of the server that the handlers use."""

    loop: Loop
    username: str
    secret: str
    auth_delay: float
    fully_booted: bool
    login_refusal: Optional[str]
    office: Office
    exchange: Exchange
    async_calls: AsyncCalls

    @property
    def scripted_actions(self) -> list[str]: ...

    def push(self, event: Headers) -> int: ...

    def uptime(self) -> int: ...


class Turn(NamedTuple):
    """One request, its session and its server, for the handler that answers it."""

    server: Server
    session: Session
    request: Request

    @property
    def exchange(self) -> Exchange:
        """The server's calls and channels."""
        return self.server.exchange

    @property
    def office(self) -> Office:
        """The server's data."""
        return self.server.office

    @property
    def action_id(self) -> Optional[str]:
        """The ActionID. None leaves out the header."""
        return self.request.action_id or None

    def get(self, name: str) -> str:
        """Return a header of the request, or ``""`` if it is missing."""
        return self.request.get(name)


Handler = Callable[[Turn], Answer]


class Action(NamedTuple):
    """A built-in action. ListCommands shows its ``synopsis`` and ``privilege``."""

    name: str
    synopsis: str
    privilege: str
    handler: Handler


#: The built-in actions by name in lower case; constant after the import.
ACTIONS: dict[str, Action] = {}


def action(name: str, synopsis: str, privilege: str = "<none>") -> Callable[[Handler], Handler]:
    """Decorator: register a function as the handler of action ``name``."""

    def register(handler: Handler) -> Handler:
        ACTIONS[name.lower()] = Action(name, synopsis, privilege, handler)
        return handler

    return register
