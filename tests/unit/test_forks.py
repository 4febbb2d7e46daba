"""Forked children: what is the parent's refuses to work there, and the parent notices nothing."""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Callable, Optional, Union

import pytest
from children import complaint, fork, in_child, leave, result_of
from programs import Launcher

from ami_client import Connection, Packet, Pool, Reactor
from ami_client.testing import FakeAsterisk

AnyLoop = Union[asyncio.AbstractEventLoop, Reactor]

REACTOR = "this reactor belongs to the process that made it; make a Reactor in the forked process"
POOL = "this pool belongs to the process that made it; make a Pool in the forked process"
CONNECTION = "this connection belongs to the process that made it; make a Pool in the forked process"
CERTIFICATE = Path(__file__).parent / "fake_asterisk" / "localhost.pem"


class Counting(selectors.DefaultSelector):
    """A real selector that counts how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def select(self, timeout: Optional[float] = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.calls += 1
        return super().select(timeout)


def run(loop: AnyLoop) -> None:
    """Until it is stopped, by what is awaited or because that does not come."""
    late = loop.call_later(10, pytest.fail, "it does not come")
    loop.run() if isinstance(loop, Reactor) else loop.run_forever()
    late.cancel()


def is_idle(loop: AnyLoop, selector: Counting) -> bool:
    """Whether the loop sleeps when there is nothing to do."""
    loop.call_later(0.02, loop.stop)  # what is under way comes to its end
    run(loop)
    before = selector.calls
    loop.call_later(0.05, loop.stop)
    run(loop)
    return selector.calls - before <= 4


@pytest.fixture
def selector() -> Counting:
    return Counting()


@pytest.fixture(params=["reactor", "asyncio"])
def loop(request: pytest.FixtureRequest, selector: Counting) -> Iterator[AnyLoop]:
    loop: AnyLoop = Reactor(selector) if request.param == "reactor" else asyncio.SelectorEventLoop(selector)
    yield loop
    loop.close()


@pytest.fixture
def reactor(selector: Counting) -> Iterator[Reactor]:
    with Reactor(selector) as reactor:
        yield reactor


def connect(pool: Pool, loop: AnyLoop, url: str) -> Connection:
    """A connection that is logged in, and has heard of it that the server is booted."""
    got: list[Connection] = []

    def watch(conn: Connection) -> None:
        got.append(conn)
        conn.bind("event_fullybooted", lambda conn, packet: loop.stop())

    pool.get_connection(url, before_connect=watch)
    run(loop)
    assert got[0].connected
    return got[0]


def ping(conn: Connection, loop: AnyLoop) -> bool:
    """Whether a Ping is answered."""
    errors: list[object] = []

    def answered(conn: Connection, packet: Any) -> None:
        errors.append(packet.error)
        loop.stop()

    conn.ping(answered)
    run(loop)
    return errors == [None]


# The reactor


def test_the_default_reactor_of_a_child_is_its_own() -> None:
    def work() -> object:
        own = Reactor.instance()
        seen: list[str] = []
        own.call_soon(seen.append, "ran")
        own.call_soon(own.stop)
        own.run()
        return [own is Reactor.instance(), own is not parent, seen]

    parent = Reactor.instance()
    assert in_child(work) == [True, True, ["ran"]]
    assert Reactor.instance() is parent
    parent.close()


def test_a_child_waits_for_no_thread_that_was_making_the_default_reactor() -> None:
    with Reactor._default_lock:
        assert in_child(lambda: Reactor.instance().is_closed()) is False


def test_a_connection_of_the_child_beside_a_stopped_loop_leaves_the_parent_asleep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Counting] = []

    def make() -> Counting:
        made.append(Counting())
        return made[-1]

    monkeypatch.setattr(selectors, "DefaultSelector", make)
    reactor = Reactor.instance()
    with reactor, FakeAsterisk(reactor) as server:
        pool = Pool()
        conn = connect(pool, reactor, server.url)
        back, forth = os.pipe(), os.pipe()
        pid = fork()
        if not pid:

            def work() -> object:
                own = Reactor.instance()
                answer = ping(connect(Pool(), own, server.url), own)
                os.write(back[1], b"1")
                os.close(forth[1])
                os.read(forth[0], 1)  # reads nothing of what the server says, until the parent has ended its test
                return answer

            leave(back[1], work)
        os.close(back[1])
        reactor.add_reader(back[0], reactor.stop)
        run(reactor)
        assert os.read(back[0], 1) == b"1"
        reactor.remove_reader(back[0])
        assert server.clients == 2
        server.push({"Event": "Unread"})
        assert is_idle(reactor, made[0])
        assert ping(conn, reactor)
        os.close(forth[1])
        assert result_of(pid, back[0]) is True
        assert is_idle(reactor, made[0])
        os.close(forth[0])
        pool.finish()


USES: dict[str, Callable[[Reactor, socket.socket], object]] = {
    "call_soon": lambda reactor, sock: reactor.call_soon(print),
    "call_soon_threadsafe": lambda reactor, sock: reactor.call_soon_threadsafe(print),
    "call_later": lambda reactor, sock: reactor.call_later(1, print),
    "call_at": lambda reactor, sock: reactor.call_at(1, print),
    "add_reader": lambda reactor, sock: reactor.add_reader(sock, print),
    "add_writer": lambda reactor, sock: reactor.add_writer(sock.fileno(), print),
    "add_signal_handler": lambda reactor, sock: reactor.add_signal_handler(signal.SIGUSR1, print),
    "run": lambda reactor, sock: reactor.run(),
    "run_once": lambda reactor, sock: reactor.run_once(0),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_the_parents_reactor_refuses_to_work(
    reactor: Reactor, selector: Counting, use: Callable[[Reactor, socket.socket], object]
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        reactor.add_reader(ours, reactor.stop)
        reactor.run_once(0)
        assert in_child(lambda: complaint(lambda: use(reactor, ours))) == REACTOR
        assert is_idle(reactor, selector)
        theirs.send(b"x")
        run(reactor)  # the reader is still there


def test_what_a_child_takes_away_is_still_watched_by_the_parent(reactor: Reactor, selector: Counting) -> None:
    def work() -> object:
        removed = [reactor.remove_reader(ours), reactor.remove_writer(ours)]
        reactor.close()
        reactor.close()
        ours.close()
        return [*removed, reactor.is_closed(), complaint(reactor.run)]

    ours, theirs = socket.socketpair()
    with ours, theirs:
        reactor.add_reader(ours, reactor.stop)
        reactor.add_writer(ours, reactor.stop)
        reactor.run_once(0)
        assert in_child(work) == [False, False, True, REACTOR]
        assert reactor.remove_writer(ours)
        assert is_idle(reactor, selector)
        theirs.send(b"x")
        run(reactor)


def test_a_child_born_in_a_callback_is_sent_out_of_run_and_does_nothing_of_the_parents(
    reactor: Reactor, selector: Counting
) -> None:
    seen: list[Any] = []
    reader, writer = os.pipe()

    def give_birth() -> None:
        seen.append(fork())

    reactor.call_soon(give_birth)
    reactor.call_soon(seen.append, "behind")
    reactor.call_later(0, reactor.stop)
    before = selector.calls
    error = complaint(reactor.run)
    if seen[0] == 0:
        leave(writer, lambda: [error, seen, selector.calls - before, reactor.is_running()])
    os.close(writer)
    assert result_of(seen[0], reader) == [REACTOR, [0], 1, False]
    assert (error, seen[1:]) == ("no error", ["behind"])
    assert is_idle(reactor, selector)


def test_a_child_born_in_a_callback_may_run_a_reactor_of_its_own(reactor: Reactor) -> None:
    seen: list[int] = []
    reader, writer = os.pipe()

    def work() -> object:
        own = Reactor.instance()
        own.call_later(0, own.stop)
        own.run()
        return True

    def give_birth() -> None:
        seen.append(fork())
        if not seen[0]:
            leave(writer, work)
        reactor.stop()

    reactor.call_soon(give_birth)
    run(reactor)
    os.close(writer)
    assert result_of(seen[0], reader) is True


def test_a_thread_runs_it_while_another_forks(reactor: Reactor) -> None:
    """The child has no such thread: its copy is not running, whatever it says."""
    running = threading.Event()
    reactor.call_soon(running.set)
    thread = threading.Thread(target=reactor.run)
    thread.start()
    assert running.wait(10)
    assert in_child(lambda: [complaint(reactor.run), complaint(reactor.close)]) == [REACTOR, "no error"]
    reactor.call_soon_threadsafe(reactor.stop)
    thread.join(10)


# Signals


def wakeup_fd() -> int:
    number = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(number)
    return number


def test_signals_of_a_child_wake_nobody(reactor: Reactor, selector: Counting) -> None:
    inside: list[Any] = []

    def take_a_signal() -> int:
        signal.raise_signal(signal.SIGCHLD)
        return wakeup_fd()

    def give_birth() -> None:
        inside.append(in_child(take_a_signal))
        inside.append(wakeup_fd() != -1)
        reactor.stop()

    reactor.call_soon(give_birth)
    run(reactor)
    assert inside == [-1, True]
    assert wakeup_fd() == -1
    assert is_idle(reactor, selector)


def test_what_signals_wrote_to_before_they_write_to_in_a_child(reactor: Reactor) -> None:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    nested = Reactor()
    with ours, theirs, nested:
        inside: list[Any] = []
        nested.call_soon(lambda: inside.append(in_child(wakeup_fd)))
        reactor.call_soon(nested.run_once, 0)
        previous = signal.set_wakeup_fd(theirs.fileno())
        try:
            reactor.run_once(0)
        finally:
            assert signal.set_wakeup_fd(previous) == theirs.fileno()
        assert inside == [-1 if sys.version_info >= (3, 12) else theirs.fileno()]  # asyncio has its own way by then


def test_a_child_that_comes_out_of_run_leaves_the_wakeup_alone(reactor: Reactor) -> None:
    pids: list[int] = []
    reader, writer = os.pipe()
    reactor.call_soon(lambda: pids.append(fork()))
    reactor.call_soon(reactor.stop)
    complaint(reactor.run)
    if not pids[0]:
        leave(writer, wakeup_fd)
    os.close(writer)
    assert result_of(pids[0], reader) == -1


def test_a_signal_does_in_a_child_what_it_did_before_the_loop_took_it(reactor: Reactor) -> None:
    def work() -> object:
        for _ in range(2):
            signal.raise_signal(signal.SIGUSR1)
        return seen

    def before(*args: object) -> None:
        seen.append("before")

    seen: list[str] = []
    kept = signal.signal(signal.SIGUSR1, before)
    try:
        reactor.add_signal_handler(signal.SIGUSR1, seen.append, "loop")
        assert in_child(work) == ["before", "before"]
        signal.raise_signal(signal.SIGUSR1)
        reactor.run_once(0)
        assert seen == ["loop"]
    finally:
        reactor.remove_signal_handler(signal.SIGUSR1)
        signal.signal(signal.SIGUSR1, kept)


def test_a_child_can_be_terminated(reactor: Reactor) -> None:
    reactor.add_signal_handler(signal.SIGTERM, print)
    pid = fork()
    if not pid:
        signal.raise_signal(signal.SIGTERM)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGTERM


# Connections and pools


USES_OF_A_CONNECTION: dict[str, Callable[[Connection], object]] = {
    "ping": lambda conn: conn.ping(print),
    "action": lambda conn: conn.action("Events", params={"EventMask": "off"}),
    "get_sip_peers": lambda conn: conn.get_sip_peers(print),
    "logoff": lambda conn: conn.logoff(),
    "finish": lambda conn: conn.finish(),
    "close": lambda conn: conn.close(),
    "graceful_shutdown": lambda conn: conn.graceful_shutdown(),
    "acquire": lambda conn: conn.acquire(),
    "release": lambda conn: conn.release(),
    "on_connected": lambda conn: conn.on_connected(print),
}


def test_the_parents_connection_and_pool_refuse_to_work(loop: AnyLoop, selector: Counting) -> None:
    with FakeAsterisk(loop) as server:
        pool = Pool(reactor=loop)
        conn = connect(pool, loop, server.url)
        received = len(server.received)

        def work() -> object:
            answers = {name: complaint(partial(use, conn)) for name, use in USES_OF_A_CONNECTION.items()}
            answers["get_connection"] = complaint(lambda: pool.get_connection(server.url, print))
            answers["pool.finish"] = complaint(pool.finish)
            answers["graceful"] = complaint(lambda: pool.finish(graceful=True))
            return [answers, conn.connected, pool.finished]

        answers, connected, finished = in_child(work)
        assert answers == {
            **dict.fromkeys(USES_OF_A_CONNECTION, CONNECTION),
            **dict.fromkeys(("get_connection", "pool.finish", "graceful"), POOL),
        }
        assert (connected, finished) == (True, False)
        assert is_idle(loop, selector)
        assert len(server.received) == received
        assert ping(conn, loop)
        pool.finish()


def test_the_named_pool_of_a_child_is_its_own() -> None:
    def work() -> object:
        own = Pool.get_instance("forks")
        return [own is not parent, own is Pool.get_instance("forks"), complaint(own.finish)]

    parent = Pool.get_instance("forks")
    assert in_child(work) == [True, True, "no error"]
    assert Pool.get_instance("forks") is parent
    parent.finish()


def test_a_child_born_in_a_handler_neither_sends_nor_reads_for_the_parent(reactor: Reactor, selector: Counting) -> None:
    reader, writer = os.pipe()
    pids: list[int] = []
    heard: list[str] = []

    def give_birth(conn: Connection, packet: Any) -> None:
        conn.action("Ping")  # goes out when all that has arrived was handled
        pids.append(fork())

    def end(conn: Connection, packet: Packet) -> None:
        heard.append("end")
        reactor.stop()

    with FakeAsterisk(reactor) as server:
        pool = Pool(reactor=reactor)
        conn = connect(pool, reactor, server.url)
        conn.bind("event_birth", give_birth)
        conn.bind("event_end", end)
        server.received.clear()
        server.push({"Event": "Birth"})
        server.play([(0.01, {"Event": "End"})])
        error = complaint(lambda: run(reactor))
        if not pids[0]:
            leave(writer, lambda: [error, heard])
        os.close(writer)
        assert result_of(pids[0], reader) == [REACTOR, []]
        assert (error, heard) == ("no error", ["end"])
        assert server.received_actions == ["Ping"]
        assert ping(conn, reactor)
        assert is_idle(reactor, selector)
        pool.finish()


def test_on_asyncio_a_child_that_ends_a_stream_takes_nothing_from_the_parent(selector: Counting) -> None:
    """The server's last words are handled in the child: it closes its copy of the socket and no more."""
    loop = asyncio.SelectorEventLoop(selector)
    pids: list[int] = []
    reader, writer = os.pipe()

    def give_birth(conn: Connection, packet: Any) -> None:
        pids.append(fork())
        if not pids[0]:
            conn._driver.transport.close()  # as what follows in the child's copy of the data might have it
            conn._driver.transport.write(b"Action: Ping\r\n\r\n")
            leave(writer, lambda: True)
        loop.stop()

    with FakeAsterisk(loop) as server:
        pool = Pool(reactor=loop)
        conn = connect(pool, loop, server.url)
        conn.bind("event_birth", give_birth)
        server.received.clear()
        server.push({"Event": "Birth"})
        run(loop)
        os.close(writer)
        assert result_of(pids[0], reader) is True
        assert ping(conn, loop)
        assert server.received_actions == ["Ping"]
        assert is_idle(loop, selector)
        pool.finish()
    loop.close()


# The end of a child


PROGRAM = """
import asyncio, gc, os, selectors, sys
from ami_client import Pool, Reactor
from ami_client.testing import FakeAsterisk

class Counting(selectors.DefaultSelector):
    calls = 0
    def select(self, timeout=None):
        self.calls += 1
        return super().select(timeout)

selector = Counting()
loop = asyncio.SelectorEventLoop(selector) if {asyncio} else Reactor(selector)
run = loop.run_forever if {asyncio} else loop.run
server = FakeAsterisk(loop)
server.start()
pool = Pool(reactor=loop)
conns = []

def on_connection(conn):
    conns.append(conn)
    loop.call_later(0.02, loop.stop)

pool.get_connection(server.url, on_connection)
run()
if not os.fork():
    os.close(1)
    if {ending!r} == "collected":
        del loop, run, server, pool, selector
        conns.clear()
        gc.collect()
        os._exit(0)
    sys.exit(0)
os.wait()
answers = []

def answered(conn, packet):
    answers.append(packet.error)
    if len(answers) < 20:
        conn.ping(answered)
    else:
        loop.call_later(0.02, loop.stop)

conns[0].ping(answered)
run()
before = selector.calls
loop.call_later(0.05, loop.stop)
run()
print(answers == [None] * 20, selector.calls - before <= 4, server.clients)
pool.finish()
server.close()
loop.close()
"""


@pytest.mark.parametrize("asyncio", [False, True])
@pytest.mark.parametrize("ending", ["exit", "collected"])
def test_the_end_of_a_child_disturbs_nobody(launcher: Launcher, tmp_path: Path, ending: str, asyncio: bool) -> None:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM.format(ending=ending, asyncio=asyncio), encoding="utf-8")
    done = launcher.run(path, cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("True True 1\n", "", 0)


# The embedded server


@pytest.mark.parametrize("kind", ["tcp", "tls", "unix"])
def test_an_embedded_server_that_a_child_closes_goes_on_in_the_parent(
    loop: AnyLoop, selector: Counting, kind: str, tmp_path: Path
) -> None:
    options: dict[str, Any] = {}
    if kind == "tls":
        options["tls"] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        options["tls"].load_cert_chain(CERTIFICATE)
    elif kind == "unix":
        options["unix_path"] = str(tmp_path / "ami")
    with FakeAsterisk(loop, **options) as server:
        context = ssl.create_default_context(cafile=str(CERTIFICATE))
        pool = Pool(reactor=loop, ssl=context if kind == "tls" else False)
        url = server.url.replace("127.0.0.1", "localhost")
        conn = connect(pool, loop, url)

        def work() -> object:
            sent = server.push({"Event": "Unheard"})
            server.drop(b"Event: Unheard\r\n\r\n", reset=True)
            server.close()
            return [sent, server.clients]

        assert in_child(work) == [1, 0]
        assert ping(conn, loop)
        assert conn.stats.events == 1  # FullyBooted
        conn.acquire()
        assert connect(pool, loop, url) is not conn
        assert is_idle(loop, selector)
        pool.finish()
