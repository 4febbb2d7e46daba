"""Plays a scenario against our Pool, and tells what happened in the records' own terms."""

from __future__ import annotations

import base64
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from phpdaemon_records import (
    Happened,
    Recorded,
    Step,
    argument,
    callback_name,
    connection_callbacks,
    decode,
    expected,
    fill,
    parts,
)
from scripted_server import Peer, ScriptedServer

from ami_client import Connection, Packet, Pool, Reactor
from ami_client.packet import Kind

DEFAULT_URL = "tcp://bench:s3cret@{S1}"
PATIENCE = 5.0  # seconds for what is expected to happen
TICK = 0.05  # seconds by which the clock moves on at once while a scenario waits

OPTIONS = {"max_conn": "maxconnperserv"}
ATTRIBUTES = {"timeoutRead": "timeout"}
#: What becomes of the callback that a method is given, where it is no answer to an action.
ROLES = dict.fromkeys(("bind", "on", "unbind", "off", "onEvent"), "handler")
ROLES["onConnected"] = "conn"


class Clock:
    """Real time, and what scenarios wait for on top of it."""

    def __init__(self) -> None:
        self.waited = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.waited


class Player:
    """Plays one record; ``cut`` is the most bytes that the client is to read at once, where the record does not say."""

    def __init__(self, record: Mapping[str, Any], cut: int | None = None) -> None:
        self.raised = 0  # how many callbacks did so, as the scenario says; each is logged
        self.accepted: Counter[str] = Counter()  # callbacks handed over to be called once each, by name
        self.called: Counter[str] = Counter()
        self._record = record
        self._cut = cut
        self._scenario = record["scenario"]
        self._connection_callbacks = set(connection_callbacks(self._scenario))
        self._shows_failures = record.get("verdict") == "own"
        self._clock = Clock()
        self._reactor = self._make_loop(self._clock)
        self._server = ScriptedServer(self._reactor)
        self._connections: list[Connection] = []
        self._functions: dict[tuple[str, str], Callable[..., object]] = {}
        self._happened = Happened([])
        setting = self._scenario.get("pool") or {}
        options = {**(setting.get("config") or {})}
        options.update({ours: setting[theirs] for theirs, ours in OPTIONS.items() if theirs in setting})
        self.pool = Pool({name: self._option(value) for name, value in options.items()}, reactor=self._reactor)
        for url in setting.get("servers") or []:
            self.pool.addServer(self._fill(url))  # type: ignore[attr-defined]

    def _make_loop(self, clock: Clock) -> Any:
        return Reactor(clock=clock)

    def play(self) -> Iterator[tuple[Happened, Happened]]:
        """What happened and what was to happen, by turns with playing on."""
        for part in parts(self._record):
            yield self._play(part)

    def finish(self) -> None:
        """Finish the pool, which calls every callback that is still owed a call."""
        self.pool.finish()
        self._server.settle()

    def close(self) -> None:
        """Let go of all sockets, also in the middle of a scenario."""
        self.pool.finish()
        self._server.close()
        self._reactor.close()

    # ------------------------------------------------------------------ one part of the scenario

    def _play(self, part: list[Recorded]) -> tuple[Happened, Happened]:
        wanted = expected(part, self._connection_callbacks, self._server.placeholders)
        self._happened = Happened(wanted.steps)
        for step, recorded in part:
            returned = self._run(step)
            # Our actions return their ActionID and bindings their handler, where PHP returns nothing.
            ignored = recorded["ret"] is None and not {"get", "peek"} & set(step)
            self._happened.returned.append(None if ignored else returned)
        deadline = time.monotonic() + PATIENCE
        self._note_traffic()
        while not self._happened.has_all_of(wanted) and time.monotonic() < deadline:
            self._reactor.run_once(TICK)
            self._note_traffic()
        self._server.settle()
        self._note_traffic()
        return self._happened, wanted

    def _note_traffic(self) -> None:
        self._server.receive()
        for number, peer in zip(self._reached(), self._server.peers):
            packets = [self._text(packet) for packet in peer.take_packets()]
            if packets:
                self._happened.written.setdefault(number, []).extend(packets)
            if peer.closed_by_client:
                peer.closed_by_client = False
                self._happened.closed.add(number)

    # ------------------------------------------------------------------ steps

    def _run(self, step: Step, conn: Connection | None = None) -> object:
        """Run a step; ``conn`` is the connection of the callback that it stands in."""
        kinds = [kind for kind in step if hasattr(self, f"_step_{kind}")]
        assert kinds, f"unknown step {step}"
        number = step.get("conn") or (self._connections.index(conn) + 1 if conn in self._connections else 1)
        try:
            return getattr(self, f"_step_{kinds[0]}")(step, number)
        except AssertionError:
            raise
        except Exception as error:
            self._happened.sequence.append(["throw", type(error).__name__])
            return None

    def _step_get_connection(self, step: Step, _: int) -> object:
        wanted = step["get_connection"]
        cb = self._once("conn", wanted["cb"])
        if wanted.get("short"):
            args: list[object] = [cb]
        else:
            args = [self._fill(wanted.get("url", self._scenario.get("url", DEFAULT_URL))), cb]

        def before_connect(conn: Connection) -> None:
            self._connections.append(conn)
            self._happened.sequence.append(["new_conn", len(self._connections)])
            for inner in wanted.get("before") or []:
                self._run(inner, conn)

        get = self.pool.getConnection  # type: ignore[attr-defined]
        return self._accept(cb, lambda: get(*args, pri=wanted.get("pri") or 0, before_connect=before_connect))

    def _step_feed(self, step: Step, number: int) -> None:
        text = step["feed"]
        for index in reversed(range(len(self._ids_on_the_wire()))):
            text = text.replace(f"${index + 1}", self._server.action_ids[index])
        self._feed(text.encode("utf-8"), step, number)

    def _step_feed_b64(self, step: Step, number: int) -> None:
        self._feed(base64.b64decode(step["feed_b64"]), step, number)

    def _step_close_from_server(self, step: Step, number: int) -> None:
        self._peer(number).close()

    def _step_reset_from_server(self, step: Step, number: int) -> None:
        self._peer(number).close(reset=True)

    def _step_wait(self, step: Step, _: int) -> None:
        self._server.settle()
        end = self._clock.waited + step["wait"]
        while self._clock.waited < end:
            self._clock.waited += TICK
            self._server.settle()

    def _step_call(self, step: Step, number: int) -> object:
        return self._call(self._conn(number), step["call"], step.get("args") or [])

    def _step_pool_call(self, step: Step, _: int) -> object:
        return self._call(self.pool, step["pool_call"], step.get("args") or [])

    def _step_on_connected(self, step: Step, number: int) -> object:
        cb = self._once("conn", step["on_connected"])
        return self._accept(cb, lambda: self._conn(number).onConnected(cb))  # type: ignore[attr-defined]

    def _step_finish(self, step: Step, number: int) -> None:
        self._conn(number).finish()

    def _step_bind(self, step: Step, number: int, verb: str = "bind") -> object:
        return getattr(self._conn(number), verb)(step[verb], self._function("handler", step["cb"]))

    def _step_on(self, step: Step, number: int) -> object:
        return self._step_bind(step, number, "on")

    def _step_unbind(self, step: Step, number: int, verb: str = "unbind") -> object:
        cb = step.get("cb")
        return getattr(self._conn(number), verb)(step[verb], None if cb is None else self._function("handler", cb))

    def _step_off(self, step: Step, number: int) -> object:
        return self._step_unbind(step, number, "off")

    def _step_event(self, step: Step, number: int) -> None:
        self._conn(number).event(step["event"], *(step.get("args") or []))

    def _step_get(self, step: Step, number: int) -> object:
        return getattr(self._conn(number), step["get"])

    def _step_peek(self, step: Step, number: int) -> object:
        name: str = step["peek"]
        return getattr(self._conn(number), ATTRIBUTES.get(name, name))

    def _step_ami_versions(self, step: Step, _: int) -> object:
        return {conn.addr: conn.ami_version for conn in self._connections if conn.ami_version is not None}

    def _step_extract(self, step: Step, _: int) -> object:
        return self.pool.extract(step["extract"])

    def _step_extract_b64(self, step: Step, _: int) -> object:
        return self.pool.extract(decode(base64.b64decode(step["extract_b64"])))

    # ------------------------------------------------------------------ what steps need

    def _conn(self, number: int) -> Connection:
        return self._connections[number - 1]

    def _reached(self) -> list[int]:
        """The connections that came as far as the server, in the order in which it accepts them."""
        server = self._server.placeholders["{S1}"]
        return [number for number, conn in enumerate(self._connections, 1) if conn.addr == server]

    def _peer(self, number: int) -> Peer:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            reached = self._reached()
            if number in reached and reached.index(number) < len(self._server.peers):
                break
            if not self._reactor.run_once(0.005):
                self._clock.waited += TICK  # many connections are opened some at a time
        return self._server.peers[self._reached().index(number)]

    def _ids_on_the_wire(self) -> list[str]:
        self._note_traffic()
        return self._server.action_ids

    def _feed(self, data: bytes, step: Step, number: int) -> None:
        peer = self._peer(number)
        size = step.get("chunk") or self._cut
        for start in range(0, len(data), size or len(data)):
            peer.feed(data[start : start + (size or len(data))])
            if size and not step.get("no_pump"):
                self._reactor.run_once(0)

    def _call(self, target: object, method: str, args: list[Any]) -> object:
        role = ROLES.get(method, "answer")
        cbs = [self._once(role, callback_name(arg)) for arg in args]
        given = [argument(arg) if cb is None else cb for arg, cb in zip(args, cbs)]
        owed = None if role == "handler" else next(filter(None, cbs), None)
        return self._accept(owed, lambda: getattr(target, method)(*given))

    def _accept(self, cb: Callable[..., object] | None, call: Callable[[], object]) -> object:
        """Make a call that hands over a callback, which counts as accepted unless the call raises."""
        returned = call()
        if cb is not None:
            self.accepted[cb.__name__] += 1
        return returned

    def _once(self, role: str, name: str | None) -> Callable[..., object] | None:
        return None if name is None else self._function(role, name)

    def _function(self, role: str, name: str) -> Callable[..., object]:
        """The callback of that name; always the same, as binding compares them."""
        if (role, name) not in self._functions:
            behaviour = (self._scenario.get("callbacks") or {}).get(name) or {}

            def function(conn: Connection, *args: object) -> object:
                if role != "handler":
                    self.called[name] += 1
                self._note_callback(name, conn, () if role == "conn" else args)
                for step in behaviour.get("do") or []:
                    self._run(step, conn)
                if behaviour.get("throw"):
                    self.raised += 1
                    raise RuntimeError(str(behaviour["throw"]))
                return behaviour.get("return")

            function.__name__ = name
            self._functions[role, name] = function
        return self._functions[role, name]

    def _note_callback(self, name: str, conn: Connection, args: tuple[object, ...]) -> None:
        shown = [self._shown(arg) for arg in (conn, *args)]
        last = args[-1] if args else None
        last = last[-1] if isinstance(last, list) and last else last
        if isinstance(last, Packet) and last.kind is Kind.LOCAL and not self._shows_failures:
            return
        snapshot = None
        if conn in self._connections:
            snapshot = [conn.connected if name in self._connection_callbacks else None, conn.finished]
        self._happened.sequence.append(["cb", name, shown, snapshot])

    def _shown(self, value: object) -> object:
        if isinstance(value, Connection):
            return [("$conn", self._connections.index(value) + 1)] if value in self._connections else False
        if isinstance(value, Packet) and value.kind is Kind.LOCAL:
            return [("$error", type(value.error).__name__)]
        if isinstance(value, Packet):
            return [(name, self._text(text)) for name, text in value.items()]
        if isinstance(value, list):
            return [self._shown(item) for item in value]
        return value

    def _text(self, data: Any) -> str:
        """Text with the ActionIDs as the records write them."""
        text = decode(data) if isinstance(data, bytes) else str(data)
        for index in reversed(range(len(self._server.action_ids))):
            text = text.replace(self._server.action_ids[index], f"${index + 1}")
        return text

    def _fill(self, value: Any) -> Any:
        return fill(value, self._server.placeholders)

    def _option(self, value: Any) -> object:
        filled = self._fill(value)
        return int(filled) if isinstance(filled, str) and filled.isdigit() else filled
