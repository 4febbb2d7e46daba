"""The directive ``dialogue-diagram``: who says what, and what becomes of it.

Nothing in it is drawn by hand. A session of the library is led through a dialogue: what it sends, the
states it goes through and what it tells its user are its own; only the server's part stands here.
"""

from __future__ import annotations

import re

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from ami_client._engine.action_ids import NumberedIDs
from ami_client._engine.in_flight import Pending
from ami_client._engine.login import Login
from ami_client._engine.session import LoginDone, Session
from ami_client._engine.state import Move, State

LOGIN = [
    "Asterisk Call Manager/11.0.0\r\n",
    "Response: Success\r\nChallenge: 840415273\r\n\r\n",
    "Response: Success\r\nMessage: Authentication accepted\r\n\r\n",
    "Event: FullyBooted\r\nStatus: Fully Booted\r\n\r\n",
]
LIST = [
    "Response: Success\r\nActionID: 1f3a-1\r\nEventList: start\r\n\r\n",
    "Event: QueueParams\r\nActionID: 1f3a-1\r\nQueue: helpline\r\n\r\n",
    "Event: QueueEntry\r\nActionID: 1f3a-1\r\nQueue: helpline\r\n\r\n",
    "Event: QueueStatusComplete\r\nActionID: 1f3a-1\r\nEventList: Complete\r\n\r\n",
    "Event: Hangup\r\nChannel: PJSIP/100-00000001\r\n\r\n",
]

ROW, CLIENT, SERVER, WIDTH = 34, 150, 560, 590
STYLE = "fill:none;stroke:currentColor;stroke-width:1.3"
SHOWN = re.compile(r"Action|Response|Event|Challenge|EventList|Key|Asterisk")

Line = tuple[str, str]  # where it stands (sent, received, state, told), and what it says


class Dialogue:
    """A session and what happened to it, line by line."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.session = Session(Login("admin", "secret"), ids=NumberedIDs("1f3a"), on_state=self._on_state)
        self.session.move(Move.CONNECT)
        self.session.move(Move.OPENED)

    def login(self) -> None:
        for piece in LOGIN:
            self.hear(piece)

    def list_queues(self) -> None:
        self.login()
        self.lines.clear()
        self.session.send("QueueStatus", callback=lambda conn, packet: None)
        self._say()
        for piece in LIST:
            self.hear(piece)

    def hear(self, piece: str) -> None:
        self.lines.append(("received", summary(piece)))
        for outcome in self.session.outcomes(piece.encode()):
            if isinstance(outcome, LoginDone):
                self.lines.append(("told", "on_login, get_connection's callback, connected"))
            elif isinstance(outcome, Pending):
                self.lines.append(("told", f"the callback, {len(outcome.result.events)} entries in packet.events"))
            else:
                self.lines.append(("told", f"event_{outcome.event_name}, event"))
        self._say()

    def _say(self) -> None:
        data = self.session.take_outgoing().decode()
        if data:
            self.lines.append(("sent", summary(data)))

    def _on_state(self, state: State) -> None:
        self.lines.append(("state", state.name))


def summary(message: str) -> str:
    """The headers that matter, in one line."""
    lines = [line for line in message.split("\r\n") if SHOWN.match(line) and not line.startswith("ActionID")]
    return " · ".join(re.sub("(Key: ....).*", r"\1…", line) for line in lines)


def draw(lines: list[Line], title: str) -> str:
    """The picture, as SVG: the client's life line on the left, the server's on the right."""
    shapes = [text(CLIENT, 16, "ami_client", "middle"), text(SERVER, 16, "Asterisk", "end")]
    y = 24
    for kind, content in lines:
        y += ROW
        if kind == "state":
            y -= ROW // 2  # it changes between two messages
            shapes.append(text(CLIENT - 12, y, content, "end", "bold"))
        elif kind == "told":
            shapes.append(text(CLIENT + 14, y, f"→ {content}", "start", style="italic"))
        else:
            start, end = (CLIENT, SERVER) if kind == "sent" else (SERVER, CLIENT)
            shapes.append(f'<path d="M{start},{y} H{end}" style="{STYLE}" marker-end="url(#says)"/>')
            shapes.append(text((CLIENT + SERVER) / 2, y - 6, content, "middle"))
    for x in (CLIENT, SERVER):
        shapes.insert(0, f'<path d="M{x},24 V{y + 14}" style="{STYLE};stroke-dasharray:3 3;opacity:0.6"/>')
    head = '<marker id="says" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8"'
    head += ' orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="currentColor"/></marker>'
    return (
        # A telephone scrolls it: scaled down to a narrow screen, nobody could read it.
        f'<div style="overflow-x:auto"><svg role="img" aria-label="{title}" viewBox="0 0 {WIDTH} {y + 20}" '
        f'style="width:{WIDTH}px" font-family="sans-serif" font-size="12"><defs>{head}</defs>{"".join(shapes)}'
        "</svg></div>"
    )


def text(x: float, y: float, content: str, anchor: str, weight: str = "normal", style: str = "normal") -> str:
    attributes = f'x="{x}" y="{y}" text-anchor="{anchor}" font-weight="{weight}" font-style="{style}"'
    return f'<text {attributes} fill="currentColor">{content}</text>'


class DialogueDiagram(Directive):
    """Puts the picture of a dialogue there, in HTML: ``login`` or ``list_queues``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        dialogue = Dialogue()
        getattr(dialogue, self.arguments[0])()
        return [nodes.raw("", draw(dialogue.lines, f"Dialogue: {self.arguments[0]}"), format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("dialogue-diagram", DialogueDiagram)
    return {"parallel_read_safe": True}
