#!/usr/bin/env python3
"""A web application on asyncio: shows calls as they happen, and places calls. Needs aiohttp.

web_app.py        runs on the embedded server: open http://127.0.0.1:8080 and press the button
web_app.py URL    runs on your PBX until Ctrl-C (or set AMI_URL)
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from typing import Optional

from aiohttp import web

from ami_client import AMIError, Connection, Packet
from ami_client.aio import Client
from ami_client.testing import FakeAsterisk

PAGE = """<!doctype html><title>Calls</title>
<form><input name="channel" value="Local/101@office"> <input name="exten" value="102"> <button>Call</button></form>
<pre></pre>
<script>
const show = text => document.querySelector("pre").prepend(text + "\\n");
new EventSource("/events").onmessage = message => show(JSON.parse(message.data).join(" "));
document.querySelector("form").onsubmit = async event => {
  event.preventDefault();
  show(await (await fetch("/calls", {method: "POST", body: new FormData(event.target)})).text());
};
</script>"""
SHOWN = ("Event", "Channel", "ChannelStateDesc", "Cause-txt")
BACKLOG = 100  # events that wait for a slow browser
PATIENCE = 5.0  # seconds to wait for the PBX

PBX = web.AppKey("PBX", Client)
BROWSERS: web.AppKey[set[asyncio.Queue[str]]] = web.AppKey("BROWSERS")
CONTEXT = web.AppKey("CONTEXT", str)


async def index(request: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html")


async def channels(request: web.Request) -> web.Response:
    try:
        answer = await request.app[PBX].action("CoreShowChannels", timeout=PATIENCE)
    except AMIError as error:
        return web.Response(status=503, text=str(error))
    return web.json_response([{"channel": one["channel"], "state": one["channelstatedesc"]} for one in answer.events])


async def call(request: web.Request) -> web.Response:
    form = await request.post()
    params = {"Channel": str(form.get("channel")), "Context": request.app[CONTEXT], "Exten": str(form.get("exten"))}
    try:
        await request.app[PBX].originate({**params, "Priority": 1})
    except (AMIError, ValueError) as error:  # ValueError: for example a line feed from the browser
        return web.Response(status=409, text=str(error))
    return web.Response(text="answered")


async def events(request: web.Request) -> web.StreamResponse:
    """Server-sent events: an endless text, which the browser's EventSource reads."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    lines: asyncio.Queue[str] = asyncio.Queue(BACKLOG)
    request.app[BROWSERS].add(lines)
    try:
        await response.prepare(request)
        while True:
            await response.write(f"data: {await lines.get()}\n\n".encode())
    finally:
        request.app[BROWSERS].discard(lines)


def make_app(url: Optional[str], context: str) -> web.Application:
    """Return the application. Without a URL, it starts an embedded server."""
    app = web.Application()
    app[BROWSERS] = set()
    app[CONTEXT] = context

    def on_event(conn: Connection, event: Packet) -> None:
        line = json.dumps([event[name.lower()] for name in SHOWN if name.lower() in event])
        for lines in app[BROWSERS]:
            if not lines.full():  # only a browser that does not read loses events
                lines.put_nowait(line)

    async def connect(app: web.Application) -> AsyncIterator[None]:
        with contextlib.ExitStack() as stack:
            server = url or stack.enter_context(FakeAsterisk(asyncio.get_running_loop())).url
            app[PBX] = pbx = Client(server, events="call", reconnect=2)
            pbx.on(["event_newchannel", "event_newstate", "event_hangup"], on_event)
            with contextlib.suppress(AMIError):  # the application also starts without the PBX; requests get 503
                await pbx.wait_connected(PATIENCE)
            yield  # the application runs
            await pbx.close()

    app.cleanup_ctx.append(connect)
    app.add_routes([web.get("/", index), web.get("/channels", channels), web.get("/events", events)])
    app.add_routes([web.post("/calls", call)])
    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?", default=os.environ.get("AMI_URL"), help="tcp://user:secret@host:5038")
    parser.add_argument("--port", type=int, default=8080, help="of the web server (default: %(default)s)")
    parser.add_argument("--context", default="office", help="where the dialplan has the numbers (default: %(default)s)")
    args = parser.parse_args()
    web.run_app(make_app(args.url, args.context), host="127.0.0.1", port=args.port)
