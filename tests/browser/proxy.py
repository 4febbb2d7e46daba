"""A proxy that has a wallboard under a path, as nginx would have it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import ClientConnectionError, ClientSession, web


@contextmanager
def behind(port: int, path: str) -> Iterator[str]:
    """The wallboard's address behind a proxy that serves ``path`` and nothing else."""
    loop = asyncio.new_event_loop()
    started: list[int] = []
    ready = threading.Event()

    async def serve() -> None:
        async with ClientSession() as session:

            async def forward(request: web.Request) -> web.StreamResponse:
                if not request.path.startswith(path):
                    raise web.HTTPNotFound
                target = f"http://127.0.0.1:{port}/{request.path_qs[len(path) :]}"
                headers = {name: value for name, value in request.headers.items() if name != "Host"}
                data = await request.read()
                try:
                    answer = await session.request(
                        request.method, target, headers=headers, data=data, allow_redirects=False
                    )
                except ClientConnectionError:
                    raise web.HTTPBadGateway from None
                async with answer:
                    kept = {name: value for name, value in answer.headers.items() if name not in HOP_BY_HOP}
                    response = web.StreamResponse(status=answer.status, headers=kept)
                    await response.prepare(request)
                    async for part in answer.content.iter_any():
                        await response.write(part)
                    return response

            app = web.Application()
            app.router.add_route("*", "/{any:.*}", forward)
            runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            started.append(runner.addresses[0][1])
            ready.set()
            await stop.wait()
            await runner.cleanup()

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(20)
    try:
        yield f"http://127.0.0.1:{started[0]}{path}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


HOP_BY_HOP = ("Transfer-Encoding", "Content-Length", "Connection")
