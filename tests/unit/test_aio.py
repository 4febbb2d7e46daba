"""The asyncio client: actions, login, outages, cancellation, streams of events, shared pools."""

from __future__ import annotations

import asyncio
import gc
import inspect
import pickle
import sys
from collections.abc import Awaitable, Coroutine
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Callable, Optional

import anyio
import pytest
from cases import for_each
from children import in_child

import ami_client
from ami_client import Connection, Packet, Pool, Reactor
from ami_client.actions import Actions
from ami_client.aio import Client, Events, Gap
from ami_client.testing import FakeAsterisk

Test = Callable[[FakeAsterisk], Coroutine[Any, Any, None]]

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.SelectorEventLoop}
if find_spec("uvloop"):  # not on Windows
    LOOPS["uvloop"] = import_module("uvloop").new_event_loop


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Any:
    """Runs a test on a loop, with a fake server, and insists that it leaves nothing behind."""

    def run(test: Test, **options: Any) -> None:
        async def main() -> None:
            loop = asyncio.get_running_loop()
            complaints: list[Any] = []
            loop.set_exception_handler(lambda loop, context: complaints.append(context))
            with FakeAsterisk(loop, **options) as pbx:
                await asyncio.wait_for(test(pbx), 10)
            gc.collect()
            await asyncio.sleep(0)
            assert complaints == []
            assert asyncio.all_tasks() == {asyncio.current_task()}

        loop = LOOPS[request.param]()
        try:
            loop.run_until_complete(main())
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()

    return run


async def until(done: Callable[[], object]) -> None:
    while not done():
        await asyncio.sleep(0.001)


async def error_of(awaited: Awaitable[Any]) -> BaseException:
    """What awaiting it raises."""
    with pytest.raises(BaseException) as caught:
        await awaited
    return caught.value


HANGUP = {"Event": "Hangup", "Cause": "16"}


# -- actions


DOCUMENTED: dict[str, tuple[Any, ...]] = {
    "get_sip_peers": (),
    "get_iax_peers": (),
    "get_config": ("sip.conf",),
    "get_config_json": ("sip.conf",),
    "set_var": (None, "X", "1"),
    "core_show_channels": (),
    "status": (),
    "redirect": ({"Channel": "Local/101@office", "Context": "office", "Exten": "101", "Priority": 1},),
    "extension_state": ({"Exten": "101", "Context": "office"},),
    "ping": (),
}


def test_every_documented_action_gives_what_its_callback_gets(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client:
            for name, arguments in DOCUMENTED.items():
                heard: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

                def answered(conn: Connection, result: Any, heard: asyncio.Future[Any] = heard) -> None:
                    heard.set_result(result)

                conn: Any = client.conn
                getattr(conn, name)(*arguments, answered)
                expected = await heard
                last = expected[-1] if isinstance(expected, list) else expected
                if last.error is not None:
                    assert str(await error_of(getattr(client, name)(*arguments))) == str(last.error)
                else:
                    got = await getattr(client, name)(*arguments)
                    assert type(got) is type(expected)
                    assert len(got) == len(expected)

    run(test)


def test_names_parameters_and_defaults_are_those_of_the_callback_methods() -> None:
    for name in [*DOCUMENTED, "originate", "logoff", "action"]:
        ours = inspect.signature(getattr(Client, name)).parameters
        theirs = inspect.signature(getattr(Actions, name)).parameters
        assert [(one.name, one.default, one.kind) for one in ours.values()] == [
            (one.name, one.default, one.kind) for one in theirs.values() if one.name not in ("cb", "on_result")
        ]


def test_help_tells_what_awaiting_gives() -> None:
    assert inspect.signature(Client.status).return_annotation == "Answer[list[Packet]]"
    assert inspect.signature(Client.ping).return_annotation == "Answer[Packet]"


def test_values_keep_their_case_and_lists_are_whole(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client:
            answer = await client.action("QueueStatus")
            assert answer["response"] == "Success" and len(answer.events) > 1
            packets = await client.action("QueueStatus", assertion={"Event": "QueueStatusComplete"})
            assert [packets[0]["response"], packets[-1]["event"]] == ["Success", "QueueStatusComplete"]
            assert (await client.command("core show uptime"))[0].startswith("System uptime")

    run(test)


def test_originate_waits_for_the_call(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client:
            result = await client.originate({"Channel": "Local/101@office", "Application": "Echo"})
            assert result["event"] == "OriginateResponse" and result["response"] == "Success"
            error = await error_of(client.originate({"Channel": "Local/nobody@office", "Application": "Echo"}))
            assert isinstance(error, ami_client.ActionFailed)

    run(test)


def test_an_error_of_the_server_is_raised(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client:
            assert isinstance(await error_of(client.action("Nothing")), ami_client.ActionFailed)
            assert isinstance(await error_of(client.command("x", timeout=0.01)), ami_client.ActionTimeout)

            asked = client.action("QueueReset", {"Queue": "none"})
            error: Any = await error_of(asked)
            assert error.action == "QueueReset" and error.action_id == asked.action_id == error.packet["actionid"]
            assert error.packet["message"] == str(error) and error.reason is None

            error = await error_of(client.originate({"Channel": "Local/nobody@office", "Application": "Echo"}))
            assert error.action == "Originate" and error.packet["event"] == "OriginateResponse"
            assert str(error.reason) == error.packet["reason"]

            error = await error_of(client.status("none", timeout=5))
            assert error.action == "Status" and error.packet["response"] == "Error"

            again = pickle.loads(pickle.dumps(error))  # as Celery does
            assert (str(again), vars(again)) == (str(error), vars(error))

    def silent(pbx: FakeAsterisk) -> Any:
        pbx.on("Command", None)
        return test(pbx)

    run(silent)


def test_a_mistake_raises_at_once_and_sends_nothing(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client:
            sent = len(pbx.received)
            with pytest.raises(ValueError, match="CR, LF"):
                client.action("X", {"A": "b\r\nc"})
            with pytest.raises(TypeError):
                client.action("X", 3)  # type: ignore[call-overload]
            with pytest.raises(ValueError, match="timeout"):
                client.ping(timeout=-1)
            await client.ping()
            assert len(pbx.received) == sent + 1

    run(test)


def test_each_task_gets_an_error_of_its_own(run: Any) -> None:
    """The traceback of a shared one would grow with each task that raises it."""

    async def test(pbx: FakeAsterisk) -> None:
        pbx.on("Ping", None)
        async with Client(pbx.url) as client:
            pings = [client.ping() for _ in range(3)]
            await until(lambda: len(pbx.requests("Ping")) == 3)
            pbx.drop()
            errors = [await error_of(one) for one in pings]
            assert {type(one) for one in errors} == {ami_client.ConnectionLost}
            assert len({id(one) for one in errors}) == 3

    run(test)


def test_a_thousand_tasks_share_a_client(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client:

            async def work(number: int) -> str:
                value = f"v{number}"
                await client.set_var(None, f"V{number}", value)
                return (await client.action("Getvar", {"Variable": f"V{number}"}))["value"]

            values = await asyncio.gather(*(work(number) for number in range(1000)))
            assert values == [f"v{number}" for number in range(1000)]
            assert client.pool.stats.pending == 0

    run(test)


class Counting:
    """Counts the calls of one method of something."""

    def __init__(self, counted: Any, name: str) -> None:
        self._counted = counted
        self._name = name
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        self.calls += name == self._name
        return getattr(self._counted, name)


def test_tasks_share_a_system_call_and_a_single_one_needs_no_iteration_for_it(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client:
            conn: Any = client.conn
            driver = conn._driver
            stream = driver.transport._stream
            sock = stream._sock = Counting(stream._sock, "send")
            loop = driver._loop = Counting(driver._loop, "call_soon")
            for _ in range(10):
                await client.ping()
            assert (sock.calls, loop.calls) == (10, 0)
            await asyncio.gather(*[client.ping() for _ in range(50)])
            assert (sock.calls, loop.calls) == (12, 1)

    run(test)


def test_an_answer_can_be_given_to_everything_that_takes_awaitables(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client:
            loop = asyncio.get_running_loop()
            assert (await loop.create_task(client.ping()))["ping"] == "Pong"
            assert (await asyncio.ensure_future(client.ping()))["ping"] == "Pong"
            assert len(await asyncio.gather(client.ping(), client.ping())) == 2
            assert (await asyncio.wait_for(client.ping(), 5))["ping"] == "Pong"
            assert (await asyncio.shield(client.ping()))["ping"] == "Pong"
            with anyio.fail_after(5):
                assert (await client.ping())["ping"] == "Pong"
            if sys.version_info >= (3, 11):
                async with asyncio.TaskGroup() as group:
                    task = group.create_task(client.ping())
                assert task.result()["ping"] == "Pong"

    run(test)


def test_a_task_made_of_an_answer_raises_and_is_cancelled_as_others(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        pbx.on("Command", None)
        async with Client(pbx.url) as client:
            loop = asyncio.get_running_loop()
            failed = loop.create_task(client.action("Nothing"))
            assert isinstance(await error_of(failed), ami_client.ActionFailed)
            waiting = loop.create_task(client.command("x"))
            await asyncio.sleep(0)
            waiting.cancel()
            assert isinstance(await error_of(waiting), asyncio.CancelledError)
            assert client.pool.stats.pending == 0
            unawaited = client.action("Getvar", {"Variable": "X"})
            unawaited.close()

    run(test)


# -- login and end


@for_each(
    ("make", "error"),
    [
        (lambda pbx: Client(pbx.url.replace("secret", "wrong")), ami_client.LoginRefused),
        (lambda pbx: Client("tcp://u:s@127.0.0.1:1"), ami_client.ConnectFailed),
        (lambda pbx: Client("tcp://u:s@127.0.0.1:1", reconnect=5), ami_client.ConnectFailed),
        (lambda pbx: Client(), ami_client.NoServer),
        (lambda pbx: (pbx.mute(), Client(pbx.url, login_timeout=0.01))[1], ami_client.LoginTimeout),
    ],
)
def test_entering_raises_why_there_is_no_login(run: Any, make: Any, error: type[Exception], expect_log: Any) -> None:
    expect_log("connecting again")

    async def test(pbx: FakeAsterisk) -> None:
        client = make(pbx)
        with pytest.raises(error):
            async with client:
                raise AssertionError("it entered")
        assert not client.connected and client.pool.finished

    run(test)


def test_leaving_waits_for_the_end_of_the_socket(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client:
            conn = client.conn
            assert conn is not None and client.connected
            stream: Any = conn._driver.transport._stream
        assert stream._sock.fileno() == -1
        assert not client.connected and conn.finished
        assert isinstance(await error_of(client.wait_connected()), ami_client.ConnectionFinished)
        with pytest.raises(ami_client.ConnectionFinished):
            client.ping()
        await client.close()
        await until(lambda: "Logoff" in pbx.received_actions)

    run(test)


def test_close_fails_what_is_open_and_ends_streams(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        pbx.on("Ping", None)
        client = Client(pbx.url)
        await client.connect()
        ping = client.ping()
        stream = client.events("hangup")
        await stream.__aenter__()
        pbx.push(HANGUP)
        await until(lambda: client.pool.stats.events >= 2)
        await asyncio.gather(client.close(), client.close(graceful=False))
        assert isinstance(await error_of(ping), ami_client.ConnectionFinished)
        assert [item["event"] async for item in stream if isinstance(item, Packet)] == ["Hangup"]

    run(test)


def test_a_client_can_be_made_before_there_is_a_loop(run: Any) -> None:
    heard: list[str] = []
    client = Client(server="tcp://u:s@127.0.0.1:1")

    @client.on("event_hangup")
    async def hung_up(conn: Connection, event: Packet) -> None:
        heard.append(event["cause"])

    async def test(pbx: FakeAsterisk) -> None:
        nonlocal client
        client = Client(pbx.url)
        client.on("event_hangup", hung_up)
        async with client:
            pbx.push(HANGUP)
            await until(lambda: heard)

    run(test)


@for_each(
    ("arguments", "error", "text"),
    [
        ({"url": "tcp://pbx:x"}, ValueError, "port"),
        ({"attempt_timeout": 2}, TypeError, "action_timeout"),
        ({"pool": Pool(), "reconnect": 2}, TypeError, "set these options on the pool: reconnect"),
    ],
)
def test_a_mistake_is_told_when_the_client_is_made(arguments: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        Client(**arguments)


def test_the_defaults_that_differ_from_a_pool_s() -> None:
    client = Client("tcp://pbx")
    assert (client.pool.options.port, client.pool.options.fold_case) == (5038, False)


def test_an_action_before_the_login_is_a_mistake_that_is_told(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        client = Client(pbx.url)
        with pytest.raises(RuntimeError, match="connect"):
            client.ping()
        await client.close()

    run(test)


# -- outages


def test_an_action_waits_for_the_next_login(run: Any, expect_log: Any) -> None:
    expect_log("connecting again")

    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url, reconnect=0.01, reconnect_max=0.02) as client:
            pbx.close()
            await until(lambda: not client.connected)
            ping = client.ping()
            pbx.start()
            assert (await ping)["ping"] == "Pong"
            assert client.connected

    run(test, port=0)


def test_it_waits_no_longer_than_its_timeout(run: Any, expect_log: Any) -> None:
    expect_log("connecting again")

    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url, reconnect=0.01, reconnect_max=0.02, action_timeout=0.05) as client:
            pbx.close()
            await until(lambda: not client.connected)
            assert isinstance(await error_of(client.ping(timeout=0.01)), ami_client.ActionTimeout)
            assert isinstance(await error_of(client.ping()), ami_client.ActionTimeout)
            assert isinstance(await error_of(client.wait_connected(0.01)), ami_client.ConnectTimeout)
            assert client.error is None

    run(test)


def test_without_reconnect_a_loss_is_raised_until_it_connects_again(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client:
            pbx.drop()
            await until(lambda: client.error)
            assert isinstance(client.error, ami_client.ConnectionLost)
            with pytest.raises(ami_client.ConnectionLost):
                client.ping()
            await client.connect()
            assert (await client.ping())["ping"] == "Pong" and client.error is None

    run(test)


def test_waiting_for_the_login_survives_failed_attempts_and_ends_with_a_refusal(run: Any, expect_log: Any) -> None:
    expect_log("connecting again")
    expect_log("ERROR: .*not opened again")

    async def test(pbx: FakeAsterisk) -> None:
        pbx.close()
        client = Client(pbx.url, reconnect=0.01, reconnect_max=0.02)
        waiting = asyncio.ensure_future(client.wait_connected())
        await until(lambda: client.pool.stats.reconnects >= 2)
        assert not waiting.done()
        pbx.start()
        await waiting
        pbx.refuse_logins()
        pbx.drop()
        await until(lambda: client.error)
        error = await error_of(client.wait_connected(5))
        assert isinstance(error, ami_client.LoginRefused), error
        with pytest.raises(ami_client.LoginRefused):
            client.ping()
        await client.close()

    run(test)


def test_retry_is_sent_again_after_the_loss_and_can_be_cancelled(run: Any, expect_log: Any) -> None:
    expect_log("connecting again")

    async def test(pbx: FakeAsterisk) -> None:
        pbx.on("Ping", None)
        async with Client(pbx.url, reconnect=0.01, reconnect_max=0.02) as client:
            first, second = client.ping(retry=True), client.ping(retry=True)
            await until(lambda: len(pbx.requests("Ping")) == 2)
            pbx.drop()
            await until(lambda: len(pbx.requests("Ping")) == 4)
            second.cancel()
            request = pbx.requests("Ping")[2]
            assert client.pool.stats.pending == 1
            pbx.push(f"Response: Success\r\nPing: Pong\r\nActionID: {request.action_id}\r\n\r\n".encode())
            assert (await first)["ping"] == "Pong"

    run(test)


# -- cancellation


async def read(stream: Events[Any], *, enter: bool) -> None:
    if enter:
        async with stream:
            await read(stream, enter=False)
    async for _ in stream:
        pass


# Where a client awaits what does not come.
POINTS: dict[str, Callable[[Client], Awaitable[Any]]] = {
    "connect": lambda client: client.connect(),
    "enter": lambda client: client.__aenter__(),
    "wait_connected": lambda client: client.wait_connected(60),
    "an action": lambda client: client.ping(),
    "a list": lambda client: client.action("QueueStatus"),
    "originate": lambda client: client.originate({"Channel": "Local/101@office", "Application": "Echo"}),
    "events": lambda client: read(client.events(), enter=True),
    "a loop of events": lambda client: read(client.events(), enter=False),
    "an action in an outage": lambda client: client.ping(),
    "wait_connected in an outage": lambda client: client.wait_connected(60),
}


async def by_cancelling(make: Callable[[], Awaitable[Any]]) -> None:
    task = asyncio.ensure_future(make())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    assert isinstance(await error_of(task), asyncio.CancelledError)


async def by_wait_for(make: Callable[[], Awaitable[Any]]) -> None:
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(make(), 0.001)


async def by_timeout(make: Callable[[], Awaitable[Any]]) -> None:
    with pytest.raises(TimeoutError):
        async with getattr(asyncio, "timeout")(0.001):  # noqa: B009  # mypy reads this for Python 3.9, too
            await make()


async def by_task_group(make: Callable[[], Awaitable[Any]]) -> None:
    async def wait() -> None:
        await make()

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    with pytest.raises(BaseException) as caught:
        async with getattr(asyncio, "TaskGroup")() as group:  # noqa: B009
            for work in (wait, wait, fail):
                group.create_task(work())
    assert [type(one) for one in getattr(caught.value, "exceptions")] == [ZeroDivisionError]  # noqa: B009


async def by_cancelling_a_task_group(make: Callable[[], Awaitable[Any]]) -> None:
    async def many() -> None:
        async with getattr(asyncio, "TaskGroup")() as group:  # noqa: B009
            group.create_task(one())

    async def one() -> None:
        await make()

    await by_cancelling(many)


async def by_anyio_scope(make: Callable[[], Awaitable[Any]]) -> None:
    with anyio.move_on_after(0.001) as scope:
        await make()
    assert scope.cancelled_caught


async def by_anyio_group(make: Callable[[], Awaitable[Any]]) -> None:
    async def one() -> None:
        await make()

    async with anyio.create_task_group() as group:
        group.start_soon(one)
        await asyncio.sleep(0)
        group.cancel_scope.cancel()


WAYS = [by_cancelling, by_wait_for, by_anyio_scope, by_anyio_group]
if sys.version_info >= (3, 11):
    WAYS += [by_timeout, by_task_group, by_cancelling_a_task_group]


@for_each("point", POINTS)
def test_cancelled_at_any_await_nothing_is_left(run: Any, point: str, expect_log: Any) -> None:
    expect_log("connecting again")
    outage, login = "outage" in point, point in ("connect", "enter", "wait_connected")

    async def test(pbx: FakeAsterisk) -> None:
        for name in ("Ping", "Originate", "QueueStatus"):
            pbx.on(name, None)
        if login:
            pbx.mute()
        client = Client(pbx.url, reconnect=60)
        if not login:
            await client.connect()
        if outage:
            pbx.close()
            await until(lambda: not client.connected)
        for cancel in WAYS:
            if login:
                client = Client(pbx.url)
            await cancel(partial(POINTS[point], client))
            await asyncio.sleep(0)
            stats = client.pool.stats
            assert (stats.pending, stats.waiting, client._link._waiting) == (0, 0, {}), cancel
            assert client.connected is not (outage or login) and client.pool.listeners("event") == [], cancel
            if login:
                await client.close()
        await client.close()
        await until(lambda: not pbx.clients)

    run(test)


def test_entering_that_is_cancelled_closes_the_pool(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        pbx.mute()
        client = Client(pbx.url)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.__aenter__(), 0.01)
        assert client.pool.finished
        await client.close()
        await until(lambda: not pbx.clients)

    run(test)


def test_a_task_that_is_cancelled_as_its_error_arrives_leaves_no_complaint(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client:

            async def ask() -> None:
                await client.action("Nothing")

            task = asyncio.ensure_future(ask())
            await asyncio.sleep(0)
            pool: Any = client.pool
            conn: Any = client.conn
            (pending,) = conn._driver.session._in_flight.pending.values()
            conn.cancel(pending.action_id)  # the answer is an error now, and the task has not run since
            task.cancel()
            assert isinstance(await error_of(task), asyncio.CancelledError)
            assert pool.stats.pending == 0

    run(test)


# -- events


async def items(stream: Events[Any], count: int) -> list[Any]:
    return [await stream.__anext__() for _ in range(count)]


def named(item: Any) -> Any:
    return item["event"] if isinstance(item, Packet) else (item.count, item.reason)


@for_each(
    ("names", "where", "heard"),
    [
        ((), None, ["Hangup", "QueueCallerJoin", "UserEvent"]),
        (("hangup",), None, ["Hangup"]),
        (("event_hangup", "event_queue*"), None, ["Hangup", "QueueCallerJoin"]),  # as in a pool
        (("Hangup", "HANG*", "*up"), None, ["Hangup"]),
        (("queue*",), None, ["QueueCallerJoin"]),
        (("queue*", "hangup"), {"cause": "1?"}, ["Hangup"]),
        (("userevent:Door",), None, ["UserEvent"]),
        ((), lambda packet: "queue" in packet, ["QueueCallerJoin"]),
    ],
)
def test_a_stream_has_the_events_it_asks_for(run: Any, names: Any, where: Any, heard: list[str]) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client, client.events(*names, where=where) as stream:
            pbx.push(HANGUP)
            pbx.push({"Event": "QueueCallerJoin", "Queue": "help"})
            pbx.push({"Event": "UserEvent", "UserEvent": "Door"})
            await client.ping()
            stream.close()
            assert [named(item) async for item in stream if named(item) != "FullyBooted"] == heard

    run(test)


def test_what_does_not_fit_is_counted_where_it_is_missing(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client, client.events("hangup", limit=2) as stream:
            for number in range(5):
                pbx.push({"Event": "Hangup", "Number": str(number)})
            await client.ping()
            first = (await items(stream, 1))[0]
            pbx.push({"Event": "Hangup", "Number": "5"})
            await client.ping()
            rest = await items(stream, 3)
            assert [first["number"], rest[0]["number"], rest[2]["number"]] == ["0", "1", "5"]
            assert named(rest[1]) == (3, "overflow")

    run(test)


def test_a_gap_at_the_end_is_told_without_another_event(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client, client.events("hangup", limit=1) as stream:
            for _ in range(3):
                pbx.push(HANGUP)
            await client.ping()
            assert [named(one) for one in await items(stream, 2)] == ["Hangup", (2, "overflow")]

    run(test)


def test_a_loss_and_a_return_stand_in_the_stream(run: Any, expect_log: Any) -> None:
    expect_log("connecting again")

    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url, reconnect=0.01) as client, client.events("hangup") as stream:
            pbx.push(HANGUP)
            await client.ping()
            pbx.drop()
            await until(lambda: client.pool.stats.logins == 2)
            pbx.push(HANGUP)
            heard = [named(one) for one in await items(stream, 4)]
            assert heard == ["Hangup", (None, "lost"), (None, "back"), "Hangup"]

    run(test)


def test_a_loss_for_good_is_raised_behind_its_gap(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client:
            stream = client.events("hangup")
            assert isinstance(stream, Events)
            heard = []
            with pytest.raises(ami_client.ConnectionLost):
                async with stream:
                    pbx.drop()
                    async for item in stream:
                        heard.append(named(item))
            assert heard == [(None, "lost")]
            assert isinstance(await error_of(client.events().__anext__()), ami_client.ConnectionLost)

    run(test)


@for_each("how", ["break", "exception", "with and break", "end of with"])
def test_leaving_a_stream_unbinds_it(run: Any, how: str) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client:

            async def read() -> None:
                async for _ in client.events("hangup"):
                    if how == "exception":
                        raise ZeroDivisionError
                    break

            async def read_with() -> None:
                async with client.events("hangup") as stream:
                    if how == "with and break":
                        async for _ in stream:
                            break

            task = asyncio.ensure_future(read_with() if "with" in how else read())
            await asyncio.sleep(0)
            pbx.push(HANGUP)
            await asyncio.wait([task])
            if how == "exception":
                assert isinstance(task.exception(), ZeroDivisionError)
            del task
            gc.collect()
            await until(lambda: not client.pool.listeners("event_hangup"))

    run(test)


def test_streams_of_a_name_share_a_binding(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client:
            streams = [client.events("hangup") for _ in range(100)]
            for one in streams:
                await one.__aenter__()
            assert len(client.pool.listeners("event_hangup")) == 1
            pbx.push(HANGUP)
            await client.ping()
            assert [named(await one.__anext__()) for one in streams] == ["Hangup"] * 100
            for one in streams:
                one.close()
            assert client.pool.listeners("event_hangup") == []

    run(test)


def test_a_stream_has_one_reader(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client, client.events("hangup") as stream:
            first = asyncio.ensure_future(stream.__anext__())
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="another task"):
                await stream.__anext__()
            first.cancel()
            await asyncio.wait([first])

    run(test)


@for_each("name", [3, None, b"hangup"])
def test_a_name_that_is_none_is_refused(name: Any) -> None:
    with pytest.raises(TypeError, match="name"):
        Client("tcp://pbx").events(name)


def test_handlers_hear_every_connection_after_a_reconnect(run: Any, expect_log: Any) -> None:
    expect_log("connecting again")

    async def test(pbx: FakeAsterisk) -> None:
        heard: list[str] = []
        async with Client(pbx.url, reconnect=0.01) as client:

            @client.on("event_hang*", where={"cause": "16"})
            async def hung_up(conn: Connection, event: Packet) -> None:
                await asyncio.sleep(0)
                heard.append(event["cause"])

            pbx.push(HANGUP)
            await until(lambda: len(heard) == 1)
            pbx.drop()
            await until(lambda: client.pool.stats.logins == 2)
            pbx.push(HANGUP)
            pbx.push({"Event": "Hangup", "Cause": "17"})
            await until(lambda: len(heard) == 2)
            client.off("event_hang*", hung_up)
            assert heard == ["16", "16"]

    run(test)


# -- a shared pool


def test_clients_share_a_pool_and_wait_for_a_connection(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        pool = Pool(reactor=asyncio.get_running_loop(), maxconnperserv=2)
        one, two, three = (Client(pbx.url, pool=pool) for _ in range(3))
        await asyncio.gather(one.connect(), two.connect())
        assert one.conn is not two.conn
        third = asyncio.ensure_future(three.connect())
        await one.ping()
        assert not third.done()
        conn = one.conn
        await one.close()
        await third
        assert three.conn is conn and not pool.finished
        await two.close()
        await three.close()
        assert pool.stats.connected == 2
        pool.finish()

    run(test)


def test_a_connection_is_not_opened_for_one_that_gave_up(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        pool = Pool(reactor=asyncio.get_running_loop(), maxconnperserv=1)
        async with Client(pbx.url, pool=pool) as one:
            two = Client(pbx.url, pool=pool)
            task = asyncio.ensure_future(two.__aenter__())
            await one.ping()
            assert pool.stats.waiting == 1
            task.cancel()
            await asyncio.wait([task])
            assert pool.stats.waiting == 0
        assert pool.stats.connected == 1 and len(pbx.requests("Login")) == 1
        pool.finish()

    run(test)


def test_each_client_of_a_pool_gets_a_connection_back(run: Any, expect_log: Any) -> None:
    expect_log("connecting again")

    async def test(pbx: FakeAsterisk) -> None:
        pool = Pool(reactor=asyncio.get_running_loop(), reconnect=0.01)
        clients = [Client(pbx.url, pool=pool) for _ in range(3)]
        await asyncio.gather(*(one.connect() for one in clients))
        pbx.drop()
        await until(lambda: pool.stats.logins == 6)
        await asyncio.gather(*(one.wait_connected(5) for one in clients))
        assert len({id(one.conn) for one in clients}) == 3
        for one in clients:
            await one.close()
        pool.finish()

    run(test)


def test_a_shared_stream_has_the_events_of_its_own_connection(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        pool = Pool(reactor=asyncio.get_running_loop())
        one, two = Client(pbx.url, pool=pool), Client(pbx.url, pool=pool)
        await one.connect()
        await two.connect()
        async with one.events("hangup") as stream:
            pbx.push(HANGUP)
            await asyncio.gather(one.ping(), two.ping())
            stream.close()
            assert [named(item) async for item in stream] == ["hangup"]
        await one.close()
        await two.close()
        pool.finish()

    run(test)


def test_gap_is_a_plain_value() -> None:
    gap: Optional[Gap] = Gap(3, "overflow")
    assert gap == Gap(3, "overflow") and gap != Gap(None, "lost")


# -- what a stranger does


def test_a_read_that_was_cancelled_is_repeated(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client, client.events("hangup") as entered:
            for stream in (entered, client.events("hangup"), client.events("hangup").__aiter__()):
                for _ in range(2):
                    with anyio.move_on_after(0.001):
                        await stream.__anext__()
                pbx.push(HANGUP)
                assert named(await stream.__anext__()) == "Hangup"

    run(test)


def test_another_loop_is_told_that_the_client_is_not_its(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client:

            async def use() -> list[str]:
                return [str(await error_of(use())) for use in (client.connect, client.close, ping)]

            async def ping() -> None:
                await client.ping()

            told = await asyncio.get_running_loop().run_in_executor(None, asyncio.run, use())
            assert len(told) == 3 and all("belongs to another loop" in one for one in told)
            assert (await client.ping())["ping"] == "Pong"

    run(test)


def test_a_forked_child_is_told_that_the_client_is_not_its(run: Any) -> None:
    def complaint(call: Callable[[], Any]) -> str:
        try:
            awaited = call()
            awaited.send(None)
        except RuntimeError as error:
            return str(error)
        return "no error"

    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client, client.events("hangup") as stream:
            pending = client.action("Getvar", {"Variable": "COMPANY"})
            calls: list[Callable[[], Any]] = [client.ping, client.connect, client.close, client.wait_connected]
            calls += [client.events("x").__aenter__, client.events("x").__anext__, stream.__anext__]
            told = in_child(lambda: [complaint(call) for call in calls])
            assert len(told) == 7 and all("make a Client in the forked process" in one for one in told)
            pbx.push(HANGUP)
            event = await stream.__anext__()
            assert isinstance(event, Packet) and event["event"] == "Hangup"
            assert (await pending)["value"] == "Example & Sons"
            assert pbx.clients == 1 and not pbx.requests("Ping")

    run(test)


def _run_elsewhere(use: Callable[[], Coroutine[Any, Any, object]]) -> object:
    return asyncio.run(use())


def test_a_stream_is_its_client_s_loop_s(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        async with Client(pbx.url) as client:
            stream = client.events("hangup")
            for use in (stream.__aenter__, stream.__anext__):
                with pytest.raises(RuntimeError, match="another loop"):
                    await asyncio.get_running_loop().run_in_executor(None, _run_elsewhere, use)
            assert client.pool.listeners("event_hangup") == []

    run(test)


def test_a_pool_on_no_asyncio_loop_is_told_so(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        assert "another loop" in str(await error_of(Client(pbx.url, pool=Pool(reactor=Reactor())).connect()))

    run(test)


def test_a_client_that_nobody_refers_to_ends(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        client = Client(pbx.url)
        await client.connect()
        with pytest.warns(ResourceWarning, match="unclosed client: tcp://admin@127"):
            del client
            gc.collect()
        await until(lambda: not pbx.clients)
        pool = Pool(reactor=asyncio.get_running_loop(), maxconnperserv=1)
        client = Client(pbx.url, pool=pool)
        await client.connect()
        with pytest.warns(ResourceWarning):
            del client
            gc.collect()
        async with Client(pbx.url, pool=pool) as other:  # gets its connection
            assert other.connected and pool.stats.connected == 1
        assert not pool.listeners("login")
        pool.finish()

    run(test)


def test_a_client_with_handlers_goes_on(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        heard: list[str] = []

        async def watch() -> Pool:
            client = Client(pbx.url)
            await client.connect()
            client.on("event_hangup", lambda conn, event: heard.append(event["cause"]))
            return client.pool

        pool = await watch()
        gc.collect()
        pbx.push(HANGUP)
        await until(lambda: heard)
        pool.finish()

    run(test)


def test_a_hundred_clients_take_turns_on_five_connections(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        pool = Pool(reactor=asyncio.get_running_loop(), maxconnperserv=5)
        served: list[int] = []

        async def work(number: int) -> None:
            async with Client(pbx.url, pool=pool) as client:
                served.append(number)
                await client.ping()

        tasks = [asyncio.ensure_future(work(number)) for number in range(100)]
        await until(lambda: len(served) >= 5)
        for task in tasks[50:60]:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one) for one in done if one is not None] == [asyncio.CancelledError] * 10
        assert sorted(served) == [*range(50), *range(60, 100)]
        assert (pool.stats.connected, pool.stats.waiting, pool.listeners("login")) == (5, 0, [])
        pool.finish()

    run(test)


def test_a_handler_may_close_the_client(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        client = Client(pbx.url)
        await client.connect()

        @client.on("event_hangup")
        async def hung_up(conn: Connection, event: Packet) -> None:
            await client.close()

        pbx.push(HANGUP)
        await until(lambda: client.pool.finished)
        await client.close()

    run(test)


def test_closing_that_is_cancelled_goes_on(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        client = Client(pbx.url)
        await client.connect()
        closing = asyncio.ensure_future(client.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])
        await client.close()
        await until(lambda: not pbx.clients)

    run(test)


def test_closing_ends_a_login_that_is_under_way(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        pbx.mute()
        client = Client(pbx.url)
        login = asyncio.ensure_future(client.connect())
        await until(lambda: pbx.clients)
        await client.close()
        assert isinstance(await error_of(login), ami_client.ConnectionFinished)

    run(test)


def test_a_connection_is_not_kept_for_a_login_that_was_cancelled(run: Any) -> None:
    async def test(pbx: FakeAsterisk) -> None:
        pool = Pool(reactor=asyncio.get_running_loop(), maxconnperserv=1)
        one, two = Client(pbx.url, pool=pool), Client(pbx.url, pool=pool)
        await one.connect()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(two.connect(), 0.01)
        assert pool.stats.waiting == 0 and two.error is None
        with pytest.raises(RuntimeError, match="connect"):
            two.ping()
        await one.close()
        async with Client(pbx.url, pool=pool) as three:
            assert three.connected and not two.connected
        await two.connect()  # may be tried again
        assert two.connected
        await two.close()
        pool.finish()

    run(test)
