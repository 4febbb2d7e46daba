"""Programs of users of the three ways, which `test_live_fronts.py` runs as processes of their own.

``python front_program.py WAY WHAT URL``. A program tells the test what to do with the server, by a line each, and waits
for a line that says that it is done. Its last line is its result as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

from ami_client import AMIError, Connection, Packet, Pool, Reactor, aio, blocking

CALL = {"Channel": "Local/100@default/n", "Application": "Wait", "Data": "0.1"}
BUSY = {"Channel": "Local/102@default/n", "Application": "Wait", "Data": "0.1"}
RECONNECT: dict[str, Any] = {"reconnect": 0.1, "reconnect_max": 0.5, "timeout": 2}
LIMIT = 60.0  # seconds for an action that waits for a server to boot


def tell(what: str) -> None:
    """Have the test do something with the server. Returns when it is done."""
    print(what, flush=True)
    assert sys.stdin.readline() == "done\n"


def shape(answer: Any) -> Any:
    """What is the same in each answer to an action: names, not times."""
    packets = answer if isinstance(answer, list) else [answer, *answer.events, answer.complete]
    return [None if one is None else [one.get("event", one.get("response")), *one] for one in packets]


def error_of(error: BaseException) -> str:
    return type(error).__name__


# -- await


async def await_lists(url: str) -> Any:
    async with aio.Client(url) as client:
        answers = {}
        for name, params in json.loads(sys.stdin.readline()):
            answers[name] = shape(await client.action(name, params))
        documented: list[Callable[[], Awaitable[Any]]] = [client.core_show_channels, client.status, client.ping]
        return [answers, [shape(await one()) for one in documented]]


async def await_calls(url: str) -> Any:
    async with aio.Client(url) as client:
        result = await client.originate(CALL)
        try:
            await client.originate(BUSY)
        except AMIError as error:
            return [result["event"], result["response"], error_of(error), getattr(error, "reason", None)]


async def await_many(url: str) -> Any:
    async with aio.Client(url) as client:

        async def work(number: int) -> bool:
            await client.set_var(None, f"V{number}", f"Value {number}")
            return (await client.action("Getvar", {"Variable": f"V{number}"}))["value"] == f"Value {number}"

        return [all(await asyncio.gather(*map(work, range(1000)))), client.pool.stats.pending]


async def await_losses(url: str) -> Any:
    async with aio.Client(url, timeout=1) as client:
        told = []
        for fault, mend in (("kill", "start"), ("freeze", "thaw")):
            await asyncio.get_running_loop().run_in_executor(None, tell, fault)
            try:
                while True:
                    await client.ping()
            except AMIError as error:
                told.append(error_of(error))
            try:
                await client.ping()
            except AMIError as error:
                told.append(error_of(error))
            await asyncio.get_running_loop().run_in_executor(None, tell, mend)
            await client.connect()
            told.append((await client.ping())["ping"])
        return told


async def await_outages(url: str) -> Any:
    async with aio.Client(url, **RECONNECT) as client, client.events("userevent:end") as events:
        told: list[Any] = []
        for fault, mend in (("kill", "start"), ("freeze", "thaw"), ("restart", "")):
            await asyncio.get_running_loop().run_in_executor(None, tell, fault)
            lost: Any = await events.__anext__()
            ping = asyncio.ensure_future(client.ping(timeout=LIMIT))
            if mend:
                await asyncio.get_running_loop().run_in_executor(None, tell, mend)
            told.append((await ping)["ping"])
            await client.action("UserEvent", {"UserEvent": "End"}, timeout=LIMIT)
            told += [lost.reason, *[named(await events.__anext__()) for _ in range(2)]]
        return told


async def await_interrupt(url: str) -> Any:
    async with aio.Client(url) as client, client.events("nothing") as events:
        print("interrupt", flush=True)
        async for _ in events:
            pass


# -- plain calls


def plain_lists(url: str) -> Any:
    with blocking.Client(url) as client:
        answers = {name: shape(client.action(name, params)) for name, params in json.loads(sys.stdin.readline())}
        return [answers, [shape(one()) for one in (client.core_show_channels, client.status, client.ping)]]


def plain_calls(url: str) -> Any:
    with blocking.Client(url) as client:
        result = client.originate(CALL)
        try:
            client.originate(BUSY)
        except AMIError as error:
            return [result["event"], result["response"], error_of(error), getattr(error, "reason", None)]


def plain_many(url: str) -> Any:
    with blocking.Client(url) as client, ThreadPoolExecutor(4) as threads:

        def work(number: int) -> bool:
            client.set_var(None, f"V{number}", f"Value {number}")
            return client.action("Getvar", {"Variable": f"V{number}"})["value"] == f"Value {number}"

        return [all(threads.map(work, range(1000))), client.pool.stats.pending]


def plain_losses(url: str) -> Any:
    with blocking.Client(url, timeout=1) as client:
        told = []
        for fault, mend in (("kill", "start"), ("freeze", "thaw")):
            tell(fault)
            try:
                while True:
                    client.ping()
            except AMIError as error:
                told.append(error_of(error))
            try:
                client.ping()
            except AMIError as error:
                told.append(error_of(error))
            tell(mend)
            client.connect()
            told.append(client.ping()["ping"])
        return told


def plain_outages(url: str) -> Any:
    with ThreadPoolExecutor(1) as threads, blocking.Client(url, **RECONNECT) as client:
        events = client.events("userevent:end").__enter__()
        told: list[Any] = []
        for fault, mend in (("kill", "start"), ("freeze", "thaw"), ("restart", "")):
            tell(fault)
            lost: Any = next(events)
            ping = threads.submit(client.ping, timeout=LIMIT)
            if mend:
                tell(mend)
            told.append(ping.result()["ping"])
            client.action("UserEvent", {"UserEvent": "End"}, timeout=LIMIT)
            told += [lost.reason, *[named(next(events)) for _ in range(2)]]
        return told


def plain_interrupt(url: str) -> Any:
    with blocking.Client(url) as client:
        print("interrupt", flush=True)
        for _ in client.events("nothing"):
            pass


# -- callbacks


def called(url: str, use: Callable[[Connection, Callable[[Any], None]], None]) -> Any:
    """Log in, let ``use(conn, end)`` send actions, and return what it gives to ``end``."""
    results: list[Any] = []
    with Reactor() as reactor:

        def end(result: Any) -> None:
            results.append(result)
            pool.finish(graceful=True, on_closed=reactor.stop)

        pool = Pool(reactor=reactor, fold_case=False)
        pool.get_connection(url, lambda conn, packet: use(conn, end))
        reactor.run()
    return results[0]


def callback_lists(url: str) -> Any:
    wanted = json.loads(sys.stdin.readline())
    answers: dict[str, Any] = {}

    def use(conn: Connection, end: Callable[[Any], None]) -> None:
        rest: list[Any] = []

        def one(conn: Connection, packet: Packet) -> None:
            answers[wanted[len(answers)][0]] = shape(packet)
            following()

        def another(conn: Connection, packets: Any) -> None:
            rest.append(shape(packets))
            if len(rest) == 3:
                end([answers, rest])

        def following() -> None:
            if len(answers) < len(wanted):
                name, params = wanted[len(answers)]
                conn.action(name, one, params)
            else:
                conn.core_show_channels(another)
                conn.status(another)
                conn.ping(another)

        following()

    return called(url, use)


def callback_calls(url: str) -> Any:
    def use(conn: Connection, end: Callable[[Any], None]) -> None:
        told: list[Any] = []

        def up(conn: Connection, packet: Packet) -> None:
            told.extend([packet["event"], packet["response"]])
            conn.originate(BUSY, None, on_result=busy)

        def busy(conn: Connection, packet: Packet) -> None:
            assert packet.error is not None
            end([*told, error_of(packet.error), getattr(packet.error, "reason", None)])

        conn.originate(CALL, None, on_result=up)

    return called(url, use)


def named(item: Any) -> Any:
    return item["event"] if isinstance(item, Packet) else item.reason


async def patiently(program: Awaitable[Any]) -> Any:
    asyncio.get_running_loop().slow_callback_duration = LIMIT  # in debug mode it would complain of a busy machine
    return await program


def main(way: str, what: str, url: str) -> None:
    program = globals()[f"{way}_{what}"]
    result = asyncio.run(patiently(program(url))) if way == "await" else program(url)
    assert [thread.name for thread in threading.enumerate() if thread.name == "ami_client"] == []
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
