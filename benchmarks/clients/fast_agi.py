"""FastAGI servers at work: ``python -m benchmarks.clients.fast_agi SERVER CALLS``.

Each call is answered, gets a variable set and read, a file played and digits read. The first line of the output is the
port. When so many calls are over, another has the processor time in seconds, and how many replies were right.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any, Callable

DIGITS = "123"


class Count:
    """Counts calls that are over; the last one ends the measurement."""

    def __init__(self, calls: int) -> None:
        self.right = 0
        self.over = threading.Event()
        self._left = calls
        self._lock = threading.Lock()

    def add(self, value: str, digits: str, channel: str) -> None:
        with self._lock:
            self.right += (value == channel) + (digits == DIGITS)
            self._left -= 1
            if not self._left:
                self.over.set()


def report(port: int) -> float:
    """Say where it listens. Returns the processor time so far."""
    print(port, flush=True)
    return time.process_time()


def ours(count: Count, calls: int) -> float:
    """Callbacks on our reactor."""
    from ami_client import Reactor
    from ami_client.agi import Call, FastAGI, Reply

    reactor = Reactor()
    agi = FastAGI("127.0.0.1", 0, reactor=reactor)

    def start(call: Call) -> None:
        call.answer(answered)

    def answered(call: Call, reply: Reply) -> None:
        call.set_variable("BENCH", call.channel, was_set)

    def was_set(call: Call, reply: Reply) -> None:
        call.get_variable("BENCH", got)

    def got(call: Call, reply: Reply) -> None:
        call.params["value"] = reply.data or ""
        call.stream_file("beep", played)

    def played(call: Call, reply: Reply) -> None:
        call.get_data("beep", heard, timeout=5, maxdigits=3)

    def heard(call: Call, reply: Reply) -> None:
        count.add(call.params["value"], reply.digits, call.channel)
        call.finish()
        if count.over.is_set():
            reactor.stop()

    agi.on("start", start)
    before = report(agi.port or 0)
    reactor.run()
    return before


def ours_await(count: Count, calls: int) -> float:
    """Coroutines on asyncio's loop."""
    import asyncio

    from ami_client.agi import Call, FastAGI

    async def main() -> float:
        over = asyncio.Event()
        agi = FastAGI("127.0.0.1", 0, reactor=asyncio.get_running_loop())

        async def start(call: Call) -> None:
            await call.answer()
            await call.set_variable("BENCH", call.channel)
            reply = await call.get_variable("BENCH")
            await call.stream_file("beep")
            digits = await call.get_data("beep", timeout=5, maxdigits=3)
            count.add(reply.data or "", digits.digits, call.channel)
            if count.over.is_set():
                over.set()

        agi.on("start", start)
        before = report(agi.port or 0)
        await over.wait()
        return before

    return asyncio.run(main())


def pystrix(count: Count, calls: int) -> float:
    """A thread per call."""
    from pystrix.agi import core, fastagi  # type: ignore[import-not-found]

    server = fastagi.FastAGIServer("127.0.0.1", 0)

    def start(agi: Any, *_: object) -> None:
        agi.execute(core.Answer())
        channel = agi.get_environment()["agi_channel"]
        agi.execute(core.SetVariable("BENCH", channel))
        value = agi.execute(core.GetVariable("BENCH"))
        agi.execute(core.StreamFile("beep"))
        digits, _ = agi.execute(core.GetData("beep", 5000, 3))
        count.add(value, digits, channel)

    server.register_script_handler(None, start)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    before = report(server.server_address[1])
    thread.start()
    count.over.wait()
    return before


SERVERS: dict[str, Callable[[Count, int], float]] = {"ours": ours, "ours-await": ours_await, "pystrix": pystrix}


def main() -> None:
    server, calls = sys.argv[1], int(sys.argv[2])
    count = Count(calls)
    before = SERVERS[server](count, calls)
    print(json.dumps({"cpu_seconds": time.process_time() - before, "right": count.right}), flush=True)


if __name__ == "__main__":
    main()
