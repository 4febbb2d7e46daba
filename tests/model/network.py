"""The network: a simulated loop, sockets, and the servers behind them."""

from __future__ import annotations

import socket
from typing import Any, Optional

from ami_client import Connection, Reactor
from ami_client.testing import FakeClock, FakeSelector, FakeSocket

from .links import Link
from .words import Said


class Network:
    """Everything that is not the library, nor its user; ``faults`` is what was found, ``story`` what has happened."""

    def __init__(self, timeout: Optional[float], md5: bool) -> None:
        self.timeout, self.md5 = timeout, md5
        self.faults: list[str] = []
        self.story: list[str] = []
        self.clock = FakeClock(1000.0)
        self.selector = FakeSelector(self.clock)
        self.reactor = Reactor(selector=self.selector, clock=self.clock)
        self.links: dict[Connection, Link] = {}
        self.sockets: list[FakeSocket] = []
        self.by_port: dict[int, Link] = {}
        self.setting_out: Optional[Link] = None
        self.said = 0

    def trace(self, text: str) -> None:
        """Remember what has happened."""
        self.story.append(f"{self.clock.now - 1000:7.2f} {text}")

    def fault(self, text: str) -> None:
        """The contract is broken. Callbacks may not raise: the library would swallow it."""
        self.faults.append(text)
        self.trace(f"FAULT: {text}")

    # -- in place of the system

    def _make_socket(self, *args: int) -> FakeSocket:
        sock = FakeSocket(*args)
        sock.hold()
        self.sockets.append(sock)
        return sock

    def _resolve(self, host: str, port: int, **kwargs: object) -> list[Any]:
        link, self.setting_out = self.setting_out, None
        assert link is not None
        number = len(self.by_port) + 1  # by it the socket is known again
        self.by_port[number] = link
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, number))]

    # -- in place of the servers

    def say(self, link: Link, *words: tuple[str, str], cut: int = 1) -> None:
        """Send messages (word, ActionID) in so many pieces, and handle each."""
        assert link.sock is not None
        data, ends = link.half, []
        link.half = b""
        for word, action_id in words:
            self.said += 1
            said = Said(word, str(self.said), action_id, link.fences[action_id] if word == "fence" else action_id)
            data += said.data
            ends.append((len(data), said))
            self.trace(f"{link} server: {word} {action_id} ({said.number})")
        size = max(1, -(-len(data) // cut))
        fed = 0
        while fed < len(data):
            piece = data[fed : fed + size]
            fed += len(piece)
            while ends and ends[0][0] <= fed:
                link.inbox.append(ends.pop(0)[1])
            link.sock.feed(piece)
            self.pump()

    def log_in(self, link: Link, verdict: str) -> None:
        """Accept and answer the login to its end."""
        if not link.opened:
            self.accept(link)
        while not link.conn.finished and link.stage != "over":
            self.login_step(link, verdict)

    def accept(self, link: Link) -> None:
        """Let the attempt to connect succeed."""
        assert link.sock is not None
        link.opened = self.clock.now
        link.sock.accept()
        self.pump()

    def login_step(self, link: Link, verdict: str = "welcome") -> None:
        """Say what is next in a login."""
        if link.stage == "banner":
            link.stage = "challenge" if self.md5 else "login"
            self.say(link, ("banner", ""))
        elif link.stage == "challenge":
            link.stage = "login"
            self.say(link, ("challenge", ""))
        else:
            link.stage = "over"
            self.say(link, (verdict, ""))

    def _listen(self, link: Link) -> None:
        """Read what the client has sent."""
        if link.sock is None or not link.sock.sent:
            return
        *messages, link.unread = (link.unread + link.sock.take()).split(b"\r\n\r\n")
        for message in messages:
            lines = message.decode().split("\r\n")
            action_id = lines[-1].removeprefix("ActionID: ").lower()
            if lines[0] == "Action: Ping":
                if link.heard == "Action: IAXnetstats":
                    link.fences[link.actions[-1]] = action_id
                else:
                    link.asked_since = link.asked_since if link.asked else self.clock.now
                    link.asked.append(action_id)
            elif lines[0].lower() not in ("action: login", "action: challenge", "action: logoff"):
                link.actions.append(action_id)
            link.heard = lines[0]
            if link.heard == "Action: IAXnetstats":
                link.fences[action_id] = ""

    # -- the loop

    def iterate(self, limit: float) -> bool:
        """One iteration, or as much of it as a KeyboardInterrupt lets pass."""
        try:
            ran = self.reactor.run_once(limit)
        except KeyboardInterrupt:
            return True
        for sock in self.sockets:
            if sock.address is not None:
                link = self.by_port[sock.address[1]]  # type: ignore[index]
                link.sock = sock
                self._listen(link)
        return ran

    def pump(self) -> None:
        """Run until nothing is left to be done now."""
        for _ in range(300):
            if not self.iterate(0):
                break
        else:
            self.fault("the loop is busy without an end")
        self.sockets = [sock for sock in self.sockets if not sock.closed]

    def wait(self, seconds: float) -> None:
        """Let time pass; servers that are not silent answer Pings."""
        end = self.clock.now + seconds
        self.pump()
        while self.clock.now < end:
            self.iterate(end - self.clock.now)
            self._answer_pings()
        self.pump()

    def _answer_pings(self) -> None:
        for link in list(self.links.values()) if self.timeout else ():
            if link.asked and not link.silent and not link.conn.finished and link.sock is not None and not link.half:
                data = b"".join(f"Response: Success\r\nActionID: {one}\r\n\r\n".encode() for one in link.asked)
                link.asked.clear()
                link.sock.feed(data)
                self.pump()
