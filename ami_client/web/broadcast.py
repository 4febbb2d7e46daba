"""Sends what the page shows to all browsers: whole at first, then what has changed, as server-sent events.

A change is put into words once for all browsers, and at most twice a second, however many events there are. A browser
that does not read loses changes, costs nothing meanwhile, and gets the whole again; one that never reads is dropped.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Optional

from aiohttp import web

from ..callbacks import logger
from .state import State, View, difference

# Seconds.
SOON = 0.05  # what happens at the same time is sent at once
SPACING = 0.5  # between two changes
LOOK = 1.0  # how often to look when nothing is told: at the rate of events, and what no event of the model tells
BEAT = 5.0  # how often to say that we are there; the page gives us up after thrice as long
STALLED = 60.0  # after so long, who does not read is dropped

MOST_BROWSERS = 1000
MOST_AT_ONCE = 1 << 15  # bytes: a transport that has sent all before takes so many without having to wait
RETRY = 1000  # milliseconds until a browser asks again

HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold it back
}


class Browser:
    """One that watches. ``behind`` is since when it has not read all, by the loop's clock; None if it has."""

    def __init__(self, transport: asyncio.WriteTransport, response: web.StreamResponse) -> None:
        self.transport = transport
        self.response = response
        self.behind: Optional[float] = None
        self.called = asyncio.Event()  # there is something for its own task to do


class Broadcast:
    """The browsers that watch, and the only one who looks at the state. It costs nothing while nobody watches."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._browsers: set[Browser] = set()
        self._shown: View = {}  # what browsers have that are not behind
        self._sent = 0.0
        self._task: Optional[asyncio.Task[None]] = None
        self._told: asyncio.Event  # made when the loop runs
        self._is_over = False

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer a browser, for as long as it watches."""
        if len(self._browsers) >= MOST_BROWSERS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_BROWSERS} browsers watch already\n")
        response = web.StreamResponse(headers=HEADERS)
        await response.prepare(request)
        if request.transport is None or self._is_over:
            return response
        browser = Browser(request.transport, response)
        self._enter(browser)
        try:
            await response.write(b"retry: %d\n\n" % RETRY)
            while not (browser.transport.is_closing() or self._is_over):
                browser.called.clear()
                await response.write(_message("whole", self._shown))
                await browser.called.wait()
        except ConnectionError:  # it has gone
            pass
        finally:
            self._leave(browser)
        return response

    def close(self) -> None:
        """Send all browsers away."""
        self._is_over = True
        for browser in self._browsers:
            browser.called.set()

    def _enter(self, browser: Browser) -> None:
        if not self._browsers:
            self._told = asyncio.Event()
            self._state.watch(self._told.set)
            self._shown = self._state.look()
            self._sent = asyncio.get_running_loop().time()
            self._task = asyncio.create_task(self._run())
        self._browsers.add(browser)

    def _leave(self, browser: Browser) -> None:
        self._browsers.discard(browser)
        if not self._browsers and self._task is not None:
            self._task.cancel()
            self._task = None
            self._state.unwatch()

    async def _run(self) -> None:
        time = asyncio.get_running_loop().time
        while self._task is asyncio.current_task():  # up to Python 3.11 wait_for() may lose a cancellation
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._told.wait(), LOOK)
                await asyncio.sleep(max(SOON, self._sent + SPACING - time()))
            self._told.clear()
            try:
                changed = self._look()
                if len(changed) > 1 or time() - self._sent >= BEAT:
                    self._sent = time()
                    await self._send(_message("change", changed))
            except Exception:
                logger.exception("the wallboard could not be drawn")

    def _look(self) -> View:
        shown = self._state.look()
        changed = difference(self._shown, shown)
        self._shown = shown
        return changed

    async def _send(self, message: bytes) -> None:
        now = asyncio.get_running_loop().time()
        for browser in list(self._browsers):
            if browser.transport.is_closing():
                browser.called.set()  # its task finds that it is gone
            elif browser.transport.get_write_buffer_size():
                browser.behind = now if browser.behind is None else browser.behind
                if now - browser.behind > STALLED:
                    browser.transport.abort()
            elif browser.behind is not None or len(message) > MOST_AT_ONCE:
                browser.behind = None
                browser.called.set()  # its task sends the whole, and waits as long as it takes
            else:
                with suppress(ConnectionError):  # it has gone since
                    await browser.response.write(message)  # which waits for nobody: there is room


def _message(event: str, data: View) -> bytes:
    # ASCII, so there are no line ends and no lone surrogates in it.
    return f"event: {event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode("ascii")
