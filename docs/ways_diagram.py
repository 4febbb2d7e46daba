"""The directive ``way``: the files and functions that an action, an answer or an event passes through.

Nothing in it is drawn by hand. A client and an embedded server on a simulated network are traced while they run, so the
picture is what the code does.
"""

from __future__ import annotations

import os
import sys
from types import FrameType
from typing import Callable

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

import ami_client
from ami_client import Connection, Pool
from ami_client.testing import FakeAsterisk, SimulatedReactor

PACKAGE = os.path.dirname(ami_client.__file__)
ROW, WIDTH, LANE, LABEL = 20, 760, 15, 245
STYLE = "fill:none;stroke:currentColor;stroke-width:1.3"

Step = tuple[str, list[str]]  # a file, and the functions entered there one after the other


def trace(work: Callable[[], object], root: str = "") -> list[Step]:
    """The files of the client that are entered while ``work`` runs, in order; with ``root``, inside that function."""
    steps: list[Step] = []
    inside = 0 if root else 1

    def note(frame: FrameType, what: str, _argument: object) -> None:
        nonlocal inside
        if what not in ("call", "return"):
            return
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        if name == root:
            inside += 1 if what == "call" else -1
        if what == "return" or not inside or not file.startswith(PACKAGE) or f"{os.sep}testing{os.sep}" in file:
            return
        room = os.path.relpath(file, PACKAGE).removesuffix(".py").replace(os.sep, "/")
        if not steps or steps[-1][0] != room:
            steps.append((room, []))
        if name not in steps[-1][1]:
            steps[-1][1].append(name)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return steps


def ways() -> dict[str, list[Step]]:
    """Each way, traced the second time, when caches are warm."""
    found: list[Connection] = []
    with SimulatedReactor() as reactor, FakeAsterisk(reactor) as server:
        pool = Pool(reactor=reactor)
        pool.get_connection(server.url, lambda conn, packet: found.append(conn))
        reactor.run_for(1)
        (conn,) = found
        pool.on("event_hangup", lambda conn, packet: None)
        traced = {}
        for _ in range(2):
            traced["ping"] = trace(lambda: conn.ping(lambda conn, packet: None))
            traced["answer"] = trace(lambda: reactor.run_for(0), "_readable")
            server.push({"Event": "Hangup", "Channel": "PJSIP/100-00000001"})
            traced["event"] = trace(lambda: reactor.run_for(0), "_readable")
        pool.finish()
        reactor.run_for(1)
    return traced


def draw(steps: list[Step], title: str) -> str:
    """The picture, as SVG: one lane for each file, one row for each time that it is entered."""
    lanes = {room: number for number, room in enumerate(dict(steps))}
    points = [(LANE * (lanes[room] + 1), ROW * (row + 1)) for row, (room, _) in enumerate(steps)]
    path = " ".join(f"{'L' if row else 'M'}{x},{y}" for row, (x, y) in enumerate(points))
    shapes = [f'<path d="{path}" style="{STYLE}"/>']
    for (room, functions), (x, y) in zip(steps, points):
        shapes.append(f'<circle cx="{x}" cy="{y}" r="4" fill="currentColor"/>')
        shapes.append(f'<text x="{LABEL}" y="{y + 4}" font-weight="bold">{room}</text>')
        names = ", ".join(functions)
        shapes.append(f'<text x="{LABEL + 160}" y="{y + 4}">{names if len(names) < 60 else names[:57] + "…"}</text>')
    height = ROW * (len(steps) + 1)
    return (
        f'<svg role="img" aria-label="{title}" viewBox="0 0 {WIDTH} {height}" style="max-width:{WIDTH}px;width:100%" '
        f'font-family="sans-serif" font-size="11" fill="currentColor">{"".join(shapes)}</svg>'
    )


class Way(Directive):
    """Puts the picture of a way there, in HTML: ``ping``, ``answer`` or ``event``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        steps = ways()[name]
        said = f"{len(dict(steps))} files, entered {len(steps)} times."
        picture = nodes.raw("", draw(steps, f"Way: {name}"), format="html")
        return [picture, nodes.paragraph("", said)]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("way", Way)
    return {"parallel_read_safe": True}
