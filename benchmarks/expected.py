"""What each job makes of the events: how often handlers are called, and what they read.

The runners' own counts are compared with these, so that nobody is fast by leaving something out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.load.replay import END, split_events

from .server import LIST_ENTRIES

#: Which of the genuine events clients never see.
LOST = {
    "asterisk-ami": "those behind two blank lines",
    "goami2": "those with a header whose name has a parenthesis, as ChanVariable(channel)",
}


class Expected:
    """The counts for a stream of events, which repeats."""

    def __init__(self, stream: bytes) -> None:
        self._events = [_Packet(event) for event in split_events(stream)]
        for event, blank_lines in zip(self._events[1:], re.findall(rb"(?:\r\n){2,}", stream)):
            if len(blank_lines) > len(END):
                event.lost_by.add("asterisk-ami")
        self._listed = sum(event.read for event in self._events[:LIST_ENTRIES])

    def of(self, kind: str, names: Sequence[str], count: int, client: str = "") -> tuple[int, int]:
        """The calls of handlers for ``count`` events (of these names), pings or lists, and what they read."""
        if kind == "idle":
            return 0, 0
        if kind in ("pings", "awaits", "calls"):
            return count, count * len("Success" + "Pong")
        if kind == "lists":
            return count * LIST_ENTRIES, count * self._listed
        if client == "asterisk-ami" and kind == "latency":
            client = ""  # these events come behind one blank line each
        rounds, rest = divmod(count, len(self._events))
        calls = read = 0
        for times, events in ((rounds, self._events), (1, self._events[:rest])):
            found = [
                event.read for event in events if (not names or event.name in names) and client not in event.lost_by
            ]
            calls += times * len(found)
            read += times * sum(found)
        return calls, read

    def share(self, names: Sequence[str], client: str = "") -> float:
        """Which part of the events handlers are called for."""
        return self.of("events", names, len(self._events), client)[0] / len(self._events)


class _Packet:
    """What the handlers see of a packet: its name, and the length of its Channel header.

    ``lost_by``: the clients that never see it.
    """

    def __init__(self, packet: bytes) -> None:
        headers = dict(line.partition(b": ")[::2] for line in packet.split(b"\r\n"))
        self.name = headers.get(b"Event", b"").decode()
        self.read = len(headers.get(b"Channel", b""))
        self.lost_by = {"goami2"} if any(b"(" in name for name in headers) else set()
