"""Makes the pictures of screens in docs: ``python3 tasks.py pictures [top] [events] [wallboard]``, all without a name.

They are what users see: the screen of top as it is drawn, the output of events in a terminal, the wallboard in
Chromium.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Sequence
from pathlib import Path

from board import Board as Wallboard
from chromium import Chromium
from PIL import Image
from rich.console import Console
from rich.text import Text

from ami_client import Connection, Pool, Reactor
from ami_client.cli.board import Board, draw
from ami_client.model import Model
from ami_client.testing import FakeAsterisk, SimulatedReactor

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
WIDTH, HEIGHT = 116, 16
RATES = (3, 8, 5, 13, 21, 9, 14, 40, 18, 25)  # events per second
TO_DANA = {"Channel": "PJSIP/front-desk", "Application": "Dial", "CallerID": '"Ann Miller" <5550100>'}


def draw_top() -> None:
    board = Board("tls://monitor@pbx.example.com:5039", "AMI 11.0.0", trouble="", round_trip=0.0007)
    board.rates.extend(RATES)
    with SimulatedReactor() as reactor, FakeAsterisk(reactor, call_length=None) as pbx:
        pool = Pool(reactor=reactor, server=pbx.url)
        model = Model(pool)

        @pool.on_login
        def call(conn: Connection) -> None:
            conn.originate(TO_DANA, None)
            waits = {"Channel": "Local/101@office", "Context": "office", "Exten": "600", "Priority": 1}
            conn.originate({**waits, "CallerID": '"Bo Chen" <5550123>'}, None)

        pool.get_connection()
        reactor.run_for(5)
        (waiting,) = [one for one in model.channels.values() if one.name.endswith(";1")]
        ids = {"Channel": waiting.name, "Uniqueid": waiting.uniqueid, "CallerIDNum": "5550123"}
        pbx.push({"Event": "QueueCallerJoin", "Queue": "helpline", "Position": "1", **ids})
        reactor.run_for(5)
        board.show(waiting.started + 75, len(model.calls), [*model.channels.values()], [*model.queues.values()])
        pool.finish()
    console = recorder(HEIGHT)
    console.print(draw(board, "14:03:27", WIDTH, HEIGHT))
    write_svg(console, "top", "ami-client top")


def draw_events() -> None:
    """The command itself, in a terminal, while somebody calls."""
    said = b""
    screen, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    with Reactor() as reactor, FakeAsterisk(reactor, ring_time=0.4, call_length=0.8) as pbx:
        pool = Pool(reactor=reactor, server=pbx.url)

        def read() -> None:
            nonlocal said
            try:
                said += os.read(screen, 65536)
            except OSError:  # the command has ended
                reactor.stop()

        def happen(conn: Connection) -> None:
            conn.originate(TO_DANA, None)
            bell = {"Event": "UserEvent", "Privilege": "user,all", "UserEvent": "DoorBell", "Door": "back"}
            busy = {"Channel": "Local/111@office", "Application": "Echo", "CallerID": '"Bo Chen" <5550123>'}
            pbx.play([(0.2, bell), (0.6, lambda: conn.originate(busy, None))])

        shown = ("newchannel", "newstate", "dialbegin", "dialend", "userevent", "hangup")
        command = [sys.executable, "-m", "ami_client", "events", pbx.url, "--timeout", "5"]
        command += [argument for name in shown for argument in ("--name", name)]
        with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT):
            os.close(theirs)
            reactor.add_reader(screen, read)
            pool.get_connection(lambda conn: reactor.call_later(2, happen, conn))
            reactor.run()
            reactor.remove_reader(screen)
        pool.finish()
    os.close(screen)
    text = said.decode().replace("\r\n", "\n").rstrip()
    console = recorder(len(text.splitlines()))
    console.print(Text.from_ansi(text), no_wrap=True)
    write_svg(console, "events", "ami-client events")


def draw_wallboard() -> None:
    """The page of a call centre at work."""
    board = Wallboard()
    with tempfile.TemporaryDirectory() as profile:
        chromium = Chromium(Path(profile))
        board.fill()
        chromium.open(f"{board.url}?lang=en")
        chromium.wait(lambda: len(chromium.texts("#calls tr")) == 8)
        for scheme, suffix in (("light", ""), ("dark", "-dark")):
            chromium.look(prefers_color_scheme=scheme)
            chromium.resize(1280, 690)
            take(chromium, f"wallboard-desk{suffix}")
        chromium.look(prefers_color_scheme="light")
        chromium.resize(390, 844, mobile=True)
        take(chromium, "wallboard-telephone")
        chromium.close()
    board.close()


def take(chromium: Chromium, name: str) -> None:
    """What is to be seen, in 256 colours: a third of the size, and nobody sees the difference."""
    path = DOCS / f"{name}.png"
    chromium.picture(path)
    with Image.open(path) as picture:
        picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def recorder(height: int) -> Console:
    """A terminal that keeps what is drawn."""
    return Console(record=True, width=WIDTH, height=height, file=io.StringIO(), force_terminal=True, emoji=False)


def write_svg(console: Console, name: str, title: str) -> None:
    picture = console.export_svg(title=title, unique_id=name)
    picture = re.sub(r"@font-face \{.*?\}|<!--.*?-->", "", picture, flags=re.DOTALL)  # they want the network
    text = "".join(f"{line.rstrip()}\n" for line in picture.splitlines() if line.strip())
    (DOCS / f"{name}.svg").write_text(text, encoding="utf-8")


PICTURES = {"top": draw_top, "events": draw_events, "wallboard": draw_wallboard}


def main(names: Sequence[str]) -> None:
    for name in names or PICTURES:
        PICTURES[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
