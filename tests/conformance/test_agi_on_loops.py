"""FastAGI on real sockets and AsyncAGI on a real port, on every loop alike."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Callable

import pytest
from loops import AnyLoop, run

from ami_client import Pool
from ami_client.agi import AsyncAGI, BlockingCall, Call, CallEnded, FastAGI, HungUp
from ami_client.reactor import Reactor
from ami_client.testing import FakeAsterisk, FakeCaller

ExpectLog = Callable[[str], None]
TLS = Path(__file__).resolve().parent.parent / "data" / "tls"


@contextmanager
def callers(loop: AnyLoop, agi: FastAGI, count: int) -> Iterator[list[FakeCaller]]:
    """So many callers, each over a socket of its own; the loop runs until all calls have ended."""
    found = [FakeCaller(digits="12#") for _ in range(count)]
    left = count

    def ended(call: Call) -> None:
        nonlocal left
        left -= 1
        if not left:
            stop()

    def stop() -> None:
        # The callers are told of the end by their sockets, a moment later.
        if all(caller.ended for caller in found):
            loop.stop()
        else:
            loop.call_later(0.001, stop)

    agi.on("end", ended)
    for caller in found:
        caller.dial(agi)
    yield found
    run(loop)
    agi.close()


def test_calls_by_callbacks(loop: AnyLoop) -> None:
    heard: list[str] = []

    def start(call: Call) -> None:
        call.answer()
        call.get_data("beep", lambda call, reply: heard.append(reply.digits))
        call.finish()

    agi = FastAGI(port=0, reactor=loop)
    agi.on("start", start)
    with callers(loop, agi, 30) as found:
        pass
    assert heard == ["12"] * 30
    assert all(caller.ended for caller in found)


def test_a_real_connection_comes_in_and_is_handed_back(loop: AnyLoop) -> None:
    agi = FastAGI("127.0.0.1", 0, reactor=loop)
    assert agi.port
    ended: list[Call] = []

    def end(call: Call) -> None:
        ended.append(call)
        loop.stop()

    agi.on("start", lambda call: call.finish())
    agi.on("end", end)
    with socket.create_connection(("127.0.0.1", agi.port)) as sock:
        sock.sendall(FakeCaller(channel="PJSIP/7-1").environment("agi://127.0.0.1/x").encode())
        run(loop)
        assert sock.recv(100) == b""
    assert [call.channel for call in ended] == ["PJSIP/7-1"]
    agi.close()


def test_a_unix_socket(loop: AnyLoop, tmp_path: Path) -> None:
    path = tmp_path / "agi.sock"
    agi = FastAGI(f"unix:{path}", reactor=loop)
    agi.on("start", lambda call: (call.finish(), loop.stop()))
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(FakeCaller().environment("agi://x/").encode())
        run(loop)
        assert sock.recv(100) == b""
    agi.close()
    assert not path.exists()


def test_tls(loop: AnyLoop) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "cert.pem", TLS / "key.pem")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    agi = FastAGI("127.0.0.1", 0, reactor=loop, ssl=context)
    agi.on("start", lambda call: (call.noop(), loop.stop()))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client.wrap_bio(incoming, outgoing)
    with socket.create_connection(("127.0.0.1", agi.port or 0)) as sock:

        def go_on() -> None:
            incoming.write(sock.recv(65536))
            try:
                tls.do_handshake()
                tls.write(FakeCaller().environment("agi://x/").encode())
                loop.remove_reader(sock.fileno())
            except ssl.SSLWantReadError:
                pass
            sock.sendall(outgoing.read())

        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        sock.sendall(outgoing.read())
        loop.add_reader(sock.fileno(), go_on)
        run(loop)
        incoming.write(sock.recv(65536))
        assert tls.read(100) == b"NOOP\n"
        agi.close()


def test_blocking_handlers_in_few_threads(loop: AnyLoop) -> None:
    heard: list[object] = []

    def start(call: BlockingCall) -> None:
        call.answer()
        heard.append(call.get_data("beep").digits)
        heard.append(call.menu("beep", {"1": "one"}, retries=0).value)
        call.set_variable("DONE", call.channel)

    agi = FastAGI(port=0, reactor=loop, threads=3)
    agi.on("start", start)
    with callers(loop, agi, 20) as found:
        for caller in found:
            caller.digits += "1"
    assert sorted(map(str, heard)) == ["12"] * 20 + ["one"] * 20
    assert all(caller.variables == {"DONE": caller.channel} for caller in found)


def test_a_blocking_handler_is_told_of_the_hangup_by_an_error(loop: AnyLoop) -> None:
    raised: list[BaseException] = []

    def start(call: BlockingCall) -> None:
        try:
            call.answer()
            call.stream_file("a")
            call.stream_file("b")
        except HungUp as error:
            raised.append(error)
            assert call.hung_up
            call.set_variable("SAID", "goodbye")
            raise

    agi = FastAGI(port=0, reactor=loop, threads=1)
    agi.on("start", start)
    with callers(loop, agi, 2) as found:
        for caller in found:
            caller.hang_up_at(2)
    assert len(raised) == 2
    assert [caller.variables for caller in found] == [{"SAID": "goodbye"}] * 2


def test_a_blocking_handler_that_raises_is_logged(loop: AnyLoop, expect_log: ExpectLog) -> None:
    expect_log("handler .*start raised; returning the call of PJSIP/100-.* to the dialplan")

    def start(call: BlockingCall) -> None:
        with pytest.raises(TypeError, match="takes no callback"):
            call.answer(print)
        raise ZeroDivisionError

    agi = FastAGI(port=0, reactor=loop, threads=1)
    agi.on("start", start)
    with callers(loop, agi, 1) as found:
        pass
    assert found[0].ended


# -- coroutines


@pytest.fixture
def asyncio_loop(loop: AnyLoop) -> asyncio.AbstractEventLoop:
    if isinstance(loop, Reactor):
        loop.close()
        loop = asyncio.new_event_loop()
    return loop


def test_a_coroutine_reads_like_a_dialplan(asyncio_loop: asyncio.AbstractEventLoop) -> None:
    heard: list[object] = []

    async def start(call: Call) -> None:
        await call.answer()
        reply = await call.get_data("beep", timeout=2)
        entry = await call.menu("beep", {"3": "three"}, retries=1)
        heard.append((reply.digits, entry.value))
        try:
            await call.command("BOGUS")
        except Exception as error:
            heard.append(str(error))

    agi = FastAGI(port=0, reactor=asyncio_loop)
    agi.on("start", start)
    with callers(asyncio_loop, agi, 2) as found:
        for caller in found:
            caller.digits += "3"
    assert heard[0] == heard[1] == ("12", "three")
    assert heard[2:] == ["510 Invalid or unknown command"] * 2
    assert all(caller.ended for caller in found)
    asyncio_loop.close()


def test_the_task_is_cancelled_at_the_hangup_and_may_still_tidy_up(asyncio_loop: asyncio.AbstractEventLoop) -> None:
    seen: list[str] = []

    async def start(call: Call) -> None:
        try:
            await call.answer()
            call.exec("Wait", 600)
            asyncio_loop.call_soon(found[0].hang_up)
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        finally:
            await call.set_variable("SAID", "goodbye")

    agi = FastAGI(port=0, reactor=asyncio_loop)
    agi.on("start", start)
    with callers(asyncio_loop, agi, 1) as found:
        pass
    assert seen == ["cancelled"]
    assert found[0].variables == {"SAID": "goodbye"}
    assert asyncio.all_tasks(asyncio_loop) == set()
    asyncio_loop.close()


def test_what_a_coroutine_raises_is_logged_with_its_name(
    asyncio_loop: asyncio.AbstractEventLoop, expect_log: ExpectLog
) -> None:
    expect_log("handler .*broken_dialplan raised; returning the call of PJSIP/100-.* to the dialplan")

    async def broken_dialplan(call: Call) -> None:
        await call.answer()
        raise ZeroDivisionError

    agi = FastAGI(port=0, reactor=asyncio_loop)
    agi.on("start", broken_dialplan)
    with callers(asyncio_loop, agi, 1) as found:
        pass
    assert found[0].ended
    asyncio_loop.close()


def test_async_agi_with_await(asyncio_loop: asyncio.AbstractEventLoop) -> None:
    heard: list[object] = []
    server = FakeAsterisk(asyncio_loop)
    pool = Pool(reactor=asyncio_loop)
    agi = AsyncAGI(pool)
    caller = FakeCaller(digits="42#", path="/age")

    @agi.route("/<question>")
    async def ask(call: Call) -> None:
        entry = await call.read_number(call.params["question"])
        heard.append(entry.value)

    def end(call: Call) -> None:
        pool.finish()
        asyncio_loop.call_later(0.01, asyncio_loop.stop)

    agi.on("end", end)
    with server:
        pool.get_connection(server.url, lambda conn: server.start_agi(caller))
        run(asyncio_loop)
    assert heard == [42]
    assert caller.ended
    asyncio_loop.close()


def test_an_await_that_is_given_up_takes_its_command_along() -> None:
    asyncio_loop = asyncio.new_event_loop()  # whose order of events is known

    async def say(call: Call) -> None:
        await call.verbose("given up")

    async def start(call: Call) -> None:
        call.noop()
        saying = asyncio.ensure_future(say(call))
        await asyncio.sleep(0)  # it waits for its turn now
        saying.cancel()
        await call.verbose("wanted")

    agi = FastAGI(port=0, reactor=asyncio_loop)
    agi.on("start", start)
    with callers(asyncio_loop, agi, 1) as found:
        pass
    assert found[0].commands == [["NOOP"], ["VERBOSE", "wanted"]]
    asyncio_loop.close()


def test_as_many_threads_work_at_a_time_as_allowed(loop: AnyLoop) -> None:
    together = threading.Barrier(3, timeout=10)
    agi = FastAGI(port=0, reactor=loop, threads=3)
    agi.on("start", lambda call: (together.wait(), call.answer()))
    with callers(loop, agi, 6) as found:
        pass
    assert [caller.commands for caller in found] == [[["ANSWER"]]] * 6


def test_a_thread_whose_loop_is_closed_is_told_so() -> None:
    reactor = Reactor()
    began, closed, raised = threading.Event(), threading.Event(), threading.Event()

    def start(call: BlockingCall) -> None:
        began.set()
        closed.wait(10)
        with pytest.raises(CallEnded):
            call.answer()
        raised.set()

    agi = FastAGI(None, reactor=reactor, threads=1)
    agi.on("start", start)
    FakeCaller().dial(agi)
    while not began.is_set():
        reactor.run_once(0.01)
    agi.close()
    while reactor.run_once(0):
        pass
    reactor.close()
    closed.set()
    assert raised.wait(10)
