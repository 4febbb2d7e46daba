"""The blocking client: calls that wait, from any thread, with and without other threads' help."""

from __future__ import annotations

import gc
import inspect
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Callable, Optional, TypeVar

import pytest
from cases import for_each
from children import in_child

import ami_client
from ami_client import Connection, Packet, Pool, Reactor
from ami_client.actions import Actions
from ami_client.blocking import Client, Gap
from ami_client.testing import FakeAsterisk

Result = TypeVar("Result")
PATIENCE = 10.0  # seconds, for what should happen at once
HANGUP = {"Event": "Hangup", "Cause": "16"}


class Server:
    """A fake server on a reactor in a thread of its own."""

    def __init__(self) -> None:
        self.reactor = Reactor()
        self.pbx = FakeAsterisk(self.reactor)
        self.pbx.start()
        self.url = self.pbx.url
        self._thread = threading.Thread(target=self.reactor.run)
        self._thread.start()

    def do(self, call: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """Call something in the server's thread, and wait for its result."""
        done = threading.Event()
        results: list[Result] = []

        def run() -> None:
            try:
                results.append(call(*args, **kwargs))
            finally:
                done.set()

        self.reactor.call_soon_threadsafe(run)
        assert done.wait(PATIENCE)
        return results[0]

    def until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds, looked at in the server's thread."""
        held = threading.Event()

        def look() -> None:
            if holds():
                held.set()
            else:
                self.reactor.call_later(0.001, look)

        self.reactor.call_soon_threadsafe(look)
        assert held.wait(PATIENCE), "it did not happen"

    def close(self) -> None:
        self.do(self.pbx.close)
        self.reactor.call_soon_threadsafe(self.reactor.stop)
        self._thread.join(PATIENCE)
        self.reactor.close()


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()
    assert [thread.name for thread in threading.enumerate() if thread.name == "ami_client"] == []


@pytest.fixture(params=["callers run the loop", "its thread runs the loop"])
def client(request: pytest.FixtureRequest, server: Server) -> Iterator[Client]:
    with Client(server.url) as one:
        if request.param == "its thread runs the loop":
            one.on("event_nothing", lambda conn, packet: None)
        yield one


def test_actions_return_what_their_callbacks_get(client: Client) -> None:
    for _ in range(3):
        assert client.ping()["ping"] == "Pong"
    packets = client.core_show_channels()
    assert packets[-1]["event"] == "CoreShowChannelsComplete"
    answer = client.action("QueueStatus")
    assert answer["response"] == "Success" and len(answer.events) > 1
    assert client.command("core show uptime")[0].startswith("System uptime")
    client.set_var(None, "X", "Value")
    assert client.action("Getvar", {"Variable": "X"})["value"] == "Value"
    result = client.originate({"Channel": "Local/101@office", "Application": "Echo"})
    assert result["event"] == "OriginateResponse"


def test_names_parameters_and_defaults_are_those_of_the_callback_methods() -> None:
    methods = [name for name in vars(Actions) if not name.startswith("_")]
    assert len(methods) >= 13
    for name in methods:
        ours = inspect.signature(getattr(Client, name)).parameters
        theirs = inspect.signature(getattr(Actions, name)).parameters
        assert [(one.name, one.default, one.kind) for one in ours.values()] == [
            (one.name, one.default, one.kind) for one in theirs.values() if one.name not in ("cb", "on_result")
        ]


def test_errors_are_raised(client: Client, server: Server) -> None:
    with pytest.raises(ami_client.ActionFailed) as caught:
        client.action("Nothing")
    assert caught.value.action == "Nothing" and caught.value.packet["actionid"] == caught.value.action_id
    assert caught.value.packet["message"] == str(caught.value)
    with pytest.raises(ValueError, match="CR, LF"):
        client.action("X", {"A": "b\r\nc"})
    with pytest.raises(ami_client.ActionFailed):
        client.originate({"Channel": "Local/nobody@office", "Application": "Echo"})
    server.do(server.pbx.on, "Command", None)
    with pytest.raises(ami_client.ActionTimeout):
        client.command("x", timeout=0.01)
    assert client.ping()["ping"] == "Pong"


def test_four_threads_share_a_client(client: Client) -> None:
    def work(number: int) -> list[str]:
        values = []
        for turn in range(50):
            client.set_var(None, f"V{number}", f"{number}-{turn}")
            values.append(client.action("Getvar", {"Variable": f"V{number}"})["value"])
        return values

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(work, range(4)))
    assert results == [[f"{number}-{turn}" for turn in range(50)] for number in range(4)]
    assert client.pool.stats.pending == 0


@for_each(
    ("make", "error"),
    [
        (lambda server: Client(server.url.replace("secret", "wrong")), ami_client.LoginRefused),
        (lambda server: Client("tcp://u:s@127.0.0.1:1"), ami_client.ConnectFailed),
        (lambda server: Client(), ami_client.NoServer),
        (lambda server: (server.do(server.pbx.mute), Client(server.url, login_timeout=0.01))[1], ami_client.Timeout),
    ],
)
def test_entering_raises_why_there_is_no_login(server: Server, make: Any, error: type[Exception]) -> None:
    client = make(server)
    with pytest.raises(error), client:
        raise AssertionError("it entered")
    assert not client.connected
    with pytest.raises(ami_client.ConnectionFinished):
        client.ping()


def test_leaving_waits_for_the_end_of_the_socket_and_of_the_thread(server: Server) -> None:
    with Client(server.url) as client:
        conn: Any = client.conn
        stream = conn._driver.transport._stream
        client.ping()
    assert stream._sock.fileno() == -1
    assert not [thread for thread in threading.enumerate() if thread.name == "ami_client"]
    client.close()
    server.until(lambda: "Logoff" in server.pbx.received_actions)


def test_closing_in_another_thread_ends_a_wait(server: Server) -> None:
    server.do(server.pbx.on, "Ping", None)
    with Client(server.url) as client, ThreadPoolExecutor(2) as threads:
        ping = threads.submit(client.ping)
        stream = threads.submit(lambda: list(client.events("hangup")))
        server.until(lambda: server.pbx.requests("Ping"))
        while not client.pool.listeners("event_hangup"):
            pass
        client.close()
        assert isinstance(ping.exception(PATIENCE), ami_client.ConnectionFinished)
        assert stream.result(PATIENCE) == []


def test_ctrl_c_ends_a_wait_at_once(client: Client, server: Server) -> None:
    server.do(server.pbx.on, "Command", None)
    main = threading.main_thread().ident
    assert main is not None
    server.reactor.call_soon_threadsafe(
        lambda: server.reactor.call_later(0.05, signal.pthread_kill, main, signal.SIGINT)
    )
    with pytest.raises(KeyboardInterrupt):
        client.command("x")
    assert client.ping()["ping"] == "Pong"
    assert client.pool.stats.pending == 0


def test_a_forked_child_is_refused(client: Client) -> None:
    def use() -> list[str]:
        told = []
        for method in (client.ping, client.close, client.connect):
            try:
                method()
            except RuntimeError as error:
                told.append(str(error))
        return told

    told = in_child(use)
    assert len(told) == 3 and all("make a Client in the forked process" in one for one in told)
    assert client.ping()["ping"] == "Pong"


def test_a_handler_cannot_wait_in_the_client_s_thread(server: Server) -> None:
    told: list[str] = []
    done = threading.Event()
    with Client(server.url) as client:

        @client.on("event_hangup", where={"cause": "16"})
        def hung_up(conn: Connection, event: Packet) -> None:
            try:
                client.ping()
            except RuntimeError as error:
                told.append(str(error))
            conn.ping(lambda conn, packet: done.set())

        server.do(server.pbx.push, HANGUP)
        assert done.wait(PATIENCE)
        client.off("event_hangup", hung_up)
    assert len(told) == 1 and "must not wait" in told[0]


def test_once_hears_one_event(server: Server) -> None:
    heard: list[str] = []
    with Client(server.url) as client:
        client.once("event_hangup", lambda conn, event: heard.append(event["cause"]))
        server.do(server.pbx.push, HANGUP)
        server.do(server.pbx.push, HANGUP)
        client.ping()
        assert heard == ["16"]
        with pytest.raises(TypeError, match="coroutine"):

            @client.on("event_x")
            async def handler(conn: Connection, event: Packet) -> None: ...


def test_an_action_waits_for_the_next_login(server: Server, expect_log: Any) -> None:
    expect_log("connecting again")
    with Client(server.url, reconnect=0.01, reconnect_max=0.02) as client, ThreadPoolExecutor(1) as threads:
        server.do(server.pbx.close)
        while client.connected:
            pass
        with pytest.raises(ami_client.ActionTimeout):
            client.ping(timeout=0.01)
        with pytest.raises(ami_client.ConnectTimeout):
            client.wait_connected(0.01)
        ping = threads.submit(client.ping)
        server.do(server.pbx.start)
        assert ping.result(PATIENCE)["ping"] == "Pong"


def test_without_reconnect_a_loss_is_raised_until_it_connects_again(server: Server) -> None:
    with Client(server.url) as client:
        server.do(server.pbx.drop)
        with pytest.raises(ami_client.ConnectionLost):
            while True:
                client.ping()
        client.connect()
        assert client.ping()["ping"] == "Pong"


def named(item: Any) -> Any:
    return item["event"] if isinstance(item, Packet) else (item.count, item.reason)


def test_events_come_until_none_comes_for_so_long(client: Client, server: Server) -> None:
    with client.events("hang*", where={"cause": "16"}, timeout=0.2) as stream:
        server.do(server.pbx.push, HANGUP)
        server.do(server.pbx.push, {"Event": "Hangup", "Cause": "17"})
        server.do(server.pbx.push, HANGUP)
        assert [named(item) for item in stream] == ["Hangup", "Hangup"]


def test_gaps_stand_where_events_are_missing(server: Server, expect_log: Any) -> None:
    expect_log("connecting again")
    with Client(server.url, reconnect=0.01) as client, client.events("hangup", limit=1) as stream:
        for _ in range(3):
            server.do(server.pbx.push, HANGUP)
        client.ping()
        server.do(server.pbx.drop)
        heard = [named(next(stream)) for _ in range(4)]
    assert heard == ["Hangup", (2, "overflow"), (None, "lost"), (None, "back")]


def test_a_loss_for_good_is_raised_behind_its_gap(server: Server) -> None:
    with Client(server.url) as client:
        heard: list[Any] = []
        with pytest.raises(ami_client.ConnectionLost), client.events("hangup") as stream:
            server.do(server.pbx.drop)
            heard.extend(named(item) for item in iter(lambda: next(stream), None))
        with pytest.raises(ami_client.ConnectionLost), client.events("hangup") as stream:
            next(stream)


@for_each("how", ["break", "exception"])
def test_leaving_a_stream_unbinds_it(client: Client, server: Server, how: str) -> None:
    def read() -> None:
        for _ in client.events("hangup", timeout=PATIENCE):
            if how == "exception":
                raise ZeroDivisionError
            break

    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(read)
        while not client.pool.listeners("event_hangup"):
            pass
        server.do(server.pbx.push, HANGUP)
        error = reading.exception(PATIENCE)
        assert isinstance(error, ZeroDivisionError) is (how == "exception")
    del error, reading
    gc.collect()
    client.ping()
    assert client.pool.listeners("event_hangup") == []


def test_the_pool_may_be_another_thread_s(server: Server) -> None:
    pool = Pool(reactor=server.reactor)
    with Client(server.url, pool=pool) as client:
        assert client.ping()["ping"].lower() == "pong"
        heard: list[str] = []
        client.on("event_hangup", lambda conn, event: heard.append(event["cause"]))
        server.do(server.pbx.push, HANGUP)
        client.ping()
        assert heard == ["16"]
    assert pool.stats.connected == 1 and not pool.finished
    server.do(pool.finish)


@for_each(
    ("arguments", "error"),
    [
        ({"url": "tcp://pbx:x"}, ValueError),
        ({"attempt_timeout": 2}, TypeError),
        ({"pool": Pool(), "reconnect": 2}, TypeError),
    ],
)
def test_a_mistake_is_told_when_the_client_is_made(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Client(**arguments)
    assert not [thread for thread in threading.enumerate() if thread.name == "ami_client"]


def test_timers_that_a_caller_sets_wake_the_thread(server: Server) -> None:
    """The thread may be waiting for much longer when a caller sends with a short limit."""
    server.do(server.pbx.on, "Ping", None)
    with Client(server.url, timeout=None, action_timeout=None) as client, ThreadPoolExecutor(2) as threads:
        pings = [threads.submit(client.ping, timeout=0.05) for _ in range(2)]
        for ping in pings:
            assert isinstance(ping.exception(PATIENCE), ami_client.ActionTimeout)


def test_gap_is_the_same_in_both_clients() -> None:
    from ami_client import aio

    gap: Optional[Gap] = aio.Gap(None, "lost")
    assert gap == Gap(None, "lost")


class Interrupt:
    """Raises KeyboardInterrupt behind the n-th call in this thread, which is where a signal's handler may raise."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def __call__(self, frame: Any, event: str, arg: object) -> None:
        if event in ("call", "c_return") and "ami_client" in frame.f_code.co_filename:
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

    def __enter__(self) -> Interrupt:
        sys.setprofile(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        sys.setprofile(None)


@for_each("what", ["an action", "a stream"])
def test_ctrl_c_at_any_moment_leaves_a_client_that_works(client: Client, server: Server, what: str) -> None:
    def use() -> object:
        return client.ping() if what == "an action" else next(client.events("hangup", timeout=0.001), None)

    interrupts = 0
    while True:
        with suppress(KeyboardInterrupt), Interrupt(interrupts + 1):
            use()
            break
        interrupts += 1
        assert client.ping(timeout=PATIENCE)["ping"] == "Pong", f"after an interrupt behind call {interrupts}"
    assert interrupts > 40, interrupts
    assert client.connected and client.pool.stats.pending == 0


def test_a_client_that_nobody_refers_to_ends_with_its_thread(server: Server) -> None:
    client = Client(server.url)
    client.connect()
    thread = named_thread()
    with pytest.warns(ResourceWarning, match="unclosed client: tcp://admin@127"):
        del client
        gc.collect()
    assert thread is not None
    thread.join(PATIENCE)
    assert not thread.is_alive()
    server.until(lambda: not server.pbx.clients)


def test_one_that_was_never_used_leaves_nothing_and_says_nothing() -> None:
    Client("tcp://u:s@127.0.0.1:1")
    gc.collect()
    assert named_thread() is None


def test_a_client_with_handlers_or_streams_goes_on(server: Server) -> None:
    heard = threading.Event()

    def handle() -> Any:
        client = Client(server.url)
        client.connect()
        client.on("event_hangup", lambda conn, packet: heard.set())
        return client._host, client.pool

    host, pool = handle()
    gc.collect()
    server.do(server.pbx.push, HANGUP)
    assert heard.wait(PATIENCE)
    host.reactor.call_soon_threadsafe(pool.finish)
    host.stop()

    def stream() -> Any:
        client = Client(server.url)
        client.connect()
        return client.events("hangup", timeout=PATIENCE).__enter__()

    with stream() as events:
        gc.collect()
        server.do(server.pbx.push, HANGUP)
        assert next(events)["event"] == "Hangup"
        events._client.close()


def named_thread() -> Optional[threading.Thread]:
    return next((thread for thread in threading.enumerate() if thread.name == "ami_client"), None)


def test_all_who_close_wait_for_the_end(server: Server) -> None:
    client = Client(server.url)
    client.connect()
    conn: Any = client.conn
    stream = conn._driver.transport._stream

    def close() -> Any:
        client.close()
        return stream._sock.fileno()

    with ThreadPoolExecutor(4) as threads:
        ends = [threads.submit(close) for _ in range(4)]
        assert [end.result(PATIENCE) for end in ends] == [-1] * 4
    assert named_thread() is None


def test_closing_can_be_interrupted_and_done_again(server: Server) -> None:
    for nth in range(1, 40):
        client = Client(server.url)
        client.connect()
        with suppress(KeyboardInterrupt), Interrupt(nth):
            client.close()
        client.close()
        assert named_thread() is None, nth


def test_closing_ends_a_login_that_is_under_way(server: Server) -> None:
    server.do(server.pbx.mute)
    client = Client(server.url)
    with ThreadPoolExecutor(1) as threads:
        login = threads.submit(client.connect)
        server.until(lambda: server.pbx.clients)
        client.close()
        assert isinstance(login.exception(PATIENCE), ami_client.ConnectionFinished)


def test_a_pool_whose_loop_nobody_runs_is_told_so(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ami_client.blocking, "LOOK", 0.001)
    with Reactor() as reactor:
        pool = Pool(reactor=reactor)
        client = Client(server.url, pool=pool)
        for use in (client.connect, client.__enter__, client.close):
            with pytest.raises(RuntimeError, match="nobody runs the pool's loop: run it in a thread"):
                use()
        reactor.run_once(0)
        client.close()  # it has come to that meanwhile
        assert pool.stats.connections == 0  # and what was given up before was not done
        pool.finish()


def test_a_loop_that_is_blocked_is_waited_for_within_the_limit(server: Server, monkeypatch: Any) -> None:
    monkeypatch.setattr(ami_client.blocking, "LOOK", 0.001)
    pool = Pool(reactor=server.reactor, action_timeout=0.05)
    go_on = threading.Event()
    with Client(server.url, pool=pool) as client:
        server.reactor.call_soon_threadsafe(go_on.wait)
        with pytest.raises(ami_client.ActionTimeout, match="does not come to it"):
            client.action("Originate")
        go_on.set()
        client.ping()
    assert not server.do(server.pbx.requests, "Originate")
    server.do(pool.finish)


def test_a_loop_that_stops_while_an_answer_is_awaited(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ami_client.blocking, "LOOK", 0.01)
    server.do(server.pbx.on, "Ping", None)
    with Reactor() as reactor, ThreadPoolExecutor(1) as threads:
        pool = Pool(reactor=reactor)
        running = threads.submit(reactor.run)
        client = Client(server.url, pool=pool)
        client.connect()
        reactor.call_soon_threadsafe(reactor.call_later, 0.01, reactor.stop)
        with pytest.raises(RuntimeError, match="nobody runs"):
            client.ping()
        running.result(PATIENCE)
        running = threads.submit(reactor.run)
        client.close()
        reactor.call_soon_threadsafe(pool.finish, False, reactor.stop)
        running.result(PATIENCE)
