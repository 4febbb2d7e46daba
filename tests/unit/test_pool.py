"""Pool: connections by URL, and who gets one when."""

from __future__ import annotations

import functools
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any, Callable
from unittest import mock

import pytest
from fake_network import URL, Calls, Network

from ami_client import Connection, Packet, Pool, Reactor
from ami_client.errors import ConnectFailed, ConnectionFinished, NoServer
from ami_client.testing import FakeSocket

ExpectLog = Callable[[str], None]


@pytest.fixture
def default(network: Network) -> Iterator[None]:
    """The registries of named pools and of the default reactor, empty for one test."""
    with mock.patch.object(Pool, "_instances", {}), mock.patch.object(Reactor, "_default", network.reactor):
        yield


# Forms of get_connection


def forms() -> dict[str, Callable[[Pool, Any], bool]]:
    return {
        "url, cb": lambda pool, cb: pool.get_connection(URL, cb),
        "None, cb": lambda pool, cb: pool.get_connection(None, cb),
        "cb": lambda pool, cb: pool.get_connection(cb),
        "cb, None, pri": lambda pool, cb: pool.get_connection(cb, None, 5),
        "cb, pri=": lambda pool, cb: pool.get_connection(cb, pri=5),
        "keywords": lambda pool, cb: pool.get_connection(url=URL, cb=cb, pri=1),
        "PHP": lambda pool, cb: pool.getConnection(URL, cb),
        "PHP, short": lambda pool, cb: pool.getConnection(cb),
    }


@pytest.mark.parametrize("form", forms())
def test_every_form_gets_a_connection(network: Network, form: str) -> None:
    calls = Calls()
    pool = network.pool(server=URL)
    assert forms()[form](pool, calls) is True
    assert (network.sockets, calls) == ([], [])  # nothing happens before the loop runs
    network.answer_login()
    (packet,) = calls
    assert packet["response"] == "success"


@pytest.mark.parametrize("php", [False, True])
def test_on_the_class_it_is_the_default_instances(network: Network, default: None, php: bool) -> None:
    got: list[Connection] = []
    method = Pool.getConnection if php else Pool.get_connection  # type: ignore[attr-defined]
    assert method(URL, got.append) is True
    network.pump()
    network.sockets[0].eof()
    network.pump()
    assert got[0].pool is Pool.get_instance()


def test_no_callback_opens_a_connection_all_the_same(network: Network) -> None:
    pool = network.pool(server=URL)
    assert pool.get_connection() is True
    network.answer_login()
    got: list[Connection] = []
    pool.get_connection(got.append)
    assert got[0].connected and len(network.sockets) == 1


def test_no_server_fails_the_callback_and_returns_false(network: Network) -> None:
    got: list[tuple[Connection, Packet]] = []
    pool = network.pool()
    assert pool.get_connection(lambda conn, packet: got.append((conn, packet))) is False
    assert pool.get_connection() is False
    ((conn, packet),) = got
    assert (conn.connected, conn.finished, type(conn.error)) == (False, True, NoServer)
    assert packet.error is conn.error and isinstance(conn.error, ConnectFailed)
    with pytest.raises(ConnectionFinished):
        conn.ping(None)
    assert network.sockets == []


@pytest.mark.parametrize("arguments", [(URL, "cb"), (7,), (URL, None, 0, "before"), (print, print), (print, 5)])
def test_mistakes_raise(network: Network, arguments: Any) -> None:
    with pytest.raises(TypeError):
        network.pool(server=URL).get_connection(*arguments)
    assert network.sockets == []


@pytest.mark.parametrize("url", ["ftp://x", "tcp://joe:hush@", "tcp://joe:hush@h:99999", "h#timeout=x"])
def test_a_malformed_url_raises_without_its_secret(network: Network, url: str) -> None:
    with pytest.raises(ValueError) as caught:
        network.pool().get_connection(url, Calls())
    assert "hush" not in str(caught.value)


# Which server


def addresses(network: Network) -> Counter[str]:
    network.pump()
    return Counter(sock.address[0] for sock in network.sockets)  # type: ignore[index]


def test_the_option_server_comes_first(network: Network) -> None:
    pool = network.pool(server="192.0.2.1", servers="192.0.2.2")
    pool.get_connection(Calls())
    pool.get_connection("192.0.2.3", Calls())
    assert addresses(network) == {"192.0.2.1": 1, "192.0.2.3": 1}


@pytest.mark.parametrize("servers", ["192.0.2.1, 192.0.2.2", ["192.0.2.1", "192.0.2.2"]])
def test_one_of_servers_by_chance(network: Network, servers: object) -> None:
    random.seed(7)
    pool = network.pool(servers=servers)
    for _ in range(40):
        pool.get_connection(Calls())
    found = addresses(network)
    assert set(found) == {"192.0.2.1", "192.0.2.2"} and min(found.values()) > 5


def test_weights(network: Network) -> None:
    random.seed(7)
    pool = network.pool(maxconnperserv=1000)
    pool.add_server("192.0.2.1", 9)
    pool.addServer("192.0.2.2")  # type: ignore[attr-defined]
    for _ in range(200):
        pool.get_connection(Calls())
    network.wait(3)  # they set out in groups
    found = addresses(network)
    assert 150 < found["192.0.2.1"] < 199


@pytest.mark.parametrize("weight", [0, -1, float("nan")])
def test_a_weight_is_more_than_nothing(network: Network, weight: float) -> None:
    with pytest.raises(ValueError):
        network.pool().add_server("192.0.2.1", weight)


def test_malformed_servers_raise_at_once(network: Network) -> None:
    for options in ({"server": "ftp://x"}, {"servers": "192.0.2.1,ftp://x"}):
        with pytest.raises(ValueError):
            network.pool(**options)
    with pytest.raises(ValueError):
        network.pool().add_server("ftp://x")


def test_the_url_is_the_key(network: Network) -> None:
    pool = network.pool()
    for url in ("192.0.2.1", "192.0.2.1/", "192.0.2.1#timeout=7"):
        pool.get_connection(url, Calls())
        network.answer_login()
    assert len(network.sockets) == 3


# Before connecting


def test_before_connect_runs_once_and_before_anything_is_sent(network: Network) -> None:
    pool = network.pool()
    log: list[object] = []

    def before(conn: Connection) -> None:
        log.append((conn.connected, list(network.sockets)))
        conn.bind("connected", lambda conn: log.append("connected"))

    pool.get_connection(URL, lambda conn: log.append("cb"), before_connect=before)
    network.answer_login()
    assert log == [(False, []), "cb", "connected"]
    pool.get_connection(URL, lambda conn: log.append("again"), before_connect=before)
    assert log[3:] == ["again"]  # a free connection was there: none was opened


def test_before_connect_that_raises_or_finishes(network: Network, expect_log: ExpectLog) -> None:
    expect_log("ERROR: callback .* raised")
    calls, others = Calls(), Calls()
    pool = network.pool()
    pool.get_connection(URL, calls, before_connect=lambda conn: conn.no_such_thing)
    network.answer_login()
    assert calls[0].error is None
    pool.get_connection("192.0.2.9", others, before_connect=lambda conn: conn.finish())
    network.pump()
    assert type(others[0].error) is ConnectionFinished and len(network.sockets) == 1


def test_before_connect_that_is_interrupted_loses_no_slot(network: Network) -> None:
    def interrupt(conn: Connection) -> None:
        raise KeyboardInterrupt

    calls = Calls()
    pool = network.pool(maxconnperserv=1)
    with pytest.raises(KeyboardInterrupt):
        pool.get_connection(URL, calls, before_connect=interrupt)
    pool.get_connection(URL, calls)
    network.answer_login()
    assert [packet.error for packet in calls] == [None, None]


# Instances and the reactor


def test_named_instances(network: Network, default: None) -> None:
    assert Pool.get_instance() is Pool.get_instance("default") is Pool.get_instance("")
    assert Pool.get_instance("x") is Pool.getInstance("x")  # type: ignore[attr-defined]
    assert Pool.get_instance("x") is not Pool.get_instance()
    made = Pool.get_instance({"maxconnperserv": 3})
    assert made.options.maxconnperserv == 3 and made is not Pool.get_instance({})
    old = Pool.get_instance("x")
    old.finish()
    assert Pool.get_instance("x") is not old
    with pytest.raises(TypeError):
        Pool.get_instance(7)  # type: ignore[arg-type]


def test_a_subclass_has_instances_of_its_own(network: Network, default: None) -> None:
    made: list[Pool] = []

    class Mine(Pool):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    assert made == []  # to define a class makes no instance
    assert type(Pool.get_instance()) is Pool
    assert type(Mine.get_instance()) is Mine


def test_the_reactor_is_the_default_one_unless_given(network: Network) -> None:
    assert network.pool().reactor is network.reactor
    with mock.patch.object(Reactor, "_default", None):
        pool = Pool()
        assert Reactor._default is None  # a constructor makes nothing
        assert pool.reactor is Reactor.instance() is pool.reactor
        Reactor.instance().close()


def test_options_by_mapping_and_keyword(network: Network) -> None:
    pool = Pool({"port": 99, "timeout": 7}, reactor=network.reactor, port=98)
    assert (pool.options.port, pool.options.timeout) == (98, 7)
    with pytest.raises(TypeError, match="maxconnperserv"):
        Pool(maxconperserv=1)


# The shapes that a callback may have


class Owner:
    def __init__(self) -> None:
        self.got: list[Any] = []

    def one(self, conn: object) -> None:
        self.got.append((conn,))

    def two(self, conn: object, packet: object) -> None:
        self.got.append((conn, packet))

    def extra(self, name: str, conn: object) -> None:
        self.got.append((conn,))

    def any(self, *args: object) -> None:
        self.got.append(args)

    def default(self, conn: object, packet: object = None) -> None:
        self.got.append((conn, packet))

    def keyword(self, conn: object, *, packet: object = None) -> None:
        self.got.append((conn,))

    __call__ = two


SHAPES: dict[str, tuple[Callable[[Owner], Any], int]] = {
    "method, one": (lambda owner: owner.one, 1),
    "method, two": (lambda owner: owner.two, 2),
    "instance": (lambda owner: owner, 2),
    "partial, one": (lambda owner: functools.partial(owner.extra, "x"), 1),
    "partial, two": (lambda owner: functools.partial(owner.two), 2),
    "any number": (lambda owner: owner.any, 2),
    "default": (lambda owner: owner.default, 2),
    "keyword only": (lambda owner: owner.keyword, 1),
    "lambda, one": (lambda owner: lambda conn: owner.one(conn), 1),
    "lambda, two": (lambda owner: lambda conn, packet: owner.two(conn, packet), 2),
    "lambda, default": (lambda owner: lambda conn, x=1: owner.two(conn, x), 2),
    "builtin, one": (lambda owner: owner.got.append, 1),
    "mock": (lambda owner: mock.Mock(side_effect=owner.any), 2),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("way", ["get_connection", "on_connected"])
def test_callbacks_get_what_they_have_room_for(network: Network, shape: str, way: str) -> None:
    make, count = SHAPES[shape]
    owner = Owner()
    pool = network.pool()
    if way == "get_connection":
        pool.get_connection(URL, make(owner))
    else:
        pool.get_connection(URL, None, 0, lambda conn: conn.on_connected(make(owner)))
    network.answer_login()
    (got,) = owner.got
    arguments = got if isinstance(got, tuple) else (got,)
    assert len(arguments) == count and isinstance(arguments[0], Connection)
    if count == 2:
        assert isinstance(arguments[1], Packet)


def test_a_builtin_with_room_for_any_number(network: Network, capsys: pytest.CaptureFixture[str]) -> None:
    network.pool().get_connection(URL, print)
    network.answer_login()
    assert capsys.readouterr().out.startswith("tcp://joe@192.0.2.1:5038 {'response': 'success'")


@pytest.mark.parametrize(
    ("url", "error"),
    [
        (f"tcp://joe:{'hush' * 300}@192.0.2.1", ValueError),  # no line for the server holds it
        (f"tcp://{'joe' * 400}:hush@192.0.2.1", ValueError),
        (["tcp://joe:hush@192.0.2.1"], TypeError),
        (b"tcp://joe:hush@192.0.2.1", TypeError),
    ],
)
def test_what_could_never_log_in_raises_at_once(network: Network, url: Any, error: type[Exception]) -> None:
    pool, calls = network.pool(), Calls()
    with pytest.raises(error) as caught:
        pool.get_connection(url, calls)
    pool.finish()
    assert (calls, network.sockets) == ([], [])
    assert "hush" not in repr(caught.value)


# As users test: with a patched socket.socket


def test_patched_sockets(network: Network) -> None:
    sock, calls = FakeSocket(), Calls()
    with mock.patch("socket.socket", return_value=sock) as made:
        pool = network.pool()
        pool.get_connection(URL, calls)
        network.pump()
    made.assert_called_once()
    assert sock.address == ("192.0.2.1", 5038)
    sock.feed(b"Asterisk Call Manager/5.0.4\r\nResponse: Success\r\n\r\n")
    network.pump()
    assert len(calls) == 1 and sock.take().startswith(b"Action: login\r\n")
    pool.finish()
    assert sock.closed


def test_the_class_itself_may_stand_in_for_sockets(network: Network) -> None:
    with mock.patch("socket.socket", FakeSocket):
        calls = Calls()
        network.pool(connect_timeout=None, login_timeout=3, timeout=None).get_connection(URL, calls)
        network.wait(4)
    assert len(calls) == 1
