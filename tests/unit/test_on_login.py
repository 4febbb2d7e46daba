"""Pool.on_login: the place to fetch again what was missed; who is told of a login, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

import pytest
from fake_network import URL, Calls, Network, Peer
from outage import Daemon
from server_texts import REFUSAL

from ami_client import Connection, Packet, Pool
from ami_client.errors import ConnectionFinished

ExpectLog = Callable[[str], None]
MakeDaemon = Callable[..., Daemon]


def test_it_runs_after_each_login_with_the_servers_answer(daemon: Daemon) -> None:
    told: list[tuple[Connection, Any]] = []
    daemon.pool.on_login(lambda conn, packet: told.append((conn, packet["message"])))
    for _ in range(3):
        daemon.lose()
        daemon.come_back()
    assert told == [(conn, "authentication accepted") for conn in daemon.conns[1:]]


def test_it_runs_at_the_first_login_too_and_without_reconnect(network: Network) -> None:
    pool, calls = network.pool(), Calls()
    pool.on_login(calls)
    pool.get_connection(URL)
    network.answer_login()
    assert len(calls) == 1


def test_a_refused_login_is_none(network: Network) -> None:
    pool, calls = network.pool(), Calls()
    pool.on_login(calls)
    pool.get_connection(URL)
    network.answer_login(REFUSAL)
    assert calls == []


def test_it_serves_every_server(network: Network) -> None:
    pool, hosts = network.pool(), []
    pool.on_login(lambda conn: hosts.append(conn.host))
    for host in ("192.0.2.1", "192.0.2.2"):
        pool.get_connection(host)
        network.answer_login()
    assert hosts == ["192.0.2.1", "192.0.2.2"]


class Handlers:
    """Handlers in many shapes; each keeps what it was called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def one(self, conn: Connection) -> None:
        self.calls.append((conn,))

    def two(self, conn: Connection, packet: Any) -> None:
        self.calls.append((conn, packet["response"]))

    def with_default(self, conn: Connection, packet: Any = None) -> None:
        self.calls.append((conn, packet["response"]))

    def any_number(self, *args: Any) -> None:
        self.calls.append((args[0], args[1]["response"]))


@pytest.mark.parametrize(
    ("name", "both"), [("one", False), ("two", True), ("with_default", True), ("any_number", True)]
)
def test_with_room_for_one_argument_it_gets_the_connection_alone(daemon: Daemon, name: str, both: bool) -> None:
    handlers = Handlers()
    daemon.pool.on_login(getattr(handlers, name))
    daemon.lose()
    daemon.come_back()
    assert handlers.calls == [(daemon.conn, "success") if both else (daemon.conn,)]


@pytest.mark.parametrize("name", ["one", "two"])
@pytest.mark.parametrize("way", ["off", "unbind", "all"])
def test_it_can_be_taken_away(daemon: Daemon, name: str, way: str) -> None:
    handlers = Handlers()
    cb = getattr(handlers, name)
    assert daemon.pool.on_login(cb) is cb
    if way == "all":
        daemon.pool.off("login")
    else:
        getattr(daemon.pool, way)("login", getattr(handlers, name))  # an equal one: methods are made anew each time
    daemon.lose()
    daemon.come_back()
    assert handlers.calls == []


def test_the_same_handler_is_bound_once(daemon: Daemon) -> None:
    handlers = Handlers()
    for _ in range(2):
        daemon.pool.on_login(handlers.one)
        daemon.pool.on_login(handlers.two)
    daemon.lose()
    daemon.come_back()
    assert len(handlers.calls) == 2


def test_as_a_decorator_it_leaves_the_function_as_it_was(network: Network) -> None:
    pool = network.pool()

    @pool.on_login
    def fetch(conn: Connection) -> str:
        return "fetched"

    assert fetch(Connection) == "fetched"  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [None, 1, "name"])
def test_what_cannot_be_called_is_a_type_error(network: Network, wrong: Any) -> None:
    with pytest.raises(TypeError, match="callable"):
        network.pool().on_login(wrong)


def test_a_coroutine_function_is_a_type_error(network: Network) -> None:
    async def fetch(conn: Connection) -> None: ...

    with pytest.raises(TypeError, match="coroutine"):
        network.pool().on_login(fetch)


def test_it_has_its_php_name(network: Network) -> None:
    calls = Calls()
    network.pool().onLogin(calls)  # type: ignore[attr-defined]


# The order


def test_the_order_handlers_then_retried_actions_then_callbacks_then_connected(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(maxconnperserv=1).start()
    order: list[str] = []

    def note(what: str, action: str) -> Callable[..., None]:
        def callback(conn: Connection, packet: Optional[Packet] = None) -> None:
            order.append(what)
            conn.action(action)

        return callback

    daemon.conn.action("Again", lambda conn, packet: None, retry=True)
    daemon.pool.on_login(note("login", "Fetch"))
    daemon.pool.on("connected", note("connected", "Connected"))
    daemon.lose()
    for name in ("one", "two"):
        daemon.pool.get_connection(
            URL,
            note(name, f"Callback {name}"),
            before_connect=lambda conn: conn.action("Early", None),
        )
    daemon.network.answer_login()
    assert order == ["login", "one", "connected", "two"]  # the second waited for a connection that is free
    sent = [line for line in daemon.network.sockets[1].take().decode().split("\r\n") if line.startswith("Action: ")]
    names = [line.partition(": ")[2] for line in sent]
    assert names == ["Early", "Fetch", "Again", "Callback one", "Connected", "Callback two"]


def test_handlers_of_the_connection_come_before_the_pools(network: Network) -> None:
    pool, order = network.pool(), []
    pool.on_login(lambda conn, packet: order.append("pool"))
    before = [lambda conn, packet: order.append("own")]
    pool.get_connection(URL, before_connect=lambda conn: conn.bind("login", before[0]))
    network.answer_login()
    assert order == ["own", "pool"]


def test_answers_to_what_it_sends_come_as_always(daemon: Daemon) -> None:
    answers = Calls()
    ids: list[str] = []
    daemon.pool.on_login(lambda conn: ids.append(conn.ping(answers)))
    daemon.lose()
    sock = daemon.come_back()
    Peer(daemon.network, daemon.conn, sock).answer(ids[0])
    assert [packet["response"] for packet in answers] == ["success"]


def test_the_connection_is_logged_in_and_nobody_elses_meanwhile(daemon: Daemon) -> None:
    seen: list[tuple[bool, bool]] = []
    got: list[Connection] = []

    def look(conn: Connection) -> None:
        seen.append((conn.connected, conn.finished))
        conn.acquire()

    daemon.pool.on_login(look)
    daemon.lose()
    daemon.come_back()
    assert seen == [(True, False)]
    daemon.pool.get_connection(URL, got.append)
    assert got == []  # acquired by the handler: who asks gets another one
    daemon.conn.release()
    daemon.pool.get_connection(URL, got.append)
    assert got == [daemon.conns[1]]


# Handlers that misbehave


def explode(*args: object) -> None:
    raise RuntimeError("the user's bug")


def test_one_that_raises_is_logged_and_the_others_are_told(daemon: Daemon, expect_log: ExpectLog) -> None:
    expect_log("ERROR: callback .*explode raised")
    after, callback = Calls(), Calls()
    daemon.pool.on_login(explode)
    daemon.pool.on_login(after)
    daemon.lose()
    daemon.pool.get_connection(URL, callback)
    daemon.network.answer_login()
    assert (len(after), len(callback)) == (1, 1) and daemon.told[-1] == "connected"
    assert daemon.pool.stats.handler_errors == 1


def test_true_stops_the_other_handlers_and_nothing_else(daemon: Daemon) -> None:
    after, callback = Calls(), Calls()
    daemon.pool.on_login(lambda conn: True)
    daemon.pool.on_login(after)
    daemon.lose()
    daemon.pool.get_connection(URL, callback)
    daemon.network.answer_login()
    assert (len(after), len(callback)) == (0, 1) and daemon.told[-1] == "connected"


@pytest.mark.parametrize("end", ["finish", "close", "graceful_shutdown", "pool"])
def test_one_that_finishes_leaves_nobody_waiting(make_daemon: MakeDaemon, end: str) -> None:
    daemon, calls, retried, after = make_daemon(maxconnperserv=1).start(), Calls(), Calls(), Calls()
    first = daemon.conn
    first.ping(retried, retry=True, timeout=float("inf"))

    def final(conn: Connection) -> None:
        daemon.pool.off("login", final)
        daemon.pool.finish() if end == "pool" else getattr(conn, end)()

    daemon.pool.on_login(final)
    daemon.pool.on_login(after)
    daemon.lose()
    daemon.pool.get_connection(URL, calls)
    daemon.network.answer_login()
    assert [type(packet.error) for packet in calls] == [ConnectionFinished]
    assert [type(packet.error) for packet in retried] == [ConnectionFinished]
    assert daemon.told[-1] == "disconnect" and daemon.open_sockets == []
    assert len(after) == 1 or after == []


def test_a_pool_of_its_own_class_has_it_too(network: Network) -> None:
    class Own(Pool):
        """Users may subclass it."""

    pool, calls = Own(reactor=network.reactor, authtype="plain"), Calls()
    pool.on_login(calls)
    pool.get_connection(URL)
    network.answer_login()
    assert len(calls) == 1
