"""The directive ``way``: a picture of the files that an action, its answer, a list or an event passes through.

Nothing in it is drawn by hand: ``ways.py`` traces the running code.
"""

from __future__ import annotations

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from ways import Way, ways

ROW, WIDTH, LANE, LABEL = 20, 760, 15, 190
STYLE = "fill:none;stroke:currentColor;stroke-width:1.3"


def draw(way: Way, title: str) -> str:
    """The picture, as SVG: a row for each file, a line from the one that calls it, one lane further for each call."""
    rows = {room: number + 1 for number, room in enumerate(way)}
    lanes: dict[str, int] = {}
    shapes = []
    for room, here in way.items():
        lanes[room] = 1 + max((lanes[caller] for caller in here.callers), default=0)
        x, y = LANE * lanes[room], ROW * rows[room]
        shapes += [
            f'<path d="M{LANE * lanes[caller]},{ROW * rows[caller]} V{y} H{x}" style="{STYLE}"/>'
            for caller in here.callers
        ]
        shapes.append(f'<circle cx="{x}" cy="{y}" r="4" fill="currentColor"/>')
        shapes.append(f'<text x="{LABEL}" y="{y + 4}" font-weight="bold">{room}</text>')
        names = ", ".join(here.functions)
        shapes.append(f'<text x="{LABEL + 150}" y="{y + 4}">{names if len(names) < 70 else names[:67] + "…"}</text>')
    height = ROW * (len(way) + 1)
    return (
        f'<svg role="img" aria-label="{title}" viewBox="0 0 {WIDTH} {height}" style="max-width:{WIDTH}px;width:100%" '
        f'font-family="sans-serif" font-size="11" fill="currentColor">{"".join(shapes)}</svg>'
    )


class WayDirective(Directive):
    """Puts the picture of a way there, in HTML: ``ping``, ``answer``, ``list`` or ``event``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        way = ways()[name]
        picture = nodes.raw("", draw(way, f"Way: {name}"), format="html")
        return [picture, nodes.paragraph("", f"{len(way)} files.")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("way", WayDirective)
    return {"parallel_read_safe": True}
