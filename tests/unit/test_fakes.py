"""The fakes: what they promise, and that they behave as the real things where clients can tell."""

from __future__ import annotations

import errno
import selectors
import socket
from collections.abc import Callable
from typing import cast
from unittest import mock

import pytest

from ami_client import Reactor
from ami_client.testing import FakeClock, FakeSelector, FakeSocket
from ami_client.testing.fakes import NothingCanHappen

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


def connected(**attributes: int) -> FakeSocket:
    sock = FakeSocket()
    sock.setblocking(False)
    assert sock.connect_ex(("192.0.2.9", 5038)) == errno.EINPROGRESS
    sock.readiness()
    for name, value in attributes.items():
        setattr(sock, name, value)
    return sock


def raises(error: int, call: Callable[..., object], *args: object) -> None:
    with pytest.raises(OSError) as caught:
        call(*args)
    assert caught.value.errno == error


# FakeClock


def test_a_clock_moves_only_when_told_to() -> None:
    clock = FakeClock(7.0)
    assert (clock(), clock()) == (7.0, 7.0)
    clock.advance(0.5)
    assert clock() == 7.5


def test_a_clock_does_not_go_backwards() -> None:
    clock = FakeClock()
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-0.1)
    assert clock() == 0


# FakeSelector


def test_select_returns_what_is_ready_and_no_time_passes() -> None:
    selector, sock = FakeSelector(), connected()
    key = selector.register(sock, READ | WRITE, "data")
    sock.feed(b"x")
    assert selector.select(9) == [(key, READ | WRITE)]
    assert key.data == "data"
    assert selector.clock() == 0


def test_select_reports_only_the_events_asked_for() -> None:
    selector, sock = FakeSelector(), connected()
    selector.register(sock, READ)
    assert selector.select(0) == []  # writable, but nobody asked
    selector.modify(sock, WRITE)
    assert [events for _, events in selector.select(0)] == [WRITE]


def test_a_loop_that_only_ever_sleeps_is_ended() -> None:
    clock = FakeClock()
    with Reactor(selector=FakeSelector(clock, patience=100), clock=clock) as reactor:

        def again() -> None:
            reactor.call_later(7, again)

        again()
        with pytest.raises(NothingCanHappen, match="100 seconds have passed"):
            reactor.run()
    assert clock() == 98


def test_a_socket_may_be_known_by_its_number() -> None:
    selector, sock = FakeSelector(), connected()
    key = selector.register(sock.fileno(), READ)
    sock.feed(b"x")
    assert selector.select(None) == [(key, READ)]
    assert selector.get_key(sock.fileno()) is key
    assert dict(selector.get_map()) == {sock.fileno(): key}
    selector.unregister(sock)
    assert dict(selector.get_map()) == {}


def test_with_nothing_ready_the_clock_moves_on_by_the_timeout() -> None:
    clock = FakeClock(100)
    selector = FakeSelector(clock)
    selector.register(connected(), READ)
    assert selector.select(2.5) == []
    assert selector.select(0) == []
    assert selector.select(-1) == []
    assert clock() == 102.5


def test_a_wait_that_nothing_can_end_fails_at_once() -> None:
    selector, sock = FakeSelector(), connected()
    selector.register(sock, READ)
    with pytest.raises(NothingCanHappen, match="hang"):
        selector.select()
    assert issubclass(NothingCanHappen, AssertionError)


def test_only_fake_sockets_can_be_registered_and_once() -> None:
    selector, sock = FakeSelector(), connected()
    with pytest.raises(ValueError, match="not an open FakeSocket"):
        selector.register(0, READ)
    with pytest.raises(ValueError, match="Invalid events"):
        selector.register(sock, 0)
    selector.register(sock, READ)
    with pytest.raises(KeyError, match="already registered"):
        selector.register(sock.fileno(), WRITE)


def test_a_closed_socket_is_never_ready_and_can_be_unregistered() -> None:
    selector, sock = FakeSelector(), connected()
    selector.register(sock, READ | WRITE)
    sock.feed(b"x")
    sock.close()
    assert selector.select(0) == []
    selector.unregister(sock)
    with pytest.raises(KeyError):
        selector.unregister(sock)


def test_closing_a_selector_forgets_the_keys() -> None:
    selector = FakeSelector()
    selector.register(connected(), READ)
    selector.close()
    assert not selector.get_map()


# FakeSocket: connecting


def test_connecting_takes_effect_behind_the_call() -> None:
    sock = FakeSocket()
    sock.setblocking(False)
    assert sock.connect_ex(("192.0.2.9", 5038)) == errno.EINPROGRESS
    assert sock.connect_ex(("192.0.2.9", 5038)) == errno.EALREADY
    assert sock.readiness() == WRITE
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    assert sock.getpeername() == sock.address == ("192.0.2.9", 5038)
    assert sock.connect_ex(("192.0.2.9", 5038)) == errno.EISCONN


def test_connect_raises_what_connect_ex_returns() -> None:
    sock = FakeSocket()
    sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        sock.connect("/run/manager")
    assert (sock.getpeername(), sock.getsockname()) == ("/run/manager", "")


@pytest.mark.parametrize("when", ["before", "under way"])
def test_a_refused_attempt_becomes_ready_and_tells_why_once(when: str) -> None:
    sock = FakeSocket()
    sock.setblocking(False)
    if when == "before":
        sock.refuse()
    else:
        sock.hold()
    sock.connect_ex(("192.0.2.9", 5038))
    if when == "under way":
        assert sock.readiness() == 0
        sock.refuse()
    assert sock.readiness() == READ | WRITE
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    raises(errno.ENOTCONN, sock.recv, 10)


def test_the_refusal_is_raised_by_recv_when_nobody_asked_for_it() -> None:
    sock = FakeSocket()
    sock.setblocking(False)
    sock.refuse(errno.EHOSTUNREACH)
    sock.connect_ex(("192.0.2.9", 5038))
    raises(errno.EHOSTUNREACH, sock.recv, 10)


def test_a_held_attempt_gets_no_answer_until_it_is_accepted() -> None:
    sock = FakeSocket()
    sock.setblocking(False)
    sock.hold()
    sock.connect_ex(("192.0.2.9", 5038))
    assert sock.readiness() == 0
    raises(errno.ENOTCONN, sock.send, b"x")
    sock.accept()
    assert sock.readiness() == WRITE


def test_a_verdict_on_a_connection_that_is_there_is_a_mistake_of_the_test() -> None:
    with pytest.raises(AssertionError, match="no current or future connection attempt"):
        connected().refuse()


def test_a_blocking_socket_connects_at_once_or_fails_instead_of_hanging() -> None:
    with FakeSocket() as sock:
        sock.connect(("192.0.2.9", 5038))
        assert sock.getpeername() == ("192.0.2.9", 5038)
        with pytest.raises(NothingCanHappen, match="setblocking"):
            sock.recv(1)
    refused, held = FakeSocket(), FakeSocket()
    refused.refuse()
    with pytest.raises(ConnectionRefusedError):
        refused.connect(("192.0.2.9", 5038))
    held.hold()
    with pytest.raises(NothingCanHappen, match="connect"):
        held.connect(("192.0.2.9", 5038))


def test_it_can_stand_in_for_socket_socket() -> None:
    made = []

    def factory(*args: int) -> FakeSocket:
        made.append(FakeSocket(*args))
        return made[-1]

    with mock.patch("socket.socket", factory):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, 6)
    assert made == [cast(object, sock)]
    assert (sock.family, sock.type, sock.proto) == (socket.AF_INET6, socket.SOCK_STREAM, 6)


# FakeSocket: data


def test_fed_data_is_read_in_order() -> None:
    sock = connected()
    sock.feed(b"one ")
    sock.feed(b"two")
    assert sock.readiness() & READ
    assert (sock.recv(5), sock.recv(100)) == (b"one t", b"wo")
    assert not sock.readiness() & READ
    raises(errno.EAGAIN, sock.recv, 100)


@pytest.mark.parametrize("size", [1, 5])
def test_reads_can_be_kept_short(size: int) -> None:
    sock = connected(read_size=size)
    sock.feed(b"Response: Success\r\n")
    pieces = []
    while sock.readiness() & READ:
        pieces.append(sock.recv(4096))
    assert b"".join(pieces) == b"Response: Success\r\n"
    assert max(map(len, pieces)) == size


def test_recv_into_fills_the_buffer() -> None:
    sock, buffer = connected(), bytearray(b"......")
    sock.feed(b"abcdef")
    assert sock.recv_into(buffer, 2) == 2
    assert sock.recv_into(memoryview(buffer)[2:]) == 4
    assert buffer == b"abcdef"


def test_the_end_comes_behind_the_data_and_stays() -> None:
    sock = connected()
    sock.feed(b"last")
    sock.eof()
    assert [sock.recv(10), sock.recv(10), sock.recv(10)] == [b"last", b"", b""]
    assert sock.readiness() & READ
    assert sock.send(b"still") == 5  # the other end closed one direction


def test_a_reset_comes_behind_the_data_and_breaks_both_ways() -> None:
    sock = connected(room=0)
    sock.feed(b"last")
    sock.reset()
    assert sock.readiness() == READ | WRITE
    assert sock.recv(10) == b"last"
    with pytest.raises(ConnectionResetError):
        sock.recv(10)
    with pytest.raises(ConnectionResetError):
        sock.send(b"x")


def test_what_is_sent_can_be_seen_and_taken() -> None:
    sock = connected()
    assert sock.send(b"Action: Ping\r\n") == 14
    sock.send(memoryview(b"\r\n"))
    assert sock.sent == b"Action: Ping\r\n\r\n"
    assert sock.take() == b"Action: Ping\r\n\r\n"
    assert (sock.take(), sock.sent) == (b"", b"")


def test_sends_can_be_partial() -> None:
    sock = connected(write_size=3)
    assert sock.send(b"abcdef") == 3
    assert sock.sent == b"abc"


def test_sends_block_without_room() -> None:
    sock = connected(room=4)
    assert sock.send(b"abcdef") == 4
    assert sock.readiness() == 0
    raises(errno.EAGAIN, sock.send, b"ef")
    assert sock.send(b"") == 0
    sock.room = None
    assert sock.readiness() == WRITE
    assert sock.send(b"ef") == 2
    assert sock.take() == b"abcdef"


def test_after_shutdown_nothing_can_be_sent() -> None:
    sock = connected()
    sock.shutdown(socket.SHUT_RD)
    assert not sock.shut_down
    sock.shutdown(socket.SHUT_WR)
    assert sock.shut_down
    with pytest.raises(BrokenPipeError):
        sock.send(b"x")


# FakeSocket: the rest


def test_a_closed_socket_has_no_number_and_refuses_all_calls() -> None:
    sock = connected()
    assert not sock.closed
    sock.close()
    sock.close()
    assert (sock.closed, sock.fileno(), sock.readiness()) == (True, -1, 0)
    for call in (sock.recv, sock.send, sock.connect_ex, sock.shutdown):
        raises(errno.EBADF, call, b"")
    raises(errno.EBADF, sock.getsockopt, 0, 0)


def test_numbers_are_unique_and_no_real_descriptors() -> None:
    numbers = {sock.fileno() for sock in [FakeSocket() for _ in range(100)]}
    assert len(numbers) == 100
    assert min(numbers) >= 1_000_000


def test_options_are_remembered() -> None:
    sock = FakeSocket()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    assert sock.options == {(socket.IPPROTO_TCP, socket.TCP_NODELAY): 1}


def test_blocking_modes() -> None:
    sock = FakeSocket()
    assert (sock.getblocking(), sock.gettimeout()) == (True, None)
    sock.settimeout(0)
    assert (sock.getblocking(), sock.gettimeout()) == (False, 0.0)
    sock.settimeout(None)
    assert sock.getblocking()
    with pytest.raises(NotImplementedError, match="setblocking"):
        sock.settimeout(3)


def test_our_reactor_runs_on_them_with_neither_sockets_nor_sleeping() -> None:
    clock = FakeClock()
    sock, seen = connected(), []
    with Reactor(selector=FakeSelector(clock), clock=clock) as reactor:
        reactor.add_reader(sock.fileno(), lambda: seen.append((clock(), sock.recv(100))))
        reactor.call_later(60, sock.feed, b"a minute later")
        reactor.call_later(3600, reactor.stop)
        reactor.run()
        assert clock() == 3600
        with pytest.raises(NothingCanHappen):
            reactor.run_once()
    assert seen == [(60, b"a minute later")]
