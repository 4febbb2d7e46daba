"""The wallboard as an application of aiohttp."""

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
    # Nothing but our own files, whatever a name may hold.
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
    """The wallboard of one or more models, to be served by aiohttp on the loop that the models live on.

    * ``token``: whoever has it may look. Without one only requests to this machine's own names are answered, so listen
      on 127.0.0.1;
    * ``events``: ``events()`` counts the events that ever came, for events a second: ``lambda: pool.stats.events``;
    * ``clock``: Unix time in seconds.

    All links of the page are relative, so that it works behind a proxy under any path that ends in a slash.
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
        # Asked for each time: after an update the page must not be a mixture of two versions.
        return web.Response(body=body, content_type=kind, charset="utf-8", headers={"Cache-Control": "no-cache"})

    return answer
