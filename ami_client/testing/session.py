"""One client's session: answers in order, and events between answers."""

from __future__ import annotations

import enum
import logging
import random
import socket
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Callable, Optional, Union

from .link import Link
from .masks import ALL, passes
from .requests import Rejected, Request, RequestReader
from .script import Answer, Cut, Headers, Later, encode_answer, encode_packet, error, find

if TYPE_CHECKING:
    from ..loop import Loop


logger = logging.getLogger("ami_client")


class Phase(enum.Enum):
    """The phase of a session."""

    NEW = "new"
    LOGGED_IN = "logged in"
    FINISHING = "finishing"
    CLOSED = "closed"


_MOVES = {
    Phase.NEW: {Phase.LOGGED_IN, Phase.FINISHING, Phase.CLOSED},
    Phase.LOGGED_IN: {Phase.FINISHING, Phase.CLOSED},
    Phase.FINISHING: {Phase.CLOSED},
    Phase.CLOSED: set(),
}


class Session:
    """The server's side of a connected client.

    As on Asterisk, requests are answered one after the other, and events wait until after an answer. Calls
    ``on_request(request)`` for each request, ``answer(session, request)`` for its answer, and ``on_closed(session)`` at
    the end.
    """

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        *,
        on_request: Callable[[Request], object],
        answer: Callable[[Session, Union[Request, Rejected]], Answer],
        on_closed: Callable[[Session], object],
    ) -> None:
        self._loop = loop
        self._on_request = on_request
        self._answer = answer
        self._tell_closed = on_closed
        self.phase = Phase.NEW
        self.mask = ALL
        #: Decimal digits, the same for the whole connection. Valid once it is requested.
        self.challenge = str(random.randrange(10**8, 10**9))
        self.challenged = False
        #: Called when this session gets an event (for WaitEvent).
        self.on_event: Optional[Callable[[], object]] = None
        self.link = Link(loop, sock, self._on_data, self._on_closed)
        self._reader = RequestReader()
        self._requests: deque[Union[Request, Rejected, None]] = deque()
        self._answering = False
        self._events: list[bytes] = []

    @property
    def logged_in(self) -> bool:
        """Whether the client is logged in and the session is not about to close."""
        return self.phase is Phase.LOGGED_IN

    def log_in(self, mask: int) -> None:
        """Log in the client, with an event mask."""
        self._move(Phase.LOGGED_IN)
        self.mask = mask

    def finish_after_answer(self) -> None:
        """Close after the current answer. Waiting requests are dropped."""
        self._move(Phase.FINISHING)

    def deliver(self, event: Union[bytes, Headers]) -> bool:
        """Send an event if the session's mask includes it. Return whether it does.

        Bytes and packets without a Privilege go to every logged-in session.
        """
        if not self.logged_in:
            return False
        if not isinstance(event, bytes):
            privilege = find(event, "Privilege")
            if privilege is not None and not passes(privilege, self.mask):
                return False
            event = encode_packet(event)
        if self._answering:
            self._events.append(event)
        else:
            self.link.write(event)
        if self.on_event is not None:
            self.on_event()
        return True

    def _on_data(self, data: bytes) -> None:
        for request in self._reader.feed(data):
            if isinstance(request, Request):
                self._on_request(request)
            self._requests.append(request)
        if not data:
            # The client has stopped sending. Answer its requests, then close the link.
            self._requests.append(None)
        self._serve()

    def _serve(self) -> None:
        while self._requests and not self._answering:
            if self.phase not in (Phase.NEW, Phase.LOGGED_IN):
                self._requests.clear()
                return
            request = self._requests.popleft()
            if request is None:
                self.link.drop()
                return
            self._answering = True
            try:
                answer = self._answer(self, request)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as exc:
                answer = self._failed(request, exc)
            if isinstance(answer, Later):
                answer.then(partial(self._answered_late, request))
            else:
                self._answered(request, answer)

    def _answered(self, request: Union[Request, Rejected], answer: Answer) -> None:
        self._answering = False
        try:
            data = encode_answer(answer, request.action_id)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as exc:
            answer = self._failed(request, exc)
            data = encode_answer(answer, request.action_id)
        if isinstance(answer, Cut):
            self.link.drop(data, answer.reset)
            return
        self.link.write(data)
        events, self._events = self._events, []
        if self.phase is Phase.FINISHING:
            self.link.finish()
        else:
            self.link.write(b"".join(events))

    def _answered_late(self, request: Union[Request, Rejected], answer: Answer) -> None:
        self._answered(request, answer)
        # Not called directly: many late answers in a row would nest too deeply.
        self._loop.call_soon(self._serve)

    def _failed(self, request: Union[Request, Rejected], exc: BaseException) -> Answer:
        """Log an error in a script. Answer anyway, so the client does not wait forever."""
        logger.exception("FakeAsterisk: the answer to %r raised", request)
        return error(f"The scripted answer raised {exc!r}")

    def _on_closed(self) -> None:
        self._move(Phase.CLOSED)
        self._tell_closed(self)

    def _move(self, phase: Phase) -> None:
        if phase not in _MOVES[self.phase]:
            raise RuntimeError(f"a session cannot go from {self.phase.value} to {phase.value}")
        self.phase = phase
