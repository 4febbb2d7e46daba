"""One look-up per host in the whole process, however many ask and however long it takes."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from children import in_child
from fake_network import Calls, Network

from ami_client import Pool, Reactor
from ami_client._transport.connector import Connector
from ami_client._transport.resolver import resolver
from ami_client.errors import ConnectFailed

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 0))]


class Names:
    """The system's resolver, in the test's hands: it answers nothing before it is let go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {}
        self.free = threading.Event()

    def __call__(self, host: str, port: object, *args: Any, flags: int = 0, **kwargs: Any) -> Any:
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "a name")
        assert not port
        self.asked.append(host)
        assert self.free.wait(20)
        answer = self.answers.get(host, FOUND)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names)
    yield names
    names.free.set()
    for thread in threads():
        thread.join(5)


def told_too_much(found: object, error: object) -> None:
    """The callback of a question whose answer is not to be told."""
    pytest.fail(f"told {found}, {error}")


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ami_client-resolver"]


def connect(network: Network, host: str = "pbx.test", port: int = 5038) -> tuple[Connector, list[Any]]:
    got: list[Any] = []
    connector = Connector(
        network.reactor,
        host,
        port,
        timeout=None,
        on_connected=lambda sock, host, port: got.append((host, port)),
        on_failed=got.append,
    )
    connector.start()
    return connector, got


def test_who_asks_while_a_look_up_hangs_waits_for_its_answer(network: Network, names: Names) -> None:
    attempts = [connect(network, host, port) for port in range(5000, 5030) for host in ("pbx.test", "PBX.test")]
    assert len(threads()) == 1
    names.free.set()
    network.resolve()
    assert [got for _, got in attempts] == [[("192.0.2.7", port)] for port in range(5000, 5030) for _ in "ab"]
    assert names.asked == ["pbx.test"]


def test_one_host_does_not_wait_for_another(network: Network, names: Names) -> None:
    for host in ("a.test", "b.test", "a.test"):
        connect(network, host)
    assert len(threads()) == 2
    names.free.set()
    network.resolve()
    assert sorted(names.asked) == ["a.test", "b.test"]


def test_an_answer_is_not_kept_for_later(network: Network, names: Names) -> None:
    names.free.set()
    for number in range(2):
        names.answers["pbx.test"] = socket.gaierror(socket.EAI_AGAIN, "later") if number else FOUND
        _, got = connect(network)
        network.resolve()
        assert len(got) == 1 and isinstance(got[0], OSError) is bool(number)
    assert len(names.asked) == 2


def test_all_who_wait_are_told_the_failure(network: Network, names: Names) -> None:
    names.answers["pbx.test"] = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    attempts = [connect(network) for _ in range(3)]
    names.free.set()
    network.resolve()
    assert [got[0].errno for _, got in attempts] == [socket.EAI_NONAME] * 3


@pytest.mark.parametrize("problem", [UnicodeError("label too long"), ValueError("embedded null"), MemoryError()])
def test_whatever_a_look_up_raises_the_next_one_begins_anew(network: Network, names: Names, problem: Exception) -> None:
    names.answers["pbx.test"] = problem
    names.free.set()
    for _ in range(2):
        _, got = connect(network)
        network.resolve()
        assert got[0].errno == errno.EINVAL
    assert len(names.asked) == 2


def test_daemons_that_try_again_and_again_make_one_thread(network: Network, names: Names, expect_log: Any) -> None:
    expect_log("WARNING: .*connecting again")
    calls = Calls()
    pools = [network.pool(reconnect=0.01, reconnect_max=0.02, connect_timeout=0.1) for _ in range(3)]
    for pool in pools:
        pool.get_connection("pbx.test", calls)
    network.wait(10)
    assert min(pool.stats.reconnects for pool in pools) > 50
    assert len(threads()) == 1
    assert len(calls) == 3 and all(isinstance(packet.error, ConnectFailed) for packet in calls)
    for pool in pools:
        pool.finish()
    names.free.set()
    network.resolve()
    assert names.asked == ["pbx.test"]


def test_threads_and_loops_share_the_look_up_and_each_is_told_in_its_own(names: Names) -> None:
    told: list[bool] = []
    began = threading.Barrier(4, timeout=20)

    def ask(loop: Any, run: Any) -> None:
        def answer(found: Any, error: Any) -> None:
            told.append(threading.current_thread() is mine and error is None)
            loop.stop()

        mine = threading.current_thread()
        resolver.ask(loop, "pbx.test", answer)
        began.wait()
        run()
        loop.close()

    reactors = [Reactor(), Reactor()]
    loop = asyncio.new_event_loop()
    work = [(loop, loop.run_forever), *((reactor, reactor.run) for reactor in reactors)]
    running = [threading.Thread(target=ask, args=args) for args in work]
    for thread in running:
        thread.start()
    began.wait()
    assert len(threads()) == 1
    names.free.set()
    for thread in running:
        thread.join(20)
    assert told == [True] * 3 and names.asked == ["pbx.test"]


def test_a_loop_that_was_closed_meanwhile_harms_nobody_else(network: Network, names: Names) -> None:
    closed = Reactor()
    resolver.ask(closed, "pbx.test", told_too_much)
    _, got = connect(network)
    closed.close()
    names.free.set()
    network.resolve()
    assert got == [("192.0.2.7", 5038)]


def test_a_loop_that_raises_harms_nobody_else(network: Network, names: Names, expect_log: Any) -> None:
    class Odd(Reactor):
        def call_soon_threadsafe(self, *args: Any) -> Any:
            raise LookupError("an odd loop")

    expect_log("did not accept the result")
    with Odd() as odd:
        resolver.ask(odd, "pbx.test", told_too_much)
        _, got = connect(network)
        names.free.set()
        network.resolve()
    assert got == [("192.0.2.7", 5038)]


def test_who_gives_up_leaves_nothing_behind_while_the_look_up_hangs(network: Network, names: Names) -> None:
    gone = []
    for _ in range(10):
        connector, _ = connect(network)
        gone.append(weakref.ref(connector))
        connector.cancel()
    del connector
    gc.collect()
    assert [ref() for ref in gone] == [None] * 10
    _, got = connect(network)
    names.free.set()
    network.resolve()
    assert got == [("192.0.2.7", 5038)] and len(names.asked) == 1


def test_a_pool_that_gives_up_leaves_nothing_behind_while_the_look_up_hangs(network: Network, names: Names) -> None:
    gone = []

    def keep(conn: Any) -> None:
        gone.append(weakref.ref(conn))

    pool, calls = Pool(reactor=network.reactor, connect_timeout=1), Calls()
    for _ in range(5):
        pool.get_connection("pbx.test", calls, before_connect=keep)
        network.wait(2)
    assert len(gone) == len(calls) == 5
    calls.clear()  # failure packets
    gc.collect()
    assert [ref() for ref in gone] == [None] * 5


def test_a_thread_that_cannot_be_had_is_asked_for_again_by_the_next(
    network: Network, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    names.free.set()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        _, got = connect(network)
        network.pump()
        assert got[0].errno == errno.EAGAIN
    _, got = connect(network)
    network.resolve()
    assert got == [("192.0.2.7", 5038)]


def test_a_forked_child_waits_for_no_thread_of_its_parent(names: Names) -> None:

    def look_up() -> object:
        names.free.set()  # the child's own
        told: list[object] = []

        def tell(found: object, error: object) -> None:
            told.append(found)
            reactor.stop()

        with Reactor() as reactor:
            resolver.ask(reactor, "pbx.test", tell)
            reactor.run()
        return told

    with Reactor() as reactor:
        query = resolver.ask(reactor, "pbx.test", told_too_much)
        assert in_child(look_up) == [[[socket.AF_INET, ["192.0.2.7", 0]]]]
        query.cancel()


def test_nor_for_a_lock_that_a_thread_held_at_the_fork(names: Names) -> None:
    def look_up() -> object:
        names.free.set()
        with Reactor() as reactor:
            resolver.ask(reactor, "pbx.test", lambda found, error: reactor.stop())
            reactor.run()
        return True

    with resolver._lock:
        assert in_child(look_up)
