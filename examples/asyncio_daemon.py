#!/usr/bin/env python3
"""A daemon on asyncio: knows who waits in the queues and who gave up, and reports it over HTTP. Needs aiohttp.

asyncio_daemon.py        plays a scene on the embedded server
asyncio_daemon.py URL    runs on your PBX until SIGTERM or Ctrl-C (or set AMI_URL)
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from collections import deque
from typing import Any

from aiohttp import web

from ami_client import AMIError, ConnectionLost, Packet
from ami_client.aio import Client, Gap
from ami_client.testing import FakeAsterisk

log = logging.getLogger("asyncio_daemon")

KEPT = 1000  # callers who gave up

# sysexits.h: EX_CONFIG. systemd's RestartPreventExitStatus= names it.
BAD_CONFIGURATION = 78


class Queues:
    """The waiting callers, and those who gave up."""

    def __init__(self, pbx: Client) -> None:
        self.pbx = pbx
        self.waiting: dict[str, dict[str, str]] = {}  # by unique id
        self.gave_up: deque[dict[str, str]] = deque(maxlen=KEPT)

    async def watch(self) -> None:
        """Follow the server. Raises AMIError if the client stops reconnecting."""
        async with self.pbx.events("queuecaller*") as events:
            await self.pbx.wait_connected()
            await self.ask()
            async for event in events:
                if not isinstance(event, Gap):
                    self.apply(event)
                elif event.reason != "lost":  # events are missing, and the server can answer again
                    await self.ask()

    async def ask(self) -> None:
        """Replace the state with the server's answer."""
        try:
            answer = await self.pbx.action("QueueStatus")
        except ConnectionLost:  # again; another gap follows
            return
        except AMIError as error:
            log.error("the callers are not known: %s", error)
            return
        self.waiting = {one["uniqueid"]: caller(one) for one in answer.events if one["event"] == "QueueEntry"}
        log.info("%d callers are waiting", len(self.waiting))

    def apply(self, event: Packet) -> None:
        if event["event"] == "QueueCallerJoin":
            self.waiting[event["uniqueid"]] = caller(event)
            log.info("%s waits in %s", event["calleridnum"], event["queue"])
        else:  # QueueCallerLeave, or QueueCallerAbandon, after which a QueueCallerLeave comes
            self.waiting.pop(event["uniqueid"], None)
        if event["event"] == "QueueCallerAbandon":
            self.gave_up.append({**caller(event), "at": time.strftime("%H:%M:%S")})
            log.warning("%s gave up in %s", event["calleridnum"], event["queue"])


def caller(event: Packet) -> dict[str, str]:
    return {"queue": event["queue"], "number": event["calleridnum"]}


def make_app(queues: Queues) -> web.Application:
    """``/queues`` for people and programs, ``/health`` for supervision."""

    async def show_queues(request: web.Request) -> web.Response:
        return web.json_response({"waiting": [*queues.waiting.values()], "gave_up": [*queues.gave_up]})

    async def show_health(request: web.Request) -> web.Response:
        up = queues.pbx.connected
        return web.Response(status=200 if up else 503, text="connected\n" if up else "the PBX cannot be reached\n")

    app = web.Application()
    app.add_routes([web.get("/queues", show_queues), web.get("/health", show_health)])
    return app


async def run(url: str, port: int, reconnect: float = 2) -> int:
    """Run until a signal arrives. Return the exit status."""
    pbx = Client(url, events="agent", reconnect=reconnect)
    queues = Queues(pbx)
    server = web.AppRunner(make_app(queues))
    await server.setup()
    watching = asyncio.ensure_future(queues.watch())
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, watching.cancel)
    try:
        await web.TCPSite(server, "127.0.0.1", port).start()
        await watching
        return 0
    except asyncio.CancelledError:
        log.info("stopping")
        return 0
    except AMIError as error:  # for example a refused login, which a retry would not mend
        log.error("%s", error)
        return BAD_CONFIGURATION
    finally:
        watching.cancel()
        await server.cleanup()  # requests end first, because they may be using the connection
        await pbx.close()


async def rehearse() -> int:
    """Two people call, and one gives up. The server restarts, and the other is gone. Then somebody stops the daemon."""

    def push(name: str, number: str) -> None:
        headers = {"Queue": "helpline", "CallerIDNum": number, "Uniqueid": f"1.{number}"}
        pbx.push({"Event": name, "Privilege": "agent,all", **headers})

    def on_ask(request: object) -> Any:
        if len(pbx.requests("QueueStatus")) == 1:
            pbx.play([(0.02, lambda: push("QueueCallerJoin", "5550100"))])
            pbx.play([(0.04, lambda: push("QueueCallerJoin", "5550199"))])
            pbx.play([(0.06, lambda: push("QueueCallerAbandon", "5550100")), (0.08, pbx.drop)])
        else:
            pbx.play([(0.3, lambda: os.kill(os.getpid(), signal.SIGTERM))])
        return NotImplemented  # the built-in answer

    with FakeAsterisk(asyncio.get_running_loop()) as pbx:
        pbx.on("QueueStatus", on_ask)
        return await run(pbx.url, port=0, reconnect=0.05)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?", default=os.environ.get("AMI_URL"), help="tcp://user:secret@host:5038")
    parser.add_argument("--port", type=int, default=8088, help="of the HTTP endpoint (default: %(default)s)")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    sys.exit(asyncio.run(run(args.url, args.port) if args.url else rehearse()))
