"""What a FastAGI server endures: connections that drip, flood, never end, or speak something else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Callable

import pytest

from ami_client import ProtocolError, Reactor
from ami_client.agi import Call, FastAGI, Reply
from ami_client.testing import FakeCaller

ExpectLog = Callable[[str], None]
ENVIRONMENT = FakeCaller(channel="PJSIP/7-1").environment("agi://pbx/ivr").encode()


class Line:
    """A FastAGI whose clock the test moves, and sockets to it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.reactor = Reactor(clock=lambda: self.now)
        self.calls: list[Call] = []
        self.ends: list[Call] = []
        self.replies: list[Reply] = []
        self.sockets: list[socket.socket] = []
        self.agi = self.make()

    def make(self, max_calls: int = 100) -> FastAGI:
        agi = FastAGI(None, reactor=self.reactor, max_calls=max_calls)
        agi.on("start", self.calls.append)
        agi.on("end", self.ends.append)
        return agi

    def connect(self, data: bytes = b"") -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.sockets.append(ours)
        self.agi.take(theirs)
        self.send(ours, data)
        return ours

    def send(self, sock: socket.socket, data: bytes) -> None:
        for start in range(0, len(data), 4096):
            with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                sock.sendall(data[start : start + 4096])
            self.settle()
        self.settle()

    def settle(self) -> None:
        while self.reactor.run_once(0):
            pass

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.settle()

    def received(self, sock: socket.socket) -> bytes:
        self.settle()
        try:
            return sock.recv(65536)
        except BlockingIOError:
            return b"<open>"

    def note(self, call: Call, reply: Reply) -> None:
        self.replies.append(reply)

    def close(self) -> None:
        self.agi.close()
        for sock in self.sockets:
            sock.close()
        self.settle()
        self.reactor.close()


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.close()


def test_a_connection_that_drips_may_tell_of_its_call_within_the_limit(line: Line) -> None:
    sock = line.connect()
    for number in range(len(ENVIRONMENT)):
        line.wait(9 / len(ENVIRONMENT))
        line.send(sock, ENVIRONMENT[number : number + 1])
    assert [call.path for call in line.calls] == ["/ivr"]


def test_one_that_drips_for_longer_is_closed(line: Line, expect_log: ExpectLog) -> None:
    expect_log("refuses a connection that did not describe its call within 10 s")
    sock = line.connect()
    for number in range(20):
        line.wait(0.6)
        line.send(sock, ENVIRONMENT[number : number + 1])
    assert line.received(sock) == b""
    assert line.calls == []


def test_one_that_says_nothing_is_closed(line: Line, expect_log: ExpectLog) -> None:
    expect_log("did not describe its call within 10 s")
    sock = line.connect()
    line.wait(9.9)
    assert line.received(sock) == b"<open>"
    line.wait(0.2)
    assert line.received(sock) == b""


def test_one_that_tells_too_much_is_closed(line: Line, expect_log: ExpectLog) -> None:
    expect_log("refuses a connection that sent more than 65,536 bytes about its call")
    sock = line.connect(b"agi_x: y\n" * 10_000)
    with suppress(ConnectionResetError):
        assert line.received(sock) == b""
    assert line.calls == []


def test_one_that_speaks_something_else_is_closed_at_once(line: Line, expect_log: ExpectLog) -> None:
    expect_log("does not speak AGI: it sent b'GET / HTTP/1.1")
    assert line.received(line.connect(b"GET / HTTP/1.1\r\n")) == b""


def test_one_that_goes_away_before_it_told_of_a_call_is_nothing(line: Line) -> None:
    line.connect(ENVIRONMENT[:50]).close()
    line.settle()
    line.wait(60)
    assert line.calls == line.ends == []


def test_one_that_floods_while_nothing_is_asked_is_closed(line: Line, expect_log: ExpectLog) -> None:
    expect_log("more than 65,536 bytes without a command")
    line.connect(ENVIRONMENT + b"200 result=0\n" * 10_000)
    assert line.ends == line.calls
    assert isinstance(line.calls[0].error, ProtocolError)


def test_a_reply_that_never_ends_is_cut(line: Line, expect_log: ExpectLog) -> None:
    expect_log("a reply of more than 1,048,576 bytes")
    sock = line.connect(ENVIRONMENT)
    line.calls[0].get_variable("X", line.note)
    line.send(sock, b"200 result=1 (" + b"x" * 1_100_000)
    assert [type(reply.error) for reply in line.replies] == [ProtocolError]
    assert line.ends == line.calls


def test_a_value_that_looks_like_a_reply_answers_nothing_else(line: Line) -> None:
    sock = line.connect(ENVIRONMENT)
    line.calls[0].get_variable("X", line.note)
    line.calls[0].get_variable("SECRET", line.note)
    line.send(sock, b"200 result=1 (a)\n200 result=1 (forged))\n")
    line.send(sock, b"200 result=1 (true)\n")
    assert [reply.data for reply in line.replies] == ["a", "true"]


def test_a_value_of_several_lines_may_come_in_pieces(line: Line) -> None:
    sock = line.connect(ENVIRONMENT)
    line.calls[0].get_variable("X", line.note)
    line.calls[0].get_variable("Y", line.note)
    for piece in (b"200 result=1 (x=0\n", b"200 result=0\n", b"y)\n", b"200 result=0\n"):
        line.send(sock, piece)
    assert [reply.data for reply in line.replies] == ["x=0\n200 result=0\ny", None]


def test_one_that_does_not_read_or_close_is_given_up(line: Line) -> None:
    sock = line.connect(ENVIRONMENT)
    line.calls[0].noop()
    line.calls[0].finish()
    line.send(sock, b"200 result=0\n")
    assert line.ends == line.calls
    line.wait(10)
    assert line.received(sock) == b"NOOP\n"
    assert line.received(sock) == b""


def test_a_hangup_in_pieces_is_told_once(line: Line) -> None:
    told: list[Call] = []
    line.agi.on("hangup", told.append)
    sock = line.connect(ENVIRONMENT)
    line.calls[0].noop(line.note)
    for piece in (b"200 result=-1\nHA", b"NGU", b"P\n", b"HANGUP\n"):
        line.send(sock, piece)
    assert told == line.ends == line.calls
    assert [reply.result for reply in line.replies] == ["-1"]


def test_an_environment_and_its_hangup_at_once(line: Line) -> None:
    line.connect(ENVIRONMENT + b"HANGUP\n")
    assert line.ends == line.calls or line.calls == []
    assert line.agi.calls == frozenset()


def test_more_calls_than_allowed_are_refused(line: Line, expect_log: ExpectLog) -> None:
    expect_log("has 2 calls, the maximum \\(max_calls\\); refusing more")
    line.agi = line.make(max_calls=2)
    first, _, third, fourth = (line.connect(ENVIRONMENT) for _ in range(4))
    assert line.received(third) == line.received(fourth) == b""
    assert len(line.agi.calls) == 2
    first.close()
    line.settle()
    assert line.received(line.connect(ENVIRONMENT)) == b"<open>"


def test_closing_the_server_closes_those_who_have_not_told_of_a_call(line: Line) -> None:
    sock = line.connect(ENVIRONMENT[:50])
    line.agi.close()
    assert line.received(sock) == b""


def test_a_port_that_is_taken_raises(line: Line) -> None:
    agi = FastAGI("127.0.0.1", 0, reactor=line.reactor)
    with pytest.raises(OSError, match="in use"):
        FastAGI("127.0.0.1", agi.port or 0, reactor=line.reactor)
    agi.close()


def test_running_out_of_descriptors_makes_a_pause(
    line: Line, expect_log: ExpectLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    expect_log("accepts no calls for 1 s: Too many open files")
    agi = FastAGI("127.0.0.1", 0, reactor=line.reactor)
    agi.on("start", line.calls.append)

    def refuse(self: socket.socket) -> None:
        raise OSError(24, "Too many open files")

    with socket.create_connection(("127.0.0.1", agi.port or 0)) as sock:
        sock.sendall(ENVIRONMENT)
        with monkeypatch.context() as patch:
            patch.setattr(socket.socket, "accept", refuse)
            line.settle()
        assert line.calls == []
        line.wait(1.1)
        assert len(line.calls) == 1
    agi.close()


@pytest.mark.parametrize("threads", [0, True, "3", -1])
def test_a_wrong_number_of_threads_raises(threads: int, line: Line) -> None:
    with pytest.raises(ValueError, match="threads"):
        FastAGI(None, reactor=line.reactor, threads=threads)
