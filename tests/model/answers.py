"""The model of one connection's answers: what each message of the server's must tell, and whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Union

from .words import Said


@dataclass(eq=False)
class Token:
    """One callback that was given to the library, and what became of it.

    ``kind`` is ``waiter`` for one that waits for a connection, ``result`` for one that waits for a call's result, else
    the kind of action. ``behaviour`` is what it does when it is called.
    """

    name: str
    kind: str
    behaviour: str
    pri: int = 0
    id: str = ""  # in lower case
    place: int = 0  # among those that wait with the same priority
    deadline: float = float("inf")
    retry: bool = False
    told: Optional[Telling] = None
    # the answer so far
    begun: bool = False  # of a composite one
    collecting: bool = False
    parts: list[str] = field(default_factory=list)  # the numbers of the messages kept
    size: int = 0

    def __repr__(self) -> str:
        return self.name

    @property
    def composite(self) -> bool:
        """Whether it is given the list of all packets."""
        return self.kind == "composite"

    def restart(self) -> None:
        """Forget what has arrived: it is sent again."""
        self.begun, self.collecting, self.parts, self.size = False, False, [], 0


@dataclass(frozen=True)
class Telling:
    """What a callback or handler is told: the error's type or ``""``, and the numbers of the messages it is given."""

    who: Union[Token, str]
    error: str = ""
    parts: tuple[str, ...] = ()
    suspect: bool = False

    def __str__(self) -> str:
        told = [self.error, "suspect" * self.suspect, " ".join(self.parts)]
        return f"{self.who} told {', '.join(filter(None, told)) or 'success'}"


def failure(token: Token, error: str) -> Telling:
    """What a callback is told when no answer comes: the error, and what had arrived."""
    if token.kind == "raw":
        return Telling(token, error)
    return Telling(token, error, tuple(token.parts if token.composite else token.parts[1:]))  # [0] is the Response


class Answers:
    """The actions in flight, as :class:`ami_client._engine.in_flight.InFlight` should treat them.

    ``open`` and ``results`` are in the order of sending.
    """

    def __init__(self, max_answer: int) -> None:
        self.open: dict[str, Token] = {}
        self.results: dict[str, Token] = {}
        self.abandoned: dict[str, Token] = {}
        self.fenced: dict[str, Token] = {}  # raw-text actions whose fence has not come, by their own ids
        self.gathering: list[Token] = []  # whose list is open, in order, and takes events without its id
        self._max_parts = max_answer // 1024

    def waiting(self) -> list[Token]:
        """Who is still to be told, in order."""
        return [*self.open.values(), *self.results.values()]

    def knows(self, action_id: str) -> bool:
        """Whether an ActionID is in use."""
        return any(action_id in table for table in (self.open, self.results, self.abandoned))

    def add(self, token: Token) -> None:
        """An action was sent, or its result is waited for."""
        if token.kind == "result":
            self.results[token.id] = token
            return
        self.open[token.id] = token
        if token.kind == "raw":
            self.fenced[token.id] = token

    def give_up(self, token: Token, sent: bool) -> None:
        """Nobody waits for the answer any more."""
        if token.kind == "result":
            del self.results[token.id]
            return
        del self.open[token.id]
        if sent:
            self.abandoned[token.id] = token
            token.size = 0
        else:
            self.fenced.pop(token.id, None)

    def receive(self, said: Said) -> list[Telling]:
        """What a message tells; an event that it is besides comes last."""
        if said.word == "text":
            token = next(iter(self.fenced.values()), None)
            return self._keep(token, said) if token is not None else []
        if said.word == "fence":
            fenced = self.fenced.pop(said.id, None)
            return self._complete(fenced, Telling(fenced, "", tuple(fenced.parts))) if fenced is not None else []
        token, owned = self._owner(said)
        tellings = [] if token is None else self._deliver(token, said)
        result = self.results.get(said.id)
        if result is not None and said.word in ("call answered", "call failed", "error"):
            del self.results[said.id]
            tellings.append(Telling(result, "" if said.word == "call answered" else "ActionFailed", (said.number,)))
        if said.is_event and not owned:
            tellings.append(Telling("event", "", (said.number,)))
        return tellings

    def _owner(self, said: Said) -> tuple[Optional[Token], bool]:
        """Whose answer it is a part of, and whether it is nothing else."""
        token = self.open.get(said.id) or self.abandoned.get(said.id)
        if token is not None:
            wanted = token.composite or token.collecting or said.is_response
            return (token, True) if wanted else (None, False)
        for token in self.gathering if said.is_event else ():
            if token.kind == "gather":
                return token, False
            if said.word == "peer":
                return token, True
        return None, False

    def _deliver(self, token: Token, said: Said) -> list[Telling]:
        return [*self._take_early(token, said), *self._deliver_part(token, said)]

    def _take_early(self, token: Token, said: Said) -> list[Telling]:
        """What came before the Response of a composite answer is an event, now that the Response is here."""
        if not token.composite or token.begun or not said.is_response:
            return []
        token.begun = True
        early = token.parts if self.open.get(token.id) is token else []
        token.parts, token.size = [], 0
        return [Telling("event", "", (number,)) for number in early]

    def _deliver_part(self, token: Token, said: Said) -> list[Telling]:
        parts = tuple(token.parts) if token.kind != "raw" else ()
        failed = Telling(token, "ActionFailed", (*parts, said.number) if token.composite else (said.number, *parts))
        if token.composite:
            if said.word == "error":
                return self._complete(token, failed)
            if said.word in ("end", "end, entries lost"):
                whole = Telling(token, "", (*parts, said.number), said.word != "end")
                return self._complete(token, whole)
            return self._keep(token, said)
        if not token.collecting:
            if said.word == "error":
                return self._complete(token, failed)
            if said.word != "start" and token.kind != "gather":
                return self._complete(token, Telling(token, "", (said.number,)))
            token.collecting = True
            return self._keep(token, said)
        if said.is_response:
            if said.word == "error":
                return self._complete(token, Telling(token, "ActionFailed", (said.number, *parts[1:])))
            return []
        ends = ("end", "end, entries lost", "cancelled", "waited" if token.kind == "gather" else "")
        if said.word in ends:
            whole = Telling(token, "", (*parts, said.number), said.word == "end, entries lost")
            return self._complete(token, whole)
        return self._keep(token, said)

    def _keep(self, token: Token, said: Said) -> list[Telling]:
        """One more part of an answer; too many fail it."""
        if token.kind in ("gather", "peers") and token not in self.gathering:
            self.gathering.append(token)
        if self.open.get(token.id) is not token:
            return []
        token.parts.append(said.number)
        token.size += 1
        if sum(one.size for one in self.open.values()) <= self._max_parts:
            return []
        telling = failure(token, "LimitReached")
        self.give_up(token, sent=True)
        return [telling]

    def _complete(self, token: Token, telling: Telling) -> list[Telling]:
        if token in self.gathering:
            self.gathering.remove(token)
        if self.abandoned.get(token.id) is token:
            del self.abandoned[token.id]
        if self.open.get(token.id) is token:
            del self.open[token.id]
            if token.id in self.fenced:  # refused: its fence is still to come
                self.abandoned[token.id] = token
            return [telling]
        return []
