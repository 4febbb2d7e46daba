"""``python -m benchmarks.agi``: FastAGI servers, ours and pystrix's, with a thousand calls at once, by turns.

The calls are played by this process, which is not measured. A server's processor time per call is what counts.
"""

from __future__ import annotations

import json
import selectors
import socket
import statistics
import subprocess
import sys
from collections.abc import Sequence

from .clients.fast_agi import DIGITS, SERVERS
from .install import install_server
from .machine import Processors, allow_descriptors, facts
from .server import ROOT

CALLS = 1000  # at once
TURNS = 10  # so often in one run
ROUNDS = 5
TARGET = 3.0


class Caller:
    """One call, as Asterisk makes it."""

    def __init__(self, number: int, port: int) -> None:
        self.channel = f"PJSIP/bench-{number:08x}"
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.buffer = b""
        lines = {"network": "yes", "network_script": "bench", "request": "agi://127.0.0.1/bench"}
        lines["channel"] = self.channel
        rest = "language type uniqueid version callerid calleridname callingpres callingani2 callington callingtns"
        lines.update(dict.fromkeys(f"{rest} dnid rdnis context extension priority enhanced accountcode".split(), "x"))
        self.environment = "".join(f"agi_{name}: {value}\n" for name, value in lines.items()).encode() + b"\n"

    def serve(self) -> bool:
        """Answer what has come. Returns whether the call goes on."""
        data = self.sock.recv(4096)
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            name = line.split()[:2]
            if name == [b"GET", b"VARIABLE"]:
                reply = f"200 result=1 ({self.channel})\n"
            elif name == [b"GET", b"DATA"]:
                reply = f"200 result={DIGITS}\n"
            else:
                reply = "200 result=0 endpos=0\n" if name[0] == b"STREAM" else "200 result=0\n"
            self.sock.sendall(reply.encode())
        return bool(data)


def play(port: int, calls: int) -> None:
    """Make so many calls at once, and play them to their ends."""
    with selectors.DefaultSelector() as selector:
        callers = [Caller(number, port) for number in range(calls)]
        for caller in callers:
            selector.register(caller.sock, selectors.EVENT_READ, caller)
        for caller in callers:
            caller.sock.sendall(caller.environment)
        while selector.get_map():
            for key, _ in selector.select(60):
                if not key.data.serve():
                    selector.unregister(key.fileobj)
                    key.data.sock.close()


def run(python: str, server: str, processors: Processors) -> float:
    """Calls per CPU second of a server. Raises RuntimeError if it did not do its work."""
    total = CALLS * TURNS
    command = [python, "-m", "benchmarks.clients.fast_agi", server, str(total)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        processors.place(process.pid, together=False)  # they work at the same time
        port = int(process.stdout.readline())
        for _ in range(TURNS):
            play(port, CALLS)
        result = json.loads(process.stdout.readline())
    if result["right"] != 2 * total:
        raise RuntimeError(f"{server}: {result['right']:,} right replies in place of {2 * total:,}")
    return float(total / result["cpu_seconds"])


def main(argv: Sequence[str]) -> int:
    """Measure, and print a table. Returns 1 if a target is missed."""
    rounds = int(argv[0]) if argv else ROUNDS
    python = install_server("pystrix", "1.3.0")
    allow_descriptors()
    processors = Processors()
    rates: dict[str, list[float]] = {server: [] for server in SERVERS}
    for number in range(rounds):
        servers = [*SERVERS][number % len(SERVERS) :] + [*SERVERS][: number % len(SERVERS)]
        for server in servers:
            rates[server].append(run(python, server, processors))
            print(f"round {number + 1}, {server}: {rates[server][-1]:,.0f} calls per CPU second", file=sys.stderr)
    print("; ".join(f"{name}: {value}" for name, value in facts(processors).items()))
    met = True
    for server in SERVERS:
        ratios = [mine / other for mine, other in zip(rates[server], rates["pystrix"])]
        ratio = statistics.median(ratios)
        met = met and (server == "pystrix" or ratio >= TARGET)
        spread = f"{min(ratios):.1f} to {max(ratios):.1f}"
        rate = statistics.median(rates[server])
        print(f"{server:<12}{rate:>10,.0f} calls per CPU second, {ratio:.1f} times pystrix ({spread})")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
