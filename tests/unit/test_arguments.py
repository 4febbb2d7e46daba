"""Whatever takes a callback refuses at once what could not be called or would do nothing, and nothing has happened."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock

import pytest
from cases import for_each
from cli_pbx import Pbx
from fake_network import URL, Calls, Network, Peer

from ami_client import Connection, aio, blocking

# What takes (conn, packet), by name, with an open connection.
ACTIONS: dict[str, Callable[[Connection, Any], object]] = {
    "action": lambda conn, cb: conn.action("Ping", cb),
    "ping": lambda conn, cb: conn.ping(cb),
    "logoff": lambda conn, cb: conn.logoff(cb),
    "get_sip_peers": lambda conn, cb: conn.get_sip_peers(cb),
    "get_iax_peers": lambda conn, cb: conn.get_iax_peers(cb),
    "get_config": lambda conn, cb: conn.get_config("a.conf", cb),
    "get_config_json": lambda conn, cb: conn.get_config_json("a.conf", cb),
    "set_var": lambda conn, cb: conn.set_var(None, "a", "b", cb),
    "core_show_channels": lambda conn, cb: conn.core_show_channels(cb),
    "status": lambda conn, cb: conn.status(cb),
    "redirect": lambda conn, cb: conn.redirect({}, cb),
    "originate": lambda conn, cb: conn.originate({}, cb),
    "on_result": lambda conn, cb: conn.originate({}, None, on_result=cb),
    "extension_state": lambda conn, cb: conn.extension_state({}, cb),
}

# What takes (conn, packet) or (conn).
CONNECTIONS: dict[str, Callable[[Any, Any], object]] = {
    "get_connection": lambda conn, cb: conn.pool.get_connection(URL, cb),
    "get_connection(cb)": lambda conn, cb: conn.pool.get_connection(cb),
    "on_connected": lambda conn, cb: conn.on_connected(cb),
    "on_login": lambda conn, cb: conn.pool.on_login(cb),
}

BEFORE: dict[str, Callable[[Any, Any], object]] = {
    "before_connect": lambda conn, cb: conn.pool.get_connection("192.0.2.9", before_connect=cb),
}

EVERYWHERE = {**ACTIONS, **CONNECTIONS, **BEFORE}


async def later(*args: object) -> None: ...


def generator(*args: object) -> Iterator[None]:
    yield


class Later:
    async def __call__(self, *args: object) -> None: ...


def needs(conn: object, packet: object, *, needed: int) -> None: ...


def assert_nothing_happened(peer: Peer) -> None:
    peer.network.pump()
    assert peer.sock.take() == b""
    assert len(peer.network.sockets) == 1
    assert peer.conn.stats.pending == 0 and peer.conn.connected
    assert peer.conn.pool is not None
    assert peer.conn.pool.listeners("login") == []  # type: ignore[attr-defined]


@for_each("where", EVERYWHERE)
@pytest.mark.parametrize(
    "cb",
    [later, generator, Later(), functools.partial(later, 1), AsyncMock(), AsyncMock().method, Mock(spec=later)],
    ids=["coroutine function", "generator", "object", "partial", "mock", "its attribute", "mock of one"],
)
def test_what_would_do_nothing_is_refused(peer: Peer, where: str, cb: Any) -> None:
    with pytest.raises(TypeError, match=r"must be a plain function, not a .*: nobody would (await|run) it"):
        EVERYWHERE[where](peer.conn, cb)
    assert_nothing_happened(peer)


@for_each("where", ACTIONS)
@pytest.mark.parametrize("cb", [lambda conn: None, lambda: None, lambda a, b, c: None, needs, [].append])
def test_what_does_not_take_connection_and_packet_is_no_callback_of_an_action(peer: Peer, where: str, cb: Any) -> None:
    what = "on_result" if where == "on_result" else "callback"
    with pytest.raises(TypeError, match=rf"^{what} must take \(conn, packet\), and .* does not$"):
        ACTIONS[where](peer.conn, cb)
    assert_nothing_happened(peer)


@for_each("where", CONNECTIONS)
@pytest.mark.parametrize("cb", [lambda: None, lambda a, b, c: None, needs])
def test_what_takes_neither_is_no_callback_of_a_connection(peer: Peer, where: str, cb: Any) -> None:
    with pytest.raises(TypeError, match=r"^callback must take \(conn, packet\) or \(conn\), and .* does not$"):
        CONNECTIONS[where](peer.conn, cb)
    assert_nothing_happened(peer)


@pytest.mark.parametrize("cb", [lambda: None, lambda conn, packet: None, needs])
def test_what_does_not_take_a_connection_alone_is_no_before_connect(peer: Peer, cb: Any) -> None:
    with pytest.raises(TypeError, match=r"^before_connect must take \(conn\), and .* does not$"):
        BEFORE["before_connect"](peer.conn, cb)
    assert_nothing_happened(peer)


def test_a_wrong_callback_is_told_even_when_the_pool_is_finished(network: Network) -> None:
    pool = network.pool()
    pool.finish()
    with pytest.raises(TypeError):
        pool.get_connection(URL, lambda: None)  # type: ignore[call-overload]  # what the test is about


def test_a_decorated_function_gets_what_its_wrapper_takes(network: Network) -> None:
    got: list[Any] = []

    def decorate(function: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(function)
        def wrapper(conn: Any, packet: Any) -> object:
            return function(conn, packet, "extra")

        return wrapper

    @decorate
    def three(conn: Any, packet: Any, extra: str) -> None:
        got.append((conn, packet["response"], extra))

    pool = network.pool()
    pool.on_login(three)
    pool.get_connection(URL, three, before_connect=lambda conn: conn.on_connected(three))
    peer_conn: list[Connection] = []
    pool.on("connected", peer_conn.append)
    network.answer_login()
    (conn,) = peer_conn
    assert got == [(conn, "success", "extra")] * 3


def test_a_dispatching_method_gets_both(network: Network) -> None:
    got: list[Any] = []

    class Own:
        @functools.singledispatchmethod
        def method(self, conn: Any, packet: Any) -> None:
            got.append(packet["response"])

    peer, own = network.log_in(), Own()
    peer.conn.on_connected(own.method)
    peer.answer(peer.conn.ping(own.method))
    assert got == ["success"] * 2


@pytest.mark.parametrize("mock", [Mock, MagicMock, lambda: MagicMock(spec=lambda conn, packet: None)])
def test_a_mock_gets_both(network: Network, mock: Callable[[], Any]) -> None:
    cb, peer = mock(), network.log_in()
    peer.conn.on_connected(cb)
    peer.conn.on_event(cb)
    peer.say("Event: One")
    peer.answer(peer.conn.ping(cb))
    assert [len(call.args) for call in cb.call_args_list] == [2, 2, 2]
    assert peer.conn.stats.handler_errors == 0


def test_a_list_of_answers_may_be_taken_by_any_that_takes_two(peer: Peer) -> None:
    for cb in (Calls(), lambda conn, packet=None: None, lambda *args: None, functools.partial(lambda a, b, c: None, 1)):
        peer.answer(peer.conn.ping(cb))
    assert peer.conn.stats.handler_errors == 0


# -- values that no action takes

PAIRS = "must be a mapping or a sequence of (name, value) pairs"
HOLDS = "pass str, bytes, int, float, bool or None, a list of these, or a mapping {name: value} of these"

# What may stand for `params`, and what is said of it.
BAD_PARAMS: dict[str, tuple[object, str]] = {
    "a text": ("Channel: PJSIP/1", f"params {PAIRS}, not str"),
    "bytes": (b"Channel: PJSIP/1", f"params {PAIRS}, not bytes"),
    "a number": (7, f"params {PAIRS}, not int"),
    "a bool": (True, f"params {PAIRS}, not bool"),
    "a function": (needs, f"params {PAIRS}, not function"),
    "a class": (dict, f"params {PAIRS}, not type"),
    "names alone": (["Channel"], f"params {PAIRS}; a str is no pair"),
    "a name of two letters": (["ab"], f"params {PAIRS}; a str is no pair"),
    "a set of names": ({"Channel"}, f"params {PAIRS}; a str is no pair"),
    "mappings": ([{"Channel": "x"}], f"params {PAIRS}; a dict is no pair"),
    "a triple": ([("Channel", "x", "y")], f"params {PAIRS}; a tuple is no pair"),
    "numbers": ([1], f"params {PAIRS}; an int is no pair"),
    "no name": ({None: "x"}, "the name of a header must be a str, not NoneType"),
    "a list as name": ([(["X"], "x")], "the name of a header must be a str, not list"),
    "an object": ({"X": object()}, f"header 'X' cannot hold an object: {HOLDS}"),
    "pairs as variables": ({"Variable": [("A", "1")]}, f"header 'Variable' cannot hold a tuple: {HOLDS}"),
    "lists as variables": ({"Variable": [["A", "1"]]}, f"header 'Variable' cannot hold a list: {HOLDS}"),
    "mappings as variables": ({"Variable": [{"A": "1"}]}, f"header 'Variable' cannot hold a dict: {HOLDS}"),
    "a mapping as a variable": ({"Variable": {"A": {"B": "1"}}}, f"header 'Variable' cannot hold a dict: {HOLDS}"),
    "a variable without a name": ({"Variable": {"": "1"}}, "header 'Variable' takes a mapping {name: value}; '' is no"),
    "a variable's name with =": ({"Variable": {"A=B": 1}}, "header 'Variable' takes a mapping {name: value}; 'A=B' is"),
}
WITH_PARAMS = ["originate", "redirect", "extension_state"]

NO_TEXTS = [["a"], {"a": "b"}, 1, 1.5, True, object(), needs]
# What takes a text, by the argument's name: the method, and all its arguments.
TEXTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "get_config": ("get_config", "filename", {}),
    "get_config_json": ("get_config_json", "filename", {}),
    "status": ("status", "channel", {}),
    "set_var's channel": ("set_var", "channel", {"variable": "a", "value": "b"}),
    "set_var's variable": ("set_var", "variable", {"channel": None, "value": "b"}),
}
WRONG: list[tuple[str, dict[str, Any], str]] = [
    *((method, {"params": bad}, said) for method in WITH_PARAMS for bad, said in [*BAD_PARAMS.values()]),
    *(("action", {"action": "X", "params": bad}, said) for bad, said in BAD_PARAMS.values()),
    *((method, {"params": None}, f"params {PAIRS}, not None") for method in WITH_PARAMS),
    *(
        (method, {**others, argument: bad}, f"{argument} must be a str, not {type(bad).__name__}")
        for method, argument, others in TEXTS.values()
        for bad in NO_TEXTS
    ),
    ("get_config", {"filename": None}, "filename must be a str, not NoneType"),
    ("set_var", {"channel": None, "variable": None, "value": "b"}, "variable must be a str, not NoneType"),
    ("set_var", {"channel": None, "variable": " ", "value": "b"}, "set_var needs a variable and a value"),
    ("set_var", {"channel": None, "variable": "a", "value": " "}, "set_var needs a variable and a value"),
    ("set_var", {"channel": None, "variable": "a", "value": ["b"]}, "value must be a str, bytes, int, float or bool"),
    *(("action", {"action": bad}, "an action's name must be a str") for bad in [None, b"Ping", *NO_TEXTS]),
    *(("ping", {"retry": bad}, "retry must be True or False, not ") for bad in [None, 3, "yes", needs]),
    *(("ping", {"timeout": bad}, "timeout must be a number of seconds or None, not ") for bad in ["1", [1], True]),
    *(
        ("action", {"action": "X", "assertion": bad}, "an assertion must be a mapping of header")
        for bad in ["event", [1], 3]
    ),
    *(
        (
            "action",
            {"action": "X", "assertion": {"Event": bad}},
            "an assertion's value must be a str; that of 'Event' is ",
        )
        for bad in [None, ["a"], {}, object()]
    ),
    *(
        ("action", {"action": "X", "quirk": bad}, "quirk must be a Quirk or the name of one of its flags")
        for bad in [["a"], 1]
    ),
]


def refused(call: Callable[[], object], said: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    assert str(caught.value).startswith(said)


@for_each(("method", "arguments", "said"), WRONG)
def test_a_wrong_argument_is_named_and_nothing_is_sent(
    method: str, arguments: dict[str, Any], said: str, peer: Peer
) -> None:
    refused(lambda: getattr(peer.conn, method)(**arguments, cb=None), said)
    assert_nothing_happened(peer)


def test_the_other_fronts_say_the_same(pbx: Pbx) -> None:
    async def awaited() -> None:
        async with aio.Client(pbx.url) as client:
            for method, arguments, said in WRONG:
                refused(functools.partial(getattr(client, method), **arguments), said)

    asyncio.run(awaited())
    with blocking.Client(pbx.url) as client:
        for method, arguments, said in WRONG:
            refused(functools.partial(getattr(client, method), **arguments), said)
    assert set(pbx.server.received_actions) == {"Challenge", "Login", "Logoff"}
