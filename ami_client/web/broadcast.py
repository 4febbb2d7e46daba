"""Sends the page's data to all browsers: everything at first, then the changes, as server-sent events.

Each change is encoded once for all browsers, and at most twice a second, however many events there are. A browser that
does not read loses changes, costs nothing, and then gets everything again. One that never reads is dropped.
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
SOON = 0.05  # changes at the same time are sent together
SPACING = 0.5  # between two messages
LOOK = 1.0  # how often to look without an event: for the rate of events, and for changes without an event
BEAT = 5.0  # how often to send a sign of life; the page gives up after three times as long
STALLED = 60.0  # when to drop a browser that does not read

MOST_BROWSERS = 1000
MOST_AT_ONCE = 1 << 15  # bytes; a transport without a backlog accepts this many without waiting
RETRY = 1000  # milliseconds until a browser reconnects

HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # otherwise nginx would buffer it
}


class Browser:
    """A browser that watches. ``behind`` is when it stopped keeping up, on the loop's clock; None if it keeps up."""

    def __init__(self, transport: asyncio.WriteTransport, response: web.StreamResponse) -> None:
        self.transport = transport
        self.response = response
        self.behind: Optional[float] = None
        self.called = asyncio.Event()  # its own task has something to do


class Broadcast:
    """All browsers that watch, and the task that reads the state for them. Without browsers it costs nothing."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._browsers: set[Browser] = set()
        self._shown: View = {}  # the data of browsers that are not behind
        self._sent = 0.0
        self._task: Optional[asyncio.Task[None]] = None
        self._told: asyncio.Event  # created when the loop runs
        self._is_over = False

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer a browser, as long as it watches."""
        if len(self._browsers) >= MOST_BROWSERS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_BROWSERS} browsers are already watching\n")
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
        """Disconnect all browsers."""
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
                browser.called.set()  # its task notices that it is gone
            elif browser.transport.get_write_buffer_size():
                browser.behind = now if browser.behind is None else browser.behind
                if now - browser.behind > STALLED:
                    browser.transport.abort()
            elif browser.behind is not None or len(message) > MOST_AT_ONCE:
                browser.behind = None
                browser.called.set()  # its task sends everything, and waits as long as needed
            else:
                with suppress(ConnectionError):  # it has gone in the meantime
                    await browser.response.write(message)  # this does not wait: there is room


def _message(event: str, data: View) -> bytes:
    # ASCII, so it contains no line ends and no lone surrogates.
    return f"event: {event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode("ascii")
