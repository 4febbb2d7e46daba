"""The reactor on a real selector: waiting, descriptors, threads, signals."""

from __future__ import annotations

import errno
import os
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from high import HighSockets

from ami_client.reactor import Reactor

ExpectLog = Callable[[str], None]


class Watched(selectors.SelectSelector):
    """A real selector that counts its calls and tells when one is about to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.waiting = threading.Event()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.calls += 1
        if timeout != 0:
            self.waiting.set()
        return super().select(timeout)


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def reactor(watched: Watched) -> Iterator[Reactor]:
    with Reactor(watched) as reactor:
        yield reactor


# Waiting


def test_idle_means_asleep(reactor: Reactor, watched: Watched) -> None:
    for number in range(200):
        reactor.call_later(0.001 * number / 10, print).cancel()
    reactor.call_later(0.05, reactor.stop)
    used = time.process_time()
    reactor.run()
    assert watched.calls <= 2  # one wait, and one more should the system wake it early
    assert time.process_time() - used < 0.04


def test_with_no_timers_it_waits_for_as_long_as_it_takes(reactor: Reactor, watched: Watched) -> None:
    def wake() -> None:
        assert watched.waiting.wait(10)
        reactor.call_soon_threadsafe(reactor.stop)

    thread = threading.Thread(target=wake)
    thread.start()
    reactor.run()
    thread.join()
    assert watched.calls == 1


# Descriptors


def test_removing_says_whether_there_was_something_to_remove(reactor: Reactor) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert not reactor.remove_reader(ours)
        reactor.add_reader(ours, print)
        assert not reactor.remove_writer(ours.fileno())
        assert reactor.remove_reader(ours.fileno())
        assert not reactor.remove_reader(ours)
        reactor.add_writer(ours.fileno(), print)
        assert not reactor.remove_reader(ours)
        assert reactor.remove_writer(ours)


def test_bad_descriptors_are_refused() -> None:
    with Reactor() as reactor:
        read_end, write_end = os.pipe()
        os.close(read_end)
        with pytest.raises(OSError, match="Bad file descriptor"):
            reactor.add_reader(read_end, print)
        with pytest.raises(ValueError, match="-1"):
            reactor.add_writer(-1, print)
        with pytest.raises(ValueError, match="object"):
            reactor.add_reader(object(), print)  # type: ignore[arg-type]
        # None of these is in the way of the next one with that number.
        os.dup2(write_end, read_end)
        reactor.add_writer(read_end, reactor.stop)
        reactor.run()
        assert reactor.remove_writer(read_end)
        os.close(read_end)
        os.close(write_end)


@pytest.mark.parametrize("kind", ["int", "socket"])
def test_a_descriptor_that_select_does_not_know_is_refused_and_others_are_served(
    reactor: Reactor, high_sockets: HighSockets, kind: str
) -> None:
    ours, theirs = socket.socketpair()
    with high_sockets() as high, ours, theirs:
        number = high.fileno()
        fd = number if kind == "int" else high
        reactor.add_reader(ours, reactor.stop)
        for add, remove in ((reactor.add_reader, reactor.remove_reader), (reactor.add_writer, reactor.remove_writer)):
            with pytest.raises(ValueError, match=f"descriptor {number} cannot be watched with select"):
                add(fd, print)
            assert not remove(fd)
        for absurd in (2**31, 2**70):
            with pytest.raises(ValueError, match="cannot be watched"):
                reactor.add_reader(absurd, print)
        theirs.send(b"x")
        reactor.run()


def test_a_reactor_that_cannot_be_woken_says_so_each_time_and_leaves_nothing_open(
    high_sockets: HighSockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = socket.socketpair
    monkeypatch.setattr(socket, "socketpair", lambda: tuple(map(high_sockets, pairs())))
    with Reactor(selectors.SelectSelector()) as reactor:
        for run in (reactor.run, reactor.run_once):
            with pytest.raises(ValueError, match="cannot be watched with select"):
                run()
            assert not reactor.is_running()
        monkeypatch.undo()
        reactor.call_soon(reactor.stop)
        reactor.run()


def test_other_selectors_take_any_descriptor(high_sockets: HighSockets) -> None:
    for make in (selectors.DefaultSelector, selectors.PollSelector):
        with Reactor(make()) as reactor, high_sockets() as high:
            reactor.add_writer(high, reactor.stop)
            reactor.run()
            assert reactor.remove_writer(high)


def test_a_number_taken_over_from_a_descriptor_that_was_not_removed_is_watched() -> None:
    with Reactor() as reactor:
        ours, theirs = socket.socketpair()
        number = ours.fileno()
        reactor.add_reader(number, print, "wrong one")
        ours.close()
        theirs.close()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            assert number in (ours.fileno(), theirs.fileno()), "the lowest free number is taken"
            ours.send(b"x")
            theirs.send(b"x")
            reactor.add_reader(number, reactor.stop)
            reactor.call_later(5, pytest.fail, "not called")
            reactor.run()
            assert reactor.remove_reader(number)


def test_both_sides_can_be_removed_after_closing() -> None:
    with Reactor() as reactor:
        ours, theirs = socket.socketpair()
        number = ours.fileno()
        reactor.add_reader(number, print)
        reactor.add_writer(number, print)
        ours.close()
        theirs.close()
        assert reactor.remove_reader(number)
        reactor.remove_writer(number)
        assert reactor.run_once(0) is False


def test_one_closed_descriptor_does_not_keep_others_from_being_served(
    reactor: Reactor, watched: Watched, expect_log: ExpectLog
) -> None:
    """As select() would: it refuses to work at all while one of its descriptors is closed."""
    reactor.run_once(0)  # has the reactor's own descriptors made: they do not take that number
    before = watched.calls
    closed, theirs = socket.socketpair()
    theirs.close()
    ours, other = socket.socketpair()
    with ours, other:
        number = closed.fileno()
        expect_log(f"ERROR: descriptor {number} was closed while the reactor watched it")
        reactor.add_reader(number, print)
        closed.close()
        reactor.add_reader(ours, reactor.stop)
        other.send(b"x")
        reactor.run()
        assert watched.calls == before + 2
        assert not reactor.remove_reader(number)


def test_a_broken_selector_is_not_run_in_circles() -> None:
    class Broken(selectors.SelectSelector):
        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            raise OSError(errno.EBADF, "Bad file descriptor")

    with Reactor(Broken()) as reactor, pytest.raises(OSError, match="Bad file descriptor"):
        reactor.run()


# Threads


def test_a_storm_of_wake_ups_costs_one(reactor: Reactor, watched: Watched) -> None:
    seen: list[int] = []
    reactor.run_once(0)
    before = watched.calls
    for number in range(20_000):
        reactor.call_soon_threadsafe(seen.append, number)
    reactor.call_soon_threadsafe(reactor.stop)
    (own,) = watched.get_map().values()
    with socket.socket(fileno=os.dup(own.fd)) as receiver:
        assert len(receiver.recv(1 << 20, socket.MSG_PEEK)) == 1
    reactor.run()
    assert len(seen) == 20_000
    assert watched.calls == before + 1
    assert reactor.run_once(0) is False  # no wake-up is left over


# Signals


@pytest.fixture
def handlers() -> Iterator[None]:
    """Put signals back as they were, whatever the test does."""
    kept = {sig: signal.getsignal(sig) for sig in (signal.SIGINT, signal.SIGUSR1)}
    yield
    for sig, handler in kept.items():
        signal.signal(sig, handler)


def wakeup_fd() -> int:
    number = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(number)
    return number


def interrupt_when_waiting(watched: Watched, sig: int) -> threading.Thread:
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        assert watched.waiting.wait(10)
        signal.pthread_kill(main, sig)

    thread = threading.Thread(target=interrupt)
    thread.start()
    return thread


def test_sigint_interrupts_the_wait_and_the_reactor_goes_on_afterwards(reactor: Reactor, watched: Watched) -> None:
    thread = interrupt_when_waiting(watched, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        reactor.run()
    thread.join()
    assert wakeup_fd() == -1
    reactor.call_soon(reactor.stop)
    reactor.run()


def test_a_signal_handler_runs_in_the_loop(reactor: Reactor, watched: Watched, handlers: None) -> None:
    seen: list[object] = []

    def note(*args: object) -> None:
        seen.extend([*args, reactor.is_running()])

    reactor.add_signal_handler(signal.SIGUSR1, print, "replaced")
    reactor.add_signal_handler(signal.SIGUSR1, note, 1, 2)
    reactor.add_signal_handler(signal.SIGINT, reactor.stop)
    signal.raise_signal(signal.SIGUSR1)
    assert seen == []
    reactor.call_soon(interrupt_when_waiting, watched, signal.SIGINT)
    reactor.run()
    assert seen == [1, 2, True]


def test_while_it_runs_signals_wake_it_by_descriptor(reactor: Reactor) -> None:
    """Else one between the interpreter's last check and select()'s system call would be late."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        previous = signal.set_wakeup_fd(theirs.fileno())
        try:
            seen: list[int] = []
            reactor.call_soon(lambda: seen.append(wakeup_fd()))
            reactor.run_once()
            assert seen[0] not in (-1, theirs.fileno())
            assert wakeup_fd() == theirs.fileno()
        finally:
            signal.set_wakeup_fd(previous)


def test_signals_are_given_back(reactor: Reactor, handlers: None) -> None:
    def previous(*args: object) -> None:
        pass

    signal.signal(signal.SIGUSR1, previous)
    assert not reactor.remove_signal_handler(signal.SIGUSR1)
    reactor.add_signal_handler(signal.SIGUSR1, print)
    reactor.add_signal_handler(signal.SIGUSR1, print)
    assert signal.getsignal(signal.SIGUSR1) is not previous
    assert reactor.remove_signal_handler(signal.SIGUSR1)
    assert signal.getsignal(signal.SIGUSR1) is previous
    reactor.add_signal_handler(signal.SIGUSR1, print)
    reactor.add_signal_handler(signal.SIGINT, print)
    reactor.close()
    assert signal.getsignal(signal.SIGUSR1) is previous
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not reactor.remove_signal_handler(signal.SIGINT)


def test_a_handler_that_was_removed_does_not_run_any_more(reactor: Reactor, handlers: None) -> None:
    seen: list[str] = []
    reactor.add_signal_handler(signal.SIGUSR1, seen.append, "removed")
    signal.raise_signal(signal.SIGUSR1)
    reactor.remove_signal_handler(signal.SIGUSR1)
    reactor.run_once(0)
    assert seen == []


def test_what_is_no_signal_or_cannot_be_caught_is_refused(reactor: Reactor) -> None:
    for number in (0, 10_000, -1):
        with pytest.raises(ValueError, match="signal"):
            reactor.add_signal_handler(number, print)
    with pytest.raises(RuntimeError, match="signal 9"):
        reactor.add_signal_handler(signal.SIGKILL, print)
    assert not reactor.remove_signal_handler(signal.SIGKILL)


def test_only_the_main_thread_handles_signals(reactor: Reactor, handlers: None) -> None:
    caught: list[BaseException] = []

    def elsewhere() -> None:
        try:
            reactor.add_signal_handler(signal.SIGUSR1, print)
        except RuntimeError as error:
            caught.append(error)
        reactor.call_soon(reactor.stop)
        reactor.run()  # running is fine anywhere

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(caught) == 1
    assert not reactor.remove_signal_handler(signal.SIGUSR1)
