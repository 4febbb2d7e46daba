"""One AMI session without its socket: login, actions in flight, assembled answers. No I/O here.

:meth:`Session.outcomes` accepts bytes from the server, and yields what they mean. :meth:`Session.take_outgoing` returns
the bytes for the server.

Sources: Asterisk main/manager.c; phpDaemon Clients/Asterisk/Connection.php.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Callable, Optional, Protocol, Union

from .._record import Record
from ..errors import AMIError, LimitReached
from ..stats import Stats
from .action_ids import ActionIDs
from .encode import END, Params, encode_action, first_line, take_action_id
from .framing import DEFAULT_MAX_PACKET
from .in_flight import DEFAULT_MAX_ANSWER, Assertion, Entry, InFlight, Pending, PendingResult, Result, is_list, verdict
from .line_cache import FIRST_LINES, MEMO_SIZE, MEMOS, BlankLine
from .login import Greeting, Login, LoginDone
from .packet import DEFAULT_MAX_LINES, EVENT, RESPONSE, Packet, first_is
from .quirks import REGULAR, Quirk, quirk_of
from .state import CONNECTED, FINISHED, Move, State
from .text import TRIMMED, ascii_lower

#: Bytes by which :meth:`Wanted.unwanted` knows an event: its first line, and never a value after ``Privilege``. Cutting
#: so many off, and not finding the end of the line, saves a tenth (benchmark b).
START = 40


class Wanted(Protocol):
    """Tells which events have listeners."""

    @property
    def unwanted(self) -> Optional[Mapping[bytes, bool]]:
        """First :data:`START` bytes of an event -> whether nobody listens to it. None if all events are wanted."""


class _All:
    unwanted: Optional[Mapping[bytes, bool]] = None


class ListGoneOn(Record):
    """A completed list continues. ``packet`` is its Response, now marked as suspect."""

    packet: Packet


# A Packet is an event that is not part of an answer.
Outcome = Union[LoginDone, Pending, Entry, ListGoneOn, Packet]

_NO_LIST = None, 0


class _Known(Record):
    """Facts that are the same for all actions of one name. To cache them saves an eighth (benchmark d100)."""

    name: str  # trimmed
    quirk: Quirk
    first_line: bytes
    is_plain: bool  # whether both its name and its answer are usual


@lru_cache(maxsize=256)
def _known(action: str) -> _Known:
    name = action.strip(TRIMMED)
    quirk, line = quirk_of(name), first_line(name)
    return _Known(name, quirk, line, line != b"" and quirk is REGULAR)


# Number of events after the end of a list that are checked, to notice a list that continues.
WATCHED_BEHIND_A_LIST = 1000


class Session(Greeting):
    """The protocol engine behind a connection.

    Attributes: those of :class:`Greeting`; ``logged_off``, whether the server has answered our Logoff with Goodbye.
    """

    def __init__(
        self,
        login: Login,
        *,
        ids: ActionIDs,
        fold_case: bool = True,
        max_packet: int = DEFAULT_MAX_PACKET,
        max_lines: int = DEFAULT_MAX_LINES,
        max_answer: int = DEFAULT_MAX_ANSWER,
        max_pending: int = 100_000,
        max_waiting: int = 1000,
        stats: Optional[Stats] = None,
        on_state: Optional[Callable[[State], object]] = None,
        wanted: Optional[Wanted] = None,
    ) -> None:
        super().__init__(
            login, fold_case=fold_case, max_packet=max_packet, max_lines=max_lines, stats=stats, on_state=on_state
        )
        self.logged_off = False
        self._asked_to_log_off = False
        self._wanted: Wanted = _All() if wanted is None else wanted
        self._last_list: tuple[Optional[Packet], int] = _NO_LIST  # and the event count at its end
        self._watched = 0  # event count up to which ended lists are watched
        self._new_id = ids.new
        self._memo = MEMOS[fold_case]
        self._id_mark = ids.mark  # text in every part of an answer, or empty
        self._max_pending = max_pending
        self._max_waiting = max_waiting
        self._in_flight = InFlight(max_answer)

    @property
    def last_list(self) -> Optional[Packet]:
        """The last list answer if nothing has arrived after it, else None."""
        packet, events = self._last_list
        return packet if self.stats.events == events else None

    @property
    def pending(self) -> int:
        """How many callbacks are still to be called."""
        return len(self._in_flight)

    # -- outgoing

    def take_outgoing(self) -> bytes:
        """Remove and return the bytes to send to the server."""
        data = bytes(self.outgoing)
        self.outgoing.clear()
        return data

    def send(
        self,
        action: str,
        params: Optional[Params] = None,
        callback: Optional[Callable[..., object]] = None,
        assertions: Optional[Sequence[Assertion]] = None,
        *,
        quirk: Optional[Quirk] = None,
        retry: bool = False,
        bounded: bool = True,
        on_entry: Optional[Callable[..., object]] = None,
    ) -> Pending:
        """Encode an action and store its callback. Before the login the action waits.

        :meth:`send_plain` is the short way.

        If ``params`` has an ActionID, it is used. Without a callback nobody waits for the answer. With ``retry``,
        another session can send the action again: see :meth:`finish`. With ``on_entry``, each entry of a list is an
        outcome of its own, and not part of the answer. Raises the same ValueErrors and TypeErrors as
        :func:`~ami_client.packet.encode_action`, ValueError for an ActionID that is already in flight, and LimitReached
        if too many actions wait for the login or are in flight. ``bounded=False`` lifts the second limit.
        """
        if not isinstance(action, str):
            raise TypeError(f"an action's name must be a str, not {type(action).__name__}")
        if retry is not True and retry is not False:
            raise TypeError(f"retry must be True or False, not {type(retry).__name__}")
        if callback is not None and bounded and len(self._in_flight) >= self._max_pending:
            raise self._too_many()
        known = _known(action)
        if quirk is None:
            quirk = known.quirk
        own_id, others = (None, None) if params is None else take_action_id(params)
        new_id = self._new_id
        action_id = own_id or new_id()
        pending = Pending(action_id, known.name, callback, assertions, quirk, on_entry)
        if own_id:
            pending.key = ascii_lower(own_id)
            self._id_mark = b""
        line = b"" if own_id else self._know(action_id)
        if line and known.first_line and not others:
            data = known.first_line + line + END
        else:
            data = encode_action(known.name, others, action_id)
        if callback is not None and quirk.raw_text:
            pending.fence_id = new_id()
            data += encode_action("Ping", None, pending.fence_id)
        self._queue(pending, data)
        if quirk.logs_off:
            self._asked_to_log_off = True
        if callback is not None:
            self._in_flight.add(pending)
        if retry and not quirk.logs_off:
            pending.request = data
        return pending

    def send_plain(self, action: str, callback: Callable[..., object]) -> Optional[Pending]:
        """Short way of :meth:`send` for an action without parameters. Return None if it needs :meth:`send`.

        It saves a third (benchmark d100).
        """
        pending, results = self._in_flight.pending, self._in_flight.results
        if self.state is not CONNECTED or len(pending) + len(results) >= self._max_pending or not self._id_mark:
            return None
        known = _known(action) if type(action) is str else None
        if known is None or not known.is_plain:
            return None
        new_id = self._new_id
        action_id = new_id()
        line = self._know(action_id)
        self.reader.marked = True
        self.outgoing += known.first_line + line + END
        pending[action_id] = sent = Pending(action_id, known.name, callback)
        return sent

    def _know(self, action_id: str) -> bytes:
        """Parse the server's line with an id of ours before it comes, until the answer. Return the line.

        It has nothing else in it. The id is in lower case, so it is its own value, folded or not. This saves a
        seventh (benchmark d100).
        """
        line = f"ActionID: {action_id}".encode()
        memo = self._memo
        if len(memo) >= MEMO_SIZE:
            memo.clear()
        memo[line] = "actionid", action_id
        return line

    def _too_many(self) -> LimitReached:
        return LimitReached(f"{self._max_pending} actions (max_pending) are already in flight", "max_pending")

    def send_again(self, pending: Pending) -> None:
        """Send an action that another session left: see :meth:`finish`. Raises the same errors as :meth:`send`."""
        pending.restart()
        if pending.request:
            if len(self._in_flight) >= self._max_pending:
                raise self._too_many()
            self._id_mark = b""
            self._queue(pending, pending.request)
        self._in_flight.add(pending)

    def _queue(self, pending: Pending, data: bytes) -> None:
        self.reader.marked = True
        key = pending.key
        if not self._id_mark and (key in self._in_flight or key in self._waiting):
            raise ValueError(f"ActionID {pending.action_id!r} is already in flight")
        if self.state is CONNECTED:
            self.outgoing += data
            return
        if len(self._waiting) >= self._max_waiting:
            raise LimitReached(f"{self._max_waiting} actions (max_waiting) already wait for the login", "max_waiting")
        self._waiting[key] = data

    def expect_result(self, action_id: str, callback: Callable[..., object]) -> Pending:
        """Call ``callback(conn, packet)`` once, with the OriginateResponse or the refusal of an action just sent."""
        result = PendingResult(action_id, "Originate", callback, key=ascii_lower(action_id))
        self._in_flight.add(result)
        return result

    def pending_of(self, action_id: str) -> list[Pending]:
        """Return the action with that ActionID, and the wait for its OriginateResponse, if they are open."""
        return self._in_flight.find(action_id)

    def give_up(self, pending: Pending, error: AMIError) -> Optional[Result]:
        """Stop waiting for an answer. Return the failure for its callback, or None if it was already answered."""
        if not self._in_flight.forget(pending):
            return None
        failure = pending.fail(error)
        if isinstance(pending, PendingResult) or self.state is FINISHED:
            return failure  # a late OriginateResponse is an ordinary event
        if self._waiting.pop(pending.key, None) is None:
            self._in_flight.abandon(pending)  # it was sent, so an answer may still arrive
        else:
            self._in_flight.remove_fence(pending)
        return failure

    def finish(self, error: AMIError, *, keep_retries: bool = False) -> list[Pending]:
        """End the session. Return a failure with ``error`` for every open action, in order.

        With ``keep_retries``, actions sent with ``retry`` are kept until :meth:`take_retries`. They can be given up
        until then.
        """
        self.move(Move.FINISH)
        self.reader.clear()
        self._waiting.clear()
        owed = self._in_flight.clear()
        # By ActionID, because an Originate and the wait for its OriginateResponse share it.
        kept = {pending.action_id for pending in owed if keep_retries and pending.request}
        for pending in owed:
            if pending.action_id in kept:
                self._in_flight.add(pending)
        return [pending.done(pending.fail(error)) for pending in owed if pending.action_id not in kept]

    def take_retries(self) -> list[Pending]:
        """Remove and return the actions that :meth:`finish` kept, in order."""
        return self._in_flight.clear()

    # -- incoming

    def lone_packet(self, data: bytes) -> Optional[Union[Pending, Packet]]:
        """Short way of :meth:`outcomes` for bytes that are one plain packet. Return None if they are anything else.

        A plain packet is an event that is no part of an answer, or an answer of one packet. A quiet server sends such
        bytes nearly always, and the short way saves a tenth (benchmarks d1 and p).
        """
        reader, in_flight = self.reader, self._in_flight
        if self.state is not CONNECTED or in_flight.collecting:
            return None
        raw = reader.lone_piece(data)
        if raw is None:
            return None
        unwanted = self._wanted.unwanted
        if unwanted is not None and raw.startswith(b"Event") and unwanted[raw[:START]]:
            return None
        lines = raw.split(reader.eol)
        event_name = FIRST_LINES[lines[0]]
        if event_name is None:
            return None
        packet = Packet(map(reader.read_line, lines))
        packet.raw = raw
        packet.event_name = event_name
        if reader.form is not None:
            packet._form = reader.form
        if event_name:
            if "actionid" in packet and event_name != "userevent":
                return None
            packet.kind = EVENT
            self.stats.events += 1
            self._last_list = _NO_LIST
            return packet
        if len(packet) != len(lines):
            return None
        packet.kind = RESPONSE
        packet.error = None
        packet.suspect = False
        done = in_flight.take_answer(packet)
        if done is not None:
            self._memo.pop(lines[1], None)
            self.stats.responses += 1
            self._last_list = _NO_LIST
        return done

    def outcomes(self, data: bytes) -> Iterator[Outcome]:
        """Accept bytes from the server, in chunks of any size, and yield what they mean, one by one.

        :meth:`lone_packet` is the short way.

        It stops if the session is finished in between. Raises ProtocolError if the peer does not speak AMI or exceeds a
        limit.
        """
        if self.state is not CONNECTED:
            self.reader.feed(data)
            yield from self._log_in()
            if self.state is not CONNECTED:
                return
        else:
            self.reader.be_lenient(self._wanted.unwanted is None or len(self._in_flight.collecting) > 0)
            if not self.reader.feed_packets(data, self._mark()):
                self.reader.feed(data)
        # Every packet takes this path. A call to make the packet would add 4% (benchmark e). Packets in an unusual
        # form go through the reader's read(), with the same result.
        memo = self._memo
        reader, in_flight, stats, wanted = self.reader, self._in_flight, self.stats, self._wanted
        pieces, rest, eol, form, read_line = reader.pieces, reader.rest, reader.eol, reader.form, reader.read_line
        if self._last_list is not _NO_LIST and self._last_list[1] != stats.events:
            self._last_list = _NO_LIST  # release the list, which may be large
        while pieces or (rest and reader.more(self._mark())):  # finish() leaves nothing here
            if reader.careful:
                yield from self._read_closely(pieces.pop())
                continue
            while pieces:
                if wanted.unwanted is not None and not in_flight.collecting and pieces[-1].startswith(b"Event"):
                    self._pass_over(wanted.unwanted)
                    if not pieces:
                        break
                raw = pieces.pop()
                lines = raw.split(eol)
                event_name = FIRST_LINES[lines[0]]
                if event_name is None:
                    yield from self._read_closely(raw)
                    continue
                try:
                    packet = Packet(map(read_line, lines))
                except BlankLine:
                    yield from self._read_closely(raw)
                    continue
                packet.raw = raw
                packet.event_name = event_name
                if form is not None:
                    packet._form = form
                if event_name:
                    packet.kind = EVENT
                    if "actionid" not in packet or event_name == "userevent":
                        if not in_flight.collecting:
                            stats.events += 1
                            yield packet
                            continue
                    # The first values of the control headers decide. The dict view has them if none is repeated.
                    elif len(packet) == len(lines) or _repeats_no_control(raw):
                        if in_flight.take_entry(packet, len(raw)):
                            self._last_list = _NO_LIST
                            continue
                        if self._id_mark and not (in_flight.collecting or in_flight.knows(packet["actionid"].lower())):
                            stats.events += 1
                            yield packet
                            continue
                else:
                    packet.kind = RESPONSE
                    # Always read for a Response: see Packet.__getattr__. This saves an eighth (benchmark d100).
                    packet.error = None
                    packet.suspect = False
                    done = in_flight.take_answer(packet) if len(packet) == len(lines) else None
                    if done is not None:
                        memo.pop(lines[1], None)
                        stats.responses += 1
                        self._last_list = _NO_LIST
                        yield done
                        continue
                yield from self._receive(packet)

    def _read_closely(self, raw: bytes) -> Iterator[Union[Pending, Entry, ListGoneOn, Packet]]:
        packet = self.reader.read(raw)
        if packet is not None:
            yield from self._receive(packet)

    def _pass_over(self, unwanted: Mapping[bytes, bool]) -> None:
        """Skip the next events if nobody listens to them: count them, but do not parse them.

        This saves three quarters (benchmark b).
        """
        reader = self.reader
        if reader.lenient:  # nothing was to be skipped when these were cut
            return
        marked = reader.marked
        count = 0
        for raw in reversed(reader.pieces):
            if not unwanted[raw[:START]] or (marked and self._may_be_ours(raw)):
                break
            count += 1
        if count:
            del reader.pieces[-count:]
            self.stats.events += count

    def _mark(self) -> Optional[bytes]:
        """Return the text in every part of an answer. Events without it may be skipped."""
        if self._wanted.unwanted is None:
            return b""  # nothing is skipped, so no search is needed
        awaited = any(self._in_flight.awaited) or self.stats.events < self._watched
        return self._id_mark if awaited else None

    def _may_be_ours(self, raw: bytes) -> bool:
        return self._id_mark in raw if self._id_mark else b"actionid" in raw.lower()

    def _receive(self, packet: Packet) -> Iterator[Union[Pending, Entry, ListGoneOn, Packet]]:
        if packet.kind is RESPONSE:
            self.stats.responses += 1
            self.stats.malformed += "event" in packet  # a missing blank line, or a forged event
        done, owned = self._in_flight.receive(packet)
        while self._in_flight.early:
            early = self._in_flight.early.pop(0)
            self.stats.events += isinstance(early, Packet)
            yield early
        if packet.kind is RESPONSE and self._asked_to_log_off:
            self.logged_off |= first_is(packet, "response", "goodbye")
        self._last_list = _NO_LIST
        for one in done:
            if is_list(one.result) and verdict(one.result).error is None:
                self._last_list = verdict(one.result), self.stats.events
                self._watched = self.stats.events + WATCHED_BEHIND_A_LIST
        yield from done
        if owned:
            return
        if packet.kind is EVENT:
            gone_on = self._in_flight.list_gone_on(packet) if self.stats.events < self._watched else None
            if gone_on is not None:
                yield ListGoneOn(gone_on)
            self.stats.events += 1
            yield packet
        elif not done:
            self._drop(packet)


def _repeats_no_control(raw: bytes) -> bool:
    """Return whether an event is sure to have only one ``Event`` and one ``ActionID``. Other headers may repeat."""
    low = raw.lower()
    return low.count(b"event") == low.count(b"actionid") == 1
