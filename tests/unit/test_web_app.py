"""The wallboard's server: who may look, and what browsers are sent."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Coroutine
from typing import Any, Callable

import pytest
from aiohttp import ClientResponse, ClientSession, web
from aiohttp.test_utils import TestClient, TestServer, get_port_socket
from cases import for_each
from office_events import SERVER, call, hang_up

from ami_client.model import Model
from ami_client.web import broadcast, make_app
from ami_client.web.access import COOKIE, is_loopback

TOKEN = "0123456789abcdef"
BEARER = {"Authorization": f"Bearer {TOKEN}"}

Browser = TestClient[Any, Any]


def listen(host: str, port: int, family: socket.AddressFamily) -> socket.socket:
    """A server's socket whose connections are soon full."""
    sock = get_port_socket(host, port, family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return sock


def with_browser(work: Callable[[Browser, Model], Coroutine[Any, Any, None]], token: str = "") -> None:
    """Run ``work(browser, model)`` against a wallboard."""

    async def run() -> None:
        model = Model()
        app = make_app(model, token=token)
        async with TestClient(TestServer(app, socket_factory=listen)) as browser:
            await work(browser, model)

    asyncio.run(asyncio.wait_for(run(), 60))


async def message(answer: ClientResponse) -> tuple[str, dict[str, Any]]:
    """The next message of server-sent events."""
    fields: dict[str, str] = {}
    while True:
        line = (await answer.content.readline()).decode()
        assert line, "the server has ended it"
        name, _, value = line.rstrip("\n").partition(": ")
        if name:
            fields[name] = value
        elif "event" in fields:
            return fields["event"], json.loads(fields["data"])


async def until(happened: Callable[[], object]) -> None:
    while not happened():
        await asyncio.sleep(0.01)


def test_a_browser_is_sent_the_whole_and_then_what_changes() -> None:
    async def work(browser: Browser, model: Model) -> None:
        call(model, 1, "Alice")
        async with browser.get("/events") as answer:
            assert answer.headers["Content-Type"] == "text/event-stream"
            assert answer.headers["X-Accel-Buffering"] == "no"
            event, whole = await message(answer)
            assert event == "whole"
            ((number, shown),) = whole["calls"].items()
            assert shown["caller"] == ["Alice", "5550001"]
            hang_up(model, 1)
            event, changed = await message(answer)
            assert (event, changed["calls"]) == ("change", {number: None})
            assert "queues" not in changed

    with_browser(work)


def test_a_change_comes_within_a_second_however_busy_it_is() -> None:
    async def work(browser: Browser, model: Model) -> None:
        async with browser.get("/events") as answer:
            await message(answer)
            loop = asyncio.get_running_loop()
            for number in range(4):
                began = loop.time()
                call(model, number)
                _, changed = await message(answer)
                assert changed["counts"]["calls"] == {"new": number + 1}
                assert loop.time() - began < 1

    with_browser(work)


def test_many_changes_at_once_are_one_message() -> None:
    async def work(browser: Browser, model: Model) -> None:
        async with browser.get("/events") as answer:
            await message(answer)
            for number in range(50):
                call(model, number)
            _, changed = await message(answer)
            assert len(changed["calls"]) == 50

    with_browser(work)


def test_who_comes_back_is_sent_the_whole_again() -> None:
    async def work(browser: Browser, model: Model) -> None:
        for number in range(3):
            call(model, number)
            async with browser.get("/events") as answer:
                event, whole = await message(answer)
                assert (event, len(whole["calls"])) == ("whole", number + 1)

    with_browser(work)


def test_silence_is_broken_by_a_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "BEAT", 0.05)
    monkeypatch.setattr(broadcast, "LOOK", 0.05)

    async def work(browser: Browser, model: Model) -> None:
        async with browser.get("/events") as answer:
            _, whole = await message(answer)
            event, beat = await message(answer)
            assert (event, set(beat)) == ("change", {"time"})
            assert beat["time"] > whole["time"]

    with_browser(work)


def test_nothing_is_followed_once_the_last_browser_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "BEAT", 0.05)
    monkeypatch.setattr(broadcast, "LOOK", 0.05)

    async def run() -> None:
        model = Model()
        runner = web.AppRunner(make_app(model))  # a test server would cancel the handler of who has gone
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        assert not model.listeners("call_new")
        async with ClientSession() as browser:
            answer = await browser.get(f"http://127.0.0.1:{runner.addresses[0][1]}/events")
            await message(answer)
            assert model.listeners("call_new")
            answer.close()
            await until(lambda: not model.listeners("call_new"))
        await runner.cleanup()

    asyncio.run(asyncio.wait_for(run(), 60))


COUNT = 200  # changes that are more than a slow browser takes


def small_buffers(port: int) -> socket.socket:
    """A connection that takes little before it is full, and has asked for events."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    sock.connect(("127.0.0.1", port))
    sock.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    sock.setblocking(False)
    return sock


def test_a_browser_that_does_not_read_holds_up_nobody_and_gets_the_whole_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "SPACING", 0.0)
    monkeypatch.setattr(broadcast, "SOON", 0.0)

    async def work(browser: Browser, model: Model) -> None:
        loop = asyncio.get_running_loop()
        with small_buffers(browser.server.port or 0) as slow:
            async with browser.get("/events") as quick:
                await message(quick)
                for number in range(COUNT):
                    call(model, number, "n" * 200)
                    await message(quick)
                said = b""
                while said.count(b"event: whole") < 2:
                    said += await loop.sock_recv(slow, 1 << 16)
                    call(model, COUNT)  # something happens, and it reads again
                    hang_up(model, COUNT)
                assert 0 < said.count(b"event: change") < COUNT / 2

    with_browser(work)


def test_a_browser_that_never_reads_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "SPACING", 0.0)
    monkeypatch.setattr(broadcast, "SOON", 0.0)
    monkeypatch.setattr(broadcast, "STALLED", 0.0)

    async def work(browser: Browser, model: Model) -> None:
        with small_buffers(browser.server.port or 0) as slow:
            await until(lambda: model.listeners("call_new"))
            number = 0
            while model.listeners("call_new"):
                call(model, number, "n" * 200)
                number += 1
                await asyncio.sleep(0)
                assert number < 1_000_000
            assert slow.fileno() >= 0

    with_browser(work)


def test_there_is_a_bound_to_browsers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "MOST_BROWSERS", 1)

    async def work(browser: Browser, model: Model) -> None:
        async with browser.get("/events") as answer:
            await message(answer)
            async with browser.get("/events") as other:
                assert other.status == 503

    with_browser(work)


def test_a_model_that_raises_does_not_end_the_broadcast(
    monkeypatch: pytest.MonkeyPatch, expect_log: Callable[[str], None]
) -> None:
    expect_log("could not be drawn")
    monkeypatch.setattr(broadcast, "SPACING", 0.0)
    raised = []

    def servers(model: Model) -> None:
        raised.append(model)
        raise RuntimeError

    async def work(browser: Browser, model: Model) -> None:
        async with browser.get("/events") as answer:
            await message(answer)
            with monkeypatch.context() as patch:
                patch.setattr(Model, "servers", property(servers))
                call(model, 1)
                await until(lambda: raised)
            call(model, 2)
            _, changed = await message(answer)
            assert len(changed["calls"]) == 2

    with_browser(work)


def test_the_page_and_all_that_it_needs_are_there() -> None:
    async def work(browser: Browser, model: Model) -> None:
        async with browser.get("/") as answer:
            assert answer.status == 200 and answer.content_type == "text/html"
            page = await answer.text()
        links = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert len(links) >= 3
        async with browser.get("/static/wallboard.js") as answer:
            links += ["static/" + name for name in re.findall(r'from "\./([^"]+)"', await answer.text())]
        for link in links:
            assert not link.startswith(("/", "http")), "behind a proxy's path only relative links lead to us"
            async with browser.get("/" + link) as answer:
                assert answer.status == 200, link
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "<style" not in page and "style=" not in page and not re.search(r"<script(?![^>]*src=)", page)

    with_browser(work)


@for_each("path", ["/", "/events", "/static/wallboard.js", "/nothing"])
def test_every_answer_has_a_policy(path: str) -> None:
    async def work(browser: Browser, model: Model) -> None:
        async with browser.get(path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy and "http" not in policy and "*" not in policy
            assert answer.headers["Referrer-Policy"] == "no-referrer"

    with_browser(work)


@for_each("host", ["localhost:8080", "127.0.0.1:1", "[::1]:8080", "LOCALHOST"])
def test_without_a_token_this_machine_may_look(host: str) -> None:
    async def work(browser: Browser, model: Model) -> None:
        async with browser.get("/", headers={"Host": host}) as answer:
            assert answer.status == 200

    with_browser(work)


@for_each("host", ["evil.example", "192.0.2.1:8080", "localhost.evil.example", "evil.example:127"])
@for_each("path", ["/", "/events"])
def test_without_a_token_no_other_name_leads_here(host: str, path: str) -> None:
    async def work(browser: Browser, model: Model) -> None:
        async with browser.get(path, headers={"Host": host}) as answer:
            assert answer.status == 403

    with_browser(work)


@for_each(("host", "loopback"), [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True),
                            ("0.0.0.0", False), ("::", False), ("192.0.2.1", False), ("pbx", False)])  # fmt: skip
def test_what_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


STRANGERS: list[dict[str, str]] = [
    {},
    {"Authorization": "Bearer wrong"},
    {"Authorization": f"Basic {TOKEN}"},
    {"Cookie": f"{COOKIE}={TOKEN}"},
    {"Cookie": f"{COOKIE}="},
    {"Cookie": f"{COOKIE}=\u00fc"},
]


@for_each("headers", STRANGERS)
@for_each("path", ["/", "/events", "/?token=wrong", "/nothing"])
def test_without_the_token_nobody_may_look(headers: dict[str, str], path: str) -> None:
    async def work(browser: Browser, model: Model) -> None:
        call(model, 1, "Alice")
        async with browser.get(path, headers=headers) as answer:
            assert answer.status == 401
            said = await answer.text()
            assert "Alice" not in said and TOKEN not in said and "wrong" not in said

    with_browser(work, TOKEN)


def test_a_program_gives_the_token_in_a_header_and_the_host_does_not_matter() -> None:
    async def work(browser: Browser, model: Model) -> None:
        async with browser.get("/events", headers={**BEARER, "Host": "board.example.com"}) as answer:
            assert (await message(answer))[0] == "whole"

    with_browser(work, TOKEN)


@for_each("way", ["address", "form"])
def test_a_browser_gives_the_token_once(way: str) -> None:
    async def work(browser: Browser, model: Model) -> None:
        if way == "address":
            answer = await browser.get("/", params={"token": TOKEN}, allow_redirects=False)
        else:
            answer = await browser.post("/", data={"token": TOKEN}, allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (303, "./")  # relative: there may be a proxy
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
        assert TOKEN not in cookie and "Path" not in cookie and "Secure" not in cookie
        async with browser.get("/") as page:
            assert page.status == 200
        async with browser.get("/events") as events:
            assert (await message(events))[0] == "whole"

    with_browser(work, TOKEN)


def test_the_cookie_of_one_token_is_none_of_another() -> None:
    cookies: list[str] = []

    async def get(browser: Browser, model: Model) -> None:
        token = TOKEN[::-1] if cookies else TOKEN
        answer = await browser.get("/", params={"token": token}, allow_redirects=False)
        cookies.append(answer.headers["Set-Cookie"].partition(";")[0])
        browser.session.cookie_jar.clear()
        async with browser.get("/", headers={"Cookie": cookies[0]}) as page:
            assert page.status == (200 if len(cookies) == 1 else 401)

    with_browser(get, TOKEN)
    with_browser(get, TOKEN[::-1])
    assert cookies[0] != cookies[1]


def test_behind_https_the_cookie_is_for_https() -> None:
    async def work(browser: Browser, model: Model) -> None:
        headers = {"X-Forwarded-Proto": "https"}
        answer = await browser.get("/", params={"token": TOKEN}, headers=headers, allow_redirects=False)
        assert "Secure" in answer.headers["Set-Cookie"]

    with_browser(work, TOKEN)


def test_a_long_form_is_refused() -> None:
    async def work(browser: Browser, model: Model) -> None:
        async with browser.post("/", data={"token": "x" * 10_000}) as answer:
            assert answer.status == 413

    with_browser(work, TOKEN)


def test_without_a_count_of_events_there_is_no_rate() -> None:
    async def work(browser: Browser, model: Model) -> None:
        async with browser.get("/events") as answer:
            assert (await message(answer))[1]["rate"] is None

    with_browser(work)


def test_an_application_may_be_made_before_its_loop() -> None:
    app = make_app(Model())

    async def run() -> None:
        async with TestClient(TestServer(app)) as browser, browser.get("/events") as answer:
            assert (await message(answer))[0] == "whole"
            assert (await message(answer))[0] == "change"

    asyncio.run(run())


def test_the_end_of_the_server_ends_what_browsers_get() -> None:
    async def run() -> None:
        model = Model()
        model.lose(SERVER)
        server = TestServer(make_app(model))
        async with TestClient(server) as browser:
            answer = await browser.get("/events")
            await message(answer)
            await asyncio.wait_for(server.close(), 5)
            assert await answer.content.read() == b""
        assert not model.listeners("queue_left")

    asyncio.run(run())
