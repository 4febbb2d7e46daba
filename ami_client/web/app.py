"""The wallboard as an aiohttp application."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable
from importlib import resources
from typing import Callable, Optional

from aiohttp import web

from ..model import Model
from .access import Access
from .broadcast import Broadcast
from .state import State

FILES = {
    "wallboard.css": "text/css",
    "wallboard.js": "text/javascript",
    "words.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
HEADERS = {
    # Only our own files, whatever the names in the data contain.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def make_app(
    *models: Model,
    token: str = "",
    events: Optional[Callable[[], int]] = None,
    clock: Callable[[], float] = time.time,
) -> web.Application:
    """Return the wallboard of one or more models. Serve it with aiohttp on the models' loop.

    * ``token``: gives access. Without one, only requests to this machine's own names are answered, so listen on
      127.0.0.1;
    * ``events``: ``events()`` returns the total number of events, for the rate: ``lambda: pool.stats.events``;
    * ``clock``: returns Unix time in seconds.

    All links of the page are relative, so it works behind a proxy under any path that ends with a slash.
    """
    state = State(models, events, clock)
    broadcast = Broadcast(state)

    async def life(app: web.Application) -> AsyncIterator[None]:
        yield
        state.close()

    async def shut_down(app: web.Application) -> None:
        broadcast.close()

    app = web.Application(middlewares=[Access(token).middleware()], client_max_size=1 << 12)
    app.on_shutdown.append(shut_down)
    app.on_response_prepare.append(_secure)
    app.cleanup_ctx.append(life)
    app.router.add_get("/", _file("index.html", "text/html"))
    for name, kind in FILES.items():
        app.router.add_get(f"/static/{name}", _file(name, kind))
    app.router.add_get("/events", broadcast.serve, allow_head=False)
    return app


async def _secure(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


def _file(name: str, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    body = (resources.files(__package__) / "static" / name).read_bytes()

    async def answer(request: web.Request) -> web.Response:
        # Never cached: after an update, the page must not be a mixture of two versions.
        return web.Response(body=body, content_type=kind, charset="utf-8", headers={"Cache-Control": "no-cache"})

    return answer
