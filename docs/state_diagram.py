"""The directive ``state-diagram``: the states of a connection, drawn from the table in the code.

The states stand in a column in the order of their life, a move to the next one is an arrow between
them, one that skips states an arc beside. What leads to FINISHED would hide all others: the text
beside the picture tells it.
"""

from __future__ import annotations

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from ami_client._engine.state import TRANSITIONS, Move, State

WIDTH, HEIGHT, STEP = 130, 30, 74
LEFT, ARC = 30, 28
STYLE = "fill:none;stroke:currentColor;stroke-width:1.3"


def moves() -> list[tuple[State, Move, State]]:
    """The table's moves, but for those that end a connection: every state has that one."""
    return [
        (source, move, target)
        for source, out in TRANSITIONS.items()
        for move, target in out.items()
        if move is not Move.FINISH
    ]


def draw() -> str:
    """The picture, as SVG."""
    states = list(State)[:-1]  # without FINISHED
    top = {state: 10 + STEP * place for place, state in enumerate(states)}
    shapes: list[str] = []
    for state, y in top.items():
        shapes.append(f'<rect x="{LEFT}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" style="{STYLE}"/>')
        shapes.append(text(LEFT + WIDTH / 2, y + 20, state.name, "middle", bold=True))
    for source, move, target in moves():
        span = states.index(target) - states.index(source)
        shapes += step(top[source], move) if span == 1 else arc(top[source], top[target], span, move)
    head = '<marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8"'
    head += ' orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="currentColor"/></marker>'
    height = STEP * (len(states) - 1) + HEIGHT + 20
    return (
        f'<svg role="img" aria-label="States of a connection" style="max-width:430px;width:100%" '
        f'viewBox="0 0 430 {height}" font-family="sans-serif" font-size="13">'
        f"<defs>{head}</defs>{''.join(shapes)}</svg>"
    )


def step(top: float, move: Move) -> list[str]:
    """An arrow to the next state."""
    x, y = LEFT + WIDTH / 2, top + HEIGHT
    line = f'<path d="M{x},{y} V{top + STEP}" style="{STYLE}" marker-end="url(#head)"/>'
    return [line, text(x + 8, (y + top + STEP) / 2 + 4, move.value)]


def arc(start: float, end: float, span: int, move: Move) -> list[str]:
    """An arrow past other states, the wider the more it passes."""
    x, reach = LEFT + WIDTH, LEFT + WIDTH + ARC * span**2
    begin, arrive = start + HEIGHT * 0.75, end + HEIGHT * 0.25
    curve = f"M{x},{begin} C{reach},{begin} {reach},{arrive} {x},{arrive}"
    line = f'<path d="{curve}" style="{STYLE}" marker-end="url(#head)"/>'
    return [line, text((x + 3 * reach) / 4 + 6, (begin + arrive) / 2 + 4, move.value)]


def text(x: float, y: float, content: str, anchor: str = "start", *, bold: bool = False) -> str:
    weight = "bold" if bold else "normal"
    attributes = f'x="{x}" y="{y}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text {attributes} fill="currentColor">{content}</text>'


class StateDiagram(Directive):
    """Puts the picture there, in HTML."""

    def run(self) -> list[nodes.Node]:
        return [nodes.raw("", draw(), format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("state-diagram", StateDiagram)
    return {"parallel_read_safe": True}
